"""What a well-formed config.pbtxt must not say, and what it may."""

from collections.abc import Collection, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.model_config import FieldType, refusals, table
from generator.model_config_rules import RULES, broken_rules

TENSORS = """
input { name: "A" data_type: TYPE_FP32 dims: [ 3, -1 ] reshape { shape: [ 3, -1 ] } }
output { name: "A" data_type: TYPE_FP32 dims: 10 label_filename: "labels.txt" }
"""
TORCH = 'platform: "pytorch_libtorch" '
PYTHON = 'backend: "python" '
ENSEMBLE = 'platform: "ensemble" '
IN = "input { name: 'A' data_type: TYPE_FP32 dims: 3 } "
OUT = "output { name: 'B' data_type: TYPE_FP32 dims: 3 } "
SOUND = (
    TENSORS
    + TORCH
    + """
backend: "pytorch" max_batch_size: 8
dynamic_batching { preferred_batch_size: [ 1, 8 ] }
instance_group { kind: KIND_GPU gpus: 0 count: 1 } instance_group { kind: KIND_CPU }
response_cache { enable: false }
version_policy { latest { num_versions: 2 } }
model_warmup {
  name: "w" batch_size: 8
  inputs { key: "A" value { data_type: TYPE_FP32 dims: [ 3, 7 ] random_data: true } }
}
parameters { key: "INFERENCE_MODE" value { string_value: "True" } }
parameters { key: "my_own" value { string_value: "1" } }
"""
)


def warm_up(inputs: str, size: int = 1) -> str:
    return f"model_warmup {{ batch_size: {size} {inputs} }}"


def warmed(value: str, name: str = "A") -> str:
    return f"inputs {{ key: '{name}' value {{ {value} }} }} "


def control(inner: str, name: str = "S") -> str:
    return f"sequence_batching {{ control_input {{ name: '{name}' control {{ {inner} }} }} }}"


def state(shape: str, *initial: str, type: str = "TYPE_FP32", name: str = "name: 'z'") -> str:
    """A state of TYPE_FP32, and what it begins as."""
    data_type = f"data_type: {type} " if type else ""
    states = "".join(f"initial_state {{ {data_type}{name} {each} }} " for each in initial)
    inner = f"input_name: 'i' output_name: 'o' data_type: TYPE_FP32 {shape} {states}"
    return f"sequence_batching {{ state {{ {inner} }} }} "


def step(reads: str = "A", writes: str = "B", more: str = "model_name: 'm'") -> str:
    maps = f"input_map {{ key: 'i' value: '{reads}' }} output_map {{ key: 'o' value: '{writes}' }}"
    return f"step {{ {more} {maps} }} "


def ensemble(*steps: str, more: str = "") -> str:
    return f"{ENSEMBLE}{IN}{OUT}{more} ensemble_scheduling {{ {''.join(steps)} }}"


FLAG = "kind: CONTROL_SEQUENCE_START"
DATA = "data_type: TYPE_FP32 dims: 3 zero_data: true"
# A rule, what breaks it, and what is said; each case breaks no other.
CASES = [
    ("duplicate-tensor-name", IN + IN, ["two tensors named `A` among `input`"]),
    (
        "incomplete-tensor",
        TORCH + "input { } output { name: '' data_type: TYPE_INVALID dims: [ ] }",
        ["`name`", "`data_type`", "`dims`"] * 2,
    ),
    (
        "impossible-dimension",
        TENSORS.replace("[ 3, -1 ] }", "0 }").replace("3, -1", "0, -2"),
        ["dimension 0 is neither", "dimension -2 is neither", "dimension 0 is neither"],
    ),
    (
        "reshape-of-another-size",
        TENSORS.replace("[ 3, -1 ] }", "[ -1, 3 ] }"),
        ["reshape [-1, 3] does not hold the elements of dims [3, -1]"],
    ),
    (
        "reshape-of-another-size",
        "input { dims: [ 2, 3 ] reshape { shape: [ 3, 2 ] } }"
        " input { dims: [ 2, 3 ] reshape { shape: 5 } }"
        " input { dims: [ 1, 1 ] reshape { } } input { dims: 2 reshape { } }"
        " input { dims: [ 2, -1, 3 ] reshape { shape: [ -1, 6 ] } }",
        ["reshape [5]", "reshape []", "reshape [-1, 6]"],
    ),
    (
        "empty-reshape-without-batching",
        TORCH + IN.replace("3 }", "1 reshape { } }") + OUT,
        ["an empty reshape with max_batch_size 0"],
    ),
    (
        "format-without-three-dimensions",
        "input { format: FORMAT_NCHW dims: [ 3, 2 ] } input { format: FORMAT_NONE dims: 3 }",
        ["`FORMAT_NCHW` needs 3 dims, not 2"],
    ),
    (
        "field-of-tensorrt-alone",
        PYTHON + "input { is_shape_tensor: true } instance_group { profile: [ '0', '1' ] }",
        ["`is_shape_tensor` on backend `python`", "`profile` on backend `python`"],
    ),
    ("empty-label-filename", "output { label_filename: '' }", ["`label_filename` is empty"]),
    (
        "batch-tensor-of-unknown-tensor",
        IN + OUT + "batch_input { source_input: 'Z' data_type: TYPE_INT32 }"
        " batch_output { source_input: 'A' target_name: [ 'B', 'Y' ] }",
        ["no input is named `Z`", "no output is named `Y`"],
    ),
    (
        "batch-tensor-without-one-source",
        "batch_input { data_type: TYPE_INT32 } batch_output { source_input: [ 'A', 'B' ] }",
        ["`batch_input` takes one source_input, not 0", "`batch_output` takes one source_input, n"],
    ),
    (
        "batch-input-of-another-type",
        "batch_input { source_input: 'A' } batch_input { source_input: 'A' data_type: TYPE_INT64 }",
        ["`batch_input` without `data_type`", "`batch_input` is TYPE_INT32 or TYPE_FP32, not TYPE"],
    ),
    (
        "type-that-torch-lacks",
        TORCH + IN.replace("FP32", "UINT32") + OUT.replace("FP32", "BF16"),
        ["backend `pytorch` does not serve TYPE_UINT32", "backend `pytorch` does not serve TYPE_B"],
    ),
    (
        "text-of-two-dimensions",
        TORCH + "max_batch_size: 2 " + IN.replace("FP32", "STRING") + OUT,
        ["TYPE_STRING of one dimension"],
    ),
    (
        "torch-index-out-of-order",
        TORCH + IN.replace("A", "X__0") + IN.replace("A", "Y__2") + OUT,
        ["`Y__2` is argument 2, and there are 2 inputs"],
    ),
    (
        "torch-index-out-of-order",
        TORCH + IN.replace("A", "X__0") + IN.replace("A", "Y__00") + OUT,
        ["`Y__00` and `X__0` are one argument"],
    ),
    ("negative-max-batch-size", "max_batch_size: -1", ["max_batch_size -1 is negative"]),
    (
        "batching-without-maximum",
        TORCH + "dynamic_batching { }",
        ["`dynamic_batching` joins no requests with max_batch_size 0"],
    ),
    (
        "batching-without-maximum",
        PYTHON + "max_batch_size: 0 dynamic_batching { }",
        ["`dynamic_batching` joins no requests with max_batch_size 0"],
    ),
    (
        "preferred-batch-outside-maximum",
        "max_batch_size: 8 dynamic_batching { preferred_batch_size: [ 4, 16, 0 ] }",
        ["preferred batch 16 exceeds max_batch_size 8", "preferred batch 0 is below 1"],
    ),
    (
        "preferred-batch-outside-maximum",
        "max_batch_size: 8 sequence_batching { oldest { preferred_batch_size: 9 } }",
        ["preferred batch 9 exceeds max_batch_size 8"],
    ),
    (
        "preferred-batch-outside-maximum",
        PYTHON + "dynamic_batching { preferred_batch_size: 4 }",
        ["preferred batch 4 exceeds max_batch_size 0"],
    ),
    (
        "preferred-batch-outside-maximum",
        PYTHON + "max_batch_size: 0 sequence_batching { oldest { preferred_batch_size: 2 } }",
        ["preferred batch 2 exceeds max_batch_size 0"],
    ),
    (
        "default-priority-outside-levels",
        "dynamic_batching { priority_levels: 2 }",
        ["2 priority_levels without `default_priority_level`"],
    ),
    (
        "default-priority-outside-levels",
        "dynamic_batching { priority_levels: 2 default_priority_level: 3 }",
        ["priority level 3 is not from 1 to 2"],
    ),
    (
        "queue-policy-outside-levels",
        "dynamic_batching { priority_levels: 2 default_priority_level: 1"
        " priority_queue_policy { key: 2 } priority_queue_policy { key: 3 } }",
        ["queue policy of priority level 3"],
    ),
    (
        "priority-without-levels",
        "dynamic_batching { default_priority_level: 3 }",
        ["a priority without `priority_levels` has no effect"],
    ),
    (
        "priority-without-levels",
        "dynamic_batching { priority_queue_policy { key: 1 } }",
        ["`priority_queue_policy` without `priority_levels` has no effect"],
    ),
    (
        "order-against-priorities",
        "dynamic_batching { priority_levels: 2 default_priority_level: 1 preserve_ordering: true }",
        ["`preserve_ordering` excludes 2 priority_levels"],
    ),
    (
        "order-against-delays",
        "dynamic_batching { preserve_ordering: true default_queue_policy"
        " { timeout_action: DELAY default_timeout_microseconds: 5 } }",
        ["timeout_action DELAY excludes `preserve_ordering`"],
    ),
    (
        "response-cache-without-server-cache",
        "response_cache { enable: true }",
        ["`response_cache` has no effect on a server without a cache"],
    ),
    (
        "decoupled-without-need",
        TORCH + "model_transaction_policy { decoupled: true }",
        ["a decoupled model answers no HTTP inference"],
    ),
    (
        "control-without-name",
        control(FLAG + " int32_false_true: [ 0, 1 ]", name=""),
        ["a `control_input` without `name`"],
    ),
    (
        "control-given-twice",
        "sequence_batching { control_input { name: 'S' control { int32_false_true: [ 0, 1 ] } }"
        " control_input { name: 'S' control { bool_false_true: [ false, true ] } } }",
        ["two control inputs named `S`", "a second tensor for CONTROL_SEQUENCE_START"],
    ),
    (
        "control-of-an-input",
        IN + control(FLAG + " fp32_false_true: [ 0, 1 ]", name="A"),
        ["control input `A` is named like an input"],
    ),
    ("control-without-two-values", control(FLAG), ["takes one of int32_false_true, fp32_false_tr"]),
    (
        "control-without-two-values",
        control(FLAG + " int32_false_true: 0"),
        ["`int32_false_true` takes two values, not 1"],
    ),
    (
        "sequence-identity-of-another-type",
        control("kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_FP32 int32_false_true: [ 0, 1 ]"),
        ["`int32_false_true` in CONTROL_SEQUENCE_CORRID", "CONTROL_SEQUENCE_CORRID takes TYPE_UIN"],
    ),
    (
        "slot-utilization-outside-range",
        "sequence_batching { direct { minimum_slot_utilization: 1.5f } }",
        ["minimum_slot_utilization 1.5f is not from 0 to 1"],
    ),
    (
        "control-that-torch-cannot-place",
        TORCH + control(FLAG + " fp32_false_true: [ 0, 1 ]"),
        ["`S` does not say which argument it is"],
    ),
    (
        "instance-count-below-one",
        "instance_group [ { count: 0 }, { count: -2 } ]",
        ["instance count 0 is below 1", "instance count -2 is below 1"],
    ),
    ("gpus-without-gpu-kind", "instance_group { kind: KIND_CPU gpus: [ 0, 1 ] }", ["KIND_CPU"]),
    (
        "warm-up-outside-maximum",
        "max_batch_size: 2 model_warmup { batch_size: 4 } model_warmup { batch_size: 0 }"
        " model_warmup { }",
        ["warm-up batch 4 exceeds max_batch_size 2", "warm-up batch 0", "without `batch_size`"],
    ),
    ("warm-up-without-input", IN + warm_up(""), ["`model_warmup` without input `A`"]),
    (
        "warm-up-of-unknown-input",
        IN + warm_up(warmed(DATA) + warmed(DATA, "Z")),
        ["warm-up of unknown input `Z`"],
    ),
    (
        "warm-up-of-another-type",
        IN + warm_up(warmed("dims: 3 zero_data: true")),
        ["warm-up of input `A` without `data_type`"],
    ),
    (
        "warm-up-of-another-type",
        IN + warm_up(warmed(DATA.replace("FP32", "INT8"))),
        ["warm-up of TYPE_INT8 for input `A` of TYPE_FP32"],
    ),
    (
        "warm-up-of-another-shape",
        IN + warm_up(warmed(DATA.replace("dims: 3", "dims: [ 1, 3 ]"))),
        ["warm-up of dims [1, 3] for input `A` of dims [3]"],
    ),
    (
        "warm-up-of-open-size",
        IN + warm_up(warmed(DATA.replace("dims: 3", "dims: -1"))),
        ["a warm-up needs each dimension"],
    ),
    (
        "warm-up-without-data",
        IN + warm_up(warmed("data_type: TYPE_FP32 dims: 3")),
        ["warm-up of `A` without data"],
    ),
    (
        "schedule-outside-ensemble",
        IN + OUT + f"ensemble_scheduling {{ {step()} }}",
        ["`ensemble_scheduling` needs platform `ensemble`"],
    ),
    ("ensemble-without-steps", ENSEMBLE, ["an ensemble without `step`"]),
    ("backend-of-ensemble", ensemble(step(), more=PYTHON), ["backend `python` does not serve pla"]),
    (
        "instances-of-ensemble",
        ensemble(step(), more="instance_group { } optimization { }"),
        ["an ensemble takes no `instance_group`", "an ensemble takes no `optimization`"],
    ),
    (
        "incomplete-step",
        ensemble(step(), "step { }"),
        [
            "a step without `model_name`",
            "a step without `input_map`",
            "a step without `output_map`",
        ],
    ),
    (
        "incomplete-step",
        ensemble(
            step(more="model_name: 'm' output_map { key: 'z' value: '' } output_map { key: 'y' }")
        ),
        ["an `output_map` without `value`"] * 2,
    ),
    (
        "incomplete-step",
        ensemble(step(more="model_name: 'm' input_map { key: 'z' }")),
        ["an `input_map` without `value`"],
    ),
    (
        "ensemble-of-itself",
        "name: 'm' " + ensemble(step()),
        ["ensemble `m` calls itself"],
    ),
    (
        "tensor-mapped-twice",
        ensemble(step(more="model_name: 'm' input_map { key: 'i' value: 'A' }")),
        ["`i` is mapped twice in `input_map`"],
    ),
    ("tensor-written-twice", ensemble(step(), step()), ["a second step writes `B`"]),
    (
        "tensor-that-nothing-writes",
        ensemble(step(), step(reads="Q", writes="B2"), step(reads="B2", writes="B3"))
        + "output { name: 'B3' data_type: TYPE_FP32 dims: 3 }"
        + "output { name: 'B4' data_type: TYPE_FP32 dims: 3 }",
        ["no step writes `Q`, and it is no input", "no step writes output `B4`"],
    ),
    (
        "tensor-that-nothing-writes",
        ensemble(step(), step(reads="C", writes="D"), step(reads="D", writes="C")),
        ["a step waits for what it leads to itself"],
    ),
    (
        "tensor-that-nothing-reads",
        ensemble(step(), step(writes="C")) + IN.replace("'A'", "'U'"),
        ["no step reads input `U`", "`C` is written, and nothing uses it"],
    ),
    (
        "platform-of-another-backend",
        'platform: "pytorch_libtorch" backend: "python"',
        ["backend `python` does not serve platform `pytorch_libtorch`"],
    ),
    (
        "platform-of-another-backend",
        'platform: "onnx" backend: "onnxruntime"',
        ["backend `onnxruntime` does not serve platform `onnx`"],
    ),
    ("unknown-platform", 'platform: "pytorch"', ["unknown platform `pytorch`"]),
    (
        "platform-as-backend",
        'backend: "pytorch_libtorch"',
        ["no backend of Triton's is named `pytorch_libtorch`"],
    ),
    ("platform-as-backend", 'backend: "ensemble"', ["`ensemble` is a platform, not a backend"]),
    (
        "torch-parameter-of-another-type",
        TORCH + "parameters { key: 'INFERENCE_MODE' value { string_value: 'yes' } }"
        " parameters { key: 'INTRA_OP_THREAD_COUNT' value { string_value: 'all' } }",
        ["`INFERENCE_MODE` takes true or false, not `yes`", "`INTRA_OP_THREAD_COUNT` takes a whol"],
    ),
    (
        "misspelt-torch-parameter",
        TORCH + "parameters { key: 'intra_op_thread_count' value { string_value: '1' } }",
        ["backend `pytorch` does not read parameter `intra_op_thread_count`"],
    ),
    (
        "python-parameter-of-another-word",
        PYTHON + "parameters { key: 'FORCE_CPU_ONLY_INPUT_TENSORS' value { string_value: '1' } }",
        ["`FORCE_CPU_ONLY_INPUT_TENSORS` takes yes or no, not `1`"],
    ),
    (
        "field-that-torch-ignores",
        TORCH + "optimization { graph { level: 1 } input_pinned_memory { enable: true } }"
        " model_operations { }",
        ["does not read `optimization.graph`", "does not read `model_operations`"],
    ),
    (
        "repeated-parameter",
        "parameters { key: 'a' } parameters [ { key: 'b' }, { key: 'a' } ]",
        ["parameter `a` is given twice"],
    ),
    (
        "policy-of-no-version",
        "version_policy { latest { } }",
        ["`latest` serves 0 versions"],
    ),
    (
        "policy-of-no-version",
        "version_policy { specific { versions: [ ] } }",
        ["`specific` serves no version"],
    ),
    (
        "incomplete-metric-control",
        "model_metrics { metric_control { } metric_control { metric_identifier { family: 'f' }"
        " histogram_options { buckets: 1 } } }",
        ["without `metric_identifier.family`", "without `histogram_options.buckets`"],
    ),
    (
        "response-cache-of-streams",
        "response_cache { enable: true } sequence_batching { }",
        ["`response_cache` excludes `sequence_batching`"],
    ),
    (
        "response-cache-of-streams",
        "response_cache { enable: true } model_transaction_policy { decoupled: true }",
        ["`response_cache` excludes a decoupled `model_transaction_policy`"],
    ),
    (
        "incomplete-initial-state",
        state("dims: 2", "dims: 2", name=""),
        ["an `initial_state` without `name`", "an `initial_state` without data"],
    ),
    (
        "incomplete-initial-state",
        state("dims: 2", *["dims: 2 zero_data: true"] * 2),
        ["a second `initial_state` of state `i`"],
    ),
    (
        "initial-state-of-another-type",
        state("dims: 2", "dims: 2 zero_data: true", type="TYPE_INT32"),
        ["an `initial_state` of TYPE_INT32 for state `i` of TYPE_FP32"],
    ),
    (
        "initial-state-of-another-type",
        state("dims: 2", "dims: 2 zero_data: true", type=""),
        ["an `initial_state` of state `i` without `data_type`"],
    ),
    (
        "initial-state-of-another-shape",
        state("dims: -1", "dims: -1 zero_data: true"),
        ["an `initial_state` needs each dimension"],
    ),
    (
        "initial-state-of-another-shape",
        state("dims: [ -1, 2 ]", "dims: [ 1, 3 ] zero_data: true"),
        ["an `initial_state` of dims [1, 3] for state `i` of dims [-1, 2]"],
    ),
    (
        "initial-state-of-another-shape",
        state("dims: -1", "dims: [ 3, 1 ] zero_data: true"),
        ["an `initial_state` of dims [3, 1] for state `i` of dims [-1]"],
    ),
]
FILES = ("labels.txt", "warmup/a.raw", "initial_state/a.raw", "2/model.onnx")
AROUND = [
    (
        "name-of-another-folder",
        "name: 'm'",
        {"folder": "n"},
        ["name `m` in a folder named `n`"],
    ),
    (
        "version-without-folder",
        "version_policy { specific { versions: [ 2, 3 ] } }",
        {"files": FILES},
        ["version 3 has no folder here"],
    ),
    (
        "label-file-missing",
        "output { label_filename: 'labels.txt' } output { label_filename: 'l.txt' }",
        {"files": FILES},
        ["no file `l.txt` beside the config"],
    ),
    (
        "warm-up-file-missing",
        warm_up(warmed("input_data_file: 'a.raw'") + warmed("input_data_file: 'b.raw'", "B")),
        {"files": FILES},
        ["no file `warmup/b.raw` beside the config"],
    ),
    (
        "initial-state-file-missing",
        state("dims: 2", "dims: 2 data_file: 'b'"),
        {"files": FILES},
        ["no file `initial_state/b` beside the config"],
    ),
]


def told(
    text: str,
    *,
    server_cache: bool | None = True,
    folder: str | None = None,
    files: Collection[str] | None = None,
) -> list[tuple[str, str]]:
    """The rules that a text without refusals breaks, each with its message."""
    assert list(refusals(text)) == []
    found = broken_rules(text, server_cache=server_cache, folder=folder, files=files)
    return [(refusal.rule.removeprefix("config-pbtxt/"), refusal.message) for refusal in found]


def test_a_sound_config_breaks_no_rule() -> None:
    assert told(SOUND, server_cache=False, folder="sound") == []


@pytest.mark.parametrize(("rule", "text", "messages"), CASES)
def test_refuses(rule: str, text: str, messages: list[str]) -> None:
    found = told(text, server_cache=rule != "response-cache-without-server-cache")

    assert [name for name, _ in found] == [rule] * len(messages)
    assert all(part in said for (_, said), part in zip(found, messages, strict=True))


@pytest.mark.parametrize(("rule", "text", "around", "messages"), AROUND)
def test_refuses_what_its_folder_denies(
    rule: str, text: str, around: dict[str, Collection[str]], messages: list[str]
) -> None:
    assert told(text, **around) == [(rule, message) for message in messages]  # type: ignore[arg-type]  # a case has one of them
    assert told(text) == []


def test_an_example_that_lies_in_no_repository_is_not_held_against_its_folder() -> None:
    text = "name: 'm' output { label_filename: 'l.txt' }" + warm_up(
        warmed("input_data_file: 'a.raw'")
    )

    assert told(text, folder="docs", files=["config.pbtxt", "README.md"]) == []


def test_takes_an_initial_state_whose_file_is_there() -> None:
    assert told(state("dims: 2", "dims: 2 data_file: 'a.raw'"), files=FILES) == []


def test_every_rule_has_a_case() -> None:
    assert {rule.__name__.replace("_", "-") for rule in RULES} == {
        case[0] for case in (*CASES, *AROUND)
    }


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_gives_its_source(rule: object) -> None:
    text = rule.__doc__ or ""

    assert any(source in text for source in ("[core]", "[ran]", "[torch]", "pytorch_backend")) or (
        text.startswith(("Protobuf keeps", "Triton reads an empty"))
    )


@pytest.mark.parametrize(
    "text",
    [
        # Backends that complete a config from the model file.
        'platform: "onnxruntime_onnx"',
        'backend: "openvino" input { name: "A" } output { }',
        'platform: "onnxruntime_onnx" max_batch_size: 0 dynamic_batching { }',
        PYTHON,
        PYTHON + "input { name: 'A' }",
        PYTHON + "dynamic_batching { }",
        'backend: "pytorch" runtime: "model.py" input { name: "A" }',
        'backend: "one_of_my_own" platform: "of_my_own" input { } dynamic_batching { }',
        "max_batch_size: 4 dynamic_batching { }",
        # What is rare, and right.
        'default_model_filename: "model.onnx" platform: "mine"',
        'platform: "tensorrt_plan" input { is_shape_tensor: true } instance_group { profile: "0" }',
        'backend: "python" platform: "pytorch"',
        TORCH + "max_batch_size: 8 " + IN.replace("A", "INPUT__0") + OUT,
        TORCH + IN.replace("A", "x__1") + IN.replace("A", "x__0") + OUT,
        TORCH + IN.replace("A", "mask__a") + IN.replace("A", "x__7") + OUT,
        TORCH + IN.replace("FP32", "STRING") + OUT.replace("FP32", "STRING"),
        "max_batch_size: 2 input { dims: 1 reshape { } }",
        "input { dims: [ -1, 1 ] reshape { shape: -1 } }",
        "dynamic_batching { priority_levels: 18446744073709551615 default_priority_level: 7 }",
        "dynamic_batching { preserve_ordering: true default_queue_policy { timeout_action: 1 } }",
        control("kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_STRING"),
        "sequence_batching { iterative_sequence: true oldest { } }",
        "input { name: 'A' optional: true } " + warm_up(""),
        state("dims: [ -1, 2 ]", "dims: [ 1, 2 ] zero_data: true"),
        state("dims: 2", "dims: 2 data_file: 'a.raw'", type="11"),
        PYTHON + "input { name: 'A' } " + warm_up(warmed("dims: 3 zero_data: true")),
        "model_warmup { batch_size: 1 }",
        warm_up(warmed("zero_data: true", "whatever the file has")),
        control(FLAG + " int32_false_true: [ 0, 1 ]")
        + IN
        + warm_up(warmed(DATA) + warmed(DATA, "S")),
        ensemble(step(writes="C"), step(reads="C")),
        ensemble(step(reads="C"), step(writes="C")),
        ensemble(step(), step(writes="B2")) + OUT.replace("B", "B2"),
        "version_policy { all { } }",
        "name: '' version_policy { specific { versions: 1 } }",
    ],
)
def test_takes(text: str) -> None:
    assert told(text, folder="e") == []


@pytest.mark.parametrize(
    ("server_cache", "severities"), [(False, ["error"]), (None, ["warning"]), (True, [])]
)
def test_a_response_cache_is_fine_on_a_server_that_has_one(
    server_cache: bool | None, severities: list[str]
) -> None:
    found = broken_rules("response_cache { enable: true }", server_cache=server_cache)

    assert [refusal.severity for refusal in found] == severities


def test_what_has_no_effect_is_a_warning() -> None:
    text = TORCH + "dynamic_batching { } optimization { graph { } } instance_group { count: 0 }"

    assert {refusal.severity for refusal in broken_rules(text)} == {"warning"}


@pytest.mark.parametrize(
    ("files", "rules"),
    [
        (["1/model.pt"], ["incomplete-tensor"] * 2),
        (["1/model.onnx"], []),
        (["10/model.onnx", "9/model.pt"], []),  # the first by name is looked into
        (["config.pbtxt", "labels.txt"], []),
    ],
)
def test_the_model_file_tells_the_backend(files: list[str], rules: list[str]) -> None:
    text = "input { name: 'A' } "

    assert [rule for rule, _ in told(text, files=files)] == rules


SCALARS = {
    "string": st.sampled_from(["'A'", "'ensemble'", "'pytorch'", "'x__1'", "''", "'1/model.pt'"]),
    "bool": st.sampled_from(["true", "f", "1"]),
    "float": st.sampled_from(["1.5f", "-inf", "nan", "0"]),
    "double": st.sampled_from(["1.5f", "-inf", "nan", "0"]),
}


def values(name: str, depth: int) -> st.SearchStrategy[str]:
    """Values of a type of the table, as text."""
    known = table()
    if name in known.enums:
        words = [*known.enums[name], *map(str, known.enums[name].values())]
        return st.sampled_from(words)
    if name in known.messages:
        fields = messages(known.messages[name], depth - 1) if depth else st.just("")
        return fields.map(lambda text: f"{{ {text} }}")
    numbers = ["0", "1", "0x2"] if name.startswith("u") else ["0", "1", "-1", "-2", "07"]
    return SCALARS.get(name, st.sampled_from(numbers))


def messages(types: Mapping[str, FieldType], depth: int) -> st.SearchStrategy[str]:
    """Texts with some fields of a message, each once."""

    def field(name: str) -> st.SearchStrategy[str]:
        wanted = types[name]
        value = values(wanted.type, depth)
        if wanted.key:
            key = values(wanted.key, depth)
            value = st.tuples(key, value).map(lambda pair: f"{{ key: {pair[0]} value: {pair[1]} }}")
        return value.map(lambda text: f"{name}: {text} ")

    if not types:
        return st.just("")
    names = st.lists(st.sampled_from(sorted(types)), max_size=4, unique=True)
    return names.flatmap(lambda chosen: st.tuples(*map(field, chosen)).map("".join))


@given(messages(table().messages["ModelConfig"], 4))
def test_rules_read_every_config_that_can_be_written(text: str) -> None:
    if not list(refusals(text)):  # two fields of a oneof
        for refusal in broken_rules(text, server_cache=None, folder="m", files=["1/model.pt"]):
            assert (refusal.line, bool(refusal.column), bool(refusal.message)) == (1, True, True)


def test_a_message_is_one_short_line_whatever_the_names() -> None:
    name = "a\\n\\033[31m" + "b" * 5000
    text = f'input {{ name: "{name}" }} input {{ name: "{name}" }}'

    [(_, message)] = told(text)

    assert message.isprintable()
    assert len(message) <= 300


def test_a_rule_points_at_the_value() -> None:
    (refusal,) = broken_rules("max_batch_size: 8\ndynamic_batching { preferred_batch_size: 16 }")

    assert (refusal.line, refusal.column) == (2, 42)
    assert refusal.rule == "config-pbtxt/preferred-batch-outside-maximum"
