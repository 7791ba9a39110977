"""What KServe refuses, or takes in silence and does wrong, whichever server it runs.

A target adopts these for its own projects: the rules' names begin with the target's.
"""

from collections.abc import Callable, Iterator

from generator.compatibility import table
from generator.document import Pointer
from generator.kserve.exposure import Exposure
from generator.problem import Problem, says
from generator.project import Project
from generator.resources import seconds
from generator.storage import scheme
from generator.transforms.code import answer_of
from generator.transforms.component import component_requirements

_KNATIVE_SECONDS = 600  # max-revision-timeout-seconds in Knative's config-defaults

KServeRule = Callable[[Project, Exposure], Iterator[Problem]]


def door_not_exposed(project: Project, exposure: Exposure) -> Iterator[Problem]:
    """KServe exposes one port of a service: with a transformer it is the transformer's HTTP.

    A gRPC client would find nobody at the service's address.
    """
    if project.serving.transport == "grpc" and exposure.has_transformer:
        message = "the transformer's door is HTTP; gRPC is the hop behind it"
        hint = "set transport: http, or another run_in"
        related = (says(("transforms", "run_in"), project.transforms.run_in),)
        yield Problem(("serving", "transport"), message, hint, related=related)


def json_cannot_carry_float16(project: Project, exposure: Exposure) -> Iterator[Problem]:
    """JSON has no half-precision numbers, and the V2 protocol refuses FP16 in JSON."""
    if not exposure.has_transformer or project.transforms.postprocess:
        return
    for index, tensor in enumerate(project.model.outputs):
        if tensor.dtype == "float16":
            message = f"output `{tensor.name}` is float16, which JSON answers cannot carry"
            hint = "return float32 from the model, or set run_in: client"
            related = (says(("transforms", "run_in"), project.transforms.run_in),)
            yield Problem(("model", "outputs", index, "dtype"), message, hint, related=related)


def several_outputs_behind_a_transformer(project: Project, exposure: Exposure) -> Iterator[Problem]:
    """The rendered transformer hands one tensor on; the others would be lost without a word."""
    outputs = len(project.model.outputs)
    if exposure.has_transformer and outputs > 1:
        message = f"the transformer answers with one output, and the model returns {outputs}"
        hint = "return one tensor from the model, or set run_in: client"
        related = (says(("transforms", "run_in"), project.transforms.run_in),)
        yield Problem(("model", "outputs", 1), message, hint, related=related)


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


def component_package_not_offered(project: Project, exposure: Exposure) -> Iterator[Problem]:
    """The transformer's image has one Python, and KServe's SDK packages that it needs.

    pip refuses a package that has no release for that Python, or none that goes with the SDK: the
    image cannot be built.
    """
    lines, users = component_requirements(project), project.transforms.requirements
    if not exposure.has_transformer or not users:
        return
    from generator.compatibility.requirements import refused  # of which few specs have need

    for each in refused(lines, table().transformer.python):
        line = lines[each.index]
        if line in users:
            at: Pointer = ("transforms", "requirements", users.index(line))
            yield Problem(at, each.message, each.hint)


def storage_missing(project: Project, exposure: Exposure) -> Iterator[Problem]:
    """KServe's storage initializer downloads the bundle before the server starts.

    Without a uri there would be nothing in the folder that the server reads its model from.
    """
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
    """KServe downloads a single file over https and unpacks it; it cannot list a folder.

    Of anything but an archive, the server would find one file in place of its repository.
    """
    storage = project.storage
    uri = storage.bundle_uri if storage and storage.is_verbatim else ""
    if uri.startswith("https://") and not uri.endswith((".tar", ".tar.gz", ".tgz", ".zip")):
        message = f"`{uri}` is not an archive, and https cannot list a folder"
        hint = "name a .tar.gz, or use s3://, gs:// or pvc://"
        yield Problem(("storage", "uri"), message, hint)


def storage_is_no_repository(project: Project, _exposure: Exposure) -> Iterator[Problem]:
    """KServe takes hf://owner/repository[:revision] and nothing deeper.

    Its storage initializer would fail, and the pod never start.
    """
    storage = project.storage
    uri = storage.bundle_uri if storage and storage.is_verbatim else ""
    if uri.startswith("hf://") and uri.count("/") != 3:
        message = f"`{uri}` is not hf://owner/repository"
        yield Problem(("storage", "uri"), message, "write hf://owner/repository[:revision]")


def secret_without_use(project: Project, _exposure: Exposure) -> Iterator[Problem]:
    """A volume is mounted and an image is pulled: neither reads the storage's credentials.

    Whoever gave the secret would believe that it guards or opens something.
    """
    storage = project.storage
    kind = scheme(storage.bundle_uri) if storage else ""
    if storage and storage.secret and kind in ("pvc", "oci"):
        hint = "remove it"
        if kind == "oci":
            hint = "name it in kubernetes.image_pull_secrets instead"
        message = f"{kind}:// storage does not read `secret`"
        related = ((("storage", "uri"), f"the storage is {kind}://"),)
        yield Problem(("storage", "secret"), message, hint, at_key=True, related=related)


def timeout_over_knatives(project: Project, exposure: Exposure) -> Iterator[Problem]:
    """Knative refuses a revision whose time-out exceeds the cluster's largest.

    That is 600 s, unless the cluster's config-defaults say otherwise.
    """
    timeout = project.serving.timeout
    if exposure.deployment_mode == "Knative" and seconds(timeout) > _KNATIVE_SECONDS:
        message = f"timeout {timeout} exceeds the {_KNATIVE_SECONDS} s that Knative allows"
        hint = "raise max-revision-timeout-seconds in its config-defaults first"
        mode = says(("targets", exposure.target, "deployment_mode"), "Knative")
        yield Problem(("serving", "timeout"), message, hint, severity="warning", related=(mode,))


def name_too_long(project: Project, exposure: Exposure) -> Iterator[Problem]:
    """Names and host labels made from the service's name hold 63 characters at most.

    What is longer is refused by the API server, or the service never gets its host name.
    """
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


def scale_target_over_100_percent(project: Project, exposure: Exposure) -> Iterator[Problem]:
    """KServe's webhook takes 1 to 100 of cpu and memory, which an autoscaler alone would not."""
    autoscaling = project.serving.autoscaling
    if autoscaling and autoscaling.metric in ("cpu", "memory") and autoscaling.target > 100:
        message = f"target {autoscaling.target} exceeds 100 percent of the request"
        at: Pointer = ("serving", "autoscaling")
        related = (says((*at, "metric"), autoscaling.metric),)
        yield Problem((*at, "target"), message, "KServe takes 1 to 100", related=related)


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
    "serving.kserve.io/secretName": "storage.secret",
}  # the annotations of inferenceservice.yaml.j2


RULES: tuple[KServeRule, ...] = (
    door_not_exposed,
    json_cannot_carry_float16,
    several_outputs_behind_a_transformer,
    answer_of_free_shape,
    component_package_not_offered,
    storage_missing,
    storage_is_no_folder,
    storage_is_no_archive,
    storage_is_no_repository,
    secret_without_use,
    timeout_over_knatives,
    scale_target_over_100_percent,
    name_too_long,
    annotation_is_ours,
)
