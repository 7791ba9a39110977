"""What a target is: the one contract between the engine and a serving system."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from generator.artefact import Artefact
from generator.problem import Problem
from generator.project import Project

Rule = Callable[[Project], Iterator[Problem]]
TargetRule = Callable[[Project, Any], Iterator[Problem]]  # Any: the target's own options type


@dataclass(frozen=True)
class Target:
    """One way to serve a project.

    `name` is the word of spec keys, folders and rule names; `options` is the dataclass that
    `schema` describes; `plan` lists the files of a project whose rules all passed; `program` is
    where the exported program lies in the bundle, whose text part is rendered under models/.
    """

    name: str
    title: str
    summary: str
    schema: Path
    options: type
    rules: tuple[TargetRule, ...]
    plan: Callable[[Project, Any], list[Artefact]]  # Any: the target's own options type
    program: Callable[[Project, Any], PurePosixPath]  # Any: likewise
