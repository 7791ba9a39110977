"""The kinds that Kubernetes itself serves, from the package `kubernetes-validate`.

A maintainer's tool: nothing that `gen` runs imports it.
"""

import json
from collections.abc import Iterator
from importlib.resources import files

from generator.structural import QUANTITY, Imported, Schema, compact, manifest_schema

KINDS = (  # file of kubernetes-validate, apiVersion, kind
    ("apiservice-apiregistration-v1", "apiregistration.k8s.io/v1", "APIService"),
    ("clusterrole-rbac-v1", "rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("clusterrolebinding-rbac-v1", "rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    ("configmap-v1", "v1", "ConfigMap"),
    ("cronjob-batch-v1", "batch/v1", "CronJob"),
    (
        "customresourcedefinition-apiextensions-v1",
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
    ),
    ("daemonset-apps-v1", "apps/v1", "DaemonSet"),
    ("deployment-apps-v1", "apps/v1", "Deployment"),
    ("endpoints-v1", "v1", "Endpoints"),
    ("endpointslice-discovery-v1", "discovery.k8s.io/v1", "EndpointSlice"),
    ("horizontalpodautoscaler-autoscaling-v1", "autoscaling/v1", "HorizontalPodAutoscaler"),
    ("horizontalpodautoscaler-autoscaling-v2", "autoscaling/v2", "HorizontalPodAutoscaler"),
    ("ingress-networking-v1", "networking.k8s.io/v1", "Ingress"),
    ("ingressclass-networking-v1", "networking.k8s.io/v1", "IngressClass"),
    ("job-batch-v1", "batch/v1", "Job"),
    ("lease-coordination-v1", "coordination.k8s.io/v1", "Lease"),
    ("limitrange-v1", "v1", "LimitRange"),
    ("namespace-v1", "v1", "Namespace"),
    ("networkpolicy-networking-v1", "networking.k8s.io/v1", "NetworkPolicy"),
    ("persistentvolume-v1", "v1", "PersistentVolume"),
    ("persistentvolumeclaim-v1", "v1", "PersistentVolumeClaim"),
    ("pod-v1", "v1", "Pod"),
    ("poddisruptionbudget-policy-v1", "policy/v1", "PodDisruptionBudget"),
    ("podtemplate-v1", "v1", "PodTemplate"),
    ("priorityclass-scheduling-v1", "scheduling.k8s.io/v1", "PriorityClass"),
    ("replicaset-apps-v1", "apps/v1", "ReplicaSet"),
    ("replicationcontroller-v1", "v1", "ReplicationController"),
    ("resourcequota-v1", "v1", "ResourceQuota"),
    ("role-rbac-v1", "rbac.authorization.k8s.io/v1", "Role"),
    ("rolebinding-rbac-v1", "rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("runtimeclass-node-v1", "node.k8s.io/v1", "RuntimeClass"),
    ("secret-v1", "v1", "Secret"),
    ("service-v1", "v1", "Service"),
    ("serviceaccount-v1", "v1", "ServiceAccount"),
    ("statefulset-apps-v1", "apps/v1", "StatefulSet"),
    ("storageclass-storage-v1", "storage.k8s.io/v1", "StorageClass"),
)
META = "_definitions"  # the file that holds the metadata of every kind
ORIGIN = "Python package kubernetes-validate, github.com/willthames/kubernetes-validate, Apache-2.0"
OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

# Types of Go that say in code, not in their schema, what they take.
TYPES: dict[str, Schema] = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {
        "type": ["number", "string"],
        "pattern": QUANTITY,
    },
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"x-kubernetes-int-or-string": True},
    # It holds itself; what it may say is a matter of its own.
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps": {
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": True,
    },
}


def import_core(version: str, newest: str) -> Iterator[Imported]:
    """Compact the kinds of a Kubernetes version, and the metadata of every kind.

    What is required is taken from the newest version: older ones publish fields as required that
    their servers do without (https://github.com/kubernetes/kubernetes/issues/130233).
    """
    latest = {name: openapi for name, _, _, openapi in _openapis(newest)}
    for name, api_version, kind, openapi in _openapis(version):
        _require(openapi, latest[name])
        is_part = name == META
        schema = compact(openapi) if is_part else manifest_schema(openapi, api_version, kind)
        yield _core(api_version, kind, schema, f"{name}.json", openapi)


def _openapis(version: str) -> Iterator[tuple[str, str, str, Schema]]:
    """Name, apiVersion, kind and schema of each kind in a version."""
    folder = files("kubernetes_validate") / "kubernetes-json-schema" / f"v{version}-local-strict"
    definitions = json.loads((folder / f"{META}.json").read_text(encoding="utf-8"))["$defs"]
    for name, api_version, kind in KINDS:
        whole = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        yield name, api_version, kind, _resolved(whole, definitions)
    yield META, "meta/v1", "ObjectMeta", _resolved(definitions[OBJECT_META], definitions)


def _require(schema: Schema, latest: Schema) -> None:
    """Require of an object what the latest schema requires of it."""
    fields, known = schema.get("properties", {}), latest.get("properties", {})
    if known:
        schema["required"] = [name for name in latest.get("required", ()) if name in fields]
    for name in fields.keys() & known.keys():
        _require(fields[name], known[name])
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), dict) and isinstance(latest.get(keyword), dict):
            _require(schema[keyword], latest[keyword])


def _core(api_version: str, kind: str, schema: Schema, source: str, openapi: Schema) -> Imported:
    unset = {**schema, "x-null-is-unset": True}
    return Imported(api_version, kind, unset, source, len(json.dumps(openapi)))


def _resolved(schema: Schema, definitions: Schema) -> Schema:
    """The schema in the dialect of a CustomResourceDefinition: whole, and without null.

    Go reads null as absent wherever it stands, which `x-null-is-unset` says once.
    """
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return TYPES.get(name) or _resolved(definitions[name], definitions)
    whole = {key: value for key, value in schema.items() if key != "additionalProperties"}
    if isinstance(schema.get("type"), list):
        (whole["type"],) = (name for name in schema["type"] if name != "null")
    if "properties" in schema:
        fields = schema["properties"].items()
        whole["properties"] = {name: _resolved(field, definitions) for name, field in fields}
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), dict):
            whole[keyword] = _resolved(schema[keyword], definitions)
    if not {"properties", "additionalProperties"} & whole.keys():
        whole["x-kubernetes-preserve-unknown-fields"] = True
    return whole
