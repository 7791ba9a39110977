"""archive/: a Job that makes the model archives in the cluster, on the claim of the service."""

import hashlib
import json
from collections.abc import Iterator

from msgspec import structs

from generator.artefact import Artefact, artefact
from generator.pods import Folder, tolerations, unpacked
from generator.project import Project
from generator.render import render
from generator.targets.torchserve.handler import archive_handler, model_files
from generator.targets.torchserve.options import PrebuiltArchive
from generator.targets.torchserve.service import Model, Service
from generator.workload import labels, pinned

FOLDER = "/bundle"  # where the Job mounts the claim
PROGRAM = "model.pt"  # the exported program, beside the code of its archive
REQUIREMENTS = "requirements.txt"


def archive_folder(model: Model) -> str:
    """Where the bundle holds what an archive is made of."""
    return f"archives/{model.name}"


def is_made(model: Model) -> bool:
    """Whether an archive is made for the model: it may be there already."""
    return not isinstance(model.options.archive, PrebuiltArchive)


def archiving_values(project: Project, service: Service) -> dict[str, object]:
    """What templates/torchserve/archive/ lays out.

    The Job's name ends in a hash of the rest and of the code that goes into the archives.
    """
    assert project.storage is not None  # rule storage-missing
    claim, _, path = project.storage.bundle_uri.removeprefix("pvc://").partition("/")
    values: dict[str, object] = {
        "namespace": service.namespace,
        "labels": labels(project, service.name),
        "image": pinned(project, service.base_image),
        "image_pull_secrets": project.kubernetes.image_pull_secrets,
        "node_selector": project.kubernetes.node_selector,
        "tolerations": tolerations(project),
        "folders": (_tmp(service),),
        "folder": FOLDER,
        "claim": claim,
        "sub_path": path.strip("/"),
        "archives": [_archive(model) for model in filter(is_made, service.models)],
    }
    code = [render(file).text for model in service.models for file in model_files(model)]
    content = json.dumps([values, code], sort_keys=True, default=structs.asdict)
    digest = hashlib.sha256(content.encode()).hexdigest()
    return {"job_name": f"{service.name}-archive-{digest[:8]}", **values}


def _tmp(service: Service) -> Folder:
    size = unpacked(model.project for model in service.models)
    why = "The archiver gathers the files of an archive here first."
    return Folder("tmp", "/tmp", size, why)  # noqa: S108  no file of ours: a container's


def archiving_files(values: dict[str, object]) -> Iterator[Artefact]:
    """The Job, its script and their kustomization."""
    for name in ("archive.sh", "job.yaml", "kustomization.yaml"):
        path, is_script = f"archive/{name}", name.endswith(".sh")
        yield artefact(path, f"torchserve/{path}.j2", values, executable=is_script)


def _archive(model: Model) -> dict[str, object]:
    """One call of torch-model-archiver."""
    handler = archive_handler(model)
    names = sorted(file.path.name for file in model_files(model))
    apart = (REQUIREMENTS, handler.partition(":")[0])
    return {
        "name": model.name,
        "version": model.version,
        "file": model.archive,
        "folder": archive_folder(model),
        "serialized": PROGRAM,
        "handler": handler,
        "extra_files": ",".join(name for name in names if name not in apart),
        "requirements": REQUIREMENTS in names,
    }
