"""Read YAML as kubectl does, into manifests that know where each of their values stands.

kubectl reads YAML 1.1 with sigs.k8s.io/yaml: `y` and `on` are booleans, `0644` is octal, `1e3` is
a number, a date or `12:30` is text, and keys become text. Specs are read by `source`, which
refuses all of these.
"""

import math
import re
from collections.abc import Iterator, Mapping
from functools import cached_property

import yaml
from msgspec import Struct

from generator.diagnostics import Diagnostic, Rejected, Span
from generator.document import Pointer, Text
from generator.yaml_nodes import (
    QUOTE_BRACKETS,
    documents,
    flaw,
    refuse_characters,
    refuse_depth,
    span_of,
    syntax_error,
)

MOST_DEPTH = 100
MOST_VALUES = 1_000_000
MOST_DIGITS = 70  # more than any 64-bit number has

_TAG = "tag:yaml.org,2002:"
NOT_KUBECTLS = dict.fromkeys((0x85, 0x2028, 0x2029), " ")
"""Line breaks of YAML 1.1 alone, at which libyaml counts a line and editors do not."""


class Manifest(Struct, frozen=True, eq=False, dict=True):
    """One document of a YAML text; `data` is what kubectl makes of it."""

    text: Text
    node: yaml.Node

    @cached_property
    def data(self) -> object:
        """The document as plain data, its keys text."""
        return _plain(self.node)

    def at(self, pointer: Pointer) -> yaml.Node:
        """The node that a pointer leads to, or the nearest above it."""
        node = self.node
        for step in pointer:
            if not (found := _child(node, step)):
                break
            node = found[1]
        return node

    def span(self, pointer: Pointer, *, at_key: bool = False) -> Span:
        """Where the value at a pointer stands, or the nearest that would hold it.

        A map or list is pointed at by its key; `at_key` points at the key of a scalar too.
        """
        node, key = self.node, None
        for step in pointer:
            found = _child(node, step)
            if found is None:
                break
            key, node = found
        is_scalar = isinstance(node, yaml.ScalarNode) and node.value != ""
        return span_of(self.text, key if key and (at_key or not is_scalar) else node)

    def flawed_keys(self) -> Iterator[Diagnostic]:
        """Keys that kubectl refuses, or that stand twice: it keeps the last and says nothing."""
        for key in _flawed_keys(self.node):
            if isinstance(key, yaml.ScalarNode):
                message = f"`{_key(key)}` stands twice in this map"
                yield flaw(self.text, key, message, "yaml/duplicate-key")
            else:
                message = "a key is text, not a list or a map"
                yield flaw(self.text, key, message, "yaml/key", QUOTE_BRACKETS)


def read(text: Text) -> list[Manifest]:
    """The documents of a text that hold anything; raises Rejected where it is no YAML."""
    content = Text(text.path, text.content.translate(NOT_KUBECTLS))
    try:
        refuse_characters(content)
        refuse_depth(content, MOST_DEPTH)
        nodes = list(documents(content.content))
    except yaml.MarkedYAMLError as error:
        raise Rejected([syntax_error(text, error)]) from None
    for node in nodes:
        _refuse_size(text, node)
    return [Manifest(text, node) for node in nodes if not _is_nothing(node)]


def _flawed_keys(root: yaml.Node) -> Iterator[yaml.Node]:
    """Keys that are no scalars, and the second of two equal ones, wherever their map stands."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        here = waiting.pop()
        if id(here) in seen:
            continue
        seen.add(id(here))
        if isinstance(here, yaml.MappingNode):
            names: set[str] = set()
            for key, value in here.value:
                name, is_scalar = _key(key), isinstance(key, yaml.ScalarNode)
                if not is_scalar or (name in names and not _is_merge(key)):
                    yield key
                names.add(name)
                waiting.append(value)
        elif isinstance(here, yaml.SequenceNode):
            waiting += here.value


def _is_nothing(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and _plain(node) is None


def _refuse_size(text: Text, root: yaml.Node) -> None:
    """Refuse aliases that hold themselves, or that multiply to more than memory holds."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size(node: yaml.Node) -> int:
        if id(node) in open_nodes:
            raise Rejected([flaw(text, node, "this value holds itself", "yaml/explodes")])
        if id(node) not in sizes:
            open_nodes.add(id(node))
            sizes[id(node)] = 1 + sum(size(child) for child in _children(node))
            open_nodes.remove(id(node))
        return sizes[id(node)]

    if size(root) > MOST_VALUES:
        message = f"this document unfolds to more than {MOST_VALUES:,} values"
        hint = "anchors that repeat each other multiply; write the values out"
        raise Rejected([flaw(text, root, message, "yaml/explodes", hint)])


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        yield from (part for pair in node.value for part in pair)
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _child(node: yaml.Node, step: str | int) -> tuple[yaml.Node | None, yaml.Node] | None:
    """What stands in a map under a key, and the key; or in a list at an index."""
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
        return (None, node.value[step]) if step < len(node.value) else None
    if not isinstance(node, yaml.MappingNode):
        return None
    for key, value in reversed(node.value):
        if not _is_merge(key) and _key(key) == str(step):
            return key, value
    for merged in _merged(node):
        if found := _child(merged, step):
            return found
    return None


def _merged(node: yaml.MappingNode) -> Iterator[yaml.Node]:
    """The maps that `<<` brings, the first before those that it wins over."""
    for key, value in node.value:
        if _is_merge(key):
            yield from value.value if isinstance(value, yaml.SequenceNode) else (value,)


def _is_merge(key: yaml.Node) -> bool:
    return bool(key.tag == f"{_TAG}merge")


def _plain(node: yaml.Node) -> object:
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item) for item in node.value]
    assert isinstance(node, yaml.MappingNode)  # the last kind there is
    result: dict[str, object] = {}
    for merged in reversed(list(_merged(node))):
        found = _plain(merged)
        result |= found if isinstance(found, dict) else {}
    return result | {_key(key): _plain(value) for key, value in node.value if not _is_merge(key)}


def _key(node: yaml.Node) -> str:
    """A key as kubectl's conversion to JSON has it."""
    if not isinstance(node, yaml.ScalarNode):
        return "{...}"  # a flaw; what it holds as text would double with each map in another
    value = _scalar(node)
    return str(value).lower() if isinstance(value, bool) else str(node.value)


_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **{f(word): True for word in ("y", "yes", "true", "on") for f in (str, str.title, str.upper)},
    **{f(word): False for word in ("n", "no", "false", "off") for f in (str, str.title, str.upper)},
}
_INTEGER = re.compile(r"[-+]?(0x[0-9a-fA-F]+|0b[01]+|0o?[0-7]+|0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"([-+]?)\.(inf|Inf|INF|nan|NaN|NAN)")
_RESOLVER = yaml.resolver.Resolver()


def _scalar(node: yaml.ScalarNode) -> object:
    """A scalar as goyaml.v2 resolves it: https://github.com/go-yaml/yaml/blob/v2/resolve.go."""
    text: str = node.value
    is_quoted = node.style or not node.tag.startswith(_TAG)
    value = text if is_quoted else resolved(text)
    if node.tag == f"{_TAG}str" and not isinstance(value, str) and _is_tagged(text):
        return text
    return value


def _is_tagged(text: str) -> bool:
    """Whether only the tag `!!str` can have made text of this."""
    tag = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    return bool(tag != f"{_TAG}str")


def resolved(text: str) -> object:
    if text in _WORDS:
        return _WORDS[text]
    digits = text.replace("_", "")
    if _INTEGER.fullmatch(digits) and len(digits) < MOST_DIGITS:
        return _integer(digits)
    if _NUMBER.fullmatch(digits):
        value = float(digits)
        return value if math.isfinite(value) else text
    if special := _SPECIAL.fullmatch(text):
        return float(f"{special[1]}{special[2].lower()}")
    return text


def _integer(digits: str) -> int:
    sign, number = (-1, digits[1:]) if digits[0] == "-" else (1, digits.lstrip("+"))
    if number[:2].lower() in ("0x", "0b", "0o"):
        return sign * int(number, 0)
    return sign * int(number, 8 if number[0] == "0" else 10)
