"""The formats in which a result is told, a module each."""

from collections.abc import Callable

from generator.reports import concise, document, github, junit, sarif
from generator.result import Result

TEXT = "text"
"""For people, told as the run goes; every other format is one text at its end."""
FORMATS: dict[str, Callable[[Result], str]] = {
    "concise": concise.report,
    "json": document.report,
    "github": github.report,
    "sarif": sarif.report,
    "junit": junit.report,
}
NAMES = (TEXT, *FORMATS)
