"""What an export wrote into a bundle, and what it was made from: a file beside the folder.

The folder itself holds nothing but what is served, for it is uploaded as it is.
"""

import hashlib
import json
import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath

import msgspec
import torch

from generator.artefact import RenderedFile
from generator.diagnostics import CannotRun
from generator.export.download import sha256_of
from generator.export.text_part import text_part
from generator.project import Project
from generator.validate import Deployment

Checksums = Mapping[str, str]
"""sha256 in hexadecimal digits, by path or URL."""


@dataclass(frozen=True)
class Origin:
    """What one model was made from: a checksum of its part of the spec, and of files.

    Paths are relative to the spec's folder. `weights` is the file that its numbers come from,
    which may be a program or an archive of the user's own; none where they are random.
    """

    spec: str
    source_files: Checksums = field(default_factory=dict)
    weights: Checksums = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """The files of a bundle that are owed to exports, and what the last one made them from.

    `models` has an Origin for each project by its name; `rendered` are the files of the text part,
    of which some may be inside an archive; `python` and `torch` are versions.
    """

    files: Checksums
    models: Mapping[str, Origin]
    rendered: Checksums = field(default_factory=dict)
    random_weights: bool = False
    python: str = platform.python_version()
    torch: str = str(torch.__version__)


def path_of(bundle: Path) -> Path:
    """Where the record of a bundle's folder lies: build/cifar10/triton.json."""
    return bundle.with_name(f"{bundle.name}.json")


def read(bundle: Path) -> Record | None:
    """The record of a bundle's folder, None where nothing has been exported there.

    Raises CannotRun where the file is none.
    """
    path = path_of(bundle)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        record = msgspec.convert({**data["made_from"], "files": data["files"]}, Record)
        if not all(map(_is_inside, record.files)):
            raise ValueError("a file outside the bundle")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CannotRun(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise CannotRun(f"{path} is no record of gen export: remove it, and export anew") from error
    return record


def _is_inside(name: str) -> bool:
    """Whether a name is that of a file in a folder: a later export may remove it."""
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


def write(bundle: Path, record: Record) -> None:
    """Write the record of a bundle's folder in one step; the same record is the same bytes."""
    made_from = asdict(record)
    files = made_from.pop("files")
    text = json.dumps({"files": files, "made_from": made_from}, indent=2, sort_keys=True)
    path = path_of(bundle)
    fresh = path.with_name(f".{path.name}.new")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        fresh.write_text(f"{text}\n", encoding="utf-8")
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)


def checksums(texts: Iterable[tuple[PurePosixPath, bytes]]) -> dict[str, str]:
    """The sha256 of each of some texts by its path."""
    return {str(path): hashlib.sha256(content).hexdigest() for path, content in texts}


def origin(project: Project, source_files: Sequence[Path], weights: Mapping[str, Path]) -> Origin:
    """What a project's model is made from, as its files are now."""
    own = (project.folder / each for each in project.model.files)
    return Origin(
        _checksum_of_spec(project),
        {_relative(path, project.folder): sha256_of(path) for path in (*source_files, *own)},
        {name: sha256_of(path) for name, path in weights.items()},
    )


def merged(first: Origin, second: Origin) -> Origin:
    """What two programs of one project are made from."""
    files = {**first.source_files, **second.source_files}
    return replace(first, source_files=files, weights={**first.weights, **second.weights})


def differences(
    deployment: Deployment, bundle: Path, files: Sequence[RenderedFile] = ()
) -> list[str]:
    """What has changed in a bundle, and in what it was made from, since its export.

    `files` are the rendered ones of the spec, where those of the bundle are to be compared too.
    """
    record = read(bundle)
    if record is None:
        return [f"there is no {path_of(bundle).name}, which says what was exported"]
    return [
        *(f"{name} in the bundle is {how}" for name, how in _changes(record.files, bundle)),
        *_rendered_otherwise(record, deployment, files),
        *_changed_models(record, deployment),
    ]


def _rendered_otherwise(
    record: Record, deployment: Deployment, files: Sequence[RenderedFile]
) -> Iterator[str]:
    if not files:
        return
    now = checksums(text_part(deployment, files))
    for path in sorted(now.keys() | record.rendered.keys()):
        if path not in record.rendered:
            yield f"{path} is rendered now, and was not exported"
        elif path not in now:
            yield f"{path} was exported, and is not rendered any more"
        elif now[path] != record.rendered[path]:
            yield f"{path} is rendered otherwise than it was exported"


def _changed_models(record: Record, deployment: Deployment) -> Iterator[str]:
    bundle = deployment.target.bundle(deployment.project, deployment.options)
    projects = [part.project for parts in (bundle.programs, bundle.prebuilt) for part in parts]
    for name, project in {each.name: each for each in projects}.items():
        made_from = record.models.get(name)
        if made_from is None:
            yield f"the model of {name} was not exported into this bundle"
            continue
        if made_from.spec != _checksum_of_spec(project):
            yield f"model, export or transforms of {name} have changed since the export"
        read_files = {**made_from.source_files, **made_from.weights}
        for path, how in _changes(read_files, project.folder):
            yield f"{path}, which {name} was made from, is {how}"


def _changes(files: Checksums, folder: Path) -> Iterator[tuple[str, str]]:
    """Which files of a folder are not as they were, and what has become of each."""
    for name, checksum in sorted(files.items()):
        path = folder / name
        if "://" in name:  # a spec holds what is downloaded to its checksum
            continue
        if not path.is_file():
            yield name, "gone"
        elif sha256_of(path) != checksum:
            yield name, "not what it was"


def _checksum_of_spec(project: Project) -> str:
    """A checksum of what a spec says of a model, whichever way it says it."""
    parts = {
        "model": msgspec.to_builtins(project.model),
        "export": msgspec.to_builtins(project.export),
        "transforms": msgspec.to_builtins(project.transforms),
    }
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _relative(path: Path, folder: Path) -> str:
    """The path from a folder; what lies in it by a link is in it."""
    whole, inside = Path(os.path.abspath(path)), Path(os.path.abspath(folder))
    if whole.is_relative_to(inside):
        return whole.relative_to(inside).as_posix()
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
