"""The schema's findings are told in the words of the spec; the schema itself is well made."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
import yaml

from generator import schema
from generator.diagnostics import shown
from generator.problem import Problem, did_you_mean, dotted
from generator.project import Project
from generator.source import load
from generator.targets import TARGETS
from generator.transforms import POSTPROCESS, PREPROCESS

SCHEMAS = [schema.project_schema(), *(target.schema for target in TARGETS.values())]
MINIMAL = """\
spec_version: 1
name: one
model:
  program: model.pt
  inputs: [{name: image, dtype: float32, shape: [N, 3, 32, 32]}]
  outputs: [{name: logits, dtype: float32, shape: [N, 10]}]
targets: {triton: {}}
"""


def problems(more: str = "", text: str = MINIMAL) -> list[Problem]:
    document = load("spec.yaml", text + more, Path())
    return list(schema.problems(schema.project_schema(), document))


def one(more: str, text: str = MINIMAL) -> Problem:
    [problem] = problems(more, text)
    return problem


def parts(node: object) -> Iterator[dict[str, Any]]:
    """Every map in a schema."""
    if isinstance(node, dict):
        yield node
        for child in node.values():
            yield from parts(child)
    for child in node if isinstance(node, list) else ():
        yield from parts(child)


# The schemas themselves


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.parent.name)
def test_is_draft_07(path: Path) -> None:
    jsonschema.Draft7Validator.check_schema(schema.read(path))

    assert schema.read(path)["$schema"] == "http://json-schema.org/draft-07/schema#"


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.parent.name)
def test_every_property_is_described(path: Path) -> None:
    bare = [
        name
        for part in parts(schema.read(path))
        for name, child in part.get("properties", {}).items()
        if isinstance(child, dict) and "if" not in part and not schema._description(child)
        if child.keys() - {"enum"}
    ]

    assert bare == []


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.parent.name)
def test_every_pattern_and_choice_says_what_it_wants(path: Path) -> None:
    silent = [
        part
        for part in parts(schema.read(path))
        if isinstance(part.get("pattern"), str) or "anyOf" in part
        if "x-says" not in part
    ]

    assert silent == []


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.parent.name)
def test_patterns_are_anchored_and_quick_on_long_texts(path: Path) -> None:
    patterns = {
        part["pattern"] for part in parts(schema.read(path)) if isinstance(part.get("pattern"), str)
    }
    texts = [unit * (50_000 // len(unit)) + end for unit in UNITS for end in ("", "!", "\n")]

    for pattern in patterns:
        assert pattern.startswith("^")
        assert pattern.endswith("$")
        start = time.monotonic()
        for text in texts:
            schema._matches(pattern, text)
        assert time.monotonic() - start < 2, pattern


UNITS = ("a", "1", "-", ".", "a.", "a-", "/a", "a/", "_", "a:", "==1,", " ", "a[b", "~0", "~", "/")


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.parent.name)
def test_patterns_do_not_end_before_a_last_line_break(path: Path) -> None:
    patterns = {
        part["pattern"] for part in parts(schema.read(path)) if isinstance(part.get("pattern"), str)
    }
    samples = [
        "a",
        "a/b",
        "a/b:c",
        "a:b",
        "a.py:b",
        "A",
        "60s",
        "2Gi",
        "a.yaml",
        "26.11-py3",
        "1.17.1",
        "3.11",
        "s3://a",
        "https://a",
        "https://a/b",
        "/a",
        "0123456789abcdef" * 4,
        "a.mar",
    ]

    for pattern in patterns:
        texts = [text for text in samples if schema._matches(pattern, text)]
        assert texts or "u0000" in pattern or pattern.count("=") > 3, pattern
        if not schema._matches(pattern, "\n"):  # as of annotations, which may have several lines
            assert not any(schema._matches(pattern, f"{text}\n") for text in texts)


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.parent.name)
def test_maps_are_closed_or_free_on_purpose(path: Path) -> None:
    free = {"arguments", "merge", "targets", "environments"}
    document = schema.read(path)
    names = {id(child): name for part in parts(document) for name, child in part.items()}
    open_maps = [
        names[id(part)]
        for part in parts(document)
        if part.get("type") == "object" and "additionalProperties" not in part
    ]

    assert set(open_maps) <= free


def test_defaults_are_those_of_the_typed_image() -> None:
    def compare(part: dict[str, Any], kind: Any) -> None:
        own = msgspec.structs.fields(kind) if issubclass(kind, msgspec.Struct) else ()
        fields = {each.name: each for each in own}
        part = {**part, **definitions.get(part.get("$ref", "").rpartition("/")[2], {})}
        for name, child in part.get("properties", {}).items():
            if name in fields and "default" in child and fields[name].default is not None:
                assert child["default"] == fields[name].default, name
            if name in fields and fields[name].default is not None:
                compare(child, type(fields[name].default))

    definitions = schema.read(schema.project_schema())["definitions"]
    compare(schema.read(schema.project_schema()), Project)
    for target in TARGETS.values():
        compare(schema.read(target.schema), target.options)


@pytest.mark.parametrize(
    ("section", "table"), [("preprocess", PREPROCESS), ("postprocess", POSTPROCESS)]
)
def test_operations_are_those_of_the_table(section: str, table: dict[str, Any]) -> None:
    transforms = schema.read(schema.project_schema())["definitions"]["transforms"]
    bare, mapped = transforms["properties"][section]["items"]["anyOf"]

    assert set(mapped["properties"]) == set(table)
    assert set(bare["enum"]) | set(bare["x-with-arguments"]) == set(table)


def test_every_rendered_spec_fits_the_schema_as_an_editor_sees_it() -> None:
    """Draft-07 without our keywords: an editor must not underline what we take."""
    root = Path(__file__).parents[1] / "specs"
    validator = jsonschema.Draft7Validator(schema.read(schema.project_schema()))

    for path in root.rglob("*.yaml"):
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        sections = {key: value for key, value in data.items() if key != "environments"}
        assert list(validator.iter_errors(sections)) == []


# What is told


def test_takes_the_minimal_spec() -> None:
    assert problems() == []


def test_blames_each_unknown_key_at_itself() -> None:
    found = problems("hardware: {memroy: 1Gi, cpus: 2}\n")

    assert [problem.pointer for problem in found] == [("hardware", "memroy"), ("hardware", "cpus")]
    assert all(problem.at_key for problem in found)


def test_blames_each_missing_key() -> None:
    found = problems(text="spec_version: 1\nname: one\nmodel: {}\ntargets: {triton: {}}\n")

    assert [problem.message for problem in found] == ["`inputs` is missing", "`outputs` is missing"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("2.0", "expected a whole number, found 2.0"),
        ("true", "expected a whole number, found true"),
        ("two", "expected a whole number, found text `two`"),
        ("[2]", "expected a whole number, found a list"),
        ("{}", "expected a whole number, found a map"),
        ("null", "nothing stands here; expected a whole number"),
        ("0", "0 is less than 1"),
        ("17", "17 is more than 16"),
    ],
)
def test_says_what_it_found_instead_of_a_whole_number(value: str, message: str) -> None:
    assert one(f"hardware: {{gpus: {value}}}\n").message == message


@pytest.mark.parametrize("value", ["1.0", "true"])
def test_a_choice_of_whole_numbers_takes_no_other(value: str) -> None:
    more = f"transforms: {{preprocess: [decode, {{grayscale: {{channels: {value}}}}}]}}\n"

    assert one(more).message.startswith("expected a whole number")


@pytest.mark.parametrize(
    ("value", "hint"),
    [("1.10", 'quote it: "1.10"'), ("7", 'quote it: "7"'), ("true", 'quote it: "true"')],
)
def test_says_how_to_write_text_that_looks_like_something_else(value: str, hint: str) -> None:
    assert one(f"images: {{registry: docker.io/acme, tag: {value}}}\n").hint == hint


def test_does_not_ask_to_quote_what_would_not_fit_then_either() -> None:
    problem = one("serving: {timeout: 60}\n")

    assert problem.hint == ""
    assert problem.message.startswith("`60` is not a whole number with its unit")


def test_of_alternatives_only_the_one_that_was_meant_is_told() -> None:
    problem = one("transforms: {preprocess: [{center_crop: {size: [32, x]}}]}\n")

    assert problem.pointer == ("transforms", "preprocess", 0, "center_crop", "size", 1)
    assert problem.message == "expected a whole number, found text `x`"


def test_a_list_item_that_stands_twice_is_pointed_at() -> None:
    problem = one("kubernetes: {image_pull_secrets: [a, b, a]}\n")

    assert problem.pointer == ("kubernetes", "image_pull_secrets", 2)


def test_a_bad_key_of_a_free_map_is_pointed_at() -> None:
    problem = one("kubernetes: {labels: {'a b': c}}\n")

    assert problem.pointer == ("kubernetes", "labels", "a b")
    assert problem.at_key


def test_a_line_break_at_the_end_does_not_slip_through() -> None:
    assert one('kubernetes: {namespace: "abc\\n"}\n').message.startswith("`abc\\n` is not")


def test_a_message_stays_short_and_printable() -> None:
    found = problems(f'kubernetes: {{namespace: "\\e{"x" * 5000}"}}\n')

    assert found
    assert all(len(problem.message) < 200 and problem.message.isprintable() for problem in found)


# Words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("a\nb", "a\\nb"),
        ("\x00\u202e", "\\x00\\u202e"),
        ("\ud800", "\\ud800"),
        (True, "true"),
        ([1, "a"], '[1, "a"]'),
        ("x" * 70, "x" * 57 + "..."),
    ],
)
def test_shows_values_on_one_line(value: object, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("memroy", ["memory", "cpu"], "did you mean `memory`?"),
        ("zzz", ["memory", "cpu"], "known here: cpu, memory"),
        ("zzz", [], "remove it: nothing can stand here"),
    ],
)
def test_hints_at_the_nearest_word(word: str, known: list[str], hint: str) -> None:
    assert did_you_mean(word, known) == hint


def test_writes_pointers_as_users_read_them() -> None:
    assert dotted(("model", "inputs", 0, "shape")) == "model.inputs[0].shape"


def test_the_schema_file_is_formatted_as_json() -> None:
    for path in SCHEMAS:
        text = path.read_text(encoding="utf-8")
        assert json.loads(text)
        assert not re.search(r"[ \t]+$", text, re.MULTILINE)
