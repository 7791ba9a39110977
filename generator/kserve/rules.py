"""What KServe refuses, or takes in silence and does wrong, whichever server it runs.

A target adopts these for its own projects: the rules' names begin with the target's.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any

from generator.document import Pointer
from generator.kserve.exposure import PERF, TRANSFORMER, Exposure
from generator.problem import Problem, did_you_mean
from generator.project import Project, ReplicaRange
from generator.resources import seconds
from generator.storage import scheme
from generator.target import TargetRule
from generator.transforms.code import answer_of

_METRICS = {"Knative": ("concurrency", "rps"), "Standard": ("cpu", "memory")}
_KNATIVE_SECONDS = 600  # max-revision-timeout-seconds in Knative's config-defaults

KServeRule = Callable[[Project, Exposure], Iterator[Problem]]


def adopted(
    rules: tuple[KServeRule, ...], exposure: Callable[[Project, Any], Exposure | None]
) -> tuple[TargetRule, ...]:
    """The rules as rules of a target; they pass where a project is not exposed by KServe."""
    return tuple(_adopted(rule, exposure) for rule in rules)


def _adopted(rule: KServeRule, exposure: Callable[[Project, Any], Exposure | None]) -> TargetRule:
    @functools.wraps(rule)
    def judged(project: Project, options: Any) -> Iterator[Problem]:
        seen = exposure(project, options)
        return rule(project, seen) if seen else iter(())

    return judged


def door_not_exposed(project: Project, exposure: Exposure) -> Iterator[Problem]:
    """KServe exposes one port of a service: with a transformer it is the transformer's HTTP."""
    if project.serving.transport == "grpc" and exposure.has_transformer:
        message = "the transformer's door is HTTP; gRPC is the hop behind it"
        hint = "set transport: http, or another run_in"
        yield Problem(("serving", "transport"), message, hint)


def perf_without_namespace(project: Project, _exposure: Exposure) -> Iterator[Problem]:
    """The load test calls the service by its host name in the cluster, which has the namespace."""
    if project.perf and not project.kubernetes.namespace:
        message = "the load test needs the namespace that the service runs in"
        yield Problem(("perf",), message, "add `kubernetes: {namespace: ...}`", at_key=True)


def json_cannot_carry_float16(project: Project, exposure: Exposure) -> Iterator[Problem]:
    """JSON has no half-precision numbers, and the V2 protocol refuses FP16 in JSON."""
    if not exposure.has_transformer or project.transforms.postprocess:
        return
    for index, tensor in enumerate(project.model.outputs):
        if tensor.dtype == "float16":
            message = f"output `{tensor.name}` is float16, which JSON answers cannot carry"
            hint = "return float32 from the model, or set run_in: client"
            yield Problem(("model", "outputs", index, "dtype"), message, hint)


def several_outputs_behind_a_transformer(project: Project, exposure: Exposure) -> Iterator[Problem]:
    """The rendered transformer hands one tensor on; the others would be lost without a word."""
    outputs = len(project.model.outputs)
    if exposure.has_transformer and outputs > 1:
        message = f"the transformer answers with one output, and the model returns {outputs}"
        hint = "return one tensor from the model, or set run_in: client"
        yield Problem(("model", "outputs", 1), message, hint)


def answer_of_free_shape(project: Project, exposure: Exposure) -> Iterator[Problem]:
    """Answers of several instances become one tensor at the V2 door: all must have one shape."""
    if not exposure.has_transformer:
        return
    answer = answer_of(project)
    if answer.kind == "tensor" and any(isinstance(size, str) for size in answer.shape):
        shape = ", ".join(map(str, answer.shape))
        message = f"the transformer would answer with tensors of free shape [{shape}]"
        hint = "give the output's sizes, end postprocess with top_k, or set run_in: client"
        yield Problem(("model", "outputs", 0, "shape"), message, hint)


def storage_missing(project: Project, exposure: Exposure) -> Iterator[Problem]:
    """KServe downloads the bundle from somewhere."""
    if not project.storage:
        hint = "add `storage: {uri: s3://bucket/folder}`"
        message = f"{exposure.target} needs a storage uri to download the bundle from"
        yield Problem(("storage",), message, hint)


def storage_is_no_folder(project: Project, exposure: Exposure) -> Iterator[Problem]:
    """An image, a model hub's repository or an archive cannot hold a folder for each target."""
    storage = project.storage
    kind = scheme(storage.bundle_uri) if storage else ""
    if storage and kind in ("hf", "https", "oci") and not storage.is_verbatim:
        message = f"{kind}:// names one thing, not a folder that holds targets' bundles"
        hint = f"move it to targets.{exposure.target}.storage.uri, where it is taken as it is"
        yield Problem(("storage", "uri"), message, hint)


def storage_is_no_archive(project: Project, _exposure: Exposure) -> Iterator[Problem]:
    """KServe downloads a single file over https and unpacks it; it cannot list a folder."""
    storage = project.storage
    uri = storage.bundle_uri if storage and storage.is_verbatim else ""
    if uri.startswith("https://") and not uri.endswith((".tar", ".tar.gz", ".tgz", ".zip")):
        message = f"`{uri}` is not an archive, and https cannot list a folder"
        hint = "name a .tar.gz, or use s3://, gs:// or pvc://"
        yield Problem(("storage", "uri"), message, hint)


def storage_is_no_repository(project: Project, _exposure: Exposure) -> Iterator[Problem]:
    """KServe takes hf://owner/repository[:revision] and nothing deeper."""
    storage = project.storage
    uri = storage.bundle_uri if storage and storage.is_verbatim else ""
    if uri.startswith("hf://") and uri.count("/") != 3:
        message = f"`{uri}` is not hf://owner/repository"
        yield Problem(("storage", "uri"), message, "write hf://owner/repository[:revision]")


def secret_without_use(project: Project, _exposure: Exposure) -> Iterator[Problem]:
    """A volume is mounted and an image is pulled: neither reads the storage's credentials."""
    storage = project.storage
    kind = scheme(storage.bundle_uri) if storage else ""
    if storage and storage.secret and kind in ("pvc", "oci"):
        hint = "remove it"
        if kind == "oci":
            hint = "name it in kubernetes.image_pull_secrets instead"
        message = f"{kind}:// storage does not read `secret`"
        yield Problem(("storage", "secret"), message, hint, at_key=True)


def images_missing(project: Project, exposure: Exposure) -> Iterator[Problem]:
    """An image that is built for the project needs a name to be pushed to and pulled from."""
    if project.images:
        return
    asked_by: dict[str, Pointer] = {TRANSFORMER: ("transforms",), PERF: ("perf",)}
    for component in exposure.built[:1]:
        pointer = asked_by.get(component, ("targets", exposure.target))
        message = f"the {component} image has no name without `images`"
        hint = 'add `images: {registry: docker.io/acme, tag: "1.0"}`'
        yield Problem(pointer, message, hint, at_key=True)


def scale_to_zero_in_standard_mode(project: Project, exposure: Exposure) -> Iterator[Problem]:
    """Only Knative starts a replica when a request comes in."""
    if exposure.deployment_mode == "Knative":
        return
    for pointer, replicas in _replicas(project):
        if replicas.min == 0:
            hint = f"set it to 1, or {exposure.other_mode}"
            yield Problem((*pointer, "min"), f"{exposure.mode} cannot scale to zero", hint)


def _replicas(project: Project) -> Iterator[tuple[Pointer, ReplicaRange]]:
    """The model's replicas and those of components that have their own."""
    yield ("serving", "replicas"), project.serving.replicas
    for name, component in project.hardware.components.items():
        if component.replicas:
            yield ("hardware", "components", name, "replicas"), component.replicas


def metric_not_offered(project: Project, exposure: Exposure) -> Iterator[Problem]:
    """Each mode has its own autoscaler: Knative's counts requests, an HPA cpu and memory.

    Sources: knative/serving, pkg/apis/autoscaling/annotation_validation.go; KServe's webhook
    for a scaleTarget over 100.
    """
    autoscaling = project.serving.autoscaling
    if not autoscaling:
        return
    offered = _METRICS[exposure.deployment_mode]
    if autoscaling.metric not in offered:
        message = f"{exposure.mode} cannot scale by {autoscaling.metric}"
        hint = f"choose {' or '.join(offered)}, or {exposure.other_mode}"
        yield Problem(("serving", "autoscaling", "metric"), message, hint)
    elif not exposure.is_knative and not exposure.is_plain and autoscaling.target > 100:
        message = f"target {autoscaling.target} exceeds 100 percent of the request"
        yield Problem(("serving", "autoscaling", "target"), message, "KServe takes 1 to 100")


def replicas_never_reached(project: Project, exposure: Exposure) -> Iterator[Problem]:
    """Standard mode has no autoscaler unless one is asked for."""
    if exposure.deployment_mode == "Knative" or project.serving.autoscaling:
        return
    for pointer, replicas in _replicas(project):
        if replicas.max > replicas.min > 0:
            message = f"max {replicas.max} is never reached: nothing scales {exposure.mode}"
            hint = f"add serving.autoscaling, or set max to {replicas.min}"
            yield Problem((*pointer, "max"), message, hint)


def autoscaling_without_room(project: Project, _exposure: Exposure) -> Iterator[Problem]:
    """An autoscaler whose least is its most has nothing to do."""
    if project.serving.autoscaling and all(r.min >= r.max for _, r in _replicas(project)):
        most = project.serving.replicas.max
        message = f"autoscaling has no room: replicas are {most} to {most}"
        yield Problem(("serving", "autoscaling"), message, "raise serving.replicas.max")


def timeout_over_knatives(project: Project, exposure: Exposure) -> Iterator[Problem]:
    """Knative refuses a revision whose time-out exceeds the cluster's largest."""
    timeout = project.serving.timeout
    if exposure.deployment_mode == "Knative" and seconds(timeout) > _KNATIVE_SECONDS:
        message = f"timeout {timeout} exceeds the {_KNATIVE_SECONDS} s that Knative allows"
        hint = "raise max-revision-timeout-seconds in its config-defaults first"
        yield Problem(("serving", "timeout"), message, hint, severity="warning")


def name_too_long(project: Project, exposure: Exposure) -> Iterator[Problem]:
    """Names and host labels made from the service's name hold 63 characters at most."""
    namespace = project.kubernetes.namespace or "default"
    made = [f"{exposure.service}-predictor-{namespace}"]
    if exposure.has_transformer:
        made.append(f"{exposure.service}-transformer-{namespace}")
        made.append(f"{exposure.service}-transformer-00001-deployment")
    made.append(f"{exposure.service}-predictor-00001-deployment")
    if project.perf:
        made.append(f"{exposure.service}-perf-00000000")
    longest = max(made, key=len)
    if len(longest) > 63:
        message = f"`{longest}` has {len(longest)} characters, more than a DNS label's 63"
        own = f"targets.{exposure.target}.names.service"
        hint = f"shorten the service's name by {len(longest) - 63}, in {own}"
        pointer: Pointer = ("name",)
        if exposure.renames_service:
            pointer = ("targets", exposure.target, "names", "service")
        yield Problem(pointer, message, hint)


def annotation_is_ours(project: Project, exposure: Exposure) -> Iterator[Problem]:
    """Of a key that stands twice in a manifest, one value is dropped without a word."""
    for key in project.kubernetes.annotations:
        if key in _SET_BY:
            pointer: Pointer = ("kubernetes", "annotations", key)
            message = f"annotation `{key}` is already rendered"
            field = _SET_BY[key].format(exposure.target)
            yield Problem(pointer, message, f"remove it, and set {field}", at_key=True)


_SET_BY = {
    "serving.kserve.io/deploymentMode": "targets.{}.deployment_mode",
    "serving.kserve.io/autoscalerClass": "serving.autoscaling",
    "serving.kserve.io/storageSecretName": "storage.secret",
}  # the annotations of inferenceservice.yaml.j2


def image_named_twice(_project: Project, exposure: Exposure) -> Iterator[Problem]:
    """The image that is pushed last replaces the other."""
    seen: dict[str, str] = {}
    for component, name in exposure.image_names.items():
        other = seen.setdefault(name, component)
        if other != component:
            at: Pointer = ("targets", exposure.target, "names", "images", component)
            message = f"the {component} image has the name of the {other} image"
            yield Problem(at, message, "name it otherwise")


def unknown_component(project: Project, exposure: Exposure) -> Iterator[Problem]:
    """Numbers for a component that is not there would be lost without a word."""
    known = [TRANSFORMER] if exposure.has_transformer else []
    for name in project.hardware.components:
        if name not in known:
            hint = did_you_mean(name, known) if known else "only run_in: component has components"
            message = f"there is no component `{name}` on {exposure.target}"
            yield Problem(("hardware", "components", name), message, hint, at_key=True)


def image_not_built(project: Project, exposure: Exposure) -> Iterator[Problem]:
    """A name for an image that this project does not build goes nowhere."""
    if not project.images:
        return  # told by images_missing where an image is built
    for component in exposure.image_names:
        if component not in exposure.built:
            pointer: Pointer = ("targets", exposure.target, "names", "images", component)
            message = f"no {component} image is built for this project"
            yield Problem(pointer, message, "remove its name", at_key=True)


RULES: tuple[KServeRule, ...] = (
    door_not_exposed,
    json_cannot_carry_float16,
    several_outputs_behind_a_transformer,
    answer_of_free_shape,
    storage_missing,
    storage_is_no_folder,
    storage_is_no_archive,
    storage_is_no_repository,
    secret_without_use,
    timeout_over_knatives,
    name_too_long,
    annotation_is_ours,
)

COMPONENT_RULES: tuple[KServeRule, ...] = (
    images_missing,
    image_named_twice,
    unknown_component,
    image_not_built,
)
"""Rules about a project's own images and components, on KServe or not."""

SCALING_RULES: tuple[KServeRule, ...] = (
    perf_without_namespace,
    scale_to_zero_in_standard_mode,
    metric_not_offered,
    replicas_never_reached,
    autoscaling_without_room,
)
"""Rules about what runs in a cluster, on KServe or not."""
