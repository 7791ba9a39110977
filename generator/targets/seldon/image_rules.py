"""What cannot become an image of a Seldon node, or becomes another one than was meant."""

import builtins
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from typing import get_args

from generator.document import Pointer
from generator.problem import Problem
from generator.project import Project
from generator.target import TargetRule
from generator.targets.seldon.options import Called, Options, Role
from generator.targets.seldon.packages import (
    FIRST_UNDER_BSL,
    NEWEST_TORCH,
    OLDEST_TORCH,
    PYTHONS,
    python_of,
    pythons_of,
    version,
    wrapper_of,
)
from generator.targets.seldon.service import describe, is_split, is_triton
from generator.transforms.custom import custom_paths

_TARGET: Pointer = ("targets", "seldon")
_IMPORTED = frozenset({"Callable", "PIL", "Path", "Refused", "Sequence", "SeldonResponse"})
_RENDERED = ("messages", "serve", "transforms")


def business_source_licence(_project: Project, options: Options) -> Iterator[Problem]:
    """The wrapper is part of the image. Source: LICENSE and metadata of its wheels on PyPI."""
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
    """Which packages an image can have depends on its Python."""
    if is_triton(options) or python_of(options):
        return
    key = "builder_image" if options.builder == "s2i" else "base_image"
    message = f"which Python `{getattr(options, key)}` has is not known"
    yield Problem((*_TARGET, key), message, 'add python_version: "3.11", or what it is')


def python_not_offered(_project: Project, options: Options) -> Iterator[Problem]:
    """The wrapper has a Python of its own mind, and its packages wheels for few."""
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
    yield Problem((*_TARGET, key), message, hint)


def python_of_another_image(_project: Project, options: Options) -> Iterator[Problem]:
    """What an image has is not changed by saying otherwise."""
    known = python_of(replace(options, python_version=None))
    said = options.python_version
    if said and known and said != known and options.dependencies != "conda":
        message = f"python_version is {said}, and the image has Python {known}"
        yield Problem((*_TARGET, "python_version"), message, "remove it, or name another image")


def torch_not_offered(_project: Project, options: Options) -> Iterator[Problem]:
    """torch stops making wheels for a Python long before Seldon's builder leaves it."""
    python, torch = python_of(options), options.torch_version
    newest, oldest = NEWEST_TORCH.get(python or ""), OLDEST_TORCH.get(python or "")
    if is_triton(options) or not torch:
        return
    if oldest and version(torch) < version(oldest):
        message = f"torch {torch} has no wheel for Python {python}: {oldest} is the first that has"
        yield Problem((*_TARGET, "torch_version"), message, f"remove it, or set {oldest} or newer")
    if not newest or version(torch) <= version(newest):
        return
    message = f"torch {torch} has no wheel for Python {python}: {newest} is the newest that has"
    hint = f"remove it for {newest}"
    if options.builder == "s2i":
        hint += ", or set builder: docker, whose Python is newer"
    yield Problem((*_TARGET, "torch_version"), message, hint)


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
            message = f"`{key}` has no meaning with {made}"
            yield Problem((*_TARGET, key), message, f"remove it; it needs {needs}", at_key=True)
    for key, default in (("builder", "docker"), ("dependencies", "pip"), ("conda_env_name", None)):
        if is_triton(options) and getattr(options, key) != default:
            message = f"`{key}` has no meaning with model_server: TRITON_SERVER"
            yield Problem((*_TARGET, key), message, "remove it: no image is built", at_key=True)


def conda_not_offered(_project: Project, options: Options) -> Iterator[Problem]:
    """Seldon's builder makes conda environments; a Dockerfile here installs with pip."""
    if is_triton(options):
        return
    if options.dependencies == "conda" and options.builder != "s2i":
        hint = "set builder: s2i, or dependencies: pip"
        message = "conda environments are made by Seldon's builder"
        yield Problem((*_TARGET, "dependencies"), message, hint)
    elif options.conda_env_name and options.dependencies != "conda":
        message = "`conda_env_name` has no meaning with dependencies: pip"
        hint = "set dependencies: conda, or remove it"
        yield Problem((*_TARGET, "conda_env_name"), message, hint, at_key=True)


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
                    yield Problem((*at, key), message, "remove it", at_key=True)


def components_of_one_name(project: Project, options: Options) -> Iterator[Problem]:
    """Of two nodes of one name the operator finds the first; of two folders the last is left."""
    for key in ("node", "class_name", "folder", "image"):
        seen: dict[object, Role] = {}
        for component in describe(project, options).components:
            name = getattr(component, key)
            other = seen.setdefault(name, component.role) if name else component.role
            if other != component.role:
                at: Pointer = (*_TARGET, "components", component.role, key)
                message = f"the {other} node has {key} `{name}` too"
                yield Problem(at, message, "name it otherwise")


def folder_of_the_load_test(project: Project, options: Options) -> Iterator[Problem]:
    """images/perf is the load test's."""
    for component in describe(project, options).components:
        if component.folder == "perf" and project.perf:
            at: Pointer = (*_TARGET, "components", component.role, "folder")
            yield Problem(at, "images/perf is the load test's folder", "name it otherwise")


def class_of_another_name(project: Project, options: Options) -> Iterator[Problem]:
    """A class would hide what its own module imports, or its module another one."""
    for component in describe(project, options).components:
        name = component.class_name
        is_taken = name in _IMPORTED or name.lower() in _RENDERED  # one file on some systems
        if is_taken or hasattr(builtins, name):
            at: Pointer = (*_TARGET, "components", component.role, "class_name")
            message = f"`{component.class_name}` is what the module itself uses"
            yield Problem(at, message, "name the class otherwise")


def custom_file_of_a_class(project: Project, options: Options) -> Iterator[Problem]:
    """The user's files lie beside the class, whose module has its name."""
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
    torch_not_offered,
    option_without_meaning,
    conda_not_offered,
    component_not_built,
    components_of_one_name,
    folder_of_the_load_test,
    class_of_another_name,
    custom_file_of_a_class,
)
