"""What gen renders and exports for TorchServe, unmodified, on the real server."""

import base64
import contextlib
import functools
import hashlib
import http.client
import http.server
import importlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from seeded import photo, separating

from generator import pipeline, write
from generator.engines import EngineError, environments, kserve, torchserve
from generator.selection import Selection

pytestmark = pytest.mark.engine

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch")
Image = pytest.importorskip("PIL.Image")

ROOT = Path(__file__).parents[2]
SPECS = ROOT / "specs"
TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture(scope="module", autouse=True)
def engine() -> None:
    """An installed TorchServe."""
    try:
        torchserve.prepare(report=print)
    except EngineError as problem:
        pytest.skip(str(problem))


@dataclass(frozen=True)
class Deployed:
    """The rendered folder of a project, and its exported bundle."""

    rendered: Path
    bundle: Path

    @property
    def archives(self) -> dict[str, bytes]:
        """The model archives by name."""
        return {path.stem: path.read_bytes() for path in self.bundle.glob("model-store/*.mar")}


def deployed(spec: Path, work: Path, text: bytes | None = None) -> Deployed:
    """Render and export a spec, or another text in its place, with the command's own functions."""
    from generator.export import export_bundle

    selection = Selection(targets=("torchserve",))
    build = pipeline.build(str(spec), text or spec.read_bytes(), spec.parent, selection)
    write.write(write.tree(work / "rendered", build.project, build.files, ["."]))
    [deployment] = build.deployments
    bundle = export_bundle(deployment, build.files, work / "build")
    return Deployed(work / "rendered" / pipeline.folder_of(deployment), bundle)


@contextlib.contextmanager
def served(project: Deployed, *models: str) -> Iterator[torchserve.Server]:
    """The server of a bundle, as its own configuration has it."""
    with torchserve.serve(
        project.bundle / "model-store",
        project.bundle / "config/config.properties",
        models=models,
        variables={"OMP_NUM_THREADS": "1"},
        report=print,
    ) as server:
        yield server


@dataclass(frozen=True)
class Digits:
    """The eager network and what torchvision makes of an image for it."""

    net: Any
    prepare: Any
    pictures: tuple[bytes, ...]

    def sample(self, picture: bytes) -> Any:
        return self.prepare(Image.open(io.BytesIO(picture)).convert("L"))

    def expected(self, picture: bytes, k: int = 3) -> list[tuple[str, float]]:
        """The eager network's best classes with their probabilities."""
        with torch.no_grad():
            values, classes = self.net(self.sample(picture)[None]).softmax(1)[0].topk(k)
        return list(zip(map(str, classes.tolist()), values.tolist(), strict=True))


@pytest.fixture(scope="module")
def transforms() -> Any:
    """torchvision.transforms."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "tests"))
        return importlib.import_module("torchvision_shim").transforms


@pytest.fixture(scope="module")
def digits(transforms: Any) -> Digits:
    """The network of mnist.yaml, with digits on pictures larger than it takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SPECS / "models"))
        training = importlib.import_module("train_mnist")
    net = training.Net()
    net.load_state_dict(torch.load(SPECS / "models/mnist.pt", weights_only=True))
    prepare = transforms.Compose(
        [
            transforms.Resize((28, 28)),
            transforms.ToTensor(),
            transforms.Normalize(training.MEAN, training.STD),
        ]
    )
    pixels, _ = training.digits(40, np.random.default_rng(3))
    pictures = [Image.fromarray(each.numpy()[0]).resize((56, 70)).convert("RGB") for each in pixels]
    return Digits(net.eval(), prepare, tuple(map(png, pictures)))


def png(picture: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, "png")
    return out.getvalue()


def post(address: str, path: str, body: bytes, content_type: str = "image/png") -> tuple[int, Any]:
    """The status and the decoded answer of one request."""
    connection = http.client.HTTPConnection(address, timeout=120)
    try:
        connection.request("POST", path, body, {"Content-Type": content_type})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def v1(*pictures: bytes) -> bytes:
    texts = [base64.b64encode(picture).decode() for picture in pictures]
    return json.dumps({"instances": [{"image_bytes": {"b64": text}} for text in texts]}).encode()


def v2(*pictures: bytes) -> bytes:
    data = [base64.b64encode(picture).decode() for picture in pictures]
    tensor = {"name": "image_bytes", "shape": [len(data)], "datatype": "BYTES", "data": data}
    return json.dumps({"inputs": [tensor]}).encode()


Answer = list[tuple[str, float]]  # classes and probabilities, best first


def ask_v1(address: str, model: str, *pictures: bytes) -> tuple[int, list[Answer]]:
    path = f"/v1/models/{model}:predict"
    status, answer = post(address, path, v1(*pictures), "application/json")
    predictions = answer["predictions"] if status == 200 else []
    return status, [[(e["class_name"], e["probability"]) for e in each] for each in predictions]


def ask_v2(address: str, model: str, *pictures: bytes) -> tuple[int, list[Answer]]:
    path = f"/v2/models/{model}/infer"
    status, answer = post(address, path, v2(*pictures), "application/json")
    if status != 200:
        return status, []
    columns = {each["name"]: np.reshape(each["data"], each["shape"]) for each in answer["outputs"]}
    rows = zip(columns["class_name"].tolist(), columns["probability"].tolist(), strict=True)
    return status, [list(zip(*row, strict=True)) for row in rows]


def ask_natively(address: str, model: str, *pictures: bytes) -> tuple[int, list[Answer]]:
    """One request for each picture, all at once."""
    with ThreadPoolExecutor(len(pictures)) as pool:
        path = f"/predictions/{model}"
        answers = list(pool.map(lambda picture: post(address, path, picture), pictures))
    status = max(status for status, _ in answers)
    return status, [list(map(pair, answer)) for _, answer in answers] if status == 200 else []


def pair(entry: dict[str, float]) -> tuple[str, float]:
    """Class and probability of a map with one key."""
    [item] = entry.items()
    return item


DOORS = {"native": ask_natively, "v1": ask_v1, "v2": ask_v2}


def assert_same(got: list[Answer], want: list[Answer]) -> None:
    assert [[name for name, _ in each] for each in got] == [[n for n, _ in each] for each in want]
    np.testing.assert_allclose(
        [[value for _, value in each] for each in got],
        [[value for _, value in each] for each in want],
        **TOLERANCE,
    )


@pytest.fixture(scope="module")
def mnist(tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    """What specs/mnist.yaml becomes."""
    return deployed(SPECS / "mnist.yaml", tmp_path_factory.mktemp("mnist"))


@pytest.fixture(scope="module")
def server(mnist: Deployed) -> Iterator[torchserve.Server]:
    with served(mnist, "mnist") as server:
        yield server


@pytest.mark.parametrize("count", [1, 8, 20])  # 20 is more than the largest batch, 8
@pytest.mark.parametrize("door", DOORS)
def test_every_door_answers_with_the_eager_models_classes(
    server: torchserve.Server, digits: Digits, door: str, count: int
) -> None:
    pictures = digits.pictures[:count]

    status, answers = DOORS[door](server.inference, "mnist", *pictures)

    assert status == 200
    assert_same(answers, [digits.expected(picture) for picture in pictures])


@pytest.mark.parametrize("door", DOORS)
def test_no_request_of_32_clients_is_turned_away(
    server: torchserve.Server, digits: Digits, door: str
) -> None:
    pictures = digits.pictures * 4

    with ThreadPoolExecutor(32) as pool:
        answers = list(
            pool.map(lambda picture: DOORS[door](server.inference, "mnist", picture), pictures)
        )

    assert {status for status, _ in answers} == {200}
    assert_same(
        [answer for _, [answer] in answers], [digits.expected(picture) for picture in pictures]
    )


def test_the_eager_answers_are_well_apart(digits: Digits) -> None:
    """Else a wrong picture in the right place would not show."""
    best = [digits.expected(picture, 1)[0] for picture in digits.pictures]

    assert {name for name, _ in best} == set("0123456789")
    assert np.median([probability for _, probability in best]) > 0.9


def test_explains_what_speaks_for_the_best_class(server: torchserve.Server, digits: Digits) -> None:
    captum = pytest.importorskip("captum.attr")
    pictures = digits.pictures[:3]
    samples = torch.stack([digits.sample(picture) for picture in pictures])
    best = digits.net(samples).argmax(1)

    status, answer = post(
        server.inference, "/v1/models/mnist:explain", v1(*pictures), "application/json"
    )
    natively, [*rows] = post(server.inference, "/explanations/mnist", pictures[0])

    expected = captum.IntegratedGradients(digits.net).attribute(samples, target=best).detach()
    assert (status, natively) == (200, 200)
    np.testing.assert_allclose(answer["explanations"], expected.numpy(), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(rows, expected[0].numpy(), rtol=1e-3, atol=1e-5)


def test_a_wrong_mean_in_the_spec_shows(digits: Digits, tmp_path: Path) -> None:
    spec = SPECS / "mnist.yaml"
    text = spec.read_bytes().replace(b"mean: [0.1307]", b"mean: [0.5]")
    wrong = deployed(spec, tmp_path, text)

    with served(wrong, "mnist") as server:
        status, [answer] = ask_natively(server.inference, "mnist", digits.pictures[0])

    assert status == 200
    with pytest.raises(AssertionError):
        assert_same([answer], [digits.expected(digits.pictures[0])])


def test_an_archive_made_twice_is_the_same(tmp_path: Path) -> None:
    """By two runs of the command: in one process, a second trace numbers its classes anew."""
    code = "import sys; from generator.cli import main; sys.exit(main(sys.argv[1:]))"
    for output in ("first", "second"):
        command = [sys.executable, "-c", code, "export", "specs/mnist.yaml", "--output"]
        subprocess.run([*command, tmp_path / output], check=True, cwd=ROOT, timeout=120)

    first, second = (
        (tmp_path / output / "mnist/torchserve/model-store/mnist-1.0.mar").read_bytes()
        for output in ("first", "second")
    )

    assert first == second


def test_serves_an_archive_that_is_there_already(
    mnist: Deployed, digits: Digits, tmp_path: Path
) -> None:
    spec = copied_specs(tmp_path) / "mnist.yaml"
    [archive] = mnist.bundle.glob("model-store/*.mar")
    shutil.copy(archive, spec.with_name("made.mar"))
    text = spec.read_text().replace("explain: {}", "archive: {uri: made.mar}")
    text = re.sub(r"(?m)^perf:.*\n", "", text)

    prebuilt = deployed(spec, tmp_path, text.encode())

    assert prebuilt.archives == mnist.archives
    with served(prebuilt, "mnist") as server:
        status, answers = ask_v1(server.inference, "mnist", digits.pictures[0])
    assert status == 200
    assert_same(answers, [digits.expected(digits.pictures[0])])


def copied_specs(folder: Path) -> Path:
    """A copy of specs/ that a test may change."""
    return shutil.copytree(SPECS, folder / "specs", ignore=shutil.ignore_patterns("__pycache__"))


@pytest.mark.parametrize(
    ("name", "models"),
    [
        ("mnist-kubernetes", ["mnist-kubernetes"]),
        ("mnist-several", ["mnist-several", "mnist-model"]),
    ],
)
def test_variants_answer_like_the_eager_model(
    digits: Digits, name: str, models: list[str], tmp_path: Path
) -> None:
    project = deployed(SPECS / f"variants/{name}.yaml", tmp_path)
    pictures = digits.pictures[:8]

    with served(project, *models) as server:
        answers = [ask(server.inference, m, *pictures) for m in models for ask in DOORS.values()]

    for status, answer in answers:
        assert status == 200
        assert_same(answer, [digits.expected(picture) for picture in pictures])


@pytest.mark.usefixtures("kserve_engine")
def test_a_grpc_client_prints_the_eager_models_classes(digits: Digits, tmp_path: Path) -> None:
    project = deployed(SPECS / "variants/mnist-grpc.yaml", tmp_path)
    pictures = digits.pictures[:3]
    names = [f"{index}.png" for index in range(3)]
    for name, picture in zip(names, pictures, strict=True):
        (project.rendered / "requests" / name).write_bytes(picture)

    with served(project, "mnist-grpc") as server:
        python = kserve.prepare(tmp_path, report=print).python  # it has what the client needs
        command = [str(python), "grpc_client.py", "--address", server.grpc, *names]
        printed = subprocess.run(
            command,
            cwd=project.rendered / "requests",
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )

    answers = [list(map(pair, json.loads(line))) for line in printed.stdout.splitlines()]
    assert_same(answers, [digits.expected(picture) for picture in pictures])


@pytest.mark.parametrize("count", [1, 8, 20])
def test_a_transformer_in_front_answers_with_the_eager_models_classes(
    component: kserve.Server, digits: Digits, count: int
) -> None:
    pictures = digits.pictures[:count]

    by_v1 = ask_v1(component.http, "mnist-compare", *pictures)
    by_v2 = ask_v2(component.http, "mnist-compare", *pictures)

    for status, answers in (by_v1, by_v2):
        assert status == 200
        assert_same(answers, [digits.expected(picture) for picture in pictures])


@pytest.fixture(scope="module")
def component(
    kserve_engine: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[kserve.Server]:
    """The transformer of mnist-component.yaml in front of TorchServe, as its manifest starts it."""
    project = deployed(
        SPECS / "variants/mnist-component.yaml", tmp_path_factory.mktemp("component")
    )
    service = yaml.safe_load((project.rendered / "manifests/inferenceservice.yaml").read_text())
    [container] = service["spec"]["transformer"]["containers"]
    with (
        served(project, "mnist-component") as server,
        kserve.serve(
            project.rendered / "images/transformer",
            model_name=service["metadata"]["name"],
            predictor_host=server.inference,
            arguments=container["args"],
            report=print,
        ) as transformer,
    ):
        yield transformer


@pytest.fixture
def archiver(tmp_path: Path) -> Path:
    """The folder with torch-model-archiver, which TorchServe's image has."""
    requirements = tmp_path / "archiver.txt"
    requirements.write_text("torch-model-archiver==0.12.0\n")
    try:
        environment = environments.prepare("torch-model-archiver", [requirements], report=print)
    except EngineError as problem:
        pytest.skip(str(problem))
    return environment.programs


def test_serves_what_the_job_in_the_cluster_makes(
    archiver: Path, digits: Digits, tmp_path: Path
) -> None:
    project = deployed(SPECS / "variants/mnist-pvc.yaml", tmp_path)
    assert not project.archives

    subprocess.run(
        ["sh", project.rendered / "archive/archive.sh"],
        cwd=project.bundle,
        check=True,
        timeout=60,
        env=os.environ | {"PATH": f"{archiver}{os.pathsep}{os.environ['PATH']}"},
    )

    pictures = digits.pictures[:8]
    with served(project, "mnist-pvc") as server:
        status, answers = ask_v2(server.inference, "mnist-pvc", *pictures)
    assert status == 200
    assert_same(answers, [digits.expected(picture) for picture in pictures])


PHOTOS = (0, 1, 2)  # seeds
SSDLITE = '''\
"""A small detector."""

from torchvision.models.detection import ssdlite320_mobilenet_v3_large


def detector():
    return ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None)
'''


@dataclass(frozen=True)
class Published:
    """specs/densenet161.yaml and detection.yaml with other weights, which a server here has."""

    spec: Path
    densenet: Any
    detector: Any


@pytest.fixture
def published(transforms: Any, tmp_path: Path) -> Iterator[Published]:
    torchvision = importlib.import_module("torchvision")
    specs, web = copied_specs(tmp_path), tmp_path / "web"
    (specs / "models/detection.py").write_text(SSDLITE)
    densenet = separating(torchvision.models.densenet161(), "N", 3, 224, 224)
    ssdlite = torchvision.models.detection.ssdlite320_mobilenet_v3_large
    detector = separating(ssdlite(weights=None, weights_backbone=None), 3, "H", "W")
    web.mkdir()
    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", name): value
        for name, value in densenet.state_dict().items()
    }
    torch.save(old, web / "densenet161.pth")
    torch.save(detector.state_dict(), web / "detection.pth")
    with web_server(web) as address:
        for name in ("densenet161", "detection"):
            text = (specs / f"{name}.yaml").read_text()
            digits = hashlib.sha256((web / f"{name}.pth").read_bytes()).hexdigest()
            text = re.sub(r"url: .*", f"url: http://{address}/{name}.pth", text)
            text = re.sub(r"sha256: .*", f'sha256: "{digits}"', text)
            (specs / f"{name}.yaml").write_text(text)
        yield Published(specs / "densenet161.yaml", densenet, detector)


@contextlib.contextmanager
def web_server(folder: Path) -> Iterator[str]:
    """Serve a folder's files over HTTP on the loopback interface; gives host:port."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{web.server_port}"
        web.shutdown()


def test_a_container_answers_with_classes_and_detected_objects(
    published: Published, transforms: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # where downloads are kept
        project = deployed(published.spec, tmp_path)
    photos = [photo(seed) for seed in PHOTOS]
    bodies = [png(each) for each in photos]

    with served(project, "densenet161", "detection") as server:
        classified = ask_natively(server.inference, "densenet161", *bodies)
        detected = [post(server.inference, "/predictions/detection", body) for body in bodies]
        refused = post(server.inference, "/predictions/detection", b"this is no image")

    assert classified[0] == 200
    assert_same(classified[1], [best_classes(published, transforms, each) for each in photos])
    for (status, objects), each in zip(detected, photos, strict=True):
        assert status == 200
        assert_same_objects(objects, expected_objects(published, transforms, each))
    assert refused == (400, {"error": "the image is broken or of an unknown format"})


def best_classes(published: Published, transforms: Any, picture: Any) -> Answer:
    """The five best classes, as torchvision and the eager network have them."""
    prepare = transforms.Compose(
        [
            transforms.Resize(256),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    names = json.loads((SPECS / "models/imagenet_classes.json").read_text())
    with torch.no_grad():
        values, classes = published.densenet(prepare(picture)[None]).softmax(1)[0].topk(5)
    return [
        (names[str(c)], value) for c, value in zip(classes.tolist(), values.tolist(), strict=True)
    ]


def expected_objects(published: Published, transforms: Any, picture: Any) -> list[tuple[str, Any]]:
    """Class names, each with its box and at the end its score, best first, of at least one half."""
    names = json.loads((SPECS / "models/coco_classes.json").read_text())
    with torch.no_grad():
        [found] = published.detector([transforms.functional.to_tensor(picture)])
    columns = (found[name].tolist() for name in ("labels", "boxes", "scores"))
    return [
        (names[label], [*box, score])
        for label, box, score in zip(*columns, strict=True)
        if score >= 0.5
    ]


def assert_same_objects(got: list[dict[str, Any]], want: list[tuple[str, Any]]) -> None:
    assert want
    assert [set(each) for each in got] == [{name, "score"} for name, _ in want]
    boxes = [each[name] for each, (name, _) in zip(got, want, strict=True)]
    np.testing.assert_allclose(boxes, [box for _, (*box, _) in want], atol=0.01)  # of a pixel
    scores = [each["score"] for each in got]
    np.testing.assert_allclose(scores, [score for _, (*_, score) in want], **TOLERANCE)
