"""What the pods of every target have in common: where they write, stand, and may be moved.

The values are those of templates/common/manifests/.
"""

import math
from collections.abc import Iterable, Mapping

from msgspec import Struct

from generator.project import Project, ReplicaRange
from generator.resources import amount

Selector = Mapping[str, str]

_GIBIBYTE = 2**30
_UNKNOWN_BUNDLE = "3Gi"  # more than most models that fit on one accelerator
_BESIDES_BYTES = 4 * _GIBIBYTE  # logs, libraries, packages of a worker


class Folder(Struct, frozen=True):
    """A folder that a container writes to: the name of its volume, and the most that it holds.

    `why` is a comment without its #.
    """

    name: str
    path: str
    size: str
    why: str


def unpacked(projects: Iterable[Project]) -> str:
    """The most that a folder holds to which the bundles of projects are unpacked.

    Unpacked, a bundle may be twice as large.
    """
    held = sum(2 * amount(project.model.size or _UNKNOWN_BUNDLE) for project in projects)
    return f"{math.ceil((held + _BESIDES_BYTES) / _GIBIBYTE)}Gi"


def tolerations(project: Project) -> list[dict[str, str]]:
    """The tolerations of the model's pods, in the words of Kubernetes."""
    return [
        {
            key: value
            for key, value in (
                ("key", each.key),
                ("operator", each.operator),
                ("value", each.value),
                ("effect", each.effect),
            )
            if value
        }
        for each in project.kubernetes.tolerations
    ]


def spread(replicas: ReplicaRange, selector: Selector) -> Selector | None:
    """The labels of the pods that are spread over zones and nodes; None where there is one pod."""
    return selector if replicas.max > 1 else None


def budget(
    project: Project,
    *,
    name: str,
    labels: Mapping[str, str],
    selector: Selector,
    replicas: ReplicaRange,
) -> dict[str, object] | None:
    """What disruptionbudget.yaml.j2 lays out; None where there is one pod.

    With one pod it could only stop a node from ever being drained.
    """
    if replicas.max == 1:
        return None
    namespace = project.kubernetes.namespace
    return {"name": name, "namespace": namespace, "labels": labels, "selector": selector}
