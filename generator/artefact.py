"""A planned file: which template makes it, from which values."""

from collections.abc import Mapping
from pathlib import PurePosixPath

from msgspec import Struct, field


class Artefact(Struct, frozen=True):
    """One file to render; `path` starts at the project's folder under rendered/.

    The output format, and with it the quoting, follows from the path's name.
    """

    path: PurePosixPath
    template: str
    values: Mapping[str, object] = field(default_factory=dict)
    executable: bool = False


class RenderedFile(Struct, frozen=True):
    """A file's text, in memory."""

    path: PurePosixPath
    text: str
    executable: bool = False


def artefact(
    path: str,
    template: str,
    values: Mapping[str, object] | None = None,
    *,
    executable: bool = False,
) -> Artefact:
    """An artefact, its path as text."""
    return Artefact(PurePosixPath(path), template, values or {}, executable)
