"""The manifests of hand-written files: each document, each element of a List, with its places."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePath, PurePosixPath

from generator.blackening import blackened, kept_of_manifest
from generator.diagnostics import Diagnostic, Related, Span
from generator.document import Pointer, Text
from generator.manifests import Manifest
from generator.objectmeta import Refusal
from generator.webhook_rules import partial

_KUSTOMIZATION = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}


@dataclass(frozen=True)
class Piece:
    """One manifest: `at` leads to it within its document, `key` names it among all others."""

    key: PurePosixPath
    manifest: Manifest
    at: Pointer
    data: Mapping[str, object] = field(compare=False)

    @cached_property
    def kept(self) -> tuple[str, ...]:
        """The values that no diagnostic tells."""
        return kept_of_manifest(self.data)

    def span(self, pointer: Pointer, *, at_key: bool = False) -> Span:
        return self.manifest.span((*self.at, *pointer), at_key=at_key)


def pieces(name: str, documents: list[Manifest]) -> Iterator[Piece]:
    """The manifests among the documents of a file; other documents are left out.

    A kustomization may do without its kind.
    """
    found: list[tuple[Manifest, Pointer, Mapping[str, object]]] = []
    for document in documents:
        data = document.data
        if PurePath(name).name in partial.FILE_NAMES and isinstance(data, dict):
            data = _KUSTOMIZATION | data
        found += [(document, at, part) for at, part in _parts(data, ())]
    path = os.path.normpath(name)
    for number, (document, at, part) in enumerate(found, 1):
        key = PurePosixPath(f"{path}#{number}" if len(found) > 1 else path)
        yield Piece(key, document, at, part)


def _parts(data: object, at: Pointer) -> Iterator[tuple[Pointer, Mapping[str, object]]]:
    """The manifest, or those of a List; what has neither apiVersion nor kind is none.

    In a List it is a manifest that lacks both. A list of one kind, such as a ConfigMapList, gives
    its own to its elements.
    """
    if not isinstance(data, dict) or not (at or {"apiVersion", "kind"} & data.keys()):
        return
    kind, items = str(data.get("kind")), data.get("items")
    if not kind.endswith("List") or not isinstance(items, list):
        yield at, data
        return
    stem = kind.removesuffix("List")
    given = {"apiVersion": data.get("apiVersion"), "kind": stem} if stem else {}
    for index, item in enumerate(items):
        held = given | item if isinstance(item, dict) else item
        yield from _parts(held, (*at, "items", index))


def told(piece: Piece, refusal: Refusal, all_pieces: Mapping[PurePosixPath, Piece]) -> Diagnostic:
    """A refusal of a manifest as a diagnostic in its file."""
    text = piece.manifest.text
    span = piece.span(refusal.path, at_key=refusal.message.startswith("unknown field"))
    related, kept = [], [*piece.kept]
    for file, path, message in refusal.related:
        other = piece if file is None else all_pieces[file]
        place = other.span(path)
        line = other.manifest.text.line(place.line)
        kept += other.kept
        related.append(Related(other.manifest.text.path, place, message, line))
    found = Diagnostic(
        text.path,
        span,
        _message(refusal.message, text, span),
        refusal.rule or "kubernetes/schema",
        _hint(refusal.hint, text, span),
        text.line(span.line),
        refusal.severity,
        tuple(related),
    )
    return blackened(found, kept)


_QUOTE_IT = re.compile(r"quote it: `\".*\"`")


def _hint(hint: str, text: Text, span: Span) -> str:
    """A hint to quote a value, with the value as it stands: `on`, not `true`."""
    return f'quote it: `"{_written(text, span)}"`' if _QUOTE_IT.fullmatch(hint) else hint


_IS_BOOLEAN = re.compile("`(true|false)` is true or false")


def _message(message: str, text: Text, span: Span) -> str:
    """A message about a word that YAML reads as a boolean, with the word as it stands."""
    found = _IS_BOOLEAN.match(message)
    written = _written(text, span)
    if not found or written in ("true", "false"):
        return message
    return f"`{written}` is `{found[1]}` to YAML" + message[found.end() :]


def _written(text: Text, span: Span) -> str:
    return text.line(span.line)[span.column - 1 : span.end_column - 1]
