"""TorchServe's gRPC service, asked by the client that is rendered for a project."""

import base64
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from generator.engines import Report, client, silent, torchserve

PROGRAM = Path(__file__).with_name("torchserve_grpc_program.py")


class Failed(Exception):
    """A call that ended with a status of gRPC's other than OK."""

    def __init__(self, status: str, details: str) -> None:
        super().__init__(f"{status}: {' '.join(details.split())}")
        self.status = status


@dataclass(frozen=True)
class GrpcClient:
    """A rendered grpc_client.py in a process that stays."""

    running: client.Client

    def ask(self, sent: Sequence[bytes | Mapping[str, bytes]]) -> list[bytes]:
        """Send bodies, or maps of them by input, all at once; gives the answers' bodies in order.

        Raises Failed where a call fails, EngineError where the client does.
        """
        answers = self.running.ask([_encoded(each) for each in sent])
        for answer in answers:
            if "status" in answer:
                raise Failed(answer["status"], answer["details"])
        return [base64.b64decode(answer["body"]) for answer in answers]


@contextlib.contextmanager
def connected(requests: Path, address: str, *, report: Report = silent) -> Iterator[GrpcClient]:
    """Start the client of a rendered folder `requests`, to ask the gRPC service at `address`."""
    python = torchserve.prepare(report=report).python
    command = [str(python), str(PROGRAM), str(requests.resolve()), address]
    stays_clean = {"PYTHONDONTWRITEBYTECODE": "1"}  # it is imported from the rendered folder
    with client.started("the gRPC client", command, environment=stays_clean) as running:
        yield GrpcClient(running)


def _encoded(sent: bytes | Mapping[str, bytes]) -> object:
    if isinstance(sent, Mapping):
        return {name: base64.b64encode(each).decode() for name, each in sent.items()}
    return base64.b64encode(sent).decode()
