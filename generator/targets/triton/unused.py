"""What a spec can give that KServe with Triton has no use for."""

from collections.abc import Iterator

from generator.problem import Problem
from generator.project import Project
from generator.target import TargetRule
from generator.targets.triton.options import Options
from generator.targets.triton.service import describe, exposure
from generator.unused import Idle, told


def no_effect(project: Project, options: Options) -> Iterator[Problem]:
    """What Triton cannot express of a spec would be lost without a word."""
    yield from told(project, "triton", _idle(project, options), severity="warning")


def _idle(project: Project, options: Options) -> Iterator[Idle]:
    if not describe(project, options).has_transformer:
        why = "no component takes images: callers send arrays"
        yield Idle(("transforms", "request_field"), why)
    if not exposure(project, options).built:
        yield Idle(("images",), "no image is built")
    yield Idle(("model", "files"), "only a TorchServe handler of your own has files beside it")


RULES: tuple[TargetRule, ...] = (no_effect,)
