"""Whether the cluster is of the release that the spec says, and what the user may do there."""

from collections.abc import Iterator
from functools import partial

from generator import releases
from generator.cluster import cluster_of
from generator.live_cluster.connection import Unanswered
from generator.live_cluster.discovery import Resource
from generator.live_cluster.parts import part, text
from generator.live_cluster.question import Asked, Question, Said
from generator.releases import UnknownCluster

_REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def version(asked: Asked) -> Iterator[Question]:
    """Fields come and go with releases: what was validated for another one may be refused here."""
    yield Question("version", asked.connection.host, partial(_version, asked))


def _version(asked: Asked) -> Said:
    runs = text(asked.get("/version"), "gitVersion")
    if not runs:
        return Said("unknown", "the server does not say which version it is")
    named = {
        one.deployment.project.kubernetes.releases.get("kubernetes") for one in asked.manifests
    }
    held = {
        dict(cluster_of(one.deployment.project).releases)["kubernetes"] for one in asked.manifests
    }
    against = ", ".join(sorted(_minor(each) for each in held))
    try:
        here = releases.release("kubernetes", runs)
    except UnknownCluster:
        known = releases.RELEASES["kubernetes"]
        span = f"{_minor(known[0])} to {_minor(known[-1])}"
        return Said("warning", f"runs {runs}, and the releases {span} are known here")
    if held == {here}:
        return Said("ok", f"runs {runs}, as the manifests were held against")
    hint = f"kubernetes: {{releases: {{kubernetes: '{_minor(here)}'}}}} in the spec"
    if named == {None}:
        told = f"runs {runs}; the spec names no release, and {against} was taken"
        return Said("ok", told, hint)
    return Said("warning", f"runs {runs}, the spec says {against}", hint)


def _minor(release: str) -> str:
    return ".".join(release.split(".")[:2])


def rights(asked: Asked) -> Iterator[Question]:
    """A dry run takes the rights of the real thing: `create` and `patch` [api]."""
    for one in asked.tried:
        subject = f"{one.kind} in {one.namespace}"
        yield Question(
            "rights", subject, partial(_right, asked, one.api_version, one.kind, one.namespace)
        )


def _right(asked: Asked, api_version: str, kind: str, namespace: str) -> Said:
    resource = asked.discovery.resource(api_version, kind)
    lacking = [verb for verb in ("create", "patch") if not _may(asked, resource, namespace, verb)]
    if lacking:
        told = f"you may not {' or '.join(lacking)} {resource.plural} in {namespace}"
        return Said("failed", told, "docs/live-cluster.md has a role that suffices")
    return Said("ok", f"you may create and patch {resource.plural}")


def _may(asked: Asked, resource: Resource, namespace: str, verb: str) -> bool:
    attributes = {"group": resource.group, "resource": resource.plural, "verb": verb}
    attributes |= {"namespace": namespace} if resource.is_namespaced else {}
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    allowed = part(asked.connection.review(_REVIEW, body).body, "status", "allowed")
    if not isinstance(allowed, bool):
        raise Unanswered(f"the server does not say whether you may {verb} {resource.plural}")
    return allowed
