"""What torchvision needs to be imported beside a CPU torch, and to run detectors there.

PyPI's wheel of torchvision is built against CUDA: its C++ operators do not load beside a CPU
torch. The import fails on two of them unless their schemas are declared first; transforms, which
are Python and Pillow, then work. Of the operators themselves only `nms` is here, in Python, which
is what SSD asks for. Import this module before torchvision.
"""

import torch

LIBRARY = torch.library.Library("torchvision", "FRAGMENT")
for schema in (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
):
    LIBRARY.define(schema)


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


LIBRARY.impl("nms", nms, "CPU")

import torchvision.extension  # noqa: E402  # fails without the schemas

torchvision.extension._has_ops = lambda: True
