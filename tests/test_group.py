"""Each command is imported when it is called, and listed by what it says of itself."""

import click
import pytest

from generator.commands.group import COMMANDS, command, gen


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("width", [20, 45, 80, 200])
def test_a_command_is_listed_by_its_own_first_sentence(name: str, width: int) -> None:
    listed = gen.commands[name].get_short_help_str(width)

    assert listed == command(name).get_short_help_str(width)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_found_by_its_name_with_its_own_options(name: str) -> None:
    context = click.Context(gen, info_name="gen")

    found, its_command, rest = gen.resolve_command(context, [name, "--help"])

    assert (found, rest) == (name, ["--help"])
    assert its_command is command(name)
    assert its_command.name == name
    assert its_command.callback is not None
    assert gen.commands[name].hidden == its_command.hidden


def test_what_is_no_command_is_refused() -> None:
    with pytest.raises(click.UsageError, match="rendr"):
        gen.resolve_command(click.Context(gen), ["rendr"])
