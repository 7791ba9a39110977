"""Make a virtual environment and install requirement files into it, with visible progress."""

import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from generator.engines import EngineMissing, Report, process

INSTALL_SECONDS = 1800
SILENCE_SECONDS = 15  # of the package index, before pip asks again
RETRIES = 2  # pip's own default tries for minutes where there is no network
TOLD_MB = 10  # a download of as much is told
LAST_LINES = 10
GRACE_SECONDS = 5.0
DOWNLOAD = re.compile(r"\s*Downloading (\S+) \(([\d.]+) MB\)")
PINNED = re.compile(r"([A-Za-z0-9._-]+)\s*([=<>~!].*)?")


def install(
    name: str,
    folder: Path,
    requirements: Sequence[Path],
    options: Sequence[str],
    report: Report,
) -> None:
    """Make an environment from nothing; where that fails, nothing of it is left.

    `options` are pip's. Raises EngineMissing with the words of venv or pip.
    """
    remove(folder)
    began = time.monotonic()
    report(f"installing {name} into {folder} (once)")

    def tell(line: str) -> None:
        if step := _step(line):
            report(f"installing {name}: {step}, {time.monotonic() - began:.0f} s")

    try:
        # Isolated (-I): pip would take packages on the caller's PYTHONPATH for installed ones.
        _run(name, [sys.executable, "-I", "-m", "venv", str(folder)], tell)
        _run(name, _pip(folder, requirements, options), tell, needs=_needs(requirements))
    except BaseException:
        remove(folder)
        raise
    report(f"installed {name} in {time.monotonic() - began:.0f} s")


def remove(folder: Path) -> None:
    """Remove a folder, if it is there."""
    if folder.exists():
        shutil.rmtree(folder)


def packages(requirements: Sequence[Path]) -> dict[str, str]:
    """The packages that requirement files ask for, with their versions as `==1.2`, in order."""
    lines = [line.strip() for path in requirements for line in path.read_text("utf-8").splitlines()]
    found = [PINNED.match(line) for line in lines if line and not line.startswith("#")]
    return {match[1]: match[2] or "" for match in found if match}


def _needs(requirements: Sequence[Path]) -> str:
    """What the machine must have for pip to succeed, as a line of its own."""
    listed = ", ".join(f"{name}{version}" for name, version in packages(requirements).items())
    return (
        f"\nit needs {listed} from the package index that pip is set up for; without a network, "
        "set PIP_NO_INDEX=1, and PIP_FIND_LINKS to a folder that pip download has filled elsewhere"
    )


def _pip(folder: Path, requirements: Sequence[Path], options: Sequence[str]) -> list[str]:
    files = [word for path in requirements for word in ("-r", str(path))]
    quiet = ["--no-input", "--progress-bar", "off", "--disable-pip-version-check"]
    bounded = ["--retries", str(RETRIES), "--timeout", str(SILENCE_SECONDS)]
    python = str(folder / "bin" / "python3")
    return [python, "-I", "-m", "pip", "install", *quiet, *bounded, *options, *files]


def _step(line: str) -> str | None:
    """What a line of pip's says that is worth telling."""
    download = DOWNLOAD.match(line)
    if download and float(download[2]) >= TOLD_MB:
        return f"downloading {download[1]}, {download[2]} MB"
    return "unpacking" if line.startswith("Installing collected packages") else None


def _run(
    name: str, command: Sequence[str], tell: Callable[[str], None], *, needs: str = ""
) -> None:
    """Run one step of an installation, or raise EngineMissing with what it said and needs."""
    began, lines = time.monotonic(), []
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as running:
        limit = threading.Timer(INSTALL_SECONDS, process.send, (running, signal.SIGKILL))
        limit.start()
        try:
            for said in running.stdout or ():
                lines.append(said.decode("utf-8", "replace").rstrip())
                tell(lines[-1])
            status = running.wait()
        finally:
            limit.cancel()
            process.end(running, grace_seconds=GRACE_SECONDS)
    if status and time.monotonic() - began > INSTALL_SECONDS:
        raise EngineMissing(f"installing {name} took longer than {INSTALL_SECONDS} s")
    if status:
        raise EngineMissing(f"cannot install {name}: {_complaint(lines)}{needs}")


def _complaint(lines: Sequence[str]) -> str:
    """Quote the errors among what venv or pip said, and why pip had to ask again."""
    retries = [line for line in lines if line.startswith("WARNING: Retrying")][:1]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return "\n".join([*errors, *retries] or lines[-LAST_LINES:])
