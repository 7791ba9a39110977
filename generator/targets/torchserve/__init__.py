"""TorchServe, under KServe or alone."""

from pathlib import Path

from generator.target import Target
from generator.targets.torchserve.options import Options
from generator.targets.torchserve.plan import bundle, names, plan
from generator.targets.torchserve.rules import RULES

TARGET = Target(
    name="torchserve",
    title="TorchServe",
    summary="under KServe, in Kubernetes or docker: archives with handlers, configuration",
    schema=Path(__file__).with_name("options.schema.json"),
    options=Options,
    rules=RULES,
    plan=plan,
    bundle=bundle,
    names=names,
    live="generator.targets.torchserve.live",
)
