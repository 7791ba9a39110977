"""What no schema refuses of manifests, but a webhook, a controller or a kubelet would.

Some mistakes nobody refuses: they do nothing, or wait for ever. A rule is a generator function
over all manifests of one deployment, or of one run of the linter, listed in the RULES of its
module.
"""

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from generator.webhook_rules import (
    argo_cd,
    autoscalers,
    containers,
    inference_graphs,
    keda,
    knative,
    knative_services,
    kserve,
    kserve_multinode,
    kserve_runtimes,
    kserve_scaling,
    kustomization,
    llm_services,
    networks,
    objects,
    pod_security,
    pods,
    prometheus,
    seldon,
    seldon_pipelines,
    seldon_ports,
    seldon_scaling,
    seldon_silent,
    seldon_units,
    seldon_v2,
)
from generator.webhook_rules.nodes import NEWEST, Found, Node, Release, Rendered, Standard, real
from generator.webhook_rules.partial import patches

Rule = Callable[[Rendered], Iterator[Found]]

RULES: Mapping[str, tuple[Rule, ...]] = {
    "kserve": (
        *kserve.RULES,
        *kserve_scaling.RULES,
        *kserve_runtimes.RULES,
        *kserve_multinode.RULES,
        *inference_graphs.RULES,
        *llm_services.RULES,
    ),
    "knative": (*knative.RULES, *knative_services.RULES),
    "seldon-core": (
        *seldon.RULES,
        *seldon_scaling.RULES,
        *seldon_silent.RULES,
        *seldon_units.RULES,
        *seldon_ports.RULES,
    ),
    "seldon-core-2": (*seldon_v2.RULES, *seldon_pipelines.RULES),
    "pods": (*pods.RULES, *containers.RULES),
    "pod-security": pod_security.RULES,
    "kubernetes": (*objects.RULES, *autoscalers.RULES, *networks.RULES),
    "keda": keda.RULES,
    "argo-cd": argo_cd.RULES,
    "prometheus": prometheus.RULES,
    "kustomize": kustomization.RULES,
}
"""All rules by the area that their names begin with."""


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
    for area, rules in RULES.items():
        for rule in rules:
            name = f"{area}/{rule.__name__.replace('_', '-')}"
            for file, refusal in rule(rendered):
                yield file, replace(refusal, rule=name)


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
