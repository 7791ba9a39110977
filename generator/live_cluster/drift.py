"""What applying a render would change in a cluster: the server's own answer to that."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from generator.live_cluster.comparison import (
    ABSENT,
    Difference,
    differences,
    value_at,
    wanted_part,
)
from generator.live_cluster.connection import Unanswered
from generator.live_cluster.discovery import NotServed
from generator.live_cluster.parts import Json, listed, mapping, text
from generator.live_cluster.question import Asked
from generator.live_cluster.refusal import Refused
from generator.live_cluster.rendered import MANAGED_BY, NAME, OURS, Rendered, with_namespace
from generator.live_cluster.secrecy import Secrets

State = Literal["same", "differs", "missing", "orphan", "unknown", "refused"]
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_FEWEST_PER_PAGE = 500
# Kinds that a render of any target may hold: what is looked through for what is left over.
LOOKED_THROUGH = (
    ("serving.kserve.io/v1beta1", "InferenceService"),
    ("serving.kserve.io/v1alpha1", "ServingRuntime"),
    ("machinelearning.seldon.io/v1", "SeldonDeployment"),
    ("apps/v1", "Deployment"),
    ("v1", "Service"),
    ("v1", "ConfigMap"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("policy/v1", "PodDisruptionBudget"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
)


@dataclass(frozen=True)
class Drift:
    """How one object stands to the render; no value in it tells a secret.

    In `live` and `rendered` secrets are marked, for `secrecy.unmarked` to show.
    """

    subject: str
    state: State
    message: str = ""
    differences: tuple[Difference, ...] = ()
    live: Json = field(default_factory=dict)
    rendered: Json = field(default_factory=dict)
    """The object as applying the render would leave it."""


def drift(asked: Asked, one: Rendered) -> Drift:
    """What applying one manifest would change."""
    try:
        return _drift(asked, one)
    except NotServed as absent:
        return Drift(one.shown, "missing", str(absent))
    except Refused as refused:
        state: State = "unknown" if refused.is_forbidden or refused.is_no_verdict else "refused"
        return Drift(one.shown, state, Secrets(one.data).told(refused.message))
    except Unanswered as unanswered:
        return Drift(one.shown, "unknown", str(unanswered))


def _drift(asked: Asked, one: Rendered) -> Drift:
    resource = asked.discovery.resource(one.api_version, one.kind)
    path = resource.path(one.namespace, one.name)
    try:
        live = asked.connection.get(path).body
    except Refused as refused:
        if not refused.is_absent:
            raise
        return Drift(one.shown, "missing", "not in the cluster")
    manifest = with_namespace(one, is_namespaced=resource.is_namespaced)
    manager = _manager(live, asked.manager)
    try:
        after = asked.connection.dry_run(path, manifest, manager, force=True).body
    except Refused as refused:
        raise refused.reworded(Secrets(live).told) from None
    before, then = wanted_part(live), wanted_part(after)
    found = (*differences(before, then), *_dropped(live, after, manifest))
    secrets = Secrets(before, then, one.data)
    return Drift(
        one.shown,
        "differs" if found else "same",
        "",
        tuple(_hidden(each, one.kind, secrets) for each in found),
        secrets.marked(before),
        secrets.marked(then),
    )


def _hidden(found: Difference, kind: str, secrets: Secrets) -> Difference:
    """A difference without the secrets in it: that they differ is told."""
    path = tuple(secrets.told(step) if isinstance(step, str) else step for step in found.path)
    sides = (found.live, found.rendered)
    live, rendered = (
        side if side is ABSENT else secrets.hidden(found.path, side, kind) for side in sides
    )
    return Difference(path, live, rendered)


def _manager(live: Json, asked_for: str) -> str:
    """Who applies the object: a field goes only when its own applier leaves it out."""
    appliers = {
        text(entry, "manager")
        for entry in listed(live, "metadata", "managedFields")
        if text(entry, "operation") == "Apply" and not text(entry, "subresource")
    }
    if asked_for in appliers or len(appliers) != 1:
        return asked_for
    return appliers.pop()


def _dropped(live: Json, after: Json, manifest: Json) -> Iterator[Difference]:
    """Fields that were applied from a client, are live still, and are no longer rendered.

    Of these the server does not know that they would go: only the applier's own note says it.
    """
    note = text(live, "metadata", "annotations", _LAST_APPLIED)
    try:
        applied = json.loads(note) if note else {}
    except ValueError:
        return
    for gone in differences(wanted_part(mapping(applied)), wanted_part(manifest)):
        if gone.rendered is ABSENT and (held := value_at(after, gone.path)) is not ABSENT:
            yield Difference(gone.path, held, ABSENT)


def orphans(
    asked: Asked, manifests: Sequence[Rendered], everything: Sequence[Rendered]
) -> Iterator[Drift]:
    """Objects with this generator's labels and a project's name that are not rendered any more.

    They are looked for where the manifests go; `everything` is all that is rendered, also for
    targets and environments that are not looked at.
    """
    wanted = {(one.kind, one.namespace, one.name) for one in everything}
    projects = {(one.namespace, one.deployment.project.name) for one in manifests}
    for namespace, project in sorted(projects):
        for api_version, kind in LOOKED_THROUGH:
            try:
                resource = asked.discovery.resource(api_version, kind)
                selector = f"{MANAGED_BY}={OURS},{NAME}={project}"
                found = asked.connection.get(
                    resource.path(namespace), labelSelector=selector, limit=str(_FEWEST_PER_PAGE)
                ).body
            except NotServed:
                continue
            except (Refused, Unanswered) as reason:
                yield Drift(
                    f"{kind} in {namespace}", "unknown", f"left-overs cannot be seen: {reason}"
                )
                continue
            for item in listed(found, "items"):
                name = text(item, "metadata", "name")
                is_owned = bool(listed(item, "metadata", "ownerReferences"))
                if not is_owned and (kind, namespace, name) not in wanted:
                    yield Drift(f"{kind} {namespace}/{name}", "orphan", "is no longer rendered")
