"""What a NetworkPolicy lets through: whom, and at which ports; one opening may cover another."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from generator.changes.leaves import canonical, same
from generator.webhook_rules.nodes import Node

_RULES = {"Ingress": ("ingress", "from"), "Egress": ("egress", "to")}


@dataclass(frozen=True)
class Opening:
    """A peer that may connect at a port; None is everybody, or every port."""

    peer: Node | None
    port: Node | None

    def __str__(self) -> str:
        who = canonical(self.peer.value) if self.peer else "everybody"
        where = canonical(self.port.value) if self.port else "every port"
        return f"{who} at {where}"

    def covers(self, other: "Opening") -> bool:
        """Whether this certainly lets through all that the other does."""
        return _has_port(self.port, other.port) and _has_peer(self.peer, other.peer)


def openings(spec: Node, way: str) -> Iterator[Opening]:
    """All that a policy lets through, `Ingress` or `Egress`."""
    rules, peers = _RULES[way]
    for rule in spec.at(rules).elements:
        for port in rule.at("ports").elements or (None,):
            for peer in rule.at(peers).elements or (None,):
                yield Opening(peer, port)


def _has_port(one: Node | None, other: Node | None) -> bool:
    if one is None or (other is not None and same(one.value, other.value)):
        return True
    if other is None or (one.at("protocol").text or "TCP") != (other.at("protocol").text or "TCP"):
        return False
    if not one.at("port").given:
        return True
    first, begin = one.at("port").number, other.at("port").number
    if first is None or begin is None:
        return same(one.at("port").value, other.at("port").value)
    last, end = one.at("endPort").number or first, other.at("endPort").number or begin
    return first <= begin and end <= last


def _has_peer(one: Node | None, other: Node | None) -> bool:
    if one is None or (other is not None and same(one.value, other.value)):
        return True
    if other is None:
        return False
    if one.at("ipBlock").given or other.at("ipBlock").given:
        return _has_block(one.at("ipBlock"), other.at("ipBlock"))
    # Without a selector of namespaces a peer is of the policy's own.
    pods = _has_labels(one.at("podSelector"), other.at("podSelector"))
    own, others = one.at("namespaceSelector"), other.at("namespaceSelector")
    if own.value == {} and own.given:
        return pods
    return pods and own.given == others.given and _has_labels(own, others)


def _has_labels(one: Node, other: Node) -> bool:
    """Whether a selector takes all that another does; one that is missing takes everything."""
    if not one.given or one.value == {}:
        return True
    expressions = (side.at("matchExpressions").value or [] for side in (one, other))
    wanted, given = (side.at("matchLabels") for side in (one, other))
    return same(*expressions) and all(
        same(wanted.at(key).value, given.at(key).value) for key in wanted.keys
    )


def _has_block(one: Node, other: Node) -> bool:
    wide, narrow = _network(one.at("cidr").text), _network(other.at("cidr").text)
    if wide is None or narrow is None or not _is_within(narrow, wide):
        return False
    spared = [_network(cidr.text) for cidr in other.at("except").elements]
    for cidr in one.at("except").elements:
        refused = _network(cidr.text)
        if refused is None:
            return False
        if _overlap(refused, narrow) and not any(s and _is_within(refused, s) for s in spared):
            return False
    return True


_Network = IPv4Network | IPv6Network


def _network(text: str) -> _Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _is_within(one: _Network, other: _Network) -> bool:
    if one.version != other.version or one.prefixlen < other.prefixlen:
        return False
    return one.network_address in other


def _overlap(one: _Network, other: _Network) -> bool:
    return one.version == other.version and one.overlaps(other)
