"""YAML is read as kubectl reads it, and every value knows its place."""

import pytest
import yaml

from generator.diagnostics import Rejected, Span
from generator.document import Text
from generator.manifests import Manifest, read


def only(text: str) -> Manifest:
    [manifest] = read(Text("one.yaml", text))
    return manifest


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("on", True),
        ("y", True),
        ("No", False),
        ("'on'", "on"),
        ("0644", 420),
        ("0o17", 15),
        ("0x1F", 31),
        ("-0b101", -5),
        ("1_000", 1000),
        ("1e3", 1000.0),
        ("08", 8.0),
        ("-.5", -0.5),
        ("12:30:00", "12:30:00"),
        ("2026-11-21", "2026-11-21"),
        ("~", None),
        ("", None),
        ("1.10", 1.1),
        ('"1.10"', "1.10"),
        ("!!str 1", "1"),
        ("!!str yes", "yes"),
        ("!mine 1", "1"),
        ("|\n  1", "1\n"),
        ("=", "="),
        ("9" * 400, "9" * 400),
    ],
)
def test_reads_a_scalar_as_kubectl_does(written: str, value: object) -> None:
    data = only(f"a: {written}\n").data

    assert data == {"a": value}
    assert isinstance(data, dict)
    assert type(data["a"]) is type(value)


def test_keys_are_text() -> None:
    assert only("1: a\non: b\n2.50: c\n'on ': d\n").data == {
        "1": "a",
        "true": "b",
        "2.50": "c",
        "on ": "d",
    }


def test_what_other_readers_agree_on_is_read_as_they_do() -> None:
    text = "a: [1, {b: c}]\nd: &x {e: 1, f: 2}\ng:\n  <<: *x\n  f: 3\n"

    assert only(text).data == yaml.safe_load(text)


def test_documents_that_hold_nothing_are_left_out() -> None:
    found = read(Text("one.yaml", "---\n# nothing\n---\na: 1\n---\n---\n- b\n"))

    assert [manifest.data for manifest in found] == [{"a": 1}, ["b"]]


PLACES = """\
metadata: {name: one}
base: &base
  image: a
spec:
  <<: *base
  ports:
    - port: 80
    - port: 81
      name:
"""


@pytest.mark.parametrize(
    ("pointer", "place"),
    [
        (("metadata", "name"), Span(1, 18, 21)),
        (("spec",), Span(4, 1, 5)),
        (("spec", "image"), Span(3, 10, 11)),
        (("spec", "ports", 1, "port"), Span(8, 13, 15)),
        (("spec", "ports", 1, "name"), Span(9, 7, 11)),
        (("spec", "ports", 1, "absent", "deeper"), Span(8, 7, 15)),
        (("spec", "absent"), Span(4, 1, 5)),
        (("spec", "ports", 7), Span(6, 3, 8)),
    ],
)
def test_tells_where_a_value_stands(pointer: tuple[str | int, ...], place: Span) -> None:
    assert only(PLACES).span(pointer) == place


def test_can_point_at_the_key_of_a_scalar() -> None:
    assert only(PLACES).span(("metadata", "name"), at_key=True) == Span(1, 12, 16)


def test_line_breaks_of_yaml_alone_count_for_nothing() -> None:
    manifest = only('a: "x\u2028y"\nb: 1\n')

    assert manifest.span(("b",)) == Span(2, 4, 5)


def test_tells_every_key_that_stands_twice() -> None:
    flaws = list(only("a: 1\nb: {c: 1, c: 2}\na: 3\n").flawed_keys())

    assert [(flaw.span.line, flaw.span.column) for flaw in flaws] == [(3, 1), (2, 11)]
    assert {flaw.rule for flaw in flaws} == {"yaml/duplicate-key"}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: 1\nb: {{ name }}\n", (2, 5)),
        ("a: 1\nb: [{[1]: 2}]\n", (2, 6)),
        ("{" * 99 + "}" * 99, (1, 2)),  # each key as text would be twice the one in it
    ],
)
def test_tells_a_key_that_is_no_text(text: str, place: tuple[int, int]) -> None:
    flaws = list(only(text).flawed_keys())

    assert [(d.rule, d.span.line, d.span.column) for d in flaws] == [("yaml/key", *place)]
    assert len(str(only(text).data)) < 50


def test_what_a_merge_brings_stands_once() -> None:
    assert not list(only("a: &x {b: 1}\nc: {<<: *x, b: 2}\nd: {<<: *x, <<: *x}\n").flawed_keys())


@pytest.mark.parametrize(
    ("text", "rule", "line"),
    [
        ("a: 1\nb: [\n", "yaml/syntax", 2),
        ("a: *x\n", "yaml/syntax", 1),
        ("a: 1\nb: \x07\n", "yaml/character", 2),
        ("a: &x [*x]\n", "yaml/explodes", 1),
        ("a: " + "[" * 200 + "]" * 200, "yaml/too-deep", 1),
        (
            "a: &a [1, 1]\n"
            + "".join(
                f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 10)}]\n"
                for n in range(8)
            ),
            "yaml/explodes",
            1,
        ),
    ],
)
def test_refuses_what_is_no_yaml_or_does_not_end(text: str, rule: str, line: int) -> None:
    with pytest.raises(Rejected) as caught:
        read(Text("one.yaml", text))

    assert [(d.rule, d.span.line) for d in caught.value.diagnostics] == [(rule, line)]
