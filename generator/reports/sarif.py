"""SARIF 2.1.0, which code scanning reads.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

import hashlib
import json
from collections import Counter

from generator import __version__
from generator.diagnostics import Diagnostic, Fix, Related, Span
from generator.reports.texts import encodable, uri
from generator.result import COULD_NOT_RUN, Result

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_FINGERPRINT = "servingGenerator/v1"
_Json = dict[str, object]


def report(result: Result) -> str:
    """The log of one run."""
    names = list(dict.fromkeys(diagnostic.rule for diagnostic in result.diagnostics))
    run = {
        "tool": {
            "driver": {
                "name": "serving-generator",
                "version": __version__,
                "rules": list(map(_rule, names)),
            }
        },
        "columnKind": "unicodeCodePoints",
        "artifacts": [{"location": {"uri": it}} for it in dict.fromkeys(map(uri, result.checked))],
        "invocations": [
            {
                "executionSuccessful": result.status < COULD_NOT_RUN,
                "exitCode": result.status,
                "toolExecutionNotifications": list(map(_notification, result.failures)),
            }
        ],
        "results": _results(result.diagnostics, names),
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(name: str) -> _Json:
    """What code scanning shows of a rule: what its documentation says, where it has any."""
    from generator.catalogue import documented  # all rules, which help and completion do without

    told = documented(name)
    if told is None:
        return {"id": name}
    return {
        "id": name,
        "shortDescription": _text(told.summary),
        "fullDescription": _text(told.text),
        "help": _text("\n".join((told.text, *told.sources))),
    }


def _notification(failure: str) -> _Json:
    return {"level": "error", "message": _text(failure)}


def _results(diagnostics: list[Diagnostic], names: list[str]) -> list[_Json]:
    seen: Counter[str] = Counter()
    results = []
    for diagnostic in diagnostics:
        alike = _alike(diagnostic)
        results.append(_result(diagnostic, names, f"{alike}:{seen[alike]}"))
        seen[alike] += 1
    return results


def _alike(diagnostic: Diagnostic) -> str:
    """A digest that a change of other lines leaves as it is; two of the same are numbered."""
    parts = (uri(diagnostic.path), diagnostic.rule, diagnostic.message, diagnostic.source.strip())
    return hashlib.sha256("\0".join(map(encodable, parts)).encode()).hexdigest()[:32]


def _result(diagnostic: Diagnostic, names: list[str], fingerprint: str) -> _Json:
    said = diagnostic.message + (f"\n{diagnostic.hint}" if diagnostic.hint else "")
    result: _Json = {
        "ruleId": diagnostic.rule,
        "ruleIndex": names.index(diagnostic.rule),
        "level": diagnostic.severity,
        "message": _text(said),
        "locations": [_location(diagnostic.path, diagnostic.span)],
        "partialFingerprints": {_FINGERPRINT: fingerprint},
    }
    if diagnostic.related:
        places = enumerate(diagnostic.related, start=1)
        result["relatedLocations"] = [_related(number, place) for number, place in places]
    if diagnostic.fix:
        result["fixes"] = [_fix(diagnostic.path, diagnostic.fix)]
    return result


def _text(text: str) -> _Json:
    return {"text": encodable(text) or " "}


def _location(path: str, span: Span) -> _Json:
    place = {"artifactLocation": {"uri": uri(path)}, "region": _region(span)}
    return {"physicalLocation": place}


def _region(span: Span) -> _Json:
    return {"startLine": span.line, "startColumn": span.column, "endColumn": span.end_column}


def _related(number: int, place: Related) -> _Json:
    return {"id": number, "message": _text(place.message)} | _location(place.path, place.span)


def _fix(path: str, fix: Fix) -> _Json:
    replacement = {
        "deletedRegion": _region(fix.span),
        "insertedContent": {"text": encodable(fix.text)},
    }
    change = {"artifactLocation": {"uri": uri(path)}, "replacements": [replacement]}
    return {"description": _text(f"write {fix.text}"), "artifactChanges": [change]}
