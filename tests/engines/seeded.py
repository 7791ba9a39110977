"""Modules with weights of a seed in place of published ones, and pictures for them."""

from collections.abc import Callable
from typing import Any

import pytest

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch")
Image = pytest.importorskip("PIL.Image")


def separating(make: Callable[[], Any], inputs: Any) -> Any:
    """A module with initial weights that answers by what it sees, and with answers well apart."""
    torch.manual_seed(0)
    module = make()
    for layer in module.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight)
        if isinstance(layer, torch.nn.Linear):
            torch.nn.init.normal_(layer.weight, std=0.02)
    module.eval()
    normalizing = [layer for layer in module.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    for layer in normalizing:
        layer.momentum = None  # the mean over all that is seen
        layer.reset_running_stats()
        layer.train()
    with torch.no_grad():
        module(inputs)
    return module.eval()


def photo(seed: int) -> Any:
    """A picture of soft patches of colour, 300 x 240."""
    patches = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(patches).resize((300, 240), Image.Resampling.BICUBIC)
