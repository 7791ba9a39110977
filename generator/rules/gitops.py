"""Rules about what Argo CD applies.

Of argoproj/argo-cd, [spec] is util/argo/argo.go, [hydrator] controller/hydrator/hydrator.go,
[labels] docs/user-guide/resource_tracking.md.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from generator.argo_cd.application import application_name
from generator.argo_cd.repository import clone_of
from generator.document import Pointer
from generator.problem import Problem, says
from generator.project import ArgoCd, Project
from generator.target import Rule

_ARGO_CD: Pointer = ("gitops", "argo_cd")
_LONGEST_NAME = 63


def destination_not_one(project: Project) -> Iterator[Problem]:
    """A cluster is named by its address or by its name: with both, Argo CD syncs nothing [spec]."""
    for argo_cd in _argo_cd(project):
        where = argo_cd.destination
        if where.server and where.name:
            at = (*_ARGO_CD, "destination")
            related = (says((*at, "server"), where.server),)
            message = f"the destination has the name `{where.name}` and a server"
            yield Problem((*at, "name"), message, "keep one", related=related)


def clusters_beside_destination(project: Project) -> Iterator[Problem]:
    """With `clusters` each Application goes to the cluster that it was made for.

    A destination beside it would be applied to nowhere.
    """
    for argo_cd in _argo_cd(project):
        where = argo_cd.destination
        if argo_cd.clusters and (where.server or where.name):
            related = (((*_ARGO_CD, "clusters"), "the clusters are chosen here"),)
            message = "`destination` beside `clusters` is not looked at"
            at: Pointer = (*_ARGO_CD, "destination")
            yield Problem(at, message, "keep one", at_key=True, related=related)


def hydrate_without_plugin(project: Project) -> Iterator[Problem]:
    """What is hydrated is what the plugin prints; rendered files need no second copy."""
    for argo_cd in _argo_cd(project):
        if argo_cd.hydrate and not argo_cd.plugin:
            message = "`hydrate` needs `plugin`, which renders what is committed"
            hint = "add `plugin: {spec: ...}`, or commit what gen render writes"
            yield Problem((*_ARGO_CD, "hydrate"), message, hint, at_key=True)


def hydrate_beside_clusters(project: Project) -> Iterator[Problem]:
    """No two Applications may hydrate into one folder of a branch [hydrator].

    Those of an ApplicationSet have the same, and Argo CD hydrates none of them.
    """
    for argo_cd in _argo_cd(project):
        if argo_cd.hydrate and argo_cd.clusters:
            related = (((*_ARGO_CD, "clusters"), "the clusters are chosen here"),)
            message = "with `clusters` several Applications would hydrate into one folder"
            hint = "name one destination, or remove `hydrate`"
            yield Problem((*_ARGO_CD, "hydrate"), message, hint, at_key=True, related=related)


def hydrated_branch_used_twice(project: Project) -> Iterator[Problem]:
    """What is hydrated goes to a branch that nothing is read from or staged in.

    In the branch that is rendered from, each commit of Argo CD's would be a new revision to render;
    with a staging branch of the same name there is nothing left to merge [hydrator].
    """
    for argo_cd in _argo_cd(project):
        hydrate, at = argo_cd.hydrate, (*_ARGO_CD, "hydrate")
        if not hydrate:
            continue
        branches = {"branch": hydrate.branch, "staging_branch": hydrate.staging_branch}
        for key, branch in branches.items():
            if branch == argo_cd.revision:
                related = (says((*_ARGO_CD, "revision"), argo_cd.revision),)
                message = f"`{branch}` is also the branch that is rendered from"
                yield Problem((*at, key), message, "name a branch of its own", related=related)
        if hydrate.staging_branch == hydrate.branch:
            related = (says((*at, "branch"), hydrate.branch),)
            message = f"`{hydrate.branch}` is also the branch that is applied: nobody would merge"
            hint = "name another, or remove `staging_branch`"
            yield Problem((*at, "staging_branch"), message, hint, related=related)


def plugin_renders_another_spec(project: Project) -> Iterator[Problem]:
    """The plugin renders the file that is named, whichever spec the Application comes from."""
    for argo_cd in _argo_cd(project):
        if not argo_cd.plugin or not project.file:
            continue
        at: Pointer = (*_ARGO_CD, "plugin", "spec")
        named = Path(argo_cd.plugin.spec)
        top = clone_of(argo_cd.repository, project.folder)
        own = Path(os.path.abspath(project.folder), project.file)
        if top and (right := own.relative_to(top)) != named:
            message = f"`{named}` is another file: in the repository this spec is {right}"
            yield Problem(at, message, f"write `{right.as_posix()}`")
        elif named.name != project.file:
            message = f"`{named}` is another file than this spec, {project.file}"
            yield Problem(at, message, "write this spec's path from the top of the repository")


def perf_hook_without_perf(project: Project) -> Iterator[Problem]:
    """Without `perf` there is no load test that could run after a sync."""
    for argo_cd in _argo_cd(project):
        if argo_cd.perf_hook and not project.perf:
            message = "`perf_hook` has no load test to run"
            hint = "add `perf: {rate: ...}`, or remove it"
            at: Pointer = (*_ARGO_CD, "perf_hook")
            yield Problem(at, message, hint, severity="warning", at_key=True)


def application_name_too_long(project: Project) -> Iterator[Problem]:
    """Argo CD that tracks resources by label writes the Application's name into one [labels].

    A label's value holds 63 characters. Tracking by annotation, the default since Argo CD 3.0,
    has no such limit.
    """
    name = application_name(project)
    for _ in _argo_cd(project):
        if len(name) > _LONGEST_NAME:
            message = (
                f"the Application's name `{name}` has {len(name)} characters, more than the "
                f"{_LONGEST_NAME} of a label, which Argo CD may track resources by"
            )
            hint = "shorten the name of the project or of the environment"
            yield Problem(_ARGO_CD, message, hint, severity="warning", at_key=True)


def _argo_cd(project: Project) -> Iterator[ArgoCd]:
    if project.gitops:
        yield project.gitops.argo_cd


RULES: tuple[Rule, ...] = (
    destination_not_one,
    clusters_beside_destination,
    hydrate_without_plugin,
    hydrate_beside_clusters,
    hydrated_branch_used_twice,
    plugin_renders_another_spec,
    perf_hook_without_perf,
    application_name_too_long,
)
