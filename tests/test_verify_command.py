"""The command gen verify where there is nothing to ask: what it says, and its exit status."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from ran import Ran

from generator.commands import verifying

Gen = Callable[..., Ran]

for package in ("numpy", "torch", "PIL", "tritonclient"):
    pytest.importorskip(package)


@pytest.fixture
def spec(write_spec: Callable[..., Path]) -> str:
    return str(write_spec("one.yaml"))


@pytest.fixture(autouse=True)
def _proxy_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put back what the command says about proxies."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "example.com")


def test_what_has_not_been_rendered_is_named_with_its_command(gen: Gen, spec: str) -> None:
    ran = gen("verify", spec)

    assert ran.status == 2
    assert ran.err.splitlines() == [
        "gen: there is no rendered/one/triton: run gen render first",
        "no door was asked",
    ]


def test_what_has_not_been_exported_is_named_with_its_command(gen: Gen, spec: str) -> None:
    gen("render", spec)

    ran = gen("verify", spec)

    assert ran.status == 2
    assert "there is no build/one/triton: run gen export first" in ran.err


def test_json_of_nothing_does_not_agree(gen: Gen, spec: str) -> None:
    ran = gen("verify", "--json", spec)

    assert ran.status == 2
    assert json.loads(ran.out) == {"agrees": False, "deployments": []}


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "much"])
@pytest.mark.parametrize("option", ["--relative", "--absolute"])
def test_a_tolerance_is_a_number(gen: Gen, spec: str, option: str, value: str) -> None:
    ran = gen("verify", option, value, spec)

    assert ran.status == 2
    assert value in ran.err


def test_a_missing_package_is_named_with_the_extra_that_brings_it(
    gen: Gen, spec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifying, "NEEDED", ("torch", "nothing_of_this_name"))

    ran = gen("verify", spec)

    assert ran.status == 2
    assert "gen verify needs nothing_of_this_name: install" in ran.err
    assert "extra `verify`" in ran.err


def test_requests_to_loopback_go_to_no_proxy(gen: Gen, spec: str) -> None:
    gen("verify", spec)

    assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == "example.com,127.0.0.1,localhost"
