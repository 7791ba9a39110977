"""Triton's PyTorch backend for TorchScript and AOTInductor, written in Python.

The server loads a copy of this file as `pytorch/model.py` in its backend directory, and with it
serves an unmodified repository with `platform: "pytorch_libtorch"`, or "torch_aoti" with the file
beside it. How tensors are named, and what is refused in which words, follows the original:
https://github.com/triton-inference-server/pytorch_backend/blob/main/src/libtorch.cc
It is stricter in two things: output shapes are held against `dims`, and an input index must exist.
It does not do: TYPE_STRING, sequence batching, ragged batches, batch_input, the ENABLE_ parameters.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aoti_program
import torch
import triton_python_backend_utils as pb_utils

DATA_TYPE = {  # ConvertTorchTypeToDataType
    torch.bool: "TYPE_BOOL",
    torch.uint8: "TYPE_UINT8",
    torch.int8: "TYPE_INT8",
    torch.int16: "TYPE_INT16",
    torch.int32: "TYPE_INT32",
    torch.int64: "TYPE_INT64",
    torch.float16: "TYPE_FP16",
    torch.float32: "TYPE_FP32",
    torch.float64: "TYPE_FP64",
}

PLATFORM = "platform"  # a parameter of the engine's, for platforms that the server does not know


class RefusedError(ValueError):
    """A configuration or a request that the backend does not accept."""


@dataclass(frozen=True)
class Tensor:
    """One input or output of the configuration; `dims` are without the batch, -1 is any size."""

    name: str
    data_type: str
    dims: tuple[int, ...]
    place: int


class TritonPythonModel:
    """One instance of a model: the name and the methods are what the Python backend looks for."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the program of one version and hold the configuration against it."""
        config = json.loads(args["model_config"])
        parameters = {
            key: value["string_value"] for key, value in config.get("parameters", {}).items()
        }
        set_threads(parameters)
        self.inference_mode = is_on(parameters, "INFERENCE_MODE", default=True)
        self.optimized = not is_on(parameters, "DISABLE_OPTIMIZED_EXECUTION", default=False)
        is_gpu = args["model_instance_kind"] == "GPU"
        self.device = torch.device(f"cuda:{args['model_instance_device_id']}" if is_gpu else "cpu")
        is_aoti = parameters.get(PLATFORM, config["platform"]) == "torch_aoti"
        file_name = config.get("default_model_filename") or ("model.pt2" if is_aoti else "model.pt")
        path = Path(args["model_repository"], args["model_version"], file_name)
        if not path.is_file():
            raise RefusedError(f"unable to find '{path}' for model '{args['model_name']}'")
        self.max_batch_size = int(config["max_batch_size"])
        self.name = args["model_name"]
        if is_aoti:
            self.load_aoti(path, config)
        else:
            self.load_torchscript(path, config)

    def load_aoti(self, path: Path, config: dict[str, Any]) -> None:
        """Load a program of AOTInductor and find the tensors by the names that it offers."""
        self.program, self.takes_dict = aoti_program.AotiProgram(path), False
        self.check_count(config, len(self.program.inputs))
        self.inputs, self.outputs = (
            tensors(config[kind.lower()], aoti_program.places(names(config, kind), known, kind))
            for kind, known in (("Input", self.program.inputs), ("Output", self.program.outputs))
        )

    def check_count(self, config: dict[str, Any], count: int) -> None:
        """Refuse a configuration with more inputs than the program takes, or with fewer."""
        if count != len(config["input"]):
            raise RefusedError(
                f"unable to load model '{self.name}', configuration expects "
                f"{len(config['input'])} inputs, model provides {count}"
            )

    def load_torchscript(self, path: Path, config: dict[str, Any]) -> None:
        """Load a TorchScript program and hold the configuration against its signature."""
        self.program = torch.jit.load(str(path), map_location=self.device)
        self.program.eval()
        self.takes_dict, arguments = signature(self.program)
        if not self.takes_dict:
            self.check_count(config, len(arguments))
        self.inputs = tensors(config["input"], places(names(config, "Input"), arguments))
        self.outputs = tensors(config["output"], places(names(config, "Output"), []))
        if not self.takes_dict and sorted(one.place for one in self.inputs) != list(
            range(len(arguments))
        ):
            raise RefusedError(f"the inputs do not name each of {arguments} once")
        if (count := output_count(self.program)) is not None:
            check_places(self.outputs, count, "output")

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer requests as one batch along dimension 0, or one by one without batching."""
        if self.max_batch_size > 0:
            return self.answer(requests)
        return [response for request in requests for response in self.answer([request])]

    def answer(self, requests: Sequence[Any]) -> list[Any]:
        """Run a batch and split what comes out; a failure is the answer to every request in it."""
        try:
            parts = [[read(request, one.name) for one in self.inputs] for request in requests]
            sizes = [len(values[0]) for values in parts]
            batch = [torch.cat(column).to(self.device) for column in zip(*parts, strict=True)]
            results = self.run(batch)
            columns = [self.rows(one, results, sizes) for one in self.outputs]
        except (RuntimeError, RefusedError) as problem:
            error = pb_utils.TritonError(f"PyTorch execute failure: {problem}")
            return [pb_utils.InferenceResponse(error=error) for _ in requests]
        return [
            pb_utils.InferenceResponse(
                [
                    pb_utils.Tensor(one.name, rows.cpu().contiguous().numpy())
                    for one, rows in zip(self.outputs, answer, strict=True)
                ]
            )
            for answer in zip(*columns, strict=True)
        ]

    def run(self, batch: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        """Call the program's `forward` and return its outputs in order."""
        with (
            torch.inference_mode(self.inference_mode),
            torch.no_grad(),
            torch.jit.optimized_execution(self.optimized),
        ):
            if self.takes_dict:
                named = {one.name: value for one, value in zip(self.inputs, batch, strict=True)}
                returned = self.program(named)
            else:
                placed = {one.place: value for one, value in zip(self.inputs, batch, strict=True)}
                returned = self.program(*[placed[place] for place in range(len(placed))])
        results = returned if isinstance(returned, tuple) else (returned,)
        if not all(isinstance(result, torch.Tensor) for result in results):
            raise RefusedError("output must be of type Tensor or Tuple of Tensors")
        check_places(self.outputs, len(results), "output")
        return results

    def rows(
        self, output: Tensor, results: Sequence[torch.Tensor], sizes: Sequence[int]
    ) -> Sequence[torch.Tensor]:
        """Check one output against the configuration and give each request its rows."""
        result = results[output.place]
        given = DATA_TYPE.get(result.dtype, str(result.dtype))
        if given != output.data_type:
            raise RefusedError(
                f"configuration expects datatype {output.data_type} for output '{output.name}', "
                f"model provides {given}"
            )
        batch = (sum(sizes),) if self.max_batch_size > 0 else ()
        expected, shape = batch + output.dims, tuple(result.shape)
        if len(shape) != len(expected) or any(
            want not in (-1, size) for want, size in zip(expected, shape, strict=True)
        ):
            raise RefusedError(
                f"configuration expects shape {list(expected)} for output '{output.name}', "
                f"model provides {list(shape)}"
            )
        return result.split(list(sizes)) if self.max_batch_size > 0 else [result]


def set_threads(parameters: dict[str, str]) -> None:
    """Size torch's two thread pools, which belong to the process, as the configuration says."""
    if (count := int(parameters.get("INTRA_OP_THREAD_COUNT", 0))) > 0:
        torch.set_num_threads(count)
    if (count := int(parameters.get("INTER_OP_THREAD_COUNT", 0))) > 0:
        torch.set_num_interop_threads(count)


def is_on(parameters: dict[str, str], key: str, *, default: bool) -> bool:
    """Read a boolean parameter."""
    value = parameters.get(key, str(default)).lower()
    if value not in ("true", "false", "1", "0"):
        raise RefusedError(f"parameter {key} is neither true nor false: {value}")
    return value in ("true", "1")


def signature(program: torch.jit.ScriptModule) -> tuple[bool, list[str]]:
    """Tell whether `forward` takes one dictionary, and otherwise its argument names in order."""
    arguments = [one for one in program.forward.schema.arguments if one.name != "self"]
    kinds = [one.type.kind() for one in arguments]
    if kinds == ["DictType"]:
        return True, []
    for one, kind in zip(arguments, kinds, strict=True):
        if kind != "TensorType":
            raise RefusedError(f"an input of type '{one.type}' was detected in the model")
    return False, [one.name for one in arguments]


def output_count(program: torch.jit.ScriptModule) -> int | None:
    """Count what `forward` returns, where its signature tells."""
    returned = program.forward.schema.returns[0].type
    if returned.kind() == "TupleType":
        return len(returned.elements())
    return 1 if returned.kind() == "TensorType" else None


def names(config: dict[str, Any], kind: str) -> list[str]:
    """The names of a configuration's inputs or outputs."""
    return [entry["name"] for entry in config[kind.lower()]]


def tensors(entries: Sequence[dict[str, Any]], found: Sequence[int]) -> tuple[Tensor, ...]:
    """Read the inputs or the outputs of a configuration, each of which has a place in `forward`."""
    for entry in entries:
        if entry["data_type"] not in DATA_TYPE.values():
            raise RefusedError(f"unsupported datatype {entry['data_type']} for '{entry['name']}'")
    return tuple(
        Tensor(entry["name"], entry["data_type"], shape(entry), place)
        for entry, place in zip(entries, found, strict=True)
    )


def places(names: Sequence[str], arguments: Sequence[str]) -> list[int]:
    """Find each name's position: an argument's, else the number behind `__`, else its own order."""
    if arguments and all(name in arguments for name in names):
        return [arguments.index(name) for name in names]
    numbers = [name.partition("__")[2] for name in names]
    if all(number.isdecimal() for number in numbers):
        return [int(number) for number in numbers]
    pb_utils.Logger.log_warn(f"{list(names)} are taken in the order of the configuration")
    return list(range(len(names)))


def shape(entry: dict[str, Any]) -> tuple[int, ...]:
    """Give the shape that the model itself sees: the reshape, or the dims."""
    sizes: Iterable[Any] = entry.get("reshape", {}).get("shape", entry["dims"])
    return tuple(int(size) for size in sizes)


def check_places(named: Sequence[Tensor], count: int, kind: str) -> None:
    """Refuse a name whose index the model does not have."""
    for one in named:
        if one.place >= count:
            raise RefusedError(
                f"The {kind} {one.name} in the model configuration refers to an {kind} index "
                f"which doesn't exist. This model has {count} {kind}s"
            )


def read(request: Any, name: str) -> torch.Tensor:
    """Take one input of a request as a tensor; its dtype and shape are checked by the server."""
    return torch.from_numpy(pb_utils.get_input_tensor_by_name(request, name).as_numpy())
