"""A part of the specs each, as the machines of a CI matrix do: cost and balance."""

from collections.abc import Iterator, Sequence
from statistics import mean

from benches.turns import ROUND, Case, Pair, Table, median_cpu
from benches.workplace import Workplace

SHARDS = 4


def tables(place: Workplace, sizes: Sequence[int]) -> Iterator[Table]:
    """A table for each size: every shard, and the whole."""
    for size in sizes:
        if place.knows(place.gens[0], "--shard"):
            yield _table(place, size)
        else:
            yield Table("shard", f"{size} specs", size, {}, [], ["no --shard in this gen"])


def _table(place: Workplace, size: int) -> Table:
    gen = place.gens[0]
    specs, out = str(place.specs(size)), place.folder("shard")
    whole = (place.program(gen), "render", "--output", f"{out}/{ROUND}", specs)
    commands: dict[str, tuple[str, ...]] = {"all": whole}
    commands |= {f"{n}/{SHARDS}": (*whole, "--shard", f"{n}/{SHARDS}") for n in _numbers()}
    cases = [
        Case(label, command, place.environment(gen), place.root, emptied=(out,), is_watched=True)
        for label, command in commands.items()
    ]
    runs, told = place.runs(cases, size)
    pairs = [Pair(f"{n}/{SHARDS}", "all") for n in _numbers()]
    costs = [median_cpu(rows) for label, rows in runs.items() if label != "all"]
    if costs:
        told.append(f"balance: the dearest shard takes {max(costs) / mean(costs):.2f}x of the mean")
    return Table("shard", f"{size} specs in {SHARDS} shards", size, runs, pairs, told)


def _numbers() -> range:
    return range(1, SHARDS + 1)
