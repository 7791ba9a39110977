"""Rules that hold for every target; a target's own stand in its package."""

from generator.rules import cluster, export, model, perf, resources, serving, tensors, transforms
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
}
