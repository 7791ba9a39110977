"""Load an exported program in a process that knows nothing of the user's code, and ask it there.

This module is both sides: `python -I` runs its `main` in the other process.
"""

import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from generator.diagnostics import CannotRun
from generator.export.loaded import load_program
from generator.export.refusal import Refusal, first_line
from generator.export.samples import Tensors
from generator.export.torchvision_import import import_torchvision

SECONDS = 300  # for a program that answers a few samples
START = """\
import sys
sys.path += [sys.argv.pop(1), sys.argv.pop(1)]
from generator.export.fresh_process import main
sys.exit(main(*sys.argv[1:]))
"""


def answers_of_a_fresh_process(
    path: Path, export_format: str, asked: Sequence[Tensors], *, with_torchvision: bool = False
) -> list[Tensors]:
    """What the program of a file answers in a process of its own, on the CPU.

    `with_torchvision`: it may call torchvision's operators. Raises Refusal where it cannot be
    loaded there or fails, CannotRun where it takes too long.
    """
    home = str(Path(__file__).parents[2])  # that of this package, and of no user's
    # -I: neither PYTHONPATH nor `pip --user` nor the folder that gen was called in; torch may
    # come from the first two.
    libraries = str(Path(torch.__file__).parents[1])
    command = [sys.executable, "-I", "-c", START, home, libraries]
    command += [str(path.resolve()), export_format]
    command += ["torchvision"] if with_torchvision else []
    with tempfile.TemporaryDirectory() as empty:
        try:
            ran = subprocess.run(
                command,
                input=_packed(asked),
                capture_output=True,
                cwd=empty,
                env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            message = f"the exported program has not answered within {SECONDS} s in a new process"
            raise CannotRun(message) from None
    if ran.returncode:
        lines = ran.stderr.decode(errors="replace").strip().splitlines()
        said = lines[-1] if lines else f"it ended with status {ran.returncode}"
        message = f"the exported program does not run in a process of its own: {said}"
        hint = "a server has neither your code nor operators of other libraries than torch"
        raise Refusal(("export",), message, hint)
    return _unpacked(ran.stdout)


def main(path: str, export_format: str, library: str = "") -> int:
    """Answer the samples on stdin on stdout; the exit status."""
    answer = os.dup(1)
    os.dup2(2, 1)  # what libraries print is no answer
    asked = _unpacked(sys.stdin.buffer.read())
    try:
        if library:
            import_torchvision()
        program = load_program(Path(path), export_format)
        answers = [program(inputs) for inputs in asked]
    except Exception as error:  # as many kinds as there are formats
        sys.stderr.write(f"{type(error).__name__}: {first_line(error)}\n")
        return 1
    with open(answer, "wb") as file:
        file.write(_packed(answers))
    return 0


def _packed(tensors: Sequence[Tensors]) -> bytes:
    whole = io.BytesIO()
    torch.save(list(tensors), whole)
    return whole.getvalue()


def _unpacked(content: bytes) -> list[Tensors]:
    loaded: list[Tensors] = torch.load(io.BytesIO(content), weights_only=True)
    return loaded
