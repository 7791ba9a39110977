"""Check names, labels and annotations, whose rules no schema tells."""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from msgspec import Struct

from generator.diagnostics import Severity, shown


class Refusal(Struct, frozen=True):
    """Where in a manifest, and what would be said of it.

    `rule` is the name of what refuses, area and all; a warning is taken, and then ineffective or
    rewritten. `related` are other places that this one contradicts, and what each says; a place
    without a file is of the same.
    """

    path: tuple[str | int, ...]
    message: str
    hint: str = ""
    rule: str = ""
    severity: Severity = "error"
    related: tuple[tuple[PurePosixPath | None, tuple[str | int, ...], str], ...] = ()


class Form(Struct, frozen=True):
    """What a name may look like: apimachinery, pkg/util/validation/validation.go."""

    title: str
    pattern: str
    longest: int
    hint: str


SUBDOMAIN = Form(
    "DNS-1123 subdomain",
    r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*",
    253,
    "use lower-case letters, digits, `-` and `.`, with a letter or digit at both ends",
)
LABEL = Form(
    "DNS-1123 label",
    r"[a-z0-9]([-a-z0-9]*[a-z0-9])?",
    63,
    "use lower-case letters, digits and `-`, with a letter or digit at both ends",
)
SERVICE_LABEL = Form(
    "DNS-1035 label",
    r"[a-z]([-a-z0-9]*[a-z0-9])?",
    63,
    "use lower-case letters, digits and `-`, with a letter first and no `-` last",
)
JOB_NAME = Form("DNS-1123 subdomain", SUBDOMAIN.pattern, 63, SUBDOMAIN.hint)  # becomes a label
# pkg/apis/rbac/validation: `system:reader` is the name of a role.
SEGMENT = Form(
    "path segment name",
    r"(?!\.\.?$)[^/%]+",
    253,
    "leave `/` and `%` out; `.` and `..` are no names",
)
LABEL_VALUE = Form(
    "label value",
    r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?",
    63,
    "use letters, digits, `-`, `_` and `.`, with a letter or digit at both ends",
)
KEY_NAME = Form(
    "label or annotation name", r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]", 63, LABEL_VALUE.hint
)

# Kinds whose names are narrower than a subdomain, by API group.
NAMES = {
    ("", "Namespace"): LABEL,
    ("", "Service"): SERVICE_LABEL,
    ("batch", "Job"): JOB_NAME,
    ("rbac.authorization.k8s.io", "ClusterRole"): SEGMENT,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): SEGMENT,
    ("rbac.authorization.k8s.io", "Role"): SEGMENT,
    ("rbac.authorization.k8s.io", "RoleBinding"): SEGMENT,
    ("serving.knative.dev", "Service"): SERVICE_LABEL,
    ("serving.kserve.io", "InferenceService"): SERVICE_LABEL,
    ("serving.kserve.io", "InferenceGraph"): SERVICE_LABEL,
    ("serving.kserve.io", "TrainedModel"): SERVICE_LABEL,
}

# Where maps of labels and of annotations stand in the kinds we render; `*` is every element.
LABELS = (
    ("metadata", "labels"),
    ("spec", "labels"),
    ("spec", "selector", "matchLabels"),
    ("spec", "template", "metadata", "labels"),
    ("spec", "predictor", "labels"),
    ("spec", "predictors", "*", "componentSpecs", "*", "metadata", "labels"),
    ("spec", "predictors", "*", "labels"),
    ("spec", "transformer", "labels"),
    ("commonLabels",),
    ("generatorOptions", "labels"),
    ("labels", "*", "pairs"),
)
ANNOTATIONS = (
    ("metadata", "annotations"),
    ("spec", "annotations"),
    ("spec", "template", "metadata", "annotations"),
    ("spec", "predictor", "annotations"),
    ("spec", "predictors", "*", "annotations"),
    ("spec", "predictors", "*", "componentSpecs", "*", "metadata", "annotations"),
    ("spec", "transformer", "annotations"),
    ("commonAnnotations",),
    ("generatorOptions", "annotations"),
)
KUSTOMIZE = ("Kustomization", "Component")  # read by kustomize alone: they need no name
MOST_ANNOTATION_BYTES = 262_144


def name_refusals(manifest: Mapping[str, object]) -> Iterator[Refusal]:
    """What is wrong with the names, labels and annotations of a manifest."""
    metadata = manifest.get("metadata")
    if isinstance(metadata, Mapping) and manifest.get("kind") not in KUSTOMIZE:
        yield from _own_names(metadata, _form_of_name(manifest))
    own = _without_templates(manifest)
    for pointer in _begun(own, LABELS):
        for path, labels in _maps(own, pointer, ()):
            for key, value in labels.items():
                yield from _key(key, (*path, key))
                yield from _text(value, LABEL_VALUE, (*path, key))
    for pointer in _begun(own, ANNOTATIONS):
        for path, annotations in _maps(own, pointer, ()):
            for key in annotations:
                yield from _key(key, (*path, key))
            yield from _annotation_size(annotations, path)


def _without_templates(manifest: Mapping[str, object]) -> Mapping[str, object]:
    """The manifest without what its controller fills in before it is one: `app: '{{name}}'`."""
    spec = manifest.get("spec")
    if manifest.get("kind") != "ApplicationSet" or not isinstance(spec, Mapping):
        return manifest
    return {**manifest, "spec": {key: value for key, value in spec.items() if key != "template"}}


def _form_of_name(manifest: Mapping[str, object]) -> Form:
    group = str(manifest.get("apiVersion", "")).rpartition("/")[0]
    return NAMES.get((group, str(manifest.get("kind", ""))), SUBDOMAIN)


def _own_names(metadata: Mapping[str, object], form: Form) -> Iterator[Refusal]:
    if not metadata.get("name") and not metadata.get("generateName"):
        yield Refusal(("metadata",), "required field `name` is missing")
    elif metadata.get("name"):
        yield from _text(metadata["name"], form, ("metadata", "name"))
    if metadata.get("namespace"):
        yield from _text(metadata["namespace"], LABEL, ("metadata", "namespace"))


def _text(value: object, form: Form, path: tuple[str | int, ...]) -> Iterator[Refusal]:
    """At most one refusal of a text; the schema tells what is no text at all."""
    if not isinstance(value, str):
        return
    if len(value) > form.longest:
        message = f"`{value[:30]}...` has {len(value)} characters, the most is {form.longest}"
        yield Refusal(path, message, "shorten it")
    elif not re.fullmatch(form.pattern, value):
        yield Refusal(path, f"`{shown(value)}` is not a {form.title}", form.hint)


def _key(key: object, path: tuple[str | int, ...]) -> Iterator[Refusal]:
    """Keys are `name` or `domain/name`."""
    if not isinstance(key, str):
        return
    domain, slash, name = key.rpartition("/")
    if slash:
        yield from _text(domain.lower(), SUBDOMAIN, path)
    yield from _text(name, KEY_NAME, path)


def _annotation_size(
    annotations: Mapping[str, object], path: tuple[str | int, ...]
) -> Iterator[Refusal]:
    size = sum(len(f"{key}{value}".encode()) for key, value in annotations.items())
    if size > MOST_ANNOTATION_BYTES:
        yield Refusal(
            path,
            f"annotations of {size} bytes, the most is {MOST_ANNOTATION_BYTES}",
            "keep long text in a ConfigMap",
        )


def _begun(
    manifest: Mapping[str, object], pointers: tuple[tuple[str, ...], ...]
) -> Iterator[tuple[str, ...]]:
    """Those pointers that may lead anywhere: their first two keys do. Of most manifests few."""
    for pointer in pointers:
        held = manifest.get(pointer[0])
        if isinstance(held, dict) and len(pointer) > 1:
            if pointer[1] in held:
                yield pointer
        elif held is not None:
            yield pointer


def _maps(
    value: object, pointer: tuple[str, ...], path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], Mapping[str, object]]]:
    """The maps that a pointer leads to."""
    if not pointer:
        if isinstance(value, Mapping):
            yield path, value
    elif pointer[0] == "*" and isinstance(value, list):
        for index, element in enumerate(value):
            yield from _maps(element, pointer[1:], (*path, index))
    elif isinstance(value, Mapping) and pointer[0] in value:
        yield from _maps(value[pointer[0]], pointer[1:], (*path, pointer[0]))
