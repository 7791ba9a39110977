"""Wait until services are ready, looking again whenever one of them changes."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus

from generator.diagnostics import CannotRun
from generator.live_cluster.connection import Connection, Gone, Unanswered, WouldWrite
from generator.live_cluster.discovery import Discovery, NotServed
from generator.live_cluster.parts import Json, number, text
from generator.live_cluster.question import Asked
from generator.live_cluster.refusal import Refused, refusal
from generator.live_cluster.rendered import Rendered
from generator.live_cluster.services import Standing, standing

WATCH_SECONDS = 240
LOOK_AGAIN_SECONDS = 10
"""Pods change without their service: a download that fails is not an event of the service."""
SETTLE_SECONDS = 0.2
MOST_PAUSE_SECONDS = 30

Tell = Callable[[Sequence[Standing]], None]


class Watcher(threading.Thread):
    """Says that one object has changed, however often its watch has to begin anew."""

    def __init__(
        self, connection: Connection, path: str, name: str, changed: "queue.Queue[str]"
    ) -> None:
        super().__init__(daemon=True)
        self._connection = connection
        self._path = path
        self._name = name
        self._changed = changed
        self._stopped = threading.Event()
        self._version = ""

    def stop(self) -> None:
        self._stopped.set()

    def run(self) -> None:
        pause = 1.0
        while not self._stopped.is_set():
            try:
                self._watch_once()
                pause = 1.0
            except Refused as refused:
                self._version = ""  # 410 Gone: what had been seen is too old to go on from
                if refused.is_forbidden or refused.is_absent:
                    return  # looking again every few seconds has to do
                pause = self._wait(pause) if refused.code != HTTPStatus.GONE else pause
            except (Unanswered, CannotRun):
                pause = self._wait(pause)
            except WouldWrite:
                return

    def _wait(self, pause: float) -> float:
        self._stopped.wait(pause)
        return min(2 * pause, MOST_PAUSE_SECONDS)

    def _watch_once(self) -> None:
        """Follow the object from the version last seen, or from a new look at it."""
        selector = f"metadata.name={self._name}"
        if not self._version:
            listed = self._connection.get(self._path, fieldSelector=selector).body
            self._version = text(listed, "metadata", "resourceVersion")
            self._changed.put(self._name)
        query = {"fieldSelector": selector, "resourceVersion": self._version}
        for event in self._connection.watch(self._path, WATCH_SECONDS, **query):
            self._take(event)
            if self._stopped.is_set():
                return

    def _take(self, event: Json) -> None:
        held = event.get("object")
        if text(event, "type") == "ERROR":
            raise refusal(number(held, "code"), held if isinstance(held, dict) else {})
        self._version = text(held, "metadata", "resourceVersion") or self._version
        if text(event, "type") != "BOOKMARK":
            self._changed.put(self._name)


def wait_until_ready(
    asked: Asked,
    services: Sequence[Rendered],
    tell: Tell,
    timeout_seconds: float,
) -> list[Standing]:
    """The standings when all are ready, one has failed for good, or the time is over.

    `tell` gets them whenever they change. A cluster that does not answer is asked again.
    """
    changed: queue.Queue[str] = queue.Queue()
    watchers = _watchers(asked, services, changed)
    for watcher in watchers:
        watcher.start()
    deadline = time.monotonic() + timeout_seconds
    before: list[Standing] | None = None
    try:
        while True:
            now = [_look(asked, one) for one in services]
            if now != before:
                tell(now)
                before = now
            left = deadline - time.monotonic()
            if _is_over(now) or left <= 0:
                return now
            _wait(changed, min(left, LOOK_AGAIN_SECONDS))
    finally:
        for watcher in watchers:
            watcher.stop()


def _look(asked: Asked, one: Rendered) -> Standing:
    """How one service stands; whatever could not be told is asked anew the next time."""
    try:
        found = standing(asked, one)
    except Gone as reason:
        found = Standing(one.kind, one.namespace, one.name, "unknown", str(reason))
    if found.state == "unknown":
        asked.discovery = Discovery(asked.connection)
    return found


def _is_over(standings: Sequence[Standing]) -> bool:
    states = {each.state for each in standings}
    return states <= {"ready"} or "failed" in states


def _wait(changed: "queue.Queue[str]", seconds: float) -> None:
    """Until something changes; several changes at once count as one."""
    try:
        changed.get(timeout=seconds)
        while True:
            changed.get(timeout=SETTLE_SECONDS)
    except queue.Empty:
        return


def _watchers(
    asked: Asked,
    services: Sequence[Rendered],
    changed: "queue.Queue[str]",
) -> list[Watcher]:
    found = []
    for one in services:
        try:
            resource = asked.discovery.resource(one.api_version, one.kind)
        except (NotServed, Refused, Unanswered):
            continue
        found.append(Watcher(asked.connection, resource.path(one.namespace), one.name, changed))
    return found
