"""What KServe and Triton refuse, or take in silence and do wrong."""

from collections.abc import Iterator

from generator.compatibility import lacks_fixes, table, year_and_month
from generator.document import Pointer
from generator.kserve.rules import RULES as KSERVE_RULES
from generator.model_source import other_formats, source_missing
from generator.problem import Problem, says
from generator.project import Format, Project
from generator.target import TargetRule
from generator.targets.triton.formats import LOADED, since
from generator.targets.triton.options import Options
from generator.targets.triton.service import describe, exposure
from generator.targets.triton.unused import RULES as UNUSED_RULES
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
    """Triton loads programs, each format with a backend of its own.

    A model in a format for which there is no backend fails to load when the server starts.
    """
    yield from other_formats(project, "triton", tuple(LOADED))


def release_too_old(project: Project, options: Options) -> Iterator[Problem]:
    """An older release of Triton refuses the program, or takes no batches of requests for it.

    A cluster's own runtime is given this release too, in place of KServe's much older one.
    """
    given, tag = project.export.format, options.runtime_version
    if given not in LOADED:
        return
    batched = describe(project, options).max_batch_size > 0
    if not _is_served(given, tag, batched=batched):
        others = " or ".join(each for each in LOADED if _is_served(each, tag, batched=batched))
        message = f"triton {tag} is too old for the {given} programs of gen"
        first = since(given, batched=batched)
        why = table().triton.formats[given].why
        if first != since(given, batched=False):
            why = f"it takes batches, the dimension N of the input, since {first}"
        if _is_served(given, tag, batched=False):
            message = f"triton {tag} takes no batches for the {given} programs of gen"
        hint = f"set runtime_version: {first}-py3 or later, or format: {others}; {why}"
        related = (says(("export", "format"), given),)
        yield Problem((*_TARGET, "runtime_version"), message, hint, related=related)


def _is_served(given: Format, tag: str, *, batched: bool) -> bool:
    first = since(given, batched=batched)
    return first is None or year_and_month(tag) >= year_and_month(first)


def security_fixes_missing(_project: Project, options: Options) -> Iterator[Problem]:
    """NVIDIA's security bulletins name the release of Triton to update to.

    Source: https://github.com/NVIDIA/product-security/blob/main/2026/5875/5875.json
    """
    if lacks_fixes(options.runtime_version):
        fixes = table().triton.fixed_since
        message = f"triton {options.runtime_version} lacks fixes of {fixes.what}"
        hint = (
            f"set runtime_version: {fixes.release}-py3 or later; or say why it stays: "
            "accepted_warnings: {triton/security-fixes-missing: ...}"
        )
        yield Problem((*_TARGET, "runtime_version"), message, hint, severity="warning")


def tensor_names_not_offered(project: Project, options: Options) -> Iterator[Problem]:
    """The names are those of the program's inputs, which only TorchScript has by both words.

    By other names Triton does not find them.
    """
    loaded, given = LOADED.get(project.export.format), options.tensor_names
    if not loaded or given is None or given in loaded.tensor_names:
        return
    at: Pointer = (*_TARGET, "tensor_names")
    message = f"{project.export.format} has no tensor names by `{given}`"
    hint = "remove it: the names are those of the spec"
    if loaded.tensor_names:
        hint = f"set tensor_names: {' or '.join(loaded.tensor_names)}"
    related = (says(("export", "format"), project.export.format),)
    yield Problem(at, message, hint, related=related)


def protocol_not_offered(project: Project, options: Options) -> Iterator[Problem]:
    """Triton speaks V2; only a transformer in front of it also speaks V1.

    A client of another protocol would get errors for answers.
    """
    protocol = project.serving.protocol
    service = describe(project, options)
    if protocol == "native":
        message = "triton has no native protocol of its own"
        yield Problem(("serving", "protocol"), message, "choose v2")
    elif protocol == "v1" and not service.has_transformer:
        message = "triton speaks v2; v1 needs a transformer in front of it"
        hint = "choose v2, or give transforms.preprocess with run_in: component"
        run_in = project.transforms.run_in
        related = (says(("transforms", "run_in"), run_in),) if run_in != "component" else ()
        yield Problem(("serving", "protocol"), message, hint, related=related)


def perf_over_grpc(project: Project, options: Options) -> Iterator[Problem]:
    """vegeta speaks HTTP, and KServe exposes the gRPC port alone."""
    grpc = project.serving.transport == "grpc" and not describe(project, options).has_transformer
    if project.perf and grpc:
        hint = "set transport: http, or remove `perf`"
        message = "the load test cannot speak gRPC yet"
        related = (says(("serving", "transport"), "grpc"),)
        yield Problem(("perf",), message, hint, at_key=True, related=related)


def preferred_batch_too_large(project: Project, options: Options) -> Iterator[Problem]:
    """Triton refuses to load a model that prefers a batch larger than its maximum.

    The service never becomes ready then.
    """
    maximum = describe(project, options).max_batch_size
    for index, size in enumerate(project.serving.batching.preferred):
        if size > maximum > 0:
            message = f"preferred batch {size} exceeds max_size {maximum}"
            hint = f"raise serving.batching.max_size to {size}, or drop {size} from the list"
            related = (says(("serving", "batching", "max_size"), maximum),)
            at: Pointer = ("serving", "batching", "preferred", index)
            yield Problem(at, message, hint, related=related)


def transforms_cannot_be_embedded(project: Project, _options: Options) -> Iterator[Problem]:
    """With run_in: model the steps become part of the exported program.

    A function of the user's own takes arrays of numpy, and there are none inside.
    """
    if is_embedded(project.transforms):
        yield from embedded.why_not(project.transforms)


def several_outputs_of_a_program(project: Project, _options: Options) -> Iterator[Problem]:
    """With transforms inside, a program answers with one tensor: the others would be lost."""
    yield from embedded.several_outputs(project)


def answer_without_dimension(project: Project, _options: Options) -> Iterator[Problem]:
    """Triton has no tensors of rank 0, and a program answers for one image without batch."""
    output = as_called(project).model.outputs[0]
    if is_embedded(project.transforms) and not output.shape:
        message = f"the program would answer with a bare number in `{output.name}`"
        hint = "let the model return [N, 1], or choose another run_in"
        related = (says(("transforms", "run_in"), "model"),)
        yield Problem(("model", "outputs", 0, "shape"), message, hint, related=related)


def batches_of_images(project: Project, _options: Options) -> Iterator[Problem]:
    """Images differ in size: a program that takes them of any size takes them one by one."""
    batching = project.serving.batching
    joins = (batching.max_size or 1) > 1 or batching.preferred or batching.delay
    if joins and is_embedded(project.transforms):
        message = "triton batches nothing with run_in: model: the program takes one image at a time"
        hint = "set run_in: component, or targets.triton.serving: {batching: null}"
        at: Pointer = ("serving", "batching")
        related = (says(("transforms", "run_in"), "model"),)
        yield Problem(at, message, hint, severity="warning", at_key=True, related=related)


RULES: tuple[TargetRule, ...] = (
    source_missing,
    run_in_not_offered,
    format_not_offered,
    release_too_old,
    security_fixes_missing,
    tensor_names_not_offered,
    protocol_not_offered,
    perf_over_grpc,
    preferred_batch_too_large,
    transforms_cannot_be_embedded,
    several_outputs_of_a_program,
    answer_without_dimension,
    batches_of_images,
    *UNUSED_RULES,
    *adopted((*KSERVE_RULES, *SCALING_RULES, *COMPONENT_RULES), exposure),
)
