"""A yes of `shapes` is a yes of jsonschema, whatever the schema and the value.

MORE=1000 pytest tests/test_shapes.py tries a thousand times as many values.
"""

import copy
import os
import random
import re
import string
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hostile import HOSTILE

from generator import dialect, kinds, manifest_shapes, manifests, releases, schema, shapes
from generator.diagnostics import Rejected
from generator.document import Text
from generator.shipped import shipped
from generator.targets import TARGETS

ROOT = Path(__file__).parents[1]
MORE = int(os.environ.get("MORE", "1"))
OF_SPECS = {"project": schema.project_schema(), **{n: t.schema for n, t in TARGETS.items()}}
OF_MANIFESTS = sorted((shipped("schemas") / "kubernetes").rglob("*_*_*.json"))
HUGE = 10**400
TEXTS = (
    *("", "a", "A", "1", "x\n", "cifar10", "name-1", "model.py:Net", "a/b.yaml", "nvcr.io/a/b:1"),
    *("s3://bucket/key", "https://host/a", "60s", "2Gi", "500m", "QUJD", "1.27.0", "24.05-py3"),
    *(
        "\ud800",
        "é",
        "٣",
        "ß",
        "İ",
        "a" * 300,
        "{{ }}",
        "nan",
        "true",
        "x y",
        "😀",
        "TCP",
        "Always",
    ),
)
ODD = (
    *(None, True, False, 0, 1, -1, 0.0, 1.0, -0.0, 1.5, 2**31, 2**63, 2**64, -HUGE, HUGE, 1e308),
    *(
        float("nan"),
        float("inf"),
        -float("inf"),
        [],
        {},
        [1, True],
        [1, 1.0],
        [0, False],
        ["a"] * 2,
    ),
    *([None], [[1], [1]], [[1], [True]], [{}, {}], {"a": None}, {1: 2}, {None: 1}, {True: 1}),
    *({"name": "a"}, {"op": "add"}, [{"name": "a"}, {"name": "a", "value": ""}], {"": ""}),
)


class Both:
    """The two verdicts on a value by one schema."""

    def __init__(self, fast: Callable[[Any], bool], slow: Callable[[Any], bool]) -> None:
        self.fast, self.slow = fast, slow

    def agree(self, value: object) -> bool:
        """Whether both say yes; fails where only the fast one does."""
        before = repr(value)
        fast, slow = self.fast(value), self.slow(value)
        assert slow or not fast, f"only the fast one takes {value!r}"
        assert fast or not slow or _may_be_unsure(value), f"only the slow one takes {value!r}"
        assert repr(value) == before
        return fast


def _may_be_unsure(value: object) -> bool:
    """Whether a value holds what is left to jsonschema: null, keys that are no text, odd lists."""
    if isinstance(value, dict):
        odd = any(not isinstance(key, str) or held is None for key, held in value.items())
        return odd or any(map(_may_be_unsure, value.values()))
    if isinstance(value, list):
        return not {type(item) for item in value} <= {str, int} or any(map(_may_be_unsure, value))
    return False


def of_spec(path: Path) -> Both:
    validator = schema._validator(path)
    return Both(schema._shape(path), lambda value: not list(validator.iter_errors(value)))


def of_manifest(path: Path) -> Both:
    def slow(value: Any) -> bool:
        whole = kinds._schema(path)
        seen = kinds._without_null(value, whole)
        return not list(dialect.check(seen, kinds._validator(path), ()))

    return Both(kinds._shape(path), slow)


def of_schema(part: Any, is_of_manifest: bool) -> Both:
    """Both verdicts by a schema that is in no file."""
    if not is_of_manifest:
        fast, made_once = shapes.shape(part, schema._dialect(part)), schema._made(part)
        return Both(fast, lambda value: not list(made_once.iter_errors(value)))
    judge = dialect.validator(part)
    fast = shapes.shape(part, manifest_shapes.dialect(_no_reference))
    return Both(
        fast, lambda value: not list(dialect.check(kinds._without_null(value, part), judge, ()))
    )


def _no_reference(_reference: str) -> Any:
    raise shapes.Unsure


def made(part: Any, root: Any, dice: random.Random, depth: int = 0) -> Any:
    """A value that a schema was meant for, with something odd in it now and then."""
    if dice.random() < 0.02 or depth > 12:
        return copy.deepcopy(dice.choice((*ODD, *HOSTILE)))
    if not isinstance(part, dict):
        return dice.choice(ODD)
    if "$ref" in part:
        file, _, name = part["$ref"].partition("#/definitions/")
        root = schema.read(schema.project_schema()) if file == schema.PROJECT else root
        return made(root["definitions"][name], root, dice, depth + 1)
    for several in ("allOf", "anyOf"):
        if several in part and "properties" not in part:
            return made(dice.choice(part[several] or [True]), root, dice, depth + 1)
    if "const" in part or "enum" in part:
        return dice.choice([part["const"]] if "const" in part else part["enum"] or ODD)
    types = part.get("type") or "string"
    return _made_of(
        dice.choice(types) if isinstance(types, list) else types, part, root, dice, depth
    )


def _made_of(kind: str, part: Any, root: Any, dice: random.Random, depth: int) -> Any:
    match kind:
        case "object":
            named, others = part.get("properties", {}), part.get("additionalProperties")
            wanted = [
                key
                for key in named
                if key in part.get("required", ()) or dice.random() < (0.5 if depth < 3 else 0.25)
            ]
            free = [dice.choice(TEXTS) for _ in range(dice.randrange(3))] if others else []
            free += ["extra"] if dice.random() < 0.02 else []
            parts = {**dict.fromkeys(free, others), **{key: named[key] for key in wanted}}
            value = {key: made(held, root, dice, depth + 1) for key, held in parts.items()}
            if value and dice.random() < 0.02:
                del value[dice.choice(list(value))]
            return value
        case "array":
            size = dice.choice((0, 1, 2, 2, 3))
            items = [made(part.get("items", {}), root, dice, depth + 1) for _ in range(size)]
            return items * 2 if dice.random() < 0.02 else items
        case "string":
            fitting = [text for text in TEXTS if _matches(part.get("pattern", ""), text)]
            return dice.choice(fitting if fitting and dice.random() < 0.95 else TEXTS)
        case "boolean":
            return dice.random() < 0.5
        case "null":
            return None
    low = part.get("minimum", part.get("exclusiveMinimum", 0))
    return dice.choice((low + 1, low + 1, low + 2, low, 2**70 if dice.random() < 0.05 else low + 1))


def _matches(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return False


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value below a value."""
    children = value.items() if isinstance(value, dict) else enumerate(value)
    for key, held in children:
        yield (*path, key)
        if isinstance(held, dict | list):
            yield from places(held, (*path, key))


def mutated(value: Any, dice: random.Random) -> Any:
    """A copy in which one value, key or element is another, twice there or gone."""
    changed = copy.deepcopy(value)
    *way, last = dice.choice(list(places(changed)))
    holder = changed
    for step in way:
        holder = holder[step]
    match dice.randrange(5):
        case 0:
            del holder[last]
        case 1 if isinstance(holder, list):
            holder.append(holder[last])
        case 1:
            holder[dice.choice(("extra", *TEXTS, 1, None, True))] = holder.pop(last)
        case _:
            holder[last] = copy.deepcopy(dice.choice((*ODD, *HOSTILE, *TEXTS)))
    return changed


@pytest.mark.parametrize("name", OF_SPECS)
def test_both_agree_on_values_made_for_the_schema_of_a_spec(name: str) -> None:
    both, part, dice = of_spec(OF_SPECS[name]), schema.read(OF_SPECS[name]), random.Random(name)

    for _ in range(400 * MORE):
        both.agree(made(part, part, dice))
    for odd in (*ODD, *HOSTILE):
        both.agree(odd)


@pytest.mark.parametrize("name", schema.read(schema.project_schema())["definitions"])
def test_both_agree_on_each_section_of_a_spec(name: str) -> None:
    whole = schema.read(schema.project_schema())
    part = {**whole["definitions"][name], "definitions": whole["definitions"]}
    both, dice = of_schema(part, is_of_manifest=False), random.Random(name)

    said = {both.agree(made(part, whole, dice)) for _ in range(200 * MORE)}

    assert True in said, "no value fits: nothing was tried"


def test_both_agree_on_values_made_for_the_schema_of_a_team_file() -> None:
    part = import_module("generator.defaults.team_file")._shape()
    both, dice = of_schema(part, is_of_manifest=False), random.Random(8)

    said = {both.agree(made(part, part, dice)) for _ in range(400 * MORE)}

    assert True in said, "no value fits: nothing was tried"


@pytest.mark.parametrize("file", OF_MANIFESTS, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_both_agree_on_values_made_for_the_schema_of_a_kind(file: Path) -> None:
    both, part, dice = of_manifest(file), kinds._schema(file), random.Random(str(file.name))

    said = {both.agree(made(part, part, dice)) for _ in range(40 * MORE)}

    assert True in said, "no value fits: nothing was tried"


def test_both_agree_on_what_is_rendered_and_on_what_is_like_it() -> None:
    """Each rendered manifest is taken without jsonschema; the first mutants of it are judged."""
    files, dice, count = releases.schema_files(releases.STOCK), random.Random(8), 0
    for path in sorted((ROOT / "rendered").rglob("*.yaml")):
        try:
            found = manifests.read(Text(path.name, path.read_text(encoding="utf-8")))
        except Rejected:
            continue
        for data in (each.data for each in found if isinstance(each.data, dict)):
            kind: Any = data.get("apiVersion"), data.get("kind")
            if kind not in files:
                continue
            both, count = of_manifest(files[kind]), count + 1
            assert both.agree(data), path
            for _ in range(10 * MORE):
                both.agree(mutated(mutated(data, dice), dice))
    assert count > 20


def test_both_agree_on_the_specs_of_the_corpus_and_on_what_is_like_them() -> None:
    both, dice, said = of_spec(schema.project_schema()), random.Random(8), []
    folders = ("specs", "specs/variants", "tests/invalid")
    for path in sorted(path for folder in folders for path in (ROOT / folder).glob("*.yaml")):
        try:
            data = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError):
            continue
        said.append(both.agree(data))
        if isinstance(data, dict) and data and len(repr(data)) < 20_000:
            for _ in range(5 * MORE):
                both.agree(mutated(data, dice))
    assert set(said) == {True, False}


KEYWORDS: dict[str, tuple[Any, ...]] = {
    "type": (
        "object",
        "array",
        "string",
        "integer",
        "number",
        "boolean",
        "null",
        ["string", "null"],
    ),
    "enum": (["a"], ["a", ""], [1], [0, 1], [1, "a"], [None], [True], [1.0], [], [["a"]]),
    "const": (1, 0, "a", True, None, 1.0, [1]),
    "pattern": (
        r"^\d+$",
        r"^[a-z]*$",
        "^a",
        r"\w$",
        "a$|b",
        r"^\S+\$$",
        "(",
        "^[^\\u0000-\\u001f]*$",
    ),
    "minimum": (0, 1, 1.5, -(2**64)),
    "maximum": (0, 1, 2**63, 1e300),
    "exclusiveMinimum": (0, 1),
    "exclusiveMaximum": (1, 2.5),
    "minLength": (0, 1, 2),
    "maxLength": (0, 1, 2),
    "minItems": (0, 1, 2),
    "maxItems": (0, 1, 2),
    "minProperties": (0, 1, 2),
    "maxProperties": (0, 1),
    "uniqueItems": (True, False),
    "required": (["name"], ["a", "b"], []),
    "format": ("date", "email"),
    "multipleOf": (1, 2),
    "x-list-map-keys": (["name"], ["name", "protocol"]),
    "x-says": ("a name",),
    "additionalItems": (False,),
    "patternProperties": ({"^a": False}, {"^n": {"type": "string"}}),
    "dependencies": ({"a": ["b"]},),
}
NESTED = ("properties", "additionalProperties", "items", "propertyNames", "allOf", "anyOf", "if")
NESTED += ("oneOf", "not", "contains", "then", "else")


def any_schema(dice: random.Random, depth: int = 0) -> Any:
    if depth and dice.random() < 0.15:
        return dice.random() < 0.6
    part: dict[str, Any] = {}
    for keyword in dice.sample(list(KEYWORDS), dice.randrange(4)):
        part[keyword] = dice.choice(KEYWORDS[keyword])
    for keyword in dice.sample(NESTED, dice.randrange(3)) if depth < 3 else ():
        match keyword:
            case "properties":
                keys = dice.sample(("a", "name", "op", "", "b"), dice.randrange(4))
                part[keyword] = {key: any_schema(dice, depth + 1) for key in keys}
            case "allOf" | "anyOf" | "oneOf":
                part[keyword] = [any_schema(dice, depth + 1) for _ in range(dice.randrange(3))]
            case _:
                part[keyword] = any_schema(dice, depth + 1)
    return part


@pytest.mark.parametrize("is_of_manifest", [False, True], ids=["spec", "manifest"])
def test_both_agree_whatever_the_schema(is_of_manifest: bool) -> None:
    dice, said = random.Random(8), []
    for _ in range(700 * MORE):
        part = any_schema(dice)
        both = of_schema(part, is_of_manifest)
        for value in (*ODD, *dice.sample(TEXTS, 6), *(made(part, part, dice) for _ in range(4))):
            try:
                slow = both.slow(value)
            except (re.error, TypeError):  # jsonschema's own, as if it were asked alone
                assert not both.fast(value)
                continue
            fast = both.fast(value)
            assert slow or not fast, (part, value)
            said.append(fast)
    assert 0.05 < sum(said) / len(said) < 0.95


def test_each_keyword_of_draft_7_is_read_or_left_to_jsonschema() -> None:
    known = set(jsonschema.Draft7Validator.VALIDATORS)

    assert known == {*shapes.KEYWORDS, *shapes.LEFT_OUT, "$ref", "format"}


def test_a_schema_is_read_only_as_far_as_a_value_reaches() -> None:
    part = {"properties": {"a": {"type": "string"}, "b": {"not": True}}}
    both = of_schema(part, is_of_manifest=True)

    assert both.agree({"a": "x"})
    assert not both.fast({"b": 1})


def test_a_pattern_of_a_kind_is_read_as_go_does_and_one_of_a_spec_as_python_does() -> None:
    part = {"pattern": r"^\d$"}

    assert of_schema(part, is_of_manifest=False).agree("٣")
    assert not of_schema(part, is_of_manifest=True).agree("٣")
    assert not of_schema(part, is_of_manifest=False).agree("1\n")
    assert not of_schema(part, is_of_manifest=True).agree("1\n")


def test_a_reference_to_nothing_is_left_to_jsonschema() -> None:
    part = {"properties": {"a": {"$ref": "#/definitions/lost"}}}

    assert not shapes.shape(part, schema._dialect(part))({"a": 1})


@pytest.mark.parametrize("part", [{"required": 5}, {"pattern": 5}, {"enum": 5}])
@pytest.mark.parametrize("value", ["a", 1, [{"a": 1}], {}, {"a": 1}])
def test_a_schema_that_is_none_is_left_to_jsonschema(part: Any, value: object) -> None:
    part = {"properties": {"of": part}}

    assert not shapes.shape(part, schema._dialect(part))({"of": value})


def test_what_stands_beside_a_reference_counts_for_nothing() -> None:
    part = {"$ref": "#/definitions/any", "type": "string", "definitions": {"any": {}}}

    assert of_schema(part, is_of_manifest=False).agree(1)


def test_nesting_is_no_deeper_than_jsonschemas() -> None:
    part: Any = {"items": {"$ref": "#/definitions/list"}, "definitions": {}}
    part["definitions"]["list"] = {"items": {"$ref": "#/definitions/list"}}
    deep: list[Any] = []
    for _ in range(90):
        deep = [deep]

    assert of_schema(part, is_of_manifest=False).agree(deep)


def test_memory_does_not_grow_with_the_keys_of_users() -> None:
    parts = shapes._Parts({"properties": {"a": True}}, schema._dialect({}))
    for letter in string.ascii_letters:
        assert parts[letter](1)

    assert list(parts) == ["a"]
