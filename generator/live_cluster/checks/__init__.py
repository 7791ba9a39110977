"""What `gen cluster check` finds out, a module per subject; the order is that of the table.

[kserve]: https://kserve.github.io/website/docs/admin-guide/configurations
[knative]: https://knative.dev/docs/serving/configuration/feature-flags/
[seldon]: https://docs.seldon.io/projects/seldon-core/en/latest/servers/custom.html
"""

from collections.abc import Callable, Iterator

from generator.live_cluster.checks import access, admission, kinds, platforms, references
from generator.live_cluster.question import Asked, Question

Check = Callable[[Asked], Iterator[Question]]

CHECKS: tuple[Check, ...] = (
    access.version,
    access.rights,
    kinds.served,
    kinds.namespaces,
    kinds.pod_security,
    references.runtimes,
    references.named_objects,
    platforms.kserve,
    platforms.knative,
    platforms.registries,
    platforms.autoscaling,
    platforms.seldon_servers,
    admission.dry_runs,
)


def questions(asked: Asked) -> list[Question]:
    """Everything to find out about the manifests, each subject of a check once."""
    distinct: dict[tuple[str, str], Question] = {}
    for check in CHECKS:
        for question in check(asked):
            distinct.setdefault((question.check, question.subject), question)
    return list(distinct.values())
