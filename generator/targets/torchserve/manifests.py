"""The values of the Kubernetes manifests of TorchServe under KServe."""

from generator.kserve.exposure import TRANSFORMER, Exposure
from generator.kserve.manifests import (
    Predictor,
    Probe,
    Runtime,
    service_values,
    transformer_values,
)
from generator.project import Project
from generator.targets.torchserve.readiness import ping_command, readiness_command
from generator.targets.torchserve.service import (
    GRPC_PORT,
    METRICS_PORT,
    TRANSFORMER_HOP,
    Service,
)
from generator.targets.torchserve.start import start_command
from generator.targets.torchserve.work import work_folder, work_variables
from generator.workload import pinned

MODELS = "/mnt/models"  # where KServe's storage initializer puts the bundle


def runtime_name(service: Service) -> str:
    """The ServingRuntime that is rendered beside the service."""
    return f"{service.name}-torchserve"


def runtime(project: Project, service: Service) -> Runtime:
    """TorchServe's own part of servingruntime.yaml."""
    return Runtime(
        name=runtime_name(service),
        image=pinned(project, service.base_image),
        arguments=(),
        command=start_command(MODELS),
        command_note="Not the image's entry point: that one outlives a server which has died.",
        metrics_port=METRICS_PORT,
        protocol_versions=("v1", "v2", "grpc-v1"),
        user_note="The image's own user, model-server.",
        variables=work_variables(),
        variables_note="All that TorchServe writes goes into one folder.",
        folders=(work_folder(service),),
    )


def inference_service_values(
    project: Project, service: Service, exposure: Exposure
) -> dict[str, object]:
    """What inferenceservice.yaml.j2 lays out."""
    transformer = None
    if service.has_transformer:
        image = service.images[TRANSFORMER]
        transformer = transformer_values(project, image, predictor_protocol=TRANSFORMER_HOP)
    return service_values(project, exposure, _predictor(project, service), transformer)


def _predictor(project: Project, service: Service) -> Predictor:
    grpc = service.is_grpc
    return Predictor(
        runtime=runtime_name(service),
        runtime_note="Named: which runtime KServe would choose by itself changes with the cluster.",
        # KServe's word for a gRPC service that is not the one of the v2 protocol.
        protocol_version="grpc-v1" if grpc else _protocol(service),
        port=GRPC_PORT if grpc else None,
        port_name="h2c" if grpc else None,
        port_note="The name h2c tells Knative and the mesh that it speaks HTTP/2." if grpc else "",
        variables={"OMP_NUM_THREADS": str(service.model.threads)},
        variables_note="Of each worker: more threads than CPUs collapse throughput.",
        # Knative sends HTTP and TCP probes to the port that clients call, whatever they name.
        live=Probe(command=ping_command()) if grpc else Probe("/ping"),
        ready=Probe(command=readiness_command(service)),
    )


def _protocol(service: Service) -> str:
    """The handler tells v1, v2 and native bodies apart; KServe only asks for a name."""
    return "v1" if service.protocol == "v1" and not service.has_transformer else "v2"
