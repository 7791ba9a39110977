"""A config.properties moved to free ports of the loopback interface, otherwise as it is."""

import ipaddress
import re
from collections.abc import Mapping

from msgspec import Struct

from generator.engines import ports

# Where TorchServe 0.12 listens when its configuration does not say: docs/configuration.md,
# docs/grpc_api.md. Two that listen in one place go on doing so.
HTTP = {
    "inference_address": "http://127.0.0.1:8080",
    "management_address": "http://127.0.0.1:8081",
    "metrics_address": "http://127.0.0.1:8082",
}
GRPC_ADDRESSES = ("grpc_inference_address", "grpc_management_address")  # without a port
GRPC_PORTS = {"grpc_inference_port": "7070", "grpc_management_port": "7071"}

KEYS = "|".join((*HTTP, *GRPC_ADDRESSES, *GRPC_PORTS))
LINE = re.compile(rf"^(?P<before>[ \t]*(?P<key>{KEYS})[ \t]*[=:][ \t]*)(?P<value>\S*)[ \t]*$", re.M)
PLACE = re.compile(r"(?P<scheme>https?)://(?P<host>[^:/]+)(?::(?P<port>\d+))?")
LARGEST_PORT = 65535


class Relocated(Struct, frozen=True):
    """A configuration, and where a server that reads it listens: a host:port for each key."""

    text: str
    listens: Mapping[str, str]


def relocate(text: str) -> Relocated:
    """Move a configuration to free ports of the loopback interface.

    What TorchServe would refuse, such as an address with a slash at its end, stays as it is.
    """
    values = {**HTTP, **GRPC_PORTS}
    values |= {match["key"]: match["value"] for match in LINE.finditer(text)}
    taken = {place for key in (*HTTP, *GRPC_PORTS) if (place := _place(key, values[key]))}
    free = dict(zip(sorted(taken), ports.free_ports(len(taken)), strict=True))
    moved = {key: _moved(key, value, free) for key, value in values.items()}
    absent = [key for key in (*HTTP, *GRPC_PORTS) if not re.search(rf"^[ \t]*{key}\b", text, re.M)]
    text = LINE.sub(lambda match: match["before"] + moved[match["key"]], text)
    added = "".join(f"{key}={moved[key]}\n" for key in absent)
    end = "\n" if added and text and not text.endswith("\n") else ""
    listens = {
        key: f"{ports.LOOPBACK}:{free[place]}"
        for key in (*HTTP, *GRPC_PORTS)
        if (place := _place(key, values[key]))
    }
    return Relocated(text + end + added, listens)


def _place(key: str, value: str) -> str | None:
    """The port that a key takes; None where the value is nothing that TorchServe listens on."""
    if key in GRPC_PORTS:
        return value if value.isdecimal() and 0 < int(value) <= LARGEST_PORT else None
    match = PLACE.fullmatch(value)
    if match is None:
        return None
    port = match["port"] or {"http": "80", "https": "443"}[match["scheme"]]
    return port if int(port) <= LARGEST_PORT else None


def _moved(key: str, value: str, free: Mapping[str, int]) -> str:
    if key in GRPC_ADDRESSES:
        return ports.LOOPBACK if _is_address(value) else value
    place = _place(key, value)
    if place is None:
        return value
    scheme = "" if key in GRPC_PORTS else f"{value.partition('://')[0]}://{ports.LOOPBACK}:"
    return f"{scheme}{free[place]}"


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True
