"""gen export: what needs torch."""

from collections.abc import Sequence
from pathlib import Path

import click

from generator import pipeline, reporting
from generator.commands.common import (
    DONE,
    build_each,
    environment_option,
    selected,
    specs_argument,
    target_option,
)
from generator.diagnostics import CannotRun
from generator.pipeline import Build

RANDOM = "random weights, to try the servers with and not to deploy"


@click.command()
@specs_argument
@target_option
@environment_option
@click.option(
    "-o",
    "--output",
    default="build",
    show_default=True,
    metavar="FOLDER",
    help="Where the bundles are written.",
)
@click.option(
    "--random-weights",
    is_flag=True,
    help="Take weights of a seed in place of those that the spec names, to try a deployment.",
)
def export(
    paths: Sequence[str],
    targets: Sequence[str],
    environments: Sequence[str],
    output: str,
    random_weights: bool,
) -> int:
    """Export models and write the bundles that servers load.

    SPEC is a file, a folder (all YAML files in it with a `spec_version` key), or - for stdin.
    Needs torch: install this package with its extra `export`.
    """
    try:
        from generator.export import export_bundle, record
        from generator.export.size import over_size
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        hint = "install serving-generator with its extra `export`"
        raise CannotRun(f"gen export needs torch: {hint}") from None

    def export_each(build: Build) -> int:
        for deployment in build.deployments:
            is_compiled = deployment.project.export.format == "aot_inductor"
            patience = ", compiled in about half a minute" if is_compiled else ""
            click.echo(f"exporting {pipeline.folder_of(deployment)}{patience}", err=True)
            try:
                report = reporting.show_download
                bundle = export_bundle(
                    deployment,
                    build.files,
                    Path(output),
                    report,
                    random_weights=random_weights,
                )
            finally:
                reporting.clear_progress()
            click.echo(f"{bundle}: exported")
            if larger := over_size(deployment.project, bundle):
                reporting.print_note(f"{bundle}: {larger}: raise that")
            made = record.read(bundle)
            if made and made.random_weights:
                reporting.print_note(f"{bundle}: {RANDOM}")
        return DONE

    return build_each(paths, selected(targets, environments), export_each).status
