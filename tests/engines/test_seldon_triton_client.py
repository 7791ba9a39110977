"""The client of Seldon's TRITON_SERVER asks a real tritonserver through a stand-in orchestrator."""

import contextlib
import importlib.util
import json
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from generator.artefact import artefact
from generator.engines import triton
from generator.planning import load_test_values
from generator.project import Images, Model, Perf, Project, Serving, Step, Tensor, Transforms
from generator.render import render
from generator.targets.seldon.callers import caller_files
from generator.targets.seldon.load_test import load_test
from generator.targets.seldon.options import Options
from generator.targets.seldon.service import describe

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("triton_engine")]

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch")
Image = pytest.importorskip("PIL.Image")

OPTIONS = Options(model_server="TRITON_SERVER")
BEST = (Step("top_k", {"top_k": 1}), Step("class_name", {}))
IMAGES = Project(
    name="brightness",
    target="seldon",
    model=Model(
        inputs=(Tensor("image", "float32", ("N", 3, 4, 4)),),
        outputs=(Tensor("means", "float32", ("N", 3)),),
        class_names=("red", "green", "blue"),
    ),
    transforms=Transforms(
        run_in="client",
        preprocess=(
            Step("decode", {}),
            Step("resize", {"size": [4, 4]}),
            Step("to_tensor", {}),
        ),
        postprocess=BEST,
    ),
    images=Images("docker.io/acme", "1.0"),
    perf=Perf(rate=10),
    folder=Path(),
)
PAIR = replace(
    IMAGES,
    name="pair",
    model=Model(
        inputs=(Tensor("left", "int64", ("W",)), Tensor("flags", "bool", ("W",))),
        outputs=(Tensor("half", "float64", ("W",)), Tensor("positive", "bool", ("W",))),
    ),
    transforms=Transforms(),
)
GREEN = [{"class_name": "green", "score": 1.0}]

BRIGHTNESS_CONFIG = """
name: "brightness"
platform: "pytorch_libtorch"
max_batch_size: 4
input [ { name: "INPUT__0" data_type: TYPE_FP32 dims: [ 3, 4, 4 ] } ]
output [ { name: "OUTPUT__0" data_type: TYPE_FP32 dims: [ 3 ] } ]
"""
PAIR_CONFIG = """
name: "pair"
platform: "pytorch_libtorch"
max_batch_size: 0
input [
  { name: "INPUT__0" data_type: TYPE_INT64 dims: [ -1 ] },
  { name: "INPUT__1" data_type: TYPE_BOOL dims: [ -1 ] }
]
output [
  { name: "OUTPUT__0" data_type: TYPE_FP64 dims: [ -1 ] },
  { name: "OUTPUT__1" data_type: TYPE_BOOL dims: [ -1 ] }
]
"""


class Brightness(torch.nn.Module):  # type: ignore[misc, name-defined]  # torch is optional: Any
    """The mean of each colour."""

    def forward(self, image: Any) -> Any:
        return image.mean((2, 3))


class Pair(torch.nn.Module):  # type: ignore[misc, name-defined]  # torch is optional: Any
    """Half of a number, and whether it counts as positive."""

    def forward(self, left: Any, flags: Any) -> Any:
        return left.double() / 2, (left > 0) & flags


@pytest.fixture(scope="module")
def server(
    write_model: Callable[[Path, Any, tuple[Any, ...], str], None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[triton.Server]:
    repository = tmp_path_factory.mktemp("repository")
    images, numbers = torch.zeros(2, 3, 4, 4), torch.zeros(3, dtype=torch.int64)
    write_model(repository / "brightness", Brightness(), (images,), BRIGHTNESS_CONFIG)
    write_model(repository / "pair", Pair(), (numbers, numbers > 0), PAIR_CONFIG)
    with triton.serve(repository, report=print) as server:
        yield server


@pytest.fixture(scope="module")
def door(server: triton.Server) -> Iterator[str]:
    """Stands in for the orchestrator's REST door for v2, behind an ingress.

    It reads every body as JSON, and of an answer's headers gives the type alone
    (ChainKFserving and respondWithSuccess in executor/api/rest of Seldon Core).
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            path = self.path.removeprefix("/seldon/default/brightness")
            try:
                json.loads(body)
                request = urllib.request.Request(f"http://{server.http}{path}", body, self.headers)
                with urllib.request.urlopen(request, timeout=20) as answer:
                    self.answer(200, answer.headers["Content-Type"], answer.read())
            except ValueError as error:
                self.answer(500, "application/json", str(error).encode())
            except urllib.error.HTTPError as error:
                self.answer(error.code, error.headers["Content-Type"], error.read())

        def answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    orchestrator = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=orchestrator.serve_forever)
    thread.start()
    with contextlib.closing(orchestrator.socket):
        yield f"http://127.0.0.1:{orchestrator.server_port}"
        orchestrator.shutdown()
        thread.join()


def run(folder: Path, project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the rendered client of a project in a folder."""
    for file in caller_files(project, OPTIONS, describe(project, OPTIONS)):
        (folder / file.path.name).write_text(render(file).text, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "client.py", *arguments], cwd=folder, capture_output=True, text=True
    )


def test_asks_about_images_in_json_alone(door: str, tmp_path: Path) -> None:
    Image.new("RGB", (9, 7), (0, 255, 51)).save(tmp_path / "green.png")

    done = run(tmp_path, IMAGES, "--url", f"{door}/seldon/default/brightness", "green.png")

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == GREEN


def test_asks_about_images_over_grpc(server: triton.Server, tmp_path: Path) -> None:
    pytest.importorskip("tritonclient.grpc")
    Image.new("RGB", (9, 7), (0, 255, 51)).save(tmp_path / "green.png")
    over_grpc = replace(IMAGES, serving=Serving(transport="grpc"))

    done = run(tmp_path, over_grpc, "--address", server.grpc, "green.png")

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == GREEN
    assert 'METADATA = {"seldon": "brightness", "namespace": "default"}' in (
        tmp_path / "client.py"
    ).read_text("utf-8")


@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_sends_the_tensors_of_files(
    server: triton.Server, door: str, tmp_path: Path, transport: str
) -> None:
    np.save(tmp_path / "left.npy", np.array([3, -4, 5]))
    np.save(tmp_path / "flags.npy", np.array([True, True, False]))
    project, address = PAIR, ("--url", door)
    if transport == "grpc":
        pytest.importorskip("tritonclient.grpc")
        project, address = (
            replace(PAIR, serving=Serving(transport="grpc")),
            ("--address", server.grpc),
        )

    done = run(tmp_path, project, *address, "left.npy", "flags.npy")

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {
        "OUTPUT__0": [1.5, -2.0, 2.5],
        "OUTPUT__1": [True, False, False],
    }


def test_prints_the_servers_words(door: str, tmp_path: Path) -> None:
    np.save(tmp_path / "left.npy", np.zeros((2, 2)))
    np.save(tmp_path / "flags.npy", np.zeros(2))

    done = run(tmp_path, PAIR, "--url", door, "left.npy", "flags.npy")

    assert done.returncode == 1
    assert done.stderr.startswith("400: ")
    assert "shape" in done.stderr


@pytest.mark.parametrize("project", [IMAGES, PAIR], ids=["images", "pair"])
def test_the_request_of_the_load_test_is_answered(
    door: str, tmp_path: Path, project: Project
) -> None:
    test = load_test(project, describe(project, OPTIONS))
    values = load_test_values(test)
    assert values is not None
    file = tmp_path / "payload.py"
    file.write_text(render(artefact(file.name, "common/perf/payload.py.j2", values)).text)
    spec = importlib.util.spec_from_file_location("payload", file)
    assert spec is not None
    assert spec.loader is not None
    payload = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(payload)

    headers, body = payload.request()
    path = test.url.partition(".svc.cluster.local:8000")[2]
    request = urllib.request.Request(door + path, body, headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        answer = json.load(response)

    assert len(answer["outputs"]) == len(project.model.outputs)
