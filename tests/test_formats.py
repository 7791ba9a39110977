"""Every rendered file, held against its format by parsers and linters that are not ours."""

import ast
import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator import kinds, model_config_table

ROOT = Path(__file__).resolve().parent.parent
RENDERED = ROOT / "rendered"
FILES = sorted(path for path in RENDERED.rglob("*") if path.is_file())
PROGRAMS = Path(sysconfig.get_path("scripts"))
KUBERNETES = "1.37"
CORE = ("v1", "apps/v1", "autoscaling/v2", "batch/v1", "networking.k8s.io/v1", "policy/v1")
# What the rendered code's own tests (test_transformer_code.py) select too.
RUFF_RULES = "E,W,F,I,B,C4,UP,SIM,PTH,RET,PIE,RUF"
# Of shellcheck's optional checks those about mistakes, not those about taste.
SHELLCHECK_OPTIONAL = "avoid-nullary-conditions,check-unassigned-uppercase,quote-safe-variables"
HADOLINT_IGNORED = (
    "DL3008",  # packages of the base image's distribution are not pinned: old ones vanish from it
)


def files(*patterns: str) -> Any:
    """Parametrizes a test with the rendered files that match; there must be some."""
    found = [path for path in FILES if any(map(path.match, patterns))] or [RENDERED / patterns[0]]
    return pytest.mark.parametrize("file", found, ids=lambda path: str(path.relative_to(RENDERED)))


def run(*command: str | Path, folder: Path = ROOT) -> str:
    """What a checker prints; it may be anywhere on the path, this environment's programs first."""
    path = f"{PROGRAMS}{os.pathsep}{os.environ.get('PATH', '')}"
    ran = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=os.environ | {"PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return ran.stdout if ran.returncode or ran.stdout else ""


def test_there_are_rendered_files() -> None:
    assert FILES, "rendered/ is missing or empty: run make render and commit it"


KNOWN = ("*.yaml", "*.json", "*.py", "*.sh", "*.pbtxt", "Dockerfile", "*.md", "*.txt")
KNOWN += ("*.properties", "*.proto", "*.yml", "environment")
OURS = (".serving-generator", ".gitkeep")


def test_every_kind_of_file_has_a_check_here_or_is_plain_text() -> None:
    unknown = [p for p in FILES if p.name not in OURS and not any(map(p.match, KNOWN))]

    assert unknown == []


@files("*.yaml", "*.yml")
def test_yaml_is_clean(file: Path) -> None:
    from yamllint import config, linter

    settings = config.YamlLintConfig(file=str(ROOT / ".yamllint"))

    problems = linter.run(file.read_text(encoding="utf-8"), settings)

    assert [str(problem) for problem in problems] == []


@files("*.yaml", "*.yml")
def test_yaml_1_1_and_1_2_read_the_same(file: Path) -> None:
    """Kubernetes reads YAML 1.1, and much else 1.2: no value may differ between them."""
    from ruamel.yaml import YAML

    text = file.read_text(encoding="utf-8")

    assert yaml.safe_load(text) == YAML(typ="safe", pure=True).load(text)


@files("*.json")
def test_json_parses(file: Path) -> None:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs), "a key stands twice"
        return dict(pairs)

    assert json.loads(file.read_text(encoding="utf-8"), object_pairs_hook=unique) is not None


@files("Dockerfile")
def test_hadolint_is_silent(file: Path) -> None:
    ignored = [f"--ignore={rule}" for rule in HADOLINT_IGNORED]

    assert run("hadolint", "--no-color", *ignored, file) == ""


@files("*.sh")
def test_shellcheck_is_silent(file: Path) -> None:
    assert file.read_text(encoding="utf-8").startswith("#!")
    assert run("shellcheck", "--norc", f"--enable={SHELLCHECK_OPTIONAL}", file) == ""


@files("*.sh")
def test_bash_parses(file: Path) -> None:
    assert run("bash", "-n", file) == ""


def of_users(file: Path) -> bool:
    """Whether a file is a copy of one beside the specs: it is the user's, in the user's style."""
    copies = (ROOT / "specs").rglob(file.name)
    return any(copy.read_bytes() == file.read_bytes() for copy in copies)


@files("*.py")
def test_ruff_is_silent(file: Path) -> None:
    version = "py39" if "archives" in file.parts else "py311"
    options = ["--isolated", "--no-cache", "--quiet", "--line-length=100"]
    options.append(f"--target-version={version}")
    # What stands beside a user's file there is not what stood beside it: imports sort otherwise.
    rules = RUFF_RULES.replace("I,", "") if of_users(file) else RUFF_RULES

    found = run("ruff", "check", *options, f"--select={rules}", file.name, folder=file.parent)
    layout = run("ruff", "format", "--diff", *options, file.name, folder=file.parent)

    assert found == ""
    assert of_users(file) or layout == ""


@files("archives/*/*.py")
def test_handlers_are_python_3_9(file: Path) -> None:
    """The interpreter of TorchServe's image, which knows no match statement and no X | Y."""
    found = run("ruff", "check", "--isolated", "--no-cache", "--quiet", "--target-version=py39",
                "--select=E9,F,FA102", file.name, folder=file.parent)  # fmt: skip

    ast.parse(file.read_text(encoding="utf-8"), feature_version=(3, 9))
    assert found == ""


@pytest.fixture(scope="module")
def type_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """mypy's cache, shared by all folders: reading the standard library takes seconds."""
    return tmp_path_factory.mktemp("mypy")


CODE = sorted({path.parent for path in FILES if path.suffix == ".py"}) or [RENDERED]


@pytest.mark.parametrize("folder", CODE, ids=lambda path: str(path.relative_to(RENDERED)))
def test_mypy_is_silent(folder: Path, type_cache: Path) -> None:
    modules = sorted(path.name for path in folder.glob("*.py") if not of_users(path))
    # The libraries of an image are not installed here: what comes from them is Any.
    foreign = ["--ignore-missing-imports", "--follow-imports=silent", "--allow-subclassing-any"]
    options = ["--config-file=", f"--cache-dir={type_cache}", "--no-site-packages", "--strict"]
    quiet = ["--no-error-summary", "--allow-untyped-calls"]

    assert run("mypy", *options, *foreign, *quiet, *modules, folder=folder) == ""


@files("config.pbtxt")
def test_protobuf_reads_the_model_config(file: Path) -> None:
    text_format = pytest.importorskip("google.protobuf.text_format")
    message = model_config_table.model_config_pb2().ModelConfig()

    text_format.Parse(file.read_text(encoding="utf-8"), message)

    assert message.name == file.parent.name
    platforms = {"onnx": "onnxruntime_onnx", "aot-inductor": "torch_aoti"}
    assert message.platform == platforms.get(message.name, "pytorch_libtorch")
    assert message.input
    assert message.output


def manifests(file: Path) -> Iterator[dict[str, Any]]:
    """The manifests in a file."""
    yield from yaml.safe_load_all(file.read_text(encoding="utf-8"))


@files("*.yaml")
def test_kubernetes_knows_the_kind_and_takes_the_manifest(file: Path) -> None:
    import kubernetes_validate

    for manifest in manifests(file) if file.name != "compose.yaml" else ():
        assert kinds.known(manifest["apiVersion"], manifest["kind"])
        if manifest["apiVersion"] in CORE:
            kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_core_kinds_are_among_what_is_rendered() -> None:
    files = [path for path in FILES if path.suffix == ".yaml" and path.name != "compose.yaml"]
    found = {m["kind"] for path in files for m in manifests(path)}

    assert {"InferenceService", "ServingRuntime", "Kustomization", "Job"} <= found


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
@files("kustomization.yaml")
def test_kustomize_builds_the_folder(file: Path) -> None:
    given = yaml.safe_load(file.read_text(encoding="utf-8"))

    built = list(yaml.safe_load_all(run("kubectl", "kustomize", file.parent)))

    wanted = [m["kind"] for name in given["resources"] for m in manifests(file.parent / name)]
    generated = ["ConfigMap" for _ in given.get("configMapGenerator", ())]
    assert wanted
    assert sorted(m["kind"] for m in built) == sorted(wanted + generated)
    namespaces = {m["metadata"].get("namespace") for m in built}
    assert len(namespaces) == 1
