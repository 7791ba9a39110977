"""gen render --prune: a project goes only where no file may be its spec."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from ran import Ran

from generator.write import drop

Gen = Callable[..., Ran]
SPEC = """\
spec_version: 1
name: {name}
model:
  program: model.pt
  inputs: [{{name: image, dtype: float32, shape: [N, 3, 32, 32]}}]
  outputs: [{{name: logits, dtype: float32, shape: [N, 10]}}]
storage: {{uri: s3://bucket/models}}
kubernetes: {{namespace: models}}
targets: {{triton: {{}}}}
"""
TWO = SPEC.format(name="two")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gen: Gen) -> Path:
    """A repository of two specs and what they render, here; two.yaml lies in a folder below."""
    place = tmp_path / "repository"
    for folder in ("specs/sub", ".git", "lib"):
        (place / folder).mkdir(parents=True)
    (place / "specs/one.yaml").write_text(SPEC.format(name="one"))
    (place / "specs/sub/two.yaml").write_text(TWO)
    monkeypatch.chdir(place)
    assert gen("render", "specs").status == 0
    return place


def put(path: str, text: str | bytes = TWO) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(text if isinstance(text, bytes) else text.encode())


def is_there(project: str) -> bool:
    return Path("rendered", project, "triton").is_dir()


# What may be the spec of a project


INDENTED = "".join(f"  {line}\n" for line in TWO.splitlines())
AS_JSON = {"spec_version": 1, "name": "two"}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("specs/sub/two.yaml", TWO.replace("spec_version", "spec_versoin")),
        ("specs/sub/two.yaml", INDENTED),
        ("specs/sub/two.yaml", "{spec_version: 1, name: two}"),
        ("specs/sub/two.yaml", json.dumps(AS_JSON)),
        ("specs/sub/two.yaml", json.dumps(AS_JSON, indent=2)),
        ("specs/sub/two.json", json.dumps(AS_JSON, separators=(",", ":"))),
        ("specs/sub/two.yaml", "? spec_version\n: 1\n? name\n: two\n"),
        ("specs/sub/two.yaml", "spec_versoin: 1\nname: # of the team\n  'two'\n"),
        ("specs/sub/two.yaml", "spec_versoin: 1\nname: !!str &name two\n"),
        ("specs/sub/two.yaml", "spec_versoin: 1\nname: >-\n  two\n"),
        ("specs/sub/two.yaml", TWO.replace("spec_version", "spec_versoin").replace("\n", "\r\n")),
        ("specs/sub/two.yaml", TWO.encode("utf-16")),
        ("specs/sub/two.yaml", TWO.encode("utf-16-le")),
        ("specs/sub/two.yaml", TWO.encode("utf-32")),
        ("specs/sub/two.yaml", TWO.replace("spec_version", "spec_versoin").encode() + b"# \xff"),
        ("specs/two.YAML", TWO),
        ("specs/.sub/two.yaml", TWO),
        ("specs.d/two.yaml", TWO),
        ("lib/two.yml", TWO),
    ],
)
def test_a_file_that_names_a_project_keeps_it(
    place: Path, gen: Gen, path: str, text: str | bytes
) -> None:
    (place / "specs/sub/two.yaml").unlink()
    put(path, text)

    ran = gen("render", "--prune", "specs")
    checked = gen("render", "--prune", "--check", "specs")

    assert (ran.status, checked.status) == (1, 1)
    for said in (ran.err, checked.err):
        told = "names project `two`, and is no spec of this run: rendered/two stays"
        assert path in said
        assert told in said
        assert "Traceback" not in said
        assert "removes it" not in said
    assert is_there("two")


def test_the_place_of_the_name_is_told(place: Path, gen: Gen) -> None:
    put("specs/sub/two.yaml", TWO.replace("spec_version", "spec_versoin").encode("utf-16"))

    ran = gen("render", "--prune", "--format=json", "specs")

    [told] = json.loads(ran.out)["diagnostics"]
    assert told["rule"] == "render/unseen-spec"
    assert (told["path"], told["line"], told["column"]) == ("specs/sub/two.yaml", 2, 7)


def test_a_folder_that_is_a_link_keeps_what_its_specs_render(place: Path, gen: Gen) -> None:
    os.rename("specs/sub", "../elsewhere")
    os.symlink("../../elsewhere", "specs/sub")

    assert gen("render", "--prune", "specs").status == 1
    assert is_there("two")


def test_a_part_of_the_specs_keeps_the_others(place: Path, gen: Gen) -> None:
    ran = gen("render", "--prune", "specs/sub")

    assert ran.status == 1
    assert "specs/one.yaml:2" in ran.err
    assert "give its folder too" in ran.err
    assert is_there("one")
    assert gen("render", "--prune", "specs/sub", "specs").status == 0


def test_outside_a_repository_the_working_directory_is_looked_through(
    place: Path, gen: Gen
) -> None:
    (place / ".git").rmdir()

    assert gen("render", "--prune", "specs/sub").status == 1
    assert is_there("one")


def test_a_folder_outside_a_repository_is_looked_through_itself(
    place: Path, gen: Gen, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (place / ".git").rmdir()
    (tmp_path / "else").mkdir()
    monkeypatch.chdir(tmp_path / "else")
    specs, output = str(place / "specs"), str(place / "rendered")
    put(f"{specs}/sub/two.yaml", TWO.replace("spec_version", "spec_versoin"))

    assert gen("render", "--prune", specs, "--output", output).status == 1
    assert (place / "rendered/two/triton").is_dir()


@pytest.mark.parametrize("text", [b"", b"\n \n", b"\xef\xbb\xbf", b"\xff\xfe", b"\xffa: b\n"])
@pytest.mark.parametrize("name", ["two.yaml", ".two.YML"])
def test_a_file_among_the_specs_that_says_nothing_may_be_any(
    place: Path, gen: Gen, text: bytes, name: str
) -> None:
    (place / "specs/sub/two.yaml").unlink()
    put(f"specs/sub/{name}", text)

    ran = gen("render", "--prune", "specs")

    assert ran.status == 1
    assert "may have been any spec: nothing of rendered is pruned" in ran.err
    assert is_there("two")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("lib/empty.yaml", ""),
        ("lib/empty.json", ""),
        ("specs/serving-defaults.yaml", "defaults_version: 1\n"),
        ("specs/notes.txt", TWO),
        (".git/two.yaml", TWO),
        ("node_modules/pkg/two.json", json.dumps(AS_JSON)),
        (".venv/lib/two.yaml", TWO),
        ("lib/other.yaml", "name: two-b\nfile_name: two\nnames: two\nname: two of them\n"),
        ("lib/route.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: two}\n"),
        ("specs/one-more.yaml", SPEC.format(name="three").replace("image", "two")),
    ],
)
def test_other_files_keep_nothing(place: Path, gen: Gen, path: str, text: str) -> None:
    (place / "specs/sub/two.yaml").unlink()
    put(path, text)

    ran = gen("render", "--prune", "specs")

    assert (ran.status, is_there("two")) == (0, False), ran.err


def test_what_is_rendered_elsewhere_keeps_nothing(place: Path, gen: Gen) -> None:
    gen("render", "specs", "--output", "lib/rendered")
    (place / "specs/sub/two.yaml").unlink()

    assert gen("render", "--prune", "specs").status == 0
    assert not is_there("two")


def test_specs_that_lie_in_the_output_folder_are_looked_at(place: Path, gen: Gen) -> None:
    gen("render", "specs", "--output", ".")
    put("specs/sub/two.yaml", TWO.replace("spec_version", "spec_versoin"))

    assert gen("render", "--prune", "specs", "--output", ".").status == 1
    assert (place / "two/triton").is_dir()


def test_links_in_a_circle_end(place: Path, gen: Gen) -> None:
    (place / "specs/sub/two.yaml").unlink()
    os.symlink("..", "specs/up")
    os.symlink("../..", "lib/above")
    os.symlink(".", "lib/same")

    assert gen("render", "--prune", "specs").status == 0
    assert not is_there("two")


# Where there is no spec


def test_a_missing_folder_is_told_as_such(place: Path, gen: Gen) -> None:
    ran = gen("render", "--prune", "spec")

    assert ran.status == 2
    said = " ".join(ran.err.split())
    assert "there is no folder spec;" in said
    assert "git rm -r rendered" in said


def test_the_last_project_is_retired_by_hand(place: Path, gen: Gen) -> None:
    for path in ("one.yaml", "sub/two.yaml"):
        (place / "specs" / path).unlink()

    ran = gen("render", "--prune", "specs", "--output", "rendered")

    assert ran.status == 2
    assert "no spec in specs" in ran.err
    assert "if the last spec is gone on purpose: git rm -r rendered" in ran.err
    assert is_there("one")
    assert "git rm" not in gen("render", "specs").err


# What stays of a project


def test_an_edited_file_is_known_as_one_in_later_runs(place: Path, gen: Gen) -> None:
    (place / "specs/sub/two.yaml").unlink()
    edited = place / "rendered/two/triton/manifests/inferenceservice.yaml"
    edited.write_text("a: b\n")

    for _ in range(2):
        ran = gen("render", "--prune", "specs")
        assert ran.status == 0
        assert "inferenceservice.yaml was edited since it was rendered: left in place" in ran.err
    assert "removed" not in ran.out
    checked = gen("render", "--prune", "--check", "specs")
    assert checked.status == 1
    assert "was edited since it was rendered, and is rendered by no spec" in checked.err
    assert "was not rendered" not in checked.err

    edited.unlink()
    assert gen("render", "--prune", "specs").status == 0
    assert not (place / "rendered/two").exists()


def test_a_link_is_told_as_one(place: Path, gen: Gen) -> None:
    (place / "specs/sub/two.yaml").unlink()
    readme = place / "rendered/two/triton/README.md"
    content = readme.read_bytes()
    readme.unlink()
    (place / "README.md").write_bytes(content)
    readme.symlink_to(place / "README.md")

    ran = gen("render", "--prune", "specs")

    assert "README.md was linked since it was rendered: left in place" in ran.err
    assert readme.is_symlink()
    assert "edited" not in ran.err


# Two runs at once


def test_a_folder_that_another_run_has_removed_is_gone(place: Path) -> None:
    assert drop(place / "rendered/three") is None


def test_a_folder_that_goes_while_its_lock_is_waited_for_is_gone(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")
    two = place / "rendered/two"

    def other_run_was_faster(_descriptor: int, _how: int) -> None:
        monkeypatch.undo()
        drop(two)

    monkeypatch.setattr(fcntl, "flock", other_run_was_faster)

    assert drop(two) is None
    assert not two.exists()
