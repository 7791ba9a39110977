"""A server process is waited for, quoted when it fails, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from generator.engines import EngineError, ports, process


def python(code: str) -> list[str]:
    """Give the command that runs some lines of Python."""
    return [sys.executable, "-c", textwrap.dedent(code)]


def is_running(pid: int) -> bool:
    """Tell whether a process exists and is not just waiting to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_yields_the_log_of_a_server_that_is_ready(tmp_path: Path) -> None:
    [port] = ports.free_ports(1)
    serve = [sys.executable, "-m", "http.server", str(port), "--bind", ports.LOOPBACK]
    address = f"{ports.LOOPBACK}:{port}"

    with process.running(
        "a web server",
        serve,
        folder=tmp_path,
        is_ready=lambda: ports.is_ok(address, "/"),
        timeout_seconds=20,
    ) as server:
        assert "GET / HTTP" in server.log.read_text()
        assert server.ended() is None

    assert not ports.is_ok(address, "/")


def test_tells_how_a_server_ended_that_was_ready(tmp_path: Path) -> None:
    with process.running(
        "a server",
        python("import time; print('no memory left', flush=True); time.sleep(60)"),
        folder=tmp_path,
        is_ready=lambda: bool((tmp_path / "server.log").read_text()),
        timeout_seconds=20,
    ) as server:
        server.process.kill()

        assert server.ended() == "a server was killed by SIGKILL\nno memory left"


def test_kills_a_child_that_ignores_sigterm_and_its_children(tmp_path: Path) -> None:
    stubborn = """
        import pathlib, signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c",
            "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"])
        time.sleep(0.3)
        pathlib.Path("child").write_text(str(child.pid))
        time.sleep(60)
    """
    child = tmp_path / "child"

    with process.running(
        "a stubborn server",
        python(stubborn),
        folder=tmp_path,
        is_ready=lambda: child.is_file() and bool(child.read_text()),
        timeout_seconds=20,
        stop_seconds=0.2,
    ):
        pid = int(child.read_text())
        assert is_running(pid)

    assert not is_running(pid)


def test_ends_children_that_outlive_their_parent(tmp_path: Path) -> None:
    launcher = """
        import pathlib, subprocess, sys
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        pathlib.Path("child").write_text(str(child.pid))
    """

    with (
        pytest.raises(EngineError, match="a launcher ended with exit status 0"),
        process.running(
            "a launcher",
            python(launcher),
            folder=tmp_path,
            is_ready=lambda: False,
            timeout_seconds=20,
        ),
    ):
        pass

    assert not is_running(int((tmp_path / "child").read_text()))


def test_says_what_a_server_that_ended_said(tmp_path: Path) -> None:
    with (
        pytest.raises(EngineError, match=r"a server ended with exit status 3\n.*no such model"),
        process.running(
            "a server",
            python("import sys; print('no such model'); sys.exit(3)"),
            folder=tmp_path,
            is_ready=lambda: False,
            timeout_seconds=20,
        ),
    ):
        pass


def test_says_how_long_it_waited_for_a_server(tmp_path: Path) -> None:
    with (
        pytest.raises(EngineError, match=r"a server was not ready after 0.5 s\nstill loading"),
        process.running(
            "a server",
            python("import time; print('still loading', flush=True); time.sleep(60)"),
            folder=tmp_path,
            is_ready=lambda: False,
            timeout_seconds=0.5,
        ),
    ):
        pass


TRITONS = (
    'I1120 12:29:24.4 1 server.cc:604] "fine"\n'
    "+-------+---------+\n"
    "| Model | Version |\n"
    "\n"
    'E1120 12:29:24.4 1 server.cc:241] "CudaDriverHelper has not been initialized."\n'
    'W1120 12:29:24.4 1 memory.cc:273] "Unable to allocate pinned system memory: no CUDA"\n'
)


@pytest.mark.parametrize(
    ("log", "quoted"),
    [
        (
            f'{TRITONS}E1120 12:29:24.5 1 manager.cc:1460] "Poll failed"\ngoodbye\n',
            'E1120 12:29:24.5 1 manager.cc:1460] "Poll failed"',
        ),
        (f"{TRITONS}Segmentation fault\n", "Segmentation fault"),
        (TRITONS, "(its log does not say why)"),
    ],
)
def test_quotes_what_tells_why_in_a_log(tmp_path: Path, log: str, quoted: str) -> None:
    (tmp_path / "server.log").write_text(log)

    assert process.own_words(tmp_path / "server.log") == quoted


def test_stops_its_server_when_interrupted(tmp_path: Path) -> None:
    """Ctrl-C reaches the caller alone: the server has a session of its own and must not stay."""
    caller = """
        import os, sys
        from pathlib import Path
        from generator.engines import process
        code = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(60)"
        with process.running("a server", [sys.executable, "-c", code], folder=Path(sys.argv[1]),
                             is_ready=lambda: False, timeout_seconds=60):
            pass
    """
    pid_file = tmp_path / "pid"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    running = subprocess.Popen(
        [*python(caller), str(tmp_path)], env=environment, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 20
    while not (pid_file.is_file() and pid_file.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)

    running.send_signal(signal.SIGINT)
    running.wait(timeout=20)

    assert not is_running(int(pid_file.read_text()))


def test_gives_distinct_ports() -> None:
    assert len(set(ports.free_ports(20))) == 20
