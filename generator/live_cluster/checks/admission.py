"""Each manifest as the API server takes it, webhooks included: a server-side apply, tried only."""

from collections.abc import Iterator
from functools import partial

from generator.live_cluster.connection import Unanswered
from generator.live_cluster.question import Asked, Question, Said
from generator.live_cluster.refusal import Refused, fields, pointer
from generator.live_cluster.rendered import Rendered, with_namespace
from generator.live_cluster.secrecy import Secrets


def dry_runs(asked: Asked) -> Iterator[Question]:
    """The whole way of a manifest but for its being stored: decoding, schema, webhooks, quota."""
    for one in asked.tried:
        yield Question("dry-run", one.shown, partial(_dry_run, asked, one), one.place())


def _dry_run(asked: Asked, one: Rendered) -> Said:
    resource = asked.discovery.resource(one.api_version, one.kind)
    manifest = with_namespace(one, is_namespaced=resource.is_namespaced)
    try:
        answer = asked.connection.dry_run(
            resource.path(one.namespace, one.name), manifest, asked.manager
        )
    except Refused as refused:
        secrets = _secrets(asked, resource.path(one.namespace, one.name), one)
        return _refused(asked, one, refused.reworded(secrets.told))
    if answer.warnings:
        told = Secrets(one.data).told("; ".join(answer.warnings))
        return Said("warning", f"taken, with a warning: {told}")
    return Said("ok", "taken")


def _secrets(asked: Asked, path: str, one: Rendered) -> Secrets:
    """Those of the manifest and of the live object: a refusal may quote either."""
    try:
        live = asked.get(path)
    except (Refused, Unanswered):
        live = None
    return Secrets(one.data, live)


def _refused(asked: Asked, one: Rendered, refused: Refused) -> Said:
    named = fields(refused)
    place = one.place(pointer(named[0], one.data)) if named else one.place()
    if refused.is_absent and asked.get(f"/api/v1/namespaces/{one.namespace}") is None:
        told = f"its namespace {one.namespace} is not there: nothing can be tried in it"
        return Said("unknown", told, place=place)
    if refused.is_forbidden:
        return Said("unknown", refused.message, "docs/live-cluster.md has a role that suffices")
    if refused.is_conflict:
        causes = (f"{cause.field} ({cause.message})" for cause in refused.causes)
        told = f"others have set what it sets: {', '.join(causes)}"
        hint = "name who applies the manifests with --field-manager"
        return Said("warning", told, hint, place)
    if refused.is_no_verdict:
        return Said("unknown", refused.message, place=place)
    return Said("failed", refused.message, place=place)
