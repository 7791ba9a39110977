"""Annotations that Argo CD reads on what it applies, written into rendered manifests.

Of argoproj/argo-cd, [waves] is docs/user-guide/sync-waves.md, [hooks]
docs/user-guide/resource_hooks.md.
"""

import re
from collections.abc import Callable, Iterable, Mapping

from msgspec.structs import replace

from generator.argo_cd import LOAD_TEST, MANIFESTS
from generator.artefact import RenderedFile
from generator.project import Project
from generator.quoting import quote_yaml

_PREFIX = "argocd.argoproj.io"
SYNC_WAVE = f"{_PREFIX}/sync-wave"

WAVES: Mapping[str, int] = {
    # What pods read or are shut in by is there before they are.
    "ConfigMap": -2,
    "NetworkPolicy": -2,
    "Secret": -2,
    "ServiceAccount": -2,
    # KServe's controller looks the runtime up when it first sees the service.
    "ClusterServingRuntime": -1,
    "ServingRuntime": -1,
    # These are about pods that run: without any, some releases of Argo CD call them degraded, and
    # the services would wait for them.
    "HorizontalPodAutoscaler": 1,
    "PodDisruptionBudget": 1,
}
"""The wave of a kind [waves]; all others are in wave 0, which is not written."""

_HOOK = {f"{_PREFIX}/hook": "PostSync", f"{_PREFIX}/hook-delete-policy": "BeforeHookCreation"}
_EXTRANEOUS = f"{_PREFIX}/compare-options"
_COMMENTS: Mapping[str, Mapping[str, str]] = {
    "job.yaml": {
        "apiVersion:": """\
# Argo CD runs this after each sync that succeeded (perf_hook): it loads the service at a fixed rate
# and fails the sync where the service misses its objectives.
#   kubectl logs --follow job/NAME
# Exit status of the container: 0 objectives met, 1 missed, 2 no valid measurement.
""",
        "  name:": """\
  # Ends in a hash of everything the test is made of: a Job's pod template cannot be changed, so
  # a changed test is a new Job. Argo CD deletes the one of the same name before it runs it again.
""",
        "  ttlSecondsAfterFinished:": "  # A week to read the log.\n",
    },
    "kustomization.yaml": {
        "apiVersion:": """\
# A source of Argo CD's Application (perf_hook): the Job in it runs after each sync.
""",
    },
}
"""What stands above a line of the load test's files where it is part of a sync."""
_GENERATED = f"""\
  annotations:
    # Where a sync does not prune, the ConfigMap of a former test makes nothing OutOfSync.
    {_EXTRANEOUS}: IgnoreExtraneous
"""


def annotated(files: Iterable[RenderedFile], project: Project) -> list[RenderedFile]:
    """The files with the annotations that the spec's `gitops` asks for."""
    return [_annotated(file, project) for file in files]


def _annotated(file: RenderedFile, project: Project) -> RenderedFile:
    if not project.gitops or file.path.suffix != ".yaml":
        return file
    folder, name = file.path.parts[0], file.path.name
    if folder == MANIFESTS and name != "kustomization.yaml":
        return replace(file, text=_each(file.text, _wave))
    if folder == LOAD_TEST and project.gitops.argo_cd.perf_hook:
        return replace(file, text=_in_a_sync(name, file.text))
    return file


def _in_a_sync(name: str, text: str) -> str:
    """A file of the load test where Argo CD runs it."""
    for beginning, comment in _COMMENTS.get(name, {}).items():
        text = _commented(text, beginning, comment)
    if name == "kustomization.yaml":
        return _inserted_below(text, "generatorOptions:\n", _GENERATED)
    return _each(text, _hook) if name == "job.yaml" else text


def _commented(text: str, beginning: str, comment: str) -> str:
    """The text with another comment above the first line with a beginning."""
    lines = text.splitlines(keepends=True)
    end = next(n for n, line in enumerate(lines) if line.startswith(beginning))
    start = end
    while start and lines[start - 1].lstrip().startswith("#"):
        start -= 1
    return "".join((*lines[:start], comment, *lines[end:]))


def _inserted_below(text: str, line: str, added: str) -> str:
    return text.replace(line, line + added, 1)


def wave(document: str) -> int:
    """The wave of what a rendered manifest's text is."""
    kind = re.search(r"(?m)^kind: *([A-Za-z]+)", document)
    return WAVES.get(kind[1], 0) if kind else 0


def _wave(document: str) -> str:
    number = wave(document)
    return with_annotations(document, {SYNC_WAVE: str(number)}) if number else document


def _hook(document: str) -> str:
    return with_annotations(document, _HOOK)


def _each(text: str, change: Callable[[str], str]) -> str:
    """Every document of a text changed."""
    return "".join(map(change, re.split(r"(?m)^(---.*\n)", text)))


def with_annotations(document: str, annotations: Mapping[str, str]) -> str:
    """A rendered manifest with further annotations, all else and its comments as they are."""
    lines = document.splitlines(keepends=True)
    if "metadata:\n" not in lines:
        return document
    start = lines.index("metadata:\n") + 1
    end = next((n for n in range(start, len(lines)) if lines[n][0] not in " \n"), len(lines))
    added = [f"    {key}: {quote_yaml(value)}\n" for key, value in annotations.items()]
    if "  annotations:\n" in lines[start:end]:
        end = lines.index("  annotations:\n", start) + 1
    else:
        added.insert(0, "  annotations:\n")
    return "".join((*lines[:end], *added, *lines[end:]))
