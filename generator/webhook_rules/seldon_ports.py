"""The ports of the containers of a SeldonDeployment, which the operator counts up.

Of SeldonIO/seldon-core, [defaults] is operator/apis/machinelearning.seldon.io/v1/defaults.go,
[controller] operator/controllers/seldondeployment_controller.go.
"""

from collections.abc import Iterator

from generator.webhook_rules.graphs import (
    Predictor,
    containers,
    predictors_of,
    server,
    unit_containers,
)
from generator.webhook_rules.nodes import Found, Node, Rendered

ENGINE_PORTS = (8000, 5001)  # EXECUTOR_SERVER_PORT and EXECUTOR_SERVER_GRPC_PORT
# constants.go: a container's ports are counted up from these over the whole deployment.
FIRST_PORTS = {"http": 9000, "grpc": 9500}
OF_VARIABLES = {
    "MLSERVER_GRPC_PORT": "grpc",
    "MLSERVER_HTTP_PORT": "http",
    "PREDICTIVE_UNIT_GRPC_SERVICE_PORT": "grpc",
    "PREDICTIVE_UNIT_HTTP_SERVICE_PORT": "http",
}


def port_of_another_variable(rendered: Rendered) -> Iterator[Found]:
    """The user's variable moves the server, and not the Service and the probes [controller].

    These keep the port of the container.
    """
    for deployment in rendered.of_kind("SeldonDeployment"):
        assigned = _assigned_ports(deployment)
        for _, container in unit_containers(predictors_of(deployment)):
            ports = _ports(container, assigned)
            for variable in container.at("env").elements:
                name, value = variable.at("name").text, variable.at("value")
                port = OF_VARIABLES.get(name, "")
                if port and value.text not in ("", str(ports[port])):
                    text = f"{name} {value.text} beside {port} port {ports[port]}"
                    yield value.refused(text, f"name a port of the container `{port}` instead")


def port_taken(rendered: Rendered) -> Iterator[Found]:
    """Containers of a pod share its ports, and the second one does not start.

    Ports that are not written down are counted up from 9000 and 9500 [defaults].
    """
    for deployment in rendered.of_kind("SeldonDeployment"):
        assigned = _assigned_ports(deployment)
        for predictor in predictors_of(deployment):
            for index, pod in enumerate(predictor.pods):
                taken: dict[tuple[int, str], str] = {}
                if index == 0 and not predictor.is_without_engine:
                    shared = not predictor.has_engine_of_its_own
                    taken = {(n, "TCP"): "the orchestrator" for n in ENGINE_PORTS if shared}
                yield from _clashes(pod, predictor, assigned, taken)


def _assigned_ports(deployment: Node) -> dict[str, int]:
    """The place of each container's name in the count of ports [defaults]."""
    places: dict[str, int] = {}
    for predictor in predictors_of(deployment):
        for container in predictor.containers:
            places.setdefault(container.at("name").text, len(places))
        for unit in predictor.units:
            if server(unit):
                places.setdefault(unit.at("name").text, len(places))
    return places


def _ports(container: Node, assigned: dict[str, int]) -> dict[str, int]:
    """The ports http and grpc of a unit's container: those it names, or the next of the count."""
    place = assigned[container.at("name").text]
    named = {
        port.at("name").text: port.at("containerPort").number
        for port in container.at("ports").elements
    }
    return {name: named.get(name) or FIRST_PORTS[name] + place for name in FIRST_PORTS}


def _clashes(
    pod: Node, predictor: Predictor, assigned: dict[str, int], taken: dict[tuple[int, str], str]
) -> Iterator[Found]:
    """The ports of a pod that somebody has already: those written first, then those counted."""
    for container in containers(pod):
        name = container.at("name").text
        for port in container.at("ports").elements:
            number, protocol = port.at("containerPort").number, port.at("protocol").text or "TCP"
            if number is None:
                continue
            holder = taken.setdefault((number, protocol), f"container `{name}`")
            if holder != f"container `{name}`":
                yield port.at("containerPort").refused(*_taken(number, holder))
    for container in containers(pod):
        name = container.at("name").text
        if predictor.unit(name) is None:
            continue
        for number in _ports(container, assigned).values():
            holder = taken.setdefault((number, "TCP"), f"container `{name}`")
            written = [port.at("containerPort").number for port in container.at("ports").elements]
            if holder != f"container `{name}`" and number not in written:
                yield container.at("name").refused(*_taken(number, holder))


def _taken(number: int, holder: str) -> tuple[str, str]:
    return f"port {number} is taken by {holder}", "name another port `http` or `grpc`"


RULES = (
    port_of_another_variable,
    port_taken,
)
