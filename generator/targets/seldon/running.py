"""The graph of a rendered SeldonDeployment, each of its nodes in the real wrapper."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import yaml

from generator.engines import EngineError, Report, seldon
from generator.engines.seldon_graph import Unit, UnitType
from generator.live.container import Container, container_of
from generator.live.watch import Ended
from generator.project import Project
from generator.targets.seldon.graph import MODEL_FOLDER
from generator.targets.seldon.images import MODEL
from generator.targets.seldon.service import Component, Service
from generator.transforms.custom import custom_paths

MANIFEST = "manifests/seldondeployment.yaml"
READY_SECONDS = 180.0


@dataclass(frozen=True)
class Deployment:
    """The one predictor of a manifest: its outermost node, and its containers by name.

    `annotations` are those that the operator gives to the pods.
    """

    graph: Mapping[str, Any]
    annotations: Mapping[str, str]
    containers: Mapping[str, Container]


@dataclass(frozen=True)
class Nodes:
    """Running nodes from the outermost in, and how each tells of its end."""

    graph: Unit
    told: tuple[Ended, ...]


def deployment(rendered: Path) -> Deployment:
    """Read the rendered manifest; raises EngineError where it is no SeldonDeployment."""
    path = rendered / MANIFEST
    try:
        manifest = yaml.safe_load(path.read_text(encoding="utf-8"))
        [predictor] = manifest["spec"]["predictors"]
        pods = [each["spec"].get("containers", ()) for each in predictor["componentSpecs"]]
        containers = {str(each["name"]): container_of(each) for pod in pods for each in pod}
        annotations = manifest["spec"].get("annotations") or {}
        return Deployment(predictor["graph"], annotations, containers)
    except OSError as error:
        raise EngineError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise EngineError(f"{path} holds no graph of one predictor: {error!r}") from error


@contextlib.contextmanager
def running(
    project: Project, service: Service, rendered: Path, bundle: Path, report: Report
) -> Iterator[Nodes]:
    """Start every node of the rendered graph; raises EngineError with a node's own words."""
    told: list[Ended] = []
    manifest = deployment(rendered)
    with contextlib.ExitStack() as stack:
        packages = stack.enter_context(_packages(project))

        def started(described: Mapping[str, Any]) -> Unit:
            component = _component(service, str(described.get("name")))
            report(f"starting node {component.node}")
            folder = stack.enter_context(_image(service, component, rendered, bundle))
            node = stack.enter_context(
                seldon.serve(
                    folder,
                    component.class_name,
                    service_type=component.service_type,
                    parameters=_parameters(described, bundle),
                    variables=_variables(manifest, component),
                    annotations=manifest.annotations,
                    requirements=packages,
                    report=report,
                    timeout_seconds=READY_SECONDS,
                )
            )
            told.append(node.told)
            return Unit(_type(described), node, tuple(map(started, described.get("children", ()))))

        try:
            graph = started(manifest.graph)
        except (KeyError, TypeError) as error:
            raise EngineError(f"{rendered / MANIFEST} has a node without {error}") from error
        yield Nodes(graph, tuple(told))


def _component(service: Service, name: str) -> Component:
    for component in service.components:
        if component.node == name:
            return component
    raise EngineError(f"the graph has node {name}, for which no class is rendered")


def _type(described: Mapping[str, Any]) -> UnitType:
    """The type of a node that the walk knows."""
    if described["type"] not in get_args(UnitType):
        raise EngineError(f"node {described['name']} is a {described['type']}, which is not walked")
    known: UnitType = described["type"]
    return known


@contextlib.contextmanager
def _image(service: Service, component: Component, rendered: Path, bundle: Path) -> Iterator[Path]:
    """The folder of a node's code: where its image holds the program, a copy that has it too."""
    folder = rendered / "images" / component.folder
    if not folder.is_dir():
        raise EngineError(f"{folder} does not exist")
    if component.role != "model" or not service.holds_model:
        yield folder
        return
    if not (bundle / MODEL).is_file():
        raise EngineError(f"{bundle / MODEL} does not exist")
    with tempfile.TemporaryDirectory(prefix="image-") as name:
        copy = shutil.copytree(folder, Path(name) / "image")
        shutil.copy(bundle / MODEL, copy)
        yield copy


def _parameters(described: Mapping[str, Any], bundle: Path) -> list[seldon.Parameter]:
    """A node's parameters; where the model's folder is mounted, the bundle stands here.

    To a server that the operator starts it gives that folder itself.
    """
    given = [
        seldon.Parameter(each["name"], str(each["value"]), each["type"])
        for each in described.get("parameters", ())
    ]
    if "implementation" in described:
        given.append(seldon.Parameter("model_uri", MODEL_FOLDER))
    here = str(bundle.resolve())
    return [
        seldon.Parameter(each.name, here, each.type) if each.value == MODEL_FOLDER else each
        for each in given
    ]


def _variables(manifest: Deployment, component: Component) -> Mapping[str, str]:
    if component.node not in manifest.containers:
        raise EngineError(f"node {component.node} of the graph has no container in {MANIFEST}")
    return manifest.containers[component.node].variables


@contextlib.contextmanager
def _packages(project: Project) -> Iterator[list[Path]]:
    """A file with the packages that the user's own transforms import, where they need any."""
    transforms = project.transforms
    lines = transforms.requirements if custom_paths(transforms) else ()
    with tempfile.TemporaryDirectory(prefix="requirements-") as name:
        file = Path(name) / "requirements.txt"
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        yield [file] if lines else []
