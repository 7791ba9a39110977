"""A table as text."""

from collections.abc import Iterator

from benches.turns import Pair, Ratio, Table, cpu_ratio, median_cpu, median_wall, wall_ratio


def lines(table: Table) -> Iterator[str]:
    """Medians of every row, then the ratios of pairs, then what is to be said."""
    rounds = max(map(len, table.rows.values()), default=0)
    yield ""
    yield f"{table.part}: {table.title} (medians of {rounds}, in turn)"
    width = max(map(len, table.rows), default=0)
    yield (
        f"  {'':<{width}} {'wall ms':>9} {'min-max':>13} {'cpu ms':>9} {'ms/spec':>8} "
        f"{'specs/s':>8} {'MiB':>6} {'procs':>5}"
    )
    for label, runs in table.rows.items():
        wall, cpu = median_wall(runs), median_cpu(runs)
        walls = [run.wall_seconds * 1e3 for run in runs]
        spread = f"{min(walls):.1f}-{max(walls):.1f}"
        peak, processes = max(r.peak_mib for r in runs), max(r.processes for r in runs)
        rate = f"{table.specs / wall:8.1f}" if wall > 0 else "       -"
        yield (
            f"  {label:<{width}} {wall * 1e3:9.1f} {spread:>13} {cpu * 1e3:9.1f} "
            f"{wall * 1e3 / table.specs:8.2f} {rate} {_or_dash(peak, 6)} {_or_dash(processes, 5)}"
        )
    pairs = [pair for pair in table.pairs if pair.of in table.rows and pair.to in table.rows]
    for pair in pairs:
        of, to = table.rows[pair.of], table.rows[pair.to]
        yield f"  {pair.of} : {pair.to}"
        ratio = wall_ratio(of, to)
        yield f"      wall {_told(ratio)}, cpu {_told(cpu_ratio(of, to))}{_aim(pair, ratio)}"
    for note in table.notes:
        yield f"  {note}"


def _aim(pair: Pair, wall: Ratio) -> str:
    if pair.target is None:
        return ""
    stretch = f", stretch {pair.stretch:g}" if pair.stretch else ""
    verdict = "met" if wall.middle <= pair.target else "missed"
    return f"; target {pair.target:g}x{stretch}: {verdict}"


def _told(ratio: Ratio) -> str:
    return f"{ratio.middle:.2f}x ({ratio.least:.2f}-{ratio.most:.2f})"


def _or_dash(number: float, width: int) -> str:
    return f"{number:{width}.0f}" if number else "-".rjust(width)
