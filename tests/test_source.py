"""YAML text becomes plain data that knows where each value stands."""

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from generator import source
from generator.diagnostics import Diagnostic, Rejected
from generator.document import Document, Pointer, merged
from generator.source import MAX_BYTES, load


def document(text: str | bytes, path: str = "spec.yaml") -> Document:
    return load(path, dedent(text) if isinstance(text, str) else text, Path())


def rejected(text: str | bytes) -> tuple[Diagnostic, ...]:
    with pytest.raises(Rejected) as caught:
        document(text)
    return caught.value.diagnostics


def rules(text: str | bytes) -> list[str]:
    return [diagnostic.rule for diagnostic in rejected(text)]


def lines(found: Document) -> dict[Pointer, int]:
    return {pointer: place.value.line for pointer, place in found.places.items()}


# Values


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("'1'", "1"),
        ('"yes"', "yes"),
        ("1", 1),
        ("-7", -7),
        ("+7", 7),
        ("0x1F", 31),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.0e-3", 0.001),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("y", "y"),
        ("N", "N"),
        ("2Gi", "2Gi"),
        ("26.11-py3", "26.11-py3"),
        ("!!str 1", "1"),
        ("[a, {b: 1}]", ["a", {"b": 1}]),
        ("|\n    one\n    two\n", "one\ntwo\n"),
        (">-\n    one\n    two\n", "one two"),
    ],
)
def test_reads_values(text: str, value: object) -> None:
    found = document(f"key: {text}\n").data["key"]

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        *("yes", "No", "ON", "010", "08", "0o17", "1:30", "190:20:30.15", "1_000", "0b1", "1e3"),
        *("1.5e3", ".inf", "-.INF", ".nan", "2026-11-20", "2026-11-20 10:00:00", "1" * 30),
        *("1.0e+999", "<<", "!!bool maybe", "!!int x", "!!float x", "!!null x", "!!binary aGk="),
        "=",
    ],
)
def test_refuses_values_that_yaml_takes_for_something_else(text: str) -> None:
    assert rules(f"key: {text}\n") == ["yaml/surprising-scalar"]


@pytest.mark.parametrize("text", ["'1e3'", '"010"', '"yes"', "'2026-11-20'", '"<<"', "'='"])
def test_takes_quoted_text_for_text(text: str) -> None:
    assert document(f"key: {text}\n").data["key"] == text[1:-1]


@pytest.mark.parametrize("tag", ["!env x", "!!python/name:os.system ''", "!!set {a, b}", "!x [a]"])
def test_refuses_tags(tag: str) -> None:
    assert "yaml/tag" in rules(f"key: {tag}\n") or rules(f"key: {tag}\n") == [
        "yaml/surprising-scalar"
    ]


@pytest.mark.parametrize(
    "key", ["1", "1.5", "true", "on", "null", "2026-11-20", "[a]", "{a: b}", "="]
)
def test_refuses_keys_that_are_not_text(key: str) -> None:
    assert rules(f"? {key}\n: value\n") == ["yaml/key"]


def test_a_tag_of_yaml_is_shown_as_it_is_written() -> None:
    [diagnostic] = rejected("key: !!python/object:os.system {a: b}\n")

    assert diagnostic.message == "tag `!!python/object:os.system` is not used in specs"


def test_tells_all_flaws_of_a_text_in_its_order() -> None:
    found = rejected("b: yes\na: 010\na: 1\n1: x\n")

    assert [(flaw.rule, flaw.span.line) for flaw in found] == [
        ("yaml/surprising-scalar", 1),
        ("yaml/surprising-scalar", 2),
        ("yaml/duplicate-key", 3),
        ("yaml/key", 4),
    ]


def test_a_duplicate_in_a_nested_map_is_told_with_the_line_of_the_first() -> None:
    [diagnostic] = rejected("model:\n  name: a\n  inputs: []\n  name: b\n")

    assert diagnostic.message == "`name` stands twice in this map, first on line 2"
    assert (diagnostic.span.line, diagnostic.span.column, diagnostic.span.end_column) == (4, 3, 7)


def test_the_same_key_in_two_maps_is_no_duplicate() -> None:
    assert document("a: {x: 1}\nb: {x: 2}\n").data == {"a": {"x": 1}, "b": {"x": 2}}


# Places


def test_places_are_1_based_and_end_exclusive() -> None:
    place = document("model:\n  name: cifar10\n").place(("model", "name"))

    assert (place.value.line, place.value.column, place.value.end_column) == (2, 9, 16)
    assert place.key is not None
    assert (place.key.line, place.key.column, place.key.end_column) == (2, 3, 7)
    assert place.written == "cifar10"


def test_a_map_is_pointed_at_by_its_key_and_a_scalar_by_itself() -> None:
    found = document("a:\n  b: {c: 1}\n")

    assert found.place(("a", "b")).span.column == 3
    assert found.place(("a", "b", "c")).span.column == 10


def test_items_of_a_list_have_places() -> None:
    found = document("a:\n  - x\n  - y\n")

    assert lines(found)["a", 1] == 3


def test_a_value_that_is_not_there_is_placed_where_it_would_stand() -> None:
    found = document("a:\n  b: 1\n")

    assert found.place(("a", "c", "d")) is found.place(("a",))
    assert found.place(("x",)) is found.place(())


def test_columns_count_characters_not_bytes() -> None:
    place = document("a: {ž: 猫, b: 1}\n").place(("a", "b"))

    assert place.value.column == 14


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_lines_are_counted_alike_for_every_ending(ending: str) -> None:
    [diagnostic] = rejected(ending.join(["a: 1", "b: 2", "c: yes", ""]).encode())

    assert diagnostic.span.line == 3
    assert diagnostic.source == "c: yes"


def test_a_byte_order_mark_is_not_counted() -> None:
    [diagnostic] = rejected(b"\xef\xbb\xbfa: yes\n")

    assert (diagnostic.span.line, diagnostic.span.column) == (1, 4)
    assert diagnostic.source == "a: yes"


def test_a_value_of_several_lines_is_pointed_at_on_its_first() -> None:
    span = document("a: {b: 1,\n    c: 2}\n").place(()).value

    assert (span.line, span.column, span.end_column) == (1, 1, 10)


# Texts that are no spec


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "yaml/empty"),
        ("# nothing\n", "yaml/empty"),
        ("---\n", "yaml/not-a-map"),
        ("- a\n", "yaml/not-a-map"),
        ("text\n", "yaml/not-a-map"),
        ("a: 1\n---\nb: 2\n", "yaml/several-documents"),
        ("a: [\n", "yaml/syntax"),
        ("a: b: c\n", "yaml/syntax"),
        ("a: 'x\n", "yaml/syntax"),
        ("a: *x\n", "yaml/syntax"),
        ("a: &x 1\nb: &x 2\n", "yaml/syntax"),
        ("%YAML 1.1\n---\na: 1\n", None),
        ("a: '\x07'\n", "yaml/character"),
        ("a: '\x85'\n", "yaml/character"),
        ("a: '\u2028'\n", "yaml/character"),
        ("a: '\ufeff'\n", "yaml/character"),
        ("a: '\ufffe'\n", "yaml/character"),
    ],
)
def test_names_what_is_wrong_with_a_text(text: str, rule: str | None) -> None:
    if rule is None:
        assert document(text).data
    else:
        assert rules(text) == [rule]


@pytest.mark.parametrize(
    ("content", "line", "column"),
    [
        (b"a: \xe9\n", 1, 4),
        (b"a: 1\nb: \xc5\xbe\xff\n", 2, 5),
        (b"\xff\xfea\x00", 1, 1),
        (b"\xef\xbb\xbfa: \xe9", 1, 4),
    ],
)
def test_points_at_the_byte_that_is_not_utf_8(content: bytes, line: int, column: int) -> None:
    [diagnostic] = rejected(content)

    assert diagnostic.rule == "yaml/not-utf-8"
    assert (diagnostic.span.line, diagnostic.span.column) == (line, column)


def test_refuses_a_text_too_large_without_reading_it() -> None:
    [diagnostic] = rejected(b"\xff" * (MAX_BYTES + 1))

    assert diagnostic.rule == "yaml/too-large"
    assert "1,000,001 bytes" in diagnostic.message


@pytest.mark.parametrize("text", ["{", "{\n\n", "a: [b,\n  c\n\n\n", "a: 1\nb"])
def test_a_text_that_stops_too_early_is_pointed_at_inside(text: str) -> None:
    [diagnostic] = rejected(text)

    assert diagnostic.rule == "yaml/syntax"
    assert diagnostic.source.strip()


def test_takes_50_levels_and_refuses_51() -> None:
    assert document("a: " + "[" * 49 + "]" * 49).data
    assert rules("a: " + "[" * 50 + "]" * 50) == ["yaml/too-deep"]


def test_a_text_that_is_right_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(source, "refuse_depth")

    assert document("a: &x {b: [1, 2]}\nc: *x\n").data


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("a: *missing\nb: " + "[" * 60, "yaml/too-deep"),
        ("a: &x 1\nb: &x 2\nc: " + "[" * 60, "yaml/too-deep"),
        ("a: {\nb: " + "[" * 60, "yaml/too-deep"),
        ("a: ]\nb: " + "[" * 60, "yaml/syntax"),
        ("a: " + "[" * 49 + "1" + "]" * 49 + "\nb: *missing\n", "yaml/syntax"),
        ("a: " + "[" * 100_000, "yaml/too-deep"),
    ],
)
def test_of_depth_and_syntax_what_stands_first_is_told(text: str, rule: str) -> None:
    """An anchor is no matter of syntax: those are looked at where the depth is right everywhere."""
    assert rules(text) == [rule]


# Anchors


def test_an_alias_stands_where_it_is_written_and_its_values_where_the_anchor_is() -> None:
    found = document("a: &x {b: 1}\nc: *x\n")

    assert found.data["c"] == {"b": 1}
    assert lines(found)["c", "b"] == 1


def test_aliases_do_not_share_their_values() -> None:
    data: Any = document("a: &x {b: [1]}\nc: *x\n").data

    data["a"]["b"].append(2)

    assert data["c"] == {"b": [1]}


def test_a_merge_key_brings_what_the_map_has_not() -> None:
    found = document("base: &x {a: 1, b: 2}\nmore:\n  <<: *x\n  b: 3\n")

    assert found.data["more"] == {"a": 1, "b": 3}
    assert (lines(found)["more", "a"], lines(found)["more", "b"]) == (1, 4)


def test_of_several_merged_maps_the_first_wins() -> None:
    found = document("x: &x {a: 1}\ny: &y {a: 2, b: 2}\nz: {<<: [*x, *y]}\n")

    assert found.data["z"] == {"a": 1, "b": 2}


def test_merge_keys_work_through_merged_maps() -> None:
    found = document("x: &x {a: 1}\ny: &y {<<: *x, b: 2}\nz: {<<: *y, c: 3}\n")

    assert found.data["z"] == {"a": 1, "b": 2, "c": 3}


@pytest.mark.parametrize("value", ["4", "[4]", "text", "null", "[[]]"])
def test_refuses_to_merge_what_is_no_map(value: str) -> None:
    assert rules(f"a: {{<<: {value}}}\n") == ["yaml/merge"]


@pytest.mark.parametrize(
    "text",
    ["a: &a {<<: *a}\n", "a: &a {b: &b {<<: *a}, <<: *b}\n", "a: &a {<<: [{<<: *a}]}\n"],
)
def test_refuses_a_map_that_merges_itself(text: str) -> None:
    assert set(rules(text)) <= {"yaml/merge", "yaml/too-deep"}


def test_refuses_a_list_that_holds_itself() -> None:
    assert rules("a: &a [*a]\n") == ["yaml/too-deep"]


def test_a_flaw_in_an_anchor_is_told_once() -> None:
    assert rules("a: &x {b: yes}\nc: *x\nd: *x\n") == ["yaml/surprising-scalar"]


# Merging documents


def over(base: str, top: str) -> Document:
    return merged(document(base, "base.yaml"), document(top, "top.yaml"))


@pytest.mark.parametrize(
    ("base", "top", "result"),
    [
        ("a: 1\n", "b: 2\n", {"a": 1, "b": 2}),
        ("a: 1\n", "a: 2\n", {"a": 2}),
        ("a: {b: 1, c: 2}\n", "a: {c: 3, d: 4}\n", {"a": {"b": 1, "c": 3, "d": 4}}),
        ("a: [1, 2]\n", "a: [3]\n", {"a": [3]}),
        ("a: {b: 1}\n", "a: null\n", {}),
        ("a: {b: 1, c: 2}\n", "a: {b: null}\n", {"a": {"c": 2}}),
        ("a: 1\n", "a: {b: 2}\n", {"a": {"b": 2}}),
        ("a: {b: 2}\n", "a: 1\n", {"a": 1}),
        ("a: 1\n", "b: null\n", {"a": 1}),
        ("a: 1\n", "b: {c: null, d: 2}\n", {"a": 1, "b": {"d": 2}}),
        ("a: [{b: 1}]\n", "a: [{c: null}]\n", {"a": [{"c": None}]}),
        ("a: {b: 1}\n", "a: {}\n", {"a": {"b": 1}}),
        ("a: null\n", "a: {b: 1}\n", {"a": {"b": 1}}),
        ("a: null\n", "b: 1\n", {"a": None, "b": 1}),
    ],
)
def test_maps_merge_lists_and_scalars_replace_null_removes(
    base: str, top: str, result: object
) -> None:
    assert over(base, top).data == result


def test_merging_changes_neither_document() -> None:
    base, top = document("a: {b: [1]}\n"), document("a: {c: 2}\n")
    places = dict(base.places)

    merged(base, top)

    assert (base.data, top.data) == ({"a": {"b": [1]}}, {"a": {"c": 2}})
    assert base.places == places


@pytest.mark.parametrize(
    ("pointer", "path", "line"),
    [
        (("a",), "base.yaml", 1),
        (("a", "b"), "base.yaml", 2),
        (("a", "c"), "top.yaml", 2),
        (("a", "d", "e"), "top.yaml", 3),
        (("a", "l", 0), "top.yaml", 4),
        (("a", "l", 1), "top.yaml", 4),
        (("a", "m", "n"), "top.yaml", 5),
        (("gone",), "top.yaml", 6),
        (("gone", "inner"), "top.yaml", 6),
    ],
)
def test_a_merged_value_stands_in_the_text_that_won(pointer: Pointer, path: str, line: int) -> None:
    found = over(
        "a:\n  b: 1\n  c: 1\n  l: [1, 2]\n  m: 1\ngone: {inner: 1}\n",
        "a:\n  c: 2\n  d: {e: 2}\n  l: [2]\n  m: {n: 2}\ngone: null\n",
    )

    place = found.place(pointer)

    assert (place.text.path, place.span.line) == (path, line)


def test_a_part_is_a_document_with_its_own_pointers() -> None:
    found = document("a:\n  b:\n    c: 1\n").part(("a", "b"))

    assert found.data == {"c": 1}
    assert found.place(("c",)).value.line == 3
    assert found.place(("missing",)).value.line == 3


@pytest.mark.parametrize("text", ["a: 1\n", "a: {b: null}\n", "a: {b: [1]}\n", "c: 1\n"])
def test_a_part_that_is_no_map_is_empty(text: str) -> None:
    found = document(text).part(("a", "b"))

    assert found.data == {}
    assert () in found.places


def test_only_keeps_the_given_keys() -> None:
    found = document("a: {x: 1}\nb: 2\n").only(["a", "missing"])

    assert found.data == {"a": {"x": 1}}
    assert set(found.places) == {(), ("a",), ("a", "x")}


def test_reads_alike_without_libyaml(monkeypatch: pytest.MonkeyPatch) -> None:
    import yaml

    text = (Path(__file__).parents[1] / "specs" / "cifar10.yaml").read_bytes()
    fast = load("spec.yaml", text, Path())

    monkeypatch.setattr(source, "Loader", yaml.SafeLoader)
    slow = load("spec.yaml", text, Path())

    assert slow.data == fast.data
    assert lines(slow) == lines(fast)
    assert {p: (x.key, x.value) for p, x in slow.places.items()} == {
        p: (x.key, x.value) for p, x in fast.places.items()
    }
