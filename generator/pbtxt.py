"""The protobuf text format: config.pbtxt read into a tree, strings written into it.

The grammar is the part that protobuf's C++ parser (which Triton uses) and its Python parser read
alike; spellings that only one of them takes are refused, and so is an empty list without a colon.
https://protobuf.dev/reference/protobuf/textformat-spec/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, NamedTuple, NoReturn

from msgspec import Struct

from generator.diagnostics import Severity

DEPTH_LIMIT = 100  # ModelConfig nests 7 deep; a limit keeps hostile text from exhausting the stack

_TOKEN = re.compile(
    r"""
      (?P<blank>(?:[ \t\r\v\f\n]+|\#[^\n]*)+)
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<number>(?:[0-9+-]|\.[0-9])[0-9A-Za-z_.+-]*)
    | (?P<string>"[^"\\\n\0]*(?:\\[^\n\0][^"\\\n\0]*)*"|'[^'\\\n\0]*(?:\\[^\n\0][^'\\\n\0]*)*')
    | (?P<mark>[{}<>\[\]:,;])
    """,
    re.VERBOSE,
)
_ESCAPE = re.compile(
    rb"""\\(?:(?P<letter>[abfnrtv\\'"?])|(?P<octal>[0-7]{1,3})|x(?P<hex>[0-9a-fA-F]{1,2})
    |u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8})|.)""",
    re.VERBOSE | re.DOTALL,
)
_LETTERS = dict(zip(b"abfnrtv\\'\"?", b"\a\b\f\n\r\t\v\\'\"?", strict=True))
_CLOSING = {"{": "}", "<": ">"}


class Refusal(Struct, frozen=True):
    """Why Triton would not take a text, and where; line and column start at 1.

    `rule` is the name of the rule that says so; what a warning is about Triton takes, and does
    nothing with.
    """

    line: int
    column: int
    message: str
    hint: str = ""
    rule: str = ""
    severity: Severity = "error"


class PbtxtError(ValueError):
    """A text that is not protobuf text format; `refusal` says where and why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.line}:{refusal.column}: {refusal.message}")
        self.refusal = refusal


class Scalar(Struct, frozen=True):
    """A value that is not a message: a word or number as written, a string decoded."""

    kind: Literal["word", "number", "string"]
    text: str
    line: int
    column: int


class Field(Struct, frozen=True):
    """One `name: value`; `bracketed` when the values stand in `[ ]`."""

    name: str
    values: tuple[Scalar | Message, ...]
    bracketed: bool
    line: int
    column: int


class Message(Struct, frozen=True):
    """The fields between two braces, or of the whole text."""

    fields: tuple[Field, ...]
    line: int
    column: int

    def named(self, name: str) -> Iterator[Field]:
        """Yield every field of this name."""
        return (field for field in self.fields if field.name == name)

    def scalars(self, name: str) -> Iterator[Scalar]:
        """Yield every value of the fields of this name that is not a message."""
        for field in self.named(name):
            yield from (value for value in field.values if isinstance(value, Scalar))

    def messages(self, name: str) -> Iterator[Message]:
        """Yield every message under the fields of this name."""
        for field in self.named(name):
            yield from (value for value in field.values if isinstance(value, Message))


def quoted(text: str) -> str:
    """Write a text as a string literal that every protobuf parser reads back unchanged.

    Printable unicode stays readable; what does not print becomes octal escapes of its UTF-8 bytes.
    Raises UnicodeEncodeError for lone surrogates, which have no UTF-8 form.
    """
    text.encode()
    return '"' + "".join(map(_quoted_character, text)) + '"'


def _quoted_character(character: str) -> str:
    if character in '\\"':
        return "\\" + character
    if character == "\n":
        return "\\n"
    if character.isprintable():
        return character
    # Octal, because a hex escape would swallow the digits that follow it in some parsers.
    return "".join(f"\\{byte:03o}" for byte in character.encode())


@lru_cache(maxsize=4)  # those who hold a text against fields and rules ask one after the other
def parse(text: str) -> Message:
    """Read protobuf text format into a tree; raises PbtxtError at the first thing that is not."""
    return Message(_Parser(list(_tokens(text))).fields(closing=""), 1, 1)


class _Token(NamedTuple):
    kind: str
    text: str
    line: int
    column: int


def _tokens(text: str) -> Iterator[_Token]:
    """Yield the words, numbers, strings and marks of a text; the mark `` is its end."""
    line, line_start, at = 1, 0, 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            hint = "fill the template's variable in first" if text[at] in "$%" else ""
            _refuse(line, at - line_start + 1, _unexpected(text[at]), hint)
        kind, at = match.lastgroup or "", match.end()
        if kind != "blank":
            yield _Token(kind, match[0], line, match.start() - line_start + 1)
        elif newlines := match[0].count("\n"):
            line += newlines
            line_start = match.start() + match[0].rindex("\n") + 1
    yield _Token("mark", "", line, at - line_start + 1)


def _unexpected(character: str) -> str:
    if character in "\"'":
        return "a string is not closed on its line"
    return (
        f"unexpected character `{character}`"
        if character.isprintable()
        else (f"unexpected character U+{ord(character):04X}")
    )


class _Parser:
    """Walks the tokens of one text."""

    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens = tokens
        self.position = 0
        self.depth = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.position]

    def take(self, *marks: str) -> _Token | None:
        """Step over the next token if it is one of these marks."""
        token = self.token
        if token.kind != "mark" or token.text not in marks:
            return None
        self.position += 1
        return token

    def refuse(self, expected: str) -> NoReturn:
        token = self.token
        found = f"`{token.text}`" if token.text else "the end of the text"
        _refuse(token.line, token.column, f"expected {expected}, found {found}")

    def fields(self, closing: str) -> tuple[Field, ...]:
        """Read the fields up to the mark that closes them; the end of the text is the mark ``."""
        fields = []
        while not self.take(closing):
            if self.token.kind != "word":
                self.refuse("a field name" + (f" or `{closing}`" if closing else ""))
            fields.append(self.field())
        return tuple(fields)

    def field(self) -> Field:
        """Read `name: value`, `name { ... }` or `name: [ ... ]`, and one separator after it."""
        name = self.token
        self.position += 1
        colon = self.take(":") is not None
        bracketed = self.take("[") is not None
        first = self.token
        values = tuple(self.listed()) if bracketed else (self.value(),)
        if not colon and not (values and all(isinstance(value, Message) for value in values)):
            _refuse(first.line, first.column, f"expected `:` after `{name.text}`")
        self.take(",", ";")
        return Field(name.text, values, bracketed, name.line, name.column)

    def listed(self) -> Iterator[Scalar | Message]:
        """Yield the values up to the closing bracket."""
        if self.take("]"):
            return
        yield self.value()
        while not self.take("]"):
            if not self.take(","):
                self.refuse("`,` or `]`")
            yield self.value()

    def value(self) -> Scalar | Message:
        token = self.token
        if opening := self.take("{", "<"):
            return self.message(opening)
        if token.kind == "string":
            return Scalar("string", self.string(), token.line, token.column)
        if token.kind == "mark":
            self.refuse("a value")
        self.position += 1
        return Scalar("word" if token.kind == "word" else "number", *token[1:])

    def message(self, opening: _Token) -> Message:
        """Read the fields up to the mark that closes this one."""
        self.depth += 1
        if self.depth > DEPTH_LIMIT:
            _refuse(opening.line, opening.column, f"nested deeper than {DEPTH_LIMIT} messages")
        fields = self.fields(_CLOSING[opening.text])
        self.depth -= 1
        return Message(fields, opening.line, opening.column)

    def string(self) -> str:
        """Read adjacent literals as one string."""
        first, content = self.token, b""
        while self.token.kind == "string":
            content += _unescaped(self.token)
            self.position += 1
        try:
            return content.decode()
        except UnicodeDecodeError:
            _refuse(first.line, first.column, "a string is not UTF-8 after its escapes")


def _unescaped(token: _Token) -> bytes:
    """Decode the escapes of one string literal to UTF-8."""
    # surrogatepass: a lone surrogate in the text is refused where the whole string is decoded
    content = token.text[1:-1].encode("utf-8", "surrogatepass")
    if b"\\" not in content:
        return content

    def decoded(escape: re.Match[bytes]) -> bytes:
        if letter := escape["letter"]:
            return bytes([_LETTERS[letter[0]]])
        if digits := escape["short"] or escape["long"]:
            if (code := int(digits, 16)) <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF:
                return chr(code).encode()
        elif escape["octal"] or escape["hex"]:
            byte = int(escape["octal"], 8) if escape["octal"] else int(escape["hex"], 16)
            if byte <= 0xFF:
                return bytes([byte])
        written = escape[0].decode(errors="replace")
        _refuse(token.line, token.column, f"invalid escape `{written}` in a string")

    return _ESCAPE.sub(decoded, content)


def _refuse(line: int, column: int, message: str, hint: str = "") -> NoReturn:
    raise PbtxtError(Refusal(line, column, message, hint))
