"""Find out which dimensions are free, by varying those of the inputs one after the other."""

import itertools
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from generator.export.inspection.attempts import Attempts, Failure, Shapes
from generator.export.inspection.probe import BATCH, Found, dtypes
from generator.project import Dimension

LETTERS = "PQRSTUVXZKMABCDEFGIJOHWL"  # for what has none of its own; N is the batch
OTHER_BATCHES = (1, 3)
STEPS = (1, 2, 4, 8, 16, 32, 64)  # a network that halves sizes takes multiples only


@dataclass(frozen=True)
class Axis:
    """One dimension of an input."""

    tensor: int
    position: int


Group = tuple[tuple[Axis, ...], int]
"""Dimensions that are free as long as they are equal, and the step between the sizes they take."""


@dataclass(frozen=True)
class Free:
    """Dimensions of the inputs that are free, as long as they are equal.

    They were found at `size`, and take others that differ by whole steps.
    """

    axes: tuple[Axis, ...]
    letter: str
    size: int
    step: int = 1


@dataclass(frozen=True)
class Dimensions:
    """The shapes of all inputs and outputs with letters for what is free."""

    inputs: tuple[tuple[Dimension, ...], ...]
    outputs: tuple[tuple[Dimension, ...], ...]
    free: tuple[Free, ...]


def vary(attempts: Attempts, found: Found) -> Dimensions:
    """Name the dimensions of what was found; raises OutOfAttempts."""
    trials = _Trials(attempts, found, [(found.shapes, found.answer.shapes)])
    axes = [
        Axis(tensor, position)
        for tensor, guess in enumerate(found.guesses)
        for position, dimension in enumerate(guess.shape)
        if isinstance(dimension, str)
    ]
    batch = tuple(axis for axis in axes if axis.position == 0)
    if found.has_batch and _is_batch(trials, batch):
        free = [Free(batch, "N", BATCH)]
        free += _free(trials, [axis for axis in axes if axis not in batch])
    else:
        free = list(_free(trials, axes))
    letters = {axis: each.letter for each in free for axis in each.axes}
    inputs = tuple(
        tuple(letters.get(Axis(tensor, position), size) for position, size in enumerate(shape))
        for tensor, shape in enumerate(found.shapes)
    )
    return Dimensions(inputs, _outputs(trials.runs, free), tuple(free))


@dataclass
class _Trials:
    """What was found with other sizes, and the shapes of inputs and outputs each time it ran."""

    attempts: Attempts
    found: Found
    runs: list[tuple[Shapes, Shapes]] = field(default_factory=list)

    def take(self, axes: Sequence[Axis], size: int) -> Shapes | None:
        """The shapes of the outputs for these dimensions of this size; None where it fails."""
        shapes = tuple(
            tuple(size if Axis(tensor, at) in axes else former for at, former in enumerate(shape))
            for tensor, shape in enumerate(self.found.shapes)
        )
        answer = self.attempts.answer(dtypes(self.found.guesses), shapes)
        if isinstance(answer, Failure) or not _alike(answer.shapes, self.found.answer.shapes):
            return None
        self.runs.append((shapes, answer.shapes))
        return answer.shapes

    def size(self, axis: Axis) -> int:
        """The size that a dimension was found at."""
        return self.found.shapes[axis.tensor][axis.position]


def _alike(some: Shapes, others: Shapes) -> bool:
    return list(map(len, some)) == list(map(len, others))


def _free(trials: _Trials, axes: Sequence[Axis]) -> Iterator[Free]:
    """Those dimensions that are free, alone or together, each with a letter of its own."""
    taken = {"N"}
    for together, step in _groups(trials, axes):
        first = together[0]
        wanted = str(trials.found.guesses[first.tensor].shape[first.position])
        own = "B" if wanted == "N" else wanted
        letter = _unused(taken) if own in taken else own
        taken.add(letter)
        yield Free(together, letter, trials.size(first), step)


def _groups(trials: _Trials, axes: Sequence[Axis]) -> Iterator[Group]:
    bound = defaultdict(list)
    for axis in axes:
        if step := _step(trials, (axis,)):
            yield (axis,), step
        else:
            bound[trials.size(axis)].append(axis)
    for equal in bound.values():
        yield from _free_together(trials, equal)


def _unused(taken: Collection[str]) -> str:
    """A letter that is not taken, while there are any."""
    return next((letter for letter in LETTERS if letter not in taken), LETTERS[-1])


def _is_batch(trials: _Trials, axes: tuple[Axis, ...]) -> bool:
    """Whether all outputs begin with the batch, whatever its size."""
    return all(
        outputs is not None and all(shape[0] == size for shape in outputs)
        for size in OTHER_BATCHES
        for outputs in [trials.take(axes, size)]
    )


def _free_together(trials: _Trials, equal: Sequence[Axis]) -> Iterator[Group]:
    """Those of some dimensions of one size that are free as long as they are equal."""
    left = list(equal)
    for together in (tuple(equal), *itertools.combinations(equal, 2)):
        if len(together) < 2 or not set(together) <= set(left):
            continue
        if step := _step(trials, together):
            yield together, step
            left = [axis for axis in left if axis not in together]


def _step(trials: _Trials, axes: tuple[Axis, ...]) -> int:
    """The step between sizes that these dimensions take; 0 where they take no other."""
    size = trials.size(axes[0])
    if trials.take(axes, 2 * size) is None:
        return 0
    for step in STEPS:
        if all(trials.take(axes, size + times * step) is not None for times in (1, 3)):
            return step
    return 0


def _outputs(
    runs: Sequence[tuple[Shapes, Shapes]], free: Sequence[Free]
) -> tuple[tuple[Dimension, ...], ...]:
    """Each dimension of the outputs: its size, or the letter of the input that it follows."""
    inputs, outputs = [run[0] for run in runs], [run[1] for run in runs]
    letters = {_sizes(inputs, each.axes[0]): each.letter for each in reversed(free)}
    batch = next((sizes for sizes, letter in letters.items() if letter == "N"), None)

    def dimension(tensor: int, position: int) -> Dimension:
        sizes = _sizes(outputs, Axis(tensor, position))
        if len(set(sizes)) == 1:
            return sizes[0]
        if sizes == batch:
            return "N" if position == 0 else _unused(letters.values())
        return letters.setdefault(sizes, _unused(letters.values()))

    return tuple(
        tuple(dimension(tensor, position) for position in range(len(shape)))
        for tensor, shape in enumerate(outputs[0])
    )


def _sizes(runs: Sequence[Shapes], axis: Axis) -> tuple[int, ...]:
    """The sizes of one dimension, run by run."""
    return tuple(shapes[axis.tensor][axis.position] for shapes in runs)
