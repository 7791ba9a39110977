"""What a report shows of a file, with stars for credentials and for what looks like one.

All diagnostics about texts go through `blackened`, also those of a file that is no YAML, of which
no more is known than its lines.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from msgspec.structs import replace

from generator.credentials import kind, starred
from generator.diagnostics import Diagnostic, Related
from generator.document import Document, Text
from generator.passwords import OPTION, is_password, named, suggests_secret

_VALUE = r"(?:[!&]\S+\s+)*(\"(?:[^\"\\]|\\.)*\"?|'[^']*'?|\[[^\]]*\]?|\{[^}]*\}?|[^\s\"'\[{].*)"
_VALUE_HERE = re.compile(_VALUE)
_NAME = re.compile(r"([\"']?)(\w[\w./~-]*)\1\s*[:=]\s*")
_LONGEST = 4000  # characters of a line that is looked through; more are shown whole or not at all
_SUSPICIOUS = re.compile(r"pass|pwd|secret|token|key|credential|auth|cookie", re.IGNORECASE)
_VARIABLE = re.compile(
    rf"(?:name|path):\s*[\"']?([\w./~-]+)[\"']?\s*,\s*(?:[\"']?value[\"']?):\s*{_VALUE}"
)
_KEY = re.compile(r"\s*(?:- +)*[\"']?([\w./~-]+)[\"']?\s*:(?:\s|$)")
_QUOTED = re.compile(r"\s*(?:- +)*[\"']?([\w./~-]+)[\"']?\s*:\s+(?:[!&]\S+\s+)*([\"'])(.*)")
_SECTION = re.compile(r"(?:^|[\s{,\"'])(?:data|stringData)[\"']?\s*:\s*(?=\S)")
_ALONE = re.compile(r"\s*(?:- +)+[\"']?--?([A-Za-z][\w-]*)[\"']?\s*(?:#.*)?$")
_IN_COMMENT = re.compile(r"\b(\w+)\b[^:=]{0,60}[:=]\s*(\S+)")
_SAYS_NAME = re.compile(r"\s*(?:- +)*(?:name|path):\s*[\"']?([^\s\"']+)")
_IS_VALUE = re.compile(r"\s*(?:- +)*value\s*:")
_IS_SECRET = re.compile(
    r"^\s*[\"']?kind[\"']?:\s*[\"']?Secret\b|\bkind[\"']?:\s*[\"']?Secret\b", re.M
)
_DASH = re.compile(r"\s*(?:- +)+")
_ENDS = {'"': re.compile(r"(?<!\\)(?:\\\\)*\""), "'": re.compile(r"(?<!')(?:'')*'(?!')")}
_PROBE = "a1" * 8  # a value as any credential may be: what is asked of names alone
_MOST_ABOVE = 300
_WORD = r"(?<![\w.+/=-]){}(?![\w.+/=-])"  # in a line
_QUOTE = r"(?<=`){0}(?=`)|(?<=`[\"']){0}(?=[\"']`)"  # in a message
SHORTEST = 4
_HEAD = 20  # characters by which a value is known that a message has cut


def excerpt(text: Text, number: int) -> tuple[str, list[str]]:
    """A line as it may be shown, and what is not told of it."""
    line = text.line(number)
    shown, kept = _in_line(line)
    if (section := _SECTION.search(line)) and _IS_SECRET.search(text.content):
        held = line[section.end() :].rstrip()
        return shown[: section.end()] + "*" * len(held), [*kept, *_words(held)]
    if _is_below_a_name(text, number, line):
        start = len(line) - len(line.lstrip())
        key = _KEY.match(line)
        start = key.end() if key and _value_is_named(text, number, line) else start
        start = dash.end() if not key and (dash := _DASH.match(line)) else start
        held = line[start:].strip()
        if held:
            kept.append(held.strip("\"'"))
            shown = shown[:start] + "*" * len(line[start:].rstrip())
    return shown, kept


def shown_line(line: str) -> str:
    """A line of which nothing else is known, as it may be shown."""
    return _in_line(line)[0]


def blackened(diagnostic: Diagnostic, kept: Iterable[str] = ()) -> Diagnostic:
    """The diagnostic without credentials; `kept` are values that it must not tell either."""
    given = [each for each in kept if len(each) >= SHORTEST]
    short = {each for each in kept if 0 < len(each) < SHORTEST}
    source, found = _in_line(_without_short(without(diagnostic.source, given), short, _WORD))
    held = [*given, *found]
    message, hint = (
        _without_short(_told(each, held), short, _QUOTE)
        for each in (diagnostic.message, diagnostic.hint)
    )
    related = tuple(_related(each, held) for each in diagnostic.related)
    fix = diagnostic.fix
    if fix and _told(fix.text, held) != fix.text:
        fix = None  # what is offered would be shown
    return replace(diagnostic, source=source, message=message, hint=hint, related=related, fix=fix)


def values_of(data: object) -> list[str]:
    """What looks like a credential by its name."""
    found = dict.fromkeys(value for _, _, value in named(data))
    return [value for value in found if len(value) >= SHORTEST]


@lru_cache(maxsize=8)
def kept_of(document: Document) -> tuple[str, ...]:
    """The values of a spec that no diagnostic of it tells."""
    return tuple(values_of(document.data))


def kept_of_manifest(data: Mapping[str, object]) -> tuple[str, ...]:
    """The values of a manifest that no diagnostic of it tells: of a Secret, all that it holds."""
    held = values_of(dict(data))
    if data.get("kind") == "Secret":
        for section in ("data", "stringData"):
            held += _scalars(data.get(section), is_named=True)
    return tuple(dict.fromkeys(held))


def _scalars(value: object, *, is_named: bool = False) -> Iterator[str]:
    """All that stands in a value; below the names of a section keys may be values misplaced."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from () if is_named else [str(key)]
            yield from _scalars(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _scalars(inner)
    elif value is not None:
        yield str(value)


def _words(text: str) -> list[str]:
    """The parts of a text in YAML's flow style."""
    return [each for each in re.split(r"[\s\"'{}\[\],]+|:(?=\s|$)", text) if each]


def _in_line(line: str) -> tuple[str, list[str]]:
    """The line with stars for credentials and for values under such names, and these values."""
    if len(line) > _LONGEST:
        return "*" * len(line) if _SUSPICIOUS.search(line) else starred(line), []
    found = []
    for match in _NAME.finditer(line):
        if suggests_secret(match[2]) and (value := _VALUE_HERE.match(line, match.end())):
            found += _held(match[2], value[1], line[: match.start()])
    for match in _VARIABLE.finditer(line):
        found += _held(match[1].rpartition("/")[2], match[2], line[: match.start()])
    for name, value in OPTION.findall(line):
        bare = value.strip("\"'")
        found += [bare] if is_password(name, bare) else []
    for before, value in re.findall(r"--?([A-Za-z][\w-]*)[\"']?, *[\"']?([^\s\"',\]]+)", line):
        found += [value] if is_password(before, value) else []
    comment = re.search(r"(?:^|\s)#(.*)", line)
    for name, value in _IN_COMMENT.findall(comment[1]) if comment else ():
        found += [value] if is_password(name, value) else []
    return starred(without(line, found)), list(dict.fromkeys(found))


def _held(name: str, written: str, before: str) -> list[str]:
    """What a value of a name holds that must not be told."""
    if not suggests_secret(name):
        return []
    if written[:1] in "[{":
        parts = re.split(r"[\s,:]+", written.strip("[]{}"))
        return [each for part in parts if is_password(name, each := part.strip("\"'"))]
    ends = r"[,}\]]|\s#" if "{" in before or "[" in before else r"\s#"
    bare = written if written[:1] in "\"'" else re.split(ends, written)[0]
    bare = bare.strip().strip("\"'")
    value = int(bare) if bare.isdecimal() and len(bare) < _HEAD else bare
    return [bare] if is_password(name, value) else []


def _is_below_a_name(text: Text, number: int, line: str) -> bool:
    """Whether the lines above say that what stands in this one is a credential."""
    if _value_is_named(text, number, line) or _goes_on(text, number):
        return True
    if (option := _ALONE.match(text.line(number - 1))) and (dash := _DASH.match(line)):
        return is_password(option[1], line[dash.end() :].strip().strip("\"'"))
    depth = len(line) - len(line.lstrip())
    is_direct = True
    for above in range(number - 1, max(0, number - _MOST_ABOVE), -1):
        other = text.line(above)
        indent = len(other) - len(other.lstrip())
        if "PRIVATE KEY" in other:
            return "BEGIN" in other and kind(other) is not None and "END" not in other
        if not other.strip() or other.lstrip().startswith("#") or indent >= depth:
            continue
        column = dash.end() if (dash := _DASH.match(other)) else indent
        is_sibling, depth = column >= depth, indent
        if not (key := _KEY.match(other)):
            continue
        if is_sibling:  # of the same map, whose first key stands behind a dash
            is_direct = False
            continue
        # Where something stands behind the colon, what is deeper goes on with it.
        if is_direct and is_password(key[1], _PROBE):
            return True
        if key[1] in ("data", "stringData") and _IS_SECRET.search(text.content):
            return True
        is_direct = False
    return False


def _goes_on(text: Text, number: int) -> bool:
    """Whether a quoted text that began above, and is a credential, has not ended yet."""
    for above in range(number - 1, max(0, number - _MOST_ABOVE), -1):
        other = text.line(above)
        if not (opened := _QUOTED.match(other)):
            continue
        name, quote, rest = opened.groups()
        if is_password(name, _PROBE) or _value_is_named(text, above, other):
            between = [rest, *(text.line(each) for each in range(above + 1, number))]
            return not any(_ENDS[quote].search(each) for each in between)
    return False


def _value_is_named(text: Text, number: int, line: str) -> bool:
    if not _IS_VALUE.match(line):
        return False
    near = [text.line(each) for each in (number - 1, number - 2, number + 1)]
    says = [found[1].rpartition("/")[2] for each in near if (found := _SAYS_NAME.match(each))]
    written = line.partition(":")[2].strip().strip("\"'")
    return any(is_password(name, _PROBE) and is_password(name, written) for name in says)


def without(text: str, kept: Iterable[str]) -> str:
    """The text with stars for these values."""
    for value in sorted(kept, key=len, reverse=True):
        if value:
            text = text.replace(value, "*" * len(value))
    return text


def _without_short(text: str, short: Iterable[str], place: str) -> str:
    """The text with stars for values of few characters, where these stand alone."""
    for value in short:
        pattern = place.format(re.escape(value))
        text = re.sub(pattern, lambda found: "*" * len(found[0]), text)
    return text


def _told(text: str, kept: Iterable[str]) -> str:
    """A message or a hint without what is kept, also where that was cut."""
    kept = list(kept)
    text = starred(without(text, kept))
    for value in kept:
        if len(value) > _HEAD and value[:_HEAD] in text:
            text = re.sub(re.escape(value[:_HEAD]) + r"[^`]*", "*" * _HEAD, text)
    return text


def _related(place: Related, kept: Iterable[str]) -> Related:
    source, found = _in_line(without(place.source, kept))
    return replace(place, message=_told(place.message, [*kept, *found]), source=source)
