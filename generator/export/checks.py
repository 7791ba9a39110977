"""Hold a module against its spec, and its exported program against the module.

All of it happens before the program takes its place in a bundle.
"""

import sys
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import torch

from generator.document import Pointer
from generator.export.comparison import answers_like, differing
from generator.export.embedded_check import pictures
from generator.export.fresh_process import answers_of_a_fresh_process
from generator.export.loaded import Run, load_program
from generator.export.program_graph import check_graph
from generator.export.refusal import Refusal, first_line
from generator.export.running import code_at, first_run, run
from generator.export.samples import (
    RANDOM,
    Tensors,
    batch_of,
    copied,
    edge_samples,
    nearby,
    sample_inputs,
)
from generator.export.signature import check_inputs, check_outputs
from generator.project import Project
from generator.transforms.embedded import is_embedded

SEED = 1  # not that of the inputs that a trace is taken with
BATCH_SIZE = 3  # neither is this
LARGEST_BATCH = 16  # of what a server may join, how much is tried
# Triton's backend is built with torchvision's operators: TRITON_PYTORCH_ENABLE_TORCHVISION in
# CMakeLists.txt of triton-inference-server/pytorch_backend.
HAVE_TORCHVISION = ("triton",)


@dataclass(frozen=True)
class Answered:
    """Inputs, of which `words` say what they are, and the eager module's outputs for them."""

    words: str
    inputs: Tensors
    outputs: Tensors


def check_module(
    project: Project, module: torch.nn.Module, *, by_name: bool = False
) -> tuple[Answered, ...]:
    """Hold an eager module against its spec; returns its answers, first that to random values.

    `by_name`: the server finds forward's arguments by the names of the spec. Raises Refusal where
    the module takes or returns something else, still trains, is bound to a GPU, answers one call
    otherwise than the same again, or a batch otherwise than its samples one by one.
    """
    _check_mode(project, module)
    check_inputs(project, module, by_name=by_name)
    inputs = [sample_inputs(project, batch_size=1, seed=SEED + n) for n in range(BATCH_SIZE)]
    outputs = [first_run(project, module, each) for each in inputs]
    for each in outputs:
        check_outputs(project, each, 1)
    _check_again(project, module, inputs[0], outputs[0])
    answered = [Answered(RANDOM, inputs[0], outputs[0])]
    for size in _batch_sizes(project):
        several = [place % BATCH_SIZE for place in range(size)]
        batch = batch_of([inputs[place] for place in several])
        together = run(module, batch)
        _check_batch(project, together, [outputs[place] for place in several])
        answered.append(Answered(f"a batch of {size}", batch, together))
    for sample in edge_samples(project, SEED):
        found = _answer_at_edge(project, module, sample.inputs)
        if found:
            answered.append(Answered(sample.words, sample.inputs, found))
    return tuple(answered)


def check_program(project: Project, answered: tuple[Answered, ...], path: Path) -> None:
    """Hold the program of a file against the eager module's answers.

    Raises Refusal where it answers otherwise, here or when another process has loaded it.
    """
    program = load_program(path, project.export.format)
    if is_embedded(project.transforms):
        whole = torch.jit.load(path, map_location="cpu")
        _compare(project, answered, lambda inputs: run(whole.model, inputs))
        asked = [(image,) for image in pictures(project)]
        wanted = list(map(program, asked))
    else:
        _compare(project, answered, program)
        asked = [each.inputs for each in answered[:2]]  # the first sample and a batch
        wanted = [each.outputs for each in answered[:2]]
    with_torchvision = project.target in HAVE_TORCHVISION and "torchvision" in sys.modules
    elsewhere = answers_of_a_fresh_process(
        path, project.export.format, asked, with_torchvision=with_torchvision
    )
    for got, known in zip(elsewhere, wanted, strict=True):
        if differing(got, known) is not None:
            message = "the exported program answers otherwise when another process loads it"
            hint = "look for tensors that are made without values, as torch.empty does"
            raise Refusal(code_at(project), message, hint)


def _check_mode(project: Project, module: torch.nn.Module) -> None:
    """A module that trains, or a tensor on a GPU, that neither eval() nor cpu() has reached."""
    if isinstance(module, torch.jit.ScriptModule):
        check_graph(project, module)
        return
    at = code_at(project)
    for name, part in module.named_modules():
        kind = f"`{name}`, {type(part).__name__}," if name else f"{type(part).__name__}"
        if part.training:
            hint = "let its train() call super().train(mode)"
            raise Refusal(at, f"{kind} is in training mode after eval()", hint)
        for key, value in chain(vars(part).items(), part.named_buffers(recurse=False)):
            if isinstance(value, torch.Tensor) and value.device.type != "cpu":
                hint = f'register it: self.register_buffer("{key}", ...)'
                raise Refusal(at, f"{kind} keeps its tensor `{key}` on {value.device}", hint)


def _check_again(
    project: Project, module: torch.nn.Module, inputs: Tensors, outputs: Tensors
) -> None:
    index = differing(run(module, inputs), outputs)
    if index is not None:
        name = project.model.outputs[index].name
        message = f"two equal calls of the model have different answers in `{name}`"
        hint = (
            "look for dropout that ignores self.training, for random numbers, and for what "
            "forward keeps from one call to the next"
        )
        raise Refusal(code_at(project), message, hint)


def _batch_sizes(project: Project) -> tuple[int, ...]:
    """The batches that are tried: a small one, and the largest that the server may make."""
    if not project.model.inputs[0].has_batch:
        return ()
    largest = min(project.serving.batching.max_size or 1, LARGEST_BATCH)
    return (BATCH_SIZE, largest) if largest > BATCH_SIZE else (BATCH_SIZE,)


def _check_batch(project: Project, together: Tensors, alone: list[Tensors]) -> None:
    """Outputs of free sizes that differ between samples are padded in a batch: they may differ."""
    size = len(alone)
    if len(together) != len(project.model.outputs):
        message = f"the model returns {len(together)} tensors for a batch of {size}"
        hint = "return one tensor for the whole batch: torch.stack(...)"
        raise Refusal(("model", "outputs"), message, hint)
    for tensor, whole in zip(project.model.outputs, together, strict=True):
        if whole.shape[:1] != (size,):
            message = f"`{tensor.name}` has shape {list(whole.shape)} for batches of {size}"
            hint = "keep the batch dimension in front: flatten(1), not flatten() or reshape(1, -1)"
            raise Refusal(code_at(project), message, hint)
    check_outputs(project, together, size)
    columns = zip(project.model.outputs, together, zip(*alone, strict=True), strict=True)
    for tensor, whole, singles in columns:
        is_free = any(isinstance(size, str) for size in tensor.sample_shape)
        shapes = {tuple(each.shape[1:]) for each in (*singles, whole)}
        if is_free and len(shapes) > 1:
            continue
        if not all(map(answers_like, whole.split(1), singles)):
            message = f"samples in a batch have other answers in `{tensor.name}` than alone"
            hint = (
                "look for batch norm that trains, for a reshape that mixes samples, and for a sum "
                "or mean over the batch"
            )
            raise Refusal(code_at(project), message, hint)


def _answer_at_edge(project: Project, module: torch.nn.Module, inputs: Tensors) -> Tensors | None:
    """The answer to inputs, None where the module refuses them, or a rounding decides about it.

    TorchScript calls the operators that the module calls. Other formats have their own, which
    round otherwise: norms blow that up where the inputs are constant.
    """
    try:
        outputs = run(module, inputs)
        has_own_operators = project.export.format != "torchscript"
        near = run(module, nearby(inputs)) if has_own_operators else outputs
    except Refusal:
        return None
    return outputs if differing(near, outputs) is None else None


def _compare(project: Project, answered: tuple[Answered, ...], program: Run) -> None:
    at, made, hint = _remedy(project)
    for each in answered:
        try:
            outputs = program(copied(each.inputs))
        except Exception as error:  # as many kinds as there are formats
            said = error.message if isinstance(error, Refusal) else first_line(error)
            message = f"the {made} program fails for {each.words}: {said}"
            raise Refusal(at, message, hint) from error
        index = differing(outputs, each.outputs)
        if index is not None:
            name = project.model.outputs[index].name
            message = f"the {made} program answers otherwise in `{name}` for {each.words}"
            raise Refusal(at, message, hint)


def _remedy(project: Project) -> tuple[Pointer, str, str]:
    """Where a spec says how its program is made, what that makes it, and what else there is."""
    if project.model.program:
        return ("model", "program"), "saved", "save it anew with the torch that runs gen export"
    if project.export.format != "torchscript":
        return ("export", "format"), project.export.format, "choose another format"
    if project.export.method == "script":
        return ("export", "method"), "scripted", "use method: trace, or simplify forward"
    hint = "a trace follows one path: use method: script, or take the branches out"
    return ("export", "method"), "traced", hint
