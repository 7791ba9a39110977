"""gen validate --fix: specs put right, in their files, on stdout, or shown as a diff."""

import difflib
from collections.abc import Iterable
from functools import partial

import click

from generator.batch import Held, diagnosed
from generator.diagnostics import CannotRun
from generator.fixes import Fixed, fixed, save
from generator.inputs import STANDARD_INPUT
from generator.reporting import Reporter
from generator.specs import Spec
from generator.views import Selection


def fix_each(
    specs: Iterable[Spec], selection: Selection, reporter: Reporter, *, diff: bool
) -> list[Spec]:
    """The specs as they are after their fixes, to be validated; with `diff` as they would be.

    Raises UsageError where fixed text and diagnostics both take stdout.
    """
    after: list[Spec] = []
    take = reporter.propose if diff else reporter.fix
    for spec in specs:
        if reporter.takes_stdout and (diff or spec.path == STANDARD_INPUT):
            raise click.UsageError(
                f"fixed text takes stdout: give --output-file for {reporter.form}"
            )
        try:
            text = spec.read()
        except CannotRun as error:
            reporter.fail(error)
            continue
        done = fixed(spec.shown, text, partial(diagnosed, spec, selection=selection))
        try:
            _bring(spec, done, diff=diff)
        except CannotRun as error:
            reporter.fail(error)
            after.append(Held(spec.path, text))
            continue
        take(*done.mistakes)
        after.append(Held(spec.path, done.after))
    return after


def _bring(spec: Spec, done: Fixed, *, diff: bool) -> None:
    if diff:
        _print_diff(spec, done)
    elif spec.path == STANDARD_INPUT:
        click.echo(done.after, nl=False)
    elif done.mistakes:
        save(spec, done)


def _print_diff(spec: Spec, done: Fixed) -> None:
    old, new = (text.decode("utf-8", "replace") for text in (done.before, done.after))
    lines = difflib.unified_diff(
        old.splitlines(True), new.splitlines(True), f"a/{spec.shown}", f"b/{spec.shown}"
    )
    for line in lines:
        ended = line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        click.echo(ended.encode(), nl=False)
