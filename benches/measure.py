"""What one command costs: time, CPU, memory, processes."""

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SAMPLE_SECONDS = 0.05
LAST_BYTES = 2000


@dataclass(frozen=True)
class Run:
    """One run of a command.

    CPU is user and system time of the process and of the children that it waited for. Memory is
    the resident size of the largest single one of them, never told smaller than this harness (a
    child starts as its image). `processes` is how many ran at one time, 0 where nobody looked.
    """

    wall_seconds: float
    cpu_seconds: float
    peak_mib: float
    processes: int = 0


class Failed(RuntimeError):
    """A command that did not end as it should; says why."""


def run(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path,
    stdout: Path | None = None,
    statuses: Sequence[int] = (0,),
    limit_seconds: float,
    is_watched: bool = False,
) -> Run:
    """Run a command to its end and measure it; raises Failed.

    `is_watched` counts its processes, which takes a little of the CPU that it is measured on.
    """
    with tempfile.TemporaryFile() as errors, open(stdout or os.devnull, "wb") as out:
        began = time.perf_counter()
        program = subprocess.Popen(
            list(command),
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=errors,
            start_new_session=True,
        )
        late = threading.Event()
        limit = threading.Timer(limit_seconds, _end, (program.pid, late))
        limit.start()
        watch = _Watch(program.pid)
        if is_watched:
            watch.start()
        try:
            _, status, usage = os.wait4(program.pid, 0)
            wall = time.perf_counter() - began
        except BaseException:
            _end(program.pid, late)
            raise
        finally:
            limit.cancel()
            watch.over.set()
        program.returncode = os.waitstatus_to_exitcode(status)
        if late.is_set():
            raise Failed(f"longer than {limit_seconds:.0f} s")
        if program.returncode not in statuses:
            size = errors.seek(0, os.SEEK_END)
            errors.seek(max(0, size - LAST_BYTES))
            said = errors.read().decode("utf-8", "replace").strip()
            raise Failed(f"status {program.returncode}: {said}")
    cpu = usage.ru_utime + usage.ru_stime
    return Run(wall, cpu, usage.ru_maxrss / 1024, watch.most if is_watched else 0)


def _end(group: int, late: threading.Event) -> None:
    late.set()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


class _Watch(threading.Thread):
    """Counts the processes of a family now and then."""

    def __init__(self, parent: int) -> None:
        super().__init__(daemon=True)
        self.parent = parent
        self.most = 1
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(SAMPLE_SECONDS):
            self.most = max(self.most, sum(1 for _ in _family(self.parent)))


def _family(process: int) -> Iterator[int]:
    """A process and all below it that are there now (proc(5), /proc/PID/task/TID/children)."""
    yield process
    try:
        children = [
            int(child)
            for task in Path(f"/proc/{process}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:  # it has ended, or this kernel does not tell
        return
    for child in children:
        yield from _family(child)
