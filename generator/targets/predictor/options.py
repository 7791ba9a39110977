"""The options of target predictor: none."""

from typing import ClassVar

from msgspec import Struct

from generator.patches import Patch


class Options(Struct, frozen=True):
    """Nothing can be set, and there are no manifests that a spec could patch."""

    patches: ClassVar[tuple[Patch, ...]] = ()
