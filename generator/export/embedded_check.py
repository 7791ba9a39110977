"""Hold a program with transforms inside against Pillow, numpy and the eager module."""

import importlib.util
import struct
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from msgspec.structs import replace

from generator.artefact import Artefact
from generator.diagnostics import CannotRun
from generator.document import Pointer
from generator.export.comparison import answers_like
from generator.export.embedded import activation_module, preprocess_module
from generator.export.refusal import Refusal
from generator.export.running import run
from generator.project import Project
from generator.render import render
from generator.transforms.code import transforms_code
from generator.transforms.component import checked_shape
from generator.transforms.preprocessing import flow_preprocess

# Height and width of random images: so low that every version of Pillow scales them alike, and of
# some size where the model's input is of any.
LOW, FREE = ((9, 131), (13, 11)), ((65, 67),)
TOLERANCE = 0.01  # grey levels of 255 between a sample and Pillow's: float32's roundings
AT: Pointer = ("transforms", "run_in")

Reference = Callable[[bytes], Any]  # Any: numpy's array, and numpy may be missing


def check_embedded(
    project: Project, program: torch.jit.ScriptModule, module: torch.nn.Module
) -> None:
    """Raise Refusal where a program does otherwise than transforms around the eager module.

    Its samples may be a hundredth of a grey level off Pillow's, times what rescale and normalize
    make of one; on these it answers as the module does.
    """
    preprocess, activation = preprocess_module(project), activation_module(project)
    batched = project.model.inputs[0].has_batch
    with tempfile.TemporaryDirectory() as folder:
        reference = rendered_preprocess(project, Path(folder))
        for image in pictures(project):
            try:
                sample = preprocess(image)
            except ValueError:  # with the border of a pad it is larger than the model's input
                continue
            _compare_samples(sample, reference(_bmp(image)), _grey_level(preprocess, image))
            [output] = run(module, (sample.unsqueeze(0) if batched else sample,))
            expected = activation(output[0] if batched else output)
            if not answers_like(program(image), expected):
                message = "the program with transforms inside answers otherwise than the model"
                raise Refusal(AT, message, "choose another run_in")


def rendered_preprocess(project: Project, folder: Path) -> Reference:
    """The function that does outside a program, with Pillow and numpy, what it does inside.

    Raises CannotRun where one of them is missing.
    """
    outside = replace(project, transforms=replace(project.transforms, postprocess=()))
    values = {"code": transforms_code(outside)}
    rendered = render(Artefact(PurePosixPath("x.py"), "common/transforms.py.j2", values))
    path = folder / "transforms.py"
    path.write_text(rendered.text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("transforms_outside", path)
    assert spec is not None
    assert spec.loader is not None
    code = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(code)
    except ModuleNotFoundError as error:
        hint = "pip install numpy pillow"
        raise CannotRun(
            f"transforms in the model are checked against {error.name}: {hint}"
        ) from None
    preprocess: Reference = code.preprocess
    return preprocess


def pictures(project: Project) -> Iterator[torch.Tensor]:
    """Random images; of the input's own size where no step makes it."""
    steps = project.transforms.preprocess
    channels = flow_preprocess(steps[:1]).value.shape[2]
    sides = slice(0, 2) if flow_preprocess(steps).value.kind == "image" else slice(1, 3)
    only = checked_shape(project)
    is_free = any(isinstance(size, str) for size in project.model.inputs[0].sample_shape)
    for seed, size in enumerate([only[sides]] if only else FREE if is_free else LOW):
        generator = torch.Generator().manual_seed(seed)
        yield torch.randint(256, (channels, *size), generator=generator, dtype=torch.uint8)


def _bmp(image: torch.Tensor) -> bytes:
    """An uncompressed image file, https://learn.microsoft.com/windows/win32/gdi/bitmap-storage."""
    height, width = image.shape[1:]
    blue_green_red = image.expand(3, -1, -1).flip(0).permute(1, 2, 0)
    padding = bytes(-3 * width % 4)
    rows = b"".join(bytes(row.flatten().tolist()) + padding for row in blue_green_red)
    header = struct.pack("<2sI4xI", b"BM", 54 + len(rows), 54)
    # A negative height: the first row is the top one.
    return header + struct.pack("<IiiHHIIiiII", 40, width, -height, 1, 24, 0, 0, 0, 0, 0, 0) + rows


def _grey_level(preprocess: torch.nn.Module, image: torch.Tensor) -> float:
    """How far two samples lie apart when their images do by one grey level."""
    dark, light = preprocess(torch.zeros_like(image)), preprocess(torch.ones_like(image))
    return float((light.float() - dark.float()).abs().max())


def _compare_samples(sample: torch.Tensor, wanted: Any, grey_level: float) -> None:
    levels = float((sample.float() - torch.from_numpy(wanted).float()).abs().max()) / grey_level
    if levels > TOLERANCE:
        message = f"transforms in the model differ from Pillow's by {levels:.1f} grey levels"
        raise Refusal(AT, message, "choose another run_in")
