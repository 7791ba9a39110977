"""Keep what may be a secret out of a report: that it changed is told, its value is not."""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

from generator.changes.leaves import ABSENT
from generator.credentials import any_in
from generator.passwords import holds_secret, suggests_secret

HIDDEN = "(not shown)"

_IN_URI = re.compile(r"(?i)\b((?!abfs|wasb)[a-z][a-z0-9+.-]*://)(?!git@)[^/\s]+(?=@)")
_ALONE = re.compile(r"--?([\w-]+)")
_ASSIGNED = re.compile(
    r"""(?<![\w.-])(?P<name>[\w.-]+)["']?(?:\s*=\s*|:\s+|(?<=["']):\s*)"""
    r"""(?P<value>"[^"\n]*"|'[^'\n]*'|(?:(?:Bearer|Basic|Token|Digest)\s+)?[^\s"'&|;,]\S*)""",
    re.IGNORECASE,
)
_OPTION_IN_TEXT = re.compile(r"(?<!\S)--?(?P<name>[\w-]+) +(?P<value>(?!-)\S+)")
_USER = re.compile(r"(?<!\S)((?:-u\s*|--(?:proxy-)?user[ =])[\"']?(?!\d+:\d+\b)[^\s:\"']+:)\S+")
_USER_OPTION = re.compile(r"-u|--(?:proxy-)?user")
_MYSQL = re.compile(r"(?:.*/)?(?:mysql|mariadb)[\w-]*")
_MYSQL_IN_TEXT = re.compile(r"(\b(?:mysql|mariadb)[\w-]*\b[^\n|;&]*?\s-p)[^\s\"']+")
_NETRC = re.compile(r"((?:^|\n|\blogin\s+\S+\s+|\bmachine\s+\S+\s+)\s*password\s+)[^\s=:]\S*")
_REGISTRY_AUTH = ("auth", "_auth")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_OPEN_IN_SECRET = ("apiVersion", "kind", "metadata", "type", "immutable")
_FREE = ("valuesObject", "values", "parameters", "metadata")  # where a manifest holds settings
_VALUES = ("value", "string_value")


@dataclass(frozen=True)
class Known:
    """Secrets of an item that its own place does not give away: an argument after `--password`."""

    values: frozenset[str] = frozenset()
    arguments: frozenset[str] = frozenset()

    def has(self, value: object, route: tuple[str, ...]) -> bool:
        last = route[-1] if route else ""
        held = self.arguments if last.startswith("[") else self.values if last in _VALUES else ()
        return str(value) in held


NOTHING = Known()


def known(*sides: object) -> Known:
    """The secrets that the data of both sides gives away, for them to be hidden wherever told."""
    found = [one for side in sides for one in _known(side)]
    return Known(
        frozenset(text for kind, text in found if kind == "value"),
        frozenset(text for kind, text in found if kind == "argument"),
    )


def _known(value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        if "value" in value and suggests_secret(str(value.get("name", ""))):
            yield "value", str(value["value"])
        for inner in value.values():
            yield from _known(inner)
    if isinstance(value, list):
        for before, inner in zip((None, *value), value, strict=False):
            if isinstance(before, str) and _says_secret(before, inner):
                yield "argument", str(inner)
            yield from _known(inner)
        if value and _MYSQL.fullmatch(str(value[0])):
            yield from (("argument", str(v)) for v in value if re.match("-p.", str(v)))


def _says_secret(option: str, argument: object) -> bool:
    """Whether what follows an option is a secret, or user and password."""
    if _USER_OPTION.fullmatch(option):
        return _USER.search(f"-u {argument}") is not None
    alone = _ALONE.fullmatch(option)
    return alone is not None and suggests_secret(alone[1])


def masked(
    value: object, route: tuple[str, ...], *, kind: str = "", secrets: Known = NOTHING
) -> object:
    """A value without what may be secret in it, however deep; `kind` is that of its manifest."""
    if value is ABSENT or value is None or isinstance(value, bool):
        return value
    if kind == "Secret" and route and route[0] not in _OPEN_IN_SECRET:
        return _all_hidden(value)
    if _LAST_APPLIED in route or (isinstance(value, dict | list) and _is_hidden(route, kind)):
        return HIDDEN if value else value
    if isinstance(value, dict):
        return {
            shown(str(key)): HIDDEN
            if key in _VALUES and suggests_secret(str(value.get("name", "")))
            else masked(inner, (*route, str(key)), kind=kind, secrets=secrets)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        secrets = known(value) if secrets is NOTHING else secrets
        return [
            masked(inner, (*route, f"[{n}]"), kind=kind, secrets=secrets)
            for n, inner in enumerate(value)
        ]
    if secrets.has(value, route) or _is_hidden(route, kind):
        return HIDDEN
    if "secretGenerator" in route and "literals" in route:
        return f"{str(value).partition('=')[0]}={HIDDEN}"
    return shown(value) if isinstance(value, str) else value


def shown(text: str) -> str:
    """A text without the passwords, tokens and addresses with a password in it."""
    for pattern in (_IN_URI, _USER, _MYSQL_IN_TEXT, _NETRC):
        text = pattern.sub(rf"\1{HIDDEN}", text)
    for named in (_OPTION_IN_TEXT, _ASSIGNED):
        text = "".join(_without_values(named, text))
    return HIDDEN if any_in([text]) else text


def _without_values(named: re.Pattern[str], text: str) -> Iterator[str]:
    """A text in parts, without the values of names that suggest a secret.

    What stands behind another name may be a name itself: `env: TOKEN=x`.
    """
    at = 0
    while found := named.search(text, at):
        is_hidden = _is_secret(found["name"].lstrip("-"), found["value"])
        yield text[at : found.start("value")]
        yield HIDDEN if is_hidden else ""
        at = found.end() if is_hidden else found.start("value")
    yield text[at:]


def _is_secret(name: str, value: str) -> bool:
    own = name.rpartition(".")[2]
    if own in _REGISTRY_AUTH:
        return _is_user_and_password(value)
    return suggests_secret(name) or suggests_secret(own)


def _is_user_and_password(value: str) -> bool:
    """Whether a text is `user:password` in base64, as a registry's clients keep it."""
    bare = value.strip("\"',}")
    try:
        return b":" in base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False


def _all_hidden(value: object) -> object:
    return dict.fromkeys(value, HIDDEN) if isinstance(value, dict) else HIDDEN


def _is_hidden(route: tuple[str, ...], kind: str) -> bool:
    """Whether a place is called like a secret.

    A field of a manifest with such a name may name a Secret; a variable or a setting is one.
    """
    steps = [step.strip("[]") for step in route]
    if steps[-1:] and steps[-1] in _VALUES and len(steps) > 1 and suggests_secret(steps[-2]):
        return True
    if kind in ("", "ConfigMap"):
        is_registrys = "auths" in steps and steps[-1] in _REGISTRY_AUTH
        return is_registrys or any(map(suggests_secret, steps))
    start = next((n for n, step in enumerate(steps) if n and step in _FREE), len(steps))
    return any(map(holds_secret, steps[-1:])) or any(map(holds_secret, steps[start:]))
