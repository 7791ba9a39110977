"""What gen diff does; imported when it runs, for other commands not to wait for it."""

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

import click

from generator import atomic, pipeline, reporting, write
from generator.changes import document, markdown, text
from generator.changes.comparison import Comparison, compare
from generator.changes.pairing import Promotion
from generator.changes.revisions import as_committed, of_revision
from generator.changes.trees import Entry, Place, entry_at, of_folder, of_rendered
from generator.commands.common import (
    COULD_NOT_RUN,
    DONE,
    REFUSED,
    selected,
)
from generator.commands.diffing import DEFAULT_FOLDER
from generator.diagnostics import CannotRun, Rejected
from generator.pipeline import Build
from generator.pruning import leftovers
from generator.reports.text import Role, plain
from generator.runs.builds import build_all
from generator.selection import Selection
from generator.specs import find_specs, is_spec
from generator.targets import TARGETS

_Files = dict[PurePosixPath, Entry]


def run(
    *,
    paths: Sequence[str],
    source: str | None,
    goal: str | None,
    from_revision: str | None,
    to_revision: str | None,
    folders: bool,
    output: str,
    targets: Sequence[str],
    environments: Sequence[str],
    form: str,
    output_file: str | None,
    exit_zero: bool,
) -> int:
    """Compare what the options name, tell it, and give the exit status."""
    if output_file == "":
        raise click.UsageError("--output-file: the name is empty")
    selection = selected(targets, environments)
    comparison = Comparison("", "")
    try:
        if from_revision is not None or to_revision is not None:
            _refuse(from_revision is None, "--to-revision goes with --from-revision")
            _refuse(bool(folders or source or goal), "--from-revision stands for itself")
            _of_revisions(comparison, paths, from_revision or "", to_revision, selection)
        elif folders:
            _refuse(len(paths) != 2, "--folders takes two folders: the old one, the new one")
            _refuse(bool(source or goal), "--folders takes no environments to compare")
            _of_folders(comparison, paths[0], paths[1], selection)
        elif source is not None or goal is not None:
            _refuse(not (source and goal), "--from and --to go together")
            _refuse(not paths, "name the specs whose environments are compared")
            _refuse(bool(environments), "--from and --to say which environments")
            _of_environments(comparison, paths, source or "", goal or "", targets)
        else:
            _refuse(not paths, "name specs, or give --from-revision or --folders")
            _of_render(comparison, paths, output, selection)
    except CannotRun as error:
        comparison.failures.append(str(error))
    return _told(comparison, form, output_file, exit_zero=exit_zero)


def _refuse(is_wrong: bool, message: str) -> None:
    if is_wrong:
        raise click.UsageError(message)


def _told(comparison: Comparison, form: str, file: str | None, *, exit_zero: bool) -> int:
    """Print the comparison, and what could not be compared; the exit status."""
    status = REFUSED if comparison.needing_attention and not exit_zero else DONE
    status = COULD_NOT_RUN if comparison.failures else status
    for failure in comparison.failures:
        reporting.print_note(failure)
    match form:
        case "json":
            said = document.report(comparison, status)
        case "markdown":
            said = markdown.report(comparison)
        case _:
            said = text.report(comparison, _styled if file is None else plain)
    if not comparison.services and comparison.failures and form == "text":
        return status
    content = said.encode("utf-8", "backslashreplace")
    if file is None:
        click.echo(content.decode(), nl=False)
        return status
    try:
        atomic.write(Path(file), content)
    except OSError as error:
        raise CannotRun(f"cannot write {file}: {error.strerror}") from None
    return status


def _styled(said: str, role: Role) -> str:
    return click.style(said, fg="yellow" if role == "warning" else None, bold=True)


def _is_wanted(selection: Selection, place: Place) -> bool:
    """Whether a place is selected; what is of no target or environment goes with all."""
    has_target = not place.target or selection.has_target(place.target)
    return has_target and (not place.environment or selection.has_environment(place.environment))


def _of_folders(comparison: Comparison, old: str, new: str, selection: Selection) -> None:
    comparison.old, comparison.new = old, new
    for folder in (old, new):
        if not os.path.isdir(folder):
            raise CannotRun(f"{folder} is no folder")
    before, after = of_folder(Path(old)), of_folder(Path(new))
    name = Path(os.path.abspath(new)).name
    wanted = partial(_is_wanted, selection)
    compare(comparison, before, after, tuple(TARGETS), name=name, wanted=wanted)


def _of_revisions(
    comparison: Comparison,
    folders: Sequence[str],
    old: str,
    new: str | None,
    selection: Selection,
) -> None:
    comparison.old, comparison.new = old, new or "the working tree"
    before: _Files = {}
    after: _Files = {}
    folders = folders or (DEFAULT_FOLDER,)
    for folder in folders:
        path = Path(folder)
        sides = of_revision(path, old), of_revision(path, new) if new else _lying(path)
        if not new and sides[0] and sides[1]:
            sides = sides[0], as_committed(path, sides[0], sides[1])
        if sides[0] is None and sides[1] is None:
            raise CannotRun(f"{folder} holds no file in {comparison.old} nor in {comparison.new}")
        if any(_holds_specs(side or {}) for side in sides):
            hint = f"name the folder that they are rendered to, such as {DEFAULT_FOLDER}"
            raise CannotRun(f"{folder} holds specs and nothing that is rendered: {hint}")
        for side, found in zip((before, after), sides, strict=True):
            prefix = PurePosixPath(path.as_posix()) if len(folders) > 1 else PurePosixPath()
            side |= {prefix / name: entry for name, entry in (found or {}).items()}
    name = Path(os.path.abspath(folders[0])).name
    wanted = partial(_is_wanted, selection)
    compare(comparison, before, after, tuple(TARGETS), name=name, wanted=wanted)


def _holds_specs(files: _Files) -> bool:
    """Whether files are those that a render is made of."""
    if any(path.name == write.RECORD for path in files):
        return False
    texts = (entry.content for path, entry in files.items() if path.suffix in (".yaml", ".yml"))
    return any(map(is_spec, texts))


def _lying(folder: Path) -> _Files | None:
    return of_folder(folder) or None


def _of_environments(
    comparison: Comparison, paths: Sequence[str], old: str, new: str, targets: Sequence[str]
) -> None:
    """Compare each spec's two environments, both as they would be rendered now."""
    comparison.old, comparison.new = old, new
    for build in _builds(comparison, paths, Selection(tuple(targets), (old, new))):
        sides: tuple[_Files, _Files] = {}, {}
        for side, environment in zip(sides, (old, new), strict=True):
            place = PurePosixPath(build.project, environment)
            for path, entry in of_rendered(build.files).items():
                if path.is_relative_to(place):
                    side[PurePosixPath(build.project, new) / path.relative_to(place)] = entry
        if lacking := [name for name, side in zip((old, new), sides, strict=True) if not side]:
            comparison.notes.append(f"{build.project} has no environment {lacking[0]}: left out")
            continue
        sides[0][PurePosixPath(build.project, write.RECORD)] = Entry(b"")
        compare(comparison, *sides, tuple(TARGETS), promotion=Promotion(old, new))


def _of_render(
    comparison: Comparison, paths: Sequence[str], output: str, selection: Selection
) -> None:
    """Compare what lies in the output folder with what specs render now."""
    comparison.old, comparison.new = output, "what the specs render"
    projects = set()
    for build in _builds(comparison, paths, selection):
        projects.add(build.project)
        places = (pipeline.folder_of(one).relative_to(build.project) for one in build.deployments)
        scope = ["."] if selection == Selection() else [str(place) for place in places]
        tree = write.tree(Path(output), build.project, build.files, scope)
        try:
            removed = write.compare(tree).removed
        except CannotRun as error:
            comparison.failures.append(str(error))
            continue
        before = {
            PurePosixPath(build.project) / path: entry
            for path in (*tree.files, *removed)
            if (entry := entry_at(tree.folder / path))
        }
        after = of_rendered(build.files)
        # What somebody has edited since is not removed, and differs from nothing.
        record = {PurePosixPath(build.project, write.RECORD): Entry(b"")}
        compare(comparison, before | record, after | record, tuple(TARGETS))
    if selection == Selection() and not comparison.failures and any(map(os.path.isdir, paths)):
        for folder in leftovers(Path(output), projects, ()).projects:
            comparison.notes.append(
                f"{folder} is rendered by none of these specs: gen render --prune removes it"
            )


def _builds(comparison: Comparison, paths: Sequence[str], selection: Selection) -> Iterator[Build]:
    """What specs become; one that does not build is told, and does not hold up the others."""
    with reporting.Progress() as progress:
        for spec, outcome in build_all(find_specs(paths), selection, progress.show):
            progress.clear()
            if isinstance(outcome, Build):
                yield outcome
            elif isinstance(outcome, Rejected):
                errors = [one for one in outcome.diagnostics if one.severity == "error"]
                reporting.print_diagnostics(errors)
                comparison.failures.append(f"{spec.shown} has errors, and is not compared")
            else:
                comparison.failures.append(str(outcome))
