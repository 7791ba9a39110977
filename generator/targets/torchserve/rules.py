"""What TorchServe refuses, or takes in silence and does wrong."""

import itertools
from collections.abc import Iterator

from generator.compatibility import table
from generator.document import Pointer
from generator.kserve.rules import RULES as KSERVE_RULES
from generator.problem import Problem, says
from generator.project import Project
from generator.resources import amount, seconds
from generator.target import TargetRule
from generator.targets.torchserve.archive_rules import RULES as ARCHIVE_RULES
from generator.targets.torchserve.options import Options
from generator.targets.torchserve.service import (
    describe,
    exposure,
    has_transformer,
    takes,
    workload,
)
from generator.targets.torchserve.unused import RULES as UNUSED_RULES
from generator.torchserve_config import settings_problems
from generator.transforms.code import answer_of
from generator.transforms.component import package
from generator.transforms.embedded import why_not
from generator.workload import Workload
from generator.workload_rules import COMPONENT_RULES, SCALING_RULES, adopted

_TARGET: Pointer = ("targets", "torchserve")


def end_of_life(project: Project, options: Options) -> Iterator[Problem]:
    """TorchServe is archived: a vulnerability found from now on stays open.

    Its repository says that there are no planned updates, bug fixes or security patches.
    Source: https://github.com/pytorch/serve
    """
    message = "TorchServe is archived: 0.12.0 was its last release, and gets no security fixes"
    elsewhere = project.transforms.run_in in ("server", "model") and project.transforms.preprocess
    triton = "triton: {transforms: {run_in: component}}" if elsewhere else "triton: {}"
    storage = "" if project.storage else " and a `storage`"
    way_out = f"add `{triton}` to targets{storage}"
    if takes(project, options) == "anything":
        way_out = "write the handler anew for another server"
    hint = f"{way_out}; or say why it stays: accepted_warnings: {{torchserve/end-of-life: ...}}"
    yield Problem(_TARGET, message, hint, severity="warning", at_key=True)


def run_in_not_offered(project: Project, options: Options) -> Iterator[Problem]:
    """Only KServe runs a component in front of the server.

    Without it, images would reach a model that takes tensors.
    """
    steps = project.transforms
    runs = takes(project, options) != "anything" and bool(steps.preprocess)
    if runs and steps.run_in == "component" and options.platform != "kserve":
        message = f"platform {options.platform} has no component in front of TorchServe"
        hint = "set targets.torchserve.transforms: {run_in: server}, or platform: kserve"
        related = (says((*_TARGET, "platform"), options.platform),)
        yield Problem(("transforms", "run_in"), message, hint, related=related)


def transforms_cannot_be_embedded(project: Project, options: Options) -> Iterator[Problem]:
    """With run_in: model the steps become part of the exported program.

    A function of the user's own takes arrays of numpy, and there are none inside.
    """
    if takes(project, options) == "pixels":
        yield from why_not(project.transforms)


def protocol_not_offered(project: Project, options: Options) -> Iterator[Problem]:
    """A transformer speaks KServe's protocols only, and clients reach the model through it."""
    if project.serving.protocol == "native" and has_transformer(project, options):
        message = "the transformer in front of TorchServe speaks v1 and v2"
        hint = "choose v1 or v2, or run_in: server"
        related = (says(("transforms", "run_in"), project.transforms.run_in),)
        yield Problem(("serving", "protocol"), message, hint, related=related)


def grpc_not_offered(project: Project, options: Options) -> Iterator[Problem]:
    """The sample client that carries transforms speaks HTTP, as TorchServe has no v2 over gRPC."""
    sends_tensors = takes(project, options) == "tensors" and project.transforms.preprocess
    grpc = project.serving.transport == "grpc"
    if grpc and sends_tensors and not has_transformer(project, options):
        message = "the sample client with transforms does not speak TorchServe's gRPC"
        hint = "set transport: http, or run_in: server"
        related = (says(("transforms", "run_in"), project.transforms.run_in),)
        yield Problem(("serving", "transport"), message, hint, related=related)


def perf_over_grpc(project: Project, options: Options) -> Iterator[Problem]:
    """vegeta speaks HTTP, and KServe exposes the gRPC port alone."""
    if project.perf and options.platform == "kserve" and project.serving.transport == "grpc":
        hint = "set transport: http, or remove `perf`"
        message = "the load test cannot speak gRPC yet"
        related = (says(("serving", "transport"), "grpc"),)
        yield Problem(("perf",), message, hint, at_key=True, related=related)


def perf_of_unknown_requests(project: Project, options: Options) -> Iterator[Problem]:
    """What a handler of the user's own takes, nobody but the user knows.

    A load test with other requests would measure how fast they are refused.
    """
    if project.perf and takes(project, options) == "anything":
        made = "handler" if options.handler else "archive"
        message = f"the load test does not know what requests the {made} takes"
        related = (((*_TARGET, made), f"the {made} is given here"),)
        yield Problem(("perf",), message, "remove `perf`", at_key=True, related=related)


def option_of_kserve(_project: Project, options: Options) -> Iterator[Problem]:
    """An option that another platform does not have would be lost without a word."""
    if options.platform == "kserve":
        return
    if options.deployment_mode:
        message = f"`deployment_mode` has no meaning with platform: {options.platform}"
        hint = "remove it, or set platform: kserve"
        related = (says((*_TARGET, "platform"), options.platform),)
        at: Pointer = (*_TARGET, "deployment_mode")
        yield Problem(at, message, hint, at_key=True, related=related)


def explain_not_offered(project: Project, options: Options) -> Iterator[Problem]:
    """Integrated gradients ask for the share that each number has in the score of a class."""
    if not options.explain:
        return
    at: Pointer = (*_TARGET, "explain")
    image, output = project.model.inputs[0], project.model.outputs[0]
    message = hint = ""
    related: tuple[tuple[Pointer, str], ...] = ()
    if takes(project, options) == "anything":
        message = "explanations are of the rendered handler, which this service has not"
        made = "handler" if options.handler else "archive"
        related = (((*_TARGET, made), f"the {made} is given here"),)
    elif has_transformer(project, options) or takes(project, options) == "pixels":
        message = f"explanations cannot be had with run_in: {project.transforms.run_in}"
        hint = "set run_in: server or client, or "
        related = (says(("transforms", "run_in"), project.transforms.run_in),)
    elif len(project.model.inputs) > 1:
        related = ((("model", "inputs", 1), "the second input"),)
        message = f"explanations are of one input, and the model takes {len(project.model.inputs)}"
    elif not image.has_batch:
        message = f"explanations run in batches, and input `{image.name}` has no N"
        hint = "begin the shapes with N, or "
        related = ((("model", "inputs", 0, "shape"), "this shape has no N"),)
    elif not image.dtype.startswith("float"):
        message = f"explanations need gradients, and input `{image.name}` is {image.dtype}"
        related = (says(("model", "inputs", 0, "dtype"), image.dtype),)
    elif len(output.sample_shape) != 1:
        message = f"explanations are of classes, and output `{output.name}` has no [N, classes]"
        related = ((("model", "outputs", 0, "shape"), f"the shape of `{output.name}`"),)
    if message:
        hint += "remove `explain`"
        yield Problem(at, message, hint, at_key=True, related=related)


def several_outputs_behind_transforms(project: Project, options: Options) -> Iterator[Problem]:
    """The rendered handler answers with one tensor; the others would be lost without a word."""
    outputs = len(project.model.outputs)
    if takes(project, options) in ("images", "pixels") and outputs > 1:
        message = f"the handler answers with one output, and the model returns {outputs}"
        hint = "return one tensor from the model, or set run_in: client"
        related = (says(("transforms", "run_in"), project.transforms.run_in),)
        yield Problem(("model", "outputs", 1), message, hint, related=related)


def answer_of_free_shape_in_the_server(project: Project, options: Options) -> Iterator[Problem]:
    """Answers of several instances become one tensor at the v2 door: all must have one shape."""
    if takes(project, options) not in ("images", "pixels"):
        return
    answer = answer_of(project)
    if answer.kind == "tensor" and any(isinstance(size, str) for size in answer.shape):
        shape = ", ".join(map(str, answer.shape))
        message = f"the handler would answer with tensors of free shape [{shape}]"
        hint = "give the output's sizes, end postprocess with top_k, or set run_in: client"
        yield Problem(("model", "outputs", 0, "shape"), message, hint)


def delay_of_an_unfilled_batch(project: Project, options: Options) -> Iterator[Problem]:
    """A batch that does not fill waits out its delay: measured, 0.2x the rate of one client."""
    batching, perf = project.serving.batching, project.perf
    size = describe(project, options).model.batch_size
    if not batching.delay or not perf or size == 1:
        return
    rate = perf.rate / max(1, project.serving.replicas.min)
    arriving = float(seconds(batching.delay)) * rate
    if arriving < size - 1:
        message = (
            f"at {perf.rate} requests a second only {arriving:.1f} more arrive within "
            f"{batching.delay}: batches of {size} never fill, and each waits the whole delay"
        )
        hint = "lower it, or remove it: the default is 1ms"
        at: Pointer = ("serving", "batching")
        related = (says(("perf", "rate"), perf.rate), says((*at, "max_size"), size))
        yield Problem((*at, "delay"), message, hint, severity="warning", related=related)


def queue_shorter_than_a_second(project: Project, options: Options) -> Iterator[Problem]:
    """A request that finds the queue full is answered 503 at once.

    A pause of the model, such as a slow batch, loses requests that a longer queue would have held.
    """
    if not options.job_queue_size or not project.perf:
        return
    rate = project.perf.rate / max(1, project.serving.replicas.min)
    if options.job_queue_size < rate:
        held = options.job_queue_size / rate
        message = (
            f"a queue of {options.job_queue_size} holds {held:.2g} s of {project.perf.rate} "
            "requests a second: a short pause is answered with 503"
        )
        hint = f"raise it to {round(rate)}, or remove it"
        at: Pointer = (*_TARGET, "job_queue_size")
        related = (says(("perf", "rate"), project.perf.rate),)
        yield Problem(at, message, hint, severity="warning", related=related)


def more_workers_than_cpus(project: Project, options: Options) -> Iterator[Problem]:
    """Each worker is a process with threads of its own: two on one CPU gave 0.15x the rate."""
    models = describe(project, options).models
    workers = sum(model.workers for model in models)
    own, limit = project.hardware.cpu, project.hardware.limits.cpu
    cpus = amount(limit or own)
    if len(models) > 1 and project.hardware.accelerator == "cpu" and workers > cpus:
        message = (
            f"{len(models)} models have {workers} workers, and hardware.cpu is {float(cpus):g}"
        )
        hint = f"raise hardware.cpu to {workers}, or drop a model"
        at: Pointer = (*_TARGET, "also_serves")
        counted: Pointer = ("hardware", "limits", "cpu") if limit else ("hardware", "cpu")
        related = (says(counted, limit or own),)
        yield Problem(at, message, hint, severity="warning", at_key=True, related=related)


def setting_not_offered(_project: Project, options: Options) -> Iterator[Problem]:
    """TorchServe ignores keys that it does not know, and values that it cannot read.

    The server would start with another setting than the spec has, and say nothing.
    """
    for key, message, hint in settings_problems(options.settings):
        yield Problem((*_TARGET, "settings", key), message, hint, at_key=True)


def models_of_one_name(project: Project, options: Options) -> Iterator[Problem]:
    """The second archive of a name would replace the first."""
    seen = {describe(project, options).model.name}
    for index, model in enumerate(describe(project, options).models[1:]):
        if model.name in seen:
            message = f"a second model is called `{model.name}`"
            hint = "set targets.torchserve.names.model in one of the specs"
            yield Problem((*_TARGET, "also_serves", index), message, hint)
        seen.add(model.name)


def served_behind_a_component(project: Project, options: Options) -> Iterator[Problem]:
    """A transformer stands in front of one model, and hides the others."""
    at: Pointer = (*_TARGET, "also_serves")
    if options.also_serves and has_transformer(project, options):
        message = "the transformer in front hides the other models"
        related = (says(("transforms", "run_in"), project.transforms.run_in),)
        yield Problem(at, message, "set run_in: server", at_key=True, related=related)
    for index, model in enumerate(describe(project, options).models[1:]):
        steps = model.project.transforms
        if steps.preprocess and steps.run_in == "component" and model.takes != "anything":
            message = f"`{model.project.name}` has its transforms in a component, and here is none"
            yield Problem((*at, index), message, "set run_in: server in that spec")


def image_of_another_accelerator(project: Project, options: Options) -> Iterator[Problem]:
    """A CPU image on a GPU node runs, slowly, and says nothing."""
    image = options.base_image or ""
    if project.hardware.accelerator == "nvidia" and image.rpartition(":")[2].endswith("-cpu"):
        message = f"`{image}` has no CUDA, and hardware.accelerator is nvidia"
        hint = "name a -gpu image, or remove it"
        related = (says(("hardware", "accelerator"), "nvidia"),)
        yield Problem((*_TARGET, "base_image"), message, hint, related=related)


def annotation_of_metrics(project: Project, options: Options) -> Iterator[Problem]:
    """Of a key that stands twice in a manifest, one value is dropped without a word."""
    if options.platform == "kubernetes":
        for key in project.kubernetes.annotations:
            if key in ("prometheus.io/scrape", "prometheus.io/port", "prometheus.io/path"):
                message = f"annotation `{key}` is already rendered"
                at: Pointer = ("kubernetes", "annotations", key)
                yield Problem(at, message, "remove it, or patch deployment.yaml", at_key=True)


def package_not_offered(project: Project, options: Options) -> Iterator[Problem]:
    """The image has a Python of its own, for which pip finds no release of a package.

    Source: https://github.com/pytorch/serve/blob/master/docker/Dockerfile
    """
    python = _python_of(describe(project, options).base_image)
    at, lines = _installed(project, options)
    if not python or not lines:
        return
    from generator.compatibility.requirements import refused  # of which few specs have need

    for each in refused(lines, python):
        yield Problem((*at, each.index), each.message, each.hint)


def _python_of(image: str) -> str | None:
    """The Python of one of TorchServe's own images; None where nothing is known of it."""
    name, _, tag = image.partition("@")[0].rpartition(":")
    known = table().torchserve
    for each in known.images:
        if name.endswith(known.image.partition("/")[2]) and tag.startswith(f"{each.release}-"):
            return each.python
    return None


def _installed(project: Project, options: Options) -> tuple[Pointer, tuple[str, ...]]:
    """The user's lines that are installed where the model runs, and where they stand."""
    given = takes(project, options)
    if options.handler:
        return ("model", "requirements"), project.model.requirements
    if given in ("images", "pixels"):
        return ("transforms", "requirements"), project.transforms.requirements
    return (), ()


def packages_contradict(project: Project, options: Options) -> Iterator[Problem]:
    """One image has the packages of all models, of which pip installs one release each."""
    lines, own = _installed(project, options)
    if options.platform == "kserve" or not own or not options.also_serves:
        return  # under KServe the server makes an environment for each
    from generator.compatibility.requirements import contradiction  # of which few specs have need

    others = describe(project, options).models[1:]
    at: Pointer = (*_TARGET, "also_serves")
    for index, model in enumerate(others):
        _, theirs = _installed(model.project, model.options)
        for line, other in itertools.product(own, theirs):
            if package(line) == package(other) and contradiction(line, other):
                message = f"its `{other}` and `{line}` here are for one image, which holds one"
                related = (((*lines, own.index(line)), f"`{line}` stands here"),)
                hint = "agree on one, or set platform: kserve"
                yield Problem((*at, index), message, hint, related=related)


def _scaled(project: Project, options: Options) -> Workload | None:
    """Whatever runs in a cluster; a container of docker is one and stays one."""
    return None if options.platform == "docker" else workload(project, options)


RULES: tuple[TargetRule, ...] = (
    end_of_life,
    run_in_not_offered,
    transforms_cannot_be_embedded,
    protocol_not_offered,
    grpc_not_offered,
    perf_over_grpc,
    perf_of_unknown_requests,
    option_of_kserve,
    *ARCHIVE_RULES,
    explain_not_offered,
    several_outputs_behind_transforms,
    answer_of_free_shape_in_the_server,
    delay_of_an_unfilled_batch,
    queue_shorter_than_a_second,
    more_workers_than_cpus,
    setting_not_offered,
    models_of_one_name,
    served_behind_a_component,
    image_of_another_accelerator,
    annotation_of_metrics,
    package_not_offered,
    packages_contradict,
    *UNUSED_RULES,
    *adopted(KSERVE_RULES, exposure),
    *adopted(SCALING_RULES, _scaled),
    *adopted(COMPONENT_RULES, workload),
)
