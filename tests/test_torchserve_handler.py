"""The rendered TorchServe handler passes for hand-written code, and answers as its doors say."""

import base64
import io
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from generator.artefact import Artefact
from generator.project import Batching, Model, Project, Serving, Step, Tensor, Transforms
from generator.render import render
from generator.targets.torchserve.handler import handler_code
from generator.transforms.code import transforms_code

np = pytest.importorskip("numpy")
image_module = pytest.importorskip("PIL.Image")

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


PROJECTS = {
    "best classes": project(*BEST),
    "class indices": project(Step("top_k", {"top_k": 3})),
    "threshold": project(Step("sigmoid", {}), Step("threshold", {"threshold": 0.5})),
    "raw output": project(),
    "raw half output": project(dtype="float16"),
    "custom answer": project(Step("custom", {"function": "answers.py:sentences"})),
    "no batch": project(*BEST, batched=False),
    "long field": project(*BEST, field="f" * 50),
}


def write(folder: Path, project: Project, *, explains: bool = False) -> None:
    """Render the Python files of an archive into a folder."""
    code = handler_code(project, threads=2, explains=explains)
    for path, template, values in (
        ("transforms.py", "common/transforms.py.j2", transforms_code(project)),
        ("bodies.py", "torchserve/models/bodies.py.j2", code),
        ("handler.py", "torchserve/models/handler.py.j2", code),
    ):
        text = render(Artefact(PurePosixPath(path), template, {"code": values})).text
        (folder / path).write_text(text, encoding="utf-8")
    (folder / "class_names.json").write_text(json.dumps(project.model.class_names))
    (folder / "answers.py").write_text(
        "def sentences(output: object) -> object:\n    return str(output)\n"
    )


@pytest.mark.parametrize(
    ("name", "explains"), [*((name, False) for name in PROJECTS), ("best classes", True)]
)
def test_is_formatted_and_clean(tmp_path: Path, name: str, explains: bool) -> None:
    write(tmp_path, PROJECTS[name], explains=explains)
    ruff = [sys.executable, "-m", "ruff"]
    families = "--select=E,W,F,I,B,C4,UP,SIM,PTH,RET,ARG001,PIE,RUF"
    options = ["--isolated", "--line-length=100"]

    for command in (["format", "--diff"], ["check", "--no-cache", families]):
        done = subprocess.run(
            [*ruff, *command, *options, "."], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", PROJECTS)
def test_is_typed(tmp_path: Path, name: str) -> None:
    pytest.importorskip("mypy")
    write(tmp_path, PROJECTS[name])
    # torch.jit.load has no types, where torch is there at all.
    options = ["--strict", "--allow-untyped-calls", "--ignore-missing-imports"]

    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "--cache-dir=/dev/null", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout


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
