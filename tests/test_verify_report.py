"""How a door fares, and the table, JSON and summary of it."""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

np = pytest.importorskip("numpy")
pytest.importorskip("torch")
pytest.importorskip("PIL.Image")

from generator.live import Answer, Door, Entries, Refused, Unanswered  # noqa: E402
from generator.project import Batching, Model, Project, Serving, Tensor  # noqa: E402
from generator.verify import Verdict  # noqa: E402
from generator.verify.asking import TIMED_REQUESTS, Row, ask  # noqa: E402
from generator.verify.compare import DEFAULT, Tolerance  # noqa: E402
from generator.verify.golden import Golden  # noqa: E402
from generator.verify.reference import Expected  # noqa: E402
from generator.verify.report import summary, table, to_json  # noqa: E402

PROJECT = Project(
    name="pets",
    target="triton",
    folder=Path(),
    model=Model(
        inputs=(Tensor("image", "float32", ("N", 3)),),
        outputs=(Tensor("logits", "float32", ("N", 2)),),
    ),
    serving=Serving(batching=Batching(max_size=4)),
)
CAT = Entries(("cat", "dog"), (0.75, 0.25))
EVERY = (("cat", 0.75), ("dog", 0.25))
GOLDEN = (
    Golden(b"1", Expected(CAT, EVERY), "picture 1"),
    Golden(b"2", Expected(CAT, EVERY), "picture 2"),
    Golden(b"3", Expected(CAT, EVERY), "picture 3"),
    Golden(b"half", Expected(None), "half a picture"),
)


def door(
    answer: Callable[[Sequence[Any]], Sequence[Answer]], largest: int | None = None, **more: Any
) -> Door:
    return Door(PROJECT, "door", "v1 JSON", "image", answer, largest, **more)


def cats(samples: Sequence[Any]) -> Sequence[Answer]:
    if b"half" in samples:
        raise Refused("400 broken")
    return [CAT for _ in samples]


def test_each_sample_goes_alone_and_then_all_go_together_and_then_one_is_timed() -> None:
    asked: list[int] = []

    def counted(samples: Sequence[Any]) -> Sequence[Answer]:
        asked.append(len(samples))
        return cats(samples)

    row = ask(door(counted), GOLDEN, Tolerance())

    assert asked == [1, 1, 1, 1, 5] + [1] * TIMED_REQUESTS  # its model takes 4 at once
    assert (row.answers, row.same_best, row.ranked, row.difference) == (8, 8, 8, 0.0)
    assert row.complaint is None
    assert row.latency_seconds is not None


@pytest.mark.parametrize(("largest", "requests"), [(1, [1] * 4), (2, [1, 1, 1, 1, 2, 2])])
def test_no_request_is_larger_than_the_door_takes(largest: int, requests: list[int]) -> None:
    asked: list[int] = []

    def counted(samples: Sequence[Any]) -> Sequence[Answer]:
        asked.append(len(samples))
        return cats(samples)

    ask(door(counted, largest, timed=False), GOLDEN, Tolerance())

    assert asked == requests


def test_tensors_of_other_shapes_go_apart() -> None:
    shapes: list[list[tuple[int, ...]]] = []
    golden = [
        Golden((np.zeros(size),), Expected(CAT, EVERY), "tensor")
        for size in ((2, 3), (4, 5), (2, 3))
    ]

    def seen(samples: Sequence[Any]) -> Sequence[Answer]:
        shapes.append([array.shape for (array,) in samples])
        return [CAT for _ in samples]

    ask(door(seen, timed=False), golden, Tolerance())

    assert shapes[3:] == [[(2, 3)] * 5, [(4, 5)] * 5]


def test_a_door_that_has_nothing_to_say_has_not_been_compared() -> None:
    nothing = Expected(Entries((), ()), EVERY)
    golden = [Golden(b"1", nothing, "picture 1")]

    complaint = ask(
        door(lambda samples: [Entries((), ()) for _ in samples]), golden, DEFAULT
    ).complaint

    assert complaint is not None
    assert "--images" in complaint


def raising(error: Exception) -> Callable[[Sequence[Any]], Sequence[Answer]]:
    def fail(samples: Sequence[Any]) -> Sequence[Answer]:
        raise error

    return fail


def wrong_when_together(samples: Sequence[Any]) -> Sequence[Answer]:
    mixed = Entries(("cat", "dog"), (0.7, 0.3))
    return [mixed for _ in samples] if len(samples) > 1 else cats(samples)


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (raising(Unanswered("503 no worker")), "picture 1: 503 no worker"),
        (raising(Refused("400 no such field")), "picture 1: refused: 400 no such field"),
        (lambda samples: [CAT for _ in samples], "half a picture: answered, where"),
        (lambda samples: [], "picture 1: 0 answers"),
        (wrong_when_together, "picture 1: cat 0.7, the eager model cat 0.75"),
    ],
)
def test_what_a_door_does_wrong_is_told(
    answer: Callable[[Sequence[Any]], Sequence[Answer]], complaint: str
) -> None:
    row = ask(door(answer), GOLDEN, Tolerance())

    assert row.complaint is not None
    assert row.complaint.startswith(complaint)
    assert row.latency_seconds is None


def test_a_door_that_fails_while_it_is_timed_disagrees() -> None:
    calls = iter(range(100))

    def tired(samples: Sequence[Any]) -> Sequence[Answer]:
        if next(calls) > 20:
            raise Unanswered("silence")
        return cats(samples)

    complaint = ask(door(tired), GOLDEN, Tolerance()).complaint

    assert complaint == f"request 17 of {TIMED_REQUESTS}: silence"


def test_a_door_in_the_users_own_words_has_to_answer() -> None:
    def anything(samples: Sequence[Any]) -> Sequence[Answer]:
        cats(samples)
        return []

    answering = ask(door(anything, compared=False), GOLDEN, Tolerance())
    silent = ask(door(raising(Unanswered("503")), compared=False), GOLDEN, Tolerance())

    assert (answering.complaint, answering.answers, answering.difference) == (None, 0, None)
    assert silent.complaint == "picture 1: 503"


def row(**changes: Any) -> Row:
    values = {
        "model": "pets",
        "door": "Triton /infer",
        "protocol": "v2 gRPC",
        "compared": True,
        "answers": 9,
        "difference": 1.5e-6,
        "same_best": 9,
        "ranked": 9,
        "latency_seconds": 0.0123,
        "complaint": None,
    }
    return Row(**(values | changes))


RIGHT = Verdict(PurePosixPath("pets/triton"), (row(),), ("no GPU",), ())
WRONG = Verdict(
    PurePosixPath("pets/seldon"),
    (row(difference=math.inf, same_best=2, latency_seconds=None, complaint="picture 3: dog"),),
    ("no GPU", "no operator"),
    (),
)
OWN = Verdict(
    PurePosixPath("found/torchserve"),
    (row(compared=False, answers=0, difference=None, ranked=0, latency_seconds=None),),
    (),
    (),
)
BROKEN = Verdict(PurePosixPath("cars/triton"), (), ("no GPU",), (), refusal="E1 bad dims")
ABSENT = Verdict(PurePosixPath("ships/triton"), (), (), (), not_here="it wants a GPU")


def test_the_table_has_a_line_for_each_door_and_tells_what_is_wrong_and_not_shown() -> None:
    assert table([RIGHT, WRONG, OWN, BROKEN, ABSENT]) == "\n".join(
        [
            "target            model  door           protocol  largest difference  best class"
            "  median",
            "pets/triton       pets   Triton /infer  v2 gRPC   1.5e-06             9/9         "
            "12.3 ms  agrees",
            "pets/seldon       pets   Triton /infer  v2 gRPC   inf                 2/9         "
            "-        DISAGREES",
            "found/torchserve  pets   Triton /infer  v2 gRPC   -                   -           "
            "-        answers",
            "",
            "pets/seldon: Triton /infer, v2 gRPC: picture 3: dog",
            "cars/triton: E1 bad dims",
            "ships/triton: not verified: it wants a GPU",
            "",
            "Not shown here (docs/verification.md):",
            "- no GPU",
            "- no operator",
        ]
    )


@pytest.mark.parametrize(
    ("verdicts", "told"),
    [
        ([], "no door was asked"),
        ([ABSENT], "no door was asked; 1 of 1 deployments not verified here"),
        ([RIGHT], "1 of 1 doors agree with the eager model"),
        ([RIGHT, WRONG], "1 of 2 doors agree with the eager model; 1 disagree"),
        (
            [RIGHT, BROKEN, ABSENT],
            "1 of 1 doors agree with the eager model; 1 of 3 deployments refused by their server; "
            "1 of 3 deployments not verified here",
        ),
    ],
)
def test_the_summary_counts(verdicts: list[Verdict], told: str) -> None:
    assert summary(verdicts) == told


def test_the_json_is_json_and_says_the_same() -> None:
    told = json.loads(json.dumps(to_json([RIGHT, WRONG, BROKEN]), allow_nan=False))

    assert told["agrees"] is False
    assert [each["agrees"] for each in told["deployments"]] == [True, False, False]
    assert to_json([])["agrees"] is to_json([ABSENT])["agrees"] is False
    [door] = told["deployments"][1]["doors"]
    assert (door["verdict"], door["largest_difference"]) == ("disagrees", None)
    assert told["deployments"][2]["refusal"] == "E1 bad dims"
