"""What the eager model makes of an image or a tensor: torchvision's transforms, torch's numbers.

Nothing here runs rendered code: transforms follow the steps of the spec in torchvision, and
postprocess in torch, so that a mistake in a template or in an artefact shows as a difference.
"""

import importlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from PIL import Image

from generator.document import Pointer
from generator.export.refusal import Refusal
from generator.export.running import run
from generator.export.torchvision_import import import_torchvision
from generator.export.users_code import imported
from generator.live import Answer, Custom, Entries, Label, Tensors
from generator.project import Project, Step
from generator.transforms import operations
from generator.transforms.code import answer_of
from generator.transforms.component import checked_shape
from generator.transforms.embedded import embedded_steps


class NotTaken(ValueError):
    """An image that the project refuses, as a server of it has to."""


@dataclass(frozen=True)
class Expected:
    """The answer to a sample, None where it is refused; for entries, every class with its value."""

    answer: Answer | None
    every: tuple[tuple[Label, float], ...] = ()


@dataclass(frozen=True)
class Reference:
    """A project's eager module in evaluation mode, on the CPU."""

    project: Project
    module: torch.nn.Module

    def to_image(self, encoded: bytes) -> Expected:
        """What a client gets for an encoded image."""
        try:
            sample = self.sample(encoded)
        except NotTaken:
            return Expected(None)
        output, *others = self._outputs((torch.as_tensor(sample),))
        if not self.project.transforms.postprocess:
            return Expected(Tensors(tuple(each.numpy() for each in (output, *others))))
        return self._postprocessed(output)

    def to_pixels(self, pixels: Any) -> Expected:
        """What a program with its transforms inside gives for a uint8 array [c, h, w]."""
        mode = "L" if pixels.shape[0] == 1 else "RGB"
        image = Image.fromarray(pixels[0] if mode == "L" else pixels.transpose(1, 2, 0), mode)
        inside, activation = embedded_steps(self.project.transforms)
        sample = self._steps(image, inside)
        [output] = self._outputs((torch.as_tensor(sample),))
        for step in activation:
            output = _ACTIVATIONS[step.operation](output)
        return Expected(Tensors((output.numpy(),)))

    def to_tensors(self, arrays: Sequence[Any]) -> Expected:
        """What the model gives for one sample: an array for each input, without batch."""
        outputs = self._outputs(tuple(torch.as_tensor(array) for array in arrays))
        return Expected(Tensors(tuple(output.numpy() for output in outputs)))

    def named(self, output: Any, count: int) -> Expected:
        """The best classes of an output [classes] by name, with its numbers as they are."""
        scores = torch.as_tensor(output)
        return self._entries(scores, scores.argsort(descending=True, stable=True)[:count], True)

    def sample(self, encoded: bytes) -> Any:
        """One sample of the model's input, an array, of an encoded image; raises NotTaken."""
        steps = self.project.transforms.preprocess
        sample = self._steps(encoded, steps)
        only = checked_shape(self.project)
        if only and sample.shape != only:
            raise NotTaken(f"an image makes {list(sample.shape)}, and the model takes {list(only)}")
        return sample

    def pixels(self, encoded: bytes) -> Any:
        """The image as its caller decodes it for a program with transforms inside; NotTaken."""
        first = self.project.transforms.preprocess[:1]
        return np.ascontiguousarray(self._steps(encoded, first).transpose(2, 0, 1))

    def _steps(self, value: Any, steps: Sequence[Step]) -> Any:
        """A value after some steps, as an array."""
        for step in steps:
            value = self._step(value, operations.read_preprocess(step))
        if isinstance(value, torch.Tensor):
            return value.numpy()
        return np.atleast_3d(np.asarray(value)) if isinstance(value, Image.Image) else value

    def _step(self, value: Any, operation: operations.Preprocess) -> Any:
        functional = _functional()
        match operation:
            case operations.Decode(mode):
                return _decoded(value, mode)
            case operations.ResizeShorterEdge(edge, interpolation):
                return functional.resize(value, edge, _filter(interpolation))
            case operations.ResizeTo(height, width, interpolation):
                return functional.resize(value, [height, width], _filter(interpolation))
            case operations.CenterCrop(height, width):
                return functional.center_crop(value, [height, width])
            case operations.Pad(left, top, right, bottom, fill):
                return functional.pad(value, [left, top, right, bottom], fill)
            case operations.Grayscale(channels):
                return functional.rgb_to_grayscale(value, channels)
            case operations.ToTensor():
                return functional.to_tensor(value)
            case operations.Rescale(scale, offset):
                return torch.as_tensor(_array(value)).float() * scale + offset
            case operations.Normalize(mean, std):
                return functional.normalize(torch.as_tensor(_array(value)), mean, std)
            case operations.Custom():
                return self._custom(operation, value)

    def _custom(self, operation: operations.Custom, value: Any) -> Any:
        """What a function of the user's makes; its ValueError refuses the sample."""
        function = self._functions[f"{operation.path}:{operation.function}"]
        try:
            return function(_array(value) if isinstance(value, torch.Tensor) else value)
        except ValueError as error:
            raise NotTaken(str(error)) from error

    @cached_property
    def _functions(self) -> dict[str, Any]:
        transforms = self.project.transforms
        named = {
            str(step.arguments["function"]): ("transforms", part, index, "custom", "function")
            for part in ("preprocess", "postprocess")
            for index, step in enumerate(getattr(transforms, part))
            if step.operation == "custom"
        }
        return {name: imported(self.project.folder, name, at) for name, at in named.items()}

    def _outputs(self, sample: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        """The model's outputs for one sample, without batch dimension."""
        model = self.project.model
        batched = model.inputs[0].has_batch
        outputs = run(self.module, tuple(each.unsqueeze(0) if batched else each for each in sample))
        return tuple(
            output[0] if tensor.has_batch else output
            for output, tensor in zip(outputs, model.outputs, strict=True)
        )

    def _postprocessed(self, output: torch.Tensor) -> Expected:
        picked: torch.Tensor | None = None
        named = False
        for step in self.project.transforms.postprocess:
            match operations.read_postprocess(step):
                case operations.Softmax() | operations.Sigmoid():
                    output = _ACTIVATIONS[step.operation](output)
                case operations.Argmax():
                    picked = output.argmax().reshape(1)
                case operations.TopK(k):
                    picked = output.argsort(descending=True, stable=True)[:k]
                case operations.Threshold(limit):
                    best = output.argsort(descending=True, stable=True)
                    best = best if picked is None else picked
                    picked = best[output[best] >= limit]
                case operations.ClassName():
                    named = True
                case operations.Custom() as custom:
                    value = self._for_custom(output, picked, named)
                    made = self._functions[f"{custom.path}:{custom.function}"](value)
                    if custom.produces is None:
                        return Expected(Custom(_as_json(made, custom.function)))
                    output = torch.as_tensor(made)
        if picked is None:
            return Expected(Tensors((output.numpy(),)))
        return self._entries(output, picked, named)

    def _for_custom(self, output: torch.Tensor, picked: torch.Tensor | None, named: bool) -> Any:
        """What a custom function gets: an array, or the list of entries."""
        if picked is None:
            return output.numpy()
        told, expected = answer_of(self.project), self._entries(output, picked, named)
        assert isinstance(expected.answer, Entries)
        label = "class_name" if named else "class_index"
        pairs = zip(expected.answer.labels, expected.answer.values, strict=True)
        return [{label: name, told.value: value} for name, value in pairs]

    def _entries(self, scores: torch.Tensor, picked: torch.Tensor, named: bool) -> Expected:
        names = self.project.model.class_names
        labels: list[Label] = list(names) if named else list(range(len(scores)))
        indices = picked.tolist()
        answer = Entries(
            tuple(labels[index] for index in indices),
            tuple(float(scores[index]) for index in indices),
        )
        return Expected(answer, tuple(zip(labels, scores.tolist(), strict=False)))


def _as_json(made: object, function: str) -> object:
    """What a user's function made, as an answer in JSON has it; raises Refusal where none can."""
    try:
        return json.loads(json.dumps(made))
    except (TypeError, ValueError) as error:
        at: Pointer = ("transforms", "postprocess")
        message = f"{function}() returned {type(made).__name__}, which JSON cannot hold: {error}"
        raise Refusal(at, message, "return dicts, lists, texts and Python's numbers") from error


def _softmax(scores: torch.Tensor) -> torch.Tensor:
    return scores.float().softmax(-1)


def _sigmoid(scores: torch.Tensor) -> torch.Tensor:
    return scores.float().sigmoid()


_ACTIVATIONS = {"softmax": _softmax, "sigmoid": _sigmoid}


def _functional() -> Any:
    """torchvision.transforms.functional, which has no types."""
    import_torchvision()
    return importlib.import_module("torchvision.transforms.functional")


def _filter(interpolation: str) -> Any:
    return _functional().InterpolationMode(interpolation)


def _decoded(encoded: bytes, mode: str) -> Image.Image:
    """An image as Pillow's convert has it; 16-bit grey is scaled, where Pillow cuts it off."""
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            if image.mode.startswith("I;16"):
                return Image.fromarray((np.asarray(image) // 256).astype(np.uint8)).convert(mode)
            return image.convert(mode)
    except Exception as error:  # Pillow raises nearly anything on broken data
        raise NotTaken("the image is broken") from error


def _array(value: Any) -> Any:
    """A tensor or an image as an array."""
    return value.numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
