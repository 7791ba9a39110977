"""The stand-alone predictor: its program and its script, as a process for each call."""

import contextlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from generator.engines import EngineError, Report, environments
from generator.live import Answer, Door, Live, Unanswered
from generator.live.image_requests import prediction_answer
from generator.live.program import printed_of_images
from generator.project import Project
from generator.targets.predictor.options import Options
from generator.targets.predictor.plan import PROGRAM

SCRIPT = "predict.py"


@contextlib.contextmanager
def serve(
    project: Project, _options: Options, rendered: Path, bundle: Path, _report: Report
) -> Iterator[Sequence[Door]]:
    """Open the one door: the rendered script with the exported program, on this interpreter.

    Raises EngineError where the interpreter has no torch, or a file is missing.
    """
    environments.torch_packages()
    for path in (rendered / SCRIPT, bundle / PROGRAM):
        if not path.is_file():
            raise EngineError(f"{path} does not exist")
    ask = partial(_ask, project, rendered / SCRIPT, bundle / PROGRAM)
    yield (Door(project, SCRIPT, "files", "image", ask, timed=False),)


def _ask(project: Project, script: Path, program: Path, images: Sequence[bytes]) -> list[Answer]:
    arguments = ("--model", str(program.resolve()), "--json")
    lines = printed_of_images(script, arguments, images)
    try:
        return [prediction_answer(project, line["answer"]) for line in lines]
    except (KeyError, TypeError):
        raise Unanswered(f"{SCRIPT} printed no answers: {str(lines)[:300]}") from None


LIVE = Live(
    serve=serve,
    limits=(
        "predict.py runs on the torch and Pillow of this interpreter, not on those of its"
        " requirements.txt",
    ),
)
