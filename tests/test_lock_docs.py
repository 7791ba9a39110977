"""What docs/lock.md shows is what gen does."""

import re
import shutil
from pathlib import Path

import pytest

from generator.cli import main

ROOT = Path(__file__).parents[1]
DOCS = (ROOT / "docs" / "lock.md").read_text()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the specs, and the digests of the lock that is shown."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    (tmp_path / ".git").mkdir()
    shutil.copytree(ROOT / "specs", tmp_path / "specs")
    lines = re.findall(r"^  (\S+): (sha256:[0-9a-f]{64})$", DOCS, re.M)
    (tmp_path / "digests.txt").write_text("".join(f"{' '.join(line)}\n" for line in lines))
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    main(words)
    told = capsys.readouterr()
    return f"```\n$ gen {' '.join(words)}\n{told.out}{told.err}```"


def test_the_lock_and_what_is_printed_are_those_that_gen_lock_makes(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = printed(capsys, "lock", "specs/cifar10.yaml", "--from", "digests.txt")

    assert told in DOCS
    assert f"```yaml\n{(folder / 'images.lock').read_text()}```" in DOCS


def test_the_warning_and_the_image_are_those_of_a_lock_that_lacks_one(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["lock", "specs/cifar10.yaml", "--from", "digests.txt"])
    capsys.readouterr()

    assert printed(capsys, "validate", "specs/cifar10.yaml") in DOCS
    main(["render", "specs/cifar10.yaml"])
    runtime = Path("rendered/cifar10/triton/manifests/servingruntime.yaml").read_text()
    [image] = re.findall(r"```yaml\n(      image: .*\n)```", DOCS)
    assert image in runtime


def test_every_option_is_in_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    main(["lock", "--help"])

    options = set(re.findall(r"^  (--[a-z-]+)", capsys.readouterr().out, re.M))
    assert options == set(re.findall(r"^\| `(--[a-z-]+)", DOCS, re.M))
