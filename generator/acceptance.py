"""Hold rendered files against what the real systems accept, offline."""

import ast
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from generator import (
    compose,
    kinds,
    manifests,
    model_config,
    model_config_rules,
    pbtxt,
    torchserve_config,
    webhook_rules,
)
from generator.artefact import RenderedFile
from generator.diagnostics import Rejected, Severity
from generator.document import Text
from generator.problem import dotted
from generator.quoting import format_of


@dataclass(frozen=True)
class Refusal:
    """What a real system would refuse in a rendered file; `where` is a field or a line."""

    file: RenderedFile
    rule: str
    where: str
    message: str
    hint: str = ""
    severity: Severity = "error"


def refusals(
    files: Sequence[RenderedFile], cluster: kinds.Cluster = kinds.STOCK
) -> Iterator[Refusal]:
    """Everything that a cluster, a server or an interpreter would refuse."""
    checks = {
        "pbtxt": _model_config,
        "properties": _properties,
        "python": _python,
        "json": _json,
    }
    by_path: dict[PurePosixPath, dict[str, object]] = {}
    shapes: list[Refusal] = []
    for file in files:
        if _is_users(file.path):
            continue
        if format_of(file.path) == "yaml":
            shapes += _yaml(file, by_path, cluster)
        elif check := checks.get(format_of(file.path)):
            yield from check(file)
    yield from shapes
    if not any(each.severity == "error" and each.rule != kinds.NAME for each in shapes):
        yield from _together(files, by_path, cluster)


def _is_users(path: PurePosixPath) -> bool:
    """What a model archive holds beside its code is data of the user's own, whatever its name."""
    return path.parts[:2] == ("models", "archives") and path.suffix in (".yaml", ".yml", ".json")


def _together(
    files: Sequence[RenderedFile],
    by_path: Mapping[PurePosixPath, Mapping[str, object]],
    cluster: kinds.Cluster,
) -> Iterator[Refusal]:
    """What webhooks and controllers would refuse of manifests that the API server takes."""
    rendered = {file.path: file for file in files}
    told = webhook_rules.refusals(
        by_path, rendered, standard="restricted", release=cluster.kubernetes
    )
    for path, refusal in told:
        yield _refusal(rendered[path], refusal)


def _refusal(file: RenderedFile, refusal: kinds.Refusal) -> Refusal:
    where = dotted(refusal.path)
    told = refusal.message, refusal.hint, refusal.severity
    return Refusal(file, refusal.rule or "kubernetes/schema", where, *told)


def _yaml(
    file: RenderedFile, by_path: dict[PurePosixPath, dict[str, object]], cluster: kinds.Cluster
) -> Iterator[Refusal]:
    """What is wrong with the shape of a manifest, which is noted for `_together`."""
    try:
        found = manifests.read(Text(str(file.path), file.text))
    except Rejected as rejected:
        for flaw in rejected.diagnostics:
            yield Refusal(file, flaw.rule, f"line {flaw.span.line}", flaw.message, flaw.hint)
        return
    data = found[0].data if len(found) == 1 else None
    for flaw in found[0].doubled() if found else ():
        yield Refusal(file, flaw.rule, f"line {flaw.span.line}", flaw.message)
    if _is_compose(file.path):
        for refused in compose.refusals(data):
            where = dotted(refused.path) or "line 1"
            yield Refusal(file, "compose/schema", where, refused.message, refused.hint)
        return
    if not isinstance(data, dict):
        yield Refusal(file, "kubernetes/schema", "line 1", "a manifest is a map")
        return
    by_path[file.path] = data
    for refusal in kinds.refusals(data, cluster):
        yield _refusal(file, refusal)


def _is_compose(path: PurePosixPath) -> bool:
    """Whether a file is for docker compose; it stands beside what it builds."""
    return path.name == "compose.yaml" and path.parent.parent.name == "images"


def _model_config(file: RenderedFile) -> Iterator[Refusal]:
    broken = list(model_config.refusals(file.text)) or model_config_rules.broken_rules(file.text)
    return (_in_line(file, refusal) for refusal in broken)


def _properties(file: RenderedFile) -> Iterator[Refusal]:
    if file.path.parts[-2:] != ("config", "config.properties"):
        return iter(())  # a file of the user's own
    return (_in_line(file, refusal) for refusal in torchserve_config.refusals(file.text))


def _in_line(file: RenderedFile, refusal: pbtxt.Refusal | torchserve_config.Refusal) -> Refusal:
    where, told = f"line {refusal.line}", (refusal.message, refusal.hint, refusal.severity)
    return Refusal(file, refusal.rule, where, *told)


def _python(file: RenderedFile) -> Iterator[Refusal]:
    try:
        ast.parse(file.text)
    except SyntaxError as error:
        yield Refusal(file, "python/syntax", f"line {error.lineno or 1}", error.msg)
    except (ValueError, RecursionError, MemoryError) as error:  # what the parser cannot hold
        yield Refusal(file, "python/syntax", "line 1", str(error) or "nests too deep")


def _json(file: RenderedFile) -> Iterator[Refusal]:
    try:
        json.loads(file.text)
    except json.JSONDecodeError as error:
        yield Refusal(file, "json/syntax", f"line {error.lineno}", error.msg)
