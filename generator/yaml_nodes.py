"""The nodes of YAML text, and what is wrong with it at one of them."""

import re
from collections.abc import Iterator

import yaml

from generator.diagnostics import Diagnostic, Rejected, Span
from generator.document import Text
from generator.yaml_loader import Loader

Marked = yaml.Node | yaml.Event

QUOTE_BRACKETS = 'a value that begins with { or [ is quoted: "{...}"'


def documents(
    text: str, kind: type[yaml.SafeLoader | yaml.CSafeLoader] = Loader
) -> Iterator[yaml.Node]:
    """The root node of every YAML document in a text."""
    loader = kind(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            assert node is not None  # check_node has said so
            yield node
    finally:
        loader.dispose()


def syntax_error(text: Text, error: yaml.MarkedYAMLError) -> Diagnostic:
    """What the YAML parser says, where a reader would look for it."""
    said = ": ".join(filter(None, (error.context, error.problem)))
    mark = error.problem_mark or error.context_mark
    if "simple key" in said:  # found out where the next one begins
        mark = error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    hint = next((hint for words, hint in _SYNTAX_HINTS.items() if words in said), "")
    if error.context_mark and ("flow sequence" in said or "flow mapping" in said):
        hint = f"close the bracket that opens on line {error.context_mark.line + 1}"
    elif "flow" in said:
        hint = "close the bracket that is open here"
    while line > 1 and not text.line(line).strip():  # the end is where the text ends
        line, column = line - 1, len(text.line(line - 1)) + 1
    return diagnostic_at(text, Span(line, column, column + 1), said, "yaml/syntax", hint)


_SYNTAX_HINTS = {
    "mapping values are not allowed": "quote text that holds `: `, and begin keys of a map alike",
    "did not find expected key": "begin the keys of one map in one column",
    "could not find expected ':'": "write `key: value`, with a space after the colon",
    "tab": "indent with spaces",
    "\\t": "indent with spaces",
    "undefined alias": "an anchor `&name` stands before its alias `*name`",
    "cannot start any token": "quote the text",
}  # what libyaml says, in part


# What YAML does not allow: the other way round, [^...] of what it does, takes 3 ms to compile.
FORBIDDEN = re.compile(
    "[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]"
)


def refuse_characters(text: Text) -> None:
    """Refuse what YAML does not allow, and the line breaks that only YAML 1.1 knows."""
    if found := FORBIDDEN.search(text.content):
        message = f"character U+{ord(found[0]):04X} cannot stand in YAML"
        hint = "remove it: it is invisible here"
        span = text.at(found.start())
        raise Rejected([diagnostic_at(text, span, message, "yaml/character", hint)])


def refuse_conflict(text: Text) -> None:
    """Refuse what git leaves of a merge that somebody has to finish."""
    for number, line in enumerate(text.lines, 1):
        if _CONFLICT.fullmatch(line):
            message = "a merge of git's has left two versions here"
            hint = "keep what is meant between <<<<<<< and >>>>>>>, and remove the three marks"
            span = Span(number, 1, len(line) + 1)
            raise Rejected([diagnostic_at(text, span, message, "yaml/merge-conflict", hint)])


_CONFLICT = re.compile(r"<{7}( .*)?")


def refuse_depth(text: Text, most: int) -> None:
    """Raise Rejected at nesting that would overflow the stack of the composer, which recurses."""
    depth = 0
    for event in yaml.parse(text.content, Loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > most:
            message = f"lists and maps nest deeper than {most}"
            raise Rejected([flaw(text, event, message, "yaml/too-deep")])


def diagnostic_at(text: Text, span: Span, message: str, rule: str, hint: str = "") -> Diagnostic:
    """A diagnostic with the line that it stands on, without credentials."""
    from generator.blackening import blackened, excerpt  # where something is wrong

    line, kept = excerpt(text, span.line)
    return blackened(Diagnostic(text.path, span, message, rule, hint, line), kept)


def flaw(text: Text, node: Marked, message: str, rule: str, hint: str = "") -> Diagnostic:
    """A diagnostic about a node."""
    return diagnostic_at(text, span_of(text, node), message, rule, hint)


def span_of(text: Text, node: Marked) -> Span:
    """The first line of a node; of a scalar without its anchor."""
    start, end = node.start_mark, node.end_mark
    assert start is not None  # whatever was read from a text has both
    assert end is not None
    last = end.column if end.line == start.line else len(text.line(start.line + 1).rstrip())
    first = start.column
    if isinstance(node, yaml.ScalarNode) and "&" in text.content:
        anchor = _ANCHOR.match(text.line(start.line + 1), first, last)
        first = anchor.end() if anchor else first
    return Span(start.line + 1, first + 1, max(last, first + 1) + 1)


_ANCHOR = re.compile(r"&\S+[ \t]+(?=\S)")
