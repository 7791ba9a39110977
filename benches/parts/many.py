"""Many specs into an empty folder, in one run: what a repository costs."""

from collections.abc import Iterator, Sequence

from benches import peers
from benches.turns import ROUND, Case, Pair, Table, median_cpu, median_wall
from benches.workplace import Gen, Workplace

TARGET, STRETCH = 3.0, 2.0  # of the floor on the clock, with as many processes
HELD_FROM = 1000  # specs
CORES = 2
ALONE = " --jobs 1"


def tables(place: Workplace, sizes: Sequence[int]) -> Iterator[Table]:
    """A table for each size."""
    before: Table | None = None
    for size in sizes:
        table = _table(place, size)
        if before:
            table.notes += _growth(before, table)
        before = table
        yield table


def _table(place: Workplace, size: int) -> Table:
    two = f"floor, {CORES} processes"
    cases = [_floor(place, size, "floor", 1), _floor(place, size, two, CORES)]
    for gen in place.gens:
        cases += _of(place, gen, size)
    missing: list[str] = []
    rendered = [f"{gen.label} render" for gen in place.gens]
    aims = (TARGET, STRETCH) if size >= HELD_FROM else ()
    pairs = [
        Pair(rendered[0], two, *aims),
        Pair(f"{rendered[0]}{ALONE}", "floor", *aims),
        Pair(rendered[0], "floor"),
        *(Pair(rendered[0], other) for other in rendered[1:]),
    ]
    if size in place.peer_sizes:
        found, missing = peers.many_specs(place, size)
        cases += found
        pairs += [Pair(case.label, rendered[0]) for case in found]
    runs, failed = place.runs(cases, size)
    return Table("many", f"{size} specs, empty folder", size, runs, pairs, [*missing, *failed])


def _floor(place: Workplace, size: int, label: str, processes: int) -> Case:
    out = place.folder("many")
    command = place.floor(size, out, processes=processes)
    return Case(label, command, place.plain, place.root, emptied=(out,), is_watched=True)


def _of(place: Workplace, gen: Gen, size: int) -> Iterator[Case]:
    """What is measured of one gen."""
    specs, out = str(place.specs(size)), place.folder("many")
    render = ("render", "--output", f"{out}/{ROUND}", specs)
    commands: dict[str, tuple[str, ...]] = {"render": render, "validate": ("validate", specs)}
    if place.knows(gen, "--jobs"):
        commands[f"render{ALONE}"] = (*render, "--jobs", "1")
    for label, words in commands.items():
        yield Case(
            f"{gen.label} {label}",
            (place.program(gen), *words),
            place.environment(gen),
            place.root,
            emptied=(out,),
            is_watched=True,
        )


def _growth(before: Table, after: Table) -> Iterator[str]:
    """What a spec costs more where there are more of them; not measured in turn."""
    for label in after.rows:
        if label in before.rows and label.count("render"):
            told = []
            for name, middle in (("wall", median_wall), ("cpu", median_cpu)):
                was, now = (middle(t.rows[label]) / t.specs for t in (before, after))
                told.append(f"{name} {was * 1e3:.2f} -> {now * 1e3:.2f} ms ({now / was:.2f}x)")
            sizes = f"{before.specs} -> {after.specs} specs"
            yield f"{label}: a spec, {sizes}: {', '.join(told)}"
