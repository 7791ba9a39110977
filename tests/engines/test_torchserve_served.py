"""The rendered handler answers every door of the real TorchServe with the eager numbers."""

import base64
import http.client
import io
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from generator.engines import EngineError, torchserve
from generator.project import Batching, Model, Project, Serving, Step, Tensor, Transforms
from generator.targets.torchserve.options import Explain, Options

torch = pytest.importorskip("torch")
np = pytest.importorskip("numpy")
image_module = pytest.importorskip("PIL.Image")
grpc = pytest.importorskip("grpc")

from torchserve_archives import archived, config  # noqa: E402  # needs torch

pytestmark = pytest.mark.engine

STEPS = 20  # of the integral
CLASS_NAMES = ("ant", "bee", "cat", "dog", "eel")
PROJECT = Project(
    name="insects",
    target="torchserve",
    folder=Path(),
    model=Model(
        inputs=(Tensor("image", "float32", ("N", 3, 8, 8)),),
        outputs=(Tensor("logits", "float32", ("N", 5)),),
        class_names=CLASS_NAMES,
    ),
    transforms=Transforms(
        run_in="server",
        request_field="photo",
        preprocess=(Step("decode", {}), Step("to_tensor", {})),
        postprocess=(Step("softmax", {}), Step("top_k", {"top_k": 3}), Step("class_name", {})),
    ),
    serving=Serving(batching=Batching(max_size=8)),
)


@dataclass(frozen=True)
class Served:
    """A running server and the eager model behind its archives."""

    server: torchserve.Server
    model: Any

    def expected(self, image: bytes) -> list[tuple[str, float]]:
        """The three best classes of an image, as torch has them."""
        pixels = np.asarray(image_module.open(io.BytesIO(image)), dtype=np.float32)
        batch = torch.from_numpy(pixels.transpose(2, 0, 1)[None] / 255)
        with torch.no_grad():
            values, indices = self.model(batch).softmax(1)[0].topk(3)
        names = [CLASS_NAMES[index] for index in indices]
        return list(zip(names, values.tolist(), strict=True))

    def post(self, path: str, body: bytes, content_type: str = "image/png") -> tuple[int, Any]:
        """Send a request to the inference API; gives the status and the decoded answer."""
        connection = http.client.HTTPConnection(self.server.inference, timeout=60)
        try:
            connection.request("POST", path, body, {"Content-Type": content_type})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A model store with `insects` and, giving explanations, `explained`; and the eager model."""
    torch.manual_seed(3)
    layers = [torch.nn.Flatten(1), torch.nn.Linear(192, 16), torch.nn.Tanh()]
    model = torch.nn.Sequential(*layers, torch.nn.Linear(16, 5)).eval()
    program = tmp_path_factory.mktemp("program") / "insects.pt"
    torch.jit.trace(model, torch.zeros(2, 3, 8, 8)).save(str(program))
    folder = tmp_path_factory.mktemp("store")
    archived(folder, PROJECT, program)
    explained = replace(PROJECT, name="explained")
    archived(folder, explained, program, Options(explain=Explain(steps=STEPS)))
    return folder, model


@pytest.fixture(scope="module")
def served(store: tuple[Path, Any]) -> Iterator[Served]:
    """A server of `insects`, with an environment in which KServe would have set an envelope."""
    try:
        torchserve.prepare(report=print)
    except EngineError as problem:
        pytest.skip(str(problem))
    probe = torchserve.Probe("/predictions/insects", photo(0))
    with torchserve.serve(
        store[0],
        config("insects"),
        models=["insects"],
        probe=probe,
        variables={"TS_SERVICE_ENVELOPE": "kserve"},
    ) as server:
        yield Served(server, store[1])


def photo(seed: int) -> bytes:
    """A small PNG of noise."""
    values = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    encoded = io.BytesIO()
    image_module.fromarray(values).save(encoded, "PNG")
    return encoded.getvalue()


def v1(*images: bytes) -> bytes:
    instances = [{"photo": {"b64": base64.b64encode(image).decode()}} for image in images]
    return json.dumps({"instances": instances}).encode()


def v2(*images: bytes) -> bytes:
    data = [base64.b64encode(image).decode() for image in images]
    tensor = {"name": "photo", "shape": [len(images)], "datatype": "BYTES", "data": data}
    return json.dumps({"id": "seven", "inputs": [tensor]}).encode()


Pairs = list[tuple[str, float]]


def ask_natively(served: Served, image: bytes) -> tuple[int, Pairs]:
    status, answer = served.post("/predictions/insects", image)
    return status, [pair for entry in answer for pair in entry.items()] if status == 200 else []


def ask_v1(served: Served, image: bytes) -> tuple[int, Pairs]:
    status, answer = served.post("/v1/models/insects:predict", v1(image), "application/json")
    entries = answer["predictions"][0] if status == 200 else []
    return status, [(entry["class_name"], entry["probability"]) for entry in entries]


def ask_v2(served: Served, image: bytes) -> tuple[int, Pairs]:
    status, answer = served.post("/v2/models/insects/infer", v2(image), "application/json")
    columns = [tensor["data"] for tensor in answer["outputs"]] if status == 200 else [[], []]
    return status, list(zip(*columns, strict=True))


DOORS = {"native": ask_natively, "v1": ask_v1, "v2": ask_v2}


def close(given: Pairs, expected: Pairs) -> bool:
    """Whether the classes are the same and their probabilities nearly so."""
    if [name for name, _ in given] != [name for name, _ in expected]:
        return False
    return bool(np.allclose([p for _, p in given], [p for _, p in expected], rtol=1e-5))


@pytest.mark.parametrize("clients", [1, 8, 32])
@pytest.mark.parametrize("door", DOORS)
def test_answers_the_eager_numbers(served: Served, door: str, clients: int) -> None:
    photos = [photo(seed) for seed in range(4 * clients)]

    with ThreadPoolExecutor(clients) as pool:
        answers = list(pool.map(lambda image: DOORS[door](served, image), photos))

    assert {status for status, _ in answers} == {200}
    for image, (_, given) in zip(photos, answers, strict=True):
        assert close(given, served.expected(image))


def test_answers_more_images_than_a_batch_takes(served: Served) -> None:
    photos = [photo(seed) for seed in range(11)]

    status, answer = served.post("/v1/models/insects:predict", v1(*photos), "application/json")
    also, other = served.post("/v2/models/insects/infer", v2(*photos), "application/json")

    assert (status, also) == (200, 200)
    for image, entries in zip(photos, answer["predictions"], strict=True):
        given = [(entry["class_name"], entry["probability"]) for entry in entries]
        assert close(given, served.expected(image))
    assert (other["id"], other["model_name"], other["model_version"]) == ("seven", "insects", "1.0")
    assert [tensor["shape"] for tensor in other["outputs"]] == [[11, 3], [11, 3]]


@pytest.mark.parametrize("field", ["data", "photo"])
def test_takes_a_form_field(served: Served, field: str) -> None:
    image = photo(5)
    disposition = f'Content-Disposition: form-data; name="{field}"; filename="a.png"'
    head = f"--x\r\n{disposition}\r\n\r\n".encode()

    status, answer = served.post(
        "/predictions/insects", head + image + b"\r\n--x--\r\n", "multipart/form-data; boundary=x"
    )

    assert status == 200
    assert close([pair for entry in answer for pair in entry.items()], served.expected(image))


def test_a_bad_image_fails_no_other_request_of_its_batch(served: Served) -> None:
    bodies = [photo(1), b"junk", photo(2), v1(photo(3), b"junk"), v2(photo(4)), b"", photo(6)]

    def ask(body: bytes) -> tuple[int, Any]:
        kind = "application/json" if body.startswith(b"{") else "image/png"
        return served.post("/predictions/insects", body, kind)

    with ThreadPoolExecutor(len(bodies)) as pool:
        answers = list(pool.map(ask, bodies))

    assert [status for status, _ in answers] == [200, 400, 200, 400, 200, 400, 200]
    assert answers[1][1] == {"error": "the image is broken or of an unknown format"}
    assert answers[3][1] == {"error": "instance 1: the image is broken or of an unknown format"}
    assert answers[5][1] == {
        "error": "there is no image: send it as the body, or as form field data or photo; "
        "JSON needs Content-Type: application/json (curl -d sends a form)"
    }


def test_says_that_json_came_as_a_form(served: Served) -> None:
    """As curl -d sends it."""
    form = "application/x-www-form-urlencoded"

    status, answer = served.post("/predictions/insects", v1(photo(1)), form)

    assert status == 400
    assert answer["error"].endswith(
        "; JSON needs Content-Type: application/json (curl -d sends a form)"
    )


@pytest.fixture
def predict(served: Served) -> Iterator[Callable[[bytes], Any]]:
    """A function that sends one image to TorchServe's own gRPC service (inference.proto)."""

    def field(number: int, value: bytes) -> bytes:
        size, head = len(value), bytes([number << 3 | 2])  # a field with a length
        while size > 127:
            head, size = head + bytes([size & 127 | 128]), size >> 7
        return head + bytes([size]) + value

    def body(answer: bytes) -> Any:
        return json.loads(answer[answer.index(b"[" if b"[" in answer else b"{") :])

    with grpc.insecure_channel(served.server.grpc) as channel:
        call = channel.unary_unary(
            "/org.pytorch.serve.grpc.inference.InferenceAPIsService/Predictions"
        )

        def ask(image: bytes) -> Any:
            entry = field(1, b"data") + field(2, image)
            return body(call(field(1, b"insects") + field(3, entry), timeout=60))

        yield ask


@pytest.mark.parametrize("clients", [1, 8, 32])
def test_answers_the_eager_numbers_over_grpc(
    served: Served, predict: Callable[[bytes], Any], clients: int
) -> None:
    photos = [photo(seed) for seed in range(4 * clients)]

    with ThreadPoolExecutor(clients) as pool:
        answers = list(pool.map(predict, photos))

    for image, answer in zip(photos, answers, strict=True):
        assert close([pair for entry in answer for pair in entry.items()], served.expected(image))


def test_tells_over_grpc_what_is_wrong_in_the_answer_itself(
    predict: Callable[[bytes], Any],
) -> None:
    """TorchServe gives a request's own status to HTTP clients alone."""
    assert predict(b"junk") == {"error": "the image is broken or of an unknown format"}


def test_refuses_to_explain_unless_told_to(served: Served) -> None:
    status, answer = served.post("/v1/models/insects:explain", v1(photo(1)), "application/json")

    assert (status, answer) == (400, {"error": "this model gives no explanations"})


def test_explains_with_integrated_gradients(store: tuple[Path, Any]) -> None:
    pytest.importorskip("captum", reason="explanations need captum, beside the shared torch")
    image, model = photo(9), store[1]

    with torchserve.serve(store[0], config("explained"), models=["explained"]) as server:
        served = Served(server, model)
        as_v1 = served.post("/v1/models/explained:explain", v1(image), "application/json")
        as_v2 = served.post("/v2/models/explained/explain", v2(image), "application/json")
        natively = served.post("/explanations/explained", image)
        predicted = served.post("/predictions/explained", image)

    assert {status for status, _ in (as_v1, as_v2, natively, predicted)} == {200}
    expected = integrated_gradients(model, image)
    [tensor] = as_v2[1]["outputs"]
    assert tensor["shape"] == [1, 3, 8, 8]
    for given in (as_v1[1]["explanations"][0], natively[1], tensor["data"]):
        np.testing.assert_allclose(np.reshape(given, (3, 8, 8)), expected, atol=1e-6)


def integrated_gradients(model: Any, image: bytes) -> Any:
    """Sundararajan et al. 2017, by the quadrature that Captum uses, for the best class."""
    pixels = np.asarray(image_module.open(io.BytesIO(image)), dtype=np.float32)
    sample = torch.from_numpy(pixels.transpose(2, 0, 1)[None] / 255)
    best = int(model(sample)[0].argmax())
    nodes, weights = np.polynomial.legendre.leggauss(STEPS)
    total = torch.zeros_like(sample)
    for node, weight in zip((1 + nodes) / 2, weights / 2, strict=True):
        point = (sample * float(node)).requires_grad_()
        [gradient] = torch.autograd.grad(model(point)[0, best], point)
        total += gradient * float(weight)
    return (total * sample)[0].numpy()
