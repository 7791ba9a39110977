"""Tensors in the v2 protocol: JSON, binary behind JSON, gRPC."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from generator.datatypes import DATATYPE
from generator.live import BEST_CLASSES, Answer, Entries, Refused, Tensors, Unanswered
from generator.live.exchange import TIMEOUT_SECONDS, post_json
from generator.project import Model


@dataclass(frozen=True)
class Signature:
    """A model's tensors by the names of its v2 door, in the order of the project's."""

    path: str  # of infer
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    model: Model  # as callers see it

    @property
    def batched(self) -> bool:
        """Whether a request holds samples along a first dimension."""
        return self.model.inputs[0].has_batch

    @property
    def fits_json(self) -> bool:
        """Whether v2's JSON has numbers for the tensors: it has none for 16-bit floats."""
        tensors = (*self.model.inputs, *self.model.outputs)
        return all(tensor.dtype != "float16" for tensor in tensors)


@dataclass(frozen=True)
class Connection:
    """An open connection of tritonclient: its module, which makes tensors, and how it asks."""

    client: Any
    infer: Callable[..., Any]


def ask_json(signature: Signature, address: str, samples: Sequence[Any]) -> list[Answer]:
    """Send samples as one request with numbers in its JSON."""
    sent = [
        {
            "name": name,
            "shape": list(array.shape),
            "datatype": DATATYPE[tensor.dtype],
            "data": array.flatten().tolist(),
        }
        for name, tensor, array in zip(
            signature.inputs, signature.model.inputs, stacked(signature, samples), strict=True
        )
    ]
    answer = post_json(address, signature.path, {"inputs": sent})
    return answers_in(signature, json_arrays(answer), len(samples))


def ask_binary(signature: Signature, address: str, samples: Sequence[Any]) -> list[Answer]:
    """Send samples as one HTTP request with raw bytes behind its JSON."""
    with http_connection(address) as connection:
        return ask_tensors(signature, connection, samples)


def ask_tensors(
    signature: Signature, connection: Connection, samples: Sequence[Any]
) -> list[Answer]:
    """Send samples as one request of raw bytes."""
    inputs = _sent(signature, connection, samples)
    arrays = infer(connection, signature.name, inputs, signature.outputs)
    return answers_in(signature, arrays, len(samples))


def ask_classes(
    signature: Signature, connection: Connection, samples: Sequence[Any]
) -> list[Answer]:
    """Send samples and have the best classes of the first output named by the server."""
    inputs, name = _sent(signature, connection, samples), signature.outputs[0]
    arrays = infer(connection, signature.name, inputs, [name], class_count=BEST_CLASSES)
    texts = arrays[name]
    try:
        return [_named_classes(row) for row in (texts if signature.batched else [texts])]
    except (TypeError, ValueError, AttributeError):
        told = "no texts of value:index:name"
        raise Unanswered(f"{told} in {name}: {str(texts)[:300]}") from None


@contextlib.contextmanager
def http_connection(address: str) -> Iterator[Connection]:
    """Keep a connection open for requests with raw bytes behind their JSON."""
    import tritonclient.http as client

    # Without these times it would wait for ever.
    times = {"connection_timeout": TIMEOUT_SECONDS, "network_timeout": TIMEOUT_SECONDS}
    with client.InferenceServerClient(address, **times) as connection:
        yield Connection(client, connection.infer)


@contextlib.contextmanager
def grpc_connection(address: str) -> Iterator[Connection]:
    """Keep a channel open to inference.GRPCInferenceService."""
    import tritonclient.grpc as client

    with client.InferenceServerClient(address) as connection:
        yield Connection(client, partial(connection.infer, client_timeout=TIMEOUT_SECONDS))


def stacked(signature: Signature, samples: Sequence[Any]) -> list[Any]:
    """One array for each input: the samples along a first dimension, or the one that there is."""
    columns = zip(*samples, strict=True)
    if signature.batched:
        return [np.stack(column) for column in columns]
    [sample] = samples
    return list(sample)


def unstacked(signature: Signature, outputs: Sequence[Any]) -> list[Answer]:
    """The answer for each sample of a request."""
    if signature.batched:
        return [Tensors(row) for row in zip(*outputs, strict=True)]
    return [Tensors(tuple(outputs))]


def json_arrays(answer: Any) -> dict[str, Any]:
    """The tensors in an answer of v2's JSON by name; raises Unanswered where it holds others."""
    try:
        return {
            each["name"]: np.reshape(np.asarray(each["data"]), each["shape"])
            for each in answer["outputs"]
        }
    except (KeyError, TypeError, ValueError):
        raise Unanswered(f"no tensors in {str(answer)[:300]}") from None


def answers_in(signature: Signature, arrays: Mapping[str, Any], count: int) -> list[Answer]:
    """The answers in a request's outputs; raises Unanswered where they are not the project's."""
    outputs = [arrays.get(name) for name in signature.outputs]
    shapes = {name: list(array.shape) for name, array in arrays.items() if array is not None}
    try:
        answers = unstacked(signature, outputs)
    except (TypeError, ValueError):
        answers = []
    if len(answers) != count or any(each is None for each in outputs):
        wanted = f"{', '.join(signature.outputs)} for {count} samples"
        raise Unanswered(f"outputs of other shapes than {wanted}: {shapes}")
    return answers


def infer(
    connection: Connection, model: str, inputs: Sequence[Any], names: Sequence[str], **options: int
) -> dict[str, Any]:
    """Send a request of tritonclient's tensors for outputs of some names, and give their arrays.

    Raises Refused or Unanswered, whatever comes back.
    """
    wanted = [connection.client.InferRequestedOutput(name, **options) for name in names]
    try:
        result = connection.infer(model, inputs, outputs=wanted)
        return {name: result.as_numpy(name) for name in names}
    except Exception as error:  # geventhttpclient, grpc and tritonclient raise kinds of their own
        status = str(getattr(error, "status", lambda: None)())
        refused = status.startswith("4") or "INVALID_ARGUMENT" in status
        raise (Refused if refused else Unanswered)(" ".join(str(error).split())) from error


def _sent(signature: Signature, connection: Connection, samples: Sequence[Any]) -> list[Any]:
    """The inputs of one request with samples, as tritonclient has them."""
    inputs = []
    for name, tensor, array in zip(
        signature.inputs, signature.model.inputs, stacked(signature, samples), strict=True
    ):
        sent = connection.client.InferInput(name, list(array.shape), DATATYPE[tensor.dtype])
        sent.set_data_from_numpy(np.ascontiguousarray(array))
        inputs.append(sent)
    return inputs


def _named_classes(row: Any) -> Entries:
    """Entries of texts as Triton writes them: `0.826384:281:cat`."""
    values, _, labels = zip(*(text.decode().split(":", 2) for text in row), strict=True)
    return Entries(tuple(labels), tuple(map(float, values)))
