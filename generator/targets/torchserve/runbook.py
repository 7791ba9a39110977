"""The values of the README of TorchServe under KServe."""

import shlex
from collections.abc import Iterator

from generator.kserve.exposure import Exposure
from generator.kserve.runbook import image_calls, url_command
from generator.project import Project
from generator.targets.torchserve.doors import doors
from generator.targets.torchserve.manifests import runtime_name
from generator.targets.torchserve.options import Options, PrebuiltArchive
from generator.targets.torchserve.service import MANAGEMENT_PORT, Service
from generator.transforms.client import client_requirements
from generator.workload import namespace_flag

GRPC_CLIENT_NEEDS = "pip install grpcio grpcio-tools"


def own_values(
    project: Project,
    options: Options,
    service: Service,
    exposure: Exposure,
    *,
    archiving_job: str | None,
) -> dict[str, object]:
    """What templates/torchserve/README.md.j2 says beside the values of any service under KServe."""
    flag = namespace_flag(service.namespace)
    return {
        "title": "KServe with TorchServe",
        "bundle_is": "bundle",
        "summary": _summary(service),
        "model": service.model.name,
        "others": service.models[1:],
        "runtime": runtime_name(service),
        "runtime_image": service.base_image,
        "archiving_job": archiving_job,
        "before_upload": list(archive_copies(service, f"build/{project.place}")),
        "doors": list(doors(project, options, service)),
        "logs": f"kubectl logs{flag} --selector {_SELECTOR}={service.name} --tail 100",
        "management_port": MANAGEMENT_PORT,
        "port_forward": f"kubectl port-forward{flag} POD {MANAGEMENT_PORT}",
        "takes_anything": service.model.takes == "anything" and not service.has_transformer,
        "names_instance": service.has_transformer or service.model.takes == "images",
        "grpc": service.is_grpc,
        "call": _call(project, options, service, exposure),
        "ready_path": service.ready_path,
    }


_SELECTOR = "serving.kserve.io/inferenceservice"


def _summary(service: Service) -> str:
    if service.has_transformer:
        return (
            "A transformer decodes images and makes tensors of them, TorchServe runs the model, "
            "and the transformer turns its output into the answer. The hop between them is HTTP "
            "with the v2 protocol's binary tensors."
        )
    return {
        "images": "TorchServe's handler decodes images, runs the model and names the classes.",
        "pixels": "TorchServe's handler decodes images; the exported program does all the rest.",
        "tensors": "TorchServe runs the model; the caller sends tensors and gets tensors.",
        "anything": "TorchServe runs a handler that is not rendered from the spec.",
    }[service.model.takes]


def archive_copies(service: Service, folder: str) -> Iterator[str]:
    """Shell lines that bring archives from a bucket into the model store of an exported bundle."""
    for model in service.models:
        archive = model.options.archive
        if isinstance(archive, PrebuiltArchive):
            source = shlex.quote(archive.uri)
            target = shlex.quote(f"{folder}/model-store/{model.archive}")
            if archive.uri.startswith("s3://"):
                yield f"aws s3 cp {source} {target}"
            elif archive.uri.startswith("gs://"):
                yield f"gcloud storage cp {source} {target}"


def _call(
    project: Project, options: Options, service: Service, exposure: Exposure
) -> dict[str, object]:
    """How a request is sent from outside the cluster."""
    takes = service.model.takes
    door = "$INGRESS_HOST:${INGRESS_PORT:-80}"
    if service.is_grpc:
        file = "image.npy" if takes == "tensors" else "cat.jpg"
        return {
            "needs": GRPC_CLIENT_NEEDS,
            "commands": [
                url_command(exposure, service.namespace),
                f'python3 requests/grpc_client.py --address "{door}" '
                f'--authority "${{url#*://}}" {file}',
            ],
        }
    if takes == "anything":
        return {"needs": "", "commands": ["./requests/predict.sh cat.jpg   # a file of yours"]}
    if takes != "tensors" or service.has_transformer:
        explain = ["./requests/predict.sh explain cat.jpg"] if options.explain else []
        return {"needs": "", "commands": [*image_calls(), *explain]}
    packages, files = ["numpy"], " ".join(f"{each.name}.npy" for each in project.model.inputs)
    if project.transforms.preprocess:
        packages = [shlex.quote(line) for line in client_requirements(project)]
        files = "cat.jpg"
    return {
        "needs": f"pip install {' '.join(packages)}",
        "commands": [
            url_command(exposure, service.namespace),
            f'python3 requests/client.py --url "${{INGRESS_SCHEME:-http}}://{door}" '
            f'--host "${{url#*://}}" {files}',
        ],
    }
