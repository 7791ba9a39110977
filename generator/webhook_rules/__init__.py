"""What no schema refuses of rendered manifests, but a webhook, a controller or a kubelet would.

Some mistakes nobody refuses: they do nothing, or wait for ever. A rule is a generator function
over all manifests of one deployment, listed in the RULES of its module.
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import PurePosixPath

from generator.webhook_rules import (
    knative,
    kserve,
    kustomization,
    pods,
    seldon,
    seldon_silent,
)
from generator.webhook_rules.nodes import Found, Node, Rendered

RULES = (
    *kserve.RULES,
    *knative.RULES,
    *seldon.RULES,
    *seldon_silent.RULES,
    *pods.RULES,
    *kustomization.RULES,
)


def refusals(
    manifests: Mapping[PurePosixPath, Mapping[str, object]],
    files: Collection[PurePosixPath] | None = None,
) -> Iterator[Found]:
    """Yield, rule by rule, in which file and what would be refused.

    The manifests are those of one deployment, without refusals of `kinds`; `files` are the paths
    of everything rendered with them, by default of the manifests alone.
    """
    nodes = tuple(Node(path, (), manifest) for path, manifest in manifests.items())
    rendered = Rendered(nodes, frozenset(manifests if files is None else files))
    for rule in RULES:
        yield from rule(rendered)
