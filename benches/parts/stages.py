"""The parts of the straight line: milliseconds a spec in a process that is warm."""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from benches.measure import Failed, Run, run
from benches.turns import Pair, Table
from benches.workplace import Gen, Workplace

PROGRAM = Path(__file__).with_name("stages_program.py")
SPECS = 100  # at most


def tables(place: Workplace, sizes: Sequence[int]) -> Iterator[Table]:
    """One table, over as many specs as tell a median."""
    rows: dict[str, list[Run]] = {}
    notes: list[str] = []
    rounds = place.rounds or 3
    specs = min(SPECS, max(sizes))
    for number in range(rounds):
        for gen in place.gens:
            place.report(f"round {number + 1}/{rounds}: the parts of {gen.label}")
            try:
                told = _told(place, gen, specs)
            except Failed as failure:
                notes.append(f"{gen.label}: {failure}")
                continue
            for stage, costs in told.items():
                walls, cpus = zip(*costs, strict=True)
                label = f"{gen.label}: {stage}"
                rows.setdefault(label, []).append(Run(median(walls), median(cpus), 0.0))
    title = f"parts, a spec, warm process, medians over {specs} specs"
    pairs = []
    if len(place.gens) > 1:
        first, second = (gen.label for gen in place.gens[:2])
        stages = [label.split(": ")[1] for label in rows if label.startswith(f"{first}: ")]
        pairs = [Pair(f"{first}: {stage}", f"{second}: {stage}") for stage in stages]
    yield Table("parts", title, 1, rows, pairs, notes)


def _told(place: Workplace, gen: Gen, specs: int) -> dict[str, list[tuple[float, float]]]:
    """Wall and CPU seconds of each part for each spec."""
    answer = place.root / "stages.json"
    out = place.folder("stages")
    run(
        (sys.executable, str(PROGRAM), str(place.specs(specs)), str(out)),
        environment=place.environment(gen),
        folder=place.root,
        stdout=answer,
        limit_seconds=place.limit_seconds,
    )
    told: dict[str, list[tuple[float, float]]] = json.loads(answer.read_text(encoding="utf-8"))
    return told
