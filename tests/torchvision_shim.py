"""torchvision for tests, which are skipped where it is not installed; see torchvision_operators."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("torchvision_operators")
transforms = pytest.importorskip("torchvision.transforms")
functional = pytest.importorskip("torchvision.transforms.functional")
