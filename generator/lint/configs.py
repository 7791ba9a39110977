"""The configurations of Triton and TorchServe, told at the line and column."""

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePath, PurePosixPath

from generator import manifests, model_config, model_config_rules, pbtxt, torchserve_config
from generator.blackening import blackened
from generator.diagnostics import Diagnostic, Span
from generator.document import Text
from generator.inputs import Input
from generator.lint.pieces import Piece, told
from generator.torchserve_config import archive_config

MOST_BESIDE = 10_000  # files of a model's folder


def of_model_config(one: Input, text: Text) -> Iterator[Diagnostic]:
    """What Triton refuses or ignores of a config.pbtxt."""
    content = text.content
    folder, beside = _model_folder(one)
    broken = list(model_config.refusals(content))
    judged = model_config_rules.broken_rules(
        content, folder=folder, files=beside, server_cache=None
    )
    for refusal in broken or judged:
        span = _word(text, refusal.line, refusal.column)
        yield _in_text(text, span, refusal)


def _model_folder(one: Input) -> tuple[str | None, frozenset[str] | None]:
    """The name of a config's model folder and what lies in it, where it is a whole one.

    A folder of a model repository holds versions, which are numbers.
    """
    folder = Path(one.path).parent
    if PurePath(one.path).name != "config.pbtxt":
        return None, None
    if not any(each.name.isdecimal() and each.is_dir() for each in folder.iterdir()):
        return None, None
    below = islice(folder.rglob("*"), MOST_BESIDE)
    return folder.resolve().name, frozenset(p.relative_to(folder).as_posix() for p in below)


def of_properties(text: Text) -> Iterator[Diagnostic]:
    """What TorchServe stops at, or ignores, of a config.properties."""
    for refusal in torchserve_config.refusals(text.content):
        span = Span(refusal.line, refusal.column, refusal.end_column)
        yield _in_text(text, span, refusal)


def of_archive_config(text: Text) -> Iterator[Diagnostic]:
    """What TorchServe does not use of the model-config.yaml of an archive; raises Rejected."""
    for document in manifests.read(text):
        yield from document.flawed_keys()
        if isinstance(document.data, dict):
            for refusal in archive_config.refusals(document.data):
                yield told(Piece(PurePosixPath(), document, (), {}), refusal, {})


def _in_text(
    text: Text, span: Span, refusal: pbtxt.Refusal | torchserve_config.Refusal
) -> Diagnostic:
    written, severity = text.line(span.line), refusal.severity
    found = Diagnostic(
        text.path, span, refusal.message, refusal.rule, refusal.hint, written, severity
    )
    return blackened(found)


def _word(text: Text, line: int, column: int) -> Span:
    """From a place to the end of the word or string that begins there."""
    word = _WORD.match(text.line(line), column - 1)
    return Span(line, column, max(column + 1, word.end() + 1 if word else 0))


_WORD = re.compile(r'"[^"]*"|[\w.+-]+')
