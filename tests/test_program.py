"""The program ends quickly, and as Python itself would: status, output, handlers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROGRAM = "import sys; sys.argv[0] = 'gen'; from generator.__main__ import run; run()"


def ran(*arguments: str, folder: Path, before: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"{before}\n{PROGRAM}", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["--version"], 0), (["validate", "broken.yaml"], 1), (["validate", "missing.yaml"], 2)],
)
def test_the_exit_status_is_that_of_the_command(
    arguments: list[str], status: int, tmp_path: Path
) -> None:
    (tmp_path / "broken.yaml").write_text("spec_version: 1\n")

    assert ran(*arguments, folder=tmp_path).returncode == status


def test_a_long_output_reaches_a_pipe_whole(tmp_path: Path) -> None:
    """The schema is longer than what a pipe holds at once."""
    inside = subprocess.run(
        [sys.executable, "-c", "from generator import cli; cli.main(['schema'])"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    told = ran("schema", folder=tmp_path)

    assert len(told.stdout) > 65536
    assert told.stdout == inside.stdout


def test_a_stdout_that_nobody_reads_is_told_by_the_status_alone(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as stdout:
        told = subprocess.run(
            [sys.executable, "-c", PROGRAM, "schema"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=stdout,
            stderr=subprocess.PIPE,
            check=False,
        )

    assert (told.returncode, told.stderr) == (2, b"")


def test_handlers_of_the_end_are_called_and_what_they_print_is_seen(tmp_path: Path) -> None:
    before = "import atexit; atexit.register(print, 'the end')"

    assert ran("--version", folder=tmp_path, before=before).stdout.splitlines()[1:] == ["the end"]


def test_threads_are_waited_for(tmp_path: Path) -> None:
    before = (
        "import threading\n"
        "begun = threading.main_thread()\n"
        "work = lambda: (begun.join(), print('worked'))\n"
        "threading.Thread(target=work).start()"
    )

    told = ran("--version", folder=tmp_path, before=before)

    assert told.returncode == 0
    assert told.stdout.splitlines()[1:] == ["worked"]
