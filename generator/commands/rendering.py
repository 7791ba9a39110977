"""gen validate, render, targets, schema: what needs the light core alone."""

import json
from collections.abc import Sequence
from pathlib import Path

import click

from generator import editor_schema, pipeline, reporting, write
from generator.commands.common import (
    DONE,
    REFUSED,
    build_each,
    environment_option,
    selected,
    specs_argument,
    target_option,
)
from generator.pipeline import Build
from generator.reporting import counted
from generator.targets import TARGETS
from generator.views import Selection

STANDARD_OUTPUT = "-"


@click.command()
@specs_argument
@target_option
@environment_option
def validate(paths: Sequence[str], targets: Sequence[str], environments: Sequence[str]) -> int:
    """Check specs, and everything they would render, without writing.

    SPEC is a file, a folder (all YAML files in it with a `spec_version` key), or - for stdin.
    """
    tally = build_each(paths, selected(targets, environments), lambda build: DONE)
    failed = f", {tally.failed} not" if tally.failed else ""
    click.echo(f"{counted(tally.passed, 'spec')} valid{failed}", err=True)
    return tally.status


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
    selection = selected(targets, environments)
    if output == STANDARD_OUTPUT and check:
        raise click.UsageError("--check compares with a folder: give one to --output")

    def bring(build: Build) -> int:
        if output == STANDARD_OUTPUT:
            return _print_manifests(build)
        tree = write.tree(Path(output), build.project, build.files, _scope(build, selection))
        return _compare(tree) if check else _write(tree)

    tally = build_each(paths, selection, bring)
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
