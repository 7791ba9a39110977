"""The targets that a spec can name."""

from generator.target import Target
from generator.targets import predictor, seldon, torchserve, triton

TARGETS: dict[str, Target] = {
    "triton": triton.TARGET,
    "torchserve": torchserve.TARGET,
    "seldon": seldon.TARGET,
    "predictor": predictor.TARGET,
}
