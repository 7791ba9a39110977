"""gen render --prune: what no spec renders any more, removed or told."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click

from generator import reporting, write
from generator.commands.common import COULD_NOT_RUN, DONE, REFUSED
from generator.diagnostics import CannotRun, Diagnostic, Span
from generator.pruning import Leftovers, leftovers, spared, told
from generator.reporting import Reporter
from generator.runs.bringing import Brought
from generator.unseen import unseen

STANDARD_OUTPUT = "-"


def refuse_prune_of_a_part(
    paths: Sequence[str], targets: Sequence[str], environments: Sequence[str], output: str
) -> None:
    """Raises UsageError where a run does not see all specs of the output folder."""
    if targets or environments:
        raise click.UsageError("--prune is for all targets and environments")
    if output == STANDARD_OUTPUT:
        raise click.UsageError("--prune is for a folder: give one to --output")
    if missing := [path for path in paths if path != "-" and not os.path.exists(path)]:
        end = of_none_left(paths, output)
        raise click.UsageError(f"there is no folder {missing[0]}{end}")
    if lone := [path for path in paths if not Path(path).is_dir()]:
        message = f"--prune takes folders: {lone[0]} does not say which other specs there are"
        raise click.UsageError(message)


def of_none_left(paths: Sequence[str], output: str) -> str:
    """What retires the last project: a mistyped folder looks the same as one that is empty."""
    return f"; if the last spec is gone on purpose: git rm -r {output}" if len(paths) == 1 else ""


def left_over(output: Path, places: Mapping[str, Brought]) -> Leftovers:
    return leftovers(output, places, {path for each in places.values() for path in each.applied})


def without_spared(
    left: Leftovers, paths: Sequence[str], output: Path, reporter: Reporter
) -> Leftovers:
    """What is left over without what a file that may be a spec names; such files are told."""
    if not left.projects:
        return left
    names = {folder.name for folder in left.projects}
    found = list(unseen(paths, output, reporter.result.checked, names))
    reporter.add(*(told(each, output) for each in found))
    return spared(left, found)


def prune_left(left: Leftovers, reporter: Reporter) -> int:
    """Remove what is left over; what others have put there is told at most."""
    status = DONE
    for folder in left.projects:
        try:
            changes = write.drop(folder)
        except CannotRun as error:
            reporter.fail(error)
            status = COULD_NOT_RUN
        else:
            if changes is not None:  # no other run was faster
                reporting.print_pruned(folder, changes, err=reporter.takes_stdout)
    return status


def tell_left(left: Leftovers, reporter: Reporter) -> int:
    for path, message in _said_of(left):
        reporting.print_note(f"{path} {message}")
        if not reporter.is_text:
            what, hint = message.split(": ")
            shown = path / write.RECORD if path.is_dir() else path
            reporter.add(Diagnostic(str(shown), Span(1, 1, 2), what, "render/left-over", hint))
    return REFUSED if left else DONE


def _said_of(left: Leftovers) -> Iterator[tuple[Path, str]]:
    """What is wrong with each folder and file that is left over, and what to do."""
    for folder in left.projects:
        changes = write.compare(write.nothing_of(folder))
        if changes.removed or not changes.edited:
            yield folder, "is rendered by no spec: gen render --prune removes it"
        for path in changes.edited:
            how = reporting.how_edited(folder, path)
            yield folder / path, f"{how}, and is rendered by no spec any more: remove it"
    for foreign in left.foreign:
        yield foreign, "was not rendered, and lies where Argo CD may apply it: remove it"
