"""What is told of rules, fields and rendered lines, as lines of text."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath

import yaml

from generator.catalogue import Documented
from generator.diagnostics import shown
from generator.document import Pointer
from generator.explain.ends import End, InForce
from generator.explain.fields import Field, children
from generator.explain.origins import Cause, Line, Origins
from generator.explain.uses import otherwise
from generator.explain.words import example, type_in_words
from generator.views import OVERRIDABLE

MOST_ENDS = 40
MOST_CAUSES = 20
_WIDTH = 100
_KINDS = {"path": "its path", "file": "the file itself", "added": "the lines after this one"}


def rule(documented: Documented) -> Iterator[str]:
    """What a rule says, where it looks, and what to do about it."""
    yield documented.name
    for line in documented.text.splitlines():
        yield f"  {line}".rstrip()
    yield ""
    yield f"  looks at: {documented.judges}"
    for source in documented.sources:
        yield f"  source:   {source}"
    if documented.warns:
        yield f"  accept:   accepted_warnings: {{{documented.name}: why it is meant to be so}}"
    if documented.is_linted:
        yield f"  ignore:   gen lint --ignore {documented.name}"


def field(asked: Field, used_by: Sequence[str]) -> Iterator[str]:
    """What a field is; of a section its fields."""
    schema = asked.schema
    yield asked.path
    if description := schema.get("description"):
        yield f"  {description}"
    yield ""
    yield f"  type:     {type_in_words(schema)}"
    if "default" in schema:
        yield f"  default:  {_plain(schema['default'])}"
    if (value := example(schema)) is not None and not children(schema):
        yield f"  example:  {_plain(_nested((*asked.prefix, *asked.pointer), value))}"
    if used_by:
        yield f"  used by:  {', '.join(used_by)}"
    note = otherwise(asked)
    if not used_by and not note and not children(schema):
        yield "  used by:  no target's rendered files"
    if note:
        yield f"  note:     {note}"
    if asked.pointer[0] in OVERRIDABLE and not asked.prefix:
        yield "  also in:  targets.<target> and environments.<name>, whose value wins"
    below = children(schema)
    if below:
        yield "  fields:"
        width = max(map(len, below))
        for name, child in below.items():
            yield f"    {name:{width}}  {_first_sentence(child.get('description', ''))}"


def _nested(pointer: Pointer, value: object) -> object:
    """The value as it stands in a spec, under all its keys."""
    for key in reversed(pointer):
        value = [value] if isinstance(key, int) else {key: value}
    return value


def _plain(value: object) -> str:
    """A value as YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000)
    text = text.removesuffix("\n").removesuffix("\n...")
    return text[1:-1] if text.startswith("{") else text


def _first_sentence(text: str) -> str:
    return text.split(". ")[0].rstrip(".")


def values(asked: Field, found: Iterable[InForce], root: PurePath) -> Iterator[str]:
    """The values in force, and where each ends up under the folder of rendered projects.

    Of a section only where it stands: its fields tell the rest.
    """
    for force in found:
        yield ""
        where = f" ({', '.join(force.views)})"
        if force.place:
            value = "" if children(asked.schema) else _value(force.value)
            yield f"{force.place}: {force.path}{value}{where}"
            if force.origin == "begun":
                yield f"  {_BEGUN.format(force.spec)}"
                continue
        elif force.origin == "default":
            yield f"{force.spec}: {force.path}{_value(force.value)} by default{where}"
        else:
            yield f"{force.spec}: {force.path} is left out{where}; a value would end up in"
        if not children(asked.schema):
            yield from _ends(force, root)


_BEGUN = "does not count: {} says nothing of the section, which is only begun here"


def _value(value: object) -> str:
    return f": {shown(_plain(value), _WIDTH)}"


def _ends(force: InForce, root: PurePath) -> Iterator[str]:
    told = [end for end in force.ends if end.kind != "hash"]
    hashed = {end.path for end in force.ends if end.kind == "hash"}
    told.sort(key=lambda end: not end.is_direct)
    for end in sorted(told[:MOST_ENDS], key=lambda end: (not end.is_direct, end.path, end.line)):
        yield f"  {_end(end, root)}"
    if len(told) > MOST_ENDS:
        yield f"  and {len(told) - MOST_ENDS} more; --json tells all"
    if hashed:
        paths = ", ".join(str(root / path) for path in sorted(hashed))
        yield f"  and by way of a hash: {paths}"
    if not force.is_tried:
        yield "  no other value of it can be rendered, so where it ends up is not known"
    elif not force.ends:
        yield "  no rendered line depends on it"


def _end(end: End, root: PurePath) -> str:
    place = f"{root / end.path}:{end.line}" if end.line else str(root / end.path)
    return f"{place}: {_KINDS.get(end.kind) or shown(end.text, _WIDTH)}"


def line(told: Line, origins: Origins, path: PurePath) -> Iterator[str]:
    """What made one line of a rendered file; `path` is what the user calls it."""
    yield f"{path}:{told.number}: {shown(told.text.strip(), _WIDTH)}"
    if not told.causes:
        yield "  no single value of the spec changes it"
    for cause in told.causes[:MOST_CAUSES]:
        yield f"  {_cause(cause)}"
    if len(told.causes) > MOST_CAUSES:
        yield f"  and {len(told.causes) - MOST_CAUSES} more; --json tells all"
    yield f"  template: templates/{origins.template}"


def _cause(cause: Cause) -> str:
    value = "" if cause.value is None else _value(cause.value)
    if cause.by_hash:
        return f"{cause.place or cause.origin}: {cause.path}{value}, by way of a hash"
    if cause.is_section:
        return f"{cause.place}: {cause.path}, by standing there"
    if cause.place:
        return f"{cause.place}: {cause.path}{value}"
    return f"{cause.origin}: {cause.path}{value}"


def whole(origins: Origins, path: PurePath) -> Iterator[str]:
    """A rendered file, each line after what made it first of all."""
    yield f"{path}: templates/{origins.template}"
    for cause in origins.of_path:
        yield f"  the path: {_cause(cause)}"
    for cause in origins.of_file:
        yield f"  the file: {_cause(cause)}"
    made_by = [_short(each.causes) for each in origins.lines]
    width = min(50, max(map(len, made_by), default=0))
    digits = len(str(len(origins.lines)))
    for each, by in zip(origins.lines, made_by, strict=True):
        yield f"{by:{width}} {each.number:{digits}} | {each.text}".rstrip()


def _short(causes: Sequence[Cause]) -> str:
    """The causes in which the value stands, else the first; how many there are beside."""
    direct = [cause.path for cause in causes if cause.is_direct and not cause.by_hash]
    first = direct[:1] or [cause.path for cause in causes[:1]]
    return f"{first[0]}{f' +{len(causes) - 1}' if len(causes) > 1 else ''}" if first else ""
