"""Attention to who may call, and what may be called."""

from collections.abc import Iterator

from generator.changes.attention.openings import openings
from generator.changes.attention.sides import Finding, Sides, at
from generator.changes.leaves import same
from generator.webhook_rules.nodes import Node

_KEYS = {"Ingress": "ingress", "Egress": "egress"}
_POLICIES = (
    *("NetworkPolicy", "CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"),
    *("AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication"),  # of Istio
)
_SERVICE_TYPES = ("ClusterIP", "NodePort", "LoadBalancer")
"""From nobody outside of the cluster to everybody."""


def network_policy_removed(sides: Sides) -> Iterator[Finding]:
    """A pod that no policy selects takes connections and requests from everywhere, and makes them
    to anywhere.

    https://kubernetes.io/docs/concepts/services-networking/network-policies/
    """
    others = [at(item, "spec") for item in sides.come(*_POLICIES)]
    for item in sides.gone(*_POLICIES):
        if at(item, "spec") in others:  # under another name
            continue
        yield Finding(item, "", f"{item.label} {sides.missing}")


def network_opened(sides: Sides) -> Iterator[Finding]:
    """Connections that were refused may now be let through, or come from elsewhere than before."""
    for both in sides.both("NetworkPolicy"):
        old, new = both.old.at("spec"), both.new.at("spec")
        if not same(old.at("podSelector").value, new.at("podSelector").value):
            yield Finding(both.item, "spec.podSelector", "the policy is about other pods")
        types = _types(old), _types(new)
        for way in sorted(types[0] - types[1]):
            yield Finding(both.item, "spec.policyTypes", f"{way} is no longer restricted")
        for way in sorted(types[0] & types[1]):
            key = _KEYS[way]
            before = list(openings(old, way))
            for opening in openings(new, way):
                if any(other.covers(opening) for other in before):
                    continue
                is_wider = any(opening.covers(other) for other in before)
                lead = "" if is_wider or not before else "changed who may connect: "
                yield Finding(both.item, f"spec.{key}", f"{lead}{key} allows {opening}")
    for both in sides.both("Service"):
        names = [side.at("spec", "type").text or "ClusterIP" for side in (both.old, both.new)]
        ranks = [_SERVICE_TYPES.index(name) if name in _SERVICE_TYPES else 0 for name in names]
        if ranks[1] > ranks[0]:
            yield Finding(both.item, "spec.type", f"type {names[0]} -> {names[1]}")


def _types(spec: Node) -> set[str]:
    """What a policy is about; Kubernetes' own defaults where it does not say."""
    named = {one.text for one in spec.at("policyTypes").elements}
    return named & _KEYS.keys() or {"Ingress"} | ({"Egress"} if spec.at("egress").given else set())


RULES = (network_policy_removed, network_opened)
