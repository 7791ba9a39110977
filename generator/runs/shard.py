"""A part of the specs of a run, for machines that share the work."""

import hashlib
import os
import re
from collections.abc import Sequence

from msgspec import Struct

from generator.specs import Spec


class Shard(Struct, frozen=True):
    """The part `number`, from 1, of `of`."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def part(self, specs: Sequence[Spec]) -> list[Spec]:
        """Its specs, in their order.

        The specs are sorted by a hash of their paths and cut into ranges. So the parts differ by
        one spec at most; the specs of one folder, which often cost alike, are spread over all; and
        a spec more moves at most one other at each cut.
        """
        if self.of == 1:
            return list(specs)
        mixed = sorted(range(len(specs)), key=lambda n: _hash(specs[n].path))
        first, end = ((n * len(specs)) // self.of for n in (self.number - 1, self.number))
        return [specs[n] for n in sorted(mixed[first:end])]


WHOLE = Shard(1, 1)


def parsed(word: str) -> Shard:
    """The shard of `I/N`; raises ValueError for anything else."""
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", word)
    if not found:
        raise ValueError(f"`{word}` is not I/N, such as 1/4")
    number, of = map(int, found.groups())
    if not 1 <= number <= of:
        last = max(of, 1)
        raise ValueError(f"{word}: shards are numbered from 1/{last} to {last}/{last}")
    return Shard(number, of)


def _hash(path: str) -> bytes:
    """The same on all machines of a run, wherever the working directory is there."""
    return hashlib.sha256(os.path.relpath(path or ".").encode("utf-8", "surrogateescape")).digest()
