"""The real wrapper on a read-only root: all nodes of a rendered graph, with /dev/shm alone."""

import base64
from pathlib import Path

import pytest
import yaml
from test_read_only_root import IMAGE, SPECS, available, place, shut_in

from generator import pipeline, write
from generator.engines import EngineError, seldon, seldon_graph
from generator.export import export_bundle
from generator.targets.seldon.running import running
from generator.targets.seldon.service import describe
from generator.validate import Deployment

pytestmark = pytest.mark.engine

pytest.importorskip("torch")

SPEC = SPECS / "variants/seldon-docker.yaml"

__all__ = ["place"]  # a fixture


@pytest.fixture
def built(place: Path) -> tuple[Deployment, Path, Path]:
    """The deployment, its rendered folder and its bundle."""
    build = pipeline.build(str(SPEC), SPEC.read_bytes(), SPEC.parent)
    [deployment] = build.deployments
    write.write(write.tree(place / "rendered", build.project, build.files, ["."]))
    bundle = export_bundle(deployment, build.files, place / "build")
    return deployment, place / "rendered" / pipeline.folder_of(deployment), bundle


def image_variables(rendered: Path) -> dict[str, str]:
    """What the Dockerfiles of all nodes set alike."""
    found = {
        line
        for file in rendered.glob("images/*/Dockerfile")
        for line in file.read_text(encoding="utf-8").splitlines()
        if line.startswith("ENV ") and "TMPDIR" in line
    }
    [line] = found
    return dict(word.split("=", 1) for word in line.split()[1:])


def ask(built: tuple[Deployment, Path, Path]) -> seldon_graph.Message:
    """What the whole graph answers for an image."""
    deployment, rendered, bundle = built
    service = describe(deployment.project, deployment.options)
    with running(deployment.project, service, rendered, bundle, print) as nodes:
        image = {"binData": base64.b64encode(IMAGE).decode()}
        return seldon_graph.walk(nodes.graph, image, seldon_graph.rest)


def test_all_nodes_of_a_graph_serve(built: tuple[Deployment, Path, Path]) -> None:
    with available():
        seldon.prepare(report=print)
    _, rendered, _ = built
    manifest = yaml.safe_load((rendered / "manifests/seldondeployment.yaml").read_text("utf-8"))
    [predictor] = manifest["spec"]["predictors"]
    containers = [one for pod in predictor["componentSpecs"] for one in pod["spec"]["containers"]]
    assert len(containers) == 3
    assert all(one["securityContext"]["readOnlyRootFilesystem"] is True for one in containers)

    with shut_in([], image_variables(rendered)):
        answer = ask(built)

    assert len(answer["jsonData"]["predictions"][0]) == 3


def test_a_node_does_not_start_where_it_may_write_nothing(
    built: tuple[Deployment, Path, Path],
) -> None:
    """That the statement above can fail: without the image's TMPDIR there is no such folder."""
    with available():
        seldon.prepare(report=print)
    _, rendered, _ = built
    nowhere = image_variables(rendered) | {"TMPDIR": "/tmp"}

    with pytest.raises(EngineError), shut_in([], nowhere):
        ask(built)
