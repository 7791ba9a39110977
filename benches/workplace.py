"""Where a benchmark works: a folder in memory, the corpora in it, and what gen rendered of them."""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from benches import corpus, templates
from benches.measure import Run, run
from benches.turns import Case, in_turn

MEMORY = Path("/dev/shm")  # noqa: S108  tmpfs of Linux; creating a file on a disk costs anything
FLOOR = Path(__file__).with_name("floor.py")
LIMIT_SECONDS = 1800.0
TAKEN_BYTES = 700_000  # a spec's specs, outputs and git objects, in pages of 4 KiB
COLD_CACHE = "cache-of-nobody"
ENTRY = re.compile(r'^gen = "([\w.]+):(\w+)"', re.MULTILINE)
SCRIPT = """\
#!{python}
import sys
from {module} import {function}
if __name__ == "__main__":
    sys.exit({function}())
"""


@dataclass(frozen=True)
class Gen:
    """A checkout whose gen is measured."""

    label: str
    checkout: Path

    def script(self) -> str:
        """What an installation of that checkout makes of its `gen`."""
        settings = (self.checkout / "pyproject.toml").read_text(encoding="utf-8")
        entry = ENTRY.search(settings)
        assert entry, f"{self.checkout} has no gen"
        return SCRIPT.format(python=sys.executable, module=entry[1], function=entry[2])


@dataclass(frozen=True)
class Workplace:
    """The folder of one run of the benchmarks, which goes when it ends."""

    root: Path
    gens: tuple[Gen, ...]
    report: Callable[[str], None]
    limit_seconds: float = LIMIT_SECONDS
    rounds: int | None = None
    peers: frozenset[str] | None = None
    peer_sizes: tuple[int, ...] = (10,)
    _made: dict[object, Path] = field(default_factory=dict)

    def environment(self, gen: Gen, *, cache: str = "") -> dict[str, str]:
        """The variables that a command of this gen has: a cache of its own, no terminal."""
        dropped = ("PYTHONDONTWRITEBYTECODE", "PYTHONPROFILEIMPORTTIME", "FORCE_COLOR")
        kept = {name: value for name, value in os.environ.items() if name not in dropped}
        folder = self.folder(cache or f"cache-{self.gens.index(gen)}")
        return kept | {"PYTHONPATH": str(gen.checkout), "XDG_CACHE_HOME": str(folder)}

    @cached_property
    def plain(self) -> dict[str, str]:
        """The variables of commands that are not gen."""
        return self.environment(self.gens[0])

    def program(self, gen: Gen) -> str:
        """The `gen` of a checkout."""
        path = self.folder(f"programs-{self.gens.index(gen)}") / "gen"
        if not path.exists():
            path.write_text(gen.script(), encoding="utf-8")
            path.chmod(0o755)
        return str(path)

    def folder(self, name: str) -> Path:
        """A folder of this run, made when it is missing."""
        path = self.root / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def specs(self, count: int, targets: tuple[str, ...] = ("triton",)) -> Path:
        """The folder with the first specs of the corpus."""
        key = ("specs", count, *targets)
        return self._once(key, lambda folder: corpus.write(folder, count, targets))

    def one_spec(self) -> Path:
        return corpus.path(self.specs(1), 0)

    def rendered(self, count: int) -> Path:
        """What gen renders of them; made by the first gen, which is then warm."""
        return self._once(("rendered", count), lambda out: self._render(self.specs(count), out))

    def floor_specs(self, count: int) -> Path:
        """The same specs for the floor."""
        specs, rendered = self.specs(count), self.rendered(count)
        return self._once(
            ("floor", count), lambda folder: templates.with_digests(specs, rendered, folder)
        )

    def templates(self) -> list[templates.Template]:
        """The floor's templates."""

        def render(folder: Path) -> None:
            spec = self.folder("tokens") / "tokens.yaml"
            spec.write_text(templates.spec(), encoding="utf-8")
            self._render(spec, folder)

        made = self._once(("tokens", "rendered"), render)
        return templates.templates(made / templates.TOKENS["name"])

    def compiled(self) -> Path:
        """The floor's templates, compiled."""
        return self._once(
            ("compiled",), lambda folder: templates.compile_templates(self.templates(), folder)
        )

    def floor(self, count: int, out: Path, *, processes: int = 1) -> tuple[str, ...]:
        """The command of the floor for so many specs."""
        specs = str(self.floor_specs(count))
        words = (str(FLOOR), str(self.compiled()), specs, str(out), str(processes))
        return (sys.executable, *words)

    def rounds_for(self, specs: int) -> int:
        """How often each command runs, unless that is given."""
        return self.rounds or (9 if specs == 1 else 7 if specs <= 10 else 5 if specs <= 100 else 3)

    def runs(
        self, cases: Sequence[Case], specs: int, *, warm: int | None = None
    ) -> tuple[dict[str, list[Run]], list[str]]:
        """The runs of each case in turn, as often as so many specs allow, and what failed.

        A round before that warms up is left out where it takes long, unless `warm` says otherwise.
        """
        return in_turn(
            cases,
            self.rounds_for(specs),
            warm=(1 if specs <= 100 else 0) if warm is None else warm,
            limit_seconds=self.limit_seconds,
            report=self.report,
        )

    def knows(self, gen: Gen, option: str) -> bool:
        """Whether the `render` of a gen has an option."""
        told = self.root / "help.txt"
        run(
            (self.program(gen), "render", "--help"),
            environment=self.environment(gen),
            folder=self.root,
            stdout=told,
            limit_seconds=self.limit_seconds,
        )
        return option in told.read_text(encoding="utf-8")

    def _render(self, specs: Path, out: Path) -> None:
        gen = self.gens[0]
        self.report(f"rendering {specs.name} with {gen.label}")
        run(
            (self.program(gen), "render", "--output", str(out), str(specs)),
            environment=self.environment(gen),
            folder=self.root,
            limit_seconds=self.limit_seconds,
        )

    def _once(self, key: object, make: Callable[[Path], None]) -> Path:
        if key not in self._made:
            assert isinstance(key, tuple)
            path = self.root / "-".join(map(str, key))
            make(path)
            self._made[key] = path
        return self._made[key]


def base(specs: int) -> Path:
    """The folder in which those of runs are made: in memory where there is room for so many."""
    is_there = MEMORY.is_dir() and os.access(MEMORY, os.W_OK)
    if is_there and shutil.disk_usage(MEMORY).free > specs * TAKEN_BYTES:
        return MEMORY
    return Path(tempfile.gettempdir())
