"""What lies in the output folder that no spec of a run renders."""

import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath

from msgspec import Struct

from generator.argo_cd import FOLDER, MANIFESTS
from generator.diagnostics import Diagnostic, Span
from generator.inputs import cannot_read
from generator.unseen import Claim, Unknown
from generator.write import RECORD

_LOOKED_THROUGH = (FOLDER, MANIFESTS)
_APPLIED = (".yaml", ".yml", ".json")


class Leftovers(Struct, frozen=True):
    """`projects` are folders that `gen render` has written; `foreign` files that it has not."""

    projects: tuple[Path, ...]
    foreign: tuple[Path, ...]
    """Only those that lie where Argo CD looks for Applications and manifests."""

    def __bool__(self) -> bool:
        return bool(self.projects or self.foreign)


def leftovers(output: Path, projects: Collection[str], files: Collection[str]) -> Leftovers:
    """What a run that renders these projects, and these files of them, leaves over.

    `files` are paths from the output folder, of which those count that `is_applied` knows.
    """
    gone = tuple(
        folder
        for folder in _folders(output)
        if folder.name not in projects and (folder / RECORD).is_file()
    )
    foreign = (
        path
        for path in _applied(output)
        if path.relative_to(output).as_posix() not in files
        and not any(path.is_relative_to(folder) for folder in gone)
    )
    return Leftovers(gone, tuple(foreign))


def spared(left: Leftovers, found: Sequence[Claim | Unknown]) -> Leftovers:
    """Without the projects that files which the run has not read may be the specs of."""
    named = {each.project for each in found if isinstance(each, Claim)}
    is_any = any(isinstance(each, Unknown) for each in found)
    gone = (folder for folder in left.projects if not is_any and folder.name not in named)
    return Leftovers(tuple(gone), left.foreign)


def told(found: Claim | Unknown, output: Path) -> Diagnostic:
    """Why something stays, at the file that may be its spec."""
    rule = "render/unseen-spec"
    if isinstance(found, Unknown):
        message = f"{found.why}, and may have been any spec: nothing of {output} is pruned"
        hint = "restore it, or remove it"
        return Diagnostic(found.path, Span(1, 1, 2), message, rule, hint)
    folder = output / found.project
    message = f"names project `{found.project}`, and is no spec of this run: {folder} stays"
    known = "a spec is a .yaml or .yml file with `spec_version:` at the start of a line"
    hint = "give its folder too" if found.is_spec else known
    hint += f"; if it has nothing to do with {folder}: git rm -r {folder}"
    return Diagnostic(found.path, found.span, message, rule, hint, found.source)


def _folders(output: Path) -> list[Path]:
    """The folders in the output, none where it is missing; links lead elsewhere."""
    try:
        return sorted(p for p in output.iterdir() if p.is_dir() and not p.is_symlink())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        cannot_read(error)


def _applied(output: Path) -> Iterator[Path]:
    """The files, and links, that stand where Applications and manifests do."""
    walked = os.walk(output, onerror=cannot_read) if output.is_dir() else ()
    for folder, folders, names in walked:
        folders.sort()
        if Path(folder).name in _LOOKED_THROUGH:
            yield from (Path(folder, name) for name in sorted(names) if name.endswith(_APPLIED))


def is_applied(path: PurePosixPath) -> bool:
    """Whether a file lies where Argo CD looks for Applications and manifests."""
    return path.parent.name in _LOOKED_THROUGH and path.name.endswith(_APPLIED)
