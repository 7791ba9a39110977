"""gen validate, render, targets, schema: what needs the light core alone."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click

from generator import editor_schema, pipeline, reporting, write
from generator.commands import fixing
from generator.commands.common import (
    DONE,
    REFUSED,
    build_each,
    build_specs,
    environment_option,
    format_option,
    output_file_option,
    refuse_file_of_text,
    selected,
    specs_argument,
    strict_option,
    target_option,
)
from generator.diagnostics import Diagnostic, Span
from generator.pipeline import Build
from generator.reporting import Reporter, counted, reported
from generator.specs import Spec, find_specs
from generator.targets import TARGETS
from generator.views import Selection

STANDARD_OUTPUT = "-"


@click.command()
@specs_argument
@target_option
@environment_option
@format_option
@output_file_option
@strict_option
@click.option("--fix", is_flag=True, help="Put right what is certain, in the specs themselves.")
@click.option("--diff", is_flag=True, help="With --fix: print what it would change, write nothing.")
def validate(
    paths: Sequence[str],
    targets: Sequence[str],
    environments: Sequence[str],
    form: str,
    output_file: str | None,
    strict: bool,
    fix: bool,
    diff: bool,
) -> int:
    """Check specs, and everything they would render, without writing.

    SPEC is a file, a folder (all YAML files in it with a `spec_version` key), or - for stdin, of
    which --fix prints the fixed text.
    """
    refuse_file_of_text(form, output_file)
    if diff and not fix:
        raise click.UsageError("--diff shows what --fix would change: give both")
    with reported(form, output_file, strict=strict) as reporter:
        specs: Iterable[Spec] = find_specs(paths)
        selection = selected(targets, environments)
        if fix:
            specs = fixing.fix_each(specs, selection, reporter, diff=diff)
        tally = build_specs(specs, selection, lambda build: DONE, reporter)
        failed = f", {tally.failed} not" if tally.failed else ""
        once = " once fixed" if reporter.result.is_fixable else ""
        click.echo(f"{counted(tally.passed, 'spec')} valid{once}{failed}", err=True)
        if not fix and reporter.is_text:
            _tell_fixable(reporter)
    return reporter.result.status


def _tell_fixable(reporter: Reporter) -> None:
    if number := sum(diagnostic.fix is not None for diagnostic in reporter.result.diagnostics):
        reporting.print_note(f"{number} of these can be fixed with gen validate --fix")


@click.command()
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
@format_option
@output_file_option
@strict_option
def render(
    paths: Sequence[str],
    targets: Sequence[str],
    environments: Sequence[str],
    output: str,
    check: bool,
    form: str,
    output_file: str | None,
    strict: bool,
) -> int:
    """Render every file that deploys the projects of specs.

    SPEC is a file, a folder (all YAML files in it with a `spec_version` key), or - for stdin.
    Nothing of a spec with errors is written; other specs are not held up by it. With --target
    or --environment, what other targets and environments have rendered stays.
    """
    refuse_file_of_text(form, output_file)
    if output == STANDARD_OUTPUT and check:
        raise click.UsageError("--check compares with a folder: give one to --output")
    with reported(form, output_file, strict=strict) as reporter:
        if output == STANDARD_OUTPUT and reporter.takes_stdout:
            raise click.UsageError(f"manifests take stdout: give --output-file for {form}")
        selection = selected(targets, environments)

        def bring(build: Build) -> int:
            if output == STANDARD_OUTPUT:
                return _print_manifests(build)
            tree = write.tree(Path(output), build.project, build.files, _scope(build, selection))
            return _compare(tree, reporter) if check else _write(tree, reporter)

        tally = build_each(paths, selection, bring, reporter)
        if tally.failed:
            verdict = "failed the check: run gen render" if check else "not rendered"
            of = counted(tally.failed + tally.passed, "spec")
            reporting.print_note(f"{tally.failed} of {of} {verdict}")
        elif check:
            click.echo(f"{counted(tally.passed, 'project')} as rendered", err=True)
    return tally.status


@click.command(name="targets")
def list_targets() -> None:
    """List the targets that a spec can name."""
    for target in TARGETS.values():
        click.echo(f"{target.name}  {target.title}: {target.summary}")


@click.command()
def schema() -> None:
    """Print the JSON Schema of specs, for editors.

    Draft-07, with the options of every target.
    """
    click.echo(json.dumps(editor_schema.editor_schema(), indent=2))


def _scope(build: Build, selection: Selection) -> list[str]:
    """The parts of the project's folder that this run may prune: all, or what was selected."""
    if selection == Selection():
        return ["."]
    folders = map(pipeline.folder_of, build.deployments)
    return [str(folder.relative_to(build.project)) for folder in folders]


def _write(tree: write.Tree, reporter: Reporter) -> int:
    reporting.print_written(tree, write.write(tree), err=reporter.takes_stdout)
    return DONE


def _compare(tree: write.Tree, reporter: Reporter) -> int:
    changes = write.compare(tree)
    if not changes:
        return DONE
    diff = "".join(write.unified_diff(tree, changes))
    click.echo(diff, nl=False, err=reporter.takes_stdout)
    if not reporter.is_text:  # which has the diff
        reporter.add(*_drifted(tree, changes))
    reporting.print_note(f"{tree.folder} is not what its spec renders")
    return REFUSED


def _drifted(tree: write.Tree, changes: write.Changes) -> Iterator[Diagnostic]:
    """A diagnostic for each file that is not as rendered."""
    told = {
        "is missing": changes.created,
        "is not what its spec renders": changes.updated,
        "is not rendered any more": changes.removed,
    }
    for message, paths in told.items():
        for path in paths:
            place = str(tree.folder / path)
            yield Diagnostic(place, Span(1, 1, 2), message, "render/drift", "run gen render")


def _print_manifests(build: Build) -> int:
    """The manifests as one YAML stream, for kubectl apply -f -; always UTF-8."""
    for file in build.files:
        if file.path.parent.name == "manifests" and file.path.name != "kustomization.yaml":
            click.echo(f"---\n# {file.path}\n{file.text}".encode(), nl=False)
    return DONE
