"""What Seldon Core refuses, or takes in silence and does wrong."""

from collections.abc import Iterator

from generator.document import Pointer
from generator.model_source import other_formats, source_missing
from generator.problem import Problem, says
from generator.project import Project
from generator.storage import scheme
from generator.target import TargetRule
from generator.targets.seldon.image_rules import RULES as IMAGE_RULES
from generator.targets.seldon.options import Options
from generator.targets.seldon.service import (
    ORCHESTRATOR,
    describe,
    is_triton,
    workload,
)
from generator.targets.seldon.storage import RCLONE_SCHEMES
from generator.targets.seldon.unused import RULES as UNUSED_RULES
from generator.targets.triton import options as triton
from generator.targets.triton import rules as triton_rules
from generator.transforms.embedded import why_not
from generator.workload_rules import COMPONENT_RULES, SCALING_RULES, adopted

_TARGET: Pointer = ("targets", "seldon")
_LONGEST = 63  # of a DNS label


def _server(options: Options) -> tuple[Pointer, str]:
    return says((*_TARGET, "model_server"), options.model_server)


def format_not_offered(project: Project, _options: Options) -> Iterator[Problem]:
    """The rendered class loads TorchScript; the repository for TRITON_SERVER is rendered for it."""
    yield from other_formats(project, "seldon", ("torchscript",))


def protocol_not_offered(project: Project, options: Options) -> Iterator[Problem]:
    """One protocol is spoken in the whole graph: the wrapper's is Seldon's own, Triton's is v2."""
    given = project.serving.protocol
    at: Pointer = ("serving", "protocol")
    if given == "v1":
        hint = "set protocol: native, or remove it"
        yield Problem(at, "seldon does not speak v1", hint)
    elif is_triton(options) and given == "native":
        hint = "set protocol: v2, or remove it"
        yield Problem(at, "TRITON_SERVER speaks v2", hint, related=(_server(options),))
    elif not is_triton(options) and given == "v2":
        message = "Seldon's Python wrapper does not speak v2, and a graph has one protocol"
        hint = "set protocol: native, or model_server: TRITON_SERVER with run_in: client"
        yield Problem(at, message, hint, related=(_server(options),))


def run_in_not_offered(project: Project, options: Options) -> Iterator[Problem]:
    """What a server of many projects runs is the model alone; what Triton runs has one protocol."""
    steps = project.transforms
    at: Pointer = ("transforms", "run_in")
    if not steps.preprocess or options.model_server == "container":
        return
    if is_triton(options) and steps.run_in != "client":
        message = f"TRITON_SERVER runs no transforms, and run_in is {steps.run_in}"
        if steps.run_in == "component":
            message = "nodes with transforms do not speak v2, and TRITON_SERVER speaks nothing else"
        hint = "set run_in: client, or model_server: container"
        yield Problem(at, message, hint, related=(_server(options),))
    elif not is_triton(options) and steps.run_in in ("server", "model"):
        message = "TORCH_SERVER serves any project's model, and knows no transforms of one"
        hint = "set run_in: component, or model_server: container"
        yield Problem(at, message, hint, related=(_server(options),))


def transforms_cannot_be_embedded(project: Project, options: Options) -> Iterator[Problem]:
    """With run_in: model the steps become part of the exported program.

    A function of the user's own takes arrays of numpy, and there are none inside.
    """
    if describe(project, options).takes == "pixels":
        yield from why_not(project.transforms)


def several_tensors(project: Project, options: Options) -> Iterator[Problem]:
    """A message of Seldon's own protocol carries one tensor.

    A second input could not be sent, and a second output would be lost.
    """
    if is_triton(options):
        return
    for side, tensors in (("inputs", project.model.inputs), ("outputs", project.model.outputs)):
        if len(tensors) > 1:
            message = f"a Seldon message holds one tensor, and the model has {len(tensors)} {side}"
            hint = "use one tensor, or model_server: TRITON_SERVER"
            yield Problem(("model", side, 1), message, hint)


def preferred_batch_too_large(project: Project, options: Options) -> Iterator[Problem]:
    """Triton refuses to load a model that prefers a batch larger than its maximum.

    The node of the graph never becomes ready then.
    """
    if is_triton(options):
        yield from triton_rules.preferred_batch_too_large(project, triton.Options())


def storage_missing(project: Project, options: Options) -> Iterator[Problem]:
    """A prepackaged server has no model of its own: an initializer downloads it before the start.

    Without a storage there would be nothing for the server to load.
    """
    if options.model_server != "container" and not project.storage:
        message = f"{options.model_server} downloads the model, and there is no storage"
        hint = "add `storage: {uri: s3://bucket/folder}`"
        if options.model_server == "TORCH_SERVER":
            hint += ", or set model_server: container, whose image holds the model"
        yield Problem(("storage",), message, hint, related=(_server(options),))


def storage_not_offered(project: Project, _options: Options) -> Iterator[Problem]:
    """Seldon's initializer is rclone, which copies folders.

    From a storage that it does not know the pod never gets past its initializer.
    """
    storage = project.storage
    kind = scheme(storage.bundle_uri) if storage else ""
    if storage and kind not in (*RCLONE_SCHEMES, "pvc"):
        message = f"seldon cannot download from {kind}://"
        hint = "set targets.seldon.storage: {uri: ...} with s3://, gs:// or pvc://"
        yield Problem(("storage", "uri"), message, hint)


def secret_without_use(project: Project, _options: Options) -> Iterator[Problem]:
    """A claim is mounted: nothing reads the storage's credentials."""
    storage = project.storage
    if storage and storage.secret and scheme(storage.bundle_uri) == "pvc":
        at: Pointer = ("storage", "secret")
        message = "pvc:// storage does not read `secret`"
        related = ((("storage", "uri"), "the storage is pvc://"),)
        yield Problem(at, message, "remove it", at_key=True, related=related)


def secret_missing(project: Project, options: Options) -> Iterator[Problem]:
    """Seldon's initializer knows a remote by the secret's variables alone.

    Without them, and without a secret that the operator adds, every download fails.
    """
    storage = project.storage
    if options.model_server == "container" or not storage or storage.secret:
        return
    if scheme(storage.bundle_uri) == "s3":
        remote = options.rclone_remote or "s3"
        message = f"nothing tells Seldon's initializer what remote `{remote}` is"
        hint = (
            "add storage.secret; or, where the operator has a default one, say so: "
            "accepted_warnings: {seldon/secret-missing: ...}"
        )
        yield Problem(("storage", "uri"), message, hint, severity="warning")


def remote_without_use(project: Project, options: Options) -> Iterator[Problem]:
    """Only rclone calls a storage by the name of a remote."""
    storage = project.storage
    used = storage and scheme(storage.bundle_uri) in RCLONE_SCHEMES
    if options.rclone_remote and not used:
        message = "`rclone_remote` has no meaning without s3:// or gs:// storage"
        at: Pointer = (*_TARGET, "rclone_remote")
        related = ((("storage", "uri"), "the storage is neither"),)
        yield Problem(at, message, "remove it", at_key=True, related=related)


def json_cannot_carry_float16(project: Project, options: Options) -> Iterator[Problem]:
    """The orchestrator's v2 door reads and writes JSON alone, which has no half precision.

    Source: executor/api/rest/kfserving.go.
    """
    if not is_triton(options) or project.serving.transport == "grpc":
        return
    for side, tensors in (("inputs", project.model.inputs), ("outputs", project.model.outputs)):
        for index, tensor in enumerate(tensors):
            if tensor.dtype == "float16":
                message = f"`{tensor.name}` is float16, which JSON cannot carry to TRITON_SERVER"
                hint = "use float32 in the model, or set transport: grpc"
                at: Pointer = ("model", side, index, "dtype")
                yield Problem(at, message, hint, related=(_server(options),))


def perf_over_grpc(project: Project, _options: Options) -> Iterator[Problem]:
    """vegeta speaks HTTP; the orchestrator has a door for it beside gRPC's."""
    if project.perf and project.serving.transport == "grpc":
        hint = "set transport: http, or remove `perf`"
        message = "the load test cannot speak gRPC yet"
        related = (says(("serving", "transport"), "grpc"),)
        yield Problem(("perf",), message, hint, at_key=True, related=related)


def name_too_long(project: Project, options: Options) -> Iterator[Problem]:
    """Over 63 characters the operator calls a service by a hash, which nobody knows.

    Source: operator/apis/machinelearning.seldon.io/v1/seldondeployment_types.go.
    """
    service = describe(project, options)
    names: Pointer = (*_TARGET, "names")
    own: Pointer = (*names, "service") if options.names.service else ("name",)
    parts: list[tuple[str, Pointer]] = [
        (service.name, own),
        (service.predictor, (*names, "predictor")),
    ]
    made = [parts]
    for component in service.components:
        at: Pointer = (*_TARGET, "components", component.role, "node")
        made.append([*parts, (component.node, at)])
    made += [[parts[0], ("perf-00000000", own)]] if project.perf else []
    longest = max(made, key=lambda each: sum(len(name) + 1 for name, _ in each))
    name = "-".join(part for part, _ in longest)
    if len(name) > _LONGEST:
        part, at = max(longest, key=lambda each: len(each[0]))
        message = f"`{name}` has {len(name)} characters, more than a DNS label's {_LONGEST}"
        hint = f"shorten `{part}` by {len(name) - _LONGEST}"
        if at == ("name",):
            hint += ", or set targets.seldon.names.service"
        yield Problem(at, message, hint)


def orchestrator_with_replicas(project: Project, _options: Options) -> Iterator[Problem]:
    """The orchestrator runs in the model's pod, once in each.

    Numbers of replicas for it alone would change nothing.
    """
    component = project.hardware.components.get(ORCHESTRATOR)
    if component and component.replicas:
        at: Pointer = ("hardware", "components", ORCHESTRATOR, "replicas")
        message = "the orchestrator has no replicas of its own: it runs in the model's pod"
        yield Problem(at, message, "remove it", at_key=True)


RULES: tuple[TargetRule, ...] = (
    source_missing,
    *IMAGE_RULES,
    format_not_offered,
    protocol_not_offered,
    run_in_not_offered,
    transforms_cannot_be_embedded,
    several_tensors,
    preferred_batch_too_large,
    storage_missing,
    storage_not_offered,
    secret_without_use,
    secret_missing,
    remote_without_use,
    json_cannot_carry_float16,
    perf_over_grpc,
    orchestrator_with_replicas,
    name_too_long,
    *UNUSED_RULES,
    *adopted((*SCALING_RULES, *COMPONENT_RULES), workload),
)
