"""Read class names from the file that a spec names."""

import json
import re
from pathlib import Path

from generator import reads
from generator.diagnostics import shown

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff]")
MAX_BYTES = 10_000_000
LONGEST_NAME = 300


class Unreadable(Exception):
    """A class name file that cannot be used; the message says why."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def read(folder: Path, file: str) -> tuple[str, ...]:
    """The names in class order; `file` is relative to the folder.

    Takes a JSON list, a JSON index as ImageNet's (`{"0": ["n01440764", "tench"]}` or
    `{"0": "tench"}`), or text with one name a line. Raises Unreadable.
    """
    names = _parsed(file, _text(folder / file, file))
    if not names:
        raise Unreadable(f"`{file}` holds no names")
    for number, name in enumerate(names):
        if not name:
            raise Unreadable(f"name {number} in `{file}` is empty")
        if found := _CONTROL.search(name):
            raise Unreadable(f"name {number} in `{file}` holds character U+{ord(found[0]):04X}")
        if len(name) > LONGEST_NAME:
            message = f"name {number} in `{file}` has {len(name)} characters"
            raise Unreadable(f"{message}, more than the {LONGEST_NAME} allowed")
    return names


def _text(path: Path, file: str) -> str:
    try:
        if not reads.exists(path):
            raise Unreadable(f"there is no file `{file}`", "paths start at the spec's folder")
        if not reads.is_file(path):
            raise Unreadable(f"`{file}` is not a file")
        if reads.size(path) > MAX_BYTES:
            raise Unreadable(f"`{file}` has more than {MAX_BYTES:,} bytes")
        return reads.read_text(path, "utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(f"byte {error.start} of `{file}` is not UTF-8") from None
    except OSError as error:
        raise Unreadable(f"`{file}` cannot be read: {error.strerror}") from None


def _parsed(file: str, text: str) -> tuple[str, ...]:
    if not file.endswith(".json"):
        return tuple(text.removesuffix("\n").split("\n")) if text else ()
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Unreadable(
            f"`{file}` is not JSON: {error.msg[0].lower()}{error.msg[1:]}, {place}"
        ) from None
    except (RecursionError, ValueError):  # ValueError: a number of thousands of digits
        raise Unreadable(
            f"`{file}` nests deeper, or holds longer numbers, than names need"
        ) from None
    if isinstance(data, dict):
        wanted = [str(number) for number in range(len(data))]
        missing = next((key for key in wanted if key not in data), None)
        if missing is not None:
            raise Unreadable(f"`{file}` has {len(data)} keys but none for class {missing}")
        data = [data[key] for key in wanted]
    if not isinstance(data, list):
        raise Unreadable(f"`{file}` holds neither a list nor an index of names")
    return tuple(_name(file, number, item) for number, item in enumerate(data))


def _name(file: str, number: int, item: object) -> str:
    """The readable name of ImageNet's pairs of WordNet id and name, or the item itself."""
    if isinstance(item, list) and item:
        item = item[-1]
    if not isinstance(item, str):
        raise Unreadable(f"class {number} in `{file}` has no name but `{shown(item)}`")
    return item
