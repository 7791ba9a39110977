"""What Knative's webhook refuses of the service that KServe makes in deploymentMode Knative.

Source: pkg/apis/serving/k8s_validation.go of knative/serving.
"""

from collections.abc import Iterator

from generator.webhook_rules.nodes import Found, Node, Rendered
from generator.webhook_rules.services import MAIN_CONTAINER, Component, components, runtime_of

PORT_NAMES = ("h2c", "http1")
RESERVED_PORTS = (8008, 8012, 8013, 8022, 9090, 9091)  # pkg/networking/constants.go, profiling
RESERVED_VARIABLES = ("PORT", "K_SERVICE", "K_CONFIGURATION", "K_REVISION")
RESERVED_CONTAINER = "queue-proxy"


def several_ports(rendered: Rendered) -> Iterator[Found]:
    """One port of all containers is exposed; a runtime's ports and its model's add up."""
    for component in _in_knative(rendered):
        seen: set[int] = set()
        for port in _ports(component, rendered):
            number = port.at("containerPort").number
            if number is not None and seen - {number}:
                text = f"containerPort {number} besides {min(seen - {number})} in Knative"
                yield port.refused(text, "keep the one port that clients call")
            seen |= {number} if number is not None else set()


def port_name(rendered: Rendered) -> Iterator[Found]:
    """The name of the port tells Knative its protocol, and no other name is allowed."""
    for component in _in_knative(rendered):
        for port in _ports(component, rendered):
            name = port.at("name").text
            if name and name not in PORT_NAMES:
                text = f"port name `{name}` in Knative"
                yield port.at("name").refused(text, "write `h2c` for gRPC, or `http1`")


def reserved_port(rendered: Rendered) -> Iterator[Found]:
    """Knative's own container listens on some ports of the pod."""
    for component in _in_knative(rendered):
        for port in _ports(component, rendered):
            if port.at("containerPort").number in RESERVED_PORTS:
                text = f"containerPort {port.at('containerPort').number} is reserved by Knative"
                yield port.at("containerPort").refused(text, "use another port")


def reserved_variable(rendered: Rendered) -> Iterator[Found]:
    """Knative sets these variables itself, PORT in the container that serves."""
    for component in _in_knative(rendered):
        for container in component.containers:
            serves = container.at("name").text in ("", MAIN_CONTAINER)
            for variable in container.at("env").elements:
                name = variable.at("name").text
                if name in RESERVED_VARIABLES and (serves or name != "PORT"):
                    text = f"variable `{name}` is reserved by Knative"
                    yield variable.at("name").refused(text, "rename it")


def reserved_container(rendered: Rendered) -> Iterator[Found]:
    """Knative adds a container of this name."""
    for component in _in_knative(rendered):
        for container in component.containers:
            if container.at("name").text == RESERVED_CONTAINER:
                text = f"container name `{RESERVED_CONTAINER}` is reserved by Knative"
                yield container.at("name").refused(text, "rename it")


def _in_knative(rendered: Rendered) -> Iterator[Component]:
    return (component for component in components(rendered) if component.mode == "Knative")


def _ports(component: Component, rendered: Rendered) -> Iterator[Node]:
    """The ports of a component's pod, its runtime's first."""
    runtime = runtime_of(component, rendered)
    below = runtime.at("spec", "containers").elements if runtime else ()
    written = (*component.models, *component.spec.at("containers").elements)
    for container in (*below, *written):
        yield from container.at("ports").elements


RULES = (several_ports, port_name, reserved_port, reserved_variable, reserved_container)
