"""TorchServe handler of an object detector: an image in, the objects found in it out.

The image is the body, or a form field named data. The answer is a list, best first, of
{class name: [left, top, right, bottom] in pixels, "score": probability}.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from detection import detector
from PIL import Image
from ts.context import Context

CLASS_NAMES = "coco_classes.json"
LEAST_SCORE = 0.5


class Detector:
    """Answers the requests of a batch, each with a status of its own."""

    def initialize(self, context: Context) -> None:
        """Load the weights and run them once, so that a worker that is ready can answer."""
        gpu = context.system_properties.get("gpu_id")
        self.device = torch.device("cpu" if gpu is None else f"cuda:{gpu}")
        folder = Path(context.system_properties["model_dir"])
        self.class_names = json.loads((folder / CLASS_NAMES).read_text(encoding="utf-8"))
        weights = folder / context.manifest["model"]["serializedFile"]
        self.model = detector()
        self.model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        self.model.eval().to(self.device)
        self.objects(torch.zeros(3, 64, 64))

    def handle(self, data: Sequence[Mapping[str, object]], context: Context) -> list[object]:
        """Answer each request; what is wrong with one is told to its sender alone."""
        answers: list[object] = []
        for index, row in enumerate(data):
            context.set_response_content_type(index, "application/json")
            try:
                answers.append(self.objects(picture(row.get("body") or row.get("data"))))
            except ValueError as error:
                context.set_response_status(400, "Bad Request", index)
                answers.append({"error": str(error)})
        return answers

    def objects(self, image: torch.Tensor) -> list[dict[str, object]]:
        """What the detector finds in an image with at least LEAST_SCORE, best first."""
        with torch.inference_mode():
            [found] = self.model([image.to(self.device)])
        labels, boxes, scores = (found[name].tolist() for name in ("labels", "boxes", "scores"))
        return [
            {self.class_names[label]: boxes[index], "score": scores[index]}
            for index, label in enumerate(labels)
            if scores[index] >= LEAST_SCORE
        ]


def picture(encoded: object) -> torch.Tensor:
    """Decode an image to float32 [3, height, width], 0 to 1; raises ValueError where it is none."""
    if not isinstance(encoded, (bytes, bytearray)) or not encoded:
        raise ValueError("there is no image: send it as the body, or as form field data")
    try:
        image = Image.open(io.BytesIO(encoded)).convert("RGB")
    except Exception as error:  # Pillow raises nearly anything on broken data
        raise ValueError("the image is broken or of an unknown format") from error
    values = np.asarray(image, dtype=np.float32) / 255
    return torch.from_numpy(values.transpose(2, 0, 1).copy())
