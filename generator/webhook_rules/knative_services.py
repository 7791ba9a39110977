"""What Knative's webhook refuses of a Service of its own, beside what `knative` says of its pod.

Of knative/serving, [route] is pkg/apis/serving/v1/route_validation.go, [revision]
pkg/apis/serving/v1/revision_validation.go, [service] pkg/apis/serving/v1/service_validation.go, and
[scaling] pkg/apis/autoscaling/annotation_validation.go.
"""

import re
from collections.abc import Iterator

from generator.webhook_rules.nodes import Found, Node, Rendered, name_of, twice
from generator.webhook_rules.services import KNATIVE

SCALING = "autoscaling.knative.dev"
WHOLE_TRAFFIC = 100
NUMBERS = ("min-scale", "minScale", "max-scale", "maxScale", "initial-scale", "initialScale")
LEAST_TARGET = 0.01


def traffic_not_whole(rendered: Rendered) -> Iterator[Found]:
    """The percents of the traffic make up the whole [route]."""
    for service in _services(rendered):
        traffic = service.at("spec", "traffic")
        total = sum(target.at("percent").number or 0 for target in traffic.elements)
        if traffic.elements and total != WHOLE_TRAFFIC:
            text = f"the traffic sums to {total} percent, not {WHOLE_TRAFFIC}"
            yield traffic.refused(text, f"make the percents sum to {WHOLE_TRAFFIC}")


def traffic_to_two_revisions(rendered: Rendered) -> Iterator[Found]:
    """Traffic goes to the latest revision, or to one by its name [route]."""
    for target in _targets(rendered):
        latest, name = target.at("latestRevision"), target.at("revisionName")
        if latest.value is True and name.text:
            related = latest, "latestRevision is true"
            text = f"revisionName `{name.text}` with latestRevision"
            yield name.refused(text, "keep one", related=related)
        elif latest.value is False and not name.text:
            text = "latestRevision is false and no revision named"
            yield latest.refused(text, "add revisionName")


def traffic_tag_twice(rendered: Rendered) -> Iterator[Found]:
    """A tag is an address of its own [route]."""
    for service in _services(rendered):
        targets = service.at("spec", "traffic").elements
        for tag in twice(tuple(target.at("tag") for target in targets)):
            yield tag.refused(f"two targets have the tag `{tag.text}`", "rename one")


def configuration_in_service(rendered: Rendered) -> Iterator[Found]:
    """The traffic of a Service goes to its own Configuration [route]."""
    for target in _targets(rendered):
        if target.at("configurationName").given:
            text = "`configurationName` in the traffic of a Service"
            yield target.at("configurationName").refused(text, "use latestRevision: true")


def revision_of_another_name(rendered: Rendered) -> Iterator[Found]:
    """A revision is named `<service>-<suffix>` [revision]."""
    for service in _services(rendered):
        own, name = name_of(service), service.at("spec", "template", "metadata", "name")
        if own and name.text and not name.text.startswith(f"{own}-"):
            text = f"revision `{name.text}` does not start with `{own}-`"
            related = service.at("metadata", "name"), "the Service's name"
            yield name.refused(text, f"write `{own}-{name.text}`", related=related)


def scaling_beside_the_template(rendered: Rendered) -> Iterator[Found]:
    """Annotations of the autoscaler work in the template alone; elsewhere refused [service]."""
    for service in _services(rendered):
        annotations = service.at("metadata", "annotations")
        for key in annotations.keys:
            if key.startswith(SCALING):
                text = f"annotation `{key}` on the Service"
                hint = "move it to spec.template.metadata.annotations"
                yield annotations.at(key).refused(text, hint)


def scale_no_number(rendered: Rendered) -> Iterator[Found]:
    """Scales are whole numbers of 0 or more, written as text [scaling]."""
    for service in _services(rendered):
        for name in NUMBERS:
            scale = _annotation(service, name)
            if scale.text and not re.fullmatch(r"\+?[0-9]+", scale.text):
                yield scale.refused(f"{name} `{scale.text}`", 'write a number such as "1"')


def scale_reversed(rendered: Rendered) -> Iterator[Found]:
    """The least scale is not above the most; a maximum of 0 is none [scaling]."""
    for service in _services(rendered):
        least = _given(service, "min-scale", "minScale")
        most = _given(service, "max-scale", "maxScale")
        lowest, highest = _number(least), _number(most)
        if lowest is not None and highest and lowest > highest:
            text = f"min-scale {lowest} exceeds max-scale {highest}"
            related = most, f"max-scale {highest} stands here"
            yield least.refused(text, f"raise max-scale to {lowest}", related=related)


def scaling_target_too_small(rendered: Rendered) -> Iterator[Found]:
    """A target of nothing scales to no end [scaling]."""
    for service in _services(rendered):
        target = _annotation(service, "target")
        is_number = re.fullmatch(r"[0-9]+(\.[0-9]*)?|\.[0-9]+", target.text)
        if is_number and float(target.text) < LEAST_TARGET:
            text = f"target {target.text} is below {LEAST_TARGET}"
            yield target.refused(text, "write the requests that a pod takes at once")


def _services(rendered: Rendered) -> Iterator[Node]:
    return rendered.of_group(KNATIVE, "Service")


def _targets(rendered: Rendered) -> Iterator[Node]:
    for service in _services(rendered):
        yield from service.at("spec", "traffic").elements


def _annotation(service: Node, name: str) -> Node:
    return service.at("spec", "template", "metadata", "annotations", f"{SCALING}/{name}")


def _given(service: Node, *names: str) -> Node:
    """The first of several spellings that is given."""
    found = [_annotation(service, name) for name in names]
    return next((node for node in found if node.given), found[0])


def _number(scale: Node) -> int | None:
    return int(scale.text) if re.fullmatch(r"\+?[0-9]{1,9}", scale.text) else None


RULES = (
    traffic_not_whole,
    traffic_to_two_revisions,
    traffic_tag_twice,
    configuration_in_service,
    revision_of_another_name,
    scaling_beside_the_template,
    scale_no_number,
    scale_reversed,
    scaling_target_too_small,
)
