"""gen completion: the script that a shell completes `gen` with."""

import click
from click.shell_completion import get_completion_class

from generator.commands.group import gen

SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_GEN_COMPLETE"
"""What click asks for completions by: the program's name, as its documentation says."""


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    bash: eval "$(gen completion bash)" in ~/.bashrc; zsh: the same with zsh in ~/.zshrc; fish:
    gen completion fish > ~/.config/fish/completions/gen.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None  # click has all of SHELLS
    click.echo(kind(gen, {}, "gen", _VARIABLE).source())
