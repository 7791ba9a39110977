"""Say offline what a Kubernetes API server would refuse about a manifest."""

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from os.path import normpath
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from generator import manifest_shapes
from generator.diagnostics import CannotRun
from generator.objectmeta import Refusal, name_refusals
from generator.releases import (
    RELEASES,
    STOCK,
    Cluster,
    Kind,
    UnknownCluster,
    cluster,
    later,
    own_kinds,
    release,
    schema_files,
)
from generator.shapes import Dialect, Schema, Shape, Unsure, shape
from generator.shipped import shipped

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

__all__ = [
    "RELEASES",
    "STOCK",
    "Cluster",
    "Refusal",
    "UnknownCluster",
    "cluster",
    "foreign",
    "known",
    "own_kinds",
    "refusals",
    "release",
    "schema_of",
]

METADATA = ("meta/v1", "ObjectMeta")  # part of every manifest, none by itself

# Groups whose kinds have all moved elsewhere:
# https://kubernetes.io/docs/reference/using-api/deprecation-guide/ and KServe's own, before 0.7
FORMER_GROUPS = ("extensions", "serving.kubeflow.org")

# Groups that Kubernetes itself serves; none of them has a kind of a name that stands in another
# product's group here.
BUILT_IN_GROUPS = ("", "apps", "autoscaling", "batch", "policy")

NAME = "kubernetes/name"  # the rule on names, labels and annotations; the shape is right then
MISTYPED = 0.9  # likeness of two names; that of a name and its `List`, or of ScaledJob, is less


def known(api_version: str, kind: str, cluster: Cluster = STOCK) -> bool:
    """Whether there is a schema for a kind of manifest."""
    return (api_version, kind) in schema_files(cluster) and (api_version, kind) != METADATA


def foreign(api_version: str, kind: str, cluster: Cluster = STOCK) -> bool:
    """Whether nothing can be said of a kind: it may be of an operator that we do not know.

    A known kind under a wrong version, or mistyped in a group that we know, is not foreign:
    `refusals` tells what is wrong.
    """
    return not known(api_version, kind, cluster) and not _meant(api_version, kind, cluster)


def schema_of(kind: Kind, cluster: Cluster = STOCK) -> Mapping[str, object]:
    """The schema that manifests of a known kind are held against."""
    return _schema(schema_files(cluster)[kind])


def is_broken(refusals: Iterable[Refusal]) -> bool:
    """Whether refusals leave nothing to say of a manifest: its shape is not what it has to be."""
    return any(each.severity == "error" and each.rule != NAME for each in refusals)


def refusals(manifest: Mapping[str, object], cluster: Cluster = STOCK) -> Iterator[Refusal]:
    """Everything an API server would refuse, each at its place; nothing for a good manifest.

    Sources: the schemas of `schemas/kubernetes`, and the rules of apimachinery for names.
    """
    api_version, kind = manifest.get("apiVersion"), manifest.get("kind")
    if not isinstance(api_version, str) or not isinstance(kind, str):
        for name in ("apiVersion", "kind"):
            if not isinstance(manifest.get(name), str):
                yield Refusal((), f"required field `{name}` is missing or no string")
        return
    if not known(api_version, kind, cluster):
        yield _unknown_kind(api_version, kind, cluster)
        return
    files = schema_files(cluster)
    for refusal in _shape_refusals(manifest, files[api_version, kind], ()):
        yield _with_release(refusal, manifest, (api_version, kind), cluster)
    metadata = manifest.get("metadata")
    if isinstance(metadata, Mapping):
        yield from _shape_refusals(metadata, files[METADATA], ("metadata",))
    for refusal in name_refusals(manifest):
        yield replace(refusal, rule=NAME)


def _unknown_kind(api_version: str, kind: str, cluster: Cluster) -> Refusal:
    meant = _meant(api_version, kind, cluster)
    versions = [version for version, name in meant if name == kind]
    if versions:
        message = f"`{kind}` is not served as `{api_version}`"
        return Refusal(("apiVersion",), message, f"write `{'` or `'.join(versions)}`")
    names = [name for _, name in meant]
    hint = f"did you mean `{names[0]}`?" if names else ""
    return Refusal(("kind",), f"no schema for kind `{kind}` of `{api_version}`", hint)


def _meant(api_version: str, kind: str, cluster: Cluster) -> list[Kind]:
    """The kinds that an unknown one can only have been meant to be."""
    group = _group(api_version)
    kinds = sorted(each for each in schema_files(cluster) if each != METADATA)
    of_group = [each for each in kinds if _group(each[0]) == group]
    is_elsewhere = group in FORMER_GROUPS or group in BUILT_IN_GROUPS
    same = [each for each in (of_group if not is_elsewhere else kinds) if each[1] == kind]
    if same or kind.endswith("List"):
        return same
    lower = {name.lower(): (version, name) for version, name in of_group}
    near = difflib.get_close_matches(kind.lower(), lower, n=1, cutoff=MISTYPED)
    return [lower[name] for name in near]


def _group(api_version: str) -> str:
    return api_version.rpartition("/")[0]


def _with_release(
    refusal: Refusal, manifest: Mapping[str, object], kind: Kind, cluster: Cluster
) -> Refusal:
    """A refusal of what a later release takes, told with that release."""
    for name, file in later(cluster, kind):
        if not any(each.path == refusal.path for each in _shape_refusals(manifest, file, ())):
            return replace(refusal, hint=f"{name} takes it, this cluster runs an older one")
    return refusal


def _shape_refusals(
    value: Mapping[str, object], schema_file: Path, path: tuple[str | int, ...]
) -> Iterator[Refusal]:
    if _shape(schema_file)(value):
        return
    from generator.dialect import check  # jsonschema takes longer to import than all else here

    schema = _schema(schema_file)
    is_core = bool(schema.get("x-null-is-unset"))
    yield from check(_without_null(value, schema), _validator(schema_file), path, is_core=is_core)


@cache
def _shape(path: Path) -> Shape:
    """What tells whether a manifest fits; it follows references only where a value stands.

    Not in schemas that a user has, of which every definition is seen to be there.
    """
    is_ours = path.is_relative_to(shipped("schemas"))
    return shape(_read(path) if is_ours else _schema(path), _dialect(path))


@cache
def _dialect(path: Path) -> Dialect:
    def referred(reference: str) -> tuple[Schema, Dialect]:
        pool, name = _pool(path, reference)
        definitions = _read(pool).get("definitions")
        if not isinstance(definitions, dict) or name not in definitions:
            raise Unsure
        return definitions[name], _dialect(pool)

    return manifest_shapes.dialect(referred)


@cache
def _validator(path: Path) -> "Validator":
    from generator.dialect import validator

    return validator(_schema(path))


@cache
def _schema(path: Path) -> Mapping[str, object]:
    """A schema whose shared parts stand where they are used, so that no reference is followed."""
    schema = {key: held for key, held in _read(path).items() if key != "definitions"}
    _link(schema, path)
    return schema


@cache
def _read(path: Path) -> dict[str, object]:
    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        message = f"{path}, which a schema refers to, is not there; make it anew with gen crds"
        raise CannotRun(message) from None
    except ValueError:
        schema = None
    if not isinstance(schema, dict):
        raise CannotRun(f"{path} is no schema; make it anew with gen crds")
    return schema


def _link(node: object, path: Path) -> None:
    """Put what the references of a schema mean in their places."""
    if isinstance(node, dict):
        for key, held in node.items():
            reference = held.get("$ref") if isinstance(held, dict) else None
            if isinstance(reference, str):
                node[key] = _definition(*_pool(path, reference))
            else:
                _link(held, path)


def _pool(path: Path, reference: str) -> tuple[Path, str]:
    """The file that a reference in a file leads to, and the name of a definition there."""
    file, _, name = reference.partition("#/definitions/")
    return Path(normpath(path.parent / file)) if file else path, name


@cache
def _definition(path: Path, name: str) -> object:
    definitions = _read(path).get("definitions")
    if not isinstance(definitions, dict) or name not in definitions:
        raise CannotRun(f"{path} has no definition `{name}`; make it anew with gen crds")
    _link(definitions[name], path)
    return definitions[name]


def _without_null(value: object, schema: object) -> object:
    """The value as a server reads it, where null in a map is the same as absent.

    Go reads it so into a struct; of custom resources PruneNonNullableNullsWithoutDefaults of
    apiextensions-apiserver drops what no schema lets be null. An element of a list stays.
    """
    known = schema if isinstance(schema, dict) else {}
    if isinstance(value, list):
        return [_without_null(held, known.get("items")) for held in value]
    if not isinstance(value, Mapping):
        return value
    named = known.get("properties", {})
    others = known.get("additionalProperties")
    parts = {key: named.get(key, others) for key in value}
    return {
        key: _without_null(held, parts[key])
        for key, held in value.items()
        if held is not None or _takes_null(parts[key])
    }


def _takes_null(schema: object) -> bool:
    """Whether null can stand for a value, also where nothing is said of it."""
    if not isinstance(schema, dict) or not {"type", "enum"} & schema.keys():
        return True
    return "null" in schema.get("type", ()) or None in schema.get("enum", ())
