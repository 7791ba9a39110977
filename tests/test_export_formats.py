"""export.format: onnx and aot_inductor: the eager numbers, the spec's names, the same bytes."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from generator import pipeline
from generator.diagnostics import CannotRun, Diagnostic, Rejected

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from generator.export import aot_inductor, export_bundle, onnx_program  # noqa: E402  # need torch
from generator.export.loaded import load_program  # noqa: E402  # likewise

FILE = {"onnx": "model.onnx", "aot_inductor": "model.pt2"}
TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}
MODELS = Path(__file__).parents[1] / "specs/models"


@dataclass(frozen=True)
class Case:
    """A model's source, its signature in a spec, and inputs that it is asked with."""

    source: str
    inputs: str
    outputs: str
    asked: Sequence[tuple[Any, ...]]

    @property
    def spec(self) -> str:
        return (
            "spec_version: 1\nname: tiny\nmodel:\n  source: model.py:Net\n"
            f"  inputs: [{self.inputs}]\n  outputs: [{self.outputs}]\n"
            "storage: {uri: s3://bucket/tiny}\ntargets: {triton: {}}\n"
        )


def random(*shape: int) -> Any:
    return torch.rand(shape, generator=torch.Generator().manual_seed(sum(shape)))


def bits(*shape: int, dtype: Any = torch.int64) -> Any:
    return torch.randint(2, shape, generator=torch.Generator().manual_seed(shape[0])).to(dtype)


IMAGE = "{{name: image, dtype: float32, shape: [N, {}]}}"
LOGITS = "{name: logits, dtype: float32, shape: [N, 10]}"
TEXT = """\
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(2, 8)
        self.head = torch.nn.Linear(8, 3)

    def forward(self, words, mask):
        seen = self.embedding(words) * mask.unsqueeze(-1).float()
        return self.head(seen.mean(1)), seen.argmax(-1)
"""
ANY_SIZE = """\
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution = torch.nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, image):
        return self.convolution(image).relu()
"""
WITHOUT_BATCH = """\
import torch

class Net(torch.nn.Module):
    def forward(self, left, right):
        return left * 2 + right
"""
TINY = """\
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU())

    def forward(self, x):
        return self.layers(x).softmax(1)
"""
TINY_CASE = Case(
    TINY,
    "{name: x, dtype: float32, shape: [N, 4]}",
    "{name: y, dtype: float32, shape: [N, 8]}",
    [(random(size, 4),) for size in (1, 3, 8)],
)
CASES = {
    "cifar10": Case(
        (MODELS / "cifar10.py").read_text(),
        IMAGE.format("3, 32, 32"),
        LOGITS,
        [(random(size, 3, 32, 32),) for size in (1, 3, 8)],
    ),
    "mnist": Case(
        (MODELS / "mnist.py").read_text(),
        IMAGE.format("1, 28, 28"),
        LOGITS,
        [(random(size, 1, 28, 28),) for size in (1, 3, 8)],
    ),
    "text": Case(
        TEXT,
        "{name: words, dtype: int64, shape: [N, L]}, {name: mask, dtype: int32, shape: [N, L]}",
        "{name: scores, dtype: float32, shape: [N, 3]}, "
        "{name: places, dtype: int64, shape: [N, L]}",
        [(bits(n, length), bits(n, length, dtype=torch.int32)) for n, length in ((1, 5), (3, 70))],
    ),
    "any-size": Case(
        ANY_SIZE,
        IMAGE.format("3, H, W"),
        "{name: map, dtype: float32, shape: [N, 4, H, W]}",
        [(random(1, 3, 7, 9),), (random(8, 3, 40, 31),)],
    ),
    "without-batch": Case(
        WITHOUT_BATCH,
        "{name: left, dtype: float64, shape: [3]}, {name: right, dtype: uint8, shape: [3]}",
        "{name: sum, dtype: float64, shape: [3]}",
        [(random(3).double(), bits(3, dtype=torch.uint8))],
    ),
    "tiny": TINY_CASE,
}


def write_spec(folder: Path, case: Case, export_format: str) -> Path:
    (folder / "model.py").write_text(case.source)
    spec = folder / "tiny.yaml"
    spec.write_text(f"{case.spec}export: {{format: {export_format}}}\n")
    return spec


def export(spec: Path, output: Path) -> Path:
    """Export a spec; returns the program's file."""
    build = pipeline.build(spec.name, spec.read_bytes(), spec.parent)
    bundle = export_bundle(build.deployments[0], build.files, output)
    [program] = [path for path in (bundle / "tiny/1").iterdir() if path.name != ".gitkeep"]
    return program


def refusal(spec: Path, output: Path) -> Diagnostic:
    with pytest.raises(Rejected) as caught:
        export(spec, output)
    [diagnostic] = caught.value.diagnostics
    assert not any(output.rglob("model.*"))
    return diagnostic


def eager(folder: Path) -> Any:
    """The module of a folder's model.py with the weights that an export gives it."""
    namespace: dict[str, Any] = {"__name__": "model"}
    exec((folder / "model.py").read_text(), namespace)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return namespace["Net"]().eval()


def assert_answers_like_the_module(program: Path, export_format: str, case: Case) -> None:
    run = load_program(program, export_format)
    module = eager(program.parents[5])
    for inputs in case.asked:
        with torch.no_grad():
            expected = module(*inputs)
        expected = expected if isinstance(expected, tuple) else (expected,)
        for got, want in zip(run(inputs), expected, strict=True):
            torch.testing.assert_close(got, want, **TOLERANCE)


@pytest.mark.parametrize("name", CASES)
def test_an_onnx_program_answers_like_the_module(name: str, tmp_path: Path) -> None:
    program = export(write_spec(tmp_path, CASES[name], "onnx"), tmp_path / "build")

    assert program.name == "model.onnx"
    assert_answers_like_the_module(program, "onnx", CASES[name])


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program of AOTInductor, which takes its time to be made."""
    folder = tmp_path_factory.mktemp("compiled")
    return export(write_spec(folder, CASES["text"], "aot_inductor"), folder / "build")


def test_a_compiled_program_answers_like_the_module(compiled: Path) -> None:
    assert compiled.name == "model.pt2"
    assert_answers_like_the_module(compiled, "aot_inductor", CASES["text"])


def test_a_compiled_program_takes_images_of_any_size(tmp_path: Path) -> None:
    program = export(write_spec(tmp_path, CASES["any-size"], "aot_inductor"), tmp_path / "build")

    assert_answers_like_the_module(program, "aot_inductor", CASES["any-size"])


def test_a_compiled_program_takes_tensors_as_they_lie(compiled: Path) -> None:
    words, mask = bits(9, 3).T, bits(9, 3, dtype=torch.int32).T

    case = replace(CASES["text"], asked=[(words, mask)])

    assert not words.is_contiguous()
    assert_answers_like_the_module(compiled, "aot_inductor", case)


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="says what x86-64 needs")
def test_a_compiled_program_needs_no_more_than_avx2(compiled: Path) -> None:
    loader = torch._C._aoti.AOTIModelPackageLoader(str(compiled), "model", False, 1, -1)

    assert loader.get_metadata()["AOTI_CPU_ISA"] == "AVX2"


def test_an_onnx_graph_has_the_specs_names_and_shapes(tmp_path: Path) -> None:
    program = export(write_spec(tmp_path, CASES["text"], "onnx"), tmp_path / "build")

    model = onnx.load(program, load_external_data=False)
    onnx.checker.check_model(model, full_check=True)
    signature = {
        value.name: [each.dim_value or each.dim_param for each in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    assert signature == {
        "words": ["N", "L"],
        "mask": ["N", "L"],
        "scores": ["N", 3],
        "places": ["N", "L"],
    }


def test_an_onnx_program_is_one_file_for_old_runtimes(tmp_path: Path) -> None:
    program = export(write_spec(tmp_path, TINY_CASE, "onnx"), tmp_path / "build")

    model = onnx.load(program, load_external_data=False)
    assert (model.ir_version, [each.version for each in model.opset_import]) == (8, [18])
    weights = {tuple(each.dims): len(each.raw_data) for each in model.graph.initializer}
    assert weights[8, 4] == 4 * 32
    assert not any(each.external_data for each in model.graph.initializer)


@pytest.mark.timeout(1200)  # a compiler on a busy machine, twice
@pytest.mark.parametrize("export_format", FILE)
def test_another_process_in_another_folder_writes_the_same_bytes(
    export_format: str, tmp_path: Path
) -> None:
    programs = []
    for place in ("first", "second/deeper"):
        folder = tmp_path / place
        (folder / "temporary").mkdir(parents=True)
        spec = write_spec(folder, TINY_CASE, export_format)
        code = "import sys; from generator.cli import main; sys.exit(main(sys.argv[1:]))"
        own = {"TMPDIR": str(folder / "temporary"), "PYTHONHASHSEED": str(len(place))}
        variables = {**os.environ, **own}
        command = [sys.executable, "-c", code, "export", str(spec), "--output", str(folder)]
        ran = subprocess.run(
            command, cwd=folder, env=variables, capture_output=True, text=True, timeout=580
        )
        assert ran.returncode == 0, ran.stderr
        assert [path for path in (folder / "temporary").rglob("*") if path.is_file()] == []
        assert [line for line in ran.stderr.splitlines() if "exporting" not in line] == []
        programs.append(folder / "tiny/triton/tiny/1" / FILE[export_format])

    first, second = (program.read_bytes() for program in programs)
    assert first == second
    for path in (tmp_path, Path(torch.__file__).parents[1], Path(sys.prefix), Path.cwd()):
        assert str(path).encode() not in first


BRANCHES = """\
import torch

class Net(torch.nn.Module):
    def forward(self, x):
        return x * 2 if x.sum() > 0 else x
"""
ONE_LENGTH = """\
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.position = torch.nn.Parameter(torch.rand(64))

    def forward(self, x):
        return x + self.position
"""
X = "{name: x, dtype: float32, shape: [N, 4]}"
FREE = "{name: x, dtype: float32, shape: [N, L]}"


@pytest.mark.parametrize("export_format", FILE)
def test_a_module_that_branches_on_values_is_refused(export_format: str, tmp_path: Path) -> None:
    spec = write_spec(tmp_path, Case(BRANCHES, X, X.replace("x,", "y,"), ()), export_format)

    told = refusal(spec, tmp_path / "build")

    assert "torch.export cannot follow the module" in told.message
    assert told.hint == "use format: torchscript"
    assert told.source == f"export: {{format: {export_format}}}"


def test_a_size_that_only_seems_free_is_refused(tmp_path: Path) -> None:
    spec = write_spec(tmp_path, Case(ONE_LENGTH, FREE, FREE.replace("x,", "y,"), ()), "onnx")

    told = refusal(spec, tmp_path / "build")

    assert told.message == "forward computes with one size of a dimension that the spec leaves free"
    assert told.hint == "give sizes in place of letters, or use format: torchscript"


def test_an_operator_without_onnx_is_refused(tmp_path: Path) -> None:
    source = TINY.replace("self.layers(x).softmax(1)", "torch.linalg.eigvals(x).abs()")
    square = "{name: x, dtype: float32, shape: [4, 4]}"
    case = Case(source, square, "{name: y, dtype: float32, shape: [4]}", ())
    spec = write_spec(tmp_path, case, "onnx")

    told = refusal(spec, tmp_path / "build")

    assert told.message.startswith("the module cannot be written in ONNX: ")


def test_weights_that_do_not_fit_into_one_file_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_program, "LARGEST_BYTES", 100)
    spec = write_spec(tmp_path, TINY_CASE, "onnx")

    assert "do not fit into one ONNX file" in refusal(spec, tmp_path / "build").message


def test_a_missing_compiler_is_named_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    spec = write_spec(tmp_path, TINY_CASE, "aot_inductor")

    with pytest.raises(CannotRun, match=r"needs the C\+\+ compiler g\+\+: apt-get install g\+\+"):
        export(spec, tmp_path / "build")

    assert not any((tmp_path / "build").rglob("model.*"))


def test_a_compiler_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(aot_inductor.ARCHITECTURES, os.uname().machine, ("no-such-cpu", None))
    spec = write_spec(tmp_path, TINY_CASE, "aot_inductor")

    with pytest.raises(CannotRun, match="no-such-cpu"):
        export(spec, tmp_path / "build")


@pytest.mark.parametrize("export_format", FILE)
def test_an_older_torch_is_told_which_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, export_format: str
) -> None:
    monkeypatch.delattr(torch.export.Dim, "DYNAMIC")
    spec = write_spec(tmp_path, TINY_CASE, export_format)

    with pytest.raises(CannotRun, match=rf"format: {export_format} needs torch 2\.6 or later"):
        export(spec, tmp_path / "build")


def test_an_onnx_program_of_a_module_that_writes_into_its_input(tmp_path: Path) -> None:
    source = TINY.replace("self.layers(x)", "self.layers(x.sub_(0.5))")
    case = replace(TINY_CASE, source=source)

    program = export(write_spec(tmp_path, case, "onnx"), tmp_path / "build")

    x = random(3, 4)
    with torch.no_grad():
        expected = eager(tmp_path)(x.clone())
    torch.testing.assert_close(load_program(program, "onnx")((x,))[0], expected, **TOLERANCE)


def test_a_graph_that_holds_for_equal_sizes_only_is_refused(tmp_path: Path) -> None:
    source = TINY.replace("return ", "return x.sum(1) if x.shape[1] == x.shape[2] else ")
    square = "{name: x, dtype: float32, shape: [N, H, W]}"
    source = source.replace("self.layers(x).softmax(1)", "x.sum(1) + 7")
    case = Case(source, square, "{name: y, dtype: float32, shape: [N, W]}", ())

    told = refusal(write_spec(tmp_path, case, "onnx"), tmp_path / "build")

    assert "for free dimensions of 64 and 96" in told.message


def test_missing_libraries_are_named_with_their_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_program, "LIBRARIES", ("onnx", "no_such_library"))
    spec = write_spec(tmp_path, TINY_CASE, "onnx")

    with pytest.raises(CannotRun, match=r"needs no_such_library: install .* extra `onnx`"):
        export(spec, tmp_path / "build")


def test_a_format_without_programs_has_no_loader(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no loader for state_dict"):
        load_program(tmp_path / "model.pt", "state_dict")
