"""The command `gen`."""

import contextlib
import io
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import click

from generator import __version__, editor_schema, pipeline, reporting, write
from generator.batch import build_all
from generator.diagnostics import CannotRun, Rejected
from generator.pipeline import Build
from generator.reporting import counted
from generator.specs import find_specs
from generator.targets import TARGETS
from generator.views import Selection

DONE, REFUSED, COULD_NOT_RUN, BUG, INTERRUPTED = 0, 1, 2, 3, 130
STANDARD_OUTPUT = "-"

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

    Exit status: 0 done; 1 a spec has errors, or --check found drift; 2 could not run;
    3 a bug in gen; 130 interrupted. NO_COLOR and FORCE_COLOR are honoured.
    """


@gen.command()
@specs_argument
@target_option
@environment_option
def validate(paths: Sequence[str], targets: Sequence[str], environments: Sequence[str]) -> int:
    """Check specs, and everything they would render, without writing.

    SPEC is a file, a folder (all YAML files in it with a `spec_version` key), or - for stdin.
    """
    tally = _build_each(paths, _selection(targets, environments), lambda build: DONE)
    failed = f", {tally.failed} not" if tally.failed else ""
    click.echo(f"{counted(tally.passed, 'spec')} valid{failed}", err=True)
    return tally.status


@gen.command()
@specs_argument
@target_option
@environment_option
@click.option(
    "-o",
    "--output",
    default="rendered",
    show_default=True,
    metavar="FOLDER",
    help="Where projects are rendered; - prints the manifests to stdout.",
)
@click.option("--check", is_flag=True, help="Write nothing; fail and print a diff on drift.")
def render(
    paths: Sequence[str],
    targets: Sequence[str],
    environments: Sequence[str],
    output: str,
    check: bool,
) -> int:
    """Render every file that deploys the projects of specs.

    SPEC is a file, a folder (all YAML files in it with a `spec_version` key), or - for stdin.
    Nothing of a spec with errors is written; other specs are not held up by it. With --target
    or --environment, what other targets and environments have rendered stays.
    """
    selection = _selection(targets, environments)
    if output == STANDARD_OUTPUT and check:
        raise click.UsageError("--check compares with a folder: give one to --output")

    def bring(build: Build) -> int:
        if output == STANDARD_OUTPUT:
            return _print_manifests(build)
        tree = write.tree(Path(output), build.project, build.files, _scope(build, selection))
        return _compare(tree) if check else _write(tree)

    tally = _build_each(paths, selection, bring)
    if tally.failed:
        verdict = "failed the check: run gen render" if check else "not rendered"
        of = counted(tally.failed + tally.passed, "spec")
        reporting.print_note(f"{tally.failed} of {of} {verdict}")
    elif check:
        click.echo(f"{counted(tally.passed, 'project')} as rendered", err=True)
    return tally.status


@gen.command(name="targets")
def list_targets() -> None:
    """List the targets that a spec can name."""
    for target in TARGETS.values():
        click.echo(f"{target.name}  {target.title}: {target.summary}")


@gen.command()
def schema() -> None:
    """Print the JSON Schema of specs, for editors.

    Draft-07, with the options of every target.
    """
    click.echo(json.dumps(editor_schema.editor_schema(), indent=2))


@gen.command()
@specs_argument
@target_option
@environment_option
@click.option(
    "-o",
    "--output",
    default="build",
    show_default=True,
    metavar="FOLDER",
    help="Where the bundles are written.",
)
def export(
    paths: Sequence[str], targets: Sequence[str], environments: Sequence[str], output: str
) -> int:
    """Export models and write the bundles that servers load.

    SPEC is a file, a folder (all YAML files in it with a `spec_version` key), or - for stdin.
    Needs torch: install this package with its extra `export`.
    """
    try:
        from generator.export import export_bundle
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        hint = "install serving-generator with its extra `export`"
        raise CannotRun(f"gen export needs torch: {hint}") from None

    def export_each(build: Build) -> int:
        for deployment in build.deployments:
            click.echo(f"exporting {pipeline.folder_of(deployment)}", err=True)
            try:
                report = reporting.show_download
                bundle = export_bundle(deployment, build.files, Path(output), report)
            finally:
                reporting.clear_progress()
            click.echo(f"{bundle}: exported")
        return DONE

    return _build_each(paths, _selection(targets, environments), export_each).status


@dataclass
class _Tally:
    """How the specs of a run fared; `status` is the worst of theirs."""

    status: int = DONE
    passed: int = 0
    failed: int = 0

    def add(self, status: int) -> None:
        self.status = max(self.status, status)
        self.passed += status == DONE
        self.failed += status != DONE


def _build_each(paths: Sequence[str], selection: Selection, use: Callable[[Build], int]) -> _Tally:
    """Build specs and use each; a failing one is told and does not stop the others."""
    tally = _Tally()
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


def _selection(targets: Sequence[str], environments: Sequence[str]) -> Selection:
    for target in targets:
        if target not in TARGETS:
            raise CannotRun(f"unknown target {target}; known: {', '.join(TARGETS)}")
    return Selection(tuple(targets), tuple(environments))


def _scope(build: Build, selection: Selection) -> list[str]:
    """The parts of the project's folder that this run may prune: all, or what was selected."""
    if selection == Selection():
        return ["."]
    folders = map(pipeline.folder_of, build.deployments)
    return [str(folder.relative_to(build.project)) for folder in folders]


def _write(tree: write.Tree) -> int:
    reporting.print_written(tree, write.write(tree))
    return DONE


def _compare(tree: write.Tree) -> int:
    changes = write.compare(tree)
    if not changes:
        return DONE
    click.echo("".join(write.unified_diff(tree, changes)), nl=False)
    reporting.print_note(f"{tree.folder} is not what its spec renders")
    return REFUSED


def _print_manifests(build: Build) -> int:
    """The manifests as one YAML stream, for kubectl apply -f -; always UTF-8."""
    for file in build.files:
        if file.path.parent.name == "manifests" and file.path.name != "kustomization.yaml":
            click.echo(f"---\n# {file.path}\n{file.text}".encode(), nl=False)
    return DONE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the one place that turns what happened into an exit status."""
    try:
        signal.signal(signal.SIGTERM, _interrupt)
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # as stderr: names may be any bytes
        status = gen.main(arguments, "gen", standalone_mode=False, color=reporting.colour())
        return int(status or DONE)
    except (click.exceptions.Abort, KeyboardInterrupt):
        reporting.print_note("interrupted")
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return COULD_NOT_RUN
    except CannotRun as error:
        reporting.print_failure(error)
        return COULD_NOT_RUN
    except Exception as error:  # the one place: what is no failure of the system's is a bug of ours
        if isinstance(error, OSError) and error.errno is not None:
            reporting.print_failure(error)
            return COULD_NOT_RUN
        traceback.print_exc()
        reporting.print_note("this is a bug in serving-generator; please report it")
        return BUG
    finally:
        _let_go_of_output()


def _let_go_of_output() -> None:
    """Let the interpreter close a stdout that nobody takes without complaint."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
        return
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
