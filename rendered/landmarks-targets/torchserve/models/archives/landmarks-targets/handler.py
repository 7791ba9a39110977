"""TorchServe handler of landmarks-targets: encoded images in, classes with probabilities out.

TorchServe makes one object of the only class in this module; bodies.py says what it is sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from ts.context import Context

from bodies import Request, answer, read
from transforms import postprocess

THREADS = 2
WARM_UP_RUNS = 3  # TorchScript optimizes in its first runs, which take longest
WARM_UP_SAMPLE = np.zeros((3, 224, 224), dtype=np.uint8)


class Handler:
    """Answers the requests of a batch, each in its own protocol and with a status of its own."""

    def initialize(self, context: Context) -> None:
        """Load the model and run it, so that a worker counts as ready only when it can answer."""
        torch.set_num_threads(THREADS)
        gpu = context.system_properties.get("gpu_id")
        self.device = torch.device("cpu" if gpu is None else f"cuda:{gpu}")
        self.described: dict[str, str] = context.manifest["model"]
        folder = Path(context.system_properties["model_dir"])
        path = folder / self.described["serializedFile"]
        self.model = torch.jit.load(path, map_location=self.device).eval()
        for _ in range(WARM_UP_RUNS):
            self.infer([WARM_UP_SAMPLE])

    def handle(self, data: Sequence[Mapping[str, object]], context: Context) -> list[bytes]:
        """Answer each request of a batch; what is wrong with one is told to its sender alone."""
        answers: dict[int, object] = {}
        requests: dict[int, Request] = {}
        outputs: dict[int, list[np.ndarray]] = {}
        for index, row in enumerate(data):
            context.set_response_content_type(index, "application/json")
            explains = context.get_request_header(index, "explain") == "True"
            try:
                if explains:
                    raise ValueError("this model gives no explanations")
                request = read(row)
                outputs[index] = self.infer(request.samples)
                requests[index] = request
            except ValueError as error:
                context.set_response_status(400, "Bad Request", index)
                answers[index] = {"error": str(error)}
        for index, request in requests.items():
            predictions = [postprocess(output) for output in outputs[index]]
            answers[index] = answer(request, predictions, self.described)
        return [json.dumps(answers[index]).encode() for index in range(len(data))]

    def infer(self, samples: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Run the program on one image after the other: they differ in size."""
        outputs: list[np.ndarray] = []
        for index, sample in enumerate(samples):
            try:
                with torch.inference_mode():
                    output = self.model(torch.from_numpy(sample).to(self.device))
            except torch.jit.Error as error:
                _, is_refused, reason = str(error).rpartition("builtins.ValueError: ")
                if not is_refused:
                    raise
                place = f"instance {index}: " if len(samples) > 1 else ""
                raise ValueError(place + reason.strip()) from error
            outputs.append(output.cpu().numpy())
        return outputs
