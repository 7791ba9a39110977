"""TorchServe handler of mnist-component: the model's tensors in and out.

TorchServe makes one object of the only class in this module; bodies.py says what it is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from ts.context import Context

from bodies import OUTPUTS, Answer, Request, Tensors, answer, read, refusal

MAX_BATCH_SIZE = 8
THREADS = 1
WARM_UP_RUNS = 3  # TorchScript optimizes in its first runs, which take longest
WARM_UP_SAMPLE: list[np.ndarray] = [
    np.zeros((1, 1, 28, 28), dtype=np.float32),
]


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
        answers: dict[int, Answer] = {}
        requests: dict[int, Request] = {}
        for index, row in enumerate(data):
            headers = context.get_all_request_header(index)
            try:
                if headers.get("explain") == "True":
                    raise ValueError("this model gives no explanations")
                requests[index] = read(row, headers)
            except ValueError as error:
                answers[index] = refusal(error)
        for index, outcome in self.outcomes(requests).items():
            try:
                if isinstance(outcome, ValueError):
                    raise outcome
                answers[index] = answer(requests[index], outcome, self.described)
            except ValueError as error:
                answers[index] = refusal(error)
        for index, each in answers.items():
            context.set_response_status(each.status, each.phrase, index)
            for name, value in each.headers.items():
                context.set_response_header(index, name, value)
        return [answers[index].body for index in range(len(data))]

    def outcomes(self, requests: Mapping[int, Request]) -> dict[int, list[Tensors] | ValueError]:
        """Give what the model makes of each request; one that it cannot take fails no other."""
        try:
            outputs = iter(self.infer([call for r in requests.values() for call in r.calls]))
            return {index: [next(outputs) for _ in r.calls] for index, r in requests.items()}
        except (torch.jit.Error, RuntimeError, ValueError, IndexError) as error:
            if "CUDA" in str(error):  # TorchServe answers that with 507
                raise
            if len(requests) > 1:
                each = [self.outcomes({index: request}) for index, request in requests.items()]
                return {index: outcome for alone in each for index, outcome in alone.items()}
            reason = str(error).strip().splitlines()[-1:]
            refused = ValueError(f"the model does not take this: {''.join(reason)}")
            return dict.fromkeys(requests, refused)

    def infer(self, calls: Sequence[Sequence[np.ndarray]]) -> list[Tensors]:
        """Run the model on all calls joined, in batches of the size that it takes."""
        if not calls:
            return []
        joined = [np.concatenate(tensors) for tensors in zip(*calls)]
        batches = [
            self.run([tensor[start : start + MAX_BATCH_SIZE] for tensor in joined])
            for start in range(0, len(joined[0]), MAX_BATCH_SIZE)
        ]
        ends = np.cumsum([len(call[0]) for call in calls])[:-1]
        parts = {
            name: np.split(np.concatenate([batch[name] for batch in batches]), ends)
            for name in OUTPUTS
        }
        return [{name: parts[name][index] for name in OUTPUTS} for index in range(len(calls))]

    def run(self, tensors: Sequence[np.ndarray]) -> Tensors:
        """Run the model once; gives its outputs by name."""
        with torch.inference_mode():
            outputs = self.model(*(torch.from_numpy(each).to(self.device) for each in tensors))
        if isinstance(outputs, torch.Tensor):
            outputs = (outputs,)
        return {name: output.cpu().numpy() for name, output in zip(OUTPUTS, outputs)}
