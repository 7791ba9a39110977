"""Backends, platforms, and the parameters and fields that each of them reads.

[torch] is model_state.cc of triton-inference-server/pytorch_backend.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from generator.model_config_rules.model import (
    ENSEMBLE,
    PLATFORMS,
    PYTORCH,
    Model,
    at,
    first,
    ineffective,
)
from generator.pbtxt import Refusal, Scalar

# Backends whose platform Triton compares: GetBackendType in [core].
_COMPARED = ("tensorflow", "tensorrt", "onnxruntime", PYTORCH)
_NICKNAMES = {
    "libtorch": PYTORCH,
    "onnx": "onnxruntime",
    "onnx_runtime": "onnxruntime",
    "ort": "onnxruntime",
    "torch": PYTORCH,
    "torchscript": PYTORCH,
    "trt": "tensorrt",
}
_RETIRED = ("caffe2_netdef", "custom")  # of the years before a backend was named by `backend`
_SWITCHES = (
    "DISABLE_CUDNN",
    "DISABLE_OPTIMIZED_EXECUTION",
    "ENABLE_CACHE_CLEANING",
    "ENABLE_JIT_EXECUTOR",
    "ENABLE_JIT_PROFILING",
    "ENABLE_TENSOR_FUSER",
    "ENABLE_WEIGHT_SHARING",
    "INFERENCE_MODE",
)
_COUNTS = ("INTER_OP_THREAD_COUNT", "INTRA_OP_THREAD_COUNT")
# ParseBoolValue and ParseIntValue in backend_common.cc of triton-inference-server/backend.
_SWITCHED = re.compile(r"true|on|1|false|off|0", re.IGNORECASE)
_COUNTED = re.compile(r"\s*[+-]?[0-9]{1,9}")
_PYTHON_SWITCH = "FORCE_CPU_ONLY_INPUT_TENSORS"


def platform_of_another_backend(model: Model) -> Iterator[Refusal]:
    """Triton refuses a platform that is not its backend's [core], or runs the backend [ran]."""
    for platform in model.config.scalars("platform"):
        owner = PLATFORMS.get(platform.text, "")
        is_wrong = owner != model.backend if owner else model.backend in _COMPARED
        for backend in model.config.scalars("backend"):
            if backend.text and platform.text not in ("", ENSEMBLE) and is_wrong:
                text = f"backend `{backend.text}` does not serve platform `{platform.text}`"
                yield at(backend, text, "give one of `platform` and `backend`")


def unknown_platform(model: Model) -> Iterator[Refusal]:
    """Triton refuses a platform that leads to no backend: "unexpected platform type" [ran]."""
    for platform in model.config.scalars("platform"):
        if not platform.text or model.is_ensemble or model.backend:
            continue
        hint = f'write `backend: "{platform.text}"`'
        if platform.text in _RETIRED:
            hint = "Triton serves it no more: name a `backend`"
        elif platform.text in _NICKNAMES:
            hint = f'write `backend: "{_NICKNAMES[platform.text]}"`'
        elif near := difflib.get_close_matches(platform.text, PLATFORMS, 1, 0.8):
            hint = f"did you mean `{near[0]}`?"
        yield at(platform, f"unknown platform `{platform.text}`", hint)


def platform_as_backend(model: Model) -> Iterator[Refusal]:
    """Triton finds no library for a backend that is named like a platform [ran]."""
    for backend in model.config.scalars("backend"):
        if owner := PLATFORMS.get(backend.text) or _NICKNAMES.get(backend.text):
            text = f"no backend of Triton's is named `{backend.text}`"
            yield at(backend, text, f'write `backend: "{owner}"`', severity="warning")
        elif backend.text == ENSEMBLE:
            text = f"`{ENSEMBLE}` is a platform, not a backend"
            yield at(backend, text, f'write `platform: "{ENSEMBLE}"`')


def torch_parameter_of_another_type(model: Model) -> Iterator[Refusal]:
    """The PyTorch backend refuses to load a model whose parameter it cannot read [torch]."""
    for key, value in _parameters(model):
        if not model.is_torchscript:
            continue
        if key.text in _SWITCHES and not _SWITCHED.fullmatch(value.text):
            yield at(value, f"`{key.text}` takes true or false, not `{value.text}`")
        elif key.text in _COUNTS and not _COUNTED.match(value.text):
            yield at(value, f"`{key.text}` takes a whole number, not `{value.text}`")


def misspelt_torch_parameter(model: Model) -> Iterator[Refusal]:
    """The PyTorch backend ignores parameters that it does not know [torch]."""
    known = _SWITCHES + _COUNTS
    for key, _ in _parameters(model):
        if model.is_torchscript and key.text not in known:
            near = difflib.get_close_matches(key.text.upper(), known, 1, 0.85)
            for meant in near:
                text = f"backend `{PYTORCH}` does not read parameter `{key.text}`"
                yield ineffective(key, text, f"did you mean `{meant}`?")


def python_parameter_of_another_word(model: Model) -> Iterator[Refusal]:
    """The Python backend refuses FORCE_CPU_ONLY_INPUT_TENSORS other than yes and no [ran]."""
    for key, value in _parameters(model):
        is_read = model.backend == "python" and key.text == _PYTHON_SWITCH
        if is_read and value.text not in ("yes", "no"):
            yield at(value, f"`{_PYTHON_SWITCH}` takes yes or no, not `{value.text}`")


def field_that_torch_ignores(model: Model) -> Iterator[Refusal]:
    """The PyTorch backend reads its own `parameters`, and nothing of these fields [torch]."""
    if not model.is_torchscript:
        return
    for optimization in model.config.messages("optimization"):
        for field in ("graph", "cuda", "execution_accelerators"):
            for place in optimization.messages(field):
                text = f"backend `{PYTORCH}` does not read `optimization.{field}`"
                yield ineffective(place, text, "see the backend's own `parameters`")
    for place in model.config.messages("model_operations"):
        yield ineffective(place, f"backend `{PYTORCH}` does not read `model_operations`")


def repeated_parameter(model: Model) -> Iterator[Refusal]:
    """Protobuf keeps the last of two parameters of one key and says nothing."""
    seen = set()
    for parameter in model.config.messages("parameters"):
        for key in parameter.scalars("key"):
            if key.text in seen:
                yield at(key, f"parameter `{key.text}` is given twice")
            seen.add(key.text)


def _parameters(model: Model) -> Iterator[tuple[Scalar, Scalar]]:
    """Yield the key and the text of each parameter that has both."""
    for parameter in model.config.messages("parameters"):
        key = first(parameter, "key")
        for value in parameter.messages("value"):
            text = first(value, "string_value")
            if key is not None and text is not None:
                yield key, text


RULES = (
    platform_of_another_backend,
    unknown_platform,
    platform_as_backend,
    torch_parameter_of_another_type,
    misspelt_torch_parameter,
    python_parameter_of_another_word,
    field_that_torch_ignores,
    repeated_parameter,
)
