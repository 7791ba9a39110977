"""What webhooks, controllers and kubelets refuse is refused; what they take is taken."""

import copy
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from generator import pipeline, webhook_rules
from generator.diagnostics import Rejected
from generator.problem import dotted
from generator.webhook_rules.nodes import Found

ROOT = Path(__file__).resolve().parent.parent

SERVICE = """
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: cifar10
  namespace: models
  annotations: {serving.kserve.io/deploymentMode: Knative}
spec:
  predictor:
    minReplicas: 1
    maxReplicas: 3
    model:
      modelFormat: {name: pytorch}
      runtime: cifar10-triton
      protocolVersion: grpc-v2
      storageUri: gs://acme-models/cifar10/triton
      ports: [{name: h2c, containerPort: 9000, protocol: TCP}]
      resources:
        requests: {cpu: 500m, memory: 2Gi}
        limits: {cpu: "1", memory: 2Gi, nvidia.com/gpu: 1}
  transformer:
    containers:
      - name: kserve-container
        image: docker.io/acme/cifar10-transformer:1.0
        ports: [{containerPort: 8080, protocol: TCP}]
        volumeMounts: [{name: tmp, mountPath: /tmp}]
    volumes: [{name: tmp, emptyDir: {}}]
"""
RUNTIME = """
apiVersion: serving.kserve.io/v1alpha1
kind: ServingRuntime
metadata: {name: cifar10-triton, namespace: models}
spec:
  supportedModelFormats: [{name: pytorch, version: "1", autoSelect: false}]
  protocolVersions: [v2, grpc-v2]
  containers:
    - name: kserve-container
      image: nvcr.io/nvidia/tritonserver:26.11-py3
      resources: {requests: {cpu: "1"}, limits: {cpu: "1"}}
"""
KUSTOMIZATION = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [servingruntime.yaml, inferenceservice.yaml]
"""
JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: perf, namespace: models}
spec:
  template:
    metadata: {labels: {app: perf}}
    spec:
      restartPolicy: Never
      containers:
        - name: perf
          image: docker.io/acme/perf:1.0
          volumeMounts: [{name: scripts, mountPath: /scripts, readOnly: true}]
      volumes: [{name: scripts, configMap: {name: perf}}]
"""
PERF = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: models
resources: [job.yaml]
configMapGenerator: [{name: perf, files: [gate.py, load.py=load_test.py]}]
"""
GOOD: dict[str, dict[str, Any]] = {
    "manifests/inferenceservice.yaml": yaml.safe_load(SERVICE),
    "manifests/servingruntime.yaml": yaml.safe_load(RUNTIME),
    "manifests/kustomization.yaml": yaml.safe_load(KUSTOMIZATION),
    "perf/job.yaml": yaml.safe_load(JOB),
    "perf/kustomization.yaml": yaml.safe_load(PERF),
}
FILES = (*GOOD, "perf/gate.py", "perf/load_test.py")


def told(changes: Mapping[str, Any]) -> list[str]:
    """What is refused of the good manifests after changes, each with its place."""
    return [f"{path.name}: {dotted(r.path)}: {r.message}" for path, r in found(changes)]


def rules_of(changes: Mapping[str, Any]) -> set[str]:
    """The rules that refuse the good manifests after changes."""
    return {refusal.rule for _, refusal in found(changes)}


def found(changes: Mapping[str, Any]) -> list[Found]:
    """What is refused of the good manifests after changes."""
    files = [PurePosixPath(path) for path in FILES]
    return list(webhook_rules.refusals(changed(changes), files))


def changed(changes: Mapping[str, Any]) -> dict[PurePosixPath, dict[str, Any]]:
    """The good manifests after changes.

    A change is `<start of a file's name>:<dotted route>`: new value; None removes.
    """
    manifests = copy.deepcopy(GOOD)
    for place, value in changes.items():
        name, route = place.split(":")
        [file] = [path for path in manifests if path.startswith((name, f"manifests/{name}"))]
        keys: list[Any] = [int(key) if key.isdigit() else key for key in route.split(" ")]
        *above, last = keys
        node: Any = manifests[file]
        for key in above:
            node = node[key] if isinstance(node, list) else node.setdefault(key, {})
        if value is None:
            del node[last]
        else:
            node[last] = value
    return {PurePosixPath(path): manifest for path, manifest in manifests.items()}


def test_good_manifests_pass() -> None:
    assert told({}) == []


MODEL = "inf:spec predictor model"
PREDICTOR = "inf:spec predictor"
CONTAINER = "inf:spec transformer containers 0"
MODE = "inf:metadata annotations serving.kserve.io/deploymentMode"
AUTOSCALER = "inf:metadata annotations serving.kserve.io/autoscalerClass"
POD = "perf/job:spec template spec"
STANDARD = {MODE: "Standard"}
HTTP_LIVENESS = {"httpGet": {"path": "/v2/health/live", "port": 8080}}

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "two predictors": (
        {f"{PREDICTOR} triton": {}},
        "spec.predictor: two predictors: `model` and `triton`",
    ),
    "a model and a container of one's own": (
        {f"{PREDICTOR} containers": [{"name": "kserve-container"}]},
        "spec.predictor: two predictors: `model` and `container kserve-container`",
    ),
    "no predictor": ({"inf:spec predictor": {}}, "spec.predictor: `predictor` runs nothing"),
    "a transformer that runs nothing": (
        {"inf:spec transformer": {"minReplicas": 1}},
        "`transformer` runs nothing",
    ),
    "a named model": ({f"{MODEL} name": "foo"}, "model.name: `name` of the model's container"),
    "an unknown protocol": (
        {f"{MODEL} protocolVersion": "v9"},
        "model.protocolVersion: unknown protocolVersion `v9`",
    ),
    "an unknown protocol of a runtime": (
        {"serv:spec protocolVersions": ["grpc-v2", "v9"]},
        "spec.protocolVersions[1]: unknown protocolVersion `v9`",
    ),
    "an unknown storage": (
        {f"{MODEL} storageUri": "foo://x"},
        "model.storageUri: storageUri `foo://x` has the unknown scheme `foo`",
    ),
    "half an address of Azure": (
        {f"{MODEL} storageUri": "https://blob.core.windows.net/x"},
        "is no address of Azure's",
    ),
    "storage given twice": (
        {f"{PREDICTOR} storageUris": [{"uri": "gs://acme/models"}]},
        "spec.predictor.storageUris: both `storageUri` and `storageUris` are given",
    ),
    "replicas reversed": (
        {f"{PREDICTOR} minReplicas": 5},
        "spec.predictor.minReplicas: minReplicas 5 exceeds maxReplicas 3",
    ),
    "negative replicas": ({f"{PREDICTOR} minReplicas": -1}, "minReplicas -1 is negative"),
    "negative concurrency": (
        {"inf:spec transformer containerConcurrency": -1},
        "spec.transformer.containerConcurrency: containerConcurrency -1 is negative",
    ),
    "more than the whole traffic": (
        {f"{PREDICTOR} canaryTrafficPercent": 150},
        "canaryTrafficPercent 150 is outside 0 to 100",
    ),
    "a canary in Standard": (
        {**STANDARD, f"{PREDICTOR} canaryTrafficPercent": 10},
        "`canaryTrafficPercent` does nothing in deploymentMode Standard",
    ),
    "a canary in Standard by its old word": (
        {MODE: "RawDeployment", f"{PREDICTOR} canaryTrafficPercent": 10},
        "`canaryTrafficPercent` does nothing in deploymentMode Standard",
    ),
    "an unknown mode": ({MODE: "standard"}, "unknown deploymentMode `standard`"),
    "an unknown autoscaler": ({AUTOSCALER: "kpa"}, "unknown autoscalerClass `kpa`"),
    "a metric of Knative's with hpa": (
        {**STANDARD, AUTOSCALER: "hpa", f"{PREDICTOR} scaleMetric": "rps"},
        "scaleMetric `rps` with the autoscaler hpa",
    ),
    "a metric with keda": (
        {**STANDARD, AUTOSCALER: "keda", f"{PREDICTOR} scaleMetric": "cpu"},
        "scaleMetric `cpu` with the autoscaler keda",
    ),
    "a metric of hpa's in Knative": (
        {f"{PREDICTOR} scaleMetric": "cpu"},
        "scaleMetric `cpu` with the autoscaler kpa",
    ),
    "a target over 100 with hpa": (
        {**STANDARD, AUTOSCALER: "hpa", f"{PREDICTOR} scaleTarget": 101},
        "scaleTarget 101 exceeds 100 with autoscaler hpa",
    ),
    "a strategy in Knative": (
        {f"{PREDICTOR} deploymentStrategy": {"type": "Recreate"}},
        "`deploymentStrategy` in deploymentMode Knative",
    ),
    "a transformer's container of another name": (
        {f"{CONTAINER} name": "transformer"},
        "spec.transformer.containers[0].name: KServe renames container `transformer`",
    ),
    "a transformer's container in second place": (
        {"inf:spec transformer containers": [{"name": "proxy"}, {"name": "kserve-container"}]},
        "`kserve-container` is not the first container",
    ),
    "a predictor's container of another name": (
        {"inf:spec predictor": {"containers": [{"name": "one"}, {"name": "two"}]}},
        "spec.predictor.containers: no container is named `kserve-container`",
    ),
    "a runtime's container of another name": (
        {"serv:spec containers 0 name": "triton"},
        "servingruntime.yaml: spec.containers: no container is named `kserve-container`",
    ),
    "storage in a collocated transformer": (
        {
            f"{PREDICTOR} containers": [
                {"name": "transformer-container", "env": [{"name": "STORAGE_URI", "value": "x"}]}
            ]
        },
        "STORAGE_URI in `transformer-container`",
    ),
    "PYTHONPATH": (
        {f"{CONTAINER} env": [{"name": "PYTHONPATH", "value": "/code"}]},
        "spec.transformer.containers[0].env[0].name: PYTHONPATH is not allowed",
    ),
    "a runtime of another name": (
        {f"{MODEL} runtime": "kserve-tritonserver"},
        "no runtime `kserve-tritonserver` of namespace `models` is rendered, only `cifar10-triton`",
    ),
    "a runtime that was renamed": (
        {"serv:metadata name": "other"},
        "servingruntime.yaml: metadata.name: no InferenceService uses the runtime `other`",
    ),
    "a runtime in another namespace": (
        {"serv:metadata namespace": "serving"},
        "is rendered, only `cifar10-triton` of namespace `serving`",
    ),
    "a runtime that is disabled": (
        {"serv:spec disabled": True},
        "spec.disabled: runtime `cifar10-triton` of namespace `models` is disabled",
    ),
    "a format that the runtime does not list": (
        {f"{MODEL} modelFormat": {"name": "onnx"}},
        "modelFormat.name: modelFormat `onnx` is not supported by runtime `cifar10-triton`",
    ),
    "a version that the runtime does not list": (
        {f"{MODEL} modelFormat": {"name": "pytorch", "version": "2"}},
        "modelFormat.version: modelFormat `pytorch` of version `2` is not supported",
    ),
    "a protocol that the runtime does not list": (
        {f"{MODEL} protocolVersion": "v1"},
        "protocolVersion `v1` is not spoken by `cifar10-triton`",
    ),
    "a port name that Knative does not know": (
        {f"{MODEL} ports 0 name": "grpc"},
        "spec.predictor.model.ports[0].name: port name `grpc` in Knative",
    ),
    "two ports in Knative": (
        {f"{MODEL} ports": [{"containerPort": 9000}, {"containerPort": 8080}]},
        "spec.predictor.model.ports[1]: containerPort 8080 besides 9000 in Knative",
    ),
    "a port besides the runtime's in Knative": (
        {"serv:spec containers 0 ports": [{"containerPort": 8080}]},
        "spec.predictor.model.ports[0]: containerPort 9000 besides 8080 in Knative",
    ),
    "a port of Knative's": (
        {f"{MODEL} ports 0 containerPort": 8012},
        "containerPort 8012 is reserved by Knative",
    ),
    "a variable of Knative's": (
        {f"{CONTAINER} env": [{"name": "PORT", "value": "8080"}]},
        "variable `PORT` is reserved by Knative",
    ),
    "a container of Knative's": (
        {f"{PREDICTOR} containers": [{"name": "queue-proxy"}]},
        "container name `queue-proxy` is reserved by Knative",
    ),
    "liveness of another port than gRPC's in Knative": (
        {f"{MODEL} livenessProbe": HTTP_LIVENESS},
        "livenessProbe.httpGet.port: livenessProbe of port 8080 is sent to 9000 in Knative",
    ),
    "liveness of a socket besides the one port in Knative": (
        {f"{MODEL} ports": [], f"{MODEL} livenessProbe": {"tcpSocket": {"port": 9000}}},
        "livenessProbe.tcpSocket.port: livenessProbe of port 9000 is sent to 8080 in Knative",
    ),
    "liveness of a port that Knative does not know by name": (
        {f"{MODEL} livenessProbe": {"tcpSocket": {"port": "http1"}}},
        "livenessProbe of port http1 is sent to 9000 in Knative",
    ),
    "liveness that the runtime writes": (
        {"serv:spec containers 0 livenessProbe": HTTP_LIVENESS},
        "servingruntime.yaml: spec.containers[0].livenessProbe.httpGet.port: livenessProbe of port",
    ),
    "liveness of another port than the runtime's": (
        {
            f"{MODEL} ports": [],
            "serv:spec containers 0 ports": [{"containerPort": 8081}],
            f"{MODEL} livenessProbe": HTTP_LIVENESS,
        },
        "livenessProbe of port 8080 is sent to 8081 in Knative",
    ),
    "liveness of another port in a transformer": (
        {f"{CONTAINER} livenessProbe": {"httpGet": {"path": "/", "port": 8081}}},
        "spec.transformer.containers[0].livenessProbe.httpGet.port: livenessProbe of port 8081",
    ),
    "a port that is none": (
        {f"{CONTAINER} ports 0 containerPort": 70000},
        "ports[0].containerPort: containerPort 70000 is outside 1 to 65535",
    ),
    "a request over its limit": (
        {f"{MODEL} resources requests cpu": "1500m"},
        "resources.requests.cpu: request 1500m of cpu exceeds limit 1",
    ),
    "a request over the limit of the runtime": (
        {f"{MODEL} resources": {"requests": {"cpu": 2}}},
        "inferenceservice.yaml: spec.predictor.model.resources.requests.cpu: request 2 of cpu",
    ),
    "a limit below the request of the runtime": (
        {f"{MODEL} resources": {"limits": {"cpu": "250m"}}},
        "model.resources.limits.cpu: request 1 of cpu exceeds limit 250m",
    ),
    "a GPU requested without a limit": (
        {f"{CONTAINER} resources": {"requests": {"nvidia.com/gpu": 1}}},
        "request 1 of nvidia.com/gpu with no limit",
    ),
    "a mount without its volume": (
        {f"{CONTAINER} volumeMounts": [{"name": "cache", "mountPath": "/cache"}]},
        "volumeMounts[0].name: no volume is named `cache`",
    ),
    "a mount of the model without its volume": (
        {f"{MODEL} volumeMounts": [{"name": "cache", "mountPath": "/cache"}]},
        "spec.predictor.model.volumeMounts[0].name: no volume is named `cache`",
    ),
    "a volume twice": (
        {f"{POD} volumes": [{"name": "scripts"}, {"name": "scripts"}]},
        "volumes[1].name: two volumes are named `scripts`",
    ),
    "a container twice": (
        {f"{PREDICTOR} containers": [{"name": "proxy"}, {"name": "proxy"}]},
        "spec.predictor.containers[1].name: two containers are named `proxy`",
    ),
    "a Job that restarts always": (
        {f"{POD} restartPolicy": None},
        "restartPolicy: restartPolicy `Always` in a Job",
    ),
    "a Job with a selector": (
        {"perf/job:spec selector": {"matchLabels": {"app": "perf"}}},
        "spec.selector: `selector` of a Job is made by the cluster",
    ),
    "a selector of other labels": (
        {
            "perf/job:spec manualSelector": True,
            "perf/job:spec selector": {"matchLabels": {"app": "other"}},
        },
        "selector.matchLabels.app: label `app` of the selector is not that of the template",
    ),
    "a resource that is not rendered": (
        {"kust:resources": ["servingruntime.yaml", "inferenceservice.yaml", "hpa.yaml"]},
        "resources[2]: no file `hpa.yaml` is rendered there",
    ),
    "a file of a ConfigMap that is not rendered": (
        {"perf/kust:configMapGenerator": [{"name": "perf", "files": ["load.py=load.py"]}]},
        "configMapGenerator[0].files[0]: no file `load.py` is rendered there",
    ),
    "a manifest that is not listed": (
        {"kust:resources": ["inferenceservice.yaml"]},
        "kustomization.yaml: resources: `servingruntime.yaml` is not listed",
    ),
    "a manifest listed twice": (
        {"kust:resources": ["servingruntime.yaml"] * 2 + ["inferenceservice.yaml"]},
        "resources[1]: `servingruntime.yaml` is listed twice",
    ),
    "another namespace in the kustomization": (
        {"perf/kust:namespace": "serving"},
        "namespace: namespace `serving` replaces `models` of job.yaml",
    ),
    "a ConfigMap in another namespace": (
        {"perf/kust:namespace": None},
        "job.yaml: metadata.namespace: ConfigMap `perf` is made in no namespace of its own",
    ),
    "a prefix that renames the runtime": (
        {"kust:namePrefix": "staging-"},
        "namePrefix: `namePrefix` renames the ServingRuntime, not what names it",
    ),
    "canaries that take more than there is": (
        {"inf:spec canary": [{"trafficPercent": 101, "predictor": {"name": "b", "model": {}}}]},
        "spec.canary: canaries take 101 percent of the traffic",
    ),
    "a canary that scales by itself": (
        {"inf:spec canary": [{"predictor": {"name": "b", "maxReplicas": 2, "model": {}}}]},
        "spec.canary[0].predictor.maxReplicas: `maxReplicas` of a canary",
    ),
    "two canaries of one name": (
        {"inf:spec canary": [{"predictor": {"name": "b", "model": {}}}] * 2},
        "spec.canary[1].predictor.name: two predictors are named `b`",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refuses(case: str) -> None:
    changes, message = REFUSED[case]

    assert any(message in line for line in told(changes)), told(changes)


TAKEN: dict[str, dict[str, Any]] = {
    "no maximum": {f"{PREDICTOR} minReplicas": 5, f"{PREDICTOR} maxReplicas": 0},
    "a canary in Knative": {f"{PREDICTOR} canaryTrafficPercent": 10},
    "no protocol": {f"{MODEL} protocolVersion": None},
    "an image with the model": {f"{MODEL} storageUri": "oci+native://ghcr.io/acme/m:1"},
    "a path as storage": {f"{MODEL} storageUri": "/models/cifar10"},
    "Azure": {f"{MODEL} storageUri": "https://acme.blob.core.windows.net/models/cifar10"},
    "a sidecar of the predictor": {f"{PREDICTOR} containers": [{"name": "proxy", "image": "p"}]},
    "hpa in Standard": {
        **STANDARD,
        AUTOSCALER: "hpa",
        f"{PREDICTOR} scaleMetric": "memory",
        f"{PREDICTOR} scaleTarget": 80,
    },
    "a high target in Knative": {
        f"{PREDICTOR} scaleMetric": "rps",
        f"{PREDICTOR} scaleTarget": 500,
    },
    "two named ports in Standard": {
        **STANDARD,
        f"{MODEL} ports": [
            {"name": "grpc", "containerPort": 9000},
            {"name": "http", "containerPort": 8080},
        ],
    },
    "liveness of the exposed port": {f"{MODEL} livenessProbe": {"tcpSocket": {"port": 9000}}},
    "liveness of the exposed port by its name": {
        f"{MODEL} livenessProbe": {"tcpSocket": {"port": "h2c"}}
    },
    "liveness of the port that Knative exposes by itself": {
        f"{MODEL} ports": [],
        f"{MODEL} livenessProbe": HTTP_LIVENESS,
    },
    "liveness of another port in Standard": {**STANDARD, f"{MODEL} livenessProbe": HTTP_LIVENESS},
    "liveness by a command": {f"{MODEL} livenessProbe": {"exec": {"command": ["true"]}}},
    "liveness by gRPC, whose port Knative leaves alone": {
        f"{MODEL} livenessProbe": {"grpc": {"port": 9001}}
    },
    "readiness and startup of another port": {
        f"{MODEL} readinessProbe": HTTP_LIVENESS,
        f"{MODEL} startupProbe": HTTP_LIVENESS,
    },
    "liveness of a sidecar that does not serve": {
        f"{PREDICTOR} containers": [{"name": "proxy", "livenessProbe": HTTP_LIVENESS}]
    },
    "liveness of a container beside the one that serves": {
        "inf:spec transformer containers": [
            {
                "name": "kserve-container",
                "livenessProbe": {"tcpSocket": {"port": 8081}},
                "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
            },
            {"name": "proxy", "ports": [{"containerPort": 8080}]},
        ]
    },
    "the runtime's port again": {"serv:spec containers 0 ports": [{"containerPort": 9000}]},
    "KServe's own volume": {
        f"{MODEL} volumeMounts": [{"name": "kserve-provision-location", "mountPath": "/mnt/models"}]
    },
    "a volume of the runtime": {
        "serv:spec volumes": [{"name": "shm", "emptyDir": {}}],
        f"{MODEL} volumeMounts": [{"name": "shm", "mountPath": "/dev/shm"}],
    },
    "a volume of the service in the runtime": {
        f"{PREDICTOR} volumes": [{"name": "shm", "emptyDir": {}}],
        "serv:spec containers 0 volumeMounts": [{"name": "shm", "mountPath": "/dev/shm"}],
    },
    "a quantity in a form that we do not read": {f"{MODEL} resources requests cpu": "1e3"},
    "a format with its version": {f"{MODEL} modelFormat": {"name": "pytorch", "version": "1"}},
    "a runtime that tells no protocols": {"serv:spec protocolVersions": []},
    "a runtime for the whole cluster": {
        "serv:kind": "ClusterServingRuntime",
        "serv:metadata namespace": None,
    },
    "a runtime found by its format": {
        f"{MODEL} runtime": None,
        "serv:spec supportedModelFormats": [{"name": "pytorch", "autoSelect": True}],
    },
    "a folder and an address as resources": {
        "kust:resources": [
            "./servingruntime.yaml",
            "inferenceservice.yaml",
            "../base",
            "https://example.org/crd.yaml",
        ]
    },
    "the same namespace in the kustomization": {"kust:namespace": "models"},
    "a Job that restarts on failure": {f"{POD} restartPolicy": "OnFailure"},
    "canaries": {
        "inf:spec canary": [
            {"trafficPercent": 40, "predictor": {"name": name, "model": {"runtime": ""}}}
            for name in ("b", "c")
        ]
    },
}


@pytest.mark.parametrize("case", TAKEN)
def test_takes(case: str) -> None:
    assert told(TAKEN[case]) == []


def told_of_service_alone(model: Mapping[str, Any]) -> list[str]:
    """What is refused of the good service with changes to its model, and nothing beside it."""
    service = copy.deepcopy(GOOD["manifests/inferenceservice.yaml"])
    service["spec"]["predictor"]["model"] |= model
    found = webhook_rules.refusals({PurePosixPath("inferenceservice.yaml"): service})
    return [refusal.message for _, refusal in found]


def test_a_mount_is_left_alone_where_the_runtime_is_out_of_sight() -> None:
    mounts = [{"name": "shm", "mountPath": "/dev/shm"}]

    assert told_of_service_alone({"runtime": "acme-runtime", "volumeMounts": mounts}) == []


def test_liveness_is_left_alone_where_the_exposed_port_is_out_of_sight() -> None:
    liveness = {"tcpSocket": {"port": 9000}}

    assert (
        told_of_service_alone({"runtime": "acme-runtime", "ports": [], "livenessProbe": liveness})
        == []
    )


def test_refuses_liveness_of_another_port_than_a_stock_runtime_exposes() -> None:
    liveness = {"tcpSocket": {"port": 9000}}

    assert told_of_service_alone(
        {"runtime": "kserve-tritonserver", "ports": [], "livenessProbe": liveness}
    ) == ["livenessProbe of port 9000 is sent to 8080 in Knative"]


KINDS = yaml.safe_load((ROOT / "tests" / "data" / "webhook_kinds.yaml").read_text(encoding="utf-8"))
ELSEWHERE = ("seldon-core", "seldon-core-2", "pod-security")
TOLD_ALONE = (
    *("kubernetes/too-much-data", "kubernetes/name-given-twice"),  # in test_webhook_kinds.py
    # in test_network_policy.py
    *("kubernetes/policy-port-out-of-range", "kubernetes/policy-finds-no-pod"),
)


def test_every_rule_refuses_something() -> None:
    ours = {
        f"{area}/{rule.__name__.replace('_', '-')}"
        for area, rules in webhook_rules.all_rules().items()
        for rule in rules
        if area not in ELSEWHERE
    }
    shown = {rule for changes, _ in REFUSED.values() for rule in rules_of(changes)}

    assert ours - shown - {*KINDS["refused"], *TOLD_ALONE} == set()


def test_a_message_holds_a_hostile_value_on_one_short_line() -> None:
    [line] = told({f"{MODEL} storageUri": "foo\n" * 500 + "://x"})

    assert line.isprintable()
    assert len(line) < 250


def test_odd_values_are_no_mistakes_of_ours() -> None:
    for odd in (None, [], {}, "x", 1, True, [[None]], {"a": [1]}):
        told({PREDICTOR: odd, "serv:spec": odd, "kust:resources": odd, "perf/job:spec": odd})


@pytest.mark.parametrize(
    "target", sorted((ROOT / "rendered").glob("**/kustomization.yaml")), ids=str
)
def test_everything_rendered_passes(target: Path) -> None:
    folder = target.parents[1]
    files = {PurePosixPath(p.relative_to(folder)): p for p in folder.rglob("*") if p.is_file()}
    manifests = {
        path: yaml.safe_load(file.read_text(encoding="utf-8"))
        for path, file in files.items()
        if path.suffix == ".yaml"
    }

    assert list(webhook_rules.refusals(manifests, files)) == []


SPEC = """\
spec_version: 1
name: patched
model:
  program: model.pt
  inputs: [{name: image, dtype: float32, shape: [N, 3, 32, 32]}]
  outputs: [{name: logits, dtype: float32, shape: [N, 10]}]
storage: {uri: s3://bucket/models}
serving: {transport: grpc}
targets:
  triton:
    deployment_mode: Knative
    patches:
      - manifest: MANIFEST
        merge: PATCH
"""
PATCHES = {
    "minReplicas 5 exceeds maxReplicas 1": {"minReplicas": 5},
    "canaryTrafficPercent 150 is outside 0 to 100": {"canaryTrafficPercent": 150},
    "two predictors: `model` and `triton`": {"triton": {}},
    "unknown protocolVersion `v9`": {"model": {"protocolVersion": "v9"}},
    "the unknown scheme `foo`": {"model": {"storageUri": "foo://x"}},
    "containerPort 70000 is outside": {
        "model": {
            "ports": [{"containerPort": 70000}],
            "livenessProbe": {"tcpSocket": {"port": 70000}},
        }
    },
    "livenessProbe of port 9001 is sent to 9000": {
        "model": {"livenessProbe": {"tcpSocket": {"port": 9001}}}
    },
    "exceeds limit": {"model": {"resources": {"requests": {"memory": "64Gi"}}}},
    "no volume is named `cache`": {
        "model": {"volumeMounts": [{"name": "cache", "mountPath": "/cache"}]}
    },
    "`name` of the model's container is `foo`": {"model": {"name": "foo"}},
    "modelFormat `onnx` is not supported": {"model": {"modelFormat": {"name": "onnx"}}},
    "port name `grpc` in Knative": {"model": {"ports": [{"name": "grpc", "containerPort": 9000}]}},
}


@pytest.mark.parametrize("message", PATCHES)
def test_a_patch_that_breaks_the_service_is_refused_at_its_line(
    message: str, tmp_path: Path
) -> None:
    patch = yaml.safe_dump({"spec": {"predictor": PATCHES[message]}}, default_flow_style=True)
    text = SPEC.replace("MANIFEST", "inferenceservice.yaml").replace(
        "PATCH", " ".join(patch.split())
    )

    flaws = rejected(text, tmp_path)

    assert {line for line, _, _ in flaws} == {13}
    assert flaws[0][1].split("/")[0] in ("kserve", "knative", "pods")
    assert any(message in told for _, _, told in flaws)


def test_a_patch_that_renames_the_runtime_is_refused_at_its_line(tmp_path: Path) -> None:
    patch = "{metadata: {name: other}}"
    text = SPEC.replace("MANIFEST", "servingruntime.yaml").replace("PATCH", patch)

    flaws = rejected(text, tmp_path)

    assert (13, "kserve/runtime-not-used") in [(line, rule) for line, rule, _ in flaws]
    assert any("no InferenceService uses the runtime `other`" in told for _, _, told in flaws)


def rejected(text: str, folder: Path) -> list[tuple[int, str, str]]:
    """Line, rule and message of everything that is refused of a spec."""
    (folder / "model.pt").touch()
    with pytest.raises(Rejected) as caught:
        pipeline.build("spec.yaml", text.encode(), folder)
    return [(d.span.line, d.rule, d.message) for d in caught.value.diagnostics]
