"""The published weights of torchvision's DenseNets, under the names that its modules have today."""

import re
from collections.abc import Mapping

import torch

OLD = re.compile(r"(\.denselayer\d+\.(?:norm|conv))\.([12])\.")


def renamed(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The state_dict of a checkpoint, in which a layer's norm1 is still called norm.1."""
    return {OLD.sub(r"\1\2.", name): value for name, value in state.items()}
