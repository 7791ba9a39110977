"""What `make images` makes of manifests and of this machine's settings, without a container."""

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
CONTAINERS = ROOT / "tests" / "containers"
RENDERED = ROOT / "rendered"


@pytest.fixture(scope="module")
def pods() -> Iterator[Any]:
    """tests/containers/pods.py."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(CONTAINERS))
        yield importlib.import_module("pods")


@pytest.fixture(scope="module")
def pip_settings() -> Iterator[Any]:
    """tests/containers/pip_settings.py."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(CONTAINERS))
        yield importlib.import_module("pip_settings")


def test_a_transformer_runs_as_its_manifest_says(pods: Any) -> None:
    name, container = pods.transformer(RENDERED / "cifar10/triton/manifests")

    assert (name, container.image) == ("cifar10", "docker.io/acme/cifar10-transformer:1.0")
    assert "--predictor_protocol=grpc-v2" in container.arguments
    assert (container.cpus, container.memory_bytes) == (0.5, 512 * 2**20)
    assert container.port(container.probe["httpGet"]["port"]) == 8080
    assert container.user == "65532:65532"  # as in the image
    assert container.grace_seconds == 30  # Kubernetes' own


def test_what_waits_before_the_stop_is_not_left_for_it(pods: Any) -> None:
    container = pods.deployment(RENDERED / "mnist-kubernetes/torchserve/manifests")

    assert container.grace_seconds == 95 - 65
    assert container.user == "1000:1000"  # the pod's
    assert container.empty_folders == ("/home/model-server/tmp",)
    assert container.mounted == {"/home/model-server/config": "config"}


def test_seldons_containers_have_their_own_ports_and_the_downloaded_model(pods: Any) -> None:
    root, containers = pods.seldon(RENDERED / "seldon-docker/seldon/manifests")

    nodes = {node["name"]: node for node in pods.nodes(root)}
    assert nodes.keys() == containers.keys() == {"input-transformer", "model", "output-transformer"}
    assert containers["model"].mounted == {"/mnt/models": "model"}
    assert not containers["model"].empty_folders
    added = pods.operators_variables(nodes["model"], containers["model"].ports)
    assert added["PREDICTIVE_UNIT_GRPC_SERVICE_PORT"] == "9500"
    assert '"value": "/mnt/models"' in added["PREDICTIVE_UNIT_PARAMETERS"]


def test_local_indexes_and_certificates_are_named_by_where_a_build_sees_them(
    pip_settings: Any,
) -> None:
    listing = "\n".join(
        (
            ":env:.cert='/srv/ca.pem'",
            "download.cert='/elsewhere/ca.pem'",
            "global.cert='/elsewhere/ca.pem'",
            "global.extra-index-url='file:///srv/wheels/simple https://index.example/simple'",
            "global.find-links='/srv/torch'",
            "global.no-color='true'",
        )
    )

    lines, places = pip_settings.translated(pip_settings.settings(listing))

    assert places == {
        Path("/srv/wheels"): "/mnt/0",
        Path("/srv/torch"): "/mnt/1",
        Path("/srv/ca.pem"): "/mnt/2",
    }
    assert lines == [
        "extra-index-url = file:///mnt/0/simple https://index.example/simple",
        "find-links = /mnt/1",
        "cert = /mnt/2",
    ]


def test_a_machine_without_the_programs_is_told_what_to_install(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, str(CONTAINERS / "images.py")],
        env=os.environ | {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert ran.returncode == 2
    assert "apt-get install --no-install-recommends buildah podman runc mmdebstrap" in ran.stderr
    assert not list(tmp_path.iterdir())
