"""Weights of a seed in place of those that a spec names."""

import hashlib
import importlib
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from generator.project import Model, Project, Tensor, Weights

torch = pytest.importorskip("torch")

from generator.export.module import load_module  # noqa: E402  # needs torch
from generator.export.random_weights import randomize  # noqa: E402  # needs torch
from generator.export.refusal import Refusal  # noqa: E402  # needs torch

IMAGE = Tensor("image", "float32", ("N", 3, 32, 32))
WORDS = Tensor("words", "int64", ("N", "L"))
LOGITS = Tensor("logits", "float32", ("N", 10))

MODEL = """\
from torch import nn

def make(widen=1):
    return nn.Sequential(
        nn.Conv2d(3, 8 * widen, 3, bias=False),
        nn.BatchNorm2d(8 * widen),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(8 * widen, 10),
    )
"""


def project(folder: Path, *inputs: Tensor) -> Project:
    (folder / "model.py").write_text(MODEL)
    weights = Weights(url="https://example.com/weights.pt", sha256="0" * 8)
    model = Model(inputs or (IMAGE,), (LOGITS,), source="model.py:make", weights=weights)
    return Project(name="tiny", target="triton", folder=folder, model=model)


def checksum(module: Any) -> str:
    whole = io.BytesIO()
    torch.save(module.state_dict(), whole)
    return hashlib.sha256(whole.getvalue()).hexdigest()


def test_they_need_no_file_and_leave_the_module_ready_for_inference(tmp_path: Path) -> None:
    module = load_module(project(tmp_path), random_weights=True)

    assert not any(part.training for part in module.modules())
    assert module[1].momentum == 0.1
    assert not any(parameter.is_inference() for parameter in module.parameters())


def test_answers_are_well_apart(tmp_path: Path) -> None:
    module = load_module(project(tmp_path), random_weights=True)

    generator = torch.Generator().manual_seed(7)
    colours = torch.rand(16, 3, 1, 1, generator=generator)
    images = 2 * (colours + 0.2 * torch.rand(16, 3, 32, 32, generator=generator)) - 1
    with torch.no_grad():
        best, second = module(images).topk(2).values.T
        classes = module(images).argmax(1)
    assert float((best - second).min()) > 1e-3
    assert len(set(classes.tolist())) > 3


def test_they_are_the_same_each_time_and_touch_nobodys_random_numbers(tmp_path: Path) -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first = checksum(load_module(project(tmp_path), random_weights=True))
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(3)

    assert checksum(load_module(project(tmp_path), random_weights=True)) == first


def test_they_are_the_same_in_another_process(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(SPEC)
    (tmp_path / "model.py").write_text(MODEL)
    for output in ("first", "second"):
        code = "import sys; from generator.cli import main; sys.exit(main(sys.argv[1:]))"
        arguments = ["export", "tiny.yaml", "--random-weights", "--output", output]
        ran = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        assert f"gen: {output}/tiny/triton: random weights, to try the servers with" in ran.stderr

    [first, second] = (
        tmp_path / name / "tiny/triton/tiny/1/model.pt" for name in ("first", "second")
    )
    assert first.read_bytes() == second.read_bytes()


SPEC = """\
spec_version: 1
name: tiny
model:
  source: model.py:make
  weights: {url: https://example.invalid/weights.pt, sha256: "00000000"}
  inputs: [{name: image, dtype: float32, shape: [N, 3, 32, 32]}]
  outputs: [{name: logits, dtype: float32, shape: [N, 10]}]
storage: {uri: s3://bucket/tiny}
targets: {triton: {}}
"""


class Classifier(torch.nn.Module):  # type: ignore[misc]  # torch has no types for mypy
    """An encoder of words."""

    def __init__(self) -> None:
        super().__init__()
        self.words = torch.nn.Embedding(50, 16)
        layer = torch.nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.encoder = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = torch.nn.Linear(16, 10)

    def forward(self, words: Any) -> Any:
        return self.head(self.encoder(self.words(words)).mean(1))


class Detector(torch.nn.Module):  # type: ignore[misc]  # torch has no types for mypy
    """Takes a list of images, and returns a map for each."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Conv2d(3, 4, 3)
        self.norm = torch.nn.BatchNorm2d(4)

    def forward(self, images: list[Any]) -> list[dict[str, Any]]:
        assert isinstance(images, list)
        return [{"boxes": self.norm(self.layer(each[None]))} for each in images]


class Nothing(torch.nn.Module):  # type: ignore[misc]  # torch has no types for mypy
    """Has no parameters."""

    def forward(self, image: Any) -> Any:
        return image.flatten(1)


class Lazy(torch.nn.Module):  # type: ignore[misc]  # torch has no types for mypy
    """Has weights once it has been called."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.LazyLinear(2)
        self.unused = torch.nn.Conv2d(3, 4, 3)

    def forward(self, image: Any) -> Any:
        return self.layer(image.flatten(1))


@pytest.mark.parametrize(
    ("make", "tensor"),
    [
        (Classifier, WORDS),
        (Detector, IMAGE),
        (Nothing, IMAGE),
        (Lazy, IMAGE),
        (lambda: torch.nn.LSTM(8, 4, 2, batch_first=True), Tensor("x", "float32", ("N", 5, 8))),
        (lambda: torch.nn.Conv1d(3, 4, 3), Tensor("x", "float16", (3, 9))),
        (lambda: torch.nn.BatchNorm1d(4), Tensor("x", "float32", (4,))),
    ],
    ids=["transformer", "detector", "nothing", "lazy", "lstm", "halves", "too few samples"],
)
def test_any_module_gets_some(tmp_path: Path, make: Callable[[], Any], tensor: Tensor) -> None:
    torch.manual_seed(1)
    module = make().eval()

    randomize(project(tmp_path, tensor), module)

    assert not any(part.training for part in module.modules())
    assert all(value.isfinite().all() for value in module.state_dict().values())


def test_a_network_with_published_weights_sees_its_inputs(tmp_path: Path) -> None:
    importlib.import_module("torchvision_shim")
    resnet18 = importlib.import_module("torchvision.models").resnet18().eval()
    image = Tensor("image", "float32", ("N", 3, 64, 64))

    randomize(project(tmp_path, image), resnet18)

    with torch.no_grad():
        generator = torch.Generator().manual_seed(1)
        answers = resnet18(torch.rand(4, 3, 64, 64, generator=generator) - 0.5)
    assert float(answers.std(0).mean()) > 0.1
    assert float(answers.abs().max()) < 100


LAZY = """\
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.LazyLinear(2)

"""


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (
            "    def eval(self):\n        raise ValueError('not mine')\n",
            "moving the module to the CPU raised ValueError: not mine",
        ),
        (
            f"{LAZY}    def forward(self, words):\n        return self.layer(words)\n",
            "the first call of a module with lazy layers raised ",
        ),
    ],
    ids=["eval", "lazy layers"],
)
def test_what_the_users_code_raises_is_a_refusal(tmp_path: Path, code: str, told: str) -> None:
    given = project(tmp_path)
    (tmp_path / "model.py").write_text(f"import torch\n\nclass make(torch.nn.Module):\n{code}")

    with pytest.raises(Refusal) as caught:
        load_module(
            replace(given, model=replace(given.model, inputs=(WORDS,))), random_weights=True
        )

    assert caught.value.message.startswith(told)
    assert caught.value.pointer == ("model", "source")
