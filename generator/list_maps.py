"""Lists that an API server reads as maps: no two elements are the same under their keys."""

from collections.abc import Iterator, Mapping

KEY_DEFAULTS = {"protocol": "TCP"}  # filled in before the keys of list elements are compared


def doubled(value: object, keys: list[str]) -> Iterator[tuple[int, int, list[object]]]:
    """Each element that stands twice: its index, that of the first, and what its keys hold."""
    seen: dict[tuple[str, ...], int] = {}
    for index, element in enumerate(value if isinstance(value, list) else ()):
        if not isinstance(element, Mapping):
            continue
        held = [_key_value(element, key) for key in keys]
        if None in held:
            continue
        first = seen.setdefault(tuple(map(repr, held)), index)
        if first != index:
            yield index, first, held


def _key_value(element: Mapping[str, object], key: str) -> object:
    held = element.get(key)
    return KEY_DEFAULTS.get(key) if held in (None, "") else held
