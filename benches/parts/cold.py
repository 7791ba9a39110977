"""One spec, a process of its own each time, caches of bytecode warm: what a user waits for."""

import sys
from collections.abc import Iterator, Sequence

from benches import peers
from benches.turns import ROUND, Case, Pair, Table
from benches.workplace import Gen, Workplace

LIBRARIES = "click, jinja2, msgspec, yaml"
TARGET, STRETCH = 0.8, 0.5  # of kubectl kustomize


def tables(place: Workplace, _sizes: Sequence[int]) -> Iterator[Table]:
    """One table."""
    out = place.folder("cold-floor")
    libraries = (sys.executable, "-c", f"import {LIBRARIES}")
    cases = [
        Case("python -c pass", (sys.executable, "-c", "pass"), place.plain, place.root),
        Case("python with gen's libraries", libraries, place.plain, place.root),
        Case("floor", place.floor(1, out), place.plain, place.root, emptied=(out,)),
    ]
    pairs = []
    for gen in place.gens:
        own = _of(place, gen)
        cases += own
        for case in own[:2] if gen == place.gens[0] else ():
            pairs += [Pair(case.label, peer, TARGET, STRETCH) for peer in peers.KUSTOMIZE]
            pairs.append(Pair(case.label, "floor"))
    if len(place.gens) > 1:
        first, second = (gen.label for gen in place.gens[:2])
        pairs += [Pair(f"{first} {verb}", f"{second} {verb}") for verb in ("validate", "render")]
    found, missing = peers.one_spec(place)
    cases += found
    runs, failed = place.runs(cases, 1)
    title = "one spec with one target, cold process"
    yield Table("cold", title, 1, runs, pairs, [*missing, *failed])


def _of(place: Workplace, gen: Gen) -> list[Case]:
    """What is measured of one gen."""
    spec, environment = str(place.one_spec()), place.environment(gen)
    out = place.folder(f"cold-{place.gens.index(gen)}")
    equal = str(place.rendered(1))

    def case(label: str, *words: str) -> Case:
        command = (place.program(gen), *words)
        emptied = (out,) if any(ROUND in word for word in words) else ()
        return Case(f"{gen.label} {label}", command, environment, place.root, emptied=emptied)

    return [
        case("render", "render", "--output", f"{out}/{ROUND}", spec),
        case("validate", "validate", spec),
        case("render, equal folder", "render", "--output", equal, spec),
        case("render --check", "render", "--check", "--output", equal, spec),
        case("--version", "--version"),
    ]
