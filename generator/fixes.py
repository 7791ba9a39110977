"""Put right what is certain in a spec: text replaced at its place, all else left as it is.

A fix is taken only where the mistake is gone after it and nothing new is wrong of its kind.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from generator import atomic
from generator.diagnostics import CannotRun, Diagnostic, Fix, Span
from generator.specs import Spec

MOST_ROUNDS = 20
"""What a fix reveals is fixed in another round; each round takes at least one mistake away."""
MOST_TRIED = 20
"""Of fixes that do not help together, so many are tried one by one; each takes a validation."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
Diagnose = Callable[[bytes], Sequence[Diagnostic]]
"""Everything that is wrong with a text, in file order."""


class Fixed(Struct, frozen=True):
    """What a spec's text has become, and the mistakes that are put right in it."""

    before: bytes
    after: bytes
    mistakes: tuple[Diagnostic, ...] = ()


def fixed(path: str, text: bytes, diagnose: Diagnose) -> Fixed:
    """The text with every certain fix in it; `path` is what diagnostics of it call it."""
    now, done = text, list[Diagnostic]()
    refused: set[tuple[str, str]] = set()
    found = diagnose(now)
    for _ in range(MOST_ROUNDS):
        fixable = [d for d in found if d.fix and d.path == path and _key(d) not in refused]
        taken = _apart(fixable)
        if not taken:
            break
        candidate = applied(now, [d.fix for d in taken if d.fix])
        after = diagnose(candidate)
        if _is_better(found, after, taken):
            now, found = candidate, after
            done += taken
        else:
            refused |= _unhelpful(now, taken, found, diagnose)
    return Fixed(text, now, tuple(done))


def applied(text: bytes, fixes: Iterable[Fix]) -> bytes:
    """The text with other text at some places that do not overlap."""
    mark = _BYTE_ORDER_MARK if text.startswith(_BYTE_ORDER_MARK) else b""
    content = text[len(mark) :].decode("utf-8")
    starts = [0, *(found.end() for found in re.finditer("\r\n|\r|\n", content))]
    parts: list[str] = []
    done = 0
    for fix in sorted(fixes, key=lambda fix: fix.span):
        start = starts[fix.span.line - 1]
        parts += content[done : start + fix.span.column - 1], fix.text
        done = start + fix.span.end_column - 1
    return mark + "".join((*parts, content[done:])).encode("utf-8")


def save(spec: Spec, done: Fixed) -> None:
    """Write what a spec has become to its file; raises CannotRun where that cannot be."""
    path = Path(spec.path)
    try:
        if not path.is_file():
            raise CannotRun(f"cannot fix {spec.path}: it is no regular file")
        if not path.stat().st_mode & 0o222:
            raise CannotRun(f"cannot fix {spec.path}: it is read-only")
        if path.read_bytes() != done.before:
            raise CannotRun(f"cannot fix {spec.path}: it has changed meanwhile; run again")
        atomic.write(path, done.after)
    except OSError as error:
        raise CannotRun(f"cannot fix {spec.path}: {error.strerror}") from None


def _key(diagnostic: Diagnostic) -> tuple[str, str]:
    """What a mistake is, wherever its line has moved to."""
    return diagnostic.rule, diagnostic.message


def _apart(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Those whose places do not overlap: of two that do, the first."""
    taken: list[Diagnostic] = []
    last = Span(0, 0, 0)
    for diagnostic in sorted(diagnostics, key=lambda d: d.fix.span if d.fix else d.span):
        assert diagnostic.fix  # those without are not asked for
        span = diagnostic.fix.span
        if span.line > last.line or span.column >= last.end_column:
            taken.append(diagnostic)
            last = span
    return taken


def _unhelpful(
    now: bytes, taken: Sequence[Diagnostic], found: Sequence[Diagnostic], diagnose: Diagnose
) -> set[tuple[str, str]]:
    """Those whose fix does not help by itself; the last where each does, but not all together."""
    helpful = set()
    for mistake in taken[:MOST_TRIED] if len(taken) > 1 else ():
        assert mistake.fix  # those without are not asked for
        if _is_better(found, diagnose(applied(now, [mistake.fix])), [mistake]):
            helpful.add(_key(mistake))
    return {_key(mistake) for mistake in taken} - helpful or {_key(taken[-1])}


def _is_better(
    before: Sequence[Diagnostic], after: Sequence[Diagnostic], taken: Sequence[Diagnostic]
) -> bool:
    """Whether the mistakes are gone, and no other of their stage or an earlier one has come.

    One that can be fixed in its turn may have, unless its fix would undo this one. A later stage
    may say more: it looks only at what an earlier one has passed.
    """
    stage = max(map(_stage, taken))
    was, now = (_up_to(stage, found) for found in (before, after))
    known, left = ({(*_key(d), _line(d)) for d in found} for found in (was, after))
    undone = {(_line(d), d.fix.text) for d in after if d.fix}
    if any((*_key(d), _line(d)) in left or (_line(d), written(d)) in undone for d in taken):
        return False
    more = sum(d.fix is not None and (*_key(d), _line(d)) not in known for d in now)
    return len(now) - more <= len(was) - len(taken)


def _line(diagnostic: Diagnostic) -> int:
    """Fixes do not move lines."""
    return diagnostic.span.line


def _up_to(stage: int, diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    return [d for d in diagnostics if _stage(d) <= stage]


def _stage(diagnostic: Diagnostic) -> int:
    """The reader, the schema, the rules: each looks at what the one before has passed."""
    if diagnostic.rule.startswith("yaml/"):
        return 0
    return 1 if diagnostic.rule == "schema" else 2


def written(diagnostic: Diagnostic) -> str:
    """What stands at the place of a diagnostic."""
    return diagnostic.source[diagnostic.span.column - 1 : diagnostic.span.end_column - 1]
