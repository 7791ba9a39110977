"""What a well-formed config.pbtxt must not say: Triton refuses it at load, or worse, takes it.

[core] is src/model_config_utils.cc of triton-inference-server/core; [ran] was seen on a real
tritonserver 2.51.0, which took the config in silence or crashed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from generator.model_config import integer, is_true
from generator.pbtxt import Message, Refusal, Scalar, parse

_PLATFORM_BACKENDS = {  # constants.h of triton-inference-server/core
    "pytorch_libtorch": "pytorch",
    "torch_aoti": "pytorch",
    "onnxruntime_onnx": "onnxruntime",
    "tensorrt_plan": "tensorrt",
    "ensemble": "",
}


def broken_rules(text: str, *, server_cache: bool = False) -> Iterator[Refusal]:
    """Yield, rule by rule, what a config.pbtxt without `refusals` says that it must not.

    `server_cache` tells that the server runs with --cache-config.
    """
    config = parse(text)
    for rule in RULES:
        if rule is not response_cache_without_server_cache or not server_cache:
            yield from rule(config)


def duplicate_tensor_name(config: Message) -> Iterator[Refusal]:
    """Triton takes two inputs or outputs of one name, and serves one of them [ran]."""
    for kind in ("input", "output"):
        seen = set()
        for tensor in config.messages(kind):
            for name in tensor.scalars("name"):
                if name.text in seen:
                    yield _at(name, f"two tensors named `{name.text}` among `{kind}`")
                seen.add(name.text)


def batching_without_maximum(config: Message) -> Iterator[Refusal]:
    """Triton takes dynamic_batching with max_batch_size 0, and never batches [ran]."""
    for batching in config.messages("dynamic_batching"):
        if _maximum(config) == 0:
            text = "`dynamic_batching` has no effect with max_batch_size 0"
            yield _at(batching, text, "set max_batch_size, or drop `dynamic_batching`")


def preferred_batch_outside_maximum(config: Message) -> Iterator[Refusal]:
    """Triton refuses to load a model that prefers a batch below 1 or above its maximum [core]."""
    maximum = _maximum(config)
    for batching in config.messages("dynamic_batching"):
        for size in batching.scalars("preferred_batch_size"):
            if integer(size) < 1:
                yield _at(size, f"preferred batch {integer(size)} is below 1")
            elif integer(size) > maximum > 0:  # a maximum of 0 is batching_without_maximum
                text = f"preferred batch {integer(size)} exceeds max_batch_size {maximum}"
                yield _at(size, text)


def negative_max_batch_size(config: Message) -> Iterator[Refusal]:
    """Triton refuses to load a model whose max_batch_size is negative [core]."""
    for size in config.scalars("max_batch_size"):
        if integer(size) < 0:
            yield _at(size, f"max_batch_size {integer(size)} is negative", "0 turns batching off")


def instance_count_below_one(config: Message) -> Iterator[Refusal]:
    """Triton takes an instance count of 0 or less and starts one instance [ran]."""
    for group in config.messages("instance_group"):
        for count in group.scalars("count"):
            if integer(count) < 1:
                yield _at(count, f"instance count {integer(count)} is below 1")


def gpus_without_gpu_kind(config: Message) -> Iterator[Refusal]:
    """Triton refuses to load an instance group that lists GPUs and is of another kind [core]."""
    for group in config.messages("instance_group"):
        kinds = [kind.text for kind in group.scalars("kind")]
        if kinds and kinds[0] in ("KIND_CPU", "KIND_MODEL"):
            for gpu in list(group.scalars("gpus"))[:1]:
                yield _at(gpu, f"`gpus` in an instance group of {kinds[0]}", "use KIND_GPU")


def response_cache_without_server_cache(config: Message) -> Iterator[Refusal]:
    """Triton takes response_cache on a server started without a cache, and caches nothing [ran]."""
    for cache in config.messages("response_cache"):
        for enable in cache.scalars("enable"):
            if is_true(enable):
                text = "`response_cache` has no effect on a server without a cache"
                yield _at(enable, text, "start tritonserver with --cache-config")


def platform_of_another_backend(config: Message) -> Iterator[Refusal]:
    """Triton takes pytorch_libtorch together with backend python, and runs the latter [ran]."""
    backends = [backend for backend in config.scalars("backend") if backend.text]
    for platform in config.scalars("platform"):
        expected = _PLATFORM_BACKENDS.get(platform.text)
        for backend in backends:
            if expected is not None and backend.text != expected:
                text = f"backend `{backend.text}` does not serve platform `{platform.text}`"
                yield _at(backend, text, "give one of `platform` and `backend`")


def warm_up_outside_maximum(config: Message) -> Iterator[Refusal]:
    """Triton refuses or crashes on a warm-up batch above its maximum, and skips 0 [ran]."""
    maximum = max(1, _maximum(config))
    for warm_up in config.messages("model_warmup"):
        sizes = list(warm_up.scalars("batch_size"))
        if not sizes:
            yield _at(warm_up, "`model_warmup` without `batch_size` is skipped")
        elif integer(sizes[0]) == 0:
            yield _at(sizes[0], "warm-up batch 0 is skipped")
        elif integer(sizes[0]) > maximum:
            text = f"warm-up batch {integer(sizes[0])} exceeds max_batch_size {_maximum(config)}"
            yield _at(sizes[0], text)


def incomplete_tensor(config: Message) -> Iterator[Refusal]:
    """Triton refuses a tensor without name, type or dims [core]; for PyTorch it guesses none.

    https://github.com/triton-inference-server/server/issues/8233
    """
    for tensor in _tensors(config):
        types = [scalar.text for scalar in tensor.scalars("data_type")]
        if not any(name.text for name in tensor.scalars("name")):
            yield _at(tensor, "a tensor without `name`")
        if not types or types[0] in ("TYPE_INVALID", "0"):
            yield _at(tensor, "a tensor without `data_type`")
        if not any(tensor.scalars("dims")):
            yield _at(tensor, "a tensor without `dims`")


def impossible_dimension(config: Message) -> Iterator[Refusal]:
    """Triton refuses to load a model with a dimension of 0 or below -1 [core]."""
    for tensor in _tensors(config):
        shapes = [*tensor.scalars("dims")]
        for reshape in tensor.messages("reshape"):
            shapes += reshape.scalars("shape")
        for size in shapes:
            if integer(size) < 1 and integer(size) != -1:
                text = f"dimension {integer(size)} is neither -1 nor at least 1"
                yield _at(size, text)


def empty_label_filename(config: Message) -> Iterator[Refusal]:
    """Triton reads an empty label file name as none: answers then carry no labels."""
    for output in config.messages("output"):
        for name in output.scalars("label_filename"):
            if not name.text:
                yield _at(name, "`label_filename` is empty")


def repeated_parameter(config: Message) -> Iterator[Refusal]:
    """Protobuf keeps the last of two parameters of one key and says nothing."""
    seen = set()
    for parameter in config.messages("parameters"):
        for key in parameter.scalars("key"):
            if key.text in seen:
                yield _at(key, f"parameter `{key.text}` is given twice")
            seen.add(key.text)


def _maximum(config: Message) -> int:
    """The max_batch_size, 0 where there is none, as in protobuf."""
    return max((integer(size) for size in config.scalars("max_batch_size")), default=0)


def _tensors(config: Message) -> Iterator[Message]:
    yield from config.messages("input")
    yield from config.messages("output")


def _at(place: Message | Scalar, message: str, hint: str = "") -> Refusal:
    return Refusal(place.line, place.column, message, hint)


RULES: tuple[Callable[[Message], Iterator[Refusal]], ...] = (
    duplicate_tensor_name,
    batching_without_maximum,
    preferred_batch_outside_maximum,
    negative_max_batch_size,
    instance_count_below_one,
    gpus_without_gpu_kind,
    response_cache_without_server_cache,
    platform_of_another_backend,
    warm_up_outside_maximum,
    incomplete_tensor,
    impossible_dimension,
    empty_label_filename,
    repeated_parameter,
)
