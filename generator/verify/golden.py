"""Golden requests: samples for a kind of door, each with the eager model's answer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from generator.diagnostics import CannotRun
from generator.export.refusal import Refusal
from generator.export.samples import FREE_SIZE, STEP, sample_inputs
from generator.live import BEST_CLASSES, Custom, Kind, Tensors
from generator.perf import image_size
from generator.project import Project
from generator.transforms.embedded import is_embedded
from generator.transforms.preprocessing import flow_preprocess
from generator.verify.pictures import Picture, broken, pictures
from generator.verify.reference import Expected, NotTaken, Reference

PICTURES = 8
SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


@dataclass(frozen=True)
class Golden:
    """A sample with what is expected for it; `described` names it in a complaint."""

    sample: Any  # as live.Kind says
    expected: Expected
    described: str


def golden_requests(
    reference: Reference, kind: Kind, images: Sequence[Picture]
) -> tuple[Golden, ...]:
    """The samples of one kind that a project gets, the same each time."""
    if kind == "image":
        return tuple(
            Golden(each.encoded, reference.to_image(each.encoded), each.described)
            for each in (*images, broken())
        )
    if kind == "pixels":
        return tuple(_of_pixels(reference, images))
    if kind == "classes":
        make = _of_pixels if is_embedded(reference.project.transforms) else _of_tensors
        return tuple(_named(reference, each) for each in make(reference, images))
    return tuple(_of_tensors(reference, images))


def pictures_for_anything(images: Sequence[Picture]) -> tuple[Golden, ...]:
    """Pictures for a handler of the user's own: that it answers is all that can be expected."""
    return tuple(Golden(each.encoded, Expected(Custom(None)), each.described) for each in images)


def golden_pictures(project: Project, folder: Path | None) -> tuple[Picture, ...]:
    """The user's own images of a folder, else made ones, of any size where any will do."""
    if folder is not None:
        return tuple(_own(folder))
    return tuple(pictures(PICTURES, _only_size(project)))


def _only_size(project: Project) -> tuple[int, int] | None:
    """The width and height that an image must have, where no step makes the model's own of any."""
    made = flow_preprocess(project.transforms.preprocess).value.shape
    sizes = (made, project.model.inputs[0].sample_shape)
    makes, takes = (all(isinstance(size, int) for size in shape) for shape in sizes)
    return image_size(project) if takes and not makes else None


def _own(folder: Path) -> Iterator[Picture]:
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise CannotRun(f"{folder} holds no images ({' '.join(SUFFIXES)})")
    for path in paths:
        try:
            yield Picture(path.read_bytes(), path.name)
        except OSError as error:
            raise CannotRun(f"cannot read {path}: {error.strerror}") from error


def _of_pixels(reference: Reference, images: Sequence[Picture]) -> Iterator[Golden]:
    for each in images:
        try:
            pixels = reference.pixels(each.encoded)
        except NotTaken:
            continue
        yield Golden(pixels, reference.to_pixels(pixels), f"pixels of {each.described}")


def _of_tensors(reference: Reference, images: Sequence[Picture]) -> Iterator[Golden]:
    """What preprocess makes of the images; random numbers for a model of no images."""
    project = reference.project
    if project.transforms.preprocess and not is_embedded(project.transforms):
        for each in images:
            try:
                arrays: tuple[Any, ...] = (reference.sample(each.encoded),)
            except NotTaken:
                continue
            yield Golden(arrays, reference.to_tensors(arrays), f"tensor of {each.described}")
        return
    shapes = [tensor.sample_shape for tensor in project.model.inputs]
    letters = [size for shape in shapes for size in shape if isinstance(size, str)]
    for seed in range(len(images)):
        sizes = dict.fromkeys(letters, FREE_SIZE + STEP * (seed % 2))
        inputs = sample_inputs(project, batch_size=1, seed=seed, sizes=sizes)
        columns = zip(inputs, project.model.inputs, strict=True)
        arrays = tuple(
            (each[0] if tensor.has_batch else each).contiguous().numpy() for each, tensor in columns
        )
        try:
            expected = reference.to_tensors(arrays)
        except Refusal:
            if letters and seed % 2:  # a model may take one size only
                continue
            raise
        yield Golden(arrays, expected, f"random tensor {seed}")


def _named(reference: Reference, golden: Golden) -> Golden:
    """The same sample with the names of the best classes as what is expected."""
    assert isinstance(golden.expected.answer, Tensors)
    expected = reference.named(golden.expected.answer.arrays[0], BEST_CLASSES)
    return replace(golden, expected=expected)
