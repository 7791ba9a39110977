"""Do the same to many items in several processes, with the results in the order of the items.

Each worker has a pipe of its own and is handed the next few items when it has brought the last:
no locks and no threads, so that a worker may be killed at any moment without others waiting for it.
When the pipe ends, because the run is over or its process has died, the worker ends too.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct

from generator.diagnostics import CannotRun

if TYPE_CHECKING:  # a run in one process does not wait for it to be imported
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

Item = TypeVar("Item")
Made = TypeVar("Made")

_AHEAD = 4
"""Results a worker that may wait for their turn; bounds what is held."""


def cores() -> int:
    """How many cores this process may use."""
    try:
        number = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        number = os.cpu_count() or 1
    return max(1, min(number, _share_of_container() or number))


def _share_of_container() -> int | None:
    """The cores that a container's quota comes to, rounded up (Linux, cgroup-v2.rst, `cpu.max`)."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return -(-int(quota) // int(period))
    except (OSError, ValueError, ZeroDivisionError):  # none there, or `max`
        return None


class InWorker(Exception):
    """Where in a worker an exception was raised."""


class _Worker(Struct, eq=False):
    process: "BaseProcess"
    pipe: "Connection[Any, Any]"  # Any: functions and items of every kind

    def answer(self) -> "_Answer":
        """What has been made; raises CannotRun where the worker has died."""
        try:
            answer: _Answer = self.pipe.recv()
        except (EOFError, OSError):  # also in the middle of an answer
            self.pipe.close()
            self.process.join()
            raise _death(self.process.exitcode) from None
        return answer


class _Answer(Struct):
    """What a worker has made of its items, up to what was raised, and where that was."""

    made: list[Any]  # Any: functions and items of every kind
    error: Exception | None = None
    where: str = ""

    def __iter__(self) -> Iterator[Any]:
        yield from self.made
        if self.error:
            raise self.error from InWorker(f"\n{self.where}")


def _death(status: int | None) -> Exception:
    if status is None or status >= 0:
        return RuntimeError(f"a worker process has ended with status {status}")
    by, hint = _name(-status), "with --jobs 1 a run takes the least memory"
    return CannotRun(f"a worker process was killed by {by}; {hint}, and it completes this one")


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # one of the real-time signals, most of which have no name
        return f"signal {number}"


def in_order(
    make: Callable[[Item], Made], items: Sequence[Item], *, jobs: int, chunk: int
) -> Generator[Made, None, None]:
    """What is made of each item, in order; `make`, items and results are picklable.

    One job is this process itself. The first item is made here in any case: what that loads is
    there for workers that are forked. They end with the generator, each done with its item.
    Raises CannotRun where a worker was killed or cannot be started, and what `make` raises.
    """
    here = 1 if jobs > 1 else len(items)
    yield from map(make, items[:here])
    rest = items[here:]
    if not rest:
        return
    with _started(min(jobs, -(-len(rest) // chunk))) as workers:
        yield from _shared_out(make, rest, workers, chunk)


def _shared_out(
    make: Callable[[Item], Made], items: Sequence[Item], workers: Sequence[_Worker], chunk: int
) -> Iterator[Made]:
    from multiprocessing.connection import wait

    starts = iter(range(0, len(items), chunk))
    made: dict[int, _Answer] = {}  # by the number of the first item, until it is its turn
    busy: dict[Any, tuple[_Worker, int]] = {}
    idle = list(workers)
    turn = 0
    while turn < len(items):
        while idle and len(made) < len(workers) * _AHEAD:
            start = next(starts, None)
            if start is None:
                break
            worker = idle.pop()
            _hand(worker, make, items[start : start + chunk])
            busy[worker.pipe] = worker, start
        if turn in made:  # one chunk, and then a look at who has nothing to do
            yield from made.pop(turn)
            turn += chunk
        for pipe in wait(list(busy), timeout=0 if turn in made else None) if busy else ():
            worker, start = busy.pop(pipe)
            made[start] = worker.answer()
            idle.append(worker)


@contextlib.contextmanager
def _started(jobs: int) -> Iterator[list[_Worker]]:
    """So many workers, that end when their pipes do; raises CannotRun where there cannot be."""
    from multiprocessing import get_context

    forks = _may_fork()
    context: Any = get_context("fork" if forks else "spawn")  # Any: of several classes
    workers: list[_Worker] = []
    try:
        try:
            with _signals_held():
                for _ in range(jobs):
                    ours, theirs = context.Pipe()
                    inherited = [*(worker.pipe for worker in workers), ours] if forks else []
                    process = context.Process(target=_work, args=(theirs, inherited))
                    process.start()
                    theirs.close()
                    workers.append(_Worker(process, ours))
        except OSError as error:
            why = f"cannot start {jobs} processes: {error.strerror}"
            raise CannotRun(f"{why}; give fewer to --jobs") from None
        yield workers
    finally:
        for worker in workers:
            worker.pipe.close()
        for worker in workers:
            worker.process.join()


def _may_fork() -> bool:
    """Whether a copy of this process can run: on Linux, where no other thread may hold a lock."""
    try:
        return sys.platform == "linux" and len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Keep signals from a worker that does not ignore them yet, and from half a pool."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _OF_THE_RUN)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_OF_THE_RUN = [getattr(signal, n) for n in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, n)]


def _hand(worker: _Worker, make: Callable[[Item], Made], items: Sequence[Item]) -> None:
    with contextlib.suppress(BrokenPipeError):  # it has died, as the next answer says
        worker.pipe.send((make, items))


def _work(pipe: "Connection[Any, Any]", inherited: "Sequence[Connection[Any, Any]]") -> None:
    """What a worker does until its pipe ends.

    Pipes that it has inherited would not end while it holds them. Signals to all processes of a
    terminal or a container are for the first one, which lets the workers finish what they write.
    """
    for each in _OF_THE_RUN:
        signal.signal(each, signal.SIG_IGN)
    for other in inherited:
        other.close()
    with contextlib.suppress(EOFError, OSError):  # nobody waits for the rest
        while True:
            make, items = pipe.recv()
            pipe.send(_made(make, items, pipe))


def _made(
    make: Callable[[Item], Made], items: Sequence[Item], pipe: "Connection[Any, Any]"
) -> _Answer:
    """What is made of items, or what was raised; no more of it once the pipe has ended."""
    made: list[Made] = []
    for item in items:
        if pipe.poll():  # nothing is sent before the answer: it is the end
            raise EOFError
        try:
            made.append(make(item))
        except Exception as error:  # whatever it is: raised again where `cli.main` can tell it
            import traceback  # for what goes wrong alone

            return _Answer(made, _sendable(error), traceback.format_exc())
    return _Answer(made)


def _sendable(error: Exception) -> Exception:
    """The same, or what it says where it would not come out of the pipe as it went in."""
    import pickle  # for what goes wrong alone

    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  # what was made here
    except Exception:  # whatever its class or what it holds makes of it
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
