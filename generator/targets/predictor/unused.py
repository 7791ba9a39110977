"""What a spec can give that a process of the user's own has no use for."""

from collections.abc import Iterator

from msgspec.structs import fields

from generator.problem import Problem
from generator.project import Hardware, Kubernetes, Project, Security, Serving
from generator.target import TargetRule
from generator.targets.predictor.options import Options
from generator.unused import Idle, told


def no_effect(project: Project, _options: Options) -> Iterator[Problem]:
    """A program that stands alone has no server and no cluster around it."""
    yield from told(project, "predictor", _IDLE, severity="warning")


_NO_SERVER = ("there is no server", "remove it, or name a server in targets")
_ANY_MACHINE = ("it takes what the machine has", "remove it, or name a server in targets")
_IDLE = (
    *(Idle(("storage", key), *_NO_SERVER) for key in ("uri", "secret")),
    *(Idle(("serving", each.name), *_NO_SERVER) for each in fields(Serving)),
    *(Idle(("kubernetes", each.name), *_NO_SERVER) for each in fields(Kubernetes)),
    *(Idle((section,), *_NO_SERVER) for section in ("images", "perf", "gitops")),
    *(Idle(("hardware", each.name), *_ANY_MACHINE) for each in fields(Hardware)),
    *(Idle(("security", each.name), *_NO_SERVER) for each in fields(Security)),
    Idle(("model", "size"), *_NO_SERVER),
    Idle(("model", "files"), "only a TorchServe handler of your own has files beside it"),
)

RULES: tuple[TargetRule, ...] = (no_effect,)
