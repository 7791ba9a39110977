"""The values of the README of TorchServe without KServe: from the spec to an answer, and back."""

import shlex
from collections.abc import Iterator, Mapping

from generator.project import Project
from generator.runbook import (
    applied,
    cluster_needs,
    job_commands,
    load_test,
    measured_pods_need,
    selection,
)
from generator.targets.torchserve.archiving import PROGRAM, archive_folder
from generator.targets.torchserve.doors import doors
from generator.targets.torchserve.handler import archive_handler, model_files
from generator.targets.torchserve.options import Options, PrebuiltArchive
from generator.targets.torchserve.runbook import archive_copies
from generator.targets.torchserve.service import (
    GRPC_PORT,
    MANAGEMENT_PORT,
    METRICS_PORT,
    TORCHSERVE,
    Model,
    Service,
)
from generator.transforms.client import client_requirements
from generator.workload import HTTP_PORT, PERF, deadline_seconds, namespace_flag

_COMPOSE = "docker compose --file images/torchserve/compose.yaml"


def alone_values(
    project: Project, options: Options, service: Service, *, job: Mapping[str, object] | None
) -> dict[str, object]:
    """What templates/torchserve/README.alone.md.j2 lays out."""
    model, number = service.model, project.model.version
    return {
        "project": project.name,
        "summary": _summary(service),
        "kubernetes": service.platform == "kubernetes",
        "drains": service.platform == "kubernetes" and project.serving.replicas.max > 1,
        "service": service.name,
        "namespace": service.namespace,
        "namespace_flag": namespace_flag(service.namespace),
        "image": service.images[TORCHSERVE],
        "base_image": service.base_image,
        "bundle": f"build/{project.place}",
        "models": service.models,
        "once": list(_once(project, service)),
        "requirements": " ".join(map(shlex.quote, project.model.requirements)),
        "selection": selection(project),
        **applied(project),
        "wait_seconds": deadline_seconds(project),
        "doors": list(doors(project, options, service)),
        "http_port": HTTP_PORT,
        "grpc_port": GRPC_PORT,
        "management_port": MANAGEMENT_PORT,
        "calls": list(_calls(project, options, service)),
        "host": f"{service.door_host}.svc" if service.namespace else service.name,
        "job_queue_size": service.job_queue_size,
        "model": model.name,
        "metrics_port": METRICS_PORT,
        "next_archive": f"{model.name}-{number + 1}.0.mar",
        "workers": model.workers,
        "version": model.version,
        "next_number": number + 1,
        "next_version": f"{number + 1}.0",
        "native_path": service.path("native"),
        "perf": _perf(project, service, job),
        "archiver": list(_archiver(project, service)),
        "selector": f"app.kubernetes.io/name={service.name}",
        "takes_anything": model.takes == "anything",
        "logs": _logs(service),
        "copies": list(archive_copies(service, f"build/{project.place}")),
        "unready": list(_unready(service)),
    }


def _summary(service: Service) -> str:
    takes = {
        "images": "Its handler decodes images and answers in the protocol of the caller.",
        "pixels": "Its handler decodes images; the program itself holds the transforms.",
        "tensors": "The caller sends tensors and gets tensors.",
        "anything": "The handler is the user's own.",
    }[service.model.takes]
    others = [f"`{model.name}`" for model in service.models[1:]]
    beside = f" Beside it the same server holds {', '.join(others)}." if others else ""
    return f"TorchServe runs the model. {takes}{beside}"


def _once(project: Project, service: Service) -> Iterator[str]:
    """What the cluster needs before."""
    if service.platform != "docker":
        yield from cluster_needs(project)
        yield from measured_pods_need(project)


def _calls(project: Project, options: Options, service: Service) -> Iterator[str]:
    takes = service.model.takes
    if takes in ("images", "pixels"):
        file = "cat.jpg"
        yield f"./requests/predict.sh native {file}"
        yield f"./requests/predict.sh v1 {file} dog.png"
        if options.explain:
            yield f"./requests/predict.sh explain {file}"
    elif takes == "tensors":
        file = " ".join(f"{tensor.name}.npy" for tensor in project.model.inputs)
        packages, sent = ["numpy"], file
        if project.transforms.preprocess:
            packages = [shlex.quote(line) for line in client_requirements(project)]
            sent = "cat.jpg"
        yield f"pip install {' '.join(packages)}"
        yield f"python3 requests/client.py --url http://127.0.0.1:{HTTP_PORT} {sent}"
    else:
        file = "FILE"
        yield f"./requests/predict.sh {file}"
    yield "pip install grpcio grpcio-tools"
    yield f"python3 requests/grpc_client.py --address 127.0.0.1:{GRPC_PORT} {file}"


def _perf(
    project: Project, service: Service, job: Mapping[str, object] | None
) -> Mapping[str, object] | None:
    if not job:
        return None
    if service.platform == "kubernetes":
        return load_test(project, job_commands(project, str(job["job_name"])))
    command = f"{_COMPOSE} --profile {PERF} run --build --rm {service.name}-{PERF}"
    return load_test(project, (command,))


def _archiver(project: Project, service: Service) -> Iterator[str]:
    """TorchServe's own archiver in its own image, on mounted folders."""
    model = service.model
    if isinstance(model.options.archive, PrebuiltArchive):
        return
    below = project.place
    store = f"build/{below}/model-store"
    yield f"unzip -o {store}/{model.archive} {PROGRAM} -d program"
    yield from _lines(
        'docker run --rm --user "$(id -u):$(id -g)" --entrypoint torch-model-archiver',
        f'--volume "$PWD/rendered/{below}/models/{archive_folder(model)}:/code:ro"',
        '--volume "$PWD/program:/program:ro"',
        f'--volume "$PWD/{store}:/model-store"',
        service.base_image,
        f"--model-name {model.name} --version {model.version} --force",
        f"--handler /code/{archive_handler(model)} --serialized-file /program/{PROGRAM}",
        f"--extra-files /code{_requirements(model)} --export-path /model-store",
    )
    yield f"mv {store}/{model.name}.mar {store}/{model.archive}"


def _requirements(model: Model) -> str:
    names = {file.path.name for file in model_files(model)}
    return " --requirements-file /code/requirements.txt" if "requirements.txt" in names else ""


def _lines(first: str, *rest: str) -> Iterator[str]:
    """One command on several lines."""
    *middle, last = rest
    yield f"{first} \\"
    yield from (f"  {part} \\" for part in middle)
    yield f"  {last}"


def _logs(service: Service) -> str:
    """The command that shows the server's log."""
    if service.platform == "docker":
        return f"{_COMPOSE} logs --tail 100 {service.name}"
    return f"kubectl logs deployment/{service.name}{namespace_flag(service.namespace)} --tail 100"


def _unready(service: Service) -> Iterator[str]:
    """Where to look, most likely first."""
    if service.platform == "docker":
        yield (
            f"`docker inspect --format '{{{{json .State.Health}}}}' $({_COMPOSE} ps --quiet "
            f"{service.name})` says which model has no worker."
        )
    else:
        flag = namespace_flag(service.namespace)
        pods = f"pod --selector app.kubernetes.io/name={service.name}{flag}"
        yield f"`kubectl describe {pods}` says which model has no worker, or what is not pulled."
    yield f"`{_logs(service)}`: why a worker ends stands after `MODEL_LOG`."
    yield (
        "The container ends at once: TorchServe refuses `config.properties`, or an archive is not "
        "in the model store; its last line says which."
    )
    yield "A worker is killed without a word: the memory limit. Raise `hardware.memory`."
