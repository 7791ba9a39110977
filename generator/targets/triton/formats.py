"""How Triton loads what gen export writes, by export.format."""

from collections.abc import Mapping

from msgspec import Struct

from generator.compatibility import table
from generator.project import Format
from generator.targets.triton.options import TensorNames


class Loaded(Struct, frozen=True):
    """The backend of a format and what it asks for.

    `platform` is config.pbtxt's word and `model_format` KServe's; `backend` is written where
    `platform` alone does not say it to every release. `file` is the name that the backend looks
    for, `threads` its parameters for threads within and between operations. `tensor_names` are the
    options that it offers; without any, the tensors are called as in the spec.
    """

    platform: str
    file: str
    model_format: str
    threads: tuple[str, str]
    tensor_names: tuple[TensorNames, ...]
    backend: str | None = None


LIBTORCH_THREADS = ("INTRA_OP_THREAD_COUNT", "INTER_OP_THREAD_COUNT")

LOADED: Mapping[Format, Loaded] = {
    # https://github.com/triton-inference-server/pytorch_backend, README
    "torchscript": Loaded(
        platform="pytorch_libtorch",
        file="model.pt",
        model_format="pytorch",
        threads=LIBTORCH_THREADS,
        tensor_names=("index", "forward"),
    ),
    # https://github.com/triton-inference-server/onnxruntime_backend, README and src/onnxruntime.cc
    "onnx": Loaded(
        platform="onnxruntime_onnx",
        file="model.onnx",
        model_format="onnx",
        threads=("intra_op_thread_count", "inter_op_thread_count"),
        tensor_names=(),
    ),
    # pytorch_backend's README, "AOT Inductor Support (Beta)": names by index came in 26.05, where
    # `forward` would be ARGS[0].
    "aot_inductor": Loaded(
        platform="torch_aoti",
        backend="pytorch",
        file="model.pt2",
        model_format="pytorch",
        threads=LIBTORCH_THREADS,
        tensor_names=("index",),
    ),
}


def since(given: Format, *, batched: bool) -> str | None:
    """The first release that reads what gen export writes, and serves it in batches if asked."""
    feature = table().triton.formats.get(given)
    if not feature:
        return None
    return feature.batches_since if batched and feature.batches_since else feature.since
