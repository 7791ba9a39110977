"""Kinds that stand beside a model are refused as their own webhooks and controllers refuse them."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from generator import kinds, webhook_rules
from generator.webhook_rules.nodes import Found

DATA = yaml.safe_load(
    (Path(__file__).parent / "data" / "webhook_kinds.yaml").read_text(encoding="utf-8")
)
TAKEN: dict[str, list[dict[str, Any]]] = DATA["taken"]
REFUSED: dict[str, list[Any]] = DATA["refused"]


def found(manifests: Sequence[Mapping[str, Any]], *, whole: bool = True) -> list[Found]:
    """What rules refuse of manifests that stand in one file, where their shape is right."""
    named = {PurePosixPath(f"all.yaml#{n}"): m for n, m in enumerate(manifests, 1)}
    sound = {name: m for name, m in named.items() if not list(kinds.refusals(m))}
    return list(webhook_rules.refusals(sound, whole=whole))


def ruled(manifests: Sequence[Mapping[str, Any]]) -> list[Found]:
    """What rules refuse of manifests of any shape."""
    named = {PurePosixPath(f"all.yaml#{n}"): m for n, m in enumerate(manifests, 1)}
    return list(webhook_rules.refusals(named, whole=False))


def changed(name: str, changes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The good manifests of a name, with changes."""
    manifests = copy.deepcopy(TAKEN[name])
    for place, value in changes.items():
        number, colon, route = place.partition(":")
        node: Any = manifests[int(number) - 1 if colon else 0]
        *above, last = (int(key) if key.isdigit() else key for key in (route or number).split(" "))
        for key in above:
            node = node[key]
        if isinstance(node, list) and last == len(node):
            node.append(value)
        elif value is None:
            del node[last]
        else:
            node[last] = value
    return manifests


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("name", TAKEN)
def test_takes(name: str, whole: bool) -> None:
    assert [list(kinds.refusals(manifest)) for manifest in TAKEN[name]] == [[]] * len(TAKEN[name])
    assert found(TAKEN[name], whole=whole) == []


@pytest.mark.parametrize("rule", REFUSED)
def test_refuses(rule: str) -> None:
    name, changes, message = REFUSED[rule]

    told = [r for _, r in found(changed(name, changes)) if r.rule == rule]

    assert [r.severity for r in told] == ["warning" if message[0] == "~" else "error"]
    assert message.removeprefix("~") in told[0].message


def test_refuses_the_same_of_manifests_by_the_piece() -> None:
    for rule, (name, changes, _) in REFUSED.items():
        assert rule in {r.rule for _, r in found(changed(name, changes), whole=False)}, rule


def test_refuses_data_of_more_than_a_mebibyte() -> None:
    data = {"3:data a.txt": "x" * 1_100_000}

    told = [r for _, r in found(changed("objects", data))]

    assert [r.rule for r in told] == ["kubernetes/too-much-data"]


def test_a_contradiction_tells_its_other_end() -> None:
    [(file, refusal)] = found(changed("scaled", {"3:spec scaleTargetRef name": "web"}))

    assert file == PurePosixPath("all.yaml#3")
    assert refusal.related == (
        (PurePosixPath("all.yaml#1"), ("spec", "scaleTargetRef", "name"), "`so` has it"),
    )


def test_the_old_word_for_standard_is_scaled_as_in_knative() -> None:
    """The webhook compares the annotation with the word Standard alone."""
    old = {
        "metadata annotations serving.kserve.io/deploymentMode": "RawDeployment",
        "spec predictor scaleMetric": "cpu",
    }

    told = {r.rule: r.hint for _, r in found(changed("service", old))}

    assert "write deploymentMode `Standard`" in told["kserve/metric-of-another-autoscaler"]


def test_what_a_cluster_may_hold_is_not_missed_of_manifests_by_the_piece() -> None:
    service = {"spec predictor model runtime": "acme-runtime"}
    scheme = {"spec predictor model storageUri": "acme://models/cifar10"}

    assert found(changed("service", service), whole=False) == []
    assert [r.severity for _, r in found(changed("service", scheme), whole=False)] == ["warning"]


def by_path(texts: Mapping[str, str]) -> list[tuple[str, str]]:
    """File and rule of what is refused of files by the piece."""
    manifests = {PurePosixPath(path): yaml.safe_load(text) for path, text in texts.items()}
    told = webhook_rules.refusals(manifests, whole=False)
    return [(str(path), refusal.rule) for path, refusal in told]


OVERLAY = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [../base]\n"
PART = "{apiVersion: serving.kserve.io/v1beta1, kind: InferenceService, metadata: {name: m}, "
PART += "spec: {predictor: {maxReplicas: 5}}}"


def test_a_patch_is_left_alone() -> None:
    named = OVERLAY + "namespace: prod\npatches: [{path: scale.yaml}]\n"

    assert by_path({"prod/kustomization.yaml": named, "prod/scale.yaml": PART}) == []
    assert by_path({"prod/replicas-patch.yaml": PART}) == []
    assert by_path({"prod/scale.yaml": PART}) == [("prod/scale.yaml", "kserve/no-predictor")]


def test_a_kustomization_needs_no_kind() -> None:
    assert by_path({"a/kustomization.yaml": "resources: [b.yaml, b.yaml]"}) == [
        ("a/kustomization.yaml", "kustomize/resource-listed-twice")
    ]


def test_files_of_a_kustomization_are_looked_for_where_they_are_known() -> None:
    manifest = {PurePosixPath("a/kustomization.yaml"): {"resources": ["b.yaml", "c.yaml"]}}
    files = frozenset([PurePosixPath("a/b.yaml")])

    told = list(webhook_rules.refusals(manifest, files, whole=False))

    assert [r.message for _, r in told] == ["no file `c.yaml` is there"]


def test_manifests_of_two_folders_are_not_taken_as_going_together() -> None:
    service, runtime = (
        "{apiVersion: serving.kserve.io/v1beta1, kind: InferenceService, metadata: {name: m}, "
        "spec: {predictor: {model: {modelFormat: {name: onnx}, runtime: own}}}}",
        "{apiVersion: serving.kserve.io/v1alpha1, kind: ServingRuntime, metadata: {name: own}, "
        "spec: {supportedModelFormats: [{name: pmml}], containers: [{name: kserve-container}]}}",
    )

    assert by_path({"a/s.yaml": service, "b/r.yaml": runtime}) == []
    assert by_path({"a/s.yaml": service, "a/r.yaml": runtime}) == [
        ("a/s.yaml", "kserve/format-not-of-the-runtime")
    ]


def test_odd_values_are_no_mistakes_of_ours() -> None:
    for odd in (None, [], {}, "x", 1, True, [[None]], {"a": [1]}, [{"a": None}]):
        for manifests in TAKEN.values():
            for manifest in manifests:
                for key in ("spec", "metadata", "data"):
                    ruled([{**manifest, key: odd}])
                for key in manifest.get("spec", {}):
                    ruled([{**manifest, "spec": {**manifest["spec"], key: odd}}])


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("knative", {"spec template spec containers 0 image": None}),
        ("on-several-nodes", {"spec predictor workerSpec containers 0": {"name": "A_b"}}),
        ("scaled", {"2:spec template spec tolerations 0": {"operator": "Exists"}}),
        ("scaled", {"2:spec template spec tolerations 0": {"key": "a", "value": "b"}}),
        ("scaled", {"2:spec template spec volumes 0 configMap defaultMode": 0o777}),
        ("scaled", {"2:spec replicas": 0}),
        ("scaled", {"2:spec template spec containers 0 ports 0 hostPort": 0}),
        ("objects", {"1:spec": {"clusterIP": "None"}}),
        ("objects", {"1:spec": {"type": "ExternalName", "externalName": "a.example"}}),
        ("two-runtimes", {"1:spec multiModel": True, "1:spec containers 0 name": "mlserver"}),
        ("scaled-by-keda", {"spec predictor model modelFormat name": "acme-net"}),
    ],
)
def test_takes_what_is_odd_and_right(name: str, changes: Mapping[str, Any]) -> None:
    assert found(changed(name, changes), whole=False) == []


@pytest.mark.parametrize(
    ("toleration", "message"),
    [
        ({"key": "a", "operator": "Exist"}, "operator `Exist` of a toleration"),
        ({"key": "a", "operator": "Exists", "value": "b"}, "`value` with operator Exists"),
        ({"value": "b"}, "a toleration without `key`"),
        ({"key": "a", "tolerationSeconds": 5}, "`tolerationSeconds` without effect NoExecute"),
    ],
)
def test_refuses_a_bad_toleration(toleration: Mapping[str, Any], message: str) -> None:
    changes = {"2:spec template spec tolerations 0": toleration}

    assert [r.message for _, r in found(changed("scaled", changes))] == [message]


@pytest.mark.parametrize(
    "schedule",
    ["*/5 0-6 1,15 jan-MAR ?", "@every 1h30m", "@daily", "5/15 * * * sun", "0 0 31 12 6"],
)
def test_takes_a_schedule(schedule: str) -> None:
    assert found(changed("objects", {"6:spec schedule": schedule})) == []


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("60 * * * *", "`60` is no minute of a schedule"),
        ("0 24 * * *", "`24` is no hour of a schedule"),
        ("0 0 0 * *", "`0` is no day of a schedule"),
        ("0 0 * 13 *", "`13` is no month of a schedule"),
        ("0 0 * * 7", "`7` is no weekday of a schedule"),
        ("*/0 * * * *", "`*/0` is no minute of a schedule"),
        ("30-10 * * * *", "`30-10` is no minute of a schedule"),
        ("@dayly", "schedule `@dayly` is no macro"),
        ("@reboot", "schedule `@reboot` is no macro"),
    ],
)
def test_refuses_a_schedule(schedule: str, message: str) -> None:
    assert [r.message for _, r in found(changed("objects", {"6:spec schedule": schedule}))] == [
        message
    ]


def test_a_variable_of_a_value_and_of_nothing_is_told_once() -> None:
    variable = {"name": "A", "value": "b", "valueFrom": {}}
    changes = {"2:spec template spec containers 0 env 0": variable}

    assert [r.rule for _, r in found(changed("scaled", changes))] == ["pods/value-and-value-from"]


BLOCKED = [{"name": "PYTHONPATH", "value": "/a"}]


@pytest.mark.parametrize(
    "changes",
    [
        {"spec predictor workerSpec containers 0 env": BLOCKED},
        {"spec predictor workerSpec initContainers": [{"name": "i", "env": BLOCKED}]},
        {"spec explainer": {"art": {"type": "SquareAttack", "env": BLOCKED}}},
        {"spec explainer": {"containers": [{"name": "kserve-container", "env": BLOCKED}]}},
    ],
)
def test_a_blocked_variable_is_found_in_every_container(changes: Mapping[str, Any]) -> None:
    told = {r.rule for _, r in found(changed("on-several-nodes", changes), whole=False)}

    assert "kserve/blocked-variable" in told


def test_a_manifest_given_twice_in_one_file_is_told() -> None:
    manifest = "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {}}"

    assert by_path({"a.yaml#1": manifest, "a.yaml#2": manifest}) == [
        ("a.yaml#2", "kubernetes/name-given-twice")
    ]
    other = manifest.replace("name: c", "name: c, namespace: n")
    assert by_path({"a.yaml#1": manifest, "b.yaml": manifest, "a.yaml#2": other}) == []


@pytest.mark.parametrize(
    ("name", "is_patch"),
    [
        ("patch.yaml", True),
        ("gpu-patch.yaml", True),
        ("patches_gpu.yaml", True),
        ("dispatcher.yaml", False),
        ("patchwork.yaml", False),
    ],
)
def test_a_patch_is_known_by_a_word_of_its_name(name: str, is_patch: bool) -> None:
    assert (by_path({name: PART}) == []) is is_patch
