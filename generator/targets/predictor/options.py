"""The options of target predictor: none."""

from dataclasses import dataclass
from typing import ClassVar

from generator.patches import Patch


@dataclass(frozen=True)
class Options:
    """Nothing can be set, and there are no manifests that a spec could patch."""

    patches: ClassVar[tuple[Patch, ...]] = ()
