"""The built wheel: what it carries, what it pulls in, and that it renders as the checkout does."""

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# What the core may pull in, directly or not: small, and no torch, numpy, protobuf, kubernetes.
CORE = {
    "attrs",
    "click",
    "jinja2",
    "jsonpatch",
    "packaging",
    "jsonpointer",
    "jsonschema",
    "jsonschema-specifications",
    "markupsafe",
    "msgspec",
    "pip",
    "pyyaml",
    "referencing",
    "rpds-py",
    "ruamel-yaml",
    "ruamel-yaml-clib",
    "serving-generator",
    "setuptools",
    "typing-extensions",
}


def sources(*folders: str) -> set[str]:
    """The files of this checkout that git knows or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *folders]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return {path for path in listed.stdout.splitlines() if (ROOT / path).is_file()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel and a source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-t", "sdist"]
    subprocess.run([*command, "-d", str(folder)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    """The wheel."""
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a new environment, outside the checkout, with nothing but the wheel in it."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    pip = [str(folder / "venv/bin/python"), "-I", "-m", "pip", "install", "--quiet", str(wheel)]
    subprocess.run(pip, cwd=folder, check=True, env=clean())
    return folder / "venv/bin"


def clean() -> dict[str, str]:
    """The environment without what would lead Python back to the checkout."""
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}


def test_the_wheel_carries_code_schemas_templates_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    (info,) = {name.split("/")[0] for name in names if ".dist-info/" in name}
    about = {f"{info}/{n}" for n in ("METADATA", "RECORD", "WHEEL", "entry_points.txt")}
    code = sources("generator")
    data = {f"generator/{path}" for path in sources("schemas", "templates")}
    assert names == code | data | about | {f"{info}/licenses/LICENSE"}


@pytest.mark.parametrize(
    "name",
    [
        "schemas/project.schema.json",
        "schemas/triton/model_config.json",
        "targets/triton/options.schema.json",
        "templates/triton/models/config.pbtxt.j2",
        "templates/common/empty.j2",
        "engines/loopback/sitecustomize.py",
        "engines/requirements/kserve.txt",
        "engines/requirements/triton.txt",
        "engines/requirements/triton_onnxruntime.txt",
    ],
)
def test_the_wheel_carries_data(wheel: Path, name: str) -> None:
    assert f"generator/{name}" in zipfile.ZipFile(wheel).namelist()


def test_the_source_distribution_carries_what_a_wheel_is_built_from(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")

    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    plain = {"pyproject.toml", "README.md", "LICENSE", "PKG-INFO", ".gitignore"}
    assert names == sources("generator", "schemas", "templates") | plain


def test_the_core_pulls_in_nothing_heavy(installed: Path) -> None:
    command = [str(installed / "python"), "-I", "-m", "pip", "list", "--format=freeze"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True, env=clean())
    names = {line.split("==")[0].lower() for line in listed.stdout.splitlines()}

    assert "serving-generator" in names
    assert {re.sub(r"[-_.]+", "-", name) for name in names} <= CORE


def test_the_installed_command_runs_from_its_own_files(installed: Path, tmp_path: Path) -> None:
    code = "import generator.shipped as s; print(s.shipped('templates'))"
    command = [str(installed / "python"), "-c", code]

    found = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=True, env=clean()
    )

    assert Path(found.stdout.strip()).is_relative_to(installed.parent)
    assert Path(found.stdout.strip()).name == "templates"


def test_the_installed_command_renders_what_is_committed(installed: Path, tmp_path: Path) -> None:
    assert (ROOT / "rendered").is_dir(), "rendered/ is missing: run make render and commit it"
    command = [str(installed / "gen"), "render", str(ROOT / "specs"), "--output", "rendered"]

    subprocess.run(command, cwd=tmp_path, check=True, stdout=subprocess.DEVNULL, env=clean())

    committed, fresh = (
        {p.relative_to(top): p.read_bytes() for p in top.rglob("*") if p.is_file()}
        for top in (ROOT / "rendered", tmp_path / "rendered")
    )
    assert fresh.keys() == committed.keys()
    assert [path for path in fresh if fresh[path] != committed[path]] == []


def test_the_installed_command_says_what_export_needs(installed: Path, tmp_path: Path) -> None:
    command = [str(installed / "gen"), "export", str(ROOT / "specs/cifar10.yaml")]

    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=clean())

    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == (
        "gen: gen export needs torch: install serving-generator with its extra `export`\n"
    )
