"""The real TorchServe starts with a rendered config.properties, and does what refusals say."""

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any
from zipfile import ZipFile

import pytest
from msgspec.structs import replace

from generator.artefact import Artefact
from generator.document import Document
from generator.engines import EngineError, torchserve
from generator.project import Batching, Hardware, Model, Project, Served, Serving, Tensor
from generator.render import render
from generator.targets.torchserve.config import config_values
from generator.targets.torchserve.options import Options, Platform
from generator.targets.torchserve.service import describe
from generator.torchserve_config import refusals
from generator.torchserve_config.values import table

pytest.importorskip("torch")

from generator.export.archive import write_archive  # needs torch

pytestmark = pytest.mark.engine

HANDLER = b"""
import time


class Handler:
    def initialize(self, context):
        pass

    def handle(self, data, context):
        time.sleep(0.05)
        return [{"together": len(data)} for _ in data]
"""
PROJECT = Project(
    name="first",
    target="torchserve",
    folder=Path(),
    model=Model(
        inputs=(Tensor("image", "float32", ("N", 4)),),
        outputs=(Tensor("logits", "float32", ("N", 2)),),
    ),
    hardware=Hardware(model_instances=2),
    serving=Serving(batching=Batching(max_size=8, delay="5ms"), timeout="30s", startup="4m"),
)
OTHER = replace(PROJECT, name="second", serving=Serving(), hardware=Hardware())
BOTH = replace(PROJECT, also_serves=(Served(OTHER, Options(), Document(Path(), {}, {})),))
SETTINGS = {"cors_allowed_origin": "a\\b = c:d", "vmargs": "-Xmx512m", "metric_time_interval": 30}


@pytest.fixture(scope="module", autouse=True)
def engine() -> None:
    """An installed TorchServe."""
    try:
        torchserve.prepare(report=print)
    except EngineError as problem:
        pytest.skip(str(problem))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model store with the archives of `first` and `second`."""
    folder = tmp_path_factory.mktemp("store")
    for name in ("first", "second"):
        write_archive(
            folder / f"{name}-1.0.mar",
            name=name,
            version="1.0",
            handler="handler.py",
            serialized=None,
            files={"handler.py": HANDLER},
        )
    return folder


def rendered(platform: Platform) -> str:
    service = describe(BOTH, Options(platform=platform, settings={**SETTINGS}))
    template = "torchserve/models/config/config.properties.j2"
    path = PurePosixPath("models/config/config.properties")
    return render(Artefact(path, template, config_values(service))).text


def snapshot_of(text: str) -> dict[str, Any]:
    [line] = [line for line in text.splitlines() if line.startswith("model_snapshot=")]
    snapshot: dict[str, Any] = json.loads(line.partition("=")[2])
    return snapshot


def send(address: str, method: str, path: str) -> tuple[int, Any, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        connection.request(method, path, headers={"Origin": "http://here"})
        answer = connection.getresponse()
        body = answer.read()
        return answer.status, json.loads(body) if body[:1] in b"[{" else body, answer.headers
    finally:
        connection.close()


@pytest.mark.parametrize("platform", ["kserve", "docker"])
def test_a_rendered_config_starts_its_models_as_described(platform: Platform, store: Path) -> None:
    text = rendered(platform)

    with torchserve.serve(store, text, models=["first", "second"]) as server:
        described = {
            name: send(server.management, "GET", f"/models/{name}")[1][0]
            for name in ("first", "second")
        }
        _, _, headers = send(server.inference, "GET", "/predictions/first")
        _, metrics, _ = send(server.metrics, "GET", "/metrics")
        deleted, _, _ = send(server.management, "DELETE", "/models/second")
        registered, _, _ = send(server.management, "POST", "/models?url=second-1.0.mar")
        elsewhere, answer, _ = send(server.management, "POST", "/models?url=http://here/x.mar")

    for name, versions in snapshot_of(text)["models"].items():
        [(version, entry)] = versions.items()
        found = described[name]
        assert found["modelVersion"] == version
        assert found["modelUrl"] == entry["marName"]
        assert [worker["status"] for worker in found["workers"]] == ["READY"] * entry["minWorkers"]
        same = ("minWorkers", "maxWorkers", "batchSize", "maxBatchDelay", "responseTimeout")
        for field in (*same, "startupTimeout"):
            assert found[field] == entry[field]
    assert described["first"]["jobQueueStatus"]["remainingCapacity"] == 100
    assert headers["Access-Control-Allow-Origin"] == SETTINGS["cors_allowed_origin"]
    assert b"ts_inference_requests_total" in metrics
    assert (deleted, registered) == (200, 200)
    assert (elsewhere, "does not match any allowed URL" in answer["message"]) == (404, True)


ENTRY = {
    "defaultVersion": True,
    "marName": "first-1.0.mar",
    "minWorkers": 1,
    "maxWorkers": 1,
    "batchSize": 8,
    "maxBatchDelay": 1,
}
PLAIN = "disable_token_authorization=true\nenable_model_api=true\n"


def snapshot(*, count: int = 1, **changes: object) -> str:
    models = {"first": {"1.0": ENTRY | changes}}
    return "model_snapshot=" + json.dumps({"name": "a", "modelCount": count, "models": models})


def together(store: Path, delay: int) -> int:
    """The largest batch that sixteen clients get at once."""
    text = f"{PLAIN}{snapshot(maxBatchDelay=delay)}\n"
    with (
        torchserve.serve(store, text, models=["first"]) as server,
        ThreadPoolExecutor(16) as pool,
    ):
        asked = pool.map(lambda _: send(server.inference, "GET", "/predictions/first"), range(48))
        return max(answer["together"] for _, answer, _ in asked)


def test_a_delay_of_zero_batches_two_at_most(store: Path) -> None:
    assert together(store, 0) == 2
    assert together(store, 1) == 8


def test_what_it_takes_in_silence_is_refused(store: Path) -> None:
    text = f"""\
disable_token_authorization=true
enable_model_api=yes
job_queue_sise=5
load_models=second-1.0.mar
python=nowhere
{snapshot(count=7, minWorkers=2, batchSize=0, startup_timeout=1)}
"""

    with torchserve.serve(store, text, models=["first"]) as server:
        api, _, _ = send(server.management, "POST", "/models?url=second-1.0.mar")
        _, listed, _ = send(server.management, "GET", "/models")
        _, [found], _ = send(server.management, "GET", "/models/first")

    assert api == 405  # `yes` is false
    assert [model["modelName"] for model in listed["models"]] == ["first"]
    assert (found["minWorkers"], found["maxWorkers"], found["batchSize"]) == (2, 1, 0)
    assert found["jobQueueStatus"]["remainingCapacity"] == 100
    assert [refusal.line for refusal in refusals(text)] == [2, 3, 5, 6, 6, 6]


def test_a_count_of_zero_starts_no_model(store: Path) -> None:
    text = f"{PLAIN}{snapshot(count=0)}\n"

    with torchserve.serve(store, text) as server:
        _, listed, _ = send(server.management, "GET", "/models")

    assert listed == {"models": []}
    assert [refusal.line for refusal in refusals(text)] == [3]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("metrics_address=http://127.0.0.1:8080", "Failed to bind to address"),
        ("number_of_netty_threads=4 ", 'For input string: "4 "'),
        ("cors_allowed_origin=\\u12", "Malformed \\uxxxx encoding"),
        ("number_of_gpu=1\\\n2 x", 'For input string: "12 x"'),
        ("blacklist_env_vars=*KEY*", "Dangling meta character '*' near index 0"),
        ("enable_grpc_ssl=true", "NullPointerException"),
    ],
)
def test_what_it_stops_at_is_refused(line: str, words: str, store: Path) -> None:
    begun = time.monotonic()
    text = f"{PLAIN}{line}\n"

    with pytest.raises(EngineError) as caught, torchserve.serve(store, text):
        pass

    assert words in str(caught.value)
    assert 3 in {refusal.line for refusal in refusals(text)}
    assert time.monotonic() - begun < 60


def test_every_key_of_the_table_is_a_constant_of_the_server() -> None:
    jar = torchserve.prepare().packages / "ts" / "frontend" / "model-server.jar"
    with ZipFile(jar) as classes:
        read = classes.read("org/pytorch/serve/util/ConfigManager.class")
    of_the_launcher = {"plugins_path", "vmargs"}

    for key in set(table().keys) - of_the_launcher:
        constant = key.encode()
        assert b"\x01" + len(constant).to_bytes(2, "big") + constant in read
