"""The files of a project in Seldon Core."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from msgspec.structs import replace

from generator.artefact import Artefact, artefact
from generator.network import policy_files
from generator.planning import kustomization, load_test_files, load_test_values
from generator.project import Project
from generator.target import Bundle, Names, Program
from generator.targets.seldon.admin import admin_files
from generator.targets.seldon.callers import caller_files
from generator.targets.seldon.code import component_code
from generator.targets.seldon.images import MODEL, build_script, image_files
from generator.targets.seldon.load_test import load_test
from generator.targets.seldon.manifests import deployment_values
from generator.targets.seldon.network import open_to
from generator.targets.seldon.options import Options
from generator.targets.seldon.runbook import runbook_values
from generator.targets.seldon.service import Component, Service, describe, is_triton
from generator.targets.triton import options as triton
from generator.targets.triton.repository import program_path, repository_files


def plan(project: Project, options: Options) -> list[Artefact]:
    """List every file to render, from the target's folder on."""
    service = describe(project, options)
    perf_values = load_test_values(load_test(project, service) if project.perf else None)
    job = str(perf_values["job_name"]) if perf_values else None
    runbook = runbook_values(project, options, service, job=job)
    return [
        *_manifests(project, options, service),
        *(_repository(project, service) if is_triton(options) else ()),
        *(file for each in service.components for file in _image(project, options, service, each)),
        *caller_files(project, options, service),
        *load_test_files(project, perf_values),
        *(build_script(project, options, service) if service.images else ()),
        *admin_files(project, options, service),
        artefact("README.md", "seldon/README.md.j2", runbook),
    ]


def bundle(project: Project, options: Options) -> Bundle:
    """The program, where the class that serves it looks for it, or Triton."""
    if is_triton(options):
        path = program_path(project, describe(project, options).model_node)
        return Bundle(programs=(Program(project, path),))
    return Bundle(programs=(Program(project, PurePosixPath(MODEL)),))


def names(project: Project, options: Options) -> Names:
    """What the project is called in the cluster and in the registry."""
    service = describe(project, options)
    images: dict[str, object] = {}
    for component in service.components:
        if component.image:
            files = tuple(_image(project, options, service, component))
            holds_model = component.role == "model" and service.holds_model
            images[component.image] = files, project.environment if holds_model else None
    return Names(f"{service.name}-{service.predictor}", images)


def _manifests(project: Project, options: Options, service: Service) -> Iterator[Artefact]:
    path = "manifests/seldondeployment.yaml"
    yield artefact(path, f"seldon/{path}.j2", deployment_values(project, options, service))
    policies = policy_files(project, service.name, open_to(project, options, service))
    yield from policies
    names = [policy.path.name for policy in policies]
    yield kustomization("manifests", ["seldondeployment.yaml", *names])


def _repository(project: Project, service: Service) -> Iterator[Artefact]:
    """models/: Triton's model repository, in which the model is called like the node."""
    names = triton.Names(model=service.model_node)
    return repository_files(project, triton.Options(names=names))


def _image(
    project: Project, options: Options, service: Service, component: Component
) -> Iterator[Artefact]:
    """images/<folder>/: a node's class, and what makes an image of it."""
    code = list(component_code(project, service, component))
    files = [str(file.path) for file in code]
    for file in (*code, *image_files(project, options, service, component, files)):
        yield replace(file, path=PurePosixPath("images", component.folder) / file.path)
