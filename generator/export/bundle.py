"""Write the folder that a server loads: the rendered text part, and the exported models."""

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from generator.artefact import RenderedFile
from generator.diagnostics import CannotRun, Rejected
from generator.export.archive import write_archive
from generator.export.download import Report, silent
from generator.export.prebuilt import place
from generator.export.program import export_program
from generator.export.refusal import Refusal
from generator.pipeline import folder_of
from generator.problem import Problem, located
from generator.project import Project
from generator.target import Archive, Bundle
from generator.validate import Deployment

MODELS = "models"
REQUIREMENTS = "requirements.txt"
READABLE = 0o644  # by a container's own user, whatever the umask
SEARCHABLE = 0o111


def export_bundle(
    deployment: Deployment, files: Sequence[RenderedFile], output: Path, report: Report = silent
) -> Path:
    """Export the models of a deployment and write its bundle; returns the bundle's folder.

    `files` are the rendered ones of the spec; `report` is told of downloads. When everything has
    been made, each file takes its place in one step; the folder stays the one that it was, for a
    container that has it mounted. Raises Rejected where a model and its spec differ.
    """
    folder = output / folder_of(deployment)
    whole = folder.resolve()  # it may be a link to another disk
    staged = whole.with_name(f".{whole.name}.new")
    try:
        shutil.rmtree(staged, ignore_errors=True)
        _write_text_part(deployment, files, staged)
        _make(deployment, staged, report)
        record = whole.with_name(f".{whole.name}.exported")
        _bring(staged, folder, _bundle(deployment).keeps, record)
    except OSError as error:
        raise CannotRun(f"cannot write {error.filename or folder}: {error.strerror}") from error
    finally:
        _discard(staged, output)
    return folder


def _write_text_part(deployment: Deployment, files: Sequence[RenderedFile], staged: Path) -> None:
    """Write the rendered files of the bundle."""
    models = folder_of(deployment) / MODELS
    for file in files:
        if file.path.is_relative_to(models) and file.path.name != ".gitkeep":
            path = _with_folder(staged / file.path.relative_to(models))
            path.write_text(file.text, encoding="utf-8", newline="\n")


def _bring(staged: Path, folder: Path, keeps: str | None, record: Path) -> None:
    """Move all files into a folder, and drop what an earlier export left there but what it keeps.

    `record` names the files that are owed to exports; others in the folder are none of theirs.
    """
    paths = sorted(path.relative_to(staged) for path in staged.rglob("*") if path.is_file())
    former = _exported(record)
    _record(record, former | set(paths))  # what is cut off leaves nothing that nobody owns
    for path in paths:
        if (folder / path).is_dir():
            shutil.rmtree(folder / path)
        (staged / path).chmod(READABLE)
        os.replace(staged / path, _with_folder(folder / path))
    for parent in {folder, *(folder / each for path in paths for each in path.parents)}:
        parent.chmod(READABLE | SEARCHABLE)
    left = former - set(paths)
    kept = {path for path in left if keeps and path.match(keeps)}
    for path in sorted(left - kept, reverse=True):
        (folder / path).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # not empty
            for parent in path.parents[:-1]:
                (folder / parent).rmdir()
    _record(record, kept | set(paths))


def _record(record: Path, paths: set[Path]) -> None:
    """Write down which files of a folder are owed to exports."""
    lines = "".join(f"{path.as_posix()}\n" for path in sorted(paths))
    fresh = _with_folder(record.with_name(f"{record.name}.new"))
    fresh.write_text(lines, encoding="utf-8")
    os.replace(fresh, record)


def _exported(record: Path) -> set[Path]:
    """What earlier exports have left in a folder, as their record tells."""
    try:
        return set(map(Path, record.read_text(encoding="utf-8").splitlines()))
    except FileNotFoundError:
        return set()


def _bundle(deployment: Deployment) -> Bundle:
    return deployment.target.bundle(deployment.project, deployment.options)


def _make(deployment: Deployment, staged: Path, report: Report) -> None:
    """Add what a target's bundle holds beside its text part."""
    bundle = _bundle(deployment)
    for program in bundle.programs:
        with _refusals_located(deployment, program.project):
            export_program(program.project, _with_folder(staged / program.path), report)
    for archive in bundle.archives:
        _archive(archive, staged)
    for prebuilt in bundle.prebuilt:
        with _refusals_located(deployment, prebuilt.project):
            place(prebuilt, _with_folder(staged / prebuilt.path), report)


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


@contextlib.contextmanager
def _refusals_located(deployment: Deployment, project: Project) -> Iterator[None]:
    """Tell a refusal at its line in the spec that the project came from."""
    try:
        yield
    except Refusal as refusal:
        problem = Problem(refusal.pointer, refusal.message, refusal.hint)
        served = [each for each in deployment.project.also_serves if each.project is project]
        document = served[0].document if served else deployment.document
        raise Rejected([located(problem, "export/refused", document)]) from refusal


def _with_folder(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _discard(staged: Path, output: Path) -> None:
    """Remove what was not brought into place, and the folders up to the output's that it leaves."""
    shutil.rmtree(staged, ignore_errors=True)
    with contextlib.suppress(OSError):  # not empty, or not there
        for folder in staged.parents:
            if folder.is_relative_to(output):
                folder.rmdir()
