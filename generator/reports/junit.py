"""A suite with one test for each file, as CI systems count and show them."""

from html import escape  # xml.sax.saxutils loads all of urllib for the same

from generator.diagnostics import Diagnostic
from generator.reports.text import told
from generator.reports.texts import in_xml
from generator.result import Result

NAME = "serving-generator"


def report(result: Result) -> str:
    """The suites; a file with warnings alone passes, and its test tells them."""
    found: dict[str, list[Diagnostic]] = {path: [] for path in result.checked}
    for diagnostic in result.diagnostics:
        found.setdefault(diagnostic.path, []).append(diagnostic)
    by_others = {
        path: why
        for path, why in result.refused.items()
        if not any(map(_is_error, found.get(path, ())))
    }
    failed = len(by_others)
    failed += sum(any(map(_is_error, diagnostics)) for diagnostics in found.values())
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f"<testsuites{_counts(NAME, len(found) + len(result.failures), failed, result.failures)}>",
        *(_suite(path, told, by_others.get(path, "")) for path, told in found.items()),
        *map(_could_not_run, result.failures),
        "</testsuites>",
    ]
    return "".join(f"{line}\n" for line in lines)


def _suite(path: str, diagnostics: list[Diagnostic], by_others: str) -> str:
    """One file; `by_others` is what it fails by in a file that others share."""
    errors = [diagnostic for diagnostic in diagnostics if _is_error(diagnostic)]
    text = escape(in_xml("\n".join(map(told, diagnostics))), quote=False)
    if errors:
        message = f"{errors[0].span.line}: {errors[0].message}"
        kind = _attribute(errors[0].rule)
        inside = f"<failure message={_attribute(message)} type={kind}>{text}</failure>"
    elif by_others:
        inside = f"<failure message={_attribute(by_others)}>{text}</failure>"
    else:
        inside = f"<system-out>{text}</system-out>" if text else ""
    case = f"<testcase name={_attribute(path)} classname={_attribute(NAME)}>{inside}</testcase>"
    return f"<testsuite{_counts(path, 1, bool(errors or by_others), [])}>{case}</testsuite>"


def _could_not_run(failure: str) -> str:
    case = f'<testcase name="could not run" classname={_attribute(NAME)}>'
    inside = f"<error message={_attribute(failure)}/>"
    return f"<testsuite{_counts(NAME, 1, 0, [failure])}>{case}{inside}</testcase></testsuite>"


def _counts(name: str, tests: int, failed: int, failures: list[str]) -> str:
    numbers = f'tests="{tests}" failures="{int(failed)}" errors="{len(failures)}"'
    return f" name={_attribute(name)} {numbers}"


def _attribute(text: str) -> str:
    """In quotes; line breaks and tabs would be read as blanks."""
    escaped = escape(in_xml(text)).translate({ord(c): f"&#{ord(c)};" for c in "\t\n\r"})
    return f'"{escaped}"'


def _is_error(diagnostic: Diagnostic) -> bool:
    return diagnostic.severity == "error"
