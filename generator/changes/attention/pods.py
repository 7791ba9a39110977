"""Attention to the containers of pods: images, probes, memory and GPUs."""

from collections.abc import Iterator, Mapping
from fractions import Fraction

from generator import resources
from generator.changes.attention.sides import Finding, Layers, Pod, Sides
from generator.changes.contents import Item
from generator.changes.values import image_parts, probe
from generator.images import reference

_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
_CLOSER = ("httpGet", "exec", "grpc")  # these ask the server; tcpSocket only opens a port
_GPU = ("gpu", "/mig-", "gaudi", "neuron", "tpu")


def runtime_out_of_sight(sides: Sides) -> Iterator[Finding]:
    """What the cluster's own runtime says is not known here: its image, probes, GPUs, resources and
    security context may all be others.
    """
    for item, pod in sides.pods_out_of_sight:
        yield Finding(item, pod.where, f"the runtime is no longer among these files: {pod.unseen}")


def image_not_pinned(sides: Sides) -> Iterator[Finding]:
    """What runs can change without a change here, and two replicas may not run the same."""
    for item, name, old, new in sides.containers:
        was, now = (pod.containers[name].at("image").value for pod in (old, new))
        if isinstance(now, str) and now != was and not isinstance(was, dict | list):
            _, tag, digest = image_parts(now)
            had_digest = isinstance(was, str) and bool(image_parts(was)[2])
            if not digest and (tag in ("", "latest") or had_digest):
                how = "no longer by a digest" if had_digest else f"tag {tag or 'left out'}"
                yield _finding(item, name, new, "image", f"{was or '(none)'} -> {now}: {how}")


def registry_changed(sides: Sides) -> Iterator[Finding]:
    """The image comes from another registry: who may push there decides what runs, and the nodes
    need the right to pull from it.
    """
    for item, name, old, new in sides.containers:
        was, now = (_host(pod.containers[name].at("image").value) for pod in (old, new))
        if was and now and was != now:
            yield _finding(item, name, new, "image", f"registry {was} -> {now}")


def _host(image: object) -> str:
    parts = reference(image) if isinstance(image, str) else None
    return parts.host if parts else ""


def probe_dropped(sides: Sides) -> Iterator[Finding]:
    """Kubernetes no longer asks: requests reach a pod that cannot answer yet, or one that hangs is
    not restarted.
    """
    for item, name, old, new in sides.containers:
        for kind in _PROBES:
            was, now = (pod.containers[name].at(kind) for pod in (old, new))
            if was.given and not now.given:
                yield _finding(item, name, new, kind, f"{probe(was.value)} -> none")


def probe_weakened(sides: Sides) -> Iterator[Finding]:
    """The probe asks less than before: it can pass while the model is not there."""
    for item, name, old, new in sides.containers:
        for kind in _PROBES:
            was, now = (_probe(pod.containers[name].at(kind)) for pod in (old, new))
            asked = any(key in was for key in _CLOSER)
            paths = [_path(one) for one in (was, now)]
            on_model = "/models/" in paths[0] and "httpGet" in now and "/models/" not in paths[1]
            idle = _asks_nothing(now) and not _asks_nothing(was) and bool(was)
            if (asked and "tcpSocket" in now) or on_model or idle:
                yield _finding(item, name, new, kind, f"{probe(was)} -> {probe(now)}")


def startup_budget_lowered(sides: Sides) -> Iterator[Finding]:
    """A container that is not up in time is killed and starts anew: a model that took longer than
    this to load never serves.
    """
    for item, name, old, new in sides.containers:
        was, now = (_budget(_probe(pod.containers[name].at("startupProbe"))) for pod in (old, new))
        if was and now and now < was:
            yield _finding(item, name, new, "startupProbe", f"{was} s -> {now} s to start")


def _probe(layers: Layers) -> Mapping[str, object]:
    return layers.value if isinstance(layers.value, Mapping) else {}


def _asks_nothing(one: Mapping[str, object]) -> bool:
    """Whether a probe is a command that always succeeds."""
    run = one.get("exec")
    command = run.get("command") if isinstance(run, Mapping) else None
    if not isinstance(command, list) or not command:
        return False
    words = [str(word) for word in command]
    if words[0].rpartition("/")[2] in ("sh", "bash") and len(words) > 2:
        return words[-1].strip() in ("true", ":", "exit 0", "/bin/true")
    return words[0].rpartition("/")[2] in ("true", "echo")


def _path(one: Mapping[str, object]) -> str:
    asked = one.get("httpGet")
    return str(asked.get("path", "")) if isinstance(asked, Mapping) else ""


def _budget(one: Mapping[str, object]) -> int:
    """How many seconds a container has to start; 0 without a probe, or with odd numbers."""
    if not one:
        return 0
    every, times = one.get("periodSeconds", 10), one.get("failureThreshold", 3)
    delay = one.get("initialDelaySeconds", 0)
    numbers = [n for n in (every, times, delay) if isinstance(n, int) and abs(n) < 2**31]
    return numbers[0] * numbers[1] + numbers[2] if len(numbers) == 3 else 0


def memory_limit_lowered(sides: Sides) -> Iterator[Finding]:
    """A container that goes past it is killed: what the model took before may be more."""
    for item, name, old, new in sides.containers:
        was, now = (pod.containers[name].at("resources", "limits", "memory") for pod in (old, new))
        amounts = _amount(was.value), _amount(now.value)
        if amounts[0] and amounts[1] and amounts[1] < amounts[0]:
            needed = _amount(old.containers[name].at("resources", "requests", "memory").value)
            below = ", below what was requested" if needed and amounts[1] < needed else ""
            yield _finding(item, name, new, "resources", f"{was.value} -> {now.value}{below}")


def gpu_removed(sides: Sides) -> Iterator[Finding]:
    """The model runs on the CPU, or does not start."""
    for item, name, old, new in sides.containers:
        was, now = (_gpus(pod.containers[name]) for pod in (old, new))
        if was and not now:
            yield _finding(item, name, new, "resources", f"{', '.join(was)} -> none")


def _gpus(container: Layers) -> list[str]:
    """The accelerators that a container gets, with their numbers."""
    limits = container.at("resources", "limits")
    return [
        f"{limits.at(key).value} {key}"
        for key in limits.keys
        if "/" in key and any(word in key for word in _GPU) and _amount(limits.at(key).value)
    ]


def _amount(value: object) -> Fraction | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return resources.amount(value)
    except ValueError:
        return None


def _finding(item: Item, name: str, pod: Pod, field: str, message: str) -> Finding:
    return Finding(item, f"{pod.where}: {name}.{field}", f"{name}, {field}: {message}")


RULES = (
    runtime_out_of_sight,
    image_not_pinned,
    registry_changed,
    probe_dropped,
    probe_weakened,
    startup_budget_lowered,
    memory_limit_lowered,
    gpu_removed,
)
