"""Transforms inside the program against the rendered ones of Pillow and numpy."""

import io
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from generator.project import Model, Project, Step, Tensor, Transforms
from generator.transforms.embedded import (
    as_called,
    embedded_steps,
    is_embedded,
    remaining,
    why_not,
)

torch = pytest.importorskip("torch")
np = pytest.importorskip("numpy")
Image = pytest.importorskip("PIL.Image")

from generator.export.embedded import embed, preprocess_module  # noqa: E402  # needs torch
from generator.export.embedded_check import (  # noqa: E402
    check_embedded,
    rendered_preprocess,
)
from generator.export.refusal import Refusal  # noqa: E402

Operation = str | Mapping[str, object]

SIZES = [(1, 1), (31, 33), (32, 32), (50, 37), (37, 50), (224, 225), (500, 375), (300, 40), (9, 90)]
"""Height and width."""
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
FLOAT32_ROUNDING = 1e-6


def step(operation: Operation) -> Step:
    if isinstance(operation, str):
        return Step(operation, {})
    [(name, arguments)] = operation.items()
    return Step(name, arguments if isinstance(arguments, Mapping) else {name: arguments})


def project(
    *preprocess: Operation,
    postprocess: tuple[Operation, ...] = (),
    batched: bool = True,
    shape: tuple[int | str, ...] = (3, "H", "W"),
    class_names: tuple[str, ...] = (),
) -> Project:
    batch = ("N",) if batched else ()
    return Project(
        name="tested",
        target="torchserve",
        folder=Path(),
        model=Model(
            inputs=(Tensor("image", "float32", (*batch, *shape)),),
            outputs=(Tensor("logits", "float32", (*batch, 2)),),
            class_names=class_names,
        ),
        transforms=Transforms(
            run_in="model",
            preprocess=tuple(map(step, preprocess)),
            postprocess=tuple(map(step, postprocess)),
        ),
    )


def picture(height: int, width: int, channels: int = 3) -> Any:
    """An image of noise: neighbouring pixels that differ show every rounding."""
    generator = torch.Generator().manual_seed(height * width)
    return torch.randint(256, (channels, height, width), generator=generator, dtype=torch.uint8)


def samples(project: Project, image: Any, folder: Path) -> tuple[Any, Any]:
    """The sample that a scripted program makes of an image, and that of Pillow and numpy."""
    file = io.BytesIO()
    pixels = image[0] if len(image) == 1 else image.permute(1, 2, 0)
    Image.fromarray(pixels.numpy()).save(file, "PNG")
    inside = torch.jit.script(preprocess_module(project))(image)
    outside = torch.from_numpy(rendered_preprocess(project, folder)(file.getvalue()))
    assert inside.shape == outside.shape
    assert inside.dtype == outside.dtype
    return inside, outside


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "operation",
    [
        {"resize": {"shorter_edge": 37}},
        {"center_crop": {"size": [32, 45]}},
        {"center_crop": {"size": 33}},
        {"pad": {"padding": 3}},
        {"pad": {"padding": [1, 2, 3, 4], "fill": 114}},
        {"grayscale": {"channels": 1}},
        {"grayscale": {"channels": 3}},
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_equals_pillow(
    tmp_path: Path, size: tuple[int, int], operation: Operation, mode: str
) -> None:
    image = picture(*size, channels=3 if mode == "RGB" else 1)
    tested = project({"decode": {"mode": mode}}, operation, "to_tensor")

    inside, outside = samples(tested, image, tmp_path)

    assert torch.equal(inside, outside)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize(
    "resize", [{"shorter_edge": 37}, {"size": [33, 44]}, {"size": [20, 333]}, {"size": [333, 20]}]
)
def test_resizes_as_pillow_does(
    tmp_path: Path, size: tuple[int, int], interpolation: str, resize: dict[str, object]
) -> None:
    tested = project("decode", {"resize": {**resize, "interpolation": interpolation}})

    inside, outside = samples(tested, picture(*size), tmp_path)

    assert torch.equal(inside, outside)


@pytest.mark.parametrize("size", SIZES)
def test_follows_the_evaluation_pipeline_of_imagenet(tmp_path: Path, size: tuple[int, int]) -> None:
    tested = project(
        "decode",
        {"resize": {"shorter_edge": 256}},
        {"center_crop": {"size": 224}},
        "to_tensor",
        {"normalize": {"mean": MEAN, "std": STD}},
    )

    inside, outside = samples(tested, picture(*size), tmp_path)

    assert (inside - outside).abs().max() <= FLOAT32_ROUNDING


def test_rescales(tmp_path: Path) -> None:
    tested = project("decode", "to_tensor", {"rescale": {"scale": 2, "offset": -1}})

    inside, outside = samples(tested, picture(7, 5), tmp_path)

    assert (inside - outside).abs().max() <= FLOAT32_ROUNDING


def test_an_image_can_be_the_input_itself(tmp_path: Path) -> None:
    inside, outside = samples(project("decode"), picture(7, 5), tmp_path)

    assert torch.equal(inside, outside)


def test_refuses_an_image_that_a_resize_would_blow_up() -> None:
    preprocess = torch.jit.script(
        preprocess_module(project("decode", {"resize": {"shorter_edge": 256}}))
    )

    with pytest.raises(torch.jit.Error, match="too long and thin: 20000 x 1 pixels"):
        preprocess(torch.zeros(3, 1, 20_000, dtype=torch.uint8))


def test_refuses_an_image_of_another_size_than_the_model_takes() -> None:
    preprocess = torch.jit.script(
        preprocess_module(project("decode", "to_tensor", shape=(3, 8, 8)))
    )

    assert preprocess(picture(8, 8)).shape == (3, 8, 8)
    with pytest.raises(torch.jit.Error, match=r"the image makes \[3, 9, 8\], not \[3, 8, 8\]"):
        preprocess(picture(9, 8))


class Mean(torch.nn.Module):  # type: ignore[misc]  # torch has no types for mypy
    """Two scores for each image."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(-3).mean(-1, keepdim=True) * torch.tensor([1.0, -2.0])


STEPS: tuple[Operation, ...] = ("decode", {"resize": {"size": [8, 8]}}, "to_tensor")


@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_answers_for_one_image_of_any_size(batched: bool, activation: str) -> None:
    tested = project(*STEPS, postprocess=(activation, {"top_k": 1}), batched=batched)
    program = torch.jit.script(embed(tested, Mean()))

    for size in SIZES:
        scores = Mean()(preprocess_module(tested)(picture(*size)))
        expected = scores.softmax(0) if activation == "softmax" else scores.sigmoid()
        torch.testing.assert_close(program(picture(*size)), expected)


def test_a_trace_inside_takes_images_of_any_size() -> None:
    traced = torch.jit.trace(Mean(), torch.rand(2, 3, 8, 8))
    program = torch.jit.script(embed(project(*STEPS), traced))

    assert program(picture(50, 37)).shape == (2,)
    assert program(picture(9, 90)).shape == (2,)


def test_carries_the_class_names(tmp_path: Path) -> None:
    tested = project(*STEPS, class_names=("cat", "dög"))
    torch.jit.script(embed(tested, Mean())).save(tmp_path / "model.pt")

    program = torch.jit.load(tmp_path / "model.pt")

    assert program.class_names == ["cat", "dög"]


def test_a_model_without_class_names_has_none() -> None:
    assert torch.jit.script(embed(project(*STEPS), Mean())).class_names == []


EVERYTHING: tuple[Operation, ...] = (
    "decode",
    {"resize": {"shorter_edge": 40, "interpolation": "bicubic"}},
    {"resize": {"size": [40, 40], "interpolation": "nearest"}},
    {"center_crop": {"size": 32}},
    {"pad": {"padding": 1}},
    {"grayscale": {"channels": 3}},
    "to_tensor",
    {"rescale": {"scale": 2}},
    {"normalize": {"mean": MEAN, "std": STD}},
)


def test_loads_in_the_older_torch_of_the_servers_image(tmp_path: Path) -> None:
    """Held by hand against torch 2.4.1; the functions of newer ones would come along as code."""
    tested = project(*EVERYTHING, postprocess=("softmax",), shape=(3, 34, 34))

    torch.jit.script(embed(tested, Mean())).save(tmp_path / "model.pt")

    with zipfile.ZipFile(tmp_path / "model.pt") as file:
        assert not any("functional" in name for name in file.namelist())


def test_the_check_passes_what_is_alike() -> None:
    tested = project(*STEPS, postprocess=("softmax",))

    check_embedded(tested, torch.jit.script(embed(tested, Mean())), Mean())


def test_the_check_knows_images_of_the_only_size_that_fits() -> None:
    tested = project("decode", "to_tensor", shape=(3, 8, 8))

    check_embedded(tested, torch.jit.script(embed(tested, Mean())), Mean())


def test_the_check_refuses_another_preprocess() -> None:
    tested = project(*STEPS)
    other = project(*STEPS, {"rescale": {"scale": 1.1}})

    with pytest.raises(Refusal, match="answers otherwise than the model"):
        check_embedded(tested, torch.jit.script(embed(other, Mean())), Mean())


def test_a_trace_of_the_whole_would_hold_one_size() -> None:
    """Why the transforms are scripted, and `method: trace` is refused where no size is known."""
    program = torch.jit.script(embed(project(*STEPS), Mean()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of each size that it takes for ever
        traced = torch.jit.trace(embed(project(*STEPS), Mean()), picture(50, 37))

    torch.testing.assert_close(traced(picture(50, 37)), program(picture(50, 37)))
    larger = picture(90, 61)
    assert not torch.allclose(traced(larger), program(larger), rtol=1e-4, atol=1e-5)


def test_callers_see_pixels_and_the_output_for_one_image() -> None:
    tested = project({"decode": {"mode": "L"}}, "to_tensor", postprocess=("softmax",))
    tested = replace(
        tested, model=replace(tested.model, outputs=(Tensor("logits", "float64", ("N", 2)),))
    )

    called = as_called(tested).model

    assert called.inputs == (Tensor("image", "uint8", (1, "H", "W")),)
    assert called.outputs == (Tensor("logits", "float32", (2,)),)
    assert as_called(as_called(tested)) == as_called(tested)


@pytest.mark.parametrize("activation", [(), ("softmax",)])
def test_what_callers_see_is_what_the_program_does(activation: tuple[Operation, ...]) -> None:
    tested = project(*STEPS, postprocess=activation)
    program = torch.jit.script(embed(tested, Mean()))
    [image], [output] = as_called(tested).model.inputs, as_called(tested).model.outputs

    made = program(picture(9, 7, channels=int(image.shape[0])))

    assert [argument.name for argument in program.forward.schema.arguments][1:] == [image.name]
    assert tuple(made.shape) == output.shape
    assert made.dtype == getattr(torch, output.dtype)


def test_callers_of_other_programs_see_what_the_spec_says() -> None:
    tested = project(*STEPS)
    outside = replace(tested, transforms=replace(tested.transforms, run_in="client"))

    assert as_called(outside) is outside


def test_the_selection_of_classes_stays_outside() -> None:
    transforms = project(*STEPS, postprocess=("softmax", {"top_k": 1}, "class_name")).transforms

    left = remaining(transforms)

    assert [each.operation for each in left.preprocess] == ["decode"]
    assert [each.operation for each in left.postprocess] == ["top_k", "class_name"]


def test_every_step_is_either_inside_or_outside() -> None:
    for postprocess in ((), ("softmax",), ("argmax",), ("sigmoid", {"threshold": 0.5})):
        transforms = project(*STEPS, postprocess=postprocess).transforms
        before, after = embedded_steps(transforms)
        left = remaining(transforms)

        assert left.preprocess + before == transforms.preprocess
        assert after + left.postprocess == transforms.postprocess


def test_only_run_in_model_embeds() -> None:
    transforms = project(*STEPS).transforms

    assert is_embedded(transforms)
    assert not is_embedded(replace(transforms, run_in="server"))
    assert not is_embedded(replace(transforms, preprocess=()))


def test_a_custom_function_cannot_be_embedded() -> None:
    produces = {"dtype": "float32", "shape": [3, 8, 8]}
    custom = {"custom": {"function": "steps.py:f", "produces": produces}}

    [problem] = why_not(project("decode", custom).transforms)

    assert problem.pointer == ("transforms", "preprocess", 1)
    assert list(why_not(project(*STEPS).transforms)) == []
