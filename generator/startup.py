"""How long a replica may take to start, where the size of its bundle is known."""

import math

from generator.project import Quantity
from generator.resources import amount

LEAST_SECONDS = 600  # as without a size: a small bundle gets no less than an unknown one
BASE_SECONDS = 120  # the server, its libraries and a first call, however small the model
# Of an object store that many pods ask at once through one gateway; a lone download is quicker.
DOWNLOAD_BYTES_PER_SECOND = 10 * 2**20
# Read from a disk behind a network, checked, and made into tensors.
LOAD_BYTES_PER_SECOND = 100 * 2**20
# What a link of one gigabit carries: more is had of a faster node, or of a cache beside it.
LINK_BYTES_PER_SECOND = 10**9 // 8

_MINUTE = 60


def startup(size: Quantity) -> str:
    """The time for a bundle of this size to be downloaded, loaded and served, in whole minutes."""
    held = amount(size)
    taken = BASE_SECONDS + held / DOWNLOAD_BYTES_PER_SECOND + held / LOAD_BYTES_PER_SECOND
    return f"{max(LEAST_SECONDS // _MINUTE, math.ceil(taken / _MINUTE))}m"


def link_seconds(size: Quantity) -> int:
    """Whole seconds that a bundle of this size takes on a link of one gigabit."""
    return math.floor(amount(size) / LINK_BYTES_PER_SECOND)
