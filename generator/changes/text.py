"""A comparison for people at a terminal."""

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from generator.changes.comparison import Change, Comparison, Service
from generator.changes.lines import Line, lines, prose, to_be_made, told
from generator.reports.text import Style, plain
from generator.reports.texts import on_one_line

MOST_PLACES = 3


def report(comparison: Comparison, style: Style = plain) -> str:
    """The services that change, each with what needs attention first; then a summary."""
    whole = [f"from {comparison.old} to {comparison.new}"]
    for service in comparison.changed:
        whole += ["", *_service(service, style)]
    whole += ["", *map(on_one_line, comparison.notes)] if comparison.notes else []
    return "\n".join([*whole, "", summary(comparison)]) + "\n"


def summary(comparison: Comparison) -> str:
    """How much has changed, in a sentence."""
    changed = comparison.changed
    if not changed:
        return "no change"
    number = sum(len(lines(told(service))) for service in changed)
    attention = comparison.needing_attention
    needs = f", {attention} points need attention" if attention > 1 else ", 1 point needs attention"
    counted = f"{number} change{'' if number == 1 else 's'}"
    return f"{counted}{needs if attention else ''}; {_of(comparison)}"


def _of(comparison: Comparison) -> str:
    total = len(comparison.services)
    return f"{len(comparison.changed)} of {total} service{'' if total == 1 else 's'} touched"


def remaining(service: Service) -> Iterator[str]:
    """Sentences on what is counted or named, and not told one by one."""
    is_whole = service.sense != "changed"
    if is_whole and (number := len(_files(service.changes) - _files(told(service)))):
        yield f"{number} other file{'' if number == 1 else 's'} {service.sense}"
    if not is_whole and (documents := prose(service.changes)):
        yield f"text for people: {', '.join(map(str, documents))}"
    if service.cosmetic:
        yield _cosmetic(service)


def _files(changes: Iterable[Change]) -> set[PurePosixPath]:
    return {change.item.file for change in changes}


def _cosmetic(service: Service) -> str:
    """How many files say the same as before."""
    number = len(service.cosmetic)
    if number == 1:
        return f"1 file differs in comments, layout or place alone: {service.cosmetic[0]}"
    return f"{number} files differ in comments, layout or place alone"


def _service(service: Service, style: Style) -> Iterator[str]:
    sense = f", {service.sense}" if service.sense != "changed" else ""
    yield f"{style(on_one_line(str(service.place)), 'place')}{sense}"
    for finding in service.findings:
        where = f", {finding.where}" if finding.where else ""
        said = on_one_line(finding.message)
        yield f"  {style('attention:', 'warning')} {said} [{finding.rule}]"
        yield f"    {on_one_line(finding.item.label + where)}"
        yield f"    {finding.why}"
    yield from (f"  {on_one_line(sentence)}" for sentence in _sentences(service))


def _sentences(service: Service) -> Iterator[str]:
    yield from (f"{line.said}{_places(line)}" for line in lines(told(service)))
    for sentence, files in to_be_made(service):
        yield f"{sentence}: {', '.join(files)}"
    yield from remaining(service)


def _places(line: Line) -> str:
    """Where a change stands, on the same line; the words themselves say it of a whole object."""
    places = [place for place in line.places if place != line.change.subject]
    shown = ", ".join(places[:MOST_PLACES])
    more = f" and {len(places) - MOST_PLACES} more" if len(places) > MOST_PLACES else ""
    return f"  ({shown}{more})" if places else ""
