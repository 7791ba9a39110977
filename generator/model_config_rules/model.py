"""A model of Triton's repository as its config.pbtxt tells it, with what is known around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import PurePosixPath
from typing import NamedTuple

from msgspec import Struct

from generator.diagnostics import Severity, shown
from generator.model_config import integer
from generator.pbtxt import Message, Refusal, Scalar

TENSORRT, PYTORCH = "tensorrt", "pytorch"
ENSEMBLE = "ensemble"
_LONGEST = 300  # characters of a message


class Known(NamedTuple):
    """A backend of NVIDIA's, and by what Triton finds it where a config names none."""

    name: str
    platforms: tuple[str, ...]
    files: tuple[str, ...]


# In the order of AutoCompleteBackendFields, src/model_config_utils.cc of triton-inference-server/
# core; the words are those of its constants.h.
BACKENDS = (
    Known(
        "tensorflow",
        ("tensorflow_savedmodel", "tensorflow_graphdef"),
        ("model.savedmodel", "model.graphdef"),
    ),
    Known(TENSORRT, ("tensorrt_plan",), ("model.plan",)),
    Known("onnxruntime", ("onnxruntime_onnx",), ("model.onnx",)),
    Known("openvino", (), ("model.xml",)),
    Known(PYTORCH, ("pytorch_libtorch", "libtorch", "torch_aoti"), ("model.pt", "model.pt2")),
    Known("python", (), ("model.py",)),
)
PLATFORMS = {platform: known.name for known in BACKENDS for platform in known.platforms}


class Model(Struct, frozen=True, dict=True):
    """A config.pbtxt, and what lies around it: `folder` is the model's own, by name.

    `files` are the paths below that folder; None where nobody has looked. `server_cache` tells
    whether the server runs with --cache-config; None where that is unknown.
    """

    config: Message
    folder: str | None = None
    files: frozenset[PurePosixPath] | None = None
    server_cache: bool | None = None

    def text(self, field: str) -> str:
        """The value of a field that holds one text; empty where it is not set."""
        return next((scalar.text for scalar in self.config.scalars(field)), "")

    @cached_property
    def maximum(self) -> int:
        """The max_batch_size, 0 where there is none, as in protobuf."""
        return max((integer(size) for size in self.config.scalars("max_batch_size")), default=0)

    @cached_property
    def platform(self) -> str:
        return self.text("platform")

    @cached_property
    def is_ensemble(self) -> bool:
        return self.platform == ENSEMBLE

    @cached_property
    def backend(self) -> str:
        """The backend that Triton chooses; empty where it has none, or that cannot be told."""
        if given := self.text("backend"):
            return given
        named, beside = self.text("default_model_filename"), self.first_version()
        for known in BACKENDS:
            if self.platform in known.platforms or (
                named in known.files and (not self.platform or known is not BACKENDS[0])
            ):
                return known.name
            if not self.platform and not named and beside.intersection(known.files):
                return known.name
        return ""

    @cached_property
    def is_torch(self) -> bool:
        """Whether the backend of PyTorch that is written in C++ serves it, of which no part is
        completed."""
        runtime = self.text("runtime")
        return self.backend == PYTORCH and runtime in ("", "libtriton_pytorch.so")

    @cached_property
    def is_torchscript(self) -> bool:
        return self.is_torch and self.platform in ("", "pytorch_libtorch", "libtorch")

    @cached_property
    def is_completed(self) -> bool:
        """Whether a backend may complete the config at load, as all but PyTorch's may."""
        return not self.is_ensemble and not self.is_torch

    def versions(self) -> frozenset[int] | None:
        """The versions that lie beside the config; None where nobody has looked."""
        if self.files is None:
            return None
        names = (path.parts[0] for path in self.files if path.parts)
        return frozenset(int(name) for name in names if name.isascii() and name.isdigit())

    @property
    def is_in_place(self) -> bool:
        """Whether the config may lie where Triton reads it: beside folders of versions.

        An example in a folder of documentation has neither these nor what it names.
        """
        return self.files is None or bool(self.versions())

    def first_version(self) -> frozenset[str]:
        """What the folder holds that Triton looks into to find a backend."""
        inner = [path for path in self.files or () if len(path.parts) > 1]
        first = min((path.parts[0] for path in inner), default="")
        return frozenset(path.parts[1] for path in inner if path.parts[0] == first)

    def tensors(self) -> Iterator[Message]:
        """Yield the inputs, then the outputs."""
        yield from self.config.messages("input")
        yield from self.config.messages("output")


def first(message: Message, field: str) -> Scalar | None:
    """The value of a field that holds one."""
    return next(message.scalars(field), None)


def word(message: Message, field: str) -> str:
    """The text of a field that holds one value; empty where it is not set."""
    scalar = first(message, field)
    return "" if scalar is None else scalar.text


def is_number(given: Scalar, wanted: str) -> bool:
    """Whether one of two types is written as a number, which says the same."""
    return given.kind == "number" or wanted.isdigit()


def fits(given: Sequence[int], wanted: Sequence[int]) -> bool:
    """Whether dims that are all known are of a shape, of which some may be open."""
    return len(given) == len(wanted) and all(
        size in (-1, other) for size, other in zip(wanted, given, strict=True)
    )


def at(
    place: Message | Scalar, message: str, hint: str = "", *, severity: Severity = "error"
) -> Refusal:
    """What is wrong at a place, on one line whatever names are in it."""
    told, typed = shown(message, _LONGEST), shown(hint, _LONGEST)
    return Refusal(place.line, place.column, told, typed, severity=severity)


def ineffective(place: Message | Scalar, message: str, hint: str = "") -> Refusal:
    """What Triton takes at a place and does nothing with."""
    return at(place, message, hint, severity="warning")
