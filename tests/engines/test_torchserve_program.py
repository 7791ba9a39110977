"""The landmarks' program with its transforms inside, in the handler of the real TorchServe."""

import base64
import importlib.util
import io
import json
import urllib.error
import urllib.request
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from generator import pipeline
from generator.engines import EngineError, torchserve
from generator.selection import Selection

pytestmark = pytest.mark.engine

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch")
Image = pytest.importorskip("PIL.Image")

SPECS = Path(__file__).parents[2] / "specs"
SPEC = SPECS / "variants/landmarks-targets.yaml"
CLASSES = (SPECS / "models/landmarks_classes.txt").read_text().splitlines()
SIZES = [(1, 1), (31, 33), (224, 224), (375, 500)]
"""Height and width."""


def imported(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def png(height: int, width: int) -> bytes:
    """A picture whose neighbouring pixels differ."""
    pixels = np.random.default_rng(height * width).integers(0, 256, (height, width, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def ask(address: str, images: list[bytes]) -> Any:
    texts = [base64.b64encode(image).decode() for image in images]
    body = {"instances": [{"image_bytes": {"b64": text}} for text in texts]}
    request = urllib.request.Request(
        f"http://{address}/v1/models/landmarks-targets:predict",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)["predictions"]


def test_images_of_several_sizes_are_answered_as_the_eager_model_answers(tmp_path: Path) -> None:
    from generator.export import export_bundle
    from generator.export.embedded_check import rendered_preprocess

    try:
        torchserve.prepare(report=print)
    except EngineError as problem:
        pytest.skip(str(problem))
    build = pipeline.build(
        str(SPEC), SPEC.read_bytes(), SPEC.parent, Selection(targets=("torchserve",))
    )
    [deployment] = build.deployments
    bundle = export_bundle(deployment, build.files, tmp_path / "build")
    preprocess = rendered_preprocess(deployment.project, tmp_path)
    net = imported(SPECS / "models/landmarks.py").Net().eval()
    net.load_state_dict(torch.load(SPECS / "models/landmarks.pt", weights_only=True))
    images = [png(*size) for size in SIZES]

    with torchserve.serve(
        bundle / "model-store",
        bundle / "config/config.properties",
        models=("landmarks-targets",),
        report=print,
    ) as server:
        answers = ask(server.inference, images)
        with pytest.raises(urllib.error.HTTPError) as caught:
            ask(server.inference, [images[0], png(1, 60_000)])

    assert len(answers) == len(images)
    for got, image in zip(answers, images, strict=True):
        with torch.inference_mode():
            probabilities = net(torch.from_numpy(preprocess(image))[None])[0].softmax(0).numpy()
        best = np.argsort(-probabilities, kind="stable")[:3]
        assert [entry["class_name"] for entry in got] == [CLASSES[index] for index in best]
        values = [entry["probability"] for entry in got]
        np.testing.assert_allclose(values, probabilities[best], rtol=1e-4, atol=1e-5)
    assert caught.value.code == 400
    assert "instance 1: the image is too long and thin" in caught.value.read().decode()
