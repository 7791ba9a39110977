"""What no schema refuses of manifests, but a webhook, a controller or a kubelet would.

Some mistakes nobody refuses: they do nothing, or wait for ever. A rule is a generator function
over all manifests of one deployment, or of one run of the linter, listed in the RULES of its
module, and the module in AREAS.
"""

from collections.abc import Container, Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import PurePosixPath

from msgspec.structs import replace

from generator.webhook_rules.nodes import (
    NEWEST,
    Found,
    Node,
    Release,
    Rendered,
    Rule,
    Standard,
    real,
)
from generator.webhook_rules.partial import patches

_KSERVE = ("InferenceService", "ServingRuntime", "ClusterServingRuntime")
_WORKLOADS = ("Job", "CronJob", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod")
_SELDON = ("SeldonDeployment",)
_WITH_PODS = (*_WORKLOADS, *_KSERVE, *_SELDON, "Service")  # the last is also one of Knative's
_ARGO_CD = (
    "argocd.argoproj.io/sync-options",
    "argocd.argoproj.io/compare-options",
    "argocd.argoproj.io/sync-wave",
    "argocd.argoproj.io/hook",
    "argocd.argoproj.io/hook-delete-policy",
)
_ANY: tuple[str, ...] = ()

AREAS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "kserve": {
        "kserve": _KSERVE,
        "kserve_scaling": _KSERVE,
        "kserve_runtimes": _KSERVE,
        "kserve_multinode": ("workerSpec",),
        "inference_graphs": ("InferenceGraph",),
        "llm_services": ("LLMInferenceService",),
    },
    "knative": {
        "knative": ("InferenceService", "Service"),
        "knative_services": ("Service",),
    },
    "seldon-core": {
        "seldon": _SELDON,
        "seldon_scaling": _SELDON,
        "seldon_silent": _SELDON,
        "seldon_units": _SELDON,
        "seldon_ports": _SELDON,
    },
    "seldon-core-2": {
        "seldon_v2": ("Model", "Server", "ServerConfig", "Experiment", "Pipeline"),
        "seldon_pipelines": ("Pipeline",),
    },
    "pods": {"pods": _WITH_PODS, "containers": _WITH_PODS},
    "pod-security": {"pod_security": _WITH_PODS},
    "kubernetes": {
        "objects": _ANY,
        "autoscalers": ("HorizontalPodAutoscaler", "ScaledObject"),
        "networks": ("Service", "Ingress", "NetworkPolicy"),
    },
    "keda": {"keda": ("ScaledObject", "ScaledJob")},
    "argo-cd": {"argo_cd": ("Application", "ApplicationSet", *_ARGO_CD)},
    "prometheus": {"prometheus": ("PrometheusRule", "ServiceMonitor", "PodMonitor")},
    "kustomize": {"kustomization": _ANY},
}
"""The modules of rules by the area that the rules' names begin with.

Each has the words, mostly kinds, without any of which it says nothing, and so is not imported.
A rule may have further ones, in the ONLY_WITH of its module.
"""


@cache
def all_rules() -> Mapping[str, tuple[Rule, ...]]:
    """All rules by their area."""
    return {
        area: tuple(rule for module in modules for _, rule, _ in _rules(area, module))
        for area, modules in AREAS.items()
    }


def refusals(
    manifests: Mapping[PurePosixPath, Mapping[str, object]],
    files: Container[PurePosixPath] | None = None,
    *,
    whole: bool = True,
    standard: Standard = "",
    release: Release = NEWEST,
) -> Iterator[Found]:
    """Yield, rule by rule, in which file and what would be refused.

    The manifests are those of one deployment, without refusals of `kinds`; the key is the path of
    the file, or `<path>#<number>` where several stand in one. `files` are the paths of everything
    beside them, by default of the manifests alone; it is only asked whether it holds a path.

    Without `whole` they are manifests that somebody wrote by hand: what is not there may be in the
    cluster, and patches, which hold a part of a manifest, are left alone. What kustomizations name
    is then looked for only where `files` are given. `standard` is the Pod Security Standard that
    these are held to, beside the one that a Namespace among them enforces, as of a `release` of
    Kubernetes.
    """
    if files is None:
        files = frozenset(real(path) for path in manifests) if whole else Anything()
    rendered = Rendered(tuple(nodes(manifests, whole=whole)), files, whole, standard, release)
    for name, rule in _asked(rendered):
        for file, refusal in rule(rendered):
            yield file, replace(refusal, rule=name)


def _asked(rendered: Rendered) -> Iterator[tuple[str, Rule]]:
    """The rules, by name, that can say anything of manifests of these words."""
    words = rendered.words
    for area, modules in AREAS.items():
        for module, needed in modules.items():
            if needed and words.isdisjoint(needed):
                continue
            for name, rule, wanted in _rules(area, module):
                if not wanted or not words.isdisjoint(wanted):
                    yield name, rule


@cache
def _rules(area: str, module: str) -> tuple[tuple[str, Rule, tuple[str, ...]], ...]:
    """Each rule of a module with its name and the words without any of which it says nothing."""
    loaded = import_module(f"{__name__}.{module}")
    words: Mapping[Rule, tuple[str, ...]] = getattr(loaded, "ONLY_WITH", {})
    rules: tuple[Rule, ...] = loaded.RULES
    return tuple(
        (f"{area}/{rule.__name__.replace('_', '-')}", rule, words.get(rule, ())) for rule in rules
    )


class Anything(Container[PurePosixPath]):
    """The files of a folder that nobody has looked into: any may be there."""

    def __contains__(self, path: object) -> bool:
        return True


def nodes(
    manifests: Mapping[PurePosixPath, Mapping[str, object]], *, whole: bool
) -> Iterator[Node]:
    """The manifests that are whole ones."""
    patched = frozenset[PurePosixPath]() if whole else patches(manifests)
    for path, manifest in manifests.items():
        if path not in patched:
            yield Node(path, (), manifest)
