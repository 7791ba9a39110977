"""How each rendered service stands in the cluster: ready or not, and why not."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from generator.live_cluster import pods
from generator.live_cluster.connection import Unanswered
from generator.live_cluster.discovery import NotServed
from generator.live_cluster.parts import Json, listed, mapping, number, part, text
from generator.live_cluster.pods import Trouble
from generator.live_cluster.question import Asked
from generator.live_cluster.refusal import Refused
from generator.live_cluster.rendered import Rendered

State = Literal["ready", "waiting", "failed", "missing", "unknown"]
_TERMINAL_MODEL_STATES = ("BlockedByFailedLoad", "InvalidSpec")
# What the load test's container ends with: templates/common/perf/load_test.py.j2
_PERF = {0: "objectives met", 1: "objectives missed", 2: "no valid measurement"}


@dataclass(frozen=True)
class Standing:
    """One service in the cluster."""

    kind: str
    namespace: str
    name: str
    state: State
    message: str = ""
    url: str = ""
    details: tuple[str, ...] = ()
    """Revisions, traffic and replicas, a line each."""
    troubles: tuple[Trouble, ...] = ()

    @property
    def subject(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True)
class _Told:
    """What an object's own status says."""

    state: State
    message: str = ""
    url: str = ""
    details: tuple[str, ...] = ()


def standing(asked: Asked, one: Rendered) -> Standing:
    """How one rendered object stands."""
    names = one.kind, one.namespace, one.name
    try:
        resource = asked.discovery.resource(one.api_version, one.kind)
        live = asked.connection.get(resource.path(one.namespace, one.name)).body
    except NotServed as absent:
        return Standing(*names, "missing", str(absent))
    except Refused as refused:
        if refused.is_absent:
            return Standing(*names, "missing", "not in the cluster")
        return Standing(*names, "unknown", refused.message)
    except Unanswered as unanswered:
        return Standing(*names, "unknown", str(unanswered))
    read, selector = KINDS[one.kind]
    told = read(live)
    if _is_stale(live):
        told = _Told("waiting", "its controller has not seen the last change yet")
    if text(live, "metadata", "deletionTimestamp"):
        told = _Told("failed", "is being deleted")
    if told.state == "ready" and one.kind != "Job":
        return Standing(*names, told.state, told.message, told.url, told.details)
    found, why = _pods(asked, one.namespace, pods.labels(selector(live)))
    message = told.message
    if (
        one.kind == "Job"
        and (status := pods.exit_status(found)) in _PERF
        and told.state != "waiting"
    ):
        message = _PERF[status] if not one.is_service and "perf" in one.path.parts else message
    troubles = tuple(pods.troubles(found)) if told.state != "ready" else ()
    details = (*told.details, why) if why else told.details
    return Standing(*names, told.state, message, told.url, details, troubles)


def _pods(asked: Asked, namespace: str, selector: str) -> tuple[list[Json], str]:
    """The pods of a service; else why they cannot be seen."""
    try:
        return pods.pods(asked, namespace, selector), ""
    except (Refused, Unanswered) as reason:
        return [], f"its pods cannot be seen: {reason}"


def _is_stale(live: Json) -> bool:
    seen = part(live, "status", "observedGeneration")
    return isinstance(seen, int) and seen < number(live, "metadata", "generation")


def _condition(live: Json, kind: str) -> Json:
    for condition in listed(live, "status", "conditions"):
        if text(condition, "type") == kind:
            return mapping(condition)
    return {}


def _inference_service(live: Json) -> _Told:
    """Ready is the sum of KServe's conditions; the model's own failure says more."""
    ready = _condition(live, "Ready")
    url = text(live, "status", "url")
    details = tuple(_components(live))
    if text(ready, "status") == "True":
        return _Told("ready", "", url, details)
    failure = mapping(live, "status", "modelStatus", "lastFailureInfo")
    transition = text(live, "status", "modelStatus", "transitionStatus")
    if failure:
        where = text(failure, "location")
        told = (
            f"{text(failure, 'reason')}: {text(failure, 'message')}{f' ({where})' if where else ''}"
        )
    else:
        told = _failing(live) or text(ready, "message") or "not ready yet"
    state: State = "failed" if transition in _TERMINAL_MODEL_STATES else "waiting"
    return _Told(state, told, url, details)


def _failing(live: Json) -> str:
    """The condition that is False, in its own words; that of a part before the sum of all."""
    conditions = listed(live, "status", "conditions")
    for condition in sorted(conditions, key=lambda each: text(each, "type") == "Ready"):
        if text(condition, "status") == "False" and text(condition, "severity") != "Info":
            told = text(condition, "message") or text(condition, "reason")
            return f"{text(condition, 'type')}: {told}"
    return ""


def _components(live: Json) -> Iterator[str]:
    for name, component in mapping(live, "status", "components").items():
        ready, created = (
            text(component, "latestReadyRevision"),
            text(component, "latestCreatedRevision"),
        )
        if ready or created:
            newer = f", {created} not yet" if created and created != ready else ""
            yield f"{name}: {ready or 'no revision'} ready{newer}"
        shares = [
            f"{number(target, 'percent')} % {text(target, 'revisionName') or 'latest'}"
            for target in listed(component, "traffic")
        ]
        if len(shares) > 1:
            yield f"{name}: traffic {', '.join(shares)}"
    total = part(live, "status", "modelStatus", "copies", "totalCopies")
    if isinstance(total, int):
        yield f"model copies: {total}"


def _seldon_deployment(live: Json) -> _Told:
    state, described = text(live, "status", "state"), text(live, "status", "description")
    url = text(live, "status", "address", "url")
    details = tuple(
        f"{name}: {number(held, 'availableReplicas')} of {number(held, 'replicas')} available"
        for name, held in mapping(live, "status", "deploymentStatus").items()
    )
    if state == "Available":
        return _Told("ready", "", url, details)
    if state == "Failed":
        return _Told("failed", described or "Failed", url, details)
    return _Told(
        "waiting", described or state or "its controller has not seen it yet", url, details
    )


def _deployment(live: Json) -> _Told:
    """As `kubectl rollout status` reads it."""
    wanted = part(live, "spec", "replicas")
    wanted = wanted if isinstance(wanted, int) else 1
    updated, available = (
        number(live, "status", f"{word}Replicas") for word in ("updated", "available")
    )
    details = (f"{available} of {wanted} replicas available, {updated} of the last change",)
    progress = _condition(live, "Progressing")
    if text(progress, "reason") == "ProgressDeadlineExceeded":
        return _Told("failed", text(progress, "message"), "", details)
    is_done = updated == wanted and available == wanted == number(live, "status", "replicas")
    if is_done and part(live, "status", "observedGeneration") is not None:
        return _Told("ready", "", "", details)
    broken = _condition(live, "ReplicaFailure")
    told = text(broken, "message") or "its replicas are not all available"
    return _Told("waiting", told, "", details)


def _job(live: Json) -> _Told:
    for kind, state in (("Complete", "ready"), ("Failed", "failed")):
        condition = _condition(live, kind)
        if text(condition, "status") == "True":
            told = text(condition, "message") if kind == "Failed" else "complete"
            return _Told("ready" if state == "ready" else "failed", told)
    running = number(live, "status", "active")
    return _Told("waiting", f"{running} pods running" if running else "not started")


_Read = Callable[[Json], _Told]
_Selector = Callable[[Json], Json]


def _named(label: str) -> _Selector:
    return lambda live: {label: text(live, "metadata", "name")}


KINDS: Mapping[str, tuple[_Read, _Selector]] = {
    "InferenceService": (_inference_service, _named("serving.kserve.io/inferenceservice")),
    "SeldonDeployment": (_seldon_deployment, _named("seldon-deployment-id")),
    "Deployment": (_deployment, lambda live: mapping(live, "spec", "selector", "matchLabels")),
    "Job": (_job, _named("batch.kubernetes.io/job-name")),
}
"""How the status of a kind is read, and which labels its pods have."""
