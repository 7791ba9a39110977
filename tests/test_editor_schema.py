"""The schema that `gen schema` prints, and the defaults that the schemas tell."""

import copy
import json
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
import yaml

from generator import schema
from generator.editor_schema import editor_schema, is_one_kind
from generator.project import Project, Served
from generator.targets import TARGETS

ROOT = Path(__file__).parent.parent
SPECS = sorted((ROOT / "specs").rglob("*.yaml"))
SCHEMAS = {
    "gen schema": editor_schema(),
    schema.PROJECT: schema.read(schema.project_schema()),
    **{target.name: schema.read(target.schema) for target in TARGETS.values()},
}
NOT_ONE_TO_ONE = {
    "locked",  # from images.lock
    "folder",  # where the spec lies
    "file",
    "target",  # a project is one target in one environment
    "targets",
    "environment",
    "environments",
    "spec_version",
    "uri",  # becomes the bundle's own place
    "bundle_uri",
    "is_verbatim",
}


def errors(spec: Any) -> list[str]:
    """What an editor would underline."""
    found = jsonschema.Draft7Validator(editor_schema()).iter_errors(spec)
    return [f"{error.json_path}: {error.message}" for error in found]


@pytest.fixture
def cifar10() -> dict[str, Any]:
    """A good spec as plain data."""
    return yaml.safe_load((ROOT / "specs/cifar10.yaml").read_text())


@pytest.mark.parametrize("name", SCHEMAS)
def test_is_a_valid_draft_7_schema(name: str) -> None:
    document = SCHEMAS[name]

    assert document["$schema"] == "http://json-schema.org/draft-07/schema#"
    jsonschema.Draft7Validator.check_schema(document)


def test_stands_alone() -> None:
    references = re.findall(r"'\$ref': '([^']*)'", str(editor_schema()))

    definitions = editor_schema()["definitions"]
    assert references
    assert {r.removeprefix("#/definitions/") for r in references} <= set(definitions)


def test_is_made_anew_and_leaves_the_schemas_as_they_are() -> None:
    before = copy.deepcopy(schema.read(schema.project_schema()))

    editor_schema()["definitions"].clear()

    assert schema.read(schema.project_schema()) == before
    assert editor_schema()["definitions"]


def properties(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every property with its schema, conditions (`if`) left out: they describe nothing."""
    if isinstance(node, list):
        node = dict(enumerate(node))
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key == "properties":
            yield from ((f"{path}/{name}", child) for name, child in value.items())
        if key not in ("if", "default"):
            yield from properties(value, f"{path}/{key}")


def resolved(node: Any, whole: Any) -> Iterator[Any]:
    """A schema and everything it refers to."""
    yield node
    for part in (node, *node.get("allOf", ())):
        if reference := part.get("$ref"):
            file, _, name = reference.partition("#/definitions/")
            document = SCHEMAS[schema.PROJECT] if file else whole
            yield from resolved(document["definitions"][name], document)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_property_is_described(name: str) -> None:
    document = SCHEMAS[name]

    bare = [
        path
        for path, node in properties(document)
        if not any(part.get("description") for part in resolved(node, document))
    ]

    assert len(list(properties(document))) > 5 or name == "predictor"  # which has none
    assert bare == []


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.stem)
def test_accepts_the_specs_of_this_repository(spec: Path) -> None:
    assert errors(yaml.safe_load(spec.read_text(encoding="utf-8"))) == []


def test_a_target_and_an_environment_may_hold_parts(cifar10: dict[str, Any]) -> None:
    cifar10["targets"]["triton"] |= {
        "storage": {"secret": None},
        "model": {"version": 2},
        "hardware": None,
    }
    cifar10["environments"] = {
        "staging": None,
        "production": {"serving": {"replicas": {"max": 3}}, "targets": {"triton": None}},
    }

    assert errors(cifar10) == []


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("nme", "$"),
        ("model/wieghts", "$.model"),
        ("targets/tritn", "$.targets"),
        ("targets/triton/deployment_modus", "$.targets.triton"),
        ("targets/triton/serving/batchin", "$.targets.triton.serving"),
        ("environments/production/name", "$.environments.production"),
        ("environments/production/hardware/gpu", "$.environments.production.hardware"),
        ("environments/production/targets/tritn", "$.environments.production.targets"),
    ],
)
def test_refuses_an_unknown_key_everywhere(cifar10: dict[str, Any], path: str, place: str) -> None:
    *parents, key = path.split("/")
    holder = cifar10
    for parent in parents:
        holder = holder.setdefault(parent, {})
    holder[key] = {}

    found = errors(cifar10)

    assert [error.split(":")[0] for error in found] == [place]
    assert f"'{key}'" in found[0]


def of_struct(hint: Any) -> type | None:
    """The struct in a type such as `X`, `X | None` or `dict[str, X]`."""
    for part in (hint, *typing.get_args(hint)):
        if isinstance(part, type) and issubclass(part, msgspec.Struct):
            return part
    return None


def told_defaults(document: Any, node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every property of a schema with its default; None where it has none."""
    parts = list(resolved(node, document))
    for part in parts:
        for name, child in part.get("properties", {}).items():
            defaults = [p["default"] for p in resolved(child, document) if "default" in p]
            yield f"{prefix}{name}", defaults[0] if defaults else None
            yield from told_defaults(document, child, f"{prefix}{name}.")
        for key in ("additionalProperties", "items"):
            if isinstance(held := part.get(key), dict):
                yield from told_defaults(document, held, prefix)


def real_defaults(kind: type, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every field of a struct with its default; None where it has none or an empty one."""
    hints = typing.get_type_hints(kind)
    for field in msgspec.structs.fields(kind):
        nested = of_struct(hints[field.name])
        if nested is Served:  # other specs, which also_serves of the options names
            continue
        is_plain = not nested or isinstance(field.default, str)
        plain = field.default if is_plain and field.default not in NOTHING else None
        yield f"{prefix}{field.name}", plain
        if nested:
            yield from real_defaults(nested, f"{prefix}{field.name}.")


NOTHING = (msgspec.NODEFAULT, ())


def comparable(defaults: Iterator[tuple[str, Any]]) -> dict[str, Any]:
    """Defaults by path, without what is another in the schema than in the struct on purpose."""
    opaque = ("patches.", "transforms.preprocess.", "transforms.postprocess.", "names.images.")
    opaque += ("archive.", "accepted_warnings.", "kubernetes.releases.")
    return {
        path: value
        for path, value in defaults
        if not NOT_ONE_TO_ONE & set(path.split(".")) and not path.startswith(opaque)
    }


def test_a_project_has_the_defaults_that_the_schema_tells() -> None:
    document = SCHEMAS[schema.PROJECT]

    told = comparable(told_defaults(document, document))

    assert told == comparable(real_defaults(Project))
    assert told["transforms.request_field"] == "image_bytes"
    assert len(told) > 60


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_a_targets_options_have_the_defaults_that_its_schema_tells(target: Any) -> None:
    document = SCHEMAS[target.name]

    told = comparable(told_defaults(document, document))

    real = comparable(real_defaults(target.options))
    assert told == real


MODELINE = re.compile(r"# yaml-language-server: \$schema=(\S+)\n")


@pytest.mark.parametrize("spec", SPECS, ids=lambda path: path.stem)
def test_every_spec_begins_with_the_line_that_gives_editors_its_schema(spec: Path) -> None:
    found = MODELINE.match(spec.read_text(encoding="utf-8"))

    assert found
    assert json.loads((spec.parent / found[1]).read_text())["$id"] == schema.PROJECT


@pytest.mark.parametrize(
    ("pointer", "kind"),
    [
        (("images", "tag"), "string"),
        (("kubernetes", "labels", "any"), "string"),
        (("serving", "batching", "dynamic"), "boolean"),
        (("model", "inputs", 0, "dtype"), "string"),
        (("targets", "triton", "serving", "batching", "max_size"), "integer"),
        (("environments", "any", "targets", "triton", "runtime_version"), "string"),
    ],
)
def test_knows_the_one_kind_of_value_that_a_place_takes(
    pointer: tuple[str | int, ...], kind: str
) -> None:
    kinds = ("string", "boolean", "integer", "number", "array", "object")

    assert [k for k in kinds if is_one_kind(editor_schema(), pointer, k)] == [kind]


@pytest.mark.parametrize(
    "pointer", [("model", "arguments", "any"), ("hardware", "cpu"), ("no", "such"), ("perf",)]
)
def test_a_place_of_several_kinds_has_no_one_kind(pointer: tuple[str, ...]) -> None:
    assert not is_one_kind(editor_schema(), pointer, "string")


def test_a_renamed_word_is_none_that_is_known_and_becomes_one_that_is() -> None:
    tables = [node for name in SCHEMAS for node in maps(SCHEMAS[name]) if "x-renamed" in node]

    assert len(tables) > 5
    for table in tables:
        assert not table["x-renamed"].keys() & set(table["enum"])
        assert set(table["x-renamed"].values()) <= set(table["enum"])


def maps(node: Any) -> Iterator[Any]:
    """Every map in a schema."""
    if isinstance(node, dict):
        yield node
    for child in (
        node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    ):
        yield from maps(child)
