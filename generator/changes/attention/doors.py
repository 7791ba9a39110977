"""Attention to what clients see: which model answers, where, and in which words."""

from collections.abc import Iterator, Mapping
from itertools import zip_longest

from generator.changes.attention.locations import locations
from generator.changes.attention.sides import Both, Finding, Layers, Sides
from generator.changes.contents import MODEL_CONFIG
from generator.changes.leaves import canonical, same, shown_route
from generator.changes.secrecy import masked
from generator.changes.values import plain
from generator.webhook_rules.nodes import Node
from generator.webhook_rules.services import MODES, annotation


def model_uri_changed(sides: Sides) -> Iterator[Finding]:
    """Other weights will answer, if there are any under that address."""
    for both in sides.both():
        old, new = locations(both.old.value), locations(both.new.value)
        changed = [(route, old[route], uri) for route, uri in new.items() if route in old]
        # What moves to another field or predictor is still served, or was.
        gone = [(r, u) for r, u in old.items() if r not in new and u not in new.values()]
        come = [(r, u) for r, u in new.items() if r not in old and u not in old.values()]
        for lost, found in zip_longest(gone, come[: len(gone)]):
            changed.append((found[0], lost[1], found[1]) if found else (*lost, "none"))
        for route, was, now in changed:
            if was == now or (sides.promotion and sides.promotion.renamed(was) == now):
                continue
            shown = (str(masked(uri, route, kind=both.item.kind)) for uri in (was, now))
            yield Finding(both.item, shown_route(route), f"model uri {' -> '.join(shown)}")


def protocol_changed(sides: Sides) -> Iterator[Finding]:
    """Clients of the old protocol get errors: paths and bodies of requests are others."""
    routes = {
        "InferenceService": ("spec", "predictor", "model", "protocolVersion"),
        "SeldonDeployment": ("spec", "protocol"),
    }
    for both in sides.both(*routes):
        route = routes[both.item.kind]
        yield from _changed(both, route, "v1" if route[-1] == "protocolVersion" else "seldon")
    for both in sides.both("SeldonDeployment"):
        yield from _changed(both, ("spec", "transport"), "rest")


def _changed(both: Both, route: tuple[str, ...], default: str) -> Iterator[Finding]:
    old, new = (side.at(*route).text or default for side in (both.old, both.new))
    if old != new:
        yield Finding(both.item, ".".join(route), f"{route[-1]} {old} -> {new}")


def port_changed(sides: Sides) -> Iterator[Finding]:
    """Who calls the old port, a client, an ingress or a probe, finds nobody there."""
    for both in sides.both("Service"):
        old, new = (_ports(side.at("spec", "ports")) for side in (both.old, both.new))
        for name, port in old.items():
            if new.get(name) != port:
                now = new.get(name, "none")
                yield Finding(both.item, f"spec.ports[{name}]", f"port {name} {port} -> {now}")
    for item, name, before, after in sides.containers:
        ports = [_numbers(pod.containers[name].at("ports")) for pod in (before, after)]
        for port in sorted(ports[0] - ports[1]):
            others = ", ".join(sorted(ports[1])) or "none"
            message = f"container {name} no longer names port {port}, but {others}"
            yield Finding(item, f"{after.where}.containers[{name}].ports", message)


def selector_changed(sides: Sides) -> Iterator[Finding]:
    """The Service sends requests to other pods, or nowhere if none has these labels."""
    for both in sides.both("Service"):
        old, new = (side.at("spec", "selector").value for side in (both.old, both.new))
        renamed = sides.promotion.renamed(canonical(old)) if sides.promotion else canonical(old)
        if old is not None and canonical(new) not in (canonical(old), renamed):
            message = f"selects {plain(old)} -> {plain(new)}"
            yield Finding(both.item, "spec.selector", message)


def _ports(ports: Node) -> Mapping[str, str]:
    return {
        port.at("name").text or str(n): "/".join(
            (str(port.at("port").value), port.at("protocol").text or "TCP")
        )
        for n, port in enumerate(ports.elements)
    }


def _numbers(ports: Layers) -> set[str]:
    return {str(port.at("containerPort").value) for port in ports.elements}


def deployment_mode_changed(sides: Sides) -> Iterator[Finding]:
    """KServe's webhook refuses the update: the service has to be deleted and made anew, with other
    objects, another autoscaler, and an address that may be another.

    validateDeploymentMode in pkg/apis/serving/v1beta1/inference_service_validation.go of kserve:
    the mode in the annotation is held against that in the status.
    """
    for both in sides.both("InferenceService"):
        words = [annotation(side, "deploymentMode").text for side in (both.old, both.new)]
        old, new = (MODES.get(word, word) for word in words)
        if old != new:
            was, now = (mode or "(the cluster's default)" for mode in (old, new))
            message = f"deployment mode {was} -> {now}"
            yield Finding(both.item, "metadata.annotations", message)


def model_interface_changed(sides: Sides) -> Iterator[Finding]:
    """Clients that send the old names, dtypes or shapes get errors, and those that read the old
    outputs find nothing.
    """
    for pair in sides.pairs:
        if pair.item.form != MODEL_CONFIG or not pair.old or not pair.new:
            continue
        configs = pair.old.data, pair.new.data
        old, new = (data if isinstance(data, dict) else {} for data in configs)
        for side in ("input", "output"):
            if not same(old.get(side), new.get(side)):
                message = f"{_told(old.get(side))} -> {_told(new.get(side))}"
                yield Finding(pair.new, side, f"{side}s {message}")
        batches = [bool(data.get("max_batch_size")) for data in (old, new)]
        sizes = [_size(data) for data in (old, new)]
        if sizes[0] > sizes[1] > 0:
            message = f"requests of more than {sizes[1]} are refused: it was {sizes[0]}"
            yield Finding(pair.new, "max_batch_size", message)
        if batches[0] != batches[1]:
            words = "requests lose the batch dimension", "requests get a batch dimension"
            yield Finding(pair.new, "max_batch_size", words[batches[1]])


def model_loading_changed(sides: Sides) -> Iterator[Finding]:
    """Triton loads other versions of the model, or loads it with another program: requests that
    name a version may find none, and others are answered by another.
    """
    for pair in sides.pairs:
        if pair.item.form != MODEL_CONFIG or not pair.old or not pair.new:
            continue
        configs = pair.old.data, pair.new.data
        old, new = (data if isinstance(data, dict) else {} for data in configs)
        for key in ("version_policy", "backend", "platform", "default_model_filename"):
            if not same(old.get(key), new.get(key)):
                was, now = (plain(data[key]) if key in data else "none" for data in (old, new))
                yield Finding(pair.new, key, f"{key} {was} -> {now}")


def _size(config: Mapping[str, object]) -> int:
    size = config.get("max_batch_size")
    return size if isinstance(size, int) else 0


def _told(tensors: object) -> str:
    """Tensors as `name TYPE_FP32[3, 4]`."""
    if not isinstance(tensors, list):
        return "none"
    return ", ".join(
        f"{one.get('name')} {one.get('data_type')}{one.get('dims')}"
        for one in tensors
        if isinstance(one, dict)
    )


RULES = (
    model_uri_changed,
    protocol_changed,
    port_changed,
    deployment_mode_changed,
    model_interface_changed,
    model_loading_changed,
    selector_changed,
)
