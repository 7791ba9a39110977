"""The files of a project on KServe with Triton."""

from collections.abc import Iterator

from generator.artefact import Artefact, artefact
from generator.kserve.exposure import TRANSFORMER
from generator.kserve.files import manifest_files, secret_kind, secret_script, transformer_files
from generator.kserve.manifests import runtime_values
from generator.kserve.network import policies
from generator.kserve.pods import budgets
from generator.kserve.runbook import runbook_values
from generator.network import policy_files
from generator.planning import client_files, load_test_files, load_test_values, sample_bodies
from generator.project import Project
from generator.target import Bundle, Names, Program
from generator.targets.triton import manifests
from generator.targets.triton.load_test import load_test
from generator.targets.triton.options import Options
from generator.targets.triton.repository import program_path, repository_files
from generator.targets.triton.runbook import own_values
from generator.targets.triton.service import (
    GRPC_PORT,
    METRICS_PORT,
    Service,
    describe,
    exposure,
    is_resolved,
    tensor_names,
)
from generator.transforms.component import transformer_code
from generator.transforms.embedded import is_embedded
from generator.workload import image_content


def plan(project: Project, options: Options) -> list[Artefact]:
    """List every file to render, from the target's folder on."""
    service = describe(project, options)
    test = load_test(project, options, service) if project.perf else None
    perf_values = load_test_values(test)
    job = str(perf_values["job_name"]) if perf_values else None
    return [
        *_manifests(project, options, service),
        *repository_files(project, options),
        *_callers(project, options, service),
        *load_test_files(project, perf_values),
        *_scripts(service),
        *_admin(project, options, service),
        _runbook(project, options, service, job),
    ]


def bundle(project: Project, options: Options) -> Bundle:
    """The program, where Triton's backend looks for it in the model repository."""
    path = program_path(project, describe(project, options).model)
    by_name = options.tensor_names == "forward" and not is_embedded(project.transforms)
    return Bundle(programs=(Program(project, path, by_name),))


def names(project: Project, options: Options) -> Names:
    """What the project is called in the cluster and in the registry."""
    service = describe(project, options)
    built = (service.images.get(TRANSFORMER),) if service.has_transformer else ()
    return Names(service.name, {image: image_content(project) for image in built if image})


def _manifests(project: Project, options: Options, service: Service) -> Iterator[Artefact]:
    seen = exposure(project, options)
    runtime = None
    if service.renders_runtime:
        runtime = runtime_values(project, seen, manifests.runtime(project, options, service))
    values = manifests.inference_service_values(project, options, service, seen)
    grpc_port = GRPC_PORT if service.predictor_is_grpc else None
    open_to = policies(project, seen, grpc_port=grpc_port, metrics_port=METRICS_PORT)
    allowed = policy_files(project, service.name, open_to)
    return manifest_files(values, runtime, budgets(project, seen), allowed)


def _callers(project: Project, options: Options, service: Service) -> Iterator[Artefact]:
    """What stands in front of Triton: the transformer and its requests, or a sample client."""
    inputs = tensor_names(project, options, side="INPUT")
    outputs = tensor_names(project, options, side="OUTPUT")
    if not service.has_transformer:
        grpc = project.serving.transport == "grpc"
        yield from client_files(
            project, model=service.model, inputs=inputs, outputs=outputs, grpc=grpc
        )
        return
    code = transformer_code(
        project, model_name=service.model, input_name=inputs[0], output_name=outputs[0]
    )
    yield from transformer_files(project, code)
    yield from sample_bodies(project)
    values = {
        "takes_images": True,
        "native_path": None,
        "explain_path": None,
        "protocol": service.protocol,
        "field": project.transforms.request_field,
        "service": service.name,
        "namespace": service.namespace,
        "v1_path": service.path("v1"),
        "v2_path": service.path("v2"),
    }
    yield artefact("requests/predict.sh", "kserve/requests/predict.sh.j2", values, executable=True)


def _scripts(service: Service) -> Iterator[Artefact]:
    if service.images:
        images = [
            {"name": name, "folder": f"images/{component}"}
            for component, name in service.images.items()
        ]
        values = {"images": images}
        yield artefact("scripts/build.sh", "common/scripts/build.sh.j2", values, executable=True)


def _admin(project: Project, options: Options, service: Service) -> Iterator[Artefact]:
    if options.deployment_mode == "Knative" and not is_resolved(project, options, service):
        name = "knative-config-deployment.sh"
        yield artefact(f"admin/{name}", f"triton/admin/{name}.j2", executable=True)
    yield from secret_script(project)


def _runbook(project: Project, options: Options, service: Service, job: str | None) -> Artefact:
    seen = exposure(project, options)
    writes_secret = secret_kind(project) is not None
    common = runbook_values(project, seen, service.images, job=job, writes_secret=writes_secret)
    own = own_values(project, options, service, seen)
    return artefact("README.md", "triton/README.md.j2", common | own)
