"""What a run of `gen` left behind. (`conftest` cannot be imported: there are two.)"""

from typing import NamedTuple


class Ran(NamedTuple):
    """Exit status and both outputs of one run."""

    status: int
    out: str
    err: str
