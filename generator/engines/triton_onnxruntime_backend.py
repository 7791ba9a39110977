"""Triton's ONNX Runtime backend, written in Python.

The server loads a copy of this file as `onnxruntime/model.py` in its backend directory, and with
it serves an unmodified `platform: "onnxruntime_onnx"` repository. What is held against the model,
and refused in which words, follows the original:
https://github.com/triton-inference-server/onnxruntime_backend/tree/main/src
It does not do: GPUs, TYPE_STRING, sequence batching, ragged batches, batch_input, optional inputs,
parameters other than the two for threads.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import triton_python_backend_utils as pb_utils

DATA_TYPE = {  # ConvertFromOnnxDataType
    "tensor(bool)": "TYPE_BOOL",
    "tensor(uint8)": "TYPE_UINT8",
    "tensor(int8)": "TYPE_INT8",
    "tensor(int16)": "TYPE_INT16",
    "tensor(int32)": "TYPE_INT32",
    "tensor(int64)": "TYPE_INT64",
    "tensor(float16)": "TYPE_FP16",
    "tensor(float)": "TYPE_FP32",
    "tensor(double)": "TYPE_FP64",
}
ANY = -1  # a dimension of any size


class RefusedError(ValueError):
    """A configuration that the backend does not accept."""


@dataclass(frozen=True)
class Value:
    """An input or output of the graph: its type in config.pbtxt's words, its whole shape."""

    data_type: str
    shape: tuple[int, ...]


class TritonPythonModel:
    """One instance of a model: the name and the methods are what the Python backend looks for."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the graph of one version and hold the configuration against it."""
        config = json.loads(args["model_config"])
        self.model = args["model_name"]
        file_name = config.get("default_model_filename") or "model.onnx"
        path = Path(args["model_repository"], args["model_version"], file_name)
        if not path.is_file():
            raise RefusedError(f"unable to find '{path}' for model instance '{self.model}'")
        self.session = onnxruntime.InferenceSession(
            str(path), options(config.get("parameters", {})), providers=["CPUExecutionProvider"]
        )
        self.max_batch_size = int(config["max_batch_size"])
        inputs, outputs = values(self.session.get_inputs()), values(self.session.get_outputs())
        if len(inputs) != len(config["input"]):
            raise RefusedError(
                f"unable to load model '{self.model}', configuration expects "
                f"{len(config['input'])} inputs, model provides {len(inputs)}"
            )
        for entry in config["input"]:
            self.check(entry, inputs, "input", exact=False)
        for entry in config["output"]:
            self.check(entry, outputs, "output", exact=True)
        self.inputs = [entry["name"] for entry in config["input"]]
        self.outputs = [entry["name"] for entry in config["output"]]

    def check(self, entry: Any, known: dict[str, Value], kind: str, *, exact: bool) -> None:
        """Refuse a tensor whose name, type or dims are not the graph's.

        A size that the graph leaves open may be fixed for an input, and must be open for an output.
        """
        name, data_type = entry["name"], entry["data_type"]
        if name not in known:
            raise RefusedError(
                f"unexpected inference {kind} '{name}', allowed {kind}s are: {', '.join(known)}"
            )
        value = known[name]
        if data_type != value.data_type:
            raise RefusedError(
                f"unable to load model '{self.model}', configuration expects datatype {data_type} "
                f"for {kind} '{name}', model provides {value.data_type}"
            )
        sizes = entry.get("reshape", {}).get("shape", entry["dims"])
        dims = tuple(int(size) for size in sizes)
        whole = (ANY, *dims) if self.max_batch_size > 0 else dims
        if self.max_batch_size > 0 and value.shape[:1] != (ANY,):
            raise RefusedError(
                f"model '{self.model}', tensor '{name}': for the model to support batching the "
                "shape should have at least 1 dimension and the first dimension must be -1; but "
                f"shape expected by the model is {list(value.shape)}"
            )
        if len(whole) != len(value.shape) or any(
            want != given and (exact or want != ANY)
            for want, given in zip(value.shape, whole, strict=True)
        ):
            raise RefusedError(
                f"model '{self.model}', tensor '{name}': the model expects {len(value.shape)} "
                f"dimensions (shape {list(value.shape)}) but the model configuration specifies "
                f"{len(whole)} dimensions (shape {list(whole)})"
            )

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer requests as one batch along dimension 0, or one by one without batching."""
        if self.max_batch_size > 0:
            return self.answer(requests)
        return [response for request in requests for response in self.answer([request])]

    def answer(self, requests: Sequence[Any]) -> list[Any]:
        """Run a batch and split what comes out; a failure is the answer to every request in it."""
        parts = [[read(request, name) for name in self.inputs] for request in requests]
        batch = {
            name: np.concatenate(column) if len(column) > 1 else column[0]
            for name, column in zip(self.inputs, zip(*parts, strict=True), strict=True)
        }
        try:
            results = self.session.run(self.outputs, batch)
        except Exception as problem:  # of its own types, which share no other base
            error = pb_utils.TritonError(f"onnx runtime error: {problem}")
            return [pb_utils.InferenceResponse(error=error) for _ in requests]
        columns = [[result] for result in results]
        if len(parts) > 1:
            ends = np.cumsum([len(values[0]) for values in parts])[:-1]
            columns = [np.split(result, ends) for result in results]
        return [
            pb_utils.InferenceResponse(
                [
                    pb_utils.Tensor(name, np.ascontiguousarray(rows))
                    for name, rows in zip(self.outputs, answer, strict=True)
                ]
            )
            for answer in zip(*columns, strict=True)
        ]


def options(parameters: dict[str, Any]) -> onnxruntime.SessionOptions:
    """Size a session's threads as the configuration says; 0 or nothing is one for each core."""
    made = onnxruntime.SessionOptions()
    counts = {key: int(value["string_value"]) for key, value in parameters.items()}
    made.intra_op_num_threads = counts.get("intra_op_thread_count", 0)
    made.inter_op_num_threads = counts.get("inter_op_thread_count", 0)
    return made


def values(nodes: Sequence[Any]) -> dict[str, Value]:
    """The inputs or outputs of a graph by name; one that is called there has any size."""
    return {
        node.name: Value(
            DATA_TYPE.get(node.type, node.type),
            tuple(size if isinstance(size, int) else ANY for size in node.shape),
        )
        for node in nodes
    }


def read(request: Any, name: str) -> Any:
    """Take one input of a request as an array; its dtype and shape are checked by the server."""
    return pb_utils.get_input_tensor_by_name(request, name).as_numpy()
