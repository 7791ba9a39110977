"""Tell manifests from templates of them, which Helm or Jinja render first.

Text with braces is no sign of one: alerts and annotations hold `{{ $labels.pod }}`. A template is
what cannot be a manifest before the braces are filled in.
"""

import re
from collections.abc import Iterator, Mapping

import yaml

from generator.diagnostics import Diagnostic
from generator.document import Text
from generator.lint.pieces import Piece

_WHOLE_LINES = re.compile(
    r"^[ \t]*(\{\{((?!\}\}).)*\}\}|\{%((?!%\}).)*%\})[ \t]*$", re.DOTALL | re.MULTILINE
)
_BRACES = ("{{", "{%")
NAMES = ("name", "generateName", "namespace")


def breaks_at_template(text: Text, flaw: Diagnostic) -> bool:
    """Whether a text is no YAML for braces of a template.

    They stand in the line of the flaw, or take up the lines before it: a map to YAML, which must
    end there.
    """
    if flaw.rule != "yaml/syntax":
        return False
    last = flaw.span.line
    first = last - 1
    while first > 1 and not text.line(first).strip():
        first -= 1
    if any(brace in text.line(last) for brace in _BRACES):
        return True
    for action in _WHOLE_LINES.finditer(text.content):
        begin = text.content.count("\n", 0, action.start()) + 1
        end = begin + action[0].count("\n")
        if begin <= last and end >= first:
            return True
    return False


def is_template(piece: Piece) -> bool:
    """Whether a manifest that is YAML by chance waits for values.

    `name: {{ name }}` is a map of a map to YAML, and no name or label holds braces.
    """
    node = piece.manifest.at(piece.at)
    return any(map(_is_placeholder, _maps(node))) or any(
        brace in text for text in _names(piece.data) for brace in _BRACES
    )


def _is_placeholder(node: yaml.MappingNode) -> bool:
    """Whether a map is what YAML makes of `{{ name }}`."""
    if len(node.value) != 1:
        return False
    key, value = node.value[0]
    inner = [held for _, held in key.value] if isinstance(key, yaml.MappingNode) else []
    return bool(inner) and all(getattr(held, "value", None) == "" for held in (*inner, value))


def _maps(root: yaml.Node) -> Iterator[yaml.MappingNode]:
    """The maps in a document, those of aliases once."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            yield node
            waiting += (part for _, part in node.value)
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value


def _names(manifest: Mapping[str, object]) -> Iterator[str]:
    """The names and labels of a manifest."""
    metadata = manifest.get("metadata")
    if isinstance(metadata, Mapping):
        labels = metadata.get("labels")
        held = [metadata.get(name) for name in NAMES]
        held += labels.values() if isinstance(labels, Mapping) else ()
        yield from (text for text in held if isinstance(text, str))
