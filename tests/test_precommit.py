"""The hooks of .pre-commit-hooks.yaml, installed by pre-commit from a repository of their own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
CONFIG = """\
repos:
  - repo: {hooks}
    rev: {revision}
    hooks:
      - id: gen-validate
      - id: gen-render-check
"""
SPEC = """\
spec_version: 1
name: one
model:
  source: package.module:Net
  inputs: [{name: image, dtype: float32, shape: [N, 3, 32, 32]}]
  outputs: [{name: logits, dtype: float32, shape: [N, 2]}]
  class_names: names.txt
storage: {uri: s3://models/one}
targets: {triton: {}}
"""
FILES = {
    "specs/one.yaml": SPEC,
    "specs/names.txt": "ant\nbee\n",
    "specs/values.yaml": "replicas: 1\n",
    "chart/values.yaml": "replicas: 1\n",
}


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder, by itself: no hooks, signatures or identities of this machine's user."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    variables |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    identity = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.invalid"]
    ran = subprocess.run(
        ["git", *identity, *arguments],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout.strip()


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with what this checkout holds now, committed or not."""
    folder = tmp_path_factory.mktemp("hooks")
    listed = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard")
    packaged = ("generator/", "schemas/", "templates/")
    for name in listed.splitlines():
        if (name.startswith(packaged) or "/" not in name) and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "hooks")
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """pre-commit's own folder of installed hooks, kept for all tests here."""
    return tmp_path_factory.mktemp("cache")


Commit = Callable[[], subprocess.CompletedProcess[str]]


@pytest.fixture
def repository(tmp_path: Path, hooks: Path) -> Path:
    """A user's repository that has the hooks configured, a spec, and its rendered files."""
    git(tmp_path, "init", "--quiet")
    revision = git(hooks, "rev-parse", "HEAD")
    config = CONFIG.format(hooks=hooks, revision=revision)
    (tmp_path / ".pre-commit-config.yaml").write_text(config)
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    command = [sys.executable, "-m", "generator", "render", "specs"]
    variables = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=tmp_path, env=variables, check=True, stdout=subprocess.DEVNULL)
    return tmp_path


@pytest.fixture
def run_hooks(repository: Path, cache: Path) -> Commit:
    """Runs the hooks on what would be committed, as `git commit` does."""

    def run() -> subprocess.CompletedProcess[str]:
        git(repository, "add", "--all")
        variables = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
        return subprocess.run(
            [sys.executable, "-m", "pre_commit", "run", "--color=never"],
            cwd=repository,
            env=variables | {"PRE_COMMIT_HOME": str(cache)},
            capture_output=True,
            text=True,
        )

    return run


def test_a_good_commit_passes_both_hooks(run_hooks: Commit) -> None:
    ran = run_hooks()

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert verdicts(ran) == {"gen validate": "Passed", "gen render --check": "Passed"}


def test_a_file_that_a_spec_names_is_checked_with_it(repository: Path, run_hooks: Commit) -> None:
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "first")
    (repository / "specs/names.txt").write_text("ant\nbee\ncat\n")

    ran = run_hooks()

    assert ran.returncode == 1
    assert verdicts(ran)["gen validate"] == "Failed"
    assert "specs/one.yaml:7:" in ran.stdout


def test_a_broken_spec_is_refused_with_its_diagnostic(repository: Path, run_hooks: Commit) -> None:
    spec = repository / "specs/one.yaml"
    spec.write_text(spec.read_text() + "hardware: {cpu: 2GB}\n")

    ran = run_hooks()

    assert ran.returncode == 1
    assert verdicts(ran) == {"gen validate": "Failed", "gen render --check": "Failed"}
    assert "specs/one.yaml:10:17: error: `2GB` is not a Kubernetes quantity" in ran.stdout


def test_a_changed_spec_without_its_rendered_files_is_refused(
    repository: Path, run_hooks: Commit
) -> None:
    spec = repository / "specs/one.yaml"
    spec.write_text(spec.read_text() + "hardware: {cpu: 3}\n")

    ran = run_hooks()

    assert ran.returncode == 1
    assert verdicts(ran) == {"gen validate": "Passed", "gen render --check": "Failed"}
    assert '+          cpu: "3"' in ran.stdout


def test_an_edited_rendered_file_is_refused(repository: Path, run_hooks: Commit) -> None:
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "first")
    config = repository / "rendered/one/triton/models/one/config.pbtxt"
    config.write_text(config.read_text() + "# mine\n")

    ran = run_hooks()

    assert ran.returncode == 1
    assert verdicts(ran) == {"gen validate": "Skipped", "gen render --check": "Failed"}


def test_a_changed_team_file_has_its_specs_checked(repository: Path, run_hooks: Commit) -> None:
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "first")
    team = "defaults_version: 1\nserving: {timeout: 7s}\n"
    (repository / "serving-defaults.yaml").write_text(team)

    ran = run_hooks()

    assert ran.returncode == 1
    assert verdicts(ran) == {"gen validate": "Passed", "gen render --check": "Failed"}
    assert "+    timeout: 7" in ran.stdout


def test_other_yaml_is_not_looked_at(repository: Path, run_hooks: Commit) -> None:
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "first")
    (repository / "chart/values.yaml").write_text("replicas: [\n")

    ran = run_hooks()

    assert ran.returncode == 0
    assert verdicts(ran) == {"gen validate": "Skipped", "gen render --check": "Skipped"}


def test_a_manifest_that_a_cluster_would_refuse_is_refused(
    repository: Path, run_hooks: Commit
) -> None:
    config = repository / ".pre-commit-config.yaml"
    config.write_text(config.read_text().replace("id: gen-validate", "id: gen-lint"))
    manifest = "apiVersion: v1\nkind: Service\nmetadata: {name: One}\nspec: {ports: [{port: 80}]}\n"
    (repository / "deploy.yaml").write_text(manifest)

    ran = run_hooks()

    assert verdicts(ran)["gen lint"] == "Failed"
    assert "deploy.yaml:3:18: error: " in ran.stdout


def verdicts(ran: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """What pre-commit says of each hook."""
    lines = [line for line in ran.stdout.splitlines() if "...." in line]
    return {line.split("....")[0].rstrip("."): line.split(".")[-1].split(")")[-1] for line in lines}


@pytest.mark.parametrize("hook", yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text()))
def test_hooks_say_what_they_do(hook: dict[str, object]) -> None:
    assert {"id", "name", "description", "entry", "language", "files"} <= hook.keys()
    assert str(hook["entry"]).startswith("gen ")
