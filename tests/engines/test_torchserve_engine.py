"""The real TorchServe serves archives of ours as configured, and says why when it does not."""

import http.client
import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from generator.engines import EngineError, ports, torchserve, torchserve_config, torchserve_log

torch = pytest.importorskip("torch")
numpy = pytest.importorskip("numpy")

from generator.export.archive import write_archive  # noqa: E402  # needs torch

pytestmark = pytest.mark.engine

HANDLER = b'''
import json
from pathlib import Path

import torch


class Handler:
    """Gives each request of a batch its row of the output, and how many there were."""

    def initialize(self, context):
        folder = Path(context.system_properties["model_dir"])
        self.model = torch.jit.load(folder / context.manifest["model"]["serializedFile"])

    def handle(self, data, context):
        answers = [{"error": "no row"}] * len(data)
        rows = {}
        for index, row in enumerate(data):
            try:
                rows[index] = json.loads(bytes(row["body"]))
            except ValueError:
                context.set_response_status(400, "Bad Request", index)
        if rows:
            outputs = self.model(torch.tensor(list(rows.values()))).tolist()
            for index, output in zip(rows, outputs, strict=True):
                answers[index] = {"output": output, "together": len(data)}
        return answers
'''

# As KServe's runtime wants it: both APIs in one place, and all of it on every interface.
CONFIG = """\
inference_address=http://0.0.0.0:8085
management_address=http://0.0.0.0:8085
metrics_address=http://0.0.0.0:8082
grpc_inference_address=0.0.0.0
grpc_inference_port=7070
grpc_management_port=7071
enable_envvars_config=true
disable_token_authorization=true
model_store=/mnt/models/model-store
"""


@dataclass(frozen=True)
class Served:
    """A running server and the eager model behind it."""

    server: torchserve.Server
    model: Any


@pytest.fixture(scope="module", autouse=True)
def engine() -> None:
    """An installed TorchServe."""
    try:
        torchserve.prepare(report=print)
    except EngineError as problem:
        pytest.skip(str(problem))


@pytest.fixture(scope="module")
def model() -> Any:
    """A model with two outputs for four numbers."""
    torch.manual_seed(0)
    return torch.nn.Linear(4, 2).eval()


@pytest.fixture(scope="module")
def store(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model store with the archives of `linear`, `second` and two that cannot start."""
    folder = tmp_path_factory.mktemp("store")
    program = tmp_path_factory.mktemp("program") / "linear.pt"
    torch.jit.trace(model, torch.zeros(1, 4)).save(str(program))
    handlers = {
        "linear": HANDLER,
        "second": HANDLER,
        "broken": b"import no_such_package\n" + HANDLER,
        "killed": b"import os, signal\n\nos.kill(os.getpid(), signal.SIGKILL)\n",
    }
    for name, handler in handlers.items():
        write_archive(
            folder / f"{name}.mar",
            name=name,
            version="1.0",
            handler="handler.py",
            serialized=program,
            files={"handler.py": handler},
        )
    return folder


def snapshot(*names: str, batch: int = 1, **more: object) -> str:
    entry = {
        "defaultVersion": True,
        "minWorkers": 1,
        "maxWorkers": 1,
        "batchSize": batch,
        "maxBatchDelay": 200,
        "responseTimeout": 60,
    }
    models = {name: {"1.0": {"marName": f"{name}.mar", **entry, **more}} for name in names}
    value = {"name": "startup.cfg", "modelCount": len(names), "models": models}
    return f"model_snapshot={json.dumps(value)}\n"


@pytest.fixture(scope="module")
def served(store: Path, model: Any) -> Iterator[Served]:
    """A server with two models, of which the first batches."""
    probe = torchserve.Probe("/predictions/linear", b"[0.0, 0.0, 0.0, 0.0]")
    config = CONFIG + snapshot("linear", "second", batch=8)
    with torchserve.serve(store, config, models=["linear", "second"], probe=probe) as server:
        yield Served(server, model)


def send(address: str, path: str, body: bytes, **headers: str) -> tuple[int, Any]:
    """Send a row, under a type that TorchServe leaves as bytes; give the status and the answer."""
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        connection.request("POST", path, body, {"Content-Type": "image/png", **headers})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_answers_with_the_eager_numbers(served: Served) -> None:
    row = [0.5, -1.0, 2.0, 3.5]

    status, answer = send(served.server.inference, "/predictions/linear", json.dumps(row).encode())

    with torch.no_grad():
        expected = served.model(torch.tensor([row]))[0].numpy()
    assert status == 200
    numpy.testing.assert_allclose(answer["output"], expected, rtol=1e-6)


def test_batches_and_gives_each_request_its_own_answer_and_status(served: Served) -> None:
    rows = torch.rand(8, 4, generator=torch.Generator().manual_seed(1))
    bodies = [json.dumps(row.tolist()).encode() for row in rows]
    bodies[3] = b"this is no row"

    def ask(body: bytes) -> tuple[int, Any]:
        return send(served.server.inference, "/predictions/linear", body)

    with ThreadPoolExecutor(len(bodies)) as pool:
        answers = list(pool.map(ask, bodies))

    assert [status for status, _ in answers] == [200, 200, 200, 400, 200, 200, 200, 200]
    assert answers[3][1] == {"error": "no row"}
    good = [answer for status, answer in answers if status == 200]
    with torch.no_grad():
        expected = served.model(rows).numpy()[[0, 1, 2, 4, 5, 6, 7]]
    numpy.testing.assert_allclose([each["output"] for each in good], expected, rtol=1e-5)
    assert max(each["together"] for each in good) > 1


def test_changes_only_the_lines_with_addresses_and_ports(served: Served) -> None:
    read = (served.server.folder / "config.properties").read_text()
    written = CONFIG + snapshot("linear", "second", batch=8)

    changed = [
        (before, after)
        for before, after in zip(written.splitlines(), read.splitlines(), strict=True)
        if before != after
    ]

    server = served.server
    assert changed == [
        ("inference_address=http://0.0.0.0:8085", f"inference_address=http://{server.inference}"),
        ("management_address=http://0.0.0.0:8085", f"management_address=http://{server.inference}"),
        ("metrics_address=http://0.0.0.0:8082", f"metrics_address=http://{server.metrics}"),
        ("grpc_inference_address=0.0.0.0", f"grpc_inference_address={ports.LOOPBACK}"),
        ("grpc_inference_port=7070", f"grpc_inference_port={server.grpc.partition(':')[2]}"),
        (
            "grpc_management_port=7071",
            f"grpc_management_port={server.grpc_management.partition(':')[2]}",
        ),
    ]
    assert server.management == server.inference


def test_keeps_the_callers_settings_out(
    store: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "other.properties"
    other.write_text("inference_address=nonsense\n")
    monkeypatch.setenv("TS_CONFIG_FILE", str(other))
    monkeypatch.setenv("TS_SERVICE_ENVELOPE", "kserve")
    before = set(tmp_path.iterdir())
    monkeypatch.chdir(tmp_path)

    with torchserve.serve(store, CONFIG + snapshot("linear"), models=["linear"]) as server:
        status, answer = send(server.inference, "/predictions/linear", b"[1.0, 1.0, 1.0, 1.0]")

    assert (status, answer["together"]) == (200, 1)
    assert set(tmp_path.iterdir()) == before


def test_hands_variables_on(store: Path) -> None:
    """With an envelope, which KServe sets in this way, the body is not the handler's any more."""
    config = CONFIG + snapshot("linear")

    with torchserve.serve(store, config, variables={"TS_SERVICE_ENVELOPE": "kserve"}) as server:
        status, _ = send(server.inference, "/predictions/linear", b"[1.0, 1.0, 1.0, 1.0]")

    assert status == 503


WITH_TOKENS = CONFIG.replace("disable_token_authorization=true\n", "")


def test_gives_the_tokens_where_authorization_is_on(store: Path) -> None:
    config = WITH_TOKENS.replace("management_address=http://0.0.0.0:8085\n", "") + snapshot(
        "linear"
    )
    body = b"[1.0, 1.0, 1.0, 1.0]"
    probe = torchserve.Probe("/predictions/linear", body)

    with torchserve.serve(store, config, models=["linear"], probe=probe) as server:
        without = send(server.inference, "/predictions/linear", body)
        headers = server.authorization("inference")
        having = send(server.inference, "/predictions/linear", body, **headers)

    assert (without[0], having[0]) == (400, 200)
    assert set(server.tokens) == {"inference", "management", "API"}


def test_reports_that_no_token_opens_a_management_api_at_the_address_of_inference(
    store: Path,
) -> None:
    with (
        pytest.raises(EngineError, match=r"answers 400 to /models.*Token Authorization failed"),
        torchserve.serve(store, WITH_TOKENS + snapshot("linear")),
    ):
        pass


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (
            CONFIG.replace("http://0.0.0.0:8082", "0.0.0.0:8082"),
            "Invalid configuration: Invalid binding address: 0.0.0.0:8082",
        ),
        (
            CONFIG.replace("http://0.0.0.0:8082", "http://0.0.0.0:8082/"),
            "Invalid configuration: Invalid binding address: http://0.0.0.0:8082/",
        ),
        (CONFIG.replace(":8082", ":80822"), "Invalid port number: http://0.0.0.0:80822"),
        (CONFIG + "model_snapshot={broken\n", "End of input at line 1 column 8 path $.broken"),
        (CONFIG + snapshot("absent"), "Model archive file for model absent, version 1.0 not found"),
        (CONFIG + snapshot("linear", batchSize="x"), 'For input string: "x"'),
        (CONFIG + "number_of_netty_threads=x\n", "Invalid configuration: For input string"),
    ],
)
def test_refuses_a_bad_configuration_in_the_words_of_the_server(
    store: Path, config: str, words: str
) -> None:
    with pytest.raises(EngineError) as caught, torchserve.serve(store, config):
        pass

    assert words in str(caught.value)
    assert "\tat " not in str(caught.value)


def test_reports_a_worker_that_cannot_start(store: Path) -> None:
    begun = time.monotonic()

    with (
        pytest.raises(EngineError, match="Load model failed: broken") as caught,
        torchserve.serve(store, CONFIG + snapshot("linear", "broken")),
    ):
        pass

    assert "ModuleNotFoundError: No module named 'no_such_package'" in str(caught.value)
    assert time.monotonic() - begun < 60


def test_reports_a_worker_that_ends_without_a_word(store: Path) -> None:
    with (
        pytest.raises(EngineError, match="Load model failed: killed"),
        torchserve.serve(store, CONFIG + snapshot("killed")),
    ):
        pass


def test_reports_what_a_probe_was_answered(store: Path) -> None:
    probe = torchserve.Probe("/predictions/linear", b"this is no row")

    with (
        pytest.raises(EngineError, match=r'answers 400 to /predictions/linear: .*"no row"'),
        torchserve.serve(store, CONFIG + snapshot("linear"), probe=probe),
    ):
        pass


def test_reports_a_probe_that_is_not_answered(store: Path) -> None:
    """With an unknown envelope the worker ends after it was ready, or requests hang."""
    config = CONFIG + "service_envelope=nonsense\n" + snapshot("linear")
    probe = torchserve.Probe("/predictions/linear", b"[]", timeout_seconds=5)

    with (
        pytest.raises(EngineError, match=r"Load model failed|does not answer"),
        torchserve.serve(store, config, models=["linear"], probe=probe),
    ):
        pass


def test_waits_for_a_named_model_until_time_is_up(store: Path) -> None:
    with (
        pytest.raises(EngineError, match="TorchServe was not ready after 12 s"),
        torchserve.serve(store, CONFIG, models=["linear"], timeout_seconds=12),
    ):
        pass


def test_leaves_no_process_and_no_file_behind(store: Path) -> None:
    before = sorted(store.iterdir())

    with torchserve.serve(store, CONFIG + snapshot("linear"), models=["linear"]) as server:
        pids = [int(pid) for pid in re.findall(r"\[PID\](\d+)", server.log.read_text())]
        assert pids
        assert all(Path(f"/proc/{pid}").exists() for pid in pids)

    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert not ports.is_ok(server.inference, "/ping")
    assert not server.folder.exists()
    assert sorted(store.iterdir()) == before


def test_listens_where_torchserve_does_by_default_only_in_the_original() -> None:
    moved = torchserve_config.relocate("# nothing is said")

    lines = moved.text.splitlines()
    assert lines[0] == "# nothing is said"
    assert [line.partition("=")[0] for line in lines[1:]] == list(moved.listens)
    assert len(set(moved.listens.values())) == 5
    assert all(place.startswith(f"{ports.LOOPBACK}:") for place in moved.listens.values())


@pytest.mark.parametrize(
    "line",
    [
        "inference_address=http://0.0.0.0:8085/",
        "inference_address=0.0.0.0:8085",
        "inference_address=http://0.0.0.0:99999",
        "grpc_inference_port=x",
        "grpc_inference_port=70700",
        "grpc_management_address=nowhere",
        "# inference_address=http://0.0.0.0:8085",
        "my_inference_address=http://0.0.0.0:8085",
    ],
)
def test_leaves_what_torchserve_refuses_or_does_not_read(line: str) -> None:
    assert torchserve_config.relocate(f"{line}\n").text.splitlines()[0] == line


def test_quotes_the_last_lines_of_a_log_without_an_error() -> None:
    log = "2026-11-20T13:23:45,410 [INFO ] main org.pytorch.serve.ModelServer - fine\n"

    assert torchserve_log.complaints(log) == log.strip()
    assert torchserve_log.complaints("") == "(it wrote nothing)"


def test_keeps_apart_workers_that_speak_at_once() -> None:
    lines = [
        ("W-9001-broken_1.0", "Traceback (most recent call last):"),
        ("W-9001-broken_1.0", '  File "handler.py", line 1, in <module>'),
        ("W-9000-linear_1.0", "model_name: linear, batchSize: 1"),
        ("W-9000-linear_1.0", "Traceback (most recent call last):"),
        ("W-9001-broken_1.0", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("W-9001-broken_1.0", "Backend worker process died."),
        ("W-9000-linear_1.0", "ValueError: of the other"),
    ]
    log = "\n".join(
        f"2026-11-22T09:40:29,731 [INFO ] {worker}-stdout MODEL_LOG - {said}"
        for worker, said in lines
    )

    assert torchserve_log.errors(log) == [
        "ModuleNotFoundError: No module named 'no_such_package'",
        "ValueError: of the other",
    ]
