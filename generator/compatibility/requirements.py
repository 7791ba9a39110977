"""Requirement lines held against the table: what pip would refuse in an image, and why."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from generator.compatibility import Package, table, version

_BEYOND = "999999"  # a release that is not out yet


@dataclass(frozen=True)
class Refused:
    """What is wrong with the line at an index, and what to type."""

    index: int
    message: str
    hint: str


def refused(lines: Sequence[str], python: str) -> Iterator[Refused]:
    """The lines that pip refuses on a Python, for want of a release for it, or of one another.

    Packages that the table does not hold, and Pythons that it does not, are passed over.
    """
    read = {index: _read(line) for index, line in enumerate(lines)}
    for index, requirement in read.items():
        if requirement is None:
            message = f"`{lines[index]}` is no requirement that pip can read"
            yield Refused(index, message, "write a package and its version: scipy==1.16.2")
            continue
        package = table().package(canonicalize_name(requirement.name))
        if package:
            yield from _without_wheel(index, lines[index], requirement, package, python)
    yield from _contradicting(lines, read)


def contradiction(first: str, second: str) -> bool:
    """Whether no version satisfies both of two lines for one package, one of which pins it."""
    one, other = _read(first), _read(second)
    if one is None or other is None:
        return False
    pins = [(pin, rest) for pin, rest in ((one, other), (other, one)) if _pinned(pin)]
    return any(not rest.specifier.contains(_pinned(pin), prereleases=True) for pin, rest in pins)


def _read(line: str) -> Requirement | None:
    try:
        return Requirement(line)
    except InvalidRequirement:
        return None


def _without_wheel(
    index: int, line: str, requirement: Requirement, package: Package, python: str
) -> Iterator[Refused]:
    wanted = _wanted(requirement, package)
    offered = [Version(each) for each in package.offered(python)]
    if not wanted or not offered or set(wanted) & set(offered):
        return  # nothing is known of the release, or it is there
    first = version(package.pythons[0])
    newer = wanted[-1] > Version(package.releases[-1])
    if version(python) >= first and (newer or requirement.specifier.contains(_BEYOND)):
        return  # a release that is not known may install on this Python
    below = [each for each in offered if each < wanted[-1]]
    nearest = below[-1] if below else offered[0]
    place = {offered[-1]: "newest", offered[0]: "oldest"}.get(nearest, "nearest")
    message = f"`{line}` does not install on Python {python}: "
    message += f"{package.name} {nearest} is the {place} that does"
    yield Refused(index, message, f"write {package.name}=={nearest}")


def _wanted(requirement: Requirement, package: Package) -> list[Version]:
    """The releases that satisfy a line, a pinned one too that is newer than all known."""
    pin = _pinned(requirement).partition("+")[0]
    known = [Version(each) for each in package.releases]
    if pin:
        wanted = Version(pin)
        return [wanted] if wanted in known or wanted > known[-1] else []
    return list(requirement.specifier.filter(known))


def _contradicting(lines: Sequence[str], read: dict[int, Requirement | None]) -> Iterator[Refused]:
    """Lines of which a pinned one needs what the other excludes."""
    named: dict[str, tuple[int, Requirement]] = {
        canonicalize_name(r.name): (index, r) for index, r in read.items() if r
    }
    for name, (index, requirement) in named.items():
        package = table().package(name)
        needs = package.needs.get(_pinned(requirement), {}) if package else {}
        for other, specifier in needs.items():
            if other not in named:
                continue
            at, line = named[other]
            if _exclude(other, SpecifierSet(specifier), line):
                message = f"`{lines[index]}` needs {other}{specifier}, not `{lines[at]}`"
                yield Refused(at, message, f"write {other}{specifier}, or remove it")


def _exclude(name: str, needed: SpecifierSet, line: Requirement) -> bool:
    """Whether no release is both needed and taken by a line.

    Of ranges that is told only where known releases satisfy each, and none that may come both.
    """
    if pinned := _pinned(line):
        return not needed.contains(pinned, prereleases=True)
    package = table().package(name)
    known = [Version(each) for each in package.releases] if package else []
    taken, fitting = set(line.specifier.filter(known)), set(needed.filter(known))
    may_come = needed.contains(_BEYOND) and line.specifier.contains(_BEYOND)
    return bool(taken and fitting) and not taken & fitting and not may_come


def _pinned(requirement: Requirement) -> str:
    """The one version that a line takes, or nothing."""
    only = list(requirement.specifier)
    if len(only) != 1 or only[0].operator not in ("==", "===") or "*" in only[0].version:
        return ""
    return only[0].version
