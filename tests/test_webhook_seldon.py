"""What Seldon's webhook and operator refuse is refused; what its documentation shows is taken."""

import copy
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import pytest
import yaml

from generator import kinds, webhook_rules
from generator.problem import dotted

GRAPH = """
apiVersion: machinelearning.seldon.io/v1
kind: SeldonDeployment
metadata: {name: imagenet, namespace: models}
spec:
  protocol: seldon
  annotations: {seldon.io/rest-timeout: "60000", seldon.io/grpc-max-message-size: "67108864"}
  predictors:
    - name: main
      replicas: 2
      labels: {team: vision}
      svcOrchSpec: {resources: {requests: {cpu: 500m}, limits: {cpu: 500m}}}
      graph:
        name: input-transformer
        type: TRANSFORMER
        children:
          - name: output-transformer
            type: OUTPUT_TRANSFORMER
            children:
              - name: model
                type: MODEL
                implementation: TORCH_SERVER
                modelUri: mys3:init-container/imagenet
                envSecretRefName: rclone
                parameters: [{name: threads, type: INT, value: "4"}]
      componentSpecs:
        - spec:
            containers:
              - name: model
                resources: {requests: {memory: 1Gi}, limits: {memory: 1Gi}}
              - name: input-transformer
                image: docker.io/acme/input-transformer:1.0
                ports:
                  - {name: http, containerPort: 9001, protocol: TCP}
                  - {name: grpc, containerPort: 9501, protocol: TCP}
                volumeMounts: [{name: tmp, mountPath: /tmp}]
            volumes: [{name: tmp, emptyDir: {}}]
        - hpaSpec:
            minReplicas: 1
            maxReplicas: 3
            metrics: [{type: Resource, resource: {name: cpu, targetAverageUtilization: 70}}]
          pdbSpec: {minAvailable: 1}
          spec:
            containers:
              - name: output-transformer
                image: docker.io/acme/output-transformer:1.0
                resources: {limits: {cpu: 500m}}
"""
SECRET = """
apiVersion: v1
kind: Secret
metadata: {name: rclone, namespace: models}
stringData: {RCLONE_CONFIG_MYS3_TYPE: s3, RCLONE_CONFIG_MYS3_PROVIDER: aws}
"""
GOOD: dict[str, dict[str, Any]] = {
    "seldondeployment.yaml": yaml.safe_load(GRAPH),
    "secret.yaml": yaml.safe_load(SECRET),
}


def told(changes: Mapping[str, Any]) -> list[str]:
    """What is refused of the good manifests after changes, each with its place.

    A change is a route of keys in the SeldonDeployment: new value; None removes.
    """
    return refused(*changed(changes))


def changed(changes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The good manifests after changes."""
    manifests = copy.deepcopy(GOOD)
    for route, value in changes.items():
        keys: list[Any] = [int(key) if key.isdigit() else key for key in route.split(" ")]
        *above, last = keys
        node: Any = manifests["seldondeployment.yaml"]
        for key in above:
            node = node[key] if isinstance(node, list) else node.setdefault(key, {})
        if value is None:
            del node[last]
        else:
            node[last] = value
    return list(manifests.values())


def refused(*manifests: Mapping[str, object]) -> list[str]:
    """What the rules say about manifests, each with its place."""
    files = {PurePosixPath(f"{index}.yaml"): each for index, each in enumerate(manifests)}
    found = webhook_rules.refusals(files)
    return [f"{dotted(refusal.path)}: {refusal.message}" for _, refusal in found]


def of_schema(manifest: Mapping[str, object]) -> list[str]:
    """What the schema of the cluster says about a manifest."""
    return [f"{dotted(each.path)}: {each.message}" for each in kinds.refusals(manifest)]


P = "spec predictors 0"
ROOT_UNIT = f"{P} graph"
OUTPUT = f"{ROOT_UNIT} children 0"
MODEL = f"{OUTPUT} children 0"
POD = f"{P} componentSpecs 0"
SERVER = f"{POD} spec containers 0"
CONTAINER = f"{POD} spec containers 1"
OTHER_POD = f"{P} componentSpecs 1"
NODE = "spec.predictors[0].graph"
INNER = f"{NODE}.children[0].children[0]"
FIRST = "spec.predictors[0].componentSpecs[0].spec.containers"


def predictor(name: str, **fields: object) -> dict[str, object]:
    graph = {"name": "m", "implementation": "SKLEARN_SERVER", "modelUri": "gs:bucket/m"}
    return {"name": name, "graph": graph, **fields}


def single(unit_type: str) -> list[object]:
    """One predictor of one unit, the container `m`."""
    containers = [{"name": "m", "image": "docker.io/acme/m:1.0"}]
    pods = [{"spec": {"containers": containers}}]
    return [{"name": "main", "graph": {"name": "m", "type": unit_type}, "componentSpecs": pods}]


def share(resource: str) -> dict[str, object]:
    """A metric of an autoscaler."""
    return {"type": "Resource", "resource": {"name": resource, "targetAverageUtilization": 70}}


PREDICTORS = "spec.predictors"
CONSEQUENCE = "Can't find container for Predictive Unit"
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no predictors": (
        {"spec predictors": []},
        f"{PREDICTORS}: Graph contains no predictors",
    ),
    "two predictors of one name": (
        {"spec predictors": [predictor("a", traffic=50), predictor("a", traffic=50)]},
        f"{PREDICTORS}[1].name: Duplicate predictor name `a`",
    ),
    "traffic that does not sum": (
        {"spec predictors": [predictor("a", traffic=75), predictor("b", traffic=20)]},
        f"{PREDICTORS}: Traffic must sum to 100 for multiple predictors, found 95",
    ),
    "two predictors without traffic": (
        {"spec predictors": [predictor("a"), predictor("b")]},
        f"{PREDICTORS}: Traffic must sum to 100 for multiple predictors, found 0",
    ),
    "part of the traffic for one predictor": (
        {f"{P} traffic": 50},
        f"{PREDICTORS}: Traffic must sum be 100 for a single predictor when set, found 50",
    ),
    "a shadow's traffic over 100": (
        {"spec predictors": [predictor("a"), predictor("b", shadow=True, traffic=101)]},
        f"{PREDICTORS}[1].traffic: traffic 101 is outside 0 to 100",
    ),
    "a shadow alone": (
        {f"{P} shadow": True},
        f"{PREDICTORS}[0].shadow: Shadow can not exist as only predictor",
    ),
    "two shadows": (
        {
            "spec predictors": [
                predictor("a"),
                predictor("b", shadow=True),
                predictor("c", shadow=True),
            ]
        },
        f"{PREDICTORS}[2].shadow: Multiple shadows are not allowed",
    ),
    "a unit without a container": (
        {f"{ROOT_UNIT} name": "resize"},
        f"{NODE}.name: Can't find container for Predictive Unit `resize`",
    ),
    "a unit that does nothing": (
        {f"{ROOT_UNIT} type": "UNKNOWN_TYPE"},
        f"{NODE}.type: Predictive Unit has no implementation methods defined",
    ),
    "a server without a model": (
        {f"{MODEL} modelUri": None},
        f"{INNER}.implementation: Predictive unit modelUri required when using standalone servers",
    ),
    "a server under the protocol of TensorFlow": (
        {"spec protocol": "tensorflow", f"{MODEL} implementation": "SKLEARN_SERVER"},
        f"{INNER}.implementation: SKLEARN_SERVER does not serve protocol tensorflow",
    ),
    "Triton under Seldon's protocol, with an image": (
        {f"{MODEL} implementation": "TRITON_SERVER", f"{SERVER} image": "triton:26.11-py3"},
        f"{INNER}.implementation: TRITON_SERVER does not serve protocol seldon",
    ),
    "a server without an image for the protocol": (
        {f"{MODEL} implementation": "HUGGINGFACE_SERVER"},
        f"{INNER}.implementation: HUGGINGFACE_SERVER does not serve protocol seldon",
    ),
    "an unknown protocol": ({"spec protocol": "v1"}, "spec.protocol: Invalid protocol `v1`"),
    "an unknown transport": (
        {"spec transport": "http"},
        "spec.transport: Invalid transport `http`",
    ),
    "an unknown type of server": (
        {"spec serverType": "amqp"},
        "spec.serverType: Invalid serverType `amqp`",
    ),
    "Kafka without its variables": (
        {
            "spec serverType": "kafka",
            f"{P} svcOrchSpec env": [{"name": "KAFKA_BROKER", "value": "kafka:9092"}],
        },
        f"{PREDICTORS}[0].svcOrchSpec: For kafka please supply svcOrchSpec envs "
        "KAFKA_INPUT_TOPIC, KAFKA_OUTPUT_TOPIC",
    ),
    "a graph without engine": (
        {f"{P} annotations seldon.io/no-engine": "false"},
        f"{PREDICTORS}[0].annotations.seldon.io/no-engine: "
        "Running without engine only valid for single element graphs",
    ),
    "one service of two predictors": (
        {
            "spec predictors": [
                predictor(name, traffic=50, annotations={"seldon.io/svc-name": "door"})
                for name in ("a", "b")
            ]
        },
        f"{PREDICTORS}[1].annotations.seldon.io/svc-name: "
        "Found duplicate service name in seldon.io/svc-name with value door",
    ),
    "a logger without mode": (
        {f"{MODEL} logger": {"url": "http://logger"}},
        f"{INNER}.logger: No logger mode specified",
    ),
    "a logger of an unknown mode": (
        {f"{MODEL} logger": {"mode": "requests"}},
        f"{INNER}.logger.mode: unknown logger mode `requests`",
    ),
    "the old name": ({"spec name": "x"}, "spec.name: `name` is deprecated and does nothing"),
    "an OAuth key": (
        {"spec oauth_key": "x"},
        "spec.oauth_key: `oauth_key` is deprecated and does nothing",
    ),
    "an OAuth secret": (
        {"spec oauth_secret": "x"},
        "spec.oauth_secret: `oauth_secret` is deprecated and does nothing",
    ),
    "the transport of a unit": (
        {f"{MODEL} endpoint": {"type": "GRPC"}},
        f"{INNER}.endpoint.type: `endpoint.type` is deprecated: "
        "every node is served over REST and gRPC",
    ),
    "a service that Seldon calls by a hash": (  # as `printf %s NAME | md5sum` tells it
        {"metadata name": "i" * 60},
        f"{PREDICTORS}[0].name: service `{'i' * 40}...` of 65 characters is "
        "called seldon-192c2bfe423ed26c4c2235b30456b270",
    ),
    "a service whose name starts with a digit": (
        {"metadata name": "2d"},
        f"{PREDICTORS}[0].name: `2d-main`, the name of the service, is not a DNS-1035 label",
    ),
    "a written service name that is too long": (
        {f"{P} annotations": {"seldon.io/svc-name": "i" * 64}},
        f"{PREDICTORS}[0].annotations.seldon.io/svc-name: "
        f"service `{'i' * 40}...` of 64 characters is refused",
    ),
    "a container name with an underscore": (
        {f"{MODEL} name": "my_model", f"{SERVER} name": "my_model"},
        f"{FIRST}[0].name: `my_model`, the name of a container, is not a DNS-1123 label",
    ),
    "a container without an image": (
        {f"{CONTAINER} image": None},
        f"{FIRST}[1]: container `input-transformer` has no image",
    ),
    "negative replicas": (
        {f"{POD} replicas": -1},
        f"{PREDICTORS}[0].componentSpecs[0].replicas: replicas -1 is negative",
    ),
    "an autoscaler reversed": (
        {f"{OTHER_POD} hpaSpec minReplicas": 4},
        f"{PREDICTORS}[0].componentSpecs[1].hpaSpec.minReplicas: "
        "minReplicas 4 exceeds maxReplicas 3",
    ),
    "an autoscaler that starts at 0": (
        {f"{OTHER_POD} hpaSpec minReplicas": 0},
        f"{PREDICTORS}[0].componentSpecs[1].hpaSpec.minReplicas: "
        "minReplicas 0 of hpaSpec is under 1",
    ),
    "KEDA reversed": (
        {f"{POD} kedaSpec": {"minReplicaCount": 5, "maxReplicaCount": 4, "triggers": []}},
        f"{PREDICTORS}[0].componentSpecs[0].kedaSpec.minReplicaCount: "
        "minReplicaCount 5 exceeds maxReplicaCount 4",
    ),
    "two autoscalers": (
        {f"{OTHER_POD} kedaSpec": {"triggers": []}},
        f"{PREDICTORS}[0].componentSpecs[1].hpaSpec: `hpaSpec` does nothing beside `kedaSpec`",
    ),
    "two limits of a budget": (
        {f"{OTHER_POD} pdbSpec maxUnavailable": 1},
        f"{PREDICTORS}[0].componentSpecs[1].pdbSpec.maxUnavailable: "
        "both `minAvailable` and `maxUnavailable` are given",
    ),
    "two budgets of one deployment": (
        {f"{POD} pdbSpec": {"maxUnavailable": 1}},
        f"{PREDICTORS}[0].componentSpecs[1].pdbSpec: "
        "a second budget of the pods that the first one selects already",
    ),
    "two transports of nodes": (
        {f"{ROOT_UNIT} endpoint": {"type": "REST"}, f"{MODEL} endpoint": {"type": "GRPC"}},
        f"{INNER}.endpoint.type: Multiple endpoint.types found - can only have 1 type in graph",
    ),
    "a node's transport beside another of all": (
        {"spec transport": "rest", f"{MODEL} endpoint": {"type": "GRPC"}},
        f"{INNER}.endpoint.type: endpoint.type GRPC beside transport rest",
    ),
    "a server that is misspelt": (
        {f"{MODEL} implementation": "SKLEARN_SERVR"},
        f"{INNER}.implementation: `SKLEARN_SERVR` is no server of the chart's",
    ),
    "a server in small letters": (
        {f"{MODEL} implementation": "triton_server"},
        f"{INNER}.implementation: `triton_server` is no server of the chart's",
    ),
    "resources of the old orchestrator": (
        {f"{P} engineResources": {"requests": {"cpu": "0.2"}}},
        f"{PREDICTORS}[0].engineResources: `engineResources` is deprecated and does nothing",
    ),
    "over all the traffic for one predictor": (
        {f"{P} traffic": 150},
        f"{PREDICTORS}[0].traffic: traffic 150 is outside 0 to 100",
    ),
    "replicas beside an autoscaler": (
        {f"{OTHER_POD} replicas": 2},
        f"{PREDICTORS}[0].componentSpecs[1].replicas: `replicas` does nothing beside `hpaSpec`",
    ),
    "an autoscaler in an entry of its own": (
        {f"{OTHER_POD}": {"hpaSpec": {"maxReplicas": 2}}},
        f"{PREDICTORS}[0].componentSpecs[1].hpaSpec: "
        "`hpaSpec` does nothing without containers beside it",
    ),
    "a share of what nobody requests": (
        {f"{OTHER_POD} spec containers 0 resources": {"requests": {"memory": "1Gi"}}},
        f"{PREDICTORS}[0].componentSpecs[1].hpaSpec.metrics[0].resource.name: "
        "a share of cpu, of which `output-transformer` requests none",
    ),
    "a share of what the orchestrator does not request": (
        {
            f"{POD} hpaSpec": {"maxReplicas": 2, "metrics": [share("cpu")]},
            f"{SERVER} resources": {"limits": {"cpu": "1"}},
            f"{CONTAINER} resources": {"requests": {"cpu": "1"}},
            f"{P} svcOrchSpec resources": {"requests": {"memory": "1Gi"}},
        },
        f"{PREDICTORS}[0].componentSpecs[0].hpaSpec.metrics[0].resource.name: "
        "a share of cpu, of which the orchestrator requests none",
    ),
    "encryption without a certificate": (
        {f"{P} ssl": {}},
        f"{PREDICTORS}[0].ssl: `ssl` without certSecretName does nothing",
    ),
    "replicas of an orchestrator beside a node": (
        {f"{P} svcOrchSpec replicas": 2},
        f"{PREDICTORS}[0].svcOrchSpec.replicas: "
        "`replicas` of svcOrchSpec does nothing without a pod of its own",
    ),
    "an explainer without a type": (
        {f"{P} explainer": {"modelUri": "gs:bucket/explainer"}},
        f"{PREDICTORS}[0].explainer: explainer without `type` is not deployed",
    ),
    "arguments of an explainer": (
        {f"{P} explainer": {"type": "AnchorTabular", "containerSpec": {"args": ["--x"]}}},
        f"{PREDICTORS}[0].explainer.containerSpec.args: "
        "`args` of the explainer's container is replaced by Seldon",
    ),
    "a queue of no number": (
        {"metadata annotations": {"seldon.io/executor-logger-queue-size": "many"}},
        "metadata.annotations.seldon.io/executor-logger-queue-size: "
        "seldon.io/executor-logger-queue-size `many` is no whole number",
    ),
    "retries of no number": (
        {"spec annotations seldon.io/istio-retries": "3x"},
        "spec.annotations.seldon.io/istio-retries: seldon.io/istio-retries `3x` is no whole number",
    ),
    "two units of one name": (
        {f"{OUTPUT} name": "input-transformer"},
        f"{NODE}.children[0].name: two nodes of the graph are named `input-transformer`",
    ),
    "a unit's container in two pods": (
        {f"{OTHER_POD} spec containers 0 name": "input-transformer"},
        f"{PREDICTORS}[0].componentSpecs[1].spec.containers[0].name: "
        "container `input-transformer` stands in two entries of componentSpecs",
    ),
    "a container with the orchestrator's name": (
        {f"{CONTAINER} name": "seldon-container-engine"},
        f"{FIRST}[1].name: container name `seldon-container-engine` is the orchestrator's",
    ),
    "a first pod without a unit": (
        {
            "spec predictors": single("MODEL"),
            f"{POD} spec containers": [{"name": "sidecar", "image": "docker.io/acme/s:1.0"}],
        },
        f"{PREDICTORS}[0].componentSpecs[0]: "
        "no node of the graph is a container of the first entry of componentSpecs",
    ),
    "an orchestrator half apart": (
        {"spec annotations seldon.io/engine-separate-pod": "false"},
        "spec.annotations.seldon.io/engine-separate-pod: "
        "seldon.io/engine-separate-pod `false` leaves the orchestrator without a pod",
    ),
    "an orchestrator apart in metadata": (
        {"metadata annotations": {"seldon.io/engine-separate-pod": "true"}},
        "metadata.annotations.seldon.io/engine-separate-pod: "
        "seldon.io/engine-separate-pod does nothing in metadata",
    ),
    "a timeout in metadata": (
        {"metadata annotations": {"seldon.io/rest-timeout": "1000"}},
        "metadata.annotations.seldon.io/rest-timeout: "
        "seldon.io/rest-timeout does nothing in metadata",
    ),
    "a timeout in seconds": (
        {"spec annotations seldon.io/grpc-timeout": "60s"},
        "spec.annotations.seldon.io/grpc-timeout: seldon.io/grpc-timeout `60s` is no whole number",
    ),
    "a model for a container": (
        {f"{ROOT_UNIT} modelUri": "gs:bucket/m"},
        f"{NODE}.modelUri: `modelUri` does nothing without an implementation",
    ),
    "a secret for a container": (
        {f"{ROOT_UNIT} envSecretRefName": "rclone"},
        f"{NODE}.envSecretRefName: `envSecretRefName` does nothing without an implementation",
    ),
    "a model without a remote": (
        {f"{MODEL} modelUri": "/models/imagenet"},
        f"{INNER}.modelUri: modelUri `/models/imagenet` names no remote",
    ),
    "a remote that the secret does not configure": (
        {f"{MODEL} modelUri": "s3://init-container/imagenet"},
        f"{INNER}.modelUri: secret `rclone` has no RCLONE_CONFIG_S3_TYPE",
    ),
    "an unknown type": (
        {f"{ROOT_UNIT} type": "INPUT_TRANSFORMER"},
        f"{NODE}.type: unknown type `INPUT_TRANSFORMER`",
    ),
    "an unknown method": (
        {f"{ROOT_UNIT} methods": ["PREDICT"]},
        f"{NODE}.methods[0]: unknown method `PREDICT`",
    ),
    "a transformer that is a server": (
        {f"{MODEL} type": "TRANSFORMER"},
        f"{INNER}.type: type TRANSFORMER of TORCH_SERVER becomes MODEL",
    ),
    "a combiner of nothing": (
        {"spec predictors": single("COMBINER")},
        f"{NODE}.type: COMBINER without children is never called",
    ),
    "answers that are dropped": (
        {
            f"{OUTPUT} children": [
                {"name": name, "implementation": "SKLEARN_SERVER", "modelUri": "gs:bucket/m"}
                for name in ("a", "b")
            ],
            f"{P} componentSpecs 0 spec containers 0": {"name": "a"},
        },
        f"{NODE}.children[0].children: `output-transformer` answers with its first child alone",
    ),
    "a parameter of an unknown type": (
        {f"{MODEL} parameters 0 type": "INTEGER"},
        f"{INNER}.parameters[0].type: unknown type `INTEGER` of a parameter",
    ),
    "a parameter that is not of its type": (
        {f"{MODEL} parameters 0 value": "4.0"},
        f"{INNER}.parameters[0].value: `4.0` is no INT",
    ),
    "a truth that is none": (
        {f"{MODEL} parameters 0": {"name": "fast", "type": "BOOL", "value": "maybe"}},
        f"{INNER}.parameters[0].value: `maybe` is no BOOL",
    ),
    "a parameter twice": (
        {f"{MODEL} parameters": [{"name": "a", "type": "STRING", "value": ""}] * 2},
        f"{INNER}.parameters[1].name: two parameters are named `a`",
    ),
    "parameters of a server in its variable": (
        {f"{SERVER} env": [{"name": "PREDICTIVE_UNIT_PARAMETERS", "value": "[]"}]},
        f"{FIRST}[0].env[0].name: PREDICTIVE_UNIT_PARAMETERS of TORCH_SERVER is overwritten",
    ),
    "parameters in graph and container": (
        {
            f"{ROOT_UNIT} parameters": [{"name": "a", "type": "STRING", "value": "b"}],
            f"{CONTAINER} env": [{"name": "PREDICTIVE_UNIT_PARAMETERS", "value": "[]"}],
        },
        f"{FIRST}[1].env[0].name: PREDICTIVE_UNIT_PARAMETERS hides the parameters in the graph",
    ),
    "a variable of the operator": (
        {f"{CONTAINER} env": [{"name": "PREDICTIVE_UNIT_ID", "value": "me"}]},
        f"{FIRST}[1].env[0].name: PREDICTIVE_UNIT_ID is overwritten by Seldon",
    ),
    "a server moved from its port": (
        {f"{CONTAINER} env": [{"name": "PREDICTIVE_UNIT_HTTP_SERVICE_PORT", "value": "8080"}]},
        f"{FIRST}[1].env[0].value: PREDICTIVE_UNIT_HTTP_SERVICE_PORT 8080 beside http port 9001",
    ),
    "a written port that is another's next": (
        {f"{CONTAINER} ports 0 containerPort": 9000},
        f"{FIRST}[0].name: port 9000 is taken by container `input-transformer`",
    ),
    "two containers that write one port": (
        {
            f"{SERVER} ports": [{"name": "http", "containerPort": 9001, "protocol": "TCP"}],
        },
        f"{FIRST}[1].ports[0].containerPort: port 9001 is taken by container `model`",
    ),
    "the orchestrator's port": (
        {f"{CONTAINER} ports 0 containerPort": 8000},
        f"{FIRST}[1].ports[0].containerPort: port 8000 is taken by the orchestrator",
    ),
    "a securityContext of the pod": (
        {f"{POD} spec securityContext": {"fsGroup": 2000}},
        f"{PREDICTORS}[0].componentSpecs[0].spec.securityContext: "
        "the pod's `securityContext` is replaced by Seldon",
    ),
    "the Triton of the chart": (
        {
            "spec protocol": "v2",
            "spec predictors": [
                {
                    "name": "main",
                    "graph": {
                        "name": "m",
                        "implementation": "TRITON_SERVER",
                        "modelUri": "gs:bucket/m",
                    },
                }
            ],
        },
        f"{NODE}.implementation: TRITON_SERVER without an image is Triton 21.08",
    ),
}
PODS: dict[str, tuple[dict[str, Any], str]] = {
    "a port out of range": (
        {f"{CONTAINER} ports 0 containerPort": 70000},
        f"{FIRST}[1].ports[0].containerPort: containerPort 70000 is outside 1 to 65535",
    ),
    "a mount without a volume": (
        {f"{CONTAINER} volumeMounts 0 name": "cache"},
        f"{FIRST}[1].volumeMounts[0].name: no volume is named `cache`",
    ),
    "a mount of a model that nobody brings": (
        {f"{CONTAINER} volumeMounts 0": {"name": "models", "mountPath": "/mnt/models"}},
        f"{FIRST}[1].volumeMounts[0].name: no volume is named `models`",
    ),
    "a request over its limit": (
        {f"{SERVER} resources requests memory": "2Gi"},
        f"{FIRST}[0].resources.requests.memory: request 2Gi of memory exceeds limit 1Gi",
    ),
    "two containers of one name": (
        {
            f"{OTHER_POD} spec containers": [
                {
                    "name": "output-transformer",
                    "image": "docker.io/acme/output-transformer:1.0",
                    "resources": {"requests": {"cpu": "1"}},
                }
            ]
            * 2
        },
        f"{PREDICTORS}[0].componentSpecs[1].spec.containers[1].name: "
        "two containers are named `output-transformer`",
    ),
}


def test_good_manifests_pass() -> None:
    assert [of_schema(manifest) for manifest in GOOD.values()] == [[], []]
    assert told({}) == []


@pytest.mark.parametrize("case", REFUSED)
def test_refuses(case: str) -> None:
    changes, message = REFUSED[case]

    # A renamed container is also missed by the unit that it was.
    assert [line for line in told(changes) if line == message or CONSEQUENCE not in line] == [
        message
    ]


@pytest.mark.parametrize("case", PODS)
def test_refuses_of_a_pod_in_seldon(case: str) -> None:
    changes, message = PODS[case]

    assert told(changes) == [message]


WARNED = {  # what Seldon takes, and then passes over or writes itself
    "over all the traffic for one predictor",
    "a logger of an unknown mode",
    "the old name",
    "an OAuth key",
    "an OAuth secret",
    "the transport of a unit",
    "resources of the old orchestrator",
    "a server that is misspelt",
    "a server in small letters",
    "a service that Seldon calls by a hash",
    "two autoscalers",
    "two budgets of one deployment",
    "replicas beside an autoscaler",
    "an autoscaler in an entry of its own",
    "a share of what nobody requests",
    "a share of what the orchestrator does not request",
    "encryption without a certificate",
    "replicas of an orchestrator beside a node",
    "a container with the orchestrator's name",
    "an orchestrator apart in metadata",
    "a timeout in metadata",
    "a model for a container",
    "a secret for a container",
    "a model without a remote",
    "a transformer that is a server",
    "a combiner of nothing",
    "answers that are dropped",
    "parameters of a server in its variable",
    "parameters in graph and container",
    "a variable of the operator",
    "a securityContext of the pod",
    "the Triton of the chart",
    "an explainer without a type",
    "arguments of an explainer",
}


def test_warns_of_what_seldon_takes() -> None:
    warned = set()
    for case, (changes, message) in REFUSED.items():
        files = {PurePosixPath(f"{n}.yaml"): each for n, each in enumerate(changed(changes))}
        for _, refusal in webhook_rules.refusals(files):
            told_of = f"{dotted(refusal.path)}: {refusal.message}"
            if told_of == message and refusal.severity == "warning":
                warned.add(case)

    assert warned == WARNED


def test_every_rule_refuses_something() -> None:
    shown = set()
    for changes, message in REFUSED.values():
        files = {PurePosixPath(f"{n}.yaml"): each for n, each in enumerate(changed(changes))}
        for _, refusal in webhook_rules.refusals(files):
            if f"{dotted(refusal.path)}: {refusal.message}" == message:
                shown.add(refusal.rule)

    rules = webhook_rules.all_rules()["seldon-core"]
    assert {f"seldon-core/{rule.__name__.replace('_', '-')}" for rule in rules} - shown == set()


SAMPLES = {  # in our words, what upstream's documentation and examples deploy
    "one container": """
        name: main
        replicas: 1
        graph: {name: classifier, type: MODEL, children: []}
        componentSpecs:
          - spec: {containers: [{name: classifier, image: "docker.io/acme/iris:0.1"}]}
        """,
    "a container that says nothing of its type": """
        name: main
        graph: {name: classifier}
        componentSpecs:
          - spec: {containers: [{name: classifier, image: "docker.io/acme/iris:0.1"}]}
        """,
    "a transformer before a model, in one pod": """
        name: main
        graph:
          name: scale
          type: TRANSFORMER
          children: [{name: classifier, type: MODEL}]
        componentSpecs:
          - spec:
              terminationGracePeriodSeconds: 1
              containers:
                - {name: scale, image: "docker.io/acme/scale:0.1"}
                - {name: classifier, image: "docker.io/acme/iris:0.1"}
        """,
    "a model before an output transformer, in pods of their own": """
        name: main
        graph:
          name: classifier
          type: MODEL
          children: [{name: names, type: OUTPUT_TRANSFORMER}]
        componentSpecs:
          - spec: {containers: [{name: classifier, image: "docker.io/acme/iris:0.1"}]}
          - spec: {containers: [{name: names, image: "docker.io/acme/names:0.1"}]}
        """,
    "a server of Seldon's": """
        name: main
        replicas: 1
        graph:
          name: classifier
          implementation: SKLEARN_SERVER
          modelUri: gs://seldon-models/sklearn/iris
          parameters: [{name: method, type: STRING, value: decision_function}]
        """,
    "resources of a server of Seldon's": """
        name: main
        graph: {name: classifier, implementation: XGBOOST_SERVER, modelUri: "s3:models/iris"}
        componentSpecs:
          - spec:
              containers: [{name: classifier, resources: {requests: {memory: 50Mi}}}]
        """,
    "the model written into the pod by hand": """
        name: main
        graph: {name: classifier, type: MODEL}
        componentSpecs:
          - spec:
              volumes: [{name: model, emptyDir: {}}]
              initContainers:
                - name: classifier-model-initializer
                  image: docker.io/seldonio/rclone-storage-initializer:1.17.1
                  args: ["s3://sklearn/iris", /mnt/models]
                  volumeMounts: [{name: model, mountPath: /mnt/models}]
                  envFrom: [{secretRef: {name: rclone}}]
              containers:
                - name: classifier
                  image: docker.io/acme/sklearn:0.1
                  volumeMounts: [{name: model, mountPath: /mnt/models, readOnly: true}]
                  env:
                    - name: PREDICTIVE_UNIT_PARAMETERS
                      value: '[{"name":"model_uri","value":"/mnt/models","type":"STRING"}]'
        """,
    "a model on a claim, mounted as the operator names it": """
        name: main
        graph: {name: classifier, implementation: SKLEARN_SERVER, modelUri: "pvc://models/iris"}
        componentSpecs:
          - spec:
              containers:
                - name: classifier
                  volumeMounts:
                    - {name: classifier-provision-location, mountPath: /mnt/models}
                    - {name: seldon-podinfo, mountPath: /etc/podinfo}
        """,
    "an autoscaler": """
        name: main
        replicas: 1
        graph: {name: classifier, type: MODEL}
        componentSpecs:
          - hpaSpec:
              maxReplicas: 3
              metrics: [{type: Resource, resource: {name: cpu, targetAverageUtilization: 10}}]
            spec:
              containers:
                - name: classifier
                  image: docker.io/acme/iris:0.1
                  imagePullPolicy: IfNotPresent
                  resources: {requests: {cpu: "0.5"}}
        """,
    "an autoscaler of autoscaling/v2": """
        name: main
        graph: {name: classifier, type: MODEL}
        componentSpecs:
          - hpaSpec:
              minReplicas: 1
              maxReplicas: 4
              metricsv2:
                - type: Resource
                  resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}
            spec:
              containers:
                - name: classifier
                  image: docker.io/acme/iris:0.1
                  resources: {requests: {cpu: "1"}}
        """,
    "KEDA": """
        name: main
        graph: {name: classifier, type: MODEL}
        componentSpecs:
          - kedaSpec:
              pollingInterval: 15
              minReplicaCount: 0
              maxReplicaCount: 5
              triggers:
                - type: prometheus
                  metadata: {serverAddress: "http://prometheus", threshold: "10", query: up}
            spec: {containers: [{name: classifier, image: "docker.io/acme/iris:0.1"}]}
        """,
    "no orchestrator": """
        name: main
        annotations: {seldon.io/no-engine: "true"}
        graph: {name: classifier, type: MODEL}
        componentSpecs:
          - spec:
              containers:
                - name: classifier
                  image: docker.io/acme/iris:0.1
                  ports: [{name: http, containerPort: 8000}]
        """,
    "a combiner": """
        name: main
        graph:
          name: mean
          type: COMBINER
          children: [{name: a, type: MODEL}, {name: b, type: MODEL}]
        componentSpecs:
          - spec:
              containers:
                - {name: mean, image: "docker.io/acme/mean:0.1"}
                - {name: a, image: "docker.io/acme/a:0.1"}
                - {name: b, image: "docker.io/acme/b:0.1"}
        """,
    "a random split": """
        name: main
        graph:
          name: split
          implementation: RANDOM_ABTEST
          parameters: [{name: ratioA, value: "0.5", type: FLOAT}]
          children: [{name: a, type: MODEL}, {name: b, type: MODEL}]
        componentSpecs:
          - spec: {containers: [{name: a, image: "docker.io/acme/a:0.1"}]}
          - spec: {containers: [{name: b, image: "docker.io/acme/b:0.1"}]}
        """,
    "a router with feedback": """
        name: main
        graph:
          name: bandit
          type: ROUTER
          parameters: [{name: n_branches, value: "1", type: INT}]
          children: [{name: a, type: MODEL, logger: {mode: all, url: "http://broker"}}]
        componentSpecs:
          - spec:
              containers:
                - {name: bandit, image: "docker.io/acme/bandit:0.1"}
                - {name: a, image: "docker.io/acme/a:0.1"}
        """,
    "methods instead of a type": """
        name: main
        graph: {name: both, methods: [TRANSFORM_INPUT, TRANSFORM_OUTPUT]}
        componentSpecs:
          - spec: {containers: [{name: both, image: "docker.io/acme/both:0.1"}]}
        """,
    "a sidecar": """
        name: main
        graph: {name: classifier, type: MODEL}
        componentSpecs:
          - spec:
              containers:
                - {name: classifier, image: "docker.io/acme/iris:0.1"}
                - {name: agent, image: "docker.io/acme/agent:0.1", ports: [{containerPort: 8125}]}
        """,
    "an init container that takes the initializer's place": """
        name: main
        graph: {name: classifier, implementation: SKLEARN_SERVER, modelUri: "brought by hand"}
        componentSpecs:
          - spec:
              containers:
                - name: classifier
                  volumeMounts: [{name: classifier-provision-location, mountPath: /mnt/models}]
              initContainers:
                - name: classifier-model-initializer
                  image: docker.io/acme/rclone:1.70
                  args: [copy, "minio:iris", /mnt/models]
                  volumeMounts: [{name: classifier-provision-location, mountPath: /mnt/models}]
              volumes: [{name: classifier-provision-location, emptyDir: {}}]
        """,
    "an explainer": """
        name: main
        graph: {name: classifier, implementation: SKLEARN_SERVER, modelUri: "gs:bucket/iris"}
        explainer:
          type: AnchorTabular
          modelUri: s3:explainers/iris
          envSecretRefName: rclone
          config: {batch_size: "100"}
          containerSpec: {name: explainer, env: [{name: LOG_LEVEL, value: DEBUG}]}
        """,
    "an autoscaler of a server that has no container": """
        name: main
        graph: {name: classifier, implementation: SKLEARN_SERVER, modelUri: "gs:bucket/iris"}
        componentSpecs: [{hpaSpec: {minReplicas: 1, maxReplicas: 3}}]
        """,
    "a server registered by the user": """
        name: main
        graph:
          name: model
          implementation: TORCH_SERVER
          modelUri: mys3:init-container
          envSecretRefName: seldon-rclone-secret
          storageInitializerImage: docker.io/seldonio/rclone-storage-initializer:1.17.1
          serviceAccountName: models
        """,
}


def sample(*predictors: object, **spec: object) -> dict[str, object]:
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": "seldon-model"},
        "spec": {"predictors": list(predictors), **spec},
    }


@pytest.mark.parametrize("case", SAMPLES)
def test_takes(case: str) -> None:
    manifest = sample(yaml.safe_load(SAMPLES[case]))

    assert of_schema(manifest) == []
    assert refused(manifest) == []


def test_takes_a_canary_a_shadow_and_equal_names_in_other_predictors() -> None:
    main, canary, shadow = (
        predictor("main", traffic=75),
        predictor("canary", traffic=25, replicas=1),
        predictor("shadow", shadow=True),
    )

    assert refused(sample(main, canary)) == []
    assert refused(sample(main | {"traffic": 100}, shadow)) == []
    assert refused(sample(predictor("main"), shadow | {"traffic": 10})) == []
    assert refused(sample(main, canary, shadow)) == []


def test_takes_the_whole_traffic_of_a_single_predictor() -> None:
    assert refused(sample(predictor("main", traffic=100))) == []


def test_takes_one_transport_named_twice() -> None:
    node = {"name": "m", "endpoint": {"type": "GRPC"}, "type": "MODEL"}
    pods = [{"spec": {"containers": [{"name": "m", "image": "docker.io/acme/m:1.0"}]}}]
    both = sample({"name": "main", "graph": node, "componentSpecs": pods}, transport="grpc")

    assert [line for line in refused(both) if "deprecated" not in line] == []


def test_an_orchestrator_apart_has_replicas() -> None:
    apart = {"seldon.io/engine-separate-pod": "true"}
    main = predictor("main", svcOrchSpec={"replicas": 2})

    assert refused(sample(main, annotations=apart)) == []


def test_the_variables_of_an_explainer_are_replaced_under_v2_alone() -> None:
    variables = {"type": "AnchorTabular", "containerSpec": {"env": [{"name": "A", "value": "b"}]}}
    main = predictor("main", explainer=variables)

    assert refused(sample(main)) == []
    assert refused(sample(main, protocol="v2")) == [
        f"{PREDICTORS}[0].explainer.containerSpec.env: "
        "`env` of the explainer's container is replaced by Seldon"
    ]


def test_a_part_of_a_deployment_is_no_deployment_without_predictors() -> None:
    part = {PurePosixPath("replicas.yaml"): sample() | {"spec": {"replicas": 3}}}

    assert list(webhook_rules.refusals(part, whole=False)) == []
    assert list(webhook_rules.refusals(part)) != []


def test_contradictions_show_their_other_end() -> None:
    limits = {"minAvailable": 1, "maxUnavailable": 1}
    pod = {"spec": {"containers": [{"name": "m"}]}, "pdbSpec": limits}
    file = PurePosixPath("seldondeployment.yaml")

    ((_, refusal),) = webhook_rules.refusals(
        {file: sample(predictor("main", componentSpecs=[pod]))}
    )

    assert [dotted(place) for _, place, _ in refusal.related] == [
        f"{PREDICTORS}[0].componentSpecs[0].pdbSpec.minAvailable"
    ]


def test_takes_triton_with_an_image() -> None:
    image = "nvcr.io/nvidia/tritonserver:26.11-py3"
    pod = {"spec": {"containers": [{"name": "cifar10", "image": image}]}}
    graph = {"name": "cifar10", "implementation": "TRITON_SERVER", "modelUri": "gs:models/triton"}
    triton = {"name": "main", "graph": graph, "componentSpecs": [pod]}

    for protocol in ("v2", "kfserving"):
        assert refused(sample(triton, protocol=protocol)) == []


def test_takes_an_orchestrator_of_its_own_with_units_on_its_ports() -> None:
    ports = [{"name": "http", "containerPort": 8000}]
    container = {"name": "m", "image": "docker.io/acme/m:1.0", "ports": ports}
    pods = [{"spec": {"containers": [container]}}]
    own = {"name": "main", "graph": {"name": "m", "type": "MODEL"}, "componentSpecs": pods}

    assert refused(sample(own, annotations={"seldon.io/engine-separate-pod": "true"})) == []
    assert refused(sample(own)) != []


def test_a_remote_is_left_alone_where_the_secret_is_out_of_sight() -> None:
    assert told({f"{MODEL} modelUri": "other:bucket", f"{MODEL} envSecretRefName": "theirs"}) == []


def test_a_secret_of_another_folder_may_be_another_clusters() -> None:
    deployment = yaml.safe_load(GRAPH)
    unit = deployment["spec"]["predictors"][0]["graph"]["children"][0]["children"][0]
    unit["modelUri"] = "other:bucket"
    secret = yaml.safe_load(SECRET)
    del deployment["metadata"]["namespace"], secret["metadata"]["namespace"]

    def lines(folder: str) -> list[str]:
        files = {
            PurePosixPath(folder, "secret.yaml"): secret,
            PurePosixPath("a/m.yaml"): deployment,
        }
        return [found.message for _, found in webhook_rules.refusals(files, whole=False)]

    assert lines("a") == ["secret `rclone` has no RCLONE_CONFIG_OTHER_TYPE"]
    assert lines("b") == []


def test_takes_a_server_named_after_another() -> None:
    graph = {"name": "m", "implementation": "SKLEARN_SERVER_GPU", "modelUri": "gs:bucket/m"}

    assert refused(sample({"name": "main", "graph": graph})) == []


def graph_of_depth(depth: int) -> dict[str, object]:
    graph: dict[str, object] = {"name": "m"}
    for level in range(depth - 1):
        graph = {"name": f"t{level}", "type": "TRANSFORMER", "children": [graph]}
    return graph


def test_the_schema_ends_with_ten_levels_of_children() -> None:
    deepest = sample({"name": "main", "graph": graph_of_depth(11)})
    deeper = sample({"name": "main", "graph": graph_of_depth(12)})

    assert of_schema(deepest) == []
    assert [line.rpartition(": ")[2] for line in of_schema(deeper)] == ["unknown field `children`"]


def test_the_schema_refuses_what_a_strict_cluster_refuses() -> None:
    broken = sample({"graph": {"name": "m", "endpont": {}}, "replicas": "1"})

    lines = of_schema(broken)

    assert f"{PREDICTORS}[0]: required field `name` is missing" in lines
    assert f"{NODE}.endpont: unknown field `endpont`" in lines
    assert f"{PREDICTORS}[0].replicas: `1` is a string, expected a whole number" in lines


def test_labels_of_predictors_are_held_to_their_form() -> None:
    one = predictor("main", labels={"team": "vision & sound"})

    assert of_schema(sample(one)) == [
        f"{PREDICTORS}[0].labels.team: `vision & sound` is not a label value"
    ]


def test_odd_values_are_no_mistakes_of_ours() -> None:
    for odd in (None, [], {}, "x", 1, True, [[None]], {"a": [1]}):
        for route in ("spec", "spec predictors", P, ROOT_UNIT, POD, CONTAINER, f"{MODEL} name"):
            if odd is not None:
                told({route: odd})
