"""What a TorchServe 0.12 says in its log: that it has started, and why it or a worker has not."""

import re
from collections.abc import Iterator

STARTED = re.compile(r"^Model server started\.$", re.M)
# The server starts a worker that ended anew, for five minutes.
LOST_WORKER = re.compile(r" Retry worker: \S+ in \d+ seconds?\.$", re.M)
FAILED_LOAD = re.compile(r"BatchAggregator - (Load model failed: .+)$", re.M)

# log4j2.xml in its jar: time, level, thread, class. A worker's output is of MODEL_LOG, with one
# thread for each of its streams; the lines of workers that speak at once are mixed.
RECORD = re.compile(
    r"^\d{4}-\d\d-\d\dT\S+ \[(?P<level>\w+) *\] (?P<thread>\S+) (?P<logger>\S+) - (?P<said>.*)$"
)
TRACEBACK = "Traceback (most recent call last):"
# Of the launcher (ts/model_server.py), of Java's main program, and an exception with its cause.
REFUSAL = re.compile(
    r"^(Invalid configuration: |Missing mandatory |--[\w-]+ (directory|file) not found"
    r"|Invalid temp directory|java not found|start java frontend failed"
    r"|(Caused by: )?([a-z]\w*\.)+[A-Z][\w$]*(Exception|Error)(: |$))"
)
# What follows from the end of a worker, also when the server is told to stop.
HARMLESS = (
    "java.lang.InterruptedException: null",
    "Backend worker error",
    "org.pytorch.serve.wlm.WorkerInitializationException: Backend stream closed.",
)
LAST_LINES = 20


def has_started(log: str) -> bool:
    """Tell whether the server listens; its models may not be up."""
    return STARTED.search(log) is not None


def lost_worker(log: str) -> str | None:
    """Say that a worker has ended, in the server's words, or None while none has."""
    if not LOST_WORKER.search(log):
        return None
    failed = FAILED_LOAD.search(log)
    return failed[1] if failed else "a worker has ended"


def complaints(log: str) -> str:
    """Quote the errors of the server and its workers, or the last lines where there is none."""
    return "\n".join(errors(log) or log.splitlines()[-LAST_LINES:]) or "(it wrote nothing)"


def errors(log: str) -> list[str]:
    """List the errors of the server and its workers, each once."""
    told = (error for error in _errors(log.splitlines()) if error not in HARMLESS)
    return list(dict.fromkeys(told))


def _errors(lines: list[str]) -> Iterator[str]:
    in_traceback: set[str] = set()
    for line in lines:
        match = RECORD.match(line)
        if match is None:
            if REFUSAL.match(line):
                yield line
        elif match["logger"] == "MODEL_LOG":
            thread, said = match["thread"], match["said"]
            if said == TRACEBACK:
                in_traceback.add(thread)
            elif thread in in_traceback and said and not said.startswith(" "):
                yield said
                in_traceback.remove(thread)
        elif match["level"] == "ERROR":
            yield match["said"]
