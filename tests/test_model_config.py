"""What the check of config.pbtxt takes and refuses, without protobuf."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from generator.model_config import RULES, Table, read, refusals, table
from generator.pbtxt import PbtxtError, Refusal

CIFAR10 = """
name: "cifar10"
platform: "pytorch_libtorch"
max_batch_size: 8
input [
  { name: "INPUT__0" data_type: TYPE_FP32 dims: [ 3, 32, 32 ] }
]
output {
  name: "OUTPUT__0", data_type: TYPE_FP32; dims: 10
  label_filename: "labels.txt"
}
instance_group { count: 0x1 kind: KIND_CPU }
dynamic_batching { preferred_batch_size: [ 4, 8 ] max_queue_delay_microseconds: 100 }
version_policy: { specific { versions: [ 1 ] } }
parameters { key: "INTRA_OP_THREAD_COUNT" value { string_value: "1" } }
parameters { key: "INFERENCE_MODE" value: { string_value: "true" } }
response_cache { enable: f }
"""


def only(text: str) -> Refusal:
    """The one refusal of a text."""
    (refusal,) = refusals(text)
    return refusal


def test_takes_a_config_of_the_usual_parts() -> None:
    assert list(refusals(CIFAR10)) == []


def test_reads_a_config_as_plain_data() -> None:
    assert read(CIFAR10) == {
        "name": "cifar10",
        "platform": "pytorch_libtorch",
        "max_batch_size": 8,
        "input": [{"name": "INPUT__0", "data_type": "TYPE_FP32", "dims": [3, 32, 32]}],
        "output": [
            {
                "name": "OUTPUT__0",
                "data_type": "TYPE_FP32",
                "dims": [10],
                "label_filename": "labels.txt",
            }
        ],
        "instance_group": [{"count": 1, "kind": "KIND_CPU"}],
        "dynamic_batching": {"preferred_batch_size": [4, 8], "max_queue_delay_microseconds": 100},
        "version_policy": {"specific": {"versions": [1]}},
        "parameters": {
            "INTRA_OP_THREAD_COUNT": {"string_value": "1"},
            "INFERENCE_MODE": {"string_value": "true"},
        },
        "response_cache": {"enable": False},
    }


def test_reading_a_refused_config_raises_its_first_refusal() -> None:
    with pytest.raises(PbtxtError, match="1:1: unknown field `nme` of `ModelConfig`"):
        read('nme: "x"')


@pytest.mark.parametrize(
    ("text", "column", "message", "hint"),
    [
        (
            "max_batchsize: 1",
            1,
            "unknown field `max_batchsize` of `ModelConfig`",
            "did you mean `max_batch_size`?",
        ),
        (
            "input { data_type: TYPE_FLOAT }",
            20,
            "unknown enum value `TYPE_FLOAT` of `DataType`",
            "did you mean `TYPE_FP32`?",
        ),
        (
            "input { data_type: TYPE_F32 }",
            20,
            "unknown enum value `TYPE_F32` of `DataType`",
            "did you mean `TYPE_FP32`?",
        ),
        (
            "input { data_type: double }",
            20,
            "unknown enum value `double` of `DataType`",
            "did you mean `TYPE_FP64`?",
        ),
        ("input { data_type: 99 }", 20, "`data_type` takes a `DataType`, not `99`", ""),
        (
            'input { data_type: "TYPE_FP32" }',
            20,
            '`data_type` takes a `DataType`, not "TYPE_FP32"',
            "",
        ),
        ("name: cifar10", 7, "`name` takes a quoted string, not `cifar10`", ""),
        ("name { }", 6, "`name` takes a quoted string, not a message", ""),
        ("input: 5", 8, "`input` takes a message in braces, not `5`", ""),
        ("name: [ 'x' ]", 1, "`name` takes one value, not a list", ""),
        ("name: '' name: ''", 10, "`name` is given twice", ""),
        ("dynamic_batching { } dynamic_batching { }", 22, "`dynamic_batching` is given twice", ""),
        (
            "dynamic_batching { } sequence_batching { }",
            22,
            "`sequence_batching` excludes `dynamic_batching`: `ModelConfig` takes one of them",
            "",
        ),
        (
            "max_batch_size: 2147483648",
            17,
            "`max_batch_size` takes a whole number from -2147483648 to 2147483647,"
            " not `2147483648`",
            "",
        ),
        (
            "dynamic_batching { max_queue_delay_microseconds: -1 }",
            50,
            "`max_queue_delay_microseconds` takes a whole number from 0 to 18446744073709551615,"
            " not `-1`",
            "",
        ),
        ("response_cache { enable: yes }", 26, "`enable` takes true or false, not `yes`", ""),
        (
            "parameters { key: 'a' value: 'b' }",
            30,
            '`value` takes a message in braces, not "b"',
            "",
        ),
        ("parameters { name: 'a' }", 14, "unknown field `name` of `parameters`", ""),
        ("metric_tags { key: 'a' value: 1 }", 31, "`value` takes a quoted string, not `1`", ""),
    ],
)
def test_refuses_what_protobuf_refuses(text: str, column: int, message: str, hint: str) -> None:
    assert replace(only(text), rule="") == Refusal(1, column, message, hint)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("input {", "syntax"),
        ("nme: 'x'", "unknown-field"),
        ("input { data_type: TYPE_FLOAT }", "unknown-enum-value"),
        ("name: 5", "wrong-type"),
        ("input: 5", "wrong-type"),
        ("name { }", "wrong-type"),
        ("name: [ 'x' ]", "wrong-type"),
        ("name: '' name: ''", "repeated-field"),
        ("dynamic_batching { } sequence_batching { }", "exclusive-fields"),
    ],
)
def test_names_the_rule_of_a_refusal(text: str, rule: str) -> None:
    assert only(text).rule == f"config-pbtxt/{rule}"
    assert only(text).rule in RULES


@pytest.mark.parametrize("number", ["0", "-0", "7", "010", "0x1F", "0X1f", "-2147483648"])
def test_takes_whole_numbers_in_three_bases(number: str) -> None:
    assert list(refusals(f"max_batch_size: {number}")) == []


@pytest.mark.parametrize(
    "number", ["08", "+1", "- 1", "1_000", "0b1", "0o7", "1.0", "1e3", "0x", "9" * 5000, "true"]
)
def test_refuses_other_spellings_of_whole_numbers(number: str) -> None:
    assert list(refusals(f"max_batch_size: {number}"))


UTILIZATION = "sequence_batching {{ direct {{ minimum_slot_utilization: {} }} }}"


@pytest.mark.parametrize(
    ("number", "meaning"),
    [
        ("1", 1.0),
        ("1.5f", 1.5),
        ("1F", 1.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("-2e-3", -0.002),
        ("inf", float("inf")),
        ("-Infinity", float("-inf")),
    ],
)
def test_takes_floats_as_c_spells_them(number: str, meaning: float) -> None:
    assert read(UTILIZATION.format(number)) == {
        "sequence_batching": {"direct": {"minimum_slot_utilization": meaning}}
    }


@pytest.mark.parametrize("number", ["0x1", "00.5", "1_0.5", "1.5ff", "+1.5", "one", "'1'"])
def test_refuses_other_spellings_of_floats(number: str) -> None:
    assert list(refusals(UTILIZATION.format(number)))


def test_tells_every_refusal_in_the_order_of_the_text() -> None:
    text = "nme: 'x'\ninput {\n  dim: 3\n  data_type: FP32\n}\nmax_batch_size: 'x'\n"

    assert [(r.line, r.column) for r in refusals(text)] == [(1, 1), (3, 3), (4, 14), (6, 17)]


def test_text_that_cannot_be_read_is_refused_once() -> None:
    refusal = only("nme: 'x'\ninput {")

    assert (refusal.line, refusal.column) == (2, 8)
    assert refusal.message == "expected a field name or `}`, found the end of the text"


def test_a_part_of_a_config_can_be_checked_alone() -> None:
    assert list(refusals("name: 'x' dims: 3", root="ModelInput")) == []


def test_a_long_value_is_shortened_in_the_message() -> None:
    assert len(only(f"max_batch_size: {'9' * 5000}").message) < 200


@given(st.text(alphabet="name inputdims:1\"'\\x{}[],\n"))
def test_any_text_is_taken_or_refused(text: str) -> None:
    assert all(refusal.line >= 1 and refusal.column >= 1 for refusal in refusals(text))


def test_the_table_says_which_release_it_comes_from() -> None:
    loaded = table()

    assert isinstance(loaded, Table)
    assert loaded.source.startswith("tritonclient 2.")


def test_the_table_refers_only_to_types_that_the_check_knows() -> None:
    scalars = {"string", "bool", "int32", "int64", "uint32", "uint64", "float", "double"}
    fields = [field for message in table().messages.values() for field in message.values()]

    assert {field.type for field in fields} <= scalars | {*table().messages, *table().enums}
    assert {field.key for field in fields if field.key} <= {"string", "uint64"}


def test_the_check_needs_neither_protobuf_nor_numpy() -> None:
    program = (
        "import sys; from generator.model_config import refusals;"
        "from generator.model_config_rules import broken_rules;"
        "assert not list(refusals('name: \"x\"')) and not list(broken_rules(''));"
        "assert not {'google', 'numpy', 'tritonclient'} & set(sys.modules)"
    )

    subprocess.run([sys.executable, "-c", program], check=True)
