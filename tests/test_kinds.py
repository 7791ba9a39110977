import copy
import subprocess
import sys
from typing import Any

import pytest
import yaml

from generator import kinds
from generator.diagnostics import shown
from generator.kinds import Refusal, known, refusals

SERVICE = """
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: cifar10
  namespace: models
  labels: {team: vision, app.kubernetes.io/name: cifar10}
  annotations: {serving.kserve.io/deploymentMode: Knative}
spec:
  predictor:
    minReplicas: 1
    maxReplicas: 3
    scaleMetric: concurrency
    scaleTarget: 8
    timeout: 60
    serviceAccountName: models
    imagePullSecrets: [{name: registry}]
    model:
      modelFormat: {name: triton, version: "2"}
      protocolVersion: grpc-v2
      runtime: cifar10-triton
      runtimeVersion: 26.11-py3
      storageUri: gs://acme-models/cifar10/triton
      env: [{name: OMP_NUM_THREADS, value: "1"}]
      args: [--log-verbose=0]
      ports: [{name: h2c, containerPort: 9000, protocol: TCP}]
      resources:
        requests: {cpu: "1", memory: 2Gi}
        limits: {cpu: 1, memory: 2Gi, nvidia.com/gpu: 1}
      readinessProbe:
        httpGet: {path: /v2/models/cifar10/ready, port: 8080}
        periodSeconds: 5
      startupProbe:
        httpGet: {path: /v2/models/cifar10/ready, port: 8080, scheme: HTTP}
        failureThreshold: 60
  transformer:
    containerConcurrency: 4
    containers:
      - name: kserve-container
        image: docker.io/acme/cifar10-transformer:1.0
        imagePullPolicy: IfNotPresent
        args: [--model_name=cifar10, --predictor_protocol=grpc-v2]
        env:
          - {name: OMP_NUM_THREADS, value: "1"}
          - name: TOKEN
            valueFrom: {secretKeyRef: {name: token, key: token}}
        ports: [{containerPort: 8080, protocol: TCP}]
        resources: {requests: {cpu: 500m, memory: 512Mi}, limits: {cpu: 500m, memory: 512Mi}}
        securityContext:
          runAsNonRoot: true
          runAsUser: 1000
          allowPrivilegeEscalation: false
          capabilities: {drop: [ALL]}
          seccompProfile: {type: RuntimeDefault}
        volumeMounts: [{name: tmp, mountPath: /tmp}]
    volumes: [{name: tmp, emptyDir: {sizeLimit: 64Mi}}]
"""
RUNTIME = """
apiVersion: serving.kserve.io/v1alpha1
kind: ServingRuntime
metadata: {name: cifar10-triton}
spec:
  annotations: {prometheus.kserve.io/port: "8002"}
  supportedModelFormats: [{name: triton, version: "2", autoSelect: false, priority: 1}]
  protocolVersions: [v2, grpc-v2]
  containers:
    - name: kserve-container
      image: nvcr.io/nvidia/tritonserver:26.11-py3
      args: [tritonserver, --model-store=/mnt/models]
      resources: {requests: {cpu: 1, memory: 2Gi}, limits: {cpu: 1, memory: 2Gi}}
"""
JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: cifar10-perf-3f2a, creationTimestamp: null, labels: {app: perf}}
spec:
  backoffLimit: 0
  template:
    metadata: {annotations: {sidecar.istio.io/inject: "false"}}
    spec:
      restartPolicy: Never
      containers:
        - name: vegeta
          image: docker.io/peterevans/vegeta:6.9.1
          command: [sh, /perf/run.sh]
          env: [{name: RATE, value: "100"}, {name: DURATION, value: 60s}]
          resources: {requests: {cpu: 0.5, memory: 1e9}, limits: {cpu: "1", memory: 1Gi}}
          volumeMounts: [{name: perf, mountPath: /perf}]
      volumes: [{name: perf, configMap: {name: perf, defaultMode: 292}}]
"""
KUSTOMIZATION = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: models
resources: [job.yaml]
labels: [{pairs: {team: vision}, includeSelectors: false}]
generatorOptions: {disableNameSuffixHash: true}
configMapGenerator:
  - name: perf
    files: [run.sh, payload.json]
    options: {labels: {part: perf}}
images: [{name: acme/perf, newTag: "1.0"}]
replacements:
  - source: {kind: ConfigMap, name: perf, fieldPath: data.rate}
    targets: [{select: {kind: Job}, fieldPaths: [spec.parallelism]}]
"""
KNATIVE = """
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: cifar10}
spec:
  template:
    metadata: {annotations: {autoscaling.knative.dev/min-scale: "1"}}
    spec:
      containerConcurrency: 4
      containers: [{image: docker.io/acme/cifar10:1.0, ports: [{name: h2c, containerPort: 9000}]}]
"""
SECRET = """
apiVersion: v1
kind: Secret
metadata: {name: gcs-reader}
data: {key.json: e30=}
"""
GOOD = {
    "InferenceService": SERVICE,
    "ServingRuntime": RUNTIME,
    "ClusterServingRuntime": RUNTIME.replace("kind: Serv", "kind: ClusterServ"),
    "Job": JOB,
    "Kustomization": KUSTOMIZATION,
    "Knative Service": KNATIVE,
    "Secret": SECRET,
}
PREDICTOR = ("spec", "predictor")
MODEL = (*PREDICTOR, "model")
ENV = (*MODEL, "env")
MEMORY = (*MODEL, "resources", "limits", "memory")
CONTAINER = ("spec", "template", "spec", "containers", 0)


def said(text: str, path: tuple[str | int, ...], value: object) -> list[Refusal]:
    """What is refused about a good manifest with one value changed."""
    manifest = yaml.safe_load(text)
    *parents, last = path
    held = manifest
    for part in parents:
        held = held[part]
    if value is None:
        del held[last]
    else:
        held[last] = copy.deepcopy(value)
    return list(refusals(manifest))


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_accepts_a_good_manifest(text: str) -> None:
    assert list(refusals(yaml.safe_load(text))) == []


def test_points_at_an_unknown_field_and_names_the_nearest() -> None:
    path = (*PREDICTOR, "minReplica")

    assert said(SERVICE, path, 1) == [
        Refusal(path, "unknown field `minReplica`", "did you mean `minReplicas`?")
    ]


def test_tells_every_unknown_field_by_itself() -> None:
    wrong = said(JOB, (*CONTAINER, "envs"), []) + said(JOB, (*CONTAINER, "comand"), [])
    manifest = yaml.safe_load(JOB)
    manifest["spec"]["template"]["spec"]["containers"][0] |= {"envs": [], "comand": []}

    assert list(refusals(manifest)) == wrong


@pytest.mark.parametrize(
    ("path", "parent"),
    [
        (PREDICTOR, ("spec",)),
        ((*MODEL, "modelFormat", "name"), (*MODEL, "modelFormat")),
        (
            ("spec", "transformer", "containers", 0, "name"),
            ("spec", "transformer", "containers", 0),
        ),
        (("metadata", "name"), ("metadata",)),
        (("metadata",), ()),
    ],
)
def test_points_at_the_parent_of_a_missing_field(
    path: tuple[str | int, ...], parent: tuple[str | int, ...]
) -> None:
    (refusal,) = said(SERVICE, path, None)

    assert refusal.path == parent
    assert refusal.message == f"required field `{path[-1]}` is missing"


@pytest.mark.parametrize(
    ("path", "value", "message", "hint"),
    [
        (
            (*MODEL, "runtimeVersion"),
            23.05,
            "`23.05` is a number, expected a string",
            'quote it: `"23.05"`',
        ),
        (
            (*ENV, 0, "value"),
            1,
            "`1` is a whole number, expected a string",
            'quote it: `"1"`',
        ),
        (
            (*ENV, 0, "value"),
            True,
            "`true` is true or false, expected a string",
            'quote it: `"true"`',
        ),
        (
            (*PREDICTOR, "minReplicas"),
            "1",
            "`1` is a string, expected a whole number",
            "write `1` without quotes",
        ),
        ((*MODEL, "args"), {"a": "b"}, "found a map, expected a list", ""),
        (
            (*PREDICTOR, "scaleMetric"),
            "memry",
            "`memry` is not one of `cpu`, `memory`, `concurrency`, `rps`",
            "did you mean `memory`?",
        ),
    ],
)
def test_shows_the_value_that_does_not_fit(
    path: tuple[str | int, ...], value: object, message: str, hint: str
) -> None:
    assert said(SERVICE, path, value) == [Refusal(path, message, hint)]


@pytest.mark.parametrize("quantity", ["2GB", "2 Gi", "2gi", "two", "2Gi\n", "-", ""])
def test_refuses_what_is_no_quantity(quantity: str) -> None:
    (refusal,) = said(SERVICE, MEMORY, quantity)

    assert refusal.path == MEMORY
    assert refusal.message == f"`{quantity}` is not a quantity"
    assert "`2Gi`" in refusal.hint


@pytest.mark.parametrize("quantity", ["2Gi", "500m", "1.5G", "1e3", ".5", 2, "+1Ti"])
def test_accepts_every_form_of_quantity(quantity: object) -> None:
    assert said(SERVICE, MEMORY, quantity) == []


def test_a_fraction_is_a_quantity_of_a_core_kind_but_not_of_a_custom_one() -> None:
    (refusal,) = said(SERVICE, (*MODEL, "resources", "limits", "cpu"), 0.5)

    assert refusal.message == "`0.5` is a number, expected a whole number or a string"
    assert said(JOB, (*CONTAINER, "resources", "limits", "cpu"), 0.5) == []


def test_refuses_a_variable_that_is_set_twice() -> None:
    twice = [{"name": "A", "value": "1"}, {"name": "B"}, {"name": "A", "value": "2"}]

    assert said(SERVICE, ENV, twice) == [
        Refusal((*ENV, 2, "name"), "duplicate `name` `A`, first at index 0")
    ]


@pytest.mark.parametrize(
    ("place", "elements"),
    [
        (("env",), [{"name": "A"}, {"name": "B"}, {"name": "A"}]),
        (("ports",), [{"containerPort": 80}, {"containerPort": 80, "protocol": ""}]),
        ((), {"imagePullSecrets": [{"name": "a"}, {"name": "a"}]}),
    ],
)
def test_what_only_server_side_apply_refuses_of_a_core_kind_is_a_warning(
    place: tuple[str, ...], elements: Any
) -> None:
    """kubernetes#113482: lists are maps by key to server-side apply alone."""
    at, value = ((*CONTAINER, *place), elements) if place else (CONTAINER[:-2], None)
    if value is None:
        base = yaml.safe_load(JOB)["spec"]["template"]["spec"]
        value = base | elements

    (refusal,) = said(JOB, at, value)

    assert refusal.severity == "warning"
    assert refusal.message.startswith("duplicate ")
    assert "server-side apply" in refusal.hint


@pytest.mark.parametrize(
    ("place", "elements"),
    [
        ((), [{"name": "a", "image": "i"}, {"name": "a", "image": "i"}]),
        ((0, "volumeMounts"), [{"name": "a", "mountPath": "/a"}, {"name": "b", "mountPath": "/a"}]),
    ],
)
def test_what_every_way_refuses_twice_is_an_error(place: tuple[Any, ...], elements: Any) -> None:
    refusals = said(JOB, (*CONTAINER[:-1], *place), elements)

    assert [refusal.severity for refusal in refusals] == ["error"]


def test_a_port_of_a_service_given_twice_is_an_error() -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}
    ports = [{"name": "a", "port": 80}, {"name": "b", "port": 80, "protocol": "TCP"}]

    (refusal,) = kinds.refusals(service | {"spec": {"ports": ports}})

    assert refusal.severity == "error"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("imagePullPolicy", ""),
        ("terminationMessagePolicy", ""),
        ("ports", [{"containerPort": 80, "protocol": ""}]),
        ("livenessProbe", {"httpGet": {"port": 80, "scheme": ""}}),
    ],
)
def test_an_empty_choice_is_the_default(field: str, value: object) -> None:
    assert said(JOB, (*CONTAINER, field), value) == []


def test_an_empty_choice_is_not_told_as_one() -> None:
    (refusal,) = said(JOB, (*CONTAINER, "imagePullPolicy"), "always")

    assert refusal.message == "`always` is not one of `Always`, `IfNotPresent`, `Never`"


@pytest.mark.parametrize("release", kinds.RELEASES["kubernetes"])
def test_an_older_release_requires_what_its_server_does(release: str) -> None:
    """kubernetes#130233: older schemas require fields that no server ever did."""
    spec = yaml.safe_load(JOB)["spec"]["template"]
    labels = {"labels": {"a": "b"}}
    body = {"selector": {"matchLabels": labels["labels"]}, "template": spec | {"metadata": labels}}
    manifest = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "a"}}
    cluster = kinds.cluster([f"kubernetes={release}"])

    assert list(kinds.refusals(manifest | {"spec": body}, cluster)) == []
    (refusal,) = kinds.refusals(manifest | {"spec": {"template": spec}}, cluster)
    assert refusal.message == "required field `selector` is missing"


@pytest.mark.parametrize("text", ["QUJD\nQUJD\n", "QUI\r\n=", "QU\nJD", "", "QQ=\n="])
def test_base64_may_be_wrapped(text: str) -> None:
    assert said(SECRET, ("data", "a"), text) == []


@pytest.mark.parametrize("text", ["QUJ", "QU JD", "plain text", "QUJD=", "Q==="])
def test_what_go_reads_as_no_base64_is_refused(text: str) -> None:
    (refusal,) = said(SECRET, ("data", "a"), text)

    assert refusal.message.endswith("is not base64")


def test_the_template_of_an_application_set_is_filled_in_later() -> None:
    labels = {"app": "{{.path.basename}}"}
    template = {
        "metadata": {"name": "a", "labels": labels, "annotations": {"{{.key}}": "x"}},
        "spec": {"project": "default", "destination": {}, "source": {"repoURL": "r", "path": "p"}},
    }
    manifest = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"name": "a"},
        "spec": {"generators": [{"list": {"elements": []}}], "template": template},
    }

    assert list(kinds.refusals(manifest)) == []
    assert list(kinds.refusals(manifest | {"metadata": {"name": "a", "labels": labels}})) != []


def test_ports_without_a_protocol_are_tcp_ports() -> None:
    ports = [{"containerPort": 80}, {"containerPort": 80, "protocol": "TCP"}]

    (refusal,) = said(JOB, (*CONTAINER, "ports"), ports)

    assert refusal.message == "duplicate `containerPort` `80`, `protocol` `TCP`, first at index 0"


@pytest.mark.parametrize(
    ("field", "value", "nearest"),
    [("imagePullPolicy", "always", "Always"), ("terminationMessagePolicy", "Files", "File")],
)
def test_refuses_choices_that_upstream_only_tells_in_prose(
    field: str, value: str, nearest: str
) -> None:
    (refusal,) = said(JOB, (*CONTAINER, field), value)

    assert refusal.message.startswith(f"`{value}` is not one of ")
    assert refusal.hint == f"did you mean `{nearest}`?"


@pytest.mark.parametrize("name", ["My_App", "9lives", "cifar-", "cifar.10", "a\n"])
def test_refuses_a_service_name_that_is_no_label(name: str) -> None:
    (refusal,) = said(SERVICE, ("metadata", "name"), name)

    assert refusal.path == ("metadata", "name")
    assert refusal.message == f"`{shown(name)}` is not a DNS-1035 label"


def test_each_kind_has_its_own_rule_for_names() -> None:
    assert said(RUNTIME, ("metadata", "name"), "9.lives") == []
    assert said(JOB, ("metadata", "name"), "9.lives") == []
    assert said(RUNTIME, ("metadata", "name"), "a" * 64) == []
    assert said(JOB, ("metadata", "name"), "a" * 64) == [
        Refusal(
            ("metadata", "name"),
            f"`{'a' * 30}...` has 64 characters, the most is 63",
            "shorten it",
            "kubernetes/name",
        )
    ]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (("metadata", "namespace"), "`-x y` is not a DNS-1123 label"),
        (("metadata", "labels", "team"), "`-x y` is not a label value"),
        (("spec", "predictor", "labels"), "`-x y` is not a label value"),
    ],
)
def test_refuses_bad_namespaces_and_labels(path: tuple[str, ...], message: str) -> None:
    value = {"team": "-x y"} if path[-1] == "labels" else "-x y"

    (refusal,) = said(SERVICE, path, value)

    assert refusal.message == message


@pytest.mark.parametrize("key", ["a b", "/x", "Bad_Domain/x", "a/b/c", "x" * 64])
def test_refuses_bad_keys_of_labels_and_annotations(key: str) -> None:
    for field in ("labels", "annotations"):
        path = ("metadata", field, key)
        (refusal,) = said(SERVICE, path, "x")

        assert refusal.path == path


def test_label_values_and_unknown_metadata_are_told_with_the_metadata_in_front() -> None:
    assert said(SERVICE, ("metadata", "labels", "team"), 7) == [
        Refusal(
            ("metadata", "labels", "team"),
            "`7` is a whole number, expected a string",
            'quote it: `"7"`',
        )
    ]
    (refusal,) = said(SERVICE, ("metadata", "lables"), {})
    assert refusal == Refusal(
        ("metadata", "lables"), "unknown field `lables`", "did you mean `labels`?"
    )


def test_a_key_that_is_no_string_is_told() -> None:
    (refusal,) = said(SERVICE, ("metadata", "labels"), {1: "x"})

    assert refusal.message == "the key `1` is a whole number, expected a string"


def test_null_is_absent_in_maps() -> None:
    job, service = yaml.safe_load(JOB), yaml.safe_load(SERVICE)
    job["spec"]["parallelism"] = None
    service["spec"]["predictor"]["minReplicas"] = None
    service["spec"]["predictor"]["nodeSelector"] = {"disk": None}

    assert list(refusals(job)) == []
    assert list(refusals(service)) == []


def test_null_is_no_element_of_a_list_and_nothing_that_is_required() -> None:
    service = yaml.safe_load(SERVICE)
    service["spec"]["predictor"]["containers"] = [None, {"name": None, "image": "a"}]

    assert [(refusal.path, refusal.message) for refusal in refusals(service)] == [
        ((*PREDICTOR, "containers", 0), "found nothing, expected a map"),
        ((*PREDICTOR, "containers", 1), "required field `name` is missing"),
    ]


def test_null_under_a_key_that_nobody_knows_is_told() -> None:
    job = yaml.safe_load(JOB)
    job["spec"]["paralelism"] = None

    (refusal,) = refusals(job)

    assert refusal.message == "unknown field `paralelism`"


def test_secret_data_is_base64() -> None:
    (refusal,) = said(SECRET, ("data", "key.json"), "{}")

    assert refusal.message == "`{}` is not base64"
    assert "stringData" in refusal.hint


def test_a_kustomization_is_closed_too() -> None:
    (refusal,) = said(KUSTOMIZATION, ("configMapGenerator", 0, "file"), ["a"])

    assert refusal.path == ("configMapGenerator", 0, "file")
    assert refusal.hint == "did you mean `files`?"


def test_names_the_version_that_serves_a_kind() -> None:
    assert said(SERVICE, ("apiVersion",), "serving.kubeflow.org/v1beta1") == [
        Refusal(
            ("apiVersion",),
            "`InferenceService` is not served as `serving.kubeflow.org/v1beta1`",
            "write `serving.kserve.io/v1beta1`",
        )
    ]
    (refusal,) = said(SERVICE, ("kind",), "InferenceServise")
    assert refusal.hint == "did you mean `InferenceService`?"
    assert said(SERVICE, ("kind",), None)[0].path == ()


def test_knows_the_kinds_we_render() -> None:
    assert known("serving.kserve.io/v1beta1", "InferenceService")
    assert known("v1", "ConfigMap")
    assert not known("v1", "InferenceService")
    assert not known("meta/v1", "ObjectMeta")


def test_imports_nothing_heavy_until_something_is_checked() -> None:
    heavy = ("jsonschema", "yaml", "kubernetes", "kubernetes_validate", "jsonpatch", "torch")
    code = f"import sys, generator.kinds; print(set({heavy}) & set(sys.modules))"

    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout.strip() == "set()"
