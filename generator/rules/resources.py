"""Rules about CPUs, memory, GPUs and threads."""

from collections.abc import Iterator

from generator.document import Pointer
from generator.problem import Problem, says
from generator.project import ComponentHardware, Hardware, Project
from generator.resources import amount
from generator.target import Rule

LEAST_MEMORY = 16 * 2**20
MOST_CPUS, MOST_MEMORY = "10000", "1024Ti"


def _sections(project: Project) -> Iterator[tuple[Pointer, Hardware | ComponentHardware]]:
    yield ("hardware",), project.hardware
    for name, component in project.hardware.components.items():
        yield ("hardware", "components", name), component


def request_over_limit(project: Project) -> Iterator[Problem]:
    """Kubernetes refuses a pod that requests more than its limit.

    [kubernetes.io/docs/concepts/configuration/manage-resources-containers]
    """
    for pointer, hardware in _sections(project):
        for resource in ("cpu", "memory"):
            request, limit = getattr(hardware, resource), getattr(hardware.limits, resource)
            if request is not None and limit is not None and amount(request) > amount(limit):
                message = f"{resource} request {request} exceeds its limit {limit}"
                hint = f"raise limits.{resource} to {request}, or lower the request"
                related = (((*pointer, resource), f"the request is {request}"),)
                yield Problem((*pointer, "limits", resource), message, hint, related=related)


def memory_too_small(project: Project) -> Iterator[Problem]:
    """A number without a unit is a number of bytes: `memory: 2` is two bytes.

    Kubernetes takes it, and no container starts with so little.
    [kubernetes.io/docs/concepts/configuration/manage-resources-containers]
    """
    for pointer, hardware in _sections(project):
        for keys, memory in (
            (("memory",), hardware.memory),
            (("limits", "memory"), hardware.limits.memory),
        ):
            if memory is not None and amount(memory) < LEAST_MEMORY:
                held = f"{float(amount(memory)):,.10g} bytes"
                message = f"memory {memory} is {held}, and no server starts in less than 16Mi"
                number = str(memory).rstrip("mkKMi")
                yield Problem((*pointer, *keys), message, f"write a larger unit: {number}Gi")


def more_than_a_node_has(project: Project) -> Iterator[Problem]:
    """No scheduler ever finds a place for such a pod, and it stays pending without an error."""
    most = {"cpu": MOST_CPUS, "memory": MOST_MEMORY}
    for pointer, hardware in _sections(project):
        for resource, limit in most.items():
            given = getattr(hardware, resource), getattr(hardware.limits, resource)
            for keys, quantity in zip(((resource,), ("limits", resource)), given, strict=True):
                if quantity is not None and amount(quantity) > amount(limit):
                    message = f"{resource} {quantity} exceeds {limit}, more than any machine has"
                    yield Problem((*pointer, *keys), message, "write what one node can give")


def gpus_on_cpu(project: Project) -> Iterator[Problem]:
    """On a CPU service no container would ask for the GPUs, and the model would run without them.

    Which of the two was meant, the spec alone does not say.
    """
    hardware = project.hardware
    if hardware.gpus is not None and hardware.accelerator == "cpu":
        message = f"{hardware.gpus} GPUs with accelerator cpu"
        hint = "set accelerator: nvidia, or remove `gpus`"
        related = (says(("hardware", "accelerator"), "cpu"),)
        yield Problem(("hardware", "gpus"), message, hint, related=related)


def more_threads_than_cpus(project: Project) -> Iterator[Problem]:
    """Instances x threads above the CPUs collapse throughput, up to 40 times.

    The threads wait for each other, and a container with a limit is stopped again and again.
    """
    hardware = project.hardware
    if hardware.accelerator == "nvidia" and hardware.threads is None:
        return  # the GPUs do the work, and one thread each is the least there can be
    cpus = amount(hardware.limits.cpu or hardware.cpu)
    gpus = hardware.gpus if hardware.accelerator == "nvidia" else None
    instances, threads = hardware.model_instances * (gpus or 1), hardware.threads or 1
    if instances * threads <= cpus or instances * threads == 1:
        return
    cpu = "limits.cpu" if hardware.limits.cpu else "cpu"
    own = hardware.limits.cpu or hardware.cpu
    counted: list[tuple[Pointer, str]] = [(("hardware", *cpu.split(".")), f"{cpu} is {own}")]
    counted += [says(("hardware", "gpus"), gpus)] if gpus else []
    if hardware.threads is None:
        message = f"{instances} model instances exceed {float(cpus):g} CPUs"
        hint = f"set hardware.{cpu} to {instances}, or lower model_instances"
        yield Problem(("hardware", "model_instances"), message, hint, related=tuple(counted))
        return
    counted.insert(0, says(("hardware", "model_instances"), hardware.model_instances))
    message = f"{instances} model instances x {threads} threads exceed {float(cpus):g} CPUs"
    hint = f"set hardware.{cpu} to {instances * threads}, or remove `threads` to derive them"
    yield Problem(("hardware", "threads"), message, hint, related=tuple(counted))


RULES: tuple[Rule, ...] = (
    request_over_limit,
    memory_too_small,
    more_than_a_node_has,
    gpus_on_cpu,
    more_threads_than_cpus,
)
