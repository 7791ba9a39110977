"""What a well-formed config.pbtxt must not say."""

import pytest

from generator.model_config import refusals
from generator.model_config_rules import RULES, broken_rules
from generator.pbtxt import parse

TENSORS = """
input { name: "A" data_type: TYPE_FP32 dims: [ 3, -1 ] reshape { shape: [ -1, 3 ] } }
output { name: "A" data_type: TYPE_FP32 dims: 10 label_filename: "labels.txt" }
"""
SOUND = (
    TENSORS
    + """
platform: "pytorch_libtorch" backend: "pytorch" max_batch_size: 8
dynamic_batching { preferred_batch_size: [ 1, 8 ] }
instance_group { kind: KIND_GPU gpus: 0 count: 1 } instance_group { kind: KIND_CPU }
response_cache { enable: false }
model_warmup { name: "w" batch_size: 8 }
parameters { key: "a" value { string_value: "1" } }
parameters { key: "b" value { string_value: "1" } }
"""
)

CASES = [
    ("duplicate_tensor_name", "max_batch_size: 1" + TENSORS + TENSORS.split("\n")[1], ["`A`"]),
    ("batching_without_maximum", "dynamic_batching { }", ["max_batch_size 0"]),
    ("batching_without_maximum", "max_batch_size: 0 dynamic_batching { }", ["max_batch_size 0"]),
    (
        "preferred_batch_outside_maximum",
        "max_batch_size: 8 dynamic_batching { preferred_batch_size: [ 4, 16, 0 ] }",
        ["preferred batch 16 exceeds max_batch_size 8", "preferred batch 0 is below 1"],
    ),
    ("negative_max_batch_size", "max_batch_size: -1", ["max_batch_size -1 is negative"]),
    (
        "instance_count_below_one",
        "instance_group [ { count: 0 }, { count: -2 } ]",
        ["instance count 0 is below 1", "instance count -2 is below 1"],
    ),
    ("gpus_without_gpu_kind", "instance_group { kind: KIND_CPU gpus: [ 0, 1 ] }", ["KIND_CPU"]),
    ("response_cache_without_server_cache", "response_cache { enable: true }", ["no effect"]),
    (
        "platform_of_another_backend",
        'platform: "pytorch_libtorch" backend: "python"',
        ["backend `python` does not serve platform `pytorch_libtorch`"],
    ),
    (
        "warm_up_outside_maximum",
        "max_batch_size: 2 model_warmup { batch_size: 4 } model_warmup { batch_size: 0 }"
        " model_warmup { }",
        ["warm-up batch 4 exceeds max_batch_size 2", "warm-up batch 0", "without `batch_size`"],
    ),
    (
        "incomplete_tensor",
        "input { } output { name: '' data_type: TYPE_INVALID dims: [ ] }",
        ["`name`", "`data_type`", "`dims`"] * 2,
    ),
    (
        "impossible_dimension",
        TENSORS.replace("3, -1", "0, -2").replace("-1, 3", "0"),
        ["dimension 0 is", "dimension -2 is", "dimension 0 is"],
    ),
    ("empty_label_filename", TENSORS.replace("labels.txt", ""), ["`label_filename` is empty"]),
    (
        "repeated_parameter",
        "parameters { key: 'a' } parameters [ { key: 'b' }, { key: 'a' } ]",
        ["parameter `a` is given twice"],
    ),
]


def test_a_sound_config_breaks_no_rule() -> None:
    assert list(refusals(SOUND)) == []
    assert list(broken_rules(SOUND)) == []


@pytest.mark.parametrize(("rule", "text", "messages"), CASES, ids=[case[0] for case in CASES])
def test_refuses(rule: str, text: str, messages: list[str]) -> None:
    (broken,) = (candidate for candidate in RULES if candidate.__name__ == rule)
    assert list(refusals(text)) == []

    found = list(broken(parse(text)))

    assert all(message in refusal.message for refusal, message in zip(found, messages, strict=True))


def test_every_rule_has_a_case() -> None:
    assert {rule.__name__ for rule in RULES} == {case[0] for case in CASES}


def test_a_config_is_held_against_every_rule() -> None:
    text = "max_batch_size: -1 instance_group { count: 0 }"

    assert [refusal.message for refusal in broken_rules(text)] == [
        "max_batch_size -1 is negative",
        "instance count 0 is below 1",
    ]


def test_a_response_cache_is_fine_on_a_server_that_has_one() -> None:
    assert list(broken_rules("response_cache { enable: true }", server_cache=True)) == []


def test_a_warm_up_of_one_is_fine_without_batching() -> None:
    assert list(broken_rules("model_warmup { batch_size: 1 }")) == []


def test_a_rule_points_at_the_value() -> None:
    (refusal,) = broken_rules("max_batch_size: 8\ndynamic_batching { preferred_batch_size: 16 }")

    assert (refusal.line, refusal.column) == (2, 42)
