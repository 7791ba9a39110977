"""Ask one door its golden requests, and say how it fares."""

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from math import ceil
from typing import Any

from generator.live import Answer, Door, Refused, Unanswered
from generator.verify.compare import Comparison, Tolerance, compare, tolerance_for
from generator.verify.golden import Golden

TIMED_REQUESTS = 50
AT_ONCE = 64  # samples of one request at most, so that a large batch stays within time


@dataclass(frozen=True)
class Row:
    """How one door fared.

    `difference` is the largest absolute one of all numbers: infinite where an answer is of another
    form, None where there was none to compare. `same_best` of `ranked` answers have the eager
    model's best class. `latency_seconds` is the median of TIMED_REQUESTS requests of one sample.
    """

    model: str
    door: str
    protocol: str
    compared: bool
    answers: int
    difference: float | None
    same_best: int
    ranked: int
    latency_seconds: float | None
    complaint: str | None


def ask(door: Door, golden: Sequence[Golden], tolerance: Tolerance) -> Row:
    """Send each sample alone, then as many at once as the door takes, then time it."""
    comparisons: list[Comparison] = []
    complaint: str | None = None
    tolerance = tolerance_for(door.project, tolerance)
    latency: float | None = None
    try:
        for request in _requests(door, golden if door.compared else _least(golden)):
            comparisons += _asked(door, request, tolerance)
        complaint = next((each.complaint for each in comparisons if each.complaint), None)
        if door.compared and complaint is None and not any(each.numbers for each in comparisons):
            complaint = "no answer to a golden sample holds anything: use others, with --images"
        if door.timed and door.compared and complaint is None:
            latency = _median_seconds(door, golden)
    except _Disagrees as disagreement:
        complaint = str(disagreement)
    ranked = [each.same_best for each in comparisons if each.same_best is not None]
    return Row(
        model=door.project.name,
        door=door.name,
        protocol=door.protocol,
        compared=door.compared,
        answers=len(comparisons),
        difference=max((each.difference for each in comparisons), default=None),
        same_best=sum(ranked),
        ranked=len(ranked),
        latency_seconds=latency,
        complaint=complaint,
    )


class _Disagrees(Exception):
    """A door does not answer where the eager model does, or answers where that refuses."""


def _requests(door: Door, golden: Sequence[Golden]) -> Iterator[Sequence[Golden]]:
    """Every sample alone; then those that have an answer, again and again, as many as go together.

    A door that takes any number gets one more than the model takes at once.
    """
    yield from ([each] for each in golden)
    answered = [each for each in golden if each.expected.answer is not None]
    batch = door.project.serving.batching.max_size or 1
    size = min(AT_ONCE, batch + 1 if door.largest is None else door.largest)
    if size > 1:
        for alike in _by_shape(answered):
            if door.largest is None:
                size = max(size, len(alike))
            filled = list(islice(cycle(alike), ceil(len(alike) / size) * size))
            yield from (filled[n : n + size] for n in range(0, len(filled), size))


def _least(golden: Sequence[Golden]) -> list[Golden]:
    """One sample that has an answer and one that is refused, where there are any."""
    answered = [each for each in golden if each.expected.answer is not None]
    refused = [each for each in golden if each.expected.answer is None]
    return answered[:1] + refused[:1]


def _by_shape(golden: Sequence[Golden]) -> list[list[Golden]]:
    """Tensors of one shape together, for only these make one; images are all alike."""
    groups: dict[Any, list[Golden]] = {}
    for each in golden:
        groups.setdefault(_shapes(each.sample), []).append(each)
    return list(groups.values())


def _shapes(sample: Any) -> tuple[Any, ...]:
    return () if isinstance(sample, bytes) else tuple(getattr(each, "shape", ()) for each in sample)


def _asked(door: Door, golden: Sequence[Golden], tolerance: Tolerance) -> list[Comparison]:
    """Compare the answers to one request; raises _Disagrees where none come."""
    what = golden[0].described if len(golden) == 1 else f"{len(golden)} samples in one request"
    is_refused = golden[0].expected.answer is None
    try:
        answers = door.ask([each.sample for each in golden])
    except Refused as refusal:
        if is_refused:
            return []
        raise _Disagrees(f"{what}: refused: {refusal}") from refusal
    except Unanswered as failure:
        raise _Disagrees(f"{what}: {failure}") from failure
    if not door.compared:
        return []
    if is_refused:
        raise _Disagrees(f"{what}: answered, where the eager pipeline refuses")
    if len(answers) != len(golden):
        raise _Disagrees(f"{what}: {len(answers)} answers")
    return [_compared(*pair, tolerance) for pair in zip(answers, golden, strict=True)]


def _compared(answer: Answer, golden: Golden, tolerance: Tolerance) -> Comparison:
    found = compare(answer, golden.expected, tolerance)
    told = f"{golden.described}: {found.complaint}" if found.complaint else None
    return replace(found, complaint=told)


def _median_seconds(door: Door, golden: Sequence[Golden]) -> float:
    """The median time of one sample's requests, one after the other."""
    sample = next(each.sample for each in golden if each.expected.answer is not None)
    seconds: list[float] = []
    for _ in range(TIMED_REQUESTS):
        start = time.perf_counter()
        try:
            door.ask([sample])
        except (Refused, Unanswered) as failure:
            raise _Disagrees(f"request {len(seconds) + 1} of {TIMED_REQUESTS}: {failure}") from None
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)
