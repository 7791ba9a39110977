"""Which releases there are schemas of, and which of them a cluster runs."""

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from generator import reads
from generator.diagnostics import CannotRun
from generator.shipped import shipped

# The releases in schemas/kubernetes by product, oldest first; the last is the one we hold against.
RELEASES = {
    "argo-cd": ("3.5.1",),
    "keda": ("2.20.2",),
    "knative-serving": ("1.23.0",),
    "kserve": ("0.20.0",),
    "kubernetes": (
        "1.30.0",
        "1.31.0",
        "1.32.0",
        "1.33.0",
        "1.34.0",
        "1.35.0",
        "1.36.0",
        "1.37.0",
    ),
    "kustomize": ("v1beta1",),
    "prometheus-operator": ("0.93.0",),
    "seldon-core": ("1.17.1",),
    "seldon-core-2": ("2.6.0", "2.10.0"),
}
Kind = tuple[str, str]
"""apiVersion and kind."""


class UnknownCluster(CannotRun):
    """A release or a folder of schemas that is not there."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(f"{message}; {hint}")
        self.message = message
        self.hint = hint


class Cluster(Struct, frozen=True):
    """What a cluster runs: a release for every product, and a folder with kinds of its own."""

    releases: tuple[tuple[str, str], ...]
    folder: Path | None = None

    @property
    def kubernetes(self) -> tuple[int, int]:
        """The minor version of Kubernetes."""
        major, minor = dict(self.releases)["kubernetes"].split(".")[:2]
        return int(major), int(minor)


STOCK = Cluster(tuple((product, versions[-1]) for product, versions in RELEASES.items()))


def cluster(words: Iterable[str] = (), folder: Path | None = None) -> Cluster:
    """The cluster of words such as `kubernetes=1.34`, and of a folder that `gen crds` made.

    A product that no word names has its newest release. Raises UnknownCluster.
    """
    releases = dict(STOCK.releases)
    for word in words:
        product, equals, version = word.partition("=")
        if not equals:
            raise UnknownCluster(f"`{word}` is no release", "write it as kubernetes=1.34")
        releases[product] = release(product, version)
    if folder:
        own_kinds(folder)
    return Cluster(tuple(releases.items()), folder)


def release(product: str, version: str) -> str:
    """The known release that a version means; raises UnknownCluster with those that are known.

    The API of Kubernetes stays as it is within a minor version: 1.34, v1.34.7 and 1.34.7+k3s1 are
    one. Of other products a version may leave the last number off.
    """
    if product not in RELEASES:
        near = difflib.get_close_matches(product, RELEASES, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(RELEASES)}"
        raise UnknownCluster(f"no releases of `{product}` are known", hint)
    numbers = version.removeprefix("v").split(".")
    if product == "kubernetes":
        numbers = numbers[:2]
    for one in RELEASES[product]:
        if (len(numbers) > 1 and one.split(".")[: len(numbers)] == numbers) or one == version:
            return one
    versions = ", ".join(_spoken(product, one) for one in RELEASES[product])
    hint = f"known: {versions}; of others take the definitions with `gen crds`"
    if product == "kubernetes":
        hint = f"known: {versions}"
    raise UnknownCluster(f"the schemas of {product} {version} are not known", hint)


def _spoken(product: str, version: str) -> str:
    return version.removesuffix(".0") if product == "kubernetes" else version


def own_kinds(folder: Path, called: str = "") -> Mapping[Kind, Path]:
    """The schemas of a folder that `gen crds` made; raises UnknownCluster where there is none.

    `called` is what the user calls the folder.
    """
    reads.note_folder(folder)
    name = called or folder
    found = _kinds_in(folder) if folder.is_dir() else {}
    if not found:
        what = "are no schemas in" if folder.is_dir() else "is no folder"
        hint = f"make it: kubectl get crds -o yaml | gen crds - --out {name}"
        raise UnknownCluster(f"there {what} `{name}`", hint)
    return found


def later(cluster: Cluster, kind: Kind) -> Iterator[tuple[str, Path]]:
    """Each later release that has another schema of a kind, as users name it, the next first."""
    for product, version in cluster.releases:
        before = schema_files(cluster).get(kind)
        for each in RELEASES[product][RELEASES[product].index(version) + 1 :]:
            releases = tuple((dict(cluster.releases) | {product: each}).items())
            file = schema_files(replace(cluster, releases=releases)).get(kind)
            if file and file != before:
                yield f"{product} {_spoken(product, each)}", file
            before = file


@cache
def schema_files(cluster: Cluster) -> Mapping[Kind, Path]:
    """The schema file of each kind: that of the newest release up to the cluster's.

    A release holds only what is not as it was in the one before. A cluster's own kinds win.
    """
    found: dict[Kind, Path] = {}
    for product, version in cluster.releases:
        versions = RELEASES[product]
        for each in versions[: versions.index(version) + 1]:
            found |= _kinds_in(shipped("schemas") / "kubernetes" / product / each)
    return {**found, **own_kinds(cluster.folder)} if cluster.folder else found


def _kinds_in(folder: Path) -> dict[Kind, Path]:
    found = {}
    for name in sorted(_names_in(folder)):
        if name.endswith(".json") and name.count("_") > 1:
            group, version, kind = name.removesuffix(".json").split("_", maxsplit=2)
            api_version = version if group == "core" else f"{group}/{version}"
            found[api_version, kind] = folder / name
    return found


def _names_in(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:  # not there, or not to be read: as a glob has it
        return []
