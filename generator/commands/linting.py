"""gen lint: what the real systems would refuse of files that were written by hand."""

import difflib
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import click

from generator import kinds, reporting
from generator.commands.common import (
    files_completed,
    format_option,
    output_file_option,
    refuse_file_of_text,
    strict_option,
)
from generator.diagnostics import CannotRun
from generator.lint import find, lint
from generator.reporting import Reporter, counted, reported
from generator.webhook_rules.nodes import Standard


def _rules_completed(_context: object, _parameter: object, incomplete: str) -> list[str]:
    """The rules that judge the files of lint."""
    from generator.catalogue import all_documented

    rules = all_documented().values()
    return [rule.name for rule in rules if rule.is_linted and rule.name.startswith(incomplete)]


@click.command(name="lint")
@click.argument("paths", metavar="FILE...", nargs=-1, required=True, shell_complete=files_completed)
@format_option
@output_file_option
@strict_option
@click.option(
    "--ignore",
    "ignored",
    multiple=True,
    metavar="RULE",
    help="Not this rule; repeatable.",
    shell_complete=_rules_completed,
)
@click.option(
    "--exclude",
    multiple=True,
    metavar="PATTERN",
    help="Not the files and folders of this name or path, as in a shell; repeatable.",
)
@click.option(
    "--release",
    "releases",
    multiple=True,
    metavar="PRODUCT=VERSION",
    help="What the cluster runs, such as kubernetes=1.34; repeatable. Default: the newest known.",
)
@click.option(
    "--crds",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Schemas of the cluster's own, made by gen crds.",
    shell_complete=files_completed,
)
@click.option(
    "--pod-security",
    "standard",
    type=click.Choice(["baseline", "restricted"]),
    help="Also what a namespace that enforces this Pod Security Standard would refuse. A Namespace"
    " among the files that enforces one is heeded without it.",
)
def lint_files(
    paths: Sequence[str],
    form: str,
    output_file: str | None,
    strict: bool,
    ignored: Sequence[str],
    exclude: Sequence[str],
    releases: Sequence[str],
    crds: Path | None,
    standard: Literal["baseline", "restricted"] | None,
) -> int:
    """Check manifests, config.pbtxt and config.properties that were written by hand.

    FILE is a file, a folder (all files in it that are of a kind that can be checked), or - for
    stdin, as in `kustomize build . | gen lint -`. Kinds that gen does not know are passed over
    and counted; templates are to be rendered first.
    """
    refuse_file_of_text(form, output_file)
    _refuse_unknown(ignored)
    with reported(form, output_file, strict=strict) as reporter:
        cluster = kinds.cluster(releases, crds)
        checked = _lint(reporter, paths, exclude, frozenset(ignored), cluster, standard or "")
    _print_summary(reporter, checked)
    return reporter.result.status


def _refuse_unknown(ignored: Sequence[str]) -> None:
    """A rule that is ignored under a wrong name would be told for ever."""
    from generator.catalogue import all_documented  # only where a rule is named

    for name in ignored:
        if name not in all_documented():
            near = difflib.get_close_matches(name, all_documented(), n=1)
            hint = (
                f"did you mean `{near[0]}`?" if near else "names stand in brackets after messages"
            )
            raise click.UsageError(f"no rule `{name}`; {hint}")


def _lint(
    reporter: Reporter,
    paths: Sequence[str],
    exclude: Sequence[str],
    ignored: frozenset[str],
    cluster: kinds.Cluster,
    standard: Standard,
) -> Counter[str]:
    """Lint what is named, and count what was looked at."""
    checked: Counter[str] = Counter()
    progress = partial(reporting.show_progress, noun="files")
    for linted in lint(find(paths, exclude), cluster, standard, progress):
        reporting.clear_progress()
        if isinstance(linted, CannotRun):
            reporter.fail(linted)
            continue
        if linted.checked:
            reporter.result.check(linted.path)
        checked += linted.checked
        reporter.result.passed_over += linted.passed_over
        reporter.add(*(one for one in linted.diagnostics if one.rule not in ignored))
    reporting.clear_progress()
    return checked


def _print_summary(reporter: Reporter, checked: Counter[str]) -> None:
    result = reporter.result
    looked_at = ", ".join(
        f"{number} {word}" if "." in word else counted(number, word)
        for word, number in sorted(checked.items())
    )
    found = f"{counted(result.errors, 'error')}, {counted(result.warnings, 'warning')}"
    click.echo(f"{looked_at or 'nothing'} checked: {found}", err=True)
    if passed_over := ", ".join(f"{n} {word}" for word, n in sorted(result.passed_over.items())):
        click.echo(f"passed over: {passed_over}", err=True)
