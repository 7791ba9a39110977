"""Tell manifests from patches, which look like manifests and hold a part of one."""

import posixpath
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import PurePosixPath

from generator.webhook_rules.nodes import Node, real

KUSTOMIZE = "kustomize.config.k8s.io"
FILE_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
KINDS = ("Kustomization", "Component")
_NAMED_PATCH = re.compile(r"(^|[-_.])patch(es)?([-_.]|$)")


def is_kustomization(manifest: Node) -> bool:
    """Whether kustomize reads a manifest as its own; one in a file of its name needs no kind."""
    if manifest.at("kind").given or manifest.at("apiVersion").given:
        group = manifest.at("apiVersion").text.partition("/")[0]
        return manifest.at("kind").text in KINDS and group in (KUSTOMIZE, "")
    return real(manifest.file).name in FILE_NAMES


def beside(manifest: Node, path: str) -> PurePosixPath:
    """The path that a manifest's own relative path leads to."""
    return _beside(manifest.file, path)


@lru_cache(maxsize=1024)  # many rules ask of the same entries
def _beside(file: PurePosixPath, path: str) -> PurePosixPath:
    return PurePosixPath(posixpath.normpath(file.parent / path))


def patches(
    manifests: Mapping[PurePosixPath, Mapping[str, object]],
) -> frozenset[PurePosixPath]:
    """The names of those manifests that are patches of others.

    A patch is known by the kustomization that names it, by kustomize's own `$patch`, or by the name
    of its file.
    """
    all_nodes = [Node(name, (), manifest) for name, manifest in manifests.items()]
    named = {file for node in all_nodes if is_kustomization(node) for file in patch_files(node)}
    return frozenset(
        node.file
        for node in all_nodes
        if not is_kustomization(node) and (real(node.file) in named or _looks_partial(node))
    )


def patch_files(kustomization: Node) -> Iterator[PurePosixPath]:
    """The files that a kustomization takes as patches."""
    entries = [entry.at("path") for entry in kustomization.at("patches").elements]
    entries += [entry.at("path") for entry in kustomization.at("patchesJson6902").elements]
    entries += kustomization.at("patchesStrategicMerge").elements
    for entry in entries:
        if entry.text and "\n" not in entry.text:
            yield beside(kustomization, entry.text)


def _looks_partial(manifest: Node) -> bool:
    name = real(manifest.file).name.lower()
    return bool(_NAMED_PATCH.search(name)) or _deletes(manifest)


def _deletes(manifest: Node) -> bool:
    return manifest.at("$patch").given or manifest.at("spec", "$patch").given
