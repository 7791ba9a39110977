"""Numbers with units: Kubernetes quantities, durations, and the threads that follow from them."""

import math
import re
from fractions import Fraction
from functools import lru_cache

from generator.project import Hardware, Quantity

_SUFFIXES = {
    "m": Fraction(1, 1000),
    "": Fraction(1),
    "k": Fraction(10**3),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
    "T": Fraction(10**12),
    "Ki": Fraction(2**10),
    "Mi": Fraction(2**20),
    "Gi": Fraction(2**30),
    "Ti": Fraction(2**40),
}  # https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
_SECONDS = {
    "us": Fraction(1, 10**6),
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
}


@lru_cache(maxsize=1024, typed=True)  # typed: True is no quantity, and equals 1
def amount(quantity: Quantity) -> Fraction:
    """A quantity as a number: cores for CPU, bytes for memory."""
    if not isinstance(quantity, str):
        return Fraction(str(quantity))  # the decimal that was written, not its binary neighbour
    found = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", quantity)
    if not found or found[2] not in _SUFFIXES:
        raise ValueError(f"not a quantity: {quantity!r}")
    return Fraction(found[1]) * _SUFFIXES[found[2]]


@lru_cache(maxsize=1024, typed=True)
def canonical(quantity: Quantity) -> str:
    """A quantity as the API server gives it back: `0.5` is `500m`, `1024Mi` is `1Gi`.

    Argo CD compares text: another spelling would be drift for ever.
    """
    # Rounded up to thousandths, the finest that Kubernetes keeps.
    exact = Fraction(math.ceil(amount(quantity) * 1000), 1000)
    binary = str(quantity).endswith("i")
    suffixes = ("Ti", "Gi", "Mi", "Ki", "", "m") if binary else ("T", "G", "M", "k", "", "m")
    fitting = (suffix for suffix in suffixes if (exact / _SUFFIXES[suffix]).denominator == 1)
    suffix = next(fitting)
    return f"{exact / _SUFFIXES[suffix]}{suffix}"


def seconds(duration: str) -> Fraction:
    """A duration such as `10ms` in seconds."""
    found = re.fullmatch(r"([0-9]+)(us|ms|s|m|h)", duration)
    if not found:
        raise ValueError(f"not a duration: {duration!r}")
    return int(found[1]) * _SECONDS[found[2]]


def whole_seconds(duration: str) -> int:
    """A duration in seconds, rounded up."""
    return math.ceil(seconds(duration))


def microseconds(duration: str) -> int:
    """A duration in microseconds."""
    return int(seconds(duration) * 10**6)


def milliseconds(duration: str) -> int:
    """A duration in milliseconds, rounded up."""
    return math.ceil(seconds(duration) * 1000)


def threads_per_instance(hardware: Hardware) -> int:
    """Threads of each model instance: what the spec says, or its share of the CPUs, at least 1.

    Instances x threads above the CPUs collapse throughput.
    """
    if hardware.threads is not None:
        return hardware.threads
    instances = hardware.model_instances * (hardware.gpus or 1)
    return max(1, math.floor(amount(hardware.limits.cpu or hardware.cpu) / instances))
