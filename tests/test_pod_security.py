"""The twin of Pod Security admission: what it refuses, and what it takes."""

import copy
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from generator import webhook_rules
from generator.cli import main
from generator.webhook_rules import pod_security
from generator.webhook_rules.nodes import NEWEST, Release, Standard

ROOT = Path(__file__).resolve().parent.parent
RULES = [rule.__name__.replace("_", "-") for rule in pod_security.RULES]
CONTEXT = {
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "seccompProfile": {"type": "RuntimeDefault"},
    "capabilities": {"drop": ["ALL"]},
}
NUMBERS = {"cpu": "1", "memory": "1Gi"}
CONTAINER: dict[str, Any] = {
    "name": "server",
    "image": "docker.io/acme/server:1",
    "securityContext": CONTEXT,
    "resources": {"requests": NUMBERS, "limits": NUMBERS},
}


def over(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """A merge patch: null removes."""
    merged = copy.deepcopy(dict(base))
    for key, value in top.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), dict):
            merged[key] = over(merged[key], value)
        elif value is None:
            merged.pop(key, None)
        else:
            merged[key] = value
    return merged


def context(**fields: Any) -> dict[str, Any]:
    return {"securityContext": fields}


def pod(own: Mapping[str, Any], container: Mapping[str, Any]) -> dict[str, Any]:
    spec = {"containers": [over(CONTAINER, container)], **own}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": spec}


def told(
    *manifests: Mapping[str, Any],
    standard: Standard = "restricted",
    whole: bool = False,
    release: Release = NEWEST,
) -> list[str]:
    named = {PurePosixPath(f"{n}.yaml"): each for n, each in enumerate(manifests)}
    found = webhook_rules.refusals(named, whole=whole, standard=standard, release=release)
    names = [refusal.rule for _, refusal in found]
    return [name.partition("/")[2] for name in names if name.startswith("pod-security/")]


# Of each: the pod's own fields, a patch of its container, the rules at baseline and at restricted.
BAD: list[tuple[dict[str, Any], dict[str, Any], list[str], list[str]]] = [
    ({"hostNetwork": True}, {}, ["host-namespace"], ["host-namespace"]),
    ({"hostPID": True, "hostIPC": True}, {}, ["host-namespace"] * 2, ["host-namespace"] * 2),
    ({}, context(privileged=True), ["privileged"], ["privileged"]),
    (
        {},
        context(windowsOptions={"hostProcess": True}),
        ["host-process"],
        ["host-process"],
    ),
    (
        {"securityContext": {"windowsOptions": {"hostProcess": True}}},
        {},
        ["host-process"],
        ["host-process"],
    ),
    (
        {},
        context(capabilities={"add": ["SYS_ADMIN"]}),
        ["added-capability"],
        ["added-capability"],
    ),
    ({}, context(capabilities={"add": ["CHOWN"]}), [], ["added-capability"]),
    (
        {"volumes": [{"name": "v", "hostPath": {"path": "/x"}}]},
        {},
        ["host-path"],
        ["host-path"],
    ),
    ({"volumes": [{"name": "v", "nfs": {"server": "a", "path": "/"}}]}, {}, [], ["volume-type"]),
    (
        {},
        {"ports": [{"containerPort": 80, "hostPort": 80}]},
        ["host-port"],
        ["host-port"],
    ),
    (
        {},
        {"livenessProbe": {"httpGet": {"host": "10.0.0.1", "port": 80}}},
        ["host-in-probe"],
        ["host-in-probe"],
    ),
    (
        {},
        {"lifecycle": {"preStop": {"httpGet": {"host": "10.0.0.1", "port": 80}}}},
        ["host-in-probe"],
        ["host-in-probe"],
    ),
    (
        {"securityContext": {"appArmorProfile": {"type": "Unconfined"}}},
        {},
        ["apparmor-profile"],
        ["apparmor-profile"],
    ),
    (
        {},
        context(seLinuxOptions={"type": "spc_t", "user": "root", "role": "r"}),
        ["selinux-options"] * 3,
        ["selinux-options"] * 3,
    ),
    ({}, context(procMount="Unmasked"), ["proc-mount"], ["proc-mount"]),
    (
        {"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}},
        {},
        ["unsafe-sysctl"],
        ["unsafe-sysctl"],
    ),
    (
        {},
        context(seccompProfile={"type": "Unconfined"}),
        ["seccomp-profile"],
        ["seccomp-profile"],
    ),
    ({}, context(seccompProfile=None), [], ["seccomp-profile"]),
    ({}, context(allowPrivilegeEscalation=None), [], ["privilege-escalation"]),
    ({}, context(allowPrivilegeEscalation=True), [], ["privilege-escalation"]),
    ({}, context(runAsNonRoot=None), [], ["may-run-as-root"]),
    ({}, context(runAsNonRoot=False), [], ["may-run-as-root"]),
    (
        {"securityContext": {"runAsNonRoot": True}},
        context(runAsNonRoot=False),
        [],
        ["may-run-as-root"],
    ),
    (context(runAsNonRoot=False), {}, [], ["may-run-as-root"]),
    ({"hostUsers": False}, context(procMount="Unmasked"), [], ["proc-mount"]),
    ({}, context(runAsUser=0), [], ["root-user"]),
    ({"securityContext": {"runAsUser": 0}}, {}, [], ["root-user"]),
    ({}, context(capabilities=None), [], ["capabilities-kept"]),
    ({}, context(capabilities={"drop": ["NET_RAW"]}), [], ["capabilities-kept"]),
    (
        {"initContainers": [{"name": "first", "image": "a"}]},
        {},
        [],
        ["seccomp-profile", "privilege-escalation", "may-run-as-root", "capabilities-kept"],
    ),
    (
        {"ephemeralContainers": [{"name": "debug", "image": "a", **context(privileged=True)}]},
        {},
        ["privileged"],
        [
            "privileged",
            "seccomp-profile",
            "privilege-escalation",
            "may-run-as-root",
            "capabilities-kept",
        ],
    ),
]
GOOD: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"hostNetwork": False}, {}),
    ({}, context(capabilities={"drop": ["ALL", "CHOWN"], "add": ["NET_BIND_SERVICE"]})),
    ({}, context(seccompProfile={"type": "Localhost", "localhostProfile": "a.json"})),
    (
        {"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}, "runAsNonRoot": True}},
        context(seccompProfile=None, runAsNonRoot=None),
    ),
    ({"securityContext": {"seLinuxOptions": {"type": "container_t", "level": "s0"}}}, {}),
    ({}, context(procMount="Default")),
    ({"securityContext": {"sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}]}}, {}),
    ({}, {"ports": [{"containerPort": 80, "hostPort": 0}]}),
    ({"volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "image": {"reference": "x"}}]}, {}),
    ({"volumes": [{"name": "nothing"}]}, {}),
    # A pod with users of its own: its root is nobody on the node.
    ({"hostUsers": False}, context(runAsNonRoot=None, runAsUser=0)),
    ({"hostUsers": False, **context(runAsNonRoot=False)}, {}),
    # What Windows has nothing of.
    (
        {"os": {"name": "windows"}},
        context(seccompProfile=None, allowPrivilegeEscalation=None, capabilities=None),
    ),
]


@pytest.mark.parametrize(("own", "container", "baseline", "restricted"), BAD)
def test_refuses(
    own: dict[str, Any], container: dict[str, Any], baseline: list[str], restricted: list[str]
) -> None:
    assert told(pod(own, container), standard="baseline") == baseline
    assert told(pod(own, container)) == restricted


@pytest.mark.parametrize(("own", "container"), GOOD)
def test_takes(own: dict[str, Any], container: dict[str, Any]) -> None:
    assert told(pod(own, container)) == []


OWN_USERS = {"hostUsers": False}
PROBED = {"livenessProbe": {"tcpSocket": {"host": "10.0.0.1", "port": 80}}}


def sysctl(name: str) -> dict[str, Any]:
    return {"securityContext": {"sysctls": [{"name": name, "value": "1"}]}}


# Of each: the pod, a patch of its container, the rule, a release that refuses and one that takes.
SINCE: list[tuple[dict[str, Any], dict[str, Any], str, Release, Release]] = [
    (OWN_USERS, context(runAsUser=0), "root-user", (1, 34), (1, 35)),
    (OWN_USERS, context(runAsNonRoot=None), "may-run-as-root", (1, 34), (1, 35)),
    ({}, PROBED, "host-in-probe", (1, 34), (1, 33)),
    (sysctl("net.ipv4.tcp_rmem"), {}, "unsafe-sysctl", (1, 31), (1, 32)),
    (sysctl("net.ipv4.tcp_notsent_lowat"), {}, "unsafe-sysctl", (1, 36), (1, 37)),
    (
        {},
        context(seLinuxOptions={"type": "container_engine_t"}),
        "selinux-options",
        (1, 30),
        (1, 31),
    ),
    ({}, context(runAsUser=0), "root-user", (1, 23), (1, 22)),
    (
        {"os": {"name": "windows"}},
        context(capabilities=None),
        "capabilities-kept",
        (1, 24),
        (1, 25),
    ),
]


@pytest.mark.parametrize(("own", "container", "rule", "refused", "taken"), SINCE)
def test_standards_change_with_releases(
    own: dict[str, Any], container: dict[str, Any], rule: str, refused: Release, taken: Release
) -> None:
    assert told(pod(own, container), release=refused) == [rule]
    assert told(pod(own, container), release=taken) == []


def test_an_unmasked_proc_at_baseline_wants_own_users_and_1_35() -> None:
    unmasked = pod(OWN_USERS, context(procMount="Unmasked"))

    assert told(unmasked, standard="baseline", release=(1, 34)) == ["proc-mount"]
    assert told(unmasked, standard="baseline", release=(1, 35)) == []


@pytest.mark.parametrize(
    ("version", "expected"),
    [("v1.24", []), ("v1.34", ["host-in-probe"]), ("latest", ["host-in-probe"])],
)
def test_a_namespace_enforces_the_standard_of_a_version(version: str, expected: list[str]) -> None:
    prefix = "pod-security.kubernetes.io/enforce"
    labels = {prefix: "baseline", f"{prefix}-version": version}
    name = {"name": "models", "labels": labels}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": name}
    inside = pod({}, PROBED)
    inside["metadata"]["namespace"] = "models"

    assert told(namespace, inside, standard="") == expected


def test_gen_lint_knows_the_release(tmp_path: Path) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text(yaml.safe_dump(pod({}, PROBED)), encoding="utf-8")
    asked = ["lint", "--pod-security", "baseline", str(file)]

    assert main([*asked, "--release", "kubernetes=1.33"]) == 0
    assert main([*asked, "--release", "kubernetes=1.34"]) == 1


def test_every_rule_is_seen_to_refuse() -> None:
    of_the_house = {"writable-root", "without-resources"}

    assert {name for *_, names in BAD for name in names} == set(RULES) - of_the_house


def test_files_of_others_are_held_to_it_only_where_that_is_asked() -> None:
    bad = pod({"hostNetwork": True}, context(capabilities=None))

    assert told(bad, standard="") == []


@pytest.mark.parametrize(
    ("level", "expected"), [("baseline", []), ("restricted", ["capabilities-kept"])]
)
def test_a_namespace_among_the_files_asks_for_its_pods(level: str, expected: list[str]) -> None:
    label = {"pod-security.kubernetes.io/enforce": level}
    name = {"name": "models", "labels": label}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": name}
    inside, outside = (pod({}, context(capabilities=None)) for _ in range(2))
    inside["metadata"]["namespace"] = "models"

    assert told(namespace, inside, outside, standard="") == expected


def test_what_is_rendered_warns_of_what_the_house_asks_for_too() -> None:
    bad = pod({}, {**context(readOnlyRootFilesystem=False), "resources": {"limits": None}})

    assert told(bad, whole=True) == ["writable-root", "without-resources"]
    assert told(bad) == []


def service(model: Mapping[str, Any], **predictor: Any) -> dict[str, Any]:
    base = {"modelFormat": {"name": "pytorch"}, "runtime": "own", "storageUri": "s3://b/m"}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "one", "namespace": "models"},
        "spec": {"predictor": {"model": {**base, **model}, **predictor}},
    }


def runtime(container: Mapping[str, Any], **spec: Any) -> dict[str, Any]:
    main = over({**CONTAINER, "name": "kserve-container"}, container)
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ServingRuntime",
        "metadata": {"name": "own", "namespace": "models"},
        "spec": {"containers": [main], **spec},
    }


def test_a_model_over_its_runtime_is_one_container() -> None:
    lacking = runtime(context(capabilities=None))

    assert told(service({}), runtime({})) == []
    assert told(service({}), lacking) == ["capabilities-kept"]
    assert told(service(context(capabilities={"drop": ["ALL"]})), lacking) == []
    assert told(service(context(runAsUser=0)), runtime({})) == ["root-user"]


def test_what_is_above_wins_over_the_runtime() -> None:
    hidden = runtime(context(runAsUser=0))

    assert told(service(context(runAsUser=1000)), hidden) == []


def test_the_pod_of_a_runtime_counts_for_its_service() -> None:
    on_pod = {"seccompProfile": {"type": "RuntimeDefault"}, "runAsNonRoot": True}
    without = runtime(context(seccompProfile=None, runAsNonRoot=None), securityContext=on_pod)

    assert told(service({}), without) == []
    assert told(service({}, securityContext={"runAsNonRoot": False}), without) != []


def test_of_a_runtime_out_of_sight_only_what_is_written_is_told() -> None:
    assert told(service({})) == []
    assert told(service(context(privileged=True))) == ["privileged"]
    assert told(runtime(context(capabilities=None))) == []
    assert told(runtime(context(privileged=True))) == ["privileged"]


def seldon(own: Mapping[str, Any], container: Mapping[str, Any]) -> dict[str, Any]:
    spec = {"containers": [over({**CONTAINER, "name": "model"}, container)], **own}
    graph = {"name": "model", "type": "MODEL"}
    predictor = {"name": "default", "graph": graph, "componentSpecs": [{"spec": spec}]}
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": "one"},
        "spec": {"predictors": [predictor]},
    }


def test_seldons_operator_replaces_what_a_pod_says_of_itself() -> None:
    on_pod = {"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}}

    assert told(seldon({}, {})) == []
    assert told(seldon(on_pod, context(seccompProfile=None))) == ["seccomp-profile"]


@pytest.mark.parametrize(
    ("kind", "template"),
    [("Deployment", ("template",)), ("Job", ("template",)), ("CronJob", ("jobTemplate", "spec"))],
)
def test_workloads_have_pods(kind: str, template: tuple[str, ...]) -> None:
    spec: dict[str, Any] = {"spec": pod({}, context(privileged=True))["spec"]}
    if kind == "CronJob":
        spec = {"spec": {"template": spec}}
    group = "apps/v1" if kind == "Deployment" else "batch/v1"
    manifest = {"apiVersion": group, "kind": kind, "metadata": {"name": "one"}}
    manifest |= {"spec": {template[0]: spec}}

    assert told(manifest) == ["privileged"]


PROJECTS = sorted({path.parent.parent for path in (ROOT / "rendered").rglob("manifests/*.yaml")})


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_rendered_meets_the_restricted_standard(project: Path) -> None:
    manifests = [
        document
        for folder in ("manifests", "perf", "archive")
        for path in sorted((project / folder).glob("*.yaml"))
        if path.name != "kustomization.yaml"
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
    ]

    assert told(*manifests, whole=True) == []


def test_gen_lint_asks_for_a_standard(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text(yaml.safe_dump(pod({}, context(capabilities=None))), encoding="utf-8")

    assert main(["lint", str(file)]) == 0
    assert main(["lint", "--pod-security", "baseline", str(file)]) == 0
    assert main(["lint", "--pod-security", "restricted", str(file)]) == 1
    assert "container `server` does not drop all capabilities" in capsys.readouterr().err
