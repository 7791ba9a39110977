"""The Job that makes model archives in the cluster; tests/engines shows it making them."""

from pathlib import Path

import pytest
import yaml

from generator import pipeline

SPEC = Path(__file__).parents[1] / "specs/variants/mnist-pvc.yaml"


def archiving(text: str) -> dict[str, str]:
    """The files of archive/, by name."""
    build = pipeline.build(str(SPEC), text.encode(), SPEC.parent)
    return {file.path.name: file.text for file in build.files if file.path.parts[2] == "archive"}


def job_name(text: str) -> str:
    name: str = yaml.safe_load(archiving(text)["job.yaml"])["metadata"]["name"]
    return name


def test_the_job_and_its_script_carry_one_name() -> None:
    files = archiving(SPEC.read_text())

    job, generated = yaml.safe_load(files["job.yaml"]), yaml.safe_load(files["kustomization.yaml"])

    name = job["metadata"]["name"]
    assert generated["configMapGenerator"] == [{"name": name, "files": ["archive.sh"]}]
    scripts = {"name": "scripts", "configMap": {"name": name}}
    assert scripts in job["spec"]["template"]["spec"]["volumes"]


def test_the_claim_is_mounted_where_the_bundle_lies_in_it() -> None:
    job = yaml.safe_load(archiving(SPEC.read_text())["job.yaml"])["spec"]["template"]["spec"]

    [container] = job["containers"]
    storage = yaml.safe_load(SPEC.read_text())["storage"]["uri"].removeprefix("pvc://")
    mount = next(m for m in container["volumeMounts"] if m["name"] == "bundle")
    claim = next(v for v in job["volumes"] if v["name"] == "bundle")["persistentVolumeClaim"]
    assert f"{claim['claimName']}/{mount['subPath']}" == f"{storage}/torchserve"
    assert container["workingDir"] == mount["mountPath"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("top_k: 3", "top_k: 2"),
        ("name: mnist-pvc", "name: other"),
        ("hardware: {cpu: 2,", "hardware: {cpu: 4,"),
    ],
)
def test_other_code_is_another_job(old: str, new: str) -> None:
    text = SPEC.read_text()
    assert old in text

    assert job_name(text.replace(old, new)) != job_name(text)
