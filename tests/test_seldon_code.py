"""The rendered Python of Seldon's nodes passes for hand-written code, on Python 3.8 too."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from generator.project import (
    Batching,
    Dtype,
    Model,
    Project,
    Serving,
    Step,
    Storage,
    Tensor,
    Transforms,
)
from generator.render import render
from generator.source import load
from generator.targets.seldon.code import component_code
from generator.targets.seldon.options import Called, Components, ModelServer, Options
from generator.targets.seldon.service import describe
from generator.validate import validate

ROOT = Path(__file__).resolve().parent.parent
BEST = (Step("softmax", {}), Step("top_k", {"top_k": 3}), Step("class_name", {}))
THRESHOLD = (Step("sigmoid", {}), Step("threshold", {"threshold": 0.5}))
RESIZED = (Step("decode", {}), Step("resize", {"size": [8, 8]}), Step("to_tensor", {}))
CUSTOM = Step("custom", {"function": "answers.py:sentences"})


def project(
    run_in: str,
    *postprocess: Step,
    preprocess: tuple[Step, ...] = RESIZED,
    shape: tuple[int | str, ...] = ("N", 3, 8, 8),
    dtype: Dtype = "float32",
    output: tuple[int | str, ...] = ("N", 10),
    field: str = "image_bytes",
) -> Project:
    if shape[0] != "N":
        output = output[1:]
    return Project(
        name="letters",
        target="seldon",
        folder=Path(),
        model=Model(
            inputs=(Tensor("image", dtype, shape),),
            outputs=(Tensor("logits", "float32", output),),
            class_names=tuple("abcdefghij"),
        ),
        storage=Storage("s3://models/letters"),
        transforms=Transforms(
            run_in=run_in,  # type: ignore[arg-type]  # a word of the spec
            preprocess=preprocess,
            postprocess=postprocess,
            request_field=field,
        ),
        serving=Serving(batching=Batching(max_size=8)),
    )


DECODED = (Step("decode", {}), Step("to_tensor", {}))  # of any size
FREE = ("N", 3, "H", "W")

PROJECTS = {
    "split": project("component", *BEST),
    "split, one image at a time": project("component", *BEST, shape=(3, 8, 8)),
    "split, checked size": project("component", *BEST, preprocess=DECODED),
    "split, free sizes": project("component", *BEST, preprocess=DECODED, shape=FREE),
    "split, probabilities": project("component", Step("softmax", {})),
    "split, no answer node": project("component"),
    "split, custom answer": project("component", CUSTOM),
    "fused": project("server", *BEST),
    "fused, long field": project("server", *BEST, field="f" * 50),
    "fused, one image at a time": project("server", *BEST, shape=(3, 8, 8)),
    "fused, checked size": project("server", *THRESHOLD, preprocess=DECODED),
    "fused, free sizes": project(
        "server", preprocess=DECODED, shape=FREE, output=("N", 1, "H", "W")
    ),
    "fused, probabilities": project("server", Step("softmax", {})),
    "fused, raw output": project("server"),
    "embedded": project("model", *BEST),
    "embedded, threshold": project("model", *THRESHOLD),
    "embedded, probabilities": project("model", Step("softmax", {})),
    "tensors": project("client", *BEST),
    "integers": project("client", preprocess=(), shape=("N", "T"), dtype="int64"),
    "tensors without batch": project("client", preprocess=(), shape=("H", "W"), dtype="uint8"),
}
CASES = [
    *((name, server) for name in PROJECTS for server in ("container",)),
    ("split", "TORCH_SERVER"),
    ("tensors", "TORCH_SERVER"),
]


def write(folder: Path, project: Project, model_server: ModelServer = "container") -> list[Path]:
    """Render the code of each node into a folder of its own; gives the folders."""
    (folder / "answers.py").write_text(
        "def sentences(output: object) -> object:\n    return str(output)\n"
    )
    whole = replace(project, folder=folder)
    service = describe(whole, Options(model_server=model_server))
    for component in service.components:
        own = folder / component.folder
        own.mkdir()
        for file in component_code(whole, service, component):
            (own / file.path).write_text(render(file).text, encoding="utf-8")
    return [folder / component.folder for component in service.components]


def complaints(folder: Path, *command: str) -> str:
    done = subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True)
    return "" if done.returncode == 0 else (done.stdout + done.stderr).decode()


@pytest.mark.parametrize(("name", "model_server"), CASES)
@pytest.mark.parametrize("version", ["py38", "py311"])
def test_is_formatted_and_clean(
    tmp_path: Path, name: str, model_server: ModelServer, version: str
) -> None:
    families = "--select=E,W,F,I,B,C4,UP,SIM,PTH,RET,ARG001,PIE,RUF"
    options = ("--isolated", "--no-cache", "--line-length=100", f"--target-version={version}")

    for folder in write(tmp_path, PROJECTS[name], model_server):
        assert complaints(folder, "ruff", "format", "--diff", *options, ".") == ""
        assert complaints(folder, "ruff", "check", families, *options, ".") == ""


@pytest.fixture(scope="module")
def mypy_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What mypy remembers of the standard library and numpy."""
    return tmp_path_factory.mktemp("mypy")


@pytest.mark.parametrize(("name", "model_server"), CASES)
def test_is_typed(tmp_path: Path, mypy_cache: Path, name: str, model_server: ModelServer) -> None:
    pytest.importorskip("mypy")
    # Neither torch nor the wrapper has types; its exception is subclassed.
    untyped = ("--allow-untyped-calls", "--ignore-missing-imports", "--allow-subclassing-any")
    options = ("--config-file=", "--strict", f"--cache-dir={mypy_cache}", *untyped)

    for folder in write(tmp_path, PROJECTS[name], model_server):
        assert complaints(folder, "mypy", *options, ".") == ""


@pytest.mark.parametrize(("name", "model_server"), CASES)
def test_is_python_3_8(tmp_path: Path, name: str, model_server: ModelServer) -> None:
    for folder in write(tmp_path, PROJECTS[name], model_server):
        for file in folder.glob("*.py"):
            if file.name != "answers.py":  # the user's own
                assert_python_3_8(file.read_text(encoding="utf-8"))


def assert_python_3_8(text: str) -> None:
    """A module that parses, and evaluates no type that a later Python learned to subscript."""
    tree = ast.parse(text, feature_version=(3, 8))
    postponed = any(
        isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body
    )
    annotations = {
        id(inner)
        for node in ast.walk(tree)
        for name in ("annotation", "returns")
        if getattr(node, name, None)
        for inner in ast.walk(getattr(node, name))
    }
    evaluated = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("list", "dict", "tuple", "type", "Sequence", "Mapping", "Callable")
        and id(node) not in annotations
    ]
    assert postponed
    assert evaluated == []


@pytest.mark.parametrize(
    "spec", sorted((ROOT / "specs").rglob("*.yaml")), ids=lambda path: path.stem
)
def test_transforms_of_every_spec_are_python_3_8(spec: Path) -> None:
    deployments, _ = validate(load(str(spec), spec.read_bytes(), spec.parent))

    for whole in (deployment.project for deployment in deployments):
        if whole.transforms.preprocess:
            fused = replace(whole, transforms=replace(whole.transforms, run_in="server"))
            service = describe(fused, Options())
            [component] = service.components
            for file in component_code(fused, service, component):
                if file.path.name in ("Model.py", "messages.py", "transforms.py"):
                    assert_python_3_8(render(file).text)


def files(project: Project, options: Options | None = None) -> dict[str, dict[str, str]]:
    """The texts of each node's folder by their names."""
    service = describe(project, options or Options())
    return {
        each.folder: {
            str(file.path): render(file).text for file in component_code(project, service, each)
        }
        for each in service.components
    }


def test_each_node_has_only_what_it_uses() -> None:
    rendered = files(PROJECTS["split"])

    assert {folder: sorted(texts) for folder, texts in rendered.items()} == {
        "input-transformer": ["InputTransformer.py", "messages.py", "transforms.py"],
        "model": ["Model.py", "messages.py"],
        "output-transformer": [
            "OutputTransformer.py",
            "class_names.json",
            "messages.py",
            "transforms.py",
        ],
    }
    before = rendered["input-transformer"]["transforms.py"]
    after = rendered["output-transformer"]["transforms.py"]
    assert ("def preprocess(" in before, "def postprocess(" in before) == (True, False)
    assert ("def preprocess(" in after, "def postprocess(" in after) == (False, True)
    assert "PIL" not in after
    assert "torch" not in "".join(before + text for text in rendered["input-transformer"].values())
    for texts in rendered.values():
        for name, text in texts.items():
            if name.endswith(".py"):
                assert unused(name, texts) == [], text


def unused(name: str, texts: dict[str, str]) -> list[str]:
    """Functions and classes of a module that nothing in the folder names but their own line."""
    own = {Path(name).stem, "transform_input", "transform_output", "predict", "load", "__init__"}
    everything = "".join(text for path, text in texts.items() if path.endswith(".py"))
    words = [node for node in ast.walk(ast.parse(texts[name])) if hasattr(node, "name")]
    names = {word.name for word in words if isinstance(word, ast.FunctionDef | ast.ClassDef)}
    return sorted(each for each in names - own if each != "__str__" and everything.count(each) < 2)


@pytest.mark.parametrize("name", PROJECTS)
def test_each_module_is_used_whole(name: str, tmp_path: Path) -> None:
    (tmp_path / "answers.py").write_text("def sentences(output):\n    return str(output)\n")

    for texts in files(replace(PROJECTS[name], folder=tmp_path)).values():
        for path in texts:
            if path.endswith(".py") and path != "answers.py":
                assert unused(path, texts) == []


def test_a_custom_file_lies_only_where_its_steps_run(tmp_path: Path) -> None:
    (tmp_path / "answers.py").write_text("def sentences(output):\n    return str(output)\n")

    rendered = files(replace(PROJECTS["split, custom answer"], folder=tmp_path))

    assert [folder for folder, texts in rendered.items() if "answers.py" in texts] == [
        "output-transformer"
    ]


def test_names_follow_from_the_options() -> None:
    options = Options(components=Components(model=Called(class_name="Digits", folder="digits")))

    rendered = files(PROJECTS["split"], options)

    assert list(rendered) == ["input-transformer", "digits", "output-transformer"]
    assert "class Digits:" in rendered["digits"]["Digits.py"]


def test_a_server_of_many_projects_knows_nothing_of_one() -> None:
    one = files(PROJECTS["split"], Options(model_server="TORCH_SERVER"))["torch-server"]
    other = files(PROJECTS["integers"], Options(model_server="TORCH_SERVER"))["torch-server"]

    assert one == other
    assert "letters" not in "".join(one.values())


@pytest.mark.parametrize(("uri", "default"), [("s3://models/letters", "/mnt/models"), (None, None)])
def test_the_program_comes_from_the_storage_or_lies_beside_the_class(
    uri: str | None, default: str | None
) -> None:
    storage = Storage(uri) if uri else None

    for name in ("tensors", "fused"):
        [texts] = files(replace(PROJECTS[name], storage=storage)).values()
        given = f'MODEL_URI = "{default}"' if default else "MODEL_URI = str(Path(__file__).parent)"
        assert given in texts["Model.py"]
