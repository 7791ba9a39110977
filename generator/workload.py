"""What runs in a cluster for a project, whichever its server: what the objects have in common."""

import math
from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct

from generator.images import full_name
from generator.project import ComponentHardware, Hardware, Project, Quantity
from generator.resources import canonical, whole_seconds

PERF = "perf"
HTTP_PORT = 8080  # of transformers and TorchServe, and KServe's default

PROBE_PERIOD_SECONDS = 10
# Knative's deadline starts before the startup probe does: it covers the pull of the server's
# image, which has gigabytes, and the download of the model too.
_PULL_SECONDS = 600

Resources = dict[str, dict[str, str]]


class Workload(Struct, frozen=True):
    """What the rules about scaling, components and images need to know of any target.

    `mode` is what scales the service, in the words of the spec, and `other_mode` what to set for
    the other scaler, None where there is none. `components` may have numbers of their own in
    hardware.components. `built` are the parts that have an image of the project's own;
    `image_names` are names that the spec gives to images; `renames_service`: the spec gives the
    service a name of its own.
    """

    target: str
    service: str
    scaler: Literal["knative", "hpa"]
    mode: str
    other_mode: str | None
    components: tuple[str, ...]
    built: tuple[str, ...]
    image_names: Mapping[str, str]
    renames_service: bool


def labels(project: Project, service: str) -> dict[str, str]:
    """The labels of every object: the recommended ones, and the spec's own over them."""
    recommended = {
        "app.kubernetes.io/name": service,
        "app.kubernetes.io/managed-by": "serving-generator",
    }
    return recommended | project.kubernetes.labels


def pod_labels(project: Project, service: str) -> dict[str, str]:
    """Labels that reach pods, so that a new version of the model is a new revision of them."""
    return {"app.kubernetes.io/version": str(project.model.version)} | labels(project, service)


def image_name(
    project: Project, part: str, given: str | None = None, *, holds_bundle: bool = False
) -> str | None:
    """The name of an image with its tag, None where the spec has no `images`.

    `given` is a whole name of the spec's own. An image that holds the bundle is another one in
    each environment.
    """
    if not project.images:
        return None
    environment = project.environment if holds_bundle else None
    default = "-".join(filter(None, (project.name, part, environment)))
    return f"{given or f'{project.images.registry}/{default}'}:{project.images.tag}"


def image_names(
    project: Project, parts: Iterable[str], given: Mapping[str, str], bundled: str | None = None
) -> dict[str, str]:
    """The names of images by part; `bundled` is the part that holds the bundle."""
    names = {
        part: image_name(project, part, given.get(part), holds_bundle=part == bundled)
        for part in parts
    }
    return {part: name for part, name in names.items() if name}


def pinned(project: Project, image: str) -> str:
    """An image as clusters and builders are told it: with the digest that the lock has for it."""
    digest = (project.locked or {}).get(full_name(image))
    return f"{image}@{digest}" if digest and "@" not in image else image


def image_content(project: Project, *, has_bundle: bool = False) -> object:
    """What decides what a server's or a transformer's image holds, as far as a spec tells."""
    model = project.model
    bundle = project.environment if has_bundle else None
    steps = (project.transforms, model.inputs, model.outputs, model.class_names)
    return steps, project.serving.batching.max_size, bundle


def namespace_flag(namespace: str | None) -> str:
    """The words of kubectl that name the namespace, a space before them."""
    return f" --namespace {namespace}" if namespace else ""


def bundle_path(project: Project) -> str:
    """Where the bundle that gen export wrote lies, as seen from the target's rendered folder."""
    up = "../" * (len(project.place.parts) + 1)
    return f"{up}build/{project.place}"


def deadline_seconds(project: Project) -> int:
    """How long a replica may take from being scheduled until its model is ready."""
    return _PULL_SECONDS + whole_seconds(project.serving.startup)


def startup_failures(project: Project) -> int:
    """How often the startup probe may fail within the time that starting may take."""
    return math.ceil(whole_seconds(project.serving.startup) / PROBE_PERIOD_SECONDS)


def model_resources(hardware: Hardware) -> Resources:
    """Requests and limits of the server's container."""
    wanted = resources(hardware.cpu, hardware.memory, hardware)
    if hardware.accelerator == "nvidia":
        # An extended resource cannot be overcommitted: request and limit are one number.
        for kind in wanted.values():
            kind["nvidia.com/gpu"] = str(hardware.gpus or 1)
    return wanted


def resources(
    cpu: Quantity | None, memory: Quantity | None, hardware: Hardware | ComponentHardware
) -> Resources:
    """Requests as given; limits equal them unless the spec says otherwise."""
    assert cpu is not None
    assert memory is not None
    limits = hardware.limits
    return {
        "requests": {"cpu": canonical(cpu), "memory": canonical(memory)},
        "limits": {
            "cpu": canonical(limits.cpu or cpu),
            "memory": canonical(limits.memory or memory),
        },
    }


_COMPONENT = ComponentHardware(cpu="500m", memory="512Mi")  # what one needs when nobody says


def component_resources(project: Project, component: str) -> Resources:
    """Requests and limits of a component around the model, which has no torch."""
    hardware = project.hardware.components.get(component, ComponentHardware())
    return resources(hardware.cpu or _COMPONENT.cpu, hardware.memory or _COMPONENT.memory, hardware)
