"""What KServe and Triton refuse, or take in silence and do wrong."""

from collections.abc import Iterator

from generator.document import Pointer
from generator.kserve.rules import RULES as KSERVE_RULES
from generator.model_source import other_formats, source_missing
from generator.problem import Problem
from generator.project import Project
from generator.target import TargetRule
from generator.targets.triton.formats import LOADED, Loaded
from generator.targets.triton.options import Options
from generator.targets.triton.service import describe, exposure
from generator.transforms import embedded
from generator.transforms.embedded import as_called, is_embedded
from generator.workload_rules import COMPONENT_RULES, SCALING_RULES, adopted

_TARGET: Pointer = ("targets", "triton")
_RUN_IN = {
    "component": "a transformer in front of Triton",
    "client": "the caller sends tensors",
    "model": "inside the program; the caller sends pixels",
}


def run_in_not_offered(project: Project, _options: Options) -> Iterator[Problem]:
    """Transforms inside Triton (an ensemble with Python steps) are not rendered yet."""
    run_in = project.transforms.run_in
    if run_in not in _RUN_IN:
        choices = ", ".join(f"{word} ({what})" for word, what in _RUN_IN.items())
        message = f"triton cannot run transforms in the {run_in} yet"
        yield Problem(("transforms", "run_in"), message, f"choose {choices}")


def format_not_offered(project: Project, _options: Options) -> Iterator[Problem]:
    """Triton loads programs, each format with a backend of its own."""
    yield from other_formats(project, "triton", tuple(LOADED))


def release_too_old(project: Project, options: Options) -> Iterator[Problem]:
    """An older release of Triton refuses the program, or takes no batches of requests for it."""
    loaded, version = LOADED.get(project.export.format), options.runtime_version
    if loaded and not _is_served(loaded, version):
        others = " or ".join(each for each in LOADED if _is_served(LOADED[each], version))
        message = f"triton {version} is too old for the {project.export.format} programs of gen"
        hint = f"set runtime_version: {loaded.since}-py3 or later, or format: {others}"
        yield Problem((*_TARGET, "runtime_version"), message, hint)


def _is_served(loaded: Loaded, version: str) -> bool:
    return loaded.since is None or _release(version) >= _release(loaded.since)


def _release(version: str) -> tuple[int, ...]:
    """Year and month: (26, 7) of `26.07-py3`."""
    return tuple(map(int, version.partition("-")[0].split(".")))


def tensor_names_not_offered(project: Project, options: Options) -> Iterator[Problem]:
    """The names are those of the program's inputs, which only TorchScript has by both words."""
    loaded, given = LOADED.get(project.export.format), options.tensor_names
    if not loaded or given is None or given in loaded.tensor_names:
        return
    at: Pointer = (*_TARGET, "tensor_names")
    message = f"{project.export.format} has no tensor names by `{given}`"
    hint = "remove it: the names are those of the spec"
    if loaded.tensor_names:
        hint = f"set tensor_names: {' or '.join(loaded.tensor_names)}"
    yield Problem(at, message, hint)


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


def perf_over_grpc(project: Project, options: Options) -> Iterator[Problem]:
    """vegeta speaks HTTP, and KServe exposes the gRPC port alone."""
    grpc = project.serving.transport == "grpc" and not describe(project, options).has_transformer
    if project.perf and grpc:
        hint = "set transport: http, or remove `perf`"
        yield Problem(("perf",), "the load test cannot speak gRPC yet", hint, at_key=True)


def preferred_batch_too_large(project: Project, options: Options) -> Iterator[Problem]:
    """Triton refuses to load a model that prefers a batch larger than its maximum."""
    maximum = describe(project, options).max_batch_size
    for index, size in enumerate(project.serving.batching.preferred):
        if size > maximum > 0:
            message = f"preferred batch {size} exceeds max_size {maximum}"
            hint = f"raise serving.batching.max_size to {size}, or drop {size} from the list"
            yield Problem(("serving", "batching", "preferred", index), message, hint)


def transforms_cannot_be_embedded(project: Project, _options: Options) -> Iterator[Problem]:
    """With run_in: model the steps become part of the exported program."""
    if is_embedded(project.transforms):
        yield from embedded.why_not(project.transforms)


def several_outputs_of_a_program(project: Project, _options: Options) -> Iterator[Problem]:
    """The others would be lost without a word."""
    yield from embedded.several_outputs(project)


def answer_without_dimension(project: Project, _options: Options) -> Iterator[Problem]:
    """Triton has no tensors of rank 0, and a program answers for one image without batch."""
    output = as_called(project).model.outputs[0]
    if is_embedded(project.transforms) and not output.shape:
        message = f"the program would answer with a bare number in `{output.name}`"
        hint = "let the model return [N, 1], or choose another run_in"
        yield Problem(("model", "outputs", 0, "shape"), message, hint)


def batches_of_images(project: Project, _options: Options) -> Iterator[Problem]:
    """Images differ in size: a program that takes them of any size takes them one by one."""
    batching = project.serving.batching
    joins = (batching.max_size or 1) > 1 or batching.preferred or batching.delay
    if joins and is_embedded(project.transforms):
        message = "triton batches nothing with run_in: model: the program takes one image at a time"
        hint = "set run_in: component, or targets.triton.serving: {batching: null}"
        at: Pointer = ("serving", "batching")
        yield Problem(at, message, hint, severity="warning", at_key=True)


RULES: tuple[TargetRule, ...] = (
    source_missing,
    run_in_not_offered,
    format_not_offered,
    release_too_old,
    tensor_names_not_offered,
    protocol_not_offered,
    perf_over_grpc,
    preferred_batch_too_large,
    transforms_cannot_be_embedded,
    several_outputs_of_a_program,
    answer_without_dimension,
    batches_of_images,
    *adopted((*KSERVE_RULES, *SCALING_RULES, *COMPONENT_RULES), exposure),
)
