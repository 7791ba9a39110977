"""Hold rendered files against what the real systems accept, offline."""

import ast
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any  # what YAML holds

import yaml

from generator import (
    compose,
    kinds,
    model_config,
    model_config_rules,
    torchserve_config,
    webhook_rules,
)
from generator.artefact import RenderedFile
from generator.problem import dotted
from generator.quoting import format_of

try:
    from yaml import CSafeLoader as Loader
except ImportError:  # PyYAML built without libyaml: slower, same result
    from yaml import SafeLoader as Loader  # type: ignore[assignment]


@dataclass(frozen=True)
class Refusal:
    """What a real system would refuse in a rendered file; `where` is a field or a line."""

    file: RenderedFile
    system: str
    where: str
    message: str
    hint: str = ""


def refusals(files: Sequence[RenderedFile]) -> Iterator[Refusal]:
    """Everything that a cluster, a server or an interpreter would refuse."""
    checks = {
        "pbtxt": _model_config,
        "properties": _properties,
        "python": _python,
        "json": _json,
    }
    manifests: dict[PurePosixPath, dict[str, object]] = {}
    shapes: list[Refusal] = []
    for file in files:
        if _is_users(file.path):
            continue
        if format_of(file.path) == "yaml":
            node, data = _parsed(file.text)
            if _is_compose(file.path):
                yield from _compose(file, node, data)
                continue
            manifests[file.path] = data
            shapes += _manifest(file, node, data)
        elif check := checks.get(format_of(file.path)):
            yield from check(file)
    yield from shapes or _together(files, manifests)


def _is_users(path: PurePosixPath) -> bool:
    """What a model archive holds beside its code is data of the user's own, whatever its name."""
    return path.parts[:2] == ("models", "archives") and path.suffix in (".yaml", ".yml", ".json")


def _together(
    files: Sequence[RenderedFile], manifests: Mapping[PurePosixPath, Mapping[str, object]]
) -> Iterator[Refusal]:
    """What webhooks and controllers would refuse of manifests that the API server takes."""
    by_path = {file.path: file for file in files}
    for path, refusal in webhook_rules.refusals(manifests, by_path):
        where = dotted(refusal.path)
        yield Refusal(by_path[path], "webhook", where, refusal.message, refusal.hint)


def _parsed(text: str) -> tuple[yaml.Node | None, Any]:
    """The nodes of a YAML text, and their data."""
    loader = Loader(text)
    try:
        node = loader.get_single_node()
        return node, None if node is None else loader.construct_document(node)
    finally:
        loader.dispose()


def _manifest(file: RenderedFile, node: yaml.Node | None, manifest: object) -> Iterator[Refusal]:
    if not isinstance(manifest, dict):
        yield Refusal(file, "kubernetes", "line 1", "a manifest is a map")
        return
    yield from _doubled_keys(file, "kubernetes", node)
    for refusal in kinds.refusals(manifest):
        yield Refusal(file, "kubernetes", dotted(refusal.path), refusal.message, refusal.hint)


def _is_compose(path: PurePosixPath) -> bool:
    """Whether a file is for docker compose; it stands beside what it builds."""
    return path.name == "compose.yaml" and path.parent.parent.name == "images"


def _compose(file: RenderedFile, node: yaml.Node | None, data: object) -> Iterator[Refusal]:
    yield from _doubled_keys(file, "compose", node)
    for refusal in compose.refusals(data):
        where = dotted(refusal.path) or "line 1"
        yield Refusal(file, "compose", where, refusal.message, refusal.hint)


def _doubled_keys(file: RenderedFile, system: str, node: yaml.Node | None) -> Iterator[Refusal]:
    for key in _doubled(node):
        line = f"line {key.start_mark.line + 1}"
        yield Refusal(file, system, line, f"`{key.value}` stands twice")


def _doubled(node: yaml.Node | None) -> Iterator[yaml.Node]:
    """Keys that stand twice in a map: readers keep one of the values and say nothing."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                yield key
            seen.add(key.value)
    if isinstance(node, yaml.CollectionNode):
        for item in node.value:
            for child in item if isinstance(item, tuple) else (item,):
                yield from _doubled(child)


def _model_config(file: RenderedFile) -> Iterator[Refusal]:
    broken = list(model_config.refusals(file.text)) or model_config_rules.broken_rules(file.text)
    for refusal in broken:
        yield Refusal(file, "triton", f"line {refusal.line}", refusal.message, refusal.hint)


def _properties(file: RenderedFile) -> Iterator[Refusal]:
    if file.path.parts[-2:] != ("config", "config.properties"):
        return  # a file of the user's own
    for refusal in torchserve_config.refusals(file.text):
        where = f"line {refusal.line}"
        yield Refusal(file, "torchserve", where, refusal.message, refusal.hint)


def _python(file: RenderedFile) -> Iterator[Refusal]:
    try:
        ast.parse(file.text)
    except SyntaxError as error:
        yield Refusal(file, "python", f"line {error.lineno or 1}", error.msg)
    except (ValueError, RecursionError, MemoryError) as error:  # what the parser cannot hold
        yield Refusal(file, "python", "line 1", str(error) or "nests too deep")


def _json(file: RenderedFile) -> Iterator[Refusal]:
    try:
        json.loads(file.text)
    except json.JSONDecodeError as error:
        yield Refusal(file, "json", f"line {error.lineno}", error.msg)
