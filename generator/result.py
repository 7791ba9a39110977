"""What a run over files has found: the one object behind every output format."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from generator.diagnostics import Diagnostic

DONE, REFUSED, COULD_NOT_RUN = 0, 1, 2
"""Exit statuses, the worse the higher."""


@dataclass
class Result:
    """What was found in all files of a run, in the order in which it was found.

    `checked` are the files that were looked at, also those without a mistake; `passed_over` counts
    what was not, by what it is (`kind ConfigMap`); `failures` say what could not run; `fixed` are
    the mistakes that `--fix` has put right. With `--diff` they still stand in the files, among the
    diagnostics; `is_fixable` then. With `strict` a warning is an error.
    """

    strict: bool = False
    is_fixable: bool = False
    diagnostics: list[Diagnostic] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)
    fixed: list[Diagnostic] = field(default_factory=list)

    def add(self, diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
        """Take diagnostics, and give them back as they count here."""
        counted = [self.judged(diagnostic) for diagnostic in diagnostics]
        self.diagnostics += counted
        return counted

    def judged(self, diagnostic: Diagnostic) -> Diagnostic:
        """The diagnostic itself, or the error that a warning is with `strict`."""
        return replace(diagnostic, severity="error") if self.strict else diagnostic

    def check(self, path: str) -> None:
        """Note a file that is looked at, once."""
        if path not in self._seen:
            self._seen.add(path)
            self.checked.append(path)

    _seen: set[str] = field(default_factory=set, repr=False)

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
