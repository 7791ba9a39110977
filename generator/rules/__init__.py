"""Rules that hold for every target; a target's own stand in its package."""

from generator.rules import (
    cluster,
    credentials,
    export,
    gitops,
    model,
    perf,
    placement,
    resources,
    serving,
    tensors,
    transforms,
)
from generator.target import Rule

RULES: dict[str, tuple[Rule, ...]] = {
    "model": model.RULES,
    "export": export.RULES,
    "tensors": tensors.RULES,
    "transforms": transforms.RULES,
    "resources": resources.RULES,
    "serving": serving.RULES,
    "perf": perf.RULES,
    "cluster": cluster.RULES,
    "placement": placement.RULES,
    "credentials": credentials.RULES,
    "gitops": gitops.RULES,
}
