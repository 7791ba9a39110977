"""How the images of Seldon's nodes are built: with a Dockerfile, or by Seldon's s2i builder."""

from collections.abc import Iterator, Sequence

from generator.artefact import Artefact, artefact
from generator.project import Project
from generator.targets.seldon.options import Options
from generator.targets.seldon.packages import (
    CONDA_PYTHON,
    base_image,
    builder_image,
    constraints,
    python_of,
    requirements,
)
from generator.targets.seldon.service import Component, Service
from generator.workload import PERF, bundle_path, pinned

MODEL = "model.pt"  # in the bundle, and where an image holds it
_INDEXES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL")
_TEMPLATES = "seldon/images"
# assemble and run of Seldon's builders: wrappers/s2i/python/s2i/bin/ of SeldonIO/seldon-core.
# API_TYPE, which they wanted before 1.5, is left out: those builders have Python 3.6 or 3.7.
_PERSISTENCE = "0"  # assemble demands the variable, and the wrapper ignores it
_CONDA_ENV_NAME = "microservice"  # what both fall back to


def image_files(
    project: Project,
    options: Options,
    service: Service,
    component: Component,
    files: Sequence[str],
) -> Iterator[Artefact]:
    """What makes an image of a node's code, from its own folder on.

    `files` are the names of the code files that lie beside.
    """
    wanted = {"requirements": requirements(project, options, component)}
    pins = {"constraints": constraints(project, options, component)}
    if options.builder == "s2i":
        yield from _s2i_files(options, component, wanted | pins)
        return
    values = {
        "role": component.role,
        "base_image": pinned(project, base_image(options)),
        "constrained": bool(pins["constraints"]),
        "model": MODEL if _holds_model(service, component) else None,
        "has_torch": component.role == "model",
        "files": sorted([*files, "serve.py"]),
        "class_name": component.class_name,
        "service_type": component.service_type,
    }
    yield artefact("Dockerfile", f"{_TEMPLATES}/Dockerfile.j2", values)
    yield artefact("serve.py", f"{_TEMPLATES}/serve.py.j2")
    yield artefact("requirements.txt", "common/requirements.txt.j2", wanted)
    if pins["constraints"]:
        yield artefact("constraints.txt", f"{_TEMPLATES}/constraints.txt.j2", pins)


def build_script(project: Project, options: Options, service: Service) -> Iterator[Artefact]:
    """scripts/build.sh: builds the images of the nodes and of the load test, and pushes them."""
    folders = {component.folder: component for component in service.components}
    images = []
    for folder, name in service.images.items():
        image: dict[str, object] = {"name": name, "folder": f"images/{folder}"}
        if folder in folders:
            image["arguments"] = _INDEXES
            if _holds_model(service, folders[folder]):
                image["program"] = MODEL
        images.append(image)
    values: dict[str, object] = {"images": images}
    if service.holds_model:
        values["bundle"] = bundle_path(project)
    template = "common/scripts/build.sh.j2"
    if options.builder == "s2i" and service.components:
        template = "seldon/scripts/build.sh.j2"
        values["builder_image"] = pinned(project, builder_image(options))
        values["perf"] = f"images/{PERF}"
    elif service.components:
        values["arguments"] = _INDEXES
    yield artefact("scripts/build.sh", template, values, executable=True)


def _s2i_files(
    options: Options, component: Component, packages: dict[str, tuple[str, ...]]
) -> Iterator[Artefact]:
    """What assemble reads; it installs from the first of the files that it knows, and no other."""
    conda = None
    if options.dependencies == "conda":
        conda = options.conda_env_name or _CONDA_ENV_NAME
        environment = {
            "conda_env_name": conda,
            "python": python_of(options) or CONDA_PYTHON,
            **packages,
        }
        yield artefact("environment.yml", f"{_TEMPLATES}/environment.yml.j2", environment)
        if packages["constraints"]:
            yield artefact("constraints.txt", f"{_TEMPLATES}/constraints.txt.j2", packages)
    else:
        template = "common/requirements.txt.j2"
        yield artefact("requirements.txt", template, packages)
    values = {
        "class_name": component.class_name,
        "service_type": component.service_type,
        "persistence": _PERSISTENCE,
        "conda_env_name": conda,
    }
    yield artefact(".s2i/environment", f"{_TEMPLATES}/environment.j2", values)


def _holds_model(service: Service, component: Component) -> bool:
    return service.holds_model and component.role == "model"
