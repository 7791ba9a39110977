"""What is quoted for a format reads back the same by that format's own parsers."""

import ast
import io
import json
import math
import subprocess
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

import pytest
import yaml
from hostile import HOSTILE
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from generator import pbtxt
from generator.quoting import (
    FORMATS,
    Unprintable,
    format_of,
    is_plain_yaml,
    quote_dockerfile,
    quote_json,
    quote_line,
    quote_markdown,
    quote_pbtxt,
    quote_python,
    quote_shell,
    quote_yaml,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.sampled_from(HOSTILE)
NUMBER = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
SCALAR = TEXT | NUMBER | st.booleans() | st.none()
VALUE = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4)
)
NUMBER_LIKE = st.text("0123456789abcdefinoxABEXO+-._:", min_size=1, max_size=8)
WORD_LIKE = st.sampled_from(
    ["y", "n", "yes", "no", "on", "off", "true", "false", "null", ".nan", "~"]
)
TRAPS = NUMBER_LIKE | WORD_LIKE | WORD_LIKE.map(str.upper) | WORD_LIKE.map(str.title)


def ruamel(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(io.StringIO(text))


YAML_READERS = [lambda text: yaml.safe_load(text), ruamel]


@given(TEXT | TRAPS)
@pytest.mark.parametrize("read", YAML_READERS, ids=["1.1", "1.2"])
@pytest.mark.parametrize("layout", ["key: {}\n", "- {}\n", "key: [{}, {}]\n", "{}: value\n"])
def test_yaml_reads_texts_back(layout: str, read: Callable[[str], Any], text: str) -> None:
    quoted = quote_yaml(text)

    found = read(layout.format(quoted, quoted))

    assert found in ({"key": text}, [text], {"key": [text, text]}, {text: "value"})


@given(VALUE)
@pytest.mark.parametrize("read", YAML_READERS, ids=["1.1", "1.2"])
def test_yaml_reads_values_back(read: Callable[[str], Any], value: object) -> None:
    assert read(f"key: {quote_yaml(value)}\n") == {"key": value}


@given(NUMBER)
def test_yaml_keeps_the_type_of_numbers(value: float) -> None:
    assert type(yaml.safe_load(quote_yaml(value))) is type(value)


@given(TEXT | TRAPS)
def test_yaml_stays_on_one_line(text: str) -> None:
    assert len((quote_yaml(text) + ".").splitlines()) == 1


# Go's readers: sigs.k8s.io/yaml takes these for booleans and numbers, PyYAML does not.
@pytest.mark.parametrize("text", ["y", "Y", "n", "N", "08", "1e3", "0o7", "0B1", "1:20", "1.e2"])
def test_yaml_quotes_what_another_reader_takes_for_something_else(text: str) -> None:
    assert quote_yaml(text) == f'"{text}"'


@pytest.mark.parametrize(
    "text",
    ["cifar10", "2Gi", "500m", "60s", "docker.io/acme/a:1.0", "s3://a/b", "echo", "26.11-py3"],
)
def test_yaml_leaves_plain_what_all_readers_take_for_text(text: str) -> None:
    assert is_plain_yaml(text)
    assert quote_yaml(text) == text


@given(VALUE)
def test_json_reads_back(value: object) -> None:
    assert json.loads(quote_json(value)) == value


@given(VALUE)
def test_python_reads_back(value: object) -> None:
    assert ast.literal_eval(quote_python(value)) == value


@given(st.tuples(SCALAR) | st.tuples(SCALAR, SCALAR) | st.just(()))
def test_python_reads_tuples_back(value: tuple[object, ...]) -> None:
    assert ast.literal_eval(quote_python(value)) == value


@given(TEXT)
def test_python_texts_stand_in_code(text: str) -> None:
    names: dict[str, object] = {}

    exec(compile(f"x = {quote_python(text)}\n", "rendered.py", "exec"), names)

    assert names["x"] == text


@given(TEXT)
def test_pbtxt_reads_texts_back(text: str) -> None:
    message = pbtxt.parse(f"name: {quote_pbtxt(text)} other: 1")

    [value] = message.fields[0].values
    assert isinstance(value, pbtxt.Scalar)
    assert (value.kind, value.text) == ("string", text)


@given(TEXT)
def test_pbtxt_is_read_alike_by_protobuf(text: str) -> None:
    text_format = pytest.importorskip("google.protobuf.text_format")
    struct = pytest.importorskip("google.protobuf.struct_pb2")

    value = text_format.Parse(f"string_value: {quote_pbtxt(text)}", struct.Value())

    assert value.string_value == text


@given(st.lists(st.integers(-(2**31), 2**31)))
def test_pbtxt_lists_are_lists(numbers: list[int]) -> None:
    assert json.loads(quote_pbtxt(numbers)) == numbers


@pytest.mark.parametrize(("value", "text"), [(True, "true"), (False, "false"), (2.5, "2.5")])
def test_pbtxt_scalars(value: object, text: str) -> None:
    assert quote_pbtxt(value) == text


@given(st.lists(TEXT.filter(lambda text: "\0" not in text), min_size=20, max_size=40))
@settings(max_examples=30, deadline=None)
@example([text for text in HOSTILE if "\0" not in text])
def test_shell_reads_back(texts: list[str]) -> None:
    script = "printf '%s\\0' " + " ".join(map(quote_shell, texts))

    told = subprocess.run(["bash", "-c", script], capture_output=True, check=True, cwd="/")

    assert told.stdout.decode() == "".join(f"{text}\0" for text in texts)
    assert told.stderr == b""


@given(TEXT)
def test_a_line_is_one_line_or_refused(text: str) -> None:
    try:
        line = quote_line(text)
    except Unprintable:
        assert len(f"{text}.".splitlines()) > 1
    else:
        assert (line + "\n").splitlines() == [text]


@given(TEXT)
def test_a_dockerfile_word_is_one_word_or_refused(text: str) -> None:
    try:
        word = quote_dockerfile(text)
    except Unprintable:
        return
    assert word == text
    assert word.split() == [text]
    assert not set(word) & set("\"'\\$`#{}[]<>|;&*?!()")


@given(st.lists(TEXT))
def test_a_dockerfile_list_is_json(texts: list[str]) -> None:
    assert json.loads(quote_dockerfile(texts)) == texts


MARKUP = "\\`*_{}[]<>#|~&!"


@given(TEXT)
def test_markdown_is_one_line_without_markup(text: str) -> None:
    prose = quote_markdown(text)

    plain = ""
    characters = iter(prose)
    for character in characters:
        assert character not in MARKUP or character == "\\"
        plain += next(characters) if character == "\\" else character
    assert plain.split() == text.split()
    assert len((prose + ".").splitlines()) == 1
    assert not prose.startswith(("-", "+", "="))


@pytest.mark.parametrize("quote", [quote_json, quote_yaml], ids=["json", "yaml"])
@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_numbers_that_json_has_not_are_refused(
    quote: Callable[[object], str], number: float
) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        quote(number)


@pytest.mark.parametrize("name", ["dockerfile", "line", "markdown", "shell"])
@pytest.mark.parametrize("value", [None, True, {"a": 1}, object()])
def test_formats_of_words_refuse_what_is_no_word(name: str, value: object) -> None:
    with pytest.raises(Unprintable):
        FORMATS[name](value)


@pytest.mark.parametrize("quote", [quote_python, quote_pbtxt], ids=["python", "pbtxt"])
def test_an_object_has_no_literal(quote: Callable[[object], str]) -> None:
    with pytest.raises(Unprintable):
        quote(object())


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("images/perf/Dockerfile", "dockerfile"),
        ("a.yaml", "yaml"),
        ("a/config.pbtxt", "pbtxt"),
        ("a.json", "json"),
        ("README.md", "markdown"),
        ("a.py", "python"),
        ("a.sh", "shell"),
        ("labels.txt", "line"),
        (".gitkeep", "line"),
    ],
)
def test_the_format_follows_from_the_name(path: str, name: str) -> None:
    assert format_of(PurePosixPath(path)) == name
