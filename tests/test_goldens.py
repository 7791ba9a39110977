"""rendered/ is what the specs render, and nothing else; rendering is deterministic."""

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from generator import __version__
from generator.write import RECORD

ROOT = Path(__file__).resolve().parent.parent
GEN = [sys.executable, "-m", "generator"]
OWNED = "every file in rendered/ comes from a spec: run make render, and remove what is left over"


def tree(folder: Path) -> dict[str, tuple[bytes, bool]]:
    """Content and executable bit of every file under a folder."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), os.access(path, os.X_OK))
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def rendered() -> dict[str, tuple[bytes, bool]]:
    """The committed tree."""
    found = tree(ROOT / "rendered")
    assert found, "rendered/ is missing or empty: run make render and commit it"
    return found


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, bool]]:
    """A render into a new folder, from another place and with another hash seed."""
    folder = tmp_path_factory.mktemp("fresh")
    variables = os.environ | {"PYTHONHASHSEED": "1", "PYTHONPATH": str(ROOT), "LC_ALL": "C"}
    subprocess.run(
        [*GEN, "render", str(ROOT / "specs"), "--output", "out"],
        cwd=folder,
        env=variables,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return tree(folder / "out")


def test_the_committed_tree_passes_the_check(
    gen: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, rendered: dict[str, Any]
) -> None:
    monkeypatch.chdir(ROOT)

    ran = gen("render", "--check", "specs")

    assert (ran.status, ran.out) == (0, "")
    assert rendered


def test_the_committed_tree_holds_no_other_file(
    rendered: dict[str, Any], fresh: dict[str, Any]
) -> None:
    assert sorted(rendered) == sorted(fresh), OWNED


def test_the_committed_tree_equals_a_fresh_render(
    rendered: dict[str, Any], fresh: dict[str, Any]
) -> None:
    differing = [path for path in fresh if rendered.get(path) != fresh[path]]

    assert differing == []


def test_rendering_again_gives_the_same_bytes(fresh: dict[str, Any], tmp_path: Path) -> None:
    variables = os.environ | {"PYTHONHASHSEED": "2", "TZ": "Asia/Tokyo"}
    command = [*GEN, "render", "--output", str(tmp_path), "specs"]

    subprocess.run(command, cwd=ROOT, env=variables, check=True, stdout=subprocess.DEVNULL)

    assert tree(tmp_path) == fresh


def test_records_hold_every_file_with_its_hash(fresh: dict[str, tuple[bytes, bool]]) -> None:
    recorded = {}
    for path, (content, _) in fresh.items():
        if Path(path).name == RECORD:
            lines = (line.split("  ", 1) for line in content.decode().splitlines())
            recorded |= {f"{Path(path).parent}/{name}": digest for digest, name in lines}

    hashes = {path: hashlib.sha256(content).hexdigest() for path, (content, _) in fresh.items()}
    assert recorded == {p: h for p, h in hashes.items() if Path(p).name != RECORD}


def test_files_are_utf_8_with_unix_line_ends(fresh: dict[str, tuple[bytes, bool]]) -> None:
    for path, (content, _) in fresh.items():
        text = content.decode("utf-8")
        lines = text.split("\n")
        assert "\r" not in text, path
        assert not text or lines[-1] == "", f"{path} ends without a line feed"
        assert not text or lines[-2:] != ["", ""], f"{path} ends with an empty line"
        assert [n for n, line in enumerate(lines, 1) if line != line.rstrip()] == [], path


def test_scripts_are_executable_and_nothing_else_is(fresh: dict[str, tuple[bytes, bool]]) -> None:
    executable = {path for path, (_, bit) in fresh.items() if bit}

    assert executable
    assert executable == {path for path, (content, _) in fresh.items() if content[:2] == b"#!"}


# What would make a render differ from one day or machine to the next, or tie it to one.
FLEETING = {
    "a date": r"\b(19|20)\d\d-[01]\d-[0-3]\d\b",
    "a time of day": r"\b[0-2]\d:[0-5]\d:[0-5]\d\b",
    "this checkout": re.escape(str(ROOT)),
    "somebody's home": rf"/home/(?!model-server)\w|/Users/\w|{re.escape(str(Path.home()))}/",
    "a temporary folder": r"(?<![\w$}/])/(var/)?tmp/pytest",
    "the tool's version": rf"(generator|gen)\W{{1,3}}v?{re.escape(__version__)}",
    "a package registry": r"pypi\.|python(?:)hosted|conda\.|--(extra-)?index-url",
}


@pytest.mark.parametrize("kind", FLEETING)
def test_no_file_holds(kind: str, fresh: dict[str, tuple[bytes, bool]]) -> None:
    pattern = re.compile(FLEETING[kind])

    found = {
        path: match.group()
        for path, (content, _) in fresh.items()
        if (match := pattern.search(content.decode()))
    }

    assert fresh
    assert found == {}
