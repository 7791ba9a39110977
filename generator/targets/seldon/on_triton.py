"""The doors of a TRITON_SERVER of Seldon's: Triton itself, for nothing of ours stands before it."""

import contextlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from generator.engines import EngineError, Report, gpu, triton
from generator.live import Answer, Ask, Door, Kind, NotHere
from generator.live.program import ask_about_images
from generator.live.tensor_requests import (
    Connection,
    Signature,
    ask_classes,
    ask_json,
    ask_tensors,
    grpc_connection,
)
from generator.live.watch import watched
from generator.project import Project
from generator.targets.seldon.callers import triton_names
from generator.targets.seldon.running import MANIFEST, deployment
from generator.targets.seldon.service import Service
from generator.targets.triton import options as triton_options
from generator.targets.triton.live import elsewhere
from generator.targets.triton.service import describe
from generator.transforms.embedded import as_called, is_embedded

CLIENT = "requests/client.py"


@contextlib.contextmanager
def triton_doors(
    project: Project, service: Service, rendered: Path, bundle: Path, report: Report
) -> Iterator[list[Door]]:
    """Serve a bundle on Triton as the manifest says; its doors are those behind the orchestrator.

    Over REST these are JSON's alone: the orchestrator reads no tensors in raw bytes.
    """
    if project.hardware.accelerator == "nvidia" and not gpu.is_usable():
        raise NotHere("the project asks for a GPU, and torch finds none on this machine")
    container = deployment(rendered).containers.get(service.model_node)
    if container is None:
        raise EngineError(f"node {service.model_node} has no container in {MANIFEST}")
    with (
        triton.serve(
            bundle,
            arguments=tuple(elsewhere(container.arguments)),
            variables=container.variables,
            report=report,
        ) as server,
        grpc_connection(server.grpc) as connection,
    ):
        doors = list(_doors(project, _signature(project, service), server, connection))
        if project.transforms.preprocess:
            doors.append(_client(project, service, rendered / CLIENT, server))
        yield watched(doors, server.ended)


def _signature(project: Project, service: Service) -> Signature:
    """The tensors that callers of the program see, by Triton's names."""
    inputs, outputs = triton_names(project)
    return Signature(service.path, service.model_node, inputs, outputs, as_called(project).model)


def _doors(
    project: Project, signature: Signature, server: triton.Server, connection: Connection
) -> Iterator[Door]:
    embedded = is_embedded(project.transforms)
    tensors: Kind = "pixels" if embedded else "tensors"
    largest = max(describe(project, triton_options.Options()).max_batch_size, 1)

    def door(name: str, protocol: str, kind: Kind, ask: Ask) -> Door:
        adapted: Ask = partial(_ask_pixels, ask) if embedded else ask
        return Door(project, name, protocol, kind, adapted, largest)

    if signature.fits_json:
        ask = partial(ask_json, signature, server.http)
        yield door(signature.path, "v2 JSON", tensors, ask)
    over_grpc = f"ModelInfer {signature.name}"
    yield door(over_grpc, "v2 gRPC", tensors, partial(ask_tensors, signature, connection))
    if project.model.class_names and len(signature.model.outputs[0].sample_shape) == 1:
        labels = partial(ask_classes, signature, connection)
        yield door(over_grpc, "v2 gRPC, class_count", "classes", labels)


def _ask_pixels(ask: Ask, samples: Sequence[Any]) -> Sequence[Answer]:
    """Ask with the only array of each sample."""
    return ask([(sample,) for sample in samples])


def _client(project: Project, service: Service, program: Path, server: triton.Server) -> Door:
    """The rendered sample client, which carries the transforms."""
    over_grpc = service.is_grpc
    arguments = ("--address", server.grpc) if over_grpc else ("--url", f"http://{server.http}")
    protocol = "v2 gRPC" if over_grpc else "v2 JSON"
    ask = partial(ask_about_images, project, program, arguments)
    return Door(project, CLIENT, protocol, "image", ask, timed=False)
