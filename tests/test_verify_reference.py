"""The reference that served answers are held against: the eager model and torchvision, by hand."""

import io
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from generator import pipeline
from generator.project import Project, Transforms

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch")
Image = pytest.importorskip("PIL.Image")


from generator.export.module import load_module  # noqa: E402
from generator.export.refusal import Refusal  # noqa: E402
from generator.export.users_code import own_modules  # noqa: E402
from generator.live import Custom, Entries, Kind, Tensors  # noqa: E402
from generator.verify import reference as reference_module  # noqa: E402
from generator.verify.eager import Eager  # noqa: E402
from generator.verify.golden import golden_pictures, golden_requests  # noqa: E402
from generator.verify.pictures import FORMS, broken, pictures  # noqa: E402
from generator.verify.reference import Expected, NotTaken, Reference  # noqa: E402

torchvision_shim = pytest.importorskip("torchvision_shim")

SPECS = Path(__file__).parents[1] / "specs"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PIPELINE = """\
    - decode: {mode: RGB}
    - resize: {shorter_edge: 40, interpolation: bicubic}
    - center_crop: {size: 32}
    - to_tensor
    - normalize: {mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}
"""


def project_of(spec: str, *changes: tuple[str, str]) -> Project:
    path = SPECS / f"{spec}.yaml"
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return pipeline.build(str(path), text.encode(), path.parent).deployments[0].project


def reference_of(project: Project) -> Reference:
    with own_modules():
        return Reference(project, load_module(project))


@pytest.fixture(scope="module")
def imagenet_like() -> Reference:
    """The network of cifar10.yaml behind the pipeline of ImageNet."""
    text = (SPECS / "cifar10.yaml").read_text()
    start = text.index("    - decode:")
    end = text.index("  postprocess:")
    return reference_of(project_of("cifar10", (text[start:end], PIPELINE)))


@pytest.mark.parametrize("picture", list(pictures(16, None)), ids=lambda picture: picture.described)
def test_a_picture_becomes_what_torchvision_makes_of_it(
    imagenet_like: Reference, picture: Any
) -> None:
    t = torchvision_shim.transforms
    steps = [t.Resize(40, t.InterpolationMode.BICUBIC), t.CenterCrop(32), t.ToTensor()]
    image = Image.open(io.BytesIO(picture.encoded))
    if picture.described.startswith("16-bit"):  # which Pillow's convert would cut off at 255
        image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
    wanted = t.Compose([*steps, t.Normalize(MEAN, STD)])(image.convert("RGB"))

    np.testing.assert_array_equal(imagenet_like.sample(picture.encoded), wanted.numpy())


def test_an_answer_names_the_eager_networks_best_classes(imagenet_like: Reference) -> None:
    [picture] = pictures(1, None)
    project = imagenet_like.project
    sample = torch.as_tensor(imagenet_like.sample(picture.encoded))
    with torch.inference_mode():
        values, indices = imagenet_like.module(sample[None])[0].softmax(0).topk(3)

    answer = imagenet_like.to_image(picture.encoded).answer

    names = tuple(project.model.class_names[index] for index in indices.tolist())
    assert answer == Entries(names, tuple(values.tolist()))


def test_every_class_stands_beside_an_answer(imagenet_like: Reference) -> None:
    [picture] = pictures(1, None)

    expected = imagenet_like.to_image(picture.encoded)

    assert [name for name, _ in expected.every] == list(imagenet_like.project.model.class_names)
    assert sum(value for _, value in expected.every) == pytest.approx(1)


@pytest.mark.parametrize("content", [b"", b"no image", broken().encoded])
def test_what_is_no_picture_is_refused(imagenet_like: Reference, content: bytes) -> None:
    with pytest.raises(NotTaken):
        imagenet_like.sample(content)

    assert imagenet_like.to_image(content) == Expected(None)


def test_a_picture_of_another_size_than_the_model_takes_is_refused() -> None:
    reference = reference_of(project_of("variants/raw"))
    small, right = (next(pictures(1, size)) for size in ((16, 16), (32, 32)))

    assert reference.to_image(small.encoded).answer is None
    assert isinstance(reference.to_image(right.encoded).answer, Tensors)


def test_the_users_own_functions_are_called() -> None:
    project = project_of("variants/custom")
    with own_modules():
        reference = Reference(project, load_module(project))
        [picture] = pictures(1, (32, 32))
        answer = reference.to_image(picture.encoded).answer

    assert isinstance(answer, Custom)
    assert isinstance(answer.value, dict)
    assert set(answer.value) == {"class_name", "certain"}


def test_pixels_get_what_a_program_with_transforms_gives() -> None:
    reference = reference_of(project_of("landmarks"))
    [picture] = pictures(1, None)

    pixels = reference.pixels(picture.encoded)
    [probabilities] = reference.to_pixels(pixels).answer.arrays  # type: ignore[union-attr]  # Tensors
    answer = reference.to_image(picture.encoded).answer

    assert (pixels.dtype, pixels.shape) == (np.uint8, (3, 240, 300))
    assert probabilities.sum() == pytest.approx(1)
    assert isinstance(answer, Entries)
    assert answer.values == (float(probabilities.max()),)


@pytest.mark.parametrize(
    ("spec", "kinds"),
    [
        ("cifar10", {"image": 9, "tensors": 8, "classes": 8}),
        ("variants/minimal", {"tensors": 8}),
        ("landmarks", {"image": 9, "pixels": 8, "classes": 8}),
    ],
)
def test_every_kind_of_door_has_golden_requests(spec: str, kinds: dict[Kind, int]) -> None:
    with own_modules():
        eager = Eager(project_of(spec), None, random_weights=False)

        assert {kind: len(eager.golden(kind)) for kind in kinds} == kinds


def test_pictures_are_of_odd_sizes_where_a_step_makes_the_models_own() -> None:
    """Also where a function of the user's stands in the way: resize and crop are to be tried."""
    sizes = {
        spec: {picture.described.partition(", ")[2] for picture in golden_pictures(project, None)}
        for spec in ("variants/custom", "variants/raw")
        for project in [project_of(spec)]
    }

    assert len(sizes["variants/custom"]) > 3
    assert sizes["variants/raw"] == {"32 x 32"}


def test_tensors_of_free_dimensions_have_more_than_one_size() -> None:
    project = project_of("cifar10")
    free = replace(project.model.inputs[0], shape=("N", 3, "H", "W"))
    model = replace(project.model, inputs=(free,))
    reference = Reference(
        replace(project, model=model, transforms=Transforms()), torch.nn.Identity()
    )

    golden = golden_requests(reference, "tensors", list(pictures(4, None)))

    assert {each.sample[0].shape for each in golden} == {(3, 64, 64), (3, 96, 96)}


def test_a_picture_that_is_none_is_left_out_of_pixels(tmp_path: Path) -> None:
    reference = reference_of(project_of("landmarks"))

    golden = golden_requests(reference, "pixels", [*pictures(1, None), broken()])

    assert len(golden) == 1


def test_what_a_function_returns_is_seen_as_json_has_it() -> None:
    assert reference_module._as_json({1: (2.5, None)}, "verdict") == {"1": [2.5, None]}
    with pytest.raises(Refusal, match=r"verdict\(\) returned set"):
        reference_module._as_json({1}, "verdict")


def test_golden_requests_are_the_same_each_time() -> None:
    project = project_of("cifar10")

    assert golden_pictures(project, None) == golden_pictures(project, None)


def test_golden_pictures_come_in_every_form() -> None:
    described = [picture.described for picture in pictures(len(FORMS), None)]

    assert [each.partition(",")[0] for each in described] == list(FORMS)


def test_pictures_of_ones_own_take_their_place(tmp_path: Path) -> None:
    [picture] = pictures(1, (32, 32))
    (tmp_path / "mine.png").write_bytes(picture.encoded)
    (tmp_path / "notes.txt").write_text("no picture")

    [own] = golden_pictures(project_of("cifar10"), tmp_path)

    assert (own.described, own.encoded) == ("mine.png", picture.encoded)
