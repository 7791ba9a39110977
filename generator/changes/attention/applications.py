"""Attention to Argo CD's Applications: under whose limits they apply what, and where to."""

from collections.abc import Iterator

from generator.changes.attention.sides import Both, Finding, Sides
from generator.changes.secrecy import masked
from generator.changes.values import plain
from generator.webhook_rules.nodes import Node

_KINDS = ("Application", "ApplicationSet")


def argo_cd_project_changed(sides: Sides) -> Iterator[Finding]:
    """An AppProject says what its Applications may apply, and where to: in another one other limits
    hold, in `default` as a rule none.

    argoproj/argo-cd, docs/user-guide/projects.md
    """
    for both in sides.both(*_KINDS):
        old, new = (_spec(side).at("project").text for side in (both.old, both.new))
        if old != new:
            yield Finding(both.item, "spec.project", f"project {_shown(old)} -> {_shown(new)}")


def argo_cd_destination_changed(sides: Sides) -> Iterator[Finding]:
    """The service is made anew in another cluster or namespace; where it was, it may stay."""
    for both in sides.both(*_KINDS) if not sides.promotion else ():
        for key in ("server", "name", "namespace"):
            where = f"spec.destination.{key}"
            old, new = (_spec(side).at("destination", key).text for side in (both.old, both.new))
            if old != new:
                yield Finding(both.item, where, f"{key} {_shown(old)} -> {_shown(new)}")


def argo_cd_repository_changed(sides: Sides) -> Iterator[Finding]:
    """What is applied comes from another repository: who may write there decides what runs."""
    for both in sides.both(*_KINDS):
        old, new = _repositories(both, is_new=False), _repositories(both, is_new=True)
        if old != new:
            message = f"repository {_shown(', '.join(old))} -> {_shown(', '.join(new))}"
            yield Finding(both.item, "spec.source", message)


def argo_cd_revision_changed(sides: Sides) -> Iterator[Finding]:
    """Another branch, tag or version is applied: what it holds is not among these changes."""
    for both in sides.both(*_KINDS) if not sides.promotion else ():
        old, new = _revisions(both.old), _revisions(both.new)
        for repository in sorted(old.keys() & new.keys()):
            was, now = (", ".join(sorted(side[repository])) for side in (old, new))
            if was != now:
                message = f"revision {was} -> {now} of {plain(masked(repository, ()))}"
                yield Finding(both.item, "spec.source.targetRevision", message)


def argo_cd_sync_widened(sides: Sides) -> Iterator[Finding]:
    """From now on Argo CD does by itself what somebody had to ask for: it applies what changes,
    deletes what is gone from the repository, or undoes what was changed in the cluster.

    argoproj/argo-cd, docs/user-guide/auto_sync.md
    """
    for both in sides.both(*_KINDS):
        old, new = (_automated(side) for side in (both.old, both.new))
        for key, says in _SYNC.items():
            if key in new and key not in old:
                yield Finding(both.item, "spec.syncPolicy.automated", f"{says} by itself")


_SYNC = {"enabled": "syncs", "prune": "deletes", "selfHeal": "undoes changes in the cluster"}


def _automated(manifest: Node) -> set[str]:
    """What Argo CD does by itself."""
    automated = _spec(manifest).at("syncPolicy", "automated")
    if not automated.given or automated.at("enabled").value is False:
        return set()
    return {"enabled", *(key for key in _SYNC if automated.at(key).value is True)}


def _revisions(manifest: Node) -> dict[str, set[str]]:
    """The revisions of each repository that are applied; without one it is HEAD."""
    found: dict[str, set[str]] = {}
    for source in _sources(manifest):
        if source.at("repoURL").given:
            revision = source.at("targetRevision").text or "HEAD"
            found.setdefault(source.at("repoURL").text, set()).add(revision)
    return found


def _sources(manifest: Node) -> tuple[Node, ...]:
    spec = _spec(manifest)
    hydrated = spec.at("sourceHydrator", "drySource")
    return spec.at("source"), *spec.at("sources").elements, hydrated


def _spec(manifest: Node) -> Node:
    """The spec of an Application, or of those that a set makes."""
    is_set = manifest.at("kind").text == "ApplicationSet"
    return manifest.at("spec", "template", "spec") if is_set else manifest.at("spec")


def _repositories(both: Both, *, is_new: bool) -> tuple[str, ...]:
    sources = _sources(both.new if is_new else both.old)
    return tuple(sorted({s.at("repoURL").text for s in sources if s.at("repoURL").given}))


def _shown(text: str) -> str:
    return text or "(none)"


RULES = (
    argo_cd_project_changed,
    argo_cd_destination_changed,
    argo_cd_repository_changed,
    argo_cd_revision_changed,
    argo_cd_sync_widened,
)
