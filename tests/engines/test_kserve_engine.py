"""The real KServe SDK runs a hand-written transformer."""

import json
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from generator.engines import EngineError, kserve
from generator.transforms.component import CONSTRAINTS, KSERVE, NUMPY, PILLOW

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("kserve_engine")]

DOUBLER = """
import argparse

import kserve


class Doubler(kserve.Model):
    def __init__(self, name, factor):
        super().__init__(name)
        self.factor = factor
        self.ready = True

    async def predict(self, payload, headers=None, response_headers=None):
        if isinstance(payload, dict):
            return {"predictions": [self.factor * value for value in payload["instances"]]}
        [given] = payload.inputs
        output = kserve.InferOutput("y", given.shape, given.datatype)
        output.set_data_from_numpy(self.factor * given.as_numpy(), binary_data=False)
        return kserve.InferResponse(payload.id or "none", self.name, [output])


parser = argparse.ArgumentParser(parents=[kserve.model_server.parser])
parser.add_argument("--factor", type=int, default=2)
arguments, _ = parser.parse_known_args()

if __name__ == "__main__":
    kserve.ModelServer().start([Doubler(arguments.model_name, arguments.factor)])
"""


def post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    """Send JSON and return the decoded answer."""
    request = urllib.request.Request(
        url, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return dict(json.load(answer))


def listeners(port: int) -> set[str]:
    """List the addresses on which a port listens, as the kernel writes them."""
    rows = [
        row.split()
        for table in ("tcp", "tcp6")
        for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    local = [row[1].rpartition(":") for row in rows if row[3] == "0A"]  # 0A: LISTEN
    return {address for address, _, number in local if int(number, 16) == port}


def test_serves_a_component_on_both_doors_and_only_on_loopback(tmp_path: Path) -> None:
    (tmp_path / "transformer.py").write_text(DOUBLER)
    tensor = {"name": "x", "shape": [2], "datatype": "INT64", "data": [4, 5]}

    with kserve.serve(tmp_path, model_name="doubler", arguments=["--factor", "3"]) as server:
        base = f"http://{server.http}"
        v1 = post(f"{base}/v1/models/doubler:predict", {"instances": [1, 2]})
        v2 = post(f"{base}/v2/models/doubler/infer", {"inputs": [tensor]})
        open_on = {
            door: listeners(int(door.rpartition(":")[2])) for door in (server.http, server.grpc)
        }

    assert v1 == {"predictions": [3, 6]}
    assert v2["outputs"][0]["data"] == [12, 15]
    # The second is 127.0.0.1 as gRPC binds it: mapped into IPv6.
    loopback = {"0100007F", "0000000000000000FFFF00000100007F"}
    assert all(addresses and addresses <= loopback for addresses in open_on.values()), open_on


def test_the_pins_of_the_image_cover_every_package_that_it_needs(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("\n".join([KSERVE, NUMPY, PILLOW]))
    (tmp_path / "constraints.txt").write_bytes(CONSTRAINTS.read_bytes())
    environment = kserve.prepare(tmp_path, report=print)

    installed = subprocess.run(
        [environment.python, "-I", "-m", "pip", "freeze"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()

    assert set(installed) <= set(CONSTRAINTS.read_text().splitlines())


def test_leaves_the_component_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "transformer.py").write_text("import names\n" + DOUBLER)
    (tmp_path / "names.py").write_text("")

    with kserve.serve(tmp_path, model_name="doubler"):
        pass

    assert sorted(path.name for path in tmp_path.iterdir()) == ["names.py", "transformer.py"]


def test_keeps_spawned_workers_on_loopback(tmp_path: Path) -> None:
    (tmp_path / "transformer.py").write_text(DOUBLER)

    with kserve.serve(tmp_path, model_name="doubler", arguments=["--workers", "2"]) as server:
        answer = post(f"http://{server.http}/v1/models/doubler:predict", {"instances": [1]})
        open_on = listeners(int(server.http.rpartition(":")[2]))

    assert answer == {"predictions": [2]}
    assert open_on == {"0100007F"}


def test_quotes_the_traceback_of_a_component_that_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "transformer.py").write_text("import nowhere\n")

    with (
        pytest.raises(EngineError, match="No module named 'nowhere'"),
        kserve.serve(tmp_path, model_name="doubler"),
    ):
        pass
