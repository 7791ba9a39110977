"""What cannot become an image of a Seldon node, or becomes another one than was meant."""

import builtins
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import get_args

from msgspec.structs import replace

from generator.compatibility import ended, lacks_fixes, table, version
from generator.document import Pointer
from generator.problem import Problem, says
from generator.project import Project
from generator.target import TargetRule
from generator.targets.seldon.options import Called, Options, Role
from generator.targets.seldon.packages import (
    FIRST_UNDER_BSL,
    PYTHONS,
    installed,
    python_of,
    pythons_of,
    requirements,
    torches,
    wrapper_of,
)
from generator.targets.seldon.service import describe, is_split, is_triton
from generator.transforms.component import package
from generator.transforms.custom import custom_paths

_TARGET: Pointer = ("targets", "seldon")
_IMPORTED = frozenset({"Callable", "PIL", "Path", "Refused", "Sequence", "SeldonResponse"})
_RENDERED = ("messages", "serve", "transforms")


def business_source_licence(_project: Project, options: Options) -> Iterator[Problem]:
    """The wrapper is part of the image, and its licence holds for whoever runs the image.

    From 1.18 on that is the Business Source License, which leaves production out.
    Source: LICENSE and metadata of its wheels on PyPI.
    """
    wrapper = wrapper_of(options)
    if is_triton(options) or wrapper is None or version(wrapper) < FIRST_UNDER_BSL:
        return
    message = (
        f"Seldon Core {wrapper} is under the Business Source License 1.1: "
        "production needs a licence from Seldon"
    )
    key = "builder_image" if options.builder == "s2i" else "wrapper_version"
    hint = (
        "use 1.17.1, the last under Apache-2.0; or say why it may be used: "
        "accepted_warnings: {seldon/business-source-licence: ...}"
    )
    yield Problem((*_TARGET, key), message, hint, severity="warning")


def python_unknown(_project: Project, options: Options) -> Iterator[Problem]:
    """Which packages an image can have depends on its Python.

    Releases chosen for another one would end the build of the image.
    """
    if is_triton(options) or python_of(options):
        return
    key = "builder_image" if options.builder == "s2i" else "base_image"
    message = f"which Python `{getattr(options, key)}` has is not known"
    yield Problem((*_TARGET, key), message, 'add python_version: "3.11", or what it is')


def python_not_offered(_project: Project, options: Options) -> Iterator[Problem]:
    """The wrapper takes some releases of Python only, and its packages have wheels for few.

    pip would refuse to install it, and the image could not be built.
    """
    python, wrapper = python_of(options), wrapper_of(options)
    if is_triton(options) or not python:
        return
    installs = options.builder == "docker" or options.dependencies == "conda"
    offered = pythons_of(wrapper) if wrapper and installs else PYTHONS
    if python in offered:
        return
    keys = ("python_version", "base_image", "builder_image", "wrapper_version")
    [key, *_] = (key for key in keys if getattr(options, key) is not None)
    message = f"seldon-core {wrapper} cannot be installed on Python {python}"
    hint = f"it takes Python {' or '.join(offered)}: choose another image or wrapper"
    if options.dependencies == "conda":
        hint = f'set python_version: "{offered[-1]}", or choose another builder_image'
    others = [says((*_TARGET, each), getattr(options, each)) for each in keys if each != key]
    yield Problem((*_TARGET, key), message, hint, related=tuple(others))


def python_of_another_image(_project: Project, options: Options) -> Iterator[Problem]:
    """What an image has is not changed by saying otherwise.

    Packages would be chosen for a Python that is not there.
    """
    known = python_of(replace(options, python_version=None))
    said = options.python_version
    if said and known and said != known and options.dependencies != "conda":
        message = f"python_version is {said}, and the image has Python {known}"
        image = "builder_image" if options.builder == "s2i" else "base_image"
        related = (((*_TARGET, image), f"this image has Python {known}"),)
        hint = "remove it, or name another image"
        yield Problem((*_TARGET, "python_version"), message, hint, related=related)


def python_end_of_life(_project: Project, options: Options) -> Iterator[Problem]:
    """A Python whose time is over gets no fixes, of vulnerabilities neither.

    Source: https://devguide.python.org/versions/
    """
    python = python_of(options)
    day = ended(python) if python and not is_triton(options) else None
    if day:
        message = f"Python {python} of the images has had no security fixes since {day}"
        hint = "set builder: docker, whose Python is 3.11"
        if options.builder == "docker":
            hint = "name a base_image with a newer Python"
        hint += "; or accept it: accepted_warnings: {seldon/python-end-of-life: ...}"
        yield Problem((*_TARGET, _key_of_python(options)), message, hint, severity="warning")


def _key_of_python(options: Options) -> str:
    """The option that decides which Python the images have."""
    image = "builder_image" if options.builder == "s2i" else "base_image"
    given = [key for key in ("python_version", image) if getattr(options, key)]
    return given[0] if given else "builder"


def torch_not_offered(_project: Project, options: Options) -> Iterator[Problem]:
    """torch stops making wheels for a Python long before Seldon's builder leaves it.

    pip would find no release to install, and the image could not be built.
    """
    python, torch = python_of(options), options.torch_version
    offered = torches(python)
    if is_triton(options) or not torch or not python or not offered:
        return
    oldest, newest = offered[0], offered[-1]
    related = (((*_TARGET, _key_of_python(options)), f"this makes it Python {python}"),)
    if version(torch) < version(oldest):
        message = f"torch {torch} has no wheel for Python {python}: {oldest} is the first that has"
        hint = f"remove it, or set {oldest} or newer"
        yield Problem((*_TARGET, "torch_version"), message, hint, related=related)
    if version(torch) <= version(newest) or _may_come(python):
        return
    message = f"torch {torch} has no wheel for Python {python}: {newest} is the newest that has"
    hint = f"remove it for {newest}"
    if options.builder == "s2i":
        hint += ", or set builder: docker, whose Python is newer"
    yield Problem((*_TARGET, "torch_version"), message, hint, related=related)


def _may_come(python: str) -> bool:
    """Whether the next torch may have wheels for a Python: the newest that is known has."""
    torch = table().package("torch")
    return torch is not None and version(python) >= version(torch.pythons[0])


def torch_named_twice(project: Project, options: Options) -> Iterator[Problem]:
    """A line of transforms.requirements replaces ours, and torch_version would do nothing."""
    if not options.torch_version or not project.transforms.requirements:
        return
    from generator.compatibility.requirements import contradiction  # of which few specs have need

    given = f"torch=={options.torch_version}"
    for component in describe(project, options).components:
        for index, line in enumerate(project.transforms.requirements):
            installed = line in requirements(project, options, component)
            is_torch = package(line) == "torch" and component.role == "model"
            if is_torch and installed and contradiction(given, line):
                message = f"torch_version is {options.torch_version}, and `{line}` is installed"
                at: Pointer = ("transforms", "requirements", index)
                related = ((at, "this line replaces it"),)
                hint = "remove one of them"
                yield Problem((*_TARGET, "torch_version"), message, hint, related=related)


def package_not_offered(project: Project, options: Options) -> Iterator[Problem]:
    """pip finds no release for the image's Python, or refuses two that exclude each other."""
    python = python_of(options)
    users = project.transforms.requirements
    if is_triton(options) or not python or not users:
        return
    from generator.compatibility.requirements import refused  # of which few specs have need

    told: set[tuple[str, str]] = set()
    for component in describe(project, options).components:
        lines = installed(project, options, component)
        for each in refused(lines, python):
            line = lines[each.index]
            if line in users and (line, each.message) not in told:
                told.add((line, each.message))
                at: Pointer = ("transforms", "requirements", users.index(line))
                yield Problem(at, each.message, each.hint)


def security_fixes_missing(_project: Project, options: Options) -> Iterator[Problem]:
    """NVIDIA's security bulletins name the release of Triton to update to.

    Source: https://github.com/NVIDIA/product-security/blob/main/2026/5875/5875.json
    """
    tag = options.triton_version
    if tag and is_triton(options) and lacks_fixes(tag):
        fixes = table().triton.fixed_since
        message = f"triton {tag} lacks fixes of {fixes.what}"
        hint = (
            f"set triton_version: {fixes.release}-py3 or later; or say why it stays: "
            "accepted_warnings: {seldon/security-fixes-missing: ...}"
        )
        yield Problem((*_TARGET, "triton_version"), message, hint, severity="warning")


def option_without_meaning(_project: Project, options: Options) -> Iterator[Problem]:
    """An option that has no meaning would be lost without a word."""
    for key, needs, holds in (
        ("builder_image", "builder: s2i", options.builder == "s2i"),
        ("base_image", "builder: docker", options.builder == "docker"),
        ("wrapper_version", "builder: docker", options.builder == "docker"),
        ("python_version", "a class of its own", True),
        ("torch_version", "a class of its own", True),
        ("triton_version", "model_server: TRITON_SERVER", is_triton(options)),
    ):
        builds = key == "triton_version" or not is_triton(options)
        if getattr(options, key) is not None and not (holds and builds):
            made = f"builder: {options.builder}"
            if is_triton(options) or key == "triton_version":
                made = f"model_server: {options.model_server}"
            word, _, value = made.partition(": ")
            related = (says((*_TARGET, word), value),)
            message, hint = f"`{key}` has no meaning with {made}", f"remove it; it needs {needs}"
            yield Problem((*_TARGET, key), message, hint, at_key=True, related=related)
    for key, default in (("builder", "docker"), ("dependencies", "pip"), ("conda_env_name", None)):
        if is_triton(options) and getattr(options, key) != default:
            message = f"`{key}` has no meaning with model_server: TRITON_SERVER"
            related = (says((*_TARGET, "model_server"), options.model_server),)
            hint = "remove it: no image is built"
            yield Problem((*_TARGET, key), message, hint, at_key=True, related=related)


def conda_not_offered(_project: Project, options: Options) -> Iterator[Problem]:
    """Seldon's builder makes conda environments; a Dockerfile here installs with pip."""
    if is_triton(options):
        return
    if options.dependencies == "conda" and options.builder != "s2i":
        hint = "set builder: s2i, or dependencies: pip"
        message = "conda environments are made by Seldon's builder"
        related = (says((*_TARGET, "builder"), options.builder),)
        yield Problem((*_TARGET, "dependencies"), message, hint, related=related)
    elif options.conda_env_name and options.dependencies != "conda":
        message = "`conda_env_name` has no meaning with dependencies: pip"
        hint = "set dependencies: conda, or remove it"
        related = (says((*_TARGET, "dependencies"), options.dependencies),)
        yield Problem((*_TARGET, "conda_env_name"), message, hint, at_key=True, related=related)


def component_not_built(project: Project, options: Options) -> Iterator[Problem]:
    """Names for a node that the graph does not have would be lost without a word."""
    built: dict[Role, str] = {c.role: c.node for c in describe(project, options).components}
    for role in get_args(Role):
        called = options.components.called(role)
        if called == Called():
            continue
        at: Pointer = (*_TARGET, "components", role)
        if role not in built and not (role == "model" and is_triton(options)):
            split = "needs run_in: component"
            if is_split(project):
                split = "has no steps in transforms.postprocess"
            yield Problem(at, f"there is no {role} node: it {split}", "remove it", at_key=True)
        elif is_triton(options):
            for key in ("class_name", "folder", "image"):
                if getattr(called, key):
                    message = f"`{key}` has no meaning with model_server: TRITON_SERVER"
                    related = (says((*_TARGET, "model_server"), options.model_server),)
                    yield Problem((*at, key), message, "remove it", at_key=True, related=related)


def components_of_one_name(project: Project, options: Options) -> Iterator[Problem]:
    """Of two nodes of one name the operator finds the first; of two folders the last is left.

    Two classes or images of one name would run the same code in both nodes.
    """
    for key in ("node", "class_name", "folder", "image"):
        seen: dict[object, Role] = {}
        for component in describe(project, options).components:
            name = getattr(component, key)
            other = seen.setdefault(name, component.role) if name else component.role
            if other != component.role:
                at: Pointer = (*_TARGET, "components")
                message, hint = f"the {other} node has {key} `{name}` too", "name it otherwise"
                related = (says((*at, other, key), name),)
                yield Problem((*at, component.role, key), message, hint, related=related)


def folder_of_the_load_test(project: Project, options: Options) -> Iterator[Problem]:
    """images/perf is the load test's: of two images in one folder, one would be lost."""
    for component in describe(project, options).components:
        if component.folder == "perf" and project.perf:
            at: Pointer = (*_TARGET, "components", component.role, "folder")
            yield Problem(at, "images/perf is the load test's folder", "name it otherwise")


def class_of_another_name(project: Project, options: Options) -> Iterator[Problem]:
    """A class would hide what its own module imports, or its module another one.

    The image would be built, and its server end at the start.
    """
    for component in describe(project, options).components:
        name = component.class_name
        is_taken = name in _IMPORTED or name.lower() in _RENDERED  # one file on some systems
        if is_taken or hasattr(builtins, name):
            at: Pointer = (*_TARGET, "components", component.role, "class_name")
            message = f"`{component.class_name}` is what the module itself uses"
            yield Problem(at, message, "name the class otherwise")


def custom_file_of_a_class(project: Project, options: Options) -> Iterator[Problem]:
    """The user's files lie beside the class, whose module has its name.

    One of the two files would replace the other.
    """
    service = describe(project, options)
    taken = {component.class_name: component.role for component in service.components}
    for path in custom_paths(project.transforms):
        stem = PurePosixPath(path).stem
        if stem in taken or stem in _RENDERED:
            what = f"the {taken[stem]} node's class" if stem in taken else "a rendered module"
            message = f"`{path}` would lie where {what} does"
            yield Problem(("transforms",), message, "rename the file", at_key=True)


RULES: tuple[TargetRule, ...] = (
    business_source_licence,
    python_unknown,
    python_not_offered,
    python_of_another_image,
    python_end_of_life,
    torch_not_offered,
    torch_named_twice,
    package_not_offered,
    security_fixes_missing,
    option_without_meaning,
    conda_not_offered,
    component_not_built,
    components_of_one_name,
    folder_of_the_load_test,
    class_of_another_name,
    custom_file_of_a_class,
)
