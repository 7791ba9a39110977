"""gen validate --fix: specs put right, in their files, on stdout, or shown as a diff."""

import difflib
from collections.abc import Iterable
from functools import partial

import click

from generator.blackening import kept_of, shown_line
from generator.credentials import kind
from generator.diagnostics import CannotRun, Rejected
from generator.fixes import Fixed, fixed, save
from generator.inputs import STANDARD_INPUT
from generator.reporting import Reporter
from generator.runs.loading import Held, diagnosed
from generator.secrecy import revealed
from generator.selection import Selection
from generator.source import load
from generator.specs import Spec


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


def _holds_a_credential(spec: Spec, done: Fixed) -> bool:
    """Whether the fixed text does; of one that cannot be read, whether it looks so."""
    try:
        document = load(spec.shown, done.after, spec.folder)
        return bool(revealed(document) or kept_of(document))
    except Rejected:
        return kind(done.after.decode("utf-8", "replace")) is not None


def _print_diff(spec: Spec, done: Fixed) -> None:
    old, new = (text.decode("utf-8", "replace") for text in (done.before, done.after))
    names = f"a/{spec.shown}", f"b/{spec.shown}"
    # Lines around a change would show a credential that the messages do not tell.
    around = 0 if _holds_a_credential(spec, done) else 3
    lines = difflib.unified_diff(old.splitlines(True), new.splitlines(True), *names, n=around)
    for line in lines:
        if shown_line(line) != line:
            line = f"{line[:1]}# a line that holds a credential\n"
        ended = line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        click.echo(ended.encode(), nl=False)
