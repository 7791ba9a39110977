"""What holds for whatever runs in a cluster, and for a project's own images and components.

A target adopts these for its own projects: the rules' names begin with the target's.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from generator.document import Pointer
from generator.problem import Problem, did_you_mean, says
from generator.project import Project, ReplicaRange
from generator.target import TargetRule
from generator.workload import PERF, Workload

_METRICS = {"knative": ("concurrency", "rps"), "hpa": ("cpu", "memory")}

Seen = TypeVar("Seen", bound=Workload)
WorkloadRule = Callable[[Project, Workload], Iterator[Problem]]


def adopted(
    rules: tuple[Callable[[Project, Seen], Iterator[Problem]], ...],
    seen_as: Callable[[Project, Any], Seen | None],
) -> tuple[TargetRule, ...]:
    """The rules as rules of a target; they pass where a project is not seen as such."""
    return tuple(_adopted(rule, seen_as) for rule in rules)


def _adopted(
    rule: Callable[[Project, Seen], Iterator[Problem]],
    seen_as: Callable[[Project, Any], Seen | None],
) -> TargetRule:
    @functools.wraps(rule)
    def judged(project: Project, options: Any) -> Iterator[Problem]:
        seen = seen_as(project, options)
        return rule(project, seen) if seen else iter(())

    return judged


def perf_without_namespace(project: Project, _workload: Workload) -> Iterator[Problem]:
    """The load test calls the service by its host name in the cluster, which has the namespace."""
    if project.perf and not project.kubernetes.namespace:
        message = "the load test needs the namespace that the service runs in"
        yield Problem(("perf",), message, "add `kubernetes: {namespace: ...}`", at_key=True)


def gitops_without_namespace(project: Project, _workload: Workload) -> Iterator[Problem]:
    """Argo CD applies to a namespace that is written down, in its Application or in manifests.

    There is no kubectl whose context would name one: an object without is refused.
    """
    if project.gitops and not project.kubernetes.namespace:
        message = "the namespace that Argo CD applies to is not written"
        yield Problem(("gitops",), message, "add `kubernetes: {namespace: ...}`", at_key=True)


def scale_to_zero_without_knative(project: Project, workload: Workload) -> Iterator[Problem]:
    """Only Knative starts a replica when a request comes in.

    Elsewhere a service without replicas answers nobody, until somebody scales it by hand.
    """
    if workload.scaler == "knative":
        return
    for pointer, replicas in _replicas(project):
        if replicas.min == 0:
            hint = _or("set it to 1", workload)
            message, related = f"{workload.mode} cannot scale to zero", _mode(workload)
            yield Problem((*pointer, "min"), message, hint, related=related)


def _or(hint: str, workload: Workload) -> str:
    """The hint, and the other scaler where there is one."""
    return f"{hint}, or {workload.other_mode}" if workload.other_mode else hint


def _mode(workload: Workload) -> tuple[tuple[Pointer, str]]:
    """What chose the mode, where the spec says it."""
    key = "platform" if workload.mode.startswith("platform ") else "deployment_mode"
    return ((("targets", workload.target, key), f"{workload.mode} is chosen here"),)


def _replicas(project: Project) -> Iterator[tuple[Pointer, ReplicaRange]]:
    """The model's replicas and those of components that have their own."""
    yield ("serving", "replicas"), project.serving.replicas
    for name, component in project.hardware.components.items():
        if component.replicas:
            yield ("hardware", "components", name, "replicas"), component.replicas


def metric_not_offered(project: Project, workload: Workload) -> Iterator[Problem]:
    """Each mode has its own autoscaler: Knative's counts requests, an HPA cpu and memory.

    Source: knative/serving, pkg/apis/autoscaling/annotation_validation.go.
    """
    autoscaling = project.serving.autoscaling
    if not autoscaling:
        return
    offered = _METRICS[workload.scaler]
    if autoscaling.metric not in offered:
        message = f"{workload.mode} cannot scale by {autoscaling.metric}"
        hint = _or(f"choose {' or '.join(offered)}", workload)
        at: Pointer = ("serving", "autoscaling", "metric")
        yield Problem(at, message, hint, related=_mode(workload))


def replicas_never_reached(project: Project, workload: Workload) -> Iterator[Problem]:
    """Without Knative there is no autoscaler unless one is asked for.

    The service would stay at its least number of replicas, whatever the load.
    """
    if workload.scaler == "knative" or project.serving.autoscaling:
        return
    for pointer, replicas in _replicas(project):
        if replicas.max > replicas.min > 0:
            message = f"max {replicas.max} is never reached: nothing scales {workload.mode}"
            hint = f"add serving.autoscaling, or set max to {replicas.min}"
            related = (says((*pointer, "min"), replicas.min), *_mode(workload))
            yield Problem((*pointer, "max"), message, hint, related=related)


def autoscaling_without_room(project: Project, _workload: Workload) -> Iterator[Problem]:
    """An autoscaler whose least is its most has nothing to do.

    The load it is asked to follow would change nothing.
    """
    if project.serving.autoscaling and all(r.min >= r.max for _, r in _replicas(project)):
        most = project.serving.replicas.max
        message = f"autoscaling has no room: replicas are {most} to {most}"
        at: Pointer = ("serving", "replicas")
        related = (says((*at, "min"), most), says((*at, "max"), most))
        hint = "raise serving.replicas.max"
        yield Problem(("serving", "autoscaling"), message, hint, related=related)


def images_missing(project: Project, workload: Workload) -> Iterator[Problem]:
    """An image that is built for the project needs a name to be pushed to and pulled from."""
    if project.images:
        return
    asked_by: dict[str, Pointer] = {PERF: ("perf",)}
    asked_by |= dict.fromkeys(workload.components, ("transforms",))
    for component in workload.built[:1]:
        pointer = asked_by.get(component, ("targets", workload.target))
        message = f"the {component} image has no name without `images`"
        hint = 'add `images: {registry: docker.io/acme, tag: "1.0"}`'
        yield Problem(pointer, message, hint, at_key=True)


def image_named_twice(_project: Project, workload: Workload) -> Iterator[Problem]:
    """The image that is pushed last replaces the other, and runs in the other's place too."""
    seen: dict[str, str] = {}
    for component, name in workload.image_names.items():
        other = seen.setdefault(name, component)
        if other != component:
            at: Pointer = ("targets", workload.target, "names", "images")
            message = f"the {component} image has the name of the {other} image"
            related = (((*at, other), f"the {other} image is named here"),)
            yield Problem((*at, component), message, "name it otherwise", related=related)


def unknown_component(project: Project, workload: Workload) -> Iterator[Problem]:
    """Numbers for a component that is not there would be lost without a word."""
    known = workload.components
    for name in project.hardware.components:
        if name not in known:
            hint = did_you_mean(name, known) if known else "only run_in: component has components"
            message = f"there is no component `{name}` on {workload.target}"
            run_in = says(("transforms", "run_in"), project.transforms.run_in)
            related = () if known else (run_in,)
            at: Pointer = ("hardware", "components", name)
            yield Problem(at, message, hint, at_key=True, related=related)


def image_not_built(_project: Project, workload: Workload) -> Iterator[Problem]:
    """A name for an image that this project does not build goes nowhere.

    Whoever gave it would wait for an image that is never pushed.
    """
    for component in workload.image_names:
        if component not in workload.built:
            pointer: Pointer = ("targets", workload.target, "names", "images", component)
            message = f"no {component} image is built for this project"
            yield Problem(pointer, message, "remove its name", at_key=True)


COMPONENT_RULES: tuple[WorkloadRule, ...] = (
    images_missing,
    image_named_twice,
    unknown_component,
    image_not_built,
)
"""Rules about a project's own images and components."""

SCALING_RULES: tuple[WorkloadRule, ...] = (
    perf_without_namespace,
    gitops_without_namespace,
    scale_to_zero_without_knative,
    metric_not_offered,
    replicas_never_reached,
    autoscaling_without_room,
)
"""Rules about what runs in a cluster."""
