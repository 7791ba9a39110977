"""What a project renders to call Seldon, on the real wrapper behind a stand-in orchestrator."""

import base64
import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import seldon_door

from generator.artefact import artefact
from generator.engines import EngineError, environments, seldon
from generator.engines.seldon_graph import Unit
from generator.planning import load_test_values
from generator.project import (
    Images,
    Kubernetes,
    Model,
    Perf,
    Project,
    RunIn,
    Step,
    Tensor,
    Transforms,
)
from generator.render import render
from generator.targets.seldon.callers import caller_files
from generator.targets.seldon.code import component_code
from generator.targets.seldon.load_test import load_test
from generator.targets.seldon.options import Options
from generator.targets.seldon.service import describe

pytestmark = pytest.mark.engine

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch")
Image = pytest.importorskip("PIL.Image")

needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="no curl on the path")

BEST = (Step("top_k", {"top_k": 2}), Step("class_name", {}))
GREEN = [{"class_name": "green", "score": 1.0}, {"class_name": "blue", "score": pytest.approx(0.2)}]
BLUE = [{"class_name": "blue", "score": 1.0}, {"class_name": "red", "score": pytest.approx(0.2)}]
PREPROCESS = (Step("decode", {}), Step("resize", {"size": [4, 4]}), Step("to_tensor", {}))


class Brightness(torch.nn.Module):  # type: ignore[misc, name-defined]  # torch is optional: Any
    """The mean of each colour."""

    def forward(self, image: Any) -> Any:
        return image.mean((2, 3))


def project(
    run_in: RunIn, *postprocess: Step, preprocess: tuple[Step, ...] = PREPROCESS
) -> Project:
    return Project(
        name="brightness",
        target="seldon",
        model=Model(
            inputs=(Tensor("image", "float32", ("N", 3, 4, 4)),),
            outputs=(Tensor("means", "float32", ("N", 3)),),
            class_names=("red", "green", "blue"),
        ),
        transforms=Transforms(run_in=run_in, preprocess=preprocess, postprocess=postprocess),
        kubernetes=Kubernetes(namespace="models"),
        images=Images("docker.io/acme", "1.0"),
        perf=Perf(rate=10),
        folder=Path(),
    )


SPLIT = project("component", *BEST)
FUSED = project("server")
CLIENT = project("client", *BEST)
TENSORS = project("client", preprocess=())


@dataclass(frozen=True)
class Doors:
    """The stand-in before the nodes of each kind of project."""

    split: seldon_door.Door
    fused: seldon_door.Door
    tensors: seldon_door.Door


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """Three graphs of rendered classes: of three nodes, of one, and of one that takes tensors."""
    try:
        seldon.prepare(report=print)
    except EngineError as problem:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(problem))
    with contextlib.ExitStack() as stack:

        def door(project: Project) -> seldon_door.Door:
            graph = stack.enter_context(nodes(project, tmp_path_factory.mktemp("nodes")))
            return stack.enter_context(seldon_door.serve(graph))

        yield Doors(door(SPLIT), door(FUSED), door(TENSORS))


@contextlib.contextmanager
def nodes(project: Project, folder: Path) -> Iterator[Unit]:
    """Start every node of a project; gives the outermost with the others inside."""
    service = describe(project, Options())
    graph: Unit | None = None
    with contextlib.ExitStack() as stack:
        around = [part for part in service.components if part.role != "model"]
        for part in (service.component("model"), *reversed(around)):
            code = folder / part.folder
            code.mkdir()
            for file in component_code(project, service, part):
                (code / file.path.name).write_text(render(file).text, encoding="utf-8")
            if part.role == "model":
                torch.jit.trace(Brightness(), torch.zeros(2, 3, 4, 4)).save(str(code / "model.pt"))
            node = stack.enter_context(
                seldon.serve(code, part.class_name, service_type=part.service_type)
            )
            graph = Unit(part.type, node, (graph,) if graph else ())
        assert graph is not None
        yield graph


@pytest.fixture(scope="module")
def grpc_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter with what grpc_client.py needs."""
    requirements = tmp_path_factory.mktemp("client") / "requirements.txt"
    lines = ("grpcio==1.85.1", "grpcio-tools==1.85.1", "numpy==2.4.6", "pillow==13.0.0")
    requirements.write_text("\n".join(lines) + "\n")
    try:
        return str(environments.prepare("seldon-client", [requirements], report=print).python)
    except EngineError as problem:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(problem))


Ask = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Runs a file of a project's requests/ in a folder with images and tensors."""
    Image.new("RGB", (9, 7), (0, 255, 51)).save(tmp_path / "green.png")
    Image.new("RGB", (3, 9), (51, 0, 255)).save(tmp_path / "my blue.png")
    (tmp_path / "junk.png").write_bytes(b"junk")
    np.save(tmp_path / "one.npy", np.ones((1, 3, 4, 4)))  # in float64
    np.save(tmp_path / "two.npy", np.stack([np.full((3, 4, 4), 0.5), np.zeros((3, 4, 4))]))
    np.save(tmp_path / "flat.npy", np.ones(48))

    def ask(
        project: Project,
        name: str,
        *arguments: str,
        python: str = sys.executable,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        for file in caller_files(project, Options(), describe(project, Options())):
            written = tmp_path / file.path
            written.parent.mkdir(exist_ok=True)
            written.write_text(render(file).text, encoding="utf-8")
        program = ["bash"] if name.endswith(".sh") else [python]
        return subprocess.run(
            [*program, f"requests/{name}", *arguments],
            cwd=tmp_path,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return ask


def printed(done: subprocess.CompletedProcess[str]) -> list[Any]:
    """The lines of JSON that a program printed; it went well."""
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def ingress(door: seldon_door.Door) -> dict[str, str]:
    host, _, port = door.http.partition(":")
    return {"INGRESS_HOST": host, "INGRESS_PORT": port}


@needs_curl
def test_predict_sends_one_image(doors: Doors, ask: Ask) -> None:
    url = {"URL": f"http://{doors.split.http}"}

    [answer] = printed(ask(SPLIT, "predict.sh", "my blue.png", environment=url))

    assert answer["jsonData"] == {"predictions": [BLUE]}
    assert doors.split.paths[-1] == "/api/v1.0/predictions"


@needs_curl
def test_predict_sends_several_images_in_one_request(doors: Doors, ask: Ask) -> None:
    images = ("green.png", "my blue.png", "green.png")
    before = len(doors.split.paths)

    [answer] = printed(ask(SPLIT, "predict.sh", *images, environment=ingress(doors.split)))

    assert answer["jsonData"] == {"predictions": [GREEN, BLUE, GREEN]}
    assert doors.split.paths[before:] == ["/seldon/models/brightness/api/v1.0/predictions"]


@needs_curl
def test_predict_sends_the_sample(doors: Doors, ask: Ask) -> None:
    [answer] = printed(ask(SPLIT, "predict.sh", environment=ingress(doors.split)))

    [best] = answer["jsonData"]["predictions"]
    assert len(best) == 2


@needs_curl
@pytest.mark.parametrize(
    ("images", "words"),
    [
        (["junk.png"], "the image is broken or of an unknown format"),
        (["green.png", "junk.png"], "instance 1: the image is broken or of an unknown format"),
    ],
)
def test_predict_fails_with_the_words_of_the_node(
    doors: Doors, ask: Ask, images: list[str], words: str
) -> None:
    refused = ask(SPLIT, "predict.sh", *images, environment=ingress(doors.split))

    assert refused.returncode == 22
    assert json.loads(refused.stdout)["status"]["info"] == words
    assert "400" in refused.stderr


@needs_curl
def test_predict_prints_a_tensor_as_it_comes(doors: Doors, ask: Ask) -> None:
    [answer] = printed(ask(FUSED, "predict.sh", "green.png", environment=ingress(doors.fused)))

    assert answer["meta"]["tags"] == {"dtype": "float32", "shape": [1, 3]}
    means = np.frombuffer(base64.b64decode(answer["binData"]), "float32")
    np.testing.assert_allclose(means, [0, 1, 0.2], rtol=1e-6)


def test_a_grpc_client_sends_images(doors: Doors, ask: Ask, grpc_python: str) -> None:
    asked = ("grpc_client.py", "--address", doors.split.grpc)

    answers = printed(ask(SPLIT, *asked, "green.png", "my blue.png", python=grpc_python))

    assert answers == [{"predictions": [GREEN]}, {"predictions": [BLUE]}]


def test_a_grpc_client_says_what_an_ingress_routes_by(
    doors: Doors, ask: Ask, grpc_python: str
) -> None:
    asked = ("grpc_client.py", "--address", doors.split.grpc, "green.png")

    for more in ((), ("--namespace", "other")):
        printed(ask(SPLIT, *asked, *more, python=grpc_python))

    routed = [(one["seldon"], one["namespace"]) for one in doors.split.metadata[-2:]]
    assert routed == [("brightness", "models"), ("brightness", "other")]


def test_a_grpc_client_prints_a_tensor(doors: Doors, ask: Ask, grpc_python: str) -> None:
    asked = ("grpc_client.py", "--address", doors.fused.grpc, "green.png")

    [answer] = printed(ask(FUSED, *asked, python=grpc_python))

    np.testing.assert_allclose(answer, [[0, 1, 0.2]], rtol=1e-6)


def test_a_grpc_client_ends_with_the_words_of_the_node(
    doors: Doors, ask: Ask, grpc_python: str
) -> None:
    asked = ("grpc_client.py", "--address", doors.split.grpc)

    refused = ask(SPLIT, *asked, "junk.png", python=grpc_python)
    missing = ask(SPLIT, *asked, "missing.png", python=grpc_python)
    lost = ask(SPLIT, asked[0], "--address", "127.0.0.1:1", "green.png", python=grpc_python)

    assert refused.returncode == missing.returncode == lost.returncode == 1
    assert refused.stderr.startswith("UNKNOWN: ")
    assert "the image is broken or of an unknown format" in refused.stderr
    assert missing.stderr == "missing.png: No such file or directory\n"
    assert lost.stderr.startswith("UNAVAILABLE: ")


def test_a_grpc_client_says_what_it_needs(ask: Ask) -> None:
    done = ask(SPLIT, "grpc_client.py", "--address", "127.0.0.1:1", "green.png")

    assert done.returncode == 1
    assert done.stderr.endswith("\npip install grpcio grpcio-tools\n")


@pytest.mark.parametrize("name", ["client.py", "grpc_client.py"])
def test_a_client_with_the_transforms_prints_classes(
    doors: Doors, ask: Ask, grpc_python: str, name: str
) -> None:
    address = ["--url", f"http://{doors.tensors.http}/seldon/models/brightness"]
    if name == "grpc_client.py":
        address = ["--address", doors.tensors.grpc]

    asked = ask(CLIENT, name, *address, "green.png", "my blue.png", python=grpc_python)
    junk = ask(CLIENT, name, *address, "junk.png", python=grpc_python)

    assert printed(asked) == [GREEN, BLUE]
    assert junk.returncode == 1
    assert junk.stderr == "junk.png: the image is broken or of an unknown format\n"


@pytest.mark.parametrize("name", ["client.py", "grpc_client.py"])
def test_a_client_sends_tensors_of_files(
    doors: Doors, ask: Ask, grpc_python: str, name: str
) -> None:
    address = ["--url", f"http://{doors.tensors.http}"]
    if name == "grpc_client.py":
        address = ["--address", doors.tensors.grpc]

    answers = printed(ask(TENSORS, name, *address, "one.npy", "two.npy", python=grpc_python))
    refused = ask(TENSORS, name, *address, "flat.npy", python=grpc_python)
    no_array = ask(TENSORS, name, *address, "junk.png", python=grpc_python)

    assert answers == [[[1, 1, 1]], [[0.5, 0.5, 0.5], [0, 0, 0]]]
    assert refused.returncode == no_array.returncode == 1
    assert "the tensor has shape [48], not [N, 3, 4, 4]" in refused.stderr
    assert refused.stderr.startswith("400: " if name == "client.py" else "UNKNOWN: ")
    assert no_array.stderr.startswith("junk.png: ")


def asked_by_the_load_test(project: Project, door: seldon_door.Door, folder: Path) -> Any:
    """The answer to the request of a project's load test, at the path that it calls."""
    test = load_test(project, describe(project, Options()))
    values = load_test_values(test)
    assert values is not None
    file = folder / "payload.py"
    file.write_text(render(artefact(file.name, "common/perf/payload.py.j2", values)).text)
    spec = importlib.util.spec_from_file_location("payload", file)
    assert spec is not None
    assert spec.loader is not None
    payload = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(payload)
    headers, body = payload.request()
    url = f"http://{door.http}{urllib.parse.urlsplit(test.url).path}"
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=60) as response:
        return json.load(response)


def test_the_load_test_sends_an_image(doors: Doors, tmp_path: Path) -> None:
    answer = asked_by_the_load_test(SPLIT, doors.split, tmp_path)

    [best] = answer["jsonData"]["predictions"]
    assert len(best) == 2


def test_the_load_test_sends_a_tensor(doors: Doors, tmp_path: Path) -> None:
    answer = asked_by_the_load_test(TENSORS, doors.tensors, tmp_path)

    assert answer["meta"]["tags"]["shape"] == [1, 3]
    means = np.frombuffer(base64.b64decode(answer["binData"]), "float32")
    assert np.all((means > 0.2) & (means < 0.8))  # of sixteen numbers from 0 to 1
