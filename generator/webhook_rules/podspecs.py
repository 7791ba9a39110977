"""Find the pods that manifests lead to, whoever makes them."""

from collections.abc import Iterator
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from generator.webhook_rules.graphs import Predictor, containers, predictors, server
from generator.webhook_rules.nodes import Node, Rendered
from generator.webhook_rules.services import (
    Component,
    components,
    knative_services,
    main_container,
    names,
    runtimes,
)
from generator.webhook_rules.stock_runtimes import WITHOUT_VOLUMES

WORKLOADS = ("Job", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
# storage_initializer_injector.go of kserve mounts the model by itself.
KSERVE_VOLUMES = ("kserve-provision-location", "kserve-pvc-source")
KSERVE_MOUNT = "/mnt/models"
# defaults.go and model_initializer_injector.go of seldon-core; the last is of one container each.
SELDON_VOLUMES = ("seldon-podinfo", "kfserving-pvc-source")
SELDON_MODEL_VOLUME = "provision-location"


class Pod(Struct, frozen=True):
    """A pod that a manifest leads to, as far as that manifest writes it down.

    `lent` are volumes that stand in another manifest of the same pod, `base` is the container of
    the runtime below the model's; `whole` tells that nothing of the pod is out of sight. `brought`
    are the volumes that an operator adds, `mounted` where KServe mounts its own, whatever its name;
    `plain` is a pod that no operator changes. `spec` is where its own fields stand.
    """

    containers: tuple[Node, ...]
    volumes: tuple[Node, ...]
    lent: tuple[Node, ...] = ()
    base: Node | None = None
    whole: bool = True
    brought: tuple[str, ...] = KSERVE_VOLUMES
    mounted: str | None = KSERVE_MOUNT
    plain: bool = False
    spec: Node | None = None


def pods(rendered: Rendered) -> Iterator[Pod]:
    """The pods that the manifests lead to."""
    return iter(_pods(rendered))


@lru_cache(maxsize=2)  # every rule of pods asks for the same ones
def _pods(rendered: Rendered) -> tuple[Pod, ...]:
    return tuple(_find(rendered))


def _find(rendered: Rendered) -> Iterator[Pod]:
    for spec, claims in _plain(rendered):
        yield replace(_plain_pod(spec, claims), plain=True, spec=spec)
    for component in components(rendered):
        yield _component_pod(component, rendered)
        if component.spec.at("workerSpec").given:
            yield _plain_pod(component.spec.at("workerSpec"))
    for component in knative_services(rendered):
        yield _plain_pod(component.spec)
    for runtime in runtimes(rendered):
        yield _runtime_pod(runtime, rendered)
        if runtime.at("spec", "workerSpec").given:
            yield _plain_pod(runtime.at("spec", "workerSpec"))
    for predictor in predictors(rendered):
        yield from (_seldon_pod(pod, predictor) for pod in predictor.pods)


def _plain(rendered: Rendered) -> Iterator[tuple[Node, tuple[Node, ...]]]:
    """The specs of pods that stand in manifests of Kubernetes' own, and volumes brought to them.

    The controller of a StatefulSet adds a volume for each claim, under the claim's name.
    """
    for manifest in rendered.of_kind(*WORKLOADS):
        claims = manifest.at("spec", "volumeClaimTemplates").elements
        brought = tuple(claim.at("metadata") for claim in claims)
        yield manifest.at("spec", "template", "spec"), brought
    for manifest in rendered.of_kind("Pod"):
        yield manifest.at("spec"), ()
    for manifest in rendered.of_kind("CronJob"):
        yield manifest.at("spec", "jobTemplate", "spec", "template", "spec"), ()


def _plain_pod(spec: Node, lent: tuple[Node, ...] = ()) -> Pod:
    containers = spec.at("containers").elements + spec.at("initContainers").elements
    return Pod(containers, spec.at("volumes").elements, lent)


def _component_pod(component: Component, rendered: Rendered) -> Pod:
    runtime = component.runtime
    named = [model.at("runtime").text for model in component.models]
    seen = runtime is not None or all(name in WITHOUT_VOLUMES for name in named)
    return Pod(
        component.containers,
        component.spec.at("volumes").elements,
        runtime.at("spec", "volumes").elements if runtime else (),
        main_container(runtime) if runtime else None,
        whole=seen,
    )


def _seldon_pod(pod: Node, predictor: Predictor) -> Pod:
    names = [container.at("name").text for container in containers(pod)]
    served = [unit.at("name").text for unit in predictor.units if server(unit)]
    models = (f"{name}-{SELDON_MODEL_VOLUME}" for name in names if name in served)
    return replace(_plain_pod(pod.at("spec")), brought=(*SELDON_VOLUMES, *models), mounted=None)


def _runtime_pod(runtime: Node, rendered: Rendered) -> Pod:
    lent = [
        volume
        for component in components(rendered)
        for model in component.models
        if names(model.at("runtime").text, component.service, runtime, rendered)
        for volume in component.spec.at("volumes").elements
    ]
    return replace(_plain_pod(runtime.at("spec"), tuple(lent)), whole=rendered.whole)


def all_of(containers: tuple[Node, ...], key: str) -> Iterator[Node]:
    """What stands in a list of several containers."""
    for container in containers:
        yield from container.at(key).elements


def is_model(container: Node) -> bool:
    """Whether a container is a model's own fields, which lie over its runtime's."""
    return not isinstance(container.path[-1], int)
