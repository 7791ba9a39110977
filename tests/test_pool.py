"""Work in several processes comes back in order, and nobody waits for a process that is gone."""

import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from generator.diagnostics import CannotRun, Diagnostic, Fix, Rejected, Related, Span
from generator.runs import pool
from generator.runs.pool import InWorker, cores, in_order

ITEMS = range(23)


@pytest.fixture(params=["fork", "spawn"], autouse=True)
def start(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers are started in either way."""
    monkeypatch.setattr(pool, "_may_fork", lambda: request.param == "fork")


def uneven(item: int) -> tuple[int, int]:
    """The item and who made it; the first ones take longest."""
    time.sleep(0.02 if item < 4 else 0)
    return item, os.getpid()


def broken(item: int) -> int:
    if item == 5:
        raise ValueError("five")
    return item


def refused(item: int) -> int:
    if not item:
        return item
    span = Span(3, 1, 5)
    related = (Related("b.yaml", span, "the same", "name: b"),)
    flaw = Diagnostic("a.yaml", span, "no", "a/b", "try", "name: a", "error", related)
    raise Rejected([flaw, Diagnostic("a.yaml", span, "x", "a/c", fix=Fix(span, "y"))])


def killed(item: int) -> int:
    if item == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def killed_by_a_real_time_signal(item: int) -> int:
    if item:
        os.kill(os.getpid(), signal.SIGRTMIN + 3)
    return item


def killed_while_it_answers(item: int) -> bytes:
    """A result above 64 KiB, of which no more than the beginning is sent."""

    def send(pipe: "Connection[object, object]", data: bytes) -> None:
        os.write(pipe.fileno(), data[:1000])
        if len(data) > 1000:
            os.kill(os.getpid(), signal.SIGKILL)

    if item:
        setattr(Connection, "_send", send)  # noqa: B010  # which is no part of its interface
    return b"x" * 100_000


def left(status: int, item: int) -> int:
    return os._exit(status) if item else item


def unsendable(item: int) -> object:
    return (lambda: None) if item else None


class Particular(Exception):
    """One that cannot be made again of what it says."""

    def __init__(self, what: str, number: int) -> None:
        super().__init__(f"{what} {number}")


def particular(item: int) -> int:
    if item == 5:
        raise Particular("the", item)
    return item


def holding(item: int) -> int:
    if item == 5:
        raise ValueError("the 5", lambda: None)
    return item


def in_its_turn(folder: Path, item: int) -> int:
    """The item; some wait for what is made of another, or for one that has been taken."""
    while (other := {1: "4", 5: "taken"}.get(item)) and not (folder / other).exists():
        time.sleep(0.001)
    (folder / str(item)).touch()
    return item


def interrupted(item: int) -> int:
    """The item, in spite of what a terminal sends to all processes."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if item else ():
        os.kill(os.getpid(), each)
    return item


def test_results_come_in_order_from_other_processes() -> None:
    made = list(in_order(uneven, ITEMS, jobs=3, chunk=2))

    assert [item for item, _ in made] == list(ITEMS)
    makers = {maker for _, maker in made[1:]}
    assert 1 < len(makers) <= 3
    assert os.getpid() not in makers


def test_the_first_is_made_here_for_the_others_to_share_what_it_loads() -> None:
    made = in_order(uneven, ITEMS, jobs=3, chunk=2)

    assert next(made) == (0, os.getpid())
    assert not multiprocessing.active_children()
    made.close()


def test_one_job_is_this_process() -> None:
    made = list(in_order(uneven, ITEMS, jobs=1, chunk=2))

    assert made == [(item, os.getpid()) for item in ITEMS]


@pytest.mark.parametrize("number", [0, 1])
def test_little_work_needs_no_process(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(pool, "_started")

    assert len(list(in_order(uneven, ITEMS[:number], jobs=3, chunk=1))) == number


def test_what_is_raised_comes_in_its_turn_with_its_place() -> None:
    seen: list[int] = []

    with pytest.raises(ValueError, match="five") as caught:
        seen.extend(in_order(broken, ITEMS, jobs=3, chunk=4))

    assert seen == [0, 1, 2, 3, 4]
    assert isinstance(caught.value.__cause__, InWorker)
    assert "in broken" in str(caught.value.__cause__)


def test_a_refusal_is_the_same_on_the_other_side() -> None:
    with pytest.raises(Rejected) as here:
        refused(1)

    with pytest.raises(Rejected) as there:
        list(in_order(refused, ITEMS, jobs=3, chunk=4))

    assert there.value.diagnostics == here.value.diagnostics
    assert str(there.value) == str(here.value)


def test_a_killed_worker_ends_the_run() -> None:
    with pytest.raises(CannotRun, match="a worker process was killed by SIGKILL; with --jobs 1"):
        list(in_order(killed, ITEMS, jobs=3, chunk=1))


def test_a_signal_without_a_name_is_told_by_its_number() -> None:
    number = signal.SIGRTMIN + 3

    with pytest.raises(CannotRun, match=f"was killed by signal {number};"):
        list(in_order(killed_by_a_real_time_signal, ITEMS, jobs=3, chunk=1))


def test_a_worker_killed_in_the_middle_of_an_answer_is_told_as_killed() -> None:
    with pytest.raises(CannotRun, match="a worker process was killed by SIGKILL"):
        list(in_order(killed_while_it_answers, ITEMS, jobs=3, chunk=1))


@pytest.mark.parametrize("status", [0, 3])
def test_a_worker_that_leaves_is_a_bug(status: int) -> None:
    with pytest.raises(RuntimeError, match=f"ended with status {status}"):
        list(in_order(partial(left, status), ITEMS, jobs=3, chunk=1))


@pytest.mark.parametrize(
    ("make", "said"), [(particular, "Particular: the 5"), (holding, "ValueError: \\('the 5', ")]
)
def test_what_cannot_be_sent_as_it_was_raised_is_told_in_words(
    make: Callable[[int], int], said: str
) -> None:
    seen: list[int] = []

    with pytest.raises(RuntimeError, match=said) as caught:
        seen.extend(in_order(make, ITEMS, jobs=3, chunk=4))

    assert seen == [0, 1, 2, 3, 4]
    assert f"in {make.__name__}" in str(caught.value.__cause__)


def test_a_result_that_cannot_be_sent_is_a_bug() -> None:
    with pytest.raises(RuntimeError, match="ended with status 1"):
        list(in_order(unsendable, ITEMS, jobs=3, chunk=1))


def test_workers_leave_signals_to_the_first_process() -> None:
    assert list(in_order(interrupted, ITEMS, jobs=3, chunk=1)) == list(ITEMS)


def test_no_more_workers_are_started_than_have_something_to_do() -> None:
    results = in_order(uneven, range(7), jobs=30, chunk=3)
    next(results)
    next(results)

    started = len(multiprocessing.active_children())
    results.close()
    assert started == 2


def test_workers_are_at_work_while_results_that_waited_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work: list[int] = []
    hand, answer = pool._hand, pool._Worker.answer

    def handed(worker: pool._Worker, make: Callable[[int], int], items: range) -> None:
        at_work.append(items[0])
        hand(worker, make, items)

    def answered(worker: pool._Worker) -> object:
        at_work.pop()
        return answer(worker)

    monkeypatch.setattr(pool, "_hand", handed)
    monkeypatch.setattr(pool._Worker, "answer", answered)
    results = in_order(partial(in_its_turn, tmp_path), ITEMS, jobs=2, chunk=1)

    next(results)
    busy = [len(at_work) for _, item in zip(range(3), results, strict=False)]
    (tmp_path / "taken").touch()

    results.close()
    assert busy == [2, 2, 2]


@pytest.fixture
def few_files() -> Iterator[None]:
    """This process may open eight files more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + 8, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("few_files")
def test_workers_that_cannot_be_started_leave_none_behind() -> None:
    said = "cannot start 22 processes: Too many open files; give fewer to --jobs"

    with pytest.raises(CannotRun, match=said):
        list(in_order(abs, ITEMS, jobs=30, chunk=1))

    assert not multiprocessing.active_children()


def test_closed_it_ends_workers_that_are_at_work() -> None:
    results = in_order(uneven, range(100_000), jobs=2, chunk=1000)
    next(results)
    next(results)
    assert len(multiprocessing.active_children()) == 2

    results.close()

    assert not multiprocessing.active_children()


ORPHANS = """
import multiprocessing, time
from generator.runs import pool
pool._may_fork = lambda: FORKS
if __name__ == "__main__":
    results = pool.in_order(abs, range(1000), jobs=2, chunk=1)
    next(results), next(results)
    print(*(each.pid for each in multiprocessing.active_children()), flush=True)
    time.sleep(60)
"""


def test_workers_end_when_their_parent_is_killed() -> None:
    code = ORPHANS.replace("FORKS", str(pool._may_fork()))
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    workers = [int(word) for word in parent.stdout.readline().split()]

    parent.kill()
    parent.wait()

    assert len(workers) == 2
    assert _gone(workers)
    parent.stdout.close()


def _gone(pids: list[int], seconds: float = 20) -> bool:
    """Whether processes end within some time; one that nobody has waited for yet has ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not any(map(_runs, pids)):
            return True
        time.sleep(0.01)
    return False


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("quota", "number"),
    [("max 100000\n", 8), ("200000 100000\n", 2), ("150000 100000\n", 2), ("1000 100000", 1)],
)
def test_cores_are_those_of_the_container(
    quota: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(8), raising=False)
    monkeypatch.setattr(Path, "read_text", lambda _: quota)

    assert cores() == number


def test_cores_without_a_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: Path) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(5), raising=False)
    monkeypatch.setattr(Path, "read_text", missing)

    assert cores() == 5
