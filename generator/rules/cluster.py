"""Rules about what the cluster runs: the releases and schemas that manifests are held against."""

from collections.abc import Iterator

from generator import kinds
from generator.problem import Problem
from generator.project import Project
from generator.target import Rule


def unknown_release(project: Project) -> Iterator[Problem]:
    """Held against another release, a field is refused that the cluster takes, or passes unread.

    Each release of Kubernetes adds fields, and an older API server refuses or drops what it does
    not know [kubernetes.io/docs/reference/using-api/api-concepts, field validation].
    """
    for product, version in project.kubernetes.releases.items():
        try:
            kinds.release(product, version)
        except kinds.UnknownCluster as unknown:
            at = ("kubernetes", "releases", product)
            yield Problem(at, unknown.message, unknown.hint)


def crds_missing(project: Project) -> Iterator[Problem]:
    """Without the folder, manifests would be held against other definitions than the cluster's.

    The folder is what `gen crds` makes [docs/cluster.md].
    """
    folder = project.kubernetes.crds
    if folder:
        try:
            kinds.own_kinds(project.folder / folder, folder)
        except kinds.UnknownCluster as unknown:
            yield Problem(("kubernetes", "crds"), unknown.message, unknown.hint)


RULES: tuple[Rule, ...] = (unknown_release, crds_missing)
