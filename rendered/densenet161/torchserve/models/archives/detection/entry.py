"""The handler of detection: TorchServe wants a module with a single class, which this one is."""

from detection_handler import Detector as Written


class Handler(Written):
    """Detector of detection_handler.py."""
