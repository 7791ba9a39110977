"""The rendered transformer on the real KServe SDK, in front of the real TorchServe."""

import base64
import http.client
import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from generator.engines import EngineError, kserve, ports, torchserve
from generator.kserve.files import transformer_files
from generator.project import Batching, Model, Project, Serving, Step, Tensor, Transforms
from generator.render import render
from generator.transforms.component import transformer_code

torch = pytest.importorskip("torch")
np = pytest.importorskip("numpy")
image_module = pytest.importorskip("PIL.Image")

from torchserve_archives import archived, config  # noqa: E402  # needs torch

from generator.export.torchscript import export_torchscript  # noqa: E402  # needs torch

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("kserve_engine")]

CLASS_NAMES = ("ant", "bee", "cat", "dog", "eel")
SERVICE = "insects-kserve"  # TorchServe knows the model as insects
V1, V2 = f"/v1/models/{SERVICE}:predict", f"/v2/models/{SERVICE}/infer"
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
        preprocess=(Step("decode", {}), Step("to_tensor", {})),
        postprocess=(Step("softmax", {}), Step("top_k", {"top_k": 3}), Step("class_name", {})),
    ),
    serving=Serving(batching=Batching(max_size=8)),
)
STRICT = replace(
    PROJECT, name="strict", model=replace(PROJECT.model, inputs=(Tensor("x", "float32", ("N", 7)),))
)


@dataclass(frozen=True)
class Predictor:
    server: torchserve.Server
    model: Any


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Predictor]:
    """TorchServe with the model, and with one that takes other tensors than transforms make."""
    try:
        torchserve.prepare(report=print)
    except EngineError as problem:
        pytest.skip(str(problem))
    torch.manual_seed(3)
    model = torch.nn.Sequential(torch.nn.Flatten(1), torch.nn.Linear(192, 5)).eval()
    store, program = (
        tmp_path_factory.mktemp("store"),
        tmp_path_factory.mktemp("program") / "model.pt",
    )
    export_torchscript(PROJECT, model).save(str(program))
    archived(store, PROJECT, program)
    strict = program.with_name("strict.pt")
    torch.jit.trace(torch.nn.Linear(7, 5).eval(), torch.zeros(2, 7)).save(str(strict))
    archived(store, STRICT, strict)
    names = ["insects", "strict"]
    with torchserve.serve(store, config(*names), models=names) as server:
        yield Predictor(server, model)


def serving(folder: Path, model: str, predictor_host: str) -> Any:
    """Run the rendered component with the arguments that its manifest gives it."""
    code = transformer_code(
        PROJECT, model_name=model, input_name="image", output_name="logits", hop="http"
    )
    for file in transformer_files(PROJECT, code):
        (folder / file.path.name).write_text(render(file).text, encoding="utf-8")
    return kserve.serve(
        folder,
        model_name=SERVICE,
        predictor_host=predictor_host,
        arguments=["--predictor_protocol", "v2"],
        report=print,
    )


@pytest.fixture(scope="module")
def transformer(
    predictor: Predictor, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[kserve.Server]:
    folder = tmp_path_factory.mktemp("transformer")
    with serving(folder, "insects", predictor.server.inference) as server:
        yield server


def photo(seed: int) -> bytes:
    values = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    file = io.BytesIO()
    image_module.fromarray(values).save(file, "PNG")
    return file.getvalue()


def post(address: str, path: str, body: object) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(address, timeout=60)
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def v1(*images: bytes) -> object:
    texts = (base64.b64encode(image).decode() for image in images)
    return {"instances": [{"image_bytes": {"b64": text}} for text in texts]}


def expected(predictor: Predictor, image: bytes) -> dict[str, float]:
    """The three best classes as torch has them."""
    pixels = np.asarray(image_module.open(io.BytesIO(image)), dtype=np.float32)
    with torch.no_grad():
        logits = predictor.model(torch.from_numpy(pixels.transpose(2, 0, 1)[None] / 255))
    values, indices = logits.softmax(1)[0].topk(3)
    return {CLASS_NAMES[i]: v for i, v in zip(indices.tolist(), values.tolist(), strict=True)}


@pytest.mark.parametrize("clients", [1, 8, 32])
def test_answers_the_eager_numbers(
    predictor: Predictor, transformer: kserve.Server, clients: int
) -> None:
    photos = [photo(seed) for seed in range(2 * clients)]

    with ThreadPoolExecutor(clients) as pool:
        answers = list(pool.map(lambda image: post(transformer.http, V1, v1(image)), photos))

    assert {status for status, _ in answers} == {200}
    for image, (_, answer) in zip(photos, answers, strict=True):
        given = {entry["class_name"]: entry["probability"] for entry in answer["predictions"][0]}
        assert given == pytest.approx(expected(predictor, image), rel=1e-4)


def test_splits_what_is_more_than_a_batch(predictor: Predictor, transformer: kserve.Server) -> None:
    photos = [photo(seed) for seed in range(19)]
    data = [base64.b64encode(image).decode() for image in photos]
    tensor = {"name": "image_bytes", "shape": [19], "datatype": "BYTES", "data": data}

    status, answer = post(transformer.http, V2, {"inputs": [tensor]})

    names, values = (np.reshape(output["data"], output["shape"]) for output in answer["outputs"])
    assert (status, names.shape) == (200, (19, 3))
    for image, name, value in zip(photos, names, values, strict=True):
        given = dict(zip(name.tolist(), value.tolist(), strict=True))
        assert given == pytest.approx(expected(predictor, image), rel=1e-4)


def test_a_bad_image_is_400(transformer: kserve.Server) -> None:
    status, answer = post(transformer.http, V1, v1(photo(0), b"junk"))

    reason = "instance 1: the image is broken or of an unknown format"
    assert (status, answer) == (400, {"error": reason})


def test_what_the_predictor_refuses_is_400_in_its_words(
    predictor: Predictor, tmp_path: Path
) -> None:
    with serving(tmp_path, "strict", predictor.server.inference) as server:
        answer = post(server.http, V1, v1(photo(0)))

    assert answer == (400, {"error": "the model has no input image, only x"})


def test_a_model_that_is_not_there_is_500(predictor: Predictor, tmp_path: Path) -> None:
    with serving(tmp_path, "other", predictor.server.inference) as server:
        status, answer = post(server.http, V1, v1(photo(0)))

    assert status == 500
    assert answer["error"].startswith("the predictor refuses: Model not found: other")


def test_a_predictor_that_is_away_is_503(tmp_path: Path) -> None:
    [nothing] = ports.free_ports(1)

    with serving(tmp_path, "insects", f"{ports.LOOPBACK}:{nothing}") as server:
        status, answer = post(server.http, V1, v1(photo(0)))

    assert status == 503
    assert "The predictor is away: ConnectError" in answer["error"]
