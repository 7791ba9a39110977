"""What the API server refuses of a Service, an Ingress or a NetworkPolicy.

Of kubernetes, [core] and [networking] are pkg/apis/<name>/validation/validation.go.
"""

import re
from collections.abc import Iterator

from generator.webhook_rules.nodes import Found, Node, Rendered, twice
from generator.webhook_rules.podlabels import pod_labels

LAST_PORT = 65_535


def unnamed_ports(rendered: Rendered) -> Iterator[Found]:
    """Of several ports of a Service each has a name of its own [core]."""
    for service in _services(rendered):
        ports = service.at("spec", "ports").elements
        for port in ports if len(ports) > 1 else ():
            if not port.at("name").text:
                yield port.refused("a port without `name` beside others", "name each port")
        for name in twice(tuple(port.at("name") for port in ports)):
            yield name.refused(f"two ports are named `{name.text}`", "rename one")


def service_without_ports(rendered: Rendered) -> Iterator[Found]:
    """A Service with an address of its own listens on a port [core]."""
    for service in _services(rendered):
        spec, ports = service.at("spec"), service.at("spec", "ports")
        is_headless = spec.at("clusterIP").text == "None"
        if not ports.elements and not is_headless and spec.at("type").text != "ExternalName":
            place = ports if ports.given else spec
            yield place.refused("a Service without `ports`", "add `ports`, or clusterIP: None")


def service_port_out_of_range(rendered: Rendered) -> Iterator[Found]:
    """A Service listens on 1 to 65535 [core]; a targetPort of 0 is the port itself."""
    for service in _services(rendered):
        for port in service.at("spec", "ports").elements:
            for number, least in ((port.at("port"), 1), (port.at("targetPort"), 0)):
                if number.number is not None and not least <= number.number <= LAST_PORT:
                    name = number.path[-1]
                    text = f"{name} {number.number} is outside {least} to {LAST_PORT}"
                    yield number.refused(text, "write the port that it listens on")


def node_port_inside(rendered: Rendered) -> Iterator[Found]:
    """A port of the node is for Services that are reached from outside [core]."""
    for service in _services(rendered):
        kind = service.at("spec", "type")
        for port in service.at("spec", "ports").elements:
            if port.at("nodePort").number and kind.text in ("", "ClusterIP"):
                text = f"nodePort in a Service of type {kind.text or 'ClusterIP'}"
                related = kind, f"type {kind.text}"
                hint = "remove it, or write type: NodePort"
                yield port.at("nodePort").refused(text, hint, related=related)


def headless_but_exposed(rendered: Rendered) -> Iterator[Found]:
    """A Service without an address of its own cannot be reached from outside [core]."""
    for service in _services(rendered):
        kind, address = service.at("spec", "type"), service.at("spec", "clusterIP")
        if address.text == "None" and kind.text in ("NodePort", "LoadBalancer", "ExternalName"):
            text = f"clusterIP None in a Service of type {kind.text}"
            yield address.refused(text, "remove one", related=(kind, f"type {kind.text}"))


def ingress_path_not_absolute(rendered: Rendered) -> Iterator[Found]:
    """A path that is matched begins at the root, without `//` or dots [networking]."""
    for ingress in _ingresses(rendered):
        for rule in ingress.at("spec", "rules").elements:
            for entry in rule.at("http", "paths").elements:
                path, kind = entry.at("path"), entry.at("pathType").text
                matched = kind in ("Exact", "Prefix")
                if matched and not path.text.startswith("/"):
                    text = f"path `{path.text}` of pathType {kind}"
                    yield path.refused(text, f"write `/{path.text}`")
                elif matched and re.search(r"//|/\.\.?(/|$)", path.text):
                    yield path.refused(f"path `{path.text}` is not plain", "write it without `//`")


def ingress_backend_not_one(rendered: Rendered) -> Iterator[Found]:
    """A path leads to a service or to a resource [networking]."""
    for ingress in _ingresses(rendered):
        backends = [ingress.at("spec", "defaultBackend")]
        for rule in ingress.at("spec", "rules").elements:
            backends += [entry.at("backend") for entry in rule.at("http", "paths").elements]
        for backend in backends:
            service, port = backend.at("service"), backend.at("service", "port")
            if service.given and backend.at("resource").given:
                related = service, "`service` stands here"
                text = "a backend with `service` and `resource`"
                yield backend.at("resource").refused(text, "keep one", related=related)
            elif service.given and port.at("name").given == port.at("number").given:
                told = "name and number" if port.at("name").given else "nothing"
                text = f"the port of a backend has {told}"
                yield service.refused(text, "write port.number or port.name")


def ingress_without_rules(rendered: Rendered) -> Iterator[Found]:
    """An Ingress leads somewhere [networking]."""
    for ingress in _ingresses(rendered):
        spec = ingress.at("spec")
        if spec.given and not spec.at("rules").elements and not spec.at("defaultBackend").given:
            yield spec.refused("neither `rules` nor `defaultBackend`", "add `rules`")


def policy_port_out_of_range(rendered: Rendered) -> Iterator[Found]:
    """A NetworkPolicy opens 1 to 65535, and a range of ports goes up [networking]."""
    for policy in rendered.of_group("networking.k8s.io", "NetworkPolicy"):
        for side in ("ingress", "egress"):
            for rule in policy.at("spec", side).elements:
                for entry in rule.at("ports").elements:
                    yield from _out_of_range(entry)


def _out_of_range(entry: Node) -> Iterator[Found]:
    port, last = entry.at("port"), entry.at("endPort")
    for each in (port, last):
        if each.number is not None and not 1 <= each.number <= LAST_PORT:
            text = f"{each.path[-1]} {each.number} is outside 1 to {LAST_PORT}"
            yield each.refused(text, "write the port that a container listens on")
    if last.given and port.number is None:
        yield last.refused("endPort without a number as `port`", "write where the range begins")
    elif last.number is not None and port.number is not None and last.number < port.number:
        text = f"endPort {last.number} is below port {port.number}"
        yield last.refused(text, "swap them", related=(port, f"port is {port.number}"))


def policy_finds_no_pod(rendered: Rendered) -> Iterator[Found]:
    """A NetworkPolicy whose labels no pod has protects nothing, and nobody says so.

    Labels that an operator may put on pods beside those that are known here count as there.
    """
    if not rendered.whole:
        return
    for policy in rendered.of_group("networking.k8s.io", "NetworkPolicy"):
        selector = policy.at("spec", "podSelector", "matchLabels")
        wanted = {key: selector.at(key).text for key in selector.keys}
        if not any(labels.may_have(wanted) for labels in pod_labels(rendered)):
            told = ", ".join(f"{key}: {value}" for key, value in wanted.items())
            yield selector.warned(f"no pod here has {told}", "write labels that pods have")


def _services(rendered: Rendered) -> Iterator[Node]:
    return rendered.of_group("", "Service")


def _ingresses(rendered: Rendered) -> Iterator[Node]:
    return rendered.of_group("networking.k8s.io", "Ingress")


RULES = (
    service_without_ports,
    unnamed_ports,
    service_port_out_of_range,
    node_port_inside,
    headless_but_exposed,
    ingress_path_not_absolute,
    ingress_backend_not_one,
    ingress_without_rules,
    policy_port_out_of_range,
    policy_finds_no_pod,
)
