"""What a cluster runs decides what its manifests are held against."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator import core_kinds, kinds, schema
from generator.cluster import cluster_of
from generator.diagnostics import CannotRun
from generator.kinds import RELEASES, STOCK, UnknownCluster, cluster, foreign, known, refusals
from generator.releases import schema_files
from generator.source import load
from generator.validate import validate

Manifest = dict[str, Any]
KINDS: list[Manifest] = yaml.safe_load((Path(__file__).parent / "data/kinds.yaml").read_text())
KUBERNETES = RELEASES["kubernetes"]
OVEN = {
    "additionalProperties": False,
    "properties": {
        "apiVersion": {"enum": ["kitchen.example.com/v1"]},
        "kind": {"enum": ["Oven"]},
        "metadata": {"type": "object"},
        "spec": {"$ref": "#/definitions/spec"},
    },
    "definitions": {"spec": {"type": "object", "properties": {"heat": {"type": "string"}}}},
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "type": "object",
}
SPEC = """\
spec_version: 1
name: one
model:
  program: model.pt
  inputs: [{name: image, dtype: float32, shape: [N, 3, 32, 32]}]
  outputs: [{name: logits, dtype: float32, shape: [N, 2]}]
storage: {uri: s3://bucket/models}
targets: {triton: {}}
"""


def named(manifest: Manifest) -> str:
    return f"{manifest['apiVersion']} {manifest['kind']}"


def changed(name: str, **more: object) -> Manifest:
    """The good manifest of a kind and its version, with more in its spec."""
    manifest = next(each for each in KINDS if named(each) == name)
    return manifest | {"spec": manifest["spec"] | more}


def messages(manifest: Manifest, *words: str) -> list[str]:
    return [refusal.message for refusal in refusals(manifest, cluster(words))]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder as `gen crds` makes it."""
    folder = tmp_path / "crds"
    folder.mkdir()
    (folder / "kitchen.example.com_v1_Oven.json").write_text(json.dumps(OVEN))
    return folder


def oven(**spec: object) -> Manifest:
    meta = {"name": "one"}
    return {"apiVersion": "kitchen.example.com/v1", "kind": "Oven", "metadata": meta, "spec": spec}


# What is shipped


def test_every_shipped_kind_has_a_good_manifest() -> None:
    held = {(each["apiVersion"], each["kind"]) for each in KINDS}

    assert held == set(schema_files(STOCK)) - {kinds.METADATA}


@pytest.mark.parametrize("manifest", KINDS, ids=named)
def test_accepts_a_good_manifest(manifest: Manifest) -> None:
    assert list(refusals(manifest)) == []


@pytest.mark.parametrize("manifest", KINDS, ids=named)
def test_refuses_a_typo_at_the_top_and_in_the_spec(manifest: Manifest) -> None:
    (at_the_top,) = refusals(manifest | {"metadta": {}})

    assert at_the_top.path == ("metadta",)
    assert at_the_top.hint == "did you mean `metadata`?"
    if "spec" in manifest:
        (in_the_spec,) = refusals(manifest | {"spec": manifest["spec"] | {"repplicas": 1}})
        assert (in_the_spec.path, in_the_spec.message) == (
            ("spec", "repplicas"),
            "unknown field `repplicas`",
        )


@pytest.mark.parametrize("release", KUBERNETES)
def test_every_kubernetes_release_accepts_the_good_manifests(release: str) -> None:
    chosen = cluster([f"kubernetes={release}"])

    assert [refusal for each in KINDS for refusal in refusals(each, chosen)] == []


# What releases differ in


@pytest.mark.parametrize(
    ("name", "more", "first"),
    [
        # https://kubernetes.io/docs/reference/command-line-tools-reference/feature-gates/
        ("v1 Pod", {"resources": {"limits": {"cpu": 1}}}, "1.32"),  # PodLevelResources
        ("v1 Pod", {"hostnameOverride": "a"}, "1.34"),  # HostnameOverride
        (
            "autoscaling/v2 HorizontalPodAutoscaler",
            {"behavior": {"scaleDown": {"tolerance": "0.05"}}},
            "1.33",  # HPAConfigurableTolerance
        ),
    ],
)
def test_a_field_is_refused_by_the_releases_before_its_own(
    name: str, more: Manifest, first: str
) -> None:
    manifest = changed(name, **more)
    releases = [release.removesuffix(".0") for release in KUBERNETES]

    taking = [each for each in releases if not messages(manifest, f"kubernetes={each}")]

    assert taking == releases[releases.index(first) :]


def test_a_field_of_a_later_release_is_told_with_the_first_that_takes_it() -> None:
    manifest = changed("v1 Pod", hostnameOverride="a", hostnam="b")

    older, misspelt = refusals(manifest, cluster(["kubernetes=1.31"]))

    assert older.hint == "kubernetes 1.34 takes it, this cluster runs an older one"
    assert misspelt.hint == "did you mean `hostname`?"


def test_a_kind_of_a_clusters_own_has_no_later_release(own: Path) -> None:
    chosen = cluster(["kubernetes=1.30"], own)

    (refusal,) = refusals(oven(heat=1), chosen)

    assert refusal.hint == 'quote it: `"1"`'


@pytest.mark.parametrize(
    "word", ["1.34", "v1.34", "1.34.0", "1.34.7", "v1.34.7+k3s1", "1.34.5-gke.1"]
)
def test_any_patch_of_kubernetes_is_its_minor_version(word: str) -> None:
    assert cluster([f"kubernetes={word}"]) == cluster(["kubernetes=1.34"])


def test_without_words_a_cluster_runs_the_newest() -> None:
    assert cluster() == STOCK
    assert cluster(["kubernetes=1.37"]) == STOCK


@pytest.mark.parametrize(
    ("word", "message", "hint"),
    [
        ("kubernetes=1.3", "the schemas of kubernetes 1.3 are not known", "known: 1.30, 1.31, "),
        ("kubernetes=1", "the schemas of kubernetes 1 are not known", "known: 1.30, 1.31, "),
        ("kserve=0.11", "the schemas of kserve 0.11 are not known", "known: 0.20.0; of others"),
        ("kserv=0.20.0", "no releases of `kserv` are known", "did you mean `kserve`?"),
        ("istio=1.2", "no releases of `istio` are known", "known: argo-cd, keda, "),
        ("1.34", "`1.34` is no release", "write it as kubernetes=1.34"),
    ],
)
def test_an_unknown_release_is_told_with_the_known_ones(word: str, message: str, hint: str) -> None:
    with pytest.raises(UnknownCluster) as refused:
        cluster([word])

    assert refused.value.message == message
    assert refused.value.hint.startswith(hint)
    assert str(refused.value) == f"{message}; {refused.value.hint}"


# A cluster's own kinds


def test_kinds_of_a_folder_are_known_with_it_alone(own: Path) -> None:
    chosen = cluster(folder=own)

    assert known("kitchen.example.com/v1", "Oven", chosen)
    assert not known("kitchen.example.com/v1", "Oven")
    assert list(refusals(oven(heat="high"), chosen)) == []
    (refusal,) = refusals(oven(heat=1), chosen)
    assert refusal.message == "`1` is a whole number, expected a string"


def test_kinds_of_a_folder_win_over_ours(own: Path) -> None:
    shutil.copy(
        own / "kitchen.example.com_v1_Oven.json", own / "keda.sh_v1alpha1_ScaledObject.json"
    )

    found = list(refusals(changed("keda.sh/v1alpha1 ScaledObject"), cluster(folder=own)))

    assert found[0].path == ("apiVersion",)


def test_a_folder_without_schemas_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnknownCluster, match=r"there is no folder `.*nowhere`; make it: kubectl"):
        cluster(folder=tmp_path / "nowhere")
    with pytest.raises(UnknownCluster, match="there are no schemas in"):
        cluster(folder=tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "<<<<<<< HEAD\n{",
        "[]",
        '{"properties": {"spec": {"$ref": "#/definitions/gone"}}}',
        '{"properties": {"spec": {"$ref": "gone.json#/definitions/spec"}}}',
        '{"properties": {"of no oven here": {"$ref": "#/definitions/gone"}}}',
    ],
)
def test_a_schema_that_was_broken_by_hand_is_told(own: Path, text: str) -> None:
    (own / "kitchen.example.com_v1_Oven.json").write_text(text)

    with pytest.raises(CannotRun, match="make it anew with gen crds"):
        list(refusals(oven(), cluster(folder=own)))


def test_a_field_may_be_called_like_a_keyword(own: Path) -> None:
    fields = {"$ref": {"type": "string"}, "definitions": {"$ref": "#/definitions/spec"}}
    whole = {**OVEN, "properties": {**OVEN["properties"], "spec": {"properties": fields}}}
    (own / "kitchen.example.com_v1_Oven.json").write_text(json.dumps(whole))

    spec = {"$ref": "a", "definitions": {"heat": 1}}
    (refusal,) = refusals(oven(**spec), cluster(folder=own))

    assert refusal.path == ("spec", "definitions", "heat")


# What is known of a kind


@pytest.mark.parametrize(
    ("api_version", "kind", "hint"),
    [
        ("apps/v1beta1", "Deployment", "write `apps/v1`"),
        ("extensions/v1beta1", "Ingress", "write `networking.k8s.io/v1`"),
        ("v1", "Deployment", "write `apps/v1`"),
        (
            "autoscaling/v2beta2",
            "HorizontalPodAutoscaler",
            "write `autoscaling/v1` or `autoscaling/v2`",
        ),
        ("serving.kserve.io/v1alpha1", "InferenceService", "write `serving.kserve.io/v1beta1`"),
        ("serving.kserve.io/v1beta1", "Inferenceservice", "did you mean `InferenceService`?"),
        ("keda.sh/v1alpha1", "ScaledObjects", "did you mean `ScaledObject`?"),
    ],
)
def test_a_kind_that_was_meant_is_named(api_version: str, kind: str, hint: str) -> None:
    manifest = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "one"}}

    (refusal,) = refusals(manifest)

    assert not foreign(api_version, kind)
    assert refusal.hint == hint


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [
        ("traefik.io/v1alpha1", "Middleware"),
        ("traefik.io/v1alpha1", "Service"),
        ("argoproj.io/v1alpha1", "Experiment"),  # of Argo Rollouts; Seldon has one too
        ("argoproj.io/v1alpha1", "Rollout"),
        ("keda.sh/v1alpha1", "ScaledJob"),
        ("keda.sh/v1alpha1", "ClusterTriggerAuthentication"),
        ("serving.kserve.io/v1alpha1", "LLMInferenceServiceConfig"),
        ("serving.kserve.io/v1alpha1", "LLMInferenceServiceList"),
        ("v1", "Event"),
        ("v1", "List"),
        ("kitchen.example.com/v1", "Oven"),
    ],
)
def test_a_kind_of_which_nothing_is_known_is_foreign(api_version: str, kind: str) -> None:
    assert foreign(api_version, kind)


def test_no_known_kind_is_foreign(own: Path) -> None:
    assert not any(foreign(each["apiVersion"], each["kind"]) for each in KINDS)
    assert not foreign("kitchen.example.com/v1", "Oven", cluster(folder=own))
    assert not foreign("kitchen.example.com/v2", "Oven", cluster(folder=own))


# What a spec says


def test_a_spec_can_name_every_product_but_kustomize() -> None:
    kubernetes = schema.read(schema.project_schema())["definitions"]["kubernetes"]

    assert set(kubernetes["properties"]["releases"]["properties"]) == set(RELEASES) - {"kustomize"}


def clusters(text: str, folder: Path) -> list[kinds.Cluster]:
    deployments, _ = validate(load("spec.yaml", text, folder))
    return [cluster_of(deployment.project) for deployment in deployments]


def test_a_spec_without_a_word_is_for_the_newest(tmp_path: Path) -> None:
    assert clusters(SPEC, tmp_path) == [STOCK]


def test_each_environment_has_its_own_cluster(own: Path) -> None:
    more = """\
kubernetes: {releases: {kubernetes: "1.36"}, crds: crds}
environments:
  staging: {}
  production: {kubernetes: {releases: {kubernetes: "1.34"}, crds: null}}
"""

    assert clusters(SPEC + more, own.parent) == [
        cluster(["kubernetes=1.36"], own),
        cluster(["kubernetes=1.34"]),
    ]


def test_the_page_names_the_releases_that_are_known() -> None:
    page = (Path(__file__).parents[1] / "docs/cluster.md").read_text()

    for product in set(RELEASES) - {"kustomize"}:
        ends = dict.fromkeys((RELEASES[product][0], RELEASES[product][-1]))
        told = " to ".join(each.removesuffix(".0") for each in ends)
        told = told if product == "kubernetes" else RELEASES[product][-1]
        assert f"| `{product}` | {told} | " in page
    core = {(api_version, kind) for _, api_version, kind in core_kinds.KINDS}
    others = {each["kind"] for each in KINDS if (each["apiVersion"], each["kind"]) not in core}
    assert [kind for kind in others if kind not in page] == []
    assert f"{len(core_kinds.KINDS)} kinds" in page
