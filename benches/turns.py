"""Commands run in turn, A B A B, and what their figures are together.

A machine slows down and speeds up while it measures. Pairs of one round have met the same machine,
so ratios are made of each round's pair, and then the median of those is told.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benches.measure import Failed, Run, run

ROUND = "{round}"
"""Stands in a command for the number of the round, so that a folder is new in each."""


@dataclass(frozen=True)
class Case:
    """A command to measure, and what is done before each run outside the timing."""

    label: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    emptied: tuple[Path, ...] = ()
    before: Callable[[int], None] | None = None
    stdout: Path | None = None
    is_watched: bool = False


@dataclass(frozen=True)
class Pair:
    """Two rows whose ratio is asked for, and what it is to be at most."""

    of: str
    to: str
    target: float | None = None
    stretch: float | None = None


@dataclass
class Table:
    """The rows of one part: every run of every command."""

    part: str
    title: str
    specs: int
    rows: dict[str, list[Run]]
    pairs: list[Pair] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def in_turn(
    cases: Sequence[Case],
    rounds: int,
    *,
    warm: int,
    limit_seconds: float,
    report: Callable[[str], None],
) -> tuple[dict[str, list[Run]], list[str]]:
    """The runs of each case, and a line for each that failed: those are left out."""
    runs: dict[str, list[Run]] = {case.label: [] for case in cases}
    told: list[str] = []
    left = list(cases)
    for number in range(-warm, rounds):
        for case in tuple(left):
            report(f"{'warm-up' if number < 0 else f'round {number + 1}/{rounds}'}: {case.label}")
            try:
                once = _run(case, number + warm, limit_seconds)
            except Failed as failure:
                told.append(f"{case.label}: {failure}")
                left.remove(case)
                del runs[case.label]
                continue
            if number >= 0:
                runs[case.label].append(once)
    return runs, told


def _run(case: Case, number: int, limit_seconds: float) -> Run:
    for path in case.emptied:
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
    if case.before:
        case.before(number)
    return run(
        [word.replace(ROUND, str(number)) for word in case.command],
        environment=case.environment,
        folder=case.folder,
        stdout=case.stdout,
        limit_seconds=limit_seconds,
        is_watched=case.is_watched,
    )


@dataclass(frozen=True)
class Ratio:
    """How many times as much: the median over rounds, with the least and the most.

    Nothing is told where the rounds of one are too short for the clock.
    """

    middle: float
    least: float
    most: float


def wall_ratio(of: Sequence[Run], to: Sequence[Run]) -> Ratio:
    """The ratio of what a clock on the wall shows, round by round."""
    return _ratio([run.wall_seconds for run in of], [run.wall_seconds for run in to])


def cpu_ratio(of: Sequence[Run], to: Sequence[Run]) -> Ratio:
    """The ratio of CPU time, round by round."""
    return _ratio([run.cpu_seconds for run in of], [run.cpu_seconds for run in to])


def _ratio(of: Sequence[float], to: Sequence[float]) -> Ratio:
    quotients = [a / b for a, b in zip(of, to, strict=True) if b]
    if not quotients:
        return Ratio(float("nan"), float("nan"), float("nan"))
    return Ratio(median(quotients), min(quotients), max(quotients))


def median_wall(runs: Sequence[Run]) -> float:
    return median(run.wall_seconds for run in runs)


def median_cpu(runs: Sequence[Run]) -> float:
    return median(run.cpu_seconds for run in runs)
