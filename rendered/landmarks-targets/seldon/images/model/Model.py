"""The model of landmarks-targets in Seldon Core, with its transforms.

Encoded images in, classes with probabilities out; messages.py says how they are sent.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from messages import encoded_images, of_each
from transforms import postprocess, preprocess

MODEL_URI = "/mnt/models"  # where the model is downloaded to
WARM_UP_RUNS = 3  # TorchScript optimizes in its first runs, which take longest
WARM_UP_SAMPLE = np.zeros((3, 224, 224), dtype=np.uint8)


class Model:
    """Transforms images, runs the model on them and answers for each."""

    def __init__(self, model_uri: str = MODEL_URI) -> None:
        """Take the model's folder, which a parameter of the node may name."""
        self.path = Path(model_uri) / "model.pt"

    def load(self) -> None:
        """Load the program and run it, so that a worker counts as ready only when it can answer."""
        self.one_at_a_time = threading.Lock()  # more threads than CPUs collapse throughput
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        try:
            self.model = torch.jit.load(str(self.path), map_location=self.device).eval()
            for _ in range(WARM_UP_RUNS):
                self.run(WARM_UP_SAMPLE)
        except (AttributeError, NotImplementedError) as error:
            # By these the wrapper would know a class that has no load, and serve all the same.
            raise RuntimeError(f"{self.path} cannot be run: {error!r}") from error

    def predict(
        self, X: object, names: Sequence[str], meta: dict[str, object] | None = None
    ) -> dict[str, object]:
        """Answer for each image."""
        outputs = of_each(encoded_images(X), self.infer)
        return {"predictions": [postprocess(output) for output in outputs]}

    def infer(self, image: bytes) -> np.ndarray:
        """Run the program on the pixels of one image; raises ValueError with what it refuses."""
        try:
            return self.run(preprocess(image).transpose(2, 0, 1).copy())
        except torch.jit.Error as error:
            _, is_refused, reason = str(error).rpartition("builtins.ValueError: ")
            if not is_refused:
                raise
            raise ValueError(reason.strip()) from error

    def run(self, pixels: np.ndarray) -> np.ndarray:
        """Run the program on one image, uint8 [channels, height, width]."""
        with self.one_at_a_time, torch.inference_mode():
            output: np.ndarray = self.model(torch.from_numpy(pixels).to(self.device)).cpu().numpy()
        return output
