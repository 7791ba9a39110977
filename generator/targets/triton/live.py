"""The real tritonserver on this machine, with KServe's component in front where there is one."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from generator.engines import Report, gpu, triton
from generator.kserve import live as kserve
from generator.live import Answer, Ask, Door, Kind, Live, NotHere, Tensors, Unanswered
from generator.live.program import ask_about_images, printed
from generator.live.tensor_requests import (
    Connection,
    Signature,
    answers_in,
    ask_classes,
    ask_json,
    ask_tensors,
    grpc_connection,
    http_connection,
    stacked,
)
from generator.live.watch import watched
from generator.project import Project
from generator.targets.triton.options import Options
from generator.targets.triton.service import Service, describe, tensor_names
from generator.transforms.embedded import as_called, is_embedded

LIMITS = (
    "the server is Triton 24.10, the newest on the package index, whatever runtime_version says",
    "its PyTorch and ONNX Runtime backends are stand-ins in Python, on your torch and on "
    "onnxruntime: what the originals alone refuse, as libtorch does names of tensors, is not shown",
    "a project that asks for a GPU is served only where torch finds one",
    *kserve.LIMITS,
)

CLIENT = "requests/client.py"
PLACED_HERE = frozenset(
    f"--{service}-{part}" for service in ("http", "grpc", "metrics") for part in ("address", "port")
) | {"--model-repository", "--model-store"}
"""Arguments of a manifest that say where in its container Triton listens and reads."""


@dataclass(frozen=True)
class _Served:
    """A project on a running server, and its tensors by Triton's names."""

    project: Project
    service: Service
    signature: Signature
    server: triton.Server

    @property
    def is_http(self) -> bool:
        """Whether clients, or else the transformer, call Triton over HTTP."""
        return not self.service.predictor_is_grpc

    @property
    def largest(self) -> int:
        """How many samples a request to Triton holds."""
        return max(self.service.max_batch_size, 1)

    @property
    def raw(self) -> str:
        """The protocol that carries tensors as bytes."""
        return "v2 binary" if self.is_http else "v2 gRPC"

    def connection(self) -> AbstractContextManager[Connection]:
        """Open a connection of that protocol."""
        return (
            http_connection(self.server.http) if self.is_http else grpc_connection(self.server.grpc)
        )


@contextlib.contextmanager
def serve(
    project: Project, options: Options, rendered: Path, bundle: Path, report: Report
) -> Iterator[list[Door]]:
    """Serve a bundle with the arguments of the rendered manifests, and open its doors."""
    if project.hardware.accelerator == "nvidia" and not gpu.is_usable():
        raise NotHere("the project asks for a GPU, and torch finds none on this machine")
    container = kserve.predictor(rendered)
    arguments = tuple(elsewhere(container.arguments))
    with (
        triton.serve(
            bundle, arguments=arguments, variables=container.variables, report=report
        ) as server,
        contextlib.ExitStack() as stack,
    ):
        signature = _signature(project, options)
        served = _Served(project, describe(project, options), signature, server)
        connection = stack.enter_context(served.connection())
        doors = watched(_doors(served, connection, rendered), server.ended)
        if served.service.has_transformer:
            component = kserve.component_doors(
                project,
                rendered,
                predictor_host=server.grpc,
                report=report,
                servers=[server.ended],
            )
            doors = [*stack.enter_context(component), *doors]
        yield doors


def elsewhere(arguments: Iterable[str]) -> Iterator[str]:
    """The arguments of a manifest but for those that are other ones on this machine."""
    given = iter(arguments)
    for argument in given:
        flag, equals, _ = argument.partition("=")
        if flag not in PLACED_HERE:
            yield argument
        elif not equals:
            next(given, None)  # its value


def _signature(project: Project, options: Options) -> Signature:
    """The model's tensors as callers of its program see them, by Triton's names."""
    name = describe(project, options).model
    return Signature(
        path=f"/v2/models/{name}/infer",
        name=name,
        inputs=tensor_names(project, options, side="INPUT"),
        outputs=tensor_names(project, options, side="OUTPUT"),
        model=as_called(project).model,
    )


def _doors(served: _Served, connection: Connection, rendered: Path) -> Iterator[Door]:
    """Triton's own doors: those that clients use, or the one that the transformer uses."""
    project, signature = served.project, served.signature
    kind: Kind = "pixels" if is_embedded(project.transforms) else "tensors"
    path = signature.path if served.is_http else f"ModelInfer {signature.name}"
    name = f"Triton {path}" + (", behind the transformer" if served.service.has_transformer else "")

    def door(protocol: str, kind: Kind, ask: Ask) -> Door:
        adapted = partial(_ask, project, signature, ask)
        return Door(project, name, protocol, kind, adapted, served.largest)

    if served.is_http and signature.fits_json:
        yield door("v2 JSON", kind, partial(ask_json, signature, served.server.http))
    yield door(served.raw, kind, partial(ask_tensors, signature, connection))
    if project.model.class_names and len(signature.model.outputs[0].sample_shape) == 1:
        named = partial(ask_classes, signature, connection)
        yield door(f"{served.raw}, class_count", "classes", named)
    if not served.service.has_transformer:
        yield _client(served, rendered / CLIENT)


def _client(served: _Served, program: Path) -> Door:
    """The rendered sample client: of images where it carries the transforms, else of .npy files."""
    project, server = served.project, served.server
    address = ("--url", f"http://{server.http}") if served.is_http else ("--address", server.grpc)
    ask: Ask
    if project.transforms.preprocess:
        ask = partial(ask_about_images, project, program, address)
        return Door(project, CLIENT, served.raw, "image", ask, timed=False)
    signature = served.signature
    ask = partial(_ask, project, signature, partial(_ask_client, signature, program, address))
    return Door(project, CLIENT, served.raw, "tensors", ask, served.largest, timed=False)


def _ask_client(
    signature: Signature, program: Path, arguments: Sequence[str], samples: Sequence[Any]
) -> Sequence[Answer]:
    """Name .npy files with the inputs to a client that prints the outputs by name."""

    def write(folder: Path) -> list[str]:
        names = [f"{tensor.name}.npy" for tensor in signature.model.inputs]
        for name, array in zip(names, stacked(signature, samples), strict=True):
            np.save(folder / name, array)
        return names

    lines = printed(program, arguments, write)
    try:
        [outputs] = lines
        arrays = {name: np.asarray(array) for name, array in outputs.items()}
    except (ValueError, AttributeError):
        raise Unanswered(f"{program.name} printed no outputs by name: {lines}"[:300]) from None
    return answers_in(signature, arrays, len(samples))


def _ask(
    project: Project, signature: Signature, ask: Ask, samples: Sequence[Any]
) -> Sequence[Answer]:
    """Ask with a tuple of arrays for each sample; a number is [1], as Triton knows no rank 0."""
    pixels = is_embedded(project.transforms)
    tuples = [(each,) if pixels else each for each in samples]
    sent = [tuple(np.atleast_1d(array) for array in arrays) for arrays in tuples]
    return [_with_numbers(signature, answer) for answer in ask(sent)]


def _with_numbers(signature: Signature, answer: Answer) -> Answer:
    """The answer with a number of rank 0 in place of [1], where the model's output is one."""
    if not isinstance(answer, Tensors):
        return answer
    arrays = zip(answer.arrays, signature.model.outputs, strict=True)
    return Tensors(
        tuple(
            array[0] if array.shape == (1,) and not tensor.sample_shape else array
            for array, tensor in arrays
        )
    )


LIVE = Live(serve=serve, limits=LIMITS)
