"""What a well-formed config.pbtxt must not say: Triton refuses it at load, or worse, takes it.

[core] is src/model_config_utils.cc of triton-inference-server/core; [ran] was seen on a real
tritonserver 2.51.0, which refused the model, took the config in silence, or crashed. A rule is a
generator function over one model, listed in the RULES of its module.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import PurePosixPath

from msgspec.structs import replace

from generator.model_config_rules import (
    backends,
    batching,
    ensembles,
    instances,
    repository,
    sequences,
    tensors,
)
from generator.model_config_rules.model import Model
from generator.pbtxt import Refusal, parse

Rule = Callable[[Model], Iterator[Refusal]]

RULES: tuple[Rule, ...] = (
    *tensors.RULES,
    *batching.RULES,
    *sequences.RULES,
    *instances.RULES,
    *ensembles.RULES,
    *backends.RULES,
    *repository.RULES,
)


def broken_rules(
    text: str,
    *,
    folder: str | None = None,
    server_cache: bool | None = False,
    files: Collection[str] | None = None,
) -> Iterator[Refusal]:
    """Yield, rule by rule, what a config.pbtxt without `refusals` says that it must not.

    `folder` is the name of the model's folder, where the config lies in one, and `files` are the
    paths below it ("labels.txt", "1/model.pt"), where somebody has looked. `server_cache` tells
    whether the server runs with --cache-config; None where that is unknown.
    """
    paths = None if files is None else frozenset(map(PurePosixPath, files))
    model = Model(parse(text), folder, paths, server_cache)
    for rule in RULES:
        for refusal in rule(model):
            name = f"config-pbtxt/{rule.__name__.replace('_', '-')}"
            yield replace(refusal, rule=name)
