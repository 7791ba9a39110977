"""Whether what the manifests name is there: runtimes, secrets, accounts, volumes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from generator.live_cluster.checks.configuration import kserve_config
from generator.live_cluster.connection import Unanswered
from generator.live_cluster.parts import Json, listed, mapping, part, text, walk
from generator.live_cluster.question import Asked, Question, Said, missing
from generator.live_cluster.refusal import Refused
from generator.live_cluster.rendered import Rendered, of_kind

_V1ALPHA1 = "serving.kserve.io/v1alpha1"
# The annotations that are rendered; a cluster reads one of them.
_STORAGE_SECRET = "serving.kserve.io/storageSecretName"  # noqa: S105
_NAMES = (_STORAGE_SECRET, "serving.kserve.io/secretName")
_PULL = ".dockerconfigjson"
# What KServe looks for in a secret; those with a setting are called as `credentials` of its config
# map says, which ships these names: kserve, pkg/credentials/service_account_credentials.go
_KEYS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "gs": (("gcsCredentialFileName", "gcloud-application-credentials.json"),),
    "s3": (
        ("s3AccessKeyIDName", "AWS_ACCESS_KEY_ID"),
        ("s3SecretAccessKeyName", "AWS_SECRET_ACCESS_KEY"),
    ),
    "hf": (("", "HF_TOKEN"),),
}
_SECTIONS = {"gs": "gcs", "s3": "s3"}


def runtimes(asked: Asked) -> Iterator[Question]:
    """KServe says that a runtime is not there only in the status of a service, when it is live."""
    for one in of_kind(asked.manifests, "InferenceService"):
        at = "spec", "predictor", "model", "runtime"
        if name := text(one.data, *at):
            subject = f"{name} of {one.shown}"
            yield Question("runtime", subject, partial(_runtime, asked, one, name), one.place(at))


def _runtime(asked: Asked, one: Rendered, name: str) -> Said:
    for other in of_kind(asked.manifests, "ServingRuntime"):
        if (other.name, other.namespace) == (name, one.namespace):
            return Said("ok", f"rendered with the service, {other.path.name}")
    for kind in ("ServingRuntime", "ClusterServingRuntime"):
        found = asked.find(_V1ALPHA1, kind, one.namespace, name)
        if found is None:
            continue
        if part(found, "spec", "disabled") is True:
            return Said("failed", f"the {kind} is disabled", "set disabled: false on it")
        return Said("ok", f"a {kind} of the cluster")
    return missing(f"runtime {name}", f"{one.namespace}, nor in the cluster")


@dataclass(frozen=True)
class _Reference:
    """An object of the namespace that a manifest names; `keys` are wanted in it."""

    kind: str
    name: str
    what: str
    keys: tuple[str, ...] = ()
    is_optional: bool = False
    scheme: str = ""
    """Of the storage that KServe reads with it."""


def named_objects(asked: Asked) -> Iterator[Question]:
    """A pod waits for ever for a secret, config map or volume that is not there."""
    own = {(one.kind, one.namespace, one.name) for one in asked.manifests}
    for one in asked.manifests:
        for at, each in _references(one):
            if (each.kind, one.namespace, each.name) in own:
                continue
            subject = f"{each.kind} {one.namespace}/{each.name}"
            answer = partial(_reference, asked, one.namespace, each)
            yield Question(each.what, subject, answer, one.place(at))


def _references(one: Rendered) -> Iterator[tuple[tuple[str | int, ...], _Reference]]:
    if one.kind in ("InferenceService",):
        annotation = ("metadata", "annotations", _STORAGE_SECRET)
        if name := text(one.data, *annotation):
            scheme = text(one.data, "spec", "predictor", "model", "storageUri").partition("://")[0]
            yield annotation, _Reference("Secret", name, "storage", scheme=scheme)
        uri = "spec", "predictor", "model", "storageUri"
        if text(one.data, *uri).startswith("pvc://"):
            claim = text(one.data, *uri).removeprefix("pvc://").partition("/")[0]
            yield uri, _Reference("PersistentVolumeClaim", claim, "volume")
    generated = () if one.is_service else ("configMap",)  # kustomize makes those of other folders
    for at, value in walk(one.data):
        key = at[-1] if at else ""
        if key == "imagePullSecrets":
            for item in value if isinstance(value, list) else ():
                yield at, _Reference("Secret", text(item, "name"), "pull-secret", (_PULL,))
        elif key == "serviceAccountName" and isinstance(value, str):
            yield at, _Reference("ServiceAccount", value, "account")
        elif key == "envSecretRefName" and isinstance(value, str) and value:
            yield at, _Reference("Secret", value, "storage", _rclone(one.data, at))
        elif key in ("secretKeyRef", "configMapKeyRef") and isinstance(value, dict):
            kind = "Secret" if key == "secretKeyRef" else "ConfigMap"
            wanted = (text(value, "key"),)
            optional = part(value, "optional") is True
            yield at, _Reference(kind, text(value, "name"), "environment", wanted, optional)
        elif key in ("secretRef", "configMapRef") and isinstance(value, dict):
            kind = "Secret" if key == "secretRef" else "ConfigMap"
            optional = part(value, "optional") is True
            yield at, _Reference(kind, text(value, "name"), "environment", (), optional)
        elif key == "configMap" and "volumes" in at and key not in generated:
            yield at, _Reference("ConfigMap", text(value, "name"), "volume")
        elif key == "secret" and "volumes" in at:
            yield at, _Reference("Secret", text(value, "secretName"), "volume")
        elif key == "persistentVolumeClaim" and "volumes" in at:
            yield at, _Reference("PersistentVolumeClaim", text(value, "claimName"), "volume")


def _rclone(manifest: Json, at: tuple[str | int, ...]) -> tuple[str, ...]:
    """The variable of rclone that says what a remote is: `mys3:bucket` needs that of MYS3."""
    remote, colon, rest = text(part(manifest, *at[:-1]), "modelUri").partition(":")
    if not colon or rest.startswith("//"):
        return ()
    return (f"RCLONE_CONFIG_{remote.upper()}_TYPE",)


def _reference(asked: Asked, namespace: str, wanted: _Reference) -> Said:
    found = asked.find("v1", wanted.kind, namespace, wanted.name)
    if found is None:
        if asked.get(f"/api/v1/namespaces/{namespace}") is None:
            return Said("unknown", "its namespace is not there yet")
        if wanted.is_optional:
            return Said("ok", "not there, and optional")
        return missing(f"{wanted.kind} {wanted.name}", namespace)
    if not isinstance(part(found, "data") or {}, Mapping):
        return Said("unknown", f"there, and its data is no map: {wanted.kind}s hold keys in one")
    held = set(mapping(found, "data"))
    if wanted.kind == "PersistentVolumeClaim":
        phase = text(found, "status", "phase")
        return Said("warning" if phase == "Lost" else "ok", f"there, {phase or 'no phase yet'}")
    keys = wanted.keys
    if wanted.scheme:
        credentials = _credentials(asked)
        if (read := text(credentials, "storageSecretNameAnnotation")) not in _NAMES:
            told = f"KServe reads the secret's name from {read or 'no annotation'} in this cluster"
            hint = "set storageSecretNameAnnotation in inferenceservice-config to one of these"
            return Said("warning", f"{told}, not from {' or '.join(_NAMES)}", hint)
        keys = _keys(credentials, wanted.scheme)
    lacking = [key for key in keys if key not in held]
    if lacking and wanted.what == "storage":
        told = f"has no key {' nor '.join(lacking)}; it has {', '.join(sorted(held)) or 'no keys'}"
        return Said("warning", told, "admin/storage-secret.sh of the render makes it")
    if lacking:
        told = f"has no key {' nor '.join(lacking)}; it has {', '.join(sorted(held)) or 'no keys'}"
        return Said("failed", told)
    if wanted.kind == "ServiceAccount":
        secrets = [text(item, "name") for item in listed(found, "secrets")]
        return Said("ok", f"there, with secrets {', '.join(secrets)}" if secrets else "there")
    return Said("ok", f"there, with {', '.join(keys)}" if keys else "there")


def _credentials(asked: Asked) -> Json:
    """How KServe finds secrets and their keys; as it is shipped where it cannot be read."""
    try:
        found = kserve_config(asked, "credentials")
    except (Refused, Unanswered):
        found = None
    return found or {"storageSecretNameAnnotation": _STORAGE_SECRET}


def _keys(credentials: Json, scheme: str) -> tuple[str, ...]:
    """The keys that KServe looks for in a secret."""
    section = _SECTIONS.get(scheme, "")
    return tuple(text(credentials, section, name) or key for name, key in _KEYS.get(scheme, ()))
