"""Quote a value for the format that it is written into, so that it reads back the same."""

import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from generator import pbtxt

Quote = Callable[[Any], str]  # Any: what a template prints


class Verbatim(str):
    """Text that is already in its format; the visible exception from quoting."""

    __slots__ = ()


class Unprintable(TypeError):
    """A value that a format has no form for: a mistake of ours, not the user's."""


_PLAIN_YAML = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./@+-]*(:[A-Za-z0-9_./@+-]+)*")
# Go's readers, YAML 1.2's and PyYAML differ in what is a number (08, 1e3, 0o7) or a word (y).
_LIKE_A_NUMBER = re.compile(r"[0-9.][-+0-9._:a-fA-FxXoO]*")
_LIKE_A_WORD = re.compile(r"(?i)y|n|yes|no|on|off|true|false|null|\.nan|\.inf")
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


def quote_json(value: object) -> str:
    """One line of JSON."""
    return _escaped(json.dumps(value, ensure_ascii=False, allow_nan=False))


def _escaped(text: str) -> str:
    """JSON's text, which is YAML's and Python's too, without what they refuse inside quotes."""
    return _UNSAFE.sub(lambda c: f"\\u{ord(c[0]):04x}", text)


def quote_yaml(value: object) -> str:
    """A scalar, or a list or map in flow style; plain only where every reader reads the same."""
    if isinstance(value, str):
        return _word(value) if len(value) <= _LONGEST_WORD else _text(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{quote_yaml(k)}: {quote_yaml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(quote_yaml, value)) + "]"
    text = quote_json(value)
    # YAML 1.1 knows no number without a point before its exponent.
    return re.sub(r"^(-?[0-9]+)e", r"\1.0e", text) if isinstance(value, float) else text


def _text(value: str) -> str:
    return value if is_plain_yaml(value) else quote_json(value)


_word = lru_cache(maxsize=4096)(_text)  # the same words stand in every manifest
_LONGEST_WORD = 200


def is_plain_yaml(text: str) -> bool:
    """Whether every YAML reader takes the text for itself without quotes."""
    return bool(_PLAIN_YAML.fullmatch(text)) and not (
        _LIKE_A_NUMBER.fullmatch(text) or _LIKE_A_WORD.fullmatch(text)
    )


def quote_python(value: object) -> str:
    """A Python literal as the formatter would leave it."""
    if isinstance(value, str):
        return quote_json(value)
    if isinstance(value, Mapping):
        items = (f"{quote_python(k)}: {quote_python(v)}" for k, v in value.items())
        return "{" + ", ".join(items) + "}"
    if isinstance(value, tuple):
        inner = ", ".join(map(quote_python, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(quote_python, value)) + "]"
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    raise Unprintable(f"no Python literal for {value!r}")


def quote_pbtxt(value: object) -> str:
    """A string or number of the protobuf text format, or a list of them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return pbtxt.quoted(value)
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(quote_pbtxt, value)) + "]"
    raise Unprintable(f"no protobuf text for {value!r}")


def quote_shell(value: object) -> str:
    """One word of a POSIX shell."""
    return shlex.quote(_scalar(value))


_DOCKER_WORD = re.compile(r"[A-Za-z0-9_./:@=+,~-]+")


def quote_dockerfile(value: object) -> str:
    """A word of a Dockerfile instruction; a list in JSON form, as CMD and ENTRYPOINT take it."""
    if isinstance(value, list | tuple):
        return quote_json(value)
    text = _scalar(value)
    if not _DOCKER_WORD.fullmatch(text):
        raise Unprintable(f"no safe word of a Dockerfile for {text!r}")
    return text


_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~&!]|^[-+=])")


def quote_markdown(value: object) -> str:
    """Prose of a Markdown text: one line, nothing of it markup."""
    return _MARKDOWN.sub(r"\\\1", " ".join(_scalar(value).split()))


def quote_line(value: object) -> str:
    """A line of a plain list such as requirements.txt or labels.txt."""
    text = _scalar(value)
    if len((text + ".").splitlines()) > 1:
        raise Unprintable(f"{text!r} does not stand on one line")
    return text


def quote_properties(value: object) -> str:
    """A value of a Java properties file; a list or map is one line of JSON."""
    if isinstance(value, str):
        text = value
    elif isinstance(value, bool | int | float | Mapping | Sequence):
        text = json.dumps(value, allow_nan=False)
    else:
        raise Unprintable(f"no value of a properties file for {value!r}")
    return re.sub("^ |[^ -\\[\\]-~]", _escaped_for_java, text)


def _escaped_for_java(found: re.Match[str]) -> str:
    r"""A backslash before what Java would take for something else; the rest is ASCII by \u."""
    if found[0] in (" ", "\\"):
        return f"\\{found[0]}"
    code = found[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{code[at : at + 4]}" for at in range(0, len(code), 4))


def _scalar(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Unprintable(f"{value!r} is neither text nor a number")
    return str(value)


FORMATS: dict[str, Quote] = {
    "dockerfile": quote_dockerfile,
    "json": quote_json,
    "line": quote_line,
    "markdown": quote_markdown,
    "pbtxt": quote_pbtxt,
    "properties": quote_properties,
    "python": quote_python,
    "shell": quote_shell,
    "yaml": quote_yaml,
}
_BY_NAME = {
    "Dockerfile": "dockerfile",
    ".json": "json",
    ".md": "markdown",
    ".pbtxt": "pbtxt",
    ".properties": "properties",
    ".py": "python",
    ".sh": "shell",
    ".yaml": "yaml",
}


def format_of(path: PurePosixPath) -> str:
    """The format of a file of this name; plain lines where nothing else is known."""
    return _format_of_name(path.name)


@lru_cache(maxsize=1024)  # asked four times of every file, and files have few names
def _format_of_name(name: str) -> str:
    return _BY_NAME.get(name) or _BY_NAME.get(PurePosixPath(name).suffix) or "line"
