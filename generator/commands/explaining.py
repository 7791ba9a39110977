"""gen explain: what a rule says, where a field of a spec ends up, what made a rendered line."""

import dataclasses
import itertools
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

import click
from click.shell_completion import CompletionItem
from msgspec import structs

from generator import reporting
from generator.blackening import kept_of, values_of, without
from generator.commands.common import DONE, REFUSED, files_completed
from generator.diagnostics import CannotRun, Rejected

MOST_SPECS = 3
MOST_TRIED = 10
QUIET_SECONDS = 1.0
REPORT_SECONDS = 2.0


def _completed(_context: object, parameter: object, incomplete: str) -> list[CompletionItem]:
    """The rules and fields that begin so; where there are none, it is left to the shell."""
    from generator.catalogue import all_documented
    from generator.changes import attention
    from generator.explain.fields import every_field

    known = [*all_documented(), *attention.named(), *(field.path for field in every_field())]
    named = [CompletionItem(name) for name in known if name.startswith(incomplete)]
    return named or files_completed(_context, parameter, incomplete)


@click.command()
@click.argument("what", metavar="WHAT", shell_complete=_completed)
@click.argument("paths", metavar="[SPEC]...", nargs=-1, type=click.Path())
@click.option(
    "-o",
    "--output",
    default="rendered",
    show_default=True,
    metavar="FOLDER",
    help="Where projects are rendered.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def explain(what: str, paths: Sequence[str], output: str, as_json: bool) -> int:
    """Explain a rule, a field of the spec, or a rendered line.

    \b
    WHAT is
      a rule        triton/preferred-batch-too-large
      a field       serving.batching.max_size
      a file, line  rendered/cifar10/triton/models/cifar10/config.pbtxt:6

    Of a field it tells the value that each spec has in force, and every rendered line that the
    value makes; of a line, every value of the spec that makes it. Without SPEC, a file or a folder,
    the specs under specs/ or here are looked at. Files are rendered in memory; nothing is written.
    """
    from generator.catalogue import Documented
    from generator.explain.asked import asked
    from generator.explain.fields import Field

    meant = _attention(what) or asked(what)
    try:
        if isinstance(meant, Documented):
            return _rule(meant, as_json)
        if isinstance(meant, Field):
            return _field(meant, paths, PurePath(output), as_json)
        return _rendered(meant.path, meant.line, paths, as_json)
    except Rejected as rejected:
        reporting.clear_progress()
        reporting.print_diagnostics(rejected.diagnostics)
        return REFUSED
    finally:
        reporting.clear_progress()


class _Progress:
    """Shows what is being looked at when it takes longer than a second."""

    def __init__(self) -> None:
        self.due = time.monotonic() + QUIET_SECONDS

    def __call__(self, text: str) -> None:
        if time.monotonic() > self.due:
            self.due = time.monotonic() + REPORT_SECONDS
            reporting.show_step(text)


def _print(lines: Iterable[str], kept: Iterable[str] = ()) -> None:
    """Lines without the values that are kept."""
    reporting.clear_progress()
    for line in lines:
        click.echo(without(line, kept))


def _print_json(told: dict[str, Any], kept: Iterable[str] = ()) -> None:  # Any: JSON
    reporting.clear_progress()
    click.echo(without(json.dumps(told, indent=2, default=str), kept))


def _kept(found: Iterable[Any]) -> list[str]:  # Any: InForce, which is imported when needed
    """What looks like a credential among the values in force."""
    return [value for force in found for value in values_of({force.path: force.value})]


def _attention(what: str) -> Any:  # Any: Documented, which is imported when needed
    """A reason for attention of gen diff, as a rule; None where it is something else."""
    from generator.catalogue import Documented
    from generator.changes import attention

    if not what.startswith("attention/") or what not in attention.named():
        return None
    why = attention.named()[what]
    return Documented(what, "attention", why, why, "a change, told by gen diff")


def _rule(rule: Any, as_json: bool) -> int:  # Any: Documented, which is imported when needed
    from generator.explain import told

    if as_json:
        _print_json({"rule": structs.asdict(rule)})
    else:
        _print(told.rule(rule))
    return DONE


def _field(field: Any, paths: Sequence[str], output: PurePath, as_json: bool) -> int:  # Any: Field
    from generator.explain import told, words
    from generator.explain.ends import InForce, in_force
    from generator.explain.nearby import loaded, nearby, readable
    from generator.explain.uses import otherwise, used_by
    from generator.specs import find_specs

    used = used_by(field)
    if not as_json:
        _print(told.field(field, used))
    found: list[InForce] = []
    if paths:
        for spec in find_specs(paths):
            found += in_force(field, loaded(spec), _Progress())
    else:
        for force in _found_by_itself(field, list(readable(nearby(Path())))):
            found += force
    if as_json:
        _print_json(
            {
                "field": {
                    "path": field.path,
                    "description": field.schema.get("description", ""),
                    "type": words.type_in_words(field.schema),
                    "default": field.schema.get("default"),
                    "example": words.example(field.schema),
                    "used_by": used,
                    "otherwise": otherwise(field),
                },
                "values": [_with_paths(force, output) for force in found],
            },
            _kept(found),
        )
    else:
        _print(told.values(field, found, output), _kept(found))
    return DONE


def _with_paths(force: Any, output: PurePath) -> dict[str, Any]:  # Any: InForce; and JSON
    plain = dataclasses.asdict(force)
    for end in plain["ends"]:
        end["path"] = str(output / end["path"])
    return plain


def _found_by_itself(field: Any, specs: Sequence[Any]) -> Iterator[Any]:  # Any: as in _field
    """The values of the first few specs that have the field, or else that could have it."""
    from generator.explain.ends import could_stand_in, in_force, stands_in_spec

    documents = [document for _, document in specs if could_stand_in(field, document)]
    having = [document for document in documents if stands_in_spec(field, document)]
    able = 0
    for document in having[:MOST_SPECS] or documents[:MOST_TRIED]:
        try:
            found = in_force(field, document, _Progress())
        except Rejected:  # found, not asked for
            continue
        if able < MOST_SPECS and (having or any(force.ends for force in found)):
            able += 1
            yield found


def _rendered(path: PurePath, line: int | None, paths: Sequence[str], as_json: bool) -> int:
    from generator.explain import told
    from generator.explain.origins import drifted, origins

    written = _read(path)
    _refuse_not_rendered(path, written or [])
    if written is not None and line is not None and not 0 < line <= len(written):
        raise CannotRun(f"{path} has {reporting.counted(len(written), 'line')}, no line {line}")
    document, key = _spec_of(path, paths)
    found = origins(document, key, _Progress())
    here = range(1, len(found.lines) + 1) if line is None else [line]
    if written is not None and written != [each.text for each in found.lines]:
        reporting.clear_progress()
        reporting.print_note(f"{path} is not what its spec renders; told is what gen render writes")
        same = drifted(written, found)
        if line is not None and line not in same:
            reporting.print_note(f"no spec makes line {line}: {written[line - 1].strip()[:100]}")
            return REFUSED
        here = here if line is None else [same[line]]
    if here and here[-1] > len(found.lines):
        number = reporting.counted(len(found.lines), "line")
        raise CannotRun(f"{path} is rendered with {number}, no line {line}")
    if as_json:
        lines = [dataclasses.asdict(found.lines[number - 1]) for number in here]
        whole = dataclasses.asdict(found) | {"path": str(path), "lines": lines}
        _print_json({"rendered": whole}, kept_of(document))
    elif line is None:
        _print(told.whole(found, path), kept_of(document))
    else:
        _print(told.line(found.lines[here[0] - 1], found, path), kept_of(document))
    return DONE


def _read(path: PurePath) -> list[str] | None:
    """The lines of a file as it is on disk, None where it is not."""
    try:
        return Path(path).read_bytes().decode("utf-8", "replace").splitlines()
    except IsADirectoryError:
        raise CannotRun(f"{path} is a folder; name a file in it") from None
    except (OSError, ValueError):  # it is not there, or no path at all
        return None


def _refuse_not_rendered(path: PurePath, written: Sequence[str]) -> None:
    """Raise CannotRun for a file of gen's that no spec renders, and for a spec."""
    from generator.specs import TEAM_FILE, is_spec
    from generator.write import RECORD

    if path.name == RECORD:
        raise CannotRun(
            f"{path} is gen's own list of what it has rendered; name a file of the list"
        )
    if path.name == TEAM_FILE:
        raise CannotRun(f"{path} holds defaults of specs; name a field, such as images.registry")
    if path.suffix in (".yaml", ".yml") and is_spec("\n".join(written).encode()):
        raise CannotRun(f"{path} is a spec; name a field of it, such as serving.batching")


def _spec_of(path: PurePath, paths: Sequence[str]) -> tuple[Any, Any]:  # Any: Document and Key
    """The spec that renders a file, and which of its files it is."""
    from generator.explain.nearby import loaded, nearby, of_project, readable
    from generator.explain.origins import file_named
    from generator.specs import find_specs

    asked = PurePosixPath(*Path(path).absolute().parts)
    specs = [loaded(spec) for spec in find_specs(paths)] if paths else []
    folders = [] if paths else of_project(path)
    near = (document for folder in folders for _, document in readable(nearby(folder)))
    named = []
    for document in itertools.chain(specs, near):
        name = document.data.get("name")
        if not isinstance(name, str) or name not in asked.parts:
            continue
        if key := _key(file_named, document, asked, is_asked_for=bool(paths)):
            return document, key
        named.append(document.place(()).text.path)
    if named and "build" in asked.parts:
        raise CannotRun(f"{path} is no rendered file: gen export makes what lies under build/")
    if named:
        raise CannotRun(f"{path}: {named[0]} renders no such file")
    raise CannotRun(f"{path}: no spec found here renders it; name the spec after it")


def _key(file_named: Any, document: Any, path: PurePosixPath, *, is_asked_for: bool) -> Any:
    # Any: as in _spec_of
    """Which file of a spec a path is; a broken spec is told only where it was asked for."""
    try:
        return file_named(document, path)
    except Rejected:
        if is_asked_for:
            raise
        return None
