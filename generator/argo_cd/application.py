"""The values of templates/argo-cd/: one Application a target and environment.

Of argoproj/argo-cd v3.5.1, [types] is pkg/apis/application/v1alpha1/types.go.
"""

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from generator.argo_cd import FOLDER, LOAD_TEST, MANIFESTS
from generator.artefact import Artefact, artefact
from generator.project import ArgoCd, Project
from generator.workload import deadline_seconds, labels

_FIRST_RETRY_SECONDS = 30
_LONGEST_RETRY_SECONDS = 180
_RETRIES_OF_A_LOAD_TEST = 2


def application_name(project: Project) -> str:
    """The Application's name: unlike the service's, it differs by environment and target.

    Two projects may come to the same: `a-b` in `c`, and `a` in `b-c`. `batch` refuses them.
    """
    return "-".join(project.place.parts)


def application_file(project: Project) -> str | None:
    """The path of the Application from the target's folder on, None where nothing asks for it."""
    if not project.gitops:
        return None
    is_set = bool(project.gitops.argo_cd.clusters)
    return f"{FOLDER}/{'applicationset' if is_set else 'application'}.yaml"


def application_files(project: Project, planned: Iterable[Artefact]) -> list[Artefact]:
    """argo-cd/: the Application of a project that has manifests and is applied by Argo CD."""
    path = application_file(project)
    if not project.gitops or not path or not any(_is_manifest(each) for each in planned):
        return []
    argo_cd = project.gitops.argo_cd
    has_hook = runs_load_test(project)
    name = application_name(project)
    shared = {
        "namespace": argo_cd.namespace,
        "labels": labels(project, project.name),
        "spec": {
            "project": argo_cd.project,
            **_source(project, argo_cd),
            "destination": _destination(project, argo_cd),
            "automated": argo_cd.automated,
            "has_hook": has_hook,
            "retries": _RETRIES_OF_A_LOAD_TEST if has_hook else _retries(deadline_seconds(project)),
            "retry_seconds": f"{_FIRST_RETRY_SECONDS}s",
            "longest_retry_seconds": f"{_LONGEST_RETRY_SECONDS}s",
        },
    }
    if argo_cd.clusters:
        names = {"name": name, "application": f"{name}-{{{{ .nameNormalized }}}}"}
        values = shared | names | {"clusters": argo_cd.clusters}
    else:
        values = shared | {"application": name}
    return [artefact(path, f"{FOLDER}/{PurePosixPath(path).name}.j2", values)]


def runs_load_test(project: Project) -> bool:
    """Whether the load test is part of each sync."""
    return bool(project.gitops and project.gitops.argo_cd.perf_hook and project.perf)


def _is_manifest(planned: Artefact) -> bool:
    return planned.path.parts[0] == MANIFESTS


def _source(project: Project, argo_cd: ArgoCd) -> dict[str, object]:
    """Where the manifests come from: a folder, two folders, a plugin, or a hydrated branch."""
    rendered, hydrate = PurePosixPath(argo_cd.path, project.place), argo_cd.hydrate
    has_two = runs_load_test(project) and not argo_cd.plugin
    several = (rendered / MANIFESTS, rendered / LOAD_TEST) if has_two else ()
    return {
        "repository": argo_cd.repository,
        "revision": argo_cd.revision,
        "path": str(rendered / MANIFESTS),
        "sources": list(map(str, several)),
        "plugin": _plugin(project, argo_cd),
        "hydrate": hydrate,
        "hydrated_path": str(PurePosixPath(hydrate.path, project.place)) if hydrate else None,
    }


def _plugin(project: Project, argo_cd: ArgoCd) -> Mapping[str, object] | None:
    """The plugin runs in the spec's folder; the parameters say which spec and what of it."""
    if not argo_cd.plugin:
        return None
    spec = PurePosixPath(argo_cd.plugin.spec)
    parameters = {"spec": spec.name, "target": project.target}
    if project.environment:
        parameters["environment"] = project.environment
    return {"name": argo_cd.plugin.name, "folder": str(spec.parent), "parameters": parameters}


def _destination(project: Project, argo_cd: ArgoCd) -> dict[str, str]:
    where = argo_cd.destination
    assert project.kubernetes.namespace is not None  # rule gitops-without-namespace
    if argo_cd.clusters:
        cluster = {"server": "{{ .server }}"}
    elif where.name:
        cluster = {"name": where.name}
    else:
        cluster = {"server": where.server or IN_CLUSTER}
    return cluster | {"namespace": project.kubernetes.namespace}


IN_CLUSTER = "https://kubernetes.default.svc"
"""The cluster that Argo CD itself runs in [types]."""


def _retries(seconds: int) -> int:
    """How many retries it takes until this much time has passed.

    Each waits twice as long as the one before it, up to the longest.
    """
    number, waited, wait = 0, 0, _FIRST_RETRY_SECONDS
    while waited < seconds:
        number, waited = number + 1, waited + wait
        wait = min(2 * wait, _LONGEST_RETRY_SECONDS)
    return number
