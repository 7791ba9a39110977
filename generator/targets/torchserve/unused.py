"""What a spec can give that TorchServe, or its platform, has no use for."""

from collections.abc import Iterator

from msgspec.structs import fields

from generator.problem import Problem
from generator.project import Kubernetes, Project
from generator.target import TargetRule
from generator.targets.torchserve.options import Options, PrebuiltArchive
from generator.targets.torchserve.service import describe, has_transformer, takes, workload
from generator.unused import NO_CLASS_NAME, Idle, names_classes, told


def no_effect(project: Project, options: Options) -> Iterator[Problem]:
    """What a server or a container of docker has no place for would be lost without a word."""
    yield from told(project, "torchserve", _idle(project, options), severity="warning")


def _idle(project: Project, options: Options) -> Iterator[Idle]:
    why = "it knows one size of batches, max_size"
    yield Idle(("serving", "batching", "preferred"), why)
    if not workload(project, options).built:
        yield Idle(("images",), "no image is built")
    yield from _of_the_platform(project, options)
    yield from _of_the_handler(project, options)


def _of_the_platform(project: Project, options: Options) -> Iterator[Idle]:
    if options.platform == "kserve":
        is_own_grpc = describe(project, options).is_grpc and not has_transformer(project, options)
        if is_own_grpc:
            why = "its gRPC service is TorchServe's own and speaks no other protocol"
            yield Idle(("serving", "protocol"), why, "remove it, or set transport: http")
        return
    why = f"platform {options.platform} takes the bundle from build/, and downloads nothing"
    for key in ("uri", "secret"):
        yield Idle(("storage", key), why)
    if options.platform == "docker":
        one, hint = "docker runs one container", "remove it, or set platform: kubernetes"
        yield Idle(("serving", "replicas"), one, hint, must=True)
        yield Idle(("serving", "autoscaling"), one, hint, must=True)
        for each in fields(Kubernetes):
            yield Idle(("kubernetes", each.name), "docker has no Kubernetes objects")
        yield Idle(("gitops",), "docker has no Kubernetes objects")
        yield Idle(("security", "network_policy"), "docker has no Kubernetes objects")


def _of_the_handler(project: Project, options: Options) -> Iterator[Idle]:
    given = takes(project, options)
    if not options.handler:
        yield Idle(("model", "files"), "only a handler of your own has files beside it")
    if options.handler:
        for key in ("preprocess", "postprocess", "request_field"):
            yield Idle(("transforms", key), _OWN_HANDLER, "remove it, or `handler`")
        hint = "name them in model.requirements"
        yield Idle(("transforms", "requirements"), "that handler's are model.requirements", hint)
    elif isinstance(options.archive, PrebuiltArchive):
        there, hint = "the archive is there already", "remove it, or archive.uri"
        for pointer in (
            ("model", "source"),
            ("model", "program"),
            ("export", "format"),
            ("export", "method"),
        ):
            yield Idle(pointer, there, hint)
        if not has_transformer(project, options):
            yield Idle(("transforms", "requirements"), there, hint)
    sends_images = has_transformer(project, options) or given in ("images", "pixels")
    if not sends_images and not options.handler:
        yield Idle(("transforms", "request_field"), "callers send no JSON with images")
    if options.handler:
        yield Idle(("model", "class_names"), _OWN_HANDLER, "name a file of them in model.files")
    elif not names_classes(project):
        yield Idle(("model", "class_names"), *NO_CLASS_NAME)


_OWN_HANDLER = "a handler of your own makes what it likes of a request"

RULES: tuple[TargetRule, ...] = (no_effect,)
