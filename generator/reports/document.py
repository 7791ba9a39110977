"""The result as one JSON document, for programs; docs/diagnostics.md says what it holds."""

import json

from generator.diagnostics import Diagnostic, Fix, Related, Span
from generator.reports.texts import encodable
from generator.result import Result

VERSION = 1
"""Grows when a field is renamed, removed or changes its meaning; new fields leave it as it is."""
_Json = dict[str, object]


def report(result: Result) -> str:
    """The document, on several lines."""
    whole = {
        "version": VERSION,
        "diagnostics": list(map(_diagnostic, result.diagnostics)),
        "fixed": list(map(_diagnostic, result.fixed)),
        "failures": list(map(encodable, result.failures)),
        "summary": {
            "checked": len(result.checked),
            "errors": result.errors,
            "warnings": result.warnings,
            "fixed": len(result.fixed),
            "passed_over": {
                encodable(what): number for what, number in sorted(result.passed_over.items())
            },
            "status": result.status,
        },
    }
    return json.dumps(whole, indent=2) + "\n"


def _diagnostic(diagnostic: Diagnostic) -> _Json:
    return _place(diagnostic.path, diagnostic.span) | {
        "severity": diagnostic.severity,
        "rule": diagnostic.rule,
        "message": encodable(diagnostic.message),
        "hint": encodable(diagnostic.hint) or None,
        "related": list(map(_related, diagnostic.related)),
        "fix": _fix(diagnostic.fix) if diagnostic.fix else None,
    }


def _place(path: str, span: Span) -> _Json:
    return {"path": encodable(path)} | _span(span)


def _span(span: Span) -> _Json:
    return {"line": span.line, "column": span.column, "end_column": span.end_column}


def _related(place: Related) -> _Json:
    return _place(place.path, place.span) | {"message": encodable(place.message)}


def _fix(fix: Fix) -> _Json:
    return _span(fix.span) | {"text": encodable(fix.text)}
