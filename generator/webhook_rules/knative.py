"""What Knative refuses, or changes, of the service that KServe makes in deploymentMode Knative.

Source: pkg/apis/serving/k8s_validation.go of knative/serving, where nothing else is named.
"""

from collections.abc import Iterator

from generator.webhook_rules.nodes import Found, Node, Rendered
from generator.webhook_rules.services import MAIN_CONTAINER, Component, components, runtime_of

PORT_NAMES = ("h2c", "http1")
RESERVED_PORTS = (8008, 8012, 8013, 8022, 9090, 9091)  # pkg/networking/constants.go, profiling
RESERVED_VARIABLES = ("PORT", "K_SERVICE", "K_CONFIGURATION", "K_REVISION")
RESERVED_CONTAINER = "queue-proxy"
DEFAULT_PORT = (8080, "http")  # pkg/apis/serving/k8s_validation.go, validateContainersPorts
STOCK_RUNTIMES_WITHOUT_PORTS = ("kserve-tritonserver", "kserve-torchserve")  # config/runtimes


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


def liveness_of_another_port(rendered: Rendered) -> Iterator[Found]:
    """Knative asks the exposed port for liveness, whatever port is named, and so kills the pod.

    Only httpGet and tcpSocket of the container that serves are sent elsewhere; exec and grpc stay
    as written, and so do startup probes and the ports of readiness probes. Source:
    rewriteUserLivenessProbe in pkg/reconciler/revision/resources/deploy.go, pull request 12479.
    Only where the cluster turns on multi-container-probing do newer releases keep the port (16572).
    """
    for component in _in_knative(rendered):
        exposed = _exposed(component, rendered)
        for port in _liveness_ports(component, rendered):
            if exposed and port.value not in exposed:
                text = f"livenessProbe of port {port.value} is sent to {exposed[0]} in Knative"
                hint = f"write `exec`, or `tcpSocket` with port {exposed[0]}"
                yield port.refused(text, hint)


def _in_knative(rendered: Rendered) -> Iterator[Component]:
    return (component for component in components(rendered) if component.mode == "Knative")


def _exposed(component: Component, rendered: Rendered) -> tuple[int, str] | None:
    """Number and name of the port that takes calls; nothing where it may be out of sight."""
    number, name = DEFAULT_PORT
    for port in _ports(component, rendered):
        return port.at("containerPort").number or number, port.at("name").text or name
    named = [model.at("runtime").text for model in component.models]
    seen = runtime_of(component, rendered) is not None
    return DEFAULT_PORT if seen or set(named) <= {*STOCK_RUNTIMES_WITHOUT_PORTS} else None


def _liveness_ports(component: Component, rendered: Rendered) -> Iterator[Node]:
    """The ports of the liveness probes that Knative rewrites."""
    for container in _serving(component, rendered):
        for handler in ("httpGet", "tcpSocket"):
            port = container.at("livenessProbe", handler, "port")
            if port.given:
                yield port


def _serving(component: Component, rendered: Rendered) -> tuple[Node, ...]:
    """What is written of the container that serves: the one with a port, else the main one."""
    written = tuple(_containers(component, rendered))
    main = tuple(one for one in written if one.at("name").text in ("", MAIN_CONTAINER))
    return tuple(one for one in written if one not in main and one.at("ports").elements) or main


def _ports(component: Component, rendered: Rendered) -> Iterator[Node]:
    """The ports of a component's pod, its runtime's first."""
    for container in _containers(component, rendered):
        yield from container.at("ports").elements


def _containers(component: Component, rendered: Rendered) -> Iterator[Node]:
    """What is written of the containers of a component's pod, by its runtime first."""
    runtime = runtime_of(component, rendered)
    yield from runtime.at("spec", "containers").elements if runtime else ()
    yield from component.models
    yield from component.spec.at("containers").elements


RULES = (
    several_ports,
    port_name,
    reserved_port,
    reserved_variable,
    reserved_container,
    liveness_of_another_port,
)
