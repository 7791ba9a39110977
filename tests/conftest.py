"""Fixtures for all tests; under CI=true a skipped engine is a failure."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from ran import Ran

from generator import cli
from generator.runs import memory

# A shell's background job ignores Ctrl-C and hands that down; what tests start is not to.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine is slow, and no test is about speed.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

ROOT = Path(__file__).resolve().parent.parent
IN_CI = os.environ.get("CI") == "true"

MINIMAL = """\
spec_version: 1
name: {name}
model:
  source: package.module:Net
  inputs: [{{name: image, dtype: float32, shape: [N, 3, 32, 32]}}]
  outputs: [{{name: logits, dtype: float32, shape: [N, 10]}}]
storage: {{uri: s3://models/{name}}}
targets: {{triton: {{}}}}
"""


@pytest.fixture
def gen(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[Callable[..., Ran]]:
    """Runs `gen` in this process, in the test's own folder, without colour.

    It remembers nothing of other tests, and the user's own cache gets nothing of them.
    """
    monkeypatch.chdir(tmp_path)
    remembered = tmp_path_factory.mktemp("remembered")
    monkeypatch.setattr(memory, "cache_folder", lambda _name: remembered)
    for name in ("FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    handler = signal.getsignal(signal.SIGTERM)

    def run(*arguments: str) -> Ran:
        capfd.readouterr()
        status = cli.main(arguments)
        captured = capfd.readouterr()
        return Ran(status, captured.out, captured.err)

    yield run
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def write_spec(tmp_path: Path) -> Callable[..., Path]:
    """Writes a small spec that renders, with more text at its end."""

    def write(path: str, *, name: str = "one", more: str = "") -> Path:
        spec = tmp_path / path
        spec.parent.mkdir(parents=True, exist_ok=True)
        spec.write_text(MINIMAL.format(name=name) + more, encoding="utf-8")
        return spec

    return write


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    expected = hasattr(report, "wasxfail")  # pytest counts xfail among the skipped
    if IN_CI and report.skipped and not expected and item.get_closest_marker("engine"):
        _fail(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    """A module that skips itself, for want of a package, skips its engine with it."""
    report = yield
    if IN_CI and report.skipped and "engines" in collector.path.parts:
        _fail(report)
    return report


def _fail(report: pytest.TestReport | pytest.CollectReport) -> None:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"with CI=true every engine is tested: {reason}"
