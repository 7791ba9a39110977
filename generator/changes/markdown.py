"""A comparison as a comment on a pull request: attention first, the rest folded away."""

import html
import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from generator.changes.comparison import Comparison, Service
from generator.changes.lines import Line, lines, to_be_made, told
from generator.changes.text import remaining, summary
from generator.reports.texts import on_one_line

LIMIT = 65_000
"""Characters: GitHub takes comments of 65,536, and GitLab of more."""
MARK = "<!-- gen diff -->"
"""Begins every comment, for the one that is to be replaced to be found."""
_MOST_CELL = 300
_MOST_SENTENCES = 20
_MOST_SERVICES = 12
_MOST_PLACES = 2
_SPECIAL = re.compile(r"([\\`*_\[\]|~])")
_ACTIVE = re.compile(r"@|://|www\.|#\d|:\w+:", re.ASCII)
"""What becomes a mention, a link or a picture in any text but code."""


def report(comparison: Comparison) -> str:
    """The comment; what does not fit is counted, what needs attention goes first."""
    head = [MARK, f"### gen diff: {escaped(summary(comparison))}", ""]
    head += [f"From {code(comparison.old)} to {code(comparison.new)}.", ""]
    head += [f"- **not compared**: {escaped(one)}" for one in _first(comparison.failures)]
    head += [f"- {escaped(one)}" for one in _first(comparison.notes)]
    changed = comparison.changed
    several = _several(changed)
    sections = [_attention(changed), _shared(several)]
    sections += [_details(service, several) for service in changed]
    return _fitting("\n".join(head), [section for section in sections if section])


def _first(sentences: list[str]) -> list[str]:
    """The first sentences, and how many more there are."""
    more = len(sentences) - _MOST_SENTENCES
    return sentences[:_MOST_SENTENCES] + ([f"and {more} more"] if more > 0 else [])


def escaped(text: str, limit: int = _MOST_CELL) -> str:
    """Text that Markdown takes as text: no link, mention, tag, table cell or emphasis."""
    if _ACTIVE.search(text):
        return code(text, limit)
    return _SPECIAL.sub(r"\\\1", html.escape(_short(text, limit), quote=False))


def code(text: str, limit: int = _MOST_CELL, *, in_cell: bool = False) -> str:
    """Text as a code span, whatever stands in it; a cell of a table takes no bare pipe."""
    line = _short(text, limit)
    if in_cell:
        line = re.sub(r"(\\*)\|", lambda found: f"{found[1]}{' ' if found[1] else ''}\\|", line)
    marks = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    space = " " if "`" in (line[:1], line[-1:]) or not line.strip() else ""
    return f"{marks}{space}{line}{space}{marks}"


def _short(text: str, limit: int) -> str:
    line = on_one_line(text)
    return line if len(line) <= limit else line[: limit - 3] + "..."


def _attention(services: Iterable[Service]) -> str:
    """A table of what needs attention in all services, and why."""
    found: dict[tuple[str, str], tuple[dict[str, None], dict[str, None]]] = {}
    why: dict[str, str] = {}
    for service in services:
        for finding in service.findings:
            rule = finding.rule.removeprefix("attention/")
            who, where = found.setdefault((rule, finding.message), ({}, {}))
            who[str(service.place)] = None
            where[f"{finding.item.label} {finding.where}".strip()] = None
            why[finding.rule] = finding.why
    if not found:
        return ""
    rows = []
    for (rule, message), (who, where) in found.items():
        told = (code(rule, in_cell=True), code(message, in_cell=True))
        cells = (_listed(who, _MOST_SERVICES), *told, _listed(where, _MOST_PLACES))
        rows.append(f"| {' | '.join(cells)} |")
    table = ["| service | attention | what | where |", "|---|---|---|---|", *rows, ""]
    reasons = (f"- {code(rule.removeprefix('attention/'))}: {why[rule]}" for rule in why)
    folded = ["<details><summary>why</summary>", "", *reasons, "", "</details>"]
    return "\n".join([*table, *folded])


def _listed(names: Iterable[str], most: int) -> str:
    """Names as code for a cell, the first of them."""
    listed = [*names]
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(code(name, in_cell=True) for name in listed[:most]) + more


def _several(services: Iterable[Service]) -> dict[str, list[str]]:
    """The sentences that are told of more than one service, and of which."""
    found: dict[str, list[str]] = {}
    for service in services:
        if service.sense == "changed":
            said = [*map(_said, lines(told(service))), *_rest(service)]
            for sentence in dict.fromkeys(said):
                found.setdefault(sentence, []).append(str(service.place))
    return {sentence: places for sentence, places in found.items() if len(places) > 1}


def _shared(several: Mapping[str, list[str]]) -> str:
    """What changes alike in several services, each once."""
    if not several:
        return ""
    listed = [
        f"- {sentence}<br><sub>{_listed(places, _MOST_SERVICES)}</sub>"
        for sentence, places in several.items()
    ]
    title = f"{_counted(len(listed))} in several services"
    return "\n".join([f"<details><summary>{title}</summary>", "", *listed, "", "</details>"])


def _details(service: Service, several: Collection[str]) -> str:
    """What changes in one service and in no other; nothing where that is nothing."""
    is_whole = service.sense != "changed"
    own = [line for line in lines(told(service)) if is_whole or _said(line) not in several]
    rest = [sentence for sentence in _rest(service) if is_whole or sentence not in several]
    if not own and not rest:
        return ""
    title = html.escape(on_one_line(str(service.place)))
    title += f", {service.sense}" if is_whole else ""
    title += f": {_counted(len(own))}" if own else ""
    listed = [*map(_line, own), *(f"- {sentence}" for sentence in rest)]
    return "\n".join([f"<details><summary>{title}</summary>", "", *listed, "", "</details>"])


def _counted(number: int) -> str:
    return f"{number} change{'' if number == 1 else 's'}"


def _line(line: Line) -> str:
    places = [place for place in line.places if place != line.change.subject]
    where = ", ".join(map(code, places[:3])) + (" ..." if len(places) > 3 else "")
    return f"- {_said(line)}{f' <sub>{where}</sub>' if places else ''}"


def _said(line: Line) -> str:
    """The sentence of a line, with its values as code."""
    change = line.change
    old, new = (code(value) if value else "" for value in (change.old, change.new))
    remark = f" ({escaped(line.remark)})" if line.remark else ""
    subject = escaped(change.subject)
    match change.sense:
        case "added":
            return f"{subject} added{': ' if new else ''}{new}{remark}"
        case "removed":
            return f"{subject} dropped{', was ' if old else ''}{old}{remark}"
        case _:
            return f"{subject}{f': {old} → {new}' if old or new else ' changed'}{remark}"


def _rest(service: Service) -> Iterator[str]:
    for sentence, files in to_be_made(service):
        yield f"**{escaped(sentence)}**: {', '.join(map(code, files))}"
    yield from map(escaped, remaining(service))


def _fitting(head: str, sections: list[str]) -> str:
    """The head and as many sections as there is room for; of one too long its first lines."""
    room = LIMIT - 500 - len(head)
    kept: list[str] = []
    for number, section in enumerate(sections):
        if len(section) + 2 > room:
            part = _cut(section, room)
            left = len(sections) - number - 1
            note = f"This is cut{f', and {left} more parts are left out' if left else ''}"
            kept += [part, f"**{note}: a comment holds no more. Run gen diff to see it all.**"]
            break
        kept.append(section)
        room -= len(section) + 2
    return "\n\n".join([head.rstrip(), *filter(None, kept)]) + "\n"


def _cut(section: str, room: int) -> str:
    """The first lines of a section, closed where they leave something open."""
    kept: list[str] = []
    for line in section.split("\n"):
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    text = "\n".join(kept)
    is_open = text.count("<details>") > text.count("</details>")
    return f"{text}\n\n</details>" if is_open else text
