"""The rendered transformer on the real KServe SDK, in front of the real tritonserver."""

import base64
import contextlib
import io
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from msgspec.structs import replace

from generator.artefact import Artefact
from generator.engines import kserve, ports, triton
from generator.project import (
    Batching,
    Hardware,
    Model,
    Project,
    Serving,
    Step,
    Tensor,
    Transforms,
)
from generator.render import render
from generator.transforms.code import transforms_code
from generator.transforms.component import component_requirements, transformer_code

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("triton_engine", "kserve_engine")]

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch")
Image = pytest.importorskip("PIL.Image")

CLASS_NAMES = ("ant", 'bee "quoted"', "猫", "{{ dog }}", "eel", "fox", "gnu", "hen", "ibis", "jay")
MEAN, STD = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)
TOLERANCE = 1e-5
MODEL_NAME = "cifar10-kserve"  # the InferenceService; Triton knows the model as cifar10
V1, V2 = f"/v1/models/{MODEL_NAME}:predict", f"/v2/models/{MODEL_NAME}/infer"

CONFIG = """
name: "cifar10"
platform: "pytorch_libtorch"
max_batch_size: 8
input [ { name: "INPUT__0" data_type: TYPE_FP32 dims: [ 3, 32, 32 ] } ]
output [ { name: "OUTPUT__0" data_type: TYPE_FP32 dims: [ 10 ] } ]
parameters { key: "INTRA_OP_THREAD_COUNT" value { string_value: "1" } }
parameters { key: "INTER_OP_THREAD_COUNT" value { string_value: "1" } }
"""

JSON = {"Content-Type": "application/json"}


def project(*postprocess: Step, mean: tuple[float, ...] = MEAN) -> Project:
    return Project(
        name="cifar10",
        target="triton",
        model=Model(
            inputs=(Tensor("image", "float32", ("N", 3, 32, 32)),),
            outputs=(Tensor("logits", "float32", ("N", 10)),),
            class_names=CLASS_NAMES,
        ),
        storage=None,
        transforms=Transforms(
            preprocess=(
                Step("decode", {}),
                Step("resize", {"shorter_edge": 36}),
                Step("center_crop", {"size": 32}),
                Step("to_tensor", {}),
                Step("normalize", {"mean": list(mean), "std": list(STD)}),
            ),
            postprocess=postprocess,
        ),
        hardware=Hardware(),
        serving=Serving(batching=Batching(max_size=8)),
        folder=Path(),
    )


ALL_CLASSES = (Step("softmax", {}), Step("top_k", {"top_k": 10}), Step("class_name", {}))
"""Every class in the answer, so that all of it is compared."""


def write_component(folder: Path, project: Project) -> Path:
    """Render the files of the image into a folder."""
    folder.mkdir()
    transformer = transformer_code(
        project, model_name="cifar10", input_name="INPUT__0", output_name="OUTPUT__0"
    )
    for name, template, values in (
        ("transforms.py", "common/transforms.py.j2", {"code": transforms_code(project)}),
        (
            "transformer.py",
            "kserve/images/transformer/transformer.py.j2",
            {"code": transformer},
        ),
        (
            "requirements.txt",
            "common/requirements.txt.j2",
            {"requirements": component_requirements(project)},
        ),
    ):
        text = render(Artefact(PurePosixPath(name), template, values)).text
        (folder / name).write_text(text, encoding="utf-8")
    names = json.dumps(project.model.class_names, ensure_ascii=False)
    (folder / "class_names.json").write_text(names, encoding="utf-8")
    return folder


class Classifier(torch.nn.Module):  # type: ignore[misc, name-defined]  # torch is optional: Any
    """A small seeded model whose answers hang on every pixel."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 3, stride=2),
            torch.nn.ReLU(),
            torch.nn.Flatten(),
            torch.nn.Linear(8 * 15 * 15, 10),
        )

    def forward(self, image: Any) -> Any:
        return 4 * self.layers(image)


@dataclass(frozen=True)
class Predictor:
    """The server, and the eager model behind it."""

    server: triton.Server
    model: Any


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Predictor]:
    repository = tmp_path_factory.mktemp("repository")
    version = repository / "cifar10" / "1"
    version.mkdir(parents=True)
    model = Classifier().eval()
    torch.jit.trace(model, torch.zeros(2, 3, 32, 32)).save(str(version / "model.pt"))
    (repository / "cifar10" / "config.pbtxt").write_text(CONFIG)
    with triton.serve(repository, report=print) as server:
        yield Predictor(server, model)


@contextlib.contextmanager
def serving(
    folder: Path, project: Project, predictor_host: str, *arguments: str
) -> Iterator[kserve.Server]:
    """Run a rendered component with the arguments that its manifest gives it."""
    with kserve.serve(
        write_component(folder, project),
        model_name=MODEL_NAME,
        predictor_host=predictor_host,
        arguments=["--predictor_protocol", "grpc-v2", *arguments],
        report=print,
    ) as server:
        yield server


@pytest.fixture(scope="module")
def transformer(
    predictor: Predictor, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[kserve.Server]:
    folder = tmp_path_factory.mktemp("rendered") / "transformer"
    with serving(folder, project(*ALL_CLASSES), predictor.server.grpc) as server:
        yield server


def picture(mode: str = "RGB", width: int = 50, height: int = 41, seed: int = 0) -> Any:
    bands = len(Image.new(mode, (1, 1)).getbands())
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, bands), dtype=np.uint8)
    return Image.frombytes(mode, (width, height), pixels.tobytes())


def encoded(image: Any, file_format: str = "PNG") -> bytes:
    file = io.BytesIO()
    image.save(file, file_format)
    return file.getvalue()


def base64_text(image: bytes) -> str:
    return base64.b64encode(image).decode()


def post(address: str, path: str, body: object, headers: Mapping[str, str] = JSON) -> Any:
    """The status and the parsed body of an answer."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"http://{address}{path}", data, dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def instances(*images: bytes) -> object:
    return {
        "instances": [{"image_bytes": {"b64": base64_text(image)}, "id": 7} for image in images]
    }


def tensor(*elements: object, **changes: object) -> object:
    named = {"name": "image_bytes", "shape": [len(elements)], "datatype": "BYTES"}
    return {"inputs": [{**named, "data": elements, **changes}]}


def eager_logits(predictor: Predictor, images: list[Any], mean: tuple[float, ...] = MEAN) -> Any:
    """What the eager model says of images that torchvision prepares."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from torchvision_shim import transforms

    prepare = transforms.Compose(
        [
            transforms.Resize(36),
            transforms.CenterCrop(32),
            transforms.ToTensor(),
            transforms.Normalize(mean, STD),
        ]
    )
    with torch.no_grad():
        return predictor.model(torch.stack([prepare(image.convert("RGB")) for image in images]))


def eager_probabilities(predictor: Predictor, images: list[Any]) -> Any:
    return eager_logits(predictor, images).softmax(1).numpy()


def in_class_order(entries: list[dict[str, Any]]) -> list[float]:
    assert entries == sorted(entries, key=lambda entry: -entry["probability"])
    by_name = {entry["class_name"]: entry["probability"] for entry in entries}
    return [by_name[name] for name in CLASS_NAMES]


def largest_difference(predictions: list[list[dict[str, Any]]], expected: Any) -> float:
    actual = np.array([in_class_order(entries) for entries in predictions])
    assert actual.shape == expected.shape
    return float(np.abs(actual - expected).max())


MODES = ["RGB", "L", "RGBA"]


def test_v1_answers_with_the_numbers_of_the_eager_model(
    transformer: kserve.Server, predictor: Predictor
) -> None:
    images = [picture(mode, seed=seed) for seed, mode in enumerate(MODES)]

    status, answer = post(transformer.http, V1, instances(*map(encoded, images)))

    assert status == 200
    expected = eager_probabilities(predictor, images)
    assert expected.std() > 0.05  # the answers differ, so that equality means something
    assert largest_difference(answer["predictions"], expected) < TOLERANCE


def test_twenty_instances_are_more_than_a_batch(
    transformer: kserve.Server, predictor: Predictor
) -> None:
    images = [picture(width=30 + seed, height=60 - seed, seed=seed) for seed in range(20)]

    status, answer = post(transformer.http, V1, instances(*map(encoded, images)))

    assert status == 200
    expected = eager_probabilities(predictor, images)
    assert largest_difference(answer["predictions"], expected) < TOLERANCE


def test_v2_answers_with_two_tensors(transformer: kserve.Server, predictor: Predictor) -> None:
    images = [picture(mode, seed=seed) for seed, mode in enumerate(MODES)]
    elements = [base64_text(encoded(image)) for image in images]

    status, answer = post(transformer.http, V2, tensor(*elements))

    assert status == 200
    names, values = answer["outputs"]
    assert (names["name"], names["datatype"], names["shape"]) == ("class_name", "BYTES", [3, 10])
    assert (values["name"], values["datatype"], values["shape"]) == ("probability", "FP32", [3, 10])
    pairs = [
        {"class_name": name, "probability": value}
        for name, value in zip(names["data"], values["data"], strict=True)
    ]
    predictions = [pairs[start : start + 10] for start in range(0, 30, 10)]
    expected = eager_probabilities(predictor, images)
    assert largest_difference(predictions, expected) < TOLERANCE


GRPC_CALL = """
import asyncio, json, sys
import kserve
import numpy as np

async def main(address, *paths):
    images = [open(path, "rb").read() for path in paths]
    tensor = kserve.InferInput("image_bytes", [len(images)], "BYTES")
    tensor.set_data_from_numpy(np.array(images, dtype=object))
    client = kserve.InferenceGRPCClient(address)
    response = await client.infer(kserve.InferRequest("cifar10-kserve", [tensor]))
    names, values = (output.as_numpy().tolist() for output in response.outputs)
    print(json.dumps([[[name.decode() for name in row] for row in names], values]))

asyncio.run(main(*sys.argv[1:]))
"""


def test_v2_over_grpc_takes_the_images_themselves(
    transformer: kserve.Server, predictor: Predictor, tmp_path: Path
) -> None:
    images = [picture(mode, seed=seed) for seed, mode in enumerate(MODES)]
    paths = [tmp_path / f"{mode}.png" for mode in MODES]
    for image, path in zip(images, paths, strict=True):
        path.write_bytes(encoded(image))
    python = kserve.prepare(write_component(tmp_path / "component", project(*ALL_CLASSES))).python

    output = subprocess.run(
        [python, "-c", GRPC_CALL, transformer.grpc, *paths], capture_output=True, check=True
    ).stdout

    predictions = [
        [{"class_name": name, "probability": value} for name, value in zip(*rows, strict=True)]
        for rows in zip(*json.loads(output), strict=True)
    ]
    expected = eager_probabilities(predictor, images)
    assert largest_difference(predictions, expected) < TOLERANCE


def truncated_jpeg() -> bytes:
    jpeg = encoded(picture(), "JPEG")
    return jpeg[: len(jpeg) // 2]


GOOD = base64_text(encoded(picture()))


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        (
            V1,
            instances(encoded(picture()), truncated_jpeg()),
            "instance 1: the image is broken or of an unknown format",
        ),
        (
            V2,
            tensor(GOOD, GOOD, base64_text(truncated_jpeg())),
            "instance 2: the image is broken or of an unknown format",
        ),
        (V1, {"instances": []}, "the request has no instances"),
        (V2, tensor(), "the request has no instances"),
        (V1, {"inputs": []}, 'the request is not {"instances": [...]}'),
        (V1, [1, 2], 'the request is not {"instances": [...]}'),
        (V1, {"instances": [{"image": 1}]}, "instance 0 has no image_bytes.b64"),
        (V1, {"instances": [{"image_bytes": "text"}]}, "instance 0 has no image_bytes.b64"),
        (
            V1,
            {"instances": [{"image_bytes": {"b64": "@@"}}]},
            "instance 0: Only base64 data is allowed",
        ),
        (V2, tensor(5), "instance 0: the image is neither text nor bytes"),
        (V2, tensor(GOOD, shape=[3]), "the data of image_bytes does not fit its shape"),
        (
            V2,
            tensor(GOOD, name="picture"),
            "the request is not one BYTES tensor [N] named image_bytes",
        ),
        (
            V2,
            tensor(1.5, datatype="FP32"),
            "the request is not one BYTES tensor [N] named image_bytes",
        ),
    ],
)
def test_refuses_a_request_with_its_reason(
    transformer: kserve.Server, path: str, body: object, reason: str
) -> None:
    assert post(transformer.http, path, body) == (400, {"error": reason})


def test_v1_reads_json_under_any_content_type(transformer: kserve.Server) -> None:
    body = instances(encoded(picture()))

    for content_type in ("application/json; charset=utf-8", "application/x-www-form-urlencoded"):
        status, _ = post(transformer.http, V1, body, {"Content-Type": content_type})
        assert status == 200


def test_a_wrong_mean_shows(predictor: Predictor, tmp_path: Path) -> None:
    wrong = project(*ALL_CLASSES, mean=(0.59, 0.48, 0.45))
    images = [picture(mode, seed=seed) for seed, mode in enumerate(MODES)]

    with serving(tmp_path / "transformer", wrong, predictor.server.grpc) as server:
        status, answer = post(server.http, V1, instances(*map(encoded, images)))

    assert status == 200
    expected = eager_probabilities(predictor, images)
    assert largest_difference(answer["predictions"], expected) > 100 * TOLERANCE


def test_without_postprocess_the_output_itself_is_the_answer(
    predictor: Predictor, tmp_path: Path
) -> None:
    images = [picture(mode, seed=seed) for seed, mode in enumerate(MODES)]
    expected = eager_logits(predictor, images).numpy()

    with serving(tmp_path / "transformer", project(), predictor.server.grpc) as server:
        _, v1 = post(server.http, V1, instances(*map(encoded, images)))
        elements = [base64_text(encoded(image)) for image in images]
        _, v2 = post(server.http, V2, tensor(*elements))

    [output] = v2["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == ("logits", "FP32", [3, 10])
    assert np.abs(np.array(v1["predictions"]) - expected).max() < TOLERANCE
    assert np.abs(np.array(output["data"]).reshape(3, 10) - expected).max() < TOLERANCE


def test_a_threshold_fills_the_rows_of_v2_up(predictor: Predictor, tmp_path: Path) -> None:
    image = picture()
    probabilities = eager_probabilities(predictor, [image])[0]
    limit = float(np.sort(probabilities)[-2:].mean())
    steps = (Step("softmax", {}), Step("threshold", {"threshold": limit}), Step("class_name", {}))
    elements = [base64_text(encoded(picture(seed=seed))) for seed in range(4)]

    with serving(tmp_path / "transformer", project(*steps), predictor.server.grpc) as server:
        _, v1 = post(server.http, V1, instances(*(base64.b64decode(text) for text in elements)))
        _, v2 = post(server.http, V2, tensor(*elements))

    names, values = v2["outputs"]
    longest = max(map(len, v1["predictions"]))
    assert [entry["class_name"] for entry in v1["predictions"][0]] == [
        CLASS_NAMES[int(probabilities.argmax())]
    ]
    assert names["shape"] == values["shape"] == [4, longest]
    for row, entries in enumerate(v1["predictions"]):
        filled = [entry["class_name"] for entry in entries] + [""] * (longest - len(entries))
        assert names["data"][row * longest : (row + 1) * longest] == filled


def test_an_image_of_another_size_is_400_where_nothing_resizes(
    predictor: Predictor, tmp_path: Path
) -> None:
    steps = (Step("decode", {}), Step("to_tensor", {}))
    bare = replace(project(), transforms=Transforms(preprocess=steps))
    small, large = (encoded(picture(width=size, height=32)) for size in (32, 33))

    with serving(tmp_path / "transformer", bare, predictor.server.grpc) as server:
        fits, _ = post(server.http, V1, instances(small, small))
        refused = post(server.http, V1, instances(small, large))

    assert fits == 200
    reason = "instance 1: the image makes (3, 32, 33), not (3, 32, 32)"
    assert refused == (400, {"error": reason})


def test_two_workers_answer_like_one(predictor: Predictor, tmp_path: Path) -> None:
    images = [picture(seed=seed) for seed in range(3)]
    folder = tmp_path / "transformer"

    with serving(folder, project(*ALL_CLASSES), predictor.server.grpc, "--workers", "2") as server:
        answers = [post(server.http, V1, instances(*map(encoded, images))) for _ in range(6)]

    expected = eager_probabilities(predictor, images)
    for status, answer in answers:
        assert status == 200
        assert largest_difference(answer["predictions"], expected) < TOLERANCE


def test_a_predictor_that_is_away_is_503(tmp_path: Path) -> None:
    [nothing] = ports.free_ports(1)

    with serving(
        tmp_path / "transformer", project(*ALL_CLASSES), f"{ports.LOOPBACK}:{nothing}"
    ) as server:
        status, answer = post(server.http, V1, instances(encoded(picture())))

    assert status == 503
    assert "The predictor is away" in answer["error"]
