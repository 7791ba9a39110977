"""python -m benches [PART ...]: measure; python -m benches compare A.json B.json."""

import argparse
import json
import resource
import signal
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from benches import peers, printing, results, workplace
from benches.parts import PARTS
from benches.turns import Table
from benches.workplace import Gen, Workplace

CHECKOUT = Path(__file__).resolve().parents[1]
SIZES = (10, 100, 1000)


def main(arguments: Sequence[str]) -> int:
    if arguments[:1] == ["compare"]:
        return _compare(arguments[1:])
    options = _parser().parse_args(arguments)
    if options.install_peers:
        for line in (missing := peers.prepare(_report)):
            sys.stderr.write(f"{line}\n")
        return 1 if missing else 0
    if unknown := [name for name in options.parts if name not in PARTS]:
        sys.stderr.write(f"unknown part {unknown[0]}; there are {', '.join(PARTS)}\n")
        return 2
    return _measure(options)


def _measure(options: argparse.Namespace) -> int:
    gens = [Gen("gen", options.checkout.resolve())]
    if options.against:
        gens.append(Gen("gen before", options.against.resolve()))
    base = workplace.base(max(options.sizes))
    made: list[Table] = []
    with tempfile.TemporaryDirectory(prefix="gen-benches-", dir=base) as root:
        place = Workplace(
            Path(root),
            tuple(gens),
            _report,
            limit_seconds=options.limit,
            rounds=options.rounds,
            peers=None if options.peers is None else frozenset(options.peers),
            peer_sizes=tuple(options.peer_sizes),
        )
        where = "in memory" if base == workplace.MEMORY else "on a disk: figures vary widely"
        told = ", ".join(f"{gen.label}: {results.commit(gen.checkout)}" for gen in gens)
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        memory = f"MiB is the largest process, and never below the harness's own {own:.0f}"
        _say([f"{told}; {where}; {memory}"])
        try:
            for name in options.parts or PARTS:
                for table in PARTS[name](place, options.sizes):
                    made.append(table)
                    _report("")
                    _say(printing.lines(table))
        finally:
            if options.json:
                text = json.dumps(results.result(made, gens, base), indent=1)
                options.json.write_text(text + "\n", encoding="utf-8")
    return 0


def _compare(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benches compare")
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    options = parser.parse_args(arguments)
    _say(results.compared(results.read(options.before), results.read(options.after)))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benches", description=__doc__)
    add = parser.add_argument
    add("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all where none is named")
    add("--sizes", type=_numbers, default=SIZES, help="numbers of specs, as 10,100,1000")
    add("--rounds", type=int, help="runs of each command; by default fewer for more specs")
    add("--json", type=Path, metavar="FILE", help="write all runs there")
    add("--checkout", type=Path, default=CHECKOUT, help="measure the gen of that checkout")
    add("--against", type=Path, metavar="CHECKOUT", help="run another gen in turn with it")
    add("--peers", type=_names, help="only these neighbours, as kustomize,copier; '' for none")
    add("--peer-sizes", type=_numbers, default=(10,), help="numbers of specs given to neighbours")
    add("--limit", type=float, default=workplace.LIMIT_SECONDS, help="seconds for one command")
    add("--install-peers", action="store_true", help="install copier, kapitan and cdk8s, once")
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in _names(text))


def _names(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.split(",") if word)


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _report(line: str) -> None:
    """Progress: a line that the next replaces on a terminal, and lines elsewhere."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{line}")
    elif line:
        sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    # What is in memory goes also where the run is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(sys.argv[1:]))
