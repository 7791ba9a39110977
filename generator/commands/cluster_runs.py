"""What the commands of gen cluster do; imported by them, when one is run."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import click

from generator import reporting
from generator.commands.common import (
    COULD_NOT_RUN,
    DONE,
    REFUSED,
    build_each,
    selected,
)
from generator.diagnostics import CannotRun
from generator.live_cluster import drift as drifting
from generator.live_cluster import findings, services, watching
from generator.live_cluster.checks import questions
from generator.live_cluster.client import refuse_without_client
from generator.live_cluster.connection import Connection, Unanswered
from generator.live_cluster.drift_report import summary, to_json, unified
from generator.live_cluster.kubeconfig import Access, access
from generator.live_cluster.parts import text
from generator.live_cluster.question import Asked, answered
from generator.live_cluster.refusal import Refused
from generator.live_cluster.rendered import Rendered, rendered
from generator.live_cluster.standing_report import changed, shown, standings_json
from generator.pipeline import Build
from generator.reporting import counted
from generator.runs.builds import build_all
from generator.selection import EVERYTHING
from generator.specs import find_specs

_COLOUR = {"ok": "green", "warning": "yellow", "failed": "red", "unknown": "cyan"}


@dataclass(frozen=True)
class Where:
    """The options that say which cluster is asked, and for how much of the specs."""

    access: Access
    timeout_seconds: int
    targets: tuple[str, ...]
    environments: tuple[str, ...]

    def connect(self) -> Connection:
        return Connection(self.access, self.timeout_seconds)

    @staticmethod
    def answering(asked: Asked) -> Asked:
        """The cluster, when it has answered once; raises CannotRun where it does not."""
        reporting.show_passing(f"asking {asked.connection.host}")
        host = asked.connection.host
        try:
            told = asked.connection.get("/version").body
        except Unanswered as unanswered:
            raise CannotRun(str(unanswered)) from None
        except Refused as refused:
            # It answers; what it may not or cannot tell now is told where it is needed.
            if refused.is_absent or refused.code < HTTPStatus.BAD_REQUEST:
                raise CannotRun(_no_api(host, f"answers {refused.code}")) from None
        else:
            if not text(told, "gitVersion"):
                raise CannotRun(_no_api(host, "names no gitVersion"))
        reporting.clear_progress()
        return asked


def _no_api(host: str, why: str) -> str:
    return f"{host} is no Kubernetes API: its /version {why}; is the address of the cluster right?"


def check(
    paths: Sequence[str],
    form: str,
    field_manager: str,
    kserve_namespace: str,
    seldon_namespace: str,
    strict: bool,
    **options: Any,  # Any: what click hands over; `_where` names each
) -> int:
    """Ask everything that `checks` lists, and tell it."""
    where = _where(options)
    built, failed = _manifests(paths, where, options["namespace"])
    connection = where.connect()
    asked = where.answering(
        Asked(connection, built, kserve_namespace, seldon_namespace, manager=field_manager)
    )
    found = []
    wanted = questions(asked)
    try:
        for done, question in enumerate(wanted):
            reporting.show_progress(done, len(wanted), "checks")
            found.append(answered(question))
    finally:  # what has been found out is told, whatever comes after
        reporting.clear_progress()
        if form == "json":
            click.echo(json.dumps(findings.to_json(found, strict=strict), indent=2))
        else:
            for finding, lines in findings.table(found):
                rest = lines[len(finding.verdict) :]
                click.echo(click.style(finding.verdict, fg=_COLOUR[finding.verdict]) + rest)
        click.echo(f"{asked.connection.host}: {findings.summary(found)}", err=True)
    return max(failed, findings.status(found, strict=strict))


def status(paths: Sequence[str], form: str, watch: bool, timeout: int, **options: Any) -> int:
    """Tell how the services stand, now or when they are ready."""
    where = _where(options)
    built, failed = _manifests(paths, where, options["namespace"])
    # Several targets or environments may render the same object: it stands as it stands, once.
    distinct = {(one.kind, one.namespace, one.name): one for one in reversed(built)}
    shown_kinds = [one for one in reversed(distinct.values()) if one.kind in services.KINDS]
    shows = [one for one in shown_kinds if one.is_service]
    asked = where.answering(Asked(where.connect(), shows))
    if watch:
        tell = _tell_changes() if form == "text" else _say_nothing
        found = watching.wait_until_ready(asked, shows, tell, timeout)
        reporting.clear_progress()
    else:
        found = [services.standing(asked, one) for one in shows]
    jobs = [services.standing(asked, one) for one in shown_kinds if not one.is_service]
    everything = found + [job for job in jobs if job.state != "missing"]
    if form == "json":
        click.echo(json.dumps(standings_json(found, everything), indent=2))
    elif not watch or reporting.can_rewrite():
        click.echo(shown(everything))
    states = {each.state for each in found}
    if "unknown" in states:
        return COULD_NOT_RUN
    return max(failed, DONE if states <= {"ready"} else REFUSED)


def _say_nothing(_standings: Sequence[services.Standing]) -> None:
    """For programs: they get the result alone."""


def _tell_changes() -> watching.Tell:
    """On a terminal one line that is written anew; elsewhere a line for each change."""
    before: list[services.Standing] = []

    def tell(now: Sequence[services.Standing]) -> None:
        if reporting.can_rewrite():
            ready = sum(each.state == "ready" for each in now)
            first = next((each for each in now if each.state != "ready"), None)
            rest = f"; {first.subject}: {first.message}" if first else ""
            reporting.show_passing(f"{ready}/{len(now)} ready{rest}")
        else:
            for line in changed(before, now):
                click.echo(line)
        before[:] = now

    return tell


def drift(paths: Sequence[str], form: str, field_manager: str, diff: bool, **options: Any) -> int:
    """Tell what applying the manifests would change."""
    where = _where(options)
    built, failed = _manifests(paths, where, options["namespace"])
    asked = where.answering(Asked(where.connect(), built, manager=field_manager))
    found = []
    for done, one in enumerate(built):
        reporting.show_progress(done, len(built), "manifests")
        each = drifting.drift(asked, one)
        if each.state != "missing" or one.is_service:  # a test is started on purpose, and expires
            found.append(each)
    reporting.clear_progress()
    found += drifting.orphans(asked, built, _everything(paths, where, built, options["namespace"]))
    if form == "json":
        click.echo(json.dumps(to_json(found), indent=2))
    else:
        for each in found:
            if each.state != "same":
                click.echo(unified(each, diff=diff))
    click.echo(f"{asked.connection.host}: {summary(found)}", err=True)
    states = {each.state for each in found}
    if states & {"differs", "missing", "orphan", "refused"}:
        return max(failed, REFUSED)
    return max(failed, COULD_NOT_RUN if "unknown" in states else DONE)


def _where(options: dict[str, Any]) -> Where:  # Any: what click hands over
    refuse_without_client()
    return Where(
        access(options["kubeconfig"], options["context"]),
        options["request_timeout"],
        options["targets"],
        options["environments"],
    )


def _manifests(
    paths: Sequence[str], where: Where, namespace: str | None
) -> tuple[list[Rendered], int]:
    """The manifests of all specs that render, and the status of those that do not."""
    found: list[Rendered] = []

    def take(build: Build) -> int:
        found.extend(rendered(build, namespace or where.access.namespace))
        return DONE

    tally = build_each(paths, selected(where.targets, where.environments), take)
    reporting.clear_progress()
    if not found:
        told = "no spec was rendered" if tally.status else "nothing rendered goes to a cluster"
        raise CannotRun(told)
    if tally.failed:
        reporting.print_note(f"{counted(tally.failed, 'spec')} cannot be rendered and is left out")
    return found, COULD_NOT_RUN if tally.failed else DONE


def _everything(
    paths: Sequence[str], where: Where, built: Sequence[Rendered], namespace: str | None
) -> Sequence[Rendered]:
    """What the specs render for all targets and environments: none of it is left over."""
    if not (where.targets or where.environments) or "-" in paths:
        return built
    found: list[Rendered] = []
    for _spec, outcome in build_all(find_specs(paths), EVERYTHING):
        if isinstance(outcome, Build):
            found += rendered(outcome, namespace or where.access.namespace)
    return found
