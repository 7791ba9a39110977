"""An engine's environment is made once, whole, and by one run at a time."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from generator.engines import EngineMissing, environments, installation

pytestmark = pytest.mark.engine
ROOT = Path(__file__).parents[2]


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

    with pytest.raises(EngineMissing, match=r"cannot install toy: ERROR: .*six==0\.0\.0\.no"):
        environments.prepare("toy", [nothing])

    assert [path for path in environments.cache().iterdir() if path.is_dir()] == []


@pytest.fixture
def silent_index(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package index that takes connections and answers nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        for name in ("PIP_NO_INDEX", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.getsockname()[1]}/simple")
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield


@pytest.mark.usefixtures("silent_index")
def test_gives_a_silent_package_index_up(nothing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing.write_text("six==1.17.0\n")
    monkeypatch.setattr(installation, "SILENCE_SECONDS", 1)
    began = time.monotonic()

    with pytest.raises(EngineMissing) as caught:
        environments.prepare("toy", [nothing])

    assert time.monotonic() - began < 60
    assert "WARNING: Retrying" in str(caught.value)
    assert "it needs six==1.17.0 from the package index that pip is set up for" in str(caught.value)


def test_ends_an_installation_that_takes_too_long(
    nothing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installation, "INSTALL_SECONDS", 0.2)

    with pytest.raises(EngineMissing, match=r"installing toy took longer than 0\.2 s"):
        environments.prepare("toy", [nothing])

    assert [path for path in environments.cache().iterdir() if path.is_dir()] == []


@pytest.mark.usefixtures("silent_index")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_installation_leaves_nothing(number: signal.Signals, nothing: Path) -> None:
    command = [sys.executable, "-m", "generator", "engines", "install", "seldon"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as gen:
        deadline = time.monotonic() + 60
        while not (pips := children_of(gen.pid, "pip")) and time.monotonic() < deadline:
            time.sleep(0.05)

        gen.send_signal(number)
        _, said = gen.communicate(timeout=30)

    assert pips
    assert gen.returncode == 130, said
    assert said.endswith("gen: interrupted\n")
    assert [path for path in environments.cache().iterdir() if path.is_dir()] == []
    assert not any(Path(f"/proc/{pid}").exists() for pid in pips)


def children_of(parent: int, word: str) -> list[int]:
    """The processes that another has started, with a word among their arguments."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            status = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(status[1]) == parent and word in (folder / "cmdline").read_text().split("\0"):
                found.append(int(folder.name))
    return found


def test_tells_what_it_downloads_and_how_long_it_took(
    nothing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installation, "TOLD_MB", 0)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    nothing.write_text("pillow==12.0.0\n")  # of several MB: pip tells smaller sizes in kB
    said: list[str] = []

    environments.prepare("toy", [nothing], report=said.append)

    steps = "\n".join(said)
    assert re.search(r"installing toy: downloading pillow-12\.0\.0-\S+, [\d.]+ MB, \d+ s\n", steps)
    assert re.search(r"installing toy: unpacking, \d+ s\ninstalled toy in \d+ s$", steps)


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
