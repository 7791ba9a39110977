"""What holds for all specs of a folder is looked for once in a run, and noted for each of them."""

from pathlib import Path

import pytest

from generator import reads, upward
from generator.upward import found_upward, looked_up_once

NAME = "serving-defaults.yaml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / NAME).touch()
    below = tmp_path / "team"
    below.mkdir()
    return below


def test_what_is_found_in_a_run_is_what_is_found_without(folder: Path) -> None:
    without = found_upward(folder, NAME)

    with looked_up_once():
        assert found_upward(folder, NAME) == found_upward(folder, NAME) == without
        assert found_upward(folder, "images.lock") == []
        assert found_upward(folder.parent, NAME) == without == [folder.parent / NAME]


def test_a_caller_may_change_what_it_was_given(folder: Path) -> None:
    with looked_up_once():
        found_upward(folder, NAME).clear()

        assert found_upward(folder, NAME) == [folder.parent / NAME]


def test_each_build_of_a_run_notes_all_that_was_asked(folder: Path) -> None:
    with reads.noted() as without:
        found_upward(folder, NAME)

    with looked_up_once():
        for _ in range(2):
            with reads.noted() as journal:
                found_upward(folder, NAME)
            assert journal.answers == without.answers


def test_the_file_system_is_asked_once_in_a_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []
    real = reads.is_file
    monkeypatch.setattr(reads, "is_file", lambda path: asked.append(path) or real(path))

    with looked_up_once():
        found_upward(folder, NAME)
        first = len(asked)
        found_upward(folder, NAME)

    assert len(asked) == first == 2


def test_the_next_run_looks_again(folder: Path) -> None:
    with looked_up_once():
        found_upward(folder, NAME)
    (folder / NAME).touch()

    assert found_upward(folder, NAME)[0] == folder / NAME
    with looked_up_once():
        assert found_upward(folder, NAME)[0] == folder / NAME


def test_runs_may_overlap_and_end_in_any_order(folder: Path) -> None:
    first, second = looked_up_once(), looked_up_once()
    first.__enter__()
    second.__enter__()
    found_upward(folder, NAME)
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)

    assert not upward._known
    (folder / NAME).touch()
    assert found_upward(folder, NAME)[0] == folder / NAME


def test_what_cannot_be_asked_is_asked_and_noted_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "is_file", _refused)

    with looked_up_once():
        for _ in range(2):
            with reads.noted() as journal, pytest.raises(PermissionError):
                found_upward(folder, NAME)
            assert journal.answers == {("is_file", str(folder / NAME)): "failed: EACCES"}


def _refused(path: Path) -> bool:
    raise PermissionError(13, "Permission denied", str(path))
