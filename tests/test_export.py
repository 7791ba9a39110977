"""`gen export`: what it writes, and how it tells that a model and its spec differ."""

import subprocess
import sys
from pathlib import Path

import pytest

from generator import pipeline
from generator.diagnostics import Diagnostic, Rejected

torch = pytest.importorskip("torch")

from generator.export import export_bundle  # noqa: E402  # needs torch, which may be missing

SPECS = Path(__file__).parents[1] / "specs"

SPEC = """\
spec_version: 1
name: tiny
model:
  source: model.py:make
  inputs: [{{name: x, dtype: float32, shape: [N, 4]}}]
  outputs: [{{name: y, dtype: {dtype}, shape: {shape}}}]
{more}
storage: {{uri: s3://bucket/tiny}}
targets: {{triton: {{}}}}
"""
MODEL = """\
import torch

def make():
    torch.manual_seed(0)
    return torch.nn.Linear(4, 2)
"""


def write_spec(
    folder: Path,
    model: str = MODEL,
    *,
    dtype: str = "float32",
    shape: str = "[N, 2]",
    more: str = "",
) -> Path:
    (folder / "model.py").write_text(model)
    spec = folder / "tiny.yaml"
    spec.write_text(SPEC.format(dtype=dtype, shape=shape, more=more))
    return spec


def export(spec: Path, output: Path) -> Path:
    build = pipeline.build(spec.name, spec.read_bytes(), spec.parent)
    return export_bundle(build.deployments[0], build.files, output)


def refusal(spec: Path, output: Path) -> Diagnostic:
    with pytest.raises(Rejected) as caught:
        export(spec, output)
    [diagnostic] = caught.value.diagnostics
    assert not output.exists() or not any(output.rglob("*.pt"))
    return diagnostic


def test_writes_the_repository_that_triton_loads(tmp_path: Path) -> None:
    bundle = export(write_spec(tmp_path), tmp_path / "build")

    files = sorted(str(path.relative_to(bundle)) for path in bundle.rglob("*") if path.is_file())
    assert bundle == tmp_path / "build/tiny/triton"
    assert files == ["tiny/1/model.pt", "tiny/config.pbtxt"]


def test_the_program_answers_like_the_module(tmp_path: Path) -> None:
    bundle = export(write_spec(tmp_path), tmp_path / "build")

    program = torch.jit.load(bundle / "tiny/1/model.pt")
    torch.manual_seed(0)
    module = torch.nn.Linear(4, 2)
    x = torch.rand(3, 4)
    torch.testing.assert_close(program(x), module(x))


def test_the_same_spec_gives_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    spec = SPECS / "cifar10.yaml"

    for output in ("first", "second"):
        code = "import sys; from generator.cli import main; sys.exit(main(sys.argv[1:]))"
        command = [sys.executable, "-c", code, "export", str(spec), "--output", tmp_path / output]
        subprocess.run(command, check=True, cwd=SPECS.parent, timeout=120)

    program = Path("cifar10/triton/cifar10/1/model.pt")
    assert (tmp_path / "first" / program).read_bytes() == (
        tmp_path / "second" / program
    ).read_bytes()


def test_an_exported_program_is_taken_as_it_is(tmp_path: Path) -> None:
    torch.jit.trace(torch.nn.Linear(4, 2), torch.rand(2, 4)).save(tmp_path / "given.pt")
    spec = write_spec(tmp_path)
    spec.write_text(spec.read_text().replace("source: model.py:make", "program: given.pt"))

    bundle = export(spec, tmp_path / "build")

    x = torch.rand(3, 4)
    given = torch.jit.load(tmp_path / "given.pt")
    torch.testing.assert_close(torch.jit.load(bundle / "tiny/1/model.pt")(x), given(x))


def test_a_module_with_dropout_is_exported_for_inference(tmp_path: Path) -> None:
    model = MODEL.replace(
        "torch.nn.Linear(4, 2)", "torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.Dropout(0.9))"
    )

    bundle = export(write_spec(tmp_path, model), tmp_path / "build")

    program, x = torch.jit.load(bundle / "tiny/1/model.pt"), torch.rand(3, 4)
    torch.testing.assert_close(program(x), program(x))


BRANCHING = """\
import torch

class Branching(torch.nn.Module):
    def forward(self, x):
        return x[:, :2] if x.sum() > 4.0 * x.shape[0] * 0.4 else -x[:, 2:]

def make():
    return Branching()
"""


def test_refuses_a_trace_that_answers_otherwise(tmp_path: Path) -> None:
    model = BRANCHING.replace("x.sum() > 4.0 * x.shape[0] * 0.4", "x.shape[0] == 2")

    told = refusal(write_spec(tmp_path, model), tmp_path / "build")

    assert told.message == "the traced program answers otherwise in `y`"
    assert "method: script" in told.hint


def test_a_scripted_module_keeps_its_branches(tmp_path: Path) -> None:
    model = BRANCHING.replace("x.sum() > 4.0 * x.shape[0] * 0.4", "x.shape[0] == 2")

    bundle = export(
        write_spec(tmp_path, model, more="export: {method: script}"), tmp_path / "build"
    )

    program, x = torch.jit.load(bundle / "tiny/1/model.pt"), torch.rand(3, 4)
    torch.testing.assert_close(program(x), -x[:, 2:])


def test_points_at_an_output_of_another_shape(tmp_path: Path) -> None:
    told = refusal(write_spec(tmp_path, shape="[N, 5]"), tmp_path / "build")

    assert (told.span.line, told.message) == (6, "output `y` has shape [1, 2] for batches of 1")
    assert told.hint == "write shape: [N, 2]"


def test_points_at_an_output_of_another_dtype(tmp_path: Path) -> None:
    told = refusal(write_spec(tmp_path, dtype="float64"), tmp_path / "build")

    assert (told.message, told.hint) == (
        "output `y` is float32 in the model",
        "write dtype: float32",
    )


def test_points_at_inputs_that_the_model_does_not_take(tmp_path: Path) -> None:
    told = refusal(write_spec(tmp_path, MODEL.replace("4, 2", "3, 2")), tmp_path / "build")

    assert told.message.startswith("the model does not take inputs of shape [2, 4]")
    assert told.span.line == 5


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("import nothing_of_this_name\n", "importing model.py raised ModuleNotFoundError: "),
        ("make = 3\n", "`model.py` has no callable `make`"),
        ("def make():\n    raise OSError('no disk')\n", "make() raised OSError: no disk"),
        ("def make():\n    return 3\n", "make() returned int, not a torch.nn.Module"),
        ("def make(\n", "importing model.py raised SyntaxError: "),
    ],
)
def test_tells_what_the_users_code_raised(tmp_path: Path, model: str, message: str) -> None:
    told = refusal(write_spec(tmp_path, model), tmp_path / "build")

    assert told.message.startswith(message)
    assert told.source.strip() == "source: model.py:make"


def test_points_at_weights_that_do_not_fit(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(2, 4)}, tmp_path / "weights.pt")
    spec = write_spec(tmp_path)
    spec.write_text(spec.read_text().replace("  inputs", "  weights: {path: weights.pt}\n  inputs"))

    told = refusal(spec, tmp_path / "build")

    assert "`weights.pt` does not fit the module" in told.message
    assert "bias" in told.message


def test_points_at_weights_that_are_not_there(tmp_path: Path) -> None:
    spec = write_spec(tmp_path)
    spec.write_text(spec.read_text().replace("  inputs", "  weights: {path: weights.pt}\n  inputs"))

    told = refusal(spec, tmp_path / "build")

    assert told.message == "there is no file `weights.pt` there"


def test_never_unpickles_code(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(4, 2), tmp_path / "weights.pt")
    spec = write_spec(tmp_path)
    spec.write_text(spec.read_text().replace("  inputs", "  weights: {path: weights.pt}\n  inputs"))

    told = refusal(spec, tmp_path / "build")

    assert "no state_dict that loads safely" in told.message


def test_a_failing_export_leaves_the_former_bundle(tmp_path: Path) -> None:
    spec = write_spec(tmp_path)
    bundle = export(spec, tmp_path / "build")
    before = (bundle / "tiny/1/model.pt").read_bytes()
    (tmp_path / "model.py").write_text("def make():\n    return 3\n")

    with pytest.raises(Rejected):
        export(spec, tmp_path / "build")

    assert (bundle / "tiny/1/model.pt").read_bytes() == before
    assert sorted(path.name for path in bundle.parent.iterdir()) == ["triton"]
