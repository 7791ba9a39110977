"""A small convolutional network that names landmarks."""

import torch
from torch import nn


class Net(nn.Module):
    """Scores of shape [N, num_classes] from float32 images [N, 3, 224, 224]."""

    def __init__(self, num_classes: int = 50) -> None:
        super().__init__()
        self.features = nn.Sequential(
            block(3, 16, kernel_size=7, stride=4),
            block(16, 32, kernel_size=3, stride=2),
            block(32, 64, kernel_size=3, stride=2),
            nn.AdaptiveAvgPool2d(1),
        )
        self.classifier = nn.Linear(64, num_classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(image).flatten(1))


def block(channels: int, filters: int, *, kernel_size: int, stride: int) -> nn.Sequential:
    """A convolution whose outputs are normalized over the batch while it learns."""
    convolution = nn.Conv2d(channels, filters, kernel_size, stride, padding=kernel_size // 2)
    return nn.Sequential(convolution, nn.BatchNorm2d(filters), nn.ReLU())
