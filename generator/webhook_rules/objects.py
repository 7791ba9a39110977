"""What the API server refuses of the kinds of Kubernetes' own that stand beside a model.

Of kubernetes, [core], [apps], [batch] and [policy] are pkg/apis/<name>/validation/validation.go.
"""

import re
from collections.abc import Iterator, Mapping

from generator.objectmeta import KUSTOMIZE
from generator.webhook_rules import schedules
from generator.webhook_rules.nodes import (
    Found,
    Node,
    Rendered,
    Rule,
    group_of,
    name_of,
    namespace_of,
    real,
)

MOST_DATA_BYTES = 1_048_576  # [core], MaxSecretSize
LONGEST_CRON_JOB = 52
SELECTORS = (("spec", "selector"), ("spec", "podSelector"))
WITH_VALUES, WITHOUT_VALUES = ("In", "NotIn"), ("Exists", "DoesNotExist")
SECRET_KEYS = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


def both_budgets(rendered: Rendered) -> Iterator[Found]:
    """A PodDisruptionBudget says what must stay or what may go [policy]."""
    for budget in rendered.of_group("policy", "PodDisruptionBudget"):
        least, most = budget.at("spec", "minAvailable"), budget.at("spec", "maxUnavailable")
        if least.given and most.given:
            related = least, "`minAvailable` stands here"
            yield most.refused("`minAvailable` and `maxUnavailable`", "keep one", related=related)


def too_much_data(rendered: Rendered) -> Iterator[Found]:
    """A ConfigMap or a Secret holds at most 1 MiB [core]."""
    for holder in rendered.of_group("", "ConfigMap", "Secret"):
        coded = holder.at("data") if holder.at("kind").text == "Secret" else holder.at("binaryData")
        plain = holder.at("stringData" if holder.at("kind").text == "Secret" else "data")
        size = sum(len(plain.at(key).text.encode(errors="replace")) for key in plain.keys)
        size += sum(len(coded.at(key).text) * 3 // 4 for key in coded.keys)
        if size > MOST_DATA_BYTES:
            text = f"{size} bytes of data, the most is {MOST_DATA_BYTES}"
            yield holder.at("data").refused(text, "keep large files in a volume or a bucket")


def bad_data_key(rendered: Rendered) -> Iterator[Found]:
    """Keys of data become names of files [core]."""
    for holder in rendered.of_group("", "ConfigMap", "Secret"):
        for field in ("data", "binaryData", "stringData"):
            data = holder.at(field)
            for key in data.keys:
                if not re.fullmatch(r"[-._a-zA-Z0-9]{1,253}", key) or key in (".", ".."):
                    hint = "use letters, digits, `-`, `_` and `.`"
                    yield data.at(key).refused(f"key `{key}` of {field}", hint)


def data_given_twice(rendered: Rendered) -> Iterator[Found]:
    """A key stands in data or in binaryData, not in both [core]."""
    for holder in rendered.of_group("", "ConfigMap"):
        for key in holder.at("binaryData").keys:
            if key in holder.at("data").keys:
                related = holder.at("data", key), "the same key in data"
                text = f"key `{key}` stands in data and binaryData"
                yield holder.at("binaryData", key).refused(text, "remove one", related=related)


def secret_incomplete(rendered: Rendered) -> Iterator[Found]:
    """A Secret of a known type has its keys [core]."""
    for secret in rendered.of_group("", "Secret"):
        kind = secret.at("type")
        known = (*secret.at("data").keys, *secret.at("stringData").keys)
        for key in SECRET_KEYS.get(kind.text, ()):
            if key not in known:
                yield kind.refused(f"Secret of type `{kind.text}` without `{key}`", f"add `{key}`")


def claim_incomplete(rendered: Rendered) -> Iterator[Found]:
    """A claim says how it is opened and how large it is [core]."""
    for claim in rendered.of_group("", "PersistentVolumeClaim"):
        spec = claim.at("spec")
        if spec.given and not spec.at("accessModes").elements:
            yield spec.refused("a claim without `accessModes`", "add accessModes: [ReadWriteOnce]")
        if spec.given and not spec.at("resources", "requests", "storage").given:
            yield spec.refused("a claim without its size", "add resources.requests.storage")


def rollout_of_nothing(rendered: Rendered) -> Iterator[Found]:
    """A rollout adds a pod first, or takes one away first [apps]."""
    for deployment in rendered.of_group("apps", "Deployment"):
        rolling = deployment.at("spec", "strategy", "rollingUpdate")
        surge, away = rolling.at("maxSurge"), rolling.at("maxUnavailable")
        if surge.value in (0, "0%") and away.value in (0, "0%"):
            text = "maxSurge and maxUnavailable are 0"
            yield away.refused(text, "write 1 for one of them", related=(surge, "maxSurge 0"))


def rolling_and_recreate(rendered: Rendered) -> Iterator[Found]:
    """Recreate takes all pods away first and has no rollingUpdate [apps]."""
    for deployment in rendered.of_group("apps", "Deployment"):
        kind = deployment.at("spec", "strategy", "type")
        rolling = deployment.at("spec", "strategy", "rollingUpdate")
        if kind.text == "Recreate" and rolling.given:
            text = "`rollingUpdate` with the strategy Recreate"
            yield rolling.refused(text, "remove it", related=(kind, "type Recreate"))


def selector_values(rendered: Rendered) -> Iterator[Found]:
    """In and NotIn compare with values, Exists and DoesNotExist do not: apimachinery, metav1."""
    for manifest in rendered.manifests:
        for route in SELECTORS:
            for term in manifest.at(*route, "matchExpressions").elements:
                operator, values = term.at("operator"), term.at("values")
                if operator.text in WITH_VALUES and not values.elements:
                    text = f"operator {operator.text} without `values`"
                    yield operator.refused(text, "add `values`")
                elif operator.text in WITHOUT_VALUES and values.elements:
                    text = f"`values` with operator {operator.text}"
                    yield values.refused(text, "remove them", related=(operator, operator.text))


def indexed_without_completions(rendered: Rendered) -> Iterator[Found]:
    """A Job of numbered pods says how many there are [batch]."""
    for job in _jobs(rendered):
        mode = job.at("completionMode")
        if mode.text == "Indexed" and not job.at("completions").given:
            yield mode.refused("completionMode Indexed without `completions`", "add `completions`")
        elif mode.text != "Indexed" and job.at("backoffLimitPerIndex").given:
            text = "`backoffLimitPerIndex` without completionMode Indexed"
            yield job.at("backoffLimitPerIndex").refused(text, "add completionMode: Indexed")


def bad_schedule(rendered: Rendered) -> Iterator[Found]:
    """A CronJob's schedule has five fields, or is a word such as @daily [batch]."""
    for job in rendered.of_group("batch", "CronJob"):
        schedule = job.at("spec", "schedule")
        words = schedule.text.split()
        if schedule.text and not schedule.text.startswith("@") and len(words) != 5:
            if "TZ=" in schedule.text:
                yield schedule.refused("a time zone in `schedule`", "write it in `timeZone`")
            else:
                text = f"schedule `{schedule.text}` has {len(words)} fields, not 5"
                yield schedule.refused(text, "write minute, hour, day, month and weekday")
        elif flaw := schedules.flaw(schedule.text):
            yield schedule.refused(*flaw)


def cron_job_name_too_long(rendered: Rendered) -> Iterator[Found]:
    """The names of a CronJob's Jobs are 11 characters longer than its own [batch]."""
    for job in rendered.of_group("batch", "CronJob"):
        name = job.at("metadata", "name")
        if len(name.text) > LONGEST_CRON_JOB:
            text = f"CronJob name of {len(name.text)} characters, the most is {LONGEST_CRON_JOB}"
            yield name.refused(text, "shorten it")


def name_given_twice(rendered: Rendered) -> Iterator[Found]:
    """Of two manifests of one kind and name the later one is what the cluster keeps.

    Source: kubectl applies them one after the other. Manifests of two files may be alternatives.
    """
    seen: dict[tuple[str, ...], Node] = {}
    for manifest in rendered.manifests if not rendered.whole else ():
        kind, name = manifest.at("kind").text, manifest.at("metadata", "name")
        file = str(real(manifest.file))
        if not name.text or kind in KUSTOMIZE:
            continue
        key = (file, group_of(manifest), kind, namespace_of(manifest), name_of(manifest))
        first = seen.setdefault(key, name)
        if first is not name:
            text = f"{kind} `{name.text}` is given twice: the later one wins"
            yield name.warned(text, "rename or remove one", related=(first, "the first of them"))


def _jobs(rendered: Rendered) -> Iterator[Node]:
    """The specs of Jobs, and of those that CronJobs make."""
    for job in rendered.of_group("batch", "Job"):
        yield job.at("spec")
    for job in rendered.of_group("batch", "CronJob"):
        yield job.at("spec", "jobTemplate", "spec")


RULES = (
    both_budgets,
    too_much_data,
    bad_data_key,
    data_given_twice,
    secret_incomplete,
    claim_incomplete,
    rollout_of_nothing,
    rolling_and_recreate,
    selector_values,
    indexed_without_completions,
    bad_schedule,
    cron_job_name_too_long,
    name_given_twice,
)

_DATA = ("ConfigMap", "Secret")
ONLY_WITH: Mapping[Rule, tuple[str, ...]] = {
    both_budgets: ("maxUnavailable",),
    too_much_data: _DATA,
    bad_data_key: _DATA,
    data_given_twice: ("ConfigMap",),
    secret_incomplete: ("Secret",),
    claim_incomplete: ("PersistentVolumeClaim",),
    rollout_of_nothing: ("Deployment",),
    rolling_and_recreate: ("Deployment",),
    selector_values: ("matchExpressions",),
    indexed_without_completions: ("Indexed", "backoffLimitPerIndex"),
    bad_schedule: ("CronJob",),
    cron_job_name_too_long: ("CronJob",),
}
"""Rules that say nothing where none of these words stands, as a key or as a text."""
