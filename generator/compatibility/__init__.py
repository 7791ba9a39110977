"""What runs together, until when and under which licence: `table.json`, typed.

Each row names its source. What could not be read anywhere is left out, not guessed. Structs, not
dataclasses: there are many, each command imports them, and they are made in a tenth of the time.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import msgspec

TABLE = Path(__file__).with_name("table.json")


def version(text: str) -> tuple[int, ...]:
    """A release as numbers, to be compared: (2, 13, 0) of `2.13.0`."""
    return tuple(map(int, text.split(".")))


class Wheels(msgspec.Struct, frozen=True):
    """Releases of a package, and the first and the last Python that they have wheels for."""

    pythons: tuple[str, str]
    releases: tuple[str, ...]

    def has(self, python: str) -> bool:
        first, last = map(version, self.pythons)
        return first <= version(python) <= last


class Package(msgspec.Struct, frozen=True):
    """A Python package. `needs` are the requirements of some releases, by package."""

    name: str
    source: str
    wheels: tuple[Wheels, ...]
    needs: dict[str, dict[str, str]] = msgspec.field(default_factory=dict)

    @property
    def releases(self) -> tuple[str, ...]:
        """All that are known, the oldest first."""
        return tuple(release for row in self.wheels for release in row.releases)

    def offered(self, python: str) -> tuple[str, ...]:
        """The releases with wheels for a Python, the oldest first."""
        return tuple(r for row in self.wheels if row.has(python) for r in row.releases)

    @property
    def pythons(self) -> tuple[str, str]:
        """The first and the last Python of the newest release."""
        return self.wheels[-1].pythons


class Pythons(msgspec.Struct, frozen=True):
    source: str
    ends: dict[str, str]


class TritonImage(msgspec.Struct, frozen=True):
    """What one of NVIDIA's images holds; what is not known is left out."""

    release: str
    server: str | None = None
    torch: str | None = None
    cuda: str | None = None
    onnxruntime: str | None = None


class Feature(msgspec.Struct, frozen=True):
    """Since which release a server does something, and why not before.

    `batches_since` is the first that does it for batches of requests, where that came later.
    """

    since: str
    why: str
    source: str
    batches_since: str | None = None


class Fixes(msgspec.Struct, frozen=True):
    release: str
    what: str
    source: str


class Triton(msgspec.Struct, frozen=True):
    image: str
    sources: dict[str, str]
    images: tuple[TritonImage, ...]
    formats: dict[str, Feature]
    fixed_since: Fixes


class TorchServeImage(msgspec.Struct, frozen=True):
    release: str
    python: str
    java: str


class TorchServe(msgspec.Struct, frozen=True):
    image: str
    source: str
    images: tuple[TorchServeImage, ...]


class Transformer(msgspec.Struct, frozen=True):
    python: str
    source: str


class Builder(msgspec.Struct, frozen=True):
    """The Python of Seldon's s2i builders from a release on."""

    since: str
    python: str


class Wrapper(msgspec.Struct, frozen=True):
    """The first and the last Python, of those that are known here, that a wrapper installs on."""

    since: str
    pythons: tuple[str, str]


class Seldon(msgspec.Struct, frozen=True):
    image: str
    source: str
    builders: tuple[Builder, ...]
    wrappers: tuple[Wrapper, ...]


class StockRuntime(msgspec.Struct, frozen=True):
    """The image of a runtime that KServe installs."""

    release: str
    runtime: str
    image: str


class End(msgspec.Struct, frozen=True):
    """What has ended, is deprecated or has another licence; `rule` is what warns of it."""

    what: str
    kind: str
    says: str
    source: str
    since: str | None = None
    release: str | None = None
    rule: str | None = None


class Table(msgspec.Struct, frozen=True):
    """`read` is the day on which the sources were last read."""

    read: str
    packages: tuple[Package, ...]
    pythons: Pythons
    triton: Triton
    torchserve: TorchServe
    transformer: Transformer
    seldon: Seldon
    kserve: tuple[StockRuntime, ...]
    ends: tuple[End, ...]

    def package(self, name: str) -> Package | None:
        """A package by its normalized name."""
        return next((each for each in self.packages if each.name == name), None)

    def end_of(self, rule: str) -> End:
        """What a rule warns of."""
        return next(end for end in self.ends if end.rule == rule)


@cache
def table() -> Table:
    """All that is known."""
    return msgspec.json.decode(TABLE.read_bytes(), type=Table)


def ended(python: str) -> str | None:
    """The day on which a Python got its last fix, where that is past."""
    day = table().pythons.ends.get(python)
    return day if day and day < table().read else None


def pythons_between(first: str, last: str) -> Iterator[str]:
    """The Pythons that are known, from one to another."""
    for python in table().pythons.ends:
        if version(first) <= version(python) <= version(last):
            yield python


def year_and_month(tag: str) -> tuple[int, ...]:
    """Of a tag of Triton's image: (26, 7) of `26.07-py3`."""
    return version(tag.partition("-")[0])


def lacks_fixes(tag: str) -> bool:
    """Whether NVIDIA asks for a newer release of Triton for the vulnerabilities of this one."""
    return year_and_month(tag) < year_and_month(table().triton.fixed_since.release)
