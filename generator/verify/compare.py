"""How far an answer is from the eager model's."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from generator.live import Answer, Custom, Entries, Tensors
from generator.project import Project
from generator.verify.reference import Expected

HALF = 1e-2  # float16 has three digits
BEYOND = 1e6  # what masks and fillers are: no measure for other numbers
SCALE_OF_ZEROS = 0.1


@dataclass(frozen=True)
class Tolerance:
    """How far a number may be off: `relative` times its value, plus `absolute` times a scale.

    The scale is the mean magnitude of the numbers that stand beside it. The defaults leave room
    for float32 operations in another order, and for nothing else: a wrong mean, another resize or
    a swapped channel is orders of magnitude beyond them.
    """

    relative: float = 1e-4
    absolute: float = 1e-5

    def hold(self, got: Any, want: Any, scale: float) -> Any:
        """Where the numbers of an array are near enough; NaN is near NaN, infinity is itself."""
        room = self.absolute * scale + self.relative * np.abs(want)
        with np.errstate(invalid="ignore"):
            near = np.abs(got - want) <= np.where(np.isfinite(want), room, 0.0)
        return near | (got == want) | (np.isnan(got) & np.isnan(want))


DEFAULT = Tolerance()


def tolerance_for(project: Project, asked: Tolerance) -> Tolerance:
    """The tolerance for a project's answers: at least that of half precision where it has that."""
    tensors = (*project.model.inputs, *project.model.outputs)
    if not any(tensor.dtype == "float16" for tensor in tensors):
        return asked
    return replace(asked, relative=max(asked.relative, HALF), absolute=max(asked.absolute, HALF))


@dataclass(frozen=True)
class Comparison:
    """The largest difference of an answer's numbers, infinite where they cannot be compared.

    `numbers` is how many there were. `same_best`: the best class is the eager model's, None where
    an answer ranks none. `complaint` says what is wrong, None where nothing is.
    """

    difference: float
    same_best: bool | None
    complaint: str | None
    numbers: int = 0


def compare(got: Answer, expected: Expected, tolerance: Tolerance) -> Comparison:
    """Hold an answer against the eager model's."""
    want = expected.answer
    if isinstance(got, Entries) and isinstance(want, Entries):
        return _compare_entries(got, want, expected.every, tolerance)
    if isinstance(got, Tensors) and isinstance(want, Tensors):
        return _compare_tensors(got, want, tolerance)
    if isinstance(got, Custom) and isinstance(want, Custom):
        return _compare_json(got.value, want.value, tolerance)
    return Comparison(math.inf, None, f"answers {_told(got)} in place of {_told(want)}")


def _compare_entries(
    got: Entries, want: Entries, every: Sequence[tuple[Any, float]], tolerance: Tolerance
) -> Comparison:
    """Classes in the eager model's order, each with its value; near equals may change places."""
    same_best = got.labels[:1] == want.labels[:1] if want.labels else None
    if len(got.values) != len(want.values):
        told = f"{len(got.values)} classes in place of {len(want.values)}"
        return Comparison(math.inf, same_best, told)
    scale = _scale(np.array([value for _, value in every]))
    difference, complaint = 0.0, None
    for place, (label, value) in enumerate(zip(got.labels, got.values, strict=True)):
        own = [known for name, known in every if name == label] or [math.inf]
        nearest = min(own, key=lambda known: abs(known - value))
        for wanted in (nearest, want.values[place]):
            difference = max(difference, float(_apart(np.float64(value), np.float64(wanted))))
            if complaint is None and not tolerance.hold(value, wanted, scale):
                eager = f"{want.labels[place]} {want.values[place]:.6g}"
                complaint = f"{label} {value:.6g}, the eager model {eager}"
    best = same_best if complaint or same_best is None else True  # a near equal is as good
    return Comparison(difference, best, complaint, len(want.values))


def _compare_tensors(got: Tensors, want: Tensors, tolerance: Tolerance) -> Comparison:
    if len(got.arrays) != len(want.arrays):
        told = f"{len(got.arrays)} outputs in place of {len(want.arrays)}"
        return Comparison(math.inf, None, told)
    difference, complaint = 0.0, None
    for mine, eager in zip(got.arrays, want.arrays, strict=True):
        if mine.shape != eager.shape:
            told = f"shape {list(mine.shape)} in place of {list(eager.shape)}"
            return Comparison(math.inf, None, told)
        if mine.dtype.kind not in "biuf":
            return Comparison(math.inf, None, f"{_told(mine)}, which are no numbers")
        complaint = complaint or _complaint(mine, eager, tolerance)
        apart = _apart(mine.astype(np.float64), eager.astype(np.float64))
        difference = max(difference, float(apart.max(initial=0)))
    best = _same_best(got.arrays[0], want.arrays[0])
    best = best if complaint or best is None else True  # a near equal is as good
    return Comparison(difference, best, complaint, sum(array.size for array in want.arrays))


def _complaint(mine: Any, eager: Any, tolerance: Tolerance) -> str | None:
    """Where an array is too far from the eager one; whole numbers are the same."""
    left, right = mine.astype(np.float64), eager.astype(np.float64)
    is_whole = eager.dtype.kind in "biu"
    near = mine == eager if is_whole else tolerance.hold(left, right, _scale(right))
    if np.all(near):
        return None
    place = np.unravel_index(np.argmax(np.where(near, -1.0, _apart(left, right))), left.shape)
    at = f" at {list(map(int, place))}" if place else ""
    digits = ".17g" if is_whole else ".6g"
    return f"{left[place]:{digits}}{at}, the eager model {right[place]:{digits}}"


def _scale(numbers: Any) -> float:
    """The mean magnitude of numbers, those aside that are fillers."""
    magnitudes = np.abs(numbers[np.isfinite(numbers)])
    mean = magnitudes[magnitudes <= BEYOND].astype(np.float64)
    return float(mean.mean()) if mean.any() else SCALE_OF_ZEROS


def _apart(left: Any, right: Any) -> Any:
    """Absolute differences; none between equals, infinite or not a number, else infinite there."""
    with np.errstate(invalid="ignore"):
        apart = np.abs(left - right)
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    return np.where(same, 0.0, np.where(np.isnan(apart), np.inf, apart))


def _same_best(got: Any, want: Any) -> bool | None:
    """Whether a vector's largest element stands where the eager one's does."""
    return bool(got.argmax() == want.argmax()) if want.ndim == 1 and want.size > 1 else None


def _compare_json(got: object, want: object, tolerance: Tolerance) -> Comparison:
    """JSON with the same structure and texts, and with numbers that are near enough."""
    pairs: list[tuple[float, float]] = []
    if not _is_alike(got, want, pairs):
        return Comparison(math.inf, None, f"{_told(got)}, the eager model {_told(want)}")
    scale = _scale(np.array([wanted for _, wanted in pairs]))
    far = [pair for pair in pairs if not tolerance.hold(*pair, scale)]
    complaint = f"{far[0][0]:.6g}, the eager model {far[0][1]:.6g}" if far else None
    difference = max((float(_apart(np.float64(a), np.float64(b))) for a, b in pairs), default=0.0)
    return Comparison(difference, None, complaint, 1)


def _is_alike(got: object, want: object, pairs: list[tuple[float, float]]) -> bool:
    """Whether two JSON values are the same but for their fractions, which are gathered."""
    if isinstance(got, bool) or isinstance(want, bool):
        return got is want
    if isinstance(got, int) and isinstance(want, int):
        return got == want
    if isinstance(got, int | float) and isinstance(want, int | float):
        pairs.append((float(got), float(want)))
        return True
    if isinstance(got, Mapping) and isinstance(want, Mapping):
        return set(got) == set(want) and all(_is_alike(got[k], want[k], pairs) for k in want)
    if isinstance(got, list | tuple) and isinstance(want, list | tuple):
        return len(got) == len(want) and all(
            _is_alike(a, b, pairs) for a, b in zip(got, want, strict=True)
        )
    return got == want


def _told(value: object) -> str:
    return " ".join(str(value).split())[:120]
