"""Read YAML text into plain data that remembers where each value stands."""

import math
import re
from collections.abc import Mapping
from pathlib import Path

import yaml
from msgspec import Struct

from generator.diagnostics import Diagnostic, Rejected, Span, shown
from generator.document import Document, Place, Pointer, Text
from generator.yaml_loader import Loader
from generator.yaml_nodes import (
    QUOTE_BRACKETS,
    diagnostic_at,
    documents,
    flaw,
    refuse_characters,
    refuse_conflict,
    refuse_depth,
    span_of,
    syntax_error,
)

MAX_BYTES = 1_000_000
MAX_VALUES = 100_000
MAX_DEPTH = 50


class Kind(Struct, frozen=True):
    """What a file is, in the words of diagnostics, and the line that it begins with."""

    noun: str
    beginning: str


SPEC = Kind("spec", "spec_version: 1")


def load(path: str, content: str | bytes, folder: Path, kind: Kind = SPEC) -> Document:
    """Parse one spec; raises Rejected with every trap of YAML that it holds.

    `path` is what diagnostics show, `folder` is what relative paths in the spec start from. Another
    `kind` of file is read just so.
    """
    reader, data = _read(path, content, kind)
    if reader.flaws or not isinstance(data, dict):
        raise Rejected(reader.flaws)
    return Document(folder, data, reader.places)


def places(path: str, content: str | bytes) -> Mapping[Pointer, Place]:
    """Where all values stand, also those that `load` refuses, under their keys as written.

    Raises Rejected where the text cannot be read to its end.
    """
    reader, _ = _read(path, content, SPEC)
    return reader.places


def _read(path: str, content: str | bytes, kind: Kind) -> tuple["_Reader", object]:
    text = Text(path, decoded(path, content))
    root = _compose(text, kind)
    if not isinstance(root, yaml.MappingNode):
        message = f"a {kind.noun} is a map of keys, not a list or a scalar"
        raise Rejected([flaw(text, root, message, "yaml/not-a-map", _beginning(kind))])
    reader = _Reader(text, kind)
    return reader, reader.read(root, ())


def decoded(
    path: str,
    content: str | bytes,
    most: int = MAX_BYTES,
    hint: str = "move data such as class names to a file of their own",
) -> str:
    """The text of a file in UTF-8, without its byte order mark; raises Rejected.

    `most` is how many bytes it may have, `hint` what to do about more.
    """
    if len(content) > most:
        message = f"{len(content):,} bytes are more than the {most:,} allowed here"
        raise Rejected([Diagnostic(path, Span(1, 1, 2), message, "yaml/too-large", hint)])
    if isinstance(content, str):
        return content.removeprefix(_BYTE_ORDER_MARK)
    try:
        return content.decode("utf-8").removeprefix(_BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        text = Text(path, content.decode("utf-8", "replace").removeprefix(_BYTE_ORDER_MARK))
        before = content[: error.start].decode("utf-8").removeprefix(_BYTE_ORDER_MARK)
        message = f"byte 0x{content[error.start]:02x} is not UTF-8"
        hint = "save the file as UTF-8"
        wrong = diagnostic_at(text, text.at(len(before)), message, "yaml/not-utf-8", hint)
        raise Rejected([wrong]) from None


_BYTE_ORDER_MARK = "\ufeff"


def _compose(text: Text, kind: Kind) -> yaml.Node:
    """The node graph of the only YAML document in the text."""
    refuse_characters(text)
    refuse_conflict(text)
    try:
        nodes = _shallow(text.content)
        if nodes is None:
            refuse_depth(text, MAX_DEPTH)
            nodes = list(documents(text.content))
    except yaml.MarkedYAMLError as error:
        raise Rejected([syntax_error(text, error)]) from None
    if not nodes:
        message = f"the {kind.noun} is empty"
        hint = _beginning(kind)
        raise Rejected([diagnostic_at(text, Span(1, 1, 2), message, "yaml/empty", hint)])
    if len(nodes) > 1:
        message = f"a second YAML document starts here; a {kind.noun} is one document"
        hint = "move it to a file of its own"
        raise Rejected([flaw(text, nodes[1], message, "yaml/several-documents", hint)])
    return nodes[0]


def _beginning(kind: Kind) -> str:
    return f"begin with `{kind.beginning}`"


def _shallow(text: str) -> list[yaml.Node] | None:
    """What `documents` has of a text that is right and not too deep, read but once; else None."""
    try:
        return list(documents(text, _Shallow))
    except (yaml.MarkedYAMLError, RecursionError):
        return None


class _Shallow(Loader):  # type: ignore[valid-type, misc]  # of two classes, as libyaml is there
    """Composes nodes down to a depth: no deeper than `refuse_depth` lets pass.

    What it overrides is told of every node, and does nothing by itself in a safe loader.
    """

    depth = 0

    def descend_resolver(self, _parent: object, _index: object) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise RecursionError

    def ascend_resolver(self) -> None:
        self.depth -= 1


_BOOLEAN = re.compile(r"true|True|TRUE|false|False|FALSE")
_NULL = re.compile(r"|~|null|Null|NULL")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_OCTAL = re.compile(r"[-+]?0[0-9_]+")
_BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
_NEWER_NUMBER = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+|0o[0-7]+|[-+]?0[0-9]*[89][0-9]*"
)
"""What YAML 1.1 reads as text and YAML 1.2 as a number: 1e3, 0o7, 08."""
_MOST_DIGITS = 20
_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
_COLLECTIONS = (f"{_TAG}map", f"{_TAG}seq")


class _Reader:
    """Turns nodes into data, noting places and refusing what YAML would quietly change."""

    def __init__(self, text: Text, kind: Kind) -> None:
        self.text = text
        self.noun = kind.noun
        self.places: dict[Pointer, Place] = {}
        self.flaws: list[Diagnostic] = []
        self.values = 0
        self.merging: list[yaml.Node] = []

    def read(self, node: yaml.Node, pointer: Pointer, key: yaml.Node | None = None) -> object:
        self.count(node)
        if len(pointer) > MAX_DEPTH:
            message = f"lists and maps nest deeper than {MAX_DEPTH}"
            raise Rejected([*self.flaws, flaw(self.text, node, message, "yaml/too-deep")])
        written = node.value if isinstance(node, yaml.ScalarNode) else None
        key_span = span_of(self.text, key) if key else None
        self.places[pointer] = Place(self.text, span_of(self.text, node), key_span, written)
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node)
        if node.tag not in _COLLECTIONS:
            self.refuse_tag(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*pointer, i)) for i, item in enumerate(node.value)]
        assert isinstance(node, yaml.MappingNode)  # the last kind there is
        return self.mapping(node, pointer)

    def count(self, node: yaml.Node) -> None:
        """Stop where aliases multiply: a few lines can unfold to more than memory holds."""
        self.values += 1
        if self.values > MAX_VALUES:
            message = f"the {self.noun} unfolds to more than {MAX_VALUES:,} values"
            hint = "anchors that repeat each other multiply; write the values out"
            raise Rejected([*self.flaws, flaw(self.text, node, message, "yaml/explodes", hint)])

    def mapping(self, node: yaml.MappingNode, pointer: Pointer) -> dict[str, object]:
        result: dict[str, object] = {}
        first: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if key.tag == _MERGE:
                result |= self.merged(value, pointer)
        for key, value in node.value:
            name = self.key(key) if key.tag != _MERGE else None
            if name is None:
                continue
            if name in first:
                line = first[name].start_mark.line + 1
                message = f"`{shown(name)}` stands twice in this map, first on line {line}"
                self.refuse(key, message, "yaml/duplicate-key", "keep one of the two")
                continue
            first[name] = key
            result[name] = self.read(value, (*pointer, name), key)
        return result

    def merged(self, node: yaml.Node, pointer: Pointer) -> dict[str, object]:
        """What `<<` brings to a map, as YAML 1.1 has it: of several maps the first wins."""
        result: dict[str, object] = {}
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for source in reversed(sources):
            self.count(source)
            if not isinstance(source, yaml.MappingNode):
                hint = "name an anchor, such as `<<: *common`"
                self.refuse(source, "`<<` merges a map, or a list of maps", "yaml/merge", hint)
            elif source in self.merging or len(self.merging) > MAX_DEPTH:
                self.refuse(source, "this map merges itself", "yaml/merge", "remove the `<<`")
            else:
                self.merging.append(source)
                result |= self.mapping(source, pointer)
                self.merging.pop()
        return result

    def key(self, node: yaml.Node) -> str | None:
        """The key's text, also of a scalar that is refused: its value is looked at all the same."""
        if not isinstance(node, yaml.ScalarNode):
            self.refuse(node, "a key is text, not a list or a map", "yaml/key", QUOTE_BRACKETS)
            return None
        if node.tag != f"{_TAG}str":
            written = shown(node.value)
            message = f"key `{written}` is {_kind(node)} in YAML, not text"
            self.refuse(node, message, "yaml/key", f'quote it: "{written}"')
        return str(node.value)

    def scalar(self, node: yaml.ScalarNode) -> object:
        if not node.tag.startswith(_TAG):
            self.refuse_tag(node)
            return None
        text: str = node.value
        kind = node.tag.removeprefix(_TAG)
        if kind == "str" and (node.style or not _NEWER_NUMBER.fullmatch(text)):
            return text
        if kind == "null" and _NULL.fullmatch(text):
            return None
        if kind == "bool" and _BOOLEAN.fullmatch(text):
            return text.lower() == "true"
        if len(text) <= _MOST_DIGITS:
            if kind == "int" and _INTEGER.fullmatch(text):
                return int(text)
            if kind == "int" and _HEXADECIMAL.fullmatch(text):
                return int(text, 16)
            if kind == "float" and _NUMBER.fullmatch(text) and math.isfinite(float(text)):
                return float(text)
        self.refuse_surprise(node)
        return None

    def refuse_surprise(self, node: yaml.ScalarNode) -> None:
        """Refuse what readers of YAML take for different things, or nobody expects."""
        text = shown(node.value)
        kind = node.tag.removeprefix(_TAG)
        hint = f'quote it: "{text}", or write a plain decimal number'
        if kind == "str":
            message = f"`{text}` is text in YAML 1.1 and a number in YAML 1.2"
        elif kind == "bool":
            message = f"`{text}` is a boolean in YAML 1.1 and a word in YAML 1.2"
            hint = f'write true or false, or quote it: "{text}"'
        elif kind in ("int", "float") and _OCTAL.fullmatch(node.value):
            message = f"`{text}` is an octal number in YAML 1.1"
        elif kind in ("int", "float") and _BASE_60.fullmatch(node.value):
            message = f"`{text}` is a number in base 60 in YAML 1.1"
        elif kind in ("int", "float") and len(node.value) > _MOST_DIGITS:
            message = f"number `{text}` is longer than the {_MOST_DIGITS} characters a number has"
            hint = f'quote it: "{text}", or write a shorter one'
        else:
            message = f"`{text}` is {_kind(node)} in YAML, which {self.noun}s do not use"
            if kind not in ("int", "float"):
                hint = f'quote it: "{text}"'
        self.refuse(node, message, "yaml/surprising-scalar", hint)

    def refuse_tag(self, node: yaml.Node) -> None:
        message = f"tag `{_written_tag(node)}` is not used in {self.noun}s"
        self.refuse(node, message, "yaml/tag", "remove it")

    def refuse(self, node: yaml.Node, message: str, rule: str, hint: str = "") -> None:
        self.flaws.append(flaw(self.text, node, message, rule, hint))


def _kind(node: yaml.Node) -> str:
    words: Mapping[str, str] = {
        "bool": "a boolean",
        "int": "a number",
        "float": "a number",
        "null": "null",
        "timestamp": "a date",
        "binary": "binary data",
        "merge": "a merge key",
        "value": "a value key",
    }
    return words.get(str(node.tag).removeprefix(_TAG), f"of type `{_written_tag(node)}`")


def _written_tag(node: yaml.Node) -> str:
    return shown(str(node.tag).replace(_TAG, "!!"))
