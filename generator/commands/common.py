"""What the commands share: options, the exit statuses, the walk over specs."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from generator import reports, result
from generator.diagnostics import CannotRun, Rejected
from generator.reporting import Progress, Reporter, print_note
from generator.runs.builds import Recollection, Use, build_all, build_and_use, environments
from generator.runs.loading import Failure, Outcome
from generator.runs.shard import WHOLE, Shard, parsed
from generator.runs.told import Result, Told, told
from generator.selection import Selection
from generator.specs import Spec, find_specs
from generator.targets import TARGETS
from generator.upward import looked_up_once

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from generator.pipeline import Build

DONE, REFUSED, COULD_NOT_RUN = result.DONE, result.REFUSED, result.COULD_NOT_RUN


def files_completed(
    _context: object, _parameter: object, incomplete: str
) -> "list[CompletionItem]":
    """Leave it to the shell to complete the names of files."""
    from click.shell_completion import CompletionItem  # when a shell asks

    return [CompletionItem(incomplete, type="file")]


def _names_a_file(
    _context: click.Context, _parameter: click.Parameter, name: str | None
) -> str | None:
    """The name; raises BadParameter for one without letters, as of a variable that is not set."""
    if name == "":
        raise click.BadParameter("the name is empty")
    return name


def _targets_completed(_context: object, _parameter: object, incomplete: str) -> list[str]:
    return [name for name in TARGETS if name.startswith(incomplete)]


def environments_completed(
    context: click.Context, _parameter: object, incomplete: str
) -> list[str]:
    """The environments of the specs that stand on the line so far."""
    names = environments(context.params.get("paths") or context.args)
    return [name for name in names if name.startswith(incomplete)]


specs_argument = click.argument(
    "paths", metavar="SPEC...", nargs=-1, required=True, shell_complete=files_completed
)
target_option = click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="NAME",
    help="Only this target; repeatable.",
    shell_complete=_targets_completed,
)
environment_option = click.option(
    "--environment",
    "environments",
    multiple=True,
    metavar="NAME",
    help="Only this environment; repeatable.",
    shell_complete=environments_completed,
)
format_option = click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(reports.NAMES),
    default=reports.TEXT,
    show_default=True,
    help="How diagnostics are told: text on stderr, any other on stdout.",
)
output_file_option = click.option(
    "--output-file",
    metavar="FILE",
    help="Write them to a file in place of stdout; for formats other than text.",
    callback=_names_a_file,
    shell_complete=files_completed,
)


def _part(_context: click.Context, _parameter: click.Parameter, word: str) -> Shard:
    """The shard of `I/N`; raises BadParameter for anything else."""
    try:
        return parsed(word)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


jobs_option = click.option(
    "--jobs",
    type=click.IntRange(1, 1024),
    metavar="N",
    help="Work in N processes; 1 is this one alone. [default: the cores there are, if it pays]",
)
shard_option = click.option(
    "--shard",
    default=str(WHOLE),
    callback=_part,
    metavar="I/N",
    help="Only the I-th of N parts of the specs, equal in number; for as many machines.",
)
strict_option = click.option("--strict", is_flag=True, help="Warnings are errors.")


def refuse_file_of_text(form: str, file: str | None) -> None:
    """Raises UsageError for text that is to go to a file: it is told as the run goes."""
    if form == reports.TEXT and file is not None:
        others = ", ".join(reports.FORMATS)
        raise click.UsageError(f"--output-file takes a --format of {others}")


class Tally(Struct):
    """How the specs of a run fared; `status` is the worst of theirs."""

    status: int = DONE
    passed: int = 0
    failed: int = 0

    def add(self, status: int) -> None:
        self.status = max(self.status, status)
        self.passed += status == DONE
        self.failed += status != DONE


def build_each(
    paths: Sequence[str],
    selection: Selection,
    use: "Callable[[Build], int]",
    reporter: Reporter | None = None,
) -> Tally:
    """Build specs and use each; a failing one is told and does not stop the others."""
    return build_specs(find_specs(paths), selection, use, reporter or Reporter())


def build_specs(
    specs: Iterable[Spec], selection: Selection, use: "Callable[[Build], int]", reporter: Reporter
) -> Tally:
    """`build_each` of specs that have been found."""
    tally = Tally()
    with Progress() as progress:
        for spec, outcome in build_all(specs, selection, progress.show):
            progress.clear()
            begun: Told[None] = told(spec, outcome, strict=reporter.result.strict)
            tally.add(_tell(begun, partial(_used, use, outcome), reporter))
    return tally


def _ignored(_told: Told[Result]) -> None:
    pass


def use_each(
    specs: Iterable[Spec],
    selection: Selection,
    use: Use[Told[Result]],
    tell: Callable[[Told[Result]], int],
    reporter: Reporter,
    *,
    jobs: int | None,
    shard: Shard = WHOLE,
    note: Callable[[Told[Result]], None] = _ignored,
    memory: Recollection[Told[Result]] | None = None,
) -> Tally:
    """Build specs, have each used in whatever process, and tell it here.

    `tell` tells what was done with one that did not fail, and gives its status; `note` takes all.
    """
    tally = Tally()
    with looked_up_once(), Progress() as progress:
        each = build_and_use(
            specs, selection, use, jobs=jobs, shard=shard, report=progress.show, memory=memory
        )
        # Closed, it ends its processes: also those of a run that is interrupted.
        with closing(each):
            for one in each:
                note(one)
                with progress.aside():
                    tally.add(_tell(one, tell, reporter))
    if shard != WHOLE and not tally.passed + tally.failed:
        print_note(f"shard {shard} has no spec to look at")
    return tally


def _used(use: "Callable[[Build], int]", outcome: Outcome, _told: Told[None]) -> int:
    assert not isinstance(outcome, Failure)  # else there is a failure to tell
    return use(outcome)


def _tell(one: Told[Result], tell: Callable[[Told[Result]], int], reporter: Reporter) -> int:
    if one.is_built:
        reporter.result.check(one.spec.shown)
    reporter.add(*one.warnings)
    try:
        if one.failure:
            raise one.failure
        return tell(one)
    except Rejected as rejected:
        reporter.result.check(one.spec.shown)
        reporter.result.refuse(one.spec.shown, rejected.diagnostics)
        reporter.add(*rejected.diagnostics)
        return REFUSED
    except CannotRun as error:
        reporter.fail(error)
        return COULD_NOT_RUN


def selected(targets: Sequence[str], environments: Sequence[str]) -> Selection:
    for target in targets:
        if target not in TARGETS:
            raise CannotRun(f"unknown target {target}; known: {', '.join(TARGETS)}")
    return Selection(tuple(targets), tuple(environments))
