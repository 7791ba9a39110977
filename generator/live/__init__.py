"""A served model as its clients see it: what its doors are asked, and what they answer."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from generator.engines import EngineError, Report
from generator.project import Project

Label = str | int
"""A class's name, or its index where the project names none."""


@dataclass(frozen=True)
class Entries:
    """The classes that postprocess picked, best first, each with its value."""

    labels: tuple[Label, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Tensors:
    """The outputs for one sample in the spec's order: numpy arrays without batch dimension."""

    arrays: tuple[Any, ...]  # Any: numpy is no dependency of the light core


@dataclass(frozen=True)
class Custom:
    """What a custom function at the end of postprocess made, as JSON has it."""

    value: object


Answer = Entries | Tensors | Custom


class Refused(Exception):
    """A door will not take a request, and says why: a mistake of the caller's."""


class Unanswered(Exception):
    """A door has failed: another status than those of an answer or a refusal, or silence."""


class NotHere(EngineError):
    """A deployment needs what this machine does not have."""


Kind = Literal["image", "pixels", "tensors", "classes"]
"""What a sample of a door is.

`image`: bytes of an encoded image; the answer is that of postprocess. `pixels`: an array uint8
[channels, height, width] for a program with its transforms inside. `tensors`: a tuple of arrays,
one for each input, without batch dimension; for both the answer is the program's Tensors.
`classes`: a sample as of `pixels` or of `tensors`, whichever the program takes; the answer is
Entries of the BEST_CLASSES best of its first output, by name, with the numbers as they are.
"""

BEST_CLASSES = 3

Ask = Callable[[Sequence[Any]], Sequence[Answer]]  # Any: a sample of the door's kind


@dataclass(frozen=True)
class Door:
    """One way to ask a model that is being served.

    `ask` sends samples as one request (as many at once, where a request holds one) and gives the
    answer for each in order; it raises Refused or Unanswered. `largest` is how many samples it
    takes at once, None for any number. A door that is not `timed` starts a program for each call;
    one that is not `compared` answers in words of the user's own, and has to answer at all.
    """

    project: Project
    name: str  # such as "transformer /v1/models/cifar10:predict"
    protocol: str  # such as "v1 JSON", "v2 gRPC"
    kind: Kind
    ask: Ask
    largest: int | None = None
    timed: bool = True
    compared: bool = True


Doors = AbstractContextManager[Sequence[Door]]

Serve = Callable[[Project, Any, Path, Path, Report], Doors]  # Any: the target's own options type
"""`serve(project, options, rendered, bundle, report)` of a target's module `live`.

Starts the real servers on loopback with the rendered folder and the exported bundle, both as they
lie on the disk, and opens the doors that clients would use. Raises EngineError with the servers'
own words.
"""


@dataclass(frozen=True)
class Live:
    """How a target is served on this machine; `limits` is what that cannot show, a line each."""

    serve: Serve
    limits: tuple[str, ...]
