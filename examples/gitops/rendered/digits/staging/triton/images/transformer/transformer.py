"""KServe transformer of digits: encoded images in, classes with probabilities out.

v1: {"instances": [{"image_bytes": {"b64": ...}}, ...]}
    Other fields of an instance are ignored.
v2: one BYTES tensor [N] named image_bytes
    Its elements are base64 text over HTTP, the images themselves over gRPC.
"""

import argparse
import asyncio
import base64
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import grpc
import kserve
import numpy as np
from kserve import InferenceGRPCClient, InferInput, InferOutput, InferRequest, InferResponse
from kserve.errors import InferenceError, InvalidInput, ModelNotReady
from kserve.model import append_forwardable_headers
from kserve.utils.numpy_codec import from_np_dtype
from kserve.utils.utils import generate_uuid

from transforms import Entry, postprocess, preprocess

FIELD = "image_bytes"
MODEL = "digits"  # the folder in Triton's model repository
INPUT = "INPUT__0"
OUTPUT = "OUTPUT__0"
MAX_BATCH_SIZE = 16
CHANNEL = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_reconnect_backoff_ms", 2000),  # soon again after a restart, not after two minutes
    ("grpc.lb_policy_name", "round_robin"),  # over every address that the name has
)
AWAY = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}


@dataclass(frozen=True)
class Exchange:
    """A request on its way: one tensor per instance, first the model's input, then its output."""

    request: InferRequest | None  # None at the v1 door
    tensors: list[np.ndarray]


class Transformer(kserve.Model):
    """Turn images into tensors for the predictor, and its tensors into answers."""

    def __init__(self, name: str, predictor: str, timeout_seconds: int) -> None:
        super().__init__(name)
        self.predictor = predictor
        self.timeout_seconds = timeout_seconds
        self.ready = True

    @cached_property
    def client(self) -> InferenceGRPCClient:
        """The connection to the predictor, opened in the worker process that needs it."""
        return InferenceGRPCClient(
            self.predictor, channel_args=list(CHANNEL), timeout=self.timeout_seconds, retries=0
        )

    async def preprocess(
        self, payload: object, headers: Mapping[str, str] | None = None
    ) -> Exchange:
        """Make the model's input, in a thread: decoding would hold up every other request."""
        samples = await asyncio.to_thread(samples_of, payload)
        return Exchange(payload if isinstance(payload, InferRequest) else None, samples)

    async def predict(
        self,
        payload: Exchange,
        headers: Mapping[str, str] | None = None,
        response_headers: Mapping[str, str] | None = None,
    ) -> Exchange:
        """Ask the predictor, in batches of the size that it takes."""
        outputs: list[np.ndarray] = []
        for start in range(0, len(payload.tensors), MAX_BATCH_SIZE):
            batch = np.stack(payload.tensors[start : start + MAX_BATCH_SIZE])
            outputs.extend(await self.infer(batch, headers))
        return Exchange(payload.request, outputs)

    async def infer(self, tensor: np.ndarray, headers: Mapping[str, str] | None) -> np.ndarray:
        """Send one tensor to the predictor, as raw bytes over gRPC."""
        sent = InferInput(INPUT, list(tensor.shape), "FP32", data=tensor)
        metadata = tuple(append_forwardable_headers(headers).items())
        try:
            response = await self.client.infer(InferRequest(MODEL, [sent]), headers=metadata)
        except grpc.RpcError as error:
            if error.code() in AWAY:
                raise ModelNotReady(MODEL, f"The predictor is away: {error.details()}") from error
            raise InferenceError(f"the predictor refuses: {error.details()}") from error
        output: np.ndarray = response.get_output_by_name(OUTPUT).as_numpy()
        return output

    async def postprocess(
        self,
        result: Exchange,
        headers: Mapping[str, str] | None = None,
        response_headers: Mapping[str, str] | None = None,
    ) -> dict[str, object] | InferResponse:
        """Answer in the protocol of the request."""
        predictions = [postprocess(output) for output in result.tensors]
        if result.request is None:
            return {"predictions": predictions}
        binary = result.request.use_binary_outputs
        arrays = answer_arrays(predictions)
        return InferResponse(
            response_id=result.request.id or generate_uuid(),
            model_name=self.name,
            infer_outputs=[answer_output(name, arrays[name], binary=binary) for name in arrays],
            use_binary_outputs=binary,
            requested_outputs=result.request.request_outputs,
        )


def samples_of(payload: object) -> list[np.ndarray]:
    """Read the images of a request and make a sample of each."""
    if isinstance(payload, InferRequest):
        elements = tensor_elements(payload)
    else:
        elements = instance_elements(payload)
    if not elements:
        raise InvalidInput("the request has no instances")
    return [sample(index, element) for index, element in enumerate(elements)]


def instance_elements(payload: object) -> list[object]:
    """Read the body of the v1 door."""
    if isinstance(payload, bytes):  # the SDK parses it only under a bare application/json
        payload = parsed(payload)
    match payload:
        case {"instances": list(instances)}:
            return [instance_element(index, each) for index, each in enumerate(instances)]
    raise InvalidInput('the request is not {"instances": [...]}')


def parsed(body: bytes) -> object:
    """Parse a body as JSON, whatever its content type says."""
    try:
        return json.loads(body)
    except ValueError as error:
        raise InvalidInput(f"the request is not JSON: {error}") from error


def instance_element(index: int, instance: object) -> str:
    """Find the image of one instance."""
    match instance.get(FIELD) if isinstance(instance, dict) else None:
        case {"b64": str(text)}:
            return text
    raise InvalidInput(f"instance {index} has no {FIELD}.b64")


def tensor_elements(request: InferRequest) -> list[object]:
    """Read the body of the v2 door."""
    match request.inputs:
        case [InferInput(datatype="BYTES", shape=[_]) as tensor] if tensor.name == FIELD:
            pass
        case _:
            raise InvalidInput(f"the request is not one BYTES tensor [N] named {FIELD}")
    try:
        elements: list[object] = tensor.as_numpy().tolist()
    except (ValueError, struct.error) as error:
        raise InvalidInput(f"the data of {FIELD} does not fit its shape") from error
    return elements


def sample(index: int, element: object) -> np.ndarray:
    """Make the model's input of one image; a refusal names the instance, counted from 0."""
    try:
        return preprocess(encoded_image(element))
    except ValueError as error:
        raise InvalidInput(f"instance {index}: {error}") from error


def encoded_image(element: object) -> bytes:
    """The bytes of an image; those of JSON come as base64 text."""
    match element:
        case bytes():
            return element
        case str():
            return base64.b64decode(element, validate=True)
    raise ValueError("the image is neither text nor bytes")


def answer_arrays(predictions: list[list[Entry]]) -> dict[str, np.ndarray]:
    """The answers as tensors [N, k], best class first."""
    labels = [[entry["class_name"] for entry in entries] for entries in predictions]
    values = [[entry["probability"] for entry in entries] for entries in predictions]
    return {
        "class_name": np.array(labels, dtype=object),
        "probability": np.array(values, dtype=np.float32),
    }


def answer_output(name: str, array: np.ndarray, *, binary: bool) -> InferOutput:
    """One tensor of an answer: its bytes, or numbers and texts for JSON."""
    output = InferOutput(name, list(array.shape), from_np_dtype(array.dtype))
    output.set_data_from_numpy(array, binary_data=binary)
    return output


def main() -> None:
    """Serve with the flags that KServe's controller gives."""
    args = argparse.ArgumentParser(parents=[kserve.model_server.parser]).parse_args()
    timeout_seconds = args.predictor_request_timeout_seconds
    kserve.ModelServer().start([Transformer(args.model_name, args.predictor_host, timeout_seconds)])


if __name__ == "__main__":
    main()
