"""gen cluster: a render held against a live cluster, which is asked and never written to."""

from collections.abc import Callable
from typing import Any

import click

from generator.commands.common import (
    environment_option,
    files_completed,
    specs_argument,
    target_option,
)
from generator.resources import whole_seconds


def _duration(_context: click.Context, parameter: click.Parameter, value: str) -> int:
    try:
        return whole_seconds(value)
    except ValueError:
        raise click.BadParameter(f"{value} is no duration; write 30s or 10m") from None


def _request_timeout(context: click.Context, parameter: click.Parameter, value: str) -> int:
    """A duration, or seconds alone as kubectl takes them."""
    is_number = value.isascii() and value.isdigit()
    return _duration(context, parameter, f"{value}s" if is_number else value)


def _of_cluster(command: Callable[..., int]) -> Callable[..., int]:
    """The arguments and options that all commands of the group share."""
    for option in reversed(
        (
            specs_argument,
            target_option,
            environment_option,
            click.option(
                "--context", metavar="NAME", help="Of the kubeconfig; else its current one."
            ),
            click.option(
                "--kubeconfig",
                metavar="FILE",
                shell_complete=files_completed,
                help="In place of KUBECONFIG, ~/.kube/config or the pod's service account.",
            ),
            click.option(
                "-n",
                "--namespace",
                metavar="NAME",
                help="Of manifests that name none; else the context's.",
            ),
            click.option(
                "--request-timeout",
                default="30s",
                show_default=True,
                metavar="DURATION",
                callback=_request_timeout,
                help="How long one answer may take.",
            ),
            click.option(
                "-f",
                "--format",
                "form",
                type=click.Choice(("text", "json")),
                default="text",
                show_default=True,
                help="How the result is told, on stdout.",
            ),
        )
    ):
        command = option(command)
    return command


_manager_option = click.option(
    "--field-manager",
    default="serving-generator",
    show_default=True,
    metavar="NAME",
    help="Who applies the manifests: argocd-controller, kubectl, ...",
)


@click.group()
def cluster() -> None:
    """Hold a render against a live cluster, which is asked and never written to.

    What is sent are reads, dry runs (the API server stores nothing of them) and questions about
    the user's own rights. Needs the extra `cluster`.
    """


@cluster.command()
@_of_cluster
@_manager_option
@click.option("--kserve-namespace", default="kserve", show_default=True, metavar="NAME")
@click.option("--seldon-namespace", default="seldon-system", show_default=True, metavar="NAME")
@click.option("--strict", is_flag=True, help="Warnings count as failed, untold as not run.")
def check(**options: Any) -> int:  # Any: what click hands over
    """Try every manifest on the cluster, and see whether what it needs is there.

    Exit status: 0 nothing failed; 1 something did; 2 a spec cannot be rendered, the cluster does
    not answer, or a manifest could not be tried.
    """
    from generator.commands import cluster_runs

    return cluster_runs.check(**options)


@cluster.command()
@_of_cluster
@click.option("--watch", is_flag=True, help="Until all are ready, or one has failed for good.")
@click.option(
    "--timeout", default="10m", show_default=True, metavar="DURATION", callback=_duration,
    help="How long to watch.",
)  # fmt: skip
def status(**options: Any) -> int:  # Any: what click hands over
    """Show how the services of a spec stand: ready or not, revisions, traffic, and why not.

    Jobs that are started on purpose are shown where they are there, and decide nothing. Exit
    status: 0 all services are ready; 1 one is not; 2 it cannot be told.
    """
    from generator.commands import cluster_runs

    return cluster_runs.status(**options)


@cluster.command()
@_of_cluster
@_manager_option
@click.option("--diff", is_flag=True, help="Show objects that differ as a unified diff of YAML.")
def drift(**options: Any) -> int:  # Any: what click hands over
    """Show what applying the render would change in the cluster, and what is left over there.

    Exit status: 0 nothing; 1 something differs, is missing, is left over or would be refused; 2 it
    cannot be told.
    """
    from generator.commands import cluster_runs

    return cluster_runs.drift(**options)
