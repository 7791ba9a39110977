"""The load test: its values, its rendered files, its gate and a whole run against a service."""

import base64
import http.server
import importlib.util
import json
import os
import signal
import stat
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import jinja2
import pytest
import yaml
from msgspec.structs import replace

from generator import perf
from generator.project import Perf, Slo

ROOT = Path(__file__).parents[1]
DATA = Path(__file__).parent / "data" / "vegeta"

IMAGE_TEST = perf.LoadTest(
    service="cifar10",
    namespace="models",
    url="http://cifar10-transformer.models.svc.cluster.local/v1/models/cifar10:predict",
    readiness_url="http://cifar10-transformer.models.svc.cluster.local/v2/health/ready",
    request=perf.ImageRequest("image_bytes", width=32, height=24, protocol="v1"),
    perf=Perf(rate=100, slo=Slo(p50="5ms", p99="10ms", success_ratio=0.999)),
    image="docker.io/acme/cifar10-perf:1.0",
    labels={"team": "vision"},
    image_pull_secrets=("registry",),
)
TENSOR_TEST = replace(
    IMAGE_TEST,
    request=perf.TensorRequest(
        (
            perf.RequestTensor("image", "float32", (1, 3, 4, 5)),
            perf.RequestTensor("tokens", "int64", (7,)),
            perf.RequestTensor("mask", "bool", (2, 2)),
            perf.RequestTensor("half", "float16", (3,)),
        )
    ),
)
SELDON_TENSOR_TEST = replace(
    IMAGE_TEST,
    request=perf.TensorRequest((perf.RequestTensor("half", "float16", (2, 3)),), "seldon"),
)
JSON_TENSOR_TEST = replace(
    IMAGE_TEST,
    request=perf.TensorRequest(
        (
            perf.RequestTensor("image", "float32", (1, 3, 4, 5)),
            perf.RequestTensor("tokens", "int64", (7,)),
            perf.RequestTensor("mask", "bool", (2, 2)),
        ),
        "v2-json",
    ),
)


def literal(value: object) -> object:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return value


def texts() -> list[str]:
    return [(ROOT / "templates" / name).read_text() for name in perf.TEMPLATES]


def render(test: perf.LoadTest, folder: Path) -> Path:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROOT / "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=literal,
    )
    values = perf.artefact_values(test, texts())
    for name in perf.TEMPLATES:
        output = folder / Path(name).name.removesuffix(".j2")
        output.write_text(environment.get_template(name).render(values))
    return folder


def job(test: perf.LoadTest, folder: Path) -> Any:
    return yaml.safe_load((render(test, folder) / "job.yaml").read_text())


def module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = loaded
    spec.loader.exec_module(loaded)
    return loaded


# The values


def test_the_name_is_the_same_for_the_same_test() -> None:
    names = {perf.artefact_values(IMAGE_TEST, texts())["job_name"] for _ in range(2)}

    assert len(names) == 1
    assert str(names.pop()).startswith("cifar10-perf-")


@pytest.mark.parametrize(
    "other",
    [
        TENSOR_TEST,
        JSON_TENSOR_TEST,
        SELDON_TENSOR_TEST,
        replace(IMAGE_TEST, perf=replace(IMAGE_TEST.perf, rate=101)),
        replace(IMAGE_TEST, perf=replace(IMAGE_TEST.perf, slo=Slo(p99="11ms"))),
        replace(IMAGE_TEST, image="docker.io/acme/cifar10-perf:1.1"),
        replace(
            IMAGE_TEST, request=perf.ImageRequest("image_bytes", width=32, height=25, protocol="v1")
        ),
        replace(
            IMAGE_TEST,
            request=perf.ImageRequest("image_bytes", width=32, height=24, protocol="seldon"),
        ),
        replace(IMAGE_TEST, labels={}),
        replace(IMAGE_TEST, memory="1Gi"),
    ],
)
def test_the_name_changes_with_anything_in_the_test(other: perf.LoadTest) -> None:
    one = perf.artefact_values(IMAGE_TEST, texts())
    two = perf.artefact_values(other, texts())

    assert one["job_name"] != two["job_name"]


def test_the_name_changes_with_a_script() -> None:
    one = perf.artefact_values(IMAGE_TEST, texts())
    two = perf.artefact_values(IMAGE_TEST, [*texts()[:-1], "other"])

    assert one["job_name"] != two["job_name"]


def test_the_deadline_outlasts_the_longest_run() -> None:
    test = replace(
        IMAGE_TEST, startup="10m", timeout="20s", perf=Perf(rate=1, duration="90s", warm_up="5s")
    )

    values = perf.artefact_values(test, [])

    assert values["active_deadline_seconds"] == 600 + 3 * 20 + 90 + 5 + 300


# The manifests


def test_the_job_passes_the_restricted_pod_security_standard(tmp_path: Path) -> None:
    pod = job(IMAGE_TEST, tmp_path)["spec"]["template"]["spec"]
    [container] = pod["containers"]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_the_job_has_none_of_the_defects_of_the_stock_sample(tmp_path: Path) -> None:
    manifest = job(IMAGE_TEST, tmp_path)
    pod = manifest["spec"]["template"]
    [container] = pod["spec"]["containers"]

    assert "generateName" not in manifest["metadata"]
    assert container["imagePullPolicy"] == "IfNotPresent"
    assert manifest["spec"]["backoffLimit"] == 0
    assert pod["spec"]["restartPolicy"] == "Never"
    assert container["resources"]["requests"] == container["resources"]["limits"]
    assert container["resources"]["limits"] == {"cpu": "1", "memory": "512Mi"}
    assert pod["metadata"]["labels"]["sidecar.istio.io/inject"] == "false"
    assert f"--url={IMAGE_TEST.url}" in container["args"]
    assert "--p50=5ms" in container["args"]
    assert "--p99=10ms" in container["args"]
    assert "--success-ratio=0.999" in container["args"]
    assert not any(argument.startswith("--p95") for argument in container["args"])


def test_the_job_names_namespace_labels_and_pull_secrets(tmp_path: Path) -> None:
    manifest = job(IMAGE_TEST, tmp_path)

    assert manifest["metadata"]["namespace"] == "models"
    assert manifest["metadata"]["labels"]["team"] == "vision"
    assert manifest["spec"]["template"]["spec"]["imagePullSecrets"] == [{"name": "registry"}]


def test_the_job_leaves_out_what_the_spec_leaves_out(tmp_path: Path) -> None:
    manifest = job(replace(IMAGE_TEST, namespace=None, image_pull_secrets=()), tmp_path)

    assert "namespace" not in manifest["metadata"]
    assert "imagePullSecrets" not in manifest["spec"]["template"]["spec"]


def test_the_kustomization_makes_the_config_map_that_the_job_mounts(tmp_path: Path) -> None:
    manifest = job(IMAGE_TEST, tmp_path)
    kustomization = yaml.safe_load((tmp_path / "kustomization.yaml").read_text())

    [config_map] = kustomization["configMapGenerator"]
    [scripts] = [
        volume["configMap"]["name"]
        for volume in manifest["spec"]["template"]["spec"]["volumes"]
        if "configMap" in volume
    ]
    assert config_map["name"] == scripts == manifest["metadata"]["name"]
    assert all((tmp_path / name).exists() for name in config_map["files"])
    assert kustomization["generatorOptions"]["disableNameSuffixHash"] is True
    assert kustomization["namespace"] == "models"


# The request


def test_the_image_request_carries_a_png_of_the_size(tmp_path: Path) -> None:
    headers, body = module(render(IMAGE_TEST, tmp_path) / "payload.py").request()

    [instance] = json.loads(body)["instances"]
    image = base64.b64decode(instance["image_bytes"]["b64"], validate=True)
    assert headers == {"Content-Type": "application/json"}
    assert pixel_rows(image, width=32) == 24


def pixel_rows(image: bytes, width: int) -> int:
    """Read a PNG of RGB pixels as its specification says, and count its rows."""
    assert image[:8] == b"\x89PNG\r\n\x1a\n"
    chunks = {}
    rest = image[8:]
    while rest:
        length, kind = struct.unpack(">I4s", rest[:8])
        data, checksum = rest[8 : 8 + length], rest[8 + length : 12 + length]
        assert struct.unpack(">I", checksum) == (zlib.crc32(kind + data),)
        chunks[kind], rest = data, rest[12 + length :]
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    assert struct.unpack(">2I5B", chunks[b"IHDR"])[2:] == (8, 2, 0, 0, 0)
    assert struct.unpack(">I", chunks[b"IHDR"][:4]) == (width,)
    rows = zlib.decompress(chunks[b"IDAT"])
    return len(rows) // (1 + 3 * width)


def test_the_tensor_request_is_v2_in_binary_form(tmp_path: Path) -> None:
    headers, body = module(render(TENSOR_TEST, tmp_path) / "payload.py").request()

    length = int(headers["Inference-Header-Content-Length"])
    inputs = json.loads(body[:length])["inputs"]
    sizes = [entry["parameters"]["binary_data_size"] for entry in inputs]
    assert [(entry["name"], entry["datatype"], entry["shape"]) for entry in inputs] == [
        ("image", "FP32", [1, 3, 4, 5]),
        ("tokens", "INT64", [7]),
        ("mask", "BOOL", [2, 2]),
        ("half", "FP16", [3]),
    ]
    assert sizes == [60 * 4, 7 * 8, 4, 3 * 2]
    assert len(body) == length + sum(sizes)
    assert all(0 <= x < 1 for x in struct.unpack("<60f", body[length : length + 240]))
    assert set(struct.unpack("<7q", body[length + 240 : length + 296])) <= {0, 1}


def test_the_image_request_may_be_a_seldon_message(tmp_path: Path) -> None:
    request = perf.ImageRequest("image_bytes", width=32, height=24, protocol="seldon")
    test = replace(IMAGE_TEST, request=request)

    headers, body = module(render(test, tmp_path) / "payload.py").request()

    message = json.loads(body)
    assert headers == {"Content-Type": "application/json"}
    assert list(message) == ["binData"]
    assert pixel_rows(base64.b64decode(message["binData"], validate=True), width=32) == 24


def test_the_tensor_request_may_be_a_seldon_message(tmp_path: Path) -> None:
    headers, body = module(render(SELDON_TENSOR_TEST, tmp_path) / "payload.py").request()

    message = json.loads(body)
    data = base64.b64decode(message["binData"], validate=True)
    assert headers == {"Content-Type": "application/json"}
    assert message["meta"] == {"tags": {"dtype": "float16", "shape": [2, 3]}}
    assert all(0 <= x <= 1 for x in struct.unpack("<6e", data))


def test_the_tensor_request_may_be_v2_as_json_alone(tmp_path: Path) -> None:
    headers, body = module(render(JSON_TENSOR_TEST, tmp_path) / "payload.py").request()

    image, tokens, mask = json.loads(body)["inputs"]
    assert headers == {"Content-Type": "application/json"}
    assert [(one["name"], one["datatype"], one["shape"]) for one in (image, tokens, mask)] == [
        ("image", "FP32", [1, 3, 4, 5]),
        ("tokens", "INT64", [7]),
        ("mask", "BOOL", [2, 2]),
    ]
    assert len(image["data"]) == 60
    assert all(0 <= x < 1 for x in image["data"])
    assert len(tokens["data"]) == 7
    assert set(tokens["data"]) <= {0, 1}
    assert len(mask["data"]) == 4
    assert {type(x) for x in mask["data"]} == {bool}


@pytest.mark.parametrize("test", [IMAGE_TEST, TENSOR_TEST, JSON_TENSOR_TEST, SELDON_TENSOR_TEST])
def test_the_request_is_the_same_at_every_run(test: perf.LoadTest, tmp_path: Path) -> None:
    payload = module(render(test, tmp_path) / "payload.py")

    assert payload.request() == payload.request()


# The gate, on reports that vegeta wrote


def decide(folder: Path, report: str, *limits: str) -> int:
    gate = module(render(IMAGE_TEST, folder) / "gate.py")
    path = folder / "report.json"
    path.write_text(report)
    status: int = gate.main([*limits, str(path)])
    return status


def recorded(name: str) -> str:
    return (DATA / f"{name}.json").read_text()


ALL_ANSWERED = ("--rate=100", "--duration=1s", "--success-ratio=1.0")


@pytest.mark.parametrize(
    ("limits", "status"),
    [
        ((), 0),
        (("--p50=3ms", "--p95=4ms", "--p99=4ms"), 0),
        (("--p99=3530us",), 0),  # the limit itself is still good
        (("--p99=3529us",), 1),
        (("--p50=2ms",), 1),
        (("--p95=3ms",), 1),
    ],
)
def test_the_gate_holds_latencies_against_their_limits(
    limits: tuple[str, ...], status: int, tmp_path: Path
) -> None:
    assert decide(tmp_path, recorded("readme"), *ALL_ANSWERED, *limits) == status


def test_the_gate_fails_fast_failures_however_good_their_median(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limits = ("--rate=5000", "--duration=20s", "--p50=1ms", "--success-ratio=0.99")

    status = decide(tmp_path, recorded("too_many_open_files"), *limits)

    printed = capsys.readouterr().out
    assert status == 1
    assert "success ratio       >= 0.99        0.41134  MISSED" in printed
    assert "p50                  <= 1ms     0.060648ms  met" in printed
    assert "{'0': 58866, '200': 41134}" in printed
    assert "socket: too many open files" in printed


def test_the_gate_takes_the_success_ratio_as_a_limit(tmp_path: Path) -> None:
    limits = ("--rate=10", "--duration=5s")
    report = recorded("connection_refused")

    assert decide(tmp_path, report, *limits, "--success-ratio=0.4") == 0
    assert decide(tmp_path, report, *limits, "--success-ratio=0.41") == 1


def test_the_gate_sees_a_tail_behind_a_perfect_success_ratio(tmp_path: Path) -> None:
    limits = ("--rate=296", "--duration=30s", "--success-ratio=1.0", "--p99=2s")

    assert decide(tmp_path, recorded("seldon_saturated"), *limits) == 1


@pytest.mark.parametrize(
    "asked",
    [
        ("--rate=400", "--duration=30s"),  # sent for as long, but too slowly
        ("--rate=296", "--duration=60s"),  # sent as fast, but stopped half-way
        ("--rate=889", "--duration=10s"),  # sent them all, but in three times the time
    ],
)
def test_the_gate_refuses_a_run_that_did_not_keep_its_rate(
    asked: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = recorded("seldon_saturated")

    status = decide(tmp_path, report, *asked, "--success-ratio=1.0")

    assert status == 2
    assert "8882 requests were sent in 30.0 s instead of" in capsys.readouterr().out


def test_the_gate_forgives_one_request(tmp_path: Path) -> None:
    report = json.loads(recorded("readme")) | {"requests": 4, "duration": 3_000_000_000}

    status = decide(
        tmp_path, json.dumps(report), "--rate=1", "--duration=5s", "--success-ratio=1.0"
    )

    assert status == 0


@pytest.mark.parametrize(
    "report",
    [
        "",
        "{",
        "[]",
        "{}",
        "null",
        json.dumps(json.loads(recorded("readme")) | {"requests": 0}),
        json.dumps(json.loads(recorded("readme")) | {"latencies": {}}),
        json.dumps(json.loads(recorded("readme")) | {"success": "all"}),
        json.dumps(json.loads(recorded("readme")) | {"status_codes": None}),
    ],
)
def test_the_gate_refuses_what_is_no_measurement(report: str, tmp_path: Path) -> None:
    assert decide(tmp_path, report, *ALL_ANSWERED) == 2


# Whole runs: a service, the rendered program, and vegeta's stand-in


class Service(http.server.ThreadingHTTPServer):
    """Answers `/ready` and `/predict` as told, the last answer for ever, and keeps the bodies."""

    daemon_threads = True

    def __init__(self, ready: list[int], predict: list[int], seconds: float = 0) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.answers = {"/ready": ready, "/predict": predict}
        self.seconds = seconds
        self.requests: list[tuple[Mapping[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> "Service":
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class Answer(http.server.BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((dict(self.headers), body))
        time.sleep(self.server.seconds)
        self.answer()

    def answer(self) -> None:
        statuses = self.server.answers[self.path]
        self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
        self.send_header("Location", "/login")
        self.end_headers()
        self.wfile.write(b"said the service")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def program(tmp_path: Path) -> list[str]:
    """The command that runs the rendered load test of one second, with the stand-in on PATH."""
    (tmp_path / "results").mkdir()
    (tmp_path / "bin").mkdir()
    vegeta = tmp_path / "bin" / "vegeta"
    vegeta.write_text(f'#!/bin/sh\nexec {sys.executable} {DATA / "fake_vegeta.py"} "$@"\n')
    vegeta.chmod(vegeta.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "scripts").mkdir()
    script = render(IMAGE_TEST, tmp_path / "scripts") / "load_test.py"
    return [sys.executable, "-u", str(script), f"--results={tmp_path / 'results'}"]


def environment(folder: Path, **more: str) -> dict[str, str]:
    return os.environ | {"PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"} | more


def options(service: Service, *more: str) -> list[str]:
    values = {
        "url": f"{service.url}/predict",
        "readiness-url": f"{service.url}/ready",
        "wait": "20s",
        "rate": "20",
        "warm-up": "500ms",
        "duration": "1s",
        "timeout": "5s",
        "cpus": "1",
        "success-ratio": "1.0",
    }
    values |= dict(option.split("=", 1) for option in more)
    return [f"--{name}={value}" for name, value in values.items()]


def run(
    command: list[str], folder: Path, service: Service, *more: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, *options(service, *more)],
        env=environment(folder, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_run_waits_warms_up_measures_and_passes(program: list[str], tmp_path: Path) -> None:
    with Service(ready=[503, 200], predict=[503, 200]) as service:
        ran = run(program, tmp_path, service, "p99=1s")

    assert ran.returncode == 0, ran.stdout
    assert "/ready answers 503: said the service" in ran.stdout
    assert "/predict answers 503: said the service" in ran.stdout
    assert "warming up for 500ms at 20 requests/s" in ran.stdout
    assert "Value(ms)" in ran.stdout
    [report] = [line for line in ran.stdout.splitlines() if line.startswith('{"')]
    assert json.loads(report)["requests"] == 20
    # Two by itself, half a second of warm-up, one second of measurement.
    assert len(service.requests) == 2 + 10 + 20
    headers, body = service.requests[-1]
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body)["instances"][0]["image_bytes"]["b64"]


def test_a_run_fails_when_an_objective_is_missed(program: list[str], tmp_path: Path) -> None:
    with Service(ready=[200], predict=[200], seconds=0.05) as service:
        ran = run(program, tmp_path, service, "p99=20ms")

    assert ran.returncode == 1, ran.stdout
    assert "MISSED" in ran.stdout


@pytest.mark.parametrize(
    ("status", "error"), [(302, "stopped after 0 redirects"), (500, "500 Internal Server Error")]
)
def test_a_run_fails_when_requests_fail(
    status: int, error: str, program: list[str], tmp_path: Path
) -> None:
    with Service(ready=[200], predict=[200, status]) as service:
        ran = run(program, tmp_path, service)

    assert ran.returncode == 1, ran.stdout
    assert f"error: {error}" in ran.stdout


def test_a_run_stops_at_once_when_the_request_is_refused(
    program: list[str], tmp_path: Path
) -> None:
    with Service(ready=[200], predict=[400]) as service:
        ran = run(program, tmp_path, service)

    assert ran.returncode == 2, ran.stdout
    assert "no measurement" in ran.stdout
    assert "answers 400: said the service" in ran.stdout
    assert len(service.requests) == 1


def test_a_run_gives_up_on_a_service_that_never_gets_ready(
    program: list[str], tmp_path: Path
) -> None:
    with Service(ready=[503], predict=[200]) as service:
        ran = run(program, tmp_path, service, "wait=1s")

    assert ran.returncode == 2, ran.stdout
    assert "not ready after 1s" in ran.stdout
    assert not service.requests


def test_a_run_is_refused_when_the_load_generator_falls_behind(
    program: list[str], tmp_path: Path
) -> None:
    with Service(ready=[200], predict=[200]) as service:
        ran = run(program, tmp_path, service, FAKE_VEGETA_KEEPS="0.5")

    assert ran.returncode == 2, ran.stdout
    assert "give the load generator more CPU" in ran.stdout


def test_a_run_without_vegeta_is_no_measurement(program: list[str], tmp_path: Path) -> None:
    (tmp_path / "bin" / "vegeta").unlink()
    with Service(ready=[200], predict=[200]) as service:
        ran = run(program, tmp_path, service)

    assert ran.returncode == 2, ran.stdout
    assert "vegeta" in ran.stdout


def test_a_stopped_run_takes_vegeta_with_it(program: list[str], tmp_path: Path) -> None:
    note = tmp_path / "vegeta.pid"
    with Service(ready=[200], predict=[200]) as service:
        process = subprocess.Popen(
            [*program, *options(service, "warm-up=5m")],
            env=environment(tmp_path, FAKE_VEGETA_PID=str(note)),
        )
        wait_for(note)
        process.send_signal(signal.SIGTERM)
        status = process.wait(timeout=10)

    assert status == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(int(note.read_text()), 0)


def wait_for(note: Path) -> None:
    deadline = time.monotonic() + 20
    while not (note.exists() and note.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
