"""The commands that bring a bundle to its storage, run with stand-ins for the users' own tools."""

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from generator.storage import upload_commands

STAND_IN = """\
#!{python}
import json, os, sys

given = sys.stdin.read() if "-" in sys.argv else ""
with open(os.environ["CALLS"], "a") as calls:
    print(json.dumps([[os.path.basename(sys.argv[0]), *sys.argv[1:]], given]), file=calls)
"""
BUNDLE = "build/my model/triton"
FILES = ("tiny/1/model.pt", "tiny/config.pbtxt")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a bundle, and with stand-ins for the tools."""
    for name in FILES:
        (tmp_path / BUNDLE / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / BUNDLE / name).write_text(name)
    (tmp_path / "programs").mkdir()
    for tool in ("aws", "gcloud", "hf", "kubectl", "docker"):
        path = tmp_path / "programs" / tool
        path.write_text(STAND_IN.format(python=sys.executable))
        path.chmod(0o755)
    return tmp_path


def called(folder: Path, uri: str, namespace: str | None = None) -> list[tuple[list[str], str]]:
    """What the commands for a storage call, each with what it is given on stdin."""
    calls = folder / "calls"
    calls.touch()
    environment = {
        "PATH": f"{folder / 'programs'}{os.pathsep}{os.environ['PATH']}",
        "CALLS": str(calls),
    }
    script = "\n".join(upload_commands(uri, BUNDLE, namespace))
    command = ["bash", "-euc", script]
    subprocess.run(command, cwd=folder, env=environment, check=True, timeout=60)
    return [(words, given) for words, given in map(json.loads, calls.read_text().splitlines())]


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("s3://b/tiny", ["aws", "s3", "sync", f"{BUNDLE}/", "s3://b/tiny/"]),
        (
            "gs://b/tiny",
            ["gcloud", "storage", "rsync", "--recursive", f"{BUNDLE}/", "gs://b/tiny/"],
        ),
        ("hf://acme/tiny", ["hf", "upload", "acme/tiny", BUNDLE, "."]),
        ("hf://acme/tiny:v2", ["hf", "upload", "acme/tiny", BUNDLE, ".", "--revision", "v2"]),
        (f"hf://acme/tiny:{COMMIT}", ["hf", "upload", "acme/tiny", BUNDLE, "."]),
    ],
)
def test_one_command_copies_the_folder(folder: Path, uri: str, words: list[str]) -> None:
    assert called(folder, uri) == [(words, "")]


def test_a_commit_of_the_hub_is_known_after_the_upload() -> None:
    told = upload_commands(f"hf://acme/tiny:{COMMIT}", BUNDLE, None)[-1]

    assert told == (
        "# then write hf://acme/tiny:COMMIT, with the new commit's hash, into storage.uri"
    )


def test_an_image_holds_the_files_where_kserve_looks(folder: Path) -> None:
    build, push = called(folder, "oci://registry.example.com/acme/tiny:1")

    tag = "registry.example.com/acme/tiny:1"
    assert build[0] == ["docker", "build", "--tag", tag, "--file", "-", BUNDLE]
    assert build[1].splitlines()[1:] == ["COPY . /models"]
    assert push[0] == ["docker", "push", tag]


def test_a_claim_is_filled_by_a_pod_that_goes_again(folder: Path) -> None:
    start, ready, make, copy, delete = (words for words, _ in called(folder, "pvc://c/a/b", "ns"))

    overrides = json.loads(start[start.index("--overrides") + 1])
    [volume], [container] = overrides["spec"]["volumes"], overrides["spec"]["containers"]
    assert all(each[:3] == ["kubectl", "--namespace", "ns"] for each in (start, make, delete))
    assert volume == {"name": "claim", "persistentVolumeClaim": {"claimName": "c"}}
    assert container["volumeMounts"] == [{"name": "claim", "mountPath": "/claim"}]
    assert ready[3:] == ["wait", "--for", "condition=Ready", "pod/upload"]
    assert make[3:] == ["exec", "upload", "--", "mkdir", "-p", "/claim/a/b"]
    assert copy[3:] == ["cp", f"{BUNDLE}/.", "upload:/claim/a/b"]
    assert delete[3:] == ["delete", "pod", "upload"]


@pytest.mark.parametrize("name", ["tiny.tar", "tiny.tar.gz", "tiny.tgz"])
def test_a_web_servers_archive_holds_the_folders_content(folder: Path, name: str) -> None:
    assert called(folder, f"https://example.com/models/{name}") == []

    with tarfile.open(folder / name) as archive:
        files = {each.name.removeprefix("./") for each in archive.getmembers() if each.isfile()}
    assert files == set(FILES)


def test_a_zip_file_is_one(folder: Path) -> None:
    assert called(folder, "https://example.com/tiny.zip") == []

    with zipfile.ZipFile(folder / "tiny.zip") as archive:
        assert set(FILES) <= set(archive.namelist())


def test_says_where_a_web_servers_archive_belongs() -> None:
    told = upload_commands("https://example.com/models/tiny.tar.gz", BUNDLE, None)[-1]

    assert told == (
        "# then put tiny.tar.gz where https://example.com/models/tiny.tar.gz is served from"
    )
