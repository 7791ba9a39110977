"""What administrators of a Seldon cluster run: to register a server, to make the secret."""

import copy
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from generator.project import Images, Kubernetes, Model, Project, Storage, Tensor
from generator.render import render
from generator.targets.seldon.admin import REGISTER, SECRET, admin_files
from generator.targets.seldon.options import Options
from generator.targets.seldon.service import describe

PROJECT = Project(
    name="letters",
    target="seldon",
    folder=Path(),
    model=Model(
        inputs=(Tensor("image", "float32", ("N", 3, 8, 8)),),
        outputs=(Tensor("logits", "float32", ("N", 10)),),
    ),
    storage=Storage("s3://models/letters", secret="rclone-reader"),
    kubernetes=Kubernetes(namespace="models"),
    images=Images("registry.example:5000/acme", "1.0"),
)
SHARED = Options(model_server="TORCH_SERVER")
ENTRY = {
    "protocols": {
        "seldon": {
            "image": "registry.example:5000/acme/torch-server",
            "defaultImageVersion": "1.0",
        }
    }
}
# As the operator's chart has them: several servers, of one protocol or two.
SERVERS: dict[str, Any] = {
    "HUGGINGFACE_SERVER": {
        "protocols": {
            "v2": {"defaultImageVersion": "1.3.5-huggingface", "image": "seldonio/mlserver"}
        }
    },
    "SKLEARN_SERVER": {
        "protocols": {
            "seldon": {"defaultImageVersion": "1.17.1", "image": "seldonio/sklearnserver"},
            "v2": {"defaultImageVersion": "1.3.5-sklearn", "image": "seldonio/mlserver"},
        }
    },
    "TENSORFLOW_SERVER": {
        "protocols": {
            "seldon": {"defaultImageVersion": "1.17.1", "image": "seldonio/tfserving-proxy"},
            "tensorflow": {"defaultImageVersion": "2.1.0", "image": "tensorflow/serving"},
        }
    },
    "TRITON_SERVER": {
        "protocols": {
            "v2": {"defaultImageVersion": "21.08-py3", "image": "nvcr.io/nvidia/tritonserver"}
        }
    },
    "XGBOOST_SERVER": {
        "protocols": {
            "seldon": {"defaultImageVersion": "1.17.1", "image": "seldonio/xgboostserver"},
            "v2": {"defaultImageVersion": "1.3.5-xgboost", "image": "seldonio/mlserver"},
        }
    },
}
OTHER_KEYS = {"credentials": '{"gcs": {}}', "explainer": "{}", "storageInitializer": "{}"}

# A cluster of one configmap, in the file CLUSTER. With RACE somebody else writes after each read.
# Like the API server it refuses a patch that names another version than the current one.
KUBECTL = """\
#!{python}
import json, os, sys
from pathlib import Path

words, cluster = sys.argv[1:], Path(os.environ["CLUSTER"])
with open(os.environ["CALLS"], "a") as calls:
    print(json.dumps(words), file=calls)
if os.environ.get("FORBIDDEN") == words[0]:
    sys.exit("Error from server (Forbidden): configmaps is forbidden")
configmap = json.loads(cluster.read_text())
namespace = words[words.index("--namespace") + 1]
if words[1:3] != ["configmap", "seldon-config"] or namespace != configmap["metadata"]["namespace"]:
    sys.exit('Error from server (NotFound): configmaps "seldon-config" not found')

def touch():
    version = configmap["metadata"]["resourceVersion"]
    configmap["metadata"]["resourceVersion"] = str(int(version) + 1)
    cluster.write_text(json.dumps(configmap))

if words[0] == "get":
    print(json.dumps(configmap))
    if os.environ.get("RACE"):
        configmap["data"]["explainer"] = "changed"
        touch()
elif words[0] == "patch":
    assert words[words.index("--type") + 1] == "merge"
    patch = json.loads(Path(words[words.index("--patch-file") + 1]).read_text())
    version = patch["metadata"].pop("resourceVersion", None)
    if version not in (None, configmap["metadata"]["resourceVersion"]):
        sys.exit("Error from server (Conflict): the object has been modified")
    assert list(patch) == ["metadata", "data"] and not patch["metadata"]
    configmap["data"].update(patch["data"])
    touch()
    print("configmap/seldon-config patched")
"""


class Ran(NamedTuple):
    status: int
    out: str
    err: str
    calls: list[str]


class Cluster:
    """A stand-in for kubectl and what it is connected to."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "cluster.json"
        programs = folder / "programs"
        programs.mkdir()
        (programs / "kubectl").write_text(KUBECTL.format(python=sys.executable))
        (programs / "kubectl").chmod(0o755)
        self.hold(json.dumps(SERVERS, separators=(",", ":")))

    def hold(self, servers: str | None, namespace: str = "seldon-system") -> None:
        data = OTHER_KEYS | ({} if servers is None else {"predictor_servers": servers})
        metadata = {"name": "seldon-config", "namespace": namespace, "resourceVersion": "7"}
        self.file.write_text(json.dumps({"kind": "ConfigMap", "metadata": metadata, "data": data}))

    @property
    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self.file.read_text())
        return state

    @property
    def text(self) -> str:
        return str(self.state["data"]["predictor_servers"])

    @property
    def servers(self) -> dict[str, Any]:
        servers: dict[str, Any] = json.loads(self.text)
        return servers

    def run(self, script: Path, *arguments: str, **environment: str) -> Ran:
        calls = self.folder / "calls"
        calls.write_text("")
        done = subprocess.run(
            [str(script), *arguments],
            env={
                "PATH": f"{self.folder / 'programs'}{os.pathsep}{os.environ['PATH']}",
                "CLUSTER": str(self.file),
                "CALLS": str(calls),
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=60,
        )
        made = [json.loads(line)[0] for line in calls.read_text().splitlines()]
        return Ran(done.returncode, done.stdout, done.stderr, made)


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


def script(folder: Path, project: Project = PROJECT, path: str = REGISTER) -> Path:
    """Render one script of a project."""
    files = admin_files(project, SHARED, describe(project, SHARED))
    [file] = [file for file in files if str(file.path) == path]
    rendered = render(file)
    written = folder / file.path.name
    written.write_text(rendered.text)
    written.chmod(0o755 if rendered.executable else 0o644)
    return written


def tagged(tag: str) -> Project:
    return replace(PROJECT, images=Images("registry.example:5000/acme", tag))


def test_registers_the_image_beside_the_other_servers(cluster: Cluster, tmp_path: Path) -> None:
    ran = cluster.run(script(tmp_path))

    assert (ran.status, ran.err) == (0, "")
    assert cluster.servers == SERVERS | {"TORCH_SERVER": ENTRY}
    data = cluster.state["data"]
    assert {key: data[key] for key in OTHER_KEYS} == OTHER_KEYS
    assert "configmap/seldon-config patched" in ran.out
    shown = [line[1:].strip() for line in ran.out.splitlines() if line.startswith("+ ")]
    assert '"image": "registry.example:5000/acme/torch-server",' in shown
    assert '"defaultImageVersion": "1.0"' in shown


def test_registers_again_without_writing(cluster: Cluster, tmp_path: Path) -> None:
    cluster.run(script(tmp_path))
    before = cluster.state

    ran = cluster.run(script(tmp_path))

    assert (ran.status, ran.calls) == (0, ["get"])
    assert "already registered" in ran.out
    assert cluster.state == before


@pytest.mark.parametrize(
    "layout",
    [
        {"separators": (",", ":")},
        {"separators": (", ", ": ")},
        {"indent": 2},
        {"indent": 4},
        {"indent": 4, "ensure_ascii": False},
    ],
)
def test_what_is_there_stays_byte_for_byte(
    cluster: Cluster, tmp_path: Path, layout: dict[str, Any]
) -> None:
    layout = {"ensure_ascii": False} | layout
    held = json.dumps(SERVERS | {"CAFÉ_SERVER": {"protocols": {}}}, **layout)
    cluster.hold(held)
    cluster.run(script(tmp_path))
    registered = cluster.text

    cluster.run(script(tmp_path), "--remove")

    assert registered.startswith(held.rstrip("}\n "))
    assert cluster.text == held


def test_a_dry_run_shows_the_change_and_writes_nothing(cluster: Cluster, tmp_path: Path) -> None:
    before = cluster.state

    ran = cluster.run(script(tmp_path), "--dry-run")

    assert (ran.status, ran.calls, cluster.state) == (0, ["get"], before)
    assert "torch-server" in ran.out
    assert ran.out.endswith("nothing written\n")


def test_a_change_in_between_is_not_written_over(cluster: Cluster, tmp_path: Path) -> None:
    ran = cluster.run(script(tmp_path), RACE="1")

    assert ran.status != 0
    assert "the object has been modified" in ran.err
    assert "nothing written" in ran.err
    assert cluster.servers == SERVERS
    assert cluster.state["data"]["explainer"] == "changed"


def test_another_tag_is_every_projects_and_wants_to_be_told(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.run(script(tmp_path))
    before = cluster.servers

    refused = cluster.run(script(tmp_path, tagged("1.1")))
    kept = cluster.servers
    ran = cluster.run(script(tmp_path, tagged("1.1")), "--replace")

    assert refused.status == 1
    assert "torch-server:1.0, not registry.example:5000/acme/torch-server:1.1" in refused.err
    assert kept == before
    assert ran.status == 0, ran.err
    newer = copy.deepcopy(ENTRY)
    newer["protocols"]["seldon"]["defaultImageVersion"] = "1.1"
    assert cluster.servers == SERVERS | {"TORCH_SERVER": newer}
    assert '"defaultImageVersion": "1.0"' in ran.out
    assert '"defaultImageVersion": "1.1"' in ran.out


ANOTHERS: tuple[object, ...] = (
    {"protocols": {"seldon": {"image": "acme/another", "defaultImageVersion": "3"}}},
    {"protocols": {"v2": {"image": "acme/another", "defaultImageVersion": "3"}}},
    {"rest": {"image": "acme/another", "defaultImageVersion": "3"}},
    None,
    "nonsense",
)


@pytest.mark.parametrize("option", ["--dry-run", "--remove", None])
@pytest.mark.parametrize("entry", ANOTHERS)
def test_another_ones_image_is_not_given_up(
    cluster: Cluster, tmp_path: Path, entry: object, option: str | None
) -> None:
    held = SERVERS | {"TORCH_SERVER": entry}
    cluster.hold(json.dumps(held))

    ran = cluster.run(script(tmp_path), *([option] if option else []))

    assert (ran.status, ran.calls) == (1, ["get"])
    assert cluster.servers == held
    assert "--replace" in ran.err
    if isinstance(entry, dict):
        assert "acme/another" in ran.out + ran.err
    if option != "--remove":
        assert "acme/torch-server" in ran.out


@pytest.mark.parametrize("entry", ANOTHERS)
def test_another_ones_image_is_given_up_when_told(
    cluster: Cluster, tmp_path: Path, entry: object
) -> None:
    cluster.hold(json.dumps(SERVERS | {"TORCH_SERVER": entry}))

    ran = cluster.run(script(tmp_path), "--replace")

    assert ran.status == 0, ran.err
    assert cluster.servers == SERVERS | {"TORCH_SERVER": ENTRY}


def test_removes_its_entry_and_no_other(cluster: Cluster, tmp_path: Path) -> None:
    cluster.run(script(tmp_path))

    first = cluster.run(script(tmp_path), "--remove")
    second = cluster.run(script(tmp_path), "--remove")

    assert (first.status, first.calls) == (0, ["get", "patch"])
    assert cluster.servers == SERVERS
    assert (second.status, second.calls) == (0, ["get"])
    assert "is not registered" in second.out


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (None, "has no predictor_servers"),
        ("{", "is broken, repair it first"),
        ("", "is broken, repair it first"),
        ("[]", "is not a map of servers"),
        ('{"A": {}, "A": {}}', "a key stands twice"),
    ],
)
def test_what_is_broken_already_is_left_alone(
    cluster: Cluster, tmp_path: Path, held: str | None, said: str
) -> None:
    cluster.hold(held)
    before = cluster.state

    ran = cluster.run(script(tmp_path))

    assert (ran.status, ran.calls, cluster.state) == (1, ["get"], before)
    assert said in ran.err
    assert "Traceback" not in ran.err


def test_a_missing_configmap_is_said_by_kubectl(cluster: Cluster, tmp_path: Path) -> None:
    ran = cluster.run(script(tmp_path), SELDON_NAMESPACE="elsewhere")

    assert (ran.status, ran.calls) == (1, ["get"])
    assert '"seldon-config" not found' in ran.err
    assert "Traceback" not in ran.err


def test_the_operator_may_run_in_another_namespace(cluster: Cluster, tmp_path: Path) -> None:
    cluster.hold(json.dumps(SERVERS), namespace="ml-system")

    ran = cluster.run(script(tmp_path), SELDON_NAMESPACE="ml-system")

    assert ran.status == 0, ran.err
    assert "TORCH_SERVER" in cluster.servers


@pytest.mark.parametrize("verb", ["get", "patch"])
def test_fails_with_kubectl(cluster: Cluster, tmp_path: Path, verb: str) -> None:
    ran = cluster.run(script(tmp_path), FORBIDDEN=verb)

    assert ran.status == 1
    assert "is forbidden" in ran.err
    assert cluster.servers == SERVERS


def test_says_that_kubectl_is_missing(cluster: Cluster, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "python3").symlink_to(sys.executable)

    ran = cluster.run(script(tmp_path), PATH=str(bare))

    assert (ran.status, ran.err) == (1, "kubectl: command not found\n")


def test_refuses_other_arguments(cluster: Cluster, tmp_path: Path) -> None:
    ran = cluster.run(script(tmp_path), "--force")

    assert (ran.status, ran.calls) == (2, [])
    assert "usage:" in ran.err


def test_an_image_of_its_own_is_registered_nowhere() -> None:
    paths = [str(f.path) for f in admin_files(PROJECT, Options(), describe(PROJECT, Options()))]

    assert paths == [SECRET]


S3 = {"AWS_ACCESS_KEY_ID": "AKIA-hidden", "AWS_SECRET_ACCESS_KEY": "a b/c+d=$(touch owned)#hidden"}
KUBECTL_CREATE = """\
#!{python}
import json, os, sys
with open(os.environ["CALLS"], "a") as calls:
    print(json.dumps([sys.argv[1:], sys.stdin.read()]), file=calls)
"""


class Created(NamedTuple):
    status: int
    out: str
    words: list[str]
    settings: dict[str, str]


def create(
    folder: Path, project: Project, *arguments: str, remote: str | None = None, **environment: str
) -> Created:
    """Run the script of a storage's secret, with a stand-in for kubectl."""
    options = Options(rclone_remote=remote)
    [file] = admin_files(project, options, describe(project, options))
    path, calls, programs = folder / "secret.sh", folder / "calls", folder / "programs"
    path.write_text(render(file).text)
    path.chmod(stat.S_IRWXU)
    programs.mkdir()
    (programs / "kubectl").write_text(KUBECTL_CREATE.format(python=sys.executable))
    (programs / "kubectl").chmod(0o755)
    calls.write_text("")
    done = subprocess.run(
        [str(path), *arguments],
        env={
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "CALLS": str(calls),
            **environment,
        },
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert not (folder / "owned").exists()
    made = [json.loads(line) for line in calls.read_text().splitlines()]
    words, given = made[0] if made else ([], "")
    settings = dict(line.split("=", 1) for line in given.splitlines())
    return Created(done.returncode, done.stdout + done.stderr, words, settings)


def stored(uri: str) -> Project:
    return replace(PROJECT, storage=Storage(uri, secret="rclone-reader"))


def test_s3_settings_are_those_of_the_remote_that_the_uri_names(tmp_path: Path) -> None:
    ran = create(tmp_path, stored("s3://bucket/letters"), remote="mys3", **S3)

    assert ran.status == 0, ran.out
    assert ran.words == [
        *("create", "secret", "generic", "rclone-reader", "--namespace", "models"),
        "--from-env-file=/dev/stdin",
    ]
    assert ran.settings == {
        "RCLONE_CONFIG_MYS3_TYPE": "s3",
        "RCLONE_CONFIG_MYS3_PROVIDER": "AWS",
        "RCLONE_CONFIG_MYS3_ENV_AUTH": "false",
        "RCLONE_CONFIG_MYS3_ACCESS_KEY_ID": S3["AWS_ACCESS_KEY_ID"],
        "RCLONE_CONFIG_MYS3_SECRET_ACCESS_KEY": S3["AWS_SECRET_ACCESS_KEY"],
    }
    model_uri = describe(stored("s3://bucket/letters"), Options(rclone_remote="mys3")).model_uri
    assert str(model_uri).startswith("mys3:")
    assert "hidden" not in ran.out


@pytest.mark.parametrize(
    ("given", "provider"), [({}, "Other"), ({"RCLONE_PROVIDER": "Minio"}, "Minio")]
)
def test_s3_settings_name_another_server(
    tmp_path: Path, given: dict[str, str], provider: str
) -> None:
    where = {"AWS_ENDPOINT_URL": "http://minio.example:9000", "AWS_DEFAULT_REGION": "eu-1"}

    ran = create(tmp_path, stored("s3://bucket/letters"), **S3, **where, **given)

    assert ran.status == 0, ran.out
    assert ran.settings["RCLONE_CONFIG_S3_ENDPOINT"] == "http://minio.example:9000"
    assert ran.settings["RCLONE_CONFIG_S3_REGION"] == "eu-1"
    assert ran.settings["RCLONE_CONFIG_S3_PROVIDER"] == provider


def test_s3_secret_refuses_a_server_without_a_scheme(tmp_path: Path) -> None:
    ran = create(tmp_path, stored("s3://b/l"), **S3, AWS_ENDPOINT_URL="minio.example:9000")

    assert (ran.status, ran.words) == (2, [])
    assert ran.out == "AWS_ENDPOINT_URL starts with neither http:// nor https://\n"


@pytest.mark.parametrize("missing", list(S3))
def test_s3_secret_names_what_is_missing(tmp_path: Path, missing: str) -> None:
    given = {name: value for name, value in S3.items() if name != missing}

    ran = create(tmp_path, stored("s3://bucket/letters"), **given)

    assert ran.status != 0
    assert f"{missing}: set it to" in ran.out
    assert "hidden" not in ran.out
    assert ran.words == []


def test_gs_settings_hold_the_key_on_one_line(tmp_path: Path) -> None:
    key = {"type": "service_account", "private_key": "-----BEGIN\nhidden $(touch owned)\n-----"}
    (tmp_path / "my key.json").write_text(json.dumps(key, indent=2) + "\n")

    ran = create(tmp_path, stored("gs://bucket/letters"), "my key.json")

    assert ran.status == 0, ran.out
    assert json.loads(ran.settings.pop("RCLONE_CONFIG_GS_SERVICE_ACCOUNT_CREDENTIALS")) == key
    assert ran.settings == {
        "RCLONE_CONFIG_GS_TYPE": "google cloud storage",
        "RCLONE_CONFIG_GS_ANONYMOUS": "false",
    }
    assert "hidden" not in ran.out


@pytest.mark.parametrize("arguments", [(), ("one.json", "two.json"), ("missing.json",)])
def test_gs_secret_asks_for_one_key_file(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    ran = create(tmp_path, stored("gs://bucket/letters"), *arguments)

    assert ran.status != 0
    assert ran.words == []


@pytest.mark.parametrize("storage", [None, Storage("s3://bucket/letters")])
def test_without_a_secret_there_is_no_script(storage: Storage | None) -> None:
    project = replace(PROJECT, storage=storage)

    assert list(admin_files(project, Options(), describe(project, Options()))) == []
