"""gen inspect: the `model:` section of a module that is at hand."""

import contextlib
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast, get_args

import click

from generator import reporting, source
from generator.commands.common import DONE, REFUSED
from generator.diagnostics import CannotRun, Rejected
from generator.project import Dtype, Tensor

QUIET_SECONDS = 1.0
REPORT_SECONDS = 2.0
INPUT = re.compile(r"([^:]+):([^:]+):([^:]+)")
DIMENSION = re.compile(r"[1-9][0-9]{0,8}|[A-Z]")


@click.command()
@click.argument("model")
@click.option(
    "--argument",
    "arguments",
    multiple=True,
    metavar="NAME=VALUE",
    help="What the callable is called with, as YAML; repeatable.",
)
@click.option("--weights", metavar="FILE", help="A state_dict of torch.save for the module.")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="NAME:DTYPE:SHAPE",
    help="An input that cannot be found, as image:float32:N,3,32,32; repeatable.",
)
def inspect(
    model: str, arguments: Sequence[str], weights: str | None, inputs: Sequence[str]
) -> int:
    """Print the `model:` section of a spec for a module, its shapes found by running it.

    MODEL is file.py:callable, package.module:callable, or a TorchScript file. Letters stand for
    free dimensions, a leading N for the batch. Paths are those of a spec in this folder. Needs
    torch: install this package with its extra `export`.
    """
    try:
        from generator.export.inspection import inspect_model
        from generator.export.refusal import Refusal
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        hint = "install serving-generator with its extra `export`"
        raise CannotRun(f"gen inspect needs torch: {hint}") from None
    given = [_tensor(text) for text in inputs]
    try:
        called_with = _arguments(arguments)
        with contextlib.redirect_stdout(sys.stderr):  # the user's code may print
            section = inspect_model(model, called_with, weights, given, _Progress())
    except Rejected as rejected:
        reporting.print_diagnostics(rejected.diagnostics)
        return REFUSED
    except Refusal as refusal:
        reporting.clear_progress()
        reporting.print_note(f"{model}: {refusal.message}")
        if refusal.hint:
            click.echo(f"  = help: {refusal.hint}", err=True)
        return REFUSED
    finally:
        reporting.clear_progress()
    click.echo(section, nl=False)
    return DONE


class _Progress:
    """Shows what is being tried when it takes longer than a second."""

    def __init__(self) -> None:
        self.due = time.monotonic() + QUIET_SECONDS

    def __call__(self, text: str) -> None:
        if time.monotonic() > self.due:
            self.due = time.monotonic() + REPORT_SECONDS
            reporting.show_step(text)


def _arguments(texts: Sequence[str]) -> dict[str, object]:
    """The values by name; raises Rejected where one is no YAML."""
    values: dict[str, object] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise click.UsageError(f"--argument {text}: write NAME=VALUE")
        values |= source.load(f"--argument {text}", f"{name}: {value}", Path()).data
    return values


def _tensor(text: str) -> Tensor:
    found = INPUT.fullmatch(text)
    dimensions = found[3].split(",") if found else []
    if not found or not all(map(DIMENSION.fullmatch, dimensions)):
        raise click.UsageError(f"--input {text}: write NAME:DTYPE:SHAPE as x:float32:N,3,32,32")
    name, dtype, _ = found.groups()
    if dtype not in get_args(Dtype):
        known = ", ".join(get_args(Dtype))
        raise click.UsageError(f"--input {text}: dtype {dtype} is none of {known}")
    shape = tuple(int(each) if each.isdecimal() else each for each in dimensions)
    return Tensor(name, cast(Dtype, dtype), shape)
