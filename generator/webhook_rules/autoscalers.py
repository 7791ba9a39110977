"""What the API server refuses of a HorizontalPodAutoscaler, and two that scale one workload.

[autoscaling] is pkg/apis/autoscaling/validation/validation.go of kubernetes.
"""

from collections.abc import Iterator

from generator.webhook_rules.nodes import Found, Node, Rendered, name_of, side_by_side
from generator.webhook_rules.services import MODES, annotation, inference_services

METRIC_FIELDS = {
    "Resource": "resource",
    "Pods": "pods",
    "Object": "object",
    "External": "external",
    "ContainerResource": "containerResource",
}


def autoscaler_reversed(rendered: Rendered) -> Iterator[Found]:
    """The least number of replicas is not above the most, which is at least 1 [autoscaling]."""
    for scaler in _autoscalers(rendered):
        least, most = scaler.at("spec", "minReplicas"), scaler.at("spec", "maxReplicas")
        if most.number is not None and most.number < 1:
            yield most.refused(f"maxReplicas {most.number} is below 1", "write 1 or more")
        elif least.number is not None and most.number is not None and least.number > most.number:
            text = f"minReplicas {least.number} exceeds maxReplicas {most.number}"
            related = most, f"maxReplicas {most.number} stands here"
            yield least.refused(text, f"raise maxReplicas to {least.number}", related=related)


def autoscaler_to_zero(rendered: Rendered) -> Iterator[Found]:
    """Zero replicas are refused, but behind the gate HPAScaleToZero and for other metrics.

    Of cpu and memory alone they are refused in any case [autoscaling].
    """
    for scaler in _autoscalers(rendered):
        least = scaler.at("spec", "minReplicas")
        kinds = [metric.at("type").text for metric in scaler.at("spec", "metrics").elements]
        if least.number is not None and least.number < 0:
            yield least.refused(f"minReplicas {least.number} is negative", "write 1 or more")
        elif least.number == 0 and not {"Object", "External"} & {*kinds}:
            text = "minReplicas 0 without a metric of type Object or External"
            yield least.refused(text, "write 1")
        elif least.number == 0:
            text = "minReplicas 0 is refused without the feature gate HPAScaleToZero"
            yield least.warned(text, "write 1, or use KEDA")


def metric_without_source(rendered: Rendered) -> Iterator[Found]:
    """A metric is described in the field of its type, and in no other [autoscaling]."""
    for scaler in _autoscalers(rendered):
        for metric in scaler.at("spec", "metrics").elements:
            kind = metric.at("type").text
            field = METRIC_FIELDS.get(kind, "")
            others = [f for f in METRIC_FIELDS.values() if f != field and metric.at(f).given]
            if field and not metric.at(field).given:
                yield metric.refused(f"metric of type `{kind}` without `{field}`", f"add `{field}`")
            elif field and others:
                text = f"`{others[0]}` in a metric of type `{kind}`"
                yield metric.at(others[0]).refused(text, "remove it")


def two_autoscalers(rendered: Rendered) -> Iterator[Found]:
    """Two autoscalers of one workload scale neither: the controller finds them ambiguous.

    Source: pkg/controller/podautoscaler/horizontal.go of kubernetes, AmbiguousSelector.
    """
    found = list(_autoscalers(rendered))
    for index, scaler in enumerate(found):
        for other in found[:index]:
            same = _target(scaler) == _target(other) and side_by_side(scaler, other, rendered)
            if same and name_of(scaler) != name_of(other) and _target(scaler)[1]:
                kind, name = _target(scaler)
                text = f"{kind} `{name}` is scaled by `{name_of(other)}` already"
                place = scaler.at("spec", "scaleTargetRef", "name")
                related = other.at("spec", "scaleTargetRef", "name"), f"`{name_of(other)}`"
                told = place.refused if rendered.whole else place.warned  # or two alternatives
                yield told(text, "keep one of the two", related=related)


def autoscaler_beside_kserve(rendered: Rendered) -> Iterator[Found]:
    """In Standard mode KServe makes an autoscaler for each component, unless told not to.

    A second one of the same workload scales against it. Source: kserve,
    pkg/controller/v1beta1/inferenceservice/reconcilers/hpa.
    """
    for service in inference_services(rendered):
        scaler = annotation(service, "autoscalerClass")
        standard = MODES.get(annotation(service, "deploymentMode").text) == "Standard"
        if not standard or scaler.text in ("external", "none"):
            continue
        made = {f"{name_of(service)}-{part}" for part in ("predictor", "transformer", "explainer")}
        for own in rendered.of_kind("HorizontalPodAutoscaler", "ScaledObject"):
            target = own.at("spec", "scaleTargetRef", "name")
            if target.text in made and side_by_side(own, service, rendered):
                text = f"KServe makes an autoscaler of `{target.text}` too"
                hint = "annotate the service with serving.kserve.io/autoscalerClass: external"
                related = service.at("metadata", "name"), f"InferenceService `{name_of(service)}`"
                yield target.refused(text, hint, related=related)


def _autoscalers(rendered: Rendered) -> Iterator[Node]:
    return rendered.of_group("autoscaling", "HorizontalPodAutoscaler")


def _target(scaler: Node) -> tuple[str, str]:
    target = scaler.at("spec", "scaleTargetRef")
    return target.at("kind").text, target.at("name").text


RULES = (
    autoscaler_reversed,
    autoscaler_to_zero,
    metric_without_source,
    two_autoscalers,
    autoscaler_beside_kserve,
)
