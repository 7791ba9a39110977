"""Put transforms into the program: it takes the pixels of one image and answers for it.

Each operation equals the one of templates/common/operations/. None calls torch.nn.functional: it
would become part of the program, and as of torch 2.13 names operators that 2.4, which is in
TorchServe's image, does not know.
"""

import torch

from generator.project import Project, Step
from generator.transforms.component import checked_shape
from generator.transforms.embedded import embedded_steps
from generator.transforms.operations import (
    CenterCrop,
    Grayscale,
    Normalize,
    Pad,
    Rescale,
    ResizeShorterEdge,
    ResizeTo,
    ToTensor,
    read_preprocess,
)
from generator.transforms.preprocessing import flow_preprocess


def embed(project: Project, module: torch.nn.Module) -> torch.nn.Module:
    """The transforms of a project around its module, to be scripted.

    It takes one image, uint8 [channels, height, width] of any height and width, and returns the
    output for it without batch dimension. `why_not` has nothing against the project.

    What it makes of an image equals what Pillow 13 and numpy make of it: pixels exactly, numbers
    but for a rounding of float32.
    """
    return _Embedded(
        preprocess_module(project),
        module,
        activation_module(project),
        batched=project.model.inputs[0].has_batch,
        class_names=project.model.class_names,
    )


def preprocess_module(project: Project) -> torch.nn.Module:
    """What makes a sample of the model's input of an image, uint8 [channels, height, width]."""
    steps, _ = embedded_steps(project.transforms)
    modules = list(map(_module, steps))
    if flow_preprocess(project.transforms.preprocess).value.kind == "image":
        modules.append(_ChannelsLast())
    return _Preprocess(modules, checked_shape(project) or ())


def activation_module(project: Project) -> torch.nn.Module:
    """What is done to the output for one sample: the leading softmax or sigmoid, or nothing."""
    _, steps = embedded_steps(project.transforms)
    modules = {"softmax": _Softmax, "sigmoid": _Sigmoid}
    return modules[steps[0].operation]() if steps else torch.nn.Identity()


class _Module(torch.nn.Module):  # type: ignore[misc]  # torch has no types for mypy
    """What all modules here are."""


class _Embedded(_Module):
    class_names: list[str]

    def __init__(
        self,
        preprocess: torch.nn.Module,
        model: torch.nn.Module,
        activation: torch.nn.Module,
        *,
        batched: bool,
        class_names: tuple[str, ...],
    ) -> None:
        super().__init__()
        self.preprocess = preprocess
        self.model = model
        self.activation = activation
        self.batched = batched
        self.class_names = list(class_names)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        sample = self.preprocess(image)
        output = self.model(sample.unsqueeze(0))[0] if self.batched else self.model(sample)
        return self.activation(output)


class _Preprocess(_Module):
    wanted: list[int]

    def __init__(self, steps: list[torch.nn.Module], wanted: tuple[int, ...]) -> None:
        super().__init__()
        self.steps = torch.nn.Sequential(*steps)
        self.wanted = list(wanted)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        sample = self.steps(image)
        shape = list(sample.shape)
        if len(self.wanted) > 0 and shape != self.wanted:
            raise ValueError(f"the image makes {shape}, not {self.wanted}")
        return sample


def _module(step: Step) -> torch.nn.Module:
    match read_preprocess(step):
        case ResizeTo(height, width, interpolation):
            return _ResizeTo(height, width, interpolation)
        case ResizeShorterEdge(edge, interpolation):
            return _ResizeShorterEdge(edge, interpolation)
        case CenterCrop(height, width):
            return _CenterCrop(height, width)
        case Pad(left, top, right, bottom, fill):
            return _Pad([left, right, top, bottom], fill)
        case Grayscale(channels):
            return _Grayscale(channels)
        case ToTensor():
            return _ToTensor()
        case Rescale(scale, offset):
            return _Rescale(scale, offset)
        case Normalize(mean, std):
            return _Normalize(mean, std)
        case other:
            raise TypeError(f"{other} cannot run in a model")


MAX_PIXELS = 64_000_000  # as in templates/common/transforms.py.j2


def _resized(image: torch.Tensor, height: int, width: int, interpolation: str) -> torch.Tensor:
    """Scale one side after the other, as Pillow does with its integers."""
    rows, columns = image.shape[1], image.shape[2]
    if interpolation == "nearest":
        down, across = _nearest(rows, height), _nearest(columns, width)
        return image[:, down.to(image.device)][:, :, across.to(image.device)]
    # Pillow 13 begins with the height where that saves work, earlier ones always with the width:
    # https://github.com/python-pillow/Pillow/pull/9549
    if rows - height > 2 * max(columns - width, 0):
        return _scaled(_scaled(image, 1, height, interpolation), 2, width, interpolation)
    return _scaled(_scaled(image, 2, width, interpolation), 1, height, interpolation)


def _nearest(length: int, wanted: int) -> torch.Tensor:
    """The pixel that each wanted one is taken from, steps summed up as Pillow sums them."""
    step = torch.full([wanted], length / wanted, dtype=torch.float64)
    positions = torch.cat([step[:1] * 0.5, step[1:]]).cumsum(0)
    return positions.long().clamp(0, length - 1)


PRECISION_BITS = 22  # of the weights, as in Pillow's src/libImaging/Resample.c
# Scripted code sees no numbers of its module but as defaults of arguments.


def _scaled(
    image: torch.Tensor, side: int, wanted: int, interpolation: str, bits: int = PRECISION_BITS
) -> torch.Tensor:
    """Scale one side to a length; each wanted pixel is a weighted sum of its neighbours."""
    if image.shape[side] == wanted:
        return image
    pixels, weights = _neighbours(image.shape[side], wanted, interpolation, bits)
    lines = image.transpose(0, side).contiguous()  # whole lines are taken much faster than pixels
    shape = [wanted, lines.shape[1], lines.shape[2]]
    total = torch.full(shape, 1 << bits - 1, dtype=torch.int32, device=image.device)
    for index in range(pixels.shape[0]):
        weight = weights[index].to(image.device).view(-1, 1, 1)
        total += lines.index_select(0, pixels[index].to(image.device)) * weight
    grey = total.bitwise_right_shift(bits).clamp(0, 255).to(torch.uint8)
    return grey.transpose(0, side)


def _neighbours(
    length: int, wanted: int, interpolation: str, bits: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """The pixels that each wanted one is made of, int64 [neighbours, wanted], and their weights.

    The weights are int32, and those of a pixel sum to about 1 << bits. The filter is as
    wide as a wanted pixel where that is wider than a given one.
    """
    scale = length / wanted
    stretch = max(scale, 1.0)
    support = stretch * (2.0 if interpolation == "bicubic" else 1.0)
    centre = (torch.arange(wanted, dtype=torch.float64) + 0.5) * scale
    first = (centre - support + 0.5).long().clamp(0)
    end = (centre + support + 0.5).long().clamp(0, length)
    pixels = first + torch.arange(int((end - first).max())).unsqueeze(1)
    distance = ((pixels - centre + 0.5) / stretch).abs()
    weights = _cubic(distance) if interpolation == "bicubic" else (1 - distance).clamp(0)
    weights = weights * (pixels < end)
    weights = weights / weights.sum(0) * float(1 << bits)
    return pixels.clamp(0, length - 1), weights.round().int()


def _cubic(distance: torch.Tensor) -> torch.Tensor:
    """The weight of a pixel in a cubic convolution with a = -0.5, by its distance."""
    near = (1.5 * distance - 2.5) * distance * distance + 1
    far = (((distance - 5) * distance + 8) * distance - 4) * -0.5
    return torch.where(distance < 1, near, far) * (distance < 2)


class _ResizeTo(_Module):
    def __init__(self, height: int, width: int, interpolation: str) -> None:
        super().__init__()
        self.height = height
        self.width = width
        self.interpolation = interpolation

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return _resized(image, self.height, self.width, self.interpolation)


class _ResizeShorterEdge(_Module):
    def __init__(self, edge: int, interpolation: str) -> None:
        super().__init__()
        self.edge = edge
        self.interpolation = interpolation
        self.max_pixels = MAX_PIXELS

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        height, width = image.shape[1], image.shape[2]
        longer = int(self.edge * max(height, width) / min(height, width))
        if self.edge * longer > self.max_pixels:
            raise ValueError(f"the image is too long and thin: {width} x {height} pixels")
        if width <= height:
            return _resized(image, longer, self.edge, self.interpolation)
        return _resized(image, self.edge, longer, self.interpolation)


class _CenterCrop(_Module):
    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height = height
        self.width = width

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        height, width = image.shape[1], image.shape[2]
        top, left = _margin(height, self.height), _margin(width, self.width)
        bottom, right = height - self.height - top, width - self.width - left
        return torch.constant_pad_nd(image, [-left, -right, -top, -bottom], 0)


def _margin(length: int, wanted: int) -> int:
    """Where the middle starts, halves rounded to even as Python's round does."""
    if wanted > length:
        return -((wanted - length) // 2)
    half = (length - wanted) // 2
    return half + (length - wanted) % 2 * (half % 2)


class _Pad(_Module):
    border: list[int]

    def __init__(self, border: list[int], fill: int) -> None:
        super().__init__()
        self.border = border
        self.fill = fill

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.constant_pad_nd(image, self.border, self.fill)


class _Grayscale(_Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        if image.shape[0] == 3:
            red, green, blue = image.int().unbind()
            luminance = red * 19595 + green * 38470 + blue * 7471 + 0x8000  # 16 bits, as Pillow's
            image = luminance.bitwise_right_shift(16).to(torch.uint8).unsqueeze(0)
        return image.repeat(self.channels, 1, 1)


class _ToTensor(_Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image.float() / 255


class _Rescale(_Module):
    def __init__(self, scale: float, offset: float) -> None:
        super().__init__()
        self.scale = scale
        self.offset = offset

    def forward(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.float() * self.scale + self.offset


class _Normalize(_Module):
    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).reshape(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std).reshape(-1, 1, 1))

    def forward(self, tensor: torch.Tensor) -> torch.Tensor:
        return (tensor - self.mean) / self.std


class _ChannelsLast(_Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image.permute(1, 2, 0).contiguous()


class _Softmax(_Module):
    def forward(self, scores: torch.Tensor) -> torch.Tensor:
        return scores.float().softmax(0)


class _Sigmoid(_Module):
    def forward(self, scores: torch.Tensor) -> torch.Tensor:
        return scores.float().sigmoid()
