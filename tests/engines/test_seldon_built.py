"""What an image of Seldon's holds, without the container: its packages, its start, its end."""

import http.client
import importlib.metadata
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version
from seldon_assemble import assemble, run
from test_process import is_running
from test_seldon_engine import in_base64, processes
from test_seldon_images import S2I, project, rendered

from generator.engines import EngineError, environments, ports, seldon, seldon_graph
from generator.engines.seldon_graph import TRANSFORM_INPUT
from generator.sample import png
from generator.targets.seldon.options import Options

pytestmark = pytest.mark.engine

ENDS_SECONDS = 10  # the operator waits 20, and stops the container after 10 of them

SLOW = """\
import time

class Slow:
    def predict(self, X, names, meta=None):
        time.sleep(2)
        return X
"""


@pytest.fixture(scope="module", autouse=True)
def engine() -> None:
    """An installed wrapper."""
    try:
        seldon.prepare(report=print)
    except EngineError as problem:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(problem))


@pytest.mark.skipif(
    sys.version_info[:2] not in ((3, 11), (3, 12)), reason="pins are for 3.11, 3.12"
)
def test_the_pinned_packages_install_and_pull_in_no_other(tmp_path: Path) -> None:
    python = ".".join(map(str, sys.version_info[:2]))
    folder = rendered(tmp_path, project("server"), Options(python_version=python), code=False)
    requirements, constraints = folder / "requirements.txt", folder / "constraints.txt"
    lines = [line for line in requirements.read_text().splitlines() if line[:6] != "torch="]
    requirements.write_text("\n".join(lines))  # shared, for it is large
    pins = {*lines, *(line for line in constraints.read_text().splitlines() if line[0] != "#")}

    made = environments.prepare(
        "seldon-image", [requirements], constraints=[constraints], report=print
    )

    freeze = [str(made.python), "-m", "pip", "freeze", "--all", "--exclude", "pip"]
    installed = subprocess.run(freeze, check=True, capture_output=True, text=True).stdout.split()
    assert {canonical(line) for line in installed} <= {canonical(line) for line in pins}
    assert {canonical(line) for line in lines} <= {canonical(line) for line in installed}


def canonical(line: str) -> tuple[str, str]:
    """A pin's package and version, by which two of them are compared."""
    name, _, version = line.partition("==")
    return re.sub(r"[-_.]+", "-", name).lower(), version


def test_torch_takes_what_is_pinned_for_it(tmp_path: Path) -> None:
    folder = rendered(tmp_path, project(), Options(), code=False)
    text = "\n".join((folder / f"{n}.txt").read_text() for n in ("requirements", "constraints"))
    pins = dict(canonical(line) for line in text.splitlines() if line[:1] not in ("", "#"))
    needs = [Requirement(line) for line in importlib.metadata.requires("torch") or ()]

    for need in needs:
        name = canonical(need.name)[0]
        is_cuda = name.startswith(("cuda", "nvidia", "triton"))
        if not is_cuda and (need.marker is None or need.marker.evaluate({"extra": ""})):
            assert need.specifier.contains(Version(pins[name])), need


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], seldon.Node]]:
    """A node that takes its time, started as the Dockerfile starts it."""
    folder = rendered(tmp_path / "image", project(), Options())
    (folder / "Slow.py").write_text(SLOW)
    python = seldon.prepare().python
    first, second, third = (f"{ports.LOOPBACK}:{port}" for port in ports.free_ports(3))
    node = seldon.Node(first, second, third, tmp_path / "log")
    names = ("HTTP", "GRPC", "METRICS")
    given = zip(names, (node.http, node.grpc, node.metrics), strict=True)
    settings = {
        f"PREDICTIVE_UNIT_{name}_SERVICE_PORT": door.rpartition(":")[2] for name, door in given
    }
    entry = ["serve.py", "Slow", "--service-type", "MODEL"]
    with node.log.open("wb") as log:
        started = subprocess.Popen(
            [str(python), str(seldon.LAUNCHER), "no-annotations", *entry],
            cwd=folder,
            env=os.environ | settings | {"GRPC_WORKERS": "2", "GUNICORN_WORKERS": "2"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            until = time.monotonic() + 60
            while not seldon._is_ready(node):
                assert started.poll() is None, node.log.read_text()
                assert time.monotonic() < until, node.log.read_text()
                time.sleep(0.2)
            yield started, node
        finally:
            for pid in {started.pid, *processes(node)}:
                if is_running(pid):
                    os.kill(pid, signal.SIGKILL)
            started.wait()


def test_all_of_it_ends_when_the_first_process_is_told_to(
    slow: tuple[subprocess.Popen[bytes], seldon.Node],
) -> None:
    started, node = slow
    answers: list[int] = []

    def ask() -> None:
        host, _, port = node.http.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=30)
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/predict", json.dumps({"data": {"ndarray": [1]}}), headers)
        answers.append(connection.getresponse().status)

    before = processes(node)
    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(0.5)
    os.kill(started.pid, signal.SIGTERM)  # as a container's first process is told
    status = started.wait(timeout=ENDS_SECONDS)
    asking.join()

    assert (status, answers) == (0, [200])  # what was asked before is answered
    assert len(before) >= 7
    until = time.monotonic() + 2
    while any(map(is_running, before)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(is_running, before)), node.log.read_text()
    assert "Traceback" not in node.log.read_text()


def test_what_assemble_makes_answers_in_the_wrapper(tmp_path: Path) -> None:
    image = assemble(rendered(tmp_path / "source", project(), S2I, "input"), tmp_path / "image")
    _, name, _, service_type, *_ = run(image)
    assert service_type == "TRANSFORMER"

    with seldon.serve(image.microservice, name, service_type="TRANSFORMER") as node:
        answer = seldon_graph.rest(node, TRANSFORM_INPUT, {"binData": in_base64(png(8, 8))})

    assert answer["meta"]["tags"] == {"dtype": "float32", "shape": [1, 3, 8, 8]}
