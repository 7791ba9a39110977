"""An engine's environment is made once, whole, and by one run at a time."""

import os
import subprocess
import threading
from pathlib import Path

import pytest

from generator.engines import EngineError, environments

pytestmark = pytest.mark.engine


@pytest.fixture
def nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A requirements file that asks for nothing, and a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("# nothing\n")
    return requirements


def test_makes_an_environment_once(nothing: Path) -> None:
    said: list[str] = []

    made = environments.prepare("toy", [nothing], report=said.append)
    found = environments.prepare("toy", [nothing], report=said.append)

    assert made == found
    assert [line.split()[0] for line in said] == ["installing", "installed"]
    assert made.folder.parent == environments.cache()
    subprocess.run([made.python, "-c", "pass"], check=True)
    assert made.packages.is_dir()


def test_remakes_an_environment_that_was_interrupted(nothing: Path) -> None:
    made = environments.prepare("toy", [nothing])
    (made.folder / environments.MARKER).unlink()
    (made.folder / "left-over").touch()

    made = environments.prepare("toy", [nothing])

    assert (made.folder / environments.MARKER).is_file()
    assert not (made.folder / "left-over").exists()


def test_gives_other_requirements_another_environment(nothing: Path) -> None:
    before = environments.digest([nothing], with_dependencies=True)
    without = environments.digest([nothing], with_dependencies=False)
    nothing.write_text("# other words, same packages\n")
    same = environments.digest([nothing], with_dependencies=True)
    nothing.write_text("six==1.17.0\n")

    assert same == before
    assert len({before, without, environments.digest([nothing], with_dependencies=True)}) == 3


def test_says_what_pip_says_when_a_requirement_cannot_be_installed(nothing: Path) -> None:
    nothing.write_text("six==0.0.0.no\n")

    with pytest.raises(EngineError, match=r"cannot install toy: ERROR: .*six==0\.0\.0\.no"):
        environments.prepare("toy", [nothing])

    [folder] = [path for path in environments.cache().iterdir() if path.is_dir()]
    assert not (folder / environments.MARKER).exists()


def test_lets_one_run_install_while_others_wait(nothing: Path) -> None:
    said: list[str] = []
    runs = [
        threading.Thread(
            target=environments.prepare, args=("toy", [nothing]), kwargs={"report": said.append}
        )
        for _ in range(3)
    ]

    for run in runs:
        run.start()
    for run in runs:
        run.join()

    assert sorted(line.split()[0] for line in said) == [
        "installed",
        "installing",
        "waiting",
        "waiting",
    ]


def test_puts_shared_packages_behind_its_own(nothing: Path, tmp_path: Path) -> None:
    made = environments.prepare("toy", [nothing])

    path = subprocess.run(
        [made.python, "-c", "import sys; print(*sys.path, sep='\\n')"],
        env=os.environ | {environments.SHARED_PACKAGES: str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()

    assert path[-2:] == [str(made.packages), str(tmp_path)]


def test_ignores_a_cache_that_is_not_absolute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")

    assert environments.cache() == Path.home() / ".cache" / "serving-generator" / "engines"
