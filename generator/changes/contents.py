"""Read files into items: what is compared with its like, wherever it stands."""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from generator import manifests, model_config
from generator.changes.trees import Entry, Files
from generator.diagnostics import Rejected
from generator.document import Text
from generator.lint.pieces import pieces
from generator.lint.templates import breaks_at_template
from generator.pbtxt import PbtxtError
from generator.torchserve_config import lines as java

MANIFEST, MODEL_CONFIG, PROPERTIES = "manifest", "config.pbtxt", "config.properties"
REQUIREMENTS, DATA, PROSE, CODE, OTHER = "requirements", "data", "prose", "code", "file"

_YAML = (".yaml", ".yml")
_ORDER = re.compile(r"#!|#\s*(syntax|escape|check)=").match  # comments that say something
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*(\[[^\]]*\])?)\s*(?P<rest>.*)")


@dataclass(frozen=True)
class Item:
    """What is compared as one: a manifest, a config, or a file of another form.

    `name` is its identity within its form: of a manifest API group, kind, namespace and name, of
    all else the path.
    """

    form: str
    file: PurePosixPath
    name: tuple[str, ...]
    data: object = field(compare=False, hash=False)

    @property
    def kind(self) -> str:
        """The kind of a manifest."""
        return self.name[1] if self.form == MANIFEST else ""

    @property
    def label(self) -> str:
        """What people call it."""
        return " ".join(filter(None, (self.name[1], self.name[3]))) if self.kind else str(self.file)


@dataclass(frozen=True)
class Broken:
    """A file that cannot be read as what it is, and where it breaks."""

    file: PurePosixPath
    message: str


def items(files: Files) -> Iterator[Item | Broken]:
    """What files hold, in order; a broken one holds nothing."""
    for path in sorted(files):
        yield from _items(path, files[path])


def _items(path: PurePosixPath, entry: Entry) -> Iterator[Item | Broken]:
    named = (str(path),)
    if entry.kind == "link":
        yield Item(OTHER, path, named, "link to " + entry.content.decode("utf-8", "replace"))
        return
    try:
        text = entry.content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        yield Item(OTHER, path, named, f"{len(entry.content)} bytes {_digest(entry.content)}")
        return
    text = text.replace("\r\n", "\n")
    try:
        yield from _read(path, text)
    except Rejected as rejected:
        flaw = rejected.diagnostics[0]
        if breaks_at_template(Text(str(path), text), flaw):  # Helm's, to be rendered first
            yield Item(CODE, path, named, text)
            return
        span = flaw.span
        yield Broken(path, f"{span.line}:{span.column}: {flaw.message}")
    except PbtxtError as error:
        yield Broken(path, str(error))


def _read(path: PurePosixPath, text: str) -> Iterator[Item]:
    named = (str(path),)
    if path.suffix in _YAML:
        yield from _of_yaml(path, text)
    elif path.suffix == ".json":
        yield from _of_json(path, text)
    elif path.suffix == ".pbtxt":
        is_config = path.name.startswith("config")
        data: object = model_config.read(text) if is_config else text
        yield Item(MODEL_CONFIG if is_config else OTHER, path, named, data)
    elif path.suffix == ".properties":
        yield Item(PROPERTIES, path, named, settings(text))
    elif path.name.startswith(("requirements", "constraints")) and path.suffix == ".txt":
        yield Item(REQUIREMENTS, path, named, _requirements(text))
    elif path.suffix in (".md", ".rst"):
        yield Item(PROSE, path, named, text)
    else:
        yield Item(CODE, path, named, _without_comments(path, text))


def _of_json(path: PurePosixPath, text: str) -> Iterator[Item]:
    data = _json_or_text(text)
    if data is text:
        yield Item(OTHER, path, (str(path),), text)
        return
    if isinstance(data, dict) and {"apiVersion", "kind"} <= data.keys():
        yield from _of_yaml(path, json.dumps(data))
    else:
        yield Item(DATA, path, (str(path),), data)


def _of_yaml(path: PurePosixPath, text: str) -> Iterator[Item]:
    documents = manifests.read(Text(str(path), text))
    found = list(pieces(str(path), documents))
    whole = {id(piece.manifest) for piece in found}
    for piece in found:
        yield Item(MANIFEST, path, _identity(piece.data, path), piece.data)
    others = [document.data for document in documents if id(document) not in whole]
    others = [data for data in others if not _is_empty_list(data)]
    for number, data in enumerate(others):
        name = (str(path), str(number)) if len(others) > 1 else (str(path),)
        yield Item(DATA, path, name, data)


def _is_empty_list(data: object) -> bool:
    return isinstance(data, dict) and str(data.get("kind")).endswith("List") and "items" in data


def _identity(data: Mapping[str, object], path: PurePosixPath) -> tuple[str, ...]:
    """API group, kind, namespace and name; what has no name goes by its file."""
    metadata = data.get("metadata")
    own = metadata if isinstance(metadata, dict) else {}
    group = str(data.get("apiVersion") or "").rpartition("/")[0]
    kind, namespace = str(data.get("kind") or ""), str(own.get("namespace") or "")
    name = own.get("name") or own.get("generateName")
    return (group, kind, namespace, str(name)) if name else (group, kind, "", f"({path})")


def settings(text: str) -> dict[str, object]:
    """The settings of Java properties; a value that is JSON as data. The last of a key wins."""
    found: dict[str, object] = {}
    for line in java.lines(text):
        if setting := java.setting(line):
            is_json = setting.value.startswith(("{", "["))
            found[setting.key] = _json_or_text(setting.value) if is_json else setting.value
    return found


def _json_or_text(value: str) -> object:
    try:
        data = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return value if _is_deep(data) else data


def _is_deep(data: object) -> bool:
    """Whether data nests deeper than YAML may: walking over it would exhaust the stack."""
    level = [data]
    for _ in range(manifests.MOST_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return bool(level)


def _requirements(text: str) -> dict[str, object]:
    """What each package is held to, by its name; other lines under themselves."""
    found: dict[str, object] = {}
    for line in text.split("\n"):
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        match = _REQUIREMENT.fullmatch(line)
        key, value = (match["name"], match["rest"]) if match else (line, "")
        while line and key in found and found[key] != value:
            key += " "  # the same package again, for another platform
        if line:
            found[key] = value
    return found


def _without_comments(path: PurePosixPath, text: str) -> str:
    """Code without comments, as far as that is certain; else as it stands."""
    if path.suffix == ".py":
        try:
            return ast.unparse(ast.parse(text))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return text
    is_shell = path.suffix == ".sh" or path.name == "Dockerfile"
    if not is_shell or "<<" in text:  # what stands in a here-document is no comment
        return text
    code = (line for line in text.split("\n") if line.strip())
    return "\n".join(line for line in code if not line.lstrip().startswith("#") or _ORDER(line))


def _digest(content: bytes) -> str:
    import hashlib  # only where a file is no text

    return hashlib.sha256(content).hexdigest()[:12]
