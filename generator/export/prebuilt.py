"""Bring a TorchServe archive of the user's own into the bundle, and hold it against the spec."""

import json
import os
import re
import shutil
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from generator.diagnostics import shown
from generator.document import Pointer
from generator.export.archive import MANIFEST
from generator.export.download import Remote, Report, check, download, sha256_of, silent
from generator.export.refusal import Refusal
from generator.target import Prebuilt

AT: Pointer = ("targets", "torchserve", "archive")
URI: Pointer = (*AT, "uri")
SHA256: Pointer = (*AT, "sha256")
REMOTE = ("http://", "https://")


def place(prebuilt: Prebuilt, path: Path, report: Report = silent) -> None:
    """Copy or download an archive to a path in a folder that exists.

    Raises Refusal where it is not there or not the one that the server is told to load.
    """
    if prebuilt.source.startswith(REMOTE):
        remote = Remote(prebuilt.source, prebuilt.sha256 or "", URI, SHA256)
        os.replace(download(remote, path.parent, report), path)
    else:
        _copy(prebuilt, path)
    _compare(prebuilt, _model(path))


def _copy(prebuilt: Prebuilt, path: Path) -> None:
    source = prebuilt.project.folder / prebuilt.source
    if not source.is_file():
        raise Refusal(
            URI, f"there is no file `{prebuilt.source}`", "paths start at the spec's folder"
        )
    found = sha256_of(source)
    if prebuilt.sha256:
        check(source.name, found, prebuilt.sha256, SHA256)
    shutil.copyfile(source, path)


def _model(path: Path) -> Mapping[str, object]:
    """What the manifest of an archive says of its model."""
    hint = "make it with torch-model-archiver, in its default format"
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = json.loads(archive.read(MANIFEST))
    except KeyError:
        raise Refusal(URI, f"the archive has no {MANIFEST}", hint) from None
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise Refusal(URI, f"the archive is no zip file: {error}", hint) from None
    except ValueError as error:
        raise Refusal(URI, f"the archive's {MANIFEST} is not JSON: {error}", hint) from None
    model = manifest.get("model") if isinstance(manifest, dict) else None
    if not isinstance(model, dict):
        raise Refusal(URI, f"the archive's {MANIFEST} has no map `model`", hint)
    return model


def _compare(prebuilt: Prebuilt, model: Mapping[str, object]) -> None:
    """Hold name and version against those that the server's configuration names."""
    name, version = model.get("modelName"), model.get("modelVersion")
    if name != prebuilt.name:
        message = f"the archive holds model `{shown(name)}`, and the server loads `{prebuilt.name}`"
        raise Refusal(URI, message, f"write targets.torchserve.names: {{model: {shown(name)}}}")
    if version != prebuilt.version:
        message = (
            f"the archive holds version {shown(version)}, and the server loads {prebuilt.version}"
        )
        whole = re.fullmatch(r"([1-9][0-9]*)\.0", str(version))
        way = f"write model.version: {whole[1]}" if whole else "make the archive anew"
        raise Refusal(URI, message, way if whole else f"{way} with --version {prebuilt.version}")
