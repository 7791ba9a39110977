"""The nodes of a Seldon deployment on this machine, the graph walked as the orchestrator does."""

import contextlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from generator.engines import Report, seldon_graph
from generator.engines.seldon_orchestrator import rest_door
from generator.live import Ask, Door, Live
from generator.live.program import ask_about_images
from generator.live.tensor_requests import Signature
from generator.live.watch import watched
from generator.project import Project
from generator.targets.seldon.asking import (
    Send,
    ask_bytes,
    ask_image,
    ask_instances,
    ask_numbers,
    over_grpc,
    over_rest,
)
from generator.targets.seldon.on_triton import triton_doors
from generator.targets.seldon.options import Options
from generator.targets.seldon.running import running
from generator.targets.seldon.service import Service, describe, is_split, is_triton
from generator.transforms.embedded import as_called, remaining

CLIENT = "requests/client.py"

LIMITS = (
    "the orchestrator is not run: its walk of the graph is done here, its own time is in no"
    " latency, and requests/client.py asks a stand-in for its REST door",
    "Seldon's operator, webhook and ingress are not run: nodes get what the rendered graph and"
    " containers say, each in the wrapper 1.17.1 on this Python and your torch",
    "the images are not built: s2i, conda and the builder image are not shown",
    "over gRPC the wrapper has one status for all that a class raises, so a failure counts as a"
    " refusal there",
    "models run on the CPU, whatever hardware.accelerator says",
    "TRITON_SERVER is Triton 24.10, with a stand-in for its libtorch backend",
)


@contextlib.contextmanager
def serve(
    project: Project, options: Options, rendered: Path, bundle: Path, report: Report
) -> Iterator[list[Door]]:
    """Start the nodes of the rendered graph, and open the doors of the orchestrator's clients."""
    service = describe(project, options)
    if is_triton(options):
        with triton_doors(project, service, rendered, bundle, report) as doors:
            yield doors
        return
    with (
        running(project, service, rendered, bundle, report) as nodes,
        seldon_graph.grpc_client(report=report) as client,
        rest_door(nodes.graph) as orchestrator,
    ):
        rest: Send = partial(over_rest, nodes.graph)
        grpc: Send = partial(over_grpc, client, nodes.graph)
        doors = [
            *_doors(project, service, service.path, "REST", rest),
            *_doors(project, service, "seldon.protos.Seldon/Predict", "gRPC", grpc),
        ]
        if not service.takes_images and project.transforms.preprocess:
            doors.append(_client(project, rendered, orchestrator))
        yield watched(doors, *nodes.told)


def _doors(
    project: Project, service: Service, name: str, transport: str, send: Send
) -> Iterator[Door]:
    """The forms of a request in one transport."""
    if service.takes_images:
        joined = _is_joined(project)
        one: Ask = partial(ask_image, project, send, is_joined=joined)
        several: Ask = partial(ask_instances, project, send, is_joined=joined)
        largest = None if _takes_several(project, service) else 1
        yield Door(project, name, f"{transport} binData", "image", one, 1)
        yield Door(project, name, f"{transport} instances", "image", several, largest)
        return
    signature = Signature(
        path=service.path,
        name=service.model_node,
        inputs=tuple(tensor.name for tensor in project.model.inputs),
        outputs=tuple(tensor.name for tensor in project.model.outputs),
        model=project.model,
    )
    largest = None if signature.batched else 1
    raw, numbers = partial(ask_bytes, signature, send), partial(ask_numbers, signature, send)
    yield Door(project, name, f"{transport} binData", "tensors", raw, largest)
    yield Door(project, name, f"{transport} data.tensor", "tensors", numbers, largest)


def _is_joined(project: Project) -> bool:
    """Whether an answer in a tensor has the images along its first dimension."""
    return not is_split(project) or project.model.outputs[0].has_batch


def _takes_several(project: Project, service: Service) -> bool:
    """Whether images of different sizes can be instances of one request."""
    [wanted], [output] = project.model.inputs, as_called(project).model.outputs
    if is_split(project):
        return wanted.has_batch and _is_sized(wanted.sample_shape)
    steps = project.transforms if service.takes == "images" else remaining(project.transforms)
    return bool(steps.postprocess) or _is_sized(output.sample_shape)


def _is_sized(shape: Sequence[int | str]) -> bool:
    return all(isinstance(size, int) for size in shape)


def _client(project: Project, rendered: Path, address: str) -> Door:
    """The rendered sample client, which carries the transforms."""
    ask = partial(ask_about_images, project, rendered / CLIENT, ("--url", f"http://{address}"))
    return Door(project, CLIENT, "REST binData", "image", ask, timed=False)


LIVE = Live(serve=serve, limits=LIMITS)
