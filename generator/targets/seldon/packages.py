"""Which packages an image of Seldon's holds: of its Python follows which there can be."""

import re
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from generator.compatibility import pythons_between, table, version
from generator.project import Project
from generator.targets.seldon.options import Options, Role
from generator.targets.seldon.service import Component, takes
from generator.transforms.code import Half, halved
from generator.transforms.component import merged, package
from generator.transforms.custom import custom_paths

WRAPPER = "1.17.1"
FIRST_UNDER_BSL = version(table().end_of("seldon/business-source-licence").release or "")
"""From here on the wrapper is under the Business Source License 1.1, before under Apache-2.0."""

TORCH = "2.13.0"  # what gen export and the tests run

BUILDER_IMAGE = f"docker.io/seldonio/seldon-core-s2i-python3:{WRAPPER}"
BASE_IMAGE = "docker.io/library/python:3.11-slim-bookworm"
CONDA_PYTHON = "3.11"  # an environment brings its own, whatever the builder has


class _Newest(Struct, frozen=True):
    """The newest releases that work with the wrapper, which takes numpy below 2.

    It imports pkg_resources, which setuptools 81 drops, and distutils, which Python 3.12 has from
    setuptools alone.
    """

    numpy: str
    pillow: str
    setuptools: str


_NEWEST: Mapping[str, _Newest] = {
    "3.8": _Newest("1.24.4", "10.4.0", "75.3.4"),
    "3.9": _Newest("1.26.4", "11.3.0", "80.10.2"),
    "3.10": _Newest("1.26.4", "12.3.0", "80.10.2"),
    "3.11": _Newest("1.26.4", "13.0.0", "80.10.2"),
    "3.12": _Newest("1.26.4", "13.0.0", "80.10.2"),
}
"""By Python: the last numpy 1 has no wheel for 3.13, and the rendered code runs from 3.8 on."""

PYTHONS = tuple(_NEWEST)

CONSTRAINTS = Path(__file__).with_name("constraints.txt")
TORCH_CONSTRAINTS = Path(__file__).with_name("constraints-torch.txt")
"""What the wrapper pulls in, and what torch does beside that; CONTRIBUTING.md says how made."""

_CONSTRAINED_PYTHONS = ("3.11", "3.12")  # one set of releases installs on both
_HALF: Mapping[Role, Half | None] = {"input": "preprocess", "model": None, "output": "postprocess"}

_BUILDER = re.compile(
    r"(?:.*/)?seldon-core-s2i-python(3[0-9]*)(?:-gpu|-ubi8)?:([0-9]+(?:\.[0-9]+)*)"
)
_PYTHON_IMAGE = re.compile(r".*/python:(3\.[0-9]+)(?:[.-].*)?")


def wrapper_of(options: Options) -> str | None:
    """The wrapper's release: a builder holds that of its own tag; None where that says none."""
    if options.builder == "docker":
        return options.wrapper_version or WRAPPER
    found = re.fullmatch(r".*:([0-9]+\.[0-9]+\.[0-9]+)(@.*)?", builder_image(options))
    return found[1] if found else None


def python_of(options: Options) -> str | None:
    """The Python that the classes run on; None where nothing says which that is."""
    if options.python_version:
        return options.python_version
    if options.builder == "docker":
        found = _PYTHON_IMAGE.fullmatch(base_image(options))
        return found[1] if found else None
    return CONDA_PYTHON if options.dependencies == "conda" else _python_of_builder(options)


def _python_of_builder(options: Options) -> str | None:
    """Source: doc/source/reference/images.md of 1.10 to 1.19, and the builder's Makefile."""
    found = _BUILDER.fullmatch(builder_image(options).partition("@")[0])
    if not found:
        return None
    digits, release = found[1][1:], version(found[2])
    if digits:
        return f"3.{digits}"
    since = [each.python for each in table().seldon.builders if version(each.since) <= release]
    return since[-1] if since else None  # before, 3.6 or 3.7


def pythons_of(wrapper: str) -> tuple[str, ...]:
    """The Pythons that a release of the wrapper can be installed on, of those known here.

    Source: the metadata of its wheels. Before 1.17.1 it wants a PyYAML whose last wheels are for
    Python 3.9.
    """
    since = [w.pythons for w in table().seldon.wrappers if version(w.since) <= version(wrapper)]
    return tuple(each for each in pythons_between(*since[-1]) if each in PYTHONS) if since else ()


def torches(python: str | None) -> tuple[str, ...]:
    """The releases of torch with wheels for a Python, the oldest first; of all where none says."""
    torch = table().package("torch")
    assert torch is not None
    return torch.offered(python) if python else torch.releases


def torch_of(options: Options) -> str:
    """The torch of the model's image: the spec's, or the newest for its Python up to ours."""
    newest = torches(python_of(options))[-1:]
    return options.torch_version or min(TORCH, *newest, key=version)


def builder_image(options: Options) -> str:
    """The image that s2i builds with."""
    return options.builder_image or BUILDER_IMAGE


def base_image(options: Options) -> str:
    """The image that Dockerfiles begin with."""
    return options.base_image or BASE_IMAGE


def requirements(project: Project, options: Options, component: Component) -> tuple[str, ...]:
    """Packages that are installed for a node, sorted; a user's own line replaces ours.

    Seldon's builder has the wrapper already; an environment of conda's has not.
    """
    ours = _imported(project, options, component)
    if options.builder == "docker" or options.dependencies == "conda":
        wrapper = f"seldon-core=={wrapper_of(options) or WRAPPER}"
        ours += (wrapper, f"setuptools=={_newest(options).setuptools}")
    return merged(ours, _users(project, component, ours))


def installed(project: Project, options: Options, component: Component) -> tuple[str, ...]:
    """What a node's image holds together: its requirements, and the wrapper of Seldon's builder."""
    lines = requirements(project, options, component)
    is_known = _BUILDER.fullmatch(builder_image(options).partition("@")[0])
    wrapper = wrapper_of(options) if is_known else None
    is_there = "seldon-core" in map(package, lines)
    return lines if is_there or not wrapper else (*lines, f"seldon-core=={wrapper}")


def constraints(project: Project, options: Options, component: Component) -> tuple[str, ...]:
    """Pins of what a node's requirements pull in, sorted, as far as they are known.

    They are for the Pythons and the releases of wrapper and torch that they were made with.
    """
    wrapper = version(wrapper_of(options) or WRAPPER)
    if options.builder == "s2i" and options.dependencies == "pip":
        return ()  # the builder has its own
    if python_of(options) not in _CONSTRAINED_PYTHONS or not (1, 17, 1) <= wrapper < (1, 19):
        return ()
    pins = _lines(CONSTRAINTS)
    if component.role == "model" and torch_of(options) == TORCH:
        pins += _lines(TORCH_CONSTRAINTS)
    wanted = set(map(package, requirements(project, options, component)))
    return tuple(pin for pin in merged(pins, ()) if package(pin) not in wanted)


def _imported(project: Project, options: Options, component: Component) -> tuple[str, ...]:
    """What the classes of a node import, and nothing else."""
    newest = _newest(options)
    packages = [f"numpy=={newest.numpy}"]
    if component.role == "input" or (component.role == "model" and takes(project) != "tensors"):
        packages.append(f"pillow=={newest.pillow}")
    if component.role == "model":
        packages.append(f"torch=={torch_of(options)}")
    return tuple(packages)


def _users(project: Project, component: Component, ours: tuple[str, ...]) -> tuple[str, ...]:
    """The user's lines: all where a function of theirs runs, else those about our packages."""
    transforms = project.transforms
    if component.role == "model" and takes(project) == "tensors":
        return ()
    if custom_paths(halved(transforms, _HALF[component.role])):
        return transforms.requirements
    known = set(map(package, ours))
    return tuple(line for line in transforms.requirements if package(line) in known)


def _newest(options: Options) -> _Newest:
    """The packages for an image's Python; a rule refuses a Python that is not known."""
    return _NEWEST.get(python_of(options) or "", _NEWEST[CONDA_PYTHON])


def _lines(path: Path) -> tuple[str, ...]:
    return tuple(path.read_text(encoding="utf-8").splitlines())
