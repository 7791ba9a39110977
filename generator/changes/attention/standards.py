"""What the Pod Security Standards refuse of pods, and did not refuse before."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from msgspec.structs import replace

from generator.changes.attention.sides import Pod, Sides
from generator.changes.contents import Item
from generator.webhook_rules import pod_security as rules
from generator.webhook_rules.nodes import Found, Rendered, Standard

BASELINE: Standard = "baseline"
RESTRICTED: Standard = "restricted"
_Rule = Callable[[Rendered], Iterator[Found]]
# What `permissions` compares field by field, in words of its own, where pod and container stay.
_OF_PODS: tuple[_Rule, ...] = (
    *(rules.host_namespace, rules.privileged, rules.added_capability, rules.host_path),
    *(rules.seccomp_profile, rules.root_user),
)
_OF_CONTAINERS: tuple[_Rule, ...] = (
    *(rules.seccomp_profile, rules.privilege_escalation, rules.may_run_as_root),
    rules.capabilities_kept,
)
_OTHERS: tuple[_Rule, ...] = (
    *(rules.host_process, rules.host_port, rules.host_in_probe, rules.apparmor_profile),
    *(rules.selinux_options, rules.proc_mount, rules.unsafe_sysctl, rules.volume_type),
)
_Refusal = tuple[PurePosixPath, str, str]  # of which manifest, where, and what is refused


def newly_refused(sides: Sides) -> Iterator[tuple[Item, str, str]]:
    """Item, place and message: of new pods what baseline refuses, of the others restricted too."""
    items = {PurePosixPath(f"{n}.yaml"): pair for n, pair in enumerate(sides.pairs)}
    hidden = {item for item, _ in sides.pods_out_of_sight}
    for rule in (*_OF_PODS, *_OTHERS):
        for file, where, message in _refused(rule, sides.new, BASELINE):
            pair = items.get(file)
            if pair and pair.new and not pair.old:
                yield pair.new, where, message
    for rule in (*_OTHERS, *_OF_CONTAINERS):
        before = Counter((file, text) for file, _, text in _refused(rule, sides.old, RESTRICTED))
        now = list(_refused(rule, sides.new, RESTRICTED))
        were, are = Counter(file for file, _ in before.elements()), Counter(f for f, *_ in now)
        for file, where, message in now:
            pair = items.get(file)
            if not pair or not pair.old or not pair.new or pair.new in hidden:
                continue
            if rule in _OTHERS:
                is_new = not before[file, message] and are[file] > were[file]
            else:  # a container under another name: none of the pod's was refused before
                is_new = not were[file] and _is_of_new_container(message, pair.new, sides)
            if is_new:
                yield pair.new, where, message


def _refused(rule: _Rule, side: Rendered, level: Standard) -> Iterator[_Refusal]:
    for file, refusal in rule(replace(side, pod_security=level)):
        yield file, ".".join(map(str, refusal.path)), refusal.message


def _is_of_new_container(message: str, item: Item, sides: Sides) -> bool:
    """Whether a message names a container that its pod did not have; the others are compared."""
    return any(
        f"container `{name.removeprefix('init ')}`" in message
        for one, old, new in sides.pods
        if one == item
        for name in _come(old, new)
    )


def _come(old: Pod, new: Pod) -> Iterator[str]:
    return (name for name in new.containers if name not in old.containers)
