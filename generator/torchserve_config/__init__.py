"""TorchServe's config.properties: what TorchServe 0.12 makes of a text, told offline."""

from generator.torchserve_config.catalogue import RULES, WARNINGS
from generator.torchserve_config.rules import Refusal, refusals
from generator.torchserve_config.settings import settings_problems

__all__ = ["RULES", "WARNINGS", "Refusal", "refusals", "settings_problems"]
