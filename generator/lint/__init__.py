"""Hold files that people wrote by hand against what the real systems accept, offline.

The same twin as `acceptance` has for rendered files: manifests, config.pbtxt, config.properties.
Each file is told by itself; the manifests of one folder are also held against one another.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatch
from itertools import groupby
from pathlib import Path, PurePath, PurePosixPath

from msgspec import Struct, field

from generator import kinds, manifests, webhook_rules
from generator.diagnostics import CannotRun, Diagnostic, Rejected, Span, in_file_order
from generator.document import Text
from generator.inputs import STANDARD_INPUT, Input, identity, walk
from generator.lint import configs
from generator.lint.forms import Form, form_of, may_hold
from generator.lint.pieces import Piece, pieces, told
from generator.lint.templates import breaks_at_template, is_template
from generator.source import decoded
from generator.webhook_rules import partial
from generator.webhook_rules.nodes import Standard

MOST_BYTES = 5_000_000
_TEMPLATE = "template (render it first, as with helm template)"


class Linted(Struct, frozen=True):
    """What was found in one file: how many of what were looked at, and what was passed over."""

    path: str
    diagnostics: tuple[Diagnostic, ...] = ()
    checked: Counter[str] = field(default_factory=Counter)
    passed_over: Counter[str] = field(default_factory=Counter)


class _File(Struct):
    """One file on its way."""

    input: Input
    text: Text
    form: Form
    pieces: list[Piece] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    checked: Counter[str] = field(default_factory=Counter)
    passed_over: Counter[str] = field(default_factory=Counter)

    @property
    def linted(self) -> Linted:
        found = in_file_order(self.diagnostics)
        return Linted(self.input.shown, found, self.checked, self.passed_over)


def find(paths: Iterable[str], exclude: Iterable[str] = ()) -> Iterator[Input]:
    """Every file named, once, and of a folder those whose name may be of a kind that is linted.

    `exclude` are patterns of paths or of names, as in a shell.
    """
    patterns = tuple(exclude)
    seen = set()
    for path in paths:
        if path != STANDARD_INPUT and not os.path.exists(path):
            raise CannotRun(f"cannot read {path}: No such file or directory")
        found = filter(_is_worth_it, walk(path)) if os.path.isdir(path) else [path]
        for item in found:
            if not _is_excluded(item, patterns) and identity(item) not in seen:
                seen.add(identity(item))
                yield Input(item)


def _is_worth_it(path: str) -> bool:
    """Whether a file of a folder may be linted; a pipe, or a link to nothing, is left alone."""
    return may_hold(path) and os.path.isfile(path)


def _is_excluded(path: str, patterns: tuple[str, ...]) -> bool:
    parts = PurePath(path)
    ways = (path, parts.name, os.path.normpath(path), *map(str, parts.parents))
    return any(fnmatch(way, pattern.rstrip("/")) for way in ways for pattern in patterns)


def lint(
    inputs: Iterable[Input],
    cluster: kinds.Cluster = kinds.STOCK,
    standard: Standard = "",
    report: Callable[[int, int], None] = lambda _done, _total: None,
) -> Iterator[Linted | CannotRun]:
    """What is wrong in each file, folder by folder; a failure where one cannot be read.

    `standard` is the Pod Security Standard that pods are held to, `report` is told how many files
    of how many are done.
    """
    ordered = sorted(inputs, key=lambda one: (str(one.folder), one.path))
    opened: list[_File] = []
    for done, one in enumerate(ordered):
        report(done, len(ordered))
        try:
            opened.append(_opened(one))
        except Rejected as rejected:
            yield Linted(one.shown, rejected.diagnostics, Counter({"file": 1}))
        except CannotRun as failure:
            yield failure
    for file in opened:
        try:
            _parse(file)
        except Rejected as rejected:
            file.diagnostics += rejected.diagnostics
    patches = _patches(opened)
    for _, folder in groupby(opened, key=lambda file: str(file.input.folder)):
        together = list(folder)
        _check_manifests(together, patches, cluster, standard)
        for file in together:
            yield file.linted


def _patches(files: list[_File]) -> frozenset[PurePosixPath]:
    """The absolute names of the patches, known also by the kustomizations beside the files."""
    beside = {
        Path(file.input.path).parent / name
        for file in files
        if file.input.path != STANDARD_INPUT
        for name in partial.FILE_NAMES
    }
    data = {_absolute(each.key): each.data for file in files for each in file.pieces}
    for path in sorted(beside):
        if path.is_file() and _absolute(PurePosixPath(path)) not in data:
            data |= {_absolute(each.key): each.data for each in _pieces_of(path)}
    return partial.patches(data)


def _absolute(key: PurePosixPath) -> PurePosixPath:
    return PurePosixPath(os.path.abspath(key))


def _pieces_of(path: Path) -> list[Piece]:
    """The manifests of a file that is not linted itself; none where it cannot be read."""
    try:
        file = _opened(Input(str(path)))
        return list(pieces(file.text.path, manifests.read(file.text)))
    except (Rejected, CannotRun):
        return []


def _opened(one: Input) -> _File:
    is_stdin = one.path == STANDARD_INPUT
    hint = "lint it in parts" if is_stdin else "leave it out with --exclude"
    _refuse_size(one, hint)
    content = one.read()
    if PurePath(one.path).suffix == ".properties" and len(content) <= MOST_BYTES:
        text = Text(one.shown, _of_java(content))
    else:
        text = Text(one.shown, decoded(one.shown, content, MOST_BYTES, hint))
    return _File(one, text, form_of(one.path, text.content))


def _refuse_size(one: Input, hint: str) -> None:
    """Refuse what is too large before it fills the memory."""
    path = Path(one.path)
    if one.path != STANDARD_INPUT and path.is_file() and (size := path.stat().st_size) > MOST_BYTES:
        message = f"{size:,} bytes are more than the {MOST_BYTES:,} allowed here"
        raise Rejected([Diagnostic(one.shown, Span(1, 1, 2), message, "yaml/too-large", hint)])


def _of_java(content: bytes) -> str:
    """The text of a properties file, which is UTF-8 to editors and Latin-1 to Java."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _parse(file: _File) -> None:
    """Tell what a file says by itself; manifests are told when all are read."""
    if file.form in ("config.pbtxt", "config.properties", "model-config.yaml"):
        file.checked[file.form] += 1
    match file.form:
        case "manifests":
            _parse_manifests(file)
        case "config.pbtxt":
            file.diagnostics += configs.of_model_config(file.input, file.text)
        case "config.properties":
            file.diagnostics += configs.of_properties(file.text)
        case "model-config.yaml":
            file.diagnostics += configs.of_archive_config(file.text)
        case "spec":
            file.passed_over["spec (gen validate checks it)"] += 1
        case "team file":
            file.passed_over["team file (gen validate checks it with each spec)"] += 1
        case "other":
            file.passed_over[f"*{PurePath(file.text.path).suffix} of another program"] += 1


def _parse_manifests(file: _File) -> None:
    try:
        documents = manifests.read(file.text)
    except Rejected as rejected:
        if not any(breaks_at_template(file.text, flaw) for flaw in rejected.diagnostics):
            file.checked["file"] += 1
            raise
        file.passed_over[_TEMPLATE] += 1
        return
    found = list(pieces(file.text.path, documents))
    file.pieces = [piece for piece in found if not is_template(piece)]
    if len(found) > len(file.pieces):
        file.passed_over[_TEMPLATE] += len(found) - len(file.pieces)
    manifests_of = {id(piece.manifest) for piece in found}
    checked = {id(piece.manifest) for piece in file.pieces}
    for document in documents:
        if id(document) in checked:
            file.diagnostics += document.flawed_keys()
        elif id(document) not in manifests_of:
            file.passed_over["YAML without apiVersion and kind"] += 1


def _check_manifests(
    files: list[_File],
    patches: frozenset[PurePosixPath],
    cluster: kinds.Cluster,
    standard: Standard,
) -> None:
    """The shapes of the manifests of a folder, and where those are right what webhooks say."""
    sound: dict[PurePosixPath, Piece] = {}
    owners: dict[PurePosixPath, _File] = {}
    for file in files:
        for piece in file.pieces:
            owners[piece.key] = file
            if _absolute(piece.key) in patches:
                file.passed_over["kustomize patch"] += 1
                continue
            if _is_foreign(piece, cluster):
                file.passed_over[_named(piece)] += 1
                continue
            file.checked["manifest"] += 1
            refusals = list(kinds.refusals(piece.data, cluster))
            file.diagnostics += [told(piece, refusal, {}) for refusal in refusals]
            if not kinds.is_broken(refusals):
                sound[piece.key] = piece
    data = {key: piece.data for key, piece in sound.items()}
    told_together = webhook_rules.refusals(
        data, _OnDisk(), whole=False, standard=standard, release=cluster.kubernetes
    )
    for key, refusal in told_together:
        owners[key].diagnostics.append(told(sound[key], refusal, sound))


def _is_foreign(piece: Piece, cluster: kinds.Cluster) -> bool:
    """Whether a manifest is of a kind that we know nothing of."""
    api_version, kind = piece.data.get("apiVersion"), piece.data.get("kind")
    are_words = isinstance(api_version, str) and isinstance(kind, str)
    return are_words and kinds.foreign(str(api_version), str(kind), cluster)


class _OnDisk:
    """The files there are: those of the disk."""

    def __contains__(self, path: object) -> bool:
        return isinstance(path, PurePosixPath) and os.path.exists(path)


def _named(piece: Piece) -> str:
    return f"{piece.data.get('kind')} ({piece.data.get('apiVersion')})"
