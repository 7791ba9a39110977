"""A process of the user's own: no server, the program answers by itself."""

from pathlib import Path

from generator.target import Target
from generator.targets.predictor.options import Options
from generator.targets.predictor.plan import bundle, names, plan
from generator.targets.predictor.rules import RULES

TARGET = Target(
    name="predictor",
    title="Stand-alone predictor",
    summary="a program with its transforms inside, and a script that needs torch and Pillow only",
    schema=Path(__file__).with_name("options.schema.json"),
    options=Options,
    rules=RULES,
    plan=plan,
    bundle=bundle,
    names=names,
    live="generator.targets.predictor.live",
)
