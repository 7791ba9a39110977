"""What a target is: the one contract between the engine and a serving system."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from msgspec import Struct

from generator.artefact import Artefact
from generator.problem import Problem
from generator.project import Project

Rule = Callable[[Project], Iterator[Problem]]
TargetRule = Callable[[Project, Any], Iterator[Problem]]  # Any: the target's own options type


class Program(Struct, frozen=True):
    """The exported model of a project, and where it lies in the bundle.

    `by_name`: its server finds the inputs by the names of the spec, not by their order.
    """

    project: Project
    path: PurePosixPath
    by_name: bool = False


class Archive(Struct, frozen=True):
    """A TorchServe model archive that is made of a folder of the bundle, which it replaces.

    The folder holds the rendered code and, under the name `serialized`, the exported program.
    """

    path: PurePosixPath
    folder: PurePosixPath
    name: str
    version: str
    handler: str
    serialized: str


class Prebuilt(Struct, frozen=True):
    """A TorchServe model archive that the user has made; it is held against what it should be.

    `source` is a path relative to the project's spec or an http(s) URL, which has a `sha256`.
    """

    project: Project
    path: PurePosixPath
    source: str
    sha256: str | None
    name: str
    version: str


class Bundle(Struct, frozen=True):
    """What a target's bundle holds beside its text part, which is rendered under models/.

    `keeps` is a pattern of files that stay although they are no part of it any more.
    """

    programs: tuple[Program, ...] = ()
    archives: tuple[Archive, ...] = ()
    prebuilt: tuple[Prebuilt, ...] = ()
    keeps: str | None = None


class Names(Struct, frozen=True):
    """What a deployment is called outside its own folder, where another may be called the same.

    `service` is the name of its Kubernetes Service, None where there is none; `images` are the
    names of those that are built of this target's code, with all that decides what they hold.
    """

    service: str | None
    images: Mapping[str, object]


class Target(Struct, frozen=True):
    """One way to serve a project.

    `name` is the word of spec keys, folders and rule names; `options` is the dataclass that
    `schema` describes; `plan` lists the files of a project whose rules all passed; `bundle` says
    what gen export makes for its server; `names` what the project is called elsewhere. `live` is
    the module whose LIVE starts its real server, which gen verify alone imports; None: there is
    none yet.
    """

    name: str
    title: str
    summary: str
    schema: Path
    options: type
    rules: tuple[TargetRule, ...]
    plan: Callable[[Project, Any], list[Artefact]]  # Any: the target's own options type
    bundle: Callable[[Project, Any], Bundle]  # Any: likewise
    names: Callable[[Project, Any], Names]  # Any: likewise
    live: str | None = None
