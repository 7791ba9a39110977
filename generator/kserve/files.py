"""The files that every target under KServe renders."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from generator.artefact import Artefact, artefact
from generator.kserve.exposure import TRANSFORMER
from generator.planning import PYTHON_IMAGE, kustomization
from generator.project import Project
from generator.storage import scheme
from generator.transforms.component import (
    TransformerCode,
    component_constraints,
    component_requirements,
)
from generator.transforms.files import transforms_files
from generator.workload import pinned

_SECRETS_WITH_A_SCRIPT = ("gs", "s3", "hf")


def manifest_files(
    service: Mapping[str, object],
    runtime: Mapping[str, object] | None,
    budgets: Iterable[tuple[str, Mapping[str, object]]],
    policies: Iterable[Artefact] = (),
) -> Iterator[Artefact]:
    """manifests/: the InferenceService, the runtime that it names where that is rendered, budgets.

    `budgets` are the values of each by the name of its manifest.
    """
    resources = ["inferenceservice.yaml"]
    if runtime:
        resources.insert(0, "servingruntime.yaml")
        template = "kserve/manifests/servingruntime.yaml.j2"
        yield artefact("manifests/servingruntime.yaml", template, runtime)
    template = "kserve/manifests/inferenceservice.yaml.j2"
    yield artefact("manifests/inferenceservice.yaml", template, service)
    for name, values in budgets:
        resources.append(name)
        yield artefact(f"manifests/{name}", "common/manifests/disruptionbudget.yaml.j2", values)
    for policy in policies:
        resources.append(policy.path.name)
        yield policy
    yield kustomization("manifests", resources)


def transformer_files(project: Project, code: TransformerCode) -> Iterator[Artefact]:
    """images/transformer/: KServe's component in front of the server."""
    folder, templates = f"images/{TRANSFORMER}", "kserve/images/transformer"
    beside = list(transforms_files(project, PurePosixPath(folder)))
    yield artefact(f"{folder}/transformer.py", f"{templates}/transformer.py.j2", {"code": code})
    yield from beside
    requirements = {"requirements": component_requirements(project)}
    yield artefact(f"{folder}/requirements.txt", "common/requirements.txt.j2", requirements)
    constraints = {"constraints": component_constraints(project)}
    yield artefact(f"{folder}/constraints.txt", f"{templates}/constraints.txt.j2", constraints)
    values = {
        "base_image": pinned(project, PYTHON_IMAGE),
        "files": sorted([*(file.path.name for file in beside), "transformer.py"]),
    }
    yield artefact(f"{folder}/Dockerfile", f"{templates}/Dockerfile.j2", values)


def secret_kind(project: Project) -> str | None:
    """The scheme of a storage whose credentials a script can put into a secret."""
    storage = project.storage
    if not storage or not storage.secret:
        return None
    kind = scheme(storage.bundle_uri)
    return kind if kind in _SECRETS_WITH_A_SCRIPT else None


def secret_script(project: Project) -> Iterator[Artefact]:
    """admin/storage-secret.sh, where the storage's credentials are of a known kind."""
    kind = secret_kind(project)
    if kind and project.storage:
        values = {
            "kind": kind,
            "secret": project.storage.secret,
            "namespace": project.kubernetes.namespace,
        }
        template = "kserve/admin/storage-secret.sh.j2"
        yield artefact("admin/storage-secret.sh", template, values, executable=True)
