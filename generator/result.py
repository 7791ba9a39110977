"""What a run over files has found: the one object behind every output format."""

from collections import Counter
from collections.abc import Iterable

from msgspec import Struct, field
from msgspec.structs import replace

from generator.diagnostics import Diagnostic

DONE, REFUSED, COULD_NOT_RUN = 0, 1, 2
"""Exit statuses, the worse the higher."""


class Result(Struct):
    """What was found in all files of a run, in the order in which it was found.

    `checked` are the files that were looked at, also those without a mistake; `passed_over` counts
    what was not, by what it is (`kind ConfigMap`); `failures` say what could not run; `fixed` are
    the mistakes that `--fix` has put right. With `--diff` they still stand in the files, among the
    diagnostics; `is_fixable` then. With `strict` a warning is an error. `refused` are files that
    fail, with the first place why, which may be in a file that others share.
    """

    strict: bool = False
    is_fixable: bool = False
    diagnostics: list[Diagnostic] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)
    fixed: list[Diagnostic] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)

    def add(self, diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
        """Take diagnostics, and give those back that are new, as they count here.

        A mistake of a file that many specs share is told of the first of them.
        """
        counted = []
        for diagnostic in map(self.judged, diagnostics):
            alone = replace(diagnostic, related=())
            if alone not in self._told:
                self._told.add(alone)
                counted.append(diagnostic)
        self.diagnostics += counted
        return counted

    def judged(self, diagnostic: Diagnostic) -> Diagnostic:
        """The diagnostic itself, or the error that a warning is with `strict`."""
        return replace(diagnostic, severity="error") if self.strict else diagnostic

    def refuse(self, path: str, diagnostics: Iterable[Diagnostic]) -> None:
        """Take the diagnostics that a file fails by."""
        told = [self.judged(diagnostic) for diagnostic in diagnostics]
        first = next((each for each in told if each.severity == "error"), None)
        if first:
            self.refused[path] = f"{first.path}:{first.span.line}: {first.message}"

    def check(self, path: str) -> None:
        """Note a file that is looked at, once."""
        if path not in self._seen:
            self._seen.add(path)
            self.checked.append(path)

    _seen: set[str] = field(default_factory=set)
    _told: set[Diagnostic] = field(default_factory=set)

    @property
    def errors(self) -> int:
        return sum(diagnostic.severity == "error" for diagnostic in self.diagnostics)

    @property
    def warnings(self) -> int:
        return len(self.diagnostics) - self.errors

    @property
    def status(self) -> int:
        """The exit status that it all amounts to."""
        if self.failures:
            return COULD_NOT_RUN
        return REFUSED if self.errors or self.is_fixable else DONE
