"""One line for each diagnostic, as editors and `grep` read them."""

from generator.diagnostics import Diagnostic
from generator.reports.text import told_fix
from generator.reports.texts import on_one_line
from generator.result import Result


def report(result: Result) -> str:
    """`path:line:column: error: message [rule]`, each on a line of its own."""
    lines = [*map(told_fix, result.fixed), *map(_told, result.diagnostics)]
    return "".join(f"{line}\n" for line in lines)


def _told(diagnostic: Diagnostic) -> str:
    span = diagnostic.span
    place = f"{on_one_line(diagnostic.path)}:{span.line}:{span.column}"
    told = f"{diagnostic.severity}: {on_one_line(diagnostic.message)}"
    return f"{place}: {told} [{diagnostic.rule}]"
