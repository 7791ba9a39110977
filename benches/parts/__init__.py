"""What can be measured, by name; each gives its tables."""

from collections.abc import Callable, Iterator, Sequence

from benches.parts import again, cold, many, shards, stages, targets
from benches.turns import Table
from benches.workplace import Workplace

Part = Callable[[Workplace, Sequence[int]], Iterator[Table]]
PARTS: dict[str, Part] = {
    "cold": cold.tables,
    "many": many.tables,
    "targets": targets.tables,
    "unchanged": again.unchanged,
    "one-changed": again.one_changed,
    "check": again.check,
    "parts": stages.tables,
    "shard": shards.tables,
}
