"""The targets that a spec can name."""

from generator.targets import triton
from generator.targets.base import Target

TARGETS: dict[str, Target] = {
    "triton": triton.TARGET,
}
