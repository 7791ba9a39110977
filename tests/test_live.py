"""What doors make of answers that are none, without any server."""

import sys
from pathlib import Path
from typing import Any

import pytest

from generator.engines import EngineError
from generator.live import Door, Refused, Tensors, Unanswered
from generator.project import Model, Project, Step, Tensor, Transforms

np = pytest.importorskip("numpy")
from generator.kserve import live as kserve  # noqa: E402  they import numpy
from generator.live import image_requests, program, tensor_requests, watch  # noqa: E402
from generator.targets.triton.live import elsewhere  # noqa: E402

BEST = (Step("softmax", {}), Step("top_k", {"top_k": 2}), Step("class_name", {}))
CUSTOM = (Step("custom", {"function": "steps.py:name"}),)


def project(*postprocess: Step) -> Project:
    """A classifier of three classes."""
    return Project(
        name="pets",
        target="triton",
        folder=Path(),
        model=Model(
            inputs=(Tensor("image", "float32", ("N", 3, 4, 4)),),
            outputs=(Tensor("logits", "float32", ("N", 3)),),
            class_names=("ant", "bee", "cat"),
        ),
        transforms=Transforms(preprocess=(Step("decode", {}),), postprocess=postprocess),
    )


@pytest.mark.parametrize(
    ("postprocess", "answer", "words"),
    [
        (BEST, [], "no list of 1 predictions"),
        (BEST, {"predictions": [[], []]}, "no list of 1 predictions"),
        (BEST, {"error": "no"}, "no list of 1 predictions"),
        (BEST, {"predictions": [[{"class_name": "ant"}]]}, "no entries with class_name"),
        (BEST, {"predictions": [[1, 2]]}, "no entries with class_name"),
        (BEST, {"predictions": [[{"class_name": "ant", "probability": "x"}]]}, "no entries"),
        ((), {"predictions": [[1, [2]]]}, "no numbers"),
        ((), {"predictions": [["ant"]]}, "no numbers"),
    ],
)
def test_a_v1_body_without_the_projects_answers_is_no_answer(
    postprocess: tuple[Step, ...], answer: object, words: str
) -> None:
    with pytest.raises(Unanswered, match=words):
        image_requests.v1_answers(project(*postprocess), answer, 1)


def output(name: str, data: list[Any], *shape: int) -> dict[str, Any]:
    return {"name": name, "data": data, "shape": shape}


NAMES = output("class_name", ["ant", "bee"], 1, 2)


@pytest.mark.parametrize(
    ("postprocess", "outputs"),
    [
        (BEST, None),
        (BEST, []),
        (BEST, [NAMES]),
        (BEST, [NAMES, output("probability", [0.5], 1)]),
        (BEST, [NAMES, output("probability", [0.5, 0.4, 0.1], 1, 2)]),
        (BEST, [NAMES, output("probability", ["x", "y"], 1, 2)]),
        (BEST, [output("class_name", ["a"] * 4, 2, 2), output("probability", [0.1] * 4, 2, 2)]),
        ((), [output("scores", [1, 2, 3], 1, 3)]),
        ((), [output("logits", ["a", "b", "c"], 1, 3)]),
        (CUSTOM, [output("prediction", ["no JSON"], 1)]),
    ],
)
def test_v2_outputs_other_than_the_projects_are_no_answer(
    postprocess: tuple[Step, ...], outputs: object
) -> None:
    def read() -> Any:
        arrays = tensor_requests.json_arrays({"outputs": outputs})
        return image_requests.array_answers(project(*postprocess), arrays, 1)

    with pytest.raises(Unanswered):
        read()


def test_rows_that_were_filled_up_are_told_without_the_filling() -> None:
    limited = project(Step("threshold", {"threshold": 0.5}), Step("class_name", {}))
    arrays = {
        "class_name": np.array([["ant", "bee"], [b"cat", b""]], dtype=object),
        "score": np.array([[3, 2], [1, 0]]),
    }

    first, second = image_requests.array_answers(limited, arrays, 2)

    assert first == image_requests.Entries(("ant", "bee"), (3.0, 2.0))
    assert second == image_requests.Entries(("cat",), (1.0,))


SIGNATURE = tensor_requests.Signature(
    "/v2/models/pets/infer", "pets", ("INPUT__0",), ("OUTPUT__0",), project().model
)


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"OUTPUT__0": None},
        {"OUTPUT__0": np.float32(1)},
        {"OUTPUT__0": np.zeros((3, 3))},
        {"OUTPUT__1": np.zeros((2, 3))},
    ],
)
def test_outputs_for_another_number_of_samples_are_no_answer(arrays: dict[str, Any]) -> None:
    with pytest.raises(Unanswered, match="OUTPUT__0 for 2 samples"):
        tensor_requests.answers_in(SIGNATURE, arrays, 2)


@pytest.mark.parametrize(
    ("ending", "raised", "words"),
    [
        ('sys.exit("400: no such model")', Refused, "400: no such model"),
        ('sys.exit(f"{sys.argv[1]}: the image is broken")', Refused, "the image is broken"),
        ('sys.exit("host:1: [StatusCode.INVALID_ARGUMENT] batch")', Refused, "INVALID_ARGUMENT"),
        ('sys.exit("503: away")', Unanswered, "503: away"),
        ('sys.exit("http://host:1: Connection refused")', Unanswered, "Connection refused"),
        ('raise KeyError("mean")', Unanswered, "KeyError: 'mean'"),
        ('print("hello")', Unanswered, "printed no JSON: hello"),
        ("print(1); print(2)", Unanswered, "printed 2 answers to 1 images"),
    ],
)
def test_how_a_client_ends_tells_who_is_to_blame(
    ending: str, raised: type[Exception], words: str, tmp_path: Path
) -> None:
    client = tmp_path / "client.py"
    client.write_text(f"import sys\n{ending}\n")

    with pytest.raises(raised, match=words.replace("[", r"\[")):
        program.ask_about_images(project(), client, (), [b"image"])


def test_a_silent_door_tells_how_its_server_ended() -> None:
    def silent(samples: object) -> Any:
        raise Unanswered("connection refused")

    def refusing(samples: object) -> Any:
        raise Refused("too large")

    doors = [Door(project(), "v1", "v1", "image", ask) for ask in (silent, refusing)]
    silenced, refused = watch.watched(doors, lambda: None, lambda: "the server was killed")

    with pytest.raises(Unanswered) as caught:
        silenced.ask([b""])
    with pytest.raises(Refused) as refusal:
        refused.ask([b""])
    assert str(caught.value) == "connection refused\nthe server was killed"
    assert str(refusal.value) == "too large"


def test_an_answer_passes_a_watched_door_as_it_is() -> None:
    answer = [Tensors((np.zeros(3),))]
    [door] = watch.watched([Door(project(), "v1", "v1", "image", lambda _: answer)], sys.exit)

    assert door.ask([b""]) is answer


def test_what_a_manifest_says_of_places_in_its_container_is_left_out() -> None:
    given = ("--http-port=8080", "--grpc-port", "9000", "--model-repository=/mnt/models")

    kept = list(elsewhere((*given, "--load-model=pets", "--log-verbose", "1")))

    assert kept == ["--load-model=pets", "--log-verbose", "1"]


SERVICE = """
spec:
  predictor:
    model:
      args: [--load-model=pets]
      env: [{name: OMP_NUM_THREADS, value: "2"}, {name: KEY, valueFrom: {secretKeyRef: {}}}]
"""
RUNTIME = """
spec:
  containers:
    - args: [tritonserver, --log-verbose=1]
      env: [{name: OMP_NUM_THREADS, value: "1"}, {name: MODE, value: fast}]
"""


def test_a_service_adds_to_what_its_runtime_starts(tmp_path: Path) -> None:
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests/inferenceservice.yaml").write_text(SERVICE)
    (tmp_path / "manifests/servingruntime.yaml").write_text(RUNTIME)

    container = kserve.predictor(tmp_path)

    assert container.arguments == ("--log-verbose=1", "--load-model=pets")
    assert container.variables == {"OMP_NUM_THREADS": "2", "MODE": "fast"}


@pytest.mark.parametrize("text", [None, "{", "[]", "spec: {}", "spec: {predictor: {model: 1}}"])
def test_a_manifest_that_is_none_is_told(text: str | None, tmp_path: Path) -> None:
    (tmp_path / "manifests").mkdir()
    if text is not None:
        (tmp_path / "manifests/inferenceservice.yaml").write_text(text)

    with pytest.raises(EngineError, match="manifests"):
        kserve.predictor(tmp_path)
