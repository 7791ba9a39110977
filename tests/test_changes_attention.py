"""`gen diff` points at what needs attention, and stays silent about what does not."""

import pytest
from test_changes_words import CONFIG, DEPLOYMENT, PROPERTIES, SERVICE, compared, edited

from generator.changes import attention
from generator.changes.comparison import Comparison

RUNTIME = """\
apiVersion: serving.kserve.io/v1alpha1
kind: ServingRuntime
metadata: {name: one-triton, namespace: models}
spec:
  containers:
    - name: kserve-container
      image: docker.io/acme/triton@sha256:0123
      ports: [{containerPort: 8080}]
      securityContext:
        runAsNonRoot: true
        readOnlyRootFilesystem: true
        allowPrivilegeEscalation: false
        seccompProfile: {type: RuntimeDefault}
        capabilities: {drop: [ALL]}
      resources: {limits: {memory: 2Gi, nvidia.com/gpu: "1"}}
"""
PINNED = """\
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: one
  namespace: models
  annotations: {serving.kserve.io/deploymentMode: Knative}
spec:
  predictor:
    minReplicas: 2
    maxReplicas: 4
    automountServiceAccountToken: false
    serviceAccountName: reader
    model:
      runtime: one-triton
      protocolVersion: v2
      storageUri: s3://models/one
      startupProbe: {httpGet: {path: /v2/models/one/ready, port: 8080}, failureThreshold: 60}
      readinessProbe: {httpGet: {path: /v2/models/one/ready, port: 8080}}
"""
SELDON = """\
apiVersion: machinelearning.seldon.io/v1
kind: SeldonDeployment
metadata: {name: one}
spec:
  protocol: v2
  predictors:
    - name: default
      replicas: 2
      graph: {name: model, implementation: TRITON_SERVER, modelUri: s3://models/one}
      componentSpecs:
        - spec:
            securityContext: {runAsNonRoot: true}
            containers: [{name: model, livenessProbe: {exec: {command: [a]}}}]
          hpaSpec: {minReplicas: 2, maxReplicas: 4}
"""
PLAIN = edited(
    DEPLOYMENT, "securityContext: {runAsUser: 1000}", "resources: {limits: {memory: 2Gi}}"
)
POLICY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: one}
spec:
  podSelector: {matchLabels: {app: one}}
  policyTypes: [Ingress, Egress]
  ingress: [{from: [{podSelector: {}}], ports: [{port: 8080}]}]
"""
DOOR = """\
apiVersion: v1
kind: Service
metadata: {name: one}
spec: {ports: [{name: http, port: 80}]}
"""
ROLE = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: one}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
"""
BINDING = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: one}
roleRef: {kind: Role, name: one}
subjects: [{kind: ServiceAccount, name: a}]
"""
JOB = """\
apiVersion: batch/v1
kind: Job
metadata: {name: one}
spec: {template: {spec: {containers: [{name: a, image: "a:1"}]}}}
"""
HOOK = edited(
    JOB,
    "metadata: {name: one}",
    "metadata: {name: one, annotations: {argocd.argoproj.io/hook: PostSync, "
    "argocd.argoproj.io/hook-delete-policy: BeforeHookCreation}}",
)
MARKED = edited(
    JOB,
    "metadata: {name: one}",
    "metadata: {name: one, annotations: {argocd.argoproj.io/sync-options: "
    '"Force=true,Replace=true"}}',
)
OPEN = edited(POLICY, "[{from: [{podSelector: {}}], ports: [{port: 8080}]}]", "[{}]")
BLOCK = edited(
    POLICY,
    "[{from: [{podSelector: {}}], ports: [{port: 8080}]}]",
    "[{from: [{ipBlock: {cidr: 10.0.0.0/8}}], ports: [{port: 80, endPort: 90}]}]",
)
LOADER = """\
apiVersion: machinelearning.seldon.io/v1
kind: SeldonDeployment
metadata: {name: one}
spec:
  predictors:
    - name: default
      graph: {name: model}
      componentSpecs:
        - spec:
            initContainers:
              - name: model-initializer
                image: rclone/rclone:1
                args: [copy, "s3:models/one", /mnt/models]
            containers: [{name: model}]
"""
STORED = edited(
    PINNED, "storageUri: s3://models/one", "storage: {path: one, parameters: {bucket: a}}"
)
BARE = edited(SELDON, "          hpaSpec: {minReplicas: 2, maxReplicas: 4}\n", "")
TRANSFORMED = PINNED + "  transformer: {containers: [{name: t}]}\n"
SELECTING = edited(DOOR, "spec: {", "spec: {selector: {app: one}, ")
NAKED = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: one}
spec:
  template:
    metadata: {labels: {app: one}}
    spec:
      containers:
        - name: main
          image: x@sha256:12
"""
SAFE = (
    NAKED
    + """\
          securityContext:
            runAsNonRoot: true
            allowPrivilegeEscalation: false
            seccompProfile: {type: RuntimeDefault}
            capabilities: {drop: [ALL]}
"""
)
SPACE = """\
apiVersion: v1
kind: Namespace
metadata: {name: models, labels: {pod-security.kubernetes.io/enforce: restricted}}
"""
FIXED = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\nimmutable: true\ndata: {a: "1"}\n'
SCALER = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: one}
spec: {minReplicas: 2, maxReplicas: 4}
"""
BUDGET = """\
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: one}
spec: {maxUnavailable: 1}
"""


def found(comparison: Comparison) -> dict[str, str]:
    """What needs attention: messages by the name of the rule."""
    assert comparison.failures == []
    findings = (finding for service in comparison.services for finding in service.findings)
    return {finding.rule.removeprefix("attention/"): finding.message for finding in findings}


STEPS = edited(
    SELDON,
    "graph: {name: model, implementation: TRITON_SERVER, modelUri: s3://models/one}",
    "graph: {name: t, type: TRANSFORMER, children: [{name: model, envSecretRefName: a}]}",
)
KEPT = edited(
    PINNED, "{serving.kserve.io/deploymentMode", "{serving.kserve.io/storageSecretName: a, "
    "serving.kserve.io/deploymentMode",
)  # fmt: skip
BAD = [
    (STEPS, "type: TRANSFORMER", "type: MODEL", "graph-step-changed", "transformer dropped"),
    (STEPS, "envSecretRefName: a", "name: model", "storage-secret-changed", "a -> none"),
    (STEPS, "RefName: a", "RefName: b", "storage-secret-changed", "storage secret a -> b"),
    (KEPT, "Name: a,", "Name: b,", "storage-secret-changed", "storage secret a -> b"),
    (KEPT, "serving.kserve.io/storageSecretName: a, ", "", "storage-secret-changed", "a -> none"),
    (JOB, '"a:1"', '"ghcr.io/evil/a:1"', "registry-changed", "docker.io -> ghcr.io"),
    (PINNED, "minReplicas: 2", "minReplicas: 0", "scale-to-zero", "at least 2 -> 0 replicas"),
    (SCALER, "minReplicas: 2", "minReplicas: 0", "scale-to-zero", "at least 2 -> 0 replicas"),
    (PLAIN, "replicas: 2", "replicas: 0", "scale-to-zero", "at least 2 -> 0 replicas"),
    (PINNED, "minReplicas: 2", "minReplicas: 1", "replicas-lowered-to-one", "at least 2 -> 1"),
    (PINNED, "    minReplicas: 2\n", "", "replicas-lowered-to-one", "at least 2 -> 1 replica"),
    (SELDON, "minReplicas: 2", "minReplicas: 1", "replicas-lowered-to-one", "at least 2 -> 1"),
    (SELDON, "{minReplicas: 2, maxReplicas: 4}", "null", "autoscaler-removed", "hpaSpec dropped"),
    (PINNED, "maxReplicas: 4", "maxReplicas: 2", "autoscaler-removed", "-> always 2"),
    (PINNED, "s3://models/one", "s3://models/two", "model-uri-changed", "-> s3://models/two"),
    (SELDON, "s3://models/one", "s3://models/two", "model-uri-changed", "-> s3://models/two"),
    (PINNED, "protocolVersion: v2", "protocolVersion: v1", "protocol-changed", "v2 -> v1"),
    (SELDON, "  protocol: v2\n", "", "protocol-changed", "protocol v2 -> seldon"),
    (DOOR, "port: 80", "port: 81", "port-changed", "port http 80/TCP -> 81/TCP"),
    (DOOR, "name: http", "name: web", "port-changed", "port http 80/TCP -> none"),
    (RUNTIME, "8080", "9000", "port-changed", "no longer names port 8080, but 9000"),
    (PINNED, "Knative", "Standard", "deployment-mode-changed", "Knative -> Standard"),
    (PINNED, "readinessProbe", "livenessProbe", "probe-dropped", "readinessProbe: GET"),
    (SELDON, "exec: {command: [a]}", "tcpSocket: {port: 1}", "probe-weakened", "opening port 1"),
    (PINNED, "{httpGet: {path: /v2/models/one/ready, port: 8080}}",
     "{httpGet: {path: /v2/health/ready, port: 8080}}", "probe-weakened", "GET /v2/health/ready"),
    (PINNED, "Threshold: 60", "Threshold: 6", "startup-budget-lowered", "600 s -> 60 s"),
    (RUNTIME, "memory: 2Gi", "memory: 1Gi", "memory-limit-lowered", "2Gi -> 1Gi"),
    (RUNTIME, 'nvidia.com/gpu: "1"', "x: 1", "gpu-removed", "1 nvidia.com/gpu -> none"),
    (RUNTIME, "@sha256:0123", ":latest", "image-not-pinned", "no longer by a digest"),
    (RUNTIME, "@sha256:0123", ":26.1", "image-not-pinned", "no longer by a digest"),
    (PLAIN, "one:1.0", "one:latest", "image-not-pinned", "tag latest"),
    (PLAIN, "acme/one:1.0", "acme/one", "image-not-pinned", "tag left out"),
    (RUNTIME, "runAsNonRoot: true", "privileged: true", "permissions-widened", "root is no longer"),
    (RUNTIME, "readOnlyRootFilesystem: true", "x: 1", "permissions-widened", "read-only"),
    (RUNTIME, "allowPrivilegeEscalation: false", "x: 1", "permissions-widened", "escalation"),
    (RUNTIME, "{type: RuntimeDefault}", "{type: Unconfined}", "permissions-widened", "unconfined"),
    (RUNTIME, "drop: [ALL]", "drop: [KILL]", "permissions-widened", "no longer dropped"),
    (RUNTIME, "drop: [ALL]", "drop: [ALL], add: [SYS_ADMIN]", "permissions-widened", "SYS_ADMIN"),
    (SELDON, "securityContext: {runAsNonRoot: true}", "hostNetwork: true", "permissions-widened",
     "root is no longer refused"),
    (PLAIN, "emptyDir: {}", "hostPath: {path: /etc}", "permissions-widened", "/etc of the node"),
    (PLAIN, "nodeSelector:", "hostPID: true\n      nodeSelector:", "permissions-widened",
     "hostPID is true"),
    (PLAIN, "        - name: main", "        - name: x\n          image: x:1\n          "
     "securityContext: {privileged: true}\n        - name: main", "permissions-widened",
     "new container x: is privileged"),
    (PINNED, "automountServiceAccountToken: false", "x: 1", "permissions-widened", "the token"),
    (PINNED, "serviceAccountName: reader", "x: 1", "service-account-changed", "reader -> default"),
    (ROLE, "verbs: [get]", "verbs: [get, delete]", "rights-changed", "a rule that was not there"),
    (BINDING, "name: a", "name: b", "rights-changed", "given to ServiceAccount b"),
    (BINDING, "kind: Role,", "kind: ClusterRole,", "immutable-field-changed", "roleRef"),
    (POLICY, "from: [{podSelector: {}}], ", "", "network-opened", "everybody"),
    (POLICY, ", ports: [{port: 8080}]", "", "network-opened", "every port"),
    (POLICY, ", Egress", "", "network-opened", "Egress is no longer restricted"),
    (POLICY, "app: one", "app: two", "network-opened", "other pods"),
    (DOOR, "spec: {", "spec: {type: LoadBalancer, ", "network-opened", "-> LoadBalancer"),
    (PLAIN, "matchLabels: {app: one}", "matchLabels: {app: two}", "immutable-field-changed",
     "spec.selector cannot be changed"),
    (JOB, "a:1", "a:2", "immutable-field-changed", "spec.template cannot be changed"),
    (FIXED, '"1"', '"2"', "immutable-field-changed", "the ConfigMap is immutable"),
    (SERVICE, "namespace: models", "namespace: other", "namespace-changed", "models -> other"),
    (CONFIG, 'name: "x"', 'name: "y"', "model-interface-changed", "x TYPE_FP32[3]"),
    (CONFIG, "dims: [3]", "dims: [4]", "model-interface-changed", "x TYPE_FP32[4]"),
    (CONFIG, "max_batch_size: 8", "max_batch_size: 4", "model-interface-changed",
     "requests of more than 4 are refused"),
    (CONFIG, "max_batch", 'backend: "python"\nmax_batch', "model-loading-changed",
     "backend none -> python"),
    (CONFIG, "max_batch", "version_policy: { latest { num_versions: 2 } }\nmax_batch",
     "model-loading-changed", "version_policy none -> "),
    (LOADER, "s3:models/one", "s3:models/two", "model-uri-changed", "-> s3:models/two"),
    (LOADER, "s3:models/one", "s3://models/one", "model-uri-changed", "-> s3://models/one"),
    (PINNED, "      storageUri: s3://models/one\n", "", "model-uri-changed", "-> none"),
    (PINNED, "storageUri: s3://models/one", "storage: {path: one, key: k}", "model-uri-changed",
     "model uri s3://models/one -> one"),
    (PINNED, "storageUri: s3://models/one", "storageUris: [{uri: s3://b, mountPath: /a}]",
     "model-uri-changed", "s3://models/one -> s3://b"),
    (STORED, "bucket: a", "bucket: b", "model-uri-changed", "model uri a -> b"),
    (SELDON, "name: default\n      replicas: 2\n      graph: {name: model, implementation: TRITON_"
     "SERVER, modelUri: s3://models/one}", "name: other\n      replicas: 2\n      graph: "
     "{name: model, modelUri: s3://two}", "model-uri-changed", "s3://models/one -> s3://two"),
    (BARE, "name: default\n      replicas: 2", "name: other\n      replicas: 0", "scale-to-zero",
     "at least 2 -> 0 replicas"),
    (PINNED, "deploymentMode: Knative", "stop: \"true\"", "scale-to-zero", "stop: KServe deletes"),
    (TRANSFORMED, "  transformer: {containers: [{name: t}]}\n", "", "service-removed",
     "transformer dropped"),
    (BUDGET, "maxUnavailable: 1", "maxUnavailable: 100%", "disruption-budget-widened",
     "maxUnavailable 1 -> 100%"),
    (SELECTING, "app: one", "app: two", "selector-changed", 'selects {"app": "one"} -> '),
    (PINNED, "readinessProbe: {httpGet: {path: /v2/models/one/ready, port: 8080}}",
     "readinessProbe: {exec: {command: [/bin/true]}}", "probe-weakened", "a command"),
    (PINNED, "readinessProbe: {httpGet: {path: /v2/models/one/ready, port: 8080}}",
     "readinessProbe: {exec: {command: [sh, -c, exit 0]}}", "probe-weakened", "a command"),
    (PLAIN, "emptyDir: {}", "nfs: {server: a, path: /}", "permissions-widened", "of type nfs"),
    (NAKED, "name: main", "name: main\n          ports: [{containerPort: 1, hostPort: 1}]",
     "permissions-widened", "takes port 1 of the node"),
    (NAKED, "name: main", "name: main\n          securityContext: {procMount: Unmasked}",
     "permissions-widened", "procMount"),
    (NAKED, "name: main", "name: main\n          securityContext: {seLinuxOptions: {type: spc_t}}",
     "permissions-widened", "SELinux type `spc_t`"),
    (NAKED, "name: main", "name: main\n          securityContext: {appArmorProfile: "
     "{type: Unconfined}}", "permissions-widened", "AppArmor profile"),
    (NAKED, "metadata: {labels: {app: one}}", "metadata: {annotations: {container.apparmor.security"
     ".beta.kubernetes.io/main: unconfined}}", "permissions-widened", "AppArmor profile"),
    (NAKED, "containers:", "securityContext: {sysctls: [{name: kernel.msgmax, value: '1'}]}\n"
     "      containers:", "permissions-widened", "sysctl `kernel.msgmax`"),
    (PLAIN.replace("resources: {limits: {memory: 2Gi}}", "securityContext: {runAsUser: 7}"),
     "{runAsUser: 7}", "{}", "permissions-widened", "no longer as 7"),
    (SAFE, SAFE[SAFE.index("name: main") :], "name: other\n          image: x@sha256:12\n",
     "permissions-widened", "does not drop all capabilities"),
    (SPACE, "enforce: restricted", "enforce: privileged", "permissions-widened",
     "no longer holds pods to restricted, but to privileged"),
    (BLOCK, "10.0.0.0/8", "192.0.2.0/24", "network-opened", "changed who may connect: "),
    (BLOCK, "10.0.0.0/8", "0.0.0.0/0", "network-opened", 'ingress allows {"ipBlock"'),
    (CONFIG, "max_batch_size: 8", "max_batch_size: 0", "model-interface-changed", "lose the batch"),
]  # fmt: skip


@pytest.mark.parametrize(("whole", "old", "new", "rule", "message"), [b for b in BAD if b[3]])
def test_needs_attention(whole: str, old: str, new: str, rule: str, message: str) -> None:
    path = "config.pbtxt" if whole is CONFIG else "a.yaml"
    # What stands over the runtime's own fields is the service's, and the other way round.
    other = {RUNTIME: PINNED, PINNED: RUNTIME}.get(whole, "")
    side = {"b.yaml": other} if other else {}

    findings = found(compared({path: whole, **side}, {path: edited(whole, old, new), **side}))

    assert message in findings.get(rule, f"only {findings}")


@pytest.mark.parametrize(
    ("whole", "rule"),
    [
        (PINNED, "service-removed"),
        (PLAIN, "service-removed"),
        (BUDGET, "disruption-budget-removed"),
        (SCALER, "autoscaler-removed"),
        (POLICY, "network-policy-removed"),
    ],
)
def test_what_goes_needs_attention(whole: str, rule: str) -> None:
    assert rule in found(compared({"a.yaml": whole, "b.yaml": JOB}, {"b.yaml": JOB}))


@pytest.mark.parametrize(
    ("whole", "old", "new"),
    [
        (PINNED, "minReplicas: 2", "minReplicas: 3"),
        (PINNED, "maxReplicas: 4", "maxReplicas: 8"),
        (PINNED, "failureThreshold: 60", "failureThreshold: 90"),
        (RUNTIME, "memory: 2Gi", "memory: 4Gi"),
        (RUNTIME, "memory: 2Gi", "memory: 2048Mi"),
        (RUNTIME, "sha256:0123", "sha256:4567"),
        (RUNTIME, "runAsNonRoot: true", "runAsNonRoot: true\n        runAsUser: 1000"),
        (PLAIN, "one:1.0", "one:1.1"),
        (PLAIN, "one:1.0", "one@sha256:0123"),
        (PLAIN, "replicas: 2", "replicas: 3"),
        (PLAIN, "  replicas: 2\n", ""),
        (POLICY, "  ingress: [", "  egress: []\n  ingress: ["),
        (POLICY, "[Ingress, Egress]", "[Egress, Ingress]"),
        (ROLE, "verbs: [get]", "verbs: [get]}, {apiGroups: [''], resources: [pods], verbs: [get]"),
        (DOOR, "port: 80", "port: 80, targetPort: http"),
        (CONFIG, "max_batch_size: 8", "max_batch_size: 16"),
        (POLICY, "{podSelector: {}}", "{podSelector: {matchLabels: {a: b}}}"),
        (OPEN, "[{}]", "[{from: [{podSelector: {}}], ports: [{port: 80}]}]"),
        (OPEN, "[{}]", "[{ports: [{port: 80}, {port: 81}]}]"),
        (BLOCK, "10.0.0.0/8", "10.1.0.0/16"),
        (BLOCK, "cidr: 10.0.0.0/8", "cidr: 10.0.0.0/8, except: [10.1.0.0/16]"),
        (BLOCK, "port: 80, endPort: 90", "port: 81"),
        (BUDGET, "maxUnavailable: 1", "maxUnavailable: 0"),
        (DOOR, "port: 80", "port: 80, targetPort: 8080"),
        (HOOK, "a:1", "a:2"),
        (MARKED, "a:1", "a:2"),
        (LOADER, "/mnt/models", "/mnt/other"),
        (LOADER, "rclone:1", "rclone:2"),
        (SELDON, "modelUri: s3://models/one", "modelUri: s3://models/one, envSecretRefName: a"),
        (FIXED, "name: c", "name: d"),
    ],
)
def test_needs_no_attention(whole: str, old: str, new: str) -> None:
    path = "config.pbtxt" if whole is CONFIG else "a.yaml"
    changed = whole.replace(old, new)

    assert found(compared({path: whole}, {path: changed})) == {}


def test_a_restriction_that_moves_from_the_container_to_the_pod_is_kept() -> None:
    moved = edited(
        edited(DEPLOYMENT, "          securityContext: {runAsUser: 1000}\n", ""),
        "      nodeSelector:",
        "      securityContext: {runAsUser: 1000}\n      nodeSelector:",
    )

    assert found(compared({"a.yaml": DEPLOYMENT}, {"a.yaml": moved})) == {}


def test_a_probe_that_moves_from_the_service_to_its_runtime_is_kept() -> None:
    probe = "readinessProbe: {httpGet: {path: /v2/models/one/ready, port: 8080}}\n"
    service = edited(PINNED, f"      {probe}", "")
    runtime = f"{RUNTIME}      {probe}"

    assert (
        found(
            compared({"a.yaml": PINNED, "b.yaml": RUNTIME}, {"a.yaml": service, "b.yaml": runtime})
        )
        == {}
    )


def test_zero_replicas_in_the_mode_that_keeps_one_are_one() -> None:
    standard = edited(PINNED, "Knative", "Standard")

    findings = found(
        compared(
            {"a.yaml": standard}, {"a.yaml": edited(standard, "minReplicas: 2", "minReplicas: 0")}
        )
    )

    assert list(findings) == ["replicas-lowered-to-one"]


def test_every_rule_has_a_case_here() -> None:
    removed = {"service-removed", "disruption-budget-removed", "network-policy-removed"}
    tested = {f"attention/{case[3]}" for case in BAD if case[3]}

    removed |= {"runtime-out-of-sight", "model-name-changed"}
    assert tested | {f"attention/{name}" for name in removed} == {
        name for name in attention.named() if not name.startswith("attention/argo-cd-")
    }, "those of Argo CD are tested apart"


@pytest.mark.parametrize("rule", attention.named())
def test_every_rule_says_why(rule: str) -> None:
    why = attention.named()[rule]

    assert why.endswith(".")
    assert len(why) > 20


@pytest.mark.parametrize("whole", [BUDGET, POLICY])
def test_a_policy_under_another_name_is_no_loss(whole: str) -> None:
    renamed = edited(whole, "metadata: {name: one}", "metadata: {name: two}")

    assert found(compared({"a.yaml": whole}, {"b.yaml": renamed})) == {}


def test_another_kind_of_autoscaler_is_no_loss() -> None:
    old = f"{SCALER.rstrip()[:-1]}, scaleTargetRef: {{name: one}}}}\n"
    keda = "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: one}\n"
    new = f"{keda}spec: {{minReplicaCount: 2, scaleTargetRef: {{name: one}}}}\n"

    assert found(compared({"a.yaml": old}, {"a.yaml": new})) == {}


def test_knative_has_no_limit_of_its_own() -> None:
    unlimited = edited(PINNED, "    maxReplicas: 4\n", "")
    fixed = edited(PINNED, "maxReplicas: 4", "maxReplicas: 2")

    findings = found(compared({"a.yaml": unlimited}, {"a.yaml": fixed}))

    assert findings == {"autoscaler-removed": "from 2 to any number of replicas -> always 2"}


DAEMON = """\
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: all}
spec:
  template:
    spec:
      hostPID: true
      containers: [{name: a, image: "a@sha256:12"}]
      volumes: [{name: root, hostPath: {path: /}}]
"""


def messages(comparison: Comparison) -> list[str]:
    return [finding.message for one in comparison.services for finding in one.findings]


def test_a_new_pod_with_rights_on_the_node_needs_attention() -> None:
    told = messages(compared({"a.yaml": DOOR}, {"a.yaml": DOOR, "b.yaml": DAEMON}))

    assert told == [
        "hostPID shares a namespace of the node's",
        "volume `root` is a folder of the node",
    ]


def test_a_new_pod_without_such_rights_needs_none() -> None:
    assert messages(compared({"a.yaml": DOOR}, {"a.yaml": DOOR, "b.yaml": NAKED})) == []


def test_what_a_runtime_of_the_cluster_says_is_unknown_and_not_gone() -> None:
    old = {"a.yaml": PINNED, "b.yaml": RUNTIME}
    new = {"a.yaml": edited(PINNED, "runtime: one-triton", "runtime: shared"), "b.yaml": RUNTIME}
    kept = {**new, "b.yaml": DOOR}

    assert found(compared(old, kept)) == {
        "runtime-out-of-sight": "the runtime is no longer among these files: shared"
    }


def test_a_service_that_is_called_after_a_date_is_another() -> None:
    old, new = (edited(PINNED, "name: one\n", f"name: one-{year}0101\n") for year in (2024, 2025))

    assert "service-removed" in found(compared({"a.yaml": old}, {"a.yaml": new}))


def test_another_deployment_mode_is_told_once() -> None:
    old = edited(PINNED, "    maxReplicas: 4\n", "")

    changed = found(compared({"a.yaml": old}, {"a.yaml": edited(old, "Knative", "Standard")}))

    assert list(changed) == ["deployment-mode-changed"]


@pytest.mark.parametrize("value", ["9" * 5000, "1" + "0" * 400])
def test_a_number_of_any_length_is_compared(value: str) -> None:
    knative = (
        "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: a}\nspec: {template: "
        "{metadata: {annotations: {autoscaling.knative.dev/min-scale: '1'}}}}\n"
    )

    assert (
        found(compared({"a.yaml": knative}, {"a.yaml": edited(knative, "'1'", f"'{value}'")})) == {}
    )


def test_a_policy_of_istio_that_goes_needs_attention() -> None:
    policy = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: a}\n"

    assert "network-policy-removed" in found(
        compared({"a.yaml": policy, "b.yaml": DOOR}, {"b.yaml": DOOR})
    )


@pytest.mark.parametrize(
    ("path", "other", "old", "new", "message"),
    [
        ("models/one/config.pbtxt", "models/two/config.pbtxt", '"one"', '"two"', "model one is"),
        ("config.properties", "config.properties", '"1.0"', '"2.0"', "model one 1.0 is no longer"),
        ("config.properties", "config.properties", '"one"', '"two"', "served, but two 1.0"),
    ],
)
def test_a_model_under_another_name_needs_attention(
    path: str, other: str, old: str, new: str, message: str
) -> None:
    whole = CONFIG if path.endswith("pbtxt") else PROPERTIES

    findings = found(compared({path: whole}, {other: edited(whole, old, new)}))

    assert message in findings["model-name-changed"]


def test_a_model_that_is_configured_elsewhere_is_no_loss() -> None:
    assert found(compared({"config.properties": PROPERTIES, "a.md": ""}, {"a.md": ""})) == {}


def test_a_registry_spelt_out_is_no_other() -> None:
    spelt = edited(JOB, '"a:1"', "docker.io/library/a:1")

    assert "registry-changed" not in found(compared({"a.yaml": JOB}, {"a.yaml": spelt}))


def test_another_namespace_is_told_once() -> None:
    old = {"a.yaml": PINNED, "b.yaml": RUNTIME}
    new = {path: text.replace("namespace: models", "namespace: b") for path, text in old.items()}

    told = [one for one in messages(compared(old, new)) if "namespace" in one]

    assert told == ["namespace models -> b, and of 1 other object"]


def test_a_budget_goes_with_what_it_protects() -> None:
    budget = edited(
        BUDGET,
        "{maxUnavailable: 1}",
        "{maxUnavailable: 1, selector: {matchLabels: "
        "{serving.kserve.io/inferenceservice: one, component: transformer}}}",
    )
    old = {"a.yaml": TRANSFORMED, "b.yaml": budget}

    assert "disruption-budget-removed" in found(compared(old, {"a.yaml": TRANSFORMED}))
    for now in (PINNED, edited(TRANSFORMED, "name: one\n", "name: two\n")):
        findings = found(compared(old, {"a.yaml": now}))
        assert "service-removed" in findings
        assert "disruption-budget-removed" not in findings
    assert "disruption-budget-removed" not in found(compared(old, {}))
