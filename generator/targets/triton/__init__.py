"""KServe with NVIDIA Triton."""

from pathlib import Path

from generator.target import Target
from generator.targets.triton.options import Options
from generator.targets.triton.plan import bundle, names, plan
from generator.targets.triton.rules import RULES

TARGET = Target(
    name="triton",
    title="KServe with Triton",
    summary="InferenceService, Triton model repository, transformer component",
    schema=Path(__file__).with_name("options.schema.json"),
    options=Options,
    rules=RULES,
    plan=plan,
    bundle=bundle,
    names=names,
    live="generator.targets.triton.live",
)
