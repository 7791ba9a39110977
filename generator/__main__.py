"""The program `gen`: `cli.main` as a process of its own, quick to end."""

import atexit
import contextlib
import gc
import os
import sys
import threading
from typing import NoReturn

from generator.cli import main


def run() -> NoReturn:
    """Run the command line and end with its exit status.

    At its end Python takes every module apart, which is an eighth of a short run. The system takes
    all of it back anyway, once what is to be done at the end is done: output flushed, by `main`,
    and the handlers of `atexit`. Where threads run on it is left to Python to wait for them.
    """
    gc.set_threshold(20_000, 10, 10)  # most of what a run makes stays: a twentieth of it is saved
    status = main()
    if threading.active_count() > 1:
        sys.exit(status)
    atexit._run_exitfuncs()
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()  # again: a handler may have printed
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    run()
