"""The rendered functions against torchvision's evaluation pipeline, pixel by pixel."""

import importlib.util
import io
import json
import struct
import sys
import zlib
from collections.abc import Callable, Mapping
from functools import cache
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
"""Pixels are equal as bytes; of the numbers made of them, which are below 4 here, torch and numpy
may round the last float32 digits (2.4e-7) of a division and a subtraction differently."""


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


def sideways(image: Any, file_format: str) -> bytes:
    """An image whose EXIF says that it is to be turned by 90 degrees."""
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation
    return encoded(image, file_format, exif=exif)


def deep_colour(width: int, height: int) -> bytes:
    """A PNG of 16 bits a channel, which Pillow reads and does not write."""
    pixels = np.random.default_rng(0).integers(0, 65536, (height, width * 3)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


@cache
def kinds() -> dict[str, bytes]:
    """Encoded images of every kind that is opened but 16-bit grey, most of odd sizes."""
    colour, grey, small = picture(301, 257), picture(257, 301, "L"), picture(31, 33)
    indexed = colour.quantize(64)
    see_through = bytes(range(0, 256, 4))
    return {
        "png rgb": encoded(colour),
        "png one pixel": encoded(picture(1, 1)),
        "png smaller than the crop": encoded(small),
        "png long and thin": encoded(picture(601, 7)),
        "png grey": encoded(grey),
        "png grey and alpha": encoded(picture(257, 301, "LA")),
        "png rgba": encoded(picture(301, 257, "RGBA")),
        "png palette": encoded(indexed),
        "png palette with transparency": encoded(indexed, transparency=see_through),
        "png rgb with a transparent colour": encoded(colour, transparency=(1, 2, 3)),
        "png black and white": encoded(grey.convert("1")),
        "png 16 bits a channel": deep_colour(301, 257),
        "png sideways": sideways(colour, "PNG"),
        "jpeg rgb": encoded(colour, "JPEG"),
        "jpeg subsampled": encoded(colour, "JPEG", subsampling=2, quality=40),
        "jpeg progressive": encoded(colour, "JPEG", progressive=True),
        "jpeg grey": encoded(grey, "JPEG"),
        "jpeg cmyk": encoded(picture(301, 257, "CMYK"), "JPEG"),
        "jpeg sideways": sideways(colour, "JPEG"),
        "webp lossy": encoded(colour, "WEBP"),
        "webp lossless": encoded(colour, "WEBP", lossless=True),
        "webp rgba": encoded(picture(301, 257, "RGBA"), "WEBP", lossless=True),
        "webp sideways": sideways(colour, "WEBP"),
        "gif palette": encoded(indexed, "GIF"),
        "gif with transparency": encoded(indexed, "GIF", transparency=3),
        "gif animated": encoded(indexed, "GIF", save_all=True, append_images=[small.quantize(8)]),
        "gif grey": encoded(grey, "GIF"),
        "tiff rgb": encoded(colour, "TIFF"),
        "tiff rgba": encoded(picture(301, 257, "RGBA"), "TIFF"),
        "tiff cmyk": encoded(picture(301, 257, "CMYK"), "TIFF"),
        "tiff palette": encoded(indexed, "TIFF"),
        "tiff grey": encoded(grey, "TIFF"),
        "tiff black and white": encoded(grey.convert("1"), "TIFF"),
        "tiff lab": encoded(picture(301, 257, "LAB"), "TIFF"),
        "tiff of whole numbers": encoded(grey.convert("I"), "TIFF"),
        "tiff of fractions": encoded(grey.convert("F"), "TIFF"),
        "tiff sideways": sideways(colour, "TIFF"),
        "bmp rgb": encoded(colour, "BMP"),
        "bmp palette": encoded(indexed, "BMP"),
    }


PIPELINES: dict[str, tuple[str, tuple[Operation, ...], Callable[[ModuleType], list[Any]]]] = {
    "imagenet": (
        "RGB",
        (
            {"resize": {"shorter_edge": 256}},
            {"center_crop": {"size": 224}},
            "to_tensor",
            {"normalize": {"mean": MEAN, "std": STD}},
        ),
        lambda t: [t.Resize(256), t.CenterCrop(224), t.ToTensor(), t.Normalize(MEAN, STD)],
    ),
    "digits": (
        "L",
        (
            {"resize": {"size": [28, 28], "interpolation": "bicubic"}},
            "to_tensor",
            {"normalize": {"mean": [0.1307], "std": [0.3081]}},
        ),
        lambda t: [
            t.Resize((28, 28), t.InterpolationMode.BICUBIC),
            t.ToTensor(),
            t.Normalize([0.1307], [0.3081]),
        ],
    ),
}


CASES = [
    (kind, pipeline)
    for kind in kinds()
    for pipeline in PIPELINES
    if (kind, pipeline) != ("tiff lab", "digits")  # Pillow makes no grey of it
]


@pytest.mark.parametrize(("kind", "pipeline"), CASES)
def test_equals_a_whole_pipeline_of_torchvision_on_every_kind_of_file(
    load: Load, torchvision: ModuleType, tmp_path: Path, kind: str, pipeline: str
) -> None:
    mode, steps, theirs = PIPELINES[pipeline]
    file = kinds()[kind]
    (tmp_path / "image").write_bytes(file)
    module = load({"decode": {"mode": mode}}, *steps)
    expected = torchvision.Compose(theirs(torchvision))(loaded(tmp_path / "image", mode))

    assert largest_difference(module.preprocess(file), expected) <= FLOAT32_ROUNDING


def loaded(path: Path, mode: str) -> Any:
    """What training sees of a file: ImageFolder's default loader, or the same in grey."""
    if mode == "RGB":
        from torchvision.datasets.folder import pil_loader

        return pil_loader(path)
    with Image.open(path) as image:
        return image.convert(mode)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_leaves_an_image_as_it_lies_whatever_its_exif_says(
    load: Load, torchvision: ModuleType, tmp_path: Path, file_format: str
) -> None:
    """torchvision's loaders do not turn images, so a model was trained on them as they lie.

    Of TIFF, Pillow itself does when it reads one, for a loader too.
    """
    file = sideways(picture(50, 37), file_format)
    (tmp_path / "image").write_bytes(file)
    assert Image.open(io.BytesIO(file)).getexif()[0x0112] == 6

    tensor = load("decode", "to_tensor").preprocess(file)

    assert tensor.shape == (3, 37, 50)
    expected = torchvision.ToTensor()(loaded(tmp_path / "image", "RGB"))
    assert largest_difference(tensor, expected) == 0


@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.parametrize(
    ("stored", "file_format"), [("<u2", "PNG"), ("<u2", "TIFF"), (">u2", "TIFF")]
)
def test_equals_a_whole_pipeline_on_16_bit_grey_scaled_to_8_bits(
    load: Load, torchvision: ModuleType, pipeline: str, stored: str, file_format: str
) -> None:
    """The one kind where a default loader is not followed: it would cut off all above 255.

    Pillow 10.4 to 13 open such a PNG as I;16, 10.2 as I, and convert clips both. The upper byte is
    what Pillow itself keeps of a PNG of 16 bits a channel.
    """
    mode, steps, theirs = PIPELINES[pipeline]
    values = np.random.default_rng(0).integers(0, 65536, (257, 301)).astype(stored)
    raw = "I;16" if stored == "<u2" else "I;16B"
    file = encoded(Image.frombytes(raw, (301, 257), values.tobytes()), file_format)
    module = load({"decode": {"mode": mode}}, *steps)
    upper_byte = Image.fromarray((values >> 8).astype(np.uint8)).convert(mode)

    difference = largest_difference(
        module.preprocess(file), torchvision.Compose(theirs(torchvision))(upper_byte)
    )

    assert difference <= FLOAT32_ROUNDING
    with Image.open(io.BytesIO(file)) as image:
        assert image.mode.startswith("I;16")
        assert np.median(image.convert("L")) == 255  # what a default loader has is nearly white


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
