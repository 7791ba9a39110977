"""A small network for handwritten digits."""

import torch
from torch import nn


class Digits(nn.Module):
    """Digits 0 to 9 in grey pictures.

    Takes float32 [N, 1, 28, 28], gives float32 [N, 10].
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(4),
        )
        self.classes = nn.Linear(8 * 7 * 7, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.classes(self.features(image).flatten(1))
