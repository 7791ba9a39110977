"""gen verify on Seldon's real wrapper and a walked graph: it agrees, and catches what is wrong."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from test_process import is_running
from verified import (
    NOT_NEAR,
    Copy,
    Door,
    Made,
    descendants,
    disagreeing,
    doors,
    exchanged,
    killed,
    other_program,
    pictures,
    replaced,
    rotated,
)

from generator.engines import EngineError, seldon, triton

pytestmark = pytest.mark.engine

torch = pytest.importorskip("torch")
pytest.importorskip("tritonclient.grpc")

REST, GRPC = "/api/v1.0/predictions", "seldon.protos.Seldon/Predict"
CLIENT = "requests/client.py"
IMAGES: set[Door] = {
    (REST, "REST binData"),
    (REST, "REST instances"),
    (GRPC, "gRPC binData"),
    (GRPC, "gRPC instances"),
}
TENSORS: set[Door] = {
    (REST, "REST binData"),
    (REST, "REST data.tensor"),
    (GRPC, "gRPC binData"),
    (GRPC, "gRPC data.tensor"),
}
TRITON: set[Door] = {
    ("/v2/models/seldon-triton/infer", "v2 JSON"),
    ("ModelInfer seldon-triton", "v2 gRPC"),
    ("ModelInfer seldon-triton", "v2 gRPC, class_count"),
}
SPLIT = pictures("component", "{seldon: {}}")
FUSED = pictures("server", "{seldon: {}}")
RAW = pictures("component", "{seldon: {model_server: TORCH_SERVER}}").replace(
    "  postprocess: [softmax, {top_k: 3}, class_name]\n", ""
)

RIGHT: dict[str, set[Door]] = {
    SPLIT: IMAGES,
    RAW: IMAGES,
    "variants/seldon-server.yaml": IMAGES,  # its program is in the image
    "variants/landmarks-targets.yaml": IMAGES,
    "variants/seldon-conda.yaml": TENSORS | {(CLIENT, "REST binData")},
    "variants/seldon-triton.yaml": TRITON | {(CLIENT, "v2 JSON")},
}


@pytest.fixture(scope="module", autouse=True)
def engines() -> None:
    """An installed wrapper, and Triton for a TRITON_SERVER."""
    try:
        seldon.prepare(report=print)
        triton.prepare(report=print)
    except EngineError as problem:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(problem))


@pytest.fixture(scope="module")
def deployments(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("deployments"))


@pytest.mark.parametrize(
    "spec", RIGHT, ids=["split", "raw", "server", "landmarks", "tensors", "triton"]
)
def test_every_door_agrees_with_the_eager_model(
    deployments: Made, spec: str, tmp_path: Path
) -> None:
    copy = deployments.copied(spec, "seldon", tmp_path)
    before = copy.contents()

    verdict = copy.verify()

    assert (verdict.refusal, disagreeing(verdict)) == (None, {})
    assert doors(verdict) == RIGHT[spec]
    assert all(row.answers >= 8 for row in verdict.rows)
    assert {row.door for row in verdict.rows if row.latency_seconds is None} <= {CLIENT}
    assert copy.contents() == before, "the nodes wrote into what they serve"


def wrong_mean(copy: Copy) -> None:
    transforms = copy.rendered / "images/input-transformer/transforms.py"
    replaced(transforms, "mean=(0.5,", "mean=(0.4,")


def bgr(copy: Copy) -> None:
    transforms = copy.rendered / "images/input-transformer/transforms.py"
    replaced(transforms, "= to_tensor(image)", "= to_tensor(image)[::-1]")


def wrong_class_names(copy: Copy) -> None:
    path = copy.rendered / "images/output-transformer/class_names.json"
    path.write_text(rotated(path.read_text()))


def other_weights(copy: Copy) -> None:
    other_program(copy.bundle / "model.pt")


def swapped_components(copy: Copy) -> None:
    manifest = copy.rendered / "manifests/seldondeployment.yaml"
    text = manifest.read_text()
    start, end = text.index("graph:"), text.index("componentSpecs:")
    graph = text[start:end].replace("input-transformer", "INNER")
    graph = graph.replace("output-transformer", "input-transformer")
    graph = graph.replace("INNER", "output-transformer")
    manifest.write_text(text[:start] + graph + text[end:])


def broken_class(copy: Copy) -> None:
    path = copy.rendered / "images/output-transformer/transforms.py"
    replaced(path, "top_k(scores, 3)", "nothing(scores, 3)")


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (wrong_mean, NOT_NEAR),
        (bgr, NOT_NEAR),
        (wrong_class_names, NOT_NEAR),
        (other_weights, NOT_NEAR),
        (swapped_components, "refused: 400 |500 |UNKNOWN: |no tensor in |no list of 1 predictions"),
        (broken_class, "name 'nothing' is not defined"),
    ],
)
def test_a_broken_artefact_is_caught_at_every_door(
    deployments: Made, broken: Callable[[Copy], None], words: str, tmp_path: Path
) -> None:
    copy = deployments.copied(SPLIT, "seldon", tmp_path)
    broken(copy)

    verdict = copy.verify()

    said = disagreeing(verdict)
    assert not verdict.agrees
    assert set(said) == IMAGES
    for complaint in said.values():
        assert re.search(words, complaint), complaint


def test_a_wrong_label_file_of_triton_is_caught(deployments: Made, tmp_path: Path) -> None:
    copy = deployments.copied("variants/seldon-triton.yaml", "seldon", tmp_path)
    labels = copy.bundle / "seldon-triton/labels.txt"
    first, *others = labels.read_text().splitlines()
    labels.write_text("\n".join([*others, first]) + "\n")

    verdict = copy.verify()

    assert set(disagreeing(verdict)) == {("ModelInfer seldon-triton", "v2 gRPC, class_count")}


def no_program(copy: Copy) -> None:
    (copy.bundle / "model.pt").unlink()


def no_such_module(copy: Copy) -> None:
    path = copy.rendered / "images/input-transformer/InputTransformer.py"
    replaced(path, "from messages import", "from massages import")


def unknown_node(copy: Copy) -> None:
    path = copy.rendered / "manifests/seldondeployment.yaml"
    path.write_text(exchanged(path.read_text(), "name: model\n", "name: modell\n"))


def no_graph(copy: Copy) -> None:
    (copy.rendered / "manifests/seldondeployment.yaml").write_text("spec: {}\n")


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (no_program, r"model\.pt"),
        (no_such_module, "No module named 'massages'"),
        (unknown_node, "the graph has node modell, for which no class is rendered"),
        (no_graph, "seldondeployment.yaml holds no graph of one predictor"),
    ],
)
def test_what_cannot_be_started_is_told(
    deployments: Made, broken: Callable[[Copy], None], words: str, tmp_path: Path
) -> None:
    copy = deployments.copied(SPLIT, "seldon", tmp_path)
    broken(copy)

    verdict = copy.verify()

    assert not verdict.agrees
    assert re.search(words, verdict.refusal), verdict.refusal


def test_a_node_that_dies_is_told_and_nothing_stays(deployments: Made, tmp_path: Path) -> None:
    copy = deployments.copied(FUSED, "seldon", tmp_path)
    others = set(descendants(os.getpid()))  # servers of other tests
    below: list[int] = []

    def kill(line: str) -> None:
        if line.startswith("asking") and not below:
            below.extend(set(descendants(os.getpid())) - others)
            killed(below, "seldon-core-microservice")

    verdict = copy.verify(kill)

    said = disagreeing(verdict)
    assert set(said) == IMAGES
    for (door, _), complaint in said.items():
        assert "the Seldon wrapper was killed by SIGKILL" in complaint or door == GRPC, complaint
    assert [pid for pid in below if is_running(pid)] == []
