"""The result of a run as JSON, and two of them compared."""

import dataclasses
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benches.measure import Run
from benches.turns import Pair, Table, median_cpu, median_wall
from benches.workplace import Gen

Result = dict[str, Any]  # Any: JSON


def result(tables: Iterable[Table], gens: Iterable[Gen], base: Path) -> Result:
    """All runs, and what they ran on."""
    return {
        "gens": {gen.label: commit(gen.checkout) for gen in gens},
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "load": os.getloadavg()[0],
        "folder": str(base),
        "tables": [dataclasses.asdict(table) for table in tables],
    }


def commit(checkout: Path) -> str:
    """The commit of a checkout, and whether files differ from it."""
    git = shutil.which("git")
    if not git or not (checkout / ".git").exists():
        return "unknown"
    asked = (git, "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=12")
    return subprocess.run(asked, capture_output=True, text=True).stdout.strip() or "unknown"


def tables(read: Result) -> list[Table]:
    """The tables of a result."""
    return [
        Table(
            **each
            | {
                "rows": {name: [Run(**run) for run in runs] for name, runs in each["rows"].items()},
                "pairs": [Pair(**pair) for pair in each["pairs"]],
            }
        )
        for each in read["tables"]
    ]


def read(path: Path) -> Result:
    """A result that `--json` has written."""
    found: Result = json.loads(path.read_text(encoding="utf-8"))
    return found


def compared(before: Result, after: Result) -> Iterator[str]:
    """Lines: what both have measured, and how many times as much it is in the second."""
    then = {(table.part, table.title): table for table in tables(before)}
    yield f"{_of(before)} -> {_of(after)}"
    yield "not run in turn: what a busier machine adds is in these ratios (--against runs in turn)"
    for table in tables(after):
        old = then.get((table.part, table.title))
        shared = [label for label in table.rows if old and label in old.rows]
        if not old or not shared:
            continue
        yield ""
        yield f"{table.part}: {table.title}"
        width = max(map(len, shared))
        yield f"  {'':<{width}} {'wall ms':>21} {'x':>6} {'cpu ms':>21} {'x':>6}"
        for label in shared:
            columns = []
            for middle in (median_wall, median_cpu):
                was, now = middle(old.rows[label]) * 1e3, middle(table.rows[label]) * 1e3
                ratio = f"{now / was:6.2f}" if was else "     -"
                columns.append(f"{was:9.1f} -> {now:8.1f} {ratio}")
            yield f"  {label:<{width}} {' '.join(columns)}"


def _of(found: Result) -> str:
    return ", ".join(found["gens"].values())
