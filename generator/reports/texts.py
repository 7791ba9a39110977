"""Text that may hold anything, made fit for what it is told in."""

import os
import re
from pathlib import PurePath
from urllib.parse import quote

STANDARD_INPUT = "<stdin>"
_NOT_IN_XML = "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"  # compiled on first use


def on_one_line(text: str) -> str:
    """The text without line breaks and control characters: they are written as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def encodable(text: str) -> str:
    """The text with what UTF-8 has no bytes for (half a surrogate pair) written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def in_xml(text: str) -> str:
    """The text with the characters that no XML 1.0 document can hold written as escapes.

    https://www.w3.org/TR/xml/#charsets
    """
    return re.sub(_NOT_IN_XML, lambda found: _escaped(found[0]), text)


def relative(path: str) -> str:
    """A path from the working directory, with forward slashes, where it leads into it."""
    if os.path.isabs(path):
        below = os.path.relpath(path)
        path = path if below.startswith("..") else below
    return path if path == STANDARD_INPUT else PurePath(path).as_posix()


def uri(path: str) -> str:
    """A path as a URI reference: relative where it can be."""
    posix = relative(path)
    try:
        quoted = quote(posix, errors="surrogateescape")  # the very bytes of a file's name
    except UnicodeEncodeError:
        quoted = quote(posix, errors="backslashreplace")
    if posix.startswith("/"):
        return f"file://{quoted}"
    return f"file:///{quoted}" if os.path.isabs(path) and os.name == "nt" else quoted
