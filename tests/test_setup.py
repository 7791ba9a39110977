"""What a fresh clone does: the Makefile, .ci/run, and files that are fit for any machine."""

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = re.findall(r"^\.PHONY: (\w+)$", MAKEFILE, re.MULTILINE)


def known_files() -> list[Path]:
    """The files that git knows or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def texts() -> dict[str, str]:
    """The text of every file that git knows, by path."""
    found = {}
    for path in known_files():
        content = path.read_bytes()
        if b"\0" not in content:
            found[str(path.relative_to(ROOT))] = content.decode("utf-8", "replace")
    return found


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of this checkout without what git ignores."""
    for path in known_files():
        copy = tmp_path / "clone" / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
        copy.chmod(path.stat().st_mode)
    return tmp_path / "clone"


def test_make_demo_renders_the_specs_with_the_light_core_alone(clone: Path) -> None:
    before = {path.relative_to(clone) for path in clone.rglob("*") if path.is_file()}
    variables = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "MAKEFLAGS")}

    ran = subprocess.run(
        ["make", "demo"], cwd=clone, env=variables, capture_output=True, text=True, timeout=300
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "rendered/cifar10/triton/manifests/inferenceservice.yaml" in ran.stdout.splitlines()
    after = {path.relative_to(clone) for path in clone.rglob("*") if path.is_file()}
    made = {path.parts[0] for path in after - before if path.parts[0] != "rendered"}
    assert made - {"generator"} == {".venv-demo"}
    assert not list((clone / ".venv-demo").rglob("torch")), "the demo has installed torch"


@pytest.mark.parametrize("target", TARGETS)
def test_make_help_tells_every_target(target: str) -> None:
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)

    lines = [line for line in told.stdout.splitlines() if line.startswith(f"make {target} ")]
    assert len(lines) == 1 or target == "help"


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_can_be_made(target: str) -> None:
    ran = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True)

    assert (ran.returncode, ran.stderr) == (0, "")


def test_ci_runs_the_tests_of_the_readme() -> None:
    script = ROOT / ".ci/run"

    assert os.access(script, os.X_OK)
    assert script.read_text(encoding="utf-8").rstrip().splitlines()[-1] == "make test"
    assert "make test" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_ci_script_is_clean() -> None:
    shellcheck = str(Path(sysconfig.get_path("scripts")) / "shellcheck")
    linted = subprocess.run([shellcheck, ".ci/run"], cwd=ROOT, capture_output=True, text=True)

    assert (linted.returncode, linted.stdout) == (0, "")


# Spelled so that this file does not hold them.
ELSEWHERE = {
    "a package registry": r"pypi\.[op]|python(?:)hosted|download\.py(?:)torch\.org/whl",
    "a setting of one": r"--((extra-)?index-url|find-links)[ =]\S*/|PIP_(EXTRA_)?INDEX_URL=",
    "a folder of one machine": r"/(root|opt|work)/[\w.]+|/home/(?!model-server/|argocd/)\w+/",
}
ALLOWED = {"tests/test_setup.py", "tests/test_goldens.py"}  # the patterns themselves


@pytest.mark.parametrize("kind", ELSEWHERE)
def test_no_file_names(kind: str) -> None:
    pattern = re.compile(ELSEWHERE[kind])

    found = {
        path: match.group()
        for path, text in texts().items()
        if path not in ALLOWED and (match := pattern.search(text))
    }

    assert found == {}


def test_what_is_made_is_ignored() -> None:
    made = [".venv/x", ".venv-demo/x", "build/x", "dist/x", ".ruff_cache/x", "a/__pycache__/x"]
    command = ["git", "check-ignore", *made]

    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    assert ran.stdout.splitlines() == made


ENGINE_TESTS = """
import pytest

@pytest.mark.engine
def test_skipped(): pytest.skip("no server here")

@pytest.mark.engine
@pytest.mark.xfail
def test_fails_as_expected(): assert False

def test_of_no_engine(): pytest.skip("not today")
"""
MODULE = "import pytest; pytest.importorskip('no_such_package')"


def outcomes(folder: Path, ci: str) -> dict[str, int]:
    """How many tests of a folder ended how, with the fixtures of this one."""
    (folder / "conftest.py").write_text((ROOT / "tests/conftest.py").read_text())
    variables = os.environ | {"CI": ci, "PYTHONPATH": f"{ROOT}:{ROOT}/tests"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    ran = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)
    summary = ran.stdout.splitlines()[-1]
    return {word.rstrip("s"): int(n) for n, word in re.findall(r"(\d+) ([a-z]+)", summary)}


def counted(folder: Path, ci: str) -> tuple[int, ...]:
    """Tests failed, skipped, failed as expected, and modules that could not be collected."""
    found = outcomes(folder, ci)
    return tuple(found.get(word, 0) for word in ("failed", "skipped", "xfailed", "error"))


def test_a_skipped_engine_is_a_failure_in_ci_alone(tmp_path: Path) -> None:
    (tmp_path / "test_engine.py").write_text(ENGINE_TESTS)

    assert counted(tmp_path, "true") == (1, 1, 1, 0)
    assert counted(tmp_path, "") == (0, 2, 1, 0)


def test_a_module_of_engine_tests_that_skips_itself_is_an_error_in_ci_alone(tmp_path: Path) -> None:
    (tmp_path / "engines").mkdir()
    (tmp_path / "engines/test_engine.py").write_text(MODULE)

    assert counted(tmp_path, "true") == (0, 0, 0, 1)
    assert counted(tmp_path, "") == (0, 1, 0, 0)
