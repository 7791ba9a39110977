"""The files of a project on TorchServe."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from msgspec.structs import replace

from generator import perf
from generator.artefact import Artefact, artefact
from generator.kserve.files import manifest_files, secret_kind, secret_script, transformer_files
from generator.kserve.manifests import runtime_values
from generator.kserve.network import policies
from generator.kserve.pods import budgets
from generator.kserve.runbook import runbook_values
from generator.network import load_test_labels, policy_files
from generator.planning import client_files, load_test_files, load_test_values, sample_bodies
from generator.project import Project
from generator.target import Archive, Bundle, Names, Prebuilt, Program
from generator.targets.torchserve import manifests
from generator.targets.torchserve.archiving import (
    PROGRAM,
    archive_folder,
    archiving_files,
    archiving_values,
    is_made,
)
from generator.targets.torchserve.client import grpc_client_files
from generator.targets.torchserve.config import config_values
from generator.targets.torchserve.doors import EXPLANATIONS
from generator.targets.torchserve.handler import archive_handler, model_files
from generator.targets.torchserve.options import Options, PrebuiltArchive
from generator.targets.torchserve.runbook import own_values
from generator.targets.torchserve.service import (
    GRPC_PORT,
    METRICS_PORT,
    TORCHSERVE,
    Model,
    Service,
    describe,
    exposure,
)
from generator.targets.torchserve.standalone import standalone_files
from generator.transforms.component import transformer_code
from generator.workload import HTTP_PORT, PERF, image_content, pinned

CONFIG = "config/config.properties"


def plan(project: Project, options: Options) -> list[Artefact]:
    """List every file to render, from the target's folder on."""
    service = describe(project, options)
    test = load_test(project, service) if project.perf else None
    perf_values = load_test_values(test)
    return [
        *_bundle_text(service),
        *_callers(project, service),
        *load_test_files(project, perf_values, in_cluster=options.platform != "docker"),
        *(
            _on_kserve(project, options, service, perf_values)
            if options.platform == "kserve"
            else standalone_files(project, options, service, load_test=perf_values)
        ),
    ]


def bundle(project: Project, options: Options) -> Bundle:
    """A model archive for each model; where a Job makes them, what they are made of."""
    service = describe(project, options)
    made = [model for model in service.models if is_made(model)]
    programs = tuple(Program(m.project, PurePosixPath(archive_folder(m), PROGRAM)) for m in made)
    archives = () if options.archive == "job" else tuple(map(_archive, made))
    # The container of before still loads the archives of before when it starts again.
    keeps = "model-store/*.mar" if options.platform == "docker" else None
    return Bundle(programs, archives, tuple(_prebuilt(service)), keeps)


def names(project: Project, options: Options) -> Names:
    """What the project is called in the cluster and in the registry."""
    service = describe(project, options)
    content = {
        image: image_content(project, has_bundle=part == TORCHSERVE)
        for part, image in service.images.items()
        if part != PERF
    }
    return Names(None if options.platform == "docker" else service.name, content)


def _archive(model: Model) -> Archive:
    return Archive(
        path=PurePosixPath("model-store", model.archive),
        folder=PurePosixPath(archive_folder(model)),
        name=model.name,
        version=model.version,
        handler=archive_handler(model),
        serialized=PROGRAM,
    )


def _prebuilt(service: Service) -> Iterator[Prebuilt]:
    for model in service.models:
        archive = model.options.archive
        if isinstance(archive, PrebuiltArchive) and not archive.uri.startswith(("s3://", "gs://")):
            yield Prebuilt(
                project=model.project,
                path=PurePosixPath("model-store", model.archive),
                source=archive.uri,
                sha256=archive.sha256,
                name=model.name,
                version=model.version,
            )


def _bundle_text(service: Service) -> Iterator[Artefact]:
    """models/: the configuration, the code of each archive, the store that archives go to."""
    template = "torchserve/models/config/config.properties.j2"
    yield artefact(f"models/{CONFIG}", template, config_values(service))
    yield artefact("models/model-store/.gitkeep", "common/empty.j2")
    for model in filter(is_made, service.models):
        for file in model_files(model):
            yield replace(file, path=PurePosixPath("models", archive_folder(model)) / file.path)


def load_test(project: Project, service: Service) -> perf.LoadTest:
    """What the load test of a service needs to know."""
    assert project.perf is not None
    door = f"http://{service.door_host}"
    if service.platform == "kserve":
        door += ".svc.cluster.local"
    elif service.platform == "kubernetes":
        door += f".svc.cluster.local:{HTTP_PORT}"
    else:
        door += f":{HTTP_PORT}"
    sends_tensors = service.model.takes == "tensors" and not service.has_transformer
    names = [tensor.name for tensor in project.model.inputs]
    protocol = "v2" if sends_tensors else service.protocol
    return perf.LoadTest(
        service=service.name,
        namespace=service.namespace,
        url=door + service.path(protocol),
        readiness_url=door + service.ready_path,
        request=perf.tensor_request(project, names)
        if sends_tensors
        else perf.image_request(project, protocol),
        perf=project.perf,
        image=pinned(project, service.images[PERF]),
        timeout=project.serving.timeout,
        startup=project.serving.startup,
        labels=load_test_labels(project, service.name),
        image_pull_secrets=project.kubernetes.image_pull_secrets,
    )


def _callers(project: Project, service: Service) -> Iterator[Artefact]:
    """What calls the server: a transformer, sample bodies, or a sample client."""
    if service.has_transformer:
        code = transformer_code(
            project,
            model_name=service.model.name,
            input_name=project.model.inputs[0].name,
            output_name=project.model.outputs[0].name,
            hop="http",
        )
        yield from transformer_files(project, code)
    takes = service.model.takes
    only_grpc = service.platform == "kserve" and service.is_grpc
    if service.has_transformer or (takes in ("images", "pixels") and not only_grpc):
        yield from sample_bodies(project)
    elif takes == "tensors":
        yield from client_files(
            project,
            model=service.model.name,
            inputs=tuple(tensor.name for tensor in project.model.inputs),
            outputs=tuple(tensor.name for tensor in project.model.outputs),
            grpc=False,
        )
    if service.is_grpc or (service.platform != "kserve"):
        yield from grpc_client_files(service)


def _on_kserve(
    project: Project,
    options: Options,
    service: Service,
    perf_values: dict[str, object] | None,
) -> Iterator[Artefact]:
    seen = exposure(project, options)
    assert seen is not None
    grpc_port = GRPC_PORT if service.is_grpc else None
    open_to = policies(project, seen, grpc_port=grpc_port, metrics_port=METRICS_PORT)
    yield from manifest_files(
        manifests.inference_service_values(project, service, seen),
        runtime_values(project, seen, manifests.runtime(project, service)),
        budgets(project, seen),
        policy_files(project, service.name, open_to),
    )
    if service.has_transformer or (service.model.takes != "tensors" and not service.is_grpc):
        values = _predict_values(project, options, service)
        template = "kserve/requests/predict.sh.j2"
        yield artefact("requests/predict.sh", template, values, executable=True)
    if service.images:
        images = [
            {"name": name, "folder": f"images/{component}"}
            for component, name in service.images.items()
        ]
        values = {"images": images}
        yield artefact("scripts/build.sh", "common/scripts/build.sh.j2", values, executable=True)
    yield from secret_script(project)
    archiving = archiving_values(project, service) if options.archive == "job" else None
    if archiving:
        yield from archiving_files(archiving)
    test = str(perf_values["job_name"]) if perf_values else None
    writes_secret = secret_kind(project) is not None
    common = runbook_values(project, seen, service.images, job=test, writes_secret=writes_secret)
    job = str(archiving["job_name"]) if archiving else None
    own = own_values(project, options, service, seen, archiving_job=job)
    yield artefact("README.md", "torchserve/README.md.j2", common | own)


def _predict_values(project: Project, options: Options, service: Service) -> dict[str, object]:
    """What requests/predict.sh.j2 of KServe says; a transformer hides the native door."""
    native = None if service.has_transformer else service.path("native")
    return {
        "takes_images": service.has_transformer or service.model.takes in ("images", "pixels"),
        "protocol": service.protocol if service.model.takes != "anything" else "native",
        "field": project.transforms.request_field,
        "service": service.name,
        "namespace": service.namespace,
        "v1_path": service.path("v1"),
        "v2_path": service.path("v2"),
        "native_path": native,
        "explain_path": f"{EXPLANATIONS}/{service.model.name}" if options.explain else None,
    }
