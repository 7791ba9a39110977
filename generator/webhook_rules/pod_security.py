"""What the Pod Security Standards refuse of a pod.

Of kubernetes, [policy] is staging/src/k8s.io/pod-security-admission/policy, a file a control; the
standards are https://kubernetes.io/docs/concepts/security/pod-security-standards/. Operators add
containers of their own to many pods: of those nothing is said here.
"""

from collections.abc import Iterator, Mapping

from generator.webhook_rules.nodes import Found, Node, Release, Rendered, Rule
from generator.webhook_rules.secured_pods import (
    BASELINE,
    RESTRICTED,
    Layers,
    SecuredPod,
    judged,
)

PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
ADDABLE = frozenset(  # check_capabilities_baseline.go
    {"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD"}
    | {"NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"}
)
SAFE_SYSCTLS: Mapping[str, Release] = {  # check_sysctls.go, with the release since which
    "kernel.shm_rmid_forced": (1, 0),
    "net.ipv4.ip_local_port_range": (1, 0),
    "net.ipv4.tcp_syncookies": (1, 0),
    "net.ipv4.ping_group_range": (1, 0),
    "net.ipv4.ip_unprivileged_port_start": (1, 0),
    "net.ipv4.ip_local_reserved_ports": (1, 27),
    "net.ipv4.tcp_keepalive_time": (1, 29),
    "net.ipv4.tcp_fin_timeout": (1, 29),
    "net.ipv4.tcp_keepalive_intvl": (1, 29),
    "net.ipv4.tcp_keepalive_probes": (1, 29),
    "net.ipv4.tcp_rmem": (1, 32),
    "net.ipv4.tcp_wmem": (1, 32),
    # github.com/kubernetes/kubernetes/pull/138389
    "net.ipv4.tcp_slow_start_after_idle": (1, 37),
    "net.ipv4.tcp_notsent_lowat": (1, 37),
}
SELINUX_TYPES: Mapping[str, Release] = {  # check_seLinuxOptions.go
    "": (1, 0),
    "container_t": (1, 0),
    "container_init_t": (1, 0),
    "container_kvm_t": (1, 0),
    "container_engine_t": (1, 31),
}
# The releases whose standards first have a check, where that is not the first of all.
SINCE: Mapping[str, Release] = {
    "host_in_probe": (1, 34),
    "seccomp_profile": (1, 19),
    "capabilities": (1, 22),  # of restricted
    "root_user": (1, 23),
}
NEVER: Release = (10**9, 0)
PROFILES = ("RuntimeDefault", "Localhost")
VOLUMES = (  # check_restrictedVolumes.go
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image"),
    *("persistentVolumeClaim", "projected", "secret"),
)


def host_process(rendered: Rendered) -> Iterator[Found]:
    """A Windows container that is a process of the node has all rights on it [policy]."""
    for _, _, context in _contexts(rendered, BASELINE):
        field = context.at("windowsOptions", "hostProcess")
        if field.value is True:
            yield _told(rendered, field, "hostProcess makes it a process of the node")


def host_namespace(rendered: Rendered) -> Iterator[Found]:
    """In the node's network, processes or memory a pod reaches those of others [policy]."""
    for pod in judged(rendered, BASELINE):
        for key in ("hostNetwork", "hostPID", "hostIPC"):
            field = pod.field(key)
            if field and field.value is True:
                yield _told(rendered, field, f"{key} shares a namespace of the node's")


def privileged(rendered: Rendered) -> Iterator[Found]:
    """A privileged container is as good as root on the node [policy]."""
    for _, container in _containers(rendered, BASELINE):
        field = container.at("securityContext", "privileged")
        if field.value is True:
            yield _told(rendered, field, f"container `{_name(container)}` is privileged")


def added_capability(rendered: Rendered) -> Iterator[Found]:
    """A capability beyond those that runtimes give by default lets a container out [policy].

    At level restricted NET_BIND_SERVICE alone may be added.
    """
    for pod, container in _containers(rendered, BASELINE):
        is_restricted = pod.level == RESTRICTED and pod.release >= SINCE["capabilities"]
        allowed = {"NET_BIND_SERVICE"} if is_restricted else ADDABLE
        for capability in container.at("securityContext", "capabilities", "add").elements:
            if capability.text not in allowed:
                text = f"container `{_name(container)}` adds capability `{capability.text}`"
                yield _told(rendered, capability, text)


def host_path(rendered: Rendered) -> Iterator[Found]:
    """A folder of the node in a pod leads to the node's own files [policy]."""
    for pod in judged(rendered, BASELINE):
        for volume in pod.volumes:
            if volume.at("hostPath").given:
                text = f"volume `{volume.at('name').text}` is a folder of the node"
                hint = "use an emptyDir, or a claim"
                yield _told(rendered, volume.at("hostPath"), text, hint)


def host_port(rendered: Rendered) -> Iterator[Found]:
    """A port of the node passes by all that guards the pod's network [policy]."""
    for _, container in _containers(rendered, BASELINE):
        for port in container.at("ports").elements:
            if port.at("hostPort").number:
                text = f"container `{_name(container)}` takes port {port.at('hostPort').number}"
                yield _told(rendered, port.at("hostPort"), f"{text} of the node")


def host_in_probe(rendered: Rendered) -> Iterator[Found]:
    """A probe with a host makes the kubelet ask others than the pod, since 1.34 [policy]."""
    for pod, container in _containers(rendered, BASELINE):
        if pod.release < SINCE["host_in_probe"]:
            continue
        asked = [container.at(probe) for probe in PROBES]
        asked += [container.at("lifecycle", moment) for moment in ("postStart", "preStop")]
        for handler in asked:
            for way in ("httpGet", "tcpSocket"):
                host = handler.at(way, "host")
                if host.text:
                    text = f"`{handler.path[-1]}` asks host `{host.text}`"
                    yield _told(rendered, host, text, "remove it: the pod is asked")


def apparmor_profile(rendered: Rendered) -> Iterator[Found]:
    """Without its AppArmor profile a container may do more than runtimes allow [policy]."""
    for _, _, context in _contexts(rendered, BASELINE):
        field = context.at("appArmorProfile", "type")
        if field.text and field.text not in PROFILES:
            yield _told(rendered, field, f"AppArmor profile `{field.text}`", _PROFILE)
    for pod in judged(rendered, BASELINE):
        annotations = pod.metadata.at("annotations") if pod.metadata else None
        for key in annotations.keys if annotations else ():
            if annotations is None or not key.startswith(_APPARMOR):
                continue
            value = annotations.at(key)
            if value.text and not value.text.startswith(("runtime/default", "localhost/")):
                text = f"AppArmor profile `{value.text}`"
                yield _told(rendered, value, text, "remove it")


_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"


def selinux_options(rendered: Rendered) -> Iterator[Found]:
    """Another SELinux type, or a user or role of its own, undoes the confinement [policy]."""
    for pod, _, context in _contexts(rendered, BASELINE):
        options = context.at("seLinuxOptions")
        kind = options.at("type")
        if pod.release < SELINUX_TYPES.get(kind.text, NEVER):
            yield _told(rendered, kind, f"SELinux type `{kind.text}`", "remove it")
        for key in ("user", "role"):
            if options.at(key).text:
                text = f"SELinux {key} `{options.at(key).text}`"
                yield _told(rendered, options.at(key), text, "remove it")


def proc_mount(rendered: Rendered) -> Iterator[Found]:
    """An unmasked /proc shows and changes the kernel that all share [policy].

    At level baseline a pod with users of its own may have one, since 1.35.
    """
    for pod, container in _containers(rendered, BASELINE):
        field = container.at("securityContext", "procMount")
        may_be_unmasked = pod.has_own_users and pod.level != RESTRICTED
        if field.text not in ("", "Default") and not may_be_unmasked:
            yield _told(rendered, field, f"procMount `{field.text}`", "write Default")


def unsafe_sysctl(rendered: Rendered) -> Iterator[Found]:
    """A sysctl outside the safe ones reaches all that run on the node [policy]."""
    for pod in judged(rendered, BASELINE):
        sysctls = pod.field("securityContext", "sysctls")
        for entry in sysctls.elements if sysctls else ():
            if pod.release < SAFE_SYSCTLS.get(entry.at("name").text, NEVER):
                text = f"sysctl `{entry.at('name').text}` is not among the safe ones"
                yield _told(rendered, entry.at("name"), text)


def seccomp_profile(rendered: Rendered) -> Iterator[Found]:
    """Without a seccomp profile a container may make every system call there is [policy].

    At level restricted one has to be written, on the pod or on each container; not for Windows.
    """
    for _, _, context in _contexts(rendered, BASELINE):
        field = context.at("seccompProfile", "type")
        if field.text and field.text not in PROFILES:
            yield _told(rendered, field, f"seccomp profile `{field.text}`", _PROFILE)
    for pod, container in _containers(rendered, RESTRICTED):
        on_pod = pod.field("securityContext", "seccompProfile", "type")
        own = container.at("securityContext", "seccompProfile", "type")
        is_asked = pod.is_whole and not pod.is_windows and pod.release >= SINCE["seccomp_profile"]
        if is_asked and not own.given and not on_pod:
            text = f"container `{_name(container)}` has no seccompProfile"
            yield _told(rendered, _context(container), text, _PROFILE)


_PROFILE = "write type: RuntimeDefault"


def volume_type(rendered: Rendered) -> Iterator[Found]:
    """Other volumes than these belong behind a claim, where an administrator grants them [policy].

    A pod may have configMap, csi, downwardAPI, emptyDir, ephemeral, image, persistentVolumeClaim,
    projected and secret.
    """
    for pod in judged(rendered, RESTRICTED):
        for volume in pod.volumes:
            kinds = [key for key in volume.keys if key != "name" and volume.at(key).given]
            if kinds and not set(kinds) & {*VOLUMES, "hostPath"}:  # hostPath has its own rule
                text = f"volume `{volume.at('name').text}` of type {kinds[0]}"
                yield _told(rendered, volume, text, "mount a claim")


def privilege_escalation(rendered: Rendered) -> Iterator[Found]:
    """A process that may gain rights becomes root by any setuid program in the image [policy]."""
    for pod, container in _containers(rendered, RESTRICTED):
        field = container.at("securityContext", "allowPrivilegeEscalation")
        if pod.is_windows or field.value is False or (not field.given and not pod.is_whole):
            continue
        told = "allows" if field.given else "does not forbid"
        text = f"container `{_name(container)}` {told} privilege escalation"
        place = field if field.given else _context(container)
        yield _told(rendered, place, text, "write allowPrivilegeEscalation: false")


def may_run_as_root(rendered: Rendered) -> Iterator[Found]:
    """Root in a container is root of the node once something lets it out [policy].

    runAsNonRoot stands on the pod or on each container, and nowhere as false; since 1.35 a pod with
    users of its own needs none.
    """
    for pod in judged(rendered, RESTRICTED):
        on_pod = pod.field("securityContext", "runAsNonRoot")
        if on_pod and on_pod.value is False and not pod.has_own_users:
            yield _told(rendered, on_pod, "the pod may run as root", _NOT_ROOT)
    for pod, container in _containers(rendered, RESTRICTED):
        own = container.at("securityContext", "runAsNonRoot")
        on_pod = pod.field("securityContext", "runAsNonRoot")
        if pod.has_own_users or own.value is True:
            continue
        if own.value is False:
            text = f"container `{_name(container)}` may run as root"
            yield _told(rendered, own, text, _NOT_ROOT)
        elif not on_pod and pod.is_whole:
            text = f"container `{_name(container)}` has no runAsNonRoot"
            yield _told(rendered, _context(container), text, _NOT_ROOT)


_NOT_ROOT = "write runAsNonRoot: true"


def root_user(rendered: Rendered) -> Iterator[Found]:
    """User 0 is root [policy]."""
    for pod, container, context in _contexts(rendered, RESTRICTED):
        field = context.at("runAsUser")
        is_asked = pod.release >= SINCE["root_user"] and not pod.has_own_users
        if is_asked and field.number == 0:
            name = f"container `{_name(container)}`" if container else "the pod"
            yield _told(rendered, field, f"{name} runs as user 0", "write another number")


def capabilities_kept(rendered: Rendered) -> Iterator[Found]:
    """Runtimes give a container capabilities that no server needs: ALL are dropped [policy]."""
    for pod, container in _containers(rendered, RESTRICTED):
        field = container.at("securityContext", "capabilities", "drop")
        is_asked = not pod.is_windows and pod.release >= SINCE["capabilities"]
        if not is_asked or any(each.text == "ALL" for each in field.elements):
            continue
        if field.given or pod.is_whole:
            text = f"container `{_name(container)}` does not drop all capabilities"
            place = field if field.given else _context(container)
            yield _told(rendered, place, text, "write capabilities: {drop: [ALL]}")


def writable_root(rendered: Rendered) -> Iterator[Found]:
    """What can write to its own image can be changed by who breaks into it.

    No standard asks for it, but all that is rendered here does without; security.read_only_root
    turns it off for a whole service.
    """
    for _, container in _containers(rendered, RESTRICTED) if rendered.whole else ():
        field = container.at("securityContext", "readOnlyRootFilesystem")
        if field.value is False:
            text = f"container `{_name(container)}` writes to its own image"
            yield _told(rendered, field, text, "write true, and mount what it writes to")


def without_resources(rendered: Rendered) -> Iterator[Found]:
    """A container without requests is put anywhere, and one without limits takes from the others.

    A pod without them is the first that a full node evicts:
    https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/
    """
    for pod, container in _containers(rendered, RESTRICTED) if rendered.whole else ():
        for kind in ("requests", "limits"):
            given = container.at("resources", kind)
            lacking = [key for key in ("cpu", "memory") if not given.at(key).given]
            if lacking and pod.is_whole and not _is_filled_in(container, kind):
                text = f"container `{_name(container)}` has no {kind} of {' and '.join(lacking)}"
                place = container.at("resources")
                yield _told(rendered, place if place.given else container.top, text)


def _is_filled_in(container: Layers, kind: str) -> bool:
    """Kubernetes takes limits for requests where only those are written."""
    limits = container.at("resources", "limits")
    return kind == "requests" and limits.at("cpu").given and limits.at("memory").given


def _containers(rendered: Rendered, level: str) -> Iterator[tuple[SecuredPod, Layers]]:
    for pod in judged(rendered, level):
        for container in pod.containers:
            yield pod, container


def _contexts(
    rendered: Rendered, level: str
) -> Iterator[tuple[SecuredPod, Layers | None, "_Context"]]:
    """The securityContext of each pod, and of each of its containers with that."""
    for pod in judged(rendered, level):
        if pod.spec:
            yield pod, None, _Context(pod.spec)
        for container in pod.containers:
            yield pod, container, _Context(container)


class _Context:
    """A securityContext in layers."""

    def __init__(self, holder: Layers) -> None:
        self.holder = holder

    def at(self, *keys: str) -> Node:
        return self.holder.at("securityContext", *keys)


def _context(container: Layers) -> Node:
    """Where a field that is missing belongs: the securityContext, or what should hold one."""
    found = container.at("securityContext")
    return found if found.given else container.top


def _name(container: Layers) -> str:
    return container.at("name").text or "kserve-container"


def _told(rendered: Rendered, place: Node, text: str, hint: str = "") -> Found:
    """A warning of what is rendered; of what is linted the API server refuses the pod."""
    return place.warned(text, hint) if rendered.whole else place.refused(text, hint)


RULES = (
    host_process,
    host_namespace,
    privileged,
    added_capability,
    host_path,
    host_port,
    host_in_probe,
    apparmor_profile,
    selinux_options,
    proc_mount,
    unsafe_sysctl,
    seccomp_profile,
    volume_type,
    privilege_escalation,
    may_run_as_root,
    root_user,
    capabilities_kept,
    writable_root,
    without_resources,
)

ONLY_WITH: Mapping[Rule, tuple[str, ...]] = {
    host_process: ("hostProcess",),
    host_namespace: ("hostNetwork", "hostPID", "hostIPC"),
    privileged: ("privileged",),
    added_capability: ("add",),
    host_path: ("hostPath",),
    host_port: ("hostPort",),
    host_in_probe: ("host",),
    selinux_options: ("seLinuxOptions",),
    proc_mount: ("procMount",),
    unsafe_sysctl: ("sysctls",),
}
"""Rules that say nothing where none of these words stands, as a key or as a text."""
