"""A step of a pipeline that cannot work where it stands."""

from collections.abc import Iterable, Iterator
from typing import Literal

from msgspec import Struct

Section = Literal["preprocess", "postprocess"]
Against = Literal["size", "channels", "classes", "mean"]
"""What an argument disagrees with: the image as it arrives, the output, or the one before it."""


class Mismatch(Struct, frozen=True):
    """What is wrong with one step.

    `keys` leads from the step to the culprit: `("normalize", "mean")`, `("top_k",)`; empty
    for the step as a whole. So the place in the spec is
    `("transforms", section, step, *keys)`.
    """

    section: Section
    step: int
    keys: tuple[str, ...]
    message: str
    hint: str = ""
    against: Against | None = None


class Complaint(Struct, frozen=True):
    """A mismatch before its place in the pipeline is known."""

    message: str
    hint: str = ""
    keys: tuple[str, ...] = ()
    against: Against | None = None


def placed(section: Section, step: int, complaints: Iterable[Complaint]) -> Iterator[Mismatch]:
    """The complaints about one step, with their place."""
    for complaint in complaints:
        told = complaint.message, complaint.hint, complaint.against
        yield Mismatch(section, step, complaint.keys, *told)
