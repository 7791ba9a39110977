"""`gen engines`: what it lists, installs and removes."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from generator.commands.engines import ENGINES
from generator.engines import cached, environments, kserve

COMPONENT = Path(__file__).parents[1] / "rendered/cifar10/triton/images/transformer"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of engines with nothing in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return environments.cache()


def entry(cache: Path, name: str, *, complete: bool = True, size: int = 100_000) -> Path:
    """An environment in the cache, as `prepare` leaves it."""
    folder = cache / name
    (folder / "lib").mkdir(parents=True)
    (folder / "lib/large").write_bytes(b"x" * size)
    folder.with_suffix(".lock").touch()
    if complete:
        (folder / environments.MARKER).touch()
    return folder


def test_lists_engines_that_are_not_installed(gen: Callable[..., Any], cache: Path) -> None:
    ran = gen("engines")

    assert (ran.status, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert [line.split()[0] for line in lines] == ["triton", "kserve", "torchserve", "seldon"]
    assert all("  not installed  for " in line for line in lines)
    assert lines[2].split()[1:3] == ["torchserve", "0.12.0"]
    assert not cache.exists()


def test_lists_packages_and_folders_as_json(gen: Callable[..., Any], cache: Path) -> None:
    folder = entry(cache, "kserve-0123456789ab")
    half = entry(cache, "kserve-ba9876543210", complete=False)

    listed = {each["name"]: each for each in json.loads(gen("engines", "--json").out)}

    assert listed["triton"]["packages"]["nvidia-pytriton"] == "==0.7.0"
    assert listed["seldon"]["serves"] == ["seldon"]
    assert not listed["kserve"]["installed"]
    assert listed["kserve"]["size_bytes"] == 0
    others = {each["folder"]: each for each in listed["kserve"]["others"]}
    assert others[str(folder)]["is_complete"]
    assert not others[str(half)]["is_complete"]
    assert 100_000 <= others[str(folder)]["size_bytes"] < 200_000


def test_tells_other_and_half_made_environments(gen: Callable[..., Any], cache: Path) -> None:
    folder = entry(cache, "triton-0123456789ab", size=3 << 20)
    half = entry(cache, "triton-ba9876543210", complete=False, size=1 << 20)

    lines = gen("engines").out.splitlines()

    assert "not installed" in lines[0]
    assert lines[1:3] == [f"  {folder}: with other packages, 3 MiB", f"  {half}: half-made, 1 MiB"]


def test_removes_engines_and_what_belongs_to_them(gen: Callable[..., Any], cache: Path) -> None:
    gone = [
        entry(cache, "triton-0123456789ab", size=3 << 20),
        entry(cache, "triton-ba9876543210", complete=False, size=1 << 20),
    ]
    kept = entry(cache, "seldon-0123456789ab")

    ran = gen("engines", "remove", "triton")

    assert ran.status == 0
    assert ran.out == f"{gone[0]}: removed, 3 MiB\n{gone[1]}: removed, 1 MiB\n"
    assert ran.err == "4 MiB freed\n"
    assert sorted(path.name for path in cache.iterdir()) == [kept.name, f"{kept.name}.lock"]
    assert (kept / environments.MARKER).exists()


def test_removes_all_engines_and_nothing_else(
    gen: Callable[..., Any], cache: Path, tmp_path: Path
) -> None:
    for name in ENGINES:
        entry(cache, f"{name}-0123456789ab")
    (cache / "kserve-aaaaaaaaaaaa.lock").touch()
    theirs = {"notes.txt", "triton-old", "triton-0123456789abc", "mine-0123456789ab"}
    for name in theirs:
        (cache / name).mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/precious").touch()
    (cache / "seldon-bbbbbbbbbbbb").symlink_to(tmp_path / "elsewhere")

    ran = gen("engines", "remove")

    assert ran.status == 0
    assert {path.name for path in cache.iterdir()} == theirs | {"seldon-bbbbbbbbbbbb"}
    assert (tmp_path / "elsewhere/precious").exists()


def test_an_unknown_name_removes_nothing(gen: Callable[..., Any], cache: Path) -> None:
    folder = entry(cache, "triton-0123456789ab")

    ran = gen("engines", "remove", "triton", "tritn")

    assert (ran.status, ran.out) == (2, "")
    assert ran.err == ("gen: unknown engine tritn; known: triton, kserve, torchserve, seldon\n")
    assert (folder / environments.MARKER).exists()


def test_leaves_an_environment_that_another_run_makes(gen: Callable[..., Any], cache: Path) -> None:
    made = entry(cache, "triton-0123456789ab", complete=False)
    gone = entry(cache, "triton-ba9876543210")

    with environments.locked_alone(environments.lock_of(made)):
        ran = gen("engines", "remove")

    assert ran.status == 2
    assert f"gen: {made} is being installed by another run: left in place\n" in ran.err
    assert made.exists()
    assert not gone.exists()


def test_a_run_that_waits_for_a_removal_takes_a_lock_of_its_own(cache: Path) -> None:
    """The one that it waited for is gone, and the next run would not see it held."""
    lock = environments.lock_of(entry(cache, "triton-0123456789ab"))
    waits, held, release = threading.Event(), threading.Event(), threading.Event()

    def wait() -> None:
        with environments.locked(lock, name="triton", report=lambda _: waits.set()):
            held.set()
            release.wait(10)

    other = threading.Thread(target=wait)
    with environments.locked_alone(lock):
        other.start()
        assert waits.wait(10)
        lock.unlink()
    assert held.wait(10)

    with pytest.raises(BlockingIOError), environments.locked_alone(lock, wait=False):
        pass
    release.set()
    other.join()


def test_a_removal_that_is_cut_off_leaves_no_complete_environment(
    gen: Callable[..., Any], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = entry(cache, "triton-0123456789ab")

    def cut_off(_folder: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cached, "remove", cut_off)
    ran = gen("engines", "remove")

    assert ran.status == 130
    assert folder.exists()
    assert not environments.is_complete(folder)


@pytest.mark.engine
def test_without_a_package_index_says_what_is_needed(
    gen: Callable[..., Any], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)

    ran = gen("engines", "install", "torchserve")

    assert (ran.status, ran.out) == (2, "")
    assert "gen: cannot install torchserve: ERROR: " in ran.err
    assert "it needs torchserve==0.12.0, " in ran.err
    assert "PIP_FIND_LINKS" in ran.err
    assert [path for path in cache.iterdir() if path.is_dir()] == []


@pytest.mark.engine
def test_what_is_installed_is_what_the_servers_start(gen: Callable[..., Any]) -> None:
    installed = gen("engines", "install")
    assert installed.status == 0, installed.err

    listed = {each["name"]: each for each in json.loads(gen("engines", "--json").out)}

    assert all(each["installed"] for each in listed.values())
    assert all(each["size_bytes"] > 100 << 20 for each in listed.values())
    assert listed["kserve"]["folder"] == str(kserve.prepare(COMPONENT).folder)
    assert installed.out == "".join(f"{name}: {each['folder']}\n" for name, each in listed.items())
