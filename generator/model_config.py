"""Triton's config.pbtxt held against the fields, types and enums of `ModelConfig`.

Refused is what protobuf refuses, and three things that it takes in silence: a field given twice
where the first value was the default, an enum number without a name, and the spellings of
protobuf's Python parser (`1_000`, `+1`, `0b1`) at which Triton's C++ parser stops.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from generator.pbtxt import Field, Message, PbtxtError, Refusal, Scalar, parse, quoted
from generator.shipped import shipped

_INTEGER = re.compile(r"-?(?:0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)\Z")
_FLOAT = re.compile(
    r"-?(?:(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[fF]?"
    r"|[iI][nN][fF](?:[iI][nN][iI][tT][yY])?|[nN][aA][nN])\Z"
)
_TRUE = ("true", "True", "t", "1")
_FALSE = ("false", "False", "f", "0")
_RANGES = {
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
}
_FLOATS = ("float", "double")
RULES: Mapping[str, str] = {
    "config-pbtxt/syntax": "Triton reads config.pbtxt as protobuf text format, and refuses a model "
    "whose config is none: https://protobuf.dev/reference/protobuf/textformat-spec/",
    "config-pbtxt/unknown-field": "Triton refuses a config with a field that ModelConfig has not: "
    "https://github.com/triton-inference-server/common/blob/main/protobuf/model_config.proto",
    "config-pbtxt/unknown-enum-value": "Triton refuses a word that is none of the enum's: "
    "https://protobuf.dev/programming-guides/proto3/#enum",
    "config-pbtxt/wrong-type": "Triton refuses a value of another type than the field's, and one "
    "out of its range; a number that is none of an enum's it takes in silence: https://protobuf.dev/reference/protobuf/textformat-spec/#value",
    "config-pbtxt/repeated-field": "Triton refuses a second value of a field that holds one, but "
    "takes it where the first is the field's default.",
    "config-pbtxt/exclusive-fields": "Triton refuses two fields of which a message holds one, like "
    "dynamic_batching and sequence_batching: a `oneof` of model_config.proto.",
}
"""What `refusals` says of a text, by rule: why it matters, and its source."""
_SYNTAX, _UNKNOWN, _ENUM, _TYPE, _REPEATED, _EXCLUSIVE = RULES
_NICKNAMES = {  # what other systems call a data type, too far from Triton's word for difflib
    "TYPE_FLOAT": "TYPE_FP32",
    "TYPE_FLOAT16": "TYPE_FP16",
    "TYPE_FLOAT64": "TYPE_FP64",
    "TYPE_HALF": "TYPE_FP16",
    "TYPE_DOUBLE": "TYPE_FP64",
    "TYPE_LONG": "TYPE_INT64",
    "TYPE_INT": "TYPE_INT32",
    "TYPE_BYTES": "TYPE_STRING",
}


class FieldType(NamedTuple):
    """What one field holds; `key` is set on maps, `oneof` on members of one."""

    type: str
    repeated: bool = False
    key: str = ""
    oneof: str = ""


class Table(Struct, frozen=True):
    """The messages and enums of one release of Triton."""

    source: str
    messages: Mapping[str, Mapping[str, FieldType]]
    enums: Mapping[str, Mapping[str, int]]


@cache
def table() -> Table:
    """Load the committed table; generator.model_config_table makes it."""
    data = json.loads(shipped("schemas/triton/model_config.json").read_text(encoding="utf-8"))
    messages = {
        name: {field: _field_type(words) for field, words in fields.items()}
        for name, fields in data["messages"].items()
    }
    return Table(data["source"], messages, data["enums"])


def _field_type(words: str) -> FieldType:
    """Read one field's line of the table."""
    match words.split():
        case ["repeated", of]:
            return FieldType(of, repeated=True)
        case ["map", key, of]:
            return FieldType(of, repeated=True, key=key)
        case ["oneof", oneof, of]:
            return FieldType(of, oneof=oneof)
        case _:
            return FieldType(words)


def refusals(text: str, root: str = "ModelConfig") -> Iterator[Refusal]:
    """Yield why Triton would not parse a config.pbtxt, in the order of the text.

    Where the text is not even protobuf text format, the first such place is the only one.
    """
    try:
        message = parse(text)
    except PbtxtError as error:
        yield replace(error.refusal, rule=_SYNTAX)
        return
    yield from _message(message, table().messages[root], root)


def read(text: str, root: str = "ModelConfig") -> dict[str, object]:
    """Read a config.pbtxt as plain data, holding only what the text sets.

    Enums stay their names, maps become dicts. Raises PbtxtError with the first refusal.
    """
    for refusal in refusals(text, root):
        raise PbtxtError(refusal)
    return _data(parse(text), table().messages[root])


def integer(scalar: Scalar) -> int:
    """The value of an integer that the check accepted."""
    sign, digits = (-1, scalar.text[1:]) if scalar.text[0] == "-" else (1, scalar.text)
    if digits[:2] in ("0x", "0X"):
        return sign * int(digits, 16)
    return sign * int(digits, 8 if digits[0] == "0" else 10)


def number(scalar: Scalar) -> float:
    """The value of a float that the check accepted."""
    return float(re.sub(r"(?<=[0-9.])[fF]\Z", "", scalar.text))


def is_true(scalar: Scalar) -> bool:
    """Whether a bool that the check accepted is true."""
    return scalar.text in _TRUE


def _message(message: Message, types: Mapping[str, FieldType], name: str) -> Iterator[Refusal]:
    """Yield what is wrong with the fields of one message."""
    taken: dict[str, str] = {}
    for field in message.fields:
        if field.name not in types:
            text = f"unknown field `{_shown(field.name)}` of `{name}`"
            hint = _did_you_mean(field.name, types)
            yield Refusal(field.line, field.column, text, hint, _UNKNOWN)
            continue
        wanted = types[field.name]
        if not wanted.repeated:
            yield from _place(field, wanted, taken, name)
        for value in field.values:
            yield from _value(value, wanted, field.name)


def _place(field: Field, wanted: FieldType, taken: dict[str, str], name: str) -> Iterator[Refusal]:
    """Yield a second value where a message has room for one, and take the place otherwise."""
    other = taken.setdefault(wanted.oneof or field.name, "")
    rule = _REPEATED
    if field.bracketed:
        problem, rule = f"`{field.name}` takes one value, not a list", _TYPE
    elif other == field.name:
        problem = f"`{field.name}` is given twice"
    elif other:
        rule = _EXCLUSIVE
        problem = f"`{field.name}` excludes `{other}`: `{name}` takes one of them"
    else:
        taken[wanted.oneof or field.name] = field.name
        return
    yield Refusal(field.line, field.column, problem, rule=rule)


def _value(value: Scalar | Message, wanted: FieldType, field: str) -> Iterator[Refusal]:
    """Yield what is wrong with one value of a field."""
    types = _fields(wanted)
    if types is None:
        if isinstance(value, Message):
            takes = f"`{field}` takes {_wording(wanted.type)}, not a message"
            yield Refusal(value.line, value.column, takes, rule=_TYPE)
        else:
            yield from _scalar(value, wanted.type, field)
    elif isinstance(value, Message):
        yield from _message(value, types, field if wanted.key else wanted.type)
    else:
        takes = f"`{field}` takes a message in braces, not {_as_written(value)}"
        yield Refusal(value.line, value.column, takes, rule=_TYPE)


def _fields(wanted: FieldType) -> Mapping[str, FieldType] | None:
    """The fields of a message or of a map's entry; None for scalars."""
    if wanted.key:
        return {"key": FieldType(wanted.key), "value": FieldType(wanted.type)}
    return table().messages.get(wanted.type)


def _scalar(value: Scalar, wanted: str, field: str) -> Iterator[Refusal]:
    """Yield what is wrong with a value that is not a message."""
    hint, rule = "", _TYPE
    if wanted in table().enums and value.kind == "word":
        values = table().enums[wanted]
        if value.text in values:
            return
        rule = _ENUM
        problem = f"unknown enum value `{_shown(value.text)}` of `{wanted}`"
        hint = _did_you_mean(value.text, values)
    elif not _fits(value, wanted):
        problem = f"`{field}` takes {_wording(wanted)}, not {_as_written(value)}"
    else:
        return
    yield Refusal(value.line, value.column, problem, hint, rule)


def _fits(value: Scalar, wanted: str) -> bool:
    """Whether a value is one of a scalar type; enums here are numbers."""
    if wanted == "string":
        return value.kind == "string"
    if value.kind == "string":
        return False
    if wanted == "bool":
        return value.text in _TRUE + _FALSE
    if wanted in _FLOATS:
        return _FLOAT.match(value.text) is not None
    # 70 characters hold any 64-bit number; int() itself gives up on thousands of digits
    if len(value.text) > 70 or not _INTEGER.match(value.text):
        return False
    if wanted in table().enums:
        return integer(value) in table().enums[wanted].values()
    low, high = _RANGES[wanted]
    return low <= integer(value) <= high and not (low == 0 and value.text[0] == "-")


def _wording(wanted: str) -> str:
    """Say what a type takes."""
    if wanted in table().enums:
        return f"a `{wanted}`"
    if wanted in _RANGES:
        return "a whole number from {} to {}".format(*_RANGES[wanted])
    return {"string": "a quoted string", "bool": "true or false"}.get(wanted, "a number")


def _as_written(value: Scalar) -> str:
    return quoted(_shown(value.text)) if value.kind == "string" else f"`{_shown(value.text)}`"


def _shown(text: str) -> str:
    """Shorten a value to what a message can hold."""
    return text if len(text) <= 60 else text[:57] + "..."


def _did_you_mean(word: str, words: Iterable[str]) -> str:
    """Suggest the word that was probably meant."""
    known = list(words)
    nickname = _NICKNAMES.get(f"TYPE_{word.upper().removeprefix('TYPE_')}")
    close = [nickname] if nickname in known else difflib.get_close_matches(word, known, 1)
    return f"did you mean `{close[0]}`?" if close else ""


def _data(message: Message, types: Mapping[str, FieldType]) -> dict[str, object]:
    """The fields of a message that the check accepted, as plain data."""
    data: dict[str, object] = {}
    for field in message.fields:
        wanted = types[field.name]
        values = [_plain(value, wanted) for value in field.values]
        if not wanted.repeated:
            data[field.name] = values[0]
            continue
        found = data.setdefault(field.name, [])
        assert isinstance(found, list)
        found += values
    for name, found in data.items():
        if types[name].key and isinstance(found, list):
            data[name] = {entry.get("key"): entry.get("value") for entry in found}
    return data


def _plain(value: Scalar | Message, wanted: FieldType) -> object:
    """One value that the check accepted, as plain data."""
    if isinstance(value, Message):
        return _data(value, _fields(wanted) or {})
    if wanted.type in _RANGES:
        return integer(value)
    if wanted.type == "bool":
        return is_true(value)
    if wanted.type in _FLOATS:
        return number(value)
    if wanted.type in table().enums and value.kind == "number":
        names = {number: name for name, number in table().enums[wanted.type].items()}
        return names[integer(value)]
    return value.text
