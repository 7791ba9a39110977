"""The real Seldon Core wrapper serves hand-written classes, one node at a time and in a graph."""

import base64
import os
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import seldon_door
from test_kserve_engine import listeners
from test_process import is_running

from generator.engines import EngineError, seldon, seldon_graph
from generator.engines.seldon_graph import (
    PREDICT,
    TRANSFORM_INPUT,
    TRANSFORM_OUTPUT,
    Message,
    Refused,
    Unit,
    rest,
)

pytestmark = pytest.mark.engine

PROC = Path("/proc")

DECODER = """
class Decoder:
    def transform_input(self, X, names, meta=None):
        return X[::-1]
"""

SCALER = """
import os

import numpy
from seldon_core.flask_utils import SeldonMicroserviceException


class Scaler:
    def __init__(self, factor=2, label="none"):
        self.factor, self.label = factor, label

    def load(self):
        self.loaded_in = os.getpid()

    def predict(self, X, names, meta=None):
        if isinstance(X, bytes):
            X = numpy.frombuffer(X, dtype=numpy.uint8)
        if (X < 0).any():
            raise SeldonMicroserviceException("negative", status_code=422, reason="NEGATIVE")
        return self.factor * X

    def tags(self):
        return {"label": self.label, "pid": self.loaded_in}
"""

# An output transformer is started as a TRANSFORMER.
NAMER = """
class Namer:
    def transform_output(self, X, names, meta=None):
        return {"best": int(X.argmax()), "label": meta["tags"]["label"]}
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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the three classes."""
    for name, code in (("Decoder", DECODER), ("Scaler", SCALER), ("Namer", NAMER)):
        (tmp_path / f"{name}.py").write_text(code)
    return tmp_path


def in_base64(content: bytes) -> str:
    """Write bytes as JSON has them."""
    return base64.b64encode(content).decode()


def processes(node: seldon.Node) -> list[int]:
    """List the processes that were started with a node's ports."""
    setting = f"PREDICTIVE_UNIT_HTTP_SERVICE_PORT={node.http.rpartition(':')[2]}".encode()
    return [int(path.parent.name) for path in PROC.glob("[0-9]*/environ") if setting in held(path)]


def held(path: Path) -> list[bytes]:
    """Read a process's environment, empty when it has ended or is another user's."""
    try:
        return path.read_bytes().split(b"\0")
    except OSError:
        return []


def test_the_annotations_of_the_pod_reach_the_node(folder: Path) -> None:
    large: Message = {"binData": in_base64(bytes(5 << 20))}  # a node's own limit is 4 MiB
    unlimited = {"seldon.io/grpc-max-message-size": str(64 << 20)}

    with (
        seldon.serve(folder, "Decoder", service_type="TRANSFORMER", report=print) as own,
        seldon.serve(
            folder, "Decoder", service_type="TRANSFORMER", annotations=unlimited, report=print
        ) as annotated,
        seldon_graph.grpc_client() as client,
    ):
        answer = client.walk(Unit("TRANSFORMER", annotated), large)
        with pytest.raises(Refused) as refused:
            client.walk(Unit("TRANSFORMER", own), large)

    assert answer["binData"] == large["binData"]
    assert refused.value.status == "RESOURCE_EXHAUSTED"


def test_answers_predictions_over_rest(folder: Path) -> None:
    given = {"data": {"tensor": {"shape": [1, 3], "values": [1.0, 2.0, 3.0]}}}

    with seldon.serve(folder, "Scaler", service_type="MODEL", report=print) as node:
        answer = rest(node, PREDICT, given)

    assert answer["data"]["tensor"] == {"shape": [1, 3], "values": [2.0, 4.0, 6.0]}
    assert answer["meta"]["tags"]["label"] == "none"


def test_gives_a_transformer_the_bytes_of_a_message(folder: Path) -> None:
    with seldon.serve(folder, "Decoder", service_type="TRANSFORMER") as node:
        answer = rest(node, TRANSFORM_INPUT, {"binData": in_base64(b"\x89PNG\x00\xff")})

    assert answer["binData"] == in_base64(b"\xff\x00GNP\x89")


def test_runs_an_output_transformer_as_a_transformer(folder: Path) -> None:
    given = {"data": {"ndarray": [[0, 7, 3]]}, "meta": {"tags": {"label": "cat"}}}

    with seldon.serve(folder, "Namer", service_type="TRANSFORMER") as node:
        answer = rest(node, TRANSFORM_OUTPUT, given)

    assert answer["jsonData"] == {"best": 1, "label": "cat"}


@pytest.mark.parametrize("call", [seldon_graph.rest, seldon_door.over_grpc])
def test_a_graph_is_walked_as_the_orchestrator_does(
    folder: Path, call: Callable[..., Message]
) -> None:
    label = [seldon.Parameter("label", "dog")]

    with (
        seldon.serve(folder, "Decoder", service_type="TRANSFORMER") as decoder,
        seldon.serve(folder, "Scaler", service_type="MODEL", parameters=label) as scaler,
        seldon.serve(folder, "Namer", service_type="TRANSFORMER") as namer,
    ):
        model = Unit("MODEL", scaler)
        graph = Unit("TRANSFORMER", decoder, (Unit("OUTPUT_TRANSFORMER", namer, (model,)),))
        answer = seldon_graph.walk(graph, {"binData": in_base64(bytes([5, 9, 1, 2]))}, call)

    assert answer["jsonData"] == {"best": 2, "label": "dog"}


def test_a_refusal_has_its_status_over_rest(folder: Path) -> None:
    given = {"data": {"ndarray": [-1]}}

    with (
        seldon.serve(folder, "Scaler", service_type="MODEL") as node,
        pytest.raises(Refused) as refused,
    ):
        seldon_graph.walk(Unit("MODEL", node), given, rest)

    assert refused.value.status == 422
    assert refused.value.message["status"]["info"] == "negative"
    assert refused.value.message["status"]["reason"] == "NEGATIVE"


def test_a_refusal_is_unknown_over_grpc(folder: Path) -> None:
    given = {"data": {"ndarray": [-1]}}

    with (
        seldon.serve(folder, "Scaler", service_type="MODEL") as node,
        pytest.raises(Refused) as refused,
    ):
        seldon_graph.walk(Unit("MODEL", node), given, seldon_door.over_grpc)

    assert refused.value.status == "UNKNOWN"


def test_parameters_reach_the_class_with_their_types(folder: Path) -> None:
    parameters = [seldon.Parameter("factor", "0.5", "FLOAT"), seldon.Parameter("label", "7")]

    with seldon.serve(folder, "Scaler", service_type="MODEL", parameters=parameters) as node:
        answer = rest(node, PREDICT, {"data": {"ndarray": [3]}})

    assert answer["data"]["ndarray"] == [1.5]
    assert answer["meta"]["tags"]["label"] == "7"


def test_variables_reach_the_wrapper_and_the_callers_own_do_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUNICORN_THREADS", "3")
    monkeypatch.setenv("SELDON_DEPLOYMENT_ID", "elsewhere")

    with seldon.serve(
        folder, "Scaler", service_type="MODEL", variables={"GUNICORN_WORKERS": "2"}
    ) as node:
        log = node.log.read_text()

    assert "'threads': 1, 'workers': 2" in log


def test_serves_a_class_with_the_callers_torch(folder: Path) -> None:
    torch = pytest.importorskip("torch")
    code = """
        import torch
        class Version:
            def predict(self, X, names, meta=None):
                return torch.__version__ + str(torch.from_numpy(X).sum().item())
    """
    (folder / "Version.py").write_text(textwrap.dedent(code))

    with seldon.serve(folder, "Version", service_type="MODEL") as node:
        answer = rest(node, PREDICT, {"data": {"ndarray": [1, 2]}})

    assert answer["strData"] == f"{torch.__version__}3"


def test_listens_only_on_loopback(folder: Path) -> None:
    with seldon.serve(folder, "Scaler", service_type="MODEL") as node:
        open_on = {
            door: listeners(int(door.rpartition(":")[2]))
            for door in (node.http, node.grpc, node.metrics)
        }

    # The second is 127.0.0.1 as gRPC binds it: mapped into IPv6.
    loopback = {"0100007F", "0000000000000000FFFF00000100007F"}
    assert all(addresses and addresses <= loopback for addresses in open_on.values()), open_on


def test_leaves_nothing_running(folder: Path) -> None:
    workers = {"GUNICORN_WORKERS": "2", "GRPC_WORKERS": "2"}

    with seldon.serve(folder, "Scaler", service_type="MODEL", variables=workers) as node:
        started = processes(node)

    assert len(started) >= 7  # both servers with two workers each, and that of metrics
    assert not any(is_running(pid) for pid in started)


def test_leaves_the_folder_as_it_is(folder: Path) -> None:
    before = sorted(path.name for path in folder.iterdir())

    with seldon.serve(folder, "Scaler", service_type="MODEL"):
        pass

    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("import nowhere", "No module named 'nowhere'"),
        ("", "module 'Broken' has no attribute 'Broken'"),
        ("class Broken:\n    def __init__(self, path): pass", "missing 1 required positional"),
        ("class Broken:\n    def load(self): open('weights')", "No such file .*'weights'"),
    ],
)
def test_quotes_the_traceback_of_a_class_that_cannot_be_had(
    tmp_path: Path, code: str, complaint: str
) -> None:
    (tmp_path / "Broken.py").write_text(code)

    with (
        pytest.raises(
            EngineError, match=rf"^the Seldon wrapper .*\nTraceback (.*\n)*.*{complaint}"
        ),
        seldon.serve(tmp_path, "Broken", service_type="MODEL"),
    ):
        pass


def test_quotes_the_traceback_of_a_class_that_is_not_there(tmp_path: Path) -> None:
    with (
        pytest.raises(EngineError, match="No module named 'Missing'"),
        seldon.serve(tmp_path, "Missing", service_type="MODEL"),
    ):
        pass


@pytest.mark.parametrize("server", ["MainProcess", "Process-2:1"])
def test_does_not_wait_for_a_server_that_could_not_load(tmp_path: Path, server: str) -> None:
    code = f"""
        import multiprocessing
        class Broken:
            def load(self):
                if multiprocessing.current_process().name == {server!r}:
                    raise ValueError("not here")
    """
    (tmp_path / "Broken.py").write_text(textwrap.dedent(code))
    start = time.monotonic()

    with (
        pytest.raises(EngineError, match="ValueError: not here"),
        seldon.serve(tmp_path, "Broken", service_type="MODEL", timeout_seconds=60),
    ):
        pass

    assert time.monotonic() - start < 30


def test_says_how_long_it_waited_for_a_class_that_is_not_healthy(tmp_path: Path) -> None:
    code = """
        class Broken:
            def health_status(self):
                raise ValueError("no GPU")
    """
    (tmp_path / "Broken.py").write_text(textwrap.dedent(code))

    with (
        pytest.raises(EngineError, match=r"was not ready after 3 s\n(.*\n)*.*no GPU"),
        seldon.serve(tmp_path, "Broken", service_type="MODEL", timeout_seconds=3),
    ):
        pass
