"""What README and docs/ show is what the command does."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from generator import pipeline
from generator.selection import Selection

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SPECS = ROOT / "specs"


def gen(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    code = "import sys; from generator.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=cwd,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as the README's reader has it, with specs/ in it."""
    shutil.copytree(SPECS, tmp_path / "specs")
    return tmp_path


def test_the_spec_in_the_readme_renders_what_the_readme_prints(folder: Path) -> None:
    [spec] = re.findall(r"```yaml\n# specs/cifar10.yaml\n(.*?)```", README, re.DOTALL)
    (folder / "specs/cifar10.yaml").write_text(spec)

    printed = gen("render", "specs/cifar10.yaml", cwd=folder)

    assert (printed.returncode, printed.stderr) == (0, "")
    assert f"$ gen render specs/cifar10.yaml\n{printed.stdout}```" in README


def test_the_tree_in_the_readme_names_the_rendered_folders(folder: Path) -> None:
    gen("render", "specs/cifar10.yaml", cwd=folder)

    [tree] = re.findall(r"```\n(rendered/cifar10/triton/\n.*?)```", README, re.DOTALL)
    shown = [line.split()[0].rstrip("/") for line in tree.splitlines()[1:] if line[2] != " "]
    rendered = [path.name for path in (folder / "rendered/cifar10/triton").iterdir()]
    assert sorted(shown) == sorted(rendered)


def test_the_diagnostic_in_the_readme_is_what_gen_prints(folder: Path) -> None:
    spec = folder / "specs/cifar10.yaml"
    spec.write_text(spec.read_text().replace("preferred: [4, 8]", "preferred: [4, 16]"))

    printed = gen("validate", "specs/cifar10.yaml", cwd=folder)

    assert printed.returncode == 1
    assert f"$ gen validate specs/cifar10.yaml\n{printed.stderr}```" in README


def rows(document: Path, heading: str) -> list[list[str]]:
    """The cells of the table that begins with a heading cell, without code marks."""
    lines = iter(document.read_text().splitlines())
    next(line for line in lines if line.startswith(f"| {heading} "))
    next(lines)
    table = []
    for line in lines:
        if not line.startswith("|"):
            break
        table.append([cell.strip().replace("`", "") for cell in line.strip("|").split(" | ")])
    return table


DOORS = {
    ("component", "http"): "cifar10.yaml",
    ("client, or no transforms", "http"): "variants/client-http.yaml",
    ("client, or no transforms", "grpc"): "variants/client-grpc.yaml",
    ("model", "http"): "variants/landmarks-targets.yaml",
}


def test_every_door_of_the_docs_is_rendered_as_the_docs_say() -> None:
    served = [
        row
        for row in rows(ROOT / "docs/doors.md", "`transforms.run_in`")
        if not row[2].startswith("refused")
    ]

    assert {(row[0], row[1]) for row in served} == set(DOORS)
    for run_in, transport, exposed, path, *_ in served:
        spec = SPECS / DOORS[run_in, transport]
        selected = Selection(targets=("triton",))
        build = pipeline.build(str(spec), spec.read_bytes(), spec.parent, selected)
        texts = {file.path.name: file.text for file in build.files}
        manifest = yaml.safe_load(texts["inferenceservice.yaml"])
        name, predictor = manifest["metadata"]["name"], manifest["spec"]["predictor"]
        ready = predictor["model"]["readinessProbe"]["httpGet"]
        model = ready["path"].split("/")[3]
        door = path.replace("<service>", name).replace("<model>", model)
        assert f"`{door}`" in texts["README.md"]
        assert ready["port"] == 8080
        assert exposed.startswith("transformer") == ("transformer" in manifest["spec"])
        ports = predictor["model"].get("ports", [{"containerPort": 8080, "name": "http1"}])
        if exposed.startswith("Triton"):
            assert exposed.split(", ")[1] == str(ports[0]["containerPort"])
        else:
            assert ports[0]["name"] == "h2c"


def test_every_torchserve_door_of_the_docs_is_rendered_as_the_docs_say() -> None:
    spec = SPECS / "mnist.yaml"
    build = pipeline.build(str(spec), spec.read_bytes(), spec.parent)
    texts = {file.path.name: file.text for file in build.files}

    listed = rows(ROOT / "docs/doors.md", "the handler takes")

    paths = [
        path.replace("<model>", "mnist") for takes, _, path, *_ in listed if takes != "tensors"
    ]
    assert [
        path for path in paths if path.startswith("/") and f"`{path}`" not in texts["README.md"]
    ] == []
    assert len(paths) > 4


def test_every_link_in_the_documents_leads_somewhere() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]

    broken = [
        (document.name, link)
        for document in documents
        for link in re.findall(r"\]\(([^)#]+)\)", document.read_text())
        if "://" not in link and not (document.parent / link).exists()
    ]

    assert broken == []
