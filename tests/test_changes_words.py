"""`gen diff` says what changes for a service in the words of its people."""

import base64
import json
from collections.abc import Mapping
from pathlib import PurePosixPath

import pytest

from generator.changes import text
from generator.changes.comparison import Comparison, compare
from generator.changes.contents import Item, items
from generator.changes.lines import lines
from generator.changes.pairing import Promotion, paired
from generator.changes.trees import Entry

SERVICE = """\
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata: {name: one, namespace: models, labels: {app.kubernetes.io/version: "1"}}
spec:
  predictor:
    minReplicas: 1
    timeout: 60
    model:
      runtime: one-triton
      storageUri: s3://models/one
      env: [{name: THREADS, value: "1"}, {name: API_TOKEN, value: abc}]
      resources: {requests: {cpu: "1", memory: 2Gi}, limits: {cpu: "1", memory: 2Gi}}
      readinessProbe: {httpGet: {path: /v2/models/one/ready, port: 8080}}
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: one}
spec:
  replicas: 2
  selector: {matchLabels: {app: one}}
  template:
    metadata: {labels: {app: one}}
    spec:
      nodeSelector: {pool: cpu}
      containers:
        - name: main
          image: docker.io/acme/one:1.0
          args: [--port=80, --verbose]
          securityContext: {runAsUser: 1000}
      volumes: [{name: work, emptyDir: {}}]
"""
CONFIG = """\
# A comment.
name: "one"
max_batch_size: 8
input { name: "x" data_type: TYPE_FP32 dims: [3] }
instance_group { count: 1 kind: KIND_CPU }
dynamic_batching { max_queue_delay_microseconds: 0 }
"""
PROPERTIES = """\
job_queue_size=100
model_snapshot={"models": {"one": {"1.0": {"batchSize": 8, "maxWorkers": 1}}}}
"""


PATH = PurePosixPath("a.yaml")
Side = Mapping[str, str | bytes]  # texts by path


def compared(old: Side, new: Side) -> Comparison:
    """Two sides, each files by path."""
    comparison = Comparison("old", "new")
    before, after = (
        {
            PurePosixPath(path): Entry(held.encode() if isinstance(held, str) else held)
            for path, held in side.items()
        }
        for side in (old, new)
    )
    compare(comparison, before, after, ("triton", "torchserve", "seldon"))
    return comparison


def told(old: Side, new: Side) -> list[str]:
    """The sentences of everything that changed."""
    comparison = compared(old, new)
    assert comparison.failures == []
    return [line.said for one in comparison.services for line in lines(one.changes)]


def edited(whole: str, old: str, new: str) -> str:
    assert old in whole
    return whole.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("minReplicas: 1", "minReplicas: 0", "replicas, at least: 1 -> 0"),
        ("minReplicas: 1", "maxReplicas: 3", "replicas, at most added: 3"),
        ("timeout: 60", "timeout: 30", "timeout in seconds: 60 -> 30"),
        ("s3://models/one", "s3://models/two", "model uri: s3://models/one -> s3://models/two"),
        ("one-triton", "two", "runtime: one-triton -> two"),
        ('version: "1"', 'version: "2"', "model version: 1 -> 2"),
        ('version: "1"', "version: 1", 'model version: "1" -> 1'),
        ('value: "1"', 'value: "2"', "environment variable THREADS: 1 -> 2"),
        ("abc", "def", "environment variable API_TOKEN changed (the values are not shown)"),
        ("memory: 2Gi}}", "memory: 4Gi}}", "memory: 2Gi -> 4Gi (limits, doubled)"),
        ("memory: 2Gi", "memory: 1Gi", "memory: 2Gi -> 1Gi (requests and limits, halved)"),
        ("memory: 2Gi", "memory: 2048Mi", "memory: 2Gi -> 2048Mi (requests and limits, the same "
         "amount)"),
        ("path: /v2/models/one/ready", "path: /x", "readiness probe, httpGet.path: "
         "/v2/models/one/ready -> /x"),
        ("readinessProbe:", "startupProbe:", "readiness probe dropped, was GET "
         "/v2/models/one/ready on 8080, every 10 s, 3 times"),
        ("    timeout: 60", "    unheard: {of: [1]}", "spec.predictor.unheard.of added: [1]"),
    ],
)  # fmt: skip
def test_says_what_changes_in_an_inference_service(old: str, new: str, said: str) -> None:
    assert said in told({"a.yaml": SERVICE}, {"a.yaml": edited(SERVICE, old, new)})


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("replicas: 2", "replicas: 3", "replicas: 2 -> 3"),
        ("one:1.0", "one:1.1", "image of container main: docker.io/acme/one:1.0 -> "
         "docker.io/acme/one:1.1 (another tag)"),
        ("one:1.0", "one:1.0@sha256:12", "image of container main: docker.io/acme/one:1.0 -> "
         "docker.io/acme/one:1.0@sha256:12 (now by its digest)"),
        ("one:1.0", "two@sha256:12", "image of container main: docker.io/acme/one:1.0 -> "
         "docker.io/acme/two@sha256:12 (another repository and tag and digest)"),
        ("--port=80", "--port=81", "argument 0: --port=80 -> --port=81"),
        (", --verbose", "", "argument 1 dropped, was --verbose"),
        ("pool: cpu", "pool: gpu", "node selector pool: cpu -> gpu"),
        ("runAsUser: 1000", "runAsUser: 1", "security context, runAsUser: 1000 -> 1"),
        ("emptyDir: {}", "hostPath: {path: /}", "volume work, hostPath.path added: /"),
        ("name: work", "name: other", 'volume work dropped, was emptyDir {}'),
        ("matchLabels: {app: one}", "matchLabels: {app: two}", "selector label app: one -> two"),
        ("name: main", "name: other", "container other added: docker.io/acme/one:1.0"),
    ],
)  # fmt: skip
def test_says_what_changes_in_a_deployment(old: str, new: str, said: str) -> None:
    assert said in told({"a.yaml": DEPLOYMENT}, {"a.yaml": edited(DEPLOYMENT, old, new)})


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("max_batch_size: 8", "max_batch_size: 4", "batching, at most: 8 -> 4"),
        ("count: 1", "count: 2", "model instances: 1 -> 2"),
        ("KIND_CPU", "KIND_GPU", "model instances run on: KIND_CPU -> KIND_GPU"),
        ("microseconds: 0", "microseconds: 9", "batching, delay in microseconds: 0 -> 9"),
        ("FP32", "INT8", "input x, data_type: TYPE_FP32 -> TYPE_INT8"),
    ],
)
def test_says_what_changes_in_a_config_of_triton(old: str, new: str, said: str) -> None:
    path = "models/one/config.pbtxt"

    assert told({path: CONFIG}, {path: edited(CONFIG, old, new)}) == [said]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("=100", "=10", "requests that may wait: 100 -> 10"),
        ('"batchSize": 8', '"batchSize": 4', "batching of one 1.0, at most: 8 -> 4"),
        ('"maxWorkers": 1', '"maxWorkers": 2', "workers of one 1.0, at most: 1 -> 2"),
        ("job_queue_size=100\n", "", "requests that may wait dropped, was 100"),
        ("=100", "=100\nkeystore_pass=hidden", "keystore_pass added: (not shown)"),
    ],
)
def test_says_what_changes_in_a_config_of_torchserve(old: str, new: str, said: str) -> None:
    path = "models/config/config.properties"

    assert told({path: PROPERTIES}, {path: edited(PROPERTIES, old, new)}) == [said]


def test_tells_requirements_apart_from_comments_on_them() -> None:
    old = "numpy==2.0  # for arrays\nkserve[storage]==0.21\n"
    new = "# what is needed\nkserve[storage]==0.22\nnumpy==2.0\n"

    said = told({"images/t/requirements.txt": old}, {"images/t/requirements.txt": new})

    assert said == ["requirement kserve[storage]: ==0.21 -> ==0.22"]


def test_names_the_image_that_has_to_be_built_again_and_the_files() -> None:
    old = {"images/t/transforms.py": "a = 1\n", "images/t/Dockerfile": "FROM a\nUSER 1\n"}
    new = {"images/t/transforms.py": "a = 2\n", "images/t/Dockerfile": "FROM b\nUSER 1\n"}

    printed = text.report(compared(old, new))

    assert "image t has to be built again: Dockerfile, transforms.py" in printed


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("a.yaml", DEPLOYMENT, f"# Why.\n{DEPLOYMENT}"),
        ("a.yaml", DEPLOYMENT, DEPLOYMENT.replace("\n", "\r\n")),
        ("a.yaml", DEPLOYMENT, DEPLOYMENT.replace("{app: one}", '{"app": "one"}')),
        ("config.pbtxt", CONFIG, CONFIG.replace("# A comment.\n", "")),
        ("config.properties", PROPERTIES, f"# Why.\n{PROPERTIES}"),
        ("a.py", "x = (1 +\n  2)  # three\n", "x = 1 + 2\n"),
        ("a.sh", "#!/bin/sh\n# one\nls\n", "#!/bin/sh\n# two\nls\n"),
        ("Dockerfile", "# one\nFROM a\n", "FROM a\n"),
        ("a.json", '{"a": 1, "b": 2}', '{"b": 2, "a": 1}\n'),
    ],
)
def test_comments_and_layout_alone_are_told_as_such(path: str, old: str, new: str) -> None:
    comparison = compared({path: old}, {path: new})

    assert told({path: old}, {path: new}) == []
    assert f"1 file differs in comments, layout or place alone: {path}" in text.report(comparison)


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("a.sh", "cat <<E\n# one\nE\n", "cat <<E\n# two\nE\n"),
        ("a.sh", "#!/bin/sh\nls\n", "#!/bin/bash\nls\n"),
        ("Dockerfile", "# syntax=a\nFROM a\n", "# syntax=b\nFROM a\n"),
        ("a.py", 'x = "# one"\n', 'x = "# two"\n'),
        ("a.bin", b"\0\1", b"\0\2"),
        ("notes.txt", "one\n", "two\n"),
    ],
)
def test_what_only_looks_like_a_comment_is_a_change(
    path: str, old: str | bytes, new: str | bytes
) -> None:
    assert len(told({path: old}, {path: new})) == 1


def test_a_manifest_that_moves_to_another_file_has_not_changed() -> None:
    old = {"a.yaml": f"{SERVICE}---\n{DEPLOYMENT}"}
    new = {"b/one.yaml": SERVICE, "b/two.yaml": DEPLOYMENT}

    assert told(old, new) == []


def test_the_elements_of_a_list_are_manifests_of_their_own() -> None:
    indented = "\n".join(f"    {line}" for line in DEPLOYMENT.splitlines()).replace(
        "    a", "  - a", 1
    )
    whole = f"apiVersion: v1\nkind: List\nitems:\n{indented}\n"

    assert told({"a.yaml": DEPLOYMENT}, {"a.yaml": whole}) == []
    assert told({"a.yaml": whole}, {"a.yaml": edited(whole, "replicas: 2", "replicas: 3")}) == [
        "replicas: 2 -> 3"
    ]


def test_a_config_map_under_the_hash_of_its_content_is_the_same_one() -> None:
    old = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c-2e50c048}\ndata: {a: "1"}\n'
    new = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c-9f60c041}\ndata: {a: "2"}\n'

    assert told({"a.yaml": old}, {"a.yaml": new}) == [
        "data.a: 1 -> 2",
    ]


def test_no_value_of_a_secret_is_told() -> None:
    old = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: hunter1}\n"
    new = f"{old}data: {{b: aHVudGVyMg==}}\n".replace("hunter1", "hunter2")

    said = told({"a.yaml": old}, {"a.yaml": new})

    assert said == ["stringData.a changed (the values are not shown)", "data.b added: (not shown)"]


def test_no_password_in_an_address_or_an_argument_is_told() -> None:
    new = edited(DEPLOYMENT, "--verbose", "--password=hunter2, s3://me:hunter2@host/b")

    assert "hunter2" not in text.report(compared({"a.yaml": DEPLOYMENT}, {"a.yaml": new}))


def test_what_is_no_yaml_is_told_with_its_place_and_the_rest_compared() -> None:
    old = {"a.yaml": SERVICE, "b.yaml": DEPLOYMENT}
    new = {"a.yaml": "a: [\n", "b.yaml": edited(DEPLOYMENT, "replicas: 2", "replicas: 3")}

    comparison = compared(old, new)

    [failure] = comparison.failures
    assert failure.startswith(".: a.yaml, after: 1:5: ")
    assert [change.said for change in comparison.services[0].changes] == ["replicas: 2 -> 3"]


def test_a_template_of_helm_is_compared_as_text() -> None:
    old = "a: {{ .Values.a }}\n{{ if b }}\nc: 1\n{{ end }}\n"

    assert told({"a.yaml": old}, {"a.yaml": old.replace("c: 1", "c: 2")}) == [
        "a.yaml changed (1 line added, 1 removed)"
    ]


def test_a_project_under_another_name_is_recognised() -> None:
    def files(name: str) -> Side:
        return {
            f"{name}/.serving-generator": "",
            f"{name}/triton/manifests/service.yaml": edited(SERVICE, "name: one", f"name: {name}"),
            f"{name}/triton/requests/client.py": "print()\n",
        }

    comparison = compared(files("one"), files("two"))

    assert [service.sense for service in comparison.services] == ["removed", "added"]
    assert comparison.notes[0].startswith("one / triton looks like two / triton")


def test_a_manifest_that_is_called_after_its_environment_is_the_same_one() -> None:
    old, new = (
        edited(DEPLOYMENT, "name: one", f"name: one-{e}") for e in ("staging", "production")
    )
    sides = [list(items({PATH: Entry(text.encode())})) for text in (old, new)]
    before, after = ([one for one in side if isinstance(one, Item)] for side in sides)

    [pair] = paired(before, after, Promotion("staging", "production"))

    assert (pair.old, pair.new) == (before[0], after[0])
    assert len(paired(before, after)) == 2


def test_of_a_service_that_goes_the_manifests_are_told_and_the_rest_is_counted() -> None:
    kept: dict[str, str | bytes] = {"one/.serving-generator": ""}
    whole = kept | {
        "one/triton/manifests/a.yaml": SERVICE,
        "one/triton/images/t/Dockerfile": "FROM a\n",
        "one/triton/README.md": "# One\n",
    }

    printed = text.report(compared(whole, kept))

    assert "one / triton, removed\n" in printed
    assert (
        "\n  InferenceService one dropped  (manifests/a.yaml)\n  2 other files removed\n" in printed
    )
    assert "built again" not in printed


def test_long_values_are_shown_around_their_difference() -> None:
    old, new = (edited(SERVICE, "s3://models/one", f"s3://{'m' * 90}/{v}/end") for v in "12")

    [said] = told({"a.yaml": old}, {"a.yaml": new})

    assert said == f"model uri: ...{'m' * 19}/1/end -> ...{'m' * 19}/2/end"


def test_a_port_of_a_policy_is_none_of_a_container() -> None:
    policy = (
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a}\n"
        "spec: {podSelector: {}, ingress: [{ports: [{port: 80}]}]}\n"
    )

    [said] = told({"a.yaml": policy}, {"a.yaml": edited(policy, "80}", "80}, {port: 81}")})

    assert said == 'ingress, rule 0, port 81 added: {"port": 81}'


def test_the_hash_of_a_job_is_told_nowhere() -> None:
    job = (
        "apiVersion: batch/v1\nkind: Job\nmetadata: {name: a-perf-HASH, labels: {team: TEAM}}\n"
        "spec: {template: {spec: {volumes: [{name: v, configMap: {name: a-perf-HASH}}]}}}\n"
    )
    lists = (
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
        "configMapGenerator: [{name: a-perf-HASH, files: [a.py]}]\n"
    )
    old, new = (
        {
            "perf/job.yaml": job.replace("HASH", digest).replace("TEAM", team),
            "perf/kustomization.yaml": lists.replace("HASH", digest),
        }
        for digest, team in (("b16082ef", "a"), ("5e6c85f1", "b"))
    )

    assert told(old, new) == ["label team: a -> b"]


def test_bytes_are_not_told_as_text() -> None:
    old, new = (base64.b64encode(bytes(range(first, first + 90))).decode() for first in (0, 7))
    sides = ({"requests/v1.json": json.dumps({"b64": text})} for text in (old, new))

    assert told(*sides) == ["b64: 120 characters of base64 -> others"]


@pytest.mark.parametrize(
    ("manifest", "old", "new", "said"),
    [
        (
            "apiVersion: machinelearning.seldon.io/v1\nkind: SeldonDeployment\n"
            "metadata: {name: a}\nspec: {predictors: [{name: d, hpaSpec: "
            "{metricsv2: [{type: Resource, resource: {name: cpu}}]}}]}\n",
            *("name: cpu", "name: memory", "autoscaling metric: cpu -> memory"),
        ),
        (
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {template: {spec: "
            "{containers: [{name: c, envFrom: [{secretRef: {name: s3}}]}]}}}\n",
            *("name: s3", "name: gcs", "environment from secret: s3 -> gcs"),
        ),
        (
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a}\n"
            "spec: {syncPolicy: {automated: {selfHeal: false}}}\n",
            *("false", "true", "Argo CD undoes changes in the cluster: false -> true"),
        ),
    ],
)
def test_has_words_for_more(manifest: str, old: str, new: str, said: str) -> None:
    assert told({"a.yaml": manifest}, {"a.yaml": edited(manifest, old, new)}) == [said]
