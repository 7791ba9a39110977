"""What KServe and Triton refuse, or take in silence and do wrong."""

from collections.abc import Iterator

from generator.document import Pointer
from generator.problem import Problem, did_you_mean
from generator.project import Project, ReplicaRange
from generator.resources import seconds
from generator.storage import scheme
from generator.targets.base import TargetRule
from generator.targets.triton.options import Options
from generator.targets.triton.service import PERF, TRANSFORMER, describe
from generator.transforms.code import answer_of

_RUN_IN = {"component": "a transformer in front of Triton", "client": "the caller sends tensors"}
_METRICS = {"Knative": ("concurrency", "rps"), "Standard": ("cpu", "memory")}
_KNATIVE_SECONDS = 600  # max-revision-timeout-seconds in Knative's config-defaults


def run_in_not_offered(project: Project, _options: Options) -> Iterator[Problem]:
    """Transforms inside Triton (an ensemble) or inside the module are not rendered yet."""
    run_in = project.transforms.run_in
    if run_in not in _RUN_IN:
        choices = " or ".join(f"{word} ({what})" for word, what in _RUN_IN.items())
        message = f"triton cannot run transforms in the {run_in} yet"
        yield Problem(("transforms", "run_in"), message, f"choose {choices}")


def protocol_not_offered(project: Project, options: Options) -> Iterator[Problem]:
    """Triton speaks V2; only a transformer in front of it also speaks V1."""
    protocol = project.serving.protocol
    service = describe(project, options)
    if protocol == "native":
        message = "triton has no native protocol of its own"
        yield Problem(("serving", "protocol"), message, "choose v2")
    elif protocol == "v1" and not service.has_transformer:
        message = "triton speaks v2; v1 needs a transformer in front of it"
        hint = "choose v2, or give transforms.preprocess with run_in: component"
        yield Problem(("serving", "protocol"), message, hint)


def door_not_exposed(project: Project, options: Options) -> Iterator[Problem]:
    """KServe exposes one port of a service: with a transformer it is the transformer's HTTP."""
    if project.serving.transport == "grpc" and describe(project, options).has_transformer:
        message = "the transformer's door is HTTP; gRPC is the hop behind it"
        hint = "set transport: http, or run_in: client to call Triton over gRPC"
        yield Problem(("serving", "transport"), message, hint)


def perf_over_grpc(project: Project, options: Options) -> Iterator[Problem]:
    """vegeta speaks HTTP, and KServe exposes the gRPC port alone."""
    grpc = project.serving.transport == "grpc" and not describe(project, options).has_transformer
    if project.perf and grpc:
        hint = "set transport: http, or remove `perf`"
        yield Problem(("perf",), "the load test cannot speak gRPC yet", hint, at_key=True)


def perf_without_namespace(project: Project, _options: Options) -> Iterator[Problem]:
    """The load test calls the service by its host name in the cluster, which has the namespace."""
    if project.perf and not project.kubernetes.namespace:
        message = "the load test needs the namespace that the service runs in"
        yield Problem(("perf",), message, "add `kubernetes: {namespace: ...}`", at_key=True)


def json_cannot_carry_float16(project: Project, options: Options) -> Iterator[Problem]:
    """JSON has no half-precision numbers, and the V2 protocol refuses FP16 in JSON."""
    if not describe(project, options).has_transformer or project.transforms.postprocess:
        return
    for index, tensor in enumerate(project.model.outputs):
        if tensor.dtype == "float16":
            message = f"output `{tensor.name}` is float16, which JSON answers cannot carry"
            hint = "return float32 from the model, or set run_in: client"
            yield Problem(("model", "outputs", index, "dtype"), message, hint)


def several_outputs_behind_a_transformer(project: Project, options: Options) -> Iterator[Problem]:
    """The rendered transformer hands one tensor on; the others would be lost without a word."""
    outputs = len(project.model.outputs)
    if describe(project, options).has_transformer and outputs > 1:
        message = f"the transformer answers with one output, and the model returns {outputs}"
        hint = "return one tensor from the model, or set run_in: client"
        yield Problem(("model", "outputs", 1), message, hint)


def answer_of_free_shape(project: Project, options: Options) -> Iterator[Problem]:
    """Answers of several instances become one tensor at the V2 door: all must have one shape."""
    if not describe(project, options).has_transformer:
        return
    answer = answer_of(project)
    if answer.kind == "tensor" and any(isinstance(size, str) for size in answer.shape):
        shape = ", ".join(map(str, answer.shape))
        message = f"the transformer would answer with tensors of free shape [{shape}]"
        hint = "give the output's sizes, end postprocess with top_k, or set run_in: client"
        yield Problem(("model", "outputs", 0, "shape"), message, hint)


def storage_missing(project: Project, _options: Options) -> Iterator[Problem]:
    """KServe downloads the model repository from somewhere."""
    if not project.storage:
        hint = "add `storage: {uri: s3://bucket/folder}`"
        yield Problem(("storage",), "triton needs a storage uri for the model repository", hint)


def storage_is_no_folder(project: Project, _options: Options) -> Iterator[Problem]:
    """An image, a model hub's repository or an archive cannot hold a folder for each target."""
    storage = project.storage
    kind = scheme(storage.bundle_uri) if storage else ""
    if storage and kind in ("hf", "https", "oci") and not storage.is_verbatim:
        message = f"{kind}:// names one thing, not a folder that holds targets' bundles"
        hint = "move it to targets.triton.storage.uri, where it is taken as it is"
        yield Problem(("storage", "uri"), message, hint)


def storage_is_no_archive(project: Project, _options: Options) -> Iterator[Problem]:
    """KServe downloads a single file over https and unpacks it; it cannot list a folder."""
    storage = project.storage
    uri = storage.bundle_uri if storage and storage.is_verbatim else ""
    if uri.startswith("https://") and not uri.endswith((".tar", ".tar.gz", ".tgz", ".zip")):
        message = f"`{uri}` is not an archive, and https cannot list a folder"
        hint = "name a .tar.gz, or use s3://, gs:// or pvc://"
        yield Problem(("storage", "uri"), message, hint)


def storage_is_no_repository(project: Project, _options: Options) -> Iterator[Problem]:
    """KServe takes hf://owner/repository[:revision] and nothing deeper."""
    storage = project.storage
    uri = storage.bundle_uri if storage and storage.is_verbatim else ""
    if uri.startswith("hf://") and uri.count("/") != 3:
        message = f"`{uri}` is not hf://owner/repository"
        yield Problem(("storage", "uri"), message, "write hf://owner/repository[:revision]")


def secret_without_use(project: Project, _options: Options) -> Iterator[Problem]:
    """A volume is mounted and an image is pulled: neither reads the storage's credentials."""
    storage = project.storage
    kind = scheme(storage.bundle_uri) if storage else ""
    if storage and storage.secret and kind in ("pvc", "oci"):
        hint = "remove it"
        if kind == "oci":
            hint = "name it in kubernetes.image_pull_secrets instead"
        message = f"{kind}:// storage does not read `secret`"
        yield Problem(("storage", "secret"), message, hint, at_key=True)


def images_missing(project: Project, options: Options) -> Iterator[Problem]:
    """An image that is built for the project needs a name to be pushed to and pulled from."""
    if project.images:
        return
    for wanted, component, pointer in (
        (describe(project, options).has_transformer, TRANSFORMER, ("transforms",)),
        (project.perf is not None, PERF, ("perf",)),
    ):
        if wanted:
            message = f"the {component} image has no name without `images`"
            hint = 'add `images: {registry: docker.io/acme, tag: "1.0"}`'
            yield Problem(pointer, message, hint, at_key=True)
            return


def preferred_batch_too_large(project: Project, options: Options) -> Iterator[Problem]:
    """Triton refuses to load a model that prefers a batch larger than its maximum."""
    maximum = describe(project, options).max_batch_size
    for index, size in enumerate(project.serving.batching.preferred):
        if size > maximum > 0:
            message = f"preferred batch {size} exceeds max_size {maximum}"
            hint = f"raise serving.batching.max_size to {size}, or drop {size} from the list"
            yield Problem(("serving", "batching", "preferred", index), message, hint)


def scale_to_zero_in_standard_mode(project: Project, options: Options) -> Iterator[Problem]:
    """Only Knative starts a replica when a request comes in."""
    if options.deployment_mode == "Knative":
        return
    for pointer, replicas in _replicas(project):
        if replicas.min == 0:
            hint = "set it to 1, or deployment_mode: Knative"
            yield Problem((*pointer, "min"), "Standard mode cannot scale to zero", hint)


def _replicas(project: Project) -> Iterator[tuple[Pointer, ReplicaRange]]:
    """The model's replicas and those of components that have their own."""
    yield ("serving", "replicas"), project.serving.replicas
    for name, component in project.hardware.components.items():
        if component.replicas:
            yield ("hardware", "components", name, "replicas"), component.replicas


def metric_not_offered(project: Project, options: Options) -> Iterator[Problem]:
    """Each mode has its own autoscaler: Knative's counts requests, an HPA cpu and memory.

    Sources: knative/serving, pkg/apis/autoscaling/annotation_validation.go; KServe's webhook
    for a scaleTarget over 100.
    """
    autoscaling = project.serving.autoscaling
    if not autoscaling:
        return
    mode, other = options.deployment_mode, "Standard"
    if mode == "Standard":
        other = "Knative"
    if autoscaling.metric not in _METRICS[mode]:
        message = f"{mode} mode cannot scale by {autoscaling.metric}"
        hint = f"choose {' or '.join(_METRICS[mode])}, or deployment_mode: {other}"
        yield Problem(("serving", "autoscaling", "metric"), message, hint)
    elif mode == "Standard" and autoscaling.target > 100:
        message = f"target {autoscaling.target} exceeds 100 percent of the request"
        yield Problem(("serving", "autoscaling", "target"), message, "KServe takes 1 to 100")


def replicas_never_reached(project: Project, options: Options) -> Iterator[Problem]:
    """Standard mode has no autoscaler unless one is asked for."""
    if options.deployment_mode == "Knative" or project.serving.autoscaling:
        return
    for pointer, replicas in _replicas(project):
        if replicas.max > replicas.min > 0:
            message = f"max {replicas.max} is never reached: nothing scales Standard mode"
            hint = f"add serving.autoscaling, or set max to {replicas.min}"
            yield Problem((*pointer, "max"), message, hint)


def autoscaling_without_room(project: Project, _options: Options) -> Iterator[Problem]:
    """An autoscaler whose least is its most has nothing to do."""
    if project.serving.autoscaling and all(r.min >= r.max for _, r in _replicas(project)):
        most = project.serving.replicas.max
        message = f"autoscaling has no room: replicas are {most} to {most}"
        yield Problem(("serving", "autoscaling"), message, "raise serving.replicas.max")


def timeout_over_knatives(project: Project, options: Options) -> Iterator[Problem]:
    """Knative refuses a revision whose time-out exceeds the cluster's largest."""
    timeout = project.serving.timeout
    if options.deployment_mode == "Knative" and seconds(timeout) > _KNATIVE_SECONDS:
        message = f"timeout {timeout} exceeds the {_KNATIVE_SECONDS} s that Knative allows"
        hint = "raise max-revision-timeout-seconds in its config-defaults first"
        yield Problem(("serving", "timeout"), message, hint, severity="warning")


def name_too_long(project: Project, options: Options) -> Iterator[Problem]:
    """Names and host labels made from the service's name hold 63 characters at most."""
    service = describe(project, options)
    namespace = project.kubernetes.namespace or "default"
    made = [f"{service.name}-predictor-{namespace}"]
    if service.has_transformer:
        made.append(f"{service.name}-transformer-{namespace}")
        made.append(f"{service.name}-transformer-00001-deployment")
    made.append(f"{service.name}-predictor-00001-deployment")
    if project.perf:
        made.append(f"{service.name}-perf-00000000")
    longest = max(made, key=len)
    if len(longest) > 63:
        message = f"`{longest}` has {len(longest)} characters, more than a DNS label's 63"
        named = options.names.service
        pointer: Pointer = ("targets", "triton", "names", "service") if named else ("name",)
        hint = f"shorten the service's name by {len(longest) - 63}, in targets.triton.names.service"
        yield Problem(pointer, message, hint)


def annotation_is_ours(project: Project, _options: Options) -> Iterator[Problem]:
    """Of a key that stands twice in a manifest, one value is dropped without a word."""
    for key in project.kubernetes.annotations:
        if key in _SET_BY:
            pointer: Pointer = ("kubernetes", "annotations", key)
            message = f"annotation `{key}` is already rendered"
            yield Problem(pointer, message, f"remove it, and set {_SET_BY[key]}", at_key=True)


_SET_BY = {
    "serving.kserve.io/deploymentMode": "targets.triton.deployment_mode",
    "serving.kserve.io/autoscalerClass": "serving.autoscaling",
    "serving.kserve.io/storageSecretName": "storage.secret",
}  # the annotations of inferenceservice.yaml.j2


def unknown_component(project: Project, options: Options) -> Iterator[Problem]:
    """Numbers for a component that is not there would be lost without a word."""
    known = [TRANSFORMER] if describe(project, options).has_transformer else []
    for name in project.hardware.components:
        if name not in known:
            hint = did_you_mean(name, known) if known else "only run_in: component has components"
            message = f"there is no component `{name}` on triton"
            yield Problem(("hardware", "components", name), message, hint, at_key=True)


def image_not_built(project: Project, options: Options) -> Iterator[Problem]:
    """A name for an image that this project does not build goes nowhere."""
    if not project.images:
        return  # told by images_missing where an image is built
    built = describe(project, options).images
    for component in options.names.images:
        if component not in built:
            pointer: Pointer = ("targets", "triton", "names", "images", component)
            message = f"no {component} image is built for this project"
            yield Problem(pointer, message, "remove its name", at_key=True)


RULES: tuple[TargetRule, ...] = (
    run_in_not_offered,
    protocol_not_offered,
    door_not_exposed,
    perf_over_grpc,
    perf_without_namespace,
    json_cannot_carry_float16,
    several_outputs_behind_a_transformer,
    answer_of_free_shape,
    storage_missing,
    storage_is_no_folder,
    storage_is_no_archive,
    storage_is_no_repository,
    secret_without_use,
    images_missing,
    preferred_batch_too_large,
    scale_to_zero_in_standard_mode,
    metric_not_offered,
    replicas_never_reached,
    autoscaling_without_room,
    timeout_over_knatives,
    name_too_long,
    annotation_is_ours,
    unknown_component,
    image_not_built,
)
