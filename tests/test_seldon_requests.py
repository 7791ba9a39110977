"""What a project renders to call Seldon: the files, the script's words, the load test's doors."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from generator import perf
from generator.artefact import artefact
from generator.planning import load_test_values
from generator.project import (
    Images,
    Kubernetes,
    Model,
    Perf,
    Project,
    RunIn,
    Serving,
    Step,
    Tensor,
    Transforms,
)
from generator.render import render
from generator.targets.seldon.callers import caller_files
from generator.targets.seldon.load_test import load_test
from generator.targets.seldon.options import Called as NodeNames
from generator.targets.seldon.options import Components, Names, Options
from generator.targets.seldon.service import describe

TRITON = Options(model_server="TRITON_SERVER")
PREPROCESS = (Step("decode", {}), Step("resize", {"size": [4, 4]}), Step("to_tensor", {}))
BEST = (Step("softmax", {}), Step("top_k", {"top_k": 2}), Step("class_name", {}))
IMAGES = {"a cat.png": b"\x89PNG cat", "its 'dog'.jpg": b"dog\n" * 50_000, "$(touch owned)": b"\0"}

# Prints how it was called and what it was given.
CURL = """\
#!{python}
import json, sys
print(json.dumps([sys.argv[1:], json.load(sys.stdin)]))
"""


def project(
    run_in: RunIn, *postprocess: Step, preprocess: tuple[Step, ...] = PREPROCESS
) -> Project:
    return Project(
        name="colours",
        target="seldon",
        model=Model(
            inputs=(Tensor("image", "float32", ("N", 3, 4, 4)),),
            outputs=(Tensor("means", "float32", ("N", 3)),),
            class_names=("red", "green", "blue"),
        ),
        transforms=Transforms(
            run_in=run_in,
            preprocess=preprocess,
            postprocess=postprocess,
            request_field="photo",
        ),
        kubernetes=Kubernetes(namespace="models", labels={"team": "vision"}),
        images=Images("docker.io/acme", "1.0"),
        perf=Perf(rate=10),
        folder=Path(),
    )


SPLIT = project("component", *BEST)
TENSORS = project("client", preprocess=())


def files(project: Project, options: Options) -> dict[str, str]:
    """What is rendered, by path."""
    artefacts = caller_files(project, options, describe(project, options))
    return {str(file.path): file.text for file in map(render, artefacts)}


GRPC = {"requests/grpc_client.py", "requests/prediction.proto"}


@pytest.mark.parametrize(
    ("project", "options", "expected"),
    [
        (SPLIT, Options(), {"requests/predict.sh", "requests/native.json", *GRPC}),
        (project("server"), Options(), {"requests/predict.sh", "requests/native.json", *GRPC}),
        (TENSORS, Options(), {"requests/client.py", *GRPC}),
        (
            project("client", *BEST),
            Options(),
            {
                "requests/client.py",
                "requests/transforms.py",
                "requests/class_names.json",
                *GRPC,
            },
        ),
        (TENSORS, TRITON, {"requests/client.py"}),
    ],
)
def test_renders_what_the_graph_takes(
    project: Project, options: Options, expected: set[str]
) -> None:
    assert set(files(project, options)) == expected


ALL = {
    "split": (SPLIT, Options()),
    "fused": (project("server"), Options()),
    "pixels": (project("model", *BEST[:1]), Options()),
    "client": (project("client", *BEST), Options()),
    "tensors": (TENSORS, Options()),
    "triton": (project("client", *BEST), TRITON),
    "triton tensors": (TENSORS, TRITON),
    "triton grpc": (replace(project("client"), serving=Serving(transport="grpc")), TRITON),
    "triton grpc tensors": (replace(TENSORS, serving=Serving(transport="grpc")), TRITON),
}


def complaints(folder: Path, *command: str) -> str:
    """What a checker says of the files in a folder."""
    done = subprocess.run(
        [sys.executable, "-m", *command, "."], cwd=folder, capture_output=True, text=True
    )
    return done.stdout + done.stderr if done.returncode else ""


@pytest.fixture(scope="module")
def mypy_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What mypy remembers of the standard library."""
    return tmp_path_factory.mktemp("mypy")


@pytest.mark.parametrize("name", ALL)
def test_rendered_python_passes_for_hand_written_code(
    name: str, tmp_path: Path, mypy_cache: Path
) -> None:
    project, options = ALL[name]
    values = load_test_values(load_test(project, describe(project, options)))
    payload = render(artefact("payload.py", "common/perf/payload.py.j2", values))
    for path, text in {**files(project, options), "payload.py": payload.text}.items():
        (tmp_path / Path(path).name).write_text(text, encoding="utf-8")
    ruff = ("--isolated", "--no-cache", "--quiet", "--line-length=100", "--target-version=py311")
    families = "--select=E,W,F,I,B,C4,UP,SIM,PTH,RET,PIE,RUF"
    mypy = ("--config-file=", f"--cache-dir={mypy_cache}", "--no-site-packages", "--strict")
    foreign = ("--ignore-missing-imports", "--allow-untyped-calls")

    assert complaints(tmp_path, "ruff", "format", "--diff", *ruff) == ""
    assert complaints(tmp_path, "ruff", "check", families, *ruff) == ""
    assert complaints(tmp_path, "mypy", *mypy, *foreign) == ""


@pytest.mark.parametrize("namespace", ["models", None])
def test_shellcheck_is_silent(namespace: str | None, tmp_path: Path) -> None:
    anywhere = replace(SPLIT, kubernetes=Kubernetes(namespace=namespace))
    script = tmp_path / "predict.sh"
    script.write_text(files(anywhere, Options())["requests/predict.sh"])
    program = Path(sys.executable).with_name("shellcheck")

    done = subprocess.run([program, script], capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (0, "")


def test_a_client_of_a_model_with_only_a_softmax_inside_gets_a_tensor() -> None:
    text = files(*ALL["pixels"])["requests/grpc_client.py"]

    assert "np.frombuffer(answer.binData" in text
    assert "jsonData" not in text


class Called(NamedTuple):
    """What predict.sh left behind: curl's arguments and input, where it was called."""

    status: int
    err: str
    words: list[str]
    given: Any


Predict = Callable[..., Called]


@pytest.fixture
def predict(tmp_path: Path) -> Predict:
    """Runs predict.sh of a project with a stand-in for curl, in a folder of images."""
    programs, folder = tmp_path / "programs", tmp_path / "rendered here"
    programs.mkdir()
    (programs / "curl").write_text(CURL.format(python=sys.executable))
    (programs / "curl").chmod(0o755)
    for name, content in IMAGES.items():
        (tmp_path / name).write_bytes(content)

    def run(project: Project, *arguments: str, **environment: str) -> Called:
        for path, text in files(project, Options()).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
        done = subprocess.run(
            ["bash", str(folder / "requests/predict.sh"), *arguments],
            cwd=tmp_path,
            env={"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )
        words, given = json.loads(done.stdout) if done.stdout else ([], None)
        return Called(done.returncode, done.stderr, words, given)

    return run


def encoded(image: bytes) -> str:
    return base64.b64encode(image).decode()


@pytest.mark.parametrize("image", IMAGES)
def test_predict_sends_one_image_as_bytes(predict: Predict, image: str) -> None:
    called = predict(SPLIT, image)

    assert (called.status, called.err) == (0, "")
    assert called.given == {"binData": encoded(IMAGES[image])}
    assert "--fail-with-body" in called.words
    assert called.words[-1] == "http://127.0.0.1:8000/api/v1.0/predictions"


def test_predict_sends_several_images_as_instances(predict: Predict, tmp_path: Path) -> None:
    called = predict(SPLIT, *IMAGES)

    instances = [{"photo": {"b64": encoded(image)}} for image in IMAGES.values()]
    assert (called.status, called.err) == (0, "")
    assert called.given == {"jsonData": {"instances": instances}}
    assert {path.name for path in tmp_path.iterdir()} == {*IMAGES, "programs", "rendered here"}


def test_predict_sends_the_sample(predict: Predict) -> None:
    called = predict(SPLIT)

    assert called.given == json.loads(files(SPLIT, Options())["requests/native.json"])
    assert base64.b64decode(called.given["binData"]).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({"URL": "http://192.0.2.1:9"}, "http://192.0.2.1:9"),
        ({"INGRESS_HOST": "gate"}, "http://gate/seldon/models/colours"),
        (
            {"INGRESS_HOST": "gate", "INGRESS_PORT": "8443", "INGRESS_SCHEME": "https"},
            "https://gate:8443/seldon/models/colours",
        ),
    ],
)
def test_predict_calls_the_orchestrator_or_the_gateway(
    predict: Predict, environment: dict[str, str], url: str
) -> None:
    assert predict(SPLIT, **environment).words[-1] == f"{url}/api/v1.0/predictions"


@pytest.mark.parametrize(
    ("environment", "namespace"), [({}, "default"), ({"NAMESPACE": "other"}, "other")]
)
def test_predict_is_told_a_namespace_that_the_spec_does_not_name(
    predict: Predict, environment: dict[str, str], namespace: str
) -> None:
    anywhere = replace(SPLIT, kubernetes=Kubernetes())

    called = predict(anywhere, INGRESS_HOST="gate", **environment)

    assert called.words[-1] == f"http://gate/seldon/{namespace}/colours/api/v1.0/predictions"


@pytest.mark.parametrize("missing", ["missing.png", "programs"])
def test_predict_sends_nothing_when_an_image_is_missing(predict: Predict, missing: str) -> None:
    called = predict(SPLIT, *IMAGES, missing)

    assert called == Called(2, f"no such file: {missing}\n", [], None)


@pytest.mark.parametrize(
    ("project", "options", "url"),
    [
        (SPLIT, Options(), "colours-default.models.svc.cluster.local:8000/api/v1.0/predictions"),
        (
            SPLIT,
            Options(names=Names(service="shades", predictor="first")),
            "shades-first.models.svc.cluster.local:8000/api/v1.0/predictions",
        ),
        (TENSORS, TRITON, "colours-default.models.svc.cluster.local:8000/v2/models/colours/infer"),
        (
            TENSORS,
            replace(TRITON, components=Components(model=NodeNames(node="hues"))),
            "colours-default.models.svc.cluster.local:8000/v2/models/hues/infer",
        ),
    ],
)
def test_the_load_test_calls_the_orchestrator(project: Project, options: Options, url: str) -> None:
    test = load_test(project, describe(project, options))

    assert test.url == f"http://{url}"
    assert test.readiness_url == f"http://{url.partition('/')[0]}/ready"
    assert test.image == "docker.io/acme/colours-perf:1.0"
    assert (test.namespace, test.labels) == ("models", {"team": "vision"})


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("split", "seldon"),
        ("fused", "seldon"),
        ("pixels", "seldon"),
        ("client", "seldon"),
        ("tensors", "seldon"),
        ("triton", "v2-json"),
    ],
)
def test_the_load_test_sends_what_the_graph_takes(name: str, form: str) -> None:
    project, options = ALL[name]

    request = load_test(project, describe(project, options)).request

    if isinstance(request, perf.ImageRequest):
        assert name in ("split", "fused", "pixels")
        assert request.protocol == form
    else:
        [tensor] = request.tensors
        assert request.form == form
        assert tensor.shape == (1, 3, 4, 4)
        assert tensor.name == ("INPUT__0" if name == "triton" else "image")
