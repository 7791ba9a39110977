"""When two answers to the same inputs are the same."""

import torch

from generator.export.samples import Tensors

RELATIVE = 1e-4
"""Of a number and of those around it: float32 has 24 bits, 6e-8, and a network adds up so many
products in an order of the program's own that the last three of its seven digits may differ. An
operator too many, a wrong constant or a mixed-up sample shows in the first two."""
RELATIVE_OF_HALVES = 1e-2  # float16 has 11 bits, 5e-4
ABSOLUTE = 1e-6  # where all numbers around one nearly are zero
# Boxes in pixels and scores of 0 to 1 may share a tensor, and masks write numbers such as -1e9.
LARGEST_USUAL = 100.0
LARGEST_COUNTED = 1e6


def answers_like(got: torch.Tensor, wanted: torch.Tensor) -> bool:
    """Whether an output is the other but for the order of operations on floating-point numbers.

    NaN and infinity stand in the same places; whole numbers and shapes are equal.
    """
    if got.dtype != wanted.dtype or got.shape != wanted.shape:
        return False
    if not wanted.dtype.is_floating_point or not wanted.numel():
        return bool(torch.equal(got, wanted))
    relative = RELATIVE_OF_HALVES if wanted.dtype == torch.float16 else RELATIVE
    mine, theirs = got.double(), wanted.double()
    limits = ABSOLUTE + relative * (theirs.abs() + _usual_size(theirs))
    is_near = theirs.isfinite() & ((mine - theirs).abs() <= limits)
    return bool((is_near | (mine == theirs) | (mine.isnan() & theirs.isnan())).all())


def differing(got: Tensors, wanted: Tensors) -> int | None:
    """The first output that is not like the one that is wanted, None where all are."""
    if len(got) != len(wanted):
        return min(len(got), len(wanted) - 1)
    for index, (mine, theirs) in enumerate(zip(got, wanted, strict=True)):
        if not answers_like(mine, theirs):
            return index
    return None


def _usual_size(numbers: torch.Tensor) -> torch.Tensor:
    """The median size of the numbers along the last dimension, at most LARGEST_USUAL.

    What is small because large numbers cancel out is as inexact as those. Zeros, which an
    activation leaves behind, and what is no number of the network's tell nothing about that.
    """
    sizes = numbers.abs()
    counted = sizes.where((sizes > 0) & (sizes <= LARGEST_COUNTED), torch.nan)
    return counted.nanmedian(-1, keepdim=True).values.nan_to_num(0.0).clamp(max=LARGEST_USUAL)
