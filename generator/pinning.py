"""Digests for the images that patches bring, which no plan has seen."""

from collections.abc import Mapping, Sequence

import yaml
from msgspec.structs import replace

from generator import images
from generator.artefact import RenderedFile
from generator.document import Pointer
from generator.patches import MANIFESTS, Patch
from generator.yaml_loader import Loader


def pinned(
    files: Sequence[RenderedFile], patches: Sequence[Patch], locked: Mapping[str, str] | None
) -> list[RenderedFile]:
    """The files with the lock's digests in the manifests that patches have changed.

    What a plan makes has them already, and names of objects that are hashes of it stay: load tests
    and what builds archives are no manifests that a patch can change.
    """
    touched = {patch.manifest for patch in patches} if locked else set()
    return [
        replace(file, text=_pinned(file.text, locked or {}))
        if file.path.parent.name == MANIFESTS and file.path.name in touched
        else file
        for file in files
    ]


def _pinned(text: str, locked: Mapping[str, str]) -> str:
    """A manifest with digests behind its images; all else of the text stays as it is."""
    lines = text.split("\n")
    try:
        nodes = list(yaml.compose_all(text, Loader))
        data = list(yaml.load_all(text, Loader))
    except yaml.YAMLError:
        return text  # acceptance says what is wrong with it
    ends: dict[tuple[int, int], str] = {}  # after which character of which line what comes
    for node, value in zip(nodes, data, strict=True):
        for at, written in images.placed(value):
            name = written.partition("://")[2] if written.startswith(images.OCI) else written
            digest = locked.get(images.full_name(name))
            if digest and "@" not in name and (end := _end(_node(node, at), written, lines)):
                ends[end] = f"@{digest}"
    for (line, column), digest in sorted(ends.items(), reverse=True):
        lines[line] = f"{lines[line][:column]}{digest}{lines[line][column:]}"
    return "\n".join(lines)


def _node(node: yaml.Node, at: Pointer) -> yaml.Node | None:
    for key in at:
        if isinstance(node, yaml.SequenceNode) and isinstance(key, int):
            node = node.value[key]
        elif isinstance(node, yaml.MappingNode):
            found = [value for name, value in node.value if name.value == key]
            if not found:  # merged by `<<`
                return None
            node = found[-1]
    return node


def _end(node: yaml.Node | None, written: str, lines: Sequence[str]) -> tuple[int, int] | None:
    """The line and column where a name ends, None where it does not stand on one line as it is."""
    if node is None or node.start_mark is None or node.end_mark is None:
        return None
    start, end = node.start_mark, node.end_mark
    shown = lines[start.line][start.column : end.column] if start.line == end.line else ""
    if shown == written:
        return end.line, end.column
    return (end.line, end.column - 1) if shown in (f'"{written}"', f"'{written}'") else None
