"""TorchServe's config.properties held against what TorchServe 0.12 makes of it.

Refused is what TorchServe stops at, and what it takes in silence: unknown keys, `yes` for a
boolean, a snapshot whose counts are wrong. A text is read by three readers that differ: Java's
Properties, the launcher (ts/model_server.py) and KServe's wrapper. The latter two know neither
escapes nor lines that go on in the next; what they look for has to be the same to all.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations

from msgspec import Struct

from generator.diagnostics import Severity
from generator.diagnostics import shown as one_line
from generator.torchserve_config import snapshot
from generator.torchserve_config.lines import Setting, lines, setting, unreadable
from generator.torchserve_config.values import Endpoint, Fault, endpoint, fault, shown, table

AREA = "config-properties"
_LONGEST = 300  # characters of a message
_UNKNOWN_KEY = "unknown-key"
_FORMER = {  # keys of older releases
    "NUM_WORKERS": "use default_workers_per_model",
    "model_api_enabled": "use enable_model_api",
}
_VARIABLE = re.compile(r"\$\$([^$]+[^$])\$\$")  # ConfigManager puts the variable's value there
_EVERYWHERE = "0.0.0.0"  # noqa: S104  it is read here, not bound
_HTTP = {  # where TorchServe listens when nothing is said
    "inference_address": "http://127.0.0.1:8080",
    "management_address": "http://127.0.0.1:8081",
    "metrics_address": "http://127.0.0.1:8082",
}
_GRPC = {"grpc_inference": "7070", "grpc_management": "7071"}
_GRPC_HOST = "127.0.0.1"
_SINGLE = ("kserve", "kservev2")  # envelopes that answer one request of a batch


class Refusal(Struct, frozen=True):
    """What is wrong in a line, counted from 1 as its columns are; `end_column` is behind the last.

    `rule` is the name of the rule that says so; what a warning is about TorchServe reads, and does
    nothing with.
    """

    line: int
    message: str
    hint: str = ""
    rule: str = ""
    severity: Severity = "error"
    column: int = 1
    end_column: int = 1


Settings = Mapping[str, Setting]


def refusals(text: str) -> list[Refusal]:
    """Why TorchServe would not read a config.properties as it is meant, in the order of lines."""
    settings: dict[str, Setting] = {}
    found: list[Refusal] = []
    for line in lines(text):
        found += [_refusal(line.number, wrong, line.columns) for wrong in unreadable(line)]
        if given := setting(line):
            found += _alone(given, settings)
            settings[given.key] = given
    # What lines say of one another is worth telling only where each is right.
    if not any(refusal.severity == "error" for refusal in found):
        found += _together(settings)
    return sorted(found, key=lambda refusal: refusal.line)


def faults(key: str, value: str) -> Iterator[Fault]:
    """Yield what is wrong with one setting by itself, its value as Java reads it."""
    known = table()
    if key in known.elsewhere:
        text = f"TorchServe does not take `{key}` from config.properties"
        yield Fault(text, known.elsewhere[key], "key-from-elsewhere", "warning")
    elif key not in known.keys:
        near = difflib.get_close_matches(key, known.keys, n=1)
        hint = f"did you mean `{near[0]}`?" if near else _FORMER.get(key, "leave it out")
        yield Fault(
            f"unknown key `{shown(key)}`: TorchServe ignores it", hint, _UNKNOWN_KEY, "warning"
        )
    elif known.keys[key] == "snapshot":
        yield from snapshot.faults(value)
    elif known.keys[key] == "models":
        yield from snapshot.model_faults(value)
    elif not _VARIABLE.search(value) and (wrong := fault(f"`{key}`", value, known.keys[key])):
        yield wrong


def _alone(given: Setting, before: Settings) -> Iterator[Refusal]:
    key_span = (given.column, given.column + len(given.key))
    if given.key in before:
        text = f"`{given.key}` stands in line {before[given.key].line} too"
        repeated = Fault(text, "leave one of them", "repeated-key")
        yield _refusal(given.line, repeated, key_span)
    for wrong in faults(given.key, given.value):
        is_of_key = wrong.rule in (_UNKNOWN_KEY, "key-from-elsewhere")
        is_empty = given.value_column == given.end_column
        value_span = (given.value_column, given.end_column)
        span = key_span if is_of_key or is_empty else value_span
        yield _refusal(given.line, wrong, span)


def _refusal(line: int, wrong: Fault, span: tuple[int, int]) -> Refusal:
    rule = f"{AREA}/{wrong.rule}"
    message = one_line(wrong.message, _LONGEST)
    return Refusal(line, message, one_line(wrong.hint, _LONGEST), rule, wrong.severity, *span)


def _at(given: Setting, wrong: Fault) -> Refusal:
    return _refusal(given.line, wrong, (given.column, given.end_column))


def _last(settings: Settings, keys: Iterable[str]) -> Setting:
    """The setting that stands last of those that are there."""
    return max((settings[key] for key in keys if key in settings), key=lambda found: found.line)


def _together(settings: Settings) -> Iterator[Refusal]:
    yield from _one_port(settings)
    yield from _no_token(settings)
    yield from _unread_models(settings)
    yield from _single_answers(settings)
    yield from _unread_certificate(settings)
    yield from _no_certificate(settings)
    yield from _unread_workers(settings)


def _listeners(settings: Settings) -> Iterator[tuple[str, Endpoint]]:
    """The keys that make TorchServe listen, and where it does."""
    for key in _HTTP:
        is_off = key == "metrics_address" and not _is_true(settings, "enable_metrics_api", True)
        place = _place(settings, key)
        if isinstance(place, Endpoint) and not is_off:
            yield key, place
    for name, default_port in _GRPC.items():
        host, port = f"{name}_address", f"{name}_port"
        given = settings[port].value if port in settings else default_port
        if not _VARIABLE.search(given):
            yield (
                port,
                Endpoint(settings[host].value if host in settings else _GRPC_HOST, int(given)),
            )


def _place(settings: Settings, key: str) -> Endpoint | str:
    """Where an API listens; of a socket file, or what a variable says, the text."""
    address = settings[key].value if key in settings else _HTTP[key]
    return endpoint(key, address) or address


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
            text = f"`{key}` and `{other}` are on one port, {place.port}"
            given = [name for name in (*_hosts(key), *_hosts(other)) if name in settings]
            yield _at(_last(settings, given), Fault(text, "give each its own", "port-taken-twice"))


def _no_token(settings: Settings) -> Iterator[Refusal]:
    """Where both APIs have one address TorchServe takes the token of neither for management."""
    inference, management = (_place(settings, key) for key in list(_HTTP)[:2])
    if inference == management and not _is_true(settings, "disable_token_authorization", False):
        text = "no token opens a management API at the address of inference"
        hint = "give it another port, or disable_token_authorization=true"
        wrong = Fault(text, hint, "management-without-token", "warning")
        yield _at(_last(settings, list(_HTTP)[:2]), wrong)


def _unread_models(settings: Settings) -> Iterator[Refusal]:
    """TorchServe loads either."""
    if "model_snapshot" in settings and "load_models" in settings:
        text = "`load_models` is not read beside `model_snapshot`"
        wrong = Fault(text, "leave it out", "unread-load-models", "warning")
        yield _at(settings["load_models"], wrong)


def _single_answers(settings: Settings) -> Iterator[Refusal]:
    """These envelopes answer 503 to all requests of a batch but one."""
    envelope, given = settings.get("service_envelope"), settings.get("model_snapshot")
    if not envelope or not given or envelope.value not in _SINGLE:
        return
    for name, size in snapshot.batch_sizes(given.value).items():
        if size > 1:
            text = f"envelope `{envelope.value}` cannot batch, and model `{name}` does by {size}"
            hint = "leave the envelope out, or give batchSize 1"
            yield _at(envelope, Fault(text, hint, "envelope-that-cannot-batch"))


def _unread_certificate(settings: Settings) -> Iterator[Refusal]:
    """TorchServe makes a certificate of its own where it is given half of one."""
    if "keystore" in settings:
        return
    halves = [settings[key] for key in ("private_key_file", "certificate_file") if key in settings]
    if len(halves) == 1:
        other = "certificate_file" if halves[0].key == "private_key_file" else "private_key_file"
        text = f"`{halves[0].key}` without `{other}`: TorchServe makes a certificate of its own"
        yield _at(halves[0], Fault(text, f"give {other}", "half-a-certificate", "warning"))
    for key in ("keystore_pass", "keystore_type"):
        if key in settings:
            text = f"`{key}` without `keystore` has no effect"
            yield _at(settings[key], Fault(text, "give keystore", "half-a-certificate", "warning"))


def _no_certificate(settings: Settings) -> Iterator[Refusal]:
    """For gRPC TorchServe makes no certificate of its own, and stops."""
    given = {"private_key_file", "certificate_file"} <= settings.keys()
    if _is_true(settings, "enable_grpc_ssl", False) and not given:
        text = "`enable_grpc_ssl` without `private_key_file` and `certificate_file`"
        wrong = Fault(text, "give both", "grpc-without-certificate")
        yield _at(settings["enable_grpc_ssl"], wrong)


def _unread_workers(settings: Settings) -> Iterator[Refusal]:
    """Under debug a model has one worker."""
    if _is_true(settings, "debug", False) and "default_workers_per_model" in settings:
        text = "`default_workers_per_model` is not read with debug=true"
        wrong = Fault(text, "leave one of them out", "workers-under-debug", "warning")
        yield _at(settings["default_workers_per_model"], wrong)


def _hosts(key: str) -> tuple[str, ...]:
    """The keys that say where a listener is."""
    return (key, key.replace("_port", "_address"))


def _is_true(settings: Settings, key: str, default: bool) -> bool:
    return settings[key].value.lower() == "true" if key in settings else default
