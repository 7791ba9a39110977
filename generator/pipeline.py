"""The straight line from a spec to the text of every file that deploys it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from generator import acceptance, source
from generator.artefact import RenderedFile
from generator.diagnostics import CannotRun, Diagnostic, Rejected
from generator.document import Document, Pointer
from generator.patches import MANIFESTS, Patch, patched
from generator.problem import Problem, located
from generator.render import render
from generator.validate import Deployment, validate
from generator.views import EVERYTHING, Selection


@dataclass(frozen=True)
class Build:
    """What one spec becomes: every file's text, and warnings.

    Paths start at the folder that holds all projects.
    """

    project: str
    files: tuple[RenderedFile, ...]
    deployments: tuple[Deployment, ...]
    warnings: tuple[Diagnostic, ...] = ()


def build(path: str, text: bytes, folder: Path, selection: Selection = EVERYTHING) -> Build:
    """Load, validate, plan, render and accept one spec; raises Rejected."""
    return build_document(source.load(path, text, folder), selection)


def build_document(document: Document, selection: Selection = EVERYTHING) -> Build:
    """`build` of a spec that has been loaded."""
    deployments, warnings = validate(document, selection)
    if not deployments:
        raise CannotRun(f"{document.place(()).text.path}: no target of this spec is selected")
    files = [file for deployment in deployments for file in _rendered(deployment)]
    return Build(deployments[0].project.name, tuple(files), tuple(deployments), warnings)


def folder_of(deployment: Deployment) -> PurePosixPath:
    """Where a deployment's files lie: project, environment if any, target."""
    return deployment.project.place


def _rendered(deployment: Deployment) -> Iterator[RenderedFile]:
    """The files of one deployment, patched and accepted."""
    artefacts = deployment.target.plan(deployment.project, deployment.options)
    files = [render(artefact) for artefact in sorted(artefacts, key=lambda a: a.path)]
    at: Pointer = ("targets", deployment.target.name, "patches")
    files, problems = patched(files, deployment.options.patches, at)
    rule, document = "patches/does-not-apply", deployment.document
    flaws = [located(problem, rule, document) for problem in problems]
    if not flaws:
        flaws = list(_refused(files, deployment))
    if flaws:
        raise Rejected(flaws)
    for file in files:
        yield replace(file, path=folder_of(deployment) / file.path)


def _refused(files: list[RenderedFile], deployment: Deployment) -> Iterator[Diagnostic]:
    """What acceptance says, at the patch that touched the file or else at the target."""
    for refusal in acceptance.refusals(files):
        pointer: Pointer = ("targets", deployment.target.name)
        pointer += _last_patch(refusal.file, deployment.options.patches)
        message = f"{refusal.file.path}: {refusal.where}: {refusal.message}"
        problem = Problem(pointer, message, refusal.hint)
        yield located(problem, f"acceptance/{refusal.system}", deployment.document)


def _last_patch(file: RenderedFile, patches: tuple[Patch, ...]) -> Pointer:
    if file.path.parent.name != MANIFESTS:
        return ()
    touching = [n for n, patch in enumerate(patches) if patch.manifest == file.path.name]
    return ("patches", touching[-1]) if touching else ()
