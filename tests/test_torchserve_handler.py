"""The rendered TorchServe handler passes for hand-written code, and answers as its doors say."""

import ast
import base64
import io
import json
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from generator.project import Batching, Model, Project, Serving, Step, Tensor, Transforms
from generator.render import render
from generator.source import load
from generator.targets.torchserve.client import grpc_client_files
from generator.targets.torchserve.handler import archive_handler, model_files
from generator.targets.torchserve.options import Explain, Options
from generator.targets.torchserve.service import Model as ServedModel
from generator.targets.torchserve.service import describe
from generator.validate import validate

np = pytest.importorskip("numpy")
image_module = pytest.importorskip("PIL.Image")

ROOT = Path(__file__).resolve().parent.parent
TEN = tuple("abcdefghij")
BEST = (Step("softmax", {}), Step("top_k", {"top_k": 3}), Step("class_name", {}))
DESCRIBED = {"modelName": "letters", "modelVersion": "1.0"}


def project(
    *postprocess: Step, batched: bool = True, dtype: str = "float32", field: str = "image_bytes"
) -> Project:
    batch = ("N",) if batched else ()
    return Project(
        name="letters",
        target="torchserve",
        folder=Path(),
        model=Model(
            inputs=(Tensor("image", "float32", (*batch, 3, 8, 8)),),
            outputs=(Tensor("logits", dtype, (*batch, 10)),),  # type: ignore[arg-type]  # a dtype
            class_names=TEN,
        ),
        transforms=Transforms(
            run_in="server",
            request_field=field,
            preprocess=(Step("decode", {}), Step("to_tensor", {})),
            postprocess=postprocess,
        ),
        serving=Serving(batching=Batching(max_size=8)),
    )


def pixels(*postprocess: Step) -> Project:
    """A project whose program resizes, and takes the activation from the answer's steps."""
    whole = project(*postprocess)
    return replace(whole, transforms=replace(whole.transforms, run_in="model"))


def tensors(inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Project:
    return replace(project(), model=Model(inputs=inputs, outputs=outputs), transforms=Transforms())


IMAGE = Tensor("image", "float32", ("N", 2, 2))
LOGITS = Tensor("logits", "float32", ("N", 5))
PAIR = (Tensor("left", "int64", ("N", 3)), Tensor("right", "float16", ("N", 3)))
SUM = (Tensor("sum", "float16", ("N", 3)), Tensor("positive", "bool", ("N",)))
TEXT = (Tensor("tokens", "int64", ("N", "T")), Tensor("mask", "bool", ("N", "T")))
GREY = Tensor("grey", "uint8", ("H", "W"))

PROJECTS = {
    "best classes": project(*BEST),
    "class indices": project(Step("top_k", {"top_k": 3})),
    "threshold": project(Step("sigmoid", {}), Step("threshold", {"threshold": 0.5})),
    "raw output": project(),
    "raw half output": project(dtype="float16"),
    "custom answer": project(Step("custom", {"function": "answers.py:sentences"})),
    "no batch": project(*BEST, batched=False),
    "long field": project(*BEST, field="f" * 50),
    "pixels to best classes": pixels(*BEST),
    "pixels to threshold": pixels(Step("sigmoid", {}), Step("threshold", {"threshold": 0.5})),
    "pixels to probabilities": pixels(Step("softmax", {})),
    "pixels to raw output": pixels(),
    "one tensor": tensors((IMAGE,), (LOGITS,)),
    "several tensors": tensors(PAIR, SUM),
    "several outputs": tensors((IMAGE,), SUM),
    "free sizes": tensors(TEXT, (LOGITS,)),
    "no batch of tensors": tensors((GREY,), (Tensor("mean", "float64", ()),)),
}


def served(project: Project, *, explains: bool = False) -> ServedModel:
    return describe(project, Options(explain=Explain(steps=20) if explains else None)).model


def write(folder: Path, project: Project, *, explains: bool = False) -> None:
    """Render the files of an archive into a folder."""
    (folder / "answers.py").write_text(
        "def sentences(output: object) -> object:\n    return str(output)\n"
    )
    for file in model_files(served(replace(project, folder=folder), explains=explains)):
        (folder / file.path).write_text(render(file).text, encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "explains"),
    [*((name, False) for name in PROJECTS), ("best classes", True), ("several outputs", True)],
)
def test_is_formatted_and_clean(tmp_path: Path, name: str, explains: bool) -> None:
    write(tmp_path, PROJECTS[name], explains=explains)
    check(tmp_path, "py39")


@pytest.mark.parametrize("name", ["best classes", "one tensor", "several tensors"])
def test_the_grpc_client_is_formatted_and_clean(tmp_path: Path, name: str) -> None:
    write_grpc_client(tmp_path, name)
    check(tmp_path, "py310")


def write_grpc_client(folder: Path, name: str) -> None:
    for file in grpc_client_files(describe(PROJECTS[name], Options())):
        (folder / file.path.name).write_text(render(file).text, encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "best classes",
            "grpcio and grpcio-tools: pip install grpcio grpcio-tools",
        ),
        (
            "one tensor",
            "grpcio, grpcio-tools and numpy: pip install grpcio grpcio-tools numpy",
        ),
    ],
)
@pytest.mark.parametrize("lacks", ["grpcio", "grpcio-tools"])
def test_the_grpc_client_says_what_it_needs(
    tmp_path: Path, name: str, words: str, lacks: str
) -> None:
    if lacks == "grpcio-tools":
        pytest.importorskip("grpc")
        if find_spec("grpc_tools"):
            pytest.skip("grpcio-tools is installed")
    write_grpc_client(tmp_path, name)
    without_packages = ["-S"] if lacks == "grpcio" else []

    done = subprocess.run(
        [sys.executable, *without_packages, "grpc_client.py", "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"grpc_client.py needs {words}\n"


def check(folder: Path, version: str) -> None:
    """Hold the Python files of a folder against formatter and linter."""
    ruff = [sys.executable, "-m", "ruff"]
    families = "--select=E,W,F,I,B,C4,UP,SIM,PTH,RET,ARG001,PIE,RUF"
    options = ["--isolated", "--line-length=100", f"--target-version={version}"]

    for command in (["format", "--diff"], ["check", "--no-cache", families]):
        done = subprocess.run(
            [*ruff, *command, *options, "."], cwd=folder, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def mypy_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What mypy remembers of the packages that all handlers import."""
    return tmp_path_factory.mktemp("mypy")


@pytest.mark.parametrize(
    ("name", "explains"),
    [*((name, False) for name in PROJECTS), ("best classes", True), ("several outputs", True)],
)
def test_is_typed(tmp_path: Path, mypy_cache: Path, name: str, explains: bool) -> None:
    pytest.importorskip("mypy")
    write(tmp_path, PROJECTS[name], explains=explains)
    # torch.jit.load has no types, where torch is there at all.
    options = ["--strict", "--allow-untyped-calls", "--ignore-missing-imports"]

    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, f"--cache-dir={mypy_cache}", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", PROJECTS)
def test_is_python_of_the_servers_image(tmp_path: Path, name: str) -> None:
    write(tmp_path, PROJECTS[name])

    for file in tmp_path.glob("*.py"):
        ast.parse(file.read_text(encoding="utf-8"), feature_version=(3, 9))


@pytest.mark.parametrize(
    "spec", sorted((ROOT / "specs").rglob("*.yaml")), ids=lambda path: path.stem
)
def test_transforms_of_every_spec_are_python_of_the_servers_image(spec: Path) -> None:
    deployments, _ = validate(load(str(spec), spec.read_bytes(), spec.parent))

    for whole in (deployment.project for deployment in deployments):
        if whole.transforms.preprocess:
            inside = replace(whole, transforms=replace(whole.transforms, run_in="server"))
            texts = {file.path.name: render(file).text for file in model_files(served(inside))}
            for name in ("transforms.py", "handler.py", "bodies.py"):
                ast.parse(texts[name], feature_version=(3, 9))


def test_carries_packages_that_the_users_steps_need(tmp_path: Path) -> None:
    needy = PROJECTS["custom answer"]
    requirements = ("scipy==1.13.1", "lxml")
    write(tmp_path, replace(needy, transforms=replace(needy.transforms, requirements=requirements)))

    assert (tmp_path / "requirements.txt").read_text() == "lxml\nscipy==1.13.1\n"


def test_copies_a_handler_of_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letters.py").write_text("class Letters:\n    pass\n")
    (tmp_path / "words.json").write_text("[]\n")
    own = replace(
        PROJECTS["raw output"],
        folder=tmp_path,
        model=replace(PROJECTS["raw output"].model, files=("words.json",), requirements=("lxml",)),
    )
    model = describe(own, Options(handler="mine/letters.py:Letters")).model

    files = {str(file.path): render(file).text for file in model_files(model)}

    assert sorted(files) == ["entry.py", "letters.py", "requirements.txt", "words.json"]
    assert archive_handler(model) == "entry.py"
    assert "from letters import Letters as Written\n" in files["entry.py"]
    assert files["words.json"] == "[]\n"


@pytest.fixture
def bodies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that gives the rendered `bodies` module of a project."""

    def load(project: Project) -> Any:
        write(tmp_path, project)
        monkeypatch.syspath_prepend(str(tmp_path))
        for module in ("transforms", "bodies", "answers"):
            monkeypatch.delitem(sys.modules, module, raising=False)
        return __import__("bodies")

    yield load
    for module in ("transforms", "bodies", "answers"):
        sys.modules.pop(module, None)


def picture(seed: int = 0, size: int = 8) -> bytes:
    """A small PNG."""
    values = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    encoded = io.BytesIO()
    image_module.fromarray(values).save(encoded, "PNG")
    return encoded.getvalue()


def text(image: bytes) -> str:
    return base64.b64encode(image).decode()


def v1(*images: bytes) -> dict[str, Any]:
    return {"instances": [{"image_bytes": {"b64": text(image)}, "more": 1} for image in images]}


def v2(*images: bytes, **more: Any) -> dict[str, Any]:
    data = [text(image) for image in images]
    tensor = {"name": "image_bytes", "shape": [len(images)], "datatype": "BYTES", "data": data}
    return {"inputs": [tensor | more]}


@pytest.mark.parametrize(
    ("row", "protocol", "count"),
    [
        ({"body": bytearray(picture())}, "native", 1),
        ({"data": picture()}, "native", 1),
        ({"image_bytes": picture()}, "native", 1),
        ({"body": v1(picture(), picture())}, "v1", 2),
        ({"body": json.dumps(v1(picture()))}, "v1", 1),
        ({"data": bytearray(json.dumps(v2(picture())).encode())}, "v2", 1),
        ({"body": v2(picture(), picture(), picture())}, "v2", 3),
    ],
)
def test_tells_the_protocol_by_the_body(
    bodies: Any, row: Mapping[str, object], protocol: str, count: int
) -> None:
    request = bodies(PROJECTS["best classes"]).read(row)

    assert (request.protocol, len(request.samples)) == (protocol, count)
    assert all(each.shape == (3, 8, 8) for each in request.samples)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({}, "there is no image"),
        ({"body": b""}, "there is no image"),
        ({"other": picture()}, "there is no image"),
        ({"body": b"junk"}, "the image is broken or of an unknown format"),
        ({"body": picture(size=9)}, r"the image makes \(3, 9, 9\), not \(3, 8, 8\)"),
        ({"body": b'{"instances"'}, "the request is not JSON"),
        ({"body": [1]}, "neither v1 instances nor one v2 tensor"),
        ({"body": {"instances": 1}}, "neither v1 instances nor one v2 tensor"),
        ({"body": {"instances": []}}, "no instances"),
        ({"body": {"instances": [1]}}, r"instance 0 has no image_bytes\.b64"),
        ({"body": {"instances": [{"image_bytes": {"b64": 1}}]}}, "instance 0: the image is not"),
        ({"body": {"instances": [{"image_bytes": {"b64": "*"}}]}}, "instance 0: "),
        ({"body": v1(picture(), b"junk")}, "instance 1: the image is broken"),
        ({"body": v2(picture(), name="other")}, "neither v1 instances nor one v2 tensor"),
        ({"body": v2(picture(), shape=[2])}, "neither v1 instances nor one v2 tensor"),
        ({"body": v2(picture(), datatype="FP32")}, "neither v1 instances nor one v2 tensor"),
        ({"body": v2()}, "no instances"),
        ({"body": v2(picture(), b"junk")}, "instance 1: the image is broken"),
    ],
)
def test_says_what_is_wrong_with_a_request(
    bodies: Any, row: Mapping[str, object], words: str
) -> None:
    module = bodies(PROJECTS["best classes"])

    with pytest.raises(ValueError, match=words):
        module.read(row)


ENTRIES = [
    [{"class_name": "b", "probability": 0.7}, {"class_name": "a", "probability": 0.2}],
    [{"class_name": "c", "probability": 0.5}, {"class_name": "j", "probability": 0.4}],
]


def answers(module: Any, predictions: list[Any]) -> dict[str, Any]:
    """The answers in the three protocols; the native one is of the first prediction."""
    requests = {name: module.Request(name, [], "7") for name in ("native", "v1", "v2")}
    given = {name: module.answer(each, predictions, DESCRIBED) for name, each in requests.items()}
    return dict(json.loads(json.dumps(given)))


def test_answers_classes_best_first(bodies: Any) -> None:
    assert answers(bodies(PROJECTS["best classes"]), ENTRIES) == {
        "native": [{"b": 0.7}, {"a": 0.2}],
        "v1": {"predictions": ENTRIES},
        "v2": {
            "id": "7",
            "model_name": "letters",
            "model_version": "1.0",
            "outputs": [
                {
                    "name": "class_name",
                    "datatype": "BYTES",
                    "shape": [2, 2],
                    "data": ["b", "a", "c", "j"],
                },
                {
                    "name": "probability",
                    "datatype": "FP32",
                    "shape": [2, 2],
                    "data": [0.7, 0.2, 0.5, 0.4],
                },
            ],
        },
    }


def test_fills_up_where_a_threshold_leaves_fewer_classes(bodies: Any) -> None:
    entry = {"class_index": 4, "probability": 0.75}

    given = answers(bodies(PROJECTS["threshold"]), [[entry], []])

    assert given["native"] == [{"4": 0.75}]
    assert given["v1"] == {"predictions": [[entry], []]}
    labels, values = given["v2"]["outputs"]
    assert (labels["datatype"], labels["shape"], labels["data"]) == ("INT64", [2, 1], [4, -1])
    assert values["data"] == [0.75, 0.0]


@pytest.mark.parametrize("name", ["raw output", "raw half output"])
def test_answers_the_output_where_nothing_is_picked(bodies: Any, name: str) -> None:
    output = np.array([1.5, -2.0], dtype=np.float16 if "half" in name else np.float32)

    given = answers(bodies(PROJECTS[name]), [output, output])

    assert given["native"] == [1.5, -2.0]
    assert given["v1"] == {"predictions": [[1.5, -2.0], [1.5, -2.0]]}
    [tensor] = given["v2"]["outputs"]
    assert tensor == {
        "name": "logits",
        "datatype": "FP32",
        "shape": [2, 2],
        "data": [1.5, -2.0, 1.5, -2.0],
    }


def test_answers_what_the_users_function_returns(bodies: Any) -> None:
    given = answers(bodies(PROJECTS["custom answer"]), ["one", {"two": 2}])

    assert given["native"] == "one"
    assert given["v1"] == {"predictions": ["one", {"two": 2}]}
    [tensor] = given["v2"]["outputs"]
    assert (tensor["name"], tensor["shape"]) == ("prediction", [2])
    assert [json.loads(each) for each in tensor["data"]] == ["one", {"two": 2}]


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def tensor_of(name: str, datatype: str, shape: list[int], data: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data} | more


def in_bytes(head: dict[str, Any], data: bytes, length: object = None) -> tuple[Any, Any]:
    """A row and the headers of a request with raw bytes."""
    text = json.dumps(head).encode()
    size = len(text) if length is None else length
    return {"body": bytearray(text + data)}, {"inference-header-content-length": str(size)}


FOUR = [[1, 2], [3, 4.5]]


@pytest.mark.parametrize(
    ("row", "protocol"),
    [
        ({"body": bytearray(npy(np.array([FOUR], dtype=np.float32)))}, "native"),
        ({"image": bytearray(npy(np.array([FOUR], dtype=np.float32)))}, "native"),
        ({"body": {"instances": [FOUR]}}, "v1"),
        ({"data": bytearray(b'{"instances": [{"image": [[1, 2], [3, 4.5]]}]}')}, "v1"),
        ({"body": {"inputs": [tensor_of("image", "FP32", [1, 2, 2], [1, 2, 3, 4.5])]}}, "v2"),
        ({"body": {"inputs": [tensor_of("image", "FP32", [1, 2, 2], [FOUR])]}}, "v2"),
    ],
)
def test_reads_a_tensor_of_every_body(bodies: Any, row: Any, protocol: str) -> None:
    request = bodies(PROJECTS["one tensor"]).read(row, {})

    assert request.protocol == protocol
    [[image]] = request.calls
    assert (image.dtype, image.tolist()) == (np.float32, [FOUR])


def test_reads_raw_bytes_whatever_the_case_of_the_header(bodies: Any) -> None:
    module = bodies(PROJECTS["several tensors"])
    right, left = np.ones((2, 3), np.float16), np.arange(6).reshape(2, 3)
    head = {
        "inputs": [
            tensor_of("right", "FP16", [2, 3], None, parameters={"binary_data_size": 12}),
            tensor_of("left", "INT64", [2, 3], None, parameters={"binary_data_size": 48}),
        ],
        "outputs": [{"name": "sum", "parameters": {"binary_data": True}}, {"name": "positive"}],
    }

    request = module.read(*in_bytes(head, right.tobytes() + left.tobytes()))

    assert [each.tolist() for each in request.calls[0]] == [left.tolist(), right.tolist()]
    assert request.wanted == {"sum": True, "positive": False}


CURL_D = {'{"instances":[[[1,2],[3,4]]]}': ""}  # which TorchServe reads as a form


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "best classes",
            "there is no image: send it as the body, or as form field data or image_bytes",
        ),
        (
            "one tensor",
            "there is no tensor: send an .npy file as the body, or as form field data or image, "
            "or JSON",
        ),
        (
            "several tensors",
            "there is no tensor: send .npy files as form fields left, right, or JSON",
        ),
    ],
)
def test_says_how_json_is_sent_when_it_came_as_a_form(bodies: Any, name: str, told: str) -> None:
    read = bodies(PROJECTS[name]).read
    headers = ({},) if "tensor" in name else ()

    with pytest.raises(ValueError, match="there is no") as refused:
        read(CURL_D, *headers)

    assert str(refused.value) == (
        f"{told}; JSON needs Content-Type: application/json (curl -d sends a form)"
    )


IMAGE_AS_JSON = tensor_of("image", "FP32", [1, 2, 2], [1, 2, 3, 4])


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({}, "there is no tensor"),
        ({"body": b""}, "there is no tensor"),
        ({"body": [1]}, "there is no tensor"),
        ({"body": {}}, "there is no tensor"),
        ({"body": b"junk"}, "image is no .npy file"),
        ({"body": npy(np.zeros((1, 2, 2), np.float32))[:90]}, "image is a broken .npy file"),
        ({"body": npy(np.array([None]))}, "image is a broken .npy file"),
        ({"body": npy(np.zeros((1, 2, 2)))}, "image is float64, not float32"),
        ({"body": npy(np.zeros((2, 2), np.float32))}, r"shape \[2, 2\], not \[N, 2, 2\]"),
        ({"body": npy(np.zeros((0, 2, 2), np.float32))}, r"shape \[0, 2, 2\], not \[N, 2, 2\]"),
        ({"body": b"{" * 100_000}, "the request is not JSON"),
        ({"body": {"instances": []}}, "no instances"),
        ({"body": {"instances": [FOUR, [1]]}}, r"instance 1: image has shape \[1, 1\]"),
        ({"body": {"instances": [[[1, 2], [3]]]}}, "instance 0: image is no list of numbers"),
        ({"body": {"instances": [{"other": 1}]}}, "instance 0: input image is missing"),
        ({"body": {"instances": [[["1", 2], [3, 4]]]}}, "image has values that are no float32"),
        ({"body": {"inputs": 1}}, "there is no tensor"),
        ({"body": {"inputs": []}}, "input image is missing"),
        ({"body": {"inputs": [1]}}, "the model has no input None, only image"),
        ({"body": {"inputs": [IMAGE_AS_JSON, IMAGE_AS_JSON]}}, "input image is there twice"),
        ({"body": {"inputs": [IMAGE_AS_JSON | {"name": "x"}]}}, "the model has no input x"),
        ({"body": {"inputs": [IMAGE_AS_JSON | {"datatype": "FP64"}]}}, "image is FP64, not FP32"),
        ({"body": {"inputs": [IMAGE_AS_JSON | {"shape": [1.0]}]}}, "no list of whole numbers"),
        ({"body": {"inputs": [IMAGE_AS_JSON | {"shape": [2, 2, 2]}]}}, "image has 4 numbers"),
        ({"body": {"inputs": [IMAGE_AS_JSON | {"shape": [-1, 2, 2]}]}}, "image has 4 numbers"),
        ({"body": {"inputs": [IMAGE_AS_JSON | {"data": None}]}}, "values that are no float32"),
        ({"body": {"inputs": [IMAGE_AS_JSON], "outputs": 1}}, "outputs is no list of maps"),
    ],
)
def test_says_what_is_wrong_with_a_tensor(bodies: Any, row: Any, words: str) -> None:
    module = bodies(PROJECTS["one tensor"])

    with pytest.raises(ValueError, match=words):
        module.read(row, {})


RAW = {"inputs": [tensor_of("image", "FP32", [1, 2, 2], None, parameters={"binary_data_size": 16})]}


@pytest.mark.parametrize(
    ("request_given", "words"),
    [
        (in_bytes(RAW, b"0" * 15), "image has 16 bytes, but only 15 of them are there"),
        (in_bytes(RAW, b"0" * 17), "1 bytes follow the last input"),
        (in_bytes(RAW, b"", length="x"), "Inference-Header-Content-Length is no number: x"),
        (in_bytes(RAW, b"0" * 16, length=5), "the request is not JSON"),
        (
            in_bytes({"inputs": [RAW["inputs"][0] | {"shape": [1, 2, 3]}]}, b"0" * 16),
            r"image has 16 bytes, and \[1, 2, 3\] is another number of them",
        ),
    ],
)
def test_says_what_is_wrong_with_raw_bytes(bodies: Any, request_given: Any, words: str) -> None:
    module = bodies(PROJECTS["one tensor"])

    with pytest.raises(ValueError, match=words):
        module.read(*request_given)


@pytest.mark.parametrize(
    ("data", "words"), [([1.5], "no uint8"), ([True], "no uint8"), ([256], "beyond uint8")]
)
def test_changes_no_number_for_the_sake_of_its_dtype(bodies: Any, data: Any, words: str) -> None:
    module = bodies(PROJECTS["no batch of tensors"])

    with pytest.raises(ValueError, match=words):
        module.read({"body": {"instances": [[data]]}}, {})


def test_a_letter_is_one_size_in_all_inputs(bodies: Any) -> None:
    module = bodies(PROJECTS["free sizes"])
    row = {"tokens": npy(np.zeros((2, 3), np.int64)), "mask": npy(np.zeros((2, 4), bool))}

    with pytest.raises(ValueError, match=r"mask has shape \[2, 4\], not \[2, 3\]"):
        module.read(row, {})


def test_refuses_an_output_that_is_not_there_and_half_floats_in_json(bodies: Any) -> None:
    module = bodies(PROJECTS["several tensors"])
    outputs = [{"sum": np.ones((1, 3), np.float16), "positive": np.ones((1, 3), bool)}]

    for wanted, words in (({"x": True}, "no output x, only sum, positive"), ({}, "sum is FP16")):
        with pytest.raises(ValueError, match=words):
            module.answer(module.Request("v2", [], wanted=wanted), outputs, DESCRIBED)
