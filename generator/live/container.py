"""What a rendered manifest starts a container with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Container:
    """A container's arguments, and its variables; those from secrets and fields are left out."""

    arguments: tuple[str, ...]
    variables: Mapping[str, str]


def container_of(described: Mapping[str, Any]) -> Container:
    """Read a container of a manifest; a program's name before its arguments is left out."""
    words = [str(word) for word in described.get("args") or ()]
    if words and not words[0].startswith("-"):
        del words[0]
    given = described.get("env") or ()
    variables = {str(each["name"]): str(each["value"]) for each in given if "value" in each}
    return Container(tuple(words), variables)
