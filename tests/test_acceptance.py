"""What a cluster, a server or an interpreter would refuse is refused before anything is written."""

import ast
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.acceptance import refusals
from generator.artefact import RenderedFile
from generator.pipeline import build

SPEC = Path(__file__).parents[1] / "specs" / "cifar10.yaml"
SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: one
spec:
  ports:
    - port: 80
"""


def refused(path: str, text: str) -> list[tuple[str, str, str]]:
    found = refusals([RenderedFile(PurePosixPath(path), text)])
    return [(refusal.rule.split("/")[0], refusal.where, refusal.message) for refusal in found]


def test_what_the_project_renders_is_accepted() -> None:
    files = build("cifar10.yaml", SPEC.read_bytes(), SPEC.parent).files

    assert list(refusals(files)) == []


def test_takes_a_good_manifest() -> None:
    assert refused("manifests/service.yaml", SERVICE) == []


@pytest.mark.parametrize(
    ("old", "new", "where", "message"),
    [
        ("port: 80", "port: 80\n      prt: 1", "spec.ports[0].prt", "unknown field `prt`"),
        ("name: one", "name: One", "metadata.name", "`One` is not a DNS-1035 label"),
        ("port: 80", "port: 80\n      port: 81", "line 8", "`port` stands twice in this map"),
        (SERVICE, "- a\n", "line 1", "a manifest is a map"),
        (SERVICE, "", "line 1", "a manifest is a map"),
    ],
)
def test_refuses_a_bad_manifest_at_its_field(old: str, new: str, where: str, message: str) -> None:
    assert refused("manifests/service.yaml", SERVICE.replace(old, new)) == [
        ("yaml" if "twice" in message else "kubernetes", where, message)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: 1\nkind: []\n",
        "apiVersion: v1\nkind: Service\nmetadata: 5\nspec: []\n",
        "apiVersion: v1\nkind: Service\nmetadata: {name: [], labels: 5, annotations: [a]}\n",
        "apiVersion: v1\nkind: Service\nmetadata: null\nspec: {ports: {a: b}, selector: 5}\n",
    ],
)
def test_refuses_manifests_of_odd_shape_without_a_traceback(text: str) -> None:
    assert refused("manifests/service.yaml", text)


@pytest.mark.parametrize("text", ["name: ", 'nam: "a"', 'name: "a" max_batch_size: x'])
def test_refuses_a_model_config_that_triton_does_not_parse(text: str) -> None:
    assert [system for system, _, _ in refused("models/a/config.pbtxt", text)] == ["config-pbtxt"]


def test_refuses_a_model_config_that_triton_would_serve_wrong() -> None:
    text = 'name: "a" platform: "pytorch_libtorch" instance_group { count: 0 }'

    assert {system for system, _, _ in refused("models/a/config.pbtxt", text)} == {"config-pbtxt"}


@pytest.mark.parametrize(
    ("text", "where"), [("a = 1\nb = (\n", "line 2"), ("\0", "line 1"), ("(" * 5000, "line 1")]
)
def test_refuses_what_is_no_python(text: str, where: str) -> None:
    [(system, found, _)] = refused("images/a/a.py", text)

    assert (system, found) == ("python", where)


PIECES = st.sampled_from(
    [
        *(
            "def f():\n",
            "class A:\n",
            "    ",
            "return 1\n",
            "x = 1\n",
            "x",
            "=",
            "1",
            "(",
            ")",
            ":",
        ),
        *("\n", "\n\n\n", '"""', "'", "\\", "#", "if x:\n", "\t", " ", "\r", "\f", "\0", "break\n"),
        *(
            "from __future__ import annotations\n",
            "from __future__ import nothing\n",
            "nonlocal x\n",
        ),
    ]
)


@given(st.lists(PIECES, max_size=25).map("".join))
def test_takes_as_python_just_what_the_parser_takes(text: str) -> None:
    try:
        ast.parse(text)
        taken = True
    except (SyntaxError, ValueError):
        taken = False

    assert (refused("images/a/a.py", text) == []) is taken


def test_refuses_what_is_no_json() -> None:
    assert refused("requests/v1.json", '{"a": 1,\n}') == [
        ("json", "line 2", "Expecting property name enclosed in double quotes")
    ]


def test_refuses_a_server_config_that_torchserve_would_not_read() -> None:
    assert refused("models/config/config.properties", "debug=true\njob_queue_size=x\n") == [
        (
            "config-properties",
            "line 2",
            "`job_queue_size` takes a whole number from 1 to 2147483647, not `x`",
        )
    ]


COMPOSE = """\
services:
  mnist:
    image: acme/mnist:1
    build: {context: "${BUNDLE:-../..}", args: {BASE: a}}
    ports: ["${BIND:-127.0.0.1}:8080:8080", "127.0.0.1:8081:8081/tcp", {target: 7070}]
    healthcheck: {interval: 5s, retries: 3}
    cpus: 1.5
    init: true
    volumes: ["../a:/b:ro"]
    x-note: 5
  perf:
    build: .
    depends_on: {mnist: {condition: service_healthy}}
    deploy: {resources: {reservations: {devices: [{driver: nvidia, capabilities: [gpu]}]}}}
"""


def test_takes_a_good_compose_file() -> None:
    assert refused("images/torchserve/compose.yaml", COMPOSE) == []
    assert refused("production/torchserve/images/torchserve/compose.yaml", COMPOSE) == []


@pytest.mark.parametrize(
    ("old", "new", "where", "message"),
    [
        ("services:", "service:", "service", "unknown field `service`"),
        ("retries", "retrys", "services.mnist.healthcheck.retrys", "unknown field `retrys`"),
        ("init: true", "init: []", "services.mnist.init", "takes a boolean or a string, not `[]`"),
        (
            "{target: 7070}",
            "7070",
            "services.mnist.ports[2]",
            "takes a string or a port, not `7070`",
        ),
        ("{target: 7070}", "a:b:c", "services.mnist.ports[2]", "`a:b:c` is no published port"),
        ("context:", "contxt:", "services.mnist.build.contxt", "unknown field `contxt`"),
        ("{mnist:", "{minst:", "services.perf.depends_on", "there is no service `minst`"),
        ("    build: .\n", "", "services.perf", "a service has an `image`, a `build`, or both"),
        ("init: true", "init: true\n    init: false", "line 9", "`init` stands twice in this map"),
        (COMPOSE, "services: {}", "line 1", "there are no `services`"),
        (COMPOSE, "", "line 1", "a compose file is a map"),
    ],
)
def test_refuses_a_bad_compose_file(old: str, new: str, where: str, message: str) -> None:
    assert refused("images/torchserve/compose.yaml", COMPOSE.replace(old, new)) == [
        ("yaml" if "twice" in message else "compose", where, message)
    ]


def test_a_compose_file_elsewhere_is_a_manifest() -> None:
    assert {system for system, _, _ in refused("manifests/compose.yaml", COMPOSE)} == {"kubernetes"}


@pytest.mark.parametrize(
    "path", ["archives/mnist/config.properties", "README.md", "labels.txt", "Dockerfile", "run.sh"]
)
def test_other_files_have_nothing_to_refuse(path: str) -> None:
    assert refused(path, "{{ anything: [") == []
