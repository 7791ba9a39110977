"""How Seldon's images are built: with which packages, by a Dockerfile or the s2i builder."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from msgspec.structs import replace
from packaging.requirements import Requirement
from packaging.version import Version
from seldon_assemble import Assembled, Failed, assemble, run

from generator.project import (
    Images,
    Model,
    Perf,
    Project,
    RunIn,
    Step,
    Storage,
    Tensor,
    Transforms,
)
from generator.render import render
from generator.targets.seldon import packages
from generator.targets.seldon.code import component_code
from generator.targets.seldon.images import build_script, image_files
from generator.targets.seldon.options import Called, Components, Options
from generator.targets.seldon.service import Component, describe
from generator.transforms.component import package

ROOT = Path(__file__).resolve().parent.parent
BEST = (Step("softmax", {}), Step("top_k", {"top_k": 3}), Step("class_name", {}))
PIXELS = (Step("decode", {}), Step("resize", {"size": [8, 8]}), Step("to_tensor", {}))
S2I = Options(builder="s2i")
CONDA = Options(builder="s2i", dependencies="conda")
BUILDER = "docker.io/seldonio/seldon-core-s2i-python3:1.17.1"
ROLES = ("input", "model", "output")


def project(
    run_in: RunIn = "component",
    *requirements: str,
    preprocess: tuple[Step, ...] = PIXELS,
    postprocess: tuple[Step, ...] = BEST,
    storage: str | None = "s3://models/letters",
    environment: str | None = None,
) -> Project:
    return Project(
        name="letters",
        target="seldon",
        folder=Path(),
        model=Model(
            inputs=(Tensor("image", "float32", ("N", 3, 8, 8)),),
            outputs=(Tensor("logits", "float32", ("N", 10)),),
            class_names=tuple("abcdefghij"),
        ),
        storage=Storage(storage) if storage else None,
        transforms=Transforms(
            run_in=run_in,
            preprocess=preprocess,
            postprocess=postprocess,
            requirements=requirements,
        ),
        images=Images("docker.io/acme", "1.0"),
        perf=Perf(rate=10),
        environment=environment,
    )


def component(role: str, given: Project, options: Options) -> Component:
    [found] = [each for each in describe(given, options).components if each.role == role]
    return found


def rendered(
    folder: Path, given: Project, options: Options, role: str = "model", *, code: bool = True
) -> Path:
    """Render what an image is made of; the user's own files are left out."""
    service = describe(given, options)
    node = component(role, given, options)
    files = list(component_code(given, service, node)) if code else []
    names = [str(file.path) for file in files]
    for file in (*files, *image_files(given, options, service, node, names)):
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render(file).text, encoding="utf-8")
    return folder


def wanted(given: Project, options: Options, role: str) -> tuple[str, ...]:
    return packages.requirements(given, options, component(role, given, options))


# Which Python, wrapper and torch.


@pytest.mark.parametrize(
    ("options", "python"),
    [
        (Options(), "3.11"),
        (Options(base_image="docker.io/library/python:3.12"), "3.12"),
        (Options(base_image="mirror.example:5000/python:3.9.18-slim"), "3.9"),
        (Options(base_image="docker.io/library/python:3-slim"), None),
        (Options(base_image="docker.io/acme/python-service:3.11"), None),
        (Options(base_image="docker.io/acme/own:1", python_version="3.10"), "3.10"),
        (S2I, "3.8"),
        (Options(builder="s2i", builder_image=f"{BUILDER}@sha256:{'0' * 64}"), "3.8"),
        (Options(builder="s2i", builder_image=BUILDER.replace("1.17.1", "1.19.0")), "3.12"),
        (Options(builder="s2i", builder_image=BUILDER.replace("1.17.1", "1.9.1")), None),
        (Options(builder="s2i", builder_image=BUILDER.replace("1.17.1", "latest")), None),
        (Options(builder="s2i", builder_image=BUILDER.replace("python3:", "python37:")), "3.7"),
        (Options(builder="s2i", builder_image=BUILDER.replace("python3:", "python38-gpu:")), "3.8"),
        (Options(builder="s2i", builder_image="docker.io/acme/builder:1.17.1"), None),
        (CONDA, "3.11"),
        (replace(CONDA, python_version="3.10"), "3.10"),
    ],
)
def test_the_python_follows_from_the_image(options: Options, python: str | None) -> None:
    assert packages.python_of(options) == python


@pytest.mark.parametrize(
    ("options", "wrapper"),
    [
        (Options(), "1.17.1"),
        (Options(wrapper_version="1.18.2"), "1.18.2"),
        (S2I, "1.17.1"),
        (CONDA, "1.17.1"),
        (Options(builder="s2i", builder_image=BUILDER.replace("1.17.1", "1.18.2")), "1.18.2"),
        (Options(builder="s2i", builder_image=f"{BUILDER}@sha256:{'0' * 64}"), "1.17.1"),
        (Options(builder="s2i", builder_image=BUILDER.replace("1.17.1", "latest")), None),
    ],
)
def test_the_wrapper_is_the_builders_own(options: Options, wrapper: str | None) -> None:
    assert packages.wrapper_of(options) == wrapper


@pytest.mark.parametrize(
    ("options", "torch"),
    [
        (Options(), "2.13.0"),
        (S2I, "2.4.1"),
        (CONDA, "2.13.0"),
        (Options(python_version="3.9"), "2.8.0"),
        (Options(python_version="3.10"), "2.13.0"),
        (Options(torch_version="2.15.0"), "2.15.0"),
        (replace(S2I, torch_version="2.3.1"), "2.3.1"),
    ],
)
def test_torch_is_the_newest_of_the_python_up_to_ours(options: Options, torch: str) -> None:
    assert packages.torch_of(options) == torch


def test_versions_are_those_of_the_rest_of_the_house() -> None:
    from generator.transforms.component import PILLOW

    assert f'"torch=={packages.TORCH}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert PILLOW in wanted(project(), Options(), "input")


def test_the_wrapper_that_tests_run_takes_the_same_packages() -> None:
    file = ROOT / "generator/engines/requirements/seldon.txt"
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    tested = {one.name: one.specifier for one in map(Requirement, lines)}
    [wrapper] = [each.version for each in tested.pop("seldon-core")]
    given = Options(wrapper_version=wrapper)
    pinned = {
        one.name: one.specifier for one in map(Requirement, wanted(project(), given, "model"))
    }

    assert packages.constraints(project(), given, component("model", project(), given)), wrapper
    for name, specifier in tested.items():
        [pin] = pinned[name]
        assert specifier.contains(pin.version), name


# What is installed for each node.


@pytest.mark.parametrize(
    ("run_in", "role", "names"),
    [
        ("component", "input", {"numpy", "pillow"}),
        ("component", "model", {"numpy", "torch"}),
        ("component", "output", {"numpy"}),
        ("server", "model", {"numpy", "pillow", "torch"}),
        ("model", "model", {"numpy", "pillow", "torch"}),
        ("client", "model", {"numpy", "torch"}),
    ],
)
def test_a_node_has_what_it_imports(
    tmp_path: Path, run_in: RunIn, role: str, names: set[str]
) -> None:
    given = project(run_in)
    folder = rendered(tmp_path, given, S2I, role)
    imported = {"PIL": "pillow"}
    found: set[str] = set()
    for file in folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                found.add(str(node.module).partition(".")[0])
    beside = {file.stem for file in folder.glob("*.py")} | {"seldon_core"}
    foreign = {imported.get(name, name) for name in found - beside - sys.stdlib_module_names}

    assert {package(line) for line in wanted(given, S2I, role)} == names
    assert foreign <= names
    assert names - foreign <= {"numpy"}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("options", [Options(), CONDA])
def test_outside_of_seldons_builder_the_wrapper_is_installed_too(
    options: Options, role: str
) -> None:
    lines = wanted(project(), options, role)

    assert "seldon-core==1.17.1" in lines
    assert "setuptools==80.10.2" in lines
    assert list(lines) == sorted(lines, key=package)


@pytest.mark.parametrize("python", packages.PYTHONS)
@pytest.mark.parametrize("role", ROLES)
def test_every_package_is_pinned(python: str, role: str) -> None:
    given = Options(python_version=python)

    for line in wanted(project(), given, role):
        [specifier] = Requirement(line).specifier
        assert specifier.operator == "=="


@pytest.mark.parametrize("python", packages.PYTHONS)
def test_numpy_is_one_that_the_wrapper_takes(python: str) -> None:
    pins = map(Requirement, wanted(project(), Options(python_version=python), "model"))
    [numpy] = [pin for pin in pins if pin.name == "numpy"]

    assert all(Version(each.version) < Version("2") for each in numpy.specifier)


CUSTOM = Step(
    "custom", {"function": "own.py:crop", "produces": {"shape": [3, 8, 8], "dtype": "float32"}}
)


def test_a_users_line_replaces_ours() -> None:
    given = project("component", "Pillow==12.0.0", "opencv-python-headless==4.12.0.88")

    assert "Pillow==12.0.0" in wanted(given, Options(), "input")
    assert not [line for line in wanted(given, Options(), "input") if line.startswith("pillow")]


def test_a_users_package_goes_where_the_users_function_runs() -> None:
    own = "opencv-python-headless==4.12.0.88"
    before = project("component", own, preprocess=(*PIXELS, CUSTOM))
    after = project("component", own, postprocess=(CUSTOM,))
    fused = replace(before, transforms=replace(before.transforms, run_in="server"))

    where = {
        name: {role for role in ROLES if own in wanted(given, Options(), role)}
        for name, given in (("before", before), ("after", after))
    }

    assert where == {"before": {"input"}, "after": {"output"}}
    assert own in wanted(fused, Options(), "model")
    assert own not in wanted(project("component", own), Options(), "input")


def pins(options: Options, role: str, given: Project | None = None) -> dict[str, str]:
    used = given or project()
    lines = packages.constraints(used, options, component(role, used, options))
    return {package(line): line for line in lines}


@pytest.mark.parametrize("role", ROLES)
def test_what_the_packages_pull_in_is_pinned_once(role: str) -> None:
    found = pins(Options(), role)

    assert {"flask", "protobuf", "grpcio"} <= found.keys()
    assert ("sympy" in found) == (role == "model")
    assert not found.keys() & {package(line) for line in wanted(project(), Options(), role)}
    for line in found.values():
        [specifier] = Requirement(line).specifier
        assert specifier.operator == "=="


@pytest.mark.parametrize(
    "options",
    [
        S2I,
        Options(python_version="3.10"),
        Options(wrapper_version="1.17.0"),
        Options(python_version="3.12", wrapper_version="1.19.0"),
    ],
)
def test_pins_of_other_packages_are_not_given(options: Options) -> None:
    assert pins(options, "model") == {}


def test_another_torch_pulls_in_its_own() -> None:
    found = pins(Options(torch_version="2.6.0"), "model")

    assert "flask" in found
    assert "sympy" not in found  # 2.6 wants 1.13.1


def test_a_users_line_is_not_pinned_too() -> None:
    given = project("server", "requests==2.32.0", preprocess=(*PIXELS, CUSTOM))

    assert "requests" in pins(Options(), "model")
    assert "requests" not in pins(Options(), "model", given)


@pytest.mark.parametrize("wrapper", ["1.17.1", "1.18.2"])
def test_a_wrapper_runs_on_the_python_of_its_default_images(wrapper: str) -> None:
    builder = BUILDER.replace("1.17.1", wrapper)
    for options in (Options(wrapper_version=wrapper), replace(S2I, builder_image=builder)):
        assert packages.python_of(options) in packages.pythons_of(wrapper)


# Dockerfile.


def instructions(folder: Path) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile, each on one line."""
    text = re.sub(r"^#.*\n", "", (folder / "Dockerfile").read_text(), flags=re.M)
    lines = text.replace("\\\n", " ").splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines) if word]


@pytest.mark.parametrize("storage", ["s3://models/letters", None])
@pytest.mark.parametrize("role", ROLES)
def test_the_dockerfile_copies_all_that_is_there(
    tmp_path: Path, role: str, storage: str | None
) -> None:
    folder = rendered(tmp_path, project(storage=storage), Options(), role)

    copied = {
        name
        for word, rest in instructions(folder)
        if word == "COPY"
        for name in rest.removesuffix("./").split()
    }

    there = {path.name for path in folder.iterdir()} - {"Dockerfile"}
    holds_model = role == "model" and storage is None
    assert copied == there | ({"model.pt"} if holds_model else set())


@pytest.mark.parametrize("role", ROLES)
def test_the_dockerfile_starts_the_class_as_what_the_wrapper_knows(
    tmp_path: Path, role: str
) -> None:
    called = Options(components=Components(**{role: Called(class_name="Own")}))
    folder = rendered(tmp_path, project(), called, role)
    [entry] = [json.loads(rest) for word, rest in instructions(folder) if word == "ENTRYPOINT"]
    service_type = "MODEL" if role == "model" else "TRANSFORMER"

    assert entry == ["python", "serve.py", "Own", "--service-type", service_type]
    assert "class Own" in (folder / "Own.py").read_text()


def test_the_dockerfile_is_of_the_users_base_image(tmp_path: Path) -> None:
    given = Options(base_image="docker.io/library/python:3.10-slim")
    folder = rendered(tmp_path, project(), given)

    assert instructions(folder)[0] == ("ARG", "BASE_IMAGE=docker.io/library/python:3.10-slim")
    assert not (folder / "constraints.txt").exists()
    assert "constraint" not in (folder / "Dockerfile").read_text()


def test_the_image_runs_as_seldons_user_on_a_read_only_root(tmp_path: Path) -> None:
    found = instructions(rendered(tmp_path, project(), Options()))
    installed = next(at for at, (word, _) in enumerate(found) if word == "RUN")
    [(at, variables)] = [(at, rest) for at, (word, rest) in enumerate(found) if word == "ENV"]

    assert ("USER", "8888:8888") in found
    assert "TMPDIR=/dev/shm" in variables.split()
    assert at > installed  # pip unpacks more than fits there


# s2i.


@pytest.mark.parametrize("options", [S2I, CONDA], ids=["pip", "conda"])
@pytest.mark.parametrize("role", ROLES)
def test_assemble_makes_an_image_of_the_folder(tmp_path: Path, role: str, options: Options) -> None:
    node = component(role, project(), options)

    image = assemble(rendered(tmp_path / "source", project(), options, role), tmp_path / "image")

    command = ("seldon-core-microservice", node.class_name, "--service-type", node.service_type)
    assert run(image) == (*command, "--persistence", "0")
    assert node.method in methods(image)
    assert not (image.microservice / "Dockerfile").exists()
    if options is S2I:
        assert image.installs[-2:] == ("-r", "requirements.txt")
        lines = (image.microservice / "requirements.txt").read_text().splitlines()
        assert [str(Requirement(line)) for line in lines] == list(wanted(project(), S2I, role))
    else:
        assert image.installs[:3] == ("conda", "env", "create")


def methods(image: Assembled) -> set[str]:
    """The methods of the class that the wrapper makes: module and class have the same name."""
    name = image.environment["MODEL_NAME"]
    module = ast.parse((image.microservice / f"{name}.py").read_text())
    [found] = [n for n in module.body if isinstance(n, ast.ClassDef) and n.name == name]
    return {node.name for node in found.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("missing", ["MODEL_NAME", "SERVICE_TYPE", "PERSISTENCE"])
def test_assemble_demands_each_variable(tmp_path: Path, missing: str) -> None:
    source = rendered(tmp_path / "source", project(), S2I)
    file = source / ".s2i/environment"
    kept = [line for line in file.read_text().splitlines() if not line.startswith(missing)]
    file.write_text("\n".join(kept))

    with pytest.raises(Failed, match=missing):
        assemble(source, tmp_path / "image")


def test_conda_has_an_environment_of_the_name_that_run_looks_for(tmp_path: Path) -> None:
    given = replace(CONDA, conda_env_name="letters")
    image = assemble(rendered(tmp_path / "source", project(), given), tmp_path / "image")
    written = yaml.safe_load((image.microservice / "environment.yml").read_text())

    assert image.installs[4] == image.environment["CONDA_ENV_NAME"] == written["name"] == "letters"
    python, pip, packed = written["dependencies"]
    assert (python, pip) == ("python=3.11", "pip")
    first, *lines = packed["pip"]
    assert first == "--constraint constraints.txt"
    assert lines == list(wanted(project(), given, "model"))
    assert (image.microservice / "constraints.txt").is_file()
    assert "seldon-core==1.17.1" in lines  # run starts the wrapper of this environment


def test_a_setup_py_of_the_users_would_not_be_preferred(tmp_path: Path) -> None:
    source = rendered(tmp_path / "source", project(), S2I)
    (source / "setup.py").write_text("")
    (source / "environment.yml").write_text("")

    assert assemble(source, tmp_path / "image").installs[-1] == "requirements.txt"


# scripts/build.sh.

STAND_IN = """\
#!{python}
import json, os, sys
from pathlib import Path

name = os.path.basename(sys.argv[0])
source = next((Path(word) for word in sys.argv[2:] if Path(word).is_dir()), None)
program = source / "model.pt" if source else None
held = None
if program and program.exists():
    held = [program.read_text(), oct(program.stat().st_mode & 0o777)]
beside = sorted(path.name for path in source.iterdir()) if source else []
with open(os.environ["CALLS"], "a") as calls:
    print(json.dumps([[name, *sys.argv[1:]], str(source), held, beside]), file=calls)
if os.environ.get("FAILS") and os.environ["FAILS"] in " ".join([name, *sys.argv[1:]]):
    sys.exit(3)
"""


class Call(NamedTuple):
    words: list[str]
    source: str
    program: list[str] | None
    beside: list[str]


class Built(NamedTuple):
    status: int
    err: str
    calls: list[Call]


class Yard:
    """A rendered folder with its build script, and stand-ins for the builders."""

    def __init__(self, folder: Path, given: Project, options: Options) -> None:
        self.folder = folder
        self.rendered = folder / "rendered here" / given.place
        for node in describe(given, options).components:
            rendered(self.rendered / "images" / node.folder, given, options, node.role)
        (self.rendered / "images/perf").mkdir()
        [file] = build_script(given, options, describe(given, options))
        self.script = self.rendered / file.path
        self.script.parent.mkdir()
        self.script.write_text(render(file).text)
        self.script.chmod(0o755)
        assert file.executable
        (folder / "programs").mkdir()
        for name in ("docker", "podman", "s2i", "s2i-1.4"):
            (folder / "programs" / name).write_text(STAND_IN.format(python=sys.executable))
            (folder / "programs" / name).chmod(0o755)

    def run(self, *arguments: str, **environment: str) -> Built:
        calls = self.folder / "calls"
        calls.write_text("")
        done = subprocess.run(
            [str(self.script), *arguments],
            cwd=self.folder,
            env={
                "PATH": f"{self.folder / 'programs'}{os.pathsep}{os.environ['PATH']}",
                "CALLS": str(calls),
                "TMPDIR": str(self.temporary),
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert not list(self.temporary.iterdir())  # nothing stays behind
        made = [Call(*json.loads(line)) for line in calls.read_text().splitlines()]
        return Built(done.returncode, done.stderr, made)

    @property
    def temporary(self) -> Path:
        folder = self.folder / "temporary"
        folder.mkdir(exist_ok=True)
        return folder

    def program(self, text: str = "program", folder: str = "build/letters/seldon") -> Path:
        path = self.folder / folder / "model.pt"
        path.parent.mkdir(parents=True)
        path.write_text(text)
        path.chmod(0o600)
        return path


def said(built: Built) -> list[str]:
    return [" ".join(call.words) for call in built.calls]


NAMES = {
    "input": "docker.io/acme/letters-input-transformer:1.0",
    "model": "docker.io/acme/letters-model:1.0",
    "output": "docker.io/acme/letters-output-transformer:1.0",
    "perf": "docker.io/acme/letters-perf:1.0",
}
FOLDERS = {"input": "input-transformer", "model": "model", "output": "output-transformer"}
INDEXES = "--build-arg PIP_INDEX_URL --build-arg PIP_EXTRA_INDEX_URL"
PERF = f"docker build --platform linux/amd64 --tag {NAMES['perf']} images/perf"


def docker_builds() -> dict[str, str]:
    build = f"docker build --platform linux/amd64 {INDEXES} --tag"
    built = {role: f"{build} {NAMES[role]} images/{FOLDERS[role]}" for role in ROLES}
    return built | {"perf": PERF}


def s2i_builds(*options: str) -> dict[str, str]:
    start = " ".join(("s2i", "build", "--copy", *options))
    built = {r: f"{start} images/{FOLDERS[r]} {BUILDER} {NAMES[r]}" for r in ROLES}
    return built | {"perf": PERF}


def with_pushes(builds: Mapping[str, str]) -> list[str]:
    return [words for role in builds for words in (builds[role], f"docker push {NAMES[role]}")]


@pytest.mark.parametrize(
    ("options", "builds"),
    [(Options(), docker_builds()), (S2I, s2i_builds())],
    ids=["docker", "s2i"],
)
def test_builds_and_pushes_each_image(
    tmp_path: Path, options: Options, builds: dict[str, str]
) -> None:
    yard = Yard(tmp_path, project(), options)

    both, built = yard.run(), yard.run("--no-push")

    assert both.status == 0, both.err
    assert said(both) == with_pushes(builds)
    assert said(built) == list(builds.values())


@pytest.mark.parametrize("options", [Options(), S2I], ids=["docker", "s2i"])
def test_refuses_other_arguments(tmp_path: Path, options: Options) -> None:
    for arguments in (("--nopush",), ("--no-push", "more"), ("",)):
        (tmp_path / "yard").mkdir()
        built = Yard(tmp_path / "yard", project(), options).run(*arguments)
        shutil.rmtree(tmp_path / "yard")

        assert (built.status, built.calls) == (2, [])
        assert built.err.endswith("build.sh [--no-push]\n")


@pytest.mark.parametrize("options", [Options(), S2I], ids=["docker", "s2i"])
@pytest.mark.parametrize("fails", ["images/input-transformer", "push", "images/model"])
def test_stops_at_the_first_failure(tmp_path: Path, options: Options, fails: str) -> None:
    built = Yard(tmp_path, project(), options).run(FAILS=fails)

    assert built.status == 3
    assert fails in said(built)[-1]


def test_s2i_and_docker_may_be_others(tmp_path: Path) -> None:
    built = Yard(tmp_path, project(), S2I).run(S2I="s2i-1.4", DOCKER="podman")

    assert [words.partition(" ")[0] for words in said(built)] == ["s2i-1.4", "podman"] * 3 + [
        "podman"
    ] * 2


def test_says_that_s2i_is_missing(tmp_path: Path) -> None:
    yard = Yard(tmp_path, project(), S2I)
    (tmp_path / "programs/s2i").unlink()

    built = yard.run(PATH=f"{tmp_path / 'programs'}:/usr/bin:/bin")

    assert (built.status, built.calls) == (2, [])
    assert "s2i is not installed" in built.err


def test_s2i_is_told_of_package_indexes(tmp_path: Path) -> None:
    given = {"PIP_EXTRA_INDEX_URL": "https://wheels.example/a b", "PIP_INDEX_URL": ""}

    built = Yard(tmp_path, project(), S2I).run(**given)

    [first, *_] = [call.words for call in built.calls]
    extra = "=".join(("PIP_EXTRA_INDEX_URL", "https://wheels.example/a b"))
    assert ["--env", extra] in map(list, pairwise(first))
    assert not any(word.startswith("=".join(("PIP_INDEX_URL", ""))) for word in first)


@pytest.mark.parametrize("options", [Options(), S2I], ids=["docker", "s2i"])
def test_the_program_goes_into_the_models_image_and_not_into_the_folder(
    tmp_path: Path, options: Options
) -> None:
    yard = Yard(tmp_path, project(storage=None), options)
    yard.program()
    before = sorted(path.name for path in (yard.rendered / "images/model").iterdir())

    built = yard.run("--no-push")

    assert built.status == 0, built.err
    held = {call.words[-1 if "s2i" in call.words[0] else -2]: call for call in built.calls}
    [model] = [call for call in held.values() if call.program]
    assert model.program == ["program", "0o644"]  # the image's user is not its owner
    assert model.beside == sorted([*before, "model.pt"])
    assert NAMES["model"] in model.words
    assert sorted(path.name for path in (yard.rendered / "images/model").iterdir()) == before


@pytest.mark.parametrize("options", [Options(), S2I], ids=["docker", "s2i"])
def test_the_bundle_may_lie_elsewhere(tmp_path: Path, options: Options) -> None:
    yard = Yard(tmp_path, project(storage=None), options)
    elsewhere = yard.program("other", "my bundle").parent

    built = yard.run("--no-push", BUNDLE=str(elsewhere))

    assert built.status == 0, built.err
    assert [call.program for call in built.calls if call.program] == [["other", "0o644"]]


@pytest.mark.parametrize("options", [Options(), S2I], ids=["docker", "s2i"])
def test_nothing_is_built_without_the_program(tmp_path: Path, options: Options) -> None:
    yard = Yard(tmp_path, project("server", storage=None), options)
    yard.program().unlink()

    built = yard.run()

    assert built.status != 0
    assert built.calls == []
    assert "model.pt" in built.err


def test_bundles_of_environments_are_apart(tmp_path: Path) -> None:
    yard = Yard(tmp_path, project(storage=None, environment="staging"), Options())
    yard.program("staged", "build/letters/staging/seldon")

    built = yard.run("--no-push")

    assert built.status == 0, built.err
    assert [call.program for call in built.calls if call.program] == [["staged", "0o644"]]


def test_triton_needs_the_load_tests_image_alone() -> None:
    given = Options(model_server="TRITON_SERVER", builder="s2i")
    client = project("client")
    [file] = build_script(client, given, describe(client, given))

    text = render(file).text
    assert "s2i" not in text
    assert text.count(" build ") == 1
