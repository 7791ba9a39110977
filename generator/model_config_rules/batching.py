"""What joins requests and orders them: batches, queues, priorities, the cache of answers."""

from __future__ import annotations

from collections.abc import Iterator

from generator.model_config import integer, is_true
from generator.model_config_rules.model import Model, at, first, ineffective
from generator.pbtxt import Message, Refusal, Scalar


def negative_max_batch_size(model: Model) -> Iterator[Refusal]:
    """Triton refuses to load a model whose max_batch_size is negative [core]."""
    for size in model.config.scalars("max_batch_size"):
        if integer(size) < 0:
            yield at(size, f"max_batch_size {integer(size)} is negative", "0 turns batching off")


def batching_without_maximum(model: Model) -> Iterator[Refusal]:
    """Triton takes dynamic_batching with max_batch_size 0, and never batches [ran].

    Where a backend may complete the config, it may set a max_batch_size that is not written.
    """
    if model.maximum or not _keeps_zero(model):
        return
    for batching in model.config.messages("dynamic_batching"):
        text = "`dynamic_batching` joins no requests with max_batch_size 0"
        yield ineffective(batching, text, "set max_batch_size, or drop `dynamic_batching`")


def preferred_batch_outside_maximum(model: Model) -> Iterator[Refusal]:
    """Triton refuses to load a model that prefers a batch below 1 or above its maximum [core].

    It does before a backend could complete the config, so a maximum that is not written is 0.
    """
    batchings = list(model.config.messages("dynamic_batching"))
    for sequences in model.config.messages("sequence_batching"):
        batchings += sequences.messages("oldest")
    for batching in batchings:
        for size in batching.scalars("preferred_batch_size"):
            if integer(size) < 1:
                yield at(size, f"preferred batch {integer(size)} is below 1")
            elif integer(size) > model.maximum:
                text = f"preferred batch {integer(size)} exceeds max_batch_size {model.maximum}"
                yield at(size, text)


def default_priority_outside_levels(model: Model) -> Iterator[Refusal]:
    """Triton refuses priority_levels whose default_priority_level is not one of them [core]."""
    for batching, levels in _with_levels(model):
        default = first(batching, "default_priority_level")
        if default is None:
            text = f"{levels} priority_levels without `default_priority_level`"
            yield at(batching, text, f"give one from 1 to {levels}")
        elif not 1 <= integer(default) <= levels:
            yield at(default, f"priority level {integer(default)} is not from 1 to {levels}")


def queue_policy_outside_levels(model: Model) -> Iterator[Refusal]:
    """Triton refuses a priority_queue_policy of a level that it does not have [core]."""
    for batching, levels in _with_levels(model):
        for policy in batching.messages("priority_queue_policy"):
            key = first(policy, "key")
            if key is None or not 1 <= integer(key) <= levels:
                level = "0" if key is None else key.text
                text = f"queue policy of priority level {level}, which is not from 1 to {levels}"
                yield at(key or policy, text)


def priority_without_levels(model: Model) -> Iterator[Refusal]:
    """Triton takes priorities without priority_levels, and all requests are alike [ran]."""
    for batching in model.config.messages("dynamic_batching"):
        levels = first(batching, "priority_levels")
        if levels is not None and integer(levels):
            continue
        given = first(batching, "default_priority_level")
        policy = next(batching.messages("priority_queue_policy"), None)
        if given is not None and integer(given):
            yield ineffective(given, "a priority without `priority_levels` has no effect")
        elif policy is not None:
            text = "`priority_queue_policy` without `priority_levels` has no effect"
            yield ineffective(policy, text, "set priority_levels, or use default_queue_policy")


def order_against_priorities(model: Model) -> Iterator[Refusal]:
    """Triton refuses preserve_ordering where requests of several priorities overtake [core]."""
    for batching, levels in _with_levels(model):
        for ordering in _ordering(batching):
            if levels > 1:
                yield at(ordering, f"`preserve_ordering` excludes {levels} priority_levels")


def order_against_delays(model: Model) -> Iterator[Refusal]:
    """Triton refuses preserve_ordering where requests are delayed that waited too long [core]."""
    for batching in model.config.messages("dynamic_batching"):
        if not _ordering(batching):
            continue
        policies = list(batching.messages("default_queue_policy"))
        for entry in batching.messages("priority_queue_policy"):
            policies += entry.messages("value")
        for policy in policies:
            action = first(policy, "timeout_action")
            timeout = first(policy, "default_timeout_microseconds")
            is_delayed = action is not None and action.text in ("DELAY", "1")
            if action and is_delayed and timeout and integer(timeout):
                yield at(action, "timeout_action DELAY excludes `preserve_ordering`", "use REJECT")


def response_cache_without_server_cache(model: Model) -> Iterator[Refusal]:
    """Triton takes response_cache on a server started without a cache, and caches nothing [ran]."""
    if model.server_cache:
        return
    told = ineffective if model.server_cache is None else at
    for enable in _caching(model.config):
        text = "`response_cache` has no effect on a server without a cache"
        yield told(enable, text, "start tritonserver with --cache-config")


def response_cache_of_streams(model: Model) -> Iterator[Refusal]:
    """Triton refuses to load a model that caches answers of sequences or decoupled ones [core]."""
    streams = ["`sequence_batching`" for _ in model.config.messages("sequence_batching")]
    streams += ["a decoupled `model_transaction_policy`" for _ in _decoupled(model.config)]
    for enable in _caching(model.config):
        if streams:
            yield at(enable, f"`response_cache` excludes {streams[0]}", "disable one of them")


def decoupled_without_need(model: Model) -> Iterator[Refusal]:
    """Triton answers no plain HTTP request to a decoupled model, and PyTorch's never streams.

    `/infer` answers "doesn't support models with decoupled transaction policy" [ran].
    """
    if model.is_torch:
        for decoupled in _decoupled(model.config):
            text = "a decoupled model answers no HTTP inference, and PyTorch's streams nothing"
            yield at(decoupled, text, "drop `decoupled`")


def _keeps_zero(model: Model) -> bool:
    """Whether max_batch_size is 0 for good: where it is not written, a backend may raise it."""
    is_written = first(model.config, "max_batch_size") is not None
    return model.is_torch or (model.backend == "python" and is_written)


def _with_levels(model: Model) -> Iterator[tuple[Message, int]]:
    for batching in model.config.messages("dynamic_batching"):
        levels = first(batching, "priority_levels")
        if levels is not None and integer(levels):
            yield batching, integer(levels)


def _ordering(batching: Message) -> list[Scalar]:
    return list(filter(is_true, batching.scalars("preserve_ordering")))


def _caching(config: Message) -> Iterator[Scalar]:
    for cache in config.messages("response_cache"):
        yield from filter(is_true, cache.scalars("enable"))


def _decoupled(config: Message) -> Iterator[Scalar]:
    for policy in config.messages("model_transaction_policy"):
        yield from filter(is_true, policy.scalars("decoupled"))


RULES = (
    negative_max_batch_size,
    batching_without_maximum,
    preferred_batch_outside_maximum,
    default_priority_outside_levels,
    queue_policy_outside_levels,
    priority_without_levels,
    order_against_priorities,
    order_against_delays,
    response_cache_without_server_cache,
    response_cache_of_streams,
    decoupled_without_need,
)
