"""gen crds: the schemas of a cluster's own kinds."""

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from generator import crds_folder, reporting
from generator.commands.common import DONE
from generator.crds import files_of
from generator.crds_folder import Source
from generator.diagnostics import CannotRun
from generator.reporting import counted

STANDARD_INPUT = "-"
QUIET_SECONDS = 1.0
REPORT_SECONDS = 2.0
LONG_BYTES = 3_000_000  # more than a second


@click.command()
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option(
    "-o", "--out", required=True, metavar="FOLDER", help="The folder to make, for you to commit."
)
@click.option("--origin", metavar="TEXT", help="Which cluster they are of, for SOURCE.md.")
def crds(sources: Sequence[str], out: str, origin: str | None) -> int:
    """Make compact schemas of the kinds that a cluster serves beyond Kubernetes' own.

    SOURCE is a file or folder of CustomResourceDefinitions, or - for stdin:
    kubectl get crds -o yaml | gen crds - --out crds. A spec names the folder in kubernetes.crds.
    Nothing is written unless everything can be read.
    """
    try:
        imported = crds_folder.gather(_opened(sources), _Progress())
    finally:
        reporting.clear_progress()
    names = ", ".join(dict.fromkeys(_recorded(source) for source in sources))
    files = crds_folder.texts(imported, origin or names)
    gone = crds_folder.write(Path(out), files)
    size = sum(len(text.encode()) for text in files.values())
    removed = f", {len(gone)} removed" if gone else ""
    click.echo(f"{out}: {counted(len(imported), 'kind')}, {size:,} bytes{removed}")
    return DONE


def _opened(sources: Sequence[str]) -> Iterator[Source]:
    for source in sources:
        if source == STANDARD_INPUT:
            yield Source("standard input", sys.stdin.buffer.read, is_named=True)
            continue
        path = Path(source)
        if not path.exists():
            raise CannotRun(f"cannot read {source}: there is no such file or folder")
        for file in files_of(path):
            yield Source(str(file), file.read_bytes, is_named=not path.is_dir())


def _recorded(source: str) -> str:
    """What SOURCE.md calls a source: no folder of one machine."""
    return "standard input" if source == STANDARD_INPUT else Path(source).resolve().name


class _Progress:
    """Shows what is being read when it takes, or will take, longer than a second."""

    def __init__(self) -> None:
        self.due = time.monotonic() + QUIET_SECONDS

    def __call__(self, text: str, size: int) -> None:
        if size > LONG_BYTES or time.monotonic() > self.due:
            self.due = time.monotonic() + REPORT_SECONDS
            reporting.show_step(text)
