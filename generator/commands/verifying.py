"""gen verify: the served answers against the eager model's."""

import importlib.util
import json
import math
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path, PurePosixPath

import click

from generator import pipeline, reporting, write
from generator.commands.common import (
    COULD_NOT_RUN,
    DONE,
    REFUSED,
    build_each,
    environment_option,
    selected,
    specs_argument,
    target_option,
)
from generator.diagnostics import CannotRun
from generator.pipeline import Build
from generator.reporting import counted, print_note

NEEDED = ("torch", "numpy", "PIL", "torchvision", "tritonclient", "grpc", "geventhttpclient")
HERE = "127.0.0.1,localhost"


def _finite(context: click.Context, parameter: click.Parameter, value: float) -> float:
    if not math.isfinite(value) or value < 0:
        raise click.BadParameter(f"{value} is no tolerance")
    return value


@click.command()
@specs_argument
@target_option
@environment_option
@click.option(
    "--rendered", default="rendered", show_default=True, metavar="FOLDER", help="Of gen render."
)
@click.option(
    "--build", default="build", show_default=True, metavar="FOLDER", help="Of gen export."
)
@click.option(
    "--images", type=click.Path(exists=True, file_okay=False), help="A folder of your own images."
)
@click.option(
    "--relative",
    default=1e-4,
    show_default=True,
    metavar="NUMBER",
    callback=_finite,
    help="How far a number may be off, of its value.",
)
@click.option(
    "--absolute",
    default=1e-5,
    show_default=True,
    metavar="NUMBER",
    callback=_finite,
    help="The same, of the mean of the numbers beside it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the verdicts as JSON.")
def verify(
    paths: Sequence[str],
    targets: Sequence[str],
    environments: Sequence[str],
    rendered: str,
    build: str,
    images: str | None,
    relative: float,
    absolute: float,
    as_json: bool,
) -> int:
    """Serve what was rendered and exported on the real servers, and compare with the eager model.

    SPEC is a file, a folder (all YAML files in it with a `spec_version` key), or - for stdin.
    Run gen render and gen export first: what lies in their folders is served as it is. Servers
    are installed on first use (see gen engines) and run on loopback. Needs the extra `verify`.
    Exit status: 0 every door that was asked agrees; 1 an answer disagrees, or a server refuses the
    files; 2 something is missing, or nothing could be served here.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        hint = "install serving-generator with its extra `verify`"
        raise CannotRun(f"gen verify needs {', '.join(missing)}: {hint}")
    from generator.verify import Verdict, verify
    from generator.verify.compare import Tolerance
    from generator.verify.report import summary, table, to_json

    for name in ("NO_PROXY", "no_proxy"):  # requests to the servers go to no proxy
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), HERE)))
    verdicts: list[Verdict] = []

    def verify_each(built: Build) -> int:
        status = DONE
        for deployment in built.deployments:
            place = pipeline.folder_of(deployment)
            _tell_drift(built, Path(rendered), place)
            verdict = verify(
                deployment,
                Path(rendered),
                Path(build),
                files=built.files,
                images=Path(images) if images else None,
                tolerance=Tolerance(relative, absolute),
                report=partial(_tell_step, place),
            )
            reporting.clear_progress()
            for line in verdict.stale:
                print_note(f"{place}: {line}")
            verdicts.append(verdict)
            status = max(status, DONE if verdict.agrees or verdict.not_here else REFUSED)
        return status

    try:
        tally = build_each(paths, selected(targets, environments), verify_each)
    finally:  # what has been found out is told, whatever comes after
        reporting.clear_progress()
        if as_json:
            click.echo(json.dumps(to_json(verdicts), indent=2))
        elif verdicts:
            click.echo(table(verdicts))
        click.echo(summary(verdicts), err=True)
    nothing_shown = verdicts and not any(verdict.rows or verdict.refusal for verdict in verdicts)
    return max(tally.status, COULD_NOT_RUN if nothing_shown else DONE)


def _tell_step(place: PurePosixPath, line: str) -> None:
    reporting.show_step(f"{place}: {line}")


def _tell_drift(built: Build, rendered: Path, place: PurePosixPath) -> None:
    """Say how many rendered files are not what the spec renders now: they are served anyway."""
    if not (rendered / place).is_dir():
        return
    part = str(place.relative_to(built.project))
    files = [file for file in built.files if file.path.is_relative_to(place)]
    changes = write.compare(write.tree(rendered, built.project, files, [part]))
    if changes:
        number = len(changes.created) + len(changes.updated) + len(changes.removed)
        told = f"{counted(number, 'file')} not as the spec renders, served as they are"
        print_note(f"{rendered / place}: {told}; gen render --check shows them")
