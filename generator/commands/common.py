"""What the commands share: the group, its options, the exit statuses, the walk over specs."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import click
from click.shell_completion import CompletionItem

from generator import __version__, reporting, reports, result
from generator.batch import build_all, environments
from generator.diagnostics import CannotRun, Rejected
from generator.pipeline import Build
from generator.reporting import Reporter
from generator.specs import Spec, find_specs
from generator.targets import TARGETS
from generator.views import Selection

DONE, REFUSED, COULD_NOT_RUN = result.DONE, result.REFUSED, result.COULD_NOT_RUN
BUG, INTERRUPTED = 3, 130


def files_completed(_context: object, _parameter: object, incomplete: str) -> list[CompletionItem]:
    """Leave it to the shell to complete the names of files."""
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
strict_option = click.option("--strict", is_flag=True, help="Warnings are errors.")


def refuse_file_of_text(form: str, file: str | None) -> None:
    """Raises UsageError for text that is to go to a file: it is told as the run goes."""
    if form == reports.TEXT and file is not None:
        others = ", ".join(reports.FORMATS)
        raise click.UsageError(f"--output-file takes a --format of {others}")


class _Gen(click.Group):
    """A group that leaves a reader's early end to `main`; click would exit with 1."""

    def invoke(self, ctx: click.Context) -> Any:  # Any: as click has it
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            return COULD_NOT_RUN


@click.group(cls=_Gen, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gen", message="%(prog)s %(version)s")
def gen() -> None:
    """Render everything that deploys a PyTorch model from one YAML spec.

    Exit status: 0 done; 1 a spec has errors, --check found drift, verify a difference, or diff a
    change that needs attention; 2 could not run; 3 a bug in gen; 130 interrupted. NO_COLOR and
    FORCE_COLOR are honoured.
    """


@dataclass
class Tally:
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
    use: Callable[[Build], int],
    reporter: Reporter | None = None,
) -> Tally:
    """Build specs and use each; a failing one is told and does not stop the others."""
    return build_specs(find_specs(paths), selection, use, reporter or Reporter())


def build_specs(
    specs: Iterable[Spec], selection: Selection, use: Callable[[Build], int], reporter: Reporter
) -> Tally:
    """`build_each` of specs that have been found."""
    tally = Tally()
    for spec, outcome in build_all(specs, selection, reporting.show_progress):
        reporting.clear_progress()
        try:
            if not isinstance(outcome, Build):
                raise outcome
            reporter.result.check(spec.shown)
            if outcome.warnings and reporter.result.strict:
                raise Rejected(outcome.warnings)
            reporter.add(*outcome.warnings)
            tally.add(use(outcome))
        except Rejected as rejected:
            reporter.result.check(spec.shown)
            reporter.result.refuse(spec.shown, rejected.diagnostics)
            reporter.add(*rejected.diagnostics)
            tally.add(REFUSED)
        except CannotRun as error:
            reporter.fail(error)
            tally.add(COULD_NOT_RUN)
    return tally


def selected(targets: Sequence[str], environments: Sequence[str]) -> Selection:
    for target in targets:
        if target not in TARGETS:
            raise CannotRun(f"unknown target {target}; known: {', '.join(TARGETS)}")
    return Selection(tuple(targets), tuple(environments))
