"""Pictures, and what the eager models of the specs say to them."""

import base64
import contextlib
import importlib
import io
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import machine
import numpy as np
import torch
from PIL import Image

from generator.export.torchvision_import import import_torchvision

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "specs" / "models"
sys.path[:0] = [str(ROOT / "tests"), str(MODELS)]
import_torchvision()
transforms = importlib.import_module("torchvision.transforms")

RTOL, ATOL = 1e-4, 1e-5  # as in the tests of the servers
TOP = 3
TIMEOUT_SECONDS = 60

Answer = list[tuple[str, float]]  # classes and probabilities, best first


class Refused(machine.Failed):
    """An answer that is a refusal."""


@dataclass(frozen=True)
class Golden:
    """Encoded pictures with the eager model's answer to each."""

    pictures: tuple[bytes, ...]
    answers: tuple[Answer, ...]

    def difference(self, given: Sequence[Answer], count: int) -> float:
        """The largest difference of a probability; raises Failed when an answer is wrong.

        The answers are to the first `count` of the pictures, in their order.
        """
        wanted = self.answers[:count]
        names, eager_names = ([[name for name, _ in each] for each in a] for a in (given, wanted))
        if wanted and names == eager_names:
            values, eager = (
                np.array([[p for _, p in each] for each in a]) for a in (given, wanted)
            )
            if np.allclose(values, eager, rtol=RTOL, atol=ATOL):
                return float(np.abs(values - eager).max())
        raise machine.Failed(f"a wrong answer: {given}, the eager model says {list(wanted)}")


def cifar10() -> Golden:
    """Striped pictures of 48 x 60 for specs/cifar10.yaml and specs/variants/seldon-docker.yaml."""
    training = importlib.import_module("train_cifar10")
    pixels, _ = training.pictures(20, torch.Generator().manual_seed(7))
    pictures = [Image.fromarray(each.permute(1, 2, 0).numpy()).resize((48, 60)) for each in pixels]
    steps = [transforms.Resize((32, 32)), transforms.ToTensor()]
    steps.append(transforms.Normalize((0.5,) * 3, (0.5,) * 3))
    names = (MODELS / "cifar10_classes.txt").read_text("utf-8").split()
    return golden(importlib.import_module("cifar10").Net(), "cifar10.pt", steps, pictures, names)


def landmarks() -> Golden:
    """Striped pictures of 300 x 240 for specs/variants/landmarks-targets.yaml."""
    training = importlib.import_module("train_landmarks")
    pixels, _ = training.pictures(8, torch.Generator().manual_seed(7))
    pictures = [
        Image.fromarray(each.permute(1, 2, 0).numpy()).resize((300, 240)) for each in pixels
    ]
    steps = [transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor()]
    steps.append(transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    names = (MODELS / "landmarks_classes.txt").read_text("utf-8").splitlines()
    return golden(
        importlib.import_module("landmarks").Net(), "landmarks.pt", steps, pictures, names
    )


def mnist() -> Golden:
    """Digits of 56 x 70 for specs/variants/mnist-kubernetes.yaml."""
    training = importlib.import_module("train_mnist")
    pixels, _ = training.digits(8, np.random.default_rng(3))
    pictures = [Image.fromarray(each.numpy()[0]).resize((56, 70)) for each in pixels]
    steps = [transforms.Resize((28, 28)), transforms.ToTensor()]
    steps.append(transforms.Normalize(training.MEAN, training.STD))
    return golden(training.Net(), "mnist.pt", steps, pictures, [str(i) for i in range(10)])


def golden(
    net: Any, weights: str, steps: list[Any], pictures: Sequence[Any], names: Sequence[str]
) -> Golden:
    """Ask an eager model, with torchvision's transforms in front of it."""
    net.load_state_dict(torch.load(MODELS / weights, weights_only=True))
    samples = torch.stack([transforms.Compose(steps)(each) for each in pictures])
    with torch.no_grad():
        values, classes = net.eval()(samples).softmax(1).topk(TOP)
    answers = [
        [(names[index], value) for value, index in zip(*row, strict=True)]
        for row in zip(values.tolist(), classes.tolist(), strict=True)
    ]
    return Golden(tuple(map(png, pictures)), tuple(answers))


def png(picture: Any) -> bytes:
    """A picture as a PNG, which loses nothing."""
    out = io.BytesIO()
    picture.save(out, "png")
    return out.getvalue()


def in_base64(content: bytes) -> str:
    """Bytes as JSON carries them."""
    return base64.b64encode(content).decode()


def post(address: str, path: str, body: bytes, content_type: str = "application/json") -> Any:
    """Send a request and decode the JSON of its answer; raises Failed."""
    url = f"http://{address}{path}"
    request = urllib.request.Request(url, body, {"Content-Type": content_type})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer, answers_told():
            return json.load(answer)
    except urllib.error.HTTPError as refusal:
        said = refusal.read().decode(errors="replace")
        raise Refused(f"{path} answers {refusal.code}: {said}") from None
    except OSError as error:
        raise machine.Failed(f"{path} does not answer: {error}") from None


@contextlib.contextmanager
def answers_told() -> Iterator[None]:
    """Tell an answer of another form than the door's; raises Failed."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise machine.Failed(f"an answer of another form: {error!r}") from error


def v1(address: str, model: str, pictures: Sequence[bytes]) -> list[Answer]:
    """Ask the door of KServe's v1 protocol."""
    instances = [{"image_bytes": {"b64": in_base64(each)}} for each in pictures]
    body = json.dumps({"instances": instances}).encode()
    return entries(post(address, f"/v1/models/{model}:predict", body))


def v2(address: str, model: str, pictures: Sequence[bytes]) -> list[Answer]:
    """Ask the door of the Open Inference Protocol."""
    data = [in_base64(each) for each in pictures]
    sent = {"name": "image_bytes", "shape": [len(data)], "datatype": "BYTES", "data": data}
    answer = post(address, f"/v2/models/{model}/infer", json.dumps({"inputs": [sent]}).encode())
    with answers_told():
        columns = {
            each["name"]: np.reshape(each["data"], each["shape"]) for each in answer["outputs"]
        }
        rows = zip(columns["class_name"].tolist(), columns["probability"].tolist(), strict=True)
        return [list(zip(*row, strict=True)) for row in rows]


def native(address: str, model: str, pictures: Sequence[bytes]) -> list[Answer]:
    """Ask TorchServe's own door, one picture at a time."""
    answers = [post(address, f"/predictions/{model}", each, "image/png") for each in pictures]
    with answers_told():
        return [[pair for entry in answer for pair in entry.items()] for answer in answers]


def entries(answer: Any) -> list[Answer]:
    """Read `{"predictions": [[{"class_name": ..., "probability": ...}, ...], ...]}`."""
    with answers_told():
        return [
            [(entry["class_name"], entry["probability"]) for entry in each]
            for each in answer["predictions"]
        ]


Door = Callable[[str, str, Sequence[bytes]], list[Answer]]
