"""The rendered sample client asks the real tritonserver, over HTTP and over gRPC."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from generator.artefact import Artefact
from generator.engines import triton
from generator.project import Hardware, Model, Project, Serving, Step, Tensor, Transforms, Transport
from generator.render import render
from generator.transforms.client import client_code
from generator.transforms.code import transforms_code

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("triton_engine")]

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch")
Image = pytest.importorskip("PIL.Image")

CONFIG = """
name: "brightness"
platform: "pytorch_libtorch"
max_batch_size: 4
input [ { name: "INPUT__0" data_type: TYPE_FP32 dims: [ 3, 4, 4 ] } ]
output [ { name: "OUTPUT__0" data_type: TYPE_FP32 dims: [ 3 ] } ]
"""


class Brightness(torch.nn.Module):  # type: ignore[misc, name-defined]  # torch is optional: Any
    """The mean of each colour."""

    def forward(self, image: Any) -> Any:
        return image.mean((2, 3))


@pytest.fixture(scope="module")
def server(
    write_model: Callable[[Path, Any, tuple[Any, ...], str], None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[triton.Server]:
    repository = tmp_path_factory.mktemp("repository")
    write_model(repository / "brightness", Brightness(), (torch.zeros(2, 3, 4, 4),), CONFIG)
    with triton.serve(repository, report=print) as server:
        yield server


def project(transport: Transport, *postprocess: Step) -> Project:
    return Project(
        name="brightness",
        target="triton",
        model=Model(
            inputs=(Tensor("image", "float32", ("N", 3, 4, 4)),),
            outputs=(Tensor("means", "float32", ("N", 3)),),
            class_names=("red", "green", "blue"),
        ),
        storage=None,
        transforms=Transforms(
            run_in="client",
            preprocess=(
                Step("decode", {}),
                Step("resize", {"size": [4, 4]}),
                Step("to_tensor", {}),
            ),
            postprocess=postprocess,
        ),
        hardware=Hardware(),
        serving=Serving(transport=transport),
        folder=Path(),
    )


def answers(folder: Path, project: Project, *arguments: str) -> list[Any]:
    """What the rendered client prints about a green and a blue image."""
    code = client_code(
        project, model_name="brightness", input_name="INPUT__0", output_name="OUTPUT__0"
    )
    for name, template, values in (
        ("transforms.py", "common/transforms.py.j2", {"code": transforms_code(project)}),
        ("client.py", "common/client.py.j2", {"code": code}),
    ):
        text = render(Artefact(PurePosixPath(name), template, values)).text
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "class_names.json").write_text(json.dumps(project.model.class_names))
    Image.new("RGB", (9, 7), (0, 255, 51)).save(folder / "green.png")
    Image.new("RGB", (3, 9), (51, 0, 255)).save(folder / "blue.png")
    command = [sys.executable, "client.py", *arguments, "green.png", "blue.png"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


BEST = (Step("top_k", {"top_k": 2}), Step("class_name", {}))
EXPECTED = [
    [{"class_name": "green", "score": 1.0}, {"class_name": "blue", "score": pytest.approx(0.2)}],
    [{"class_name": "blue", "score": 1.0}, {"class_name": "red", "score": pytest.approx(0.2)}],
]


def test_asks_over_http(server: triton.Server, tmp_path: Path) -> None:
    arguments = ("--url", f"http://{server.http}", "--host", "brightness.example.com")

    assert answers(tmp_path, project("http", *BEST), *arguments) == EXPECTED


def test_asks_over_grpc(server: triton.Server, tmp_path: Path) -> None:
    pytest.importorskip("tritonclient.grpc")
    arguments = ("--address", server.grpc, "--authority", "brightness.example.com")

    assert answers(tmp_path, project("grpc", *BEST), *arguments) == EXPECTED


def test_prints_the_output_itself_without_postprocess(
    server: triton.Server, tmp_path: Path
) -> None:
    [green, blue] = answers(tmp_path, project("http"), "--url", f"http://{server.http}")

    assert green == pytest.approx([0, 1, 0.2])
    assert blue == pytest.approx([0.2, 0, 1])
