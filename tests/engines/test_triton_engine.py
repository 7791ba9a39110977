"""The real tritonserver serves hand-written repositories with torch's own numbers."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from generator.engines import EngineError, triton

pytestmark = [
    pytest.mark.engine,
    # Deprecated since torch 2.11, and the only way to a program that libtorch loads.
    pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning"),
]

torch = pytest.importorskip("torch")
numpy = pytest.importorskip("numpy")
http_client = pytest.importorskip("tritonclient.http")
grpc_client = pytest.importorskip("tritonclient.grpc")


def post(address: str, model: str, body: dict[str, Any]) -> dict[str, Any]:
    """Send a V2 JSON request and return the decoded answer."""
    request = urllib.request.Request(
        f"http://{address}/v2/models/{model}/infer", data=json.dumps(body).encode()
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return dict(json.load(answer))


def tensor(name: str, datatype: str, value: Any) -> dict[str, Any]:
    """Write a tensor as V2 JSON."""
    shape, data = list(value.shape), value.flatten().tolist()
    return {"name": name, "shape": shape, "datatype": datatype, "data": data}


def images(count: int) -> Any:
    """Make some random images."""
    return torch.rand(count, 3, 4, 4, generator=torch.Generator().manual_seed(count))


def eager(served: Any, batch: Any) -> Any:
    """Ask the model itself."""
    with torch.no_grad():
        return served.models["classifier"](batch).numpy()


@pytest.mark.parametrize("count", [1, 3, 8])
def test_answers_json_with_the_eager_numbers(served: Any, count: int) -> None:
    batch = images(count)

    answer = post(served.server.http, "classifier", {"inputs": [tensor("INPUT__0", "FP32", batch)]})

    [output] = answer["outputs"]
    assert (output["datatype"], output["shape"]) == ("FP32", [count, 5])
    numpy.testing.assert_allclose(
        numpy.reshape(output["data"], (count, 5)), eager(served, batch), rtol=1e-6
    )


@pytest.mark.parametrize("count", [1, 3, 8])
@pytest.mark.parametrize("door", ["http", "grpc"])
def test_answers_binary_tensors_with_the_eager_numbers(served: Any, door: str, count: int) -> None:
    module = {"http": http_client, "grpc": grpc_client}[door]
    batch = images(count)
    sent = module.InferInput("INPUT__0", list(batch.shape), "FP32")
    sent.set_data_from_numpy(batch.numpy())

    with module.InferenceServerClient(getattr(served.server, door)) as client:
        answer = client.infer("classifier", [sent]).as_numpy("OUTPUT__0")

    numpy.testing.assert_allclose(answer, eager(served, batch), rtol=1e-6)


def test_gives_each_of_several_batched_requests_its_own_rows(served: Any) -> None:
    batches = [images(count) for count in (1, 2, 3, 1, 4, 2, 1, 2)]

    def ask(batch: Any) -> Any:
        body = {"inputs": [tensor("INPUT__0", "FP32", batch)]}
        return post(served.server.http, "classifier", body)["outputs"][0]["data"]

    with ThreadPoolExecutor(len(batches)) as pool:
        answers = list(pool.map(ask, batches))

    for batch, answer in zip(batches, answers, strict=True):
        expected = eager(served, batch)
        numpy.testing.assert_allclose(numpy.reshape(answer, expected.shape), expected, rtol=1e-5)
    assert executions(served, "classifier") < requests(served, "classifier")


def requests(served: Any, model: str) -> int:
    """Count the successful requests to a model."""
    return int(statistics(served, model)["inference_stats"]["success"]["count"])


def executions(served: Any, model: str) -> int:
    """Count how often a model ran."""
    return int(statistics(served, model)["execution_count"])


def statistics(served: Any, model: str) -> dict[str, Any]:
    """Fetch the server's statistics of a model."""
    url = f"http://{served.server.http}/v2/models/{model}/stats"
    with urllib.request.urlopen(url, timeout=20) as answer:
        return dict(json.load(answer)["model_stats"][0])


def test_names_classes_by_the_label_file(served: Any) -> None:
    batch = images(1)
    wanted = [{"name": "OUTPUT__0", "parameters": {"classification": 2}}]

    answer = post(
        served.server.http,
        "classifier",
        {"inputs": [tensor("INPUT__0", "FP32", batch)], "outputs": wanted},
    )

    best = eager(served, batch)[0].argsort()[::-1][:2]
    labels = [row.split(":")[2] for row in answer["outputs"][0]["data"]]
    assert labels == [["ant", "bee", "cat", "dog", "eel"][index] for index in best]


def test_maps_argument_names_and_returns_only_what_is_asked_for(served: Any) -> None:
    left, right = torch.tensor([3, -2]), torch.tensor([0.5, 1.0])
    inputs = [tensor("right", "FP32", right), tensor("left", "INT64", left)]

    both = post(served.server.http, "pair", {"inputs": inputs})["outputs"]
    one = post(served.server.http, "pair", {"inputs": inputs, "outputs": [{"name": "POSITIVE__1"}]})

    values = {output["name"]: output["data"] for output in both}
    assert values == {"DIFFERENCE__0": [2.5, -3.0], "POSITIVE__1": [True, False]}
    assert [output["name"] for output in one["outputs"]] == ["POSITIVE__1"]


def test_answers_an_error_where_the_model_contradicts_its_configuration(served: Any) -> None:
    body = {"inputs": [tensor("INPUT__0", "FP32", images(1))]}

    with pytest.raises(urllib.error.HTTPError) as caught:
        post(served.server.http, "liar", body)

    assert (
        "configuration expects shape [1, 4] for output 'OUTPUT__0'" in caught.value.read().decode()
    )


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("TYPE_FP32", "TYPE_FLOAT", 'Unknown enumeration value of "TYPE_FLOAT"'),
        ("OUTPUT__0", "OUTPUT__1", "refers to an output index which doesn't exist"),
        ("INPUT__0", "INPUT__1", "do not name each of ['input'] once"),
        ("TYPE_FP32", "TYPE_UINT16", "unsupported datatype TYPE_UINT16"),
        ("pytorch_libtorch", "pytorch", "unexpected platform type"),
        ("dims: [ 2 ]", "", "must specify 'dims'"),
    ],
)
def test_refuses_a_bad_configuration_in_the_words_of_the_server(
    triton_engine: triton.Installation,
    write_model: Callable[[Path, Any, tuple[Any, ...], str], None],
    tmp_path: Path,
    before: str,
    after: str,
    words: str,
) -> None:
    config = """
platform: "pytorch_libtorch"
max_batch_size: 4
input [ { name: "INPUT__0" data_type: TYPE_FP32 dims: [ 2 ] } ]
output [ { name: "OUTPUT__0" data_type: TYPE_FP32 dims: [ 2 ] } ]
"""
    write_model(
        tmp_path / "tanh", torch.nn.Tanh(), (torch.zeros(1, 2),), config.replace(before, after)
    )

    with pytest.raises(EngineError) as caught, triton.serve(tmp_path):
        pass

    assert words in str(caught.value)


def test_leaves_no_shared_memory_and_no_process_behind(
    triton_engine: triton.Installation,
    write_model: Callable[[Path, Any, tuple[Any, ...], str], None],
    tmp_path: Path,
) -> None:
    config = """
platform: "pytorch_libtorch"
input [ { name: "input" data_type: TYPE_FP32 dims: [ 2 ] } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ 2 ] } ]
"""
    write_model(tmp_path / "tanh", torch.nn.Tanh(), (torch.zeros(2),), config)
    before = list(tmp_path.rglob("*"))

    with triton.serve(tmp_path) as server:
        folder = server.log.parent
        assert list(triton.SHARED_MEMORY.glob(f"{folder.name}-*"))
        body = {"inputs": [tensor("input", "FP32", torch.zeros(2))]}
        assert post(server.http, "tanh", body)["outputs"][0]["data"] == [0.0, 0.0]

    assert not folder.exists()
    assert not list(triton.SHARED_MEMORY.glob(f"{folder.name}-*"))
    assert list(tmp_path.rglob("*")) == before


def test_finds_a_library_that_the_machine_lacks(
    triton_engine: triton.Installation, tmp_path: Path
) -> None:
    stub = tmp_path / "stub"
    stub.write_bytes(triton_engine.stub.read_bytes().replace(b"libpython3.", b"libpython0."))
    stub.chmod(0o755)

    assert triton.missing_libraries(triton_engine.stub, triton_engine.library_path) == ()
    [missing] = triton.missing_libraries(stub, triton_engine.library_path)
    assert missing.startswith("libpython0.")


def test_names_the_package_of_a_missing_library() -> None:
    assert triton.debian_package("libpython3.11.so.1.0") == "libpython3.11"
    assert triton.debian_package("libz.so.1") == "zlib1g"
