"""What the runbooks and manifests of rendered Seldon projects say, held against their files."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECTS = sorted(path.parent for path in (ROOT / "rendered").glob("**/seldon/README.md"))
PACKAGE = {"PIL": "pillow", "grpc": "grpcio", "grpc_tools": "grpcio-tools"}
PACKAGE["google"] = "grpcio-tools"  # which brings protobuf
projects = pytest.mark.parametrize(
    "project", PROJECTS, ids=lambda path: str(path.relative_to(ROOT / "rendered"))
)


def predictor(project: Path) -> Any:
    manifest = yaml.safe_load((project / "manifests/seldondeployment.yaml").read_text())
    [only] = manifest["spec"]["predictors"]
    return only


def nodes(graph: Any) -> list[Any]:
    return [graph, *(node for child in graph.get("children", ()) for node in nodes(child))]


def imported(script: Path) -> set[str]:
    """The packages that a script imports from elsewhere."""
    names = set()
    for node in ast.walk(ast.parse(script.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    own = {path.stem for path in script.parent.iterdir()}
    return names - own - {"prediction_pb2", "prediction_pb2_grpc"} - set(sys.stdlib_module_names)


@projects
def test_the_runbook_installs_what_the_samples_import(project: Path) -> None:
    text = (project / "README.md").read_text()
    installed = set(re.findall(r"[a-z][a-z0-9-]*", " ".join(re.findall(r"pip install (.*)", text))))
    needed = set().union(*map(imported, (project / "requests").glob("*.py")))

    assert {PACKAGE.get(name, name) for name in needed} <= installed


@projects
def test_the_runbook_names_only_files_that_are_there(project: Path) -> None:
    text = (project / "README.md").read_text()
    named = set(re.findall(r"(?:\./|`|python3 )((?:admin|scripts|requests|images)/[\w./-]+)", text))

    assert named
    assert [name for name in named if not (project / name).exists()] == []


@projects
def test_every_node_has_a_container_and_ports_count_up(project: Path) -> None:
    pods = predictor(project)["componentSpecs"]
    containers = [each for pod in pods for each in pod["spec"]["containers"]]
    ports = [{p["name"]: p["containerPort"] for p in each["ports"]} for each in containers]

    assert {each["name"] for each in containers} == {
        node["name"] for node in nodes(predictor(project)["graph"])
    }
    for index, given in enumerate(ports):
        assert given == {"http": 9000 + index, "grpc": 9500 + index, "metrics": 6000 + index}


@projects
def test_a_container_of_our_own_has_its_model(project: Path) -> None:
    """From an init container, a claim, or its image; Seldon brings it to its own servers only."""
    [model] = [n for n in nodes(predictor(project)["graph"]) if n["type"] == "MODEL"]
    pod = predictor(project)["componentSpecs"][0]["spec"]
    mounts = {
        container["name"]: [mount["mountPath"] for mount in container.get("volumeMounts", ())]
        for container in pod["containers"]
    }
    copied = any("model.pt" in p.read_text() for p in (project / "scripts").glob("build.sh"))

    if "implementation" in model:
        assert mounts[model["name"]] in ([], ["/tmp"])  # what the server writes to
        assert model["modelUri"]
    elif model.get("parameters"):
        assert model["parameters"][0]["value"] in mounts[model["name"]]
        assert "initContainers" in pod or "persistentVolumeClaim" in pod["volumes"][0]
    else:
        assert copied


def test_the_build_says_that_the_bundle_is_missing(tmp_path: Path) -> None:
    script = ROOT / "rendered/seldon-server/production/seldon/scripts/build.sh"
    bundle = tmp_path / "none"

    ran = subprocess.run(
        [script], env={**os.environ, "BUNDLE": str(bundle)}, capture_output=True, text=True
    )

    assert ran.returncode == 2
    assert ran.stderr == f"there is no bundle in {bundle}: run gen export first, or set BUNDLE\n"
