"""The real servers on a read-only root, with the folders that the rendered manifests give them."""

import base64
import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator import pipeline, write
from generator.engines import EngineError, kserve, process, torchserve, triton
from generator.export import export_bundle
from generator.sample import png
from generator.selection import Selection

pytestmark = pytest.mark.engine

pytest.importorskip("torch")

SPECS = Path(__file__).parents[2] / "specs"
SHUT_IN = [sys.executable, str(Path(__file__).with_name("read_only_root.py"))]
HOME = "/home/model-server"
IMAGE = png(40, 30)


@pytest.fixture(scope="module", autouse=True)
def namespaces() -> None:
    """Skip where the kernel lets nobody shut a process in; under CI that is a failure."""
    tried = subprocess.run([*SHUT_IN, "--", "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        why = f"no user namespaces: {tried.stderr.strip().splitlines()[-1]}"
        pytest.fail(why) if os.environ.get("CI") == "true" else pytest.skip(why)


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder outside /tmp, which the containers have to themselves; the engines work there too.

    `/tmp` is looked for in the manifests by its own name.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="read-only-root-", dir=cache) as name:
        monkeypatch.setattr(tempfile, "tempdir", name)
        needed = (str(cache.resolve()), sys.prefix, sys.base_prefix, str(SPECS.parent))
        monkeypatch.setenv("READ_ONLY_ROOT_KEEPS", os.pathsep.join(needed))
        yield Path(name)


def rendered(spec: Path, target: str, place: Path) -> tuple[Path, Path]:
    """The rendered folder and the bundle of a spec for a target."""
    selection = Selection(targets=(target,))
    build = pipeline.build(str(spec), spec.read_bytes(), spec.parent, selection)
    [deployment] = build.deployments
    write.write(write.tree(place / "rendered", build.project, build.files, ["."]))
    bundle = export_bundle(deployment, build.files, place / "build")
    return place / "rendered" / pipeline.folder_of(deployment), bundle


def manifest(folder: Path, name: str) -> Any:
    return yaml.safe_load((folder / "manifests" / name).read_text())["spec"]


def writable(pod: Mapping[str, Any]) -> list[str]:
    """Where the one container of a pod may write, which its manifest says by emptyDir."""
    [container] = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    empty = {volume["name"] for volume in pod["volumes"] if "emptyDir" in volume}
    return [m["mountPath"] for m in container["volumeMounts"] if m["name"] in empty]


def variables(pod: Mapping[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in pod["containers"][0].get("env", ())}


@contextmanager
def shut_in(folders: Sequence[str], given: Mapping[str, str]) -> Iterator[None]:
    """Let engines start their servers where only these folders of the container are writable.

    The server's own folder stands for the home of the container's user.
    """
    real = process.running

    def running(
        name: str,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        **rest: Any,  # handed on
    ) -> AbstractContextManager[process.Running]:
        def here(path: str) -> str:
            return path.replace(HOME, str(folder))

        # A container has no TMPDIR: Python looks at TEMP, and takes /tmp when there is none.
        own = {"TMPDIR": given.get("TEMP", "/tmp")} | dict(given)
        placed = {key: here(value) for key, value in own.items()}
        return real(
            name,
            [*SHUT_IN, *map(here, folders), "--", *command],
            folder=folder,
            environment={**environment, **placed},
            **rest,
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "running", running)
        yield


@contextmanager
def available() -> Iterator[None]:
    """Skip where an engine cannot be had; under CI that is a failure."""
    try:
        yield
    except EngineError as problem:
        if os.environ.get("CI") == "true":
            pytest.fail(str(problem))
        pytest.skip(str(problem))


def ask(url: str, body: object) -> Any:
    request = urllib.request.Request(
        f"http://{url}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


PIXELS = {"shape": [3, 30, 40], "datatype": "UINT8", "data": [7] * 3600}


def test_triton_serves_a_torchscript_program(place: Path) -> None:
    with available():
        triton.prepare(report=print)
    folder, bundle = rendered(SPECS / "variants/landmarks-targets.yaml", "triton", place)
    pod = manifest(folder, "servingruntime.yaml")

    with shut_in(writable(pod), {}), triton.serve(bundle, report=print) as server:
        answer = ask(
            f"{server.http}/v2/models/landmarks-targets/infer",
            {"inputs": [{"name": "INPUT__0", **PIXELS}]},
        )

    assert answer["outputs"][0]["shape"] == [50]


def test_triton_unpacks_a_compiled_program_where_alone_it_may_write(place: Path) -> None:
    with available():
        triton.prepare(report=print)
    folder, bundle = rendered(SPECS / "variants/aot-inductor.yaml", "triton", place)
    folders = writable(manifest(folder, "servingruntime.yaml"))

    with shut_in(folders, {}), triton.serve(bundle, report=print) as server:
        ready = urllib.request.urlopen(f"http://{server.http}/v2/health/ready", timeout=60).status
    with (
        pytest.raises(EngineError) as caught,
        shut_in([], {}),
        triton.serve(bundle, report=print),
    ):
        pass

    assert ready == 200
    assert "Failed to create temporary directory" in str(caught.value)


def torchserve_answers(bundle: Path, model: str) -> Any:
    """What TorchServe answers for an image, of a bundle as it was exported."""
    config = bundle / "config/config.properties"
    with torchserve.serve(bundle / "model-store", config, models=(model,), report=print) as server:
        image = {"image_bytes": {"b64": base64.b64encode(IMAGE).decode()}}
        return ask(f"{server.inference}/v1/models/{model}:predict", {"instances": [image]})


@pytest.mark.parametrize(
    ("spec", "name"), [("landmarks-targets", "servingruntime"), ("mnist-kubernetes", "deployment")]
)
def test_torchserve_serves(place: Path, spec: str, name: str) -> None:
    with available():
        torchserve.prepare(report=print)
    folder, bundle = rendered(SPECS / f"variants/{spec}.yaml", "torchserve", place)
    pod = manifest(folder, f"{name}.yaml")
    pod = pod.get("template", {"spec": pod})["spec"]

    with shut_in(writable(pod), variables(pod) | image_variables(folder)):
        answer = torchserve_answers(bundle, spec)

    assert len(answer["predictions"]) == 1


def image_variables(folder: Path) -> dict[str, str]:
    """What the image of TorchServe sets, where the project builds one."""
    file = folder / "images/torchserve/Dockerfile"
    if not file.is_file():
        return {}
    joined = file.read_text().replace("\\\n", " ")
    [line] = [line for line in joined.splitlines() if line.startswith("ENV ")]
    return dict(word.split("=", 1) for word in line.split()[1:])


def test_torchserve_does_not_start_without_its_folder(place: Path) -> None:
    """That the statements above can fail."""
    with available():
        torchserve.prepare(report=print)
    folder, bundle = rendered(SPECS / "variants/landmarks-targets.yaml", "torchserve", place)
    given = variables(manifest(folder, "servingruntime.yaml"))

    with pytest.raises(EngineError), shut_in([], given):
        torchserve_answers(bundle, "landmarks-targets")


def test_the_transformer_serves(place: Path) -> None:
    folder, _ = rendered(SPECS / "variants/mnist-component.yaml", "torchserve", place)
    component = folder / "images/transformer"
    with available():
        kserve.prepare(component, report=print)
    folders = writable(manifest(folder, "inferenceservice.yaml")["transformer"])
    body = {"instances": [{"image_bytes": {"b64": "bm8gaW1hZ2U="}}]}

    with (
        shut_in(folders, {}),
        kserve.serve(component, model_name="mnist", report=print) as server,
        pytest.raises(urllib.error.HTTPError) as caught,
    ):
        ask(f"{server.http}/v1/models/mnist:predict", body)

    assert "instance 0" in caught.value.read().decode()
