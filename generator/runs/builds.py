"""Build many specs together: look at all, then build one by one, in this process or in several."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from typing import Generic, Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from generator import reads
from generator.diagnostics import CannotRun
from generator.document import Document
from generator.reads import Journal
from generator.runs.conflicts import Conflict, conflicts, misfit
from generator.runs.loading import Failure, Outcome, built, held, loaded
from generator.runs.pool import cores, in_order
from generator.runs.shard import WHOLE, Shard
from generator.runs.summary import Summary, environments_of, summary_of
from generator.selection import Selection
from generator.specs import Spec, find_specs

Used = TypeVar("Used")
Use = Callable[[Spec, Outcome], Used]
Report = Callable[[int, int, str], None]
"""Told how many of how many are done, and what they are."""

_A_WORKER = 12
"""Specs that a process is worth, as it takes time to start; a look is an eighth of a build."""
_HELD = 100
"""Documents that one process holds until they are built; of more specs each is loaded twice."""
_LOOKED_AT, _BUILT = 64, 8
"""What a worker is handed at once: some tens of milliseconds of work."""


class Recollection(Protocol[Used]):
    """What an earlier run knew of specs that need not be built again."""

    def recall(self, spec: Spec) -> Summary | None: ...

    def told(self, spec: Spec) -> Used:
        """What `use` would make of a spec that was recalled."""

    def note(self, spec: Spec, used: Used, summary: Summary, journal: Journal) -> None:
        """Take a spec that was built, for later runs; the journal has all that it depended on."""


def silent(_done: int, _total: int, _noun: str) -> None:
    """Report nothing."""


def build_all(
    specs: Iterable[Spec], selection: Selection, report: Report = silent
) -> Iterator[tuple[Spec, Outcome]]:
    """What becomes of each spec, in order, in this process; see `build_and_use`."""
    return build_and_use(specs, selection, _as_it_is, report=report)


def _as_it_is(spec: Spec, outcome: Outcome) -> tuple[Spec, Outcome]:
    return spec, outcome


def build_and_use(
    specs: Iterable[Spec],
    selection: Selection,
    use: Use[Used],
    *,
    jobs: int | None = 1,
    shard: Shard = WHOLE,
    report: Report = silent,
    memory: Recollection[Used] | None = None,
) -> Generator[Used, None, None]:
    """What `use` makes of what becomes of each spec, in order; without those not selected.

    All are looked at before the first is built: two of one name are both refused, also where one is
    in another shard. With more jobs than one (None: as many as pay) `use` runs in other processes,
    and is picklable with all it makes. Raises CannotRun where the selection fits none of them.
    """
    found = [held(spec) for spec in specs]
    recalled = _recalled(found, memory, report)
    new = [spec for spec in found if spec not in recalled]
    jobs = _worth(len(new), cores()) if jobs is None else jobs
    look = _Look({} if jobs == 1 and len(new) <= _HELD else None)
    looks = in_order(look, new, jobs=_worth(len(new) // 8, jobs), chunk=_LOOKED_AT)
    looked: dict[Spec, Summary | None] = {}
    with closing(looks):
        for done, (spec, summary) in enumerate(zip(new, looks, strict=True)):
            report(done, len(new), "specs read")
            looked[spec] = summary
    all_summaries = ((spec, recalled.get(spec) or looked[spec]) for spec in found)
    summaries = {spec: summary for spec, summary in all_summaries if summary is not None}
    mine = shard.part(found)
    work = _Work(use, selection, look, is_noting=memory is not None)
    if wrong := misfit(selection, summaries):
        yield from (work(_Task(spec)).used for spec in mine if spec not in summaries)
        raise wrong
    refused = conflicts(summaries)
    tasks = [
        _Task(spec, summaries.get(spec), refused.get(spec))
        for spec in mine
        if spec in refused or spec not in summaries or summaries[spec].concerns(selection)
    ]
    to_build = [task for task in tasks if task.spec not in recalled or task.conflict]
    chunk = max(1, min(_BUILT, len(to_build) // (4 * jobs)))
    with closing(in_order(work, to_build, jobs=jobs, chunk=chunk)) as worked:
        for done, task in enumerate(tasks):
            report(done, len(tasks), "specs")
            if memory and task.spec in recalled and not task.conflict:
                yield memory.told(task.spec)
                continue
            each = next(worked)
            if memory and each.summary and each.journal:
                memory.note(task.spec, each.used, each.summary, each.journal)
            yield each.used


def _recalled(
    found: Sequence[Spec], memory: Recollection[Used] | None, report: Report
) -> dict[Spec, Summary]:
    """The specs of which nothing needs to be looked at, and what others depend on of them."""
    recalled: dict[Spec, Summary] = {}
    for done, spec in enumerate(found if memory else ()):
        report(done, len(found), "specs compared")
        if memory and (summary := memory.recall(spec)):
            recalled[spec] = summary
    return recalled


def _worth(number: int, most: int) -> int:
    """The processes that so many specs are worth."""
    return max(1, min(most, number // _A_WORKER))


class _Look(Struct):
    """Looks at a spec; `kept` are documents that need not be loaded again to be built."""

    kept: dict[Spec, tuple[Document | Failure, Journal]] | None

    def __call__(self, spec: Spec) -> Summary | None:
        """None of a spec that cannot be loaded: when it is its turn it is told why."""
        with reads.noted() as journal:
            document = loaded(spec)
        if self.kept is not None:
            self.kept[spec] = document, journal
        return summary_of(document) if isinstance(document, Document) else None

    def keeps(self, spec: Spec) -> bool:
        return self.kept is not None and spec in self.kept

    def document(self, spec: Spec) -> Document | Failure:
        """A spec that has been looked at."""
        if self.kept is None or spec not in self.kept:
            return loaded(spec)
        document, journal = self.kept.pop(spec)
        reads.note_again(journal)
        return document


class _Task(Struct, frozen=True):
    """A spec to build; `looked_at` is what was compared with others, None where nothing was."""

    spec: Spec
    looked_at: Summary | None = None
    conflict: Conflict | None = None


class _Worked(Struct, Generic[Used]):
    """What was made of a spec; summary and journal where it was built and that is to be noted."""

    used: Used
    summary: Summary | None = None
    journal: Journal | None = None


class _Work(Struct, Generic[Used]):
    """Builds a spec, unless it is refused beside the others, and has it used."""

    use: Use[Used]
    selection: Selection
    look: _Look
    is_noting: bool

    def __call__(self, task: _Task) -> _Worked[Used]:
        if not self.is_noting or task.conflict:
            return self._worked(task)
        with reads.noted() as journal:
            worked = self._worked(task)
        return replace(worked, journal=journal) if worked.summary else worked

    def _worked(self, task: _Task) -> _Worked[Used]:
        spec, is_kept = task.spec, self.look.keeps(task.spec)
        document = self.look.document(spec)
        if not isinstance(document, Document):
            return _Worked(self.use(spec, document))
        # The file may be another than when it was looked at, with the name of another project.
        if not is_kept and summary_of(document) != task.looked_at:
            changed = f"{spec.shown} was changed during the run; run it again"
            return _Worked(self.use(spec, CannotRun(changed)))
        if task.conflict:
            return _Worked(self.use(spec, task.conflict.refusal(document)))
        return _Worked(self.use(spec, built(document, self.selection)), task.looked_at)


def environments(paths: Sequence[str]) -> list[str]:
    """The environments of specs, for completion: what cannot be read has none."""
    names: dict[str, None] = {}
    try:
        for spec in find_specs(paths):
            item = loaded(spec)
            if isinstance(item, Document):
                names |= dict.fromkeys(filter(None, environments_of(item)))
    except CannotRun:
        return []
    return list(names)
