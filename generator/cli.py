"""The command `gen`: what it prints in the end, and its exit status."""

import contextlib
import io
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

import click

from generator import reporting
from generator.commands.group import gen
from generator.diagnostics import CannotRun
from generator.result import COULD_NOT_RUN, DONE

BUG, INTERRUPTED = 3, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the one place that turns what happened into an exit status."""
    try:
        signal.signal(signal.SIGTERM, _interrupt)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(signal.SIGHUP, _interrupt)
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # as stderr: names may be any bytes
        status = gen.main(arguments, "gen", standalone_mode=False, color=reporting.colour())
        return int(status or DONE)
    except (click.exceptions.Abort, KeyboardInterrupt):
        reporting.print_note("interrupted")
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return COULD_NOT_RUN
    except CannotRun as error:
        reporting.print_failure(error)
        return COULD_NOT_RUN
    except Exception as error:  # the one place: what is no failure of the system's is a bug of ours
        if isinstance(error, OSError) and error.errno is not None:
            reporting.print_failure(error)
            return COULD_NOT_RUN
        import traceback  # for bugs alone

        traceback.print_exc()
        reporting.print_note("this is a bug in serving-generator; please report it")
        return BUG
    finally:
        _let_go_of_output()


def _let_go_of_output() -> None:
    """Let the interpreter close a stdout that nobody takes without complaint."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
        return
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
