"""Whatever may change what is rendered changes the stamp, and nothing in the package fails it."""

from pathlib import Path

import pytest

from generator.runs import stamp as module
from generator.runs.stamp import stamp


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of one file, and the folders beside it."""
    for folder in ("generator", "templates", "schemas"):
        (tmp_path / folder).mkdir()
    (tmp_path / "generator/cli.py").write_text("one")
    places = {"cli.py": tmp_path / "generator/cli.py"}
    monkeypatch.setattr(module, "shipped", lambda name: places.get(name, tmp_path / name))
    return tmp_path / "generator"


def test_a_new_or_changed_file_changes_it(package: Path) -> None:
    stamps = [stamp()]
    (package / "new.py").write_text("")
    stamps.append(stamp())
    (package / "cli.py").write_text("another")
    stamps.append(stamp())

    assert len(set(stamps)) == 3
    assert stamp() == stamps[-1]


def test_a_link_that_leads_nowhere_is_a_file_too(package: Path) -> None:
    """As an editor leaves one beside what is being edited."""
    before = stamp()
    (package / ".#cli.py").symlink_to("user@host.1234")

    assert stamp() != before


def test_a_link_is_what_it_leads_to(package: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.py").write_text("one")
    (package / "linked.py").symlink_to(tmp_path / "elsewhere.py")
    before = stamp()

    (tmp_path / "elsewhere.py").write_text("another")

    assert stamp() != before
