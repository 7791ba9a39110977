"""The files of a project that runs as a process of the user's own."""

from pathlib import PurePosixPath

from generator.artefact import Artefact, artefact
from generator.project import Project
from generator.target import Bundle, Names, Program
from generator.targets.predictor.options import Options
from generator.targets.predictor.predict import predict_code
from generator.targets.predictor.runbook import runbook_values

PROGRAM = "standalone_model.pt"
REQUIREMENTS = ("pillow==13.0.0", "torch==2.13.0")


def plan(project: Project, _options: Options) -> list[Artefact]:
    """List every file to render, from the target's folder on."""
    code = predict_code(project, PROGRAM)
    requirements = {"requirements": REQUIREMENTS}
    return [
        artefact("README.md", "predictor/README.md.j2", runbook_values(project, code)),
        artefact("predict.py", "predictor/predict.py.j2", {"code": code}),
        artefact("requirements.txt", "common/requirements.txt.j2", requirements),
    ]


def bundle(project: Project, _options: Options) -> Bundle:
    """The program, alone."""
    return Bundle(programs=(Program(project, PurePosixPath(PROGRAM)),))


def names(_project: Project, _options: Options) -> Names:
    """Nothing outside its folder is called after it."""
    return Names(None, {})
