"""What gen renders and exports, unmodified, on the real servers: the eager model's numbers."""

import base64
import importlib.util
import io
import json
import os
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from generator import pipeline, write
from generator.engines import kserve, triton

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("triton_engine", "kserve_engine")]

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch")
Image = pytest.importorskip("PIL.Image")
http_client = pytest.importorskip("tritonclient.http")
grpc_client = pytest.importorskip("tritonclient.grpc")

SPECS = Path(__file__).parents[2] / "specs"
SERVED = (
    "cifar10",
    "variants/client-grpc",
    "variants/client-http",
    "variants/custom",
    "variants/environments",  # its first environment, staging: production wants a GPU
    "variants/minimal",
    "variants/patches",
    "variants/raw",
    "variants/standard",
)
TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}
CLASSES = (SPECS / "models/cifar10_classes.txt").read_text().split()


def imported(path: Path) -> ModuleType:
    """A Python file as a module, the folder that it stands in on the path meanwhile."""
    sys.path.insert(0, str(path.parent))
    try:
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    return module


@dataclass(frozen=True)
class Projects:
    """Rendered folders by spec, the server that has all their models, and the eager model."""

    folders: dict[str, Path]
    server: triton.Server
    net: Any
    pictures: Any

    def eager(self, pixels: Any) -> Any:
        """The eager model's scores [N, 10] for uint8 pictures [N, 3, 32, 32]."""
        with torch.no_grad():
            return self.net((pixels.float() / 255 - 0.5) / 0.5).numpy()


@pytest.fixture(scope="module")
def projects(
    triton_engine: triton.Installation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Projects]:
    """Everything rendered and exported by the command's own functions."""
    from generator.export import export_bundle

    work = tmp_path_factory.mktemp("projects")
    repository = work / "repository"
    repository.mkdir()
    folders = {}
    for name in SERVED:
        spec = SPECS / f"{name}.yaml"
        build = pipeline.build(str(spec), spec.read_bytes(), spec.parent)
        write.write(write.tree(work / "rendered", build.project, build.files, ["."]))
        folders[name] = work / "rendered" / pipeline.folder_of(build.deployments[0])
        deployment = build.deployments[0]
        bundle = export_bundle(deployment, build.files, work / "build")
        for model in bundle.iterdir():
            rendered = folders[name] / "models" / model.name / "config.pbtxt"
            assert (model / "config.pbtxt").read_bytes() == rendered.read_bytes()
            model.rename(repository / model.name)
    training = imported(SPECS / "models/train_cifar10.py")
    net = imported(SPECS / "models/cifar10.py").Net()
    net.load_state_dict(torch.load(SPECS / "models/cifar10.pt", weights_only=True))
    pictures, _ = training.pictures(20, torch.Generator().manual_seed(7))
    # What a download from a model hub and the root of a volume leave beside the models.
    (repository / ".cache/huggingface").mkdir(parents=True)
    (repository / "lost+found").mkdir()
    arguments = dict.fromkeys(
        arg for folder in folders.values() for arg in triton_arguments(folder)
    )
    with triton.serve(repository, arguments=list(arguments), report=print) as server:
        yield Projects(folders, server, net.eval(), pictures)


def triton_arguments(folder: Path) -> list[str]:
    """What a project's manifests say on Triton's command line, addresses and repository aside."""
    manifests = folder / "manifests"
    service = yaml.safe_load((manifests / "inferenceservice.yaml").read_text())
    arguments = list(service["spec"]["predictor"]["model"]["args"])
    if (manifests / "servingruntime.yaml").exists():
        runtime = yaml.safe_load((manifests / "servingruntime.yaml").read_text())
        arguments += runtime["spec"]["containers"][0]["args"][1:]
    ours = ("--http-port", "--grpc-port", "--metrics-port", "--model-repository", "--log-verbose")
    return [argument for argument in arguments if not argument.startswith(ours)]


def png(pixels: Any) -> bytes:
    """A picture [3, 32, 32] as a PNG, which loses nothing."""
    out = io.BytesIO()
    Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(out, "png")
    return out.getvalue()


def encoded(image: bytes) -> str:
    return base64.b64encode(image).decode()


def ask(address: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """POST JSON; an answer that is not 200 raises HTTPError."""
    request = urllib.request.Request(
        f"http://{address}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        return dict(json.load(response))


def refused(address: str, path: str, body: dict[str, Any]) -> tuple[int, str]:
    """The status and text of an answer that must be a refusal."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(address, path, body)
    return caught.value.code, caught.value.read().decode()


@pytest.mark.parametrize("count", [1, 3, 8])
def test_triton_answers_json_with_the_eager_numbers(projects: Projects, count: int) -> None:
    pixels = projects.pictures[:count]
    tensor = ((pixels.float() / 255 - 0.5) / 0.5).numpy()
    sent = {
        "name": "INPUT__0",
        "shape": tensor.shape,
        "datatype": "FP32",
        "data": tensor.flatten().tolist(),
    }

    answer = ask(projects.server.http, "/v2/models/client-http/infer", {"inputs": [sent]})

    [output] = answer["outputs"]
    scores = np.reshape(output["data"], output["shape"])
    np.testing.assert_allclose(scores, projects.eager(pixels), **TOLERANCE)


@pytest.mark.parametrize("count", [1, 3, 8])
@pytest.mark.parametrize(
    ("door", "model", "name"),
    [
        ("http", "client-http", "INPUT__0"),
        ("grpc", "cifar10", "INPUT__0"),
        ("grpc", "cifar10_grpc", "image"),
    ],
)
def test_triton_answers_binary_tensors_with_the_eager_numbers(
    projects: Projects, door: str, model: str, name: str, count: int
) -> None:
    client = {"http": http_client, "grpc": grpc_client}[door]
    pixels = projects.pictures[:count]
    tensor = ((pixels.float() / 255 - 0.5) / 0.5).numpy()
    sent = client.InferInput(name, list(tensor.shape), "FP32")
    sent.set_data_from_numpy(tensor)

    with client.InferenceServerClient(getattr(projects.server, door)) as connection:
        scores = connection.infer(model, [sent]).as_numpy("OUTPUT__0")

    np.testing.assert_allclose(scores, projects.eager(pixels), **TOLERANCE)


def test_triton_names_the_classes_from_the_rendered_labels(projects: Projects) -> None:
    pixels = projects.pictures[:1]
    sent = grpc_client.InferInput("INPUT__0", [1, 3, 32, 32], "FP32")
    sent.set_data_from_numpy(((pixels.float() / 255 - 0.5) / 0.5).numpy())
    wanted = grpc_client.InferRequestedOutput("OUTPUT__0", class_count=1)

    with grpc_client.InferenceServerClient(projects.server.grpc) as connection:
        answer = connection.infer("cifar10", [sent], outputs=[wanted]).as_numpy("OUTPUT__0")

    best = CLASSES[projects.eager(pixels)[0].argmax()]
    assert answer.flatten()[0].decode().split(":")[2] == best


@pytest.fixture(scope="module")
def transformer(projects: Projects) -> Iterator[kserve.Server]:
    """The transformer of specs/cifar10.yaml, as its manifest starts it."""
    with serve_transformer(projects, "cifar10") as server:
        yield server


def serve_transformer(projects: Projects, name: str) -> Any:
    manifests = projects.folders[name] / "manifests"
    service = yaml.safe_load((manifests / "inferenceservice.yaml").read_text())
    [container] = service["spec"]["transformer"]["containers"]
    return kserve.serve(
        projects.folders[name] / "images/transformer",
        model_name=service["metadata"]["name"],
        predictor_host=projects.server.grpc,
        arguments=container["args"],
        report=print,
    )


def expected_top(scores: Any, k: int) -> list[list[tuple[str, float]]]:
    """Names and probabilities of the best classes, from the eager model's scores."""
    exps = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities = exps / exps.sum(axis=1, keepdims=True)
    return [
        [(CLASSES[i], float(row[i])) for i in np.argsort(-row, kind="stable")[:k]]
        for row in probabilities
    ]


def assert_same_entries(got: list[dict[str, Any]], want: list[tuple[str, float]]) -> None:
    assert [entry["class_name"] for entry in got] == [name for name, _ in want]
    np.testing.assert_allclose(
        [entry["probability"] for entry in got], [value for _, value in want], **TOLERANCE
    )


V1, V2 = "/v1/models/cifar10:predict", "/v2/models/cifar10/infer"


@pytest.mark.parametrize("count", [1, 3, 20])  # 20 is more than the largest batch, 8
def test_v1_door_answers_with_the_eager_models_classes(
    projects: Projects, transformer: kserve.Server, count: int
) -> None:
    pixels = projects.pictures[:count]
    instances = [{"image_bytes": {"b64": encoded(png(p))}, "id": 7} for p in pixels]

    answer = ask(transformer.http, V1, {"instances": instances})

    wanted = expected_top(projects.eager(pixels), 3)
    assert len(answer["predictions"]) == count
    for got, want in zip(answer["predictions"], wanted, strict=True):
        assert_same_entries(got, want)


@pytest.mark.parametrize("count", [1, 3, 20])
def test_v2_door_answers_with_the_eager_models_classes(
    projects: Projects, transformer: kserve.Server, count: int
) -> None:
    pixels = projects.pictures[:count]
    data = [encoded(png(p)) for p in pixels]
    sent = {"name": "image_bytes", "shape": [count], "datatype": "BYTES", "data": data}

    answer = ask(transformer.http, V2, {"inputs": [sent]})

    outputs = {output["name"]: output for output in answer["outputs"]}
    assert outputs["class_name"]["shape"] == outputs["probability"]["shape"] == [count, 3]
    assert (outputs["class_name"]["datatype"], outputs["probability"]["datatype"]) == (
        "BYTES",
        "FP32",
    )
    names = np.reshape(outputs["class_name"]["data"], (count, 3))
    values = np.reshape(outputs["probability"]["data"], (count, 3))
    for got_names, got_values, want in zip(
        names, values, expected_top(projects.eager(pixels), 3), strict=True
    ):
        assert list(got_names) == [name for name, _ in want]
        np.testing.assert_allclose(got_values, [value for _, value in want], **TOLERANCE)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P"])
def test_pictures_of_other_modes_are_answered_like_their_rgb_form(
    projects: Projects, transformer: kserve.Server, mode: str
) -> None:
    picture = Image.fromarray(projects.pictures[0].permute(1, 2, 0).numpy()).convert(mode)
    out = io.BytesIO()
    picture.save(out, "png")
    pixels = torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)[None]

    answer = ask(
        transformer.http, V1, {"instances": [{"image_bytes": {"b64": encoded(out.getvalue())}}]}
    )

    [want] = expected_top(projects.eager(pixels), 3)
    assert_same_entries(answer["predictions"][0], want)


def test_a_truncated_jpeg_is_refused_by_its_index(
    projects: Projects, transformer: kserve.Server
) -> None:
    out = io.BytesIO()
    Image.fromarray(projects.pictures[0].permute(1, 2, 0).numpy()).save(out, "jpeg")
    good, broken = out.getvalue(), out.getvalue()[: len(out.getvalue()) // 2]
    instances = [{"image_bytes": {"b64": encoded(image)}} for image in (good, broken, good)]

    status, text = refused(transformer.http, V1, {"instances": instances})

    assert status == 400
    assert "instance 1" in text


def test_a_wrong_mean_in_the_rendered_transformer_shows(projects: Projects, tmp_path: Path) -> None:
    import shutil

    wrong = shutil.copytree(projects.folders["cifar10"] / "images/transformer", tmp_path / "wrong")
    code = (wrong / "transforms.py").read_text()
    (wrong / "transforms.py").write_text(code.replace("mean=(0.5,", "mean=(0.4,"))
    body = {"instances": [{"image_bytes": {"b64": encoded(png(projects.pictures[0]))}}]}

    with kserve.serve(
        wrong,
        model_name="cifar10",
        predictor_host=projects.server.grpc,
        arguments=["--predictor_protocol=grpc-v2"],
    ) as server:
        answer = ask(server.http, V1, body)

    [want] = expected_top(projects.eager(projects.pictures[:1]), 3)
    with pytest.raises(AssertionError):
        assert_same_entries(answer["predictions"][0], want)


def test_sample_requests_are_answered(projects: Projects, transformer: kserve.Server) -> None:
    requests = projects.folders["cifar10"] / "requests"

    v1 = ask(transformer.http, V1, json.loads((requests / "v1.json").read_text()))
    v2 = ask(transformer.http, V2, json.loads((requests / "v2.json").read_text()))

    assert [entry["class_name"] for entry in v1["predictions"][0]] == v2["outputs"][0]["data"]


def load_test(folder: Path) -> tuple[str, str, dict[str, str], bytes]:
    """Path of the request and of the readiness check, headers and body, as the job has them."""
    job = yaml.safe_load((folder / "perf/job.yaml").read_text())
    [container] = job["spec"]["template"]["spec"]["containers"]
    options = dict(argument.lstrip("-").split("=", 1) for argument in container["args"])
    paths = [urllib.parse.urlsplit(options[name]).path for name in ("url", "readiness-url")]
    headers, body = imported(folder / "perf/payload.py").request()
    return paths[0], paths[1], headers, body


def test_the_load_tests_request_is_answered_at_the_v1_door(
    projects: Projects, transformer: kserve.Server
) -> None:
    path, ready, headers, body = load_test(projects.folders["cifar10"])

    request = urllib.request.Request(f"http://{transformer.http}{path}", body, headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        answer = json.load(response)
    with urllib.request.urlopen(f"http://{transformer.http}{ready}", timeout=60) as response:
        status = response.status

    assert (path, len(answer["predictions"]), status) == (V1, 1, 200)


def test_the_load_tests_request_is_answered_at_the_v2_door(projects: Projects) -> None:
    path, _, headers, body = load_test(projects.folders["variants/standard"])

    with serve_transformer(projects, "variants/standard") as server:
        request = urllib.request.Request(f"http://{server.http}{path}", body, headers)
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)

    assert path == "/v2/models/standard/infer"
    assert [output["name"] for output in answer["outputs"]] == ["class_name", "probability"]


def test_a_threshold_pads_the_rows_of_the_v2_door(projects: Projects) -> None:
    pixels = projects.pictures[:8]
    data = [encoded(png(p)) for p in pixels]
    sent = {"name": "image_bytes", "shape": [8], "datatype": "BYTES", "data": data}

    with serve_transformer(projects, "variants/standard") as server:
        answer = ask(server.http, "/v2/models/standard/infer", {"inputs": [sent]})

    names, values = (np.reshape(o["data"], o["shape"]) for o in answer["outputs"])
    wanted = [
        [(name, value) for name, value in row if value >= 0.05]
        for row in expected_top(projects.eager(pixels), 10)
    ]
    width = max(map(len, wanted))
    assert names.shape == values.shape == (8, width)
    for got_names, got_values, want in zip(names, values, wanted, strict=True):
        padding = width - len(want)
        assert list(got_names) == [name for name, _ in want] + [""] * padding
        np.testing.assert_allclose(
            got_values, [value for _, value in want] + [0.0] * padding, **TOLERANCE
        )


def test_the_binary_load_tests_request_is_answered(projects: Projects) -> None:
    path, _, headers, body = load_test(projects.folders["variants/client-http"])

    request = urllib.request.Request(f"http://{projects.server.http}{path}", body, headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        length = int(response.headers["Inference-Header-Content-Length"])
        answer = json.loads(response.read()[:length])

    assert answer["outputs"][0]["shape"] == [1, 10]


def test_a_transformer_without_postprocess_answers_the_raw_scores(projects: Projects) -> None:
    pixels = projects.pictures[:3]
    instances = [{"image_bytes": {"b64": encoded(png(p))}} for p in pixels]
    data = [encoded(png(p)) for p in pixels]
    sent = {"name": "image_bytes", "shape": [3], "datatype": "BYTES", "data": data}

    with serve_transformer(projects, "variants/raw") as server:
        v1 = ask(server.http, "/v1/models/raw:predict", {"instances": instances})
        v2 = ask(server.http, "/v2/models/raw/infer", {"inputs": [sent]})
        small = encoded(png(pixels[0][:, :16, :16].contiguous()))
        status, text = refused(
            server.http,
            "/v1/models/raw:predict",
            {"instances": [instances[0], {"image_bytes": {"b64": small}}]},
        )

    np.testing.assert_allclose(v1["predictions"], projects.eager(pixels), **TOLERANCE)
    [output] = v2["outputs"]
    assert output["name"] == "logits"
    np.testing.assert_allclose(
        np.reshape(output["data"], output["shape"]), projects.eager(pixels), **TOLERANCE
    )
    assert status == 400, text
    assert "instance 1" in text


def test_custom_operations_run_in_the_transformer(projects: Projects) -> None:
    pixels = projects.pictures[:1]
    picture = Image.fromarray(pixels[0].permute(1, 2, 0).numpy())
    framed = Image.new("RGB", (52, 52), (1, 2, 3))
    framed.paste(picture, (10, 10))
    out = io.BytesIO()
    framed.save(out, "png")
    body = {"instances": [{"photo": {"b64": encoded(out.getvalue())}}]}

    with serve_transformer(projects, "variants/custom") as server:
        answer = ask(server.http, "/v1/models/custom:predict", body)

    [[(best, first), (_, second)]] = expected_top(projects.eager(pixels), 2)
    assert answer["predictions"] == [{"class_name": best, "certain": first - second >= 0.5}]


def run(program: Path, *arguments: str, cwd: Path) -> str:
    """What a rendered program prints."""
    done = subprocess.run(
        [sys.executable, program, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["variants/client-http", "variants/client-grpc"])
def test_the_sample_client_prints_the_eager_models_classes(
    projects: Projects, name: str, tmp_path: Path
) -> None:
    pixels = projects.pictures[:2]
    for index, each in enumerate(pixels):
        (tmp_path / f"{index}.png").write_bytes(png(each))
    door = (
        ["--address", projects.server.grpc]
        if name.endswith("grpc")
        else ["--url", f"http://{projects.server.http}"]
    )

    client = projects.folders[name] / "requests/client.py"
    printed = run(client, *door, "0.png", "1.png", cwd=tmp_path)

    k = 3 if name.endswith("grpc") else 1
    wanted = expected_top(projects.eager(pixels), k)
    for line, want in zip(printed.splitlines(), wanted, strict=True):
        assert_same_entries(json.loads(line), want)


def test_the_sample_client_for_tensors_prints_the_eager_models_scores(
    projects: Projects, tmp_path: Path
) -> None:
    pixels = projects.pictures[:1]
    np.save(tmp_path / "image.npy", ((pixels.float() / 255 - 0.5) / 0.5).numpy())
    client = projects.folders["variants/minimal"] / "requests/client.py"

    printed = run(client, "--url", f"http://{projects.server.http}", "image.npy", cwd=tmp_path)

    scores = json.loads(printed)["OUTPUT__0"]
    np.testing.assert_allclose(scores, projects.eager(pixels), **TOLERANCE)


def test_the_sample_client_prints_why_triton_refuses(projects: Projects, tmp_path: Path) -> None:
    np.save(tmp_path / "image.npy", np.zeros((2, 3, 32, 32), np.float32))  # its largest batch is 1
    client = projects.folders["variants/minimal"] / "requests/client.py"

    with pytest.raises(AssertionError, match=r"400: .*batch-size"):
        run(client, "--url", f"http://{projects.server.http}", "image.npy", cwd=tmp_path)


def test_concurrent_requests_are_each_answered_with_their_own_classes(
    projects: Projects, transformer: kserve.Server
) -> None:
    bodies = [{"instances": [{"image_bytes": {"b64": encoded(png(p))}}]} for p in projects.pictures]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda body: ask(transformer.http, V1, body), bodies))

    wanted = expected_top(projects.eager(projects.pictures), 3)
    for answer, want in zip(answers, wanted, strict=True):
        assert_same_entries(answer["predictions"][0], want)
