"""What Argo CD applies: the Application of each target, the order, the load test after a sync."""

import json
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from generator import webhook_rules
from generator.argo_cd.annotations import SYNC_WAVE, WAVES, with_annotations
from generator.argo_cd.stream import stream
from generator.cli import main
from generator.diagnostics import Rejected
from generator.pipeline import Build, build

SPEC = """\
spec_version: 1
name: one
model:
  program: model.pt
  inputs: [{name: image, dtype: float32, shape: [N, 3, 32, 32]}]
  outputs: [{name: logits, dtype: float32, shape: [N, 10]}]
storage: {uri: s3://bucket/models}
images: {registry: docker.io/acme, tag: "1.0"}
kubernetes: {namespace: models}
accepted_warnings: {torchserve/end-of-life: known, seldon/python-end-of-life: known}
"""
REPOSITORY = "https://github.com/acme/serving.git"
PERF = "perf: {rate: 10}\n"


def built(*more: str, targets: str = "{triton: {}}", **argo_cd: object) -> Build:
    gitops = {"argo_cd": {"repository": REPOSITORY} | argo_cd}
    text = "".join((SPEC, f"gitops: {json.dumps(gitops)}\n", f"targets: {targets}\n", *more))
    return build("spec.yaml", text.encode(), Path())


def texts(of: Build) -> dict[str, str]:
    return {str(file.path): file.text for file in of.files}


def application(*more: str, **argo_cd: object) -> dict[str, Any]:
    """The one Application of a project, or what makes them."""
    [text] = [text for path, text in texts(built(*more, **argo_cd)).items() if "/argo-cd/" in path]
    found: dict[str, Any] = yaml.safe_load(text)
    return found


# The Application


def test_names_the_rendered_manifests_and_where_they_go() -> None:
    found = application()

    assert found["kind"] == "Application"
    assert found["metadata"]["name"] == "one-triton"
    assert found["metadata"]["namespace"] == "argocd"
    assert found["spec"]["project"] == "default"
    assert found["spec"]["source"] == {
        "repoURL": REPOSITORY,
        "targetRevision": "HEAD",
        "path": "rendered/one/triton/manifests",
    }
    assert found["spec"]["destination"] == {
        "server": "https://kubernetes.default.svc",
        "namespace": "models",
    }
    assert "automated" not in found["spec"]["syncPolicy"]


def test_the_folder_that_it_names_is_rendered() -> None:
    of = built(path="out")

    path = yaml.safe_load(texts(of)["one/triton/argo-cd/application.yaml"])["spec"]["source"][
        "path"
    ]

    assert str(PurePosixPath(path).relative_to("out") / "kustomization.yaml") in texts(of)


@pytest.mark.parametrize(
    ("argo_cd", "at", "value"),
    [
        ({"revision": "main"}, ("source", "targetRevision"), "main"),
        ({"path": "a/b"}, ("source", "path"), "a/b/one/triton/manifests"),
        ({"project": "ml"}, ("project",), "ml"),
        (
            {"destination": {"server": "https://s:6443"}},
            ("destination", "server"),
            "https://s:6443",
        ),
        ({"destination": {"name": "east"}}, ("destination", "name"), "east"),
        ({"automated": {}}, ("syncPolicy", "automated"), {"prune": False, "selfHeal": False}),
        ({"automated": {"prune": True}}, ("syncPolicy", "automated", "prune"), True),
        ({"automated": {"self_heal": True}}, ("syncPolicy", "automated", "selfHeal"), True),
        ({"plugin": {"spec": "specs/spec.yaml"}}, ("source", "path"), "specs"),
        ({"plugin": {"spec": "spec.yaml"}}, ("source", "path"), "."),
        (
            {"plugin": {"spec": "a/spec.yaml", "name": "p-1.0"}},
            ("source", "plugin", "name"),
            "p-1.0",
        ),
    ],
    ids=str,
)
def test_each_value_has_its_place(
    argo_cd: dict[str, object], at: tuple[str, ...], value: object
) -> None:
    found: Any = application(**argo_cd)["spec"]

    for key in at:
        found = found[key]

    assert found == value


def test_stands_in_argo_cds_namespace() -> None:
    assert application(namespace="gitops")["metadata"]["namespace"] == "gitops"


def test_names_differ_by_environment_and_target() -> None:
    environments = "environments: {staging: {}, production: {}}\n"
    of = built(environments, targets="{triton: {}, seldon: {names: {service: other}}}")

    names = [
        yaml.safe_load(text)["metadata"]["name"]
        for path, text in texts(of).items()
        if "/argo-cd/" in path
    ]

    assert sorted(names) == [
        "one-production-seldon",
        "one-production-triton",
        "one-staging-seldon",
        "one-staging-triton",
    ]


def test_an_environment_has_values_of_its_own() -> None:
    environments = """\
environments:
  staging: {}
  production: {gitops: {argo_cd: {revision: v1, destination: {name: east}}}}
"""
    of = texts(built(environments))

    staging = yaml.safe_load(of["one/staging/triton/argo-cd/application.yaml"])["spec"]
    production = yaml.safe_load(of["one/production/triton/argo-cd/application.yaml"])["spec"]

    assert staging["source"]["targetRevision"] == "HEAD"
    assert production["source"]["targetRevision"] == "v1"
    assert production["destination"] == {"name": "east", "namespace": "models"}


def test_clusters_make_an_application_each() -> None:
    found = application(clusters={"env": "production"})

    template = found["spec"]["template"]
    assert found["kind"] == "ApplicationSet"
    assert found["spec"]["goTemplate"] is True
    [generator] = found["spec"]["generators"]
    assert generator["clusters"]["selector"]["matchLabels"] == {"env": "production"}
    assert template["metadata"]["name"] == "one-triton-{{ .nameNormalized }}"
    assert template["spec"]["destination"] == {"server": "{{ .server }}", "namespace": "models"}


def test_what_a_set_makes_is_what_an_application_is() -> None:
    alone, made = application(), application(clusters={"a": "b"})["spec"]["template"]

    for each in (alone, made):
        del each["spec"]["destination"], each["metadata"]["name"]
    del alone["metadata"]["namespace"]
    assert made["spec"] == alone["spec"]
    assert made["metadata"] == alone["metadata"]


def test_retries_last_as_long_as_a_replica_may_take_to_start() -> None:
    def seconds(startup: str) -> int:
        retry = application(f"serving: {{startup: {startup}}}\n")["spec"]["syncPolicy"]["retry"]
        waits, wait = 0, 30
        for _ in range(retry["limit"]):
            waits, wait = waits + wait, min(2 * wait, 180)
        return waits

    assert 1200 <= seconds("10m") < 1400
    assert 4200 <= seconds("60m") < 4400


@pytest.mark.parametrize("target", ["predictor", "torchserve: {platform: docker}"])
def test_what_has_no_manifests_has_no_application(target: str) -> None:
    if target == "predictor":
        spec = SPEC.partition("storage")[0] + "targets: {predictor: {}}\n"
        more = "export: {method: script}\ntransforms: {run_in: model, preprocess: [decode, "
        spec += more + "{resize: {size: [32, 32]}}, to_tensor]}\n"
    else:
        spec = SPEC + "targets: {torchserve: {platform: docker}}\n"
    text = spec + f"gitops: {{argo_cd: {{repository: '{REPOSITORY}'}}}}\n"

    of = build("spec.yaml", text.encode(), Path())

    assert not any("argo" in path for path in texts(of))
    assert any("`gitops` has no effect" in each.message for each in of.warnings)


def test_nothing_of_it_is_rendered_unless_asked_for() -> None:
    of = build("spec.yaml", f"{SPEC}{PERF}targets: {{triton: {{}}}}\n".encode(), Path())

    assert not any("argoproj" in file.text or "argo-cd" in str(file.path) for file in of.files)


# The order


def waves(of: Build) -> dict[str, int]:
    """The wave of each manifest by its file's name."""
    found = {}
    for file in of.files:
        if file.path.parent.name == "manifests" and file.path.name != "kustomization.yaml":
            annotations = yaml.safe_load(file.text)["metadata"].get("annotations", {})
            found[file.path.name] = int(annotations.get(SYNC_WAVE, "0"))
    return found


def test_the_runtime_comes_before_the_service() -> None:
    found = waves(built())

    assert found["servingruntime.yaml"] < found["inferenceservice.yaml"] == 0


def test_configuration_comes_before_pods_and_what_counts_pods_after() -> None:
    more = "serving: {replicas: {min: 2, max: 4}, autoscaling: {metric: cpu, target: 50}}\n"
    found = waves(built(more, targets="{torchserve: {platform: kubernetes}}"))

    assert found["configmap.yaml"] < found["deployment.yaml"] == found["service.yaml"] == 0
    assert found["hpa.yaml"] > 0


def test_every_kind_with_a_wave_is_ordered_around_services() -> None:
    assert all(WAVES[kind] < 0 for kind in ("ConfigMap", "ServingRuntime", "NetworkPolicy"))
    assert all(WAVES[kind] > 0 for kind in ("HorizontalPodAutoscaler", "PodDisruptionBudget"))
    assert not {"InferenceService", "SeldonDeployment", "Deployment", "Service"} & set(WAVES)


def test_a_patch_has_the_last_word_on_a_wave() -> None:
    patch = {"metadata": {"annotations": {SYNC_WAVE: "7"}}}
    targets = {"triton": {"patches": [{"manifest": "servingruntime.yaml", "merge": patch}]}}

    assert waves(built(targets=json.dumps(targets)))["servingruntime.yaml"] == 7


def test_an_annotation_changes_nothing_else() -> None:
    with_map = "kind: A\nmetadata:\n  name: a\n  annotations:\n    # why\n    b: c\nspec:\n  d: e\n"
    without = "metadata:\n  name: a\n\nspec:\n  metadata:\n    f: g\n"

    assert with_annotations(with_map, {"h": "1"}) == with_map.replace(
        "    # why", '    h: "1"\n    # why'
    )
    assert yaml.safe_load(with_annotations(without, {"h": "i"})) == {
        "metadata": {"name": "a", "annotations": {"h": "i"}},
        "spec": {"metadata": {"f": "g"}},
    }


# The load test


def test_the_load_test_runs_after_a_sync_where_asked_for() -> None:
    of = texts(built(PERF, perf_hook=True))

    job = yaml.safe_load(of["one/triton/perf/job.yaml"])["metadata"]["annotations"]
    spec = yaml.safe_load(of["one/triton/argo-cd/application.yaml"])["spec"]
    assert job == {
        "argocd.argoproj.io/hook": "PostSync",
        "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation",
    }
    assert [source["path"] for source in spec["sources"]] == [
        "rendered/one/triton/manifests",
        "rendered/one/triton/perf",
    ]
    assert "source" not in spec


def test_a_missed_objective_fails_the_sync() -> None:
    of = texts(built(PERF, perf_hook=True))

    job = yaml.safe_load(of["one/triton/perf/job.yaml"])["spec"]
    spec = yaml.safe_load(of["one/triton/argo-cd/application.yaml"])["spec"]
    assert job["backoffLimit"] == 0
    assert spec["syncPolicy"]["retry"]["limit"] == 2  # of what was a passing fault


def test_a_retry_takes_what_has_been_committed_since() -> None:
    for more in ({}, {"perf_hook": True}):
        assert application(PERF, **more)["spec"]["syncPolicy"]["retry"]["refresh"] is True


def test_the_scripts_of_a_former_load_test_make_nothing_out_of_sync() -> None:
    """Without pruning the ConfigMap of the former name stays."""
    of = built(PERF, perf_hook=True)

    options = yaml.safe_load(texts(of)["one/triton/perf/kustomization.yaml"])["generatorOptions"]
    assert options["annotations"] == {"argocd.argoproj.io/compare-options": "IgnoreExtraneous"}
    assert options["disableNameSuffixHash"] is True
    text = stream(of.files, PurePosixPath("one/triton"), runs_load_test=True)
    printed = list(yaml.safe_load_all(text))
    [scripts] = [each for each in printed if each["kind"] == "ConfigMap"]
    assert scripts["metadata"]["annotations"] == options["annotations"]
    assert "annotations" not in texts(built(PERF))["one/triton/perf/kustomization.yaml"]


def test_comments_say_one_thing_of_who_runs_the_load_test() -> None:
    of = texts(built(PERF, perf_hook=True))

    for name in ("job.yaml", "kustomization.yaml"):
        text = of[f"one/triton/perf/{name}"]
        assert "perf_hook" in text
        for by_hand in ("kubectl apply", "on purpose", "kubectl delete", "by hand"):
            assert by_hand not in text


def test_the_runbook_says_when_the_load_test_runs() -> None:
    after, by_hand = (
        texts(built(PERF, perf_hook=hook))["one/triton/README.md"] for hook in (True, False)
    )

    assert "Argo CD runs it after each sync" in after
    assert "It is applied on purpose" in by_hand


def test_the_load_test_is_no_hook_unless_asked_for() -> None:
    of = texts(built(PERF))

    assert "argocd" not in of["one/triton/perf/job.yaml"]
    assert "sources:" not in of["one/triton/argo-cd/application.yaml"]


# The hydrator


def test_hydrates_what_the_plugin_prints_into_a_folder_of_its_own() -> None:
    hydrate = {"branch": "env/production", "staging_branch": "env/next"}
    spec = application(plugin={"spec": "specs/spec.yaml"}, hydrate=hydrate)["spec"]

    assert "source" not in spec
    assert "sources" not in spec
    assert spec["sourceHydrator"] == {
        "drySource": {
            "repoURL": REPOSITORY,
            "targetRevision": "HEAD",
            "path": "specs",
            "plugin": {
                "name": "serving-generator",
                "parameters": [
                    {"name": "spec", "string": "spec.yaml"},
                    {"name": "target", "string": "triton"},
                ],
            },
        },
        "syncSource": {"targetBranch": "env/production", "path": "hydrated/one/triton"},
        "hydrateTo": {"targetBranch": "env/next"},
    }


def test_hydrates_each_environment_into_another_folder() -> None:
    argo_cd = {"plugin": {"spec": "spec.yaml"}, "hydrate": {"branch": "b", "path": "x"}}
    of = texts(built("environments: {a: {}, b: {}}\n", **argo_cd))

    paths = {
        yaml.safe_load(text)["spec"]["sourceHydrator"]["syncSource"]["path"]
        for path, text in of.items()
        if "/argo-cd/" in path
    }

    assert paths == {"x/one/a/triton", "x/one/b/triton"}


# The twin, and the runbook


def test_the_offline_twin_takes_what_is_rendered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, of in enumerate(
        (
            built(PERF, perf_hook=True, automated={}),
            built(clusters={"env": "production"}),
            built(PERF, plugin={"spec": "spec.yaml"}, hydrate={"branch": "b"}, perf_hook=True),
        )
    ):
        for file in of.files:
            if "argo-cd" in file.path.parts:
                (tmp_path / f"{number}.yaml").write_text(file.text)

    assert main(["lint", "--strict", str(tmp_path)]) == 0, capsys.readouterr().err


@pytest.mark.parametrize(
    "target", ["triton: {}", "seldon: {}", "torchserve: {platform: kubernetes}"]
)
def test_the_runbook_applies_the_application(target: str) -> None:
    for name, argo_cd in {"application": {}, "applicationset": {"clusters": {"a": "b"}}}.items():
        [text] = [
            text
            for path, text in texts(built(targets=f"{{{target}}}", **argo_cd)).items()
            if path.endswith("README.md")
        ]

        assert f"\nkubectl apply --filename argo-cd/{name}.yaml\n" in text
        assert f"`kubectl delete --filename argo-cd/{name}.yaml`" in text


def told(manifest: dict[str, Any]) -> list[str]:
    """What the twin says of a manifest."""
    found = webhook_rules.refusals({PurePosixPath("a.yaml"): manifest}, whole=False)
    return [refusal.message for _, refusal in found]


def test_the_twin_looks_into_what_a_set_makes() -> None:
    made = application(clusters={"a": "b"})
    made["spec"]["template"]["spec"]["source"]["path"] = "/rendered"

    assert told(made) == ["path `/rendered` is absolute"]


@pytest.mark.parametrize("option", ["ServerSideDiff", "ServerSideDiff=yes", "IgnoreExtraneous=1"])
def test_the_twin_knows_the_values_of_compare_options(option: str) -> None:
    found = application()
    assert told(found) == []

    found["metadata"]["annotations"]["argocd.argoproj.io/compare-options"] = option

    assert told(found) == [f"compare option `{option}`"]


def test_a_hostile_template_expression_cannot_reach_an_application_set() -> None:
    with pytest.raises(Rejected):
        built(clusters={"a": "b"}, project="{{ .server }}")
