"""What gen renders and exports in other formats than TorchScript, on the real tritonserver."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from test_rendered_projects import imported, triton_arguments

from generator import pipeline, write
from generator.engines import EngineError, triton

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("triton_engine")]

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
http_client = pytest.importorskip("tritonclient.http")
grpc_client = pytest.importorskip("tritonclient.grpc")

SPECS = Path(__file__).parents[2] / "specs"
TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}
NAMES = {"onnx": ("image", "logits"), "aot-inductor": ("INPUT__0", "OUTPUT__0")}

TWO = """\
import torch

class Two(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(2, 8)
        self.head = torch.nn.Linear(8, 3)

    def forward(self, words, mask):
        seen = self.embedding(words) * mask.unsqueeze(-1).float()
        mean = seen.mean(1)
        return self.head(mean), mean.sum(1)
"""
TWO_SPEC = """\
spec_version: 1
name: two-{name}
model:
  source: two.py:Two
  inputs:
    - {{name: words, dtype: int64, shape: [N, L]}}
    - {{name: mask, dtype: int32, shape: [N, L]}}
  outputs:
    - {{name: scores, dtype: float32, shape: [N, 3]}}
    - {{name: total, dtype: float32, shape: [N]}}
export: {{format: {format}}}
serving: {{batching: {{max_size: 4}}}}
storage: {{uri: s3://bucket/two}}
targets: {{triton: {{}}}}
"""


@dataclass(frozen=True)
class Served:
    """A server with the model of each format, its arguments, and the eager modules."""

    server: triton.Server
    repository: Path
    arguments: tuple[str, ...]
    net: Any
    two: Any


def exported(spec: Path, work: Path, repository: Path) -> tuple[str, ...]:
    """Render and export a spec with the command's own functions; returns Triton's arguments."""
    from generator.export import export_bundle

    build = pipeline.build(str(spec), spec.read_bytes(), spec.parent)
    write.write(write.tree(work / "rendered", build.project, build.files, ["."]))
    [deployment] = build.deployments
    rendered = work / "rendered" / pipeline.folder_of(deployment)
    for model in export_bundle(deployment, build.files, work / "build").iterdir():
        config = rendered / "models" / model.name / "config.pbtxt"
        assert (model / "config.pbtxt").read_bytes() == config.read_bytes()
        model.rename(repository / model.name)
    return tuple(triton_arguments(rendered))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    work = tmp_path_factory.mktemp("formats")
    repository = work / "repository"
    repository.mkdir()
    (work / "two.py").write_text(TWO)
    specs = [SPECS / f"variants/{name}.yaml" for name in NAMES]
    for name in NAMES:
        specs.append(work / f"two-{name}.yaml")
        text = TWO_SPEC.format(name=name, format=name.replace("-", "_"))
        specs[-1].write_text(text)
    arguments: dict[str, None] = {}
    for spec in specs:
        arguments |= dict.fromkeys(exported(spec, work, repository))
    net = imported(SPECS / "models/cifar10.py").Net()
    net.load_state_dict(torch.load(SPECS / "models/cifar10.pt", weights_only=True))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        two = imported(work / "two.py").Two()
    with triton.serve(repository, arguments=list(arguments), report=print) as server:
        yield Served(server, repository, tuple(arguments), net.eval(), two.eval())


def ask(server: triton.Server, door: str, model: str, inputs: dict[str, Any]) -> Any:
    """Send tensors, in binary; returns the client's answer."""
    module = {"http": http_client, "grpc": grpc_client}[door]
    sent = []
    for name, array in inputs.items():
        datatype = {"float32": "FP32", "int64": "INT64", "int32": "INT32"}[str(array.dtype)]
        sent.append(module.InferInput(name, list(array.shape), datatype))
        sent[-1].set_data_from_numpy(array)
    with module.InferenceServerClient(getattr(server, door)) as client:
        return client.infer(model, sent)


@pytest.mark.parametrize("count", [1, 3, 8])
@pytest.mark.parametrize("door", ["http", "grpc"])
@pytest.mark.parametrize("name", NAMES)
def test_answers_with_the_eager_numbers(served: Served, name: str, door: str, count: int) -> None:
    taken, returned = NAMES[name]
    images = torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(count))

    answer = ask(served.server, door, name, {taken: images.numpy()}).as_numpy(returned)

    with torch.no_grad():
        np.testing.assert_allclose(answer, served.net(images).numpy(), **TOLERANCE)


@pytest.mark.parametrize(
    ("name", "taken", "returned"),
    [
        ("onnx", ("words", "mask"), ("scores", "total")),
        ("aot-inductor", ("INPUT__0", "INPUT__1"), ("OUTPUT__0", "OUTPUT__1")),
    ],
)
@pytest.mark.parametrize(("count", "length"), [(1, 5), (4, 70)])
def test_answers_with_two_inputs_of_a_free_length_and_two_outputs(
    served: Served,
    name: str,
    taken: tuple[str, str],
    returned: tuple[str, str],
    count: int,
    length: int,
) -> None:
    generator = torch.Generator().manual_seed(length)
    words = torch.randint(2, (count, length), generator=generator)
    mask = torch.randint(2, (count, length), generator=generator, dtype=torch.int32)

    inputs = {taken[0]: words.numpy(), taken[1]: mask.numpy()}
    answer = ask(served.server, "grpc", f"two-{name}", inputs)

    with torch.no_grad():
        expected = served.two(words, mask)
    for tensor, want in zip(returned, expected, strict=True):
        got = answer.as_numpy(tensor).reshape(want.shape)
        np.testing.assert_allclose(got, want.numpy(), **TOLERANCE)


@pytest.mark.parametrize(
    ("name", "right", "wrong", "told"),
    [
        ("onnx", 'name: "image"', 'name: "INPUT__0"', "allowed inputs are: image"),
        ("onnx", "dims: [10]", "dims: [-1]", "but the model configuration specifies 2 dimensions"),
        ("onnx", "TYPE_FP32", "TYPE_FP16", "model provides TYPE_FP32"),
        ("aot-inductor", 'name: "INPUT__0"', 'name: "image"', "is not found in model input map"),
        (
            "aot-inductor",
            'name: "OUTPUT__0"',
            'name: "OUTPUT__1"',
            "is not found in model output map",
        ),
    ],
)
def test_a_configuration_that_is_not_the_programs_is_refused(
    served: Served, tmp_path: Path, name: str, right: str, wrong: str, told: str
) -> None:
    shutil.copytree(served.repository / name, tmp_path / name)
    config = tmp_path / name / "config.pbtxt"
    text = config.read_text()
    assert right in text
    config.write_text(text.replace(right, wrong, 1))

    with (
        pytest.raises(EngineError, match=told.replace("[", r"\[")),
        triton.serve(tmp_path),
    ):
        pass
