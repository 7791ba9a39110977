"""What KServe refuses, or does not do, of the replicas and the traffic of an InferenceService.

Of kserve/kserve, [validation] is pkg/apis/serving/v1beta1/inference_service_validation.go,
[component] pkg/apis/serving/v1beta1/component.go, [controller]
pkg/controller/v1beta1/inferenceservice, and [hpa]
pkg/controller/v1beta1/inferenceservice/reconcilers/hpa; [ran] was tried against a real API server,
where nothing refused it.
"""

from collections.abc import Iterator, Mapping

from generator.resources import amount
from generator.webhook_rules.nodes import Found, Node, Rendered, Rule, twice
from generator.webhook_rules.services import (
    KSERVE,
    MODES,
    Component,
    annotation,
    components,
    inference_services,
)

AUTOSCALERS = ("hpa", "keda", "external", "none")  # constants.go; `kpa` is known and refused
HIGHEST_UTILIZATION = 100
METRICS = {"hpa": ("cpu", "memory"), "kpa": ("concurrency", "rps"), "keda": ()}
SOURCES = {"hpa": ("Resource",), "keda": ("Resource", "External", "PodMetric")}
SOURCE_FIELDS = {"Resource": "resource", "External": "external", "PodMetric": "podmetric"}
KEDA_TARGETS = {"cpu": ("Utilization",), "memory": ("AverageValue", "Utilization")}
VALUE_OF_TARGET = {
    "Utilization": "averageUtilization",
    "AverageValue": "averageValue",
    "Value": "value",
}
LEAST_MEMORY = "1Mi"


def replicas_reversed(rendered: Rendered) -> Iterator[Found]:
    """KServe refuses minReplicas above maxReplicas; a maximum of 0 is none [component]."""
    for component in components(rendered):
        least, most = component.spec.at("minReplicas"), component.spec.at("maxReplicas")
        if least.number is not None and most.number and least.number > most.number >= 0:
            text = f"minReplicas {least.number} exceeds maxReplicas {most.number}"
            hint = f"raise maxReplicas to {least.number}, or lower minReplicas"
            related = most, f"maxReplicas {most.number} stands here"
            yield least.refused(text, hint, related=related)


def negative_replicas(rendered: Rendered) -> Iterator[Found]:
    """KServe refuses numbers of replicas and of requests below 0 [component]."""
    for component in components(rendered):
        for name in ("minReplicas", "maxReplicas", "containerConcurrency"):
            number = component.spec.at(name).number
            if number is not None and number < 0:
                text = f"{name} {number} is negative"
                yield component.spec.at(name).refused(text, "write 0 or more")


def zero_replicas_without_knative(rendered: Rendered) -> Iterator[Found]:
    """In Standard mode KServe's own autoscaler keeps one replica though minReplicas is 0 [hpa].

    Zero works with Knative, and with keda.
    """
    for component in components(rendered):
        least = component.spec.at("minReplicas")
        scaler = annotation(component.service, "autoscalerClass").text or "hpa"
        if least.number == 0 and component.mode == "Standard" and scaler == "hpa":
            text = "`minReplicas: 0` keeps 1 replica in deploymentMode Standard"
            hint = "write 1, or use autoscalerClass keda or deploymentMode Knative"
            yield least.warned(text, hint)


def canary_outside_percent(rendered: Rendered) -> Iterator[Found]:
    """KServe takes a share of the traffic above 100, and Knative refuses the service [ran]."""
    for component in components(rendered):
        share = component.spec.at("canaryTrafficPercent")
        if share.number is not None and not 0 <= share.number <= 100:
            text = f"canaryTrafficPercent {share.number} is outside 0 to 100"
            yield share.refused(text, "write a percentage")


def canary_without_knative(rendered: Rendered) -> Iterator[Found]:
    """In Standard mode canaryTrafficPercent does nothing, and nobody says so [ran]."""
    for component in components(rendered):
        share = component.spec.at("canaryTrafficPercent")
        if share.given and component.mode == "Standard":
            text = "`canaryTrafficPercent` does nothing in deploymentMode Standard"
            mode = annotation(component.service, "deploymentMode")
            related = mode, f"deploymentMode is `{mode.text}`"
            hint = "use spec.canary, or deploymentMode Knative"
            yield share.refused(text, hint, related=related)


def canaries_over_the_stable(rendered: Rendered) -> Iterator[Found]:
    """Canaries share at most the whole traffic, and do not scale by themselves [validation]."""
    for service in inference_services(rendered):
        stable, canaries = service.at("spec", "predictor"), service.at("spec", "canary")
        total = sum(canary.at("trafficPercent").number or 0 for canary in canaries.elements)
        if total > 100:
            yield canaries.refused(f"canaries take {total} percent of the traffic, the most is 100")
        predictors = [canary.at("predictor") for canary in canaries.elements]
        for name in twice(tuple(p.at("name") for p in (stable, *predictors))):
            yield name.refused(f"two predictors are named `{name.text}`", "rename one")
        for predictor in predictors:
            for key in ("maxReplicas", "scaleMetric", "scaleTarget", "autoScaling"):
                if predictor.at(key).given:
                    text = f"`{key}` of a canary: only the stable predictor scales"
                    yield predictor.at(key).refused(text, "remove it")


def unknown_deployment_mode(rendered: Rendered) -> Iterator[Found]:
    """KServe reads an unknown deploymentMode as the cluster's default, in silence [controller]."""
    for service in inference_services(rendered):
        mode = annotation(service, "deploymentMode")
        if mode.text and mode.text not in MODES:
            near = {known.lower(): known for known in MODES}.get(mode.text.lower(), "")
            hint = f"write `{MODES[near]}`" if near else "write `Standard` or `Knative`"
            yield mode.refused(f"unknown deploymentMode `{mode.text}`", hint)


def old_deployment_mode(rendered: Rendered) -> Iterator[Found]:
    """RawDeployment and Serverless are words of before v0.16: constants.go calls them deprecated.

    They are read as the new ones when pods are made, and not where autoscaling is checked.
    """
    for service in inference_services(rendered):
        mode = annotation(service, "deploymentMode")
        if mode.text in MODES and MODES[mode.text] != mode.text:
            new = MODES[mode.text]
            text = f"deploymentMode `{mode.text}` is now called `{new}`"
            yield mode.warned(text, f"write `{new}`")


def unknown_autoscaler(rendered: Rendered) -> Iterator[Found]:
    """KServe refuses other words for the autoscaler [validation]."""
    for service in inference_services(rendered):
        autoscaler = annotation(service, "autoscalerClass")
        if autoscaler.given and autoscaler.value not in AUTOSCALERS:
            text = f"unknown autoscalerClass `{autoscaler.value}`"
            yield autoscaler.refused(text, f"use one of {', '.join(AUTOSCALERS)}")


def autoscaler_without_standard(rendered: Rendered) -> Iterator[Found]:
    """Knative scales what it runs by itself: autoscalerClass is read in Standard mode alone.

    Source: pkg/controller/v1beta1/inferenceservice/reconcilers, where only `raw` has autoscalers.
    """
    for service in inference_services(rendered):
        scaler, mode = annotation(service, "autoscalerClass"), annotation(service, "deploymentMode")
        if scaler.text in ("hpa", "keda") and MODES.get(mode.text) == "Knative":
            text = f"autoscalerClass `{scaler.text}` does nothing in deploymentMode {mode.text}"
            related = mode, f"deploymentMode is `{mode.text}`"
            hint = "remove it, or use deploymentMode Standard"
            yield scaler.warned(text, hint, related=related)


def metric_of_another_autoscaler(rendered: Rendered) -> Iterator[Found]:
    """Each autoscaler knows its own metrics, keda none by this name [validation].

    Where the mode is not the word Standard itself, that of Knative's autoscaler is asked for, also
    for the old RawDeployment.
    """
    for component in components(rendered):
        autoscaler, metric = _autoscaler(component), component.spec.at("scaleMetric")
        if metric.text and autoscaler in METRICS and metric.text not in METRICS[autoscaler]:
            text = f"scaleMetric `{metric.text}` with the autoscaler {autoscaler}"
            known = METRICS[autoscaler]
            hint = f"use {' or '.join(known)}" if known else "remove it"
            if _is_old_standard(component):
                hint = "write deploymentMode `Standard`: RawDeployment is checked as Knative"
            yield metric.refused(text, hint)


def target_over_percent(rendered: Rendered) -> Iterator[Found]:
    """With the class hpa a target above 100 is refused, whatever the metric [validation]."""
    for component in components(rendered):
        target = component.spec.at("scaleTarget")
        if _autoscaler(component) == "hpa" and (target.number or 0) > HIGHEST_UTILIZATION:
            text = f"scaleTarget {target.number} exceeds {HIGHEST_UTILIZATION} with autoscaler hpa"
            yield target.refused(text, "write a percentage")


def target_below_one(rendered: Rendered) -> Iterator[Found]:
    """A target of 0 of cpu, memory or rps scales to no end and is refused [validation]."""
    for component in components(rendered):
        target, metric = component.spec.at("scaleTarget"), component.spec.at("scaleMetric").text
        autoscaler = _autoscaler(component)
        checked = metric == "rps" if autoscaler == "kpa" else autoscaler == "hpa"
        if checked and target.number is not None and target.number < 1:
            yield target.refused(f"scaleTarget {target.number} is below 1", "write 1 or more")


def strategy_without_standard(rendered: Rendered) -> Iterator[Found]:
    """Knative rolls out by itself; a deploymentStrategy is refused there [validation]."""
    for component in components(rendered):
        strategy = component.spec.at("deploymentStrategy")
        if strategy.given and _autoscaler(component) == "kpa":
            mode = annotation(component.service, "deploymentMode").text
            text = f"`deploymentStrategy` in deploymentMode {mode}"
            hint = "remove it, or use deploymentMode Standard"
            yield strategy.refused(text, hint)


def metrics_source_of_another_autoscaler(rendered: Rendered) -> Iterator[Found]:
    """hpa scales on resources alone, keda also on External and PodMetric [validation]."""
    for component, autoscaler, metric in _metrics(rendered):
        kind = metric.at("type")
        known = SOURCES[autoscaler]
        if kind.text in SOURCE_FIELDS and kind.text not in known:
            text = f"metric of type `{kind.text}` with the autoscaler {autoscaler}"
            scaler = annotation(component.service, "autoscalerClass")
            related = scaler, f"autoscalerClass is `{scaler.text}`"
            yield kind.refused(text, "use autoscalerClass keda", related=related)


def metric_without_its_source(rendered: Rendered) -> Iterator[Found]:
    """A metric is described in the field of its type [validation]."""
    for _, _, metric in _metrics(rendered):
        field = SOURCE_FIELDS.get(metric.at("type").text)
        if field and not metric.at(field).given:
            text = f"metric of type `{metric.at('type').text}` without `{field}`"
            yield metric.refused(text, f"add `{field}`")


def target_of_another_type(rendered: Rendered) -> Iterator[Found]:
    """keda scales cpu by its utilization, memory by that or by an average [validation]."""
    for _, autoscaler, metric in _metrics(rendered):
        name = metric.at("resource", "name").text
        kind = metric.at("resource", "target", "type")
        known = KEDA_TARGETS.get(name, ())
        if autoscaler == "keda" and known and kind.text and kind.text not in known:
            text = f"target of type `{kind.text}` for {name} with the autoscaler keda"
            yield kind.refused(text, f"write `{'` or `'.join(known)}`")


def target_without_its_value(rendered: Rendered) -> Iterator[Found]:
    """A target says its number in the field of its type [validation]."""
    for _, autoscaler, metric in _metrics(rendered):
        for field in SOURCE_FIELDS.values() if autoscaler == "keda" else ():
            target = metric.at(field, "target")
            value = VALUE_OF_TARGET.get(target.at("type").text, "")
            if field != "resource" and target.given and not target.at("value").given:
                yield target.refused("target without `value`", "add `value`, the threshold")
            elif value and not target.at(value).given:
                text = f"target of type `{target.at('type').text}` without `{value}`"
                yield target.refused(text, f"add `{value}`")


def utilization_outside_percent(rendered: Rendered) -> Iterator[Found]:
    """keda's utilization is a percentage from 1 to 100, memory at least 1Mi [validation]."""
    for _, autoscaler, metric in _metrics(rendered):
        target = metric.at("resource", "target")
        share, size = target.at("averageUtilization"), target.at("averageValue")
        kind = target.at("type").text
        if autoscaler != "keda":
            continue
        if kind == "Utilization" and share.number is not None and not 1 <= share.number <= 100:
            text = f"averageUtilization {share.number} is outside 1 to 100"
            yield share.refused(text, "write a percentage")
        is_memory = metric.at("resource", "name").text == "memory"
        if kind == "AverageValue" and is_memory and _is_below(size, LEAST_MEMORY):
            text = f"averageValue {size.value} of memory is below {LEAST_MEMORY}"
            yield size.refused(text, "write a size such as 512Mi")


def metric_without_query(rendered: Rendered) -> Iterator[Found]:
    """keda asks its backend a query, which must not be empty [validation]."""
    for _, autoscaler, metric in _metrics(rendered):
        for field in ("external", "podmetric") if autoscaler == "keda" else ():
            source = metric.at(field, "metric")
            if source.given and not source.at("query").text:
                yield source.refused("a metric without `query`", "add the query to scale by")


def _metrics(rendered: Rendered) -> Iterator[tuple[Component, str, Node]]:
    """The metrics under autoScaling that the webhook looks at, with their component and scaler."""
    for component in components(rendered):
        autoscaler = _autoscaler(component)
        for metric in component.spec.at("autoScaling", "metrics").elements:
            if autoscaler in SOURCES:
                yield component, autoscaler, metric


def _autoscaler(component: Component) -> str:
    """What scales a component, as the webhook sees it: hpa, keda, kpa, or nothing known."""
    if component.mode == "Standard" and not _is_old_standard(component):
        return annotation(component.service, "autoscalerClass").text
    if component.mode not in ("Knative", "Standard"):
        return ""
    key = "autoscaling.knative.dev/class"
    by_knative = component.service.at("metadata", "annotations", key).text
    return "hpa" if by_knative.startswith("hpa.") else "kpa"


def _is_old_standard(component: Component) -> bool:
    return annotation(component.service, "deploymentMode").text == "RawDeployment"


def _is_below(quantity: Node, least: str) -> bool:
    if not isinstance(quantity.value, str | int) or isinstance(quantity.value, bool):
        return False
    try:
        return amount(quantity.value) < amount(least)
    except ValueError:
        return False


RULES = (
    replicas_reversed,
    negative_replicas,
    zero_replicas_without_knative,
    canary_outside_percent,
    canary_without_knative,
    canaries_over_the_stable,
    unknown_deployment_mode,
    old_deployment_mode,
    unknown_autoscaler,
    autoscaler_without_standard,
    metric_of_another_autoscaler,
    target_over_percent,
    target_below_one,
    strategy_without_standard,
    metrics_source_of_another_autoscaler,
    metric_without_its_source,
    target_of_another_type,
    target_without_its_value,
    utilization_outside_percent,
    metric_without_query,
)

_AUTOSCALER = (f"{KSERVE}/autoscalerClass",)
ONLY_WITH: Mapping[Rule, tuple[str, ...]] = {
    canary_outside_percent: ("canaryTrafficPercent",),
    canary_without_knative: ("canaryTrafficPercent",),
    canaries_over_the_stable: ("canary",),
    unknown_autoscaler: _AUTOSCALER,
    autoscaler_without_standard: _AUTOSCALER,
    metric_of_another_autoscaler: ("scaleMetric",),
    target_over_percent: ("scaleTarget",),
    target_below_one: ("scaleTarget",),
    strategy_without_standard: ("deploymentStrategy",),
    metrics_source_of_another_autoscaler: ("autoScaling",),
    metric_without_its_source: ("autoScaling",),
    target_of_another_type: ("autoScaling",),
    target_without_its_value: ("autoScaling",),
    utilization_outside_percent: ("autoScaling",),
    metric_without_query: ("autoScaling",),
}
"""Rules that say nothing where none of these words stands, as a key or as a text."""
