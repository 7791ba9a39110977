"""The values that decide what is rendered: what a spec gives, and what it leaves out."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from generator.document import Document, Pointer
from generator.explain.effects import Effect, effects
from generator.explain.fields import children, schema_at
from generator.explain.trial import REMOVED, Sheets, trial
from generator.explain.variation import is_choice, others, samples
from generator.schema import Schema
from generator.selection import Selection
from generator.startup import startup
from generator.views import OVERRIDABLE, View

MOST_TRIES = 8
_STARTUP: Pointer = ("serving", "startup")
_OF_NO_FILE = ("spec_version", "accepted_warnings", "environments", "targets")


@dataclass(frozen=True, eq=False)
class Leaf:
    """A value that can be another. `pointer` leads to it in the spec as it is written.

    `is_given`: it stands in the spec; else `value` is the default, or None where it has none.
    `is_section`: only its being there is looked at, as of a map or of a step.
    """

    pointer: Pointer
    schema: Schema
    value: object
    is_given: bool = True
    is_section: bool = False

    @property
    def variants(self) -> Iterator[object]:
        """What may stand in its place, the likest first."""
        if not self.is_section:
            if self.value is None:
                yield from samples(self.schema)
            else:
                yield from others(self.schema, self.value)
        if self.is_given:
            yield REMOVED


def made_by(
    leaf: Leaf,
    document: Document,
    selection: Selection,
    before: Sheets,
    template: str | None = None,
) -> frozenset[Effect] | None:
    """What other values of a leaf change: of a choice all of them, else the first that does.

    None where no other value can be rendered. `template` is the one that `before` was rendered of,
    where it was not all.
    """
    found: set[Effect] = set()
    is_tried = False
    takes_all = not leaf.is_section and is_choice(leaf.schema, leaf.value)
    for value in itertools.islice(leaf.variants, MOST_TRIES):
        after = trial(document, leaf.pointer, value, selection, template)
        if after is not None:
            is_tried = True
            found |= set(effects(before, after))
        if found and not takes_all:
            break
    return frozenset(found) if is_tried else None


def given(document: Document, view: View) -> Iterator[Leaf]:
    """What the spec says for one target in one environment, in all layers; not what others say."""
    target = view.target.name if view.target else ""
    data = document.data
    yield from _layer(data, (), target)
    environments = data.get("environments")
    if view.environment and isinstance(environments, dict):
        layer = environments.get(view.environment)
        if isinstance(layer, dict):
            yield from _layer(layer, ("environments", view.environment), target)


def _layer(layer: Mapping[str, object], at: Pointer, target: str) -> Iterator[Leaf]:
    for name, value in layer.items():
        if name not in _OF_NO_FILE:
            yield from below(value, (*at, name))
    targets = layer.get("targets")
    if isinstance(targets, dict) and target in targets:
        yield from below(targets[target], (*at, "targets", target))


def below(value: object, pointer: Pointer) -> Iterator[Leaf]:
    """A value that stands at a pointer of a spec, and all that it holds."""
    schema = schema_at(pointer)
    if schema is None:
        return
    if isinstance(value, dict):
        for key, child in value.items():
            yield from below(child, (*pointer, key))
        if not _always_stands(pointer):
            yield Leaf(pointer, schema, value, is_section=True)
    elif isinstance(value, list) and (_has_maps(value) or _is_steps(schema)):
        for number, item in enumerate(value):
            yield from below(item, (*pointer, number))
    elif value is not None:
        yield Leaf(pointer, schema, value)
        yield Leaf(pointer, schema, value, is_section=True)


def _always_stands(pointer: Pointer) -> bool:
    """Whether a map is none that can be left out by itself: a step's arguments go with the step."""
    of_a_step = len(pointer) > 2 and isinstance(pointer[-2], int) and "transforms" in pointer
    return pointer[-1] == "model" or pointer[-2:-1] == ("targets",) or of_a_step


def _has_maps(values: list[object]) -> bool:
    return any(isinstance(item, dict | list) for item in values)


def _is_steps(schema: Schema) -> bool:
    """Whether a list's items are operations, whose bare names are no values."""
    return bool(children(schema)) and schema.get("type") != "object"


def left_out(document: Document, view: View) -> Iterator[Leaf]:
    """What the spec could say for a target in an environment and does not, default or none."""
    target = view.target.name if view.target else ""
    root = schema_at(())
    assert root is not None  # the schema of a spec
    for name, schema in children(root).items():
        if name not in (*_OF_NO_FILE, "name"):
            yield from _left_out(schema, view.document.data.get(name), (name,), document, view)
    targets = view.document.data.get("targets")
    own = targets.get(target) if isinstance(targets, dict) else None
    options = schema_at(("targets", target))
    for name, schema in children(options or {}).items():
        if name not in OVERRIDABLE:
            held = own.get(name) if isinstance(own, dict) else None
            yield from _left_out(schema, held, ("targets", target, name), document, view)


def _left_out(
    schema: Schema, value: object, pointer: Pointer, document: Document, view: View
) -> Iterator[Leaf]:
    if isinstance(value, list):
        for number, item in enumerate(value):
            for name, child in children(schema).items() if isinstance(item, dict) else ():
                if name in item and isinstance(item[name], dict):
                    at = (*pointer, number, name)
                    yield from _left_out(child, item[name], at, document, view)
    elif value is None and not _is_map(schema):
        if schema.get("type") != "array":
            place = layered(pointer, document, view)
            yield Leaf(place, schema, default(schema, pointer, view), is_given=False)
    elif _is_map(schema) and (value is not None or not schema.get("required")):
        for name, child in children(schema).items():
            held = value.get(name) if isinstance(value, dict) else None
            yield from _left_out(child, held, (*pointer, name), document, view)


def default(schema: Schema, pointer: Pointer, view: View) -> object:
    """What counts where nothing is said: for the time to start, it may follow from the size."""
    model = view.document.data.get("model")
    size = model.get("size") if isinstance(model, dict) else None
    return startup(size) if size and pointer == _STARTUP else schema.get("default")


def _is_map(schema: Schema) -> bool:
    kinds = schema.get("type", ())
    return kinds == "object" or "object" in kinds


def layered(pointer: Pointer, document: Document, view: View) -> Pointer:
    """Where in the spec a view's field stands, or would stand: the layer that holds its section."""
    target = view.target.name if view.target else ""
    own = ("targets", target)
    layers: list[Pointer] = [()] if pointer[:1] == ("targets",) else [own, ()]
    if view.environment:
        environment: Pointer = ("environments", view.environment)
        layers = [*((*environment, *layer) for layer in layers), *layers]
    places = [(*layer, *pointer) for layer in layers]
    if pointer in view.document.places:
        won = view.document.places[pointer]
        for place in places:
            if document.places.get(place) is won:
                return place
    for depth in range(len(pointer) - 1, 0, -1):
        for place, layer in zip(places, layers, strict=True):
            if place[: len(layer) + depth] in document.places:
                return place
    return pointer
