"""The standings of services, for people and as JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from generator.live_cluster.services import Standing
from generator.reports.texts import encodable, on_one_line

VERSION = 1
"""Of the JSON: grows when a field is renamed, removed or changes its meaning."""


def shown(standings: Sequence[Standing]) -> str:
    """A line for each service, and under it what belongs to it."""
    width = max((len(each.subject) for each in standings), default=0)
    return "\n".join(line for each in standings for line in _lines(each, width))


def changed(before: Sequence[Standing], now: Sequence[Standing]) -> Iterator[str]:
    """The lines of those services that do not stand as they did."""
    for each in now:
        if each not in before:
            yield from _lines(each, 0)


def _lines(each: Standing, width: int) -> Iterator[str]:
    said = ": ".join(filter(None, (each.state, on_one_line(each.message))))
    yield f"{on_one_line(each.subject):<{width}}  {said}"
    for text in filter(None, (each.url, *each.details)):
        yield f"    {on_one_line(text)}"
    for trouble in each.troubles:
        where = " ".join(filter(None, (trouble.pod, trouble.container)))
        said = ": ".join(filter(None, (where, trouble.reason, trouble.message)))
        yield f"    {on_one_line(said)}"


def standings_json(
    services: Sequence[Standing], standings: Sequence[Standing]
) -> dict[str, object]:
    """The standings as JSON has them; `ready` is said of the services alone."""
    return {
        "version": VERSION,
        "ready": all(each.state == "ready" for each in services),
        "services": [_clean(asdict(each)) for each in standings],
    }


def _clean(value: object) -> object:
    """The value with text that UTF-8 can hold."""
    if isinstance(value, dict):
        return {key: _clean(held) for key, held in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(held) for held in value]
    return encodable(value) if isinstance(value, str) else value
