"""gen validate, render, targets, schema: what needs the light core alone."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import click
from msgspec.structs import replace

from generator import reporting, write
from generator.commands.common import (
    DONE,
    REFUSED,
    environment_option,
    format_option,
    jobs_option,
    output_file_option,
    refuse_file_of_text,
    selected,
    shard_option,
    specs_argument,
    strict_option,
    target_option,
    use_each,
)
from generator.commands.pruning import (
    STANDARD_OUTPUT,
    left_over,
    of_none_left,
    prune_left,
    refuse_prune_of_a_part,
    tell_left,
    without_spared,
)
from generator.diagnostics import CannotRun, Diagnostic, Span
from generator.reporting import Reporter, counted, reported
from generator.runs.bringing import Bringing, Brought, Printing
from generator.runs.recalling import recalling
from generator.runs.shard import WHOLE, Shard
from generator.runs.told import Told, Validating
from generator.specs import NoSpec, Spec, find_specs
from generator.targets import TARGETS


@click.command()
@specs_argument
@target_option
@environment_option
@format_option
@output_file_option
@strict_option
@jobs_option
@shard_option
@click.option("--fix", is_flag=True, help="Put right what is certain, in the specs themselves.")
@click.option("--diff", is_flag=True, help="With --fix: print what it would change, write nothing.")
def validate(
    paths: Sequence[str],
    targets: Sequence[str],
    environments: Sequence[str],
    form: str,
    output_file: str | None,
    strict: bool,
    jobs: int | None,
    shard: Shard,
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
    if fix and shard != WHOLE:
        raise click.UsageError("--fix is for all specs that are named: leave out --shard")
    with reported(form, output_file, strict=strict) as reporter:
        specs: Iterable[Spec] = find_specs(paths)
        selection = selected(targets, environments)
        if fix:
            from generator.commands import fixing  # for --fix alone

            specs = fixing.fix_each(specs, selection, reporter, diff=diff)
        tally = use_each(
            specs, selection, Validating(strict), _told_all, reporter, jobs=jobs, shard=shard
        )
        failed = f", {tally.failed} not" if tally.failed else ""
        once = " once fixed" if reporter.result.is_fixable else ""
        click.echo(f"{counted(tally.passed, 'spec')} valid{once}{failed}", err=True)
        if not fix and reporter.is_text:
            _tell_fixable(reporter)
    return reporter.result.status


def _told_all(_told: Told[None]) -> int:
    return DONE


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
@click.option(
    "--prune",
    is_flag=True,
    help="Remove the projects in FOLDER that no spec renders; with --check: fail where there are.",
)
@click.option(
    "--no-cache", is_flag=True, help="Render also the specs of which nothing has changed."
)
@format_option
@output_file_option
@strict_option
@jobs_option
@shard_option
def render(
    paths: Sequence[str],
    targets: Sequence[str],
    environments: Sequence[str],
    output: str,
    check: bool,
    prune: bool,
    no_cache: bool,
    form: str,
    output_file: str | None,
    strict: bool,
    jobs: int | None,
    shard: Shard,
) -> int:
    """Render every file that deploys the projects of specs.

    SPEC is a file, a folder (all YAML files in it with a `spec_version` key), or - for stdin.
    Nothing of a spec with errors is written; other specs are not held up by it. With --target
    or --environment, what other targets and environments have rendered stays. --prune takes
    the folders of all specs that are rendered to FOLDER; it removes only what gen render has
    written, nothing while a spec has errors, and no project that another YAML or JSON file of the
    repository names: told, with status 1. --check --prune also fails on other files where Argo CD
    may apply them.
    """
    refuse_file_of_text(form, output_file)
    if output == STANDARD_OUTPUT and check:
        raise click.UsageError("--check compares with a folder: give one to --output")
    if prune:
        if shard != WHOLE:
            raise click.UsageError("--prune is for all specs of FOLDER: leave out --shard")
        refuse_prune_of_a_part(paths, targets, environments, output)
    with reported(form, output_file, strict=strict) as reporter:
        if output == STANDARD_OUTPUT and reporter.takes_stdout:
            raise click.UsageError(f"manifests take stdout: give --output-file for {form}")
        selection = selected(targets, environments)
        places: dict[str, Brought] = {}

        def note(each: Told[Brought]) -> None:
            if prune and each.result:
                places[each.result.folder.name] = replace(
                    each.result, changes=None, drift="", left=None
                )

        def tell(each: Told[Brought]) -> int:
            return _compare(each, reporter) if check else _tell_written(each, reporter)

        walk = partial(use_each, find_specs(paths), selection, jobs=jobs, shard=shard)
        try:
            if output == STANDARD_OUTPUT:
                tally = walk(Printing(strict), _print_manifests, reporter)
            else:
                place, is_noting = Path(output), not (check or no_cache)
                bringing = Bringing(selection, place, check, strict, is_noting)
                earlier = recalling(place, selection, strict=strict, tells_applied=prune)
                with earlier if is_noting else nullcontext() as memory:
                    tally = walk(bringing, tell, reporter, note=note, memory=memory)
        except NoSpec as none:
            raise CannotRun(f"{none}{of_none_left(paths, output) if prune else ''}") from None
        status = tally.status
        if prune and len(places) == tally.passed + tally.failed:  # no spec was refused
            found = left_over(Path(output), places)
            left = without_spared(found, paths, Path(output), reporter)
            status = max(status, REFUSED if left != found else DONE)
            status = max(status, tell_left(left, reporter) if check else prune_left(left, reporter))
        if tally.failed:
            verdict = "failed the check: run gen render" if check else "not rendered"
            of = counted(tally.failed + tally.passed, "spec")
            reporting.print_note(f"{tally.failed} of {of} {verdict}")
        elif check:
            click.echo(f"{counted(tally.passed, 'project')} as rendered", err=True)
        if prune and len(places) < tally.passed + tally.failed:
            reporting.print_note("nothing is pruned: a spec with errors may render any project")
    return status


@click.command(name="targets")
def list_targets() -> None:
    """List the targets that a spec can name."""
    for target in TARGETS.values():
        click.echo(f"{target.name}  {target.title}: {target.summary}")


@click.command()
@click.option("--defaults", is_flag=True, help="That of serving-defaults.yaml, in its place.")
def schema(defaults: bool) -> None:
    """Print the JSON Schema of specs, for editors.

    Draft-07, with the options of every target.
    """
    from generator import editor_schema  # for this command alone

    made = editor_schema.defaults_schema() if defaults else editor_schema.editor_schema()
    click.echo(json.dumps(made, indent=2))


def _tell_written(each: Told[Brought], reporter: Reporter) -> int:
    brought, changes = _done(each)
    reporting.print_written(brought.folder, brought.files, changes, err=reporter.takes_stdout)
    return DONE


def _compare(each: Told[Brought], reporter: Reporter) -> int:
    brought, changes = _done(each)
    if not changes:
        return DONE
    click.echo(brought.drift, nl=False, err=reporter.takes_stdout)
    if not reporter.is_text:  # which has the diff
        reporter.add(*_drifted(brought.folder, changes))
    reporting.print_note(f"{brought.folder} is not what its spec renders")
    return REFUSED


def _done(each: Told[Brought]) -> tuple[Brought, write.Changes]:
    assert each.result is not None  # else there is a failure to tell
    assert each.result.changes is not None
    return each.result, each.result.changes


def _drifted(folder: Path, changes: write.Changes) -> Iterator[Diagnostic]:
    """A diagnostic for each file that is not as rendered."""
    told = {
        "is missing": changes.created,
        "is not what its spec renders": changes.updated,
        "is not rendered any more": changes.removed,
    }
    for message, paths in told.items():
        for path in paths:
            place = str(folder / path)
            yield Diagnostic(place, Span(1, 1, 2), message, "render/drift", "run gen render")


def _print_manifests(printed: Told[Sequence[bytes]]) -> int:
    for text in printed.result or ():
        click.echo(text, nl=False)
    return DONE
