"""gen validate, render, targets, schema: what needs the light core alone."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import click

from generator import editor_schema, pipeline, reporting, write
from generator.argo_cd.application import runs_load_test
from generator.argo_cd.repository import clone_of
from generator.argo_cd.stream import stream
from generator.commands import fixing
from generator.commands.common import (
    COULD_NOT_RUN,
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
from generator.diagnostics import CannotRun, Diagnostic, Rejected, Span
from generator.pipeline import Build
from generator.problem import Problem, located
from generator.pruning import Leftovers, leftovers, spared, told
from generator.reporting import Reporter, counted, reported
from generator.specs import NoSpec, Spec, find_specs
from generator.targets import TARGETS
from generator.unseen import unseen
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
@click.option(
    "--prune",
    is_flag=True,
    help="Remove the projects in FOLDER that no spec renders; with --check: fail where there are.",
)
@format_option
@output_file_option
@strict_option
def render(
    paths: Sequence[str],
    targets: Sequence[str],
    environments: Sequence[str],
    output: str,
    check: bool,
    prune: bool,
    form: str,
    output_file: str | None,
    strict: bool,
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
        _refuse_prune_of_a_part(paths, targets, environments, output)
    with reported(form, output_file, strict=strict) as reporter:
        if output == STANDARD_OUTPUT and reporter.takes_stdout:
            raise click.UsageError(f"manifests take stdout: give --output-file for {form}")
        selection = selected(targets, environments)

        trees: list[write.Tree] = []

        def bring(build: Build) -> int:
            if output == STANDARD_OUTPUT:
                return _print_manifests(build)
            warnings = tuple(_elsewhere(build, Path(output)))
            if warnings and reporter.result.strict:
                raise Rejected(warnings)
            reporter.add(*warnings)
            tree = write.tree(Path(output), build.project, build.files, _scope(build, selection))
            trees.append(tree)
            return _compare(tree, reporter) if check else _write(tree, reporter)

        try:
            tally = build_each(paths, selection, bring, reporter)
        except NoSpec as none:
            raise CannotRun(f"{none}{_of_none_left(paths, output) if prune else ''}") from None
        status = tally.status
        if prune and len(trees) == tally.passed + tally.failed:  # no spec was refused
            found = _left_over(Path(output), trees)
            left = _spared(found, paths, Path(output), reporter)
            status = max(status, REFUSED if left != found else DONE)
            status = max(status, _tell_left(left, reporter) if check else _prune(left, reporter))
        if tally.failed:
            verdict = "failed the check: run gen render" if check else "not rendered"
            of = counted(tally.failed + tally.passed, "spec")
            reporting.print_note(f"{tally.failed} of {of} {verdict}")
        elif check:
            click.echo(f"{counted(tally.passed, 'project')} as rendered", err=True)
        if prune and len(trees) < tally.passed + tally.failed:
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
    made = editor_schema.defaults_schema() if defaults else editor_schema.editor_schema()
    click.echo(json.dumps(made, indent=2))


def _scope(build: Build, selection: Selection) -> list[str]:
    """The parts of the project's folder that this run may prune: all, or what was selected."""
    if selection == Selection():
        return ["."]
    folders = map(pipeline.folder_of, build.deployments)
    return [str(folder.relative_to(build.project)) for folder in folders]


def _refuse_prune_of_a_part(
    paths: Sequence[str], targets: Sequence[str], environments: Sequence[str], output: str
) -> None:
    """Raises UsageError where a run does not see all specs of the output folder."""
    if targets or environments:
        raise click.UsageError("--prune is for all targets and environments")
    if output == STANDARD_OUTPUT:
        raise click.UsageError("--prune is for a folder: give one to --output")
    if missing := [path for path in paths if path != "-" and not os.path.exists(path)]:
        end = _of_none_left(paths, output)
        raise click.UsageError(f"there is no folder {missing[0]}{end}")
    if lone := [path for path in paths if not Path(path).is_dir()]:
        message = f"--prune takes folders: {lone[0]} does not say which other specs there are"
        raise click.UsageError(message)


def _of_none_left(paths: Sequence[str], output: str) -> str:
    """What retires the last project: a mistyped folder looks the same as one that is empty."""
    return f"; if the last spec is gone on purpose: git rm -r {output}" if len(paths) == 1 else ""


def _left_over(output: Path, trees: Sequence[write.Tree]) -> Leftovers:
    files = {PurePosixPath(tree.folder.name, path) for tree in trees for path in tree.files}
    return leftovers(output, {tree.folder.name for tree in trees}, files)


def _spared(left: Leftovers, paths: Sequence[str], output: Path, reporter: Reporter) -> Leftovers:
    """What is left over without what a file that may be a spec names; such files are told."""
    if not left.projects:
        return left
    names = {folder.name for folder in left.projects}
    found = list(unseen(paths, output, reporter.result.checked, names))
    reporter.add(*(told(each, output) for each in found))
    return spared(left, found)


def _prune(left: Leftovers, reporter: Reporter) -> int:
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


def _tell_left(left: Leftovers, reporter: Reporter) -> int:
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


def _elsewhere(build: Build, output: Path) -> Iterator[Diagnostic]:
    """Warn of an output folder in Argo CD's repository that is not the one it reads."""
    for each in build.deployments:
        argo_cd = each.project.gitops.argo_cd if each.project.gitops else None
        top = clone_of(argo_cd.repository, output) if argo_cd and not argo_cd.plugin else None
        if not argo_cd or not top or _PATH_ELSEWHERE in each.project.accepted_warnings:
            continue
        place = Path(os.path.abspath(output)).relative_to(top).as_posix()
        if place != argo_cd.path:
            message = f"Argo CD reads `{argo_cd.path}` of the repository; this renders to `{place}`"
            problem = Problem(_PATH, message, f"set it to `{place}`", severity="warning")
            yield located(problem, _PATH_ELSEWHERE, each.document)
            return


_PATH = ("gitops", "argo_cd", "path")
_PATH_ELSEWHERE = "gitops/path-elsewhere"


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
    """The manifests as one YAML stream, for kubectl apply -f - or Argo CD; always UTF-8."""
    for each in build.deployments:
        hooks = runs_load_test(each.project)
        text = stream(build.files, pipeline.folder_of(each), runs_load_test=hooks)
        click.echo(text.encode(), nl=False)
    return DONE
