"""Read a manifest straight from the parser's events, where all readers of YAML agree on it.

That is a third of the work of `manifests.read`, and nearly every rendered file is such a manifest.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import PurePosixPath

import yaml

from generator.artefact import RenderedFile
from generator.manifests import MOST_DEPTH, NOT_KUBECTLS, resolved
from generator.quoting import format_of
from generator.yaml_loader import Loader
from generator.yaml_nodes import FORBIDDEN

LONGEST = 500_000  # characters; a value takes one at least, so this is below MOST_VALUES
Readings = Mapping[PurePosixPath, dict[str, object]]
"""What rendered files hold, of those that `read` takes."""
NONE: Readings = {}

_Next = Callable[[], yaml.Event | None]  # None after the last
_RESOLVER = yaml.resolver.Resolver()
_TEXT = "tag:yaml.org,2002:str"


def readings(files: Iterable[RenderedFile]) -> Readings:
    """What the manifests among the files hold, of those that `read` takes."""
    found = {file.path: read(file.text) for file in files if format_of(file.path) == "yaml"}
    return {path: data for path, data in found.items() if data is not None}


def read(text: str) -> dict[str, object] | None:
    """The data of the one manifest in a text, None where `manifests.read` has to look at it.

    It has to at every mistake, at anchors, tags, `<<`, a key that stands twice or is no text, and
    at a value that is text to kubectl and not to PyYAML, or the other way round.
    """
    if len(text) > LONGEST or FORBIDDEN.search(text) or text.translate(NOT_KUBECTLS) != text:
        return None
    parser = Loader(text)
    try:
        return _only_document(parser.get_event)
    except (yaml.YAMLError, _Unusual):
        return None
    finally:
        parser.dispose()


class _Unusual(Exception):
    """Something of which the full reader has more to say."""


def _only_document(following: _Next) -> dict[str, object] | None:
    following()  # the beginning of the stream
    if not isinstance(following(), yaml.DocumentStartEvent):
        return None
    root = following()
    data = _mapping(root, following, 1) if isinstance(root, yaml.MappingStartEvent) else None
    following()  # the end of the document
    return data if isinstance(following(), yaml.StreamEndEvent) else None


def _mapping(start: yaml.CollectionStartEvent, following: _Next, depth: int) -> dict[str, object]:
    _refuse_marked(start, depth)
    result: dict[str, object] = {}
    while type(key := following()) is yaml.ScalarEvent:
        name = _scalar(key)
        if not isinstance(name, str) or name in result:
            raise _Unusual
        result[name] = _value(following(), following, depth)
    if type(key) is not yaml.MappingEndEvent:
        raise _Unusual
    return result


def _sequence(start: yaml.CollectionStartEvent, following: _Next, depth: int) -> list[object]:
    _refuse_marked(start, depth)
    result: list[object] = []
    while type(item := following()) is not yaml.SequenceEndEvent:
        result.append(_value(item, following, depth))
    return result


def _value(event: yaml.Event | None, following: _Next, depth: int) -> object:
    if type(event) is yaml.ScalarEvent:
        return _scalar(event)
    if type(event) is yaml.MappingStartEvent:
        return _mapping(event, following, depth + 1)
    if type(event) is yaml.SequenceStartEvent:
        return _sequence(event, following, depth + 1)
    raise _Unusual  # an alias


def _refuse_marked(start: yaml.CollectionStartEvent, depth: int) -> None:
    if start.anchor or start.tag or depth > MOST_DEPTH:
        raise _Unusual


def _scalar(event: yaml.ScalarEvent) -> object:
    if event.anchor or event.tag:
        raise _Unusual
    text: str = event.value
    return text if event.style else _plain(text)


@lru_cache(maxsize=4096)  # the same words stand in every manifest
def _plain(text: str) -> object:
    """What kubectl makes of a scalar without quotes, if PyYAML agrees on whether it is text."""
    value = resolved(text)
    tag = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    if isinstance(value, str) != (tag == _TEXT):
        raise _Unusual
    return value
