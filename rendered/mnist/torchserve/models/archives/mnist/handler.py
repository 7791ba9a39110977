"""TorchServe handler of mnist: encoded images in, classes with probabilities out.

TorchServe makes one object of the only class in this module; bodies.py says what it is sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from captum.attr import IntegratedGradients
from ts.context import Context

from bodies import Request, answer, explanation, read
from transforms import postprocess

MAX_BATCH_SIZE = 8
STEPS = 50  # of the integral
THREADS = 1
WARM_UP_RUNS = 3  # TorchScript optimizes in its first runs, which take longest
WARM_UP_SAMPLE = np.zeros((1, 28, 28), dtype=np.float32)


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
        for index, row in enumerate(data):
            context.set_response_content_type(index, "application/json")
            explains = context.get_request_header(index, "explain") == "True"
            try:
                request = read(row)
                if explains:
                    answers[index] = explanation(request, self.explain(request), self.described)
                else:
                    requests[index] = request
            except ValueError as error:
                context.set_response_status(400, "Bad Request", index)
                answers[index] = {"error": str(error)}
        outputs = iter(self.infer([each for r in requests.values() for each in r.samples]))
        for index, request in requests.items():
            predictions = [postprocess(next(outputs)) for _ in request.samples]
            answers[index] = answer(request, predictions, self.described)
        return [json.dumps(answers[index]).encode() for index in range(len(data))]

    def infer(self, samples: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Run the model on the samples of all requests, in batches of the size that it takes."""
        outputs: list[np.ndarray] = []
        for start in range(0, len(samples), MAX_BATCH_SIZE):
            batch = torch.from_numpy(np.stack(samples[start : start + MAX_BATCH_SIZE]))
            with torch.inference_mode():
                outputs.extend(self.model(batch.to(self.device)).cpu().numpy())
        return outputs

    def explain(self, request: Request) -> list[np.ndarray]:
        """Attribute the best class of each image to the values of the model's input."""
        return [self.attributions(each) for each in request.samples]

    def attributions(self, sample: np.ndarray) -> np.ndarray:
        """Integrate the gradients of one sample's best class on the way from zeros to it."""
        batch = torch.from_numpy(sample[np.newaxis]).to(self.device)
        with torch.no_grad():
            best = int(self.model(batch)[0].argmax())
        gradients = IntegratedGradients(self.model)
        found = gradients.attribute(
            batch, target=best, n_steps=STEPS, internal_batch_size=MAX_BATCH_SIZE
        )
        values: np.ndarray = found[0].detach().cpu().numpy().astype(np.float32)
        return values
