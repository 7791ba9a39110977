"""Where a field of a spec ends up: which values of it are in force, and what each makes."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from generator.document import Document, Pointer
from generator.explain.effects import Effect, Kind
from generator.explain.fields import Field, children, schema_at
from generator.explain.leaves import Leaf, below, default, layered, made_by
from generator.explain.trial import Sheets, sheets
from generator.problem import dotted
from generator.schema import Schema
from generator.selection import Selection
from generator.views import View, views

Origin = Literal["spec", "team file", "images.lock", "begun", "default", "left out"]
"""`begun`: a team file has it in a section that counts once the spec goes on with it."""
Report = Callable[[str], None]
"""Told what is being looked at."""


@dataclass(frozen=True)
class End:
    """A rendered line that a value makes; `line` is 0 where the whole file is meant.

    `is_direct`: the value itself stands in it; else it was derived.
    """

    path: PurePosixPath
    line: int
    text: str
    kind: Kind
    is_direct: bool


@dataclass(frozen=True)
class InForce:
    """A value that holds for some targets of a spec, where it stands, and what it makes.

    `place` is file, line and column, empty where the value stands in none; `views`
    names the targets, with their environments; `is_tried`: another value could be rendered.
    """

    spec: str
    path: str
    place: str
    value: object
    origin: Origin
    views: tuple[str, ...]
    ends: tuple[End, ...]
    is_tried: bool = True


def in_force(field: Field, document: Document, report: Report) -> list[InForce]:
    """Every value of a field that a spec has in force, in the order of its targets.

    Of a section nothing is said but where it stands. Raises Rejected.
    """
    selection = _selection(field)
    before = sheets(document, selection)
    found: dict[tuple[Pointer, bool], tuple[Leaf, list[str]]] = {}
    for view in views(document, selection):
        for leaf in _leaves(field, document, view):
            _, names = found.setdefault((leaf.pointer, leaf.is_given), (leaf, []))
            names.append(called(view))
    result = []
    for leaf, names in found.values():
        report(dotted(leaf.pointer))
        made = () if children(field.schema) else _made(leaf, document, selection, before)
        ends = tuple(_ends(made or (), leaf.value, before))
        spec, said = document.place(()).text.path, origin(leaf, document)
        place = placed(document, leaf.pointer) if leaf.is_given or said == "begun" else ""
        value = _at(document.data, leaf.pointer) if said == "begun" else leaf.value
        told = (dotted(leaf.pointer), place, value, said)
        result.append(InForce(spec, *told, tuple(names), ends, is_tried=made is not None))
    return result


def _selection(field: Field) -> Selection:
    """The targets and environments that a field's path is about."""
    return Selection(
        (field.target,) if field.target else (),
        (field.environment,) if field.environment else (),
    )


def _made(
    leaf: Leaf, document: Document, selection: Selection, before: Sheets
) -> frozenset[Effect] | None:
    """What a leaf makes; a map of the user's own keys makes what they make."""
    leaves = below(leaf.value, leaf.pointer) if isinstance(leaf.value, dict) else (leaf,)
    made = [made_by(each, document, selection, before) for each in leaves]
    known = [each for each in made if each is not None]
    return frozenset().union(*known) if known else None


def could_stand_in(field: Field, document: Document) -> bool:
    """Whether a spec has the target and the environment that a field's path is about."""
    return any(view.target for view in views(document, _selection(field)))


def stands_in_spec(field: Field, document: Document) -> bool:
    """Whether a spec gives a field a value for any of its targets; raises nothing."""
    return any(
        is_given
        for view in views(document, _selection(field))
        for _, _, is_given in _concrete(view.document.data, field.pointer, ())
    )


def origin(leaf: Leaf, document: Document) -> Origin:
    """Where a leaf's value is from."""
    if leaf.is_given:
        return "spec" if document.is_own(document.place(leaf.pointer)) else "team file"
    if leaf.pointer in document.places and not document.is_own(document.place(leaf.pointer)):
        return "begun" if _at(document.data, leaf.pointer) is not None else "left out"
    return "left out" if leaf.value is None else "default"


def _at(data: object, pointer: Pointer) -> object:
    """The value at a pointer through maps, None where there is none."""
    for key in pointer:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def called(view: View) -> str:
    """A view by its target, and its environment where it has one."""
    name = view.target.name if view.target else "no target"
    return f"{name} in {view.environment}" if view.environment else name


def placed(document: Document, pointer: Pointer) -> str:
    """File, line and column of a value."""
    place = document.place(pointer)
    return f"{place.text.path}:{place.span.line}:{place.span.column}"


def _leaves(field: Field, document: Document, view: View) -> Iterator[Leaf]:
    if field.pointer[:1] == ("targets",) and not _is_of(field, view):
        return
    data: object = view.document.data
    for pointer, value, is_given in _concrete(data, field.pointer, ()):
        place = layered(pointer, document, view)
        if is_given:
            schema = field.schema
            parts = list(_parts(pointer, value, field, document, view))
            if len({(part.pointer[:-1], document.place(part.pointer).text) for part in parts}) > 1:
                yield from parts  # of several layers or files
                continue
            is_section = isinstance(value, dict) or _is_bare(pointer, field)
            yield Leaf(place, schema, value, is_section=is_section)
        elif _is_single(field.schema):
            value = default(field.schema, pointer, view)
            yield Leaf(place, field.schema, value, is_given=False)


def _parts(
    pointer: Pointer, value: object, field: Field, document: Document, view: View
) -> Iterator[Leaf]:
    """The keys of a map of the user's own, of which one may be the team's and one the spec's."""
    if isinstance(value, dict) and not children(field.schema):
        for key, item in value.items():
            schema = schema_at((*pointer, key))
            place = layered((*pointer, key), document, view)
            yield Leaf(place, schema or {}, item, is_section=isinstance(item, dict))


def _is_of(field: Field, view: View) -> bool:
    return view.target is not None and field.pointer[1:2] == (view.target.name,)


def _is_bare(pointer: Pointer, field: Field) -> bool:
    """Whether a pointer ends at the bare name of an operation."""
    return isinstance(pointer[-1], int) and isinstance(field.pointer[-1], str)


def _is_single(schema: Schema) -> bool:
    return not children(schema) and schema.get("type") not in ("object", ["null", "object"])


def _concrete(data: object, tokens: Pointer, at: Pointer) -> Iterator[tuple[Pointer, object, bool]]:
    """Where a field's pointer leads in data, with the value; of a list's items all that fit."""
    if not tokens:
        yield at, data, True
        return
    key, *rest = tokens
    if isinstance(data, list):
        numbers = [key] if isinstance(key, int) else range(len(data))
        for number in numbers:
            if number >= len(data):
                continue
            item = data[number]
            if isinstance(key, int):
                yield from _concrete(item, tuple(rest), (*at, number))
            elif isinstance(item, dict) and key in item:
                yield from _concrete(item[key], tuple(rest), (*at, number, key))
            elif item == key and not rest:
                yield (*at, number), item, True
    elif isinstance(data, dict) and key in data and data[key] is not None:
        yield from _concrete(data[key], tuple(rest), (*at, key))
    elif (isinstance(data, dict) or data is None) and not _has_index(tokens):
        yield (*at, *tokens), None, False


def _has_index(tokens: Iterable[object]) -> bool:
    return any(isinstance(token, int) for token in tokens)


def _ends(made: Iterable[Effect], value: object, before: Sheets) -> Iterator[End]:
    """The effects as ends, in the order of paths and lines."""
    found = [
        End(
            before[each.key].path,
            each.line,
            text_of(each, before),
            each.kind,
            each.kind == "line" and stands_in(value, text_of(each, before)),
        )
        for each in made
    ]
    yield from sorted(found, key=lambda end: (end.path, end.line, end.kind))


def text_of(effect: Effect, before: Sheets) -> str:
    """The line that an effect is about, empty where it is about none."""
    return before[effect.key].lines[effect.line - 1].strip() if effect.line else ""


def stands_in(value: object, line: str) -> bool:
    """Whether a value is to be read in a line as it is, any item of a list's."""
    if isinstance(value, list):
        return any(stands_in(item, line) for item in value)
    if value is None or value == "" or isinstance(value, dict):
        return False
    text = str(value).lower() if isinstance(value, bool) else str(value)
    line = line.lower() if isinstance(value, bool) else line
    return bool(re.search(rf"(?<![A-Za-z0-9]){re.escape(text)}(?![A-Za-z0-9])", line))
