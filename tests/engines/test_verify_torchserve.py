"""gen verify on the real TorchServe: it agrees, and catches what is wrong."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from test_process import is_running
from verified import (
    NOT_NEAR,
    SPECS,
    Copy,
    Door,
    Made,
    descendants,
    disagreeing,
    doors,
    exchanged,
    killed,
    made,
    other_program,
    pictures,
    replaced,
    rewritten,
    rotated,
)

from generator.engines import EngineError, kserve, torchserve

pytestmark = pytest.mark.engine

torch = pytest.importorskip("torch")
pytest.importorskip("tritonclient.http")

FUSED = pictures("server", "{torchserve: {}}")
NATIVE, V1, V2 = "/predictions/{}", "/v1/models/{}:predict", "/v2/models/{}/infer"
CLIENT, GRPC = "requests/client.py", "requests/grpc_client.py"


def images(model: str) -> set[Door]:
    """The doors of a model whose handler takes images."""
    return {
        (f"TorchServe {NATIVE.format(model)}", "native"),
        (f"TorchServe {V1.format(model)}", "v1 JSON"),
        (f"TorchServe {V2.format(model)}", "v2 JSON"),
    }


def tensors(model: str, behind: str = "") -> set[Door]:
    """The doors of a model whose handler takes tensors."""
    return {
        (f"TorchServe {NATIVE.format(model)}{behind}", "native, .npy"),
        (f"TorchServe {V1.format(model)}{behind}", "v1 JSON"),
        (f"TorchServe {V2.format(model)}{behind}", "v2 JSON"),
        (f"TorchServe {V2.format(model)}{behind}", "v2 binary"),
    }


def transformer(service: str) -> set[Door]:
    return {
        (f"transformer {V1.format(service)}", "v1 JSON"),
        (f"transformer {V2.format(service)}", "v2 JSON"),
        (f"transformer {V2.format(service)}", "v2 binary"),
    }


PAIR = """\
spec_version: 1
name: pair
model:
  source: pair.py:Pair
  inputs:
    - {name: left,  dtype: int64,   shape: [N, 3]}
    - {name: right, dtype: float32, shape: [N, W]}
  outputs:
    - {name: sum,      dtype: int64, shape: [N]}
    - {name: positive, dtype: bool,  shape: [N, W]}
export: {method: script}
images: {registry: docker.io/acme, tag: "1.0"}
serving: {batching: {max_size: 4}}
accepted_warnings: {torchserve/end-of-life: a test}
targets: {torchserve: {platform: kubernetes}}
"""
PAIR_CODE = """\
import torch


class Pair(torch.nn.Module):
    def forward(self, left: torch.Tensor, right: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return left.sum(1), right > 0
"""

RIGHT: dict[str, set[Door]] = {
    "mnist.yaml": images("mnist"),
    "variants/mnist-kubernetes.yaml": images("mnist-kubernetes") | {(GRPC, "gRPC")},
    "variants/mnist-grpc.yaml": {(GRPC, "gRPC")},
    "variants/mnist-several.yaml": images("mnist-several") | images("mnist-model"),
    "variants/mnist-pvc.yaml": images("mnist-pvc"),
    "variants/mnist-component.yaml": transformer("mnist-compare")
    | tensors("mnist-component", ", behind the transformer"),
    pictures("client", "{torchserve: {platform: docker}}"): tensors("pictures")
    | {(CLIENT, "v2 binary"), (GRPC, "gRPC, .npy")},
}


@pytest.fixture(scope="module", autouse=True)
def engines(tmp_path_factory: pytest.TempPathFactory) -> None:
    """An installed TorchServe, and KServe's SDK for what stands in front of it."""
    try:
        torchserve.prepare(report=print)
        kserve.prepare(tmp_path_factory.mktemp("component"), report=print)
    except EngineError as problem:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(problem))


@pytest.fixture(scope="module")
def deployments(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("deployments"))


@pytest.mark.parametrize("spec", RIGHT, ids=lambda spec: spec.split("\n")[0])
def test_every_door_agrees_with_the_eager_model(
    deployments: Made, spec: str, tmp_path: Path
) -> None:
    copy = deployments.copied(spec, "torchserve", tmp_path)
    before = copy.contents()

    verdict = copy.verify()

    assert (verdict.refusal, disagreeing(verdict)) == (None, {})
    assert doors(verdict) == RIGHT[spec]
    assert all(row.answers >= 8 and row.compared for row in verdict.rows)
    assert {row.door for row in verdict.rows if row.latency_seconds is None} <= {CLIENT}
    assert copy.contents() == before, "the server wrote into what it serves"


def test_several_tensors_in_and_out_agree(tmp_path: Path) -> None:
    (tmp_path / "pair.py").write_text(PAIR_CODE)
    deployment = made(PAIR, "torchserve", tmp_path / "work", tmp_path)

    verdict = Copy(deployment, tmp_path / "work").verify()

    assert (verdict.refusal, disagreeing(verdict)) == (None, {})
    assert doors(verdict) == tensors("pair") | {(GRPC, "gRPC, .npy")}


def test_an_archive_that_is_there_already_is_served_and_not_compared(
    deployments: Made, tmp_path: Path
) -> None:
    own = deployments.copied(FUSED, "torchserve", tmp_path / "own")
    [archive] = own.bundle.glob("model-store/*.mar")
    specs = tmp_path / "specs"
    (specs / "models").mkdir(parents=True)
    (specs / "models/cifar10_classes.txt").write_bytes(
        (SPECS / "models/cifar10_classes.txt").read_bytes()
    )
    for name in ("cifar10.py", "cifar10.pt"):
        (specs / "models" / name).write_bytes((SPECS / "models" / name).read_bytes())
    (specs / "made.mar").write_bytes(archive.read_bytes())
    text = FUSED.replace("{torchserve: {}}", "{torchserve: {archive: {uri: made.mar}}}")
    deployment = made(text, "torchserve", tmp_path / "work", specs)

    verdict = Copy(deployment, tmp_path / "work").verify()

    assert (verdict.refusal, disagreeing(verdict)) == (None, {})
    assert [(row.door, row.compared) for row in verdict.rows] == [
        (f"TorchServe {NATIVE.format('pictures')}", False)
    ]


def test_an_archive_in_the_storage_is_not_here(deployments: Made, tmp_path: Path) -> None:
    text = FUSED.replace("{torchserve: {}}", "{torchserve: {archive: {uri: s3://models/a.mar}}}")

    verdict = deployments.copied(text, "torchserve", tmp_path).verify()

    said = "the archive lies at s3://models/a.mar, and gen export does not fetch it"
    assert (verdict.not_here, verdict.rows) == (said, ())


HANDLER = """\
import json

from ts.context import Context


class Handler:
    def initialize(self, context: Context) -> None:
        pass

    def handle(self, data, context):
        return [ANSWER for row in data]
"""


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ("f\"{len(row['body'])} bytes\"", None),
        ("json.loads(row['body'])", r"503 .*\n(.*\n)*.*(JSONDecodeError|UnicodeDecodeError)"),
    ],
)
def test_a_handler_of_the_users_own_has_to_answer(
    answer: str, complaint: str | None, tmp_path: Path
) -> None:
    (tmp_path / "handler.py").write_text(HANDLER.replace("ANSWER", answer))
    (tmp_path / "models").symlink_to(SPECS / "models")
    text = pictures("server", "{torchserve: {handler: handler.py:Handler}}")
    deployment = made(without_transforms(text), "torchserve", tmp_path / "work", tmp_path)

    verdict = Copy(deployment, tmp_path / "work").verify()

    [row] = verdict.rows
    assert not row.compared
    assert row.difference is None
    assert verdict.agrees == (complaint is None)
    assert complaint is None or re.search(complaint, row.complaint), row.complaint


def without_transforms(text: str) -> str:
    """A spec whose handler is the user's own matter."""
    start, end = text.index("transforms:"), text.index("export:")
    return text[:start] + text[end:]


def archive(copy: Copy) -> Path:
    [path] = copy.bundle.glob("model-store/*.mar")
    return path


def in_archive(name: str, change: Callable[[str], str]) -> Callable[[Copy], None]:
    """What changes the text of one file in the model's archive."""
    return lambda copy: rewritten(
        archive(copy), name, lambda content: change(content.decode()).encode()
    )


def other_weights(copy: Copy) -> None:
    program = copy.folder / "model.pt"
    other_program(program)
    rewritten(archive(copy), "model.pt", lambda _: program.read_bytes())


def in_an_envelope(copy: Copy) -> None:
    with (copy.bundle / "config/config.properties").open("a") as config:
        config.write("\nservice_envelope=kserve\n")


ALL = images("pictures")
MANGLED: dict[str, tuple[Callable[[Copy], None], set[Door], str]] = {
    "mean": (
        in_archive("transforms.py", lambda text: exchanged(text, "mean=(0.5,", "mean=(0.4,")),
        ALL,
        NOT_NEAR,
    ),
    "bgr": (
        in_archive(
            "transforms.py",
            lambda text: exchanged(text, "= to_tensor(image)", "= to_tensor(image)[::-1]"),
        ),
        ALL,
        NOT_NEAR,
    ),
    "class names": (in_archive("class_names.json", rotated), ALL, NOT_NEAR),
    "weights": (other_weights, ALL, NOT_NEAR),
    "envelope": (in_an_envelope, ALL, "503 .*InternalServerException"),
    "handler": (
        in_archive(
            "handler.py",
            lambda text: exchanged(text, "outputs = iter(", "outputs = nothing("),
        ),
        ALL,
        "NameError: name 'nothing' is not defined",
    ),
}


@pytest.mark.parametrize("name", MANGLED)
def test_a_broken_artefact_is_caught(deployments: Made, name: str, tmp_path: Path) -> None:
    broken, caught, words = MANGLED[name]
    copy = deployments.copied(FUSED, "torchserve", tmp_path)
    broken(copy)

    verdict = copy.verify()

    said = disagreeing(verdict)
    assert not verdict.agrees
    assert set(said) == caught
    for complaint in said.values():
        assert re.search(words, complaint), complaint


NO_ARCHIVE = "archive file for model pictures, version 1.0 not found in model store"


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (
            in_archive("handler.py", lambda text: exchanged(text, "import numpy", "import nunpy")),
            "No module named 'nunpy'",
        ),
        (
            lambda copy: replaced(copy.bundle / "config/config.properties", "pictures-1.0", "none"),
            NO_ARCHIVE,
        ),
        (lambda copy: archive(copy).unlink(), NO_ARCHIVE),
    ],
)
def test_a_server_that_refuses_the_files_is_quoted(
    deployments: Made, broken: Callable[[Copy], None], words: str, tmp_path: Path
) -> None:
    copy = deployments.copied(FUSED, "torchserve", tmp_path)
    broken(copy)

    verdict = copy.verify()

    assert not verdict.agrees
    assert re.search(words, verdict.refusal), verdict.refusal


def test_a_server_that_dies_is_told_and_nothing_stays(deployments: Made, tmp_path: Path) -> None:
    copy = deployments.copied(FUSED, "torchserve", tmp_path)
    others = set(descendants(os.getpid()))  # servers of other tests
    below: list[int] = []

    def kill(line: str) -> None:
        if line.startswith("asking") and not below:
            below.extend(set(descendants(os.getpid())) - others)
            killed(below, "torchserve")  # the server; its workers run from its folder

    verdict = copy.verify(kill)

    said = disagreeing(verdict)
    assert set(said) == ALL
    assert all("TorchServe was killed by SIGKILL" in complaint for complaint in said.values())
    assert [pid for pid in below if is_running(pid)] == []


def test_ctrl_c_leaves_nothing(deployments: Made, tmp_path: Path) -> None:
    deployments.copied("variants/mnist-kubernetes.yaml", "torchserve", tmp_path)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    command = subprocess.Popen(
        [sys.executable, "-m", "generator", "verify", SPECS / "variants/mnist-kubernetes.yaml"],
        cwd=tmp_path,
        env=os.environ | {"TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert command.stdout is not None
    below: list[int] = []
    try:
        heard = ""
        while "asking" not in heard:
            line = command.stdout.readline()
            assert line, heard
            heard += line
        below = descendants(command.pid)
        command.send_signal(signal.SIGINT)

        assert command.wait(30) == 130
    finally:
        command.kill()
        left = [pid for pid in below if is_running(pid)]
        for pid in left:
            os.kill(pid, signal.SIGKILL)
    assert len(below) >= 4  # the launcher, the server, its worker, the gRPC client
    assert left == []
    assert list(temporary.iterdir()) == []
