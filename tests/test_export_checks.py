"""What `gen export` holds a model and its program against before anything is served."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from generator import pipeline
from generator.diagnostics import CannotRun, Diagnostic, Rejected

torch = pytest.importorskip("torch")

from generator.export import export_bundle, fresh_process  # noqa: E402  # needs torch
from generator.export.comparison import answers_like  # noqa: E402  # needs torch
from generator.export.fresh_process import answers_of_a_fresh_process  # noqa: E402  # needs torch
from generator.export.refusal import Refusal  # noqa: E402  # needs torch

SPEC = """\
spec_version: 1
name: tiny
model:
  source: model.py:Model
  inputs: {inputs}
  outputs: [{{name: y, dtype: float32, shape: {output}}}]
{more}
storage: {{uri: s3://bucket/tiny}}
targets: {{triton: {options}}}
"""
BATCH = "[{name: x, dtype: float32, shape: [N, 4]}]"
FREE = "[{name: x, dtype: float32, shape: [N, L]}]"
SINGLE = "[{name: x, dtype: float32, shape: [4]}]"


def write_spec(
    folder: Path,
    model: str,
    *,
    inputs: str = BATCH,
    output: str = "[N, 4]",
    more: str = "",
    options: str = "{}",
) -> Path:
    (folder / "model.py").write_text(model)
    spec = folder / "tiny.yaml"
    spec.write_text(SPEC.format(inputs=inputs, output=output, more=more, options=options))
    return spec


def export(spec: Path) -> Path:
    build = pipeline.build(spec.name, spec.read_bytes(), spec.parent)
    return export_bundle(build.deployments[0], build.files, spec.parent / "build")


def refusal(spec: Path) -> Diagnostic:
    """What an export is refused with; nothing has taken its place in the bundle."""
    with pytest.raises(Rejected) as caught:
        export(spec)
    [told] = caught.value.diagnostics
    assert not (spec.parent / "build").exists()
    return told


def model(forward: str, *, init: str = "", signature: str = "self, x") -> str:
    """A module's code; `init` are lines of its constructor, `forward` those of its forward."""
    return f"""\
import torch
from torch import nn
from torch.nn import functional as F

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        {init or "pass"}

    def forward({signature}):
        {forward}
"""


@pytest.mark.parametrize(
    ("forward", "init", "message"),
    [
        (
            "return F.dropout(x, 0.5)",
            "",
            "two equal calls of the model have different answers in `y`",
        ),
        (
            "self.calls += 1; return x + self.calls",
            "self.calls = 0",
            "two equal calls of the model have different answers in `y`",
        ),
        (
            "return F.batch_norm(x, None, None, training=x.shape[0] > 1) if x.shape[0] > 1 else x",
            "",
            "samples in a batch have other answers in `y` than alone",
        ),
        (
            "return x - x.mean(0, keepdim=True) * (x.shape[0] > 1)",
            "",
            "samples in a batch have other answers in `y` than alone",
        ),
        (
            "return x.reshape(4, -1).T.contiguous().reshape(-1, 4)",
            "",
            "samples in a batch have other answers in `y` than alone",
        ),
        ("return x.reshape(1, -1)", "", "`y` has shape [1, 12] for batches of 3"),
    ],
    ids=["dropout", "state", "batch norm", "leak", "mixed up", "flattened"],
)
def test_refuses_a_model_that_does_not_answer_for_a_sample_alone(
    tmp_path: Path, forward: str, init: str, message: str
) -> None:
    told = refusal(write_spec(tmp_path, model(forward, init=init)))

    assert told.message == message
    assert told.source.strip() == "source: model.py:Model"
    assert told.hint


def test_refuses_a_lost_batch_dimension_where_the_other_size_is_free(tmp_path: Path) -> None:
    told = refusal(write_spec(tmp_path, model("return x.reshape(1, -1)"), output="[N, P]"))

    assert told.message == "`y` has shape [1, 12] for batches of 3"
    assert "flatten(1)" in told.hint


def test_the_largest_batch_of_the_spec_is_held_to_the_same(tmp_path: Path) -> None:
    code = model("return x + (x.shape[0] > 3)")

    told = refusal(write_spec(tmp_path, code, more="serving: {batching: {max_size: 8}}"))

    assert told.message == "samples in a batch have other answers in `y` than alone"


def test_no_larger_batch_is_tried_than_tells_something(tmp_path: Path) -> None:
    code = model("return x if x.shape[0] <= 16 else x.view(1)")

    assert export(write_spec(tmp_path, code, more="serving: {batching: {max_size: 64}}")).is_dir()


@pytest.mark.parametrize("forward", ["return x.sub_(0.5).div_(0.5)", "x += 1; return x"])
@pytest.mark.parametrize("more", ["", "export: {method: script}"])
def test_forward_may_write_into_its_inputs(tmp_path: Path, forward: str, more: str) -> None:
    assert export(write_spec(tmp_path, model(forward), more=more)).is_dir()


def test_a_batch_norm_with_its_statistics_is_exported(tmp_path: Path) -> None:
    code = model("return self.norm(x)", init="self.norm = nn.BatchNorm1d(4)")

    assert (export(write_spec(tmp_path, code)) / "tiny/1/model.pt").is_file()


def test_refuses_a_module_that_stays_in_training_mode(tmp_path: Path) -> None:
    code = model("return self.drop(x)", init="self.drop = Stubborn(0.0)") + (
        "\nclass Stubborn(nn.Dropout):\n    def train(self, mode=True):\n        return self\n"
    )

    told = refusal(write_spec(tmp_path, code))

    assert told.message == "`drop`, Stubborn, is in training mode after eval()"


@pytest.mark.parametrize(("method", "line"), [("trace", " (model.py line 11)"), ("script", "")])
def test_refuses_a_program_in_which_something_trains(
    tmp_path: Path, method: str, line: str
) -> None:
    code = model("return F.dropout(x, 0.0, training=True)")

    told = refusal(write_spec(tmp_path, code, more=f"export: {{method: {method}}}"))

    assert told.message == f"dropout is in training mode{line}"


def test_points_at_the_line_that_a_script_is_bound_to_a_gpu_by(tmp_path: Path) -> None:
    code = model('return x if x.shape[0] < 9 else x.to("cuda:0")')

    told = refusal(write_spec(tmp_path, code, more="export: {method: script}"))

    assert told.message == "the program is bound to cuda:0 (model.py line 11)"


def test_refuses_a_given_program_that_is_bound_to_a_gpu(tmp_path: Path) -> None:
    class Bound(torch.nn.Module):  # type: ignore[misc]  # torch has no types for mypy
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.cuda()

    torch.jit.script(Bound()).save(tmp_path / "given.pt")
    spec = write_spec(tmp_path, "")
    spec.write_text(spec.read_text().replace("source: model.py:Model", "program: given.pt"))

    told = refusal(spec)

    assert told.message.startswith("the program is bound to cuda")
    assert told.source.strip() == "program: given.pt"


def test_points_at_the_line_that_asks_for_a_gpu(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("here it gets one")

    told = refusal(write_spec(tmp_path, model("return x.cuda()")))

    assert told.message.startswith("the model asks for a GPU: ")
    assert told.message.endswith("(model.py line 11)")


def test_refuses_a_tensor_that_the_cpu_does_not_reach(tmp_path: Path) -> None:
    code = model("return x", init='self.anchors = torch.zeros(3, device="meta")')

    told = refusal(write_spec(tmp_path, code))

    assert told.message == "Model keeps its tensor `anchors` on meta"
    assert told.hint == 'register it: self.register_buffer("anchors", ...)'


@pytest.mark.parametrize(
    ("forward", "message", "hint"),
    [
        (
            "raise SystemExit(4)",
            "forward raises SystemExit: 4 (model.py line 11)",
            "let forward raise an exception in its place",
        ),
        (
            "import beside; return beside.twice(x)",
            "forward raises ModuleNotFoundError: No module named 'beside' (model.py line 11)",
            "import it at the top of the file: a spec's folder is only known while that is read",
        ),
    ],
)
def test_what_no_input_would_change_is_told_of_the_code(
    tmp_path: Path, forward: str, message: str, hint: str
) -> None:
    (tmp_path / "beside.py").write_text("def twice(x):\n    return 2 * x\n")

    told = refusal(write_spec(tmp_path, model(forward)))

    assert (told.message, told.hint) == (message, hint)
    assert told.source.strip() == "source: model.py:Model"


def test_a_sample_that_does_not_fit_into_memory_is_named(tmp_path: Path) -> None:
    huge = "[{name: x, dtype: float32, shape: [N, 3, 2000000, 2000000]}]"
    spec = write_spec(tmp_path, model("return x[:, :, 0, :4].sum(1)"), inputs=huge)

    with pytest.raises(CannotRun) as caught:
        export(spec)

    assert str(caught.value) == (
        "a sample of shape [1, 3, 2000000, 2000000] takes 48000000000000 bytes, "
        "more than there is memory"
    )


POSITIONS = model("return x + torch.arange(4, device=x.device)")


def test_refuses_a_trace_that_makes_tensors_on_the_cpu_for_a_gpu(tmp_path: Path) -> None:
    told = refusal(write_spec(tmp_path, POSITIONS, more="hardware: {accelerator: nvidia}"))

    assert told.message == (
        "the trace makes a tensor on the CPU for good (model.py line 11), and the server has a GPU"
    )
    assert told.hint == (
        "use method: script, and write device=x.device, or register the tensor as a buffer of the "
        "module"
    )


SCRIPTED_FOR_A_GPU = "export: {method: script}\nhardware: {accelerator: nvidia}"


@pytest.mark.parametrize(
    "forward",
    [
        "return x + torch.arange(4)",
        "return x + torch.tensor([1.0, 2.0, 3.0, 4.0])",
        "return x + torch.zeros(4).to(torch.float16).float()",
        "return x if x.shape[0] < 9 else x + torch.ones([4])",
    ],
)
def test_refuses_a_script_that_makes_tensors_on_the_cpu_for_a_gpu(
    tmp_path: Path, forward: str
) -> None:
    told = refusal(write_spec(tmp_path, model(forward), more=SCRIPTED_FOR_A_GPU))

    assert told.message == (
        "the program makes a tensor on the CPU (model.py line 11), and the server has a GPU"
    )
    assert "device=x.device" in told.hint
    assert told.source.strip() == "source: model.py:Model"


@pytest.mark.parametrize(
    "forward",
    [
        "return x + torch.tensor(2.0)",
        "return x + torch.zeros_like(x) + x.new_ones([4])",
        "return x + torch.arange(4).to(x.device)",
        "return x + torch.arange(4).to(x)",
        "return x + torch.arange(4).type_as(x)",
    ],
)
def test_a_tensor_goes_where_the_input_is(tmp_path: Path, forward: str) -> None:
    assert export(write_spec(tmp_path, model(forward), more=SCRIPTED_FOR_A_GPU)).is_dir()


@pytest.mark.parametrize("more", ["", SCRIPTED_FOR_A_GPU])
def test_positions_may_be_made_where_the_input_is(tmp_path: Path, more: str) -> None:
    assert export(write_spec(tmp_path, POSITIONS, more=more)).is_dir()


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("x.abs().max() == 0", "zeros"),
        ("bool((x == 1).all())", "ones"),
        ("x.max() > 10", "large values"),
        ("x.min() < 0", "negative values"),
        ("0 < x.max() < 1e-5", "tiny values"),
    ],
)
def test_refuses_a_trace_of_a_branch_that_other_values_do_not_take(
    tmp_path: Path, condition: str, words: str
) -> None:
    told = refusal(write_spec(tmp_path, model(f"return x + 1 if {condition} else x - 1")))

    assert told.message == f"the traced program answers otherwise in `y` for {words}"
    assert told.hint.endswith("use method: script, or take the branches out")


def test_refuses_a_trace_that_holds_a_size(tmp_path: Path) -> None:
    code = model("return x * torch.ones(int(x.shape[1])).sum()")

    told = refusal(write_spec(tmp_path, code, inputs=FREE, output="[N, L]"))

    assert told.message == ("the traced program answers otherwise in `y` for free dimensions of 96")


def test_refuses_a_trace_that_holds_for_equal_sizes_only(tmp_path: Path) -> None:
    code = model("return x.sum((1, 2)) + (0 if x.shape[1] == x.shape[2] else 7)")
    inputs = "[{name: x, dtype: float32, shape: [N, H, W]}]"

    told = refusal(write_spec(tmp_path, code, inputs=inputs, output="[N]"))

    assert told.message == (
        "the traced program answers otherwise in `y` for free dimensions of 64 and 96"
    )


def test_a_model_may_take_equal_sizes_only(tmp_path: Path) -> None:
    code = model("return x + x.transpose(1, 2)")
    inputs = "[{name: x, dtype: float32, shape: [N, H, W]}]"

    assert export(write_spec(tmp_path, code, inputs=inputs, output="[N, H, W]")).is_dir()


def test_refuses_a_trace_that_fails_for_another_batch(tmp_path: Path) -> None:
    code = model("return x.expand(x.shape[0], 4) if x.shape[0] != 2 else x.view(2, 4)")

    told = refusal(write_spec(tmp_path, code))

    assert told.message.startswith("the traced program fails for random values: ")
    assert "\n" not in told.message


def test_a_script_takes_every_branch(tmp_path: Path) -> None:
    code = model("return x + 1 if bool(x.min() < 0) else x - 1")

    assert export(write_spec(tmp_path, code, more="export: {method: script}")).is_dir()


def test_an_input_that_the_model_refuses_is_no_reason_to_refuse(tmp_path: Path) -> None:
    code = model("""\
if bool(x.min() < 0):
            raise ValueError("negative")
        return x""")

    assert export(write_spec(tmp_path, code, more="export: {method: script}")).is_dir()


def test_a_model_without_batch_dimension_is_held_to_the_same(tmp_path: Path) -> None:
    code = model("return x + 1 if x.max() > 10 else x - 1")

    told = refusal(write_spec(tmp_path, code, inputs=SINGLE, output="[4]"))

    assert told.message == "the traced program answers otherwise in `y` for large values"


def test_samples_of_outputs_that_are_padded_in_a_batch_are_not_compared(tmp_path: Path) -> None:
    code = model("return torch.where(x > 0.5, x, 0.0)[:, : int((x > 0.5).sum(1).max())]")

    spec = write_spec(tmp_path, code, output="[N, L]", more="export: {method: script}")

    program = torch.jit.load(export(spec) / "tiny/1/model.pt")
    one, two = torch.tensor([[0.1, 0.9, 0.1, 0.1]]), torch.tensor([[0.9, 0.9, 0.6, 0.1]])
    assert program(one).shape == (1, 1)
    assert (
        program(torch.cat([one, two])).tolist()
        == torch.tensor([[0.0, 0.9, 0.0], [0.9, 0.9, 0.6]]).tolist()
    )


TWO = "[{name: a, dtype: float32, shape: [N, 4]}, {name: b, dtype: int64, shape: [N, 4]}]"


@pytest.mark.parametrize(
    ("signature", "inputs", "message", "hint"),
    [
        (
            "self, x, mask",
            BATCH,
            "forward takes `x`, `mask`, and the spec names `x`",
            "add an input for `mask`",
        ),
        ("self, x", TWO, "forward takes `x`, and the spec names `a`, `b`", "name 1 input"),
        (
            "self, **x",
            BATCH,
            "forward takes no inputs, and the spec names `x`",
            "let forward take each input by position, with a name of its own",
        ),
        (
            "self, b, a",
            TWO,
            "forward takes `b`, `a` in this order, not `a`, `b`",
            "name the inputs in forward's order",
        ),
    ],
)
def test_holds_the_inputs_against_forwards_arguments(
    tmp_path: Path, signature: str, inputs: str, message: str, hint: str
) -> None:
    code = model(f"return {signature.split(', ')[1].strip('*')}.float()", signature=signature)

    told = refusal(write_spec(tmp_path, code, inputs=inputs))

    assert (told.message, told.hint) == (message, hint)


@pytest.mark.parametrize("signature", ["self, x, scale=2.0", "self, *xs", "self, x, **rest"])
def test_arguments_with_defaults_may_be_left_out(tmp_path: Path, signature: str) -> None:
    code = model("return xs[0]" if "*xs" in signature else "return x", signature=signature)

    assert export(write_spec(tmp_path, code)).is_dir()


def test_triton_finds_arguments_by_name_where_it_is_told_to(tmp_path: Path) -> None:
    code = model("return image", signature="self, image")
    spec = write_spec(tmp_path, code, options="{tensor_names: forward}")

    told = refusal(spec)

    assert told.message == "forward calls this input `image`, and the server looks it up by name"
    assert (told.hint, told.span.line) == ("write name: image", 5)


@pytest.mark.parametrize(
    ("inputs", "hint"),
    [
        ("[{name: x, dtype: float32, shape: [N, 8, 8, 3]}]", "write shape: [N, 3, 8, 8]"),
        ("[{name: x, dtype: float64, shape: [N, 3, 8, 8]}]", "write dtype: float32"),
        (
            "[{name: x, dtype: float32, shape: [N, 9]}]",
            "give the shapes that forward takes; `gen inspect model.py:Model` looks for them",
        ),
    ],
)
def test_says_which_inputs_the_model_takes(tmp_path: Path, inputs: str, hint: str) -> None:
    code = model("return self.conv(x).mean((2, 3))", init="self.conv = nn.Conv2d(3, 4, 3)")

    told = refusal(write_spec(tmp_path, code, inputs=inputs))

    assert told.message.startswith("the model does not take inputs of shape ")
    assert told.message.endswith("(model.py line 11)")
    assert told.hint == hint


def test_counts_class_names_where_the_spec_leaves_the_classes_open(tmp_path: Path) -> None:
    spec = write_spec(tmp_path, model("return x"), output="[N, C]", more="")
    spec.write_text(spec.read_text().replace("storage:", "  class_names: [cat, dog]\nstorage:"))

    told = refusal(spec)

    assert told.message == "2 class names for the 4 classes of `y`"
    assert told.span.line == 8


@pytest.mark.parametrize(
    ("forward", "message", "hint"),
    [
        ("return x.double()", "output `y` is float64 in the model", "write dtype: float64"),
        (
            "return x.bfloat16()",
            "output `y` is bfloat16 in the model",
            "no spec has bfloat16: let forward return it as .float()",
        ),
        (
            "return torch.complex(x, x)",
            "output `y` is complex64 in the model",
            "no spec has complex numbers: let forward return torch.view_as_real(...)",
        ),
    ],
)
def test_the_dtype_to_type_is_one_that_a_spec_has(
    tmp_path: Path, forward: str, message: str, hint: str
) -> None:
    told = refusal(write_spec(tmp_path, model(forward)))

    assert (told.message, told.hint) == (message, hint)


def test_the_shape_to_type_keeps_the_letters_of_the_spec(tmp_path: Path) -> None:
    code = model("return x[:, :, :2]")
    inputs = "[{name: x, dtype: float32, shape: [N, L, 4]}]"

    told = refusal(write_spec(tmp_path, code, inputs=inputs, output="[N, L, 3]"))

    assert told.hint == "write shape: [N, L, 2]"


class Constant(torch.nn.Module):  # type: ignore[misc]  # torch has no types for mypy
    """Answers with a number of its own."""

    def __init__(self, number: float) -> None:
        super().__init__()
        self.number = number

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.full_like(x, self.number)


def saved(folder: Path, number: float) -> Path:
    path = folder / "model.pt"
    torch.jit.script(Constant(number)).save(path)
    return path


def test_a_fresh_process_answers_without_the_users_code(tmp_path: Path) -> None:
    path = saved(tmp_path, 3.0)

    [[first], [second]] = answers_of_a_fresh_process(
        path, "torchscript", [(torch.zeros(2),), (torch.zeros(1, 3),)]
    )

    assert first.tolist() == [3.0, 3.0]
    assert second.tolist() == [[3.0, 3.0, 3.0]]


def test_a_program_that_another_process_cannot_load_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(b"no program")

    with pytest.raises(Refusal) as caught:
        answers_of_a_fresh_process(path, "torchscript", [(torch.zeros(2),)])

    message = "the exported program does not run in a process of its own: RuntimeError: "
    assert caught.value.message.startswith(message)


def test_nothing_of_the_users_can_be_imported_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text("raise SystemExit('the user's own')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    [[answer]] = answers_of_a_fresh_process(
        saved(tmp_path, 1.0), "torchscript", [(torch.zeros(1),)]
    )

    assert answer.tolist() == [1.0]


def test_a_program_that_does_not_answer_in_time_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fresh_process, "SECONDS", 0.1)

    with pytest.raises(CannotRun, match=r"has not answered within 0\.1 s"):
        answers_of_a_fresh_process(saved(tmp_path, 1.0), "torchscript", [(torch.zeros(1),)])


OPERATOR = """\
import torch

torch.library.define("users_own::twice", "(Tensor x) -> Tensor")

@torch.library.impl("users_own::twice", "CompositeExplicitAutograd")
def twice(x):
    return x * 2

class Model(torch.nn.Module):
    def forward(self, x):
        return torch.ops.users_own.twice(x)
"""


def test_refuses_outputs_that_are_one_for_each_sample(tmp_path: Path) -> None:
    told = refusal(write_spec(tmp_path, model("return [each[None] for each in x]")))

    assert told.message == "the model returns 3 tensors for a batch of 3"


class Boxes(torch.nn.Module):  # type: ignore[misc]  # torch has no types for mypy
    """Takes the best of many boxes, and a few as they are."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[0] > 5:
            x = x[torch.ops.torchvision.nms(x, x[:, 0], 0.5)]
        return x


def test_torchvisions_operators_are_there_for_a_server_that_has_them(tmp_path: Path) -> None:
    pytest.importorskip("torchvision_shim")
    path = tmp_path / "model.pt"
    torch.jit.script(Boxes()).save(path)
    boxes = torch.ones(2, 4)

    with pytest.raises(Refusal, match="torchvision::nms"):
        answers_of_a_fresh_process(path, "torchscript", [(boxes,)])
    [[answer]] = answers_of_a_fresh_process(path, "torchscript", [(boxes,)], with_torchvision=True)

    assert torch.equal(answer, boxes)


def test_refuses_a_program_that_needs_operators_of_the_users(tmp_path: Path) -> None:
    told = refusal(write_spec(tmp_path, OPERATOR))

    assert "does not run in a process of its own" in told.message
    assert "users_own::twice" in told.message


@pytest.mark.parametrize(
    ("got", "wanted", "same"),
    [
        ([1.0, 2.0], [1.0, 2.0], True),
        ([1.0, 2.0], [1.0, 2.0001], True),
        ([1.0, 2.0], [1.0, 2.001], False),
        ([0.00005, 100.0], [0.0, 100.0], True),
        ([0.000002, 0.0, 0.0, 5.0], [0.0, 0.0, 0.0, 5.0], True),
        ([5.0, 1.0, 2.0, -1e9], [0.0, 1.0, 2.0, -1e9], False),
        ([1280.0, 1270.0, 640.0, 640.0, 0.9], [1280.0, 1270.0, 640.0, 640.0, 0.85], False),
        ([1280.0, 1270.0, 640.0, 0.005], [1280.0, 1270.0, 640.0, 0.0], True),
        ([float("nan"), 5.0, 1.0], [float("nan"), 0.0, 1.0], False),
        ([0.0, float("nan")], [0.0, float("nan")], True),
        ([0.0, 1.0], [0.0, float("nan")], False),
        ([0.0, float("inf")], [0.0, float("inf")], True),
        ([0.5, float("inf")], [0.0, float("inf")], False),
        ([1], [1.0], False),
        ([3], [4], False),
        ([[1.0]], [1.0], False),
        ([], [], True),
    ],
)
def test_answers_are_the_same_but_for_roundings(
    got: list[float], wanted: list[float], same: bool
) -> None:
    assert answers_like(torch.tensor(got), torch.tensor(wanted)) is same


def test_an_export_that_is_interrupted_leaves_nothing_behind(tmp_path: Path) -> None:
    forward = "open('started', 'w').close(); time.sleep(60); return x"
    spec = write_spec(tmp_path, f"import time\n{model(forward)}")
    code = "import sys; from generator.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "export", spec.name]
    running = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        while not (tmp_path / "started").exists():
            assert running.poll() is None
        time.sleep(0.5)  # the model sleeps by then: while a file is opened Python may lose a signal
        os.kill(running.pid, signal.SIGINT)
        _, told = running.communicate(timeout=60)
    finally:
        running.kill()

    assert running.returncode == 130
    assert told.endswith("gen: interrupted\n")
    assert not (tmp_path / "build").exists()
