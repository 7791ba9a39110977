"""Handlers of tensors, of pixels and of the user's own answer on the real TorchServe."""

import http.client
import importlib.util
import io
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from generator.artefact import artefact
from generator.engines import EngineError, environments, torchserve
from generator.perf import tensor_request
from generator.planning import client_files
from generator.project import Batching, Model, Project, Serving, Step, Tensor, Transforms
from generator.render import render
from generator.targets.torchserve.client import grpc_client_files
from generator.targets.torchserve.options import Explain, Options
from generator.targets.torchserve.service import describe

torch = pytest.importorskip("torch")
np = pytest.importorskip("numpy")
image_module = pytest.importorskip("PIL.Image")

from torchserve_archives import archived, config  # noqa: E402  # needs torch

from generator.export.embedded import embed  # noqa: E402  # needs torch
from generator.export.torchscript import export_torchscript, scripted  # noqa: E402  # needs torch

pytestmark = pytest.mark.engine

CLASS_NAMES = ("ant", "bee", "cat", "dog", "eel")
LENGTH = "Inference-Header-Content-Length"
IMAGE = Tensor("image", "float32", ("N", 3, 8, 8))
LOGITS = Tensor("logits", "float32", ("N", 5))


def project(name: str, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Project:
    return Project(
        name=name,
        target="torchserve",
        folder=Path(),
        model=Model(inputs=inputs, outputs=outputs),
        serving=Serving(batching=Batching(max_size=8)),
    )


SCORES = project("scores", (IMAGE,), (LOGITS,))
PAIR = project(
    "pair",
    (Tensor("left", "int64", ("N", 3)), Tensor("right", "float32", ("N", 3))),
    (Tensor("difference", "float64", ("N", 3)), Tensor("positive", "bool", ("N", 3))),
)
HALF = project("half", (Tensor("x", "float16", ("N", 4)),), (Tensor("y", "float16", ("N", 4)),))
TEXT = project(
    "text",
    (Tensor("tokens", "int64", ("N", "T")), Tensor("weights", "float32", ("N", "T"))),
    (Tensor("vector", "float32", ("N", 2)),),
)
GREY = project("grey", (Tensor("grey", "uint8", ("H", "W")),), (Tensor("mean", "float32", ()),))
PHOTOS = replace(
    project("photos", (IMAGE,), (LOGITS,)),
    model=Model(inputs=(IMAGE,), outputs=(LOGITS,), class_names=CLASS_NAMES),
    transforms=Transforms(
        run_in="model",
        request_field="photo",
        preprocess=(Step("decode", {}), Step("center_crop", {"size": 8}), Step("to_tensor", {})),
        postprocess=(Step("softmax", {}), Step("top_k", {"top_k": 3}), Step("class_name", {})),
    ),
)
RIGID = replace(
    PHOTOS,
    name="rigid",
    transforms=replace(
        PHOTOS.transforms, preprocess=(Step("decode", {}), Step("to_tensor", {})), postprocess=()
    ),
)
EXPLAINED = replace(SCORES, name="explained")
WRITTEN = replace(SCORES, name="written")

OWN_HANDLER = '''\
from dataclasses import dataclass


@dataclass
class Greeting:
    text: str


class Greeter:
    """Stands beside another class, and beside a function that TorchServe would take for it."""

    def initialize(self, context):
        self.name = context.model_name

    def handle(self, data, context):
        return [Greeting(f"hello from {self.name}").text for _ in data]


def handle(data, context):
    raise RuntimeError("this is not the handler")
'''


class Pair(torch.nn.Module):  # type: ignore[misc, name-defined]  # torch is optional: Any
    def forward(self, left: Any, right: Any) -> Any:
        return left.double() - right, left > right


class Half(torch.nn.Module):  # type: ignore[misc, name-defined]  # torch is optional: Any
    def forward(self, x: Any) -> Any:
        return x + x


class Text(torch.nn.Module):  # type: ignore[misc, name-defined]  # torch is optional: Any
    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(10, 2)

    def forward(self, tokens: Any, weights: Any) -> Any:
        return (self.embedding(tokens) * weights.unsqueeze(2)).sum(1)


class Grey(torch.nn.Module):  # type: ignore[misc, name-defined]  # torch is optional: Any
    def forward(self, grey: Any) -> Any:
        return grey.float().mean()


@dataclass(frozen=True)
class Answered:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Served:
    """A running server and the eager models behind it, by name."""

    server: torchserve.Server
    models: Mapping[str, Any]

    def eager(self, name: str, *arrays: Any) -> Any:
        """The outputs of a model as numpy arrays, one or a tuple."""
        with torch.no_grad():
            outputs = self.models[name](*map(torch.from_numpy, arrays))
        return (
            outputs.numpy()
            if isinstance(outputs, torch.Tensor)
            else tuple(output.numpy() for output in outputs)
        )

    def post(
        self, path: str, body: bytes, content_type: str = "application/octet-stream", **headers: str
    ) -> Answered:
        connection = http.client.HTTPConnection(self.server.inference, timeout=60)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request("POST", path, body, {"Content-Type": content_type, **named})
            answer = connection.getresponse()
            return Answered(answer.status, dict(answer.headers), answer.read())
        finally:
            connection.close()

    def infer(self, name: str, body: object) -> Answered:
        """Ask the v2 door in JSON."""
        return self.post(f"/v2/models/{name}/infer", json.dumps(body).encode(), "application/json")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of every kind of handler but that of images."""
    try:
        torchserve.prepare(report=print)
    except EngineError as problem:
        pytest.skip(str(problem))
    torch.manual_seed(3)
    scores = torch.nn.Sequential(torch.nn.Flatten(1), torch.nn.Linear(192, 5)).eval()
    models: dict[str, Any] = {
        "scores": scores,
        "pair": Pair(),
        "half": Half(),
        "text": Text().eval(),
        "grey": Grey(),
        "photos": scores,
        "rigid": scores,
    }
    store, programs = tmp_path_factory.mktemp("store"), tmp_path_factory.mktemp("programs")
    (programs / "own.py").write_text(OWN_HANDLER)
    for made in (SCORES, PAIR, HALF, TEXT, GREY, PHOTOS, RIGID):
        program = export_torchscript(made, models[made.name].eval())
        if made.transforms.preprocess:
            program = scripted(embed(made, program))
        program.save(str(programs / f"{made.name}.pt"))
        archived(store, made, programs / f"{made.name}.pt")
    names = [*models, "written"]
    own = replace(WRITTEN, folder=programs)
    archived(store, own, None, Options(handler="own.py:Greeter"))
    if importlib.util.find_spec("captum"):
        archived(store, EXPLAINED, programs / "scores.pt", Options(explain=Explain(steps=20)))
        names.append("explained")
    with torchserve.serve(store, config(*names), models=names, timeout_seconds=300) as server:
        yield Served(server, models)


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def images(count: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).random((count, 3, 8, 8), dtype=np.float32)


def v2_tensor(name: str, datatype: str, array: Any) -> dict[str, Any]:
    data = array.ravel().tolist()
    return {"name": name, "datatype": datatype, "shape": list(array.shape), "data": data}


def form(**files: bytes) -> tuple[bytes, str]:
    """A form with a file in each field, and its content type."""
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"; filename="{name}.npy"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n".encode()
        + file
        + b"\r\n"
        for name, file in files.items()
    ]
    return b"".join([*parts, b"--x--\r\n"]), "multipart/form-data; boundary=x"


def scores_natively(served: Served, array: Any) -> Any:
    answer = served.post("/predictions/scores", npy(array))
    assert (answer.status, answer.headers["content-type"]) == (200, "application/octet-stream")
    return np.load(io.BytesIO(answer.body))


def scores_v1(served: Served, array: Any) -> Any:
    body = json.dumps({"instances": array.tolist()}).encode()
    answer = served.post("/v1/models/scores:predict", body, "application/json")
    assert answer.status == 200
    return answer.json()["predictions"]


def scores_v2(served: Served, array: Any) -> Any:
    answer = served.infer("scores", {"id": "7", "inputs": [v2_tensor("image", "FP32", array)]})
    assert (answer.status, answer.json()["id"]) == (200, "7")
    [output] = answer.json()["outputs"]
    assert (output["name"], output["datatype"]) == ("logits", "FP32")
    return np.reshape(output["data"], output["shape"])


def scores_v2_binary(served: Served, array: Any) -> Any:
    described = v2_tensor("image", "FP32", array)
    described["parameters"] = {"binary_data_size": array.nbytes}
    del described["data"]
    head = json.dumps({"inputs": [described], "parameters": {"binary_data_output": True}}).encode()
    length = {LENGTH.lower(): str(len(head))}
    answer = served.post("/v2/models/scores/infer", head + array.tobytes(), **length)
    assert answer.status == 200
    end = int(answer.headers[LENGTH])
    [output] = json.loads(answer.body[:end])["outputs"]
    return np.frombuffer(answer.body[end:], np.float32).reshape(output["shape"])


DOORS = {
    "native": scores_natively,
    "v1": scores_v1,
    "v2": scores_v2,
    "v2 binary": scores_v2_binary,
}


@pytest.mark.parametrize("clients", [1, 8, 32])
@pytest.mark.parametrize("door", DOORS)
def test_answers_the_eager_numbers(served: Served, door: str, clients: int) -> None:
    batches = [images(1 + seed % 3, seed) for seed in range(2 * clients)]

    with ThreadPoolExecutor(clients) as pool:
        answers = list(pool.map(lambda batch: DOORS[door](served, batch), batches))

    for batch, given in zip(batches, answers, strict=True):
        np.testing.assert_allclose(given, served.eager("scores", batch), rtol=1e-4, atol=1e-6)


def test_mixes_doors_in_a_batch_and_refuses_the_bad_request_alone(served: Served) -> None:
    batches = [images(2, seed) for seed in range(7)]
    doors = [*DOORS.values(), *DOORS.values()][:7]

    with ThreadPoolExecutor(8) as pool:
        bad = pool.submit(served.post, "/predictions/scores", npy(images(1)[:, :, :4]))
        answers = list(pool.map(lambda pair: pair[0](served, pair[1]), zip(doors, batches)))  # noqa: B905

    for batch, given in zip(batches, answers, strict=True):
        np.testing.assert_allclose(given, served.eager("scores", batch), rtol=1e-4, atol=1e-6)
    refused = bad.result()
    assert refused.status == 400
    assert refused.json() == {"error": "image has shape [1, 3, 4, 8], not [N, 3, 8, 8]"}


def test_answers_more_samples_than_a_batch_takes(served: Served) -> None:
    batch = images(19)

    given = scores_natively(served, batch)

    np.testing.assert_allclose(given, served.eager("scores", batch), rtol=1e-4, atol=1e-6)


LEFT = np.array([[1, 2, 3], [4, 5, 6]])
RIGHT = np.array([[1, 1, 5], [2, 9, 2.5]], dtype=np.float32)


def test_takes_several_inputs_in_any_order(served: Served) -> None:
    inputs = [v2_tensor("right", "FP32", RIGHT), v2_tensor("left", "INT64", LEFT)]

    answer = served.infer("pair", {"inputs": inputs, "outputs": [{"name": "positive"}]})

    assert answer.json()["outputs"] == [
        {
            "name": "positive",
            "shape": [2, 3],
            "datatype": "BOOL",
            "data": [False, True, False, True, False, True],
        }
    ]


@pytest.mark.parametrize("field", ["data", "image"])
def test_takes_a_form_field(served: Served, field: str) -> None:
    batch = images(2)

    answer = served.post("/predictions/scores", *form(**{field: npy(batch)}))

    got = np.load(io.BytesIO(answer.body))
    np.testing.assert_allclose(got, served.eager("scores", batch), rtol=1e-4, atol=1e-6)


def test_takes_a_form_of_several_inputs(served: Served) -> None:
    answer = served.post("/predictions/pair", *form(right=npy(RIGHT), left=npy(LEFT)))

    outputs = np.load(io.BytesIO(answer.body))
    difference, positive = served.eager("pair", LEFT, RIGHT)
    np.testing.assert_array_equal(outputs["difference"], difference)
    np.testing.assert_array_equal(outputs["positive"], positive)


def test_takes_v1_instances_of_several_inputs(served: Served) -> None:
    instances = [{"left": LEFT[i].tolist(), "right": RIGHT[i].tolist()} for i in range(2)]
    body = json.dumps({"instances": instances}).encode()

    answer = served.post("/v1/models/pair:predict", body, "application/json")

    difference, positive = served.eager("pair", LEFT, RIGHT)
    assert answer.json()["predictions"] == [
        {"difference": difference[i].tolist(), "positive": positive[i].tolist()} for i in range(2)
    ]


def test_takes_half_floats_as_bytes_only(served: Served) -> None:
    array = np.array([[1, 2, 3, 4.5]], dtype=np.float16)

    natively = served.post("/predictions/half", npy(array))
    in_json = served.infer("half", {"inputs": [v2_tensor("x", "FP16", array)]})

    np.testing.assert_array_equal(np.load(io.BytesIO(natively.body)), array + array)
    assert in_json.status == 400
    assert "x is FP16, which JSON has no numbers for" in in_json.json()["error"]


def test_takes_requests_of_different_sizes_at_once(served: Served) -> None:
    sizes = range(1, 9)
    tokens = [np.arange(size)[np.newaxis] for size in sizes]
    weights = [np.full((1, size), 0.5, dtype=np.float32) for size in sizes]

    def ask(index: int) -> Any:
        body = form(tokens=npy(tokens[index]), weights=npy(weights[index]))
        return np.load(io.BytesIO(served.post("/predictions/text", *body).body))

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))

    for index, given in enumerate(answers):
        expected = served.eager("text", tokens[index], weights[index])
        np.testing.assert_allclose(given, expected, rtol=1e-4)


def test_values_that_the_model_cannot_take_fail_no_other_request(served: Served) -> None:
    def ask(token: int) -> Answered:
        tokens, weights = np.array([[token]]), np.ones((1, 1), dtype=np.float32)
        return served.post("/predictions/text", *form(tokens=npy(tokens), weights=npy(weights)))

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, [0, 1, 2, 77, 4, 5, 6, 7]))

    assert [answer.status for answer in answers] == [200, 200, 200, 400, 200, 200, 200, 200]
    assert "index out of range" in answers[3].json()["error"]


def test_takes_a_sample_at_a_time_without_batch_dimension(served: Served) -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    body = json.dumps({"instances": [grey.tolist(), grey[:1].tolist()]}).encode()

    natively = served.post("/predictions/grey", npy(grey))
    v1 = served.post("/v1/models/grey:predict", body, "application/json")

    assert np.load(io.BytesIO(natively.body)) == 5.5
    assert v1.json() == {"predictions": [5.5, 1.5]}


def photo(seed: int, width: int = 8, height: int = 8) -> Any:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return image_module.fromarray(pixels)


def encoded(image: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("clients", [1, 8, 32])
def test_a_program_that_transforms_is_sent_pixels(served: Served, clients: int) -> None:
    photos = [photo(seed, 8 + 2 * (seed % 3), 10) for seed in range(2 * clients)]

    with ThreadPoolExecutor(clients) as pool:
        answers = list(
            pool.map(lambda image: served.post("/predictions/photos", encoded(image)), photos)
        )

    for image, answer in zip(photos, answers, strict=True):
        left, top = (image.width - 8) // 2, 1
        array = np.asarray(image.crop((left, top, left + 8, top + 8)), dtype=np.float32) / 255
        logits = served.eager("photos", array.transpose(2, 0, 1)[np.newaxis].copy())[0]
        shares = np.exp(logits) / np.exp(logits).sum()
        best = np.argsort(-shares)[:3]
        assert [next(iter(entry)) for entry in answer.json()] == [CLASS_NAMES[i] for i in best]
        given = [value for entry in answer.json() for value in entry.values()]
        np.testing.assert_allclose(given, shares[best], rtol=1e-4)


def test_what_the_program_refuses_is_told_its_sender_alone(served: Served) -> None:
    bodies = [encoded(photo(0)), encoded(photo(0, 9)), b"junk", encoded(photo(1))]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda body: served.post("/predictions/rigid", body), bodies))

    assert [answer.status for answer in answers] == [200, 400, 400, 200]
    assert "the image makes" in answers[1].json()["error"]
    assert answers[2].json() == {"error": "the image is broken or of an unknown format"}


def test_a_handler_of_the_users_own_may_stand_among_other_classes(served: Served) -> None:
    answer = served.post("/predictions/written", b"anyone")

    assert (answer.status, answer.body) == (200, b"hello from written")


def test_explains_tensors(served: Served) -> None:
    pytest.importorskip("captum", reason="explanations need captum, beside the shared torch")
    batch = images(2)

    answer = served.post("/explanations/explained", npy(batch))
    v1 = served.post(
        "/v1/models/explained:explain",
        json.dumps({"instances": batch.tolist()}).encode(),
        "application/json",
    )

    # A linear layer after Flatten: the integral of a constant gradient.
    weight = served.models["scores"][1].weight.detach().numpy()
    best = served.eager("scores", batch).argmax(1)
    expected = weight[best].reshape(batch.shape) * batch
    np.testing.assert_allclose(np.load(io.BytesIO(answer.body)), expected, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(v1.json()["explanations"], expected, rtol=1e-3, atol=1e-6)


def run(folder: Path, *arguments: str, python: str = sys.executable) -> Any:
    return subprocess.run(
        [python, *arguments], cwd=folder, capture_output=True, text=True, timeout=100, check=False
    )


def test_the_sample_client_of_tensors_is_answered(served: Served, tmp_path: Path) -> None:
    names = {"inputs": ("left", "right"), "outputs": ("difference", "positive")}
    for file in client_files(PAIR, model="pair", grpc=False, **names):
        (tmp_path / file.path.name).write_text(render(file).text)
    (tmp_path / "left.npy").write_bytes(npy(LEFT))
    (tmp_path / "right.npy").write_bytes(npy(RIGHT))

    url = f"http://{served.server.inference}"
    done = run(tmp_path, "client.py", "--url", url, "left.npy", "right.npy")

    difference, positive = served.eager("pair", LEFT, RIGHT)
    assert json.loads(done.stdout) == {
        "difference": difference.tolist(),
        "positive": positive.tolist(),
    }


def test_the_sample_client_of_images_is_answered(served: Served, tmp_path: Path) -> None:
    transforms = replace(
        RIGID.transforms, run_in="client", postprocess=(Step("softmax", {}), Step("argmax", {}))
    )
    whole = replace(SCORES, transforms=transforms)
    for file in client_files(
        whole, model="scores", grpc=False, inputs=("image",), outputs=("logits",)
    ):
        (tmp_path / file.path.name).write_text(render(file).text)
    photo(3).save(tmp_path / "photo.png")

    done = run(tmp_path, "client.py", "--url", f"http://{served.server.inference}", "photo.png")

    array = np.asarray(photo(3), dtype=np.float32).transpose(2, 0, 1)[np.newaxis] / 255
    [entry] = json.loads(done.stdout)
    assert entry["class_index"] == int(served.eager("scores", array.copy()).argmax())


def test_the_load_tests_request_is_answered(served: Served, tmp_path: Path) -> None:
    tensors = [
        {"name": each.name, "datatype": datatype, "element": element, "shape": each.shape}
        for each, datatype, element in zip(
            tensor_request(PAIR, ["left", "right"]).tensors, ("INT64", "FP32"), "qf", strict=True
        )
    ]
    values = {"sends_image": False, "form": "v2-binary", "tensors": tensors}
    payload: dict[str, Any] = {}
    exec(  # what we rendered
        render(artefact("payload.py", "common/perf/payload.py.j2", values)).text, payload
    )
    headers, body = payload["request"]()

    answer = served.post("/v2/models/pair/infer", body, **{LENGTH: headers[LENGTH]})

    assert answer.status == 200
    head = json.loads(answer.body[: int(answer.headers[LENGTH])])
    assert [output["name"] for output in head["outputs"]] == ["difference", "positive"]


@pytest.fixture(scope="module")
def grpc_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter with what grpc_client.py needs."""
    requirements = tmp_path_factory.mktemp("client") / "requirements.txt"
    requirements.write_text("grpcio==1.85.1\ngrpcio-tools==1.85.1\nnumpy==2.4.6\n")
    try:
        return str(environments.prepare("grpc-client", [requirements], report=print).python)
    except EngineError as problem:
        pytest.skip(str(problem))


def write_grpc_client(folder: Path, project: Project) -> None:
    for file in grpc_client_files(describe(project, Options())):
        (folder / file.path.name).write_text(render(file).text)


def test_the_grpc_client_is_answered(served: Served, grpc_python: str, tmp_path: Path) -> None:
    write_grpc_client(tmp_path, SCORES)
    batch = images(2)
    (tmp_path / "batch.npy").write_bytes(npy(batch))
    (tmp_path / "v1.json").write_text(json.dumps({"instances": batch.tolist()}))
    (tmp_path / "bad.npy").write_bytes(npy(batch[0]))
    ask = ("grpc_client.py", "--address", served.server.grpc, "--authority", "scores.example")

    done = run(tmp_path, *ask, "batch.npy", "v1.json", python=grpc_python)
    refused = run(tmp_path, *ask, "bad.npy", python=grpc_python)
    lost = run(tmp_path, *ask[:2], "127.0.0.1:1", "batch.npy", python=grpc_python)
    missing = run(tmp_path, *ask, "missing.npy", python=grpc_python)

    natively, v1 = map(json.loads, done.stdout.splitlines())
    expected = served.eager("scores", batch)
    np.testing.assert_allclose(natively, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(v1["predictions"], expected, rtol=1e-4, atol=1e-6)
    assert (refused.returncode, refused.stderr) == (
        1,
        "image has shape [3, 8, 8], not [N, 3, 8, 8]\n",
    )
    assert lost.returncode == 1
    assert lost.stderr.startswith("UNAVAILABLE: ")
    assert (missing.returncode, missing.stderr) == (1, "missing.npy: No such file or directory\n")


def test_the_grpc_client_sends_several_inputs(
    served: Served, grpc_python: str, tmp_path: Path
) -> None:
    write_grpc_client(tmp_path, PAIR)
    (tmp_path / "left.npy").write_bytes(npy(LEFT))
    (tmp_path / "right.npy").write_bytes(npy(RIGHT))
    ask = ("grpc_client.py", "--address", served.server.grpc)

    done = run(tmp_path, *ask, "left.npy", "right.npy", python=grpc_python)

    difference, positive = served.eager("pair", LEFT, RIGHT)
    assert json.loads(done.stdout) == {
        "difference": difference.tolist(),
        "positive": positive.tolist(),
    }


def test_the_grpc_client_sends_images(served: Served, grpc_python: str, tmp_path: Path) -> None:
    write_grpc_client(tmp_path, PHOTOS)
    photo(1).save(tmp_path / "photo.png")
    (tmp_path / "junk.png").write_bytes(b"junk")
    ask = ("grpc_client.py", "--address", served.server.grpc)

    done = run(tmp_path, *ask, "photo.png", python=grpc_python)
    refused = run(tmp_path, *ask, "junk.png", python=grpc_python)

    assert len(json.loads(done.stdout)) == 3
    assert (refused.returncode, refused.stderr) == (
        1,
        "the image is broken or of an unknown format\n",
    )
