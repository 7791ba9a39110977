"""The model of ranker in Seldon Core.

Tensors in and out; messages.py says how they are sent.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from seldon_core.user_model import SeldonResponse

from messages import tensor_message, tensor_of

MODEL_URI = "/mnt/models"  # where the model is downloaded to
MAX_BATCH_SIZE = 1
WARM_UP_RUNS = 3  # TorchScript optimizes in its first runs, which take longest
WARM_UP_TENSOR = np.zeros((1, 64), dtype=np.float32)


class Model:
    """Runs the model on the tensor of a request."""

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
                self.infer(WARM_UP_TENSOR)
        except (AttributeError, NotImplementedError) as error:
            # By these the wrapper would know a class that has no load, and serve all the same.
            raise RuntimeError(f"{self.path} cannot be run: {error!r}") from error

    def predict(
        self, X: object, names: Sequence[str], meta: dict[str, object] | None = None
    ) -> SeldonResponse | np.ndarray:
        """Answer in the form of the request: with raw bytes, or with numbers."""
        tensor = tensor_of(X, meta)
        output = self.infer(tensor)
        return output if isinstance(X, np.ndarray) else tensor_message(output)

    def infer(self, tensor: np.ndarray) -> np.ndarray:
        """Run the model on all samples, in batches of the size that it takes."""
        starts = range(0, len(tensor), MAX_BATCH_SIZE)
        return np.concatenate([self.run(tensor[i : i + MAX_BATCH_SIZE]) for i in starts])

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Run the model once."""
        with self.one_at_a_time, torch.inference_mode():
            output: np.ndarray = self.model(torch.from_numpy(batch).to(self.device)).cpu().numpy()
        return output
