"""What clients of mnist-component send and get.

native: an .npy file, as the body or as form field image
    The answer is an .npy file.
v1: {"instances": [{"image": [...]}, ...]}, with nested lists of numbers
v2: the inputs by name in any order, as JSON or, after its head, as raw bytes
The body says which it is, whatever the path; over gRPC the same bytes come under the key data,
or .npy files under the names of the inputs.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Tensors = dict[str, np.ndarray]


@dataclass(frozen=True)
class Input:
    """An input of the model; a letter in its shape is a free size, N that of the batch."""

    datatype: str
    dtype: str
    shape: tuple[int | str, ...]


INPUTS = {  # in the order of forward
    "image": Input("FP32", "float32", ("N", 1, 28, 28)),
}
OUTPUTS = ("logits",)
DATATYPES = {"float32": "FP32"}  # of what is answered
PLACES = ("body", "data", "image")  # TorchServe calls a whole body "body"; the others are fields
KINDS = {"b": "b", "i": "iu", "u": "iu", "f": "iuf"}  # of JSON's numbers, by the kind of a dtype
FIELDS = " or ".join(PLACES[1:])
NO_TENSOR = f"there is no tensor: send an .npy file as the body, or as form field {FIELDS}, or JSON"
LENGTH = "Inference-Header-Content-Length"  # of the JSON that precedes raw bytes


@dataclass(frozen=True)
class Request:
    """A request that can be answered: the model's inputs, in order, for each call of the model.

    v1 has a call for each instance, the others have one. `wanted` are the outputs that a v2
    request names, with whether it wants them as raw bytes; `binary` says so for all.
    """

    protocol: Literal["native", "v1", "v2"]
    calls: list[list[np.ndarray]]
    id: str | None = None
    wanted: dict[str, bool] = field(default_factory=dict)
    binary: bool = False


@dataclass(frozen=True)
class Answer:
    """What TorchServe sends back."""

    body: bytes
    headers: Mapping[str, str]
    status: int = 200
    phrase: str = "OK"


def read(row: Mapping[str, object], headers: Mapping[str, object]) -> Request:
    """Read one request as TorchServe hands it over; raises ValueError with what is wrong."""
    sent = next((row[place] for place in PLACES if place in row), b"")
    length = head_length(headers)
    if length is not None and isinstance(sent, (bytes, bytearray)):
        return v2_request(parsed(sent[:length]), memoryview(sent)[length:])
    body = parsed(sent)
    if isinstance(body, dict) and "instances" in body:
        return v1_request(body["instances"])
    if isinstance(body, dict):
        return v2_request(body, memoryview(b""))
    if isinstance(body, (bytes, bytearray)) and body:
        [name] = INPUTS
        return Request("native", [ordered({name: loaded(name, body)})])
    raise ValueError(f"{NO_TENSOR}; {JSON_NEEDS}")


def head_length(headers: Mapping[str, object]) -> int | None:
    """Find where the JSON of a request with raw bytes ends; proxies change the case of a header."""
    for name, value in headers.items():
        if name.lower() == LENGTH.lower():
            if not str(value).isdecimal():
                raise ValueError(f"{LENGTH} is no number: {value}")
            return int(str(value))
    return None


JSON_NEEDS = "JSON needs Content-Type: application/json (curl -d sends a form)"


def parsed(value: object) -> object:
    """Parse JSON that comes as bytes, as over gRPC; no image or .npy file begins with a brace."""
    if isinstance(value, str):  # of a content type text/...
        value = value.encode()
    if not isinstance(value, (bytes, bytearray)):
        return value
    if not value.lstrip().startswith(b"{"):
        return value
    try:
        body: object = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the request is not JSON: {error}") from error
    return body


def loaded(name: str, file: object) -> np.ndarray:
    """Read an .npy file, of the input's own dtype."""
    if not isinstance(file, (bytes, bytearray)) or not file.startswith(b"\x93NUMPY"):
        raise ValueError(f"{name} is no .npy file")
    try:
        tensor: np.ndarray = np.load(io.BytesIO(file), allow_pickle=False)
    except Exception as error:  # numpy raises nearly anything on broken data
        raise ValueError(f"{name} is a broken .npy file") from error
    if tensor.dtype != INPUTS[name].dtype:
        raise ValueError(f"{name} is {tensor.dtype}, not {INPUTS[name].dtype}")
    return tensor


def ordered(tensors: Tensors) -> list[np.ndarray]:
    """Put the inputs of a call in order; all have to be there, in the shapes of the model."""
    known: dict[str, int] = {}
    for name, wanted in INPUTS.items():
        if name not in tensors:
            raise ValueError(f"input {name} is missing")
        shape = [known.get(str(size), size) for size in wanted.shape]
        given = tensors[name].shape
        if not fits(given, wanted.shape, known):
            raise ValueError(f"{name} has shape {listed(given)}, not {listed(shape)}")
    return [tensors[name] for name in INPUTS]


def fits(given: Sequence[int], wanted: Sequence[int | str], known: dict[str, int]) -> bool:
    """Whether sizes are those of a shape; a letter is one size, above 0, throughout a call."""
    return len(given) == len(wanted) and all(
        known.setdefault(want, size) == size > 0 if isinstance(want, str) else want == size
        for want, size in zip(wanted, given)
    )


def listed(shape: Sequence[object]) -> str:
    """A shape as the spec writes it."""
    return f"[{', '.join(map(str, shape))}]"


def v1_request(instances: object) -> Request:
    """Read the instances of a v1 request; a refusal names the instance, counted from 0."""
    if not isinstance(instances, list) or not instances:
        raise ValueError("the request has no instances")
    calls: list[list[np.ndarray]] = []
    for index, instance in enumerate(instances):
        try:
            calls.append(ordered(sample(instance)))
        except ValueError as error:
            raise ValueError(f"instance {index}: {error}") from error
    return Request("v1", calls)


def sample(instance: object) -> Tensors:
    """Make the inputs of one v1 instance."""
    given = instance if isinstance(instance, dict) else dict.fromkeys(INPUTS, instance)
    return {name: numbers(name, [given[name]]) for name in INPUTS if name in given}


def v2_request(body: object, data: memoryview) -> Request:
    """Read the tensors of a v2 request, from its JSON or from the raw bytes after it."""
    given = body.get("inputs") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(given, list):
        raise ValueError(f"{NO_TENSOR}; {JSON_NEEDS}")
    tensors: Tensors = {}
    for entry in given:
        name, shape = described(entry)
        if name in tensors:
            raise ValueError(f"input {name} is there twice")
        size = parameter(entry, "binary_data_size")
        if size is None:
            tensors[name] = of_json(name, shape, entry.get("data"))
        else:
            tensors[name] = of_bytes(name, shape, size, data)
            data = data[tensors[name].nbytes :]
    if len(data):
        raise ValueError(f"{len(data)} bytes follow the last input")
    return Request(
        protocol="v2",
        calls=[ordered(tensors)],
        id=str(body["id"]) if body.get("id") else None,
        wanted=wanted_outputs(body),
        binary=parameter(body, "binary_data_output") is True,
    )


def described(entry: object) -> tuple[str, list[int]]:
    """Read the name and the shape of a v2 tensor; its datatype is the input's."""
    name = entry.get("name") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(name, str) or name not in INPUTS:
        raise ValueError(f"the model has no input {name}, only {', '.join(INPUTS)}")
    if entry.get("datatype") != INPUTS[name].datatype:
        raise ValueError(f"{name} is {entry.get('datatype')}, not {INPUTS[name].datatype}")
    shape = entry.get("shape")
    if not isinstance(shape, list) or not all(type(size) is int for size in shape):
        raise ValueError(f"the shape of {name} is no list of whole numbers")
    return name, shape


def parameter(entry: Mapping[str, object], name: str) -> object:
    """One of the parameters of a v2 request or tensor."""
    parameters = entry.get("parameters")
    return parameters.get(name) if isinstance(parameters, dict) else None


def of_json(name: str, shape: Sequence[int], data: object) -> np.ndarray:
    """Make a tensor of JSON's numbers, nested or flat."""
    if INPUTS[name].datatype == "FP16":
        raise ValueError(f"{name} is FP16, which JSON has no numbers for: send it as raw bytes")
    tensor = numbers(name, data)
    if min(shape, default=1) < 1 or tensor.size != math.prod(shape):
        raise ValueError(f"{name} has {tensor.size} numbers, not those of {listed(shape)}")
    return tensor.reshape(shape)


def numbers(name: str, data: object) -> np.ndarray:
    """Make an array of nested lists, without changing a value for the sake of the dtype."""
    dtype = np.dtype(INPUTS[name].dtype)
    try:
        given = np.asarray(data)
    except ValueError as error:
        raise ValueError(f"{name} is no list of numbers, or of lists of equal length") from error
    if given.dtype.kind not in KINDS[dtype.kind]:
        raise ValueError(f"{name} has values that are no {dtype}")
    with np.errstate(over="ignore"):
        tensor = given.astype(dtype)
    if dtype.kind != "f" and not np.array_equal(tensor, given):
        raise ValueError(f"{name} has values beyond {dtype}")
    return tensor


def of_bytes(name: str, shape: Sequence[int], size: object, data: memoryview) -> np.ndarray:
    """Make a tensor of the raw bytes that come next."""
    dtype = np.dtype(INPUTS[name].dtype)
    needed = dtype.itemsize * math.prod(shape)
    if min(shape, default=1) < 1 or size != needed:
        raise ValueError(f"{name} has {size} bytes, and {listed(shape)} is another number of them")
    if len(data) < needed:
        raise ValueError(f"{name} has {needed} bytes, but only {len(data)} of them are there")
    return np.frombuffer(data[:needed], dtype).reshape(shape)


def wanted_outputs(body: Mapping[str, object]) -> dict[str, bool]:
    """The outputs that a v2 request names, with whether it wants them as raw bytes."""
    named = body.get("outputs", [])
    if not isinstance(named, list) or not all(isinstance(each, dict) for each in named):
        raise ValueError("outputs is no list of maps")
    default = parameter(body, "binary_data_output")
    wanted: dict[str, bool] = {}
    for entry in named:
        own = parameter(entry, "binary_data")
        wanted[str(entry.get("name"))] = (default if own is None else own) is True
    return wanted


def answer(request: Request, outputs: Sequence[Tensors], model: Mapping[str, str]) -> Answer:
    """Answer in the protocol of the request; raises ValueError where it cannot be had so."""
    if request.protocol == "native":
        return Answer(file_of(outputs[0]), {"content-type": "application/octet-stream"})
    if request.protocol == "v1":
        return in_json({"predictions": [prediction(each) for each in outputs]})
    return v2_answer(request, outputs[0], model)


def refusal(error: ValueError) -> Answer:
    """Tell a sender what is wrong with its request."""
    return in_json({"error": str(error)}, status=400, phrase="Bad Request")


def in_json(body: object, status: int = 200, phrase: str = "OK") -> Answer:
    """An answer in JSON."""
    return Answer(json.dumps(body).encode(), {"content-type": "application/json"}, status, phrase)


def file_of(tensors: Tensors) -> bytes:
    """Write an .npy file of the only tensor."""
    [tensor] = tensors.values()
    file = io.BytesIO()
    np.save(file, tensor, allow_pickle=False)
    return file.getvalue()


def prediction(tensors: Tensors) -> object:
    """The answer to one v1 instance: nested lists, of several outputs by their names."""
    lists = {name: tensor[0].tolist() for name, tensor in tensors.items()}
    return lists if len(lists) > 1 else next(iter(lists.values()))


def v2_answer(request: Request, tensors: Tensors, model: Mapping[str, str]) -> Answer:
    """Answer v2 under the id of its request: numbers in JSON, raw bytes after it."""
    wanted = request.wanted or dict.fromkeys(tensors, request.binary)
    described: list[dict[str, object]] = []
    data: list[bytes] = []
    for name, binary in wanted.items():
        if name not in tensors:
            raise ValueError(f"the model has no output {name}, only {', '.join(tensors)}")
        tensor = tensors[name]
        entry: dict[str, object] = {"name": name, "datatype": DATATYPES[str(tensor.dtype)]}
        entry["shape"] = list(tensor.shape)
        if binary:
            data.append(tensor.tobytes())
            entry["parameters"] = {"binary_data_size": tensor.nbytes}
        elif tensor.dtype == np.float16:
            raise ValueError(f"{name} is FP16, which JSON has no numbers for: ask for raw bytes")
        else:
            entry["data"] = tensor.ravel().tolist()
        described.append(entry)
    own = {"id": request.id} if request.id else {}
    version = {"model_name": model["modelName"], "model_version": model["modelVersion"]}
    if not data:
        return in_json({**own, **version, "outputs": described})
    head = json.dumps({**own, **version, "outputs": described}).encode()
    headers = {"content-type": "application/octet-stream", LENGTH: str(len(head))}
    return Answer(b"".join([head, *data]), headers)
