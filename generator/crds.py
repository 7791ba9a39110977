"""Make the compact schemas of `schemas/kubernetes` from what upstream publishes.

    python -m generator.crds --release kserve-v0.20.0 --out schemas/kubernetes \\
        --origin "github.com/kserve/kserve, tag v0.20.0, Apache-2.0" inferenceservices.yaml ...
    python -m generator.crds --core 1.37.0 --out schemas/kubernetes

Sources are CustomResourceDefinitions as YAML, alone or in folders; a JSON patch (a list of
operations) changes the definition in the same folder. Core kinds come from the package
`kubernetes-validate`. A maintainer's tool: nothing that `gen` runs imports it.
"""

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import jsonpatch
import yaml

from generator.structural import QUANTITY, Schema, compact, manifest_schema, share, written

CORE_KINDS = (  # file of kubernetes-validate, apiVersion, kind
    ("configmap-v1", "v1", "ConfigMap"),
    ("deployment-apps-v1", "apps/v1", "Deployment"),
    ("horizontalpodautoscaler-autoscaling-v2", "autoscaling/v2", "HorizontalPodAutoscaler"),
    ("job-batch-v1", "batch/v1", "Job"),
    ("namespace-v1", "v1", "Namespace"),
    ("networkpolicy-networking-v1", "networking.k8s.io/v1", "NetworkPolicy"),
    ("persistentvolumeclaim-v1", "v1", "PersistentVolumeClaim"),
    ("pod-v1", "v1", "Pod"),
    ("poddisruptionbudget-policy-v1", "policy/v1", "PodDisruptionBudget"),
    ("secret-v1", "v1", "Secret"),
    ("service-v1", "v1", "Service"),
    ("serviceaccount-v1", "v1", "ServiceAccount"),
)
CORE_ORIGIN = (
    "Python package kubernetes-validate, github.com/willthames/kubernetes-validate, Apache-2.0"
)
OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

# Types of Go that say in code, not in their schema, what text they take.
CORE_TYPES: dict[str, Schema] = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {
        "type": ["number", "string"],
        "pattern": QUANTITY,
    },
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"x-kubernetes-int-or-string": True},
}


@dataclass(frozen=True)
class Imported:
    """One compact schema, and the size of what it was made from, references filled in."""

    api_version: str
    kind: str
    schema: Schema
    source: str
    source_bytes: int

    @property
    def file_name(self) -> str:
        """`<group>_<version>_<Kind>.json`; Kubernetes' own unnamed group is `core`."""
        group, _, version = self.api_version.rpartition("/")
        return f"{group or 'core'}_{version}_{self.kind}.json"


def import_definitions(sources: Iterable[Path]) -> Iterator[Imported]:
    """Compact the stored version of the definitions in files and folders.

    Older versions of a kind are read as that one: none of them is rendered.
    """
    for path in sorted(_yaml_files(sources)):
        content = _read(path)
        if isinstance(content, dict) and content.get("kind") == "CustomResourceDefinition":
            definition = _patched(content, path)
            yield from _stored(definition, path)


def _yaml_files(sources: Iterable[Path]) -> Iterator[Path]:
    for source in sources:
        if source.is_dir():
            yield from (path for path in source.iterdir() if path.suffix in {".yaml", ".yml"})
        else:
            yield source


def _read(path: Path) -> object:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where PyYAML has it
    return yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506  both are safe


def _patched(definition: Schema, path: Path) -> Schema:
    """The definition after the JSON patches that lie beside it.

    Seldon Core's is no valid definition without its `graph_children.yaml`.
    """
    for companion in sorted(path.parent.glob("*.yaml")):
        operations = _read(companion) if _is_patch(companion) else None
        if isinstance(operations, list):
            definition = jsonpatch.apply_patch(definition, operations)
    return definition


def _is_patch(path: Path) -> bool:
    return path.read_text(encoding="utf-8").startswith("- op:")


def _stored(definition: Schema, path: Path) -> Iterator[Imported]:
    spec = definition["spec"]
    for version in spec["versions"]:
        if version["storage"]:
            api_version, kind = f"{spec['group']}/{version['name']}", spec["names"]["kind"]
            openapi = version["schema"]["openAPIV3Schema"]
            schema = share(manifest_schema(openapi, api_version, kind))
            yield Imported(api_version, kind, schema, path.name, path.stat().st_size)


def import_core(version: str) -> Iterator[Imported]:
    """Compact the kinds that Kubernetes itself serves, and the metadata of every kind."""
    folder = files("kubernetes_validate") / "kubernetes-json-schema" / f"v{version}-local-strict"
    definitions = json.loads((folder / "_definitions.json").read_text(encoding="utf-8"))["$defs"]
    for name, api_version, kind in CORE_KINDS:
        whole = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        openapi = _resolved(whole, definitions)
        schema = manifest_schema(openapi, api_version, kind)
        yield _core(api_version, kind, schema, f"{name}.json", openapi)
    openapi = _resolved(definitions[OBJECT_META], definitions)
    yield _core("meta/v1", "ObjectMeta", compact(openapi), "_definitions.json", openapi)


def _core(api_version: str, kind: str, schema: Schema, source: str, openapi: Schema) -> Imported:
    shared = share({**schema, "x-null-is-unset": True})
    return Imported(api_version, kind, shared, source, len(json.dumps(openapi)))


def _resolved(schema: Schema, definitions: Schema) -> Schema:
    """The schema in the dialect of a CustomResourceDefinition: whole, and without null.

    Go reads null as absent wherever it stands, which `x-null-is-unset` says once.
    """
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return CORE_TYPES.get(name) or _resolved(definitions[name], definitions)
    whole = {key: value for key, value in schema.items() if key != "additionalProperties"}
    if isinstance(schema.get("type"), list):
        (whole["type"],) = (name for name in schema["type"] if name != "null")
    if "properties" in schema:
        fields = schema["properties"].items()
        whole["properties"] = {name: _resolved(field, definitions) for name, field in fields}
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), dict):
            whole[keyword] = _resolved(schema[keyword], definitions)
    if not {"properties", "additionalProperties"} & whole.keys():
        whole["x-kubernetes-preserve-unknown-fields"] = True
    return whole


def write(folder: Path, imported: Sequence[Imported], origin: str) -> None:
    """Write the schemas of one release and the page that says where they are from."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for one in sorted(imported, key=lambda each: each.file_name):
        text = written(one.schema)
        (folder / one.file_name).write_text(text, encoding="utf-8", newline="\n")
        rows.append(f"| {one.file_name} | {one.source} | {one.source_bytes} | {len(text)} |")
    table = "| file | made from | bytes in | bytes out |\n|---|---|---|---|\n" + "\n".join(rows)
    page = f"# {folder.name}\n\nFrom {origin}.\nMade by `python -m generator.crds`.\n\n{table}\n"
    (folder / "SOURCE.md").write_text(page, encoding="utf-8", newline="\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Import one release."""
    parser = argparse.ArgumentParser(prog="python -m generator.crds", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    release = parser.add_mutually_exclusive_group(required=True)
    release.add_argument("--release", help="name of the folder to write, such as kserve-v0.20.0")
    release.add_argument("--core", help="Kubernetes version in kubernetes-validate")
    parser.add_argument("--origin", help="repository, tag and licence of the release")
    parser.add_argument("--out", type=Path, required=True, help="folder that holds the releases")
    parser.add_argument("sources", type=Path, nargs="*", help="definitions, or folders of them")
    given = parser.parse_args(arguments)
    if given.core:
        folder = given.out / f"kubernetes-v{given.core}"
        write(folder, [*import_core(given.core)], CORE_ORIGIN)
    elif given.origin and given.sources:
        write(given.out / given.release, [*import_definitions(given.sources)], given.origin)
    else:
        parser.error("--release needs --origin and sources")


if __name__ == "__main__":
    main()
