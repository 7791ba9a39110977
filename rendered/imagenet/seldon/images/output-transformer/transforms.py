"""From the model's output to the answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypedDict

import numpy as np

CLASS_NAMES: list[str] = json.loads(
    Path(__file__).with_name("class_names.json").read_text(encoding="utf-8")
)


class Entry(TypedDict):
    """One class of an answer."""

    class_name: str
    probability: float


def postprocess(output: np.ndarray) -> list[Entry]:
    """Turn the model's output for one sample into its best class."""
    scores = softmax(output)
    return [
        {"class_name": CLASS_NAMES[index], "probability": float(scores[index])}
        for index in argmax(scores)
    ]


def softmax(scores: np.ndarray) -> np.ndarray:
    """Turn the scores of one sample into probabilities that sum to 1."""
    probabilities: np.ndarray = np.exp(scores.astype(np.float32) - np.float32(scores.max()))
    probabilities /= probabilities.sum()
    return probabilities


def argmax(scores: np.ndarray) -> np.ndarray:
    """Find the index of the best score."""
    return np.array([scores.argmax()])
