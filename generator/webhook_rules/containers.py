"""What the API server or the kubelet refuses of a container's ports, probes, variables and rights.

[core] is pkg/apis/core/validation/validation.go of kubernetes.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from generator.objectmeta import LABEL
from generator.webhook_rules.nodes import Found, Node, Rendered, Rule, twice
from generator.webhook_rules.podspecs import all_of, pods

LAST_PORT = 65_535
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
HANDLERS = ("httpGet", "tcpSocket", "exec", "grpc")
PROBE_NUMBERS = (
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
)
LONGEST_PORT_NAME = 15  # apimachinery, IsValidPortName


def container_without_image(rendered: Rendered) -> Iterator[Found]:
    """No pod is made of a container without an image [core]; operators fill theirs in."""
    for pod in pods(rendered):
        for container in pod.containers if pod.plain else ():
            if not container.at("image").given or container.at("image").value == "":
                name = container.at("name").text
                yield container.refused(f"container `{name}` without `image`", "add `image`")


def bad_container_name(rendered: Rendered) -> Iterator[Found]:
    """A container's name is a label of a DNS name [core]."""
    for pod in pods(rendered):
        for container in pod.containers if pod.plain else ():
            name = container.at("name")
            if name.given and not (len(name.text) <= LABEL.longest and _is_label(name.text)):
                text = f"container name `{name.text}` is not a {LABEL.title}"
                yield name.refused(text, LABEL.hint)


def mount_without_path(rendered: Rendered) -> Iterator[Found]:
    """A volume is mounted somewhere [core]."""
    for pod in pods(rendered):
        for mount in all_of(pod.containers, "volumeMounts"):
            if mount.at("mountPath").value == "":
                yield mount.at("mountPath").refused("an empty mountPath", "write where it goes")


def probe_with_two_handlers(rendered: Rendered) -> Iterator[Found]:
    """A probe asks in one way [core]."""
    for probe in _probes(rendered):
        given = [probe.at(handler) for handler in HANDLERS if probe.at(handler).given]
        if len(given) > 1:
            told = " and ".join(f"`{handler.path[-1]}`" for handler in given)
            related = given[0], f"`{given[0].path[-1]}` stands here"
            yield given[1].refused(f"a probe with {told}", "keep one", related=related)


def probe_without_handler(rendered: Rendered) -> Iterator[Found]:
    """A probe asks by httpGet, tcpSocket, exec or grpc [core]; some operators add one."""
    for pod in pods(rendered):
        for container in pod.containers if pod.plain else ():
            for probe in (container.at(name) for name in PROBES):
                if probe.given and not any(probe.at(handler).given for handler in HANDLERS):
                    text = f"`{probe.path[-1]}` asks nothing"
                    yield probe.refused(text, f"add one of {', '.join(HANDLERS)}")


def success_threshold_over_one(rendered: Rendered) -> Iterator[Found]:
    """One success tells that a container lives or has started [core]."""
    for probe in _probes(rendered):
        threshold = probe.at("successThreshold")
        known = probe.path[-1] != "readinessProbe"
        if known and threshold.number is not None and threshold.number > 1:
            text = f"successThreshold {threshold.number} of a {probe.path[-1]}"
            yield threshold.refused(text, "write 1: more is for readiness alone")


def negative_probe_number(rendered: Rendered) -> Iterator[Found]:
    """Seconds and numbers of tries are not below 0 [core]."""
    for probe in _probes(rendered):
        for name in PROBE_NUMBERS:
            number = probe.at(name).number
            if number is not None and number < 0:
                yield probe.at(name).refused(f"{name} {number} is negative", "write 1 or more")


def probe_of_unknown_port(rendered: Rendered) -> Iterator[Found]:
    """A probe that names a port its container does not have never succeeds.

    Source: pkg/probe/util.go of kubernetes, ResolveContainerPort.
    """
    for pod in pods(rendered):
        for container in pod.containers if pod.plain else ():
            known = [port.at("name").text for port in container.at("ports").elements]
            for probe in (container.at(name) for name in PROBES):
                for port in (probe.at(handler, "port") for handler in HANDLERS):
                    if port.text and not port.text.isdecimal() and port.text not in known:
                        text = f"no port of the container is named `{port.text}`"
                        hint = f"name one `{port.text}`, or write a number"
                        yield port.refused(text, hint)


def port_out_of_range(rendered: Rendered) -> Iterator[Found]:
    """No pod starts whose ports lie outside 1 to 65535 [core]."""
    for pod in pods(rendered):
        for port in all_of(pod.containers, "ports"):
            for key, least in (("containerPort", 1), ("hostPort", 0)):  # hostPort 0 is none
                number = port.at(key).number
                if number is not None and not least <= number <= LAST_PORT:
                    text = f"{key} {number} is outside {least} to {LAST_PORT}"
                    yield port.at(key).refused(text, "write the port that it listens on")


def bad_port_name(rendered: Rendered) -> Iterator[Found]:
    """A port's name is short, of lower-case letters, digits and single dashes [core]."""
    for pod in pods(rendered):
        for name in (port.at("name") for port in all_of(pod.containers, "ports")):
            if len(name.text) > LONGEST_PORT_NAME:
                text = f"port name `{name.text}` has {len(name.text)} characters, the most is 15"
                yield name.refused(text, "shorten it")
            elif name.text and not _is_port_name(name.text):
                text = f"port name `{name.text}`"
                hint = "use lower-case letters, digits and single `-`, at least one letter"
                yield name.refused(text, hint)


def port_name_twice(rendered: Rendered) -> Iterator[Found]:
    """The ports of a container have names of their own [core]."""
    for pod in pods(rendered):
        for container in pod.containers:
            for name in twice(tuple(p.at("name") for p in container.at("ports").elements)):
                yield name.refused(f"two ports are named `{name.text}`", "rename one")


def value_and_value_from(rendered: Rendered) -> Iterator[Found]:
    """A variable has a value, or takes it from somewhere [core]."""
    for pod in pods(rendered):
        for variable in all_of(pod.containers, "env"):
            value, source = variable.at("value"), variable.at("valueFrom")
            if value.text and source.given:
                related = value, "`value` stands here"
                text = f"variable `{variable.at('name').text}` has `value` and `valueFrom`"
                yield source.refused(text, "keep one", related=related)


def source_of_a_variable_not_one(rendered: Rendered) -> Iterator[Found]:
    """A variable takes its value from one thing [core]."""
    for pod in pods(rendered):
        for variable in all_of(pod.containers, "env"):
            source = variable.at("valueFrom")
            given = [key for key in source.keys if source.at(key).given]
            name = variable.at("name").text
            if source.given and not given and not variable.at("value").text:  # or it is told above
                text = f"`valueFrom` of variable `{name}` names nothing"
                yield source.refused(text, "add secretKeyRef, configMapKeyRef or fieldRef")
            elif len(given) > 1:
                told = " and ".join(f"`{key}`" for key in given)
                yield source.refused(f"variable `{name}` from {told}", "keep one")
        for source in all_of(pod.containers, "envFrom"):
            given = [key for key in ("configMapRef", "secretRef") if source.at(key).given]
            if source.value == {} or len(given) > 1:
                told = " and ".join(f"`{key}`" for key in given) or "nothing"
                yield source.refused(f"variables from {told}", "name one ConfigMap or Secret")


def root_that_must_not_be(rendered: Rendered) -> Iterator[Found]:
    """A container that must not run as root and does never starts.

    Source: pkg/kubelet/kuberuntime/security_context.go of kubernetes, verifyRunAsNonRoot.
    """
    for pod in pods(rendered):
        above = pod.spec.at("securityContext") if pod.spec else None
        for container in pod.containers:
            own = container.at("securityContext")
            user, demand = (_over(own, above, key) for key in ("runAsUser", "runAsNonRoot"))
            if demand.value is True and user.number == 0:
                place, told = (user, demand) if user.file == container.file else (demand, user)
                related = told, "runAsNonRoot: true" if told is demand else "runAsUser: 0"
                text = "runAsUser 0 with runAsNonRoot"
                yield place.refused(text, "use another uid", related=related)


def privilege_forbidden_and_given(rendered: Rendered) -> Iterator[Found]:
    """A privileged container cannot be kept from more privileges [core]."""
    for pod in pods(rendered):
        for container in pod.containers:
            own = container.at("securityContext")
            kept, full = own.at("allowPrivilegeEscalation"), own.at("privileged")
            if kept.value is False and full.value is True:
                related = full, "privileged: true"
                text = "allowPrivilegeEscalation: false of a privileged container"
                yield kept.refused(text, "remove one of the two", related=related)


@lru_cache(maxsize=2)  # every rule of probes asks for the same ones
def _probes(rendered: Rendered) -> tuple[Node, ...]:
    containers = [container for pod in pods(rendered) for container in pod.containers]
    found = (container.at(name) for container in containers for name in PROBES)
    return tuple(probe for probe in found if probe.given)


def _over(own: Node, above: Node | None, key: str) -> Node:
    """A field of a container's own, or of its pod's."""
    return own.at(key) if own.at(key).given or above is None else above.at(key)


def _is_label(name: str) -> bool:
    return bool(re.fullmatch(LABEL.pattern, name))


def _is_port_name(name: str) -> bool:
    shape = re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name)
    return bool(shape) and "--" not in name and any(letter.isalpha() for letter in name)


RULES = (
    container_without_image,
    bad_container_name,
    mount_without_path,
    probe_with_two_handlers,
    probe_without_handler,
    success_threshold_over_one,
    negative_probe_number,
    probe_of_unknown_port,
    port_out_of_range,
    bad_port_name,
    port_name_twice,
    value_and_value_from,
    source_of_a_variable_not_one,
    root_that_must_not_be,
    privilege_forbidden_and_given,
)

ONLY_WITH: Mapping[Rule, tuple[str, ...]] = {
    mount_without_path: ("volumeMounts",),
    probe_with_two_handlers: PROBES,
    probe_without_handler: PROBES,
    success_threshold_over_one: ("successThreshold",),
    negative_probe_number: PROBES,
    probe_of_unknown_port: PROBES,
    port_out_of_range: ("ports",),
    bad_port_name: ("ports",),
    port_name_twice: ("ports",),
    value_and_value_from: ("valueFrom",),
    source_of_a_variable_not_one: ("valueFrom", "envFrom"),
    root_that_must_not_be: ("runAsUser",),
    privilege_forbidden_and_given: ("privileged",),
}
"""Rules that say nothing where none of these words stands, as a key or as a text."""
