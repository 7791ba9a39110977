"""Seldon Core v1."""

from pathlib import Path

from generator.target import Target
from generator.targets.seldon.options import Options
from generator.targets.seldon.plan import bundle, names, plan
from generator.targets.seldon.rules import RULES

TARGET = Target(
    name="seldon",
    title="Seldon Core",
    summary="SeldonDeployment, a Python class for each node, s2i or Dockerfile",
    schema=Path(__file__).with_name("options.schema.json"),
    options=Options,
    rules=RULES,
    plan=plan,
    bundle=bundle,
    names=names,
    live="generator.targets.seldon.live",
)
