"""torchvision's operator nms in Python, for detectors that run without its compiled ones.

Schema and meaning are those of torchvision/csrc/ops/nms.cpp, 0.28.
"""

from types import ModuleType

import torch

LIBRARY = torch.library.Library("torchvision", "FRAGMENT")
for name in ("nms", "qnms"):  # torchvision's import asks for the second
    if not torch._C._jit_get_schemas_for_operator(f"torchvision::{name}"):
        LIBRARY.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def nms(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """The indices of the boxes [n, 4] that overlap no better one too much, best first."""
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    left = scores.argsort(descending=True, stable=True)
    kept = []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        corner = torch.maximum(boxes[best, :2], boxes[left, :2])
        opposite = torch.minimum(boxes[best, 2:], boxes[left, 2:])
        shared = (opposite - corner).clamp(min=0).prod(1)
        left = left[shared <= iou_threshold * (areas[best] + areas[left] - shared)]
    return torch.stack(kept) if kept else left


def announce(torchvision: ModuleType) -> None:
    """Tell the package, which asks before it calls an operator, that there are some."""
    torchvision.extension._has_ops = lambda: True


LIBRARY.impl("nms", nms, "CPU")
