"""A program with its transforms inside, rendered and exported, on the real tritonserver."""

import importlib.util
import io
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from generator import pipeline, write
from generator.engines import triton

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("triton_engine")]

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch")
Image = pytest.importorskip("PIL.Image")
grpc_client = pytest.importorskip("tritonclient.grpc")

SPECS = Path(__file__).parents[2] / "specs"
TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}
SIZES = [(1, 1), (31, 33), (224, 224), (375, 500), (641, 480), (300, 41)]
"""Height and width."""
CLASSES = (SPECS / "models/landmarks_classes.txt").read_text().splitlines()
COLOUR = (SPECS / "variants/landmarks-targets.yaml").read_text()
GREY = (
    (SPECS / "variants/mnist-model.yaml")
    .read_text()
    .replace("targets:\n  torchserve: {}", "targets:\n  triton: {tensor_names: forward}")
    .replace("batching: {max_size: 8}", "transport: grpc")
    .replace("[softmax, {top_k: 3}, class_name]", "[{top_k: 3}]")
)


def imported(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Served:
    """A server with both programs, their rendered folders, and the eager models before Pillow."""

    server: triton.Server
    colour: Path
    grey: Path
    eager: Callable[[bytes], Any]
    """Probabilities [50] of the landmarks for an encoded image."""
    eager_grey: Callable[[bytes], Any]
    """Scores [10] of the digits for an encoded image."""


@pytest.fixture(scope="module")
def served(
    triton_engine: triton.Installation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    from generator.export import export_bundle
    from generator.export.embedded_check import rendered_preprocess

    work = tmp_path_factory.mktemp("programs")
    (work / "repository").mkdir()
    folders, pipelines = [], []
    for name, text in {"colour": COLOUR, "grey": GREY}.items():
        build = pipeline.build(name, text.encode(), SPECS / "variants")
        [deployment] = [each for each in build.deployments if each.target.name == "triton"]
        write.write(write.tree(work / "rendered", build.project, build.files, ["."]))
        folders.append(work / "rendered" / pipeline.folder_of(deployment))
        for model in export_bundle(deployment, build.files, work / "build").iterdir():
            model.rename(work / "repository" / model.name)
        (work / name).mkdir()
        pipelines.append(rendered_preprocess(deployment.project, work / name))
    landmarks, digits = loaded("landmarks"), loaded("mnist")

    def eager(encoded: bytes) -> Any:
        with torch.inference_mode():
            return landmarks(torch.from_numpy(pipelines[0](encoded))[None])[0].softmax(0).numpy()

    def eager_grey(encoded: bytes) -> Any:
        with torch.inference_mode():
            return digits(torch.from_numpy(pipelines[1](encoded))[None])[0].numpy()

    with triton.serve(work / "repository", report=print) as server:
        yield Served(server, *folders, eager, eager_grey)


def loaded(name: str) -> Any:
    """A model of specs/ with its weights."""
    net = imported(SPECS / f"models/{name}.py").Net().eval()
    net.load_state_dict(torch.load(SPECS / f"models/{name}.pt", weights_only=True))
    return net


def noise(height: int, width: int, channels: int = 3) -> Any:
    """Pixels [height, width, channels] whose neighbours differ."""
    generator = np.random.default_rng(height * width)
    return generator.integers(0, 256, (height, width, channels), dtype=np.uint8)


def png(pixels: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(out, "PNG")
    return out.getvalue()


def infer(address: str, model: str, pixels: Any) -> list[float]:
    """POST pixels [channels, height, width] as JSON; the numbers of the answer."""
    sent = {
        "name": "INPUT__0",
        "shape": pixels.shape,
        "datatype": "UINT8",
        "data": pixels.flatten().tolist(),
    }
    request = urllib.request.Request(
        f"http://{address}/v2/models/{model}/infer",
        json.dumps({"inputs": [sent]}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        [output] = json.load(response)["outputs"]
    assert output["shape"] == [50]
    return list(output["data"])


@pytest.mark.parametrize("size", SIZES)
def test_answers_for_images_of_any_size_with_the_eager_numbers(
    served: Served, size: tuple[int, int]
) -> None:
    pixels = noise(*size)

    got = infer(served.server.http, "landmarks-targets", pixels.transpose(2, 0, 1))

    np.testing.assert_allclose(got, served.eager(png(pixels)), **TOLERANCE)


@pytest.mark.parametrize("size", SIZES)
def test_answers_grey_images_over_grpc_under_the_name_of_the_argument(
    served: Served, size: tuple[int, int]
) -> None:
    pixels = noise(*size, channels=1)
    sent = grpc_client.InferInput("image", [1, *size], "UINT8")
    sent.set_data_from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))

    with grpc_client.InferenceServerClient(served.server.grpc) as connection:
        got = connection.infer("mnist-model", [sent]).as_numpy("OUTPUT__0")

    np.testing.assert_allclose(got, served.eager_grey(png(pixels)), **TOLERANCE)


def test_another_picture_has_another_answer(served: Served) -> None:
    """That the comparisons above can fail."""
    got = infer(served.server.http, "landmarks-targets", noise(31, 33).transpose(2, 0, 1))

    assert not np.allclose(got, served.eager(png(noise(33, 31))), **TOLERANCE)


def client(folder: Path, *arguments: str | Path) -> list[Any]:
    """What the rendered client prints."""
    done = subprocess.run(
        [sys.executable, folder / "requests/client.py", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_client_over_http_names_the_eager_models_classes(
    served: Served, tmp_path: Path
) -> None:
    images = {tmp_path / f"{size[1]}.png": png(noise(*size)) for size in SIZES}
    for path, content in images.items():
        path.write_bytes(content)

    answers = client(served.colour, "--url", f"http://{served.server.http}", *images)

    for got, content in zip(answers, images.values(), strict=True):
        probabilities = served.eager(content)
        best = np.argsort(-probabilities, kind="stable")[:3]
        assert [entry["class_name"] for entry in got] == [CLASSES[index] for index in best]
        values = [entry["probability"] for entry in got]
        np.testing.assert_allclose(values, probabilities[best], **TOLERANCE)


def test_the_client_over_grpc_tells_the_eager_models_scores(served: Served, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(noise(57, 40)))  # in colour: the client makes it grey

    [got] = client(served.grey, "--address", served.server.grpc, tmp_path / "a.png")

    scores = served.eager_grey((tmp_path / "a.png").read_bytes())
    best = np.argsort(-scores, kind="stable")[:3]
    assert [entry["class_index"] for entry in got] == list(best)
    np.testing.assert_allclose([entry["score"] for entry in got], scores[best], **TOLERANCE)


def test_the_load_tests_request_is_answered(served: Served) -> None:
    job = yaml.safe_load((served.colour / "perf/job.yaml").read_text())
    [container] = job["spec"]["template"]["spec"]["containers"]
    options = dict(argument.lstrip("-").split("=", 1) for argument in container["args"])
    headers, body = imported(served.colour / "perf/payload.py").request()
    path = options["url"].partition("svc.cluster.local")[2]

    request = urllib.request.Request(f"http://{served.server.http}{path}", body, headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        length = int(response.headers["Inference-Header-Content-Length"])
        answer = json.loads(response.read()[:length])

    assert b'"shape": [3, 224, 224]' in body
    assert answer["outputs"][0]["shape"] == [50]


def test_an_image_that_the_program_refuses_is_told_with_its_reason(served: Served) -> None:
    """As the runbook says."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        infer(served.server.http, "landmarks-targets", np.zeros((3, 1, 60_000), np.uint8))

    assert caught.value.code == 500
    assert "too long and thin" in caught.value.read().decode()
    assert "is answered 500 with its reason" in (served.colour / "README.md").read_text()


def test_pixels_of_another_kind_are_refused(served: Served) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        infer(served.server.http, "landmarks-targets", noise(9, 9, channels=1).transpose(2, 0, 1))

    assert caught.value.code == 400


def test_triton_names_the_class_from_the_rendered_labels(served: Served) -> None:
    pixels = noise(224, 224)
    sent = grpc_client.InferInput("INPUT__0", [3, 224, 224], "UINT8")
    sent.set_data_from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
    wanted = grpc_client.InferRequestedOutput("OUTPUT__0", class_count=1)

    with grpc_client.InferenceServerClient(served.server.grpc) as connection:
        answer = connection.infer("landmarks-targets", [sent], outputs=[wanted])

    best = CLASSES[served.eager(png(pixels)).argmax()]
    assert answer.as_numpy("OUTPUT__0").flatten()[0].decode().split(":")[2] == best
