"""Modules with weights of a seed in place of published ones, and pictures for them."""

from pathlib import Path
from typing import Any

import pytest

from generator.project import Model, Project, Tensor

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch")
Image = pytest.importorskip("PIL.Image")

from generator.export.random_weights import randomize  # noqa: E402  # needs torch


def separating(module: Any, *shape: int | str) -> Any:
    """The module with weights as of `gen export --random-weights`, for inputs of a shape."""
    model = Model((Tensor("image", "float32", shape),), (Tensor("scores", "float32", ("N", "C")),))
    randomize(Project("seeded", "triton", Path(), model), module.eval())
    return module


def photo(seed: int) -> Any:
    """A picture of soft patches of colour, 300 x 240."""
    patches = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(patches).resize((300, 240), Image.Resampling.BICUBIC)
