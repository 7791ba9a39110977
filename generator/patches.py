"""Apply a spec's patches to rendered manifests, keeping their comments."""

import io
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import yaml as pyyaml
from msgspec import Struct
from msgspec.structs import replace

from generator.artefact import RenderedFile
from generator.diagnostics import shown
from generator.document import Pointer
from generator.problem import Problem, did_you_mean
from generator.quoting import is_plain_yaml

MANIFESTS = "manifests"
MOST_VALUES = 2_000


class Patch(Struct, frozen=True):
    """A change to one rendered manifest: a JSON merge patch, a JSON patch, or both in turn."""

    manifest: str
    merge: dict[str, Any] | None = None  # Any: free YAML, held against the manifest's schema
    json: tuple[dict[str, Any], ...] = ()


def patched(
    files: Sequence[RenderedFile], patches: Sequence[Patch], at: Pointer
) -> tuple[list[RenderedFile], list[Problem]]:
    """The files with every patch applied, and what could not be applied.

    `at` is where the patches stand in the spec.
    """
    problems: list[Problem] = []
    by_name = {file.path.name: i for i, file in enumerate(files) if _is_manifest(file)}
    result = list(files)
    for number, patch in enumerate(patches):
        index = by_name.get(patch.manifest)
        if index is None:
            message = f"no manifest `{shown(patch.manifest)}` is rendered"
            hint = did_you_mean(patch.manifest, by_name)
            problems.append(Problem((*at, number, "manifest"), message, hint))
            continue
        try:
            result[index] = replace(result[index], text=_patched(result[index].text, patch))
        except _Unfitting as error:
            problems.append(Problem((*at, number, *error.keys), str(error)))
    return result, problems


def _is_manifest(file: RenderedFile) -> bool:
    return file.path.parent.name == MANIFESTS


class _Unfitting(Exception):
    def __init__(self, keys: Pointer, message: str) -> None:
        self.keys = keys
        super().__init__(message)


def _patched(text: str, patch: Patch) -> str:
    from ruamel.yaml import YAML  # only here: the one YAML library that keeps comments

    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 10_000
    yaml.preserve_quotes = True
    manifest = yaml.load(text)
    _anchor_comments(manifest)
    if patch.merge:
        _merge(manifest, patch.merge)
    for number, operation in enumerate(patch.json):
        manifest = _json_patched(manifest, operation, number)
    patched = _dumped(yaml, manifest)
    data = _plain(manifest)
    # ruamel loses its way where a list or map with comments has become empty.
    return patched if _reads_as(data, patched) else _dumped(yaml, data)


def _dumped(yaml: Any, data: Any) -> str:
    out = io.StringIO()
    yaml.dump(data, out)
    return out.getvalue()


def _plain(node: Any) -> Any:
    """The data without its comments."""
    if isinstance(node, dict):
        return {key: _plain(value) for key, value in node.items()}
    return [_plain(value) for value in node] if isinstance(node, list) else node


def _reads_as(data: Any, text: str) -> bool:
    try:
        return bool(pyyaml.safe_load(text) == data)
    except pyyaml.YAMLError:
        return False


def _anchor_comments(manifest: Any) -> None:  # Any: ruamel's commented maps
    """Hang each comment on the value below it, which it is about.

    ruamel hangs it on the value above: there, something added to the end of a list or a map would
    come between.
    """
    entries = list(_entries(manifest))
    for (above, key), (below, next_key) in itertools.pairwise(entries):
        for token in above.ca.items.get(key, ()):
            of_line, _, text = getattr(token, "value", "").partition("\n")
            if text.lstrip().startswith("#"):
                token.value = f"{of_line}\n"
                lines = [line.strip().removeprefix("#").strip() for line in text.splitlines()]
                indent = len(text) - len(text.lstrip())
                below.yaml_set_comment_before_after_key(next_key, "\n".join(lines), indent)


def _entries(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every map and list with each of its keys, in the order of the text."""
    if isinstance(node, dict | list):
        for key in node if isinstance(node, dict) else range(len(node)):
            yield node, key
            yield from _entries(node[key])


def _merge(manifest: Any, patch: dict[str, Any]) -> None:  # Any: ruamel's commented maps
    """RFC 7386, in place."""
    for key, value in patch.items():
        if value is None:
            manifest.pop(key, None)
        elif isinstance(value, dict):
            if not isinstance(manifest.get(key), dict):
                manifest[_quoted(key)] = {}
            _merge(manifest[key], value)
        else:
            manifest[_quoted(key)] = _quoted(value)


def _quoted(value: Any) -> Any:  # Any: free YAML
    """The value with quotes around the texts that some reader would take for something else."""
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    if isinstance(value, str):
        return value if is_plain_yaml(value) else DoubleQuotedScalarString(value)
    if isinstance(value, dict):
        return {_quoted(key): _quoted(item) for key, item in value.items()}
    return [_quoted(item) for item in value] if isinstance(value, list) else value


def _json_patched(manifest: Any, operation: dict[str, Any], number: int) -> Any:
    """RFC 6902, one operation."""
    import jsonpatch

    quoted = {k: _quoted(item) if k == "value" else item for k, item in operation.items()}
    try:
        result = jsonpatch.apply_patch(manifest, [quoted], in_place=True)
    except jsonpatch.JsonPatchTestFailed:
        message = f"test failed: `{shown(operation['path'])}` is absent or holds another value"
        raise _Unfitting(("json", number), message) from None
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
        why = _missing(manifest, operation) or _said(error)
        message = f"cannot {operation['op']} `{shown(operation['path'])}`: {why}"
        raise _Unfitting(("json", number), message) from None
    if not isinstance(result, dict):
        message = f"after {operation['op']} `{shown(operation['path'])}` the manifest is no map"
        raise _Unfitting(("json", number), message)
    if _size(result) > MOST_VALUES:
        message = f"{operation['op']} leaves more than {MOST_VALUES:,} values in the manifest"
        raise _Unfitting(("json", number), message)
    return result


def _missing(manifest: Any, operation: dict[str, Any]) -> str:
    """Which part of an operation's pointers leads nowhere, if one does."""
    import jsonpointer

    adds = operation["op"] in ("add", "move", "copy")  # the last key may be new
    for pointer, may_end in ((operation.get("from", ""), False), (operation["path"], adds)):
        keys = pointer.split("/")
        for depth in range(2, len(keys) + (not may_end)):
            head = "/".join(keys[:depth])
            if jsonpointer.resolve_pointer(manifest, head, _NOTHING) is _NOTHING:
                return f"there is no `{shown(head)}`"
    return ""


_NOTHING = object()


def _size(value: Any) -> int:
    """How many values stand in a value: copies of copies grow fast."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_size, items))


def _said(error: Exception) -> str:
    text = shown(" ".join(str(error).split()), 120)
    return text[:1].lower() + text[1:]
