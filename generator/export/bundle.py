"""Write the folder that a server loads: the rendered text part, and the exported models."""

import contextlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from generator.artefact import RenderedFile
from generator.diagnostics import CannotRun
from generator.export import record
from generator.export.archive import write_archive
from generator.export.download import Report, sha256_of, silent
from generator.export.prebuilt import place
from generator.export.program import export_program
from generator.export.record import Origin, Record, merged, origin
from generator.export.refusal import refusals_located
from generator.export.text_part import text_part
from generator.pipeline import folder_of
from generator.target import Archive, Bundle
from generator.validate import Deployment

REQUIREMENTS = "requirements.txt"
READABLE = 0o644  # by a container's own user, whatever the umask
SEARCHABLE = 0o111


def export_bundle(
    deployment: Deployment,
    files: Sequence[RenderedFile],
    output: Path,
    report: Report = silent,
    *,
    random_weights: bool = False,
) -> Path:
    """Export the models of a deployment and write its bundle; returns the bundle's folder.

    `files` are the rendered ones of the spec; `report` is told of downloads. When everything has
    been made, each file takes its place in one step; the folder stays the one that it was, for a
    container that has it mounted. The record is written beside it. Raises Rejected where a model
    and its spec differ.
    """
    folder = output / folder_of(deployment)
    whole = folder.resolve()  # it may be a link to another disk
    staged = whole.with_name(f".{whole.name}.new")
    missing = [parent for parent in staged.parents if not parent.exists()]
    try:
        shutil.rmtree(staged, ignore_errors=True)
        _write_text_part(deployment, files, staged)
        models = _make(deployment, staged, report, random_weights=random_weights)
        rendered = record.checksums(text_part(deployment, files))
        randomized = random_weights and _has_sources(deployment)
        made = Record(_checksums(staged), models, rendered, randomized)
        _bring(staged, folder, made, _bundle(deployment).keeps)
    except OSError as error:
        raise CannotRun(f"cannot write {error.filename or folder}: {error.strerror}") from error
    finally:
        _discard(staged, missing)
    return folder


def _write_text_part(deployment: Deployment, files: Sequence[RenderedFile], staged: Path) -> None:
    """Write the rendered files of the bundle."""
    for path, content in text_part(deployment, files):
        _with_folder(staged / path).write_bytes(content)


def _checksums(folder: Path) -> dict[str, str]:
    """The sha256 of each file of a folder by its path in it."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in paths}


def _bring(staged: Path, folder: Path, made: Record, keeps: str | None) -> None:
    """Move all files into a folder, and drop what an earlier export left there but what it keeps.

    The record beside the folder names the files that are owed to exports; others in the folder
    are none of theirs.
    """
    former = record.read(folder)
    owed = former.files if former else {}
    record.write(folder, replace(made, files={**owed, **made.files}))  # before any is moved
    paths = list(map(Path, made.files))
    for path in paths:
        if (folder / path).is_dir():
            shutil.rmtree(folder / path)
        (staged / path).chmod(READABLE)
        os.replace(staged / path, _with_folder(folder / path))
    for parent in {folder, *(folder / each for path in paths for each in path.parents)}:
        parent.chmod(READABLE | SEARCHABLE)
    left = {name: checksum for name, checksum in owed.items() if name not in made.files}
    kept = {name: left[name] for name in left if keeps and Path(name).match(keeps)}
    for name in sorted(left.keys() - kept.keys(), reverse=True):
        _drop(folder, Path(name))
    record.write(folder, replace(made, files={**kept, **made.files}))


def _drop(folder: Path, path: Path) -> None:
    """Remove a file, and the folders that it leaves empty."""
    (folder / path).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # not empty
        for parent in path.parents[:-1]:
            (folder / parent).rmdir()


def _bundle(deployment: Deployment) -> Bundle:
    return deployment.target.bundle(deployment.project, deployment.options)


def _has_sources(deployment: Deployment) -> bool:
    """Whether a model is built by code; a program or an archive keeps its own weights."""
    return any(program.project.model.source for program in _bundle(deployment).programs)


def _make(
    deployment: Deployment, staged: Path, report: Report, *, random_weights: bool
) -> dict[str, Origin]:
    """Add what a target's bundle holds beside its text part; returns what each model came from."""
    bundle = _bundle(deployment)
    origins: dict[str, Origin] = {}
    for program in bundle.programs:
        name, path = program.project.name, _with_folder(staged / program.path)
        with refusals_located(deployment, program.project):
            made_from = export_program(
                program.project,
                path,
                report,
                by_name=program.by_name,
                random_weights=random_weights,
            )
        origins[name] = merged(origins[name], made_from) if name in origins else made_from
    for archive in bundle.archives:
        _archive(archive, staged)
    for prebuilt in bundle.prebuilt:
        path = _with_folder(staged / prebuilt.path)
        with refusals_located(deployment, prebuilt.project):
            place(prebuilt, path, report)
        origins[prebuilt.project.name] = origin(prebuilt.project, (), {prebuilt.source: path})
    return origins


def _archive(archive: Archive, staged: Path) -> None:
    """Make an archive of a folder, in its place."""
    folder = staged / archive.folder
    serialized = folder / archive.serialized
    paths = [path for path in folder.rglob("*") if path.is_file() and path != serialized]
    files = {str(PurePosixPath(path.relative_to(folder))): path.read_bytes() for path in paths}
    write_archive(
        _with_folder(staged / archive.path),
        name=archive.name,
        version=archive.version,
        handler=archive.handler,
        serialized=serialized,
        files=files,
        requirements_file=REQUIREMENTS if REQUIREMENTS in files else None,
    )
    shutil.rmtree(folder)


def _with_folder(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _discard(staged: Path, missing: Sequence[Path]) -> None:
    """Remove what was not brought into place, and of folders that were missing the empty ones."""
    shutil.rmtree(staged, ignore_errors=True)
    with contextlib.suppress(OSError):  # not empty, or not there
        for folder in missing:
            folder.rmdir()
