"""The tests' API server, asked by kubectl: what a real client understands is the real format."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from api_server import ApiServer
from setting import Object, named

KUBECTL = shutil.which("kubectl")
VERSION = "serving.kserve.io/v1beta1"
MANIFEST = named(
    "InferenceService",
    "digits",
    "models",
    VERSION,
    spec={"predictor": {"model": {"modelFormat": {"name": "onnx"}, "storageUri": "s3://a/b"}}},
)

pytestmark = pytest.mark.skipif(KUBECTL is None, reason="kubectl is not on this machine")


def kubectl(kubeconfig: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    home = kubeconfig.parent / "home"
    return subprocess.run(
        [str(KUBECTL), "--cache-dir", str(home), "--kubeconfig", str(kubeconfig), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def apply(manifest: Object, kubeconfig: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "service.json"
    file.write_text(json.dumps(manifest), encoding="utf-8")
    dry = ("--server-side", "--dry-run=server", "--validate=false")
    return kubectl(kubeconfig, "apply", *dry, "-f", str(file))


def test_kubectl_finds_kinds_and_reads_objects(api: ApiServer, kubeconfig: Path) -> None:
    api.add(MANIFEST)

    ran = kubectl(kubeconfig, "get", "inferenceservices", "-n", "models", "-o", "name")

    assert (ran.returncode, ran.stdout) == (0, "inferenceservice.serving.kserve.io/digits\n")


def test_kubectl_applies_and_tells_refusals_as_it_does_a_real_servers(
    api: ApiServer, kubeconfig: Path, tmp_path: Path
) -> None:
    absent = kubectl(kubeconfig, "get", "inferenceservices", "none", "-n", "models")
    told = 'Error from server (NotFound): inferenceservices.serving.kserve.io "none" not found'
    assert absent.stderr.strip() == told

    taken = apply(MANIFEST, kubeconfig, tmp_path)
    assert "digits serverside-applied (server dry run)" in taken.stdout

    theirs = {**MANIFEST, "spec": {"predictor": {"minReplicas": 4}}}
    api.apply(theirs, "argocd-controller")
    ours = {**MANIFEST, "spec": {"predictor": {"minReplicas": 2}}}
    conflict = apply(ours, kubeconfig, tmp_path)
    assert "Apply failed with 1 conflict" in conflict.stderr
    owner = '"argocd-controller" using serving.kserve.io/v1beta1'
    assert f"conflict with {owner}: .spec.predictor.minReplicas" in conflict.stderr


def test_a_watch_ends_for_kubectl_when_its_object_is_as_wanted(
    api: ApiServer, kubeconfig: Path
) -> None:
    held = api.add({**MANIFEST, "status": {"conditions": []}})
    ready = {**held, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    api.streams.append([{"type": "MODIFIED", "object": ready}])

    wanted = "--for=condition=Ready"
    ran = kubectl(kubeconfig, "wait", wanted, "inferenceservice/digits", "-n", "models")

    assert ran.stdout == "inferenceservice.serving.kserve.io/digits condition met\n"
