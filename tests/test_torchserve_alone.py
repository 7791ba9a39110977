"""TorchServe without KServe: what is rendered for docker and for Kubernetes."""

import ast
import json
import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from generator import kinds
from generator.document import Document
from generator.perf import LoadTest, image_request
from generator.planning import load_test_values
from generator.project import (
    Autoscaling,
    Batching,
    Hardware,
    Images,
    Kubernetes,
    Model,
    Perf,
    Project,
    ReplicaRange,
    Served,
    Serving,
    Step,
    Tensor,
    Transforms,
)
from generator.render import render
from generator.targets.torchserve.options import Explain, Options
from generator.targets.torchserve.readiness import readiness_command
from generator.targets.torchserve.service import describe
from generator.targets.torchserve.standalone import HOME, standalone_files
from generator.targets.torchserve.start import start_command
from generator.workload import HTTP_PORT

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = Path(sysconfig.get_path("scripts"))
DOCKER = Options(platform="docker")
KUBERNETES = Options(platform="kubernetes")
IMAGE_FOLDER = "images/torchserve"


def project(**changes: Any) -> Project:
    """A classifier of images, with a load test."""
    given = Project(
        name="insects",
        target="torchserve",
        folder=Path(),
        model=Model(
            inputs=(Tensor("image", "float32", ("N", 3, 8, 8)),),
            outputs=(Tensor("logits", "float32", ("N", 5)),),
            class_names=("ant", "bee", "cat", "dog", "eel"),
        ),
        transforms=Transforms(
            run_in="server",
            preprocess=(Step("decode", {}), Step("to_tensor", {})),
            postprocess=(Step("softmax", {}), Step("top_k", {"top_k": 3}), Step("class_name", {})),
        ),
        serving=Serving(batching=Batching(max_size=8)),
        kubernetes=Kubernetes(namespace="models", labels={"team": "vision"}),
        images=Images("docker.io/acme", "1.0"),
        perf=Perf(rate=10),
    )
    return replace(given, **changes)


def load_test(wanted: Project, options: Options) -> dict[str, object] | None:
    """The values of its load test."""
    if not wanted.perf:
        return None
    service = describe(wanted, options)
    url = f"http://{service.name}:{HTTP_PORT}{service.path('v1')}"
    request = image_request(wanted, "v1")
    image = service.images["perf"]
    test = LoadTest(service.name, service.namespace, url, url, request, wanted.perf, image)
    return load_test_values(test)


def rendered(options: Options, **changes: Any) -> dict[str, str]:
    """The text of every file, by its path."""
    wanted = project(**changes)
    service = describe(wanted, options)
    planned = standalone_files(wanted, options, service, load_test=load_test(wanted, options))
    return {str(file.path): file.text for file in map(render, planned)}


def written(folder: Path, options: Options, **changes: Any) -> Path:
    """The files as gen render leaves them: rendered/insects/torchserve under a folder."""
    target = folder / "rendered here" / "insects" / "torchserve"
    for path, text in rendered(options, **changes).items():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_text(text, encoding="utf-8")
        if path.endswith(".sh"):
            (target / path).chmod(0o755)
    return target


SCALED = Serving(autoscaling=Autoscaling("cpu", 70), replicas=ReplicaRange(2, 6))
GPU = Hardware(accelerator="nvidia", gpus=2, cpu=4, memory="1500M")
TENSORS = Transforms(run_in="client")
WITH_PACKAGES = replace(project().transforms, requirements=("scipy==1.13.1",))
VARIANTS: dict[str, tuple[Options, dict[str, Any]]] = {
    "docker": (replace(DOCKER, explain=Explain()), {}),
    "docker-gpu": (DOCKER, {"hardware": GPU, "perf": None}),
    "docker-tensors": (DOCKER, {"transforms": TENSORS, "kubernetes": Kubernetes()}),
    "docker-packages": (DOCKER, {"transforms": WITH_PACKAGES}),
    "docker-environment": (DOCKER, {"environment": "staging"}),
    "kubernetes": (KUBERNETES, {"kubernetes": Kubernetes()}),
    "kubernetes-scaled": (KUBERNETES, {"serving": SCALED}),
    "kubernetes-named": (
        KUBERNETES,
        {
            "hardware": GPU,
            "kubernetes": Kubernetes(
                namespace="models",
                labels={"app.kubernetes.io/component": "theirs", "team": "on"},
                annotations={"note": "# no comment"},
                service_account="reader",
                image_pull_secrets=("registry",),
                node_selector={"gpu": "true"},
            ),
        },
    ),
}


@pytest.fixture(scope="module", params=VARIANTS)
def variant(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a rendered project."""
    options, changes = VARIANTS[request.param]
    return written(tmp_path_factory.mktemp("rendered"), options, **changes)


def checked(*command: object, folder: Path = ROOT) -> str:
    """What a linter has to say."""
    path = f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
    )
    return ran.stdout + ran.stderr


def test_every_format_passes_its_linter(variant: Path) -> None:
    for script in variant.rglob("*.sh"):
        options = (
            "--enable=avoid-nullary-conditions,check-unassigned-uppercase,quote-safe-variables"
        )
        assert checked("shellcheck", "--norc", options, script) == ""
        assert checked("bash", "-n", script) == ""
    assert checked("hadolint", "--no-color", variant / IMAGE_FOLDER / "Dockerfile") == ""
    assert checked("yamllint", "--strict", "--config-file", ROOT / ".yamllint", variant) == ""


def test_a_cluster_takes_the_manifests(variant: Path) -> None:
    import kubernetes_validate

    for path in variant.glob("manifests/*.yaml"):
        manifest = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert list(kinds.refusals(manifest)) == []
        if path.name != "kustomization.yaml":
            kubernetes_validate.validate(manifest, "1.37", strict=True)


def manifest(files: dict[str, str], name: str) -> Any:
    return yaml.safe_load(files[f"manifests/{name}.yaml"])


def test_the_service_finds_the_pods_of_the_server_and_not_of_its_load_test() -> None:
    labels = {"app.kubernetes.io/component": "theirs"}
    files = rendered(KUBERNETES, kubernetes=Kubernetes(labels=labels))
    test = load_test(project(), KUBERNETES)
    assert test is not None

    deployment = manifest(files, "deployment")["spec"]
    selector = manifest(files, "service")["spec"]["selector"]

    assert selector == deployment["selector"]["matchLabels"]
    assert selector.items() <= deployment["template"]["metadata"]["labels"].items()
    assert not selector.items() <= dict(test["labels"]).items()  # type: ignore[call-overload]


def test_the_autoscaler_alone_decides_on_the_number_of_pods() -> None:
    scaled = rendered(KUBERNETES, serving=SCALED)
    fixed = rendered(KUBERNETES, serving=Serving(replicas=ReplicaRange(3, 3)))

    assert "replicas" not in manifest(scaled, "deployment")["spec"]
    assert manifest(scaled, "hpa")["spec"]["minReplicas"] == 2
    assert manifest(fixed, "deployment")["spec"]["replicas"] == 3
    assert "manifests/hpa.yaml" not in fixed


def test_a_pod_has_time_for_the_longest_request_before_it_is_told_to_stop() -> None:
    files = rendered(KUBERNETES, serving=Serving(timeout="2m"))

    pod = manifest(files, "deployment")["spec"]["template"]["spec"]
    [_, seconds] = pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]

    assert int(seconds) > 120
    assert pod["terminationGracePeriodSeconds"] > int(seconds)


def test_management_is_reached_from_nowhere_but_its_own_machine() -> None:
    compose = yaml.safe_load(rendered(DOCKER)[f"{IMAGE_FOLDER}/compose.yaml"])
    service = manifest(rendered(KUBERNETES), "service")

    ports = compose["services"]["insects"]["ports"]
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == [
        "${BIND:-127.0.0.1}:8080:8080",
        "${BIND:-127.0.0.1}:7070:7070",
    ]
    assert [port["port"] for port in service["spec"]["ports"]] == [8080, 7070]


def test_the_container_gets_what_the_hardware_has() -> None:
    hardware = replace(GPU, cpu="500m")

    compose = yaml.safe_load(rendered(DOCKER, hardware=hardware)[f"{IMAGE_FOLDER}/compose.yaml"])

    server = compose["services"]["insects"]
    [device] = server["deploy"]["resources"]["reservations"]["devices"]
    assert (server["cpus"], server["mem_limit"], device["count"]) == (0.5, "1431m", 2)


@pytest.mark.parametrize("environment", [None, "staging"])
def test_the_bundle_is_looked_for_where_gen_export_writes_it(environment: str | None) -> None:
    files = rendered(DOCKER, environment=environment)

    below = Path(*filter(None, ("insects", environment, "torchserve")))
    [found] = re.findall(r"\$\{BUNDLE:-(.*?)\}", files[f"{IMAGE_FOLDER}/compose.yaml"])
    place = Path("/x/rendered") / below / IMAGE_FOLDER / found
    assert os.path.normpath(place) == str(Path("/x/build") / below)


def test_environments_on_one_machine_are_projects_of_their_own_to_docker() -> None:
    names = {}
    for environment in (None, "staging", "production"):
        compose = yaml.safe_load(
            rendered(DOCKER, environment=environment)[f"{IMAGE_FOLDER}/compose.yaml"]
        )
        assert "insects" in compose["services"]
        names[environment] = compose["name"]

    assert names == {
        None: "insects",
        "staging": "insects-staging",
        "production": "insects-production",
    }


def beside(other: Project, options: Options = DOCKER) -> Served:
    """A project whose model the same server holds."""
    return Served(other, options, Document(Path(), {}, {}))


def test_packages_of_all_models_are_installed_in_the_image() -> None:
    other = project(name="other", transforms=replace(WITH_PACKAGES, requirements=("ftfy",)))
    by_hand = project(name="third", model=replace(project().model, requirements=("einops",)))
    also = (beside(other), beside(by_hand, replace(DOCKER, handler="handler.py:Handler")))

    files = rendered(DOCKER, transforms=WITH_PACKAGES, also_serves=also)

    assert files["models/requirements.txt"] == "einops\nftfy\nscipy==1.13.1\n"
    assert "--requirement requirements.txt" in files[f"{IMAGE_FOLDER}/Dockerfile"]
    assert "requirements.txt" not in rendered(DOCKER)[f"{IMAGE_FOLDER}/Dockerfile"]


@pytest.mark.parametrize("options", [DOCKER, KUBERNETES])
def test_what_runs_in_the_image_is_python_3_9(options: Options) -> None:
    wanted = project()

    for command in (readiness_command(describe(wanted, options)), start_command(HOME)):
        ast.parse(command[2], feature_version=(3, 9))


def test_the_health_check_asks_for_every_model() -> None:
    other = beside(project(name="second"))

    dockerfile = rendered(DOCKER, also_serves=(other,))[f"{IMAGE_FOLDER}/Dockerfile"]

    [check] = re.findall(r"^ +CMD (\[.*\])$", dockerfile, re.M)
    assert json.loads(check)[-2:] == ["insects", "second"]


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
def test_another_configuration_is_another_config_map(tmp_path: Path) -> None:
    names = []
    for size in (8, 4):
        serving = Serving(batching=Batching(max_size=size, delay="5ms"))
        folder = written(tmp_path / str(size), KUBERNETES, serving=serving)
        built = list(yaml.safe_load_all(checked("kubectl", "kustomize", folder / "manifests")))
        [made] = [each for each in built if each["kind"] == "ConfigMap"]
        [pods] = [each for each in built if each["kind"] == "Deployment"]
        assert made["immutable"] is True
        assert made["metadata"]["namespace"] == pods["metadata"]["namespace"]
        volumes = pods["spec"]["template"]["spec"]["volumes"]
        assert volumes[0]["configMap"]["name"] == made["metadata"]["name"]
        names.append(made["metadata"]["name"])

    assert names[0] != names[1]


def test_the_runbook_tells_of_every_door() -> None:
    other = beside(project(name="second"))

    text = rendered(replace(DOCKER, explain=Explain()), also_serves=(other,))["README.md"]

    table = text.partition("## Call")[2].partition("```")[0]
    assert re.findall(r"^\| [^|]+ \| `([^`]+)` \|", table, re.M) == [
        "/predictions/insects",
        "/v1/models/insects:predict",
        "/v2/models/insects/infer",
        "org.pytorch.serve.grpc.inference.InferenceAPIsService/Predictions",
        "/explanations/insects",
        "/predictions/second",
    ]


# Writes its words into a file, and fails for the word that FAILS names.
STAND_IN = """\
#!/usr/bin/env bash
echo "$(basename "$0") $*" >>"$CALLS"
echo "BUNDLE=${BUNDLE:-}" >>"$CALLS"
[[ " $* " != *" ${FAILS:-no such word} "* ]]
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """docker as a stand-in; gives the file that holds its calls."""
    (tmp_path / "programs").mkdir()
    program = tmp_path / "programs" / "docker"
    program.write_text(STAND_IN, encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return tmp_path / "calls"


def script(path: Path, *words: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a script of a rendered folder from another one."""
    return subprocess.run(
        [str(path), *words],
        cwd=folder,
        env=os.environ | more,
        capture_output=True,
        text=True,
        timeout=60,
    )


def filled(bundle: Path, *archives: str) -> Path:
    """A bundle with archives in its model store."""
    (bundle / "model-store").mkdir(parents=True)
    for archive in archives:
        (bundle / "model-store" / archive).touch()
    return bundle


@pytest.mark.parametrize("given", [True, False])
def test_start_builds_and_runs_the_bundle(stand_in: Path, tmp_path: Path, *, given: bool) -> None:
    target = written(tmp_path, DOCKER)
    bundle = tmp_path / ("my bundle" if given else "rendered here/../build/insects/torchserve")
    filled(bundle, "insects-1.0.mar")
    named = {"BUNDLE": "my bundle"} if given else {}

    # As gen render and gen export leave them: rendered/ and build/ in one folder.
    (tmp_path / "rendered here").rename(tmp_path / "rendered")
    path = tmp_path / "rendered" / target.relative_to(tmp_path / "rendered here")
    ran = script(path / "scripts/start.sh", folder=tmp_path, **named)

    assert ran.returncode == 0, ran.stderr
    build, _, up, exported = stand_in.read_text().splitlines()
    found = os.path.normpath(bundle)
    assert build.endswith(f"--file {path}/{IMAGE_FOLDER}/Dockerfile {found}")
    assert up == (
        f"docker compose --file {path}/{IMAGE_FOLDER}/compose.yaml"
        " up --detach --wait --wait-timeout 660 --renew-anon-volumes insects"
    )
    assert exported == f"BUNDLE={found}"
    assert "http://127.0.0.1:8080/predictions/insects" in ran.stdout


def test_start_says_that_there_is_no_bundle(stand_in: Path, tmp_path: Path) -> None:
    ran = script(written(tmp_path, DOCKER) / "scripts/start.sh", folder=tmp_path, BUNDLE="none")

    assert (ran.returncode, stand_in.exists()) == (1, False)
    assert ran.stderr == "there is no bundle in none: run gen export, or set BUNDLE\n"


def test_start_names_the_archive_that_is_not_there(stand_in: Path, tmp_path: Path) -> None:
    store = filled(tmp_path / "bundle", "insects-1.0.mar", "second-1.0.mar") / "model-store"
    target = written(tmp_path, DOCKER, also_serves=(beside(project(name="second")),))
    (store / "second-1.0.mar").rename(store / "second-2.0.mar")

    ran = script(target / "scripts/start.sh", folder=tmp_path, BUNDLE="bundle")

    assert (ran.returncode, stand_in.exists()) == (1, False)
    assert ran.stderr == (
        f"second-1.0.mar is not in {store}: run gen export, or copy it there (README)\n"
    )


def test_start_waits_a_minute_longer_than_a_start_may_take(stand_in: Path, tmp_path: Path) -> None:
    filled(tmp_path / "bundle", "insects-1.0.mar")
    target = written(tmp_path, DOCKER, serving=Serving(startup="90s"))

    script(target / "scripts/start.sh", folder=tmp_path, BUNDLE="bundle")

    assert " --wait-timeout 150 " in stand_in.read_text()


def test_start_shows_the_log_of_a_server_that_is_not_ready(stand_in: Path, tmp_path: Path) -> None:
    filled(tmp_path / "bundle", "insects-1.0.mar")
    path = written(tmp_path, DOCKER) / "scripts/start.sh"

    ran = script(path, folder=tmp_path, BUNDLE="bundle", FAILS="up")

    assert ran.returncode == 1
    assert " logs --tail 50 insects" in stand_in.read_text()
    assert "insects is not ready" in ran.stderr


def test_build_hands_the_bundle_to_the_servers_image_alone(stand_in: Path, tmp_path: Path) -> None:
    (tmp_path / "my bundle").mkdir()
    path = written(tmp_path, KUBERNETES) / "scripts/build.sh"

    ran = script(path, "--no-push", folder=tmp_path, BUNDLE="my bundle")

    assert ran.returncode == 0, ran.stderr
    calls = stand_in.read_text().splitlines()[::2]
    assert calls == [
        "docker build --platform linux/amd64 --tag docker.io/acme/insects-torchserve:1.0"
        f" --file {IMAGE_FOLDER}/Dockerfile {tmp_path}/my bundle",
        "docker build --platform linux/amd64 --tag docker.io/acme/insects-perf:1.0 images/perf",
    ]
