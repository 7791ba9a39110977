"""torchvision for tests, which are skipped where it is not installed.

Where its compiled operators do not load, those of the engines take their place, so that detectors
of one stage run too.
"""

import sys

import pytest

from generator.engines.torchserve import OPERATORS

pytest.importorskip("torch")
sys.path.append(str(OPERATORS))
operators = pytest.importorskip("torchvision_operators")
torchvision = pytest.importorskip("torchvision")
operators.announce(torchvision)
transforms = pytest.importorskip("torchvision.transforms")
functional = pytest.importorskip("torchvision.transforms.functional")
