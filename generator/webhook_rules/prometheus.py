"""What the Prometheus operator refuses of rules and monitors.

[rules] is model/rulefmt/rulefmt.go of prometheus/prometheus, by which the operator's webhook checks
a PrometheusRule; [monitors] pkg/prometheus/resource_selector.go of
prometheus-operator/prometheus-operator, which leaves a refused monitor out with an event. An
expression is not parsed here.
"""

import re
from collections.abc import Iterator

from generator.webhook_rules.nodes import Found, Node, Rendered

GROUP = "monitoring.coreos.com"
MILLISECONDS = {
    "y": 31_536_000_000,
    "w": 604_800_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1000,
    "ms": 1,
}
ONLY_OF_ALERTS = ("for", "keep_firing_for", "annotations")
CREDENTIALS = ("basicAuth", "authorization", "oauth2")
ENDPOINTS = {"ServiceMonitor": "endpoints", "PodMonitor": "podMetricsEndpoints"}


def record_and_alert(rendered: Rendered) -> Iterator[Found]:
    """A rule records or alerts, one of the two [rules]."""
    for rule in _rules(rendered):
        record, alert = rule.at("record"), rule.at("alert")
        if record.text and alert.text:
            related = record, "`record` stands here"
            yield alert.refused("a rule with `record` and `alert`", "keep one", related=related)
        elif not record.text and not alert.text:
            yield rule.refused("a rule without `record` or `alert`", "add one of them")


def rule_without_expression(rendered: Rendered) -> Iterator[Found]:
    """A rule evaluates an expression [rules]."""
    for rule in _rules(rendered):
        if rule.at("expr").value in (None, ""):
            yield rule.refused("a rule without `expr`", "add `expr`")


def field_of_alerts_in_record(rendered: Rendered) -> Iterator[Found]:
    """A rule that records fires nothing [rules]."""
    for rule in _rules(rendered):
        for name in ONLY_OF_ALERTS if rule.at("record").text else ():
            field = rule.at(name)
            if field.value not in (None, "", {}) and _milliseconds(field.text) != 0:
                related = rule.at("record"), "this rule records"
                text = f"`{name}` in a rule that records"
                yield field.refused(text, "remove it", related=related)


def braces_in_record(rendered: Rendered) -> Iterator[Found]:
    """The name of what is recorded is no selector; labels stand in `labels` [rules]."""
    for rule in _rules(rendered):
        record = rule.at("record")
        if "{" in record.text or "}" in record.text:
            yield record.refused(f"record `{record.text}` has braces", "put labels into `labels`")


def metric_name_as_label(rendered: Rendered) -> Iterator[Found]:
    """The name of a metric is not set as a label [rules]."""
    for rule in _rules(rendered):
        if rule.at("labels", "__name__").given:
            hint = "remove it: `record` names the metric"
            yield rule.at("labels", "__name__").refused("label `__name__` of a rule", hint)


def timeout_over_interval(rendered: Rendered) -> Iterator[Found]:
    """A scrape is over before the next begins, or the monitor is left out [monitors]."""
    for endpoint in _endpoints(rendered):
        timeout, interval = endpoint.at("scrapeTimeout"), endpoint.at("interval")
        longest, most = _milliseconds(timeout.text), _milliseconds(interval.text)
        if longest is not None and most is not None and longest > most:
            text = f"scrapeTimeout {timeout.text} exceeds interval {interval.text}"
            related = interval, f"interval {interval.text}"
            yield timeout.refused(text, f"write {interval.text} or less", related=related)


def two_credentials(rendered: Rendered) -> Iterator[Found]:
    """An endpoint is asked with one kind of credentials [monitors]."""
    for endpoint in _endpoints(rendered):
        given = [endpoint.at(name) for name in CREDENTIALS if endpoint.at(name).given]
        if len(given) > 1:
            told = " and ".join(f"`{one.path[-1]}`" for one in given)
            related = given[0], f"`{given[0].path[-1]}` stands here"
            yield given[1].refused(f"an endpoint with {told}", "keep one", related=related)


def port_given_twice(rendered: Rendered) -> Iterator[Found]:
    """Of `port` and `targetPort` the first is used, the other is not read.

    Source: pkg/prometheus/promcfg.go of prometheus-operator.
    """
    for endpoint in _endpoints(rendered):
        port, target = endpoint.at("port"), endpoint.at("targetPort")
        if port.text and target.given:
            related = port, "`port` stands here"
            text = "`targetPort` is not read beside `port`"
            yield target.warned(text, "keep one", related=related)


def _rule_manifests(rendered: Rendered) -> Iterator[Node]:
    return rendered.of_group(GROUP, "PrometheusRule")


def _rules(rendered: Rendered) -> Iterator[Node]:
    for manifest in _rule_manifests(rendered):
        for group in manifest.at("spec", "groups").elements:
            yield from group.at("rules").elements


def _endpoints(rendered: Rendered) -> Iterator[Node]:
    for kind, field in ENDPOINTS.items():
        for monitor in rendered.of_group(GROUP, kind):
            yield from monitor.at("spec", field).elements


def _milliseconds(duration: str) -> int | None:
    """A duration of Prometheus' such as `1m30s`, if it is one."""
    if not re.fullmatch(r"([0-9]+(y|w|d|h|ms|m|s))+", duration):
        return None
    parts = re.findall(r"([0-9]+)(y|w|d|h|ms|m|s)", duration)
    return sum(int(number) * MILLISECONDS[unit] for number, unit in parts)


RULES = (
    record_and_alert,
    rule_without_expression,
    field_of_alerts_in_record,
    braces_in_record,
    metric_name_as_label,
    timeout_over_interval,
    two_credentials,
    port_given_twice,
)
