"""Import torchvision beside a CPU torch.

PyPI's wheel of torchvision is built against CUDA: its C++ operators do not load beside a CPU
torch, and the import fails on two of them unless their schemas are declared first. Transforms,
which are Python and Pillow, then work.
"""

import pytest

torch = pytest.importorskip("torch")

_LIBRARY = torch.library.Library("torchvision", "FRAGMENT")
for _schema in (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
):
    _LIBRARY.define(_schema)

transforms = pytest.importorskip("torchvision.transforms")
functional = pytest.importorskip("torchvision.transforms.functional")
