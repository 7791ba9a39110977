"""Every field of a spec is found by its path and told: what it is, what it takes, who uses it."""

import re

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator import schema
from generator.editor_schema import editor_schema
from generator.explain.fields import Unknown, children, every_field, find
from generator.explain.uses import otherwise, used_by
from generator.explain.words import example, type_in_words
from generator.targets import TARGETS

FIELDS = {field.path: field for field in every_field()}
LEAVES = {path: field for path, field in FIELDS.items() if not children(field.schema)}
USED_NOWHERE = {  # read only where preprocess has the same operation
    "transforms.postprocess.custom.produces.dtype",
    "transforms.postprocess.custom.produces.shape",
}


def test_every_key_of_the_schemas_is_a_field() -> None:
    whole = schema.read(schema.project_schema())

    assert {path for path in FIELDS if "." not in path} == set(whole["properties"])
    for target in TARGETS.values():
        keys = {f"targets.{target.name}.{key}" for key in schema.read(target.schema)["properties"]}
        assert keys <= set(FIELDS)


@pytest.mark.parametrize("path", FIELDS)
def test_is_found_by_its_path_and_told(path: str) -> None:
    field = find(path)

    assert field.schema == FIELDS[path].schema
    assert field.schema.get("description")
    assert type_in_words(field.schema)


@pytest.mark.parametrize("path", LEAVES)
def test_its_example_is_valid(path: str) -> None:
    field = LEAVES[path]
    value = example(field.schema)

    root = {**field.schema, "definitions": editor_schema()["definitions"]}
    assert value is None or jsonschema.Draft7Validator(root).is_valid(value)


@pytest.mark.parametrize("path", [path for path in LEAVES if not path.startswith("targets.")])
def test_a_target_uses_it_or_there_is_a_reason(path: str) -> None:
    field = LEAVES[path]

    assert used_by(field) or otherwise(field) or path in USED_NOWHERE


def test_an_item_is_used_as_its_list_is() -> None:
    assert used_by(find("model.class_names[700]")) == used_by(find("model.class_names"))
    assert find("model.class_names[700]").schema["description"].startswith("The classes")


def test_uses_differ_between_targets() -> None:
    assert "predictor" not in used_by(find("kubernetes.namespace"))
    assert {"triton", "torchserve", "seldon"} <= set(used_by(find("kubernetes.namespace")))
    assert used_by(find("model.source")) == ()
    assert used_by(find("targets.seldon.builder")) == ("seldon",)


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("model.inputs[0].name", ("model", "inputs", 0, "name")),
        ("model.inputs.name", ("model", "inputs", "name")),
        ("transforms.preprocess[3].resize.size", ("transforms", "preprocess", 3, "resize", "size")),
        ("kubernetes.labels.acme.io/team", ("kubernetes", "labels", "acme.io/team")),
        ('kubernetes.labels["acme.io/team"]', ("kubernetes", "labels", "acme.io/team")),
        ("hardware.components.transformer.cpu", ("hardware", "components", "transformer", "cpu")),
        ("model.arguments.depth", ("model", "arguments", "depth")),
        ("targets.triton.hardware.cpu", ("hardware", "cpu")),
        ("environments.live.serving.timeout", ("serving", "timeout")),
        ("environments.live.targets.triton.runtime", ("targets", "triton", "runtime")),
    ],
)
def test_paths_are_read_as_users_write_them(path: str, pointer: tuple[str | int, ...]) -> None:
    assert find(path).pointer == pointer


def test_a_path_keeps_its_target_and_environment() -> None:
    field = find("environments.live.targets.triton.hardware.cpu")

    assert (field.environment, field.target) == ("live", "triton")
    assert field.path == "environments.live.targets.triton.hardware.cpu"


@pytest.mark.parametrize(
    ("path", "message", "hint"),
    [
        ("serving.bathing", "`serving` has no field `bathing`", "did you mean `batching`?"),
        ("nam", "a spec has no field `nam`", "did you mean `name`?"),
        ("name.first", "`name` has no field `first`", "`name` is a single value"),
        ("targets.tritn", "`targets` has no field `tritn`", "did you mean `triton`?"),
        (
            "serving.replicas.x",
            "`serving.replicas` has no field `x`",
            "known here: max, min",
        ),
    ],
)
def test_says_what_a_path_may_go_on_with(path: str, message: str, hint: str) -> None:
    with pytest.raises(Unknown, match=re.escape(message)) as unknown:
        find(path)

    assert unknown.value.hint == hint


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("serving.batching.max_size", "a whole number from 1 to 65536"),
        ("serving.transport", "one of http, grpc"),
        ("serving.batching.dynamic", "true or false"),
        ("perf.slo.success_ratio", "a number from 0 to 1"),
        ("model.arguments.depth", "any value"),
        ("spec_version", "always 1"),
        ("transforms.preprocess.resize.size", "a list of 2 items, each a whole number from 1 to"),
        ("targets.torchserve.archive", "export, job, or a map with the uri of a .mar"),
    ],
)
def test_types_are_words(path: str, words: str) -> None:
    assert type_in_words(find(path).schema).startswith(words)


@given(st.text(alphabet=st.sampled_from('abc.[]"0_\n é'), max_size=60) | st.text(max_size=40))
def test_any_text_is_a_field_or_unknown(text: str) -> None:
    try:
        found = find(text).pointer
    except Unknown as unknown:
        found = (str(unknown),)

    assert found
