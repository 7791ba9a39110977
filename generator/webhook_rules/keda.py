"""What KEDA's webhook and operator refuse of a ScaledObject.

Of kedacore/keda, [webhook] is apis/keda/v1alpha1/scaledobject_webhook.go, [types]
apis/keda/v1alpha1/scaledobject_types.go, [triggers] apis/keda/v1alpha1/scaletriggers_types.go, and
[scalers] pkg/scalers.
"""

import re
from collections.abc import Iterator, Mapping

from generator.webhook_rules.nodes import Found, Node, Rendered, name_of, side_by_side, twice

GROUP = "keda.sh"
DEPLOYMENT = ("apps/v1", "Deployment")
DEFAULT_MOST = 100
LONGEST_NAME = 63
INJECTED = "auto"  # the image of a container that Istio fills in
HPA_PREFIX = "keda-hpa-"
BY_RESOURCES = ("cpu", "memory")
WITHOUT_CACHE = ("cpu", "memory", "cron")
TRANSFER = "scaledobject.keda.sh/transfer-hpa-ownership"
UNOWNED = "validations.keda.sh/hpa-ownership"
# What a trigger cannot do without: prometheus_scaler.go, cron_scaler.go, cpu_memory_scaler.go.
NEEDED: Mapping[str, tuple[str, ...]] = {
    "prometheus": ("serverAddress", "query", "threshold"),
    "cron": ("timezone", "start", "end", "desiredReplicas"),
    "cpu": ("value",),
    "memory": ("value",),
}


def replica_count_reversed(rendered: Rendered) -> Iterator[Found]:
    """The least number of replicas is not above the most, which is 100 by default [types]."""
    for scaled in _scaled(rendered):
        least, most = scaled.at("spec", "minReplicaCount"), scaled.at("spec", "maxReplicaCount")
        highest = most.number if most.number is not None else DEFAULT_MOST
        if least.number is not None and max(least.number, 1) > highest:  # an autoscaler's own least
            text = f"minReplicaCount {least.number} exceeds maxReplicaCount {highest}"
            if least.number < 1:
                text = f"maxReplicaCount {highest} is below 1"
            related = most, f"maxReplicaCount {highest} stands here"
            hint = f"raise maxReplicaCount to {least.number}, or lower minReplicaCount"
            yield least.refused(text, hint, related=related)


def idle_count_not_below_least(rendered: Rendered) -> Iterator[Found]:
    """When idle, fewer replicas run than at the least, which is 0 by default [types]."""
    for scaled in _scaled(rendered):
        idle, least = scaled.at("spec", "idleReplicaCount"), scaled.at("spec", "minReplicaCount")
        lowest = max(least.number, 1) if least.number is not None else 0
        if idle.number is not None and idle.number >= lowest:
            text = f"idleReplicaCount {idle.number} is not below minReplicaCount {lowest}"
            related = least, f"minReplicaCount {lowest} stands here"
            hint = f"raise minReplicaCount to {idle.number + 1}, or remove idleReplicaCount"
            yield idle.refused(text, hint, related=related)


def name_too_long(rendered: Rendered) -> Iterator[Found]:
    """The name becomes a label, and `keda-hpa-<name>` the name of an autoscaler [webhook]."""
    for scaled in _scaled(rendered):
        name = scaled.at("metadata", "name")
        made = _hpa_name(scaled)
        own = scaled.at("spec", "advanced", "horizontalPodAutoscalerConfig", "name")
        place = own if own.text else name
        if len(made) > LONGEST_NAME:
            text = f"the autoscaler `{made}` has {len(made)} characters, the most is {LONGEST_NAME}"
            hint = "shorten it, or name it in advanced.horizontalPodAutoscalerConfig.name"
            yield place.refused(text, hint)


def target_scaled_twice(rendered: Rendered) -> Iterator[Found]:
    """What one ScaledObject scales, no other may [webhook]."""
    found = list(_scaled(rendered))
    for index, scaled in enumerate(found):
        for other in found[:index]:
            if not side_by_side(scaled, other, rendered) or name_of(scaled) == name_of(other):
                continue
            target, theirs = _target(scaled), _target(other)
            if target == theirs and target[2]:
                place = scaled.at("spec", "scaleTargetRef", "name")
                related = other.at("spec", "scaleTargetRef", "name"), f"`{name_of(other)}` has it"
                text = f"{target[1]} `{target[2]}` is scaled by `{name_of(other)}` already"
                yield place.refused(text, "keep one ScaledObject of a workload", related=related)
            elif _hpa_name(scaled) == _hpa_name(other):
                text = f"the autoscaler `{_hpa_name(scaled)}` is that of `{name_of(other)}`"
                related = other.at("metadata", "name"), f"`{name_of(other)}` stands here"
                yield scaled.at("spec").refused(text, "name another", related=related)


def target_of_an_autoscaler(rendered: Rendered) -> Iterator[Found]:
    """What a HorizontalPodAutoscaler scales, KEDA may not, unless it takes it over [webhook]."""
    for scaled in _scaled(rendered):
        taken = scaled.at("metadata", "annotations", TRANSFER).text == "true"
        own = scaled.at("spec", "advanced", "horizontalPodAutoscalerConfig", "name").text
        for scaler in rendered.of_group("autoscaling", "HorizontalPodAutoscaler"):
            ignored = scaler.at("metadata", "annotations", UNOWNED).text == "false"
            same = side_by_side(scaled, scaler, rendered) and _target(scaled) == _target(scaler)
            if _is_owned(scaler, scaled):
                continue
            if same and not ignored and not (taken and own == name_of(scaler)):
                text = f"`{_target(scaled)[2]}` is scaled by the autoscaler `{name_of(scaler)}`"
                place = scaled.at("spec", "scaleTargetRef", "name")
                related = scaler.at("spec", "scaleTargetRef", "name"), "the autoscaler's target"
                hint = "remove the HorizontalPodAutoscaler: KEDA makes its own"
                yield place.refused(text, hint, related=related)


def trigger_name_twice(rendered: Rendered) -> Iterator[Found]:
    """Triggers that have names have names of their own [triggers]."""
    for scaled in _scaled(rendered):
        names = tuple(trigger.at("name") for trigger in scaled.at("spec", "triggers").elements)
        for name in twice(names):
            yield name.refused(f"two triggers are named `{name.text}`", "rename one")


def cache_of_a_trigger_without(rendered: Rendered) -> Iterator[Found]:
    """cpu, memory and cron have no metrics of KEDA's own to keep [triggers]."""
    for trigger in _triggers(rendered):
        kind, cached = trigger.at("type").text, trigger.at("useCachedMetrics")
        if kind in WITHOUT_CACHE and cached.value is True:
            yield cached.refused(f"`useCachedMetrics` of a {kind} trigger", "remove it")


def trigger_incomplete(rendered: Rendered) -> Iterator[Found]:
    """A trigger without one of these never becomes active, the object never ready [scalers]."""
    for trigger in _triggers(rendered):
        kind, metadata = trigger.at("type").text, trigger.at("metadata")
        missing = [name for name in NEEDED.get(kind, ()) if not metadata.at(name).given]
        if missing:
            told = ", ".join(f"`{name}`" for name in missing)
            yield metadata.refused(f"{kind} trigger without {told}", f"add {told} to metadata")


def _is_owned(scaler: Node, scaled: Node) -> bool:
    """Whether KEDA has made an autoscaler for a ScaledObject."""
    owners = scaler.at("metadata", "ownerReferences").elements
    wanted = "ScaledObject", name_of(scaled)
    return any((owner.at("kind").text, owner.at("name").text) == wanted for owner in owners)


def resource_trigger_without_type(rendered: Rendered) -> Iterator[Found]:
    """cpu and memory are scaled by Utilization or AverageValue; KEDA does not choose [scalers]."""
    for trigger in _triggers(rendered):
        kind, metric = trigger.at("type").text, trigger.at("metricType")
        if kind in BY_RESOURCES and not metric.given and not trigger.at("metadata", "type").given:
            hint = "add metricType: Utilization or AverageValue beside `type`"
            yield trigger.refused(f"{kind} trigger without `metricType`", hint)
        elif kind in BY_RESOURCES and metric.text == "Value":
            text = f"metricType `Value` of a {kind} trigger"
            yield metric.refused(text, "write Utilization or AverageValue")


def resource_trigger_alone_at_zero(rendered: Rendered) -> Iterator[Found]:
    """Of no replicas there is no cpu and no memory: nothing would ever start one [webhook]."""
    for scaled in _scaled(rendered):
        least = scaled.at("spec", "minReplicaCount")
        kinds = [trigger.at("type").text for trigger in scaled.at("spec", "triggers").elements]
        alone = bool(kinds) and all(kind in BY_RESOURCES for kind in kinds)
        if alone and not least.number and _target(scaled)[1] in ("Deployment", "StatefulSet"):
            told = "minReplicaCount 0" if least.given else "minReplicaCount, 0 by default,"
            text = f"{told} with triggers of cpu and memory alone"
            place = least if least.given else scaled.at("spec", "triggers")
            yield place.refused(text, "write minReplicaCount: 1")


def resource_trigger_without_request(rendered: Rendered) -> Iterator[Found]:
    """cpu and memory are measured against what a container requests [webhook].

    A LimitRange of the namespace may give it one.
    """
    if any(rendered.of_group("", "LimitRange")):
        return
    for scaled in _scaled(rendered):
        for trigger in scaled.at("spec", "triggers").elements:
            kind = trigger.at("type").text
            for container in _containers(scaled, rendered) if kind in BY_RESOURCES else ():
                only = trigger.at("metadata", "containerName").text
                given = [container.at("resources", k, kind) for k in ("requests", "limits")]
                if container.at("image").text == INJECTED or any(g.given for g in given):
                    continue
                if only in ("", container.at("name").text):
                    name = container.at("name").text
                    text = f"{kind} trigger, but container `{name}` requests no {kind}"
                    hint = f"give the container resources.requests.{kind}"
                    related = container, f"container `{name}`"
                    severity = trigger.refused if rendered.whole else trigger.warned
                    yield severity(text, hint, related=related)


def fallback_of_resources(rendered: Rendered) -> Iterator[Found]:
    """A fallback needs a trigger by AverageValue that is not cpu or memory [types]."""
    for scaled in _scaled(rendered):
        fallback = scaled.at("spec", "fallback")
        modifiers = scaled.at("spec", "advanced", "scalingModifiers")
        fitting = [
            trigger
            for trigger in scaled.at("spec", "triggers").elements
            if trigger.at("type").text not in BY_RESOURCES
            and trigger.at("metricType").text in ("", "AverageValue")
        ]
        if fallback.given and modifiers.at("metricType").text == "Value":
            text = "`fallback` with scalingModifiers of metricType Value"
            related = modifiers.at("metricType"), "metricType is Value"
            yield fallback.refused(text, "write metricType: AverageValue", related=related)
        elif fallback.given and not modifiers.given and not fitting:
            text = "`fallback` without a trigger by AverageValue besides cpu and memory"
            yield fallback.refused(text, "remove it, or add such a trigger")
        for name in ("failureThreshold", "replicas"):
            number = fallback.at(name).number
            if number is not None and number < 0:
                yield fallback.at(name).refused(f"{name} {number} is negative", "write 0 or more")


def formula_without_target(rendered: Rendered) -> Iterator[Found]:
    """Scaling modifiers are a formula and the number that it is held against [webhook]."""
    for scaled in _scaled(rendered):
        modifiers = scaled.at("spec", "advanced", "scalingModifiers")
        formula, target = modifiers.at("formula"), modifiers.at("target")
        if modifiers.keys and not formula.text:
            yield modifiers.refused("`scalingModifiers` without `formula`", "add `formula`")
        elif formula.text and not target.text:
            yield modifiers.refused("`formula` without `target`", "add `target`")
        elif target.text and not _is_positive(target.text):
            text = f"target `{target.text}` is no number above 0"
            yield target.refused(text, 'write a number such as "5"')


def _scaled(rendered: Rendered) -> Iterator[Node]:
    return rendered.of_group(GROUP, "ScaledObject")


def _triggers(rendered: Rendered) -> Iterator[Node]:
    for scaled in rendered.of_group(GROUP, "ScaledObject", "ScaledJob"):
        yield from scaled.at("spec", "triggers").elements


def _target(scaler: Node) -> tuple[str, str, str]:
    """API group, kind and name of what is scaled."""
    target = scaler.at("spec", "scaleTargetRef")
    version = target.at("apiVersion").text or DEPLOYMENT[0]
    group = version.rpartition("/")[0]
    return group, target.at("kind").text or DEPLOYMENT[1], target.at("name").text


def _hpa_name(scaled: Node) -> str:
    own = scaled.at("spec", "advanced", "horizontalPodAutoscalerConfig", "name").text
    return own or HPA_PREFIX + name_of(scaled)


def _containers(scaled: Node, rendered: Rendered) -> Iterator[Node]:
    """The containers of the workload that is scaled, where it is in sight."""
    group, kind, name = _target(scaled)
    for workload in rendered.of_kind(kind) if group == "apps" else ():
        if name_of(workload) == name and side_by_side(scaled, workload, rendered):
            yield from workload.at("spec", "template", "spec", "containers").elements


def _is_positive(number: str) -> bool:
    return re.fullmatch(r"\+?[0-9.]+([eE][-+]?[0-9]+)?", number) is not None and any(
        digit in "123456789" for digit in number.lower().partition("e")[0]
    )


RULES = (
    replica_count_reversed,
    idle_count_not_below_least,
    name_too_long,
    target_scaled_twice,
    target_of_an_autoscaler,
    trigger_name_twice,
    cache_of_a_trigger_without,
    trigger_incomplete,
    resource_trigger_without_type,
    resource_trigger_alone_at_zero,
    resource_trigger_without_request,
    fallback_of_resources,
    formula_without_target,
)
