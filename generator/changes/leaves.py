"""Where two values differ, at the deepest place that tells it; lists are paired by name."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

from generator.document import Pointer


class _Absent:
    """The type of what is not there; null is something."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()

# What tells the elements of a list apart, the first that does: the merge keys of Kubernetes' own
# lists (`x-kubernetes-patch-merge-key` of its OpenAPI document), and those of configs.
_MOST_STEPS = 1_000_000  # of pairing the elements of lists without names
_NAMES = ("name", "containerPort", "mountPath", "port", "topologyKey", "key", "ip", "secretName")


@dataclass(frozen=True)
class Difference:
    """A value that changed, came (`old` is ABSENT) or went (`new` is ABSENT).

    `pointer` leads to it on the new side, or on the old where it went; in `route` the elements of
    lists have their names, in brackets.
    """

    pointer: Pointer
    route: tuple[str, ...]
    old: object
    new: object


def differences(
    old: object, new: object, pointer: Pointer = (), route: tuple[str, ...] = ()
) -> Iterator[Difference]:
    """Yield every difference; nothing exactly where both are the same data."""
    if same(old, new):
        return
    if isinstance(old, dict) and isinstance(new, dict) and (old or new):
        for key in (*old, *(key for key in new if key not in old)):
            here = (*pointer, key), (*route, str(key))
            yield from differences(old.get(key, ABSENT), new.get(key, ABSENT), *here)
    elif isinstance(old, list) and isinstance(new, list) and old and new:
        yield from _of_lists(old, new, pointer, route)
    else:
        yield Difference(pointer, route, old, new)


def same(old: object, new: object) -> bool:
    """Whether two values are the same data: 1 is neither true nor "1"."""
    if old is ABSENT or new is ABSENT or old is new:
        return old is new
    if type(old) is type(new) and isinstance(old, str | int):
        return old == new
    return canonical(old) == canonical(new)


def canonical(value: object) -> str:
    """A value as text that is the same for the same data."""
    return json.dumps(value, sort_keys=True, default=repr)


def _of_lists(
    old: Sequence[object], new: Sequence[object], pointer: Pointer, route: tuple[str, ...]
) -> Iterator[Difference]:
    name = next((n for n in _NAMES if _tells_apart(n, old) and _tells_apart(n, new)), None)
    pairs = _by_name(old, new, name) if name else _by_content(old, new)
    for step, before, after in pairs:
        index = before if after is None else after
        was = ABSENT if before is None else old[before]
        now = ABSENT if after is None else new[after]
        here = (*pointer, index if index is not None else 0), (*route, f"[{step}]")
        yield from differences(was, now, *here)
    if name:
        was_named, now_named = _named(old, name), _named(new, name)
        both = was_named.keys() & now_named.keys()
        order = [n for n in was_named if n in both], [n for n in now_named if n in both]
        if order[0] != order[1]:
            yield Difference(pointer, (*route, "(order)"), order[0], order[1])


def _tells_apart(name: str, elements: Sequence[object]) -> bool:
    named = [element[name] for element in elements if isinstance(element, dict) and name in element]
    texts = {canonical(value) for value in named if isinstance(value, str | int)}
    return len(texts) == len(elements)


def _named(elements: Sequence[object], name: str) -> dict[str, int]:
    """Where each element stands, by its name; 1 and "1" are two."""
    texts = [str(element[name]) for element in elements if isinstance(element, dict)]
    is_told_apart = len({*texts}) == len(texts)
    return {
        str(element[name]) if is_told_apart else canonical(element[name]): index
        for index, element in enumerate(elements)
        if isinstance(element, dict)
    }


_Pair = tuple[str, int | None, int | None]


def _by_name(old: Sequence[object], new: Sequence[object], name: str) -> Iterator[_Pair]:
    before, after = _named(old, name), _named(new, name)
    for step in (*before, *(step for step in after if step not in before)):
        yield step, before.get(step), after.get(step)


def inside(value: object) -> Iterator[tuple[str | int, str, object]]:
    """The values of a map, or of a list whose elements have names: key, step of a route, value."""
    if isinstance(value, dict):
        yield from ((key, str(key), inner) for key, inner in value.items())
    elif isinstance(value, list) and (name := next((n for n in _NAMES if _all(n, value)), None)):
        for step, index in _named(value, name).items():
            yield index, f"[{step}]", value[index]


def _all(name: str, elements: Sequence[object]) -> bool:
    return bool(elements) and _tells_apart(name, elements)


def _by_place(old: int, new: int, are_same: Sequence[bool]) -> Iterator[_Pair]:
    """Pair elements by where they stand."""
    for step in range(max(old, new)):
        if step >= len(are_same):
            yield str(step), step if step < old else None, step if step < new else None
        elif not are_same[step]:
            yield str(step), step, step


def _steps(old: Sequence[str], new: Sequence[str]) -> int:
    """How many steps SequenceMatcher takes at most: all pairs of equals, for each element."""
    counts = Counter(new)
    return sum(counts[text] + 1 for text in old) * min(len(old), len(new))


def _by_content(old: Sequence[object], new: Sequence[object]) -> Iterator[_Pair]:
    """Pair elements without names: equal ones first, then those between them one by one."""
    texts = [canonical(element) for element in old], [canonical(element) for element in new]
    if _steps(*texts) > _MOST_STEPS:  # tensors: what has moved there nobody asks
        yield from _by_place(len(old), len(new), [a == b for a, b in zip(*texts, strict=False)])
        return
    matcher = SequenceMatcher(None, *texts, autojunk=False)
    for verb, first, last, begin, end in matcher.get_opcodes():
        if verb == "equal":
            continue
        for step in range(max(last - first, end - begin)):
            before = first + step if first + step < last else None
            after = begin + step if begin + step < end else None
            yield str(before if after is None else after), before, after


def shown_route(route: tuple[str, ...]) -> str:
    """A route as people write one: `spec.containers[main].image`."""
    text = ""
    for step in route:
        if step.startswith("["):
            text += step
        elif any(character in step for character in "./ "):
            text += f'["{step}"]'
        else:
            text += f".{step}" if text else step
    return text
