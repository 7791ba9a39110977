"""The models of specs/ are what their specs say of them."""

import ast
import importlib
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

torch = pytest.importorskip("torch")
np = pytest.importorskip("numpy")

MODELS = Path(__file__).parents[1] / "specs/models"


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that imports a file of specs/models by its name."""
    pytest.importorskip("PIL")
    monkeypatch.syspath_prepend(str(MODELS))
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    before = set(sys.modules)
    importlib.import_module("torchvision_shim")

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    yield load
    for name in {path.stem for path in MODELS.glob("*.py")} - before:
        sys.modules.pop(name, None)


def test_mnist_is_small_and_sure_of_digits_that_it_has_not_seen(model: Any) -> None:
    training = model("train_mnist")
    net = training.Net().eval()
    net.load_state_dict(torch.load(MODELS / "mnist.pt", weights_only=True))
    pixels, classes = training.digits(300, np.random.default_rng(12))

    with torch.inference_mode():
        probabilities, found = net(training.normalized(pixels)).softmax(1).max(1)

    assert (MODELS / "mnist.pt").stat().st_size < 300_000
    assert (found == classes).float().mean() > 0.99
    assert (probabilities > 0.9).float().mean() > 0.95


def test_landmarks_is_small_and_sure_of_pictures_that_it_has_not_seen(model: Any) -> None:
    training = model("train_landmarks")
    net = training.Net().eval()
    net.load_state_dict(torch.load(MODELS / "landmarks.pt", weights_only=True))
    pixels, classes = training.pictures(100, torch.Generator().manual_seed(12))

    with torch.inference_mode():
        probabilities, found = net(training.normalized(pixels)).softmax(1).max(1)

    assert (MODELS / "landmarks.pt").stat().st_size < 300_000
    assert (found == classes).float().mean() > 0.99
    assert (probabilities > 0.9).float().mean() > 0.95
    assert len((MODELS / "landmarks_classes.txt").read_text().split("\n")) == 51


def test_digits_are_drawn_the_same_for_the_same_seed(model: Any) -> None:
    digits = model("train_mnist").digits

    first, again, other = (digits(3, np.random.default_rng(seed))[0] for seed in (5, 5, 6))

    assert first.shape == (3, 1, 28, 28)
    assert first.dtype == torch.uint8
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_published_densenet_weights_are_renamed_to_what_the_module_has(model: Any) -> None:
    renamed = model("densenet161").renamed
    with torch.device("meta"):
        wanted = importlib.import_module("torchvision.models").densenet161().state_dict()
    published = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", name): value
        for name, value in wanted.items()
    }

    state = renamed(published)

    assert "features.denseblock1.denselayer1.norm.1.weight" in published
    assert list(state) == list(wanted)
    assert all(state[name] is value for name, value in wanted.items())


def test_the_detector_takes_the_weights_that_torchvision_publishes(model: Any) -> None:
    """Those were saved from a network with frozen normalization, which counts no batches."""
    detector = model("detection").detector
    detection = importlib.import_module("torchvision.models.detection")
    with torch.device("meta"):
        ours = detector()
        theirs = detection.fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None)

    shapes = [
        {name: value.shape for name, value in each.state_dict().items()} for each in (ours, theirs)
    ]

    counted = {name for name in shapes[1] if name.endswith("num_batches_tracked")}
    assert shapes[0] == {name: shape for name, shape in shapes[1].items() if name not in counted}
    assert {layer.eps for layer in ours.modules() if "Frozen" in type(layer).__name__} == {0.0}


def test_class_names_are_those_of_torchvision(model: Any) -> None:
    listed = importlib.import_module("torchvision.models._meta")
    imagenet = json.loads((MODELS / "imagenet_classes.json").read_text())

    assert imagenet == {
        str(number): name.replace(" ", "_")
        for number, name in enumerate(listed._IMAGENET_CATEGORIES)
    }
    assert json.loads((MODELS / "coco_classes.json").read_text()) == listed._COCO_CATEGORIES


@pytest.mark.parametrize("file", ["detection.py", "detection_handler.py"])
def test_what_the_server_runs_is_python_of_its_image(file: str) -> None:
    ast.parse((MODELS / file).read_text(), feature_version=(3, 9))
