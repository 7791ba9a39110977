"""A client program of an engine: started once, asked and answering in lines of JSON."""

import contextlib
import json
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generator.engines import EngineError, process

ANSWER_SECONDS = 120.0
END_SECONDS = 2.0


@dataclass(frozen=True)
class Client:
    """A program that answers each line of its input with one line of its output."""

    name: str
    program: subprocess.Popen[bytes]
    log: Path

    def ask(self, question: object) -> Any:
        """Send JSON and give the JSON of the answer; raises EngineError where none comes."""
        assert self.program.stdin is not None
        assert self.program.stdout is not None
        late = threading.Timer(ANSWER_SECONDS, self.program.kill)
        late.start()
        try:
            self.program.stdin.write(json.dumps(question).encode() + b"\n")
            self.program.stdin.flush()
            line = self.program.stdout.readline()
        except OSError:  # it reads no more
            line = b""
        finally:
            late.cancel()
        if not line:
            raise EngineError(f"{self.name} has ended\n{process.own_words(self.log)}")
        return json.loads(line)


@contextlib.contextmanager
def started(
    name: str, command: Sequence[str], *, environment: Mapping[str, str] | None = None
) -> Iterator[Client]:
    """Run a client for the body of the `with` statement; it has a working folder of its own."""
    with tempfile.TemporaryDirectory(prefix="client-") as own:
        folder = Path(own)
        log = folder / "client.log"
        with log.open("wb") as errors:
            program = subprocess.Popen(
                list(command),
                cwd=folder,
                env=process.inherited(folder) | dict(environment or {}),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        try:
            yield Client(name, program, log)
        finally:
            process.end(program, grace_seconds=END_SECONDS)
            for pipe in filter(None, (program.stdin, program.stdout)):
                with contextlib.suppress(OSError):  # what was not sent to one that had ended
                    pipe.close()
