"""Engines for tests: started once a session, skipped with their reason where they cannot be had."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

from generator.engines import EngineError, kserve, triton


@dataclass(frozen=True)
class Served:
    """A running server and the eager models behind it, by name."""

    server: triton.Server
    models: dict[str, Any]


def unavailable(problem: EngineError) -> NoReturn:
    """Skip the test that needs a missing engine; under CI that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(str(problem))
    pytest.skip(str(problem))


@pytest.fixture(scope="session")
def triton_engine() -> triton.Installation:
    """An installed tritonserver."""
    try:
        return triton.prepare(report=print)
    except EngineError as problem:
        unavailable(problem)


@pytest.fixture(scope="session")
def kserve_engine(tmp_path_factory: pytest.TempPathFactory) -> None:
    """An installed KServe SDK, for a component that needs nothing else."""
    try:
        kserve.prepare(tmp_path_factory.mktemp("component"), report=print)
    except EngineError as problem:
        unavailable(problem)


@pytest.fixture(scope="session")
def registry_program() -> Path:
    """Debian's docker-registry."""
    pytest.importorskip("dxf")
    from registry_server import prepare  # needs dxf

    try:
        return prepare()
    except EngineError as problem:
        unavailable(problem)


@pytest.fixture(scope="session")
def write_model() -> Callable[[Path, Any, tuple[Any, ...], str], None]:
    """A function that adds a traced model with its configuration to a repository."""
    torch = pytest.importorskip("torch")

    def write(folder: Path, module: Any, example: tuple[Any, ...], config: str) -> None:
        version = folder / "1"
        version.mkdir(parents=True)
        torch.jit.trace(module, example).save(str(version / "model.pt"))
        (folder / "config.pbtxt").write_text(config)

    return write


@pytest.fixture(scope="session")
def served(
    triton_engine: triton.Installation,
    write_model: Callable[[Path, Any, tuple[Any, ...], str], None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Served]:
    """A server with three models: one that batches, one with named arguments, one that lies."""
    torch = pytest.importorskip("torch")

    class Pair(torch.nn.Module):  # type: ignore[misc, name-defined]  # torch is optional: Any
        def forward(self, left: Any, right: Any) -> Any:
            return left.double() - right, (left > 0)

    torch.manual_seed(1)
    classifier = torch.nn.Sequential(torch.nn.Flatten(1), torch.nn.Linear(48, 5)).eval()
    pair = Pair()
    image, row = torch.zeros(2, 3, 4, 4), torch.zeros(3)
    repository = tmp_path_factory.mktemp("repository")
    write_model(repository / "classifier", classifier, (image,), CLASSIFIER)
    (repository / "classifier" / "labels.txt").write_text("ant\nbee\ncat\ndog\neel\n")
    write_model(repository / "pair", pair, (row.long(), row), PAIR)
    (repository / "pair" / "1" / "model.pt").rename(repository / "pair" / "1" / "other.pt")
    write_model(repository / "liar", classifier, (image,), LIAR)
    with triton.serve(repository, report=print) as server:
        yield Served(server, {"classifier": classifier, "pair": pair})


CLASSIFIER = """
name: "classifier"
platform: "pytorch_libtorch"
max_batch_size: 8
input [ { name: "INPUT__0" data_type: TYPE_FP32 dims: [ 3, 4, 4 ] } ]
output [ { name: "OUTPUT__0" data_type: TYPE_FP32 dims: [ 5 ] label_filename: "labels.txt" } ]
dynamic_batching { max_queue_delay_microseconds: 20000 }
parameters { key: "INTRA_OP_THREAD_COUNT" value { string_value: "1" } }
parameters { key: "INTER_OP_THREAD_COUNT" value { string_value: "1" } }
"""

# Names of forward's arguments, in another order than forward has them; no batch dimension.
PAIR = """
name: "pair"
platform: "pytorch_libtorch"
default_model_filename: "other.pt"
max_batch_size: 0
input [
  { name: "right" data_type: TYPE_FP32 dims: [ -1 ] },
  { name: "left" data_type: TYPE_INT64 dims: [ -1 ] }
]
output [
  { name: "DIFFERENCE__0" data_type: TYPE_FP64 dims: [ -1 ] },
  { name: "POSITIVE__1" data_type: TYPE_BOOL dims: [ -1 ] }
]
"""

LIAR = """
name: "liar"
platform: "pytorch_libtorch"
max_batch_size: 8
input [ { name: "INPUT__0" data_type: TYPE_FP32 dims: [ 3, 4, 4 ] } ]
output [ { name: "OUTPUT__0" data_type: TYPE_FP32 dims: [ 4 ] } ]
"""
