"""A run over what has been rendered before: nothing changed, one spec changed, a fresh clone."""

import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benches import corpus
from benches.turns import Case, Pair, Table
from benches.workplace import COLD_CACHE, Gen, Workplace

UNCHANGED = (2.5, 2.0)  # of git status on the same tree
ONE_CHANGED = (1.5,)  # of a run in which nothing has changed
HELD_FROM = 1000  # specs: below, starting a process is all that there is
GIT = "git status"
AUTHOR = ("-c", "user.name=bench", "-c", "user.email=bench@example.invalid", "-c", "gc.auto=0")


def unchanged(place: Workplace, sizes: Sequence[int]) -> Iterator[Table]:
    """A second `gen render`, beside `git status` on the same tree."""
    for size in sizes:
        trees = [_tree(place, gen, size) for gen in place.gens]
        cases = [_status(place, trees[0])]
        cases += [_again(place, gen, tree) for gen, tree in zip(place.gens, trees, strict=True)]
        aims = UNCHANGED if size >= HELD_FROM else ()
        pairs = [Pair(case.label, GIT, *aims) for case in cases if case.label != GIT]
        if len(place.gens) > 1:
            pairs.append(Pair(cases[1].label, cases[2].label))
        title = f"{size} specs rendered before, nothing changed"
        yield _table(place, "unchanged", title, size, cases, pairs)


def one_changed(place: Workplace, sizes: Sequence[int]) -> Iterator[Table]:
    """One spec has another tag; beside a run in which nothing has changed."""
    for size in sizes:
        cases, pairs = [], []
        for gen in place.gens:
            tree = _tree(place, gen, size)
            still = _again(place, gen, tree)
            changed = Case(
                f"{gen.label} render, one changed",
                still.command,
                still.environment,
                tree,
                before=_changing(tree, size),
                is_watched=True,
            )
            cases += [still, changed]
            aims = ONE_CHANGED if size >= HELD_FROM else ()
            pairs.append(Pair(changed.label, still.label, *aims))
        yield _table(place, "one-changed", f"{size} specs, one changed", size, cases, pairs)


def check(place: Workplace, sizes: Sequence[int]) -> Iterator[Table]:
    """`gen render --check` without a cache, as in CI, beside a render into an empty folder."""
    for size in sizes:
        cases, pairs = [], []
        for gen in place.gens:
            tree, out = _tree(place, gen, size), place.folder("check-out")
            render = Case(
                f"{gen.label} render, empty folder",
                (place.program(gen), "render", "--output", str(out), "specs"),
                place.environment(gen, cache=COLD_CACHE),
                tree,
                emptied=(out, place.folder(COLD_CACHE)),
                is_watched=True,
            )
            checked = Case(
                f"{gen.label} render --check",
                (place.program(gen), "render", "--check", "specs"),
                render.environment,
                tree,
                emptied=(place.folder(COLD_CACHE),),
                is_watched=True,
            )
            cases += [render, checked]
            pairs.append(Pair(checked.label, render.label))
        yield _table(place, "check", f"{size} specs, no cache", size, cases, pairs)


def _table(
    place: Workplace, part: str, title: str, size: int, cases: list[Case], pairs: list[Pair]
) -> Table:
    runs, failed = place.runs(cases, size, warm=1)
    return Table(part, title, size, runs, pairs, failed)


def _again(place: Workplace, gen: Gen, tree: Path) -> Case:
    command = (place.program(gen), "render", "specs")
    label = f"{gen.label} render, nothing changed"
    return Case(label, command, place.environment(gen), tree, is_watched=True)


def _status(place: Workplace, tree: Path) -> Case:
    return Case(GIT, (_git(), "status", "--porcelain"), place.plain, tree)


def _changing(tree: Path, size: int) -> Callable[[int], None]:
    number = size // 2
    file = corpus.path(tree / "specs", number)
    return lambda turn: corpus.change(file, number, f"2.{turn}.{number}")


def _tree(place: Workplace, gen: Gen, size: int) -> Path:
    """A git repository with specs/ and rendered/, committed; made once.

    A warm-up of gen reads all of it once, and so believes times and sizes from then on.
    """
    tree = place.root / f"tree-{place.gens.index(gen)}-{size}"
    if not tree.exists():
        place.report(f"a repository of {size} specs for {gen.label}")
        tree.mkdir()
        shutil.copytree(place.specs(size), tree / "specs")
        again = _again(place, gen, tree)
        _quietly((_git(), "init", "--quiet"), tree, place.plain)  # gen looks up to it
        _quietly(again.command, tree, dict(again.environment))
        for words in (("add", "."), ("commit", "--quiet", "-m", "all")):
            _quietly((_git(), *AUTHOR, *words), tree, place.plain)
    return tree


def _quietly(command: Sequence[str], folder: Path, environment: dict[str, str]) -> None:
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)


def _git() -> str:
    return shutil.which("git") or "git"
