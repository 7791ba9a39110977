"""Who may reach the pods that Seldon's operator makes of a SeldonDeployment."""

from collections.abc import Mapping

from generator.network import Allowed, Policy, load_test, named
from generator.project import Project
from generator.targets.seldon.manifests import SELDON_ID, Container, pods
from generator.targets.seldon.options import Options
from generator.targets.seldon.service import DOOR_GRPC_PORT, DOOR_PORT, Service


def open_to(project: Project, options: Options, service: Service) -> tuple[Policy, ...]:
    """The policy of all pods: callers reach the orchestrator, and that alone its nodes."""
    if project.security.network_policy is None:
        return ()
    first, *others = pods(project, options, service)
    doors = (DOOR_PORT, DOOR_GRPC_PORT)
    metrics = tuple(one.metrics_port for pod in (first, *others) for one in pod.containers)
    allowed = [named(project, (*doors, *metrics)), *load_test(project, service.name, doors)]
    if others:
        why = "The orchestrator, which calls the nodes in other pods."
        ports = tuple(port for pod in others for one in pod.containers for port in _doors(one))
        allowed.append(Allowed(why, ports, pods=(selector(service),)))
    return (Policy(service.name, selector(service), tuple(allowed)),)


def selector(service: Service) -> Mapping[str, str]:
    """The label that the operator puts on every pod of a SeldonDeployment."""
    return {SELDON_ID: service.name}


def _doors(container: Container) -> tuple[int, int]:
    return container.http_port, container.grpc_port
