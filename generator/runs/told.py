"""What is told of one spec of a run: small, for it comes from another process."""

from typing import Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from generator.diagnostics import Diagnostic, Rejected
from generator.runs.loading import Failure, Outcome
from generator.specs import Spec

Result = TypeVar("Result")


class Told(Struct, Generic[Result], frozen=True):
    """`result` is what was done with a spec that was built; there may be a failure of that too.

    `warnings` are told before either.
    """

    spec: Spec
    is_built: bool
    warnings: tuple[Diagnostic, ...] = ()
    result: Result | None = None
    failure: Failure | None = None

    def warned(self, warnings: tuple[Diagnostic, ...], *, strict: bool) -> "Told[Result]":
        """With more warnings, by which the spec fails where the run is strict."""
        if warnings and strict:
            return replace(self, failure=Rejected(warnings))
        return replace(self, warnings=(*self.warnings, *warnings))


def told(spec: Spec, outcome: Outcome, *, strict: bool) -> Told[Result]:
    """What is told of a spec before anything is done with it."""
    if isinstance(outcome, Failure):
        return Told(spec, is_built=False, failure=outcome)
    begun: Told[Result] = Told(spec, is_built=True)
    return begun.warned(outcome.warnings, strict=strict)


class Validating(Struct, frozen=True):
    """What gen validate does with a spec: nothing more."""

    strict: bool

    def __call__(self, spec: Spec, outcome: Outcome) -> Told[None]:
        return told(spec, outcome, strict=self.strict)
