"""The formats in which a result is told, a module each, imported when it is asked for."""

from collections.abc import Callable
from functools import partial
from importlib import import_module

from generator.result import Result

TEXT = "text"
"""For people, told as the run goes; every other format is one text at its end."""


def _told(module: str, result: Result) -> str:
    text = import_module(f"generator.reports.{module}").report(result)
    assert isinstance(text, str)
    return text


FORMATS: dict[str, Callable[[Result], str]] = {
    "concise": partial(_told, "concise"),
    "json": partial(_told, "document"),
    "github": partial(_told, "github"),
    "sarif": partial(_told, "sarif"),
    "junit": partial(_told, "junit"),
}
NAMES = (TEXT, *FORMATS)
