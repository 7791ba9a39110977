"""`gen cluster check` against a server that speaks the real API's wire format."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from api_server import ApiServer, Reply, Request, failure
from ran import Ran
from setting import SPEC, named

from generator import pipeline

Cluster = Callable[..., Ran]
WEBHOOK = (
    'admission webhook "inferenceservice.kserve-webhook-server.validator" denied the request:'
    " runtime digits-triton is disabled"
)


def line(ran: Ran, check: str) -> str:
    """The lines of the one finding of a check, spaces folded."""
    lines = ran.out.splitlines()
    [start] = [n for n, text in enumerate(lines) if text.split()[1:2] == [check]]
    rest = (n for n in range(start + 1, len(lines)) if not lines[n].startswith(" "))
    return " ".join(" ".join(lines[start : next(rest, len(lines))]).split())


def change(spec: Path, old: str, new: str) -> None:
    assert old in SPEC
    spec.write_text(SPEC.replace(old, new), encoding="utf-8")


def test_everything_in_place_is_ok(cluster: Cluster) -> None:
    ran = cluster("check")

    assert ran.status == 0
    assert {text.split()[0] for text in ran.out.splitlines()} == {"ok"}
    assert ran.err.endswith("15 ok\n")


def test_nothing_is_sent_that_a_server_would_store(api: ApiServer, cluster: Cluster) -> None:
    cluster("check")

    sent = {(r.method, r.query.get("dryRun"), r.path.split("/")[-1]) for r in api.requests}
    others = {each for each in sent if each[0] != "GET"}
    assert others == {
        ("PATCH", "All", "digits"),
        ("PATCH", "All", "digits-triton"),
        ("POST", None, "selfsubjectaccessreviews"),
    }


def test_dry_runs_are_strict_and_take_over_nothing(api: ApiServer, cluster: Cluster) -> None:
    cluster("check", "--field-manager", "argocd-controller")

    [query] = {tuple(r.query.items()) for r in api.requests if r.method == "PATCH"}
    assert dict(query) == {
        "dryRun": "All",
        "fieldManager": "argocd-controller",
        "fieldValidation": "Strict",
    }


def test_a_field_that_the_cluster_does_not_know_is_pointed_at(
    api: ApiServer, cluster: Cluster
) -> None:
    message = (
        "failed to create typed patch object (models/digits; serving.kserve.io/v1beta1,"
        " Kind=InferenceService): .spec.predictor.model.protocolVersion: field not declared in"
        " schema"
    )
    api.faults.append(only("PATCH", "/digits", failure(500, "", message)))

    ran = cluster("check")

    assert ran.status == 1
    told = [text for text in ran.out.splitlines() if text.startswith("failed")]
    assert len(told) == 1
    assert "field not declared in schema" in told[0]
    rendered = line_of("protocolVersion")
    assert f"inferenceservice.yaml:{rendered}" in ran.out


def line_of(key: str) -> int:
    """The line of the rendered service on which a key stands."""
    build = pipeline.build("digits.yaml", SPEC.encode(), Path.cwd())
    [text] = [f.text for f in build.files if f.path.name == "inferenceservice.yaml"]
    return next(n for n, each in enumerate(text.splitlines(), 1) if key in each)


def only(method: str, end: str, reply: Reply) -> Callable[[Request], Reply | None]:
    """The same answer to every request of a kind."""
    return lambda r: reply if r.method == method and r.path.endswith(end) else None


def test_a_refusal_by_a_webhook_is_told_word_for_word(api: ApiServer, cluster: Cluster) -> None:
    api.webhooks.append(
        lambda manifest: WEBHOOK if manifest["kind"] == "InferenceService" else None
    )

    ran = cluster("check")

    assert ran.status == 1
    assert WEBHOOK in ran.out


def test_a_webhook_that_cannot_be_reached_leaves_it_open(api: ApiServer, cluster: Cluster) -> None:
    message = (
        'Internal error occurred: failed calling webhook "inferenceservice.kserve-webhook-server'
        '.defaulter": failed to call webhook: Post "https://kserve-webhook-server-service.kserve'
        '.svc:443/mutate?timeout=10s": no endpoints available for service'
    )
    api.faults.append(only("PATCH", "/digits", failure(500, "InternalError", message)))

    ran = cluster("check")

    assert ran.status == 2
    assert "no endpoints available for service" in ran.out
    assert "14 ok, 1 could not be told" in ran.err


def test_a_webhook_with_side_effects_leaves_it_open(api: ApiServer, cluster: Cluster) -> None:
    """Such a webhook is not called in a dry run, and the server says so with 400."""
    message = 'admission webhook "sidecar.example.com" does not support dry run'
    api.faults.append(only("PATCH", "/digits", failure(400, "BadRequest", message)))

    ran = cluster("check")

    assert ran.status == 2
    assert message in ran.out


@pytest.mark.parametrize("code", [400, 422, 500])
def test_a_malformed_manifest_is_a_refusal_whatever_its_code(
    api: ApiServer, cluster: Cluster, code: int
) -> None:
    message = "failed to create typed patch object (a/b; v1, Kind=X): .spec.foo: field not declared"
    api.faults.append(only("PATCH", "/digits", failure(code, "", message)))

    assert cluster("check").status == 1


def test_invalid_values_are_told_with_their_causes(api: ApiServer, cluster: Cluster) -> None:
    causes = [
        {
            "reason": "FieldValueInvalid",
            "message": "must be 1 or more",
            "field": "spec.containers[0]",
        }
    ]
    message = 'ServingRuntime.serving.kserve.io "digits-triton" is invalid: spec.containers[0]: no'
    reply = failure(422, "Invalid", message, causes)
    api.faults.append(only("PATCH", "/digits-triton", reply))

    ran = cluster("check")

    assert ran.status == 1
    assert "servingruntime.yaml:" in ran.out


def test_conflicts_name_their_managers(api: ApiServer, cluster: Cluster, spec: Path) -> None:
    cluster("check")
    [sent] = {json.dumps(r.body) for r in api.requests if r.path.endswith("/digits")}
    theirs = json.loads(sent)
    theirs["spec"]["predictor"]["minReplicas"] = 4
    api.apply(theirs, "argocd-controller")

    ran = cluster("check")

    assert ran.status == 0
    assert 'conflict with "argocd-controller" using serving.kserve.io/v1beta1' in ran.out
    assert ".spec.predictor.minReplicas" in ran.out
    assert cluster("check", "--strict").status == 1


def test_warnings_of_the_server_are_warnings(api: ApiServer, cluster: Cluster) -> None:
    api.warnings = ['would violate PodSecurity \\"restricted:latest\\": runAsNonRoot != true']

    ran = cluster("check")

    assert ran.status == 0
    assert 'with a warning: would violate PodSecurity "restricted:latest"' in ran.out


def test_a_namespace_that_is_not_there_is_told_once(api: ApiServer, cluster: Cluster) -> None:
    del api.objects["v1/namespaces", "", "models"]

    ran = cluster("check")

    assert ran.status == 1
    assert "help: kubectl create namespace models" in line(ran, "namespace")
    assert ran.out.count("failed") == 1 + ran.out.count("failed  pull-secret")


def test_pod_security_of_the_namespace_is_named(api: ApiServer, cluster: Cluster) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    api.objects["v1/namespaces", "", "models"]["metadata"]["labels"] = labels

    assert "there; pod security restricted" in line(cluster("check"), "namespace")


def test_where_restricted_is_enforced_the_storage_initializer_has_to_meet_it(
    api: ApiServer, cluster: Cluster
) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    api.objects["v1/namespaces", "", "models"]["metadata"]["labels"] = labels
    kind = "ClusterStorageContainer"
    api.add(named(kind, "default", version="serving.kserve.io/v1alpha1", spec={}))
    assert line(cluster("check"), "pod-security").startswith("warning")

    held = {"container": {"securityContext": {"runAsNonRoot": True}}}
    api.add(named(kind, "default", version="serving.kserve.io/v1alpha1", spec=held))
    assert line(cluster("check"), "pod-security").startswith("ok")


def test_where_restricted_is_enforced_an_image_is_mounted_by_the_patch_of_the_page(
    api: ApiServer, cluster: Cluster, spec: Path
) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    api.objects["v1/namespaces", "", "models"]["metadata"]["labels"] = labels
    page = (Path(__file__).parents[2] / "docs" / "security.md").read_text(encoding="utf-8")
    [patched] = [part for part in re.findall(r"```yaml\n(.*?)```", page, re.S) if "oci://" in part]
    storage = patched.split("    patches:")[0]
    shared = spec.read_text().split("storage:")[0] + "kubernetes: {namespace: models}\n"
    spec.write_text(shared + storage)
    ran = cluster("check")
    assert line(ran, "pod-security").startswith("warning")
    assert "a patch of the spec's sets storageUri to oci+native://" in ran.out

    spec.write_text(shared + patched)
    assert line(cluster("check"), "pod-security").startswith("ok")


def test_where_argo_cd_runs_elsewhere_its_manifests_are_left_out(
    api: ApiServer, cluster: Cluster
) -> None:
    """The namespace argocd is not there either: nothing of it is looked for."""
    shipped = Path(__file__).parents[2] / "specs" / "variants" / "argo-cd.yaml"

    ran = cluster("check", of=shipped)

    assert ran.status == 0
    assert "Argo CD may run in another cluster" in ran.out
    assert "argocd" not in ran.out


def test_each_environment_is_tried_by_its_own_manifests(api: ApiServer, cluster: Cluster) -> None:
    shipped = Path(__file__).parents[2] / "specs" / "variants" / "argo-cd.yaml"

    ran = cluster("check", of=shipped)

    tried = [r.path for r in api.requests if r.method == "PATCH" and r.path.endswith("/argo-cd")]
    assert len(tried) == 3
    for environment in ("staging", "production", "hydrated"):
        assert f"InferenceService models/argo-cd of {environment}" in ran.out


def test_a_kind_that_is_not_installed_fails(api: ApiServer, cluster: Cluster) -> None:
    del api.resources["serving.kserve.io/v1beta1"]

    ran = cluster("check")

    assert ran.status == 1
    told = "failed kind InferenceService serving.kserve.io/v1beta1"
    assert told in " ".join(ran.out.split())
    assert "help: served are serving.kserve.io/v1alpha1" in ran.out


@pytest.mark.parametrize(
    ("schema", "verdict", "told"),
    [
        (
            {"properties": {"spec": {"x-kubernetes-preserve-unknown-fields": True}}},
            "warning",
            "a typo in a manifest is taken in silence",
        ),
        (
            {"properties": {"spec": {"properties": {"predictor": {"type": "object"}}}}},
            "ok",
            "served, not with the fields of kserve 0.20.0",
        ),
    ],
)
def test_the_definition_of_a_kind_is_looked_at(
    api: ApiServer, cluster: Cluster, schema: object, verdict: str, told: str
) -> None:
    versions = [{"name": "v1beta1", "schema": {"openAPIV3Schema": schema}}]
    name = "inferenceservices.serving.kserve.io"
    version = "apiextensions.k8s.io/v1"
    api.add(named("CustomResourceDefinition", name, "", version, spec={"versions": versions}))

    ran = cluster("check")

    assert ran.status == 0
    assert told in ran.out
    assert any(text.startswith(verdict) for text in ran.out.splitlines() if told in text)


@pytest.mark.parametrize(
    ("kind", "name", "check"),
    [
        ("secrets", "s3-reader", "storage"),
        ("secrets", "registry", "pull-secret"),
        ("serviceaccounts", "models", "account"),
    ],
)
def test_what_a_manifest_names_has_to_be_there(
    api: ApiServer, cluster: Cluster, kind: str, name: str, check: str
) -> None:
    del api.objects[f"v1/{kind}", "models", name]

    ran = cluster("check")

    assert ran.status == 1
    assert line(ran, check).startswith(f"failed {check}")
    assert f"{name} in models" in line(ran, check)


def test_a_storage_secret_without_the_keys_of_its_scheme_is_a_warning(
    api: ApiServer, cluster: Cluster
) -> None:
    api.objects["v1/secrets", "models", "s3-reader"]["data"] = {"AWS_ACCESS_KEY_ID": "c2VjcmV0"}

    ran = cluster("check")

    assert ran.status == 0
    assert "has no key AWS_SECRET_ACCESS_KEY; it has AWS_ACCESS_KEY_ID" in line(ran, "storage")
    assert "c2VjcmV0" not in ran.out


def test_the_keys_and_the_annotation_are_those_that_kserve_is_set_to(
    api: ApiServer, cluster: Cluster
) -> None:
    """The Helm charts of KServe read the secret's name from another annotation."""
    config = api.objects["v1/configmaps", "kserve", "inferenceservice-config"]["data"]
    names = {"s3AccessKeyIDName": "id", "s3SecretAccessKeyName": "key"}
    annotation = "serving.kserve.io/storageSecretName"
    config["credentials"] = json.dumps({"storageSecretNameAnnotation": annotation, "s3": names})
    assert "has no key id nor key" in line(cluster("check"), "storage")

    config["credentials"] = json.dumps({"storageSecretNameAnnotation": "acme.org/secret"})
    told = line(cluster("check"), "storage")
    assert told.startswith("warning")
    assert "KServe reads the secret's name from acme.org/secret in this cluster" in told


def test_a_right_that_is_lacking_fails_and_leaves_the_dry_run_open(
    api: ApiServer, cluster: Cluster
) -> None:
    api.denied = {("patch", "inferenceservices")}

    ran = cluster("check")

    assert ran.status == 1
    assert "you may not patch inferenceservices in models" in ran.out
    assert 'User "ci" cannot patch resource' in ran.out


def test_what_may_not_be_read_could_not_be_told(api: ApiServer, cluster: Cluster) -> None:
    api.denied = {("get", "secrets")}

    ran = cluster("check")

    assert ran.status == 0
    assert line(ran, "storage").startswith("unknown storage Secret models/s3-reader")
    assert "docs/live-cluster.md" in ran.out
    assert cluster("check", "--strict").status == 2


def test_a_quota_that_is_used_up_is_a_refusal_not_a_lack_of_rights(
    api: ApiServer, cluster: Cluster
) -> None:
    message = 'inferenceservices "digits" is forbidden: exceeded quota: models, requested: count=1'
    api.faults.append(only("PATCH", "/digits", failure(403, "Forbidden", message)))

    assert cluster("check").status == 1


def test_a_release_other_than_the_specs_is_a_warning(
    api: ApiServer, cluster: Cluster, spec: Path
) -> None:
    api.version = "v1.33.4+k3s1"
    change(spec, "{namespace: models,", "{namespace: models, releases: {kubernetes: '1.34'},")

    told = line(cluster("check"), "version")

    assert told.startswith("warning version")
    assert "runs v1.33.4+k3s1, the spec says 1.34" in told


def test_knative_has_to_be_there_for_its_mode(api: ApiServer, cluster: Cluster, spec: Path) -> None:
    change(spec, "deployment_mode: Standard", "deployment_mode: Knative")
    del api.resources["serving.knative.dev/v1"]

    ran = cluster("check")

    assert ran.status == 1
    assert "Knative Serving is not in this cluster" in line(ran, "deployment-mode")


def test_knatives_flags_and_registries_are_looked_at(
    api: ApiServer, cluster: Cluster, spec: Path
) -> None:
    change(spec, "deployment_mode: Standard", "deployment_mode: Knative")
    spec.write_text(spec.read_text().replace("models,", "models, node_selector: {disk: ssd},", 1))
    api.add(named("ConfigMap", "config-features", "knative-serving", data={}))
    api.add(named("ConfigMap", "config-deployment", "knative-serving", data={}))

    ran = cluster("check")

    assert ran.status == 1
    assert "disabled, and the service sets nodeSelector" in ran.out
    assert "knative-flag kubernetes.podspec-volumes-emptydir enabled" in " ".join(ran.out.split())
    assert line(ran, "registry").startswith("failed registry nvcr.io")

    for name, data in (
        ("config-features", {"kubernetes.podspec-nodeselector": "enabled"}),
        ("config-deployment", {"registries-skipping-tag-resolving": "dev.local,nvcr.io"}),
    ):
        api.objects["v1/configmaps", "knative-serving", name]["data"] = data

    assert line(cluster("check"), "registry").startswith("ok registry")


def test_seldons_server_has_to_be_registered(api: ApiServer, cluster: Cluster) -> None:
    shipped = Path(__file__).parents[2] / "specs" / "imagenet.yaml"
    ran = cluster_of(cluster, shipped)
    assert "unknown  seldon-server" in ran.out

    servers = {"SKLEARN_SERVER": {"protocols": {"seldon": {"image": "a/b"}}}}
    data = {"predictor_servers": json.dumps(servers)}
    api.add(named("ConfigMap", "seldon-config", "seldon-system", data=data))
    ran = cluster_of(cluster, shipped)
    assert "does not have it in predictor_servers; it has SKLEARN_SERVER" in ran.out

    servers["TORCH_SERVER"] = {
        "protocols": {"seldon": {"image": "a/b", "defaultImageVersion": "1"}}
    }
    held = api.objects["v1/configmaps", "seldon-system", "seldon-config"]
    held["data"] = {"predictor_servers": json.dumps(servers)}
    assert "registered, a/b:1" in line(cluster_of(cluster, shipped), "seldon-server")


def cluster_of(cluster: Cluster, spec: Path) -> Ran:
    return cluster("check", "--target", "seldon", of=spec)


def test_json_has_every_finding_and_the_status(api: ApiServer, cluster: Cluster) -> None:
    del api.objects["v1/secrets", "models", "registry"]

    ran = cluster("check", "--format", "json")

    held = json.loads(ran.out)
    assert ran.status == held["summary"]["status"] == 1
    [failed] = [each for each in held["findings"] if each["verdict"] == "failed"]
    assert failed["check"] == "pull-secret"
    assert failed["place"].startswith("digits/triton/manifests/inferenceservice.yaml:")


def test_a_spec_without_a_namespace_goes_to_that_of_the_context(
    api: ApiServer, cluster: Cluster, spec: Path
) -> None:
    change(spec, "namespace: models, ", "")

    cluster("check")

    [path] = {r.path for r in api.requests if r.method == "PATCH" and r.path.endswith("/digits")}
    assert "/namespaces/default/" in path


def test_a_spec_with_errors_is_told_and_nothing_is_asked(
    api: ApiServer, cluster: Cluster, spec: Path
) -> None:
    change(spec, "spec_version: 1", "spec_version: 2")

    ran = cluster("check")

    assert ran.status == 2
    assert "no spec was rendered" in ran.err
    assert api.requests == []


@pytest.mark.parametrize(
    ("check", "key", "text"),
    [
        ("deployment-mode", "deploy", "{not json"),
        ("deployment-mode", "deploy", ""),
        ("deployment-mode", "deploy", "{}"),
        ("deployment-mode", "deploy", '{"defaultDeploymentMode": "Fast"}'),
        ("ingress", "ingress", "[1]"),
        ("storage", "credentials", "{"),
    ],
)
def test_a_configuration_that_kserve_cannot_read_fails(
    api: ApiServer, cluster: Cluster, check: str, key: str, text: str
) -> None:
    config = api.objects["v1/configmaps", "kserve", "inferenceservice-config"]
    config["data"][key] = text

    ran = cluster("check")

    assert ran.status == 1
    assert line(ran, check).startswith("failed")


def test_a_review_that_says_nothing_is_no_denial(api: ApiServer, cluster: Cluster) -> None:
    api.faults.append(lambda r: Reply(201, {**r.body}) if r.method == "POST" else None)

    ran = cluster("check")

    assert ran.status == 0
    rights = [each for each in ran.out.splitlines() if each.split()[1:2] == ["rights"]]
    assert {each.split()[0] for each in rights} == {"unknown"}
    assert "the server does not say whether you may create inferenceservices" in ran.out


@pytest.mark.parametrize(
    ("data", "told"), [({}, "it has no keys"), ("broken", "its data is no map")]
)
def test_a_secret_without_keys_is_told(
    api: ApiServer, cluster: Cluster, data: object, told: str
) -> None:
    api.objects["v1/secrets", "models", "registry"]["data"] = data

    assert told in line(cluster("check"), "pull-secret")
