"""Workflow commands that GitHub Actions shows beside the changed lines.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from generator.diagnostics import Diagnostic
from generator.reports.texts import STANDARD_INPUT, encodable, on_one_line, relative
from generator.result import Result


def report(result: Result) -> str:
    """A command for each diagnostic, and for what could not run."""
    lines = [*map(_command, result.diagnostics), *map(_failure, result.failures)]
    return "".join(f"{line}\n" for line in lines)


def _command(diagnostic: Diagnostic) -> str:
    span = diagnostic.span
    place: dict[str, str | int] = {}
    if diagnostic.path != STANDARD_INPUT:
        place |= {"file": relative(diagnostic.path), "line": span.line}
        place |= {"col": span.column, "endColumn": span.end_column}
    place["title"] = diagnostic.rule
    properties = ",".join(f"{name}={_property(str(value))}" for name, value in place.items())
    return f"::{diagnostic.severity} {properties}::{_data(_message(diagnostic))}"


def _message(diagnostic: Diagnostic) -> str:
    """The message, its help, and the other places: GitHub shows one place for each command."""
    lines = [on_one_line(diagnostic.message)]
    if diagnostic.hint:
        lines.append(f"help: {on_one_line(diagnostic.hint)}")
    for place in diagnostic.related:
        where = f"{on_one_line(relative(place.path))}:{place.span.line}:{place.span.column}"
        lines.append(f"{where}: {on_one_line(place.message)}")
    return "\n".join(lines)


def _failure(message: str) -> str:
    return f"::error::{_data(on_one_line(message))}"


def _data(text: str) -> str:
    """As the runner unescapes what follows the second `::`."""
    return encodable(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """As the runner unescapes the value of a property."""
    return _data(on_one_line(text)).replace(":", "%3A").replace(",", "%2C")
