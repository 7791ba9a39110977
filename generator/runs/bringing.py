"""What gen render does with a spec, in whatever process: write it, compare it, or lay it out."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from generator import write
from generator.diagnostics import CannotRun, Diagnostic
from generator.problem import Problem, located
from generator.pruning import is_applied
from generator.runs.loading import Failure, Outcome
from generator.runs.outputs import Left, left
from generator.runs.told import Told, told
from generator.selection import EVERYTHING, Selection
from generator.specs import Spec

if TYPE_CHECKING:
    from generator.pipeline import Build


class Brought(Struct, frozen=True):
    """What was done to a project's folder, or would be: `drift` is the diff to that.

    `applied` are the files, from the output folder, that lie where Argo CD looks for them; nothing
    has been done without `changes`.
    """

    folder: Path
    files: int
    applied: tuple[str, ...]
    changes: write.Changes | None = None
    drift: str = ""
    left: Left | None = None


class Bringing(Struct, frozen=True):
    """Brings a project's folder in the output to what its spec renders; with `check` compares.

    With `is_noting` it says what it has left.
    """

    selection: Selection
    output: Path
    check: bool
    strict: bool
    is_noting: bool = False

    def __call__(self, spec: Spec, outcome: Outcome) -> Told[Brought]:
        begun: Told[Brought] = told(spec, outcome, strict=self.strict)
        if isinstance(outcome, Failure) or begun.failure:
            return begun
        begun = begun.warned(tuple(_elsewhere(outcome, self.output)), strict=self.strict)
        if begun.failure:
            return begun
        tree = write.tree(self.output, outcome.project, outcome.files, self._scope(outcome))
        applied = (f"{outcome.project}/{path}" for path in tree.files if is_applied(path))
        brought = Brought(tree.folder, len(tree.files), tuple(applied))
        try:
            changes = write.compare(tree) if self.check else write.write(tree)
        except CannotRun as failure:
            return replace(begun, result=brought, failure=failure)
        drift = "".join(write.unified_diff(tree, changes)) if self.check and changes else ""
        now_left = left(tree) if self.is_noting and not self.check else None
        done = replace(brought, changes=changes, drift=drift, left=now_left)
        return replace(begun, result=done)

    def _scope(self, build: "Build") -> list[str]:
        """The parts of the project's folder that this run may prune: all, or what was selected."""
        if self.selection == EVERYTHING:
            return ["."]
        folders = (each.project.place for each in build.deployments)
        return [str(folder.relative_to(build.project)) for folder in folders]


class Printing(Struct, frozen=True):
    """Lays out the manifests as YAML streams, for kubectl apply -f - or Argo CD; always UTF-8."""

    strict: bool

    def __call__(self, spec: Spec, outcome: Outcome) -> Told[Sequence[bytes]]:
        begun: Told[Sequence[bytes]] = told(spec, outcome, strict=self.strict)
        if isinstance(outcome, Failure) or begun.failure:
            return begun
        return replace(begun, result=tuple(_manifests(outcome)))


def _manifests(build: "Build") -> Iterator[bytes]:
    from generator.argo_cd.application import runs_load_test  # as below: when a spec is built
    from generator.argo_cd.stream import stream

    for each in build.deployments:
        hooks = runs_load_test(each.project)
        yield stream(build.files, each.project.place, runs_load_test=hooks).encode()


def _elsewhere(build: "Build", output: Path) -> Iterator[Diagnostic]:
    """Warn of an output folder in Argo CD's repository that is not the one it reads."""
    from generator.argo_cd.repository import clone_of

    for each in build.deployments:
        argo_cd = each.project.gitops.argo_cd if each.project.gitops else None
        top = clone_of(argo_cd.repository, output) if argo_cd and not argo_cd.plugin else None
        if not argo_cd or not top or _PATH_ELSEWHERE in each.project.accepted_warnings:
            continue
        place = Path(os.path.abspath(output)).relative_to(top).as_posix()
        if place != argo_cd.path:
            message = f"Argo CD reads `{argo_cd.path}` of the repository; this renders to `{place}`"
            problem = Problem(_PATH, message, f"set it to `{place}`", severity="warning")
            yield located(problem, _PATH_ELSEWHERE, each.document)
            return


_PATH = ("gitops", "argo_cd", "path")
_PATH_ELSEWHERE = "gitops/path-elsewhere"
