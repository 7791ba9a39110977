"""Keep secrets out of what is told of a live cluster: of its objects, its answers, its plugins.

What counts as one is for `passwords` (by names) and `credentials` (by the form of a token) to say.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from generator.blackening import SHORTEST, kept_of_manifest, shown_line, without
from generator.credentials import starred
from generator.document import Pointer
from generator.live_cluster.parts import text, walk
from generator.passwords import OPTION, is_password

_PROBE = "a1" * 8  # as any credential may be: what is asked of names alone
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY.*?(?:-----END[^\n]*|\Z)", re.DOTALL)
_USER_IN_ADDRESS = re.compile(r"(?<=://)[^\s'\"]*@")
_BEARER = re.compile(r"(?i)\b((?:bearer|basic) +)[\w.~+/=-]{8,}")
_FIRST_MARK, _MARKS = 0xE000, 6400  # the private use area, of which no manifest makes use
_MARK = re.compile("[\ue000-\uf8ff]")
_OPEN_IN_SECRET = ("apiVersion", "kind", "metadata", "type", "immutable")


class Secrets:
    """The secrets of some objects, each of which may hold those of another in it."""

    def __init__(self, *held: object) -> None:
        found = [value for each in held for value in _values(each)]
        self._kept = [value for value in dict.fromkeys(found) if len(value) >= SHORTEST]
        self._marks: dict[str, str] = {}

    def told(self, message: str) -> str:
        """A sentence of somebody else's, with stars for what is kept."""
        return starred(_without_keys(without(message, self._kept)))

    def hidden(self, at: Pointer, value: object, kind: str) -> object:
        """What stands at a place of an object of a kind, with stars for the secrets in it."""
        if _is_content(kind, at):
            return self._stars(value, is_marked=False)
        return self._each(value, is_marked=False)

    def marked(self, held: Mapping[str, object]) -> dict[str, object]:
        """An object with stars, and marks behind them for two secrets to differ: see `unmarked`."""
        kind = text(held, "kind")
        return {
            key: self._stars(value, is_marked=True)
            if _is_content(kind, (key,))
            else self._each(value, is_marked=True)
            for key, value in held.items()
        }

    def _each(self, value: object, *, is_marked: bool) -> object:
        if isinstance(value, Mapping):
            return {
                self.told(str(key)): self._each(held, is_marked=is_marked)
                for key, held in value.items()
            }
        if isinstance(value, list):
            return [self._each(item, is_marked=is_marked) for item in value]
        if isinstance(value, str):
            return self._text(value, is_marked=is_marked)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if is_number and str(value) in self._kept:
            return self._stars(value, is_marked=is_marked)
        return value

    def _text(self, value: str, *, is_marked: bool) -> str:
        lines = self.told(value).split("\n")
        shown = "\n".join(map(shown_line, lines))
        return shown + self._mark(value) if is_marked and shown != value else shown

    def _stars(self, value: object, *, is_marked: bool) -> object:
        if isinstance(value, Mapping):
            return {key: self._stars(held, is_marked=is_marked) for key, held in value.items()}
        if value is None or isinstance(value, bool):
            return value
        return "*" * 8 + (self._mark(str(value)) if is_marked else "")

    def _mark(self, original: str) -> str:
        number = len(self._marks) % _MARKS
        return self._marks.setdefault(original, chr(_FIRST_MARK + number))


def unmarked(line: str) -> str:
    """A line of what was `marked`, as it may be shown."""
    return _MARK.sub("", line)


def without_user(told: str) -> str:
    """A text without the users and passwords of the addresses in it."""
    return _USER_IN_ADDRESS.sub("", told)


def told_by_plugin(said: str, plugin: object) -> str:
    """What a credential plugin says, without what it was given and what looks like a credential."""
    given = Secrets(plugin).told(without_user(said))
    return _BEARER.sub(lambda m: m[1] + "*" * 8, "\n".join(map(shown_line, given.split("\n"))))


def _is_content(kind: str, at: Pointer) -> bool:
    """Whether a place is what a Secret is there to keep."""
    return kind == "Secret" and bool(at) and at[0] not in _OPEN_IN_SECRET


def _without_keys(message: str) -> str:
    return _PRIVATE_KEY.sub(lambda found: "*" * len(found[0]), message)


def _values(held: object) -> Iterator[str]:
    """What an object holds that must not be told."""
    if isinstance(held, Mapping):
        yield from kept_of_manifest(held)
    for _, value in walk(held):
        if isinstance(value, str) and "-" in value:
            yield from _options(value)
        elif isinstance(value, Mapping):
            yield from _named(value)
        elif isinstance(value, list):
            yield from _arguments(value)


def _options(argument: str) -> Iterator[str]:
    for name, value in OPTION.findall(argument):
        yield from _if_secret(name, value.strip("\"'"))


def _arguments(arguments: Iterable[object]) -> Iterator[str]:
    """The arguments that follow an option called like a secret."""
    before = ""
    for each in arguments:
        if before.startswith("-"):
            yield from _if_secret(before.lstrip("-"), each)
        before = each if isinstance(each, str) and "=" not in each else ""


def _named(held: Mapping[str, object]) -> Iterator[str]:
    """A variable's value, and the settings of a config map."""
    yield from _if_secret(text(held, "name"), held.get("value"))
    for key, value in held.items():
        if key in ("data", "stringData") and isinstance(value, Mapping):
            for name, setting in value.items():
                yield from _if_secret(str(name), setting)


def _if_secret(name: str, value: object) -> Iterator[str]:
    """A value that its name makes a secret; also a word, which those of live objects may be."""
    if name and is_password(name, _PROBE) and is_password("password", value):
        yield str(value)
