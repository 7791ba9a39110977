"""What the API server refuses of a pod when it is made, long after the manifest was applied.

[core] is pkg/apis/core/validation/validation.go of kubernetes, [batch] and [apps] are
pkg/apis/{batch,apps}/validation/validation.go.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from generator.resources import amount
from generator.webhook_rules.graphs import Predictor, containers, predictors, server
from generator.webhook_rules.nodes import Found, Node, Rendered, twice
from generator.webhook_rules.services import (
    RUNTIMES,
    Component,
    components,
    main_container,
    names,
    runtime_of,
)

WORKLOADS = ("Job", "Deployment", "StatefulSet", "DaemonSet")
LAST_PORT = 65_535
# storage_initializer_injector.go of kserve mounts the model by itself.
KSERVE_VOLUMES = ("kserve-provision-location", "kserve-pvc-source")
KSERVE_MOUNT = "/mnt/models"
# defaults.go and model_initializer_injector.go of seldon-core; the last is of one container each.
SELDON_VOLUMES = ("seldon-podinfo", "kfserving-pvc-source")
SELDON_MODEL_VOLUME = "provision-location"
STOCK_RUNTIMES_WITHOUT_VOLUMES = ("kserve-tritonserver", "kserve-torchserve")  # config/runtimes


@dataclass(frozen=True)
class Pod:
    """A pod that a manifest leads to, as far as that manifest writes it down.

    `lent` are volumes that stand in another manifest of the same pod, `base` is the container of
    the runtime below the model's; `whole` tells that nothing of the pod is out of sight. `brought`
    are the volumes that an operator adds, `mounted` where KServe mounts its own, whatever its name.
    """

    containers: tuple[Node, ...]
    volumes: tuple[Node, ...]
    lent: tuple[Node, ...] = ()
    base: Node | None = None
    whole: bool = True
    brought: tuple[str, ...] = KSERVE_VOLUMES
    mounted: str | None = KSERVE_MOUNT


def pods(rendered: Rendered) -> Iterator[Pod]:
    """The pods that the manifests lead to."""
    for manifest in rendered.of_kind(*WORKLOADS):
        yield _plain_pod(manifest.at("spec", "template", "spec"))
    for manifest in rendered.of_kind("Pod"):
        yield _plain_pod(manifest.at("spec"))
    for component in components(rendered):
        yield _component_pod(component, rendered)
        if component.spec.at("workerSpec").given:
            yield _plain_pod(component.spec.at("workerSpec"))
    for runtime in rendered.of_kind(*RUNTIMES):
        yield _runtime_pod(runtime, rendered)
        if runtime.at("spec", "workerSpec").given:
            yield _plain_pod(runtime.at("spec", "workerSpec"))
    for predictor in predictors(rendered):
        yield from (_seldon_pod(pod, predictor) for pod in predictor.pods)


def _plain_pod(spec: Node, lent: tuple[Node, ...] = ()) -> Pod:
    containers = spec.at("containers").elements + spec.at("initContainers").elements
    return Pod(containers, spec.at("volumes").elements, lent)


def _component_pod(component: Component, rendered: Rendered) -> Pod:
    runtime = runtime_of(component, rendered)
    named = [model.at("runtime").text for model in component.models]
    seen = runtime is not None or all(name in STOCK_RUNTIMES_WITHOUT_VOLUMES for name in named)
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
        if names(model.at("runtime").text, component.service, runtime)
        for volume in component.spec.at("volumes").elements
    ]
    return _plain_pod(runtime.at("spec"), tuple(lent))


def port_out_of_range(rendered: Rendered) -> Iterator[Found]:
    """No pod starts whose ports lie outside 1 to 65535 [core]."""
    for pod in pods(rendered):
        for port in _all(pod.containers, "ports"):
            number = port.at("containerPort").number
            if number is not None and not 1 <= number <= LAST_PORT:
                text = f"containerPort {number} is outside 1 to {LAST_PORT}"
                yield port.at("containerPort").refused(text, "write the port that it listens on")


def request_over_limit(rendered: Rendered) -> Iterator[Found]:
    """No pod starts that requests more than its limit [core]; a model's lie over its runtime's."""
    for pod in pods(rendered):
        for container in pod.containers:
            base = pod.base if _is_model(container) else None
            for name in _resources(container):
                request = _laid_over(container, base, "requests", name)
                limit = _laid_over(container, base, "limits", name)
                least, most = _amount(request), _amount(limit)
                if least is not None and most is not None and least > most:
                    text = f"request {request.value} of {name} exceeds limit {limit.value}"
                    place = limit if request.file != container.file else request
                    yield place.refused(text, "lower the request, or raise the limit")


def device_request_is_no_limit(rendered: Rendered) -> Iterator[Found]:
    """Devices such as GPUs are not shared: their request must equal their limit [core]."""
    for pod in pods(rendered):
        for container in pod.containers:
            base = pod.base if _is_model(container) else None
            for name in container.at("resources", "requests").keys:
                request = container.at("resources", "requests", name)
                limit = _laid_over(container, base, "limits", name)
                least, most = _amount(request), _amount(limit)
                if (
                    "/" not in name
                    or "kubernetes.io/" in name
                    or least is None
                    or (limit.given and most is None)
                ):
                    continue
                if most is None or least < most:  # above is request_over_limit
                    told = f"limit {limit.value}" if limit.given else "no limit"
                    text = f"request {request.value} of {name} with {told}"
                    yield request.refused(text, f"write `{name}` under limits alone")


def mount_without_volume(rendered: Rendered) -> Iterator[Found]:
    """No pod starts that mounts a volume it does not have [core]; an operator adds the model's."""
    for pod in pods(rendered):
        known = [volume.at("name").text for volume in pod.volumes + pod.lent]
        for mount in _all(pod.containers, "volumeMounts") if pod.whole else ():
            name, path = mount.at("name").text, mount.at("mountPath").text.rstrip("/")
            if name not in (*known, *pod.brought) and path != pod.mounted:
                hint = f"add `{name}` to volumes"
                yield mount.at("name").refused(f"no volume is named `{name}`", hint)


def volume_name_twice(rendered: Rendered) -> Iterator[Found]:
    """No pod starts with two volumes of one name [core]."""
    for pod in pods(rendered):
        for name in twice(tuple(volume.at("name") for volume in pod.volumes)):
            yield name.refused(f"two volumes are named `{name.text}`", "rename one")


def container_name_twice(rendered: Rendered) -> Iterator[Found]:
    """No pod starts with two containers of one name [core]."""
    for pod in pods(rendered):
        own = [container for container in pod.containers if not _is_model(container)]
        for name in twice(tuple(container.at("name") for container in own)):
            yield name.refused(f"two containers are named `{name.text}`", "rename one")


def job_restart_policy(rendered: Rendered) -> Iterator[Found]:
    """A Job must say Never or OnFailure: the default of pods, Always, would never end [batch]."""
    for job in rendered.of_kind("Job"):
        policy = job.at("spec", "template", "spec", "restartPolicy")
        if policy.value not in ("Never", "OnFailure"):
            text = f"restartPolicy `{policy.text or 'Always'}` in a Job"
            yield policy.refused(text, "write `Never` or `OnFailure`")


def job_selector(rendered: Rendered) -> Iterator[Found]:
    """A Job makes its own selector and refuses another, unless told otherwise [batch]."""
    for job in rendered.of_kind("Job"):
        selector = job.at("spec", "selector")
        if selector.given and job.at("spec", "manualSelector").value is not True:
            yield selector.refused("`selector` of a Job is made by the cluster", "remove it")


def selector_of_other_labels(rendered: Rendered) -> Iterator[Found]:
    """A workload must select the pods of its own template [apps]."""
    for workload in rendered.of_kind(*WORKLOADS):
        selector = workload.at("spec", "selector", "matchLabels")
        labels = workload.at("spec", "template", "metadata", "labels")
        for key in selector.keys:
            if labels.at(key).value != selector.at(key).value:
                text = f"label `{key}` of the selector is not that of the template"
                hint = "give spec.template.metadata.labels the same value"
                yield selector.at(key).refused(text, hint)


def _all(containers: tuple[Node, ...], key: str) -> Iterator[Node]:
    for container in containers:
        yield from container.at(key).elements


def _is_model(container: Node) -> bool:
    return not isinstance(container.path[-1], int)


def _resources(container: Node) -> list[str]:
    """The resources that a container itself says something about."""
    kinds = ("requests", "limits")
    return sorted({name for kind in kinds for name in container.at("resources", kind).keys})


def _laid_over(container: Node, base: Node | None, kind: str, name: str) -> Node:
    own = container.at("resources", kind, name)
    return own if own.given or base is None else base.at("resources", kind, name)


def _amount(quantity: Node) -> Fraction | None:
    """The quantity as a number; nothing where it is absent or in a form that we do not read."""
    if not isinstance(quantity.value, str | int | float) or isinstance(quantity.value, bool):
        return None
    try:
        return amount(quantity.value)
    except ValueError:
        return None


RULES = (
    port_out_of_range,
    request_over_limit,
    device_request_is_no_limit,
    mount_without_volume,
    volume_name_twice,
    container_name_twice,
    job_restart_policy,
    job_selector,
    selector_of_other_labels,
)
