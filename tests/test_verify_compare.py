"""What counts as the eager model's answer, and what does not."""

import math
from pathlib import Path
from typing import Any

import pytest

np = pytest.importorskip("numpy")
pytest.importorskip("torch")
pytest.importorskip("PIL.Image")

from generator.live import Answer, Custom, Entries, Tensors  # noqa: E402
from generator.project import Model, Project, Tensor  # noqa: E402
from generator.verify.compare import Tolerance, compare, tolerance_for  # noqa: E402
from generator.verify.reference import Expected  # noqa: E402

EVERY = (("cat", 0.5), ("dog", 0.3), ("bird", 0.15), ("fish", 0.05))
PETS = Expected(Entries(("cat", "dog"), (0.5, 0.3)), EVERY)
TIED = Expected(
    Entries(("cat", "dog"), (0.4, 0.4)), (("cat", 0.4), ("dog", 0.400_000_1), ("bird", 0.2))
)
TWINS = Expected(Entries(("crane", "crane"), (0.6, 0.3)), (("crane", 0.6), ("crane", 0.3)))
TENSOR = Expected(Tensors((np.array([1.0, -2.0, 3.0], np.float32),)))


def tensors(*values: float) -> Tensors:
    return Tensors((np.array(values, np.float32),))


def whole(*values: int) -> Tensors:
    return Tensors((np.array(values, np.int64),))


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (Entries(("cat", "dog"), (0.5, 0.3)), PETS),
        (Entries(("cat", "dog"), (0.500_04, 0.299_98)), PETS),
        (Entries(("dog", "cat"), (0.4, 0.4)), TIED),
        (Entries(("crane", "crane"), (0.6, 0.3)), TWINS),
        (tensors(1.0, -2.0, 3.0), TENSOR),
        (tensors(1.000_05, -2.0, 3.000_2), TENSOR),
        (tensors(math.nan, math.inf), Expected(tensors(math.nan, math.inf))),
        (Custom({"a": [1.0, "x", None]}), Expected(Custom({"a": [1.000_001, "x", None]}))),
        (tensors(1000.0, 1e-4), Expected(tensors(1000.0, 3e-4))),
        (tensors(-1e9, 5.0), Expected(tensors(-1e9, 5.000_1))),
        (tensors(0.0, 1e-7), Expected(tensors(0.0, 0.0))),
    ],
)
def test_agrees(got: Answer, expected: Expected) -> None:
    found = compare(got, expected, Tolerance())

    assert found.complaint is None
    assert found.difference < 1e-3
    assert found.same_best is not False


@pytest.mark.parametrize(
    ("got", "expected", "says"),
    [
        (Entries(("dog", "cat"), (0.5, 0.3)), PETS, "dog 0.5, the eager model cat 0.5"),
        (Entries(("cat", "dog"), (0.501, 0.3)), PETS, "cat 0.501, the eager model cat 0.5"),
        (Entries(("cat", "bird"), (0.5, 0.15)), PETS, "bird 0.15, the eager model dog 0.3"),
        (Entries(("cat", "cow"), (0.5, 0.3)), PETS, "cow 0.3, the eager model dog 0.3"),
        (Entries(("cat",), (0.5,)), PETS, "1 classes in place of 2"),
        (Entries((), ()), PETS, "0 classes in place of 2"),
        (Entries(("cat", "dog"), (0.5, math.nan)), PETS, "dog nan, the eager model dog 0.3"),
        (tensors(1.0, -2.0, 3.1), TENSOR, "3.1 at [2], the eager model 3"),
        (tensors(1.0, math.nan, 3.0), TENSOR, "nan at [1], the eager model -2"),
        (tensors(1.0, -2.0), TENSOR, "shape [2] in place of [3]"),
        (Tensors(()), TENSOR, "0 outputs in place of 1"),
        (Custom({"a": 1.0}), Expected(Custom({"a": 2.0})), "1, the eager model 2"),
        (
            Custom({"id": 100_001}),
            Expected(Custom({"id": 100_000})),
            "{'id': 100001}, the eager model {'id': 100000}",
        ),
        (tensors(-3e-6, 6e-6), Expected(tensors(1e-6, -2e-6)), "6e-06 at [1], the eager"),
        (tensors(-1e9, 0.0), Expected(tensors(-1e9, 5.0)), "0 at [1], the eager model 5"),
        (whole(30_001, 7), Expected(whole(30_000, 7)), "30001 at [0], the eager model 30000"),
        (Tensors((np.array(["a"]),)), Expected(tensors(1.0)), "['a'], which are no numbers"),
        (Custom({"a": True}), Expected(Custom({"a": 1})), "{'a': True}, the eager model {'a': 1}"),
        (Custom([1, 2]), Expected(Custom([1])), "[1, 2], the eager model [1]"),
        (tensors(1.0), PETS, "answers Tensors"),
    ],
)
def test_disagrees_and_says_where(got: Answer, expected: Expected, says: str) -> None:
    complaint = compare(got, expected, Tolerance()).complaint

    assert complaint is not None
    assert complaint.startswith(says)


@pytest.mark.parametrize(
    ("got", "best"), [(tensors(1, -2, 3), True), (tensors(5, -2, 3), False), (tensors(1.0), None)]
)
def test_tells_whether_the_best_class_is_the_same(got: Tensors, best: bool | None) -> None:
    expected = Expected(tensors(1.0)) if best is None else TENSOR

    assert compare(got, expected, Tolerance()).same_best is best


def test_the_tolerance_is_the_callers() -> None:
    loose = Tolerance(relative=0.1, absolute=0.0)

    assert compare(tensors(1.05, -2.0, 3.0), TENSOR, loose).complaint is None
    assert compare(tensors(1.05, -2.0, 3.0), TENSOR, Tolerance()).complaint is not None


def test_a_difference_of_half_precision_is_taken_in_double() -> None:
    big: Any = np.array([60000.0], np.float16)

    found = compare(Tensors((-big,)), Expected(Tensors((big,))), Tolerance())

    assert found.difference == 120000.0


def test_an_answer_of_nothing_compares_nothing() -> None:
    nothing = compare(Entries((), ()), Expected(Entries((), ()), EVERY), Tolerance())
    empty = compare(tensors(), Expected(tensors()), Tolerance())

    assert (nothing.numbers, nothing.same_best, nothing.complaint) == (0, None, None)
    assert (empty.numbers, empty.complaint) == (0, None)


def test_half_precision_has_three_digits() -> None:
    tensor = Tensor("logits", "float16", ("N", 2))
    project = Project(
        name="half", target="triton", folder=Path(), model=Model((tensor,), (tensor,))
    )

    assert tolerance_for(project, Tolerance()) == Tolerance(1e-2, 1e-2)
    assert tolerance_for(project, Tolerance(0.1, 0.1)) == Tolerance(0.1, 0.1)
