"""One document under another, key by key, before any target or environment is looked at."""

from generator.document import Document, Place, Pointer
from generator.views import OVERRIDABLE


def under(top: Document, below: Document) -> Document:
    """`top`, and what `below` says where `top` says nothing.

    A null in `top` takes the value of `below` away. Where null has a meaning of its own it stays:
    in an environment and in a target's values it removes what the spec says above them.
    """
    places = dict(top.places)
    data = _filled(top.data, below.data, (), below, places)
    return Document(top.folder, data, places)


def _filled(
    top: dict[str, object],
    below: dict[str, object],
    at: Pointer,
    source: Document,
    places: dict[Pointer, Place],
) -> dict[str, object]:
    """The keys of both; notes where those of `below` stand."""
    result = dict(top)
    for key, value in below.items():
        here = (*at, key)
        own = {} if result.get(key) is None and is_bare_name(here) else result.get(key)
        if isinstance(own, dict) and isinstance(value, dict) and key in result:
            result[key] = _filled(own, value, here, source, places)
        elif key not in result:
            result[key] = value
            places |= {p: place for p, place in source.places.items() if p[: len(here)] == here}
        elif own is None and value is not None and not _null_counts(here):
            del result[key]
    return result


def is_bare_name(at: Pointer) -> bool:
    """Whether nothing at a pointer names a target or an environment: `triton:`, `production:`."""
    return len(at) == 2 and at[0] in ("targets", "environments")


def _null_counts(at: Pointer) -> bool:
    """Whether null at a pointer removes something when the layers of the spec are merged."""
    of_a_target = at[0] == "targets" and len(at) > 2 and at[2] in OVERRIDABLE
    return at[0] == "environments" or of_a_target
