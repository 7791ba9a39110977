"""The messages that clients send through a graph of Seldon's, and the answers in theirs."""

import base64
import http.client
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from generator.engines import EngineError, seldon_graph
from generator.engines.seldon_graph import GrpcClient, Message, Unit
from generator.live import Answer, Refused, Tensors, Unanswered
from generator.live.image_requests import v1_answers
from generator.live.tensor_requests import Signature, answers_in, stacked
from generator.project import Project

Send = Callable[[Message], Message]
"""Sends a message through a graph; raises Refused or Unanswered, nothing else."""

GRPC_REFUSAL = "UNKNOWN"  # the wrapper has no other status for what a class raises


def over_rest(unit: Unit, message: Message) -> Message:
    """Send a message from node to node over REST."""
    try:
        return seldon_graph.walk(unit, message, seldon_graph.rest)
    except seldon_graph.Refused as refusal:
        said = f"{refusal.status} {_info(refusal.message)}"
        is_refusal = str(refusal.status).startswith("4")
        raise (Refused if is_refusal else Unanswered)(said) from refusal
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise Unanswered(f"{type(error).__name__}: {error}") from error


def over_grpc(client: GrpcClient, unit: Unit, message: Message) -> Message:
    """Send a message from node to node over gRPC."""
    try:
        return client.walk(unit, message)
    except seldon_graph.Refused as refusal:
        said = f"{refusal.status}: {refusal.message['details']}"
        is_refusal = refusal.status == GRPC_REFUSAL
        raise (Refused if is_refusal else Unanswered)(said) from refusal
    except EngineError as error:
        raise Unanswered(str(error)) from error


def ask_image(
    project: Project, send: Send, images: Sequence[bytes], *, is_joined: bool
) -> list[Answer]:
    """Send one image as binData."""
    [image] = images
    return _answers(project, send({"binData": _base64(image)}), 1, is_joined=is_joined)


def ask_instances(
    project: Project, send: Send, images: Sequence[bytes], *, is_joined: bool
) -> list[Answer]:
    """Send images as instances in jsonData."""
    field = project.transforms.request_field
    instances = [{field: {"b64": _base64(image)}} for image in images]
    answer = send({"jsonData": {"instances": instances}})
    return _answers(project, answer, len(images), is_joined=is_joined)


def ask_bytes(signature: Signature, send: Send, samples: Sequence[Any]) -> list[Answer]:
    """Send samples as one tensor of raw bytes in binData, with tags that describe it."""
    [tensor] = stacked(signature, samples)
    tags = {"dtype": str(tensor.dtype), "shape": list(tensor.shape)}
    answer = send({"binData": _base64(tensor.tobytes()), "meta": {"tags": tags}})
    return answers_in(signature, {signature.outputs[0]: _tensor(answer)}, len(samples))


def ask_numbers(signature: Signature, send: Send, samples: Sequence[Any]) -> list[Answer]:
    """Send samples as the numbers of one tensor."""
    [tensor] = stacked(signature, samples)
    numbers = {"shape": list(tensor.shape), "values": tensor.ravel().tolist()}
    message: Message = {"data": {"tensor": numbers}}
    if tensor.dtype != np.float32:  # what a server of any model takes them for
        message["meta"] = {"tags": {"dtype": str(tensor.dtype)}}
    answer = send(message)
    try:
        given = answer["data"]["tensor"]
        array = np.reshape(given["values"], list(map(int, given["shape"])))
    except (KeyError, TypeError, ValueError):
        raise Unanswered(f"no tensor in {str(answer)[:300]}") from None
    return answers_in(signature, {signature.outputs[0]: array}, len(samples))


def _answers(project: Project, answer: Message, count: int, *, is_joined: bool) -> list[Answer]:
    """The answers to images: predictions, or else a tensor, which holds them along a dimension."""
    if "jsonData" in answer:
        return v1_answers(project, answer["jsonData"], count)
    tensor = _tensor(answer)
    rows = list(tensor) if is_joined and tensor.ndim else [tensor]
    if len(rows) != count:
        raise Unanswered(f"{len(rows)} answers to {count} samples")
    return [Tensors((row,)) for row in rows]


def _tensor(answer: Message) -> Any:
    """The tensor in a message with raw bytes; over gRPC whole numbers of tags are floats."""
    try:
        tags = answer["meta"]["tags"]
        content = base64.b64decode(answer["binData"])
        return np.frombuffer(content, tags["dtype"]).reshape(list(map(int, tags["shape"])))
    except (KeyError, TypeError, ValueError):
        raise Unanswered(f"no tensor in {str(answer)[:300]}") from None


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _info(message: Message) -> str:
    """What a refusal says; the whole message where it is none of Seldon's."""
    status = message.get("status")
    return str(status.get("info", message) if isinstance(status, dict) else message)[:300]
