"""The config management plugin, run as Argo CD's repo-server runs it.

argoproj/argo-cd, cmpserver/plugin/plugin.go: the command of plugin.yaml, in the Application's
folder, with the parameters as PARAM_<NAME>; stdout is split into objects, a status other than 0
fails with what stands on stderr.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
PLUGIN = ROOT / "examples" / "argo-cd" / "plugin"
SPEC = """\
spec_version: 1
name: one
model:
  program: model.pt
  inputs: [{name: image, dtype: float32, shape: [N, 3, 32, 32]}]
  outputs: [{name: logits, dtype: float32, shape: [N, 10]}]
storage: {uri: s3://bucket/models}
images: {registry: docker.io/acme, tag: "1.0"}
kubernetes: {namespace: models}
perf: {rate: 10}
gitops: {argo_cd: {repository: "https://github.com/acme/serving.git", perf_hook: true}}
targets:
  triton: {}
  torchserve: {platform: kubernetes, names: {service: two}, serving: {replicas: {min: 2, max: 2}}}
environments:
  staging: {}
  production: {}
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A clone, as the sidecar gets it, of which nothing may be written."""
    specs = tmp_path / "clone" / "specs"
    specs.mkdir(parents=True)
    (specs / "one.yaml").write_text(SPEC)
    (tmp_path / "clone" / "other.yaml").write_text(SPEC)
    return specs.parent


def generated(
    folder: Path, parameters: Mapping[str, str], *, environ: bool = False
) -> subprocess.CompletedProcess[str]:
    """What the plugin's command does in a folder; a home that cannot be written to."""
    command = yaml.safe_load((PLUGIN / "plugin.yaml").read_text())["spec"]["generate"]
    prefix = "ARGOCD_ENV_" if environ else "PARAM_"
    path = f"{Path(sys.executable).parent}{os.pathsep}/usr/bin{os.pathsep}/bin"
    return subprocess.run(
        [*command["command"], *command["args"]],
        cwd=folder,
        env={"PATH": path, "HOME": "/nonexistent"}
        | {f"{prefix}{name.upper()}": value for name, value in parameters.items()},
        capture_output=True,
        text=True,
        check=False,
    )


def split(stdout: str) -> list[dict[str, Any]]:
    """What Argo CD makes of stdout: an object each document, or nothing where one is empty."""
    return [found for found in yaml.safe_load_all(stdout) if found is not None]


def entries(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_prints_objects_and_nothing_else(repository: Path) -> None:
    before = entries(repository)

    done = generated(
        repository / "specs",
        {"spec": "one.yaml", "target": "triton", "environment": "production"},
    )

    objects = split(done.stdout)
    assert done.returncode == 0, done.stderr
    assert all(each["apiVersion"] and each["metadata"]["name"] for each in objects)
    assert [each["kind"] for each in objects] == [
        "ServingRuntime",
        "InferenceService",
        "ConfigMap",
        "Job",
    ]
    assert entries(repository) == before


def test_what_has_to_be_there_first_stands_first(repository: Path) -> None:
    parameters = {"spec": "one.yaml", "target": "torchserve", "environment": "staging"}
    done = generated(repository / "specs", parameters)

    kinds = [each["kind"] for each in split(done.stdout)]
    assert done.returncode == 0, done.stderr
    assert kinds[0] == "ConfigMap"
    assert set(kinds) >= {"ConfigMap", "Deployment", "Service", "Job"}


def test_the_warnings_of_a_spec_stay_off_stdout(repository: Path) -> None:
    parameters = {"spec": "one.yaml", "target": "torchserve", "environment": "staging"}
    done = generated(repository / "specs", parameters)

    assert "warning:" in done.stderr
    assert "warning:" not in done.stdout


def test_the_load_tests_config_map_is_what_kustomize_makes(repository: Path) -> None:
    parameters = {"spec": "one.yaml", "target": "triton", "environment": "staging"}
    objects = split(generated(repository / "specs", parameters).stdout)
    [made] = [each for each in objects if each["kind"] == "ConfigMap"]
    [job] = [each for each in objects if each["kind"] == "Job"]
    subprocess.run(
        [sys.executable, "-m", "generator", "render", "specs/one.yaml"],
        cwd=repository,
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        check=True,
        capture_output=True,
    )
    perf = repository / "rendered" / "one" / "staging" / "triton" / "perf"
    kustomization = yaml.safe_load((perf / "kustomization.yaml").read_text())

    [wanted] = kustomization["configMapGenerator"]
    assert made["data"] == {name: (perf / name).read_text() for name in wanted["files"]}
    assert made["metadata"] == {
        "name": wanted["name"],
        "namespace": kustomization["namespace"],
        **{key: kustomization["generatorOptions"][key] for key in ("annotations", "labels")},
    }
    volumes = job["spec"]["template"]["spec"]["volumes"]
    assert {"name": made["metadata"]["name"]} in [each.get("configMap") for each in volumes]


def test_the_same_bytes_each_time(repository: Path) -> None:
    """The hydrator commits what is printed: another order would be another commit."""
    parameters = {"spec": "one.yaml"}
    runs = {generated(repository / "specs", parameters).stdout for _ in range(2)}

    assert len(runs) == 1
    assert runs != {""}


def test_parameters_may_come_as_variables_too(repository: Path) -> None:
    parameters = {"spec": "one.yaml", "target": "triton", "environment": "staging"}

    given = generated(repository / "specs", parameters)
    by_variables = generated(repository / "specs", parameters, environ=True)

    assert by_variables.stdout == given.stdout != ""


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({}, "names a spec below"),
        ({"spec": ""}, "names a spec below"),
        ({"spec": "../other.yaml"}, "names a spec below"),
        ({"spec": "a/../../other.yaml"}, "names a spec below"),
        ({"spec": "/etc/passwd"}, "names a spec below"),
        ({"spec": "--version"}, "names a spec below"),
        ({"spec": "none.yaml"}, "none.yaml"),
        ({"spec": "one.yaml", "target": "trito"}, "trito"),
        ({"spec": "one.yaml", "target": "seldon"}, "no spec here has the selected targets"),
        ({"spec": "one.yaml", "target": "triton --output=x"}, "triton --output=x"),
        ({"spec": "one.yaml", "environment": "nowhere"}, "nowhere"),
        ({"spec": "one.yaml; echo kind: ConfigMap"}, "one.yaml; echo"),
    ],
    ids=str,
)
def test_a_failure_prints_no_object_and_says_why(
    parameters: dict[str, str], told: str, repository: Path
) -> None:
    done = generated(repository / "specs", parameters)

    assert done.returncode != 0
    assert done.stdout == ""
    assert told in done.stderr


def test_a_spec_with_errors_prints_no_object(repository: Path) -> None:
    (repository / "specs" / "one.yaml").write_text(SPEC.replace("rate: 10", "rate: 0"))

    done = generated(repository / "specs", {"spec": "one.yaml"})

    assert done.returncode == 1
    assert done.stdout == ""
    assert "one.yaml:" in done.stderr


def test_works_where_nothing_can_be_written(repository: Path) -> None:
    for path in (*repository.rglob("*"), repository):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        done = generated(repository / "specs", {"spec": "one.yaml", "target": "triton"})
    finally:
        for path in (repository, *repository.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)

    assert done.returncode == 0, done.stderr
    assert split(done.stdout)


def test_the_applications_parameters_are_those_that_the_plugin_reads(repository: Path) -> None:
    announced = yaml.safe_load((PLUGIN / "plugin.yaml").read_text())
    text = SPEC.replace("perf_hook: true", "plugin: {spec: specs/one.yaml}")
    (repository / "specs" / "one.yaml").write_text(text)
    subprocess.run(
        [sys.executable, "-m", "generator", "render", "specs/one.yaml"],
        cwd=repository,
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        check=True,
        capture_output=True,
    )
    path = repository / "rendered/one/staging/triton/argo-cd/application.yaml"
    source = yaml.safe_load(path.read_text())["spec"]["source"]
    parameters = {each["name"]: each["string"] for each in source["plugin"]["parameters"]}

    done = generated(repository / source["path"], parameters)

    names = {each["name"] for each in announced["spec"]["parameters"]["static"]}
    assert source["plugin"]["name"] == announced["metadata"]["name"]
    assert set(parameters) == names
    manifests = repository / source["path"].replace(
        "specs", "rendered/one/staging/triton/manifests"
    )
    rendered = [yaml.safe_load(each.read_text()) for each in manifests.glob("[!k]*.yaml")]
    assert sorted(split(done.stdout), key=str) == sorted(rendered, key=str)


def test_the_script_is_plain_shell(tmp_path: Path) -> None:
    [script] = yaml.safe_load((PLUGIN / "plugin.yaml").read_text())["spec"]["generate"]["args"]
    found = shutil.which("shellcheck", path=Path(sys.executable).parent)
    assert found
    (tmp_path / "script.sh").write_text(f"#!/bin/sh\n{script}")

    subprocess.run([found, tmp_path / "script.sh"], check=True)
