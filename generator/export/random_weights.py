"""Weights of a seed in place of trained ones, with answers that tell inputs apart.

The published weights of a model are not always at hand, and those that a constructor leaves behind
often answer everything alike. These serve to try a deployment.
"""

import contextlib
from collections.abc import Iterator

import torch

from generator.export.refusal import Refusal
from generator.export.running import code_at, run
from generator.export.samples import Tensors, sample_inputs
from generator.export.users_code import called
from generator.project import Project, Tensor

SEED = 0
SAMPLES = 5
DETECTED = 2  # images for a detector, which may make them large
SPREAD = 3.0  # standard deviation of the numbers of an answer, over samples: some are far apart
COARSE = 7  # patches along each side of a sample that is an image

_Weighted = (
    torch.nn.modules.conv._ConvNd,
    torch.nn.Linear,
    torch.nn.Bilinear,
)
_Normalizing = torch.nn.modules.batchnorm._NormBase


def randomize(project: Project, module: torch.nn.Module) -> None:
    """Give a module in evaluation mode random weights, the same ones in each process.

    Layers keep the scale of what they pass on, batch norms get the statistics of samples, and a
    last layer the mean and spread that tell those apart. Raises Refusal where the module has lazy
    layers and does not take samples of the spec.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(SEED)
        inputs = _inputs(project, SEED)
        if any(map(torch.nn.parameter.is_lazy, module.parameters())):
            doing = "the first call of a module with lazy layers"
            called(project.folder, code_at(project), doing, lambda: module(*inputs))
        for layer in module.modules():
            if isinstance(layer, _Weighted):
                torch.nn.init.kaiming_normal_(layer.weight)
        if any(map(_keeps_statistics, module.modules())):
            _estimate(module, inputs, _inputs(project, SEED + 1))
        with contextlib.suppress(Refusal):  # of a module that returns something else than tensors
            _spread(module, inputs)


def _estimate(module: torch.nn.Module, inputs: Tensors, more: Tensors) -> None:
    """Give batch norms the statistics of samples; one that sees none keeps 0 and 1.

    What does not take tensors may take a list of images, as detectors do.
    """
    images = [image for each in (*inputs, *more) for image in each.reshape(-1, *each.shape[-3:])]
    for arguments in (inputs, (images[:DETECTED],)):
        with (
            _estimating(module),
            contextlib.suppress(Exception),
        ):  # the user's forward may raise any
            module(*arguments)
            return


def _inputs(project: Project, seed: int) -> Tensors:
    """Samples of the spec's shapes around zero; images have patches, as photos do."""
    generator = torch.Generator().manual_seed(seed)
    inputs = sample_inputs(project, batch_size=SAMPLES, seed=seed)
    pairs = zip(project.model.inputs, inputs, strict=True)
    return tuple(_patched(tensor, values, generator) for tensor, values in pairs)


def _patched(tensor: Tensor, values: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    if not values.dtype.is_floating_point:
        return values
    noise = torch.randn(values.shape, generator=generator)
    if len(tensor.sample_shape) == 3:
        images = noise.reshape(-1, *values.shape[-3:])
        coarse = torch.randn((*images.shape[:2], COARSE, COARSE), generator=generator)
        patches = torch.nn.functional.interpolate(coarse, images.shape[2:])
        noise = noise / 4 + patches.reshape(values.shape)
    return noise.to(values.dtype)


@contextlib.contextmanager
def _estimating(module: torch.nn.Module) -> Iterator[None]:
    """Let batch norms take the mean over all that is seen; the rest stays in evaluation mode."""
    layers = [each for each in module.modules() if _keeps_statistics(each)]
    momenta = [layer.momentum for layer in layers]
    try:
        for layer in layers:
            layer.momentum = None
            layer.reset_running_stats()
            layer.train()
        yield
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
            layer.eval()


def _keeps_statistics(layer: torch.nn.Module) -> bool:
    return isinstance(layer, _Normalizing) and layer.track_running_stats


def _spread(module: torch.nn.Module, inputs: Tensors) -> None:
    """Take from a last layer's bias what all answers have in common, and scale the rest."""
    seen: dict[torch.nn.Module, torch.Tensor] = {}
    layers = [each for each in module.modules() if isinstance(each, torch.nn.Linear)]
    hooks = [
        layer.register_forward_hook(lambda layer, _inputs, output: seen.update({layer: output}))
        for layer in layers
    ]
    try:
        answers = run(module, inputs)
    finally:
        for hook in hooks:
            hook.remove()
    for layer, output in seen.items():
        if layer.bias is not None and output.dim() == 2 and any(output is each for each in answers):
            factor = SPREAD / max(float(output.std(0).mean()), 1e-6)
            layer.weight.mul_(factor)
            layer.bias.sub_(output.mean(0)).mul_(factor)
