"""The rendered shell scripts, run with stand-ins for kubectl, curl and docker."""

import base64
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from generator import pipeline

ROOT = Path(__file__).resolve().parent.parent
SPECS = ROOT / "specs"
URL = "http://cifar10-models.example.com"
SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIA-hidden",
    "AWS_SECRET_ACCESS_KEY": "a b/c+d=$(touch owned)#hidden",
    "HF_TOKEN": "hf_hidden",
}
IMAGES = {"a cat.png": b"\x89PNG cat", "its 'dog'.jpg": b"dog\n" * 5000, "$(touch owned)": b"\0"}

# Writes down how it was called, then does what ANSWERS says of the first words of that.
STAND_IN = """\
#!{python}
import json, os, sys

name = os.path.basename(sys.argv[0])
reads = sys.argv[-1] == "--from-env-file=/dev/stdin" or "@-" in sys.argv
given = sys.stdin.read() if reads else ""
with open(os.environ["CALLS"], "a") as calls:
    print(json.dumps([[name, *sys.argv[1:]], given, os.getcwd()]), file=calls)
said = " ".join([name, *sys.argv[1:]])
for start, (status, out) in json.loads(os.environ["ANSWERS"]).items():
    if said.startswith(start):
        (sys.stderr if status else sys.stdout).write(out)
        sys.exit(status)
"""


class Call(NamedTuple):
    """One run of a stand-in."""

    words: list[str]
    given: str
    folder: str


class Ran(NamedTuple):
    """What a script left behind."""

    status: int
    out: str
    err: str
    calls: list[Call]


Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a script, in a folder outside its tree, with nothing of kubectl's but the stand-in."""
    programs, calls = tmp_path / "programs", tmp_path / "calls"
    programs.mkdir()
    for name in ("kubectl", "curl", "docker", "podman"):
        (programs / name).write_text(STAND_IN.format(python=sys.executable), encoding="utf-8")
        (programs / name).chmod(0o755)

    def run(
        script: Path,
        *arguments: str,
        given: str = "",
        folder: Path = tmp_path,
        answers: dict[str, tuple[int, str]] | None = None,
        **environment: str,
    ) -> Ran:
        calls.write_text("")
        known = {"kubectl get inferenceservice": (0, URL), **(answers or {})}
        done = subprocess.run(
            [str(script), *arguments],
            cwd=folder,
            env={
                "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
                "CALLS": str(calls),
                "ANSWERS": json.dumps(dict(sorted(known.items(), reverse=True))),
                **environment,
            },
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert not list(tmp_path.rglob("owned"))
        made = [Call(*json.loads(line)) for line in calls.read_text().splitlines()]
        return Ran(done.returncode, done.stdout, done.stderr, made)

    return run


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Path]:
    """Renders a spec, with words replaced, into a folder with a space in its name."""

    def project(spec: str, *changes: tuple[str, str]) -> Path:
        path = SPECS / spec
        text = path.read_text(encoding="utf-8")
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        for file in pipeline.build(spec, text.encode(), path.parent).files:
            written = tmp_path / "rendered here" / file.path
            written.parent.mkdir(parents=True, exist_ok=True)
            written.write_text(file.text, encoding="utf-8")
            written.chmod(0o755 if file.executable else 0o644)
        [folder] = (tmp_path / "rendered here").glob("*/triton")
        return folder

    return project


Project = Callable[..., Path]


def encoded(image: bytes) -> str:
    return base64.b64encode(image).decode()


def body(protocol: str, images: list[bytes]) -> dict[str, Any]:
    """The request that the doors of specs/cifar10.yaml take."""
    texts = [encoded(image) for image in images]
    if protocol == "v1":
        return {"instances": [{"image_bytes": {"b64": text}} for text in texts]}
    tensor = {"name": "image_bytes", "shape": [len(texts)], "datatype": "BYTES", "data": texts}
    return {"inputs": [tensor]}


def photos(folder: Path) -> list[str]:
    """Image files with awkward names, named relative to the folder."""
    (folder / "my photos").mkdir()
    for name, content in IMAGES.items():
        (folder / "my photos" / name).write_bytes(content)
    return [f"my photos/{name}" for name in IMAGES]


def value(words: list[str], flag: str) -> str:
    return words[words.index(flag) + 1]


PATHS = {"v1": "/v1/models/cifar10:predict", "v2": "/v2/models/cifar10/infer"}


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("protocol", ["v1", "v2"])
def test_predict_sends_images(
    run: Run, project: Project, tmp_path: Path, protocol: str, count: int
) -> None:
    script = project("cifar10.yaml") / "requests/predict.sh"
    images = photos(tmp_path)[:count]

    ran = run(script, protocol, *images, INGRESS_HOST="192.0.2.1", answers={"curl": (0, "{}")})

    assert (ran.status, ran.out, ran.err) == (0, "{}", "")
    kubectl, curl = ran.calls
    assert " ".join(kubectl.words) == (
        "kubectl get inferenceservice cifar10 --namespace models --output jsonpath={.status.url}"
    )
    assert json.loads(curl.given) == body(protocol, list(IMAGES.values())[:count])
    assert curl.words[-1] == URL + PATHS[protocol]
    assert value(curl.words, "--connect-to") == "::192.0.2.1:"
    assert value(curl.words, "--header") == "Content-Type: application/json"
    assert value(curl.words, "--data-binary") == "@-"


@pytest.mark.parametrize("arguments", [(), ("v1",), ("v2",)])
@pytest.mark.parametrize("default", ["v1", "v2"])
def test_predict_sends_the_sample(
    run: Run, project: Project, default: str, arguments: tuple[str, ...]
) -> None:
    folder = project("cifar10.yaml", ("protocol: v1", f"protocol: {default}"))
    [protocol] = arguments or (default,)

    ran = run(folder / "requests/predict.sh", *arguments, INGRESS_HOST="192.0.2.1")

    assert ran.status == 0, ran.err
    sample = json.loads((folder / f"requests/{protocol}.json").read_text())
    assert json.loads(ran.calls[-1].given) == sample
    assert ran.calls[-1].words[-1] == URL + PATHS[protocol]


def test_predict_takes_images_without_a_protocol(
    run: Run, project: Project, tmp_path: Path
) -> None:
    script = project("cifar10.yaml") / "requests/predict.sh"

    ran = run(script, *photos(tmp_path), INGRESS_HOST="192.0.2.1")

    assert json.loads(ran.calls[-1].given) == body("v1", list(IMAGES.values()))


def test_predict_takes_an_image_larger_than_a_command_line(
    run: Run, project: Project, tmp_path: Path
) -> None:
    script = project("cifar10.yaml") / "requests/predict.sh"
    image = os.urandom(4 << 20)
    (tmp_path / "large.png").write_bytes(image)

    ran = run(script, "v2", "large.png", INGRESS_HOST="192.0.2.1")

    assert json.loads(ran.calls[-1].given) == body("v2", [image])


def test_predict_names_no_namespace_where_the_spec_has_none(run: Run, project: Project) -> None:
    ran = run(project("variants/raw.yaml") / "requests/predict.sh", INGRESS_HOST="192.0.2.1")

    assert "--namespace" not in ran.calls[0].words
    assert ran.status == 0


@pytest.mark.parametrize(
    ("url", "environment", "called", "connected"),
    [
        ("http://a.example.com", {}, "http://a.example.com", "::gate:"),
        ("https://a.example.com", {}, "https://a.example.com", "::gate:"),
        ("https://a.example.com", {"INGRESS_PORT": "8443"}, "https://a.example.com", "::gate:8443"),
        (
            "https://a.example.com",
            {"INGRESS_PORT": "8080", "INGRESS_SCHEME": "http"},
            "http://a.example.com",
            "::gate:8080",
        ),
    ],
)
def test_predict_calls_the_services_url_at_the_gateway(
    run: Run,
    project: Project,
    url: str,
    environment: dict[str, str],
    called: str,
    connected: str,
) -> None:
    script = project("cifar10.yaml") / "requests/predict.sh"
    answers = {"kubectl get inferenceservice": (0, url)}

    ran = run(script, answers=answers, INGRESS_HOST="gate", **environment)

    assert ran.calls[-1].words[-1] == called + PATHS["v1"]
    assert value(ran.calls[-1].words, "--connect-to") == connected


def test_predict_asks_for_the_gateway(run: Run, project: Project) -> None:
    ran = run(project("cifar10.yaml") / "requests/predict.sh")

    assert ran.status != 0
    assert "INGRESS_HOST: set it to the address of the gateway of the cluster" in ran.err
    assert ran.calls == []


@pytest.mark.parametrize("protocol", ["v1", "v2"])
def test_predict_sends_nothing_when_an_image_is_missing(
    run: Run, project: Project, tmp_path: Path, protocol: str
) -> None:
    script = project("cifar10.yaml") / "requests/predict.sh"

    ran = run(script, protocol, *photos(tmp_path), "missing.png", INGRESS_HOST="192.0.2.1")

    assert (ran.status, ran.calls) == (2, [])
    assert ran.err == "no such file: missing.png\n"


@pytest.mark.parametrize("word", ["v3", "native", "my photos"])
def test_predict_says_that_a_first_word_is_no_door_and_no_file(
    run: Run, project: Project, tmp_path: Path, word: str
) -> None:
    script = project("cifar10.yaml") / "requests/predict.sh"

    ran = run(script, word, *photos(tmp_path), INGRESS_HOST="192.0.2.1")

    assert (ran.status, ran.calls) == (2, [])
    assert ran.err == f"no such door or file: {word}\n"


def test_predict_fails_with_curl_and_shows_the_answer(run: Run, project: Project) -> None:
    script = project("cifar10.yaml") / "requests/predict.sh"

    ran = run(script, INGRESS_HOST="192.0.2.1", answers={"curl": (22, "instance 0: broken")})

    assert ran.status == 22
    assert "instance 0: broken" in ran.err
    assert "--fail-with-body" in ran.calls[-1].words


def test_predict_fails_with_kubectl(run: Run, project: Project) -> None:
    script = project("cifar10.yaml") / "requests/predict.sh"
    answers = {"kubectl get inferenceservice": (1, '"cifar10" not found')}

    ran = run(script, INGRESS_HOST="192.0.2.1", answers=answers)

    assert (ran.status, ran.err) == (1, '"cifar10" not found')
    assert [call.words[0] for call in ran.calls] == ["kubectl"]


def test_predict_says_that_a_service_has_no_url_yet(run: Run, project: Project) -> None:
    script = project("cifar10.yaml") / "requests/predict.sh"

    ran = run(script, INGRESS_HOST="192.0.2.1", answers={"kubectl get inferenceservice": (0, "")})

    assert ran.status == 1
    assert ran.err == "cifar10 has no url yet: wait until it is ready\n"
    assert [call.words[0] for call in ran.calls] == ["kubectl"]


@pytest.fixture
def gateway() -> Iterator[HTTPServer]:
    """A server that answers with the Host header, the path and the body of the request.

    The body {"instances": "bad"} it refuses.
    """

    class Echo(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            heard = json.dumps([self.headers["Host"], self.path, sent]).encode()
            self.send_response(400 if sent == {"instances": "bad"} else 200)
            self.send_header("Content-Length", str(len(heard)))
            self.end_headers()
            self.wfile.write(heard)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl on the path")
def test_the_real_curl_reaches_the_gateway_under_the_services_name(
    run: Run, project: Project, tmp_path: Path, gateway: HTTPServer
) -> None:
    folder = project("cifar10.yaml")
    (tmp_path / "programs/curl").unlink()
    port = str(gateway.server_port)

    ran = run(folder / "requests/predict.sh", INGRESS_HOST="127.0.0.1", INGRESS_PORT=port)

    assert ran.status == 0, ran.err
    sample = json.loads((folder / "requests/v1.json").read_text())
    assert json.loads(ran.out) == ["cifar10-models.example.com", PATHS["v1"], sample]
    assert ran.out.endswith("]\n")


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl on the path")
def test_the_answer_of_a_refused_request_ends_its_line(
    run: Run, project: Project, tmp_path: Path, gateway: HTTPServer
) -> None:
    folder = project("cifar10.yaml")
    (tmp_path / "programs/curl").unlink()
    (folder / "requests/v1.json").write_text('{"instances": "bad"}')
    port = str(gateway.server_port)

    ran = run(folder / "requests/predict.sh", INGRESS_HOST="127.0.0.1", INGRESS_PORT=port)

    assert ran.status == 22
    assert json.loads(ran.out)[2] == {"instances": "bad"}
    assert ran.out.endswith("]\n")


def storage_secret(project: Project, scheme: str, namespace: str = "models") -> Path:
    """The script that makes the secret of a storage."""
    storage = ("hf://acme/raw, secret: hugging-face", f"{scheme}://acme/raw, secret: reader")
    kubernetes = f"kubernetes: {{namespace: {namespace}}}\n" if namespace else ""
    folder = project("variants/raw.yaml", storage, ("targets:\n", f"{kubernetes}targets:\n"))
    return folder / "admin/storage-secret.sh"


def only(*names: str) -> dict[str, str]:
    return {name: SECRETS[name] for name in names}


S3 = only("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


@pytest.mark.parametrize("namespace", ["models", ""])
def test_gs_secret_holds_the_key_file(run: Run, project: Project, namespace: str) -> None:
    ran = run(storage_secret(project, "gs", namespace), "my key.json")

    flag = ["--namespace", namespace] if namespace else []
    assert ran.status == 0, ran.err
    assert [call.words for call in ran.calls] == [
        [
            *("kubectl", "create", "secret", "generic", "reader", *flag),
            "--from-file=gcloud-application-credentials.json=my key.json",
        ]
    ]


@pytest.mark.parametrize("arguments", [(), ("one.json", "two.json")])
def test_gs_secret_asks_for_one_key_file(
    run: Run, project: Project, arguments: tuple[str, ...]
) -> None:
    ran = run(storage_secret(project, "gs"), *arguments)

    assert ran.status == 2
    assert ran.err.endswith("storage-secret.sh SERVICE_ACCOUNT_KEY.json\n")
    assert ran.calls == []


@pytest.mark.parametrize("namespace", ["models", ""])
@pytest.mark.parametrize(("scheme", "names"), [("s3", list(S3)), ("hf", ["HF_TOKEN"])])
def test_secrets_travel_unseen(
    run: Run, project: Project, scheme: str, names: list[str], namespace: str
) -> None:
    ran = run(storage_secret(project, scheme, namespace), **only(*names))

    flag = ["--namespace", namespace] if namespace else []
    [call] = ran.calls
    assert ran.status == 0, ran.err
    assert call.words == [
        *("kubectl", "create", "secret", "generic", "reader", *flag),
        "--from-env-file=/dev/stdin",
    ]
    assert call.given == "".join(f"{name}={SECRETS[name]}\n" for name in names)
    assert "hidden" not in ran.out + ran.err


@pytest.mark.parametrize(
    ("scheme", "given", "missing"),
    [
        ("s3", only("AWS_ACCESS_KEY_ID"), "AWS_SECRET_ACCESS_KEY"),
        ("s3", only("AWS_SECRET_ACCESS_KEY"), "AWS_ACCESS_KEY_ID"),
        ("s3", {**S3, "AWS_ACCESS_KEY_ID": ""}, "AWS_ACCESS_KEY_ID"),
        ("hf", {}, "HF_TOKEN"),
    ],
)
def test_secrets_that_are_missing_are_named(
    run: Run, project: Project, scheme: str, given: dict[str, str], missing: str
) -> None:
    ran = run(storage_secret(project, scheme), **given)

    assert ran.status != 0
    assert f"{missing}: set it to " in ran.err
    assert "hidden" not in ran.out + ran.err
    assert ran.calls == []


@pytest.mark.parametrize(
    ("environment", "annotations"),
    [
        (
            {"AWS_ENDPOINT_URL": "http://minio.example:9000/"},
            ["serving.kserve.io/s3-endpoint=minio.example:9000", "serving.kserve.io/s3-usehttps=0"],
        ),
        (
            {"AWS_ENDPOINT_URL": "https://s3.example", "AWS_DEFAULT_REGION": "eu-1"},
            [
                "serving.kserve.io/s3-endpoint=s3.example",
                "serving.kserve.io/s3-usehttps=1",
                "serving.kserve.io/s3-region=eu-1",
            ],
        ),
        ({"AWS_DEFAULT_REGION": "eu-1"}, ["serving.kserve.io/s3-region=eu-1"]),
    ],
)
def test_s3_secret_says_where_the_server_is(
    run: Run, project: Project, environment: dict[str, str], annotations: list[str]
) -> None:
    ran = run(storage_secret(project, "s3"), **S3, **environment)

    assert ran.status == 0, ran.err
    create, annotate = (call.words for call in ran.calls)
    assert create[1] == "create"
    assert annotate == [
        *("kubectl", "annotate", "secret", "reader", "--namespace", "models"),
        *annotations,
    ]


def test_s3_secret_refuses_a_server_without_a_scheme(run: Run, project: Project) -> None:
    ran = run(storage_secret(project, "s3"), **S3, AWS_ENDPOINT_URL="minio.example:9000")

    assert ran.status == 2
    assert ran.err == "AWS_ENDPOINT_URL starts with neither http:// nor https://\n"
    assert ran.calls == []


@pytest.mark.parametrize(("scheme", "arguments"), [("gs", ("key.json",)), ("s3", ()), ("hf", ())])
def test_secret_fails_with_kubectl(
    run: Run, project: Project, scheme: str, arguments: tuple[str, ...]
) -> None:
    answers = {"kubectl create": (1, 'secrets "reader" already exists')}
    script = storage_secret(project, scheme)

    ran = run(script, *arguments, answers=answers, **SECRETS, AWS_ENDPOINT_URL="http://minio")

    assert (ran.status, ran.err) == (1, 'secrets "reader" already exists')
    assert len(ran.calls) == 1


READ = (
    "kubectl get configmap config-deployment --namespace knative-serving"
    " --output jsonpath={.data.registries-skipping-tag-resolving}"
)
DEFAULT = "kind.local,ko.local,dev.local"


def knative(project: Project) -> Path:
    return project("cifar10.yaml") / "admin/knative-config-deployment.sh"


def patches(ran: Ran) -> list[str]:
    """What was written under the key."""
    written = [call.words for call in ran.calls if call.words[1] == "patch"]
    for words in written:
        target = "patch configmap config-deployment --namespace knative-serving --type merge"
        assert " ".join(words[1:-2]) == target
    return [json.loads(value(words, "--patch"))["data"].popitem()[1] for words in written]


@pytest.mark.parametrize(
    ("holds", "becomes"),
    [
        ("", f"{DEFAULT},nvcr.io"),
        ("my.registry", "my.registry,nvcr.io"),
        ("my.registry,\n  other.nvcr.io", "my.registry,other.nvcr.io,nvcr.io"),
    ],
)
def test_knative_keeps_the_other_registries(
    run: Run, project: Project, holds: str, becomes: str
) -> None:
    ran = run(knative(project), "--yes", answers={READ: (0, holds)})

    assert ran.status == 0, ran.err
    assert patches(ran) == [becomes]


@pytest.mark.parametrize("holds", ["nvcr.io", "my.registry, nvcr.io", "nvcr.io,other"])
def test_knative_is_left_alone_when_it_has_the_registry(
    run: Run, project: Project, holds: str
) -> None:
    ran = run(knative(project), answers={READ: (0, holds)})

    assert (ran.status, patches(ran)) == (0, [])
    assert "nothing to do" in ran.out


@pytest.mark.parametrize("answer", ["y", "Y"])
def test_knative_is_changed_on_a_yes(run: Run, project: Project, answer: str) -> None:
    ran = run(knative(project), given=f"{answer}\n", answers={READ: (0, "")})

    assert ran.status == 0, ran.err
    assert f"+ registries-skipping-tag-resolving: {DEFAULT},nvcr.io\n" in ran.out
    assert patches(ran) == [f"{DEFAULT},nvcr.io"]


@pytest.mark.parametrize("given", ["n\n", "\n", "yes, but\n", ""])
def test_knative_is_left_alone_without_a_yes(run: Run, project: Project, given: str) -> None:
    ran = run(knative(project), given=given, answers={READ: (0, "")})

    assert (ran.status, patches(ran)) == (1, [])
    assert ran.err == "nothing written\n"


def test_knative_may_run_in_another_namespace(run: Run, project: Project) -> None:
    ran = run(knative(project), "--yes", KNATIVE_NAMESPACE="serverless")

    assert [value(call.words, "--namespace") for call in ran.calls] == ["serverless"] * 2


@pytest.mark.parametrize("arguments", [("--yess",), ("--yes", "more")])
def test_knative_script_refuses_other_arguments(
    run: Run, project: Project, arguments: tuple[str, ...]
) -> None:
    ran = run(knative(project), *arguments)

    assert (ran.status, ran.calls) == (2, [])
    assert ran.err.endswith("knative-config-deployment.sh [--yes]\n")


@pytest.mark.parametrize("fails", ["kubectl get", "kubectl patch"])
def test_knative_script_fails_with_kubectl(run: Run, project: Project, fails: str) -> None:
    ran = run(knative(project), "--yes", answers={fails: (1, "forbidden")})

    assert (ran.status, ran.err) == (1, "forbidden")
    assert ran.calls[-1].words[1] == fails.split()[1]


def test_scripts_say_that_kubectl_is_missing(run: Run, project: Project, tmp_path: Path) -> None:
    folder = project("cifar10.yaml")
    (tmp_path / "programs/kubectl").unlink()
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("bash", "env", "base64", "tr", "dirname"):
        (bare / name).symlink_to(shutil.which(name) or "")

    for script in ("admin/knative-config-deployment.sh", "requests/predict.sh"):
        ran = run(folder / script, INGRESS_HOST="192.0.2.1", PATH=f"{tmp_path / 'programs'}:{bare}")

        assert ran.status == 127
        assert "kubectl: command not found" in ran.err
        assert ran.calls == []


@pytest.fixture
def build(project: Project) -> Path:
    """The script that builds the two images of specs/cifar10.yaml."""
    return project("cifar10.yaml") / "scripts/build.sh"


def steps(*names: str, docker: str = "docker") -> list[str]:
    """The commands of a build, each named by its first word and its component."""
    made = []
    for name in names:
        step, component = name.split()
        image = f"docker.io/acme/cifar10-{component}:1.0"
        flags = f"--platform linux/amd64 --tag {image} images/{component}"
        made.append(f"{docker} build {flags}" if step == "build" else f"{docker} push {image}")
    return made


def lines(ran: Ran) -> list[str]:
    return [" ".join(call.words) for call in ran.calls]


ALL = ("build transformer", "push transformer", "build perf", "push perf")


def test_build_builds_and_pushes_in_order(run: Run, build: Path) -> None:
    ran = run(build)

    assert ran.status == 0, ran.err
    assert lines(ran) == steps(*ALL)
    for call in ran.calls:
        assert (
            call.words[1] == "push" or (Path(call.folder) / call.words[-1] / "Dockerfile").exists()
        )


def test_build_pushes_nothing_when_told(run: Run, build: Path) -> None:
    ran = run(build, "--no-push")

    assert ran.status == 0, ran.err
    assert lines(ran) == steps("build transformer", "build perf")


def test_build_uses_another_builder(run: Run, build: Path) -> None:
    ran = run(build, DOCKER="podman")

    assert ran.status == 0, ran.err
    assert lines(ran) == steps(*ALL, docker="podman")


@pytest.mark.parametrize("arguments", [("--nopush",), ("--no-push", "more"), ("",)])
def test_build_refuses_other_arguments(run: Run, build: Path, arguments: tuple[str, ...]) -> None:
    ran = run(build, *arguments)

    assert (ran.status, ran.calls) == (2, [])
    assert ran.err.endswith("build.sh [--no-push]\n")


@pytest.mark.parametrize("last", range(4))
def test_build_stops_at_the_first_failure(run: Run, build: Path, last: int) -> None:
    fails = steps(*ALL)[last]

    ran = run(build, answers={fails: (3, "broken")})

    assert (ran.status, ran.err) == (3, "broken")
    assert lines(ran) == steps(*ALL[: last + 1])


def test_every_script_has_its_tests_here() -> None:
    found = {path.name.removesuffix(".j2") for path in (ROOT / "templates").rglob("*.sh.j2")}

    assert found - TESTED_ELSEWHERE.keys() == {
        "build.sh",
        "knative-config-deployment.sh",
        "predict.sh",
        "storage-secret.sh",
    }


TESTED_ELSEWHERE = {
    "archive.sh": "tests/engines/test_torchserve_projects.py",
    "models.sh": "tests/engines/test_torchserve_management.py",
    "start.sh": "tests/test_torchserve_alone.py",
}


def test_scripts_tested_elsewhere_are_named_there() -> None:
    for script, test in TESTED_ELSEWHERE.items():
        assert script in (ROOT / test).read_text()
