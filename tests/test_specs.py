"""The specs that a command line names."""

import io
import os
import sys
from pathlib import Path

import pytest

from generator.diagnostics import CannotRun
from generator.specs import Spec, find_specs

SPEC = "spec_version: 1\n"


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def put(path: str, text: str | bytes = SPEC) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(text if isinstance(text, bytes) else text.encode())


def found(*paths: str) -> list[str]:
    return [spec.path for spec in find_specs(paths)]


def test_a_file_is_a_spec_whatever_it_holds() -> None:
    put("notes.txt", "no spec\n")

    assert found("notes.txt") == ["notes.txt"]


def test_a_folder_has_its_specs_at_any_depth_in_order() -> None:
    for path in ("s/b.yaml", "s/a.yml", "s/deep/c.yaml"):
        put(path)

    assert found("s") == ["s/a.yml", "s/b.yaml", "s/deep/c.yaml"]


@pytest.mark.parametrize(
    "text",
    [
        "# comment\nspec_version: 1\n",
        "name: x\nspec_version : 1\n",
        b"\xef\xbb\xbfspec_version: 1\n",
        '"spec_version": 1\n',
        "spec_version: [broken\n",
        b"\xff\nspec_version: 1\n",
    ],
)
def test_a_yaml_file_with_the_key_is_a_spec(text: str | bytes) -> None:
    put("s/a.yaml", text)

    assert found("s") == ["s/a.yaml"]


@pytest.mark.parametrize(
    "text", ["a: 1\n", "# spec_version: 1\n", "a:\n  spec_version: 1\n", "spec_versions: 1\n", ""]
)
def test_a_yaml_file_without_the_key_is_none(text: str) -> None:
    put("s/a.yaml")
    put("s/b.yaml", text)

    assert found("s") == ["s/a.yaml"]


@pytest.mark.parametrize("path", ["s/.hidden/a.yaml", "s/a.json", "s/a.yaml.bak", "s/yaml"])
def test_other_files_of_a_folder_are_passed_over(path: str) -> None:
    put("s/a.yaml")
    put(path)

    assert found("s") == ["s/a.yaml"]


def test_a_folder_without_a_spec_cannot_run() -> None:
    put("s/a.yaml", "a: 1\n")

    with pytest.raises(CannotRun, match="no spec in s: no YAML file there has the key"):
        found("s")


def test_a_spec_named_in_several_ways_is_found_once() -> None:
    put("s/a.yaml")
    os.symlink("a.yaml", "s/b.yaml")

    assert found("s/a.yaml", "./s/a.yaml", "s", str(Path("s").absolute())) == ["s/a.yaml"]


def test_a_broken_link_is_told() -> None:
    put("s/a.yaml")
    os.symlink("nowhere", "s/b.yaml")

    with pytest.raises(CannotRun, match=r"cannot read s/b\.yaml: No such file"):
        found("s")


def test_a_folder_that_cannot_be_listed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    put("s/a.yaml")
    put("s/deep/b.yaml")
    real = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("deep"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)

    with pytest.raises(CannotRun, match="cannot read s/deep: Permission denied"):
        found("s")


def test_paths_start_at_the_specs_folder() -> None:
    assert Spec("s/a.yaml").folder == Path("s")
    assert Spec("a.yaml").folder == Path()
    assert Spec("-").folder == Path.cwd()


def test_reads_files_and_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    put("a.yaml", "a: 1\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"b: 2\n")))

    assert Spec("a.yaml").read() == b"a: 1\n"
    assert Spec("-").read() == b"b: 2\n"
    assert Spec("-").shown == "<stdin>"


def test_a_missing_file_is_told_when_it_is_read() -> None:
    [spec] = find_specs(["missing.yaml"])

    with pytest.raises(CannotRun, match=r"cannot read missing\.yaml: No such file or directory"):
        spec.read()


def test_a_pipe_in_a_folder_is_no_spec(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "a.yaml").write_text("spec_version: 1\n")

    assert found(str(tmp_path)) == [str(tmp_path / "a.yaml")]
