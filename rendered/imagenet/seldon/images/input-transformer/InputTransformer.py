"""The input transformer of imagenet in Seldon Core.

Encoded images in, the model's input out; messages.py says how they are sent.
"""

from __future__ import annotations

from collections.abc import Sequence

from seldon_core.user_model import SeldonResponse

from messages import encoded_images, joined, of_each, tensor_message
from transforms import preprocess


class InputTransformer:
    """Turns the images of a request into the model's input."""

    def transform_input(
        self, X: object, names: Sequence[str], meta: dict[str, object] | None = None
    ) -> SeldonResponse:
        """Send on one tensor."""
        samples = of_each(encoded_images(X), preprocess)
        return tensor_message(joined(samples))
