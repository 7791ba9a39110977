"""Values as a sentence holds them: short, on one line, and what a change of them amounts to."""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from fractions import Fraction

from generator import resources
from generator.changes.leaves import ABSENT

Tell = Callable[[object], str]
LIMIT = 80  # characters of a value
_BASE64 = re.compile(r"(?=[^\W_]*[A-Z])(?=[^\W_]*[a-z])[A-Za-z0-9+/]+={0,2}")
_MOST = 10**300  # a float holds
_ACTIONS = ("httpGet", "tcpSocket", "exec", "grpc")
_TIMES = {Fraction(2): "doubled", Fraction(1, 2): "halved"}


def plain(value: object) -> str:
    """A value as it is written, cut where it is long; data as JSON."""
    if value is ABSENT:
        return ""
    if isinstance(value, str) and _is_base64(value):
        return f"{len(value)} characters of base64"
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return cut(text)


def _is_base64(text: str) -> bool:
    """Whether a text is bytes that nobody reads: a body of a request, an image."""
    return len(text) > LIMIT and _BASE64.fullmatch(text) is not None


def cut(text: str, limit: int = LIMIT) -> str:
    """A text on one line, cut at its end."""
    head = text[: limit + 1]
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in head)
    return line if len(line) <= limit else line[: limit - 3] + "..."


def both(old: object, new: object, tell: Tell = plain) -> tuple[str, str]:
    """Two values, told so that they can be told apart."""
    if isinstance(old, str) and isinstance(new, str) and _is_base64(old) and _is_base64(new):
        return plain(old), "others"
    was, now = tell(old), tell(new)
    are_long = max(len(was), len(now)) >= LIMIT and tell is plain
    if was != now and not are_long:
        return was, now
    texts = [v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in (old, new)]
    if len(texts[0]) <= LIMIT and len(texts[1]) <= LIMIT:
        return cut(json.dumps(old)), cut(json.dumps(new))  # "4" and 4
    pairs = enumerate(zip(*texts, strict=False))
    start = next((n for n, (a, b) in pairs if a != b), min(map(len, texts))) - LIMIT // 4
    if start <= 0 and was != now:
        return was, now
    was, now = (f"...{cut(text[max(0, start) :])}" for text in texts)
    if was != now:
        return was, now
    return plain(old), "the same, spelt otherwise"


def probe(value: object) -> str:
    """What a probe asks, and how often."""
    if not isinstance(value, Mapping):
        return plain(value)
    action = next((name for name in _ACTIONS if name in value), "")
    asked = value.get(action)
    told: dict[str, Callable[[Mapping[str, object]], str]] = {
        "httpGet": lambda a: f"GET {a.get('path', '/')} on {a.get('port')}",
        "tcpSocket": lambda a: f"opening port {a.get('port')}",
        "grpc": lambda a: f"gRPC health on {a.get('port')}",
        "exec": lambda a: "a command",
    }
    said = told[action](asked) if isinstance(asked, Mapping) and action in told else plain(value)
    every, times = value.get("periodSeconds", 10), value.get("failureThreshold", 3)
    return cut(f"{said}, every {every} s, {times} times")


def container(value: object) -> str:
    """A container by its image."""
    return plain(value.get("image", value) if isinstance(value, Mapping) else value)


def variable(value: object) -> str:
    """An environment variable by its value, or by where that is from."""
    if not isinstance(value, Mapping):
        return plain(value)
    if "value" in value:
        return plain(value["value"])
    return f"from {plain(value['valueFrom'])}" if "valueFrom" in value else "empty"


def volume(value: object) -> str:
    """A volume by its kind."""
    if not isinstance(value, Mapping):
        return plain(value)
    return ", ".join(f"{key} {plain(inner)}" for key, inner in value.items() if key != "name")


def ratio(old: object, new: object) -> str:
    """What a change of a quantity or number amounts to, where that says more than the two."""
    try:
        was, now = _number(old), _number(new)
    except ValueError:
        return ""
    if not was or not now:
        return ""
    if was == now:
        return "the same amount"
    if told := _TIMES.get(now / was):
        return told
    if now > 2 * was:
        return f"{float(now / was):.3g} times as much" if now / was < _MOST else "more"
    return "more" if now > was else "less"


def _number(value: object) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(value)
    return resources.amount(value)


_IMAGE = re.compile(r"(?P<name>[^@]*?)(:(?P<tag>[^:/@]+))?(@(?P<digest>.+))?")


def image_parts(image: str) -> tuple[str, str, str]:
    """Repository, tag and digest of an image; what it does not say is empty."""
    match = _IMAGE.fullmatch(image)
    return (match["name"], match["tag"] or "", match["digest"] or "") if match else (image, "", "")


def image(old: object, new: object) -> str:
    """Which parts of an image have changed."""
    if not isinstance(old, str) or not isinstance(new, str):
        return ""
    was, now = image_parts(old), image_parts(new)
    if was[:2] == now[:2] and not (was[2] and now[2]):
        return "now by its digest" if now[2] else "no longer by its digest"
    parts = [n for n, a, b in zip(("repository", "tag", "digest"), was, now, strict=True) if a != b]
    return "another " + " and ".join(parts) if parts else ""


def lines(old: str, new: str) -> str:
    """How many lines a text has got and lost; one that has moved is neither."""
    before, after = Counter(old.split("\n")), Counter(new.split("\n"))
    lost, got = (before - after).total(), (after - before).total()
    if not lost and not got:
        return "the same lines in another order"
    return f"{got} lines added, {lost} removed".replace("1 lines", "1 line", got == 1)
