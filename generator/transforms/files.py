"""The files that carry a project's transforms, wherever they run."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from generator import reads
from generator.artefact import Artefact
from generator.project import Project, Transforms
from generator.quoting import Verbatim
from generator.transforms.code import Half, halved, transforms_code
from generator.transforms.custom import custom_paths


def transforms_files(
    project: Project,
    folder: PurePosixPath,
    *,
    outside: Transforms | None = None,
    half: Half | None = None,
    postponed: bool = False,
) -> Iterator[Artefact]:
    """transforms.py and what it reads: class names and the user's own files.

    The words are those of `transforms_code`.
    """
    code = transforms_code(project, outside=outside, half=half, postponed=postponed)
    yield Artefact(folder / "transforms.py", "common/transforms.py.j2", {"code": code})
    if code.reads_class_names:
        names = {"class_names": list(project.model.class_names)}
        yield Artefact(folder / "class_names.json", "common/class_names.json.j2", names)
    for path in custom_paths(halved(outside or project.transforms, half)):
        yield copied(project.folder / path, folder)


def copied(path: Path, folder: PurePosixPath) -> Artefact:
    """A text file of the user's own, as it is."""
    text = reads.read_text(path, "utf-8")
    return Artefact(folder / path.name, "common/copy.j2", {"text": Verbatim(text)})
