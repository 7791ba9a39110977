"""Attention to what containers may do that they could not do before."""

from collections.abc import Iterator

from generator.changes.attention.sides import Finding, Pod, Sides
from generator.changes.attention.standards import newly_refused
from generator.changes.leaves import same
from generator.webhook_rules.nodes import Node
from generator.webhook_rules.secured_pods import ENFORCE, LEVELS

_NAMESPACES = ("hostNetwork", "hostPID", "hostIPC")
_ROLES = ("Role", "ClusterRole")
_BINDINGS = ("RoleBinding", "ClusterRoleBinding")


def permissions_widened(sides: Sides) -> Iterator[Finding]:
    """Whoever gets into the container gets further.

    The fields are those that the Pod Security Standards restrict, and two more: a root file system
    that can be written, and the token of the service account.
    https://kubernetes.io/docs/concepts/security/pod-security-standards/
    """
    for item, old, new in sides.pods:
        for where, message in _of_pod(old, new):
            yield Finding(item, f"{new.where}.{where}", message)
    for item, name, old, new in sides.containers:
        for field, message in _of_container(name, old, new):
            where = f"{new.where}: {name}.securityContext.{field}"
            yield Finding(item, where, f"{name}: {message}")
    for item, old, new in sides.pods:
        for name in sorted(new.containers.keys() - old.containers.keys()):
            for field, message in _of_new_container(name, new):
                where = f"{new.where}: {name}.securityContext.{field}"
                yield Finding(item, where, f"new container {name}: {message}")
    for item, where, message in newly_refused(sides):
        yield Finding(item, where, message)
    for both in sides.both("Namespace"):
        was, now = (_enforced(side) for side in (both.old, both.new))
        if _STANDARDS.index(now) < _STANDARDS.index(was):
            message = f"the namespace no longer holds pods to {was}, but to {now}"
            yield Finding(both.item, "metadata.labels", message)


_STANDARDS = ("privileged", *LEVELS)
"""From all to little that a pod may do."""


def _enforced(namespace: Node) -> str:
    """The standard of a namespace; without a known one it is that of the cluster, which is none."""
    name = namespace.at("metadata", "labels", ENFORCE).text
    return name if name in _STANDARDS else _STANDARDS[0]


def _of_pod(old: Pod, new: Pod) -> Iterator[tuple[str, str]]:
    for name in _NAMESPACES:
        if new.spec.at(name).value is True and old.spec.at(name).value is not True:
            yield name, f"{name} is true"
    mounts = "automountServiceAccountToken"
    if old.spec.at(mounts).value is False and new.spec.at(mounts).value is not False:
        yield mounts, "the token of the service account is in the pod"
    paths = [_host_paths(pod) for pod in (old, new)]
    for path in sorted(paths[1] - paths[0]):
        yield "volumes", f"{path} of the node is a volume"


def _host_paths(pod: Pod) -> set[str]:
    found = (volume.at("hostPath", "path") for volume in pod.volumes)
    return {str(path.value) for path in found if path.given}


def _of_container(name: str, old: Pod, new: Pod) -> Iterator[tuple[str, str]]:
    def lost(wanted: bool, *keys: str) -> bool:
        return old.secured(name, *keys) is wanted and new.secured(name, *keys) is not wanted

    yield from _explicit(name, old, new)
    if lost(True, "runAsNonRoot"):
        yield "runAsNonRoot", "root is no longer refused"
    if new.secured(name, "runAsUser") == 0 and old.secured(name, "runAsUser") != 0:
        yield "runAsUser", "runs as root"
    users = [pod.secured(name, "runAsUser") for pod in (old, new)]
    if users[0] and users[1] is None and new.secured(name, "runAsNonRoot") is not True:
        yield "runAsUser", f"runs as the user of its image, no longer as {users[0]}"
    if lost(True, "readOnlyRootFilesystem"):
        yield "readOnlyRootFilesystem", "the root file system is no longer read-only"
    if lost(False, "allowPrivilegeEscalation"):
        yield "allowPrivilegeEscalation", "privilege escalation is no longer refused"
    profiles = [str(pod.secured(name, "seccompProfile", "type")) for pod in (old, new)]
    if profiles[0] in ("RuntimeDefault", "Localhost") and profiles[1] in ("None", "Unconfined"):
        yield "seccompProfile", f"seccomp profile {profiles[0]} -> {profiles[1].lower()}"
    dropped = [_capabilities(name, pod, "drop") for pod in (old, new)]
    if "ALL" in dropped[0]:
        if "ALL" not in dropped[1]:
            yield "capabilities", "capabilities are no longer dropped"
    elif "ALL" not in dropped[1] and (kept := sorted(dropped[0] - dropped[1])):
        yield "capabilities", f"no longer drops {', '.join(kept)}"


def _explicit(name: str, old: Pod | None, new: Pod) -> Iterator[tuple[str, str]]:
    """What is asked for, and was not; `old` is None for a container that was not there."""
    was_privileged = old is not None and old.secured(name, "privileged") is True
    if new.secured(name, "privileged") is True and not was_privileged:
        yield "privileged", "is privileged"
    had = _capabilities(name, old, "add") if old else set()
    if added := sorted(_capabilities(name, new, "add") - had):
        yield "capabilities", f"gets {', '.join(added)}"


def _of_new_container(name: str, new: Pod) -> Iterator[tuple[str, str]]:
    yield from _explicit(name, None, new)
    if new.secured(name, "runAsUser") == 0:
        yield "runAsUser", "runs as root"


def _capabilities(name: str, pod: Pod, verb: str) -> set[str]:
    listed = pod.containers[name].at("securityContext", "capabilities", verb).elements
    return {str(one.value).removeprefix("CAP_") for one in listed}


def service_account_changed(sides: Sides) -> Iterator[Finding]:
    """The pods act with another account's rights, on the cluster and often on the storage."""
    for item, old, new in sides.pods:
        names = [
            pod.spec.at("serviceAccountName").value or pod.spec.at("serviceAccount").value
            for pod in (old, new)
        ]
        if names[0] != names[1]:
            was, now = (name or "default" for name in names)
            if was != now:
                yield Finding(item, f"{new.where}.serviceAccountName", f"account {was} -> {now}")


def rights_changed(sides: Sides) -> Iterator[Finding]:
    """Rules of roles and who has them decide what an account may do in the cluster."""
    for item in sides.come(*_ROLES, *_BINDINGS):
        yield Finding(item, "", f"{item.label} is new")
    for both in sides.both(*_ROLES):
        before = [rule.value for rule in both.old.at("rules").elements]
        for rule in both.new.at("rules").elements:
            if not any(same(rule.value, other) for other in before):
                yield Finding(both.item, f"rules[{rule.path[-1]}]", "a rule that was not there")
    for both in sides.both(*_BINDINGS):
        before = [subject.value for subject in both.old.at("subjects").elements]
        for subject in both.new.at("subjects").elements:
            if not any(same(subject.value, other) for other in before):
                who = f"{subject.at('kind').text} {subject.at('name').text}"
                yield Finding(both.item, f"subjects[{subject.path[-1]}]", f"given to {who}")


RULES = (permissions_widened, service_account_changed, rights_changed)
