"""What the reader of protobuf text format takes, where it stands, and what it refuses."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.pbtxt import DEPTH_LIMIT, Message, PbtxtError, Refusal, Scalar, parse, quoted


def value(text: str) -> Scalar | Message:
    """The one value of a text with one field."""
    (field,) = parse(text).fields
    (only,) = field.values
    return only


def string(literals: str) -> str:
    """The text that string literals mean."""
    scalar = value(f"name: {literals}")
    assert isinstance(scalar, Scalar)
    assert scalar.kind == "string"
    return scalar.text


def refusal(text: str) -> Refusal:
    """Why a text is refused."""
    with pytest.raises(PbtxtError) as caught:
        parse(text)
    return caught.value.refusal


def test_tells_line_and_column_of_names_and_values() -> None:
    (field,) = parse('# é\n\n  name:\t"x" # after\n').fields

    assert (field.line, field.column) == (3, 3)
    assert [(v.line, v.column) for v in field.values] == [(3, 9)]


def test_an_empty_text_is_an_empty_message() -> None:
    assert parse("").fields == parse(" # only a comment").fields == ()


@pytest.mark.parametrize(
    "text", ["input { dims: 3 }", "input: { dims: 3 }", "input < dims: 3 >", "input [ {dims:3} ]"]
)
def test_messages_have_four_spellings(text: str) -> None:
    message = value(text)

    assert isinstance(message, Message)
    assert [scalar.text for scalar in message.scalars("dims")] == ["3"]


@pytest.mark.parametrize("separator", [" ", ", ", "; ", "\n", " # comment\n"])
def test_fields_may_be_separated_by_a_comma_or_a_semicolon(separator: str) -> None:
    fields = parse(f"dims: 1{separator}dims: [2, 3]{separator}").fields

    assert [[v.text for v in f.values if isinstance(v, Scalar)] for f in fields] == [
        ["1"],
        ["2", "3"],
    ]


def test_an_empty_list_has_no_values() -> None:
    (field,) = parse("dims: [ ]").fields

    assert field.bracketed
    assert field.values == ()


def test_values_of_one_name_are_found_in_order() -> None:
    message = parse("dims: 1 dims: [2, 3] input { } input [ { }, { } ]")

    assert [scalar.text for scalar in message.scalars("dims")] == ["1", "2", "3"]
    assert len(list(message.messages("input"))) == 3


@pytest.mark.parametrize(
    ("literals", "meaning"),
    [
        ('"a" \'b\'\n"c"', "abc"),
        ("'it is \"so\"'", 'it is "so"'),
        (r'"\a\b\f\n\r\t\v\\\'\"\?"', "\a\b\f\n\r\t\v\\'\"?"),
        (r'"\0\60\1012"', "\x000A2"),
        (r'"\x4\x41f"', "\x04Af"),
        (r'"\u00e9\U0001F600"', "é😀"),
        (r'"\303" "\251"', "é"),
        ('"é # { } \t"', "é # { } \t"),
    ],
)
def test_strings_are_joined_and_their_escapes_decoded(literals: str, meaning: str) -> None:
    assert string(literals) == meaning


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("name", 1, 5, "expected a value, found the end of the text"),
        ("name: ", 1, 7, "expected a value, found the end of the text"),
        ("dims [ 3 ]", 1, 8, "expected `:` after `dims`"),
        ('name "x"', 1, 6, "expected `:` after `name`"),
        ("dims: [ 3, ]", 1, 12, "expected a value, found `]`"),
        ("dims: [ 3 4 ]", 1, 11, "expected `,` or `]`, found `4`"),
        ("input {\n dims: 3 >", 2, 10, "expected a field name or `}`, found `>`"),
        ("input {", 1, 8, "expected a field name or `}`, found the end of the text"),
        ("name: 'x' ,,", 1, 12, "expected a field name, found `,`"),
        ("1: 2", 1, 1, "expected a field name, found `1`"),
        ("[ab]: 2", 1, 1, "expected a field name, found `[`"),
        ('name: "x\n"', 1, 7, "a string is not closed on its line"),
        ('name: "x', 1, 7, "a string is not closed on its line"),
        ("name: 'x' é", 1, 11, "unexpected character `é`"),
        ("\ufeffname: 'x'", 1, 1, "unexpected character U+FEFF"),
        (r'name: "\q"', 1, 7, r"invalid escape `\q` in a string"),
        (r'name: "\400"', 1, 7, r"invalid escape `\400` in a string"),
        (r'name: "\ud83d\ude00"', 1, 7, r"invalid escape `\ud83d` in a string"),
        (r'name: "\U00110000"', 1, 7, r"invalid escape `\U00110000` in a string"),
        (r'name: "\xff"', 1, 7, "a string is not UTF-8 after its escapes"),
        ('name: "\ud800"', 1, 7, "a string is not UTF-8 after its escapes"),
    ],
)
def test_refuses_what_is_not_text_format(text: str, line: int, column: int, message: str) -> None:
    assert refusal(text) == Refusal(line, column, message)


@pytest.mark.parametrize("text", ["name: ${name}", "name: 'x' %dims%"])
def test_a_template_is_told_to_be_filled_in_first(text: str) -> None:
    assert refusal(text).hint == "fill the template's variable in first"


def test_refuses_text_that_nests_too_deep() -> None:
    parse("a{" * DEPTH_LIMIT + "}" * DEPTH_LIMIT)

    assert "nested deeper" in refusal("a{" * 100_000).message


@given(st.text())
def test_a_quoted_text_reads_back_equal(text: str) -> None:
    assert string(quoted(text)) == text


@given(st.text())
def test_a_quoted_text_stands_on_one_line(text: str) -> None:
    assert len(quoted(text).splitlines()) == 1


def test_a_quoted_text_stays_readable() -> None:
    assert quoted('é "x" \\ \n$(rm) {{ }} \u202e\t') == (
        r'"é \"x\" \\ \n$(rm) {{ }} \342\200\256\011"'
    )


def test_a_lone_surrogate_cannot_be_quoted() -> None:
    with pytest.raises(UnicodeEncodeError):
        quoted("\ud800")


@given(st.text(alphabet="ab1\"'\\x{}<>[]:,;# \n.-+é\0"))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(PbtxtError):
        parse(text)
