"""Rules about the load test."""

from collections.abc import Iterator
from itertools import pairwise

from generator.problem import Problem, says
from generator.project import Project
from generator.resources import seconds
from generator.target import Rule


def percentiles_reversed(project: Project) -> Iterator[Problem]:
    """A higher percentile is never the faster one: it covers the slower requests too.

    The lower percentile's objective could not fail unless the higher one's failed, and would
    tell nothing.
    """
    if not project.perf:
        return
    slo = project.perf.slo
    given = [(name, getattr(slo, name)) for name in ("p50", "p95", "p99") if getattr(slo, name)]
    for (low, low_limit), (high, high_limit) in pairwise(given):
        if seconds(low_limit) > seconds(high_limit):
            message = f"{low} {low_limit} is above {high} {high_limit}"
            related = (says(("perf", "slo", high), high_limit),)
            hint = f"raise {high}, or lower {low}"
            yield Problem(("perf", "slo", low), message, hint, related=related)


def objective_over_timeout(project: Project) -> Iterator[Problem]:
    """An objective above the time-out holds for every request that is answered at all."""
    if not project.perf:
        return
    for name in ("p50", "p95", "p99"):
        limit = getattr(project.perf.slo, name)
        if limit and seconds(limit) > seconds(project.serving.timeout):
            message = f"{name} {limit} is above the timeout of {project.serving.timeout}"
            related = (says(("serving", "timeout"), project.serving.timeout),)
            hint = "lower it, or raise serving.timeout"
            yield Problem(("perf", "slo", name), message, hint, related=related)


def duration_below_a_second(project: Project) -> Iterator[Problem]:
    """A shorter run measures the start of client and connections, not the service.

    Its percentiles are of so few requests that they differ from run to run, and a load test would
    pass or fail by chance.
    """
    if project.perf:
        for key in ("duration", "warm_up"):
            given = getattr(project.perf, key)
            if seconds(given) < 1:
                yield Problem(("perf", key), f"{key} {given} is below a second", "write 1s or more")


RULES: tuple[Rule, ...] = (percentiles_reversed, objective_over_timeout, duration_below_a_second)
