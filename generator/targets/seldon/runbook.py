"""The values of the README of a project in Seldon Core: from the spec to an answer, and back."""

import shlex
from collections.abc import Iterator

from generator import doors
from generator.doors import Door
from generator.project import Project
from generator.runbook import (
    applied,
    cluster_needs,
    job_commands,
    load_test,
    measured_pods_need,
    selection,
)
from generator.storage import scheme, upload_commands
from generator.targets.seldon.callers import client_code, triton_names
from generator.targets.seldon.manifests import first_pod
from generator.targets.seldon.options import Options
from generator.targets.seldon.packages import TORCH, python_of, torch_of, wrapper_of
from generator.targets.seldon.service import DOOR_GRPC_PORT, DOOR_PORT, Service
from generator.transforms.client import client_requirements
from generator.transforms.embedded import remaining
from generator.workload import PERF, deadline_seconds, namespace_flag


def runbook_values(
    project: Project, options: Options, service: Service, *, job: str | None
) -> dict[str, object]:
    """What templates/seldon/README.md.j2 lays out; `job` is the name of the load test."""
    storage = project.storage
    uri = storage.bundle_uri if storage else None
    bundle = f"build/{project.place}"
    return {
        "project": project.name,
        "summary": _summary(service),
        "service": service.name,
        "namespace": service.namespace,
        "namespace_flag": namespace_flag(service.namespace),
        "protocol": "v2" if service.protocol == "v2" else "seldon",
        "chain": " → ".join(f"`{name}`" for name in _chain(service)),
        "components": service.components,
        "images": service.images,
        "perf_image": service.images.get(PERF),
        "model_server": service.model_server,
        "model_uri": service.model_uri,
        "holds_model": service.holds_model,
        "version": project.model.version,
        "builder": options.builder,
        "python": python_of(options),
        "torch": torch_of(options),
        "other_torch": torch_of(options) != TORCH and bool(service.components),
        "deployment": f"{service.name}-{service.predictor}-0-{first_pod(project, service)}",
        "wrapper": wrapper_of(options),
        "once": list(_once(project)),
        "registers": service.model_server == "TORCH_SERVER",
        "requirements": " ".join(map(shlex.quote, project.model.requirements)),
        "selection": selection(project),
        "bundle": bundle,
        "upload": upload_commands(uri, bundle, service.namespace) if uri else (),
        **applied(project),
        "wait_seconds": deadline_seconds(project),
        "doors": list(_doors(project, service)),
        "forward": (
            f"kubectl port-forward{namespace_flag(service.namespace)} "
            f"service/{service.name}-{service.predictor} {DOOR_PORT} {DOOR_GRPC_PORT}"
        ),
        "host": f"{service.door_host}.svc" if service.namespace else service.door_host,
        "http_port": DOOR_PORT,
        "grpc_port": DOOR_GRPC_PORT,
        "calls": list(_calls(project, service)),
        "takes_images": service.takes_images,
        "perf": load_test(project, job_commands(project, job)) if job else None,
        "unready": list(_unready(service)),
        "node": service.model_node,
    }


def _summary(service: Service) -> str:
    if service.model_server == "TRITON_SERVER":
        return "Triton runs the model behind Seldon's orchestrator; callers send tensors."
    if service.has("input"):
        parts = "decodes images and makes tensors of them, a second runs the model"
        if service.has("output"):
            parts = (
                "decodes images and makes tensors of them, a second runs the model, and a third "
                "turns its output into the answer"
            )
        return f"One container {parts}. Tensors travel between them as raw bytes."
    return {
        "images": "One container decodes images, transforms them and runs the model.",
        "pixels": "One container decodes images; the program itself holds the transforms.",
        "tensors": "One container runs the model; callers send tensors.",
    }[service.takes]


def _chain(service: Service) -> Iterator[str]:
    """The nodes in the order in which they work on a request."""
    if not service.components:
        yield service.model_node
    yield from (component.node for component in service.components)


def _once(project: Project) -> Iterator[str]:
    """What the cluster and the namespace need before."""
    yield from cluster_needs(project)
    storage = project.storage
    if storage and storage.secret:
        yield (
            f"Secret `{storage.secret}` with rclone's configuration of the storage: "
            "`admin/storage-secret.sh` creates it."
        )
    yield from measured_pods_need(project)


def _doors(project: Project, service: Service) -> Iterator[Door]:
    path = f"/seldon/{service.namespace or 'NAMESPACE'}/{service.name}{service.path}"
    if service.model_server == "TRITON_SERVER":
        inputs, outputs = triton_names(project)
        given = doors.tensors(inputs, project.model.inputs)
        got = doors.tensors(outputs, project.model.outputs)
        yield Door("v2 over HTTP, JSON", path, given, got)
        yield Door("v2 over gRPC", "inference.GRPCInferenceService/ModelInfer", given, got)
        return
    answer = _answer(project, service)
    if service.takes_images:
        yield Door("REST, one image", path, '`{"binData": base64}`', answer)
        if _takes_several(project, service):
            field = project.transforms.request_field
            several = f'`{{"jsonData": {{"instances": [{{"{field}": {{"b64": ...}}}}, ...]}}}}`'
            yield Door("REST, several images", path, several, answer)
    else:
        given = doors.tensors([t.name for t in project.model.inputs], project.model.inputs)
        tags = '`{"binData": base64, "meta": {"tags": {"dtype": ..., "shape": [...]}}}`'
        yield Door("REST, a tensor", path, f"{tags}: {given}", answer)
        plain = '`{"data": {"tensor": {"shape": [...], "values": [...]}}}`, or `ndarray`'
        yield Door("REST, numbers", path, plain, "`data` in the form that was sent")
    yield Door("gRPC", "seldon.protos.Seldon/Predict", "the same in a SeldonMessage", answer)


def _takes_several(project: Project, service: Service) -> bool:
    """Whether a request may hold several images: between nodes they are one tensor."""
    return project.model.inputs[0].has_batch or not service.has("input")


def _answer(project: Project, service: Service) -> str:
    transforms = project.transforms
    outside = remaining(transforms) if service.takes == "pixels" else transforms
    if service.takes_images and outside.postprocess:
        return f'`{{"jsonData": {{"predictions": [{doors.prediction(project)}, ...]}}}}`'
    given = doors.tensors([t.name for t in project.model.outputs], project.model.outputs)
    return f"`binData` with the tags `dtype` and `shape`: {given}"


def _calls(project: Project, service: Service) -> Iterator[str]:
    """How the samples in requests/ are called, over REST first."""
    rest, grpc = f"--url http://127.0.0.1:{DOOR_PORT}", f"--address 127.0.0.1:{DOOR_GRPC_PORT}"
    files = " ".join(f"{tensor.name}.npy" for tensor in project.model.inputs)
    sent = "cat.jpg" if project.transforms.preprocess else files
    if service.model_server == "TRITON_SERVER":
        packages = ["numpy", "tritonclient[grpc]"] if service.is_grpc else ["numpy"]
        if project.transforms.preprocess:
            packages = [shlex.quote(line) for line in client_requirements(project)]
        yield f"pip install {' '.join(packages)}"
        yield f"python3 requests/client.py {grpc if service.is_grpc else rest} {sent}"
        return
    packages_of_grpc = client_code(project, service).packages
    if service.takes_images:
        yield "./requests/predict.sh    # the sample image"
        yield "./requests/predict.sh cat.jpg"
        if _takes_several(project, service):
            yield "./requests/predict.sh cat.jpg dog.png"
        yield f"pip install {packages_of_grpc}"
    else:
        yield f"pip install {packages_of_grpc}"
        yield f"python3 requests/client.py {rest} {sent}"
    yield f"python3 requests/grpc_client.py {grpc} {sent}"


def _unready(service: Service) -> Iterator[str]:
    """Where to look, most likely first."""
    flag = namespace_flag(service.namespace)
    describe = f"kubectl describe seldondeployment {service.name}{flag}"
    yield f"`{describe}` says what the operator refuses; `.status.description` is its last word."
    pods = f"kubectl get pods --selector seldon-deployment-id={service.name}{flag}"
    yield f"`{pods}` shows which container waits."
    if service.model_uri and scheme(service.model_uri) != "pvc":
        name = f"{service.model_node}-model-initializer"
        if service.model_server == "container":
            name = "model-initializer"
        yield (
            f"Container `{name}`: rclone's log names a wrong remote, a wrong path or missing "
            "credentials. An empty path is no error to it: then `model.pt` is missing afterwards."
        )
    if service.model_server != "TRITON_SERVER":
        yield (
            f"Container `{service.model_node}`: a traceback in its log says why the model does not "
            "load. It is loaded once for REST and once for gRPC: a container that is killed "
            "without a word needs more `hardware.memory`."
        )
    if service.model_server == "TORCH_SERVER":
        yield (
            "`No entry in predictors map for TORCH_SERVER`: `admin/register-torch-server.py` has "
            "not run in this cluster."
        )
