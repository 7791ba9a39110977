"""The rendered functions against torchvision's evaluation pipeline, pixel by pixel."""

import importlib.util
import io
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

import pytest

from generator.artefact import Artefact
from generator.project import Hardware, Model, Project, Serving, Step, Tensor, Transforms
from generator.render import render
from generator.transforms.code import transforms_code

np = pytest.importorskip("numpy")
Image = pytest.importorskip("PIL.Image")

Operation = str | Mapping[str, object]
Load = Callable[..., ModuleType]

SIZES = [(1, 1), (31, 33), (32, 32), (50, 37), (37, 50), (224, 225), (500, 375), (300, 40)]
"""Width and height."""
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
FLOAT32_ROUNDING = 1e-6


def step(operation: Operation) -> Step:
    if isinstance(operation, str):
        return Step(operation, {})
    [(name, arguments)] = operation.items()
    return Step(name, arguments if isinstance(arguments, Mapping) else {name: arguments})


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """A function that renders transforms.py for a pipeline and imports it."""

    def load(
        *preprocess: Operation,
        postprocess: tuple[Operation, ...] = (),
        class_names: tuple[str, ...] = (),
        output: str = "float32",
    ) -> ModuleType:
        project = Project(
            name="tested",
            target="triton",
            model=Model(
                inputs=(Tensor("image", "float32", ("N", 3, "H", "W")),),
                outputs=(Tensor("logits", output, ("N", "C")),),  # type: ignore[arg-type]  # dtype
                class_names=class_names,
            ),
            storage=None,
            transforms=Transforms(
                preprocess=tuple(map(step, preprocess)), postprocess=tuple(map(step, postprocess))
            ),
            hardware=Hardware(),
            serving=Serving(),
            folder=tmp_path,
        )
        values = {"code": transforms_code(project)}
        text = render(Artefact(PurePosixPath("transforms.py"), TEMPLATE, values)).text
        path = tmp_path / "transforms.py"
        path.write_text(text, encoding="utf-8")
        (tmp_path / "class_names.json").write_text(json.dumps(class_names), encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        spec = importlib.util.spec_from_file_location("rendered_transforms", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


TEMPLATE = "common/transforms.py.j2"


def picture(width: int, height: int, mode: str = "RGB", seed: int = 0) -> Any:
    """An image of noise: neighbouring pixels that differ show every rounding."""
    bands = len(Image.new(mode, (1, 1)).getbands())
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, bands), dtype=np.uint8)
    return Image.frombytes(mode, (width, height), pixels.tobytes())


def encoded(image: Any, file_format: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def largest_difference(actual: Any, expected: Any) -> float:
    expected = np.asarray(expected)
    assert actual.dtype == np.float32
    assert actual.shape == expected.shape
    return float(np.abs(actual - expected).max(initial=0))


@pytest.fixture(scope="session")
def torchvision() -> ModuleType:
    """torchvision.transforms, where torch and torchvision are installed."""
    pytest.importorskip("torch")
    sys.path.insert(0, str(Path(__file__).parent))
    import torchvision_shim

    return torchvision_shim.transforms  # type: ignore[no-any-return]  # torchvision is untyped


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
def test_equals_the_evaluation_pipeline_of_torchvision(
    load: Load, torchvision: ModuleType, size: tuple[int, int], interpolation: str
) -> None:
    image = picture(*size)
    module = load(
        "decode",
        {"resize": {"shorter_edge": 256, "interpolation": interpolation}},
        {"center_crop": {"size": 224}},
        "to_tensor",
        {"normalize": {"mean": MEAN, "std": STD}},
    )
    theirs = torchvision.Compose(
        [
            torchvision.Resize(256, torchvision.InterpolationMode(interpolation)),
            torchvision.CenterCrop(224),
            torchvision.ToTensor(),
            torchvision.Normalize(MEAN, STD),
        ]
    )

    difference = largest_difference(module.preprocess(encoded(image)), theirs(image))

    assert difference <= FLOAT32_ROUNDING


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("operation", "theirs"),
    [
        ({"resize": {"size": [33, 44]}}, lambda t: t.Resize((33, 44))),
        ({"resize": {"shorter_edge": 37}}, lambda t: t.Resize(37)),
        ({"center_crop": {"size": [32, 45]}}, lambda t: t.CenterCrop((32, 45))),
        ({"center_crop": {"size": 33}}, lambda t: t.CenterCrop(33)),
        ({"pad": {"padding": 3}}, lambda t: t.Pad(3)),
        ({"pad": {"padding": [1, 2, 3, 4], "fill": 114}}, lambda t: t.Pad([1, 2, 3, 4], 114)),
        ("grayscale", lambda t: t.Grayscale(1)),
        ({"grayscale": {"channels": 3}}, lambda t: t.Grayscale(3)),
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_equals_one_operation_of_torchvision(
    load: Load,
    torchvision: ModuleType,
    size: tuple[int, int],
    operation: Operation,
    theirs: Callable[[ModuleType], Any],
    mode: str,
) -> None:
    image = picture(*size, mode)
    module = load({"decode": {"mode": mode}}, operation, "to_tensor")
    expected = torchvision.Compose([theirs(torchvision), torchvision.ToTensor()])(image)

    assert largest_difference(module.preprocess(encoded(image)), expected) == 0


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("wanted", ["RGB", "L"])
def test_reads_every_colour_mode_of_a_png_as_a_data_loader_does(
    load: Load, torchvision: ModuleType, mode: str, wanted: str
) -> None:
    image = picture(40, 30).convert(mode) if mode in ("1", "P") else picture(40, 30, mode)
    module = load({"decode": {"mode": wanted}}, "to_tensor")
    expected = torchvision.ToTensor()(image.convert(wanted))

    assert largest_difference(module.preprocess(encoded(image)), expected) == 0


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_reads_every_colour_mode_of_a_jpeg(load: Load, torchvision: ModuleType, mode: str) -> None:
    file = encoded(picture(40, 30, mode), "JPEG")
    module = load("decode", "to_tensor")
    expected = torchvision.ToTensor()(Image.open(io.BytesIO(file)).convert("RGB"))

    assert largest_difference(module.preprocess(file), expected) == 0


def test_scales_16_bit_values_down(load: Load) -> None:
    values = np.array([[0, 255, 256, 32768, 65535]], dtype=np.uint16)
    module = load({"decode": {"mode": "L"}}, "to_tensor")

    tensor = module.preprocess(encoded(Image.fromarray(values)))

    assert (tensor * 255).round().tolist() == [[[0, 0, 1, 128, 255]]]


def test_an_image_can_be_the_input_itself(load: Load) -> None:
    image = picture(7, 5)

    colour = load("decode").preprocess(encoded(image))
    grey = load({"decode": {"mode": "L"}}).preprocess(encoded(image))

    assert (colour.dtype, colour.shape) == (np.uint8, (5, 7, 3))
    assert (grey.dtype, grey.shape) == (np.uint8, (5, 7, 1))


def test_rescales(load: Load) -> None:
    image = picture(7, 5)
    module = load("decode", "to_tensor", {"rescale": {"scale": 255, "offset": -128}})

    expected = np.asarray(image).transpose(2, 0, 1).astype(np.float32) - 128

    assert largest_difference(module.preprocess(encoded(image)), expected) <= 2e-5


def broken_images() -> dict[str, bytes]:
    jpeg, png = encoded(picture(64, 64), "JPEG"), encoded(picture(64, 64))
    return {
        "empty": b"",
        "text": b"no image",
        "truncated jpeg": jpeg[: len(jpeg) // 2],
        "truncated png": png[: len(png) // 2],
        "damaged png": png[:60] + b"\0" * 20 + png[80:],
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n",
        "bomb": encoded(Image.new("1", (10_000, 10_000))),
        "big bomb": encoded(Image.new("1", (20_000, 20_000))),
    }


@pytest.mark.parametrize("name", broken_images())
def test_refuses_what_is_no_usable_image(load: Load, name: str) -> None:
    module = load("decode", "to_tensor")

    with pytest.raises(module.BadImage):
        module.preprocess(broken_images()[name])


def test_says_why_an_image_is_too_large(load: Load) -> None:
    module = load("decode", "to_tensor")

    with pytest.raises(module.BadImage, match="10000 x 10000 pixels, the limit is 64000000"):
        module.preprocess(broken_images()["bomb"])


def test_refuses_an_image_that_a_resize_would_blow_up(load: Load) -> None:
    module = load("decode", {"resize": {"shorter_edge": 256}}, "to_tensor")

    with pytest.raises(module.BadImage, match="too long and thin: 20000 x 1 pixels"):
        module.preprocess(encoded(Image.new("L", (20_000, 1))))


def test_hands_the_image_to_custom_functions(load: Load, tmp_path: Path) -> None:
    (tmp_path / "flips.py").write_text("def resize(image):\n    return image.transpose(0)\n")
    (tmp_path / "halves.py").write_text("def half(tensor):\n    return tensor / 2\n")
    produces = {"dtype": "uint8", "shape": ["H", "W", 3]}
    halved = {"dtype": "float32", "shape": [3, 8, 8]}
    image = picture(8, 8)
    module = load(
        "decode",
        {"custom": {"function": "flips.py:resize", "produces": produces}},
        {"resize": {"size": [8, 8]}},
        "to_tensor",
        {"custom": {"function": "halves.py:half", "produces": halved}},
    )

    expected = np.asarray(image)[:, ::-1].transpose(2, 0, 1) / 255 / 2

    assert np.abs(module.preprocess(encoded(image)) - expected).max() < FLOAT32_ROUNDING


LOGITS = [0.1, 2.0, -3.0, 2.0]
NAMES = ("ant", "bee", "cat", "dog")


def test_softmax_gives_probabilities(load: Load) -> None:
    module = load("decode", postprocess=("softmax",))
    expected = np.exp(LOGITS) / np.exp(LOGITS).sum()

    actual = module.postprocess(np.array(LOGITS, dtype=np.float32))

    assert largest_difference(actual, expected.astype(np.float32)) < FLOAT32_ROUNDING


def test_softmax_and_sigmoid_survive_large_scores(load: Load) -> None:
    large = np.array([-1000.0, 0.0, 1000.0], dtype=np.float32)

    softmax = load("decode", postprocess=("softmax",)).postprocess(large)
    sigmoid = load("decode", postprocess=("sigmoid",)).postprocess(large)

    assert softmax.tolist() == [0, 0, 1]
    assert sigmoid.tolist() == [0, 0.5, 1]


def test_activations_equal_those_of_torch(load: Load) -> None:
    torch = pytest.importorskip("torch")
    scores = np.random.default_rng(1).normal(0, 5, 1000).astype(np.float32)
    tensor = torch.from_numpy(scores)

    softmax = load("decode", postprocess=("softmax",)).postprocess(scores)
    sigmoid = load("decode", postprocess=("sigmoid",)).postprocess(scores)

    assert largest_difference(softmax, tensor.softmax(0)) < FLOAT32_ROUNDING
    assert largest_difference(sigmoid, tensor.sigmoid()) < FLOAT32_ROUNDING


def test_half_precision_scores_become_float32(load: Load) -> None:
    module = load("decode", postprocess=("softmax",), output="float16")

    assert module.postprocess(np.array(LOGITS, dtype=np.float16)).dtype == np.float32


def test_the_best_classes_come_best_first_and_equals_in_their_order(load: Load) -> None:
    module = load("decode", postprocess=({"top_k": 3}, "class_name"), class_names=NAMES)

    assert module.postprocess(np.array(LOGITS, dtype=np.float64)) == [
        {"class_name": "bee", "score": 2.0},
        {"class_name": "dog", "score": 2.0},
        {"class_name": "ant", "score": 0.1},
    ]


def test_argmax_is_a_list_of_one(load: Load) -> None:
    module = load("decode", postprocess=("argmax",))

    assert module.postprocess(np.array(LOGITS)) == [{"class_index": 1, "score": 2.0}]


def test_top_k_ranks_unsigned_scores(load: Load) -> None:
    module = load("decode", postprocess=({"top_k": 2},), output="uint8")

    assert [entry["class_index"] for entry in module.postprocess(np.array([3, 0, 200], "u1"))] == [
        2,
        0,
    ]


def test_a_threshold_keeps_what_reaches_it(load: Load) -> None:
    alone = load("decode", postprocess=({"threshold": 0.5},))
    limited = load("decode", postprocess=({"threshold": 0.5}, {"top_k": 1}))
    scores = np.array([0.5, 0.4, 0.9])

    assert [entry["class_index"] for entry in alone.postprocess(scores)] == [2, 0]
    assert [entry["class_index"] for entry in limited.postprocess(scores)] == [2]
    assert alone.postprocess(np.zeros(3)) == []


def test_a_custom_function_answers_last(load: Load, tmp_path: Path) -> None:
    (tmp_path / "words.py").write_text("def say(entries):\n    return [*entries][0]['score']\n")
    module = load("decode", postprocess=("argmax", {"custom": {"function": "words.py:say"}}))

    assert module.postprocess(np.array(LOGITS)) == 2.0
