"""What a spec can give that Seldon Core has no use for."""

from collections.abc import Iterator

from generator.problem import Problem
from generator.project import Project
from generator.target import TargetRule
from generator.targets.seldon.manifests import is_shut
from generator.targets.seldon.options import Options
from generator.targets.seldon.packages import requirements
from generator.targets.seldon.service import Service, describe, is_triton
from generator.unused import NO_CLASS_NAME, Idle, names_classes, told


def no_effect(project: Project, options: Options) -> Iterator[Problem]:
    """What Seldon Core cannot express of a spec would be lost without a word."""
    yield from told(project, "seldon", _idle(project, options), severity="warning")


def _idle(project: Project, options: Options) -> Iterator[Idle]:
    service = describe(project, options)
    if not is_triton(options):
        yield from _of_the_wrapper(project, options, service)
    if not is_shut(options):
        why = "what s2i builds writes to its own root"
        yield Idle(("security", "read_only_root"), why, "remove it, or set builder: docker")
    if not service.takes_images:
        yield Idle(("transforms", "request_field"), "callers send tensors, no images")
    if not service.images:
        yield Idle(("images",), "no image is built")
    if not (is_triton(options) or names_classes(project)):
        yield Idle(("model", "class_names"), *NO_CLASS_NAME)
    yield Idle(("model", "files"), "only a TorchServe handler of your own has files beside it")


def _of_the_wrapper(project: Project, options: Options, service: Service) -> Iterator[Idle]:
    joins_none = "Seldon's wrapper joins no requests"
    hint = "remove it; max_size holds for the images of one request"
    yield Idle(("serving", "batching", "preferred"), joins_none, hint)
    yield Idle(("serving", "batching", "delay"), joins_none, hint)
    if options.model_server == "TORCH_SERVER":
        why = "TORCH_SERVER knows of no project how much it takes"
        hint = "remove it, or set model_server: container"
        yield Idle(("serving", "batching", "max_size"), why, hint)
    installed = {
        line
        for component in service.components
        for line in requirements(project, options, component)
    }
    for index, line in enumerate(project.transforms.requirements):
        if line not in installed:
            why = "no node runs a function of yours that could import it"
            yield Idle(("transforms", "requirements", index), why)


RULES: tuple[TargetRule, ...] = (no_effect,)
