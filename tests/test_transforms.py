"""The types that flow through a pipeline, and the steps that cannot work where they stand."""

from collections.abc import Mapping

import pytest

from generator.project import Step, Tensor, Transforms
from generator.transforms import (
    Answer,
    Mismatch,
    check_custom,
    custom_paths,
    flow_postprocess,
    flow_preprocess,
)

Operation = str | Mapping[str, object]

NORMALIZE: Operation = {"normalize": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}}
LOGITS = Tensor("logits", "float32", ("N", 10))


def steps(*operations: Operation) -> tuple[Step, ...]:
    """Steps as a spec writes them: a bare name, or a name with its arguments."""
    return tuple(map(step, operations))


def step(operation: Operation) -> Step:
    if isinstance(operation, str):
        return Step(operation, {})
    [(name, arguments)] = operation.items()
    return Step(name, arguments if isinstance(arguments, Mapping) else {name: arguments})


def made_by(*operations: Operation) -> str:
    flow = flow_preprocess(steps(*operations))
    assert flow.mismatches == ()
    return str(flow.value)


def refusals(*operations: Operation) -> list[str]:
    return [told(mismatch) for mismatch in flow_preprocess(steps(*operations)).mismatches]


def told(mismatch: Mismatch) -> str:
    place = ".".join([str(mismatch.step), *mismatch.keys])
    return f"{place}: {mismatch.message}"


def answered_by(*operations: Operation, output: Tensor = LOGITS) -> Answer:
    flow = flow_postprocess(steps(*operations), (output,), class_names=10)
    assert flow.mismatches == ()
    return flow.answer


def answer_refusals(
    *operations: Operation, output: Tensor = LOGITS, class_names: int = 10
) -> list[str]:
    flow = flow_postprocess(steps(*operations), (output,), class_names)
    return [told(mismatch) for mismatch in flow.mismatches]


def test_nothing_leaves_an_encoded_image() -> None:
    assert made_by() == "an encoded image"


def test_decode_makes_an_image_of_unknown_size() -> None:
    assert made_by("decode") == "uint8 [H, W, 3]"
    assert made_by({"decode": {"mode": "L"}}) == "uint8 [H, W, 1]"


def test_the_usual_pipeline_makes_a_tensor_of_known_size() -> None:
    usual: list[Operation] = [
        "decode",
        {"resize": {"shorter_edge": 256}},
        {"center_crop": {"size": 224}},
        "to_tensor",
        NORMALIZE,
    ]

    assert made_by(*usual) == "float32 [3, 224, 224]"


@pytest.mark.parametrize(
    ("operation", "made"),
    [
        ({"resize": {"shorter_edge": 50}}, "uint8 [50, 100, 3]"),
        ({"resize": {"size": [7, 9]}}, "uint8 [7, 9, 3]"),
        ({"center_crop": {"size": [20, 30]}}, "uint8 [20, 30, 3]"),
        ({"pad": {"padding": 2}}, "uint8 [104, 204, 3]"),
        ({"pad": {"padding": [1, 2, 3, 4]}}, "uint8 [106, 204, 3]"),
        ("grayscale", "uint8 [100, 200, 1]"),
        ({"grayscale": {"channels": 3}}, "uint8 [100, 200, 3]"),
        ("to_tensor", "float32 [3, 100, 200]"),
    ],
)
def test_each_operation_on_an_image_of_100_by_200(operation: Operation, made: str) -> None:
    assert made_by("decode", {"resize": {"size": [100, 200]}}, operation) == made


def test_the_longer_side_of_a_resize_is_cut_off_as_torchvision_does() -> None:
    odd = made_by(
        "decode", {"resize": {"size": [375, 500]}}, {"resize": {"shorter_edge": 256}}, "to_tensor"
    )

    assert odd == "float32 [3, 256, 341]"


def test_custom_makes_what_it_says() -> None:
    spectrogram = {"function": "audio.py:load", "produces": {"dtype": "int16", "shape": [1, "T"]}}
    image = {"function": "scan.py:load", "produces": {"dtype": "uint8", "shape": ["H", "W", 3]}}

    assert made_by({"custom": spectrogram}) == "int16 [1, T]"
    assert made_by({"custom": image}, {"center_crop": {"size": 8}}, "to_tensor") == (
        "float32 [3, 8, 8]"
    )


@pytest.mark.parametrize(
    ("operations", "refusal"),
    [
        (["to_tensor"], "0: to_tensor comes without a decode"),
        (["to_tensor", "decode"], "0: to_tensor comes before decode"),
        (["decode", "decode"], "1: decode needs an encoded image, but gets uint8 [H, W, 3]"),
        (["decode", NORMALIZE, "to_tensor"], "1: normalize comes before to_tensor"),
        (["decode", NORMALIZE], "1: normalize comes without a to_tensor"),
        (
            ["decode", "to_tensor", {"resize": {"size": [4, 4]}}],
            "2: resize needs an image, but gets float32 [3, H, W]",
        ),
        (
            ["decode", "to_tensor", "to_tensor"],
            "2: to_tensor needs an image, but gets float32 [3, H, W]",
        ),
        (
            ["decode", {"resize": {"size": [30, 40]}}, {"center_crop": {"size": 32}}],
            "2.center_crop.size: center_crop height 32 exceeds the image's 30",
        ),
        (
            ["decode", {"resize": {"shorter_edge": 30}}, {"center_crop": {"size": [31, 99]}}],
            "2.center_crop.size: center_crop 31 exceeds the image's shorter edge 30",
        ),
        (["decode", {"resize": {}}], "1.resize: resize has neither shorter_edge nor size"),
        (
            ["decode", {"resize": {"shorter_edge": 9, "size": [9, 9]}}],
            "1.resize: resize has both shorter_edge and size",
        ),
        (
            ["decode", "to_tensor", {"normalize": {"mean": [0.5], "std": [1, 1, 1]}}],
            "2.normalize.mean: normalize has 1 mean value for 3 channels",
        ),
        (
            [{"decode": {"mode": "L"}}, "to_tensor", {"normalize": {"mean": [0], "std": [1, 1]}}],
            "2.normalize.std: normalize has 2 std values for 1 channel",
        ),
        (
            ["decode", "to_tensor", {"normalize": {"mean": [0, 0, 0], "std": [1, 0, 1]}}],
            "2.normalize.std: normalize divides by a std of 0",
        ),
        (
            ["decode", "to_tensor", {"rescale": {"scale": 0}}],
            "2.rescale.scale: rescale by 0 makes all pixels equal",
        ),
        (
            [{"custom": {"function": "a.py:f"}}],
            "0.custom: custom in preprocess does not say what it produces",
        ),
        (
            [
                {
                    "custom": {
                        "function": "a.py:f",
                        "produces": {"dtype": "float32", "shape": ["N", 3]},
                    }
                }
            ],
            "0.custom.produces.shape: custom produces a batch dimension N, but works on one image",
        ),
    ],
)
def test_refuses_a_preprocess_step(operations: list[Operation], refusal: str) -> None:
    assert refusals(*operations) == [refusal]


def test_tells_every_mistake_of_a_pipeline_once() -> None:
    assert refusals(
        {"resize": {"size": [4, 4]}},
        {"center_crop": {"size": 8}},
        "to_tensor",
        {"normalize": {"mean": [0], "std": [0, 0]}},
    ) == [
        "0: resize comes without a decode",
        "3.normalize.std: normalize has 1 values in mean and 2 in std",
        "3.normalize.std: normalize divides by a std of 0",
    ]


def test_padding_first_makes_room_for_a_crop() -> None:
    padded: list[Operation] = [{"resize": {"shorter_edge": 28}}, {"pad": {"padding": 2}}]

    assert made_by("decode", *padded, {"center_crop": {"size": 32}}) == "uint8 [32, 32, 3]"


def test_the_answer_without_postprocess_is_the_output() -> None:
    assert answered_by() == Answer("tensor", "float32", (10,))


def test_best_classes_with_probabilities() -> None:
    answer = answered_by("softmax", {"top_k": 3}, "class_name")

    assert (answer.kind, answer.label, answer.value) == ("entries", "class_name", "probability")
    assert (answer.at_most, answer.exact) == (3, True)


def test_best_class_by_its_index_and_score() -> None:
    answer = answered_by("argmax")

    assert (answer.kind, answer.label, answer.value) == ("entries", "class_index", "score")
    assert (answer.at_most, answer.exact) == (1, True)


def test_a_threshold_keeps_any_number_of_classes() -> None:
    alone = answered_by("sigmoid", {"threshold": 0.5})
    limited = answered_by("sigmoid", {"threshold": 0.5}, {"top_k": 2})

    assert (alone.at_most, alone.exact) == (10, False)
    assert (limited.at_most, limited.exact) == (2, False)


def test_probabilities_alone_are_a_tensor() -> None:
    half = Tensor("logits", "float16", ("N", 10))

    assert answered_by("softmax", output=half) == Answer("tensor", "float32", (10,), "probability")


def test_a_custom_function_ends_the_postprocess_unless_it_says_what_it_produces() -> None:
    own: Operation = {"custom": {"function": "a.py:f"}}
    scores: Operation = {
        "custom": {"function": "a.py:f", "produces": {"dtype": "float32", "shape": [4]}},
    }

    assert answered_by("softmax", own).kind == "custom"
    assert answered_by(scores, {"top_k": 4}).at_most == 4


@pytest.mark.parametrize(
    ("operations", "refusal"),
    [
        (["softmax", "softmax"], "1: softmax comes after softmax"),
        (["sigmoid", "softmax"], "1: softmax comes after sigmoid"),
        ([{"top_k": 3}, "softmax"], "1: softmax comes after top_k"),
        ([{"top_k": 3}, {"top_k": 2}], "1: top_k comes twice"),
        (["argmax", {"top_k": 2}], "1: top_k comes after argmax"),
        (["class_name"], "0: class_name comes without argmax, top_k or threshold"),
        (["softmax", "class_name"], "1: class_name comes without argmax, top_k or threshold"),
        (["argmax", "class_name", "class_name"], "2: class_name comes twice"),
        (
            ["argmax", "class_name", {"threshold": 0.5}],
            "2: threshold comes after class_name",
        ),
        ([{"top_k": 11}], "0.top_k: top_k 11 exceeds the 10 classes of the output"),
        (["softmax", {"threshold": 1.5}], "1.threshold: threshold 1.5 is no probability"),
        (
            [{"custom": {"function": "a.py:f"}}, "softmax"],
            "1: softmax comes after a custom function that returns whatever it likes",
        ),
        (
            [
                "argmax",
                {
                    "custom": {
                        "function": "a.py:f",
                        "produces": {"dtype": "float32", "shape": [4]},
                    }
                },
            ],
            "1.custom.produces: custom cannot produce a tensor from a list of entries",
        ),
    ],
)
def test_refuses_a_postprocess_step(operations: list[Operation], refusal: str) -> None:
    assert answer_refusals(*operations) == [refusal]


def test_class_names_must_exist() -> None:
    assert answer_refusals("argmax", "class_name", class_names=0) == [
        "1: class_name needs class names, but the model has none"
    ]


def test_classes_are_picked_from_one_row_for_each_sample() -> None:
    mask = Tensor("mask", "float32", ("N", 21, 64, 64))

    assert answer_refusals({"top_k": 3}, output=mask) == [
        "0: top_k needs [classes] for each sample, but gets [21, 64, 64]"
    ]
    assert answer_refusals("sigmoid", output=mask) == []


def test_softmax_needs_a_float_output() -> None:
    counts = Tensor("counts", "int64", ("N", 10))

    assert answer_refusals("softmax", output=counts) == [
        "0: softmax needs a float output, but gets int64"
    ]


def test_postprocess_takes_one_output() -> None:
    flow = flow_postprocess(steps("softmax"), (LOGITS, LOGITS), class_names=10)

    assert [told(mismatch) for mismatch in flow.mismatches] == [
        "0: postprocess takes one output, but the model has 2"
    ]


def custom(function: str) -> Operation:
    return {
        "custom": {"function": function, "produces": {"dtype": "uint8", "shape": ["H", "W", 3]}}
    }


def test_lists_the_files_of_custom_operations_once() -> None:
    transforms = Transforms(
        preprocess=steps(custom("steps/b.py:f"), custom("a.py:g")),
        postprocess=steps(custom("a.py:h")),
    )

    assert custom_paths(transforms) == ("a.py", "steps/b.py")


@pytest.mark.parametrize(
    ("function", "refusal"),
    [
        ("my-steps.py:f", "custom file `my-steps.py` cannot be imported by its name"),
        ("steps/class.py:f", "custom file `class.py` cannot be imported by its name"),
        ("json.py:f", "custom file `json.py` would hide the module json"),
        ("transforms.py:f", "custom file `transforms.py` would hide the module transforms"),
        ("other/a.py:f", "custom files `a.py` and `other/a.py` have the same name"),
        ("a.py:import", "custom function `import` is no Python name"),
    ],
)
def test_refuses_a_custom_file_that_cannot_be_imported(function: str, refusal: str) -> None:
    transforms = Transforms(preprocess=steps(custom("a.py:g")), postprocess=steps(custom(function)))

    [mismatch] = check_custom(transforms)

    assert (mismatch.section, mismatch.step) == ("postprocess", 0)
    assert mismatch.message == refusal
