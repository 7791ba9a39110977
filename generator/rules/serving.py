"""Rules about batching, replicas and time-outs."""

from collections.abc import Iterator

from generator.document import Pointer
from generator.problem import Problem, says
from generator.project import Project, ReplicaRange
from generator.resources import seconds, whole_seconds
from generator.startup import link_seconds, startup
from generator.storage import scheme
from generator.target import Rule


def batching_without_batch_dimension(project: Project) -> Iterator[Problem]:
    """A server batches along a leading N; without one there is nothing to join."""
    batching = project.serving.batching
    if project.model.inputs[0].has_batch:
        return
    for key in ("max_size", "preferred", "delay"):
        if getattr(batching, key):
            message = f"`{key}` is set, and input `{project.model.inputs[0].name}` has no N"
            hint = "begin the shapes with N, or remove `batching`"
            related = ((("model", "inputs", 0, "shape"), "this shape has no N"),)
            yield Problem(("serving", "batching", key), message, hint, at_key=True, related=related)


def dynamic_off_with_its_settings(project: Project) -> Iterator[Problem]:
    """`preferred` and `delay` shape dynamic batches; with dynamic: false they do nothing."""
    batching = project.serving.batching
    for key in ("preferred", "delay"):
        if not batching.dynamic and getattr(batching, key):
            message = f"`{key}` has no effect with dynamic: false"
            hint = f"remove `{key}`, or set dynamic: true"
            related = (says(("serving", "batching", "dynamic"), False),)
            yield Problem(("serving", "batching", key), message, hint, at_key=True, related=related)


def delay_without_batch(project: Project) -> Iterator[Problem]:
    """Waiting for others makes no sense where a batch holds one sample."""
    batching = project.serving.batching
    if batching.delay and (batching.max_size or 1) == 1 and project.model.inputs[0].has_batch:
        message = f"delay {batching.delay} with batches of 1 only makes every request wait"
        hint = "set max_size above 1"
        related = (says(("serving", "batching", "max_size"), 1),)
        yield Problem(("serving", "batching", "delay"), message, hint, related=related)


def delay_over_timeout(project: Project) -> Iterator[Problem]:
    """A request that waits longer than it may take is always lost."""
    delay, timeout = project.serving.batching.delay, project.serving.timeout
    if delay and seconds(delay) >= seconds(timeout):
        message = f"delay {delay} reaches the timeout of {timeout}"
        hint = "delays are milliseconds; lower it, or raise serving.timeout"
        related = (says(("serving", "timeout"), timeout),)
        yield Problem(("serving", "batching", "delay"), message, hint, related=related)


def replicas_reversed(project: Project) -> Iterator[Problem]:
    """An autoscaler cannot keep at least more replicas than at most.

    KServe's webhook and the API server's check of a HorizontalPodAutoscaler refuse it.
    """
    ranges: list[tuple[Pointer, ReplicaRange | None]] = [
        (("serving", "replicas"), project.serving.replicas)
    ]
    for name, component in project.hardware.components.items():
        ranges.append((("hardware", "components", name, "replicas"), component.replicas))
    for pointer, replicas in ranges:
        if replicas and replicas.min > replicas.max:
            message = f"min {replicas.min} exceeds max {replicas.max}"
            hint = f"set max to {replicas.min}, or lower min"
            related = (says((*pointer, "max"), replicas.max),)
            yield Problem((*pointer, "min"), message, hint, related=related)


def not_whole_seconds(project: Project) -> Iterator[Problem]:
    """Kubernetes and Knative count whole seconds: the fields that take these are integers.

    A fraction could only be rounded, and the server would keep another time than the spec says.
    """
    for key in ("timeout", "startup"):
        given = getattr(project.serving, key)
        if seconds(given).denominator != 1:
            message = f"{key} {given} is not a whole number of seconds"
            yield Problem(("serving", key), message, f"write {whole_seconds(given)}s")


def startup_shorter_than_download(project: Project) -> Iterator[Problem]:
    """A replica that is still downloading when its time to start is over is started anew, for ever.

    Counted with a link of one gigabit a second, with nothing beside the download. A node with a
    faster one may do it in less: accept the warning there.
    """
    storage, size, given = project.storage, project.model.size, project.serving.startup
    if not storage or size is None or scheme(storage.bundle_uri) not in _DOWNLOADED:
        return
    taken = link_seconds(size)
    if seconds(given) < taken:
        message = f"startup {given} is less than the {taken} s that {size} take at 1 Gbit/s"
        hint = f"remove `startup`, and the size gives {startup(size)}; or raise it"
        related = (says(("model", "size"), size),)
        yield Problem(("serving", "startup"), message, hint, "warning", related=related)


_DOWNLOADED = ("s3", "gs", "hf", "https")  # a claim is mounted, an image is pulled before


RULES: tuple[Rule, ...] = (
    batching_without_batch_dimension,
    dynamic_off_with_its_settings,
    delay_without_batch,
    delay_over_timeout,
    replicas_reversed,
    not_whole_seconds,
    startup_shorter_than_download,
)
