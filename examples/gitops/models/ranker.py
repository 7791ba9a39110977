"""Scores of articles for a reader."""

import torch
from torch import nn


class Ranker(nn.Module):
    """How much a reader will like each article.

    Takes float32 features [N, 64], gives float32 scores [N, 1].
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.layers(features)
