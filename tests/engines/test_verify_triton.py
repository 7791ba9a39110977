"""gen verify on the real tritonserver and KServe's SDK: it agrees, and catches what is wrong."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from verified import descendants

from generator import pipeline, write
from generator.engines import triton
from generator.pipeline import Build
from generator.validate import Deployment

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("triton_engine", "kserve_engine")]

torch = pytest.importorskip("torch")
pytest.importorskip("tritonclient.grpc")

SPECS = Path(__file__).parents[2] / "specs"
BEHIND = "Triton ModelInfer cifar10, behind the transformer"
V1, V2 = "transformer /v1/models/cifar10:predict", "transformer /v2/models/cifar10/infer"
CLIENT = "requests/client.py"
TRANSFORMER = {(V1, "v1 JSON"), (V2, "v2 JSON"), (V2, "v2 binary")}
DIRECT = {(BEHIND, "v2 gRPC"), (BEHIND, "v2 gRPC, class_count")}
HTTP = "Triton /v2/models/client-http/infer"


@dataclass(frozen=True)
class Served:
    """Deployments that have been rendered and exported, by name of their spec."""

    folder: Path
    deployments: dict[str, Deployment] = field(default_factory=dict)

    def add(self, spec: Path) -> None:
        build, deployment = built(spec)
        if deployment.project.name not in self.deployments:
            from generator.export import export_bundle

            write.write(write.tree(self.folder / "rendered", build.project, build.files, ["."]))
            export_bundle(deployment, build.files, self.folder / "build")
            self.deployments[deployment.project.name] = deployment

    def copied(self, name: str, folder: Path) -> "Copy":
        """The files of one deployment, to be broken."""
        deployment = self.deployments[name]
        for part in ("rendered", "build"):
            shutil.copytree(self.folder / part / name, folder / part / name)
        return Copy(deployment, folder)


@dataclass(frozen=True)
class Copy:
    """The rendered and exported files of a deployment, in a folder of a test's own."""

    deployment: Deployment
    folder: Path

    @property
    def rendered(self) -> Path:
        return self.folder / "rendered" / pipeline.folder_of(self.deployment)

    @property
    def model(self) -> Path:
        """The model's folder in the bundle."""
        [model] = (self.folder / "build" / pipeline.folder_of(self.deployment)).iterdir()
        return model

    def verify(self) -> Any:
        from generator.verify import verify

        return verify(self.deployment, self.folder / "rendered", self.folder / "build")


def built(spec: Path) -> tuple[Build, Deployment]:
    build = pipeline.build(str(spec), spec.read_bytes(), spec.parent)
    return build, next(each for each in build.deployments if each.target.name == "triton")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    return Served(tmp_path_factory.mktemp("served"))


def doors(verdict: Any) -> set[tuple[str, str]]:
    return {(row.door, row.protocol) for row in verdict.rows}


def disagreeing(verdict: Any) -> dict[tuple[str, str], str]:
    """What is said of the doors that disagree."""
    return {(row.door, row.protocol): row.complaint for row in verdict.rows if row.complaint}


TENSORS_OVER_HTTP = {(HTTP, "v2 JSON"), (HTTP, "v2 binary"), (HTTP, "v2 binary, class_count")}
LANDMARKS = "Triton /v2/models/landmarks-targets/infer"
RIGHT: dict[str, set[tuple[str, str]]] = {
    "cifar10": TRANSFORMER | DIRECT,
    "variants/client-http": TENSORS_OVER_HTTP | {(CLIENT, "v2 binary")},
    "variants/client-grpc": {
        ("Triton ModelInfer cifar10_grpc", "v2 gRPC"),
        ("Triton ModelInfer cifar10_grpc", "v2 gRPC, class_count"),
        (CLIENT, "v2 gRPC"),
    },
    "variants/minimal": {
        ("Triton /v2/models/minimal/infer", "v2 JSON"),
        ("Triton /v2/models/minimal/infer", "v2 binary"),
        (CLIENT, "v2 binary"),
    },
    "variants/landmarks-targets": {
        (LANDMARKS, "v2 JSON"),
        (LANDMARKS, "v2 binary"),
        (LANDMARKS, "v2 binary, class_count"),
        (CLIENT, "v2 binary"),
    },
    "variants/standard": {
        ("transformer /v1/models/standard:predict", "v1 JSON"),
        ("transformer /v2/models/standard/infer", "v2 JSON"),
        ("transformer /v2/models/standard/infer", "v2 binary"),
        ("Triton ModelInfer standard, behind the transformer", "v2 gRPC"),
        ("Triton ModelInfer standard, behind the transformer", "v2 gRPC, class_count"),
    },
    "variants/custom": {
        ("transformer /v1/models/custom:predict", "v1 JSON"),
        ("transformer /v2/models/custom/infer", "v2 JSON"),
        ("transformer /v2/models/custom/infer", "v2 binary"),
        ("Triton ModelInfer custom, behind the transformer", "v2 gRPC"),
        ("Triton ModelInfer custom, behind the transformer", "v2 gRPC, class_count"),
    },
    "variants/raw": {
        ("transformer /v1/models/raw:predict", "v1 JSON"),
        ("transformer /v2/models/raw/infer", "v2 JSON"),
        ("transformer /v2/models/raw/infer", "v2 binary"),
        ("Triton ModelInfer raw, behind the transformer", "v2 gRPC"),
    },
}


@pytest.mark.parametrize("name", RIGHT)
def test_every_door_agrees_with_the_eager_model(served: Served, name: str, tmp_path: Path) -> None:
    served.add(SPECS / f"{name}.yaml")
    copy = served.copied(Path(name).name, tmp_path)
    before = contents(tmp_path)

    verdict = copy.verify()

    assert (verdict.refusal, disagreeing(verdict)) == (None, {})
    assert doors(verdict) == RIGHT[name]
    assert all(row.answers >= 8 for row in verdict.rows)
    assert all((row.latency_seconds is None) == (row.door == CLIENT) for row in verdict.rows)
    assert contents(tmp_path) == before, "the servers wrote into what they serve"


NUMBERS = """
import torch


class Net(torch.nn.Module):
    def forward(self, row, weight):
        return (row * weight[:, None]).sum(1), row.half()
"""
NUMBERS_SPEC = """
spec_version: 1
name: numbers
model:
  source: totals.py:Net
  inputs:
    - {name: row, dtype: float32, shape: [N, 4]}
    - {name: weight, dtype: float32, shape: [N]}
  outputs:
    - {name: total, dtype: float32, shape: [N]}
    - {name: halves, dtype: float16, shape: [N, 4]}
storage: {uri: pvc://models/numbers}
serving: {batching: {max_size: 4}}
targets: {triton: {}}
"""


def test_numbers_of_rank_0_and_of_16_bits_agree_where_they_can_be_carried(
    served: Served, tmp_path: Path
) -> None:
    """JSON cannot carry FP16, and Triton has no tensors of rank 0."""
    (tmp_path / "totals.py").write_text(NUMBERS)
    (tmp_path / "numbers.yaml").write_text(NUMBERS_SPEC)
    served.add(tmp_path / "numbers.yaml")

    verdict = served.copied("numbers", tmp_path).verify()

    assert (verdict.refusal, disagreeing(verdict)) == (None, {})
    assert doors(verdict) == {
        ("Triton /v2/models/numbers/infer", "v2 binary"),
        (CLIENT, "v2 binary"),
    }


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def replaced(path: Path, old: str, new: str) -> None:
    """Write `new` for `old`, which is there."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def rotated(lines: list[str]) -> list[str]:
    return [*lines[1:], lines[0]]


def wrong_mean(copy: Copy) -> None:
    replaced(copy.rendered / "images/transformer/transforms.py", "mean=(0.5,", "mean=(0.4,")


def bgr(copy: Copy) -> None:
    path = copy.rendered / "images/transformer/transforms.py"
    replaced(path, "tensor = to_tensor(image)", "tensor = to_tensor(image)[::-1]")


def wrong_class_names(copy: Copy) -> None:
    import json

    path = copy.rendered / "images/transformer/class_names.json"
    path.write_text(json.dumps(rotated(json.loads(path.read_text()))))


def wrong_labels(copy: Copy) -> None:
    path = copy.model / "labels.txt"
    path.write_text("".join(f"{line}\n" for line in rotated(path.read_text().splitlines())))


def no_labels(copy: Copy) -> None:
    replaced(copy.model / "config.pbtxt", 'label_filename: "labels.txt"', "")


def other_weights(copy: Copy) -> None:
    from generator.export.users_code import imported

    torch.manual_seed(5)
    net = imported(SPECS, "models/cifar10.py:Net", ("model", "source"))().eval()
    torch.jit.trace(net, torch.zeros(2, 3, 32, 32)).save(str(copy.model / "1/model.pt"))


def swapped_dims(copy: Copy) -> None:
    replaced(copy.model / "config.pbtxt", "dims: [3, 32, 32]", "dims: [32, 32, 3]")


def smaller_batch(copy: Copy) -> None:
    path = copy.model / "config.pbtxt"
    path.write_text(re.sub(r"dynamic_batching {[^}]*}", "", path.read_text()))
    replaced(path, "max_batch_size: 8", "max_batch_size: 4")


def wrong_client(copy: Copy) -> None:
    replaced(copy.rendered / "requests/transforms.py", "mean=(0.5,", "mean=(0.4,")


def broken_component(copy: Copy) -> None:
    replaced(copy.rendered / "images/transformer/transforms.py", "top_k(scores, 3)", "nothing()")


NOT_NEAR = r"(\w+ )?-?[\d.]+.*, the eager model "
"""What is said of another number, or of another class."""


@pytest.mark.parametrize(
    ("name", "broken", "caught", "words"),
    [
        ("cifar10", wrong_mean, TRANSFORMER, NOT_NEAR),
        ("cifar10", bgr, TRANSFORMER, NOT_NEAR),
        ("cifar10", wrong_class_names, TRANSFORMER, NOT_NEAR),
        ("cifar10", wrong_labels, {(BEHIND, "v2 gRPC, class_count")}, NOT_NEAR),
        ("cifar10", no_labels, {(BEHIND, "v2 gRPC, class_count")}, "no texts of value:index:name"),
        ("cifar10", other_weights, TRANSFORMER | DIRECT, NOT_NEAR),
        ("cifar10", broken_component, TRANSFORMER, "name 'nothing' is not defined"),
        (
            "cifar10",
            swapped_dims,
            TRANSFORMER | DIRECT,
            r"unexpected shape for input 'INPUT__0'.* Expected \[-1,32,32,3\]",
        ),
        (
            "cifar10",
            smaller_batch,
            TRANSFORMER | DIRECT,
            r"samples in one request: .*batch-size must be <= 4",
        ),
        ("client-http", wrong_client, {(CLIENT, "v2 binary")}, NOT_NEAR),
    ],
)
def test_a_broken_artefact_is_caught_at_the_doors_that_it_spoils(
    served: Served,
    name: str,
    broken: Callable[[Copy], None],
    caught: set[tuple[str, str]],
    words: str,
    tmp_path: Path,
) -> None:
    served.add(SPECS / (f"{name}.yaml" if name == "cifar10" else f"variants/{name}.yaml"))
    copy = served.copied(name, tmp_path)
    broken(copy)

    verdict = copy.verify()

    said = disagreeing(verdict)
    assert not verdict.agrees
    assert set(said) == caught
    for complaint in said.values():
        assert re.search(words, complaint), complaint


def unknown_type(copy: Copy) -> None:
    replaced(copy.model / "config.pbtxt", "TYPE_FP32", "TYPE_FLOAT")


def too_large_a_preferred_batch(copy: Copy) -> None:
    replaced(copy.model / "config.pbtxt", "max_batch_size: 8", "max_batch_size: 4")


def half_a_program(copy: Copy) -> None:
    program = copy.model / "1/model.pt"
    program.write_bytes(program.read_bytes()[:2000])


def component_that_does_not_start(copy: Copy) -> None:
    replaced(copy.rendered / "images/transformer/transformer.py", "import grpc", "import grcp")


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (unknown_type, r'Unknown enumeration value of "TYPE_FLOAT"'),
        (too_large_a_preferred_batch, r"dynamic batching preferred size must be <= max batch size"),
        (half_a_program, r"PytorchStreamReader failed"),
        (component_that_does_not_start, r"No module named 'grcp'"),
    ],
)
def test_a_server_that_refuses_the_files_is_quoted(
    served: Served, broken: Callable[[Copy], None], words: str, tmp_path: Path
) -> None:
    served.add(SPECS / "cifar10.yaml")
    copy = served.copied("cifar10", tmp_path)
    broken(copy)

    verdict = copy.verify()

    assert not verdict.agrees
    assert re.search(words, verdict.refusal), verdict.refusal


def test_a_deployment_for_a_gpu_is_told_to_need_one(served: Served, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    served.add(SPECS / "variants/gpu.yaml")

    verdict = served.copied("gpu", tmp_path).verify()

    assert verdict.rows == ()
    assert verdict.not_here == "the project asks for a GPU, and torch finds none on this machine"


@dataclass(frozen=True)
class Command:
    """A running gen verify whose Triton is up, and everything that runs below it."""

    process: subprocess.Popen[str]
    temporary: Path
    server: int
    """The pid of tritonserver."""
    below: tuple[int, ...]
    regions: tuple[Path, ...]
    """What the server has in shared memory."""

    def left(self) -> list[object]:
        """What is left of it: processes, shared memory, temporary files but for torch's cache."""
        running = [pid for pid in self.below if is_running(pid)]
        regions = [region for region in self.regions if region.exists()]
        files = [each for each in self.temporary.iterdir() if "torchinductor" not in each.name]
        return [*running, *regions, *files]


@pytest.fixture
def command(served: Served, tmp_path: Path) -> Iterator[Command]:
    """gen verify specs/cifar10.yaml while its servers are asked."""
    served.add(SPECS / "cifar10.yaml")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "generator", "verify", SPECS / "cifar10.yaml"],
        cwd=served.folder,
        env=os.environ | {"TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        below = wait_for_component(process)
        [server] = [pid for pid in below if words_of(pid)[0].endswith("/tritonserver")]
        [folder] = temporary.glob("triton-*")
        regions = tuple(triton.SHARED_MEMORY.glob(f"{folder.name}-*"))
        assert regions
        yield Command(process, temporary, server, below, regions)
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_for_component(process: subprocess.Popen[str]) -> tuple[int, ...]:
    """The processes below a run, once the component in front of Triton is among them."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[0]
        below = descendants(process.pid)
        if any("transformer.py" in words_of(pid) for pid in below):
            time.sleep(4)  # it starts, and is asked
            return tuple(descendants(process.pid))
        time.sleep(0.05)
    raise AssertionError("no component was started")


def words_of(pid: int) -> list[str]:
    """The command line of a process; [""] where it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except FileNotFoundError:
        return [""]


def is_running(pid: int) -> bool:
    """Tell whether a process exists and is not just waiting to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing_behind(command: Command, number: signal.Signals) -> None:
    started = time.monotonic()
    command.process.send_signal(number)
    said, _ = command.process.communicate(timeout=30)

    assert command.process.returncode == 130
    assert said.splitlines()[-1] == "gen: interrupted"
    assert time.monotonic() - started < 20
    assert command.left() == []


def test_a_server_that_is_killed_meanwhile_is_told_and_leaves_nothing_behind(
    command: Command,
) -> None:
    os.kill(command.server, signal.SIGKILL)
    said, _ = command.process.communicate(timeout=120)

    assert command.process.returncode == 1
    assert "tritonserver was killed by SIGKILL" in said
    assert command.left() == []
