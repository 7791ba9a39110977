"""The pods that manifests lead to, as the Pod Security Standards look at them.

A container may be written in layers: a model's own fields lie over those of its runtime, and the
upper one counts wherever both say something.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from generator.webhook_rules.graphs import containers, predictors
from generator.webhook_rules.nodes import NEWEST, Node, Release, Rendered, name_of, namespace_of
from generator.webhook_rules.podspecs import WORKLOADS
from generator.webhook_rules.services import (
    Component,
    components,
    knative_services,
    main_container,
    runtimes,
)

BASELINE, RESTRICTED = "baseline", "restricted"
LEVELS = (BASELINE, RESTRICTED)
ENFORCE = "pod-security.kubernetes.io/enforce"
ENFORCE_VERSION = "pod-security.kubernetes.io/enforce-version"
OWN_USERS_SINCE: Release = (1, 35)  # relaxPolicyForUserNamespacePod, behind an alpha gate before
WINDOWS_SINCE: Release = (1, 25)  # the checks of restricted that pass over Windows
_LISTS = ("containers", "initContainers", "ephemeralContainers")


class Layers(Struct, frozen=True):
    """Nodes that lie over each other, the uppermost first."""

    nodes: tuple[Node, ...]

    def at(self, *keys: str) -> Node:
        """What is in force at a route of keys: the uppermost that says something."""
        first = self.nodes[0].at(*keys)
        if first.given or len(self.nodes) == 1:
            return first
        found = (node.at(*keys) for node in self.nodes[1:])
        return next((each for each in found if each.given), first)

    @property
    def top(self) -> Node:
        return self.nodes[0]


class SecuredPod(Struct, frozen=True):
    """A pod in the eyes of the standards.

    `spec` are the pod's own fields, None where an operator puts its own in their place. `is_whole`:
    what is not written here is nowhere else; else only what is written can be judged. `level` is
    the standard that it is held to, `release` the one of Kubernetes whose standard it is.
    """

    manifest: Node
    spec: Layers | None
    containers: tuple[Layers, ...]
    volumes: tuple[Node, ...]
    metadata: Node | None = None
    is_whole: bool = True
    level: str = ""
    release: Release = NEWEST

    def field(self, *keys: str) -> Node | None:
        """A field of the pod, None where nothing is written."""
        found = self.spec.at(*keys) if self.spec else None
        return found if found and found.given else None

    @property
    def is_windows(self) -> bool:
        name = self.field("os", "name")
        return name is not None and name.text == "windows" and self.release >= WINDOWS_SINCE

    @property
    def has_own_users(self) -> bool:
        """Whether its users are none of the node's: root in it is nobody there."""
        field = self.field("hostUsers")
        is_own = field is not None and field.value is False
        return is_own and self.release >= OWN_USERS_SINCE


def judged(rendered: Rendered, level: str) -> Iterator[SecuredPod]:
    """The pods that this level, `baseline` or `restricted`, is asked of."""
    return (pod for pod in _asked(rendered) if pod.level in (RESTRICTED, level))


@lru_cache(maxsize=2)  # every rule asks for the same ones
def _asked(rendered: Rendered) -> tuple[SecuredPod, ...]:
    enforced = {name_of(each): each for each in rendered.of_group("", "Namespace")}
    levels = {name: each.at("metadata", "labels", ENFORCE).text for name, each in enforced.items()}
    everywhere = rendered.pod_security
    if not everywhere and not set(LEVELS).intersection(levels.values()):
        return ()
    found = []
    for pod in _find(rendered):
        namespace = namespace_of(pod.manifest)
        level = levels.get(namespace, "")
        strictest = RESTRICTED if RESTRICTED in (everywhere, level) else everywhere or level
        release = rendered.release
        if level == strictest and namespace in enforced:
            release = min(release, _version(enforced[namespace]))
        found.append(replace(pod, level=strictest, release=release))
    return tuple(found)


def _version(namespace: Node) -> Release:
    """The release whose standard a namespace enforces; what is no version counts as the latest."""
    text = namespace.at("metadata", "labels", ENFORCE_VERSION).text
    found = re.fullmatch(r"v(\d{1,4})\.(\d{1,4})", text)
    return (int(found[1]), int(found[2])) if found else NEWEST


def _find(rendered: Rendered) -> Iterator[SecuredPod]:
    for manifest in rendered.of_kind(*WORKLOADS):
        yield _of_template(manifest, manifest.at("spec", "template"))
    for manifest in rendered.of_kind("CronJob"):
        yield _of_template(manifest, manifest.at("spec", "jobTemplate", "spec", "template"))
    for manifest in rendered.of_group("", "Pod"):
        yield _of_template(manifest, manifest)
    for component in knative_services(rendered):
        yield _plain(component.service, component.spec)
    used: list[Node] = []
    for component in components(rendered):
        runtime = component.runtime
        yield _of_component(component, runtime)
        used += [runtime] if runtime else []
        if component.spec.at("workerSpec").given:
            yield _plain(component.service, component.spec.at("workerSpec"), is_whole=False)
    for runtime in runtimes(rendered):
        if not any(each is runtime or each == runtime for each in used):
            yield _plain(runtime, runtime.at("spec"), is_whole=False)
    for predictor in predictors(rendered):
        for pod in predictor.pods:
            yield _of_seldon(predictor.deployment, pod)


def _of_template(manifest: Node, template: Node) -> SecuredPod:
    return _plain(manifest, template.at("spec"), metadata=template.at("metadata"))


def _plain(
    manifest: Node, spec: Node, *, metadata: Node | None = None, is_whole: bool = True
) -> SecuredPod:
    found = tuple(Layers((one,)) for key in _LISTS for one in spec.at(key).elements)
    return SecuredPod(
        manifest, Layers((spec,)), found, spec.at("volumes").elements, metadata, is_whole
    )


def _of_component(component: Component, runtime: Node | None) -> SecuredPod:
    """A component over its runtime, as MergeRuntimeContainers and MergePodSpec of kserve do it."""
    below = runtime.at("spec") if runtime else None
    base = main_container(runtime) if runtime else None
    lower = {
        one.at("name").text: one
        for key in _LISTS
        for one in (below.at(key).elements if below else ())
    }
    found = [Layers((model, base) if base else (model,)) for model in component.models]
    if base:
        lower.pop(base.at("name").text, None)
    for key in _LISTS:
        for one in component.spec.at(key).elements:
            under = lower.pop(one.at("name").text, None)
            found.append(Layers((one, under) if under else (one,)))
    found += [Layers((one,)) for one in lower.values()]
    volumes = component.spec.at("volumes").elements
    volumes += below.at("volumes").elements if below else ()
    spec = Layers((component.spec, below) if below else (component.spec,))
    sees_runtime = runtime is not None or not component.models
    return SecuredPod(component.service, spec, tuple(found), volumes, is_whole=sees_runtime)


def _of_seldon(deployment: Node, pod: Node) -> SecuredPod:
    """A pod of Seldon's: createDeploymentWithoutEngine replaces the pod's own securityContext."""
    init = pod.at("spec", "initContainers").elements
    found = tuple(Layers((one,)) for one in (*containers(pod), *init))
    spec = pod.at("spec")
    kept = {key: spec.at(key).value for key in spec.keys if key != "securityContext"}
    own = Layers((Node(spec.file, spec.path, kept),))
    return SecuredPod(deployment, own, found, spec.at("volumes").elements)
