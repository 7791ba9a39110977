"""Real servers on this machine: what tests and `gen verify` hold rendered output against."""

from collections.abc import Callable


class EngineError(RuntimeError):
    """An engine cannot be installed, does not start, or refuses what it is given."""


class EngineMissing(EngineError):
    """An engine cannot be installed on this machine; says what it needs."""


Report = Callable[[str], None]  # receives one line of progress, such as "installing triton"


def silent(line: str) -> None:
    """Report nothing."""
