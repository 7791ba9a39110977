"""TorchServe's config.properties held against what TorchServe 0.12 makes of it.

Refused is what TorchServe stops at, and what it takes in silence: unknown keys, `yes` for a
boolean, a snapshot whose counts are wrong. A text is read by three readers that differ: Java's
Properties, the launcher (ts/model_server.py) and KServe's wrapper. The latter two know neither
escapes nor lines that go on in the next; a text has to be the same to all.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from generator.torchserve_config import snapshot
from generator.torchserve_config.values import Endpoint, Fault, endpoint, fault, shown, table

_LINE = re.compile(
    r"[ \t\f]*(?P<key>[^=:\s\\]+)(?P<separator>[ \t\f]*[=: \t\f]?[ \t\f]*)(?P<value>.*)"
)
_COMMENT = re.compile(r"[ \t\f]*([#!].*)?")
_GOES_ON = re.compile(r"(?<!\\)(\\\\)*\\\Z")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)")
_ESCAPED = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_VARIABLE = re.compile(r"\$\$([^$]+[^$])\$\$")  # ConfigManager puts the variable's value there
_READ_RAW = (  # by the wrapper and the launcher
    "grpc_inference_port",
    "inference_address",
    "management_address",
    "model_snapshot",
    "model_store",
    "plugins_path",
    "vmargs",
)
_EVERYWHERE = "0.0.0.0"  # noqa: S104  it is read here, not bound
_HTTP = {  # where TorchServe listens when nothing is said
    "inference_address": "http://127.0.0.1:8080",
    "management_address": "http://127.0.0.1:8081",
    "metrics_address": "http://127.0.0.1:8082",
}
_GRPC = {"grpc_inference": "7070", "grpc_management": "7071"}
_GRPC_HOST = "127.0.0.1"
_SINGLE = ("kserve", "kservev2")  # envelopes that answer one request of a batch


@dataclass(frozen=True)
class Refusal:
    """What is wrong in a line, counted from 1."""

    line: int
    message: str
    hint: str = ""


@dataclass(frozen=True)
class Setting:
    """A line that gives a key a value, as Java reads it."""

    line: int
    key: str
    value: str


Settings = Mapping[str, Setting]


def refusals(text: str) -> list[Refusal]:
    """Why TorchServe would not read a config.properties as it is meant, in the order of lines."""
    settings: dict[str, Setting] = {}
    found: list[Refusal] = []
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        if _COMMENT.fullmatch(line):
            continue
        found += [Refusal(number, *unreadable) for unreadable in _unreadable(line)]
        if setting := _setting(number, line):
            found += _alone(setting, settings)
            settings[setting.key] = setting
    # What lines say of one another is worth telling only where each is right.
    return sorted(found or _together(settings), key=lambda refusal: refusal.line)


def faults(key: str, value: str) -> Iterator[Fault]:
    """Yield what is wrong with one setting by itself, its value as Java reads it."""
    known = table()
    if key in known.elsewhere:
        text = f"TorchServe does not take `{key}` from config.properties"
        yield Fault(text, known.elsewhere[key])
    elif key not in known.keys:
        near = difflib.get_close_matches(key, known.keys, n=1)
        hint = f"did you mean `{near[0]}`?" if near else "leave it out"
        yield Fault(f"unknown key `{shown(key)}`: TorchServe ignores it", hint)
    elif known.keys[key] == "snapshot":
        yield from snapshot.faults(value)
    elif not _VARIABLE.search(value) and (wrong := fault(f"`{key}`", value, known.keys[key])):
        yield wrong


def _unreadable(line: str) -> Iterator[Fault]:
    """Yield why the readers of a line would not agree on it."""
    match = _LINE.fullmatch(line)
    if not match or match["separator"].strip() != "=":
        text = "no line of the form key=value"
        yield Fault(text, "KServe and TorchServe's launcher read no other")
    if _GOES_ON.search(line):
        yield Fault("the line goes on in the next one", "double the backslash, or join the lines")
    elif line != line.rstrip():
        yield Fault("white space at the end is part of the value", "remove it")
    if re.search(r"\\u(?![0-9a-fA-F]{4})", line.replace(r"\\", "")):
        yield Fault("`\\u` without four hexadecimal digits, at which TorchServe stops")
    if not line.isascii():
        yield Fault("TorchServe reads other characters than ASCII as Latin-1", r"write them \uXXXX")
    if match and match["key"] in _READ_RAW and "\\" in match["value"]:
        text = f"a backslash in `{match['key']}`, which is read with and without Java's escapes"
        yield Fault(text, "do without it")


def _setting(number: int, line: str) -> Setting | None:
    match = _LINE.fullmatch(line)
    if not match:
        return None
    return Setting(number, match["key"], _ESCAPE.sub(_character, match["value"]))


def _character(escape: re.Match[str]) -> str:
    word = escape[1]
    return chr(int(word[1:], 16)) if len(word) > 1 else _ESCAPED.get(word, word)


def _alone(setting: Setting, before: Settings) -> Iterator[Refusal]:
    if setting.key in before:
        text = f"`{setting.key}` stands in line {before[setting.key].line} too"
        yield Refusal(setting.line, text, "leave one of them")
    for wrong in faults(setting.key, setting.value):
        yield Refusal(setting.line, *wrong)


def _together(settings: Settings) -> Iterator[Refusal]:
    yield from _one_port(settings)
    yield from _no_token(settings)
    yield from _unread_models(settings)
    yield from _single_answers(settings)


def _listeners(settings: Settings) -> Iterator[tuple[str, Endpoint]]:
    """The keys that make TorchServe listen, and where it does."""
    for key, default in _HTTP.items():
        is_off = key == "metrics_address" and not _is_true(settings, "enable_metrics_api", True)
        place = endpoint(key, settings[key].value if key in settings else default)
        if place and not is_off:
            yield key, place
    for name, default_port in _GRPC.items():
        host, port = f"{name}_address", f"{name}_port"
        given = settings[port].value if port in settings else default_port
        if not _VARIABLE.search(given):
            yield (
                port,
                Endpoint(settings[host].value if host in settings else _GRPC_HOST, int(given)),
            )


def _one_port(settings: Settings) -> Iterator[Refusal]:
    """TorchServe stops where a port is taken; inference and management may share an address."""
    for (key, place), (other, elsewhere) in combinations(_listeners(settings), 2):
        hosts = {place.host, elsewhere.host}
        is_shared = place == elsewhere and {key, other} == {*list(_HTTP)[:2]}
        if (
            place.port == elsewhere.port
            and (len(hosts) == 1 or _EVERYWHERE in hosts)
            and not is_shared
        ):
            line = max(settings[name].line for name in (key, other) if name in settings)
            text = f"`{key}` and `{other}` are on one port, {place.port}"
            yield Refusal(line, text, "give each its own")


def _no_token(settings: Settings) -> Iterator[Refusal]:
    """Where both APIs have one address TorchServe takes the token of neither for management."""
    places = dict(_listeners(settings))
    inference, management = (places.get(key) for key in list(_HTTP)[:2])
    if inference == management and not _is_true(settings, "disable_token_authorization", False):
        line = max(settings[key].line for key in list(_HTTP)[:2] if key in settings)
        text = "no token opens a management API at the address of inference"
        yield Refusal(line, text, "give it another port, or disable_token_authorization=true")


def _unread_models(settings: Settings) -> Iterator[Refusal]:
    """TorchServe loads either."""
    if "model_snapshot" in settings and "load_models" in settings:
        line = settings["load_models"].line
        yield Refusal(line, "`load_models` is not read beside `model_snapshot`", "leave it out")


def _single_answers(settings: Settings) -> Iterator[Refusal]:
    """These envelopes answer 503 to all requests of a batch but one."""
    envelope, given = settings.get("service_envelope"), settings.get("model_snapshot")
    if not envelope or not given or envelope.value not in _SINGLE:
        return
    for name, size in snapshot.batch_sizes(given.value).items():
        if size > 1:
            text = f"envelope `{envelope.value}` cannot batch, and model `{name}` does by {size}"
            yield Refusal(envelope.line, text, "leave the envelope out, or give batchSize 1")


def _is_true(settings: Settings, key: str, default: bool) -> bool:
    return settings[key].value == "true" if key in settings else default
