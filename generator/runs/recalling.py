"""The memory of gen render in the words of a run: what it tells of specs that it need not build."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from msgspec import Struct

from generator.pruning import is_applied
from generator.reads import Journal
from generator.runs.bringing import Brought
from generator.runs.memory import Entry, Memory, remembered
from generator.runs.summary import Summary
from generator.runs.told import Told
from generator.selection import Selection
from generator.specs import Spec
from generator.write import Changes


class Recalling(Struct):
    """Recalls what Bringing would tell of a spec, and notes what it has told.

    Which files are applied is told only where that is asked for, as by --prune: it takes longer
    than all else.
    """

    memory: Memory
    tells_applied: bool

    def recall(self, spec: Spec) -> Summary | None:
        return self.memory.entry(spec).summary if self.memory.holds(spec) else None

    def told(self, spec: Spec) -> Told[Brought]:
        entry = self.memory.entry(spec)
        project, files = entry.left.project, entry.left.files
        looked_at = map(PurePosixPath, files if self.tells_applied else ())
        applied = tuple(f"{project}/{path}" for path in looked_at if is_applied(path))
        brought = Brought(self.memory.output / project, len(files), applied, _NOTHING)
        return Told(spec, True, entry.warnings, brought)

    def note(self, spec: Spec, used: Told[Brought], summary: Summary, journal: Journal) -> None:
        left = used.result.left if used.result else None
        is_sure = journal.is_whole and not _asks_of_projects(journal, self.memory.output)
        if left and is_sure and not used.failure and type(spec) is Spec:
            self.memory.note(spec, Entry(summary, used.warnings, left), journal)


@contextlib.contextmanager
def recalling(
    output: Path, selection: Selection, *, strict: bool, tells_applied: bool
) -> Iterator[Recalling]:
    """What earlier runs have left, and what this one adds: also where it is interrupted."""
    memory = remembered(output, selection, strict=strict)
    try:
        yield Recalling(memory, tells_applied)
    finally:
        memory.save()


def _asks_of_projects(journal: Journal, output: Path) -> bool:
    """Whether a build depends on what this run may be about to write, for another spec.

    Of all that lies in the output folder, only what has a point before it is no project's.
    """
    top = os.path.join(os.path.abspath(output), "")
    paths = (os.path.abspath(path) for path in {path for _, path in journal.answers})
    return any(path.startswith(top) and not path.startswith(f"{top}.") for path in paths)


_NOTHING = Changes((), (), (), ())
