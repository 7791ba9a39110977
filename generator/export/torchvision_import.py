"""Import torchvision beside a torch that its compiled operators were not built for.

PyPI's wheel of torchvision for Linux is built against CUDA. Beside a torch for the CPU its library
of operators does not load, and its import ends with "operator torchvision::nms does not exist",
because torchvision/_meta_registrations.py adds to two operators that nobody has declared. Once
they are declared, transforms and models work; the operators themselves, which detectors call, are
still missing.
"""

import functools
import importlib
from collections.abc import Callable
from types import ModuleType
from typing import TypeVar

import torch

COMPLAINT = "operator torchvision::"
SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)

T = TypeVar("T")


def import_torchvision() -> ModuleType:
    """The package torchvision; raises what its import raises for other reasons."""
    return with_torchvision(lambda: importlib.import_module("torchvision"))


def with_torchvision(call: Callable[[], T]) -> T:
    """What a call returns that may import torchvision; called again where that import failed."""
    try:
        return call()
    except RuntimeError as error:
        if not str(error).startswith(COMPLAINT):
            raise
        _declared()
    return call()


@functools.cache
def _declared() -> torch.library.Library:
    """Declare the two operators, which last as long as what is returned."""
    library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in SCHEMAS:
        library.define(schema)
    return library
