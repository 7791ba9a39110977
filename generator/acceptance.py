"""Hold rendered files against what the real systems accept, offline."""

import ast
import json
import symtable
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from msgspec import Struct

from generator import kinds, manifest_events, manifests, pbtxt, webhook_rules
from generator.artefact import RenderedFile
from generator.diagnostics import Rejected, Severity
from generator.document import Text
from generator.problem import dotted
from generator.quoting import format_of

if TYPE_CHECKING:
    from generator import torchserve_config


class Refusal(Struct, frozen=True):
    """What a real system would refuse in a rendered file; `where` is a field or a line."""

    file: RenderedFile
    rule: str
    where: str
    message: str
    hint: str = ""
    severity: Severity = "error"


def refusals(
    files: Sequence[RenderedFile],
    cluster: kinds.Cluster = kinds.STOCK,
    read: manifest_events.Readings = manifest_events.NONE,
) -> Iterator[Refusal]:
    """Everything that a cluster, a server or an interpreter would refuse.

    `read` is what is known already of what the files hold.
    """
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
            shapes += _yaml(file, by_path, cluster, read.get(file.path))
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
    file: RenderedFile,
    by_path: dict[PurePosixPath, dict[str, object]],
    cluster: kinds.Cluster,
    read: dict[str, object] | None,
) -> Iterator[Refusal]:
    """What is wrong with the shape of a manifest, which is noted for `_together`."""
    if read is not None:
        yield from _manifest(file, read, by_path, cluster)
        return
    try:
        found = manifests.read(Text(str(file.path), file.text))
    except Rejected as rejected:
        for flaw in rejected.diagnostics:
            yield Refusal(file, flaw.rule, f"line {flaw.span.line}", flaw.message, flaw.hint)
        return
    data = found[0].data if len(found) == 1 else None
    for flaw in found[0].flawed_keys() if found else ():
        yield Refusal(file, flaw.rule, f"line {flaw.span.line}", flaw.message)
    yield from _manifest(file, data, by_path, cluster)


def _manifest(
    file: RenderedFile,
    data: object,
    by_path: dict[PurePosixPath, dict[str, object]],
    cluster: kinds.Cluster,
) -> Iterator[Refusal]:
    if _is_compose(file.path):
        from generator import compose  # as below: no target has all of these files

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
    from generator import model_config, model_config_rules  # for this file alone

    broken = list(model_config.refusals(file.text)) or model_config_rules.broken_rules(file.text)
    return (_in_line(file, refusal) for refusal in broken)


def _properties(file: RenderedFile) -> Iterator[Refusal]:
    if file.path.parts[-2:] != ("config", "config.properties"):
        return iter(())  # a file of the user's own
    from generator import torchserve_config  # likewise

    return (_in_line(file, refusal) for refusal in torchserve_config.refusals(file.text))


def _in_line(file: RenderedFile, refusal: "pbtxt.Refusal | torchserve_config.Refusal") -> Refusal:
    where, told = f"line {refusal.line}", (refusal.message, refusal.hint, refusal.severity)
    return Refusal(file, refusal.rule, where, *told)


def _python(file: RenderedFile) -> Iterator[Refusal]:
    # Statements that compile one after the other are a module; what does not is looked at whole.
    if all(map(_compiles, file.text.split("\n\n\n"))):
        return
    try:
        ast.parse(file.text)
    except SyntaxError as error:
        yield Refusal(file, "python/syntax", f"line {error.lineno or 1}", error.msg)
    except (ValueError, RecursionError, MemoryError) as error:  # what the parser cannot hold
        yield Refusal(file, "python/syntax", "line 1", str(error) or "nests too deep")


@lru_cache(maxsize=512)  # many projects render the same functions
def _compiles(text: str) -> bool:
    """Whether the compiler's first steps take a text: the parser is the first of them.

    A tree of Python's own objects, which nobody looks at, takes three times as long to make.
    """
    try:
        symtable.symtable(f"{text}\n", "<unknown>", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _json(file: RenderedFile) -> Iterator[Refusal]:
    try:
        json.loads(file.text)
    except json.JSONDecodeError as error:
        yield Refusal(file, "json/syntax", f"line {error.lineno}", error.msg)
