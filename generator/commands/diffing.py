"""gen diff: what changes for a service, in words."""

from typing import Any

import click

from generator.commands.common import (
    environment_option,
    environments_completed,
    files_completed,
    target_option,
)

FORMATS = ("text", "markdown", "json")
DEFAULT_FOLDER = "rendered"


@click.command()
@click.argument("paths", metavar="[PATH]...", nargs=-1, shell_complete=files_completed)
@click.option(
    "--from",
    "source",
    metavar="ENVIRONMENT",
    help="Compare two environments of the specs: this one ...",
    shell_complete=environments_completed,
)
@click.option(
    "--to",
    "goal",
    metavar="ENVIRONMENT",
    help="... with this one.",
    shell_complete=environments_completed,
)
@click.option(
    "--from-revision",
    metavar="REVISION",
    help="Compare folders as a git revision has them ...",
)
@click.option(
    "--to-revision",
    metavar="REVISION",
    help="... with another, or else with the files as they lie there.",
)
@click.option("--folders", is_flag=True, help="Compare two folders: the old one, the new one.")
@click.option(
    "-o",
    "--output",
    default=DEFAULT_FOLDER,
    show_default=True,
    metavar="FOLDER",
    help="Where specs have been rendered.",
    shell_complete=files_completed,
)
@target_option
@environment_option
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="Markdown is for a comment on a pull request.",
)
@click.option(
    "--output-file",
    metavar="FILE",
    help="Write it to a file in place of stdout.",
    shell_complete=files_completed,
)
@click.option("--exit-zero", is_flag=True, help="Exit with 0 also where changes need attention.")
def diff(
    **options: Any,  # as click has them: diff_runs.run says which
) -> int:
    """Tell what changes for the services, in words.

    \b
    gen diff SPEC...                        what gen render would change
    gen diff SPEC... --from staging --to production
    gen diff --from-revision REV [FOLDER...]
    gen diff --folders OLD NEW

    The default FOLDER of revisions is `rendered`. Manifests that were written by hand are compared
    as well as rendered ones, by kind and name.

    Exit status: 0 no change needs attention; 1 some do (docs/diff.md says which); 2 could not run,
    as where a file is no YAML.
    """
    from generator.commands import diff_runs

    return diff_runs.run(**options)
