"""The targets that a spec can name."""

from generator.target import Target
from generator.targets import predictor, torchserve, triton

TARGETS: dict[str, Target] = {
    "triton": triton.TARGET,
    "torchserve": torchserve.TARGET,
    "predictor": predictor.TARGET,
}
