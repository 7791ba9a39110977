"""The built images at work: each answers golden requests as its manifests have it run."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import golden
import machine
import pods
from golden import Golden
from running import Run, running

from generator.engines import EngineError, seldon, seldon_graph, triton
from generator.engines.ports import LOOPBACK
from generator.engines.seldon_graph import Unit


@dataclass(frozen=True)
class Trial:
    """A container that has answered and stopped, and how far its answers are from the model's."""

    image: str
    run: Run
    difference: float


@contextlib.contextmanager
def predictor(manifests: Path, bundle: Path) -> Iterator[str]:
    """The real Triton with a bundle; yields the address of its gRPC door."""
    arguments = pods.read(manifests / "inferenceservice.yaml")["spec"]["predictor"]["model"]["args"]
    with triton.serve(bundle, arguments=arguments, report=machine.report) as server:
        yield server.grpc


def transformer(manifests: Path, predictor: str, expected: Golden, image: str = "") -> list[Trial]:
    """Run a transformer in front of a predictor, from the manifest's image or from another."""
    name, container = pods.transformer(manifests)
    given = [f"--model_name={name}", f"--predictor_host={predictor}"]
    given.append(f"--http_port={container.port(None)}")
    differences = []
    with running(container, image=image, arguments=given) as run:
        for count in (1, 3, len(expected.pictures)):
            for door in (golden.v1, golden.v2):
                answers = door(run.address(), name, expected.pictures[:count])
                differences.append(expected.difference(answers, count))
                if not run.answer_seconds:
                    run.has_answered()
        refuses_a_broken_picture(run.address(), name, expected)
    return [Trial(image or container.image, run, max(differences))]


def refuses_a_broken_picture(address: str, name: str, expected: Golden) -> None:
    """The half of a picture is told by its place among the others."""
    whole = expected.pictures[0]
    with contextlib.suppress(golden.Refused):
        golden.v1(address, name, [whole, whole[: len(whole) // 2]])
        raise machine.Failed("half a picture is answered")


def torchserve(manifests: Path, expected: Golden) -> list[Trial]:
    """Run TorchServe as its Deployment does."""
    container = pods.deployment(manifests)
    settings = pods.read(manifests / "configmap.yaml")["data"]
    name = pods.read(manifests / "deployment.yaml")["metadata"]["name"]
    differences = []
    with tempfile.TemporaryDirectory() as folder:
        for file, text in settings.items():
            (Path(folder) / file).write_text(text, encoding="utf-8")
        Path(folder).chmod(0o755)
        with running(container, volumes={"config": Path(folder)}) as run:
            for door in (golden.native, golden.v1, golden.v2):
                answers = door(run.address(), name, expected.pictures)
                differences.append(expected.difference(answers, len(expected.pictures)))
                if not run.answer_seconds:
                    run.has_answered()
    return [Trial(container.image, run, max(differences))]


def graph(manifests: Path, bundle: Path, expected: Golden) -> list[Trial]:
    """Run all containers of a SeldonDeployment and walk its graph as the orchestrator does.

    Each container is started when its first message is there, so that nothing else is measured.
    """
    root, containers = pods.seldon(manifests)
    nodes = {node["name"]: node for node in pods.nodes(root)}
    addresses = {name: address(each) for name, each in containers.items()}
    unit = unit_of(root, addresses)
    message: seldon_graph.Message = {"binData": golden.in_base64(expected.pictures[0])}
    with contextlib.ExitStack() as stack:
        runs = []
        for node, method in seldon_graph.steps(unit):
            [name] = [name for name, each in addresses.items() if each == node]
            added = pods.operators_variables(nodes[name], containers[name].ports)
            start = running(containers[name], variables=added, volumes={"model": bundle})
            runs.append(stack.enter_context(start))
            message = rest(node, method, message)
            runs[-1].has_answered()
        counts = (1, *[len(expected.pictures)] * 2)
        given = zip((message, *everywhere(unit, expected)), counts, strict=True)
        difference = max(
            expected.difference(golden.entries(answer.get("jsonData")), count)
            for answer, count in given
        )
    return [Trial(run.container.image, run, difference) for run in runs]


def everywhere(unit: Unit, expected: Golden) -> Iterator[seldon_graph.Message]:
    """Send all pictures at once through a graph, over REST and over gRPC."""
    instances = [{"image_bytes": {"b64": golden.in_base64(each)}} for each in expected.pictures]
    message: seldon_graph.Message = {"jsonData": {"instances": instances}}
    yield seldon_graph.walk(unit, message, rest)
    try:
        with seldon_graph.grpc_client() as client:
            yield client.walk(unit, message)
    except (seldon_graph.Refused, EngineError) as problem:
        raise machine.Failed(f"the graph over gRPC: {problem}") from None


def rest(
    node: seldon.Node, method: seldon_graph.Method, message: seldon_graph.Message
) -> seldon_graph.Message:
    """Call a node over REST; raises Failed."""
    try:
        return seldon_graph.rest(node, method, message)
    except (seldon_graph.Refused, OSError) as problem:
        raise machine.Failed(f"{node.http}{method.path}: {problem}") from None


def address(container: pods.Container) -> seldon.Node:
    """Where a container of a SeldonDeployment listens."""
    http, grpc, metrics = (
        f"{LOOPBACK}:{container.port(name)}" for name in ("http", "grpc", "metrics")
    )
    return seldon.Node(http, grpc, metrics, log=Path())


def unit_of(node: pods.Manifest, addresses: Mapping[str, seldon.Node]) -> Unit:
    """Read a graph with the address of each node."""
    children = tuple(unit_of(child, addresses) for child in node.get("children", ()))
    return Unit(node["type"], addresses[node["name"]], children)
