"""Rules about the nodes that pods may run on."""

from collections.abc import Iterator

from generator.document import Pointer
from generator.problem import Problem, says
from generator.project import Project
from generator.target import Rule


def toleration_without_key(project: Project) -> Iterator[Problem]:
    """Every taint is meant by `operator: Exists` alone: an empty key equals nothing.

    The API server refuses the pod [ValidateTolerations in pkg/apis/core/validation/validation.go].
    """
    for index, each in enumerate(project.kubernetes.tolerations):
        if each.key is None and each.operator == "Equal":
            at: Pointer = ("kubernetes", "tolerations", index)
            hint = "add the taint's `key`, or write operator: Exists for every taint"
            yield Problem(at, "a toleration without `key`", hint)


def toleration_of_any_value_with_value(project: Project) -> Iterator[Problem]:
    """`Exists` asks for no value: with one, nobody knows which of the two was meant.

    The API server refuses the pod [ValidateTolerations in pkg/apis/core/validation/validation.go].
    """
    for index, each in enumerate(project.kubernetes.tolerations):
        if each.operator == "Exists" and each.value:
            at: Pointer = ("kubernetes", "tolerations", index)
            message = f"value `{each.value}` with operator Exists"
            hint = "remove `value`, or `operator`"
            related = (says((*at, "operator"), "Exists"),)
            yield Problem((*at, "value"), message, hint, at_key=True, related=related)


RULES: tuple[Rule, ...] = (toleration_without_key, toleration_of_any_value_with_value)
