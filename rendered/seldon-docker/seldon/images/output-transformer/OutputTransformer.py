"""The output transformer of seldon-docker in Seldon Core.

The model's output in, classes with probabilities out; messages.py says how they are sent.
"""

from __future__ import annotations

from collections.abc import Sequence

from messages import tensor_of
from transforms import postprocess


class OutputTransformer:
    """Turns the model's output into the answer."""

    def transform_output(
        self, X: object, names: Sequence[str], meta: dict[str, object] | None = None
    ) -> dict[str, object]:
        """Answer for each sample."""
        return {"predictions": [postprocess(output) for output in tensor_of(X, meta)]}
