"""A TorchServe model archive (.mar): the same content is the same bytes, whoever writes it.

Read by TorchServe 0.12: org.pytorch.serve.archive.model.{ModelArchive,Manifest} and
org.pytorch.serve.archive.utils.ZipUtils of its server, ts/model_loader.py of its workers.
"""

import io
import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import BinaryIO

MANIFEST = "MAR-INF/MANIFEST.json"
ARCHIVER_VERSION = "0.12.0"  # of the layout below
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can state
# Without it the server advises at every start to upgrade an archiver that was not used.
CREATED_ON = "01/01/1980 00:00:00"
MODE = 0o100644  # a regular file that only its owner may change
UNIX = 3  # of the field "version made by", which says how to read the mode


def write_archive(
    path: Path,
    *,
    name: str,
    version: str,
    handler: str,
    serialized: Path | None,
    files: Mapping[str, bytes],
    model_file: str | None = None,
    requirements_file: str | None = None,
    config_file: str | None = None,
) -> None:
    """Write an archive of `files`, by their name in it, and of the model's `serialized` file.

    `handler` and the three optional names are those of entries in `files`; a handler may also be
    one of TorchServe's own or `module.py:function`. The serialized file keeps its name. Nothing is
    compressed: weights hardly are smaller for it, and zlib's output differs between versions.
    Raises ValueError where a name is outside the archive, is taken twice, or has no file.
    """
    entries: dict[str, bytes | Path] = {**files}
    if serialized is not None:
        _add(entries, serialized.name, serialized)
    optional = {
        "serializedFile": serialized.name if serialized else None,
        "modelFile": model_file,
        "requirementsFile": requirements_file,
        "configFile": config_file,
    }
    named = {key: entry for key, entry in optional.items() if entry is not None}
    model = {"modelName": name, "modelVersion": version, "handler": handler, **named}
    for entry in (*named.values(), *_file_of(handler)):
        if entry not in entries:
            raise ValueError(f"the archive has no file {entry}")
    _add(entries, MANIFEST, _manifest(model))
    for entry in entries:
        if not _is_inside(entry):
            raise ValueError(f"{entry} is no path inside an archive")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for entry in sorted(entries):
            _write(archive, entry, entries[entry])


def _add(entries: dict[str, bytes | Path], name: str, content: bytes | Path) -> None:
    if name in entries:
        raise ValueError(f"two files of the archive are called {name}")
    entries[name] = content


def _file_of(handler: str) -> tuple[str, ...]:
    """The file that a handler of our own stands in; one of TorchServe's is in no archive."""
    file = handler.partition(":")[0]
    return (file,) if file.endswith(".py") else ()


def _manifest(model: Mapping[str, str]) -> bytes:
    manifest = {
        "createdOn": CREATED_ON,
        "runtime": "python",
        "model": model,
        "archiverVersion": ARCHIVER_VERSION,
    }
    return (json.dumps(manifest, indent=2, sort_keys=True) + "\n").encode()


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return str(path) == name and not path.is_absolute() and not {".", ".."} & set(path.parts)


def _write(archive: zipfile.ZipFile, name: str, content: bytes | Path) -> None:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.create_system = UNIX
    entry.external_attr = MODE << 16
    with _opened(content) as source:
        entry.file_size = source.seek(0, io.SEEK_END)  # known before, so that a large one fits
        source.seek(0)
        with archive.open(entry, "w") as target:
            shutil.copyfileobj(source, target, 1 << 20)


def _opened(content: bytes | Path) -> BinaryIO:
    return content.open("rb") if isinstance(content, Path) else io.BytesIO(content)
