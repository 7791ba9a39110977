"""The model of seldon-server in Seldon Core, with its transforms.

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

MODEL_URI = str(Path(__file__).parent)  # the image holds the model
MAX_BATCH_SIZE = 8
WARM_UP_RUNS = 3  # TorchScript optimizes in its first runs, which take longest
WARM_UP_SAMPLE = np.zeros((1, 28, 28), dtype=np.float32)


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
                self.infer([WARM_UP_SAMPLE])
        except (AttributeError, NotImplementedError) as error:
            # By these the wrapper would know a class that has no load, and serve all the same.
            raise RuntimeError(f"{self.path} cannot be run: {error!r}") from error

    def predict(
        self, X: object, names: Sequence[str], meta: dict[str, object] | None = None
    ) -> dict[str, object]:
        """Answer for each image."""
        outputs = self.infer(of_each(encoded_images(X), preprocess))
        return {"predictions": [postprocess(output) for output in outputs]}

    def infer(self, samples: list[np.ndarray]) -> list[np.ndarray]:
        """Run the model on all samples, in batches of the size that it takes."""
        outputs: list[np.ndarray] = []
        for start in range(0, len(samples), MAX_BATCH_SIZE):
            batch = torch.from_numpy(np.stack(samples[start : start + MAX_BATCH_SIZE]))
            with self.one_at_a_time, torch.inference_mode():
                outputs.extend(self.model(batch.to(self.device)).cpu().numpy())
        return outputs
