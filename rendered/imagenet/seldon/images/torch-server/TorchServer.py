"""Runs any TorchScript program with one input and one output in Seldon Core.

Tensors in and out; messages.py says how they are sent.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from seldon_core.user_model import SeldonResponse

from messages import Refused, tensor_message, tensor_of

MODEL_URI = "/mnt/models"  # where the model is downloaded to


class TorchServer:
    """Runs the model on the tensor of a request."""

    def __init__(self, model_uri: str = MODEL_URI) -> None:
        """Take the model's folder, which a parameter of the node may name."""
        self.path = Path(model_uri) / "model.pt"

    def load(self) -> None:
        """Load the program, in each worker."""
        self.one_at_a_time = threading.Lock()  # more threads than CPUs collapse throughput
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        try:
            self.model = torch.jit.load(str(self.path), map_location=self.device).eval()
        except (AttributeError, NotImplementedError) as error:
            # By these the wrapper would know a class that has no load, and serve all the same.
            raise RuntimeError(f"{self.path} cannot be run: {error!r}") from error

    def predict(
        self, X: object, names: Sequence[str], meta: dict[str, object] | None = None
    ) -> SeldonResponse | np.ndarray:
        """Answer in the form of the request: with raw bytes, or with numbers."""
        tensor = tensor_of(X, meta)
        try:
            output = self.infer(tensor)
        except (torch.jit.Error, RuntimeError, ValueError, IndexError) as error:
            if "CUDA" in str(error) or "memory" in str(error):  # not the sender's failure
                raise
            reason = "".join(str(error).strip().splitlines()[-1:])
            raise Refused(f"the model does not take this: {reason}") from error
        return output if isinstance(X, np.ndarray) else tensor_message(output)

    def infer(self, tensor: np.ndarray) -> np.ndarray:
        """Run the model on a tensor as it is."""
        with self.one_at_a_time, torch.inference_mode():
            output: np.ndarray = self.model(torch.from_numpy(tensor).to(self.device)).cpu().numpy()
        return output
