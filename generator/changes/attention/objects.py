"""Attention to what goes as a whole, or cannot be changed where it is."""

import re
from collections.abc import Iterator

from generator.changes.attention.sides import Finding, Sides, at
from generator.changes.contents import Item
from generator.changes.leaves import same
from generator.webhook_rules.nodes import Node

_SERVICES = (
    "InferenceService",
    "InferenceGraph",
    "LLMInferenceService",
    "SeldonDeployment",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "Service",
    "Ingress",
    "HTTPRoute",
    "GRPCRoute",
    "VirtualService",
    "Application",
    "ApplicationSet",
)
# ValidateXUpdate in pkg/apis/*/validation of Kubernetes; `immutable: true` is apart below.
_IMMUTABLE = {
    "Deployment": (("spec", "selector"),),
    "ReplicaSet": (("spec", "selector"),),
    "DaemonSet": (("spec", "selector"),),
    "StatefulSet": (
        ("spec", "selector"),
        ("spec", "serviceName"),
        ("spec", "podManagementPolicy"),
        ("spec", "volumeClaimTemplates"),
    ),
    "Job": (("spec", "template"), ("spec", "selector"), ("spec", "completionMode")),
    "PersistentVolumeClaim": (
        ("spec", "accessModes"),
        ("spec", "storageClassName"),
        ("spec", "volumeMode"),
        ("spec", "volumeName"),
    ),
    "RoleBinding": (("roleRef",),),
    "ClusterRoleBinding": (("roleRef",),),
    "Secret": (("type",),),
}


def service_removed(sides: Sides) -> Iterator[Finding]:
    """Clients of what is removed get no answer any more."""
    for item in sides.gone(*_SERVICES):
        yield Finding(item, "", f"{item.label} {sides.missing}")
    for both in sides.both("InferenceService"):
        for part in ("predictor", "transformer", "explainer"):
            if both.old.at("spec", part).given and not both.new.at("spec", part).given:
                yield Finding(both.item, f"spec.{part}", f"{part} dropped")


def namespace_changed(sides: Sides) -> Iterator[Finding]:
    """An object in another namespace is another object: it starts anew there, under another
    address, and the old one stays until somebody deletes it.
    """
    moved: dict[tuple[str, str], list[Item]] = {}
    for both in sides.both() if not sides.promotion else ():
        old, new = (side.at("metadata", "namespace").text for side in (both.old, both.new))
        if old != new:
            moved.setdefault((old, new), []).append(both.item)
    for (old, new), items in moved.items():
        first = min(items, key=lambda item: item.kind not in _SERVICES)
        message = f"namespace {old or '(none)'} -> {new or '(none)'}"
        others = f", and of {counted}" if (counted := _others(items)) else ""
        yield Finding(first, "metadata.namespace", message + others)


def _others(items: list[Item]) -> str:
    number = len(items) - 1
    return f"{number} other object{'s' if number > 1 else ''}" if number else ""


def immutable_field_changed(sides: Sides) -> Iterator[Finding]:
    """The API server refuses the change: the object has to be deleted and made again, and what it
    serves is away in between.

    Kubernetes, pkg/apis/{apps,batch,core,rbac}/validation.
    """
    for both in sides.both(*_IMMUTABLE, "ConfigMap"):
        if (
            sides.promotion
            or not _is_one_object(both.old, both.new)
            or (_is_made_anew(both.old) and _is_made_anew(both.new))
        ):
            continue
        for route in _IMMUTABLE.get(both.item.kind, ()):
            old, new = both.old.at(*route), both.new.at(*route)
            if old.given and new.given and not same(old.value, new.value):
                where = ".".join(route)
                yield Finding(both.item, where, f"{where} cannot be changed under the same name")
        fixed = both.old.at("immutable").value is True and both.item.kind in ("ConfigMap", "Secret")
        for key in ("data", "binaryData") if fixed else ():
            if not same(both.old.at(key).value, both.new.at(key).value):
                message = f"{key} cannot be changed: the {both.item.kind} is immutable"
                yield Finding(both.item, key, message)


def _is_made_anew(manifest: Node) -> bool:
    """Whether Argo CD deletes the object before it applies the new one.

    A hook without a policy is deleted before it is created.
    https://argo-cd.readthedocs.io/en/stable/user-guide/resource_hooks/
    """
    said = manifest.at("metadata", "annotations")
    options = _words(said, "sync-options")
    if "Replace=true" in options and "Force=true" in options:
        return True
    if not _words(said, "hook"):
        return False
    return not (policies := _words(said, "hook-delete-policy")) or "BeforeHookCreation" in policies


def _words(annotations: Node, name: str) -> set[str]:
    text = annotations.at(f"argocd.argoproj.io/{name}").text
    return {word.strip() for word in text.split(",")} - {""}


def disruption_budget_removed(sides: Sides) -> Iterator[Finding]:
    """Without it a drained node may take all replicas at once."""
    selectors = [at(item, "spec", "selector") for item in sides.come("PodDisruptionBudget")]
    for item in sides.gone("PodDisruptionBudget"):
        if at(item, "spec", "selector") in selectors:  # under another name
            continue
        if not sides.new.manifests or _is_unneeded(item, sides):
            continue
        yield Finding(item, "", f"{item.label} {sides.missing}")


def _is_unneeded(budget: Item, sides: Sides) -> bool:
    """Whether what a budget protected has gone itself, which is told apart."""
    labels = Node(budget.file, (), budget.data).at("spec", "selector", "matchLabels")
    names = {labels.at(key).text for key in labels.keys}
    gone = {item.name[3] for item in sides.gone(*_SERVICES)}
    parts = {
        part
        for both in sides.both("InferenceService")
        if both.old.at("metadata", "name").text in names
        for part in ("transformer", "explainer")
        if both.old.at("spec", part).given and not both.new.at("spec", part).given
    }
    return bool(names & (gone | parts))


def disruption_budget_widened(sides: Sides) -> Iterator[Finding]:
    """More replicas may be away at once while nodes are drained, or all of them."""
    for both in sides.both("PodDisruptionBudget"):
        old, new = (
            [side.at("spec", key).value for key in _BUDGET] for side in (both.old, both.new)
        )
        for key, was, now, is_wider in zip(_BUDGET, old, new, (_is_less, _is_more), strict=True):
            if is_wider(was, now):
                yield Finding(both.item, f"spec.{key}", f"{key} {was} -> {now}")


_BUDGET = ("minAvailable", "maxUnavailable")


def _is_more(old: object, new: object) -> bool:
    """Whether a number or share is more than another, as far as one can say without the other."""
    was, now = _share(old), _share(new)
    if was is None or now is None:
        return False
    return now[0] > was[0] if now[1] == was[1] else now == (100, "%") or was[0] == 0 != now[0]


def _is_less(old: object, new: object) -> bool:
    return _is_more(new, old)


def _share(value: object) -> tuple[int, str] | None:
    """A number, and whether it is of percents."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value, ""
    match = re.fullmatch(r"(\d{1,3})%", value) if isinstance(value, str) else None
    return (int(match[1]), "%") if match else None


def _is_one_object(old: Node, new: Node) -> bool:
    """Whether the new manifest is applied over the old, and does not stand beside it."""
    names = (("metadata", "name"), ("metadata", "namespace"))
    is_named = old.at("metadata", "name").given
    return is_named and all(old.at(*name).value == new.at(*name).value for name in names)


RULES = (
    service_removed,
    namespace_changed,
    immutable_field_changed,
    disruption_budget_removed,
    disruption_budget_widened,
)
