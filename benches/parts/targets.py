"""As many specs of each target, and of all of them mixed: whether the one of `many` tells much."""

from collections.abc import Iterator, Sequence

from benches.corpus import TARGETS
from benches.turns import ROUND, Case, Pair, Table
from benches.workplace import Workplace

CORPORA = {name: (name,) for name in TARGETS} | {"mixed": tuple(TARGETS)}


def tables(place: Workplace, sizes: Sequence[int]) -> Iterator[Table]:
    """A table for each size."""
    gen = place.gens[0]
    for size in sizes:
        out = place.folder("targets")
        words = (place.program(gen), "render", "--output", f"{out}/{ROUND}")
        cases = [
            Case(
                label,
                (*words, str(place.specs(size, targets))),
                place.environment(gen),
                place.root,
                emptied=(out,),
                is_watched=True,
            )
            for label, targets in CORPORA.items()
        ]
        runs, failed = place.runs(cases, size)
        first, *others = CORPORA
        pairs = [Pair(other, first) for other in others]
        yield Table("targets", f"{size} specs of a target", size, runs, pairs, failed)
