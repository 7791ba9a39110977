"""What a build asks of the file system is noted, all of it, and however often it is built."""

import contextlib
import errno
import functools
import gc
import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from generator import reads
from generator.cache_folder import cache_folder
from generator.diagnostics import CannotRun, Rejected
from generator.document import Document
from generator.reads import Journal
from generator.runs.bringing import Bringing
from generator.runs.loading import built, loaded
from generator.selection import Selection
from generator.specs import Spec, find_specs

ROOT = Path(__file__).resolve().parent.parent
OWN = [ROOT / name for name in ("generator", "schemas", "templates")]
ASKING = {
    os: ("stat", "lstat", "open", "scandir", "listdir", "access", "readlink"),
    io: ("open",),
}

RICH = """\
spec_version: 1
name: rich
model:
  source: net.py:Net
  weights: {path: rich.pt}
  inputs: [{name: image, dtype: float32, shape: [N, 3, 32, 32]}]
  outputs: [{name: logits, dtype: float32, shape: [N, 2]}]
  class_names: classes.txt
  files: [beside.py, missing.json]
storage: {uri: "s3://models/rich"}
transforms:
  preprocess: [decode, {resize: {size: [32, 32]}}, to_tensor]
  postprocess:
    - softmax
    - {custom: {function: "steps/after.py:after", produces: {dtype: float32, shape: [K]}}}
    - {top_k: 1}
    - class_name
kubernetes: {namespace: models, crds: crds}
gitops: {argo_cd: {repository: "https://example.com/acme/models.git"}}
images: {registry: docker.io/acme, tag: "1"}
targets:
  triton: {}
  seldon: {}
  torchserve:
    handler: handler.py:Handler
    also_serves: [other.yaml]
    transforms: {postprocess: null, preprocess: null}
"""
OTHER = """\
spec_version: 1
name: other
model:
  source: net.py:Net
  inputs: [{name: image, dtype: float32, shape: [N, 3]}]
  outputs: [{name: logits, dtype: float32, shape: [N, 2]}]
  class_names: classes.json
  files: [beside.py]
storage: {uri: "s3://models/other"}
targets: {torchserve: {handler: "handler.py:Handler"}}
"""
FILES = {
    "specs/rich.yaml": RICH,
    "specs/other.yaml": OTHER,
    "specs/rich.pt": "",
    "specs/net.py": "import torch\n",
    "specs/classes.txt": "cat\ndog\n",
    "specs/classes.json": '["cat", "dog"]',
    "specs/beside.py": "import json\n",
    "specs/missing.json": "{}",
    "specs/steps/after.py": "def after(scores):\n    return scores\n",
    "specs/handler.py": "import beside\n\n\n"
    "class Handler:\n"
    "    def initialize(self, context): ...\n"
    "    def handle(self, data, context): ...\n",
    "specs/crds/example.com_v1_Widget.json": '{"type": "object"}',
    "serving-defaults.yaml": "defaults_version: 1\nhardware: {memory: 3Gi}\n",
    "images.lock": "lock_version: 1\nimages: {}\n",
    ".git/config": '[remote "origin"]\n\turl = https://example.com/acme/models.git\n',
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone whose spec has a file of every kind that a spec can name."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def forget() -> None:
    """Make the package forget what it keeps for the specs that follow."""
    for each in gc.get_objects():
        if isinstance(each, functools._lru_cache_wrapper):
            module = getattr(each.__wrapped__, "__module__", None) or ""
            if module.startswith("generator."):
                each.cache_clear()


@contextlib.contextmanager
def asked() -> Iterator[set[str]]:
    """The paths that Python's own functions are asked about meanwhile."""
    paths: set[str] = set()

    def noting(function: Callable[..., Any]) -> Callable[..., Any]:
        def ask(path: Any = ".", *rest: Any, **named: Any) -> Any:
            if isinstance(path, str | bytes | os.PathLike):
                paths.add(os.path.abspath(os.fsdecode(path)))
            return function(path, *rest, **named)

        return ask

    with pytest.MonkeyPatch.context() as patch:
        for module, names in ASKING.items():
            for name in names:
                patch.setattr(module, name, noting(getattr(module, name)))
        yield paths


def journal_of(spec: Spec, output: Path) -> Journal:
    with reads.noted() as journal:
        document = loaded(spec)
        assert isinstance(document, Document), document
        told = Bringing(Selection(), output, check=True, strict=False)(
            spec, built(document, Selection())
        )
    if isinstance(told.failure, Rejected | CannotRun):
        raise told.failure
    return journal


def is_others(path: str, output: Path) -> bool:
    """Whether a path is the package's, Python's, or where the run writes."""
    caches = [folder for name in ("bytecode",) if (folder := cache_folder(name))]
    python = [Path(place) for place in (sys.prefix, sys.base_prefix, "/proc", "/dev", "/sys")]
    return any(Path(path).is_relative_to(top) for top in (*OWN, *python, *caches, output))


def not_noted(paths: set[str], journal: Journal, output: Path) -> set[str]:
    noted = {os.path.abspath(path) for _, path in journal.answers}
    folders = {os.path.abspath(path) for question, path in journal.answers if question == "folder"}
    return {
        path
        for path in paths - noted
        if not is_others(path, output) and os.path.dirname(path) not in folders
    }


def specs_of(*folders: str) -> list[str]:
    return [spec.path for spec in find_specs([str(ROOT / folder) for folder in folders])]


@pytest.mark.parametrize("path", specs_of("specs", "examples"))
def test_all_that_the_seed_specs_ask_is_noted(path: str, tmp_path: Path) -> None:
    forget()

    with asked() as paths:
        journal = journal_of(Spec(path), tmp_path / "rendered")

    assert path in paths
    assert not not_noted(paths, journal, tmp_path / "rendered")
    assert journal_of(Spec(path), tmp_path / "rendered") == journal  # when much is remembered


def test_all_that_a_spec_with_every_kind_of_file_asks_is_noted(project: Path) -> None:
    forget()

    with asked() as paths:
        journal = journal_of(Spec("specs/rich.yaml"), Path("rendered"))

    assert not not_noted(paths, journal, project / "rendered")
    noted = {os.path.relpath(path, project) for _, path in journal.answers}
    noted |= {f"specs/crds/{path.name}" for path in Path("specs/crds").iterdir()}  # as one folder
    unnoted = {"specs/rich.pt", "specs/net.py"}  # what is in them only gen export reads
    assert noted >= FILES.keys() - unnoted
    assert journal.is_whole


def test_a_spec_that_is_built_after_others_notes_as_much(project: Path) -> None:
    forget()
    alone = journal_of(Spec("specs/rich.yaml"), Path("rendered"))
    after = journal_of(Spec("specs/rich.yaml"), Path("rendered"))

    assert after == alone


def test_a_change_of_any_file_changes_an_answer(project: Path) -> None:
    journal = journal_of(Spec("specs/rich.yaml"), Path("rendered"))

    for name, text in FILES.items():
        (project / name).write_text(text + "\n")
        changed = [note for note, was in journal.answers.items() if reads.asked_again(*note) != was]
        (project / name).write_text(text)

        assert bool(changed) is (name not in ("specs/rich.pt", "specs/net.py")), name


def test_answers_are_the_same_when_nothing_changes(project: Path) -> None:
    journal = journal_of(Spec("specs/rich.yaml"), Path("rendered"))

    assert len(journal.answers) > 20
    for note, answer in journal.answers.items():
        assert reads.asked_again(*note) == answer


def test_a_file_that_appears_nearer_changes_an_answer(project: Path) -> None:
    journal = journal_of(Spec("specs/rich.yaml"), Path("rendered"))

    for name in ("specs/serving-defaults.yaml", "specs/images.lock", "specs/.git"):
        (project / name).touch()
        changed = [note for note, was in journal.answers.items() if reads.asked_again(*note) != was]
        (project / name).unlink()

        assert changed, name


def test_text_is_read_as_pathlib_reads_it(tmp_path: Path) -> None:
    for content in (b"a\r\nb\rc\n", b"\xef\xbb\xbfcaf\xc3\xa9\n", b""):
        (tmp_path / "file").write_bytes(content)
        for encoding in ("utf-8", "utf-8-sig"):
            expected = (tmp_path / "file").read_text(encoding=encoding)

            assert reads.read_text(tmp_path / "file", encoding) == expected


def test_what_is_no_text_fails_as_pathlib_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc\xff")

    with pytest.raises(UnicodeDecodeError) as ours:
        reads.read_text(tmp_path / "file", "utf-8")
    with pytest.raises(UnicodeDecodeError) as theirs:
        (tmp_path / "file").read_text(encoding="utf-8")

    assert str(ours.value) == str(theirs.value)


def test_a_failure_is_an_answer_too(tmp_path: Path) -> None:
    with reads.noted() as journal, contextlib.suppress(OSError):
        reads.read_bytes(tmp_path / "none")

    assert journal.answers == {("content", str(tmp_path / "none")): "failed: ENOENT"}
    assert reads.asked_again("content", str(tmp_path / "none")) == "failed: ENOENT"
    assert reads.asked_again("content", str(tmp_path)) == "failed: EISDIR"


def test_a_journal_with_two_answers_to_a_question_is_not_whole(tmp_path: Path) -> None:
    with reads.noted() as journal:
        reads.exists(tmp_path / "file")
        (tmp_path / "file").touch()
        reads.exists(tmp_path / "file")

    assert not journal.is_whole


def test_schemas_that_refer_to_files_elsewhere_leave_no_whole_journal(tmp_path: Path) -> None:
    (tmp_path / "a_v1_B.json").write_text('{"$ref": "#/definitions/x"}')
    with reads.noted() as inside:
        reads.note_folder(tmp_path)
    forget()
    (tmp_path / "a_v1_B.json").write_text('{"$ref": "../pool.json#/definitions/x"}')
    with reads.noted() as leading_out:
        reads.note_folder(tmp_path)

    assert inside.is_whole
    assert not leading_out.is_whole


def test_a_file_that_cannot_be_read_hides_no_change_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where, as for root, every file can be read."""
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text("old")
    whole = Path.read_bytes

    def refused(path: Path) -> bytes:
        if path.name == "a":
            raise PermissionError(errno.EACCES, "refused", str(path))
        return whole(path)

    readable = reads.asked_again("folder", str(tmp_path))
    monkeypatch.setattr(Path, "read_bytes", refused)
    before = reads.asked_again("folder", str(tmp_path))
    (tmp_path / "c").write_text("new")

    assert len({readable, before, reads.asked_again("folder", str(tmp_path))}) == 3
