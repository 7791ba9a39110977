"""What rendered manifests say of a container, for whatever kind of manifest it stands in."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

GRACE_SECONDS = 30  # Kubernetes' own, where a manifest says nothing
UNITS = {"Mi": 2**20, "Gi": 2**30}

Manifest = Mapping[str, Any]


@dataclass(frozen=True)
class Container:
    """A container as its pod has it, on the loopback interface."""

    name: str
    image: str
    arguments: tuple[str, ...]
    variables: Mapping[str, str]
    ports: Mapping[str, int]
    user: str  # nothing: the image's own
    memory_bytes: int
    cpus: float
    empty_folders: tuple[str, ...]
    mounted: Mapping[str, str]  # the volume on each path that is read-only
    probe: Manifest
    grace_seconds: int

    def port(self, given: int | str | None) -> int:
        """The number of a port that is given by number or by name; of the first one if not."""
        if given is None:
            return next(iter(self.ports.values()))
        return self.ports[given] if isinstance(given, str) else given


def read(path: Path) -> Manifest:
    """Load one manifest."""
    return dict(yaml.safe_load(path.read_text("utf-8")))


def containers(pod: Manifest) -> Iterator[Container]:
    """Read the containers of a pod's spec."""
    volumes = {each["name"]: each for each in pod.get("volumes", ())}
    security = pod.get("securityContext", {})
    grace = pod.get("terminationGracePeriodSeconds", GRACE_SECONDS)
    for given in pod["containers"]:
        mounts = given.get("volumeMounts", ())
        limits = given["resources"]["limits"]
        yield Container(
            name=given["name"],
            image=given["image"],
            arguments=tuple(given.get("args", ())),
            variables={each["name"]: each["value"] for each in given.get("env", ())},
            ports={each.get("name", ""): each["containerPort"] for each in given["ports"]},
            user=user(security | given["securityContext"]),
            memory_bytes=int(limits["memory"][:-2]) * UNITS[limits["memory"][-2:]],
            cpus=cpus(limits["cpu"]),
            empty_folders=tuple(
                each["mountPath"]
                for each in mounts
                if "emptyDir" in volumes[each["name"]] and not each.get("readOnly")
            ),
            mounted={each["mountPath"]: each["name"] for each in mounts if each.get("readOnly")},
            probe=given["startupProbe"],
            grace_seconds=grace - waiting_seconds(given),
        )


def user(security: Manifest) -> str:
    """The user that a manifest sets, as podman takes it."""
    numbers = (security.get("runAsUser"), security.get("runAsGroup"))
    return ":".join(str(each) for each in numbers if each is not None)


def cpus(quantity: str) -> float:
    """A number of CPUs: `500m` is a half."""
    return int(quantity[:-1]) / 1000 if quantity.endswith("m") else float(quantity)


def waiting_seconds(container: Manifest) -> int:
    """The part of the grace period that is over before the container is told to stop."""
    match container.get("lifecycle"):
        case {"preStop": {"exec": {"command": ["sleep", str(seconds)]}}}:
            return int(seconds)
    return 0


def transformer(manifests: Path) -> tuple[str, Container]:
    """Read the transformer of an InferenceService, and the service's name."""
    service = read(manifests / "inferenceservice.yaml")
    [container] = containers(service["spec"]["transformer"])
    return service["metadata"]["name"], container


def deployment(manifests: Path) -> Container:
    """Read the container of a Deployment."""
    [container] = containers(read(manifests / "deployment.yaml")["spec"]["template"]["spec"])
    return container


def seldon(manifests: Path) -> tuple[Manifest, dict[str, Container]]:
    """Read the graph of a SeldonDeployment, and its containers by name."""
    [predictor] = read(manifests / "seldondeployment.yaml")["spec"]["predictors"]
    pods = [each["spec"] for each in predictor["componentSpecs"]]
    return predictor["graph"], {each.name: each for pod in pods for each in containers(pod)}


def nodes(graph: Manifest) -> Iterator[Manifest]:
    """List the nodes of a graph, the outermost first."""
    yield graph
    for child in graph.get("children", ()):
        yield from nodes(child)


def operators_variables(node: Manifest, ports: Mapping[str, int]) -> dict[str, str]:
    """What Seldon's operator adds to the environment of a node's container."""
    numbers = {
        f"PREDICTIVE_UNIT_{name.upper()}_SERVICE_PORT": str(port) for name, port in ports.items()
    }
    parameters: Sequence[Manifest] = node.get("parameters", ())
    return numbers | {
        "PREDICTIVE_UNIT_ID": node["name"],
        "PREDICTIVE_UNIT_PARAMETERS": json.dumps(parameters),
    }
