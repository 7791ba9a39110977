"""NetworkPolicies: who may open a connection to the pods of a project, and to which ports.

Policies name pods by labels that operators put on them, so every policy says which these are.
Answers need no rule, nor do the kubelet's probes: network plugins let a node reach its own pods.
What pods call is not restricted.
"""

from collections.abc import Iterator, Mapping

from msgspec import Struct

from generator.artefact import Artefact, artefact
from generator.project import Project
from generator.workload import labels

FIRST = "networkpolicy.yaml"
"""The manifest of a project's policy; of several, that of the pods with the model."""
LOAD_TEST = "serving-generator/load-test"
"""A label of our own: a spec may give any other to all pods, and so let them all in."""
KNATIVE = "knative-serving"
# pkg/networking/constants.go of knative: what queue-proxy listens on, in front of the container.
KNATIVE_HTTP, KNATIVE_HTTP2 = 8012, 8013
KNATIVE_AUTOSCALING, KNATIVE_METRICS = 9090, 9091
# pkg/constants of kserve: where its queue-proxy answers with the metrics of both containers.
AGGREGATED_METRICS = 9088
AGGREGATES = "serving.kserve.io/enable-metric-aggregation"


class Allowed(Struct, frozen=True):
    """Who may reach which ports, and why: a comment without its #.

    Pods are those of the policy's own namespace.
    """

    why: str
    ports: tuple[int, ...]
    namespaces: tuple[str, ...] = ()
    pods: tuple[Mapping[str, str], ...] = ()


class Policy(Struct, frozen=True):
    """The rules for the pods that a selector finds; `manifest` is the name of its file."""

    name: str
    selector: Mapping[str, str]
    allowed: tuple[Allowed, ...]
    manifest: str = FIRST


def named(project: Project, ports: tuple[int, ...]) -> Allowed:
    """The namespaces of the spec's own, and the load test where there is one."""
    policy = project.security.network_policy
    assert policy is not None
    why = "The namespaces of security.network_policy.allow_from."
    return Allowed(why, ports, policy.allow_from)


def load_test(project: Project, service: str, ports: tuple[int, ...]) -> Iterator[Allowed]:
    """The pods of perf/, which call as clients in the cluster do."""
    if project.perf:
        yield Allowed("The load test of perf/.", ports, pods=({LOAD_TEST: service},))


def load_test_labels(project: Project, service: str) -> dict[str, str]:
    """The spec's labels for a load test, and over them the one by which a policy finds its pods."""
    own = {LOAD_TEST: service} if project.security.network_policy else {}
    return {**project.kubernetes.labels, **own}


def knative(project: Project, *, http2: bool, metrics: tuple[int, ...]) -> tuple[Allowed, ...]:
    """What Knative needs to work at all: its activator calls pods, its autoscaler asks them."""
    doors = (KNATIVE_HTTP, KNATIVE_HTTP2) if http2 else (KNATIVE_HTTP,)
    if project.kubernetes.annotations.get(AGGREGATES) == "true":
        metrics = (*metrics, AGGREGATED_METRICS)
    system = "Knative's activator passes requests on, and its autoscaler counts them."
    return (
        Allowed(system, (*doors, KNATIVE_AUTOSCALING), (KNATIVE,)),
        named(project, (*doors, KNATIVE_METRICS, *metrics)),
    )


def policy_files(project: Project, service: str, policies: tuple[Policy, ...]) -> list[Artefact]:
    """The manifests; none where the spec asks for no policy."""
    if project.security.network_policy is None:
        return []
    template = "common/manifests/networkpolicy.yaml.j2"
    values = {"namespace": project.kubernetes.namespace, "labels": labels(project, service)}
    return [
        artefact(f"manifests/{each.manifest}", template, {**values, "policy": each})
        for each in policies
    ]
