"""What the commands share: the group, its options, the exit statuses, the walk over specs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import click

from generator import __version__, reporting
from generator.batch import build_all
from generator.diagnostics import CannotRun, Rejected
from generator.pipeline import Build
from generator.specs import find_specs
from generator.targets import TARGETS
from generator.views import Selection

DONE, REFUSED, COULD_NOT_RUN, BUG, INTERRUPTED = 0, 1, 2, 3, 130

specs_argument = click.argument("paths", metavar="SPEC...", nargs=-1, required=True)
target_option = click.option(
    "--target", "targets", multiple=True, metavar="NAME", help="Only this target; repeatable."
)
environment_option = click.option(
    "--environment",
    "environments",
    multiple=True,
    metavar="NAME",
    help="Only this environment; repeatable.",
)


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

    Exit status: 0 done; 1 a spec has errors, --check found drift, or verify a difference; 2 could
    not run; 3 a bug in gen; 130 interrupted. NO_COLOR and FORCE_COLOR are honoured.
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


def build_each(paths: Sequence[str], selection: Selection, use: Callable[[Build], int]) -> Tally:
    """Build specs and use each; a failing one is told and does not stop the others."""
    tally = Tally()
    for outcome in build_all(find_specs(paths), selection, reporting.show_progress):
        reporting.clear_progress()
        try:
            if not isinstance(outcome, Build):
                raise outcome
            reporting.print_diagnostics(outcome.warnings)
            tally.add(use(outcome))
        except Rejected as rejected:
            reporting.print_diagnostics(rejected.diagnostics)
            tally.add(REFUSED)
        except CannotRun as error:
            reporting.print_failure(error)
            tally.add(COULD_NOT_RUN)
    return tally


def selected(targets: Sequence[str], environments: Sequence[str]) -> Selection:
    for target in targets:
        if target not in TARGETS:
            raise CannotRun(f"unknown target {target}; known: {', '.join(TARGETS)}")
    return Selection(tuple(targets), tuple(environments))
