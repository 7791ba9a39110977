"""Patches change a manifest, and leave its comments with what they are about."""

import io
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml
from hostile import HOSTILE
from ruamel.yaml import YAML

from generator.artefact import RenderedFile
from generator.patches import Patch, patched

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = """\
# What this is.
kind: Example
spec:
  args:
    # Why one.
    - one
    - two
  # Why limits.
  limits:
    cpu: "1"
  # Why a probe:
  # it is slow.
  probe:
    path: /ready  # the model's
"""


def patch(**changes: Any) -> str:
    """The manifest after one patch."""
    path = PurePosixPath("manifests/example.yaml")
    files, problems = patched([RenderedFile(path, MANIFEST)], [Patch(path.name, **changes)], ())
    assert problems == []
    return files[0].text


def test_an_empty_patch_changes_no_byte() -> None:
    assert patch() == MANIFEST


MANIFESTS = sorted((ROOT / "rendered").glob("**/manifests/*.yaml"))


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_an_empty_patch_changes_no_byte_of_what_is_rendered(file: Path) -> None:
    given = RenderedFile(PurePosixPath("manifests") / file.name, file.read_text(encoding="utf-8"))

    files, problems = patched([given], [Patch(file.name)], ())

    assert (files, problems) == ([given], [])


def test_an_item_added_to_a_list_stands_before_the_next_comment() -> None:
    text = patch(json=({"op": "add", "path": "/spec/args/-", "value": "three"},))

    assert "    - two\n    - three\n  # Why limits.\n  limits:\n" in text


def test_a_key_added_to_a_map_stands_before_the_next_comment() -> None:
    text = patch(merge={"spec": {"limits": {"memory": "2Gi"}}})

    assert '    cpu: "1"\n    memory: 2Gi\n  # Why a probe:\n  # it is slow.\n  probe:\n' in text


def test_a_comment_goes_with_the_value_that_it_is_about() -> None:
    text = patch(merge={"spec": {"limits": None}})

    assert "Why limits" not in text
    assert "    - two\n  # Why a probe:\n" in text


def test_a_value_that_is_replaced_keeps_its_comments() -> None:
    text = patch(json=({"op": "replace", "path": "/spec/probe/path", "value": "/live"},))

    assert text.endswith("  # it is slow.\n  probe:\n    path: /live   # the model's\n")


# What is changed


@pytest.mark.parametrize(
    ("changes", "spec"),
    [
        ({"merge": {"spec": {"args": ["x"]}}}, {"args": ["x"]}),
        ({"merge": {"spec": {"probe": None}}}, {"probe": None}),
        ({"merge": {"spec": {"probe": {"path": None, "port": 1}}}}, {"probe": {"port": 1}}),
        ({"merge": {"spec": {"new": {"a": {"b": 1, "c": None}}}}}, {"new": {"a": {"b": 1}}}),
        ({"merge": {"spec": {"args": {"a": 1}}}}, {"args": {"a": 1}}),
        ({"json": ({"op": "remove", "path": "/spec/args/0"},)}, {"args": ["two"]}),
        ({"json": ({"op": "remove", "path": "/spec/limits/cpu"},)}, {"limits": {}}),
        (
            {"json": ({"op": "move", "from": "/spec/limits", "path": "/spec/moved"},)},
            {"limits": None, "moved": {"cpu": "1"}},
        ),
        (
            {"json": ({"op": "copy", "from": "/spec/probe", "path": "/spec/other"},)},
            {"other": {"path": "/ready"}},
        ),
        (
            {
                "json": (
                    {"op": "test", "path": "/spec/args/1", "value": "two"},
                    {"op": "replace", "path": "/spec/args", "value": []},
                )
            },
            {"args": []},
        ),
        (
            {
                "merge": {"spec": {"args": ["a", "b"]}},
                "json": ({"op": "add", "path": "/spec/args/1", "value": "between"},),
            },
            {"args": ["a", "between", "b"]},
        ),
    ],
)
def test_changes_the_manifest(changes: dict[str, Any], spec: dict[str, Any]) -> None:
    before = yaml.safe_load(MANIFEST)["spec"]

    after = yaml.safe_load(patch(**changes))["spec"]

    assert after == {key: value for key, value in (before | spec).items() if value is not None}


def test_patches_of_one_manifest_apply_in_turn() -> None:
    file = RenderedFile(PurePosixPath("manifests/example.yaml"), MANIFEST)
    first = Patch("example.yaml", merge={"spec": {"a": 1}})
    second = Patch("example.yaml", json=({"op": "remove", "path": "/spec/a"},))

    files, problems = patched([file], [first, second], ())

    assert problems == []
    assert "a" not in yaml.safe_load(files[0].text)["spec"]


def test_only_files_under_manifests_are_patched() -> None:
    file = RenderedFile(PurePosixPath("perf/example.yaml"), MANIFEST)

    files, [problem] = patched([file], [Patch("example.yaml", merge={"a": 1})], ("patches",))

    assert files == [file]
    assert problem.pointer == ("patches", 0, "manifest")


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_texts_stay_texts_in_every_yaml(text: str) -> None:
    changes = {text: text, "list": [text, {"inner": text}]}
    expected = {"kind": "Example", "spec": yaml.safe_load(MANIFEST)["spec"], **changes}

    merged = patch(merge=changes)
    added = patch(json=({"op": "add", "path": "/spec/value", "value": text},))

    assert yaml.safe_load(merged) == expected
    assert YAML(typ="safe", pure=True).load(io.StringIO(merged)) == expected
    assert yaml.safe_load(added)["spec"]["value"] == text


@pytest.mark.parametrize("text", ["y", "no", "08", "1e3", "0o7", "1:30"])
def test_texts_that_go_takes_for_something_else_are_quoted(text: str) -> None:
    assert f'  value: "{text}"\n' in patch(merge={"spec": {"value": text}})


@pytest.mark.parametrize(
    ("operations", "keys", "message"),
    [
        (
            [{"op": "remove", "path": "/spec/nothing"}],
            ("json", 0),
            "cannot remove `/spec/nothing`: there is no `/spec/nothing`",
        ),
        (
            [{"op": "add", "path": "/spec/nothing/here", "value": 1}],
            ("json", 0),
            "cannot add `/spec/nothing/here`: there is no `/spec/nothing`",
        ),
        (
            [{"op": "move", "from": "/x", "path": "/spec/y"}],
            ("json", 0),
            "cannot move `/spec/y`: there is no `/x`",
        ),
        (
            [{"op": "test", "path": "/kind", "value": "Example"}, {"op": "remove", "path": "/x"}],
            ("json", 1),
            "cannot remove `/x`: there is no `/x`",
        ),
        (
            [{"op": "test", "path": "/kind", "value": "Other"}],
            ("json", 0),
            "test failed: `/kind` is absent or holds another value",
        ),
        (
            [{"op": "add", "path": "/spec/args/9", "value": 1}],
            ("json", 0),
            "cannot add `/spec/args/9`: can't insert outside of list",
        ),
        ([{"op": "remove", "path": ""}], ("json", 0), "can't remove the whole document"),
        ([{"op": "replace", "path": "", "value": [1]}], ("json", 0), "the manifest is no map"),
        (
            [{"op": "copy", "from": "", "path": f"/spec/x{n}"} for n in range(12)],
            ("json", 7),
            "copy leaves more than 2,000 values in the manifest",
        ),
    ],
)
def test_says_why_an_operation_does_not_apply(
    operations: list[dict[str, Any]], keys: tuple[str | int, ...], message: str
) -> None:
    file = RenderedFile(PurePosixPath("manifests/example.yaml"), MANIFEST)

    files, [problem] = patched([file], [Patch("example.yaml", json=tuple(operations))], ("at",))

    assert files == [file]
    assert problem.pointer == ("at", 0, *keys)
    assert message in problem.message


def test_an_emptied_list_with_comments_still_reads_as_what_it_is() -> None:
    removals = [{"op": "remove", "path": "/spec/args/0"}] * 2

    assert yaml.safe_load(patch(json=tuple(removals)))["spec"]["args"] == []
