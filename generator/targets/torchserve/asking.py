"""What a TorchServe's doors are sent, where no other server has them, and what they answer."""

import io
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from generator.engines import EngineError
from generator.engines.torchserve_grpc import Failed, GrpcClient
from generator.live import Answer, Custom, Entries, Refused, Tensors, Unanswered
from generator.live.exchange import post, post_json
from generator.live.image_requests import prediction_answer
from generator.live.tensor_requests import Signature, stacked, unstacked
from generator.project import Project
from generator.transforms.code import answer_of

MOST_AT_ONCE = 32
BYTES = {"Content-Type": "application/octet-stream"}

Body = bytes | Mapping[str, bytes]
"""A request at the native door: a whole body, or what stands in each field of a form."""
Send = Callable[[Sequence[Body]], Sequence[bytes]]
"""Sends requests to the native door at once; gives the bodies of their answers in order."""


def over_http(address: str, path: str, bodies: Sequence[Body]) -> list[bytes]:
    """Send bodies to the native door, a request for each, all at once."""
    threads = ThreadPoolExecutor(min(len(bodies), MOST_AT_ONCE))
    try:
        return list(threads.map(partial(_post, address, path), bodies))
    finally:  # after a Ctrl-C the server ends first: a request to one that hangs is long
        threads.shutdown(wait=False, cancel_futures=True)


def over_grpc(client: GrpcClient, bodies: Sequence[Body]) -> list[bytes]:
    """Send bodies to the gRPC service, a call for each, all at once."""
    try:
        answers = client.ask(bodies)
    except Failed as failure:
        refused = failure.status == "INVALID_ARGUMENT"
        raise (Refused if refused else Unanswered)(str(failure)) from failure
    except EngineError as error:
        raise Unanswered(str(error)) from error
    for answer in answers:
        if refusal := _refusal(answer):
            raise Refused(refusal)
    return answers


def ask_images(project: Project, send: Send, images: Sequence[bytes]) -> list[Answer]:
    """Send each image as a request of its own."""
    return [_native_answer(project, _json(body)) for body in send(images)]


def ask_anything(send: Send, images: Sequence[bytes]) -> list[Answer]:
    """Send each image as a request of its own to a handler whose answers are its own."""
    return [Custom(_json_or_text(body)) for body in send(images)]


def ask_files(signature: Signature, send: Send, samples: Sequence[Any]) -> list[Answer]:
    """Send samples as one request of .npy files, one for each input."""
    arrays = stacked(signature, samples)
    files = {name: _npy(array) for name, array in zip(signature.inputs, arrays, strict=True)}
    body: Body = files if len(files) > 1 else next(iter(files.values()))
    [answer] = send([body])
    try:
        loaded = np.load(io.BytesIO(answer), allow_pickle=False)
        outputs = (
            [loaded] if isinstance(loaded, np.ndarray) else [loaded[n] for n in signature.outputs]
        )
        return _as_many(unstacked(signature, outputs), len(samples))
    except Exception as error:  # numpy raises nearly anything on what is no file of its own
        raise Unanswered(f"no .npy or .npz file of {', '.join(signature.outputs)}") from error


def ask_v1_tensors(
    signature: Signature, address: str, path: str, samples: Sequence[Any]
) -> list[Answer]:
    """Send samples as instances of one request of the v1 protocol, in nested lists."""
    answer = post_json(address, path, {"instances": [_instance(signature, s) for s in samples]})
    try:
        answers = [_tensors(signature, each) for each in answer["predictions"]]
        return _as_many(answers, len(samples))
    except (KeyError, TypeError, ValueError):
        raise Unanswered(f"other predictions than the model's in {str(answer)[:300]}") from None


def _post(address: str, path: str, body: Body) -> bytes:
    if isinstance(body, Mapping):
        content, kind = _form(body)
        return post(address, path, content, {"Content-Type": kind}).body
    return post(address, path, body, BYTES).body


def _form(fields: Mapping[str, bytes]) -> tuple[bytes, str]:
    """A form with files (RFC 7578), and its content type."""
    boundary = uuid.uuid4().hex
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}.npy"\r\n'
        f"Content-Type: {BYTES['Content-Type']}\r\n\r\n".encode()
        + content
        + b"\r\n"
        for name, content in fields.items()
    ]
    end = f"--{boundary}--\r\n".encode()
    return b"".join([*parts, end]), f"multipart/form-data; boundary={boundary}"


def _refusal(body: bytes) -> str | None:
    """What a handler says is wrong with a request: over gRPC that has no status of its own."""
    answer = _json_or_text(body) if body.startswith(b"{") else None
    return str(answer["error"]) if isinstance(answer, dict) and "error" in answer else None


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise Unanswered(f"the answer is no JSON: {body[:300]!r}") from None


def _json_or_text(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", errors="replace")


def _native_answer(project: Project, answer: Any) -> Answer:
    """What postprocess made of one image: a list of maps with one key where it picks classes."""
    told = answer_of(project)
    if told.kind != "entries":
        return prediction_answer(project, answer)
    try:
        [*pairs] = (pair for entry in answer for [pair] in [entry.items()])
        named = told.label == "class_name"
        labels = tuple(label if named else int(label) for label, _ in pairs)
        return Entries(labels, tuple(float(value) for _, value in pairs))
    except (AttributeError, TypeError, ValueError):
        raise Unanswered(f"no list of maps with one class in {str(answer)[:300]}") from None


def _npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def _instance(signature: Signature, sample: Sequence[Any]) -> object:
    lists = [array.tolist() for array in sample]
    return dict(zip(signature.inputs, lists, strict=True)) if len(lists) > 1 else lists[0]


def _tensors(signature: Signature, prediction: Any) -> Answer:
    """The outputs for one instance, of several outputs by their names."""
    outputs = signature.outputs
    several = len(outputs) > 1
    values = [prediction[name] for name in outputs] if several else [prediction]
    return Tensors(tuple(map(np.asarray, values)))


def _as_many(answers: list[Answer], count: int) -> list[Answer]:
    if len(answers) != count:
        raise ValueError(f"{len(answers)} answers to {count} samples")
    return answers
