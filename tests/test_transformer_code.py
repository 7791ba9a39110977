"""The rendered Python reads, formats, lints and types like hand-written code."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

import pytest
from msgspec.structs import replace

from generator.artefact import Artefact
from generator.planning import client_files
from generator.project import (
    Batching,
    Dtype,
    Hardware,
    Model,
    Project,
    Serving,
    Step,
    Tensor,
    Transforms,
    Transport,
)
from generator.render import render
from generator.transforms.client import client_code
from generator.transforms.code import transforms_code
from generator.transforms.component import (
    CONSTRAINTS,
    Hop,
    component_constraints,
    component_requirements,
    package,
    transformer_code,
)

HOPS: tuple[Hop, ...] = ("grpc", "http")
TRANSPORTS: tuple[Transport, ...] = ("grpc", "http")
Operation = str | Mapping[str, object]

NORMALIZE: Operation = {"normalize": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}}
BEST: tuple[Operation, ...] = ("softmax", {"top_k": 3}, "class_name")
IMAGE: Mapping[str, object] = {"dtype": "uint8", "shape": ["H", "W", 3]}
TEN = tuple("abcdefghij")
HOSTILE = (
    'quote " and \\ backslash',
    "{{ 7 * 7 }} {% raw %}",
    "$(touch owned) `touch owned` $HOME",
    "colon: # comment",
    "'''\"\"\"",
    "žluťoučký 猫 🐈 \u202e",
    "x" * 300,
)


def project(
    *preprocess: Operation,
    postprocess: Iterable[Operation] = BEST,
    class_names: tuple[str, ...] = TEN,
    dtype: Dtype = "float32",
    batched: bool = True,
    request_field: str = "image_bytes",
    requirements: tuple[str, ...] = (),
) -> Project:
    batch = ("N",) if batched else ()
    return Project(
        name="cifar10",
        target="triton",
        model=Model(
            inputs=(Tensor("image", "float32", (*batch, 3, 32, 32)),),
            outputs=(Tensor("logits", dtype, (*batch, 10)),),
            class_names=class_names,
        ),
        storage=None,
        transforms=Transforms(
            request_field=request_field,
            preprocess=tuple(map(step, preprocess or ("decode", "to_tensor", NORMALIZE))),
            postprocess=tuple(map(step, postprocess)),
            requirements=requirements,
        ),
        hardware=Hardware(),
        serving=Serving(batching=Batching(max_size=8)),
        folder=Path(),
    )


def step(operation: Operation) -> Step:
    if isinstance(operation, str):
        return Step(operation, {})
    [(name, arguments)] = operation.items()
    return Step(name, arguments if isinstance(arguments, Mapping) else {name: arguments})


def custom(function: str, **produces: object) -> Operation:
    return {"custom": {"function": function, **({"produces": produces} if produces else {})}}


def write(folder: Path, project: Project) -> None:
    """Render the Python files of a component and of a client into a folder."""
    transformer, over_http = (
        transformer_code(
            project, model_name="cifar10", input_name="INPUT__0", output_name="OUTPUT__0", hop=hop
        )
        for hop in HOPS
    )
    client = client_code(
        project, model_name="cifar10", input_name="INPUT__0", output_name="OUTPUT__0"
    )
    for path, template, code in (
        ("transforms.py", "common/transforms.py.j2", transforms_code(project)),
        ("transformer.py", "kserve/images/transformer/transformer.py.j2", transformer),
        ("over_http.py", "kserve/images/transformer/transformer.py.j2", over_http),
        ("client.py", "common/client.py.j2", client),
    ):
        text = render(Artefact(PurePosixPath(path), template, {"code": code})).text
        (folder / path).write_text(text, encoding="utf-8")
    names = json.dumps(project.model.class_names, ensure_ascii=False)
    (folder / "class_names.json").write_text(names, encoding="utf-8")


def write_clients(folder: Path) -> None:
    """Render the clients, of images and of tensors, into a folder, each under its own name."""
    for sends, transforms in (("images", project().transforms), ("tensors", Transforms())):
        for transport in TRANSPORTS:
            whole = replace(project(), transforms=transforms, serving=Serving(transport=transport))
            for file in client_files(
                whole,
                model="cifar10",
                inputs=("INPUT__0",),
                outputs=("OUTPUT__0",),
                grpc=transport == "grpc",
            ):
                name = file.path.name.replace("client", f"{sends}_{transport}")
                (folder / name).write_text(render(file).text, encoding="utf-8")


PROJECTS = {
    "best classes": project(),
    "usual pipeline": project(
        "decode",
        {"resize": {"shorter_edge": 256, "interpolation": "bicubic"}},
        {"center_crop": {"size": 224}},
        "to_tensor",
        {"normalize": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}},
    ),
    "every operation": project(
        {"decode": {"mode": "L"}},
        {"resize": {"size": [40, 50], "interpolation": "nearest"}},
        {"resize": {"shorter_edge": 40}},
        {"pad": {"padding": [1, 2, 3, 4], "fill": 114}},
        {"center_crop": {"size": [32, 32]}},
        {"grayscale": {"channels": 3}},
        "to_tensor",
        {"rescale": {"scale": 1e-05, "offset": -1}},
        NORMALIZE,
    ),
    "image as input": project({"decode": {"mode": "L"}}),
    "class indices": project(postprocess=[{"top_k": 3}]),
    "best index": project(postprocess=["argmax"]),
    "threshold": project(postprocess=["sigmoid", {"threshold": 0.25}, "class_name"]),
    "threshold of scores": project(postprocess=[{"threshold": 2}, {"top_k": 2}]),
    "probabilities": project(postprocess=["softmax"]),
    "raw output": project(postprocess=[]),
    "raw half output": project(postprocess=[], dtype="float16"),
    "no batch": project(batched=False),
    "custom operations": project(
        custom("letter_box.py:resize", **IMAGE),
        "to_tensor",
        custom("letter_box.py:to_bgr", dtype="float32", shape=[3, 32, 32]),
        NORMALIZE,
        postprocess=["softmax", {"top_k": 3}, "class_name", custom("answers.py:sentences")],
    ),
    "custom answer": project(postprocess=[custom("answers.py:sentences")]),
    "custom scores": project(
        postprocess=[
            custom("answers.py:calibrated", dtype="float32", shape=[10]),
            "softmax",
            {"top_k": 3},
        ]
    ),
    "many channels": project(
        custom("hyper.py:load", dtype="float32", shape=[12, 32, 32]),
        {"normalize": {"mean": [0.123456789] * 12, "std": [0.987654321] * 12}},
    ),
    "some channels": project(
        custom("hyper.py:load", dtype="float32", shape=[5, 32, 32]),
        {"normalize": {"mean": [0.123456789] * 5, "std": [0.987654321] * 5}},
    ),
    "long field": project(request_field="f" * 50),
}


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr if done.returncode else ""


@pytest.mark.parametrize("name", PROJECTS)
def test_rendered_python_is_formatted(tmp_path: Path, name: str) -> None:
    pytest.importorskip("ruff")
    write(tmp_path, PROJECTS[name])

    assert formatting(tmp_path) == ""


def formatting(folder: Path) -> str:
    return run(folder, "ruff", "format", "--isolated", "--line-length=100", "--diff", ".")


@pytest.mark.parametrize("name", PROJECTS)
def test_rendered_python_is_clean(tmp_path: Path, name: str) -> None:
    pytest.importorskip("ruff")
    write(tmp_path, PROJECTS[name])
    for module in ("letter_box", "answers", "hyper"):
        (tmp_path / f"{module}.py").touch()

    assert findings(tmp_path) == ""


def findings(folder: Path) -> str:
    families = "--select=E,W,F,I,B,C4,UP,SIM,PTH,RET,ARG001,PIE,RUF"
    options = ["--isolated", "--line-length=100", "--no-cache", families]
    return run(folder, "ruff", "check", *options, ".")


@pytest.mark.parametrize("name", PROJECTS)
def test_rendered_python_is_typed(tmp_path: Path, name: str) -> None:
    pytest.importorskip("mypy")
    write(tmp_path, PROJECTS[name])

    assert type_errors(tmp_path) == ""


def type_errors(folder: Path) -> str:
    options = ["--strict", "--ignore-missing-imports", "--allow-subclassing-any"]
    return run(folder, "mypy", *options, "--cache-dir=/dev/null", ".")


def test_clients_are_formatted_clean_and_typed(tmp_path: Path) -> None:
    pytest.importorskip("ruff")
    pytest.importorskip("mypy")
    write_clients(tmp_path)

    assert formatting(tmp_path) == ""
    assert findings(tmp_path) == ""
    assert type_errors(tmp_path) == ""


@pytest.mark.parametrize(
    ("sends", "file", "content", "words"),
    [
        ("images", "cat.png", b"junk", "the image is broken or of an unknown format"),
        ("images", "cat.png", None, "No such file or directory"),
        ("tensors", "cat.npy", b"junk, longer than a magic string", "the magic string is not corr"),
        ("tensors", "cat.npy", b"", "EOF: reading magic string"),
        ("tensors", "cat.npy", None, "No such file or directory"),
    ],
)
def test_a_client_says_what_is_wrong_with_a_file(
    tmp_path: Path, sends: str, file: str, content: bytes | None, words: str
) -> None:
    write_clients(tmp_path)
    if content is not None:
        (tmp_path / file).write_bytes(content)

    asked = ask(tmp_path, f"{sends}_http.py", "--url", "http://127.0.0.1:9", file)

    assert (asked.returncode, asked.stdout) == (1, "")
    assert asked.stderr.startswith(f"{file}: {words}")
    assert asked.stderr.count("\n") == 1


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("sends", ["images", "tensors"])
def test_a_client_says_that_no_server_answers(
    tmp_path: Path, sends: str, transport: Transport
) -> None:
    np = pytest.importorskip("numpy")
    if transport == "grpc":
        pytest.importorskip("tritonclient.grpc")
    write_clients(tmp_path)
    np.save(tmp_path / "tensors.npy", np.zeros((1, 3, 32, 32)))
    pytest.importorskip("PIL.Image").new("RGB", (32, 32)).save(tmp_path / "images.png")
    [file] = tmp_path.glob(f"{sends}.[np]*")
    address = {"http": ("--url", "http://127.0.0.1:9"), "grpc": ("--address", "127.0.0.1:9")}

    asked = ask(tmp_path, f"{sends}_{transport}.py", *address[transport], file.name)

    assert (asked.returncode, asked.stdout) == (1, "")
    assert asked.stderr.startswith(f"{address[transport][1]}: ")
    assert "refused" in asked.stderr
    assert "Traceback" not in asked.stderr


def ask(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a client, with no proxy between it and the server."""
    pytest.importorskip("PIL.Image")
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=os.environ | {"NO_PROXY": "*"},
        capture_output=True,
        text=True,
    )


def test_rendered_python_has_only_what_it_uses(tmp_path: Path) -> None:
    write(tmp_path, PROJECTS["best classes"])

    text = (tmp_path / "transforms.py").read_text()

    assert "def decode(" in text
    assert "def resize" not in text
    assert "def sigmoid(" not in text


def test_class_names_stay_data(tmp_path: Path) -> None:
    write(tmp_path, project(class_names=HOSTILE))

    assert json.loads((tmp_path / "class_names.json").read_text()) == list(HOSTILE)
    for file in tmp_path.glob("*.py"):
        compile(file.read_text(), file.name, "exec")
        assert not any(name in file.read_text() for name in HOSTILE)


def test_names_of_users_functions_make_way(tmp_path: Path) -> None:
    write(tmp_path, PROJECTS["custom operations"])

    text = (tmp_path / "transforms.py").read_text()

    assert "from answers import sentences\n" in text
    assert "from letter_box import resize as letter_box_resize\n" in text
    assert "from letter_box import to_bgr\n" in text
    assert "image = letter_box_resize(encoded)\n" in text


def test_requirements_of_the_user_replace_those_of_the_same_package() -> None:
    lines = component_requirements(
        project(requirements=("NumPy==2.3.5", "scipy==1.16.2", "opencv_python_headless>=4"))
    )

    assert lines == (
        "kserve==0.21.0",
        "NumPy==2.3.5",
        "opencv_python_headless>=4",
        "pillow==13.0.0",
        "scipy==1.16.2",
    )


def test_every_package_of_the_image_is_pinned() -> None:
    lines = component_constraints(project())

    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line) for line in lines)
    assert list(lines) == sorted(set(lines), key=package)
    assert set(component_requirements(project())) < set(lines)
    assert set(lines) == set(CONSTRAINTS.read_text(encoding="utf-8").splitlines())


def test_a_line_of_the_user_takes_the_place_of_a_pin() -> None:
    ours = component_constraints(project())

    lines = component_constraints(
        project(requirements=("NumPy>=2", "python.dateutil==2.8.2", "pyYAML[x]==6", "scipy"))
    )

    assert {package(line) for line in set(ours) - set(lines)} == {
        "numpy",
        "python-dateutil",
        "pyyaml",
    }
    assert set(lines) < set(ours)


def test_the_image_takes_every_file_by_name() -> None:
    files = ("class_names.json", "steps.py", "transformer.py", "transforms.py")
    template = "kserve/images/transformer/Dockerfile.j2"
    values = {"files": files, "base_image": "docker.io/acme/python:3"}

    text = render(Artefact(PurePosixPath("Dockerfile"), template, values)).text

    assert "ARG BASE_IMAGE=docker.io/acme/python:3\nFROM ${BASE_IMAGE}\n" in text
    assert "COPY requirements.txt constraints.txt ./\n" in text
    assert "--constraint constraints.txt --requirement requirements.txt" in text
    assert "COPY class_names.json steps.py transformer.py transforms.py ./\n" in text
    assert "USER 65532:65532\n" in text
