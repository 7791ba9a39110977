"""gen verify on the stand-alone predictor: it agrees, and catches what is wrong."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from verified import NOT_NEAR, Copy, Made, disagreeing, doors, replaced

torch = pytest.importorskip("torch")
pytest.importorskip("tritonclient.http")

DOOR = ("predict.py", "files")


@pytest.fixture(scope="module")
def deployments(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("deployments"))


@pytest.fixture
def landmarks(deployments: Made, tmp_path: Path) -> Copy:
    return deployments.copied("landmarks.yaml", "predictor", tmp_path)


def test_the_script_agrees_with_the_eager_model(landmarks: Copy) -> None:
    before = landmarks.contents()

    verdict = landmarks.verify()

    assert (verdict.refusal, disagreeing(verdict)) == (None, {})
    assert doors(verdict) == {DOOR}
    [row] = verdict.rows
    assert row.answers >= 16
    assert row.same_best == row.ranked == row.answers
    assert row.latency_seconds is None
    assert landmarks.contents() == before


def program(copy: Copy) -> Path:
    return copy.bundle / "standalone_model.pt"


def altered(copy: Copy, change: Callable[[Any], None]) -> None:
    """Change the program of a copy."""
    module = torch.jit.load(program(copy))
    with torch.no_grad():
        change(module)
    module.save(str(program(copy)))


def other_weights(copy: Copy) -> None:
    def negate(module: Any) -> None:
        *_, last = module.parameters()
        last.neg_().add_(torch.arange(len(last)) % 7)

    altered(copy, negate)


def wrong_labels(copy: Copy) -> None:
    def rotate(module: Any) -> None:
        first, *others = module.class_names
        module.class_names = [*others, first]

    altered(copy, rotate)


def bgr(copy: Copy) -> None:
    script = copy.rendered / "predict.py"
    replaced(script, "3).permute(2, 0, 1)", "3).permute(2, 0, 1).flip(0)")


def other_program(copy: Copy) -> None:
    class Other(torch.nn.Module):  # type: ignore[misc, name-defined]  # torch is optional: Any
        def __init__(self) -> None:
            super().__init__()
            self.class_names = ["nowhere"]

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return image.float().mean().reshape(1)

    torch.jit.script(Other()).save(str(program(copy)))


def half_a_program(copy: Copy) -> None:
    program(copy).write_bytes(program(copy).read_bytes()[:1000])


def broken_script(copy: Copy) -> None:
    replaced(copy.rendered / "predict.py", "scores = output.tolist()", "scores = output.nothing()")


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (other_weights, NOT_NEAR),
        (wrong_labels, NOT_NEAR),
        (bgr, NOT_NEAR),
        (other_program, NOT_NEAR),
        (half_a_program, "is no program that loads"),
        (broken_script, "has no attribute 'nothing'"),
    ],
)
def test_a_broken_artefact_is_caught(
    landmarks: Copy, broken: Callable[[Copy], None], words: str
) -> None:
    broken(landmarks)

    verdict = landmarks.verify()

    assert not verdict.agrees
    assert re.search(words, disagreeing(verdict)[DOOR]), disagreeing(verdict)[DOOR]
