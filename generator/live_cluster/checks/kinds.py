"""Whether the cluster knows the kinds, and has the namespaces, that the manifests are of."""

from collections.abc import Iterator, Mapping
from functools import partial

from generator import structural
from generator.cluster import cluster_of
from generator.kinds import BUILT_IN_GROUPS, schema_of
from generator.live_cluster.connection import Unanswered
from generator.live_cluster.discovery import NotServed
from generator.live_cluster.parts import listed, mapping, part, text
from generator.live_cluster.question import Asked, Question, Said
from generator.live_cluster.refusal import Refused
from generator.live_cluster.rendered import Rendered, of_kind
from generator.releases import RELEASES, Cluster, Kind, schema_files

_ENFORCE = "pod-security.kubernetes.io/enforce"


def served(asked: Asked) -> Iterator[Question]:
    """A kind whose definition is not installed, or not in this version, cannot be applied."""
    for one in asked.manifests:
        subject = f"{one.kind} {one.api_version}"
        yield Question("kind", subject, partial(_served, asked, one), one.place(("kind",)))


def _served(asked: Asked, one: Rendered) -> Said:
    group = one.api_version.rpartition("/")[0]
    try:
        resource = asked.discovery.resource(one.api_version, one.kind)
    except NotServed as absent:
        if one.is_of_argo:
            return Said("unknown", f"{absent}; Argo CD may run in another cluster")
        return Said("failed", str(absent), _how_to_have(asked, one, group))
    if group in BUILT_IN_GROUPS or group.endswith(".k8s.io"):
        return Said("ok", "served")
    try:
        definition = asked.find(
            "apiextensions.k8s.io/v1", "CustomResourceDefinition", "", f"{resource.plural}.{group}"
        )
    except (Refused, Unanswered) as reason:
        return Said("ok", f"served; its definition cannot be read: {reason}")
    return _release_of(one, definition or {})


def _how_to_have(asked: Asked, one: Rendered, group: str) -> str:
    """Which versions of the group there are, or what has to be installed."""
    try:
        versions = listed(asked.get(f"/apis/{group}"), "versions") if group else []
    except (Refused, Unanswered):
        versions = []
    if versions:
        return f"served are {', '.join(text(version, 'groupVersion') for version in versions)}"
    product = _product((one.api_version, one.kind))
    return f"install {product} in this cluster" if product else ""


def _release_of(one: Rendered, definition: Mapping[str, object]) -> Said:
    """Whether the server's definition is of the release that the manifest was held against."""
    version = one.api_version.rpartition("/")[2]
    schema = next(
        (
            mapping(each, "schema", "openAPIV3Schema")
            for each in listed(definition, "spec", "versions")
            if text(each, "name") == version
        ),
        {},
    )
    spec = mapping(schema, "properties", "spec")
    if part(spec, "x-kubernetes-preserve-unknown-fields") is True and not mapping(
        spec, "properties"
    ):
        told = "served by a definition without fields: a typo in a manifest is taken in silence"
        return Said("warning", told, "gen validate and gen lint look at them all the same")
    kind = one.api_version, one.kind
    cluster = cluster_of(one.deployment.project)
    product = _product(kind)
    if not schema or kind not in schema_files(cluster) or not product:
        return Said("ok", "served")
    theirs = set(_fields(structural.compact(dict(spec))))
    ours = set(_fields(mapping(schema_of(kind, cluster), "properties", "spec")))
    if any(_is_nested(field) for field in ours):  # ours goes on where Seldon's own one ends
        ours, theirs = ({f for f in each if not _is_nested(f)} for each in (ours, theirs))
    name = f"{product} {dict(cluster.releases)[product]}"
    if theirs == ours:
        return Said("ok", f"served, with the fields of {name}")
    lacks, adds = len(ours - theirs), len(theirs - ours)
    told = f"served, not with the fields of {name}: {lacks} of them are not there, {adds} more are"
    return Said(
        "ok", told, f"gen crds and kubernetes.crds hold specs against this cluster's {one.kind}"
    )


def _product(kind: Kind) -> str:
    """The product that a kind comes with, empty where it is not known."""
    for product, versions in RELEASES.items():
        if kind in schema_files(Cluster(((product, versions[-1]),))):
            return product
    return ""


def _is_nested(field: str) -> bool:
    """Whether a field is of a node under a node of a Seldon graph."""
    return ".graph.children[]" in field


def _fields(schema: object, at: str = "", depth: int = 0) -> Iterator[str]:
    """The paths of all fields of a schema, down to those of pods."""
    if depth > 6:  # as deep as a container's own fields
        return
    for name, held in mapping(schema, "properties").items():
        yield f"{at}.{name}"
        yield from _fields(held, f"{at}.{name}", depth + 1)
    if items := mapping(schema, "items"):
        yield from _fields(items, f"{at}[]", depth)


def namespaces(asked: Asked) -> Iterator[Question]:
    """Nothing can be applied, nor tried, in a namespace that is not there."""
    for one in asked.tried:
        yield Question("namespace", one.namespace, partial(_namespace, asked, one.namespace))


def _namespace(asked: Asked, name: str) -> Said:
    found = asked.get(f"/api/v1/namespaces/{name}")
    if found is None:
        if _argo_creates(asked, name):
            return Said("warning", "not there yet; Argo CD creates it (CreateNamespace=true)")
        return Said("failed", "there is no such namespace", f"kubectl create namespace {name}")
    if text(found, "status", "phase") == "Terminating":
        return Said("failed", "is being deleted: nothing can be created in it")
    level = text(found, "metadata", "labels", _ENFORCE)
    return Said(
        "ok", f"there; pod security {level}" if level else "there; no pod security enforced"
    )


def pod_security(asked: Asked) -> Iterator[Question]:
    """What operators add to pods does not meet `restricted`: docs/security.md, with its sources."""
    for one in of_kind(asked.manifests, "SeldonDeployment", "InferenceService"):
        adds = partial(_added, asked, one)
        yield Question("pod-security", one.shown, adds, one.place())


def _added(asked: Asked, one: Rendered) -> Said:
    namespace = asked.get(f"/api/v1/namespaces/{one.namespace}")
    if text(namespace, "metadata", "labels", _ENFORCE) != "restricted":
        return Said("ok", "restricted is not enforced by a label of the namespace")
    if one.kind == "SeldonDeployment":
        told = "the namespace enforces restricted, which what Seldon's operator adds does not meet"
        return Said("warning", told, f"{_ENFORCE}=baseline, or a mutating policy: docs/security.md")
    return _initializer(asked, text(one.data, "spec", "predictor", "model", "storageUri"))


def _initializer(asked: Asked, uri: str) -> Said:
    if uri.startswith("oci://"):
        told = "the namespace enforces restricted, which the container of oci:// does not meet"
        hint = "a patch of the spec's sets storageUri to oci+native://: docs/security.md"
        return Said("warning", told, hint)
    if not uri or uri.startswith(("pvc://", "oci+native://")):
        return Said("ok", "KServe adds no storage initializer")
    storage = asked.find("serving.kserve.io/v1alpha1", "ClusterStorageContainer", "", "default")
    context = mapping(storage, "spec", "container", "securityContext")
    if part(context, "runAsNonRoot") is True:
        return Said("ok", "ClusterStorageContainer default says runAsNonRoot")
    told = "pods may be refused: restricted is enforced, and the storage initializer's container"
    told += " (ClusterStorageContainer default) does not say runAsNonRoot"
    return Said("warning", told, "patch ClusterStorageContainer default: docs/security.md")


def _argo_creates(asked: Asked, namespace: str) -> bool:
    """Whether an Application of the render makes the namespace."""
    for one in of_kind(asked.manifests, "Application", "ApplicationSet"):
        spec = mapping(one.data, "spec")
        spec = mapping(spec, "template", "spec") or spec
        options = listed(spec, "syncPolicy", "syncOptions")
        is_there = text(spec, "destination", "namespace") == namespace
        if is_there and "CreateNamespace=true" in options:
            return True
    return False
