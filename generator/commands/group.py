"""The group `gen`: each command by its name, imported when it is called.

A run of one command then pays for no other: those of `gen engines` alone are 24 ms of imports.
"""

from importlib import import_module
from typing import Any

import click

from generator import __version__
from generator.result import COULD_NOT_RUN

COMMANDS = {
    "validate": (
        "rendering:validate",
        "Check specs, and everything they would render, without writing.",
    ),
    "render": ("rendering:render", "Render every file that deploys the projects of specs."),
    "diff": ("diffing:diff", "Tell what changes for the services, in words."),
    "lint": (
        "linting:lint_files",
        "Check manifests, config.pbtxt and config.properties that were written by hand.",
    ),
    "lock": (
        "locking:lock",
        "Write images.lock: the digest of every image that the specs' files name by a tag.",
    ),
    "targets": ("rendering:list_targets", "List the targets that a spec can name."),
    "schema": ("rendering:schema", "Print the JSON Schema of specs, for editors."),
    "completion": ("completion:completion", "Print the completion script of a shell."),
    "crds": (
        "crds:crds",
        "Make compact schemas of the kinds that a cluster serves beyond Kubernetes' own.",
    ),
    "export": ("exporting:export", "Export models and write the bundles that servers load."),
    "inspect": (
        "inspecting:inspect",
        "Print the `model:` section of a spec for a module, its shapes found by running it.",
    ),
    "verify": (
        "verifying:verify",
        "Serve what was rendered and exported on the real servers, and compare with the eager "
        "model.",
    ),
    "explain": (
        "explaining:explain",
        "Explain a rule, a field of the spec, or a rendered line.",
    ),
    "engines": (
        "engines:list_engines",
        "List the real servers that gen verify starts, each in an environment of its own.",
    ),
    "cluster": (
        "cluster:cluster",
        "Hold a render against a live cluster, which is asked and never written to.",
    ),
}
"""Where each command stands under `commands`, and the first sentence of its help."""


def command(name: str) -> click.Command:
    """The command itself, with its options."""
    module, attribute = COMMANDS[name][0].split(":")
    found = getattr(import_module(f"generator.commands.{module}"), attribute)
    assert isinstance(found, click.Command)
    return found


class _Gen(click.Group):
    """A group that lists stand-ins, whose sentence is all that help and completion show."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, listed, rest = super().resolve_command(ctx, args)
        return name, command(name) if name in COMMANDS else listed, rest

    def invoke(self, ctx: click.Context) -> Any:  # Any: as click has it
        """Leave a reader's early end to `main`; click would exit with 1."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            return COULD_NOT_RUN


@click.group(
    cls=_Gen,
    commands={name: click.Command(name, help=help) for name, (_, help) in COMMANDS.items()},
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="gen", message="%(prog)s %(version)s")
def gen() -> None:
    """Render everything that deploys a PyTorch model from one YAML spec.

    Exit status: 0 done; 1 a spec has errors, --check found drift, verify a difference, or diff a
    change that needs attention; 2 could not run; 3 a bug in gen; 130 interrupted. NO_COLOR and
    FORCE_COLOR are honoured.
    """
