"""What the API server refuses of a pod when it is made, long after the manifest was applied.

[core] is pkg/apis/core/validation/validation.go of kubernetes, [batch] and [apps] are
pkg/apis/{batch,apps}/validation/validation.go.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import lru_cache

from generator.problem import did_you_mean
from generator.resources import amount
from generator.webhook_rules.nodes import Found, Node, Rendered, Rule, twice
from generator.webhook_rules.podspecs import WORKLOADS, all_of, is_model, pods

LONG_RUNNING = WORKLOADS[1:]
NOT_SOURCES = ("name", "$patch")
WITH_MODES = ("configMap", "secret", "downwardAPI")
MOST_MODE = 0o777
OPERATORS = ("Equal", "Exists", "Lt", "Gt")  # the last two since 1.35, behind a feature gate
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def request_over_limit(rendered: Rendered) -> Iterator[Found]:
    """No pod starts that requests more than its limit [core]; a model's lie over its runtime's."""
    for pod in pods(rendered):
        for container in pod.containers:
            base = pod.base if is_model(container) else None
            for name in _resources(container):
                request = _laid_over(container, base, "requests", name)
                limit = _laid_over(container, base, "limits", name)
                least, most = _amount(request), _amount(limit)
                if least is not None and most is not None and least > most:
                    text = f"request {request.value} of {name} exceeds limit {limit.value}"
                    of_runtime = request.file != container.file
                    place, other = (limit, request) if of_runtime else (request, limit)
                    related = other, f"the {'request' if of_runtime else 'limit'} stands here"
                    hint = "lower the request, or raise the limit"
                    yield place.refused(text, hint, related=related)


def device_request_is_no_limit(rendered: Rendered) -> Iterator[Found]:
    """Devices such as GPUs are not shared: their request must equal their limit [core]."""
    for pod in pods(rendered):
        for container in pod.containers:
            base = pod.base if is_model(container) else None
            for name in container.at("resources", "requests").keys:
                if not _is_device(name):
                    continue
                request = container.at("resources", "requests", name)
                limit = _laid_over(container, base, "limits", name)
                least, most = _amount(request), _amount(limit)
                if least is None or (limit.given and most is None):
                    continue
                if most is None or least < most:  # above is request_over_limit
                    told = f"limit {limit.value}" if limit.given else "no limit"
                    text = f"request {request.value} of {name} with {told}"
                    yield request.refused(text, f"write `{name}` under limits alone")


def mount_without_volume(rendered: Rendered) -> Iterator[Found]:
    """No pod starts that mounts a volume it does not have [core]; an operator adds the model's."""
    for pod in pods(rendered):
        known = [volume.at("name").text for volume in pod.volumes + pod.lent]
        for mount in all_of(pod.containers, "volumeMounts") if pod.whole else ():
            name, path = mount.at("name").text, mount.at("mountPath").text.rstrip("/")
            if name not in (*known, *pod.brought) and path != pod.mounted:
                hint = f"add `{name}` to volumes"
                yield mount.at("name").refused(f"no volume is named `{name}`", hint)


def volume_name_twice(rendered: Rendered) -> Iterator[Found]:
    """No pod starts with two volumes of one name [core]."""
    for pod in pods(rendered):
        for name in twice(tuple(volume.at("name") for volume in pod.volumes)):
            yield name.refused(f"two volumes are named `{name.text}`", "rename one")


def container_name_twice(rendered: Rendered) -> Iterator[Found]:
    """No pod starts with two containers of one name [core]."""
    for pod in pods(rendered):
        own = [container for container in pod.containers if not is_model(container)]
        for name in twice(tuple(container.at("name") for container in own)):
            yield name.refused(f"two containers are named `{name.text}`", "rename one")


def job_restart_policy(rendered: Rendered) -> Iterator[Found]:
    """A Job must say Never or OnFailure: the default of pods, Always, would never end [batch]."""
    specs = [job.at("spec", "template", "spec") for job in rendered.of_kind("Job")]
    for job in rendered.of_kind("CronJob"):
        specs.append(job.at("spec", "jobTemplate", "spec", "template", "spec"))
    for spec in specs:
        policy = spec.at("restartPolicy")
        if policy.value not in ("Never", "OnFailure") and spec.at("containers").elements:
            text = f"restartPolicy `{policy.text or 'Always'}` in a Job"
            yield policy.refused(text, "write `Never` or `OnFailure`")


def job_selector(rendered: Rendered) -> Iterator[Found]:
    """A Job makes its own selector and refuses another, unless told otherwise [batch]."""
    for job in rendered.of_kind("Job"):
        selector = job.at("spec", "selector")
        if job.at("metadata", "uid").given:
            continue  # as the cluster holds it
        if selector.given and job.at("spec", "manualSelector").value is not True:
            yield selector.refused("`selector` of a Job is made by the cluster", "remove it")


def selector_of_other_labels(rendered: Rendered) -> Iterator[Found]:
    """A workload must select the pods of its own template [apps]."""
    for workload in rendered.of_kind(*WORKLOADS):
        selector = workload.at("spec", "selector", "matchLabels")
        labels = workload.at("spec", "template", "metadata", "labels")
        for key in selector.keys:
            if labels.at(key).value != selector.at(key).value:
                text = f"label `{key}` of the selector is not that of the template"
                hint = "give spec.template.metadata.labels the same value"
                related = labels, "the template's labels"
                yield selector.at(key).refused(text, hint, related=related)


def wrong_restart_policy(rendered: Rendered) -> Iterator[Found]:
    """What runs for ever restarts for ever: another policy is refused [apps]."""
    for workload in rendered.of_kind(*LONG_RUNNING):
        policy = workload.at("spec", "template", "spec", "restartPolicy")
        if policy.text and policy.text != "Always":
            text = f"restartPolicy `{policy.text}` in a {workload.at('kind').text}"
            yield policy.refused(text, "remove it: `Always` is the one that is taken")


def mount_path_twice(rendered: Rendered) -> Iterator[Found]:
    """Two volumes of a container are not mounted at one path [core]."""
    for pod in pods(rendered):
        for container in pod.containers:
            seen: dict[str, Node] = {}
            for path in (m.at("mountPath") for m in container.at("volumeMounts").elements):
                first = seen.setdefault(path.text, path)
                if path.text and first is not path:
                    text = f"two volumes are mounted at `{path.text}`"
                    related = first, "the first of them"
                    yield path.refused(text, "mount one elsewhere", related=related)


def sub_path_outside(rendered: Rendered) -> Iterator[Found]:
    """A part of a volume is named by a path below it [core]."""
    for pod in pods(rendered):
        for mount in all_of(pod.containers, "volumeMounts"):
            path = mount.at("subPath")
            if path.text.startswith("/") or ".." in path.text.split("/"):
                yield path.refused(f"subPath `{path.text}` is not below the volume", "shorten it")


def volume_of_two_sources(rendered: Rendered) -> Iterator[Found]:
    """A volume is of one thing [core]."""
    for pod in pods(rendered):
        for volume in pod.volumes:
            given = [k for k in volume.keys if k not in NOT_SOURCES and volume.at(k).given]
            if len(given) > 1:
                told = " and ".join(f"`{key}`" for key in given)
                text = f"volume `{volume.at('name').text}` of {told}"
                yield volume.at(given[1]).refused(text, "keep one")


def negative_resources(rendered: Rendered) -> Iterator[Found]:
    """No resources are requested below 0 [core]."""
    for name, quantity in _quantities(rendered):
        if str(quantity.value).startswith("-"):
            text = f"{name} {quantity.value} is negative"
            yield quantity.refused(text, "write 0 or more")


def part_of_a_device(rendered: Rendered) -> Iterator[Found]:
    """A GPU is given whole: a device is a whole number [core]."""
    for name, quantity in _quantities(rendered):
        size = _amount(quantity) if _is_device(name) else None
        if size is not None and size.denominator != 1:
            text = f"{name} {quantity.value} is not a whole number"
            yield quantity.refused(text, "write a whole number")


def pod_without_containers(rendered: Rendered) -> Iterator[Found]:
    """A pod has a container [core]."""
    for pod in pods(rendered):
        if pod.plain and pod.spec and pod.spec.at("containers").value == []:
            yield pod.spec.at("containers").refused("no containers", "add one")


def negative_replicas(rendered: Rendered) -> Iterator[Found]:
    """The number of replicas is 0 or more [apps]."""
    for workload in rendered.of_group("apps", "Deployment", "StatefulSet", "ReplicaSet"):
        replicas = workload.at("spec", "replicas")
        if replicas.number is not None and replicas.number < 0:
            yield replicas.refused(f"replicas {replicas.number} is negative", "write 0 or more")


def selector_of_nothing(rendered: Rendered) -> Iterator[Found]:
    """A workload selects its pods by a label at least [apps]."""
    for workload in rendered.of_group("apps", *LONG_RUNNING):
        selector = workload.at("spec", "selector")
        terms = selector.at("matchLabels").keys or selector.at("matchExpressions").elements
        if selector.given and not terms:
            hint = "add matchLabels with the labels of the template"
            yield selector.refused("an empty selector", hint)


def file_mode_outside_octal(rendered: Rendered) -> Iterator[Found]:
    """The modes of files are 0 to 0777, which is 511 [core]; `644` is decimal to YAML and JSON."""
    for pod in pods(rendered):
        for mode in (mode for volume in pod.volumes for mode in _modes(volume)):
            if mode.number is not None and not 0 <= mode.number <= MOST_MODE:
                text = f"{mode.path[-1]} {mode.number} is outside 0 to 0777, which is {MOST_MODE}"
                yield mode.refused(text, _octal(mode.number))


def bad_toleration(rendered: Rendered) -> Iterator[Found]:
    """Tolerations are of known words, which go together in known ways [core]."""
    for pod in pods(rendered):
        for one in pod.spec.at("tolerations").elements if pod.spec else ():
            operator, effect, value = one.at("operator"), one.at("effect"), one.at("value")
            if operator.text and operator.text not in OPERATORS:
                hint = did_you_mean(operator.text, OPERATORS[:2])
                yield operator.refused(f"operator `{operator.text}` of a toleration", hint)
            elif operator.text == "Exists" and value.text:
                text = "`value` with operator Exists"
                yield value.refused(text, "remove it", related=(operator, "Exists"))
            elif not one.at("key").text and operator.text != "Exists":
                yield one.refused("a toleration without `key`", "add it, or operator: Exists")
            if effect.text and effect.text not in EFFECTS:
                hint = did_you_mean(effect.text, EFFECTS)
                yield effect.refused(f"effect `{effect.text}` of a toleration", hint)
            elif one.at("tolerationSeconds").given and effect.text != "NoExecute":
                text = "`tolerationSeconds` without effect NoExecute"
                yield one.at("tolerationSeconds").refused(text, "write effect: NoExecute")


def _modes(volume: Node) -> Iterator[Node]:
    """The modes of the files of a volume."""
    sources = [volume.at(kind) for kind in WITH_MODES]
    for source in volume.at("projected", "sources").elements:
        sources += [source.at(kind) for kind in WITH_MODES]
    for source in (*sources, volume.at("projected")):
        yield source.at("defaultMode")
        yield from (item.at("mode") for item in source.at("items").elements)


def _octal(number: int) -> str:
    digits = str(number)
    is_octal = len(digits) == 3 and not set(digits) & set("89-")
    return f"write `0{digits}`" if is_octal else "write it as octal, such as 0644"


@lru_cache(maxsize=2)
def _quantities(rendered: Rendered) -> tuple[tuple[str, Node], ...]:
    """What all containers request and are limited to, by the names of the resources."""
    return tuple(
        (name, given.at(name))
        for pod in pods(rendered)
        for container in pod.containers
        for given in (container.at("resources", kind) for kind in ("requests", "limits"))
        for name in given.keys
    )


def _is_device(name: str) -> bool:
    return "/" in name and "kubernetes.io/" not in name


def _resources(container: Node) -> list[str]:
    """The resources that a container itself says something about."""
    kinds = ("requests", "limits")
    return sorted({name for kind in kinds for name in container.at("resources", kind).keys})


def _laid_over(container: Node, base: Node | None, kind: str, name: str) -> Node:
    own = container.at("resources", kind, name)
    return own if own.given or base is None else base.at("resources", kind, name)


def _amount(quantity: Node) -> Fraction | None:
    """The quantity as a number; nothing where it is absent or in a form that we do not read."""
    if not isinstance(quantity.value, str | int | float) or isinstance(quantity.value, bool):
        return None
    try:
        return amount(quantity.value)
    except ValueError:
        return None


RULES = (
    request_over_limit,
    device_request_is_no_limit,
    mount_without_volume,
    volume_name_twice,
    container_name_twice,
    job_restart_policy,
    job_selector,
    selector_of_other_labels,
    wrong_restart_policy,
    mount_path_twice,
    sub_path_outside,
    volume_of_two_sources,
    negative_resources,
    part_of_a_device,
    pod_without_containers,
    negative_replicas,
    selector_of_nothing,
    file_mode_outside_octal,
    bad_toleration,
)

ONLY_WITH: Mapping[Rule, tuple[str, ...]] = {
    mount_without_volume: ("volumeMounts",),
    volume_name_twice: ("volumes",),
    mount_path_twice: ("volumeMounts",),
    sub_path_outside: ("subPath",),
    volume_of_two_sources: ("volumes",),
    file_mode_outside_octal: ("defaultMode", "mode"),
    bad_toleration: ("tolerations",),
}
"""Rules that say nothing where none of these words stands, as a key or as a text."""
