"""The straight line from a spec to the text of every file that deploys it."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from msgspec import Struct
from msgspec.structs import replace

from generator import acceptance, defaults, image_rules, pinning
from generator.artefact import RenderedFile
from generator.cluster import cluster_of
from generator.diagnostics import CannotRun, Diagnostic, Rejected, in_file_order
from generator.document import Document, Pointer
from generator.manifest_events import Readings, readings
from generator.patches import MANIFESTS, Patch, patched
from generator.planned import planned, rendered
from generator.problem import Problem, located
from generator.selection import EVERYTHING, Selection
from generator.validate import Deployment, validate


class Build(Struct, frozen=True):
    """What one spec becomes: every file's text, and warnings.

    Paths start at the folder that holds all projects.
    """

    project: str
    files: tuple[RenderedFile, ...]
    deployments: tuple[Deployment, ...]
    warnings: tuple[Diagnostic, ...] = ()


def build(path: str, text: bytes, folder: Path, selection: Selection = EVERYTHING) -> Build:
    """Load, validate, plan, render and accept one spec; raises Rejected."""
    return build_document(defaults.load(path, text, folder), selection)


def build_document(document: Document, selection: Selection = EVERYTHING) -> Build:
    """`build` of a spec that has been loaded."""
    deployments, warnings = validate(document, selection)
    if not deployments:
        raise CannotRun(f"{document.place(()).text.path}: no target of this spec is selected")
    files: list[RenderedFile] = []
    told = list(warnings)
    for deployment in deployments:
        accepted, more = _rendered(deployment)
        files += accepted
        told += more
    project = deployments[0].project.name
    return Build(project, tuple(files), tuple(deployments), in_file_order(told))


def folder_of(deployment: Deployment) -> PurePosixPath:
    """Where a deployment's files lie: project, environment if any, target."""
    return deployment.project.place


def _rendered(deployment: Deployment) -> tuple[list[RenderedFile], list[Diagnostic]]:
    """The files of one deployment, patched and accepted, and warnings of them."""
    artefacts = planned(deployment.target, deployment.project, deployment.options)
    files = rendered(artefacts, deployment.project)
    at: Pointer = ("targets", deployment.target.name, "patches")
    patches = deployment.options.patches
    files, problems = patched(files, patches, at)
    files = pinning.pinned(files, patches, deployment.project.locked)
    rule, document = "patches/does-not-apply", deployment.document
    flaws = [located(problem, rule, document) for problem in problems]
    if not flaws:
        read = readings(files)
        flaws = [*_refused(files, deployment, read), *_images(files, deployment, read)]
    if any(flaw.severity == "error" for flaw in flaws):
        raise Rejected(flaws)
    place = folder_of(deployment)
    return [replace(file, path=place / file.path) for file in files], flaws


def _refused(
    files: list[RenderedFile], deployment: Deployment, read: Readings
) -> Iterator[Diagnostic]:
    """What acceptance says, at the patch that touched the file or else at the target."""
    accepted = deployment.project.accepted_warnings
    is_shut = deployment.project.security.read_only_root  # else a writable root is what is meant
    for refusal in acceptance.refusals(files, cluster_of(deployment.project), read):
        if refusal.severity == "warning" and refusal.rule in accepted:
            continue
        if refusal.rule == "pod-security/writable-root" and not is_shut:
            continue
        pointer: Pointer = ("targets", deployment.target.name)
        pointer += _last_patch(refusal.file, deployment.options.patches)
        message = f"{refusal.file.path}: {refusal.where}: {refusal.message}"
        problem = Problem(pointer, message, refusal.hint, refusal.severity)
        yield located(problem, refusal.rule, deployment.document)


def _images(
    files: list[RenderedFile], deployment: Deployment, read: Readings
) -> Iterator[Diagnostic]:
    """What the rules on images say."""
    project, options = deployment.project, deployment.options
    return image_rules.found(project, options, deployment.document, files, read)


def _last_patch(file: RenderedFile, patches: tuple[Patch, ...]) -> Pointer:
    if file.path.parent.name != MANIFESTS:
        return ()
    touching = [n for n, patch in enumerate(patches) if patch.manifest == file.path.name]
    return ("patches", touching[-1]) if touching else ()
