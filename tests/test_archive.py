"""A model archive is the same bytes whoever writes it, and says what TorchServe reads."""

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")  # generator.export needs it

from generator.export.archive import write_archive

FILES = {"handler.py": b"class Handler: ...\n", "labels/names.json": b'["\xc3\xa9"]\n'}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A file that stands for a serialized model."""
    path = tmp_path / "mnist.pt"
    path.write_bytes(bytes(range(256)) * 1000)
    return path


def write(path: Path, model: Path | None, **more: Any) -> Path:
    values: dict[str, Any] = {"handler": "handler.py", "files": FILES}
    write_archive(path, name="mnist", version="1.0", serialized=model, **(values | more))
    return path


def manifest(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        return dict(json.loads(archive.read("MAR-INF/MANIFEST.json")))


def test_holds_the_manifest_the_model_and_the_files(tmp_path: Path, model: Path) -> None:
    path = write(tmp_path / "a.mar", model)

    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        held = {name: archive.read(name) for name in archive.namelist()}
    assert list(held) == ["MAR-INF/MANIFEST.json", "handler.py", "labels/names.json", "mnist.pt"]
    assert held["mnist.pt"] == model.read_bytes()
    assert {name: held[name] for name in FILES} == FILES


def test_says_in_the_manifest_what_torchserve_reads(tmp_path: Path, model: Path) -> None:
    assert manifest(write(tmp_path / "a.mar", model)) == {
        "archiverVersion": "0.12.0",
        "createdOn": "01/01/1980 00:00:00",
        "model": {
            "handler": "handler.py",
            "modelName": "mnist",
            "modelVersion": "1.0",
            "serializedFile": "mnist.pt",
        },
        "runtime": "python",
    }


def test_names_the_optional_files_in_the_manifest(tmp_path: Path) -> None:
    files = {**FILES, "net.py": b"", "requirements.txt": b"six\n", "model.yaml": b"{}\n"}

    path = write(
        tmp_path / "a.mar",
        None,
        files=files,
        model_file="net.py",
        requirements_file="requirements.txt",
        config_file="model.yaml",
    )

    assert manifest(path)["model"] == {
        "configFile": "model.yaml",
        "handler": "handler.py",
        "modelFile": "net.py",
        "modelName": "mnist",
        "modelVersion": "1.0",
        "requirementsFile": "requirements.txt",
    }


def test_depends_on_nothing_but_the_content(tmp_path: Path, model: Path) -> None:
    other = tmp_path / "elsewhere" / model.name
    other.parent.mkdir()
    other.write_bytes(model.read_bytes())
    os.utime(other, (0, 0))
    other.chmod(0o700)

    one = write(tmp_path / "one.mar", model)
    two = write(tmp_path / "two.mar", other, files=dict(reversed(FILES.items())))

    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("umask", ["000", "022", "077"])
def test_is_the_same_in_another_process(tmp_path: Path, model: Path, umask: str) -> None:
    code = f"""
import os, time
from pathlib import Path
from generator.export.archive import write_archive
os.umask(0o{umask})
write_archive(Path("two.mar"), name="mnist", version="1.0", handler="handler.py",
              serialized=Path({str(model)!r}), files={FILES!r})
"""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, sys.path)]),
        "PYTHONHASHSEED": umask,
        "TZ": "Asia/Kathmandu",
    }
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)

    one = write(tmp_path / "one.mar", model)

    assert one.read_bytes() == (tmp_path / "two.mar").read_bytes()


def test_compresses_nothing_so_that_the_bytes_are_known(tmp_path: Path) -> None:
    """The hash holds for every Python and every zlib, or an archive changes with its builder."""
    model = tmp_path / "mnist.pt"
    model.write_bytes(b"weights" * 100)

    path = write(tmp_path / "a.mar", model)

    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries} == {0o100644}
    assert hashlib.sha256(path.read_bytes()).hexdigest() == SHA256


SHA256 = "617a7c6996952054ad46951367745aa35b5ea61d1f62a331398107624d4f2949"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"handler": "other.py"}, "no file other.py"),
        ({"handler": "other.py:handle"}, "no file other.py"),
        ({"requirements_file": "requirements.txt"}, "no file requirements.txt"),
        ({"files": {**FILES, "mnist.pt": b""}}, "two files of the archive are called mnist.pt"),
        ({"files": {**FILES, "MAR-INF/MANIFEST.json": b""}}, "are called MAR-INF/MANIFEST.json"),
        ({"files": {**FILES, "../x": b""}}, r"\.\./x is no path inside"),
        ({"files": {**FILES, "/x": b""}}, "/x is no path inside"),
        ({"files": {**FILES, "a//x": b""}}, "a//x is no path inside"),
    ],
)
def test_refuses_names_that_do_not_fit(
    tmp_path: Path, model: Path, more: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        write(tmp_path / "a.mar", model, **more)

    assert not (tmp_path / "a.mar").exists()


def test_names_a_handler_of_torchserve_without_holding_it(tmp_path: Path, model: Path) -> None:
    path = write(tmp_path / "a.mar", model, handler="image_classifier", files={})

    assert manifest(path)["model"]["handler"] == "image_classifier"
