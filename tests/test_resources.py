"""Numbers with units."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.project import Hardware, Limits, Quantity
from generator.resources import (
    amount,
    canonical,
    microseconds,
    seconds,
    threads_per_instance,
    whole_seconds,
)


@pytest.mark.parametrize(
    ("quantity", "number"),
    [
        (1, 1),
        (0.1, Fraction(1, 10)),
        (0.00001, Fraction(1, 100_000)),
        (1e22, 10**22),
        ("2", 2),
        (".5", Fraction(1, 2)),
        ("500m", Fraction(1, 2)),
        ("2k", 2000),
        ("2Ki", 2048),
        ("1.5Gi", 3 * 2**29),
        ("3T", 3 * 10**12),
        ("3Ti", 3 * 2**40),
    ],
)
def test_a_quantity_is_an_exact_number(quantity: Quantity, number: Fraction) -> None:
    assert amount(quantity) == number


@pytest.mark.parametrize("text", ["", "2GB", "Gi", "1e3", "-1", "2 Gi", "2Gi\n"])
def test_other_text_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        amount(text)


# What `kubectl get -o yaml` gives back.
@pytest.mark.parametrize(
    ("quantity", "text"),
    [
        (1, "1"),
        (0.5, "500m"),
        ("0.5", "500m"),
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("999.001m", "1"),
        (2.25, "2250m"),
        (0.0001, "1m"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("1000Mi", "1000Mi"),
        ("1000M", "1G"),
        ("1500M", "1500M"),
        (3_000_000_000, "3G"),
        ("0.5Ki", "512"),
        ("2Gi", "2Gi"),
    ],
)
def test_a_quantity_is_written_as_the_api_server_gives_it_back(
    quantity: Quantity, text: str
) -> None:
    assert canonical(quantity) == text


QUANTITIES = st.builds(
    "{}{}".format,
    st.integers(1, 10**6) | st.decimals("0.001", 1000, places=3).map(lambda d: f"{d:f}"),
    st.sampled_from(["", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti"]),
)


@given(QUANTITIES)
def test_canonical_text_is_stable_and_never_less(quantity: str) -> None:
    text = canonical(quantity)

    assert canonical(text) == text
    assert 0 <= amount(text) - amount(quantity) < Fraction(1, 1000)


@pytest.mark.parametrize(
    ("duration", "number"),
    [
        ("60s", 60),
        ("1500ms", Fraction(3, 2)),
        ("250us", Fraction(1, 4000)),
        ("2m", 120),
        ("1h", 3600),
    ],
)
def test_a_duration_is_an_exact_number_of_seconds(duration: str, number: Fraction) -> None:
    assert seconds(duration) == number


@pytest.mark.parametrize("text", ["", "60", "s", "1.5s", "-1s", "1min", "1s\n"])
def test_other_text_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        seconds(text)


def test_whole_seconds_are_rounded_up_and_microseconds_exact() -> None:
    assert (whole_seconds("1001ms"), whole_seconds("1s"), whole_seconds("1us")) == (2, 1, 1)
    assert (microseconds("5ms"), microseconds("7us")) == (5000, 7)


@pytest.mark.parametrize(
    ("hardware", "threads"),
    [
        (Hardware(cpu=4), 4),
        (Hardware(cpu=4, model_instances=2), 2),
        (Hardware(cpu=4, model_instances=3), 1),
        (Hardware(cpu="500m"), 1),
        (Hardware(cpu=1, limits=Limits(cpu=8)), 8),
        (Hardware(cpu=8, accelerator="nvidia", gpus=2, model_instances=2), 2),
        (Hardware(cpu=1, threads=6), 6),
    ],
)
def test_instances_share_the_cpus(hardware: Hardware, threads: int) -> None:
    assert threads_per_instance(hardware) == threads
