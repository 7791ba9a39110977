"""The real TorchServe on this machine, with KServe's component in front where there is one."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from generator.engines import EngineError, Report, torchserve, torchserve_grpc
from generator.kserve import live as kserve
from generator.live import Ask, Door, Kind, Live, NotHere
from generator.live.image_requests import ask_v1, ask_v2
from generator.live.program import ask_about_images
from generator.live.tensor_requests import Signature, ask_binary, ask_json
from generator.live.watch import watched
from generator.project import Project
from generator.targets.torchserve.asking import (
    Send,
    ask_anything,
    ask_files,
    ask_images,
    ask_v1_tensors,
    over_grpc,
    over_http,
)
from generator.targets.torchserve.options import Options, PrebuiltArchive
from generator.targets.torchserve.service import Model, Service, describe
from generator.targets.torchserve.standalone import image_requirements
from generator.targets.torchserve.work import work_variables

CONFIG = "config/config.properties"
STORE = "model-store"
CLIENT, GRPC_CLIENT = "requests/client.py", "requests/grpc_client.py"
READY_SECONDS = 300.0
ARCHIVING_SECONDS = 300.0

LIMITS = (
    "TorchServe is 0.12.0 from the package index, on this Python and your torch, and not its image;"
    " of config.properties the addresses alone are other ones",
    "models run on the CPU, whatever hardware.accelerator says",
    "KServe's controllers, docker, the rendered start command and probes are not run",
    "explanations are not asked for; what a handler or an archive of your own answers is not"
    " compared",
)


@contextlib.contextmanager
def serve(
    project: Project, options: Options, rendered: Path, bundle: Path, report: Report
) -> Iterator[list[Door]]:
    """Serve a bundle's model store with its configuration, and open the doors of all models.

    Archives that a Job makes in the cluster are made by its script, in a copy of the bundle.
    Raises NotHere where the bundle has no archive because the storage has it.
    """
    service = describe(project, options)
    _check_archives(service)
    with contextlib.ExitStack() as stack:
        if options.archive == "job":
            bundle = stack.enter_context(_archived(rendered, bundle, report))
        server = stack.enter_context(_server(service, rendered, bundle, report))
        grpc = None
        if _exposes_grpc(service):
            client = torchserve_grpc.connected(rendered / "requests", server.grpc, report=report)
            grpc = stack.enter_context(client)
        doors = watched(_doors(service, rendered, server, grpc), server.told)
        if service.has_transformer:
            component = kserve.component_doors(
                project,
                rendered,
                predictor_host=server.inference,
                report=report,
                servers=[server.told],
            )
            doors = [*stack.enter_context(component), *doors]
        yield doors


def _check_archives(service: Service) -> None:
    for model in service.models:
        archive = model.options.archive
        if isinstance(archive, PrebuiltArchive) and archive.uri.startswith(("s3://", "gs://")):
            raise NotHere(f"the archive lies at {archive.uri}, and gen export does not fetch it")


@contextlib.contextmanager
def _archived(rendered: Path, bundle: Path, report: Report) -> Iterator[Path]:
    """A copy of a bundle in which the rendered script has made the archives."""
    programs = torchserve.prepare(report=report).programs  # torch-model-archiver is one of them
    path = os.pathsep.join((str(programs), os.environ["PATH"]))
    script = (rendered / "archive/archive.sh").resolve()
    with tempfile.TemporaryDirectory(prefix="archives-") as name:
        copy = shutil.copytree(bundle, Path(name) / "bundle")
        report("making the archives as the Job in the cluster does")
        try:
            done = subprocess.run(
                ["sh", str(script)],  # noqa: S607  the machine's own shell
                cwd=copy,
                env=os.environ | {"PATH": path},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=ARCHIVING_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            told = f"archive/archive.sh has not ended within {ARCHIVING_SECONDS:g} s"
            raise EngineError(told) from None
        if done.returncode:
            raise EngineError(f"archive/archive.sh has failed\n{done.stderr.strip()}")
        yield copy


@contextlib.contextmanager
def _server(
    service: Service, rendered: Path, bundle: Path, report: Report
) -> Iterator[torchserve.Server]:
    """TorchServe with the packages that an image of the project has beside its own."""
    on_kserve = service.platform == "kserve"
    variables = {"OMP_NUM_THREADS": str(service.model.threads)}
    if on_kserve:
        given = kserve.predictor(rendered).variables
        # Folders of the container; the server has one of its own here.
        variables = {name: given[name] for name in given if name not in work_variables()}
    with tempfile.TemporaryDirectory(prefix="requirements-") as name:
        own = Path(name) / "requirements.txt"
        wanted = () if on_kserve else image_requirements(service)
        own.write_text("".join(f"{line}\n" for line in wanted), encoding="utf-8")
        with torchserve.serve(
            bundle / STORE,
            bundle / CONFIG,
            models=[model.name for model in service.models],
            variables=variables,
            requirements=[own] if wanted else [],
            report=report,
            timeout_seconds=READY_SECONDS,
        ) as server:
            yield server


def _exposes_grpc(service: Service) -> bool:
    """Whether clients reach the gRPC service: for them requests/grpc_client.py is rendered."""
    return service.is_grpc or service.platform != "kserve"


def _doors(
    service: Service,
    rendered: Path,
    server: torchserve.Server,
    grpc: torchserve_grpc.GrpcClient | None,
) -> Iterator[Door]:
    only_grpc = service.platform == "kserve" and service.is_grpc
    for model in service.models[1:] if only_grpc else service.models:
        yield from _http_doors(service, model, server.inference)
    if grpc:
        send: Send = partial(over_grpc, grpc)
        yield _native_door(service.model, GRPC_CLIENT, "gRPC", send)
    if not only_grpc and not service.has_transformer and _is_called_with_samples(service.model):
        project, arguments = service.model.project, ("--url", f"http://{server.inference}")
        ask = partial(ask_about_images, project, rendered / CLIENT, arguments)
        yield Door(project, CLIENT, "v2 binary", "image", ask, timed=False)


def _is_called_with_samples(model: Model) -> bool:
    """Whether clients transform images themselves: for them requests/client.py is rendered."""
    return model.takes == "tensors" and bool(model.project.transforms.preprocess)


def _http_doors(service: Service, model: Model, address: str) -> Iterator[Door]:
    """The doors of one model: the body says which protocol it is, whatever the path."""
    behind = ", behind the transformer" if service.has_transformer else ""
    native, v1 = f"/predictions/{model.name}", f"/v1/models/{model.name}:predict"
    send: Send = partial(over_http, address, native)
    yield _native_door(model, f"TorchServe {native}{behind}", "native", send)
    project = model.project

    def door(path: str, protocol: str, kind: Kind, ask: Ask, largest: int | None = None) -> Door:
        return Door(project, f"TorchServe {path}{behind}", protocol, kind, ask, largest)

    signature = _signature(model)
    v2, largest = signature.path, None if signature.batched else 1
    if model.takes == "tensors":
        yield door(v1, "v1 JSON", "tensors", partial(ask_v1_tensors, signature, address, v1))
        if signature.fits_json:
            ask = partial(ask_json, signature, address)
            yield door(v2, "v2 JSON", "tensors", ask, largest)
        yield door(v2, "v2 binary", "tensors", partial(ask_binary, signature, address), largest)
    elif model.takes != "anything":
        yield door(v1, "v1 JSON", "image", partial(ask_v1, project, address, v1))
        yield door(v2, "v2 JSON", "image", partial(ask_v2, project, address, v2))


def _native_door(model: Model, name: str, protocol: str, send: Send) -> Door:
    """The door of the handler's own bodies, over HTTP or over gRPC."""
    project = model.project
    if model.takes == "anything":
        ask: Ask = partial(ask_anything, send)
        return Door(project, name, protocol, "image", ask, compared=False)
    if model.takes != "tensors":
        return Door(project, name, protocol, "image", partial(ask_images, project, send))
    signature = _signature(model)
    largest = None if signature.batched else 1
    ask = partial(ask_files, signature, send)
    return Door(project, name, f"{protocol}, .npy", "tensors", ask, largest)


def _signature(model: Model) -> Signature:
    """The tensors of a model, which have the project's own names."""
    described = model.project.model
    return Signature(
        path=f"/v2/models/{model.name}/infer",
        name=model.name,
        inputs=tuple(tensor.name for tensor in described.inputs),
        outputs=tuple(tensor.name for tensor in described.outputs),
        model=described,
    )


LIVE = Live(serve=serve, limits=LIMITS)
