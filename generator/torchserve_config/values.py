"""What single values of config.properties and of its snapshot may be, as the table says."""

from __future__ import annotations

import difflib
import ipaddress
import json
import re
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from msgspec import Struct

from generator.diagnostics import Severity
from generator.shipped import shipped

_ADDRESS = re.compile(r"(?:https?://(?P<host>[^:^/]+)(?::(?P<port>[0-9]+))?|unix:/.*)", re.I)
_DANGLING = re.compile(r"(?:^|[|(])(?P<mark>[*+?])(?<!\(\?)")  # `(?` opens a group
_DEFAULT_PORTS = {  # org.pytorch.serve.util.Connector, where an address gives none: http, https
    "inference_address": (80, 443),
    "management_address": (8081, 8444),
    "metrics_address": (8082, 8445),
}
_LARGEST_HTTP_PORT = 65534  # it refuses 65535
_LARGEST_PORT = 65535
_LARGEST = {"integer": 2**31 - 1, "long": 2**63 - 1}


class Fault(NamedTuple):
    """What is wrong with a setting, what to write instead, and which rule says so.

    What a warning is about TorchServe reads, and does nothing with.
    """

    message: str
    hint: str = ""
    rule: str = "value-of-another-type"
    severity: Severity = "error"


class Table(Struct, frozen=True):
    """The keys of one release of TorchServe and the fields of its snapshot, with their types.

    `elsewhere` are keys that it takes from another place, each with that place.
    """

    source: str
    keys: Mapping[str, str]
    elsewhere: Mapping[str, str]
    snapshot: Mapping[str, str]
    snapshot_required: tuple[str, ...]
    model: Mapping[str, str]
    model_required: tuple[str, ...]


@cache
def table() -> Table:
    """Load the committed table."""
    data = json.loads(shipped("schemas/torchserve/config.json").read_text(encoding="utf-8"))
    return Table(
        data["source"],
        data["keys"],
        data["elsewhere"],
        data["snapshot"],
        tuple(data["snapshot_required"]),
        data["model"],
        tuple(data["model_required"]),
    )


class Endpoint(NamedTuple):
    """Where a server listens."""

    host: str
    port: int


def endpoint(key: str, address: str) -> Endpoint | None:
    """The endpoint of an HTTP address; None where it is a socket file or no address."""
    match = _ADDRESS.fullmatch(address)
    if not match or not match["host"]:
        return None
    is_https = address.lower().startswith("https:")
    return Endpoint(match["host"], int(match["port"] or _DEFAULT_PORTS[key][is_https]))


def fault(name: str, value: str, wanted: str) -> Fault | None:
    """What is wrong with a value of a type; `name` is how a message calls the setting."""
    kind, *words = wanted.split()
    if kind == "address":
        return _address_fault(name, value)
    if kind == "pattern":
        return _pattern_fault(name, value)
    if kind == "word" and value.replace(" ", "").lower() not in words[1:]:
        text = f"{name} is {' or '.join(words[1:])}, not `{shown(value)}`: TorchServe takes log"
        return Fault(text, rule="unknown-word", severity="warning")
    fits = {
        # A folder serves too; of a .zip TorchServe says "not in the .gz format", and stops [ran].
        "archive": re.fullmatch(r"(?!.*\.zip$)[^/\\]+", value) is not None,
        "boolean": value.lower() in ("true", "false"),  # Boolean.parseBoolean minds no case
        "flag": value in ("true", "false"),  # what workers read minds it
        "host": _is_host(value),
        "number": re.fullmatch(r"[0-9]+(\.[0-9]+)?", value) is not None,
        "one": value in words[1:],
        "port": _is_whole(value, 1, _LARGEST_PORT),
    }
    if kind in _LARGEST:
        fits[kind] = _is_whole(value, *_range(kind, words))
    if fits.get(kind, True):
        return None
    near = difflib.get_close_matches(value, words, 1, 0.5) if kind == "one" else []
    hint = f"did you mean `{near[0]}`?" if near else ""
    return Fault(f"{name} takes {_wording(kind, words)}, not `{shown(value)}`", hint)


def shown(value: str) -> str:
    """Shorten a value to what a message can hold."""
    return value if len(value) <= 60 else value[:57] + "..."


def _range(kind: str, words: list[str]) -> tuple[int, int]:
    return int(words[0]), int(words[1]) if words[1:] else _LARGEST[kind]


def _wording(kind: str, words: list[str]) -> str:
    if kind in _LARGEST:
        return "a whole number from {} to {}".format(*_range(kind, words))
    return {
        "archive": "the name of a .mar file, or of a folder, in the model store",
        "boolean": "true or false",
        "flag": "true or false",
        "host": "an IP address or a host name",
        "number": "a number",
        "one": " or ".join(words[1:]),
        "port": f"a port from 1 to {_LARGEST_PORT}",
    }[kind]


def _is_whole(value: str, low: int, high: int) -> bool:
    return re.fullmatch(r"-?[0-9]{1,19}", value) is not None and low <= int(value) <= high


def _is_host(value: str) -> bool:
    if re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?", value):
        return True
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def _address_fault(name: str, value: str) -> Fault | None:
    rule = "unusable-address"
    if match := _ADDRESS.fullmatch(value):
        port = match["port"]
        if port is None or _is_whole(port, 1, _LARGEST_HTTP_PORT):
            return None
        text = f"port {shown(port)} of {name} is not from 1 to {_LARGEST_HTTP_PORT}"
        return Fault(text, rule=rule)
    bare = value.rstrip("/")
    if bare != value and _ADDRESS.fullmatch(bare):
        text = f"{name} ends in a slash, at which TorchServe stops"
        return Fault(text, f"write {bare}", rule)
    if _ADDRESS.fullmatch(f"http://{value}"):
        text = f"{name} has no scheme, at which TorchServe stops"
        return Fault(text, f"write http://{value}", rule)
    return Fault(f"`{shown(value)}` is no address", "write http://<host>:<port>", rule)


def _pattern_fault(name: str, value: str) -> Fault | None:
    """Java stops at a repetition of nothing; what else it reads of a pattern is not told here."""
    if "[" in value or "\\" in value:  # where a mark may stand for itself
        return None
    if dangling := _DANGLING.search(value):
        text = f"{name} repeats nothing with `{dangling['mark']}`, at which TorchServe stops"
        return Fault(text, f"write `.{dangling['mark']}`", "dangling-repetition")
    return None
