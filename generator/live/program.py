"""A rendered program that asks a server about files, and prints the answers."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from generator.live import Answer, Refused, Unanswered
from generator.live.exchange import TIMEOUT_SECONDS
from generator.live.image_requests import prediction_answer
from generator.project import Project

REFUSAL = re.compile(r"(4\d\d: |.*INVALID_ARGUMENT)", re.DOTALL)


def ask_about_images(
    project: Project, program: Path, arguments: Sequence[str], images: Sequence[bytes]
) -> list[Answer]:
    """Name files with images to a program that prints the answer to each on one line of JSON."""
    return [
        prediction_answer(project, line) for line in printed_of_images(program, arguments, images)
    ]


def printed_of_images(
    program: Path, arguments: Sequence[str], images: Sequence[bytes]
) -> list[Any]:
    """One line of JSON for each image, as `printed` has them."""

    def write(folder: Path) -> list[str]:
        for index, image in enumerate(images):
            (folder / str(index)).write_bytes(image)
        return [str(index) for index in range(len(images))]

    lines = printed(program, arguments, write)
    if len(lines) != len(images):
        raise Unanswered(f"{program.name} printed {len(lines)} answers to {len(images)} images")
    return lines


def printed(
    program: Path, arguments: Sequence[str], write: Callable[[Path], Sequence[str]]
) -> list[Any]:
    """The lines of JSON that a Python program prints about files of its working folder.

    `write` puts the files into that folder and gives their names. Raises Refused where the
    program ends with a server's refusal or with what is wrong with a file, else Unanswered.
    """
    with tempfile.TemporaryDirectory(prefix="asking-") as name:
        files = write(Path(name))
        try:
            done = subprocess.run(
                [sys.executable, str(program.resolve()), *arguments, *files],
                cwd=name,
                env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Unanswered(f"{program.name} took longer than {TIMEOUT_SECONDS:g} s") from None
    if done.returncode:
        raise _failure(done.stderr.strip().removeprefix(f"{program.name}: "), files)
    try:
        return [json.loads(line) for line in done.stdout.splitlines()]
    except ValueError:
        raise Unanswered(f"{program.name} printed no JSON: {done.stdout[:300]}") from None


def _failure(said: str, files: Sequence[str]) -> Refused | Unanswered:
    """What the words mean with which a program ended; of a traceback its last line tells most."""
    if said.startswith("Traceback"):
        return Unanswered(said.splitlines()[-1])
    about_file = said.startswith(tuple(f"{file}: " for file in files))
    return (Refused if about_file or REFUSAL.match(said) else Unanswered)(said)
