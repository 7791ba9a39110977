"""Doors that add to their silence what the servers behind them say of themselves."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from generator.live import Answer, Ask, Door, Refused, Unanswered

Ended = Callable[[], str | None]
"""Tells how a server has ended, or the last error in its log; None where there is nothing."""


def watched(doors: Iterable[Door], *servers: Ended) -> list[Door]:
    """The doors; what a server says about a request that it refused is not said again."""
    known: set[str] = set()
    return [replace(door, ask=partial(_ask, door.ask, servers, known)) for door in doors]


def _ask(
    ask: Ask, servers: Sequence[Ended], known: set[str], samples: Sequence[Any]
) -> Sequence[Answer]:
    try:
        return ask(samples)
    except Refused:
        known.update(_said(servers))
        raise
    except Unanswered as silence:
        said = [words for words in _said(servers) if words not in known]
        raise Unanswered("\n".join([str(silence), *said])) from silence


def _said(servers: Sequence[Ended]) -> list[str]:
    return [words for ended in servers if (words := ended())]
