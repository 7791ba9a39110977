"""What Knative refuses, or changes, of a service of its own, or that KServe makes in that mode.

Source: pkg/apis/serving/k8s_validation.go of knative/serving, where nothing else is named.
"""

from collections.abc import Iterator, Mapping

from generator.webhook_rules.nodes import Found, Node, Rendered, Rule
from generator.webhook_rules.services import (
    MAIN_CONTAINER,
    Component,
    components,
    knative_services,
)
from generator.webhook_rules.stock_runtimes import WITHOUT_PORTS

PORT_NAMES = ("h2c", "http1")
RESERVED_PORTS = (8008, 8012, 8013, 8022, 9090, 9091)  # pkg/networking/constants.go, profiling
RESERVED_VARIABLES = ("PORT", "K_SERVICE", "K_CONFIGURATION", "K_REVISION")
RESERVED_CONTAINER = "queue-proxy"
DEFAULT_PORT = (8080, "http")  # pkg/apis/serving/k8s_validation.go, validateContainersPorts


def several_ports(rendered: Rendered) -> Iterator[Found]:
    """One port of all containers is exposed; a runtime's ports and its model's add up."""
    for component in _in_knative(rendered):
        seen: dict[int, Node] = {}
        for port in _ports(component):
            number = port.at("containerPort").number
            others = sorted(seen.keys() - {number})
            if number is not None and others:
                text = f"containerPort {number} besides {others[0]} in Knative"
                related = seen[others[0]], f"containerPort {others[0]} stands here"
                yield port.refused(text, "keep the one port that clients call", related=related)
            if number is not None:
                seen.setdefault(number, port)


def port_name(rendered: Rendered) -> Iterator[Found]:
    """The name of the port tells Knative its protocol, and no other name is allowed."""
    for component in _in_knative(rendered):
        for port in _ports(component):
            name = port.at("name").text
            if name and name not in PORT_NAMES:
                text = f"port name `{name}` in Knative"
                yield port.at("name").refused(text, "write `h2c` for gRPC, or `http1`")


def reserved_port(rendered: Rendered) -> Iterator[Found]:
    """Knative's own container listens on some ports of the pod."""
    for component in _in_knative(rendered):
        for port in _ports(component):
            if port.at("containerPort").number in RESERVED_PORTS:
                text = f"containerPort {port.at('containerPort').number} is reserved by Knative"
                yield port.at("containerPort").refused(text, "use another port")


def reserved_variable(rendered: Rendered) -> Iterator[Found]:
    """Knative sets these variables itself, PORT in the container that serves."""
    for component in _in_knative(rendered):
        for container in component.containers:
            serves = container in _serving(component)
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
        exposed = _exposed(component)
        for port in _liveness_ports(component):
            if exposed and port.value not in exposed:
                text = f"livenessProbe of port {port.value} is sent to {exposed[0]} in Knative"
                hint = f"write `exec`, or `tcpSocket` with port {exposed[0]}"
                yield port.refused(text, hint)


def no_port_of_several_containers(rendered: Rendered) -> Iterator[Found]:
    """Of several containers one must name the port that takes the calls."""
    for component in _in_knative(rendered):
        containers = component.spec.at("containers")
        whole = not component.models or component.runtime is not None
        beside = len(containers.elements) + (1 if component.models else 0)
        if whole and beside > 1 and not any(_ports(component)):
            text = f"{beside} containers and no port in Knative"
            yield containers.refused(text, "add `ports` to the container that serves")


def volume_not_mounted(rendered: Rendered) -> Iterator[Found]:
    """A volume that no container mounts is refused."""
    for component in _in_knative(rendered):
        runtime = component.runtime
        written = [*_containers(component), *component.containers]
        mounted = {m.at("name").text for c in written for m in c.at("volumeMounts").elements}
        for volume in component.spec.at("volumes").elements:
            name = volume.at("name").text
            if name and name not in mounted and (runtime or not component.models):
                text = f"volume `{name}` is mounted nowhere, which Knative refuses"
                yield volume.refused(text, "mount it, or remove it")


def grpc_without_h2c(rendered: Rendered) -> Iterator[Found]:
    """A port that is not named h2c is called by HTTP/1, which carries no gRPC.

    Source: docs/runtime-contract.md of knative/serving, and pkg/queue, which asks the port's name.
    """
    for component in _in_knative(rendered):
        protocols = [model.at("protocolVersion") for model in component.models]
        for protocol in (p for p in protocols if p.text.startswith("grpc")):
            ports = tuple(_ports(component))
            if ports and all(port.at("name").text in ("", "http1") for port in ports):
                text = f"protocolVersion {protocol.text} on a port that is not named `h2c`"
                related = protocol, "the model speaks gRPC"
                yield ports[-1].refused(text, "name the port `h2c`", related=related)


def _in_knative(rendered: Rendered) -> Iterator[Component]:
    yield from (component for component in components(rendered) if component.mode == "Knative")
    yield from knative_services(rendered)


def _exposed(component: Component) -> tuple[int, str] | None:
    """Number and name of the port that takes calls; nothing where it may be out of sight."""
    number, name = DEFAULT_PORT
    for port in _ports(component):
        return port.at("containerPort").number or number, port.at("name").text or name
    named = [model.at("runtime").text for model in component.models]
    seen = component.runtime is not None
    return DEFAULT_PORT if seen or set(named) <= {*WITHOUT_PORTS} else None


def _liveness_ports(component: Component) -> Iterator[Node]:
    """The ports of the liveness probes that Knative rewrites."""
    for container in _serving(component):
        for handler in ("httpGet", "tcpSocket"):
            port = container.at("livenessProbe", handler, "port")
            if port.given:
                yield port


def _serving(component: Component) -> tuple[Node, ...]:
    """What is written of the container that serves: the one with a port, else the main one."""
    written = tuple(_containers(component))
    named = tuple(one for one in written if one.at("name").text in ("", MAIN_CONTAINER))
    main = written if len(written) == 1 else named
    return tuple(one for one in written if one not in main and one.at("ports").elements) or main


def _ports(component: Component) -> Iterator[Node]:
    """The ports of a component's pod, its runtime's first."""
    for container in _containers(component):
        yield from container.at("ports").elements


def _containers(component: Component) -> Iterator[Node]:
    """What is written of the containers of a component's pod, by its runtime first."""
    runtime = component.runtime
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
    no_port_of_several_containers,
    volume_not_mounted,
    grpc_without_h2c,
)

ONLY_WITH: Mapping[Rule, tuple[str, ...]] = {
    reserved_variable: RESERVED_VARIABLES,
    reserved_container: (RESERVED_CONTAINER,),
    liveness_of_another_port: ("livenessProbe",),
    volume_not_mounted: ("volumes",),
}
"""Rules that say nothing where none of these words stands, as a key or as a text."""
