"""Pods that do not come up, and why: what their containers wait for or have died of."""

from collections.abc import Iterator
from dataclasses import dataclass

from generator.live_cluster.parts import Json, listed, mapping, number, part, text
from generator.live_cluster.question import Asked

MOST_PODS = 500
MOST_SHOWN = 5
_STARTING = ("PodInitializing", "ContainerCreating")


@dataclass(frozen=True)
class Trouble:
    """What keeps a pod from being ready."""

    pod: str
    container: str
    reason: str
    message: str


def pods(asked: Asked, namespace: str, selector: str) -> list[Json]:
    """The pods that have the labels of a selector; raises Refused and Unanswered."""
    path = f"/api/v1/namespaces/{namespace}/pods"
    body = asked.connection.get(path, labelSelector=selector, limit=str(MOST_PODS)).body
    return [mapping(item) for item in listed(body, "items")]


def labels(wanted: Json) -> str:
    """A label selector of equal values."""
    return ",".join(f"{key}={value}" for key, value in sorted(wanted.items()))


def troubles(found: list[Json]) -> list[Trouble]:
    """What is wrong with pods, the same trouble of several pods once."""
    distinct: dict[tuple[str, str, str], Trouble] = {}
    for pod in found:
        for trouble in _troubles(pod):
            distinct.setdefault((trouble.container, trouble.reason, trouble.message), trouble)
    return list(distinct.values())[:MOST_SHOWN]


def _troubles(pod: Json) -> Iterator[Trouble]:
    name = text(pod, "metadata", "name")
    if text(pod, "status", "phase") == "Succeeded":
        return
    for condition in listed(pod, "status", "conditions"):
        is_unplaced = text(condition, "type") == "PodScheduled"
        if is_unplaced and text(condition, "status") == "False":
            yield Trouble(name, "", text(condition, "reason"), text(condition, "message"))
    for group in ("initContainerStatuses", "containerStatuses"):
        for status in listed(pod, "status", group):
            if trouble := _of_container(name, status):
                yield trouble


def _of_container(pod: str, status: object) -> Trouble | None:
    """Why one container is not running: first of all what it has died of last."""
    container = text(status, "name")
    waiting = mapping(status, "state", "waiting")
    ended = mapping(status, "state", "terminated") or mapping(status, "lastState", "terminated")
    reason = text(waiting, "reason")
    is_up = part(status, "ready") is True or mapping(status, "state", "running")
    if number(ended, "exitCode") and not is_up:
        told = text(ended, "message") or text(ended, "reason")
        restarts = number(status, "restartCount")
        after = f", {restarts} restarts" if restarts else ""
        why = f"exit status {number(ended, 'exitCode')}{after}: {told}"
        return Trouble(pod, container, reason or text(ended, "reason"), why)
    if reason and reason not in _STARTING:
        return Trouble(pod, container, reason, text(waiting, "message"))
    return None


def exit_status(found: list[Json]) -> int | None:
    """With what the first container of the last pod that has ended did so."""
    for pod in reversed(found):
        for status in listed(pod, "status", "containerStatuses"):
            ended = mapping(status, "state", "terminated")
            if ended:
                return number(ended, "exitCode")
    return None
