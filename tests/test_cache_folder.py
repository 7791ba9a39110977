"""The user's cache is found where there is one, and does not grow without end."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from generator.cache_folder import cache_folder, make_room


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., list[str]]:
    """Writes files, a minute between them, and tells what is there."""

    def there(*names: str) -> list[str]:
        for minute, name in enumerate(names):
            (tmp_path / name).touch()
            os.utime(tmp_path / name, (60 * minute, 60 * minute))
        return sorted(os.listdir(tmp_path))

    return there


def test_the_files_that_were_written_last_stay(
    tmp_path: Path, files: Callable[..., list[str]]
) -> None:
    files("b", ".staged.12ab", "a", "c")

    make_room(tmp_path, 2)

    assert files() == ["a", "c"]


def test_a_folder_or_a_link_that_leads_nowhere_is_in_nobodys_way(
    tmp_path: Path, files: Callable[..., list[str]]
) -> None:
    (tmp_path / "folder").mkdir()
    os.utime(tmp_path / "folder", (0, 0))
    (tmp_path / "gone").symlink_to("nowhere")  # as a file that another run has just removed
    files("old", "new")

    make_room(tmp_path, 1)

    assert files() == ["folder", "gone", "new"]


def test_a_folder_that_is_not_there_has_room(tmp_path: Path) -> None:
    make_room(tmp_path / "none", 0)


@pytest.mark.parametrize("base", [None, "", "relative"])
def test_without_a_home_there_is_no_cache(
    base: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if base is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", base)
    monkeypatch.setattr(Path, "mkdir", lambda *_, **__: pytest.fail("made"))

    assert cache_folder("renders") is None
