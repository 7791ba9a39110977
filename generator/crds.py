"""Compact schemas out of CustomResourceDefinitions: a cluster's own, and those that we ship.

`gen crds` makes a folder of one cluster's definitions. Maintainers make `schemas/kubernetes`, a
folder for each product and in it one for each release:

    python -m generator.crds kserve --out schemas/kubernetes \\
        --origin "github.com/kserve/kserve, tag v0.20.0, Apache-2.0" 0.20.0=FOLDER
    python -m generator.crds kubernetes --out schemas/kubernetes 1.36.0 1.37.0

There a JSON patch (a list of operations) changes the definition in the same folder, and the core
kinds come from the package `kubernetes-validate`.
"""

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any  # what YAML holds

import yaml

from generator.diagnostics import CannotRun
from generator.sharing import share_all, written
from generator.structural import Imported, Schema, manifest_schema, opened
from generator.yaml_loader import Loader

DEFINITION = "CustomResourceDefinition"
LISTS = ("List", f"{DEFINITION}List")
SUFFIXES = (".yaml", ".yml", ".json")
MOST_DEPTH = 500
"""Definitions nest to about a hundred; libyaml overflows its stack at some ten thousand."""
POOL = "definitions.json"
PAGE = "SOURCE.md"


class _PlainLoader(Loader):  # type: ignore[misc, valid-type]  # one of two classes of PyYAML
    """Reads a date as text, and the operator `=` too, which kubectl writes without quotes."""


for _tag in ("timestamp", "value"):
    _PlainLoader.add_constructor(f"tag:yaml.org,2002:{_tag}", Loader.construct_yaml_str)


def files_of(source: Path) -> list[Path]:
    """The files of a source: itself, or every YAML and JSON file of a folder, at any depth."""
    if not source.is_dir():
        return [source]
    return sorted(path for path in source.rglob("*") if path.suffix in SUFFIXES and path.is_file())


def documents(name: str, content: bytes) -> list[object]:
    """What a text of YAML or JSON holds; raises CannotRun where it is neither."""
    try:
        text = content.decode("utf-8-sig")
        if text.lstrip().startswith("{"):
            try:
                return [json.loads(text)]
            except (json.JSONDecodeError, RecursionError):
                pass  # a flow map of YAML, or several documents, begins like that too
        _refuse_depth(name, text)
        return list(yaml.load_all(text, Loader=_PlainLoader))
    except UnicodeDecodeError as error:
        raise CannotRun(f"{name}: byte 0x{content[error.start]:02x} is not UTF-8") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{mark.line + 1}" if mark else name
        raise CannotRun(f"{place}: {error.problem or error.context}") from None
    except yaml.reader.ReaderError as error:
        raise CannotRun(f"{name}: {error.reason}") from None
    except (ValueError, TypeError) as error:  # a key that is a list, a number out of range
        raise CannotRun(f"{name}: {error}") from None


def _refuse_depth(name: str, text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        is_alias = isinstance(event, yaml.AliasEvent)
        if depth > MOST_DEPTH or is_alias:
            said = "a YAML alias" if is_alias else f"lists and maps nest deeper than {MOST_DEPTH}"
            place = f"{name}:{event.start_mark.line + 1}" if event.start_mark else name
            raise CannotRun(f"{place}: {said}; no definition needs that")


def definitions(held: object) -> Iterator[Schema]:
    """The definitions in a document, which may be a list as `kubectl get crds -o yaml` prints."""
    if not isinstance(held, dict):
        return
    if held.get("kind") == DEFINITION:
        yield held
    elif held.get("kind") in LISTS and isinstance(held.get("items"), list):
        for item in held["items"]:
            yield from definitions(item)


def import_definition(definition: Schema, source: str) -> list[Imported]:
    """Compact every version of a definition that is served; raises CannotRun where it is none."""
    name = _name(definition)
    if definition.get("apiVersion") == "apiextensions.k8s.io/v1beta1":
        message = "apiextensions.k8s.io/v1beta1 is not served since Kubernetes 1.22"
        raise CannotRun(f"{source}: {name}: {message}; take the definition out of a newer cluster")
    try:
        spec = definition["spec"]
        served = [_version(spec, each, source) for each in spec["versions"] if each["served"]]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        said = f"`{error.args[0]}` is missing" if isinstance(error, KeyError) else str(error)
        raise CannotRun(f"{source}: {name} is no valid definition: {said}") from None
    except RecursionError:
        raise CannotRun(f"{source}: {name} nests too deep") from None
    return served


def _name(definition: Schema) -> str:
    metadata = definition.get("metadata")
    return str(metadata.get("name", DEFINITION)) if isinstance(metadata, dict) else DEFINITION


def _version(spec: Schema, version: Schema, source: str) -> Imported:
    api_version, kind = f"{spec['group']}/{version['name']}", spec["names"]["kind"]
    openapi = version["schema"]["openAPIV3Schema"]
    schema = manifest_schema(openapi, api_version, kind)
    if spec.get("preserveUnknownFields"):
        schema = opened(schema)
    imported = Imported(api_version, kind, schema, source, len(json.dumps(openapi, default=str)))
    if imported.file_name.count("_") != 2 or "/" in imported.file_name:
        raise ValueError(imported.file_name)
    return imported


def one_of_each(imported: Iterable[Imported]) -> list[Imported]:
    """The kinds by file name; raises CannotRun where two definitions of one differ."""
    kinds: dict[str, Imported] = {}
    for one in imported:
        first = kinds.setdefault(one.file_name, one)
        if first.schema != one.schema:
            told = f"{one.kind} of {one.api_version}"
            raise CannotRun(f"{first.source} and {one.source} define {told} differently")
    return [kinds[name] for name in sorted(kinds)]


def product_texts(
    product: str, releases: Sequence[tuple[str, Sequence[Imported]]], origin: str
) -> dict[str, str]:
    """The files of a product's folder by path; releases stand from the oldest to the newest.

    What several schemas hold stands once in the pool. A release holds only the kinds that are not
    as they were in the one before; none may be gone.
    """
    kinds = [one for _, imported in releases for one in imported]
    shared, pool = share_all((one.schema for one in kinds), f"../{POOL}")
    text_of = {id(one): written(schema) for one, schema in zip(kinds, shared, strict=True)}
    texts, rows, before = {POOL: written({"definitions": pool})}, [], dict[str, str]()
    for release, imported in releases:
        now = {one.file_name: text_of[id(one)] for one in imported}
        if gone := before.keys() - now.keys():
            raise CannotRun(f"{product} {release} has no {', '.join(sorted(gone))} any more")
        for one in sorted(imported, key=lambda each: each.file_name):
            if before.get(one.file_name) != now[one.file_name]:
                path = f"{release}/{one.file_name}"
                texts[path] = now[one.file_name]
                rows.append(row(one, path, texts[path]))
        before = now
    rows.append(f"| {POOL} | | | {len(texts[POOL])} |")
    return texts | {PAGE: page(product, origin, "python -m generator.crds", rows)}


def row(one: Imported, path: str, text: str) -> str:
    """The line of the page about one schema."""
    return f"| {path} | {Path(one.source).name} | {one.source_bytes} | {len(text.encode())} |"


def page(title: str, origin: str, tool: str, rows: Sequence[str]) -> str:
    """The page that says where schemas are from and how large they are."""
    table = "| file | made from | bytes in | bytes out |\n|---|---|---|---|\n" + "\n".join(rows)
    return f"# {title}\n\nFrom {origin}.\nMade by `{tool}`.\n\n{table}\n"


def import_folder(folder: Path) -> list[Imported]:
    """Compact the definitions of a release's folder, after the JSON patches beside them.

    Seldon Core's is no valid definition without its `graph_children.yaml`.
    """
    found: list[Imported] = []
    for path in files_of(folder):
        for held in documents(path.name, path.read_bytes()):
            for definition in definitions(held):
                found += import_definition(_patched(definition, path), path.name)
    return one_of_each(found)


def _patched(definition: Schema, path: Path) -> Schema:
    for companion in sorted(path.parent.glob("*.yaml")):
        with companion.open(encoding="utf-8") as text:
            is_patch = text.read(5) == "- op:"
        if is_patch:
            import jsonpatch

            operations: Any  # Any: a list of operations
            (operations,) = documents(companion.name, companion.read_bytes())
            definition = jsonpatch.apply_patch(definition, operations)
    return definition


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the folder of one product."""
    parser = argparse.ArgumentParser(prog="python -m generator.crds", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("product", help="kubernetes, or a name of generator/releases.py")
    parser.add_argument("--origin", help="repository, tag and licence")
    parser.add_argument("--out", type=Path, required=True, help="folder that holds the products")
    parser.add_argument(
        "releases", nargs="+", help="RELEASE=FOLDER, oldest first; Kubernetes: 1.37.0"
    )
    given = parser.parse_args(arguments)
    if given.product == "kubernetes":
        from generator.core_kinds import ORIGIN, import_core

        newest = given.releases[-1]
        releases = [(each, [*import_core(each, newest)]) for each in given.releases]
        texts = product_texts(given.product, releases, ORIGIN)
    elif given.origin:
        pairs = [release.split("=", 1) for release in given.releases]
        releases = [(release, import_folder(Path(folder))) for release, folder in pairs]
        texts = product_texts(given.product, releases, given.origin)
    else:
        parser.error("name the --origin of the definitions")
    for path, text in texts.items():
        place = given.out / given.product / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
