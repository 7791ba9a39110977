"""Serve a deployment on the real servers, and hold every door's answers against the eager model."""

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from generator.artefact import RenderedFile
from generator.diagnostics import CannotRun
from generator.engines import EngineError, EngineMissing, Report, silent
from generator.export import record
from generator.export.refusal import refusals_located
from generator.export.users_code import own_modules
from generator.live import Live, NotHere
from generator.pipeline import folder_of
from generator.project import Project
from generator.validate import Deployment
from generator.verify.asking import Row, ask
from generator.verify.compare import DEFAULT, Tolerance
from generator.verify.eager import Eager


@dataclass(frozen=True)
class Verdict:
    """What became of a deployment: rows of its doors, and `limits` of what they show.

    `refusal` holds the words of a server that did not take the artefacts, or ended; `not_here`
    says why this machine cannot serve them; `stale` says what has changed since the export.
    """

    place: PurePosixPath
    rows: tuple[Row, ...]
    limits: tuple[str, ...]
    stale: tuple[str, ...]
    refusal: str | None = None
    not_here: str | None = None

    @property
    def agrees(self) -> bool:
        """Whether doors were asked, and nothing disagrees with the eager model."""
        return bool(self.rows) and not self.refusal and not any(r.complaint for r in self.rows)


def verify(
    deployment: Deployment,
    rendered: Path,
    build: Path,
    *,
    files: Sequence[RenderedFile] = (),
    images: Path | None = None,
    tolerance: Tolerance = DEFAULT,
    report: Report = silent,
) -> Verdict:
    """Serve what lies in the folders of renders and exports as it is, and ask every door.

    `files` are those that the spec renders now: what has changed since the export is told. Golden
    samples are made of `images`, a folder, where one is given. Raises CannotRun where something is
    missing, Rejected where the eager model cannot be had.
    """
    place = folder_of(deployment)
    live = _live(deployment)
    folders = _existing(rendered / place, "render"), _existing(build / place, "export")
    bundle = folders[1]
    held = record.read(bundle)
    stale = tuple(record.differences(deployment, bundle, files))
    random_weights = held is not None and held.random_weights
    models = {
        each.name: Eager(each, images, random_weights=random_weights)
        for each in _projects(deployment.project)
    }
    rows: list[Row] = []
    refusal = not_here = None
    report("starting its servers")
    try:
        with (
            own_modules(),
            live.serve(deployment.project, deployment.options, *folders, report) as doors,
        ):
            for door in doors:
                report(f"asking {door.name}, {door.protocol}")
                with refusals_located(deployment, door.project):
                    golden = models[door.project.name].golden(door.kind)
                rows.append(ask(door, golden, tolerance))
    except EngineMissing as missing:
        raise CannotRun(str(missing)) from missing
    except NotHere as reason:
        not_here = str(reason)
    except EngineError as error:
        refusal = str(error)
    except OSError as error:
        raise CannotRun(f"{place}: {error.filename or 'a server'}: {error.strerror}") from error
    limits = live.limits + tuple(_own_programs(deployment.project))
    return Verdict(place, tuple(rows), limits, stale, refusal, not_here)


def _own_programs(project: Project) -> Iterator[str]:
    """Which models have no eager module to be held against."""
    for each in _projects(project):
        if each.model.program:
            yield f"the reference of {each.name} is its program, run here: there is no module of it"


def _live(deployment: Deployment) -> Live:
    """How the deployment's target is served on this machine."""
    name = deployment.target.live
    if name is None:
        raise CannotRun(f"gen verify cannot serve target {deployment.target.name} yet")
    live = importlib.import_module(name).LIVE
    assert isinstance(live, Live)
    return live


def _existing(folder: Path, command: str) -> Path:
    if not folder.is_dir():
        raise CannotRun(f"there is no {folder}: run gen {command} first")
    return folder


def _projects(project: Project) -> list[Project]:
    """The project and those that the same server holds."""
    return [project, *(served.project for served in project.also_serves)]
