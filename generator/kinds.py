"""Say offline what a Kubernetes API server would refuse about a manifest."""

import difflib
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from generator.objectmeta import Refusal, name_refusals
from generator.shipped import shipped

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

__all__ = ["Refusal", "known", "refusals"]

# Several releases of one product can lie side by side; these are the ones we hold against.
RELEASES = (
    "kserve-v0.20.0",
    "knative-serving-v1.23.0",
    "kubernetes-v1.37.0",
    "kustomize-v1beta1",
    "seldon-core-v1.17.1",
)
METADATA = ("meta/v1", "ObjectMeta")  # part of every manifest, none by itself


def known(api_version: str, kind: str) -> bool:
    """Whether there is a schema for a kind of manifest."""
    return (api_version, kind) in _files() and (api_version, kind) != METADATA


def refusals(manifest: Mapping[str, object]) -> Iterator[Refusal]:
    """Everything an API server would refuse, each at its place; nothing for a good manifest.

    Sources: the schemas of `schemas/kubernetes`, and the rules of apimachinery for names.
    """
    api_version, kind = manifest.get("apiVersion"), manifest.get("kind")
    if not isinstance(api_version, str) or not isinstance(kind, str):
        for name in ("apiVersion", "kind"):
            if not isinstance(manifest.get(name), str):
                yield Refusal((), f"required field `{name}` is missing or no string")
        return
    if not known(api_version, kind):
        yield _unknown_kind(api_version, kind)
        return
    yield from _shape_refusals(manifest, (api_version, kind), ())
    metadata = manifest.get("metadata")
    if isinstance(metadata, Mapping):
        yield from _shape_refusals(metadata, METADATA, ("metadata",))
    yield from name_refusals(manifest)


@cache
def _files() -> Mapping[tuple[str, str], Path]:
    """The schema file of each apiVersion and kind."""
    found = {}
    for release in RELEASES:
        for path in (shipped("schemas") / "kubernetes" / release).glob("*.json"):
            group, version, kind = path.stem.split("_")
            found[version if group == "core" else f"{group}/{version}", kind] = path
    return found


def _unknown_kind(api_version: str, kind: str) -> Refusal:
    versions = sorted(version for version, name in _files() if name == kind)
    if versions:
        message = f"`{kind}` is not served as `{api_version}`"
        return Refusal(("apiVersion",), message, f"write `{' or '.join(versions)}`")
    near = difflib.get_close_matches(kind, sorted(name for _, name in _files()), n=1)
    hint = f"did you mean `{near[0]}`?" if near else ""
    return Refusal(("kind",), f"no schema for kind `{kind}` of `{api_version}`", hint)


def _shape_refusals(
    value: Mapping[str, object], kind: tuple[str, str], path: tuple[str | int, ...]
) -> Iterator[Refusal]:
    from generator.dialect import check  # jsonschema takes longer to import than all else here

    schema = _schema(kind)
    read = _without_null(value) if schema.get("x-null-is-unset") else value
    yield from check(read, _validator(kind), path)


@cache
def _validator(kind: tuple[str, str]) -> "Validator":
    from generator.dialect import validator

    return validator(_schema(kind))


@cache
def _schema(kind: tuple[str, str]) -> Mapping[str, object]:
    """A schema whose shared parts stand where they are used, so that no reference is followed."""
    schema: dict[str, object] = json.loads(_files()[kind].read_text(encoding="utf-8"))
    definitions = schema.pop("definitions", {})
    assert isinstance(definitions, dict)
    _link(definitions, definitions)
    _link(schema, definitions)
    return schema


def _link(node: object, definitions: Mapping[str, object]) -> None:
    if isinstance(node, dict):
        for key, held in node.items():
            if isinstance(held, dict) and "$ref" in held:
                node[key] = definitions[held["$ref"].removeprefix("#/definitions/")]
            else:
                _link(held, definitions)


def _without_null(value: object) -> object:
    """The value as Go reads it into a struct, where null is the same as absent."""
    if isinstance(value, Mapping):
        return {key: _without_null(held) for key, held in value.items() if held is not None}
    if isinstance(value, list):
        return [_without_null(held) for held in value]
    return value
