"""Find shapes that forward takes."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from generator.export.inspection.arguments import INPUTS
from generator.export.inspection.attempts import (
    Answer,
    Attempts,
    Failure,
    OutOfAttempts,
    Shapes,
)
from generator.export.inspection.guesses import Guess
from generator.export.refusal import Refusal
from generator.project import Dtype

Guesses = tuple[Guess, ...]
"""One for each input."""

# What most models take; then sizes of well-known data sets and models, and small ones.
USUAL_SIZES = (64, 32, 28, 224)
OTHER_SIZES = (96, 128, 299, 256, 48, 84, 112, 160, 192, 320, 384, 512, 16, 100, 50, 20, 10, 8, 4)
LARGEST_SIZE = 4096
BATCH = 2


@dataclass(frozen=True)
class Found:
    """Shapes that forward takes, and what they were guessed from.

    `has_batch`: the first dimension of every input and output is the batch.
    """

    guesses: Guesses
    shapes: Shapes
    answer: Answer
    has_batch: bool


def find(attempts: Attempts, names: Sequence[str], choices: Sequence[Guesses]) -> Found:
    """Shapes of the inputs with these names, each with its guesses; raises Refusal without any."""
    together = list(itertools.product(*choices))
    try:
        found = next(_all_found(attempts, together), None)
    except OutOfAttempts as limit:
        raise _not_found(attempts, names, choices, f"stopped after {limit}; ") from None
    if found is None:
        raise _not_found(attempts, names, choices, "")
    return found


def _all_found(attempts: Attempts, together: Sequence[Guesses]) -> Iterator[Found]:
    """What forward takes: with a batch if it can be, else without; a batch of one comes last."""
    for batch, has_batch in ((BATCH, True), (BATCH, False), (1, False)):
        meant = [each for each in together if not has_batch or _starts_with_batch(each)]
        for sizes, guesses in itertools.product((_usual, _other, _solved), meant):
            for size in sizes(attempts, guesses, batch):
                shapes = sized(guesses, batch, size)
                answer = attempts.answer(dtypes(guesses), shapes)
                if isinstance(answer, Answer) and (not has_batch or _follows(answer)):
                    yield Found(guesses, shapes, answer, has_batch)


def _starts_with_batch(guesses: Guesses) -> bool:
    return all(guess.shape[:1] == ("N",) for guess in guesses)


def _follows(answer: Answer) -> bool:
    """Whether all outputs begin with the batch."""
    return all(shape[:1] == (BATCH,) for shape in answer.shapes)


def sized(guesses: Guesses, batch: int, size: int) -> Shapes:
    """The guesses' shapes with one size for all letters."""
    return tuple(tuple(_sized(each, batch, size) for each in guess.shape) for guess in guesses)


def _sized(dimension: int | str, batch: int, size: int) -> int:
    if isinstance(dimension, int):
        return dimension
    return batch if dimension == "N" else size


def dtypes(guesses: Guesses) -> tuple[Dtype, ...]:
    """The dtype of each input."""
    return tuple(guess.dtype for guess in guesses)


def _has_letters(guesses: Guesses) -> bool:
    return any(isinstance(each, str) and each != "N" for guess in guesses for each in guess.shape)


def _usual(_attempts: Attempts, guesses: Guesses, _batch: int) -> Sequence[int]:
    return USUAL_SIZES if _has_letters(guesses) else (0,)


def _other(_attempts: Attempts, guesses: Guesses, _batch: int) -> Sequence[int]:
    return OTHER_SIZES if _has_letters(guesses) else ()


def _solved(attempts: Attempts, guesses: Guesses, batch: int) -> Iterator[int]:
    """Sizes by halving between those that make too few and too many features for a layer."""

    def features(size: int) -> tuple[int, int] | None:
        answer = attempts.answer(dtypes(guesses), sized(guesses, batch, size))
        if isinstance(answer, Failure):
            return answer.features
        return (answer.shapes[0][0], batch) if answer.shapes[0] else None  # of too many rows

    if not _has_letters(guesses):
        return
    known = {size: found for size in USUAL_SIZES + OTHER_SIZES if (found := features(size))}
    if len({made for made, _ in known.values()}) < 2:
        return  # no size makes a difference
    lower = max((size for size, (made, wanted) in known.items() if made < wanted), default=0)
    upper = min(
        (size for size, (made, wanted) in known.items() if made > wanted), default=LARGEST_SIZE
    )
    while upper - lower > 1:
        middle = (lower + upper) // 2
        yield middle
        made, wanted = features(middle) or (0, 0)  # without features it is too small for a layer
        if made > wanted or attempts.are_too_large(sized(guesses, batch, middle)):
            upper = middle
        else:
            lower = middle


def _not_found(
    attempts: Attempts, names: Sequence[str], choices: Sequence[Guesses], stopped: str
) -> Refusal:
    asked = [name for name, guesses in zip(names, choices, strict=True) if not is_given(guesses)]
    first = tuple(guesses[0] for guesses in choices)
    answer = attempts.answer(dtypes(first), sized(first, BATCH, USUAL_SIZES[0]))
    said = answer.said if isinstance(answer, Failure) else ""
    if not asked:
        message = f"forward does not take what --input gives: {said}"
        return Refusal(INPUTS, message, "give the dtypes and shapes that forward takes")
    tried = ", ".join(dict.fromkeys(map(_shown, itertools.chain(*choices))))
    listed = " and ".join(f"`{name}`" for name in asked)
    message = f"found no shape of {listed} that forward takes: {said}"
    ways = " ".join(f"--input {name}:float32:N,3,32,32" for name in asked)
    return Refusal(INPUTS, message, f"{stopped}tried {tried}; give it as in {ways}")


def is_given(guesses: Guesses) -> bool:
    """Whether the user has told an input."""
    return len(guesses) == 1 and guesses[0].is_given


def _shown(guess: Guess) -> str:
    return f"{guess.dtype} [{', '.join(map(str, guess.shape))}]"
