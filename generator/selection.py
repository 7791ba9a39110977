"""Which of a spec's targets and environments a run is for."""

from msgspec import Struct


class Selection(Struct, frozen=True):
    """Which targets and environments are asked for; empty means all."""

    targets: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()

    def has_target(self, name: str) -> bool:
        return not self.targets or name in self.targets

    def has_environment(self, name: str | None) -> bool:
        return not self.environments or name in self.environments


EVERYTHING = Selection()
