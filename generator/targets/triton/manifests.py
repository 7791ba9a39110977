"""The values of the Kubernetes manifests."""

from msgspec.structs import replace

from generator.kserve.exposure import TRANSFORMER, Exposure
from generator.kserve.manifests import (
    Predictor,
    Probe,
    Runtime,
    service_values,
    transformer_values,
)
from generator.kserve.pods import TMP
from generator.pods import Folder, unpacked
from generator.project import Project
from generator.resources import threads_per_instance, whole_seconds
from generator.targets.triton.formats import LOADED
from generator.targets.triton.options import Options
from generator.targets.triton.service import (
    GRPC_PORT,
    METRICS_PORT,
    Service,
    server_image,
)
from generator.workload import HTTP_PORT

# Long enough to be worth a connection, short enough that a new replica gets its share soon.
_CONNECTION_AGE_MILLISECONDS = 60_000

_RUNTIME_NOTE = {
    "pytorch": "Named, because KServe would choose TorchServe for pytorch by itself.",
    "onnx": "Named, because what KServe would choose for onnx by itself changes with the cluster.",
}


def runtime(project: Project, options: Options, service: Service) -> Runtime:
    """Triton's own part of servingruntime.yaml."""
    return Runtime(
        name=service.runtime,
        image=server_image(project, options),
        arguments=["tritonserver", *_runtime_arguments(project, service)],
        metrics_port=METRICS_PORT,
        model_format=LOADED[project.export.format].model_format,
        protocol_versions=("v2", "grpc-v2"),
        user_note=_USER_NOTE,
        folders=(_tmp(project),),
    )


_USER_NOTE = "Triton's image names no user to run as; 1000 is KServe's choice for it."


def _tmp(project: Project) -> Folder:
    """Where Triton writes, with room for a compiled program that its backend unpacks there."""
    is_unpacked = project.export.format == "aot_inductor"
    return replace(TMP, size=unpacked([project])) if is_unpacked else TMP


def _runtime_arguments(project: Project, service: Service) -> list[str]:
    """The command line of Triton, but for the model that it serves."""
    arguments = [
        "--model-repository=/mnt/models",
        f"--http-port={HTTP_PORT}",
        f"--grpc-port={GRPC_PORT}",
        f"--metrics-port={METRICS_PORT}",
    ]
    if service.predictor_is_grpc:
        grace = whole_seconds(project.serving.timeout) * 1000
        arguments.append(f"--grpc-max-connection-age={_CONNECTION_AGE_MILLISECONDS}")
        arguments.append(f"--grpc-max-connection-age-grace={grace}")
    return arguments


def inference_service_values(
    project: Project, options: Options, service: Service, exposure: Exposure
) -> dict[str, object]:
    """What inferenceservice.yaml.j2 lays out."""
    transformer = None
    if service.has_transformer:
        image = service.images[TRANSFORMER]
        transformer = transformer_values(project, image, predictor_protocol="grpc-v2")
    return service_values(
        project, exposure, _predictor(project, options, service, exposure), transformer
    )


def _live(service: Service, exposure: Exposure) -> Probe:
    """Knative sends probes of liveness to the port that clients call, whatever they name."""
    if service.predictor_is_grpc and exposure.is_knative:
        return Probe(port=GRPC_PORT)
    return Probe("/v2/health/live")


def _predictor(
    project: Project, options: Options, service: Service, exposure: Exposure
) -> Predictor:
    grpc = service.predictor_is_grpc
    model_format = LOADED[project.export.format].model_format
    return Predictor(
        runtime=service.runtime,
        runtime_note=_RUNTIME_NOTE[model_format],
        runtime_version=None if service.renders_runtime else options.runtime_version,
        protocol_version="grpc-v2" if grpc else "v2",
        arguments=(
            "--model-control-mode=explicit",
            f"--load-model={service.model}",
            "--disable-auto-complete-config",
        ),
        arguments_note=(
            "Added to the runtime's own. Only this model is loaded: what a download or a volume",
            "leaves beside it (lost+found, .cache) is no model, and Triton would refuse to start.",
            "The configuration is complete: what differs from the model is an error, not a guess.",
        ),
        port=GRPC_PORT if grpc else None,
        port_name="h2c" if grpc else None,
        port_note="The name h2c tells Knative and the mesh that it speaks HTTP/2." if grpc else "",
        variables={"OMP_NUM_THREADS": str(threads_per_instance(project.hardware))},
        variables_note="Triton sets each instance's threads; this bounds what else uses OpenMP.",
        live=_live(service, exposure),
        ready=Probe(f"/v2/models/{service.model}/ready"),
        model_format=model_format,
        user_note=_USER_NOTE,
        folders=() if service.renders_runtime else (_tmp(project),),
    )
