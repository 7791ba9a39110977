"""A cluster on loopback that has been set up for the specs of the tests, and its kubeconfig."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from api_server import ApiServer
from ran import Ran
from setting import SPEC, kubeconfig_of, named


@pytest.fixture
def api() -> Iterator[ApiServer]:
    """A cluster in which nothing is amiss; to ask it to store anything fails the test."""
    server = ApiServer()
    for namespace in ("models", "default", "kserve", "seldon-system", "knative-serving"):
        server.add(named("Namespace", namespace))
    keys = {"AWS_ACCESS_KEY_ID": "YQ==", "AWS_SECRET_ACCESS_KEY": "Yg=="}
    server.add(named("Secret", "s3-reader", "models", data=keys))
    server.add(named("Secret", "registry", "models", data={".dockerconfigjson": "e30="}))
    server.add(named("ServiceAccount", "models", "models"))
    config = {
        "deploy": json.dumps({"defaultDeploymentMode": "Standard"}),
        "ingress": json.dumps({"ingressDomain": "example.org", "ingressClassName": "nginx"}),
    }
    server.add(named("ConfigMap", "inferenceservice-config", "kserve", data=config))
    server.start()
    yield server
    server.stop()
    assert server.writes == []


@pytest.fixture
def kubeconfig(api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (
        "HTTPS_PROXY",
        "https_proxy",
        "HTTP_PROXY",
        "http_proxy",
        "ALL_PROXY",
        "all_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    file = kubeconfig_of(api, tmp_path)
    monkeypatch.setenv("KUBECONFIG", str(file))
    return file


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """A spec for KServe, in the test's folder."""
    file = tmp_path / "digits.yaml"
    file.write_text(SPEC, encoding="utf-8")
    return file


@pytest.fixture
def cluster(gen: Callable[..., Ran], kubeconfig: Path, spec: Path) -> Callable[..., Ran]:
    """Runs `gen cluster COMMAND` on the spec of the tests, or `of` another one."""

    def run(command: str, *options: str, of: Path = spec) -> Ran:
        return gen("cluster", command, str(of), *options)

    return run
