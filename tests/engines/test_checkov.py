"""Checkov, a policy tool of others, on the pods of all rendered projects."""

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from plain_pods import plain_pods

from generator.engines import EngineError, environments

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]
REQUIREMENTS = Path(__file__).with_name("checkov.txt")
PROJECTS = sorted({path.parents[1] for path in (ROOT / "rendered").rglob("manifests/*.yaml")})

NOT_ASKED = {
    "CKV_K8S_8": "a Job has no liveness probe; of services our own tests see to it",
    "CKV_K8S_9": "a Job has no readiness probe; of services our own tests see to it",
    "CKV_K8S_15": "pull policy Always asks the registry at each start; tags here do not move",
    "CKV_K8S_29": "wants a securityContext of the pod: Knative refuses one, Seldon replaces it",
    "CKV_K8S_38": "a pod whose spec names a service account gets that account's token",
    "CKV_K8S_40": "users over 10000: an image of others has the user that it has",
    "CKV_K8S_43": "digests come from the lock file, which the seed projects have none of",
    "CKV2_K8S_6": "a NetworkPolicy is there where the spec asks for one",
}
# Of these each place has its reason.
EXCEPT = {
    ("CKV_K8S_14", "imagenet"): "the operator knows the image of a registered server",
    ("CKV_K8S_22", "imagenet"): "what s2i builds writes to its own root",
    ("CKV_K8S_22", "seldon-conda"): "what s2i builds writes to its own root",
    ("CKV_K8S_35", "landmarks-targets"): "rclone reads its settings from variables",
    ("CKV_K8S_35", "seldon-docker"): "rclone reads its settings from variables",
}
# What the restricted Pod Security Standard asks for, and a little more.
RESTRICTED = {
    "CKV_K8S_16": "privileged",
    "CKV_K8S_17": "hostPID",
    "CKV_K8S_18": "hostIPC",
    "CKV_K8S_19": "hostNetwork",
    "CKV_K8S_20": "allowPrivilegeEscalation",
    "CKV_K8S_22": "readOnlyRootFilesystem",
    "CKV_K8S_23": "runAsNonRoot",
    "CKV_K8S_25": "added capabilities",
    "CKV_K8S_26": "hostPort",
    "CKV_K8S_27": "the socket of the container runtime",
    "CKV_K8S_31": "seccomp",
    "CKV_K8S_37": "dropped capabilities",
}

Found = list[tuple[str, str]]  # the check and the file that failed it


def checked(folder: Path, skipped: Iterable[str]) -> tuple[Found, set[str]]:
    """What Checkov finds in a folder, and the names of the checks that something has passed."""
    try:
        environment = environments.prepare("checkov", [REQUIREMENTS], report=print)
    except EngineError as problem:
        if os.environ.get("CI") == "true":
            pytest.fail(str(problem))
        pytest.skip(str(problem))
    command = [str(environment.programs / "checkov"), "--directory", str(folder)]
    command += ["--framework", "kubernetes", "--output", "json", "--compact", "--skip-download"]
    command += [word for name in sorted(skipped) for word in ("--skip-check", name)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert ran.returncode in (0, 1), ran.stderr
    told: Mapping[str, Any] = json.loads(ran.stdout)
    assert told["summary"]["parsing_errors"] == 0
    results = told["results"]
    failed = [(each["check_id"], Path(each["file_path"]).stem) for each in results["failed_checks"]]
    return sorted(failed), {each["check_id"] for each in results["passed_checks"]}


def test_every_rendered_pod_passes(tmp_path: Path) -> None:
    pods = 0
    for project in PROJECTS:
        name = project.relative_to(ROOT / "rendered").parts[0]
        for pod in plain_pods(project):
            pods += 1
            file = tmp_path / f"{name}.{project.name}.{pod['metadata']['name']}.yaml"
            file.write_text(yaml.safe_dump(pod), encoding="utf-8")

    failed, passed = checked(tmp_path, NOT_ASKED)

    assert pods > 40
    assert {(check, stem.partition(".")[0]) for check, stem in failed} == set(EXCEPT)
    assert set(RESTRICTED) - passed == set()


def test_it_would_say_so_of_a_pod_that_is_not_shut_in(tmp_path: Path) -> None:
    port = {"containerPort": 80, "hostPort": 80}
    context = {"privileged": True, "capabilities": {"add": ["SYS_ADMIN"]}}
    container = {"name": "one", "image": "a:1", "ports": [port], "securityContext": context}
    host = {"hostPID": True, "hostIPC": True, "hostNetwork": True}
    socket = {"name": "socket", "hostPath": {"path": "/var/run/docker.sock"}}
    spec = {"containers": [container], "volumes": [socket], **host}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": spec}
    (tmp_path / "pod.yaml").write_text(yaml.safe_dump(pod), encoding="utf-8")

    failed, _ = checked(tmp_path, NOT_ASKED)

    assert set(RESTRICTED) - {check for check, _ in failed} == set()
