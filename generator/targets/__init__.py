"""The targets that a spec can name, each imported when it is first asked for."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from generator.target import Target


class _Targets(Mapping[str, "Target"]):
    """By name, in the order in which they are told.

    A run with one target pays for no other: three of them are a fifth of a cold start.
    """

    _names = ("triton", "torchserve", "seldon", "predictor")

    def __getitem__(self, name: str) -> "Target":
        from generator.target import Target

        if name not in self._names:
            raise KeyError(name)
        target = import_module(f"generator.targets.{name}").TARGET
        assert isinstance(target, Target)
        return target

    def __contains__(self, name: object) -> bool:
        return name in self._names  # the inherited one asks __getitem__, which imports

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


TARGETS: Mapping[str, "Target"] = _Targets()
