"""A project's folder becomes what was rendered, or stays what it was."""

import errno
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import pytest

from generator import journal
from generator import write as write_module
from generator.artefact import RenderedFile
from generator.diagnostics import CannotRun
from generator.journal import STAGING, Content, change
from generator.write import RECORD, Changes, Tree, compare, tree, unified_diff, write

Snapshot = dict[str, tuple[bytes, int]]

OLD = {
    "triton/README.md": "old\n",
    "triton/manifests/service.yaml": "a: 1\n",
    "triton/scripts/build.sh": "#!/bin/sh\n",
    "triton/models/old/config.pbtxt": 'name: "old"\n',
}
NEW = {
    "triton/README.md": "new\n",
    "triton/manifests/service.yaml": "a: 1\n",
    "triton/scripts/build.sh": "#!/bin/sh\necho\n",
    "triton/models/new/config.pbtxt": 'name: "new"\n',
}


def rendered(
    output: Path, files: Mapping[str, str], *, scope: tuple[str, ...] = (".",), project: str = "p"
) -> Tree:
    """A tree whose shell scripts are executable."""
    made = [
        RenderedFile(PurePosixPath(project, path), text, executable=path.endswith(".sh"))
        for path, text in files.items()
    ]
    return tree(output, project, made, scope)


def snapshot(folder: Path) -> Snapshot:
    """Every file under a folder, with its bytes and its mode."""
    files = sorted(path for path in folder.rglob("*") if not path.is_dir())
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.lstat().st_mode & 0o7777)
        for path in files
    }


def folders(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_dir()}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The output folder, with OLD written to it."""
    write(rendered(tmp_path, OLD))
    return tmp_path


# What a run does


def test_writes_texts_folders_and_executable_bits(tmp_path: Path) -> None:
    changes = write(rendered(tmp_path / "deep" / "rendered", OLD))

    files = snapshot(tmp_path / "deep/rendered/p")
    assert {path: content.decode() for path, (content, _) in files.items() if path != RECORD} == OLD
    assert {path for path, (_, mode) in files.items() if mode & 0o111} == {
        "triton/scripts/build.sh"
    }
    assert set(map(str, changes.created)) == set(OLD)


def test_leaves_no_staging_folder(old: Path) -> None:
    write(rendered(old, NEW))

    assert not (old / "p" / STAGING).exists()


def test_updates_creates_and_removes(old: Path) -> None:
    changes = write(rendered(old, NEW))

    assert changes == Changes(
        created=(PurePosixPath("triton/models/new/config.pbtxt"),),
        updated=(PurePosixPath("triton/README.md"), PurePosixPath("triton/scripts/build.sh")),
        removed=(PurePosixPath("triton/models/old/config.pbtxt"),),
        edited=(),
    )
    texts = {path: content.decode() for path, (content, _) in snapshot(old / "p").items()}
    assert {path: text for path, text in texts.items() if path != RECORD} == NEW


def test_drops_folders_that_become_empty(old: Path) -> None:
    write(rendered(old, NEW))

    assert not (old / "p/triton/models/old").exists()


def test_touches_nothing_when_nothing_changed(old: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (old / "p").rglob("*")}

    changes = write(rendered(old, OLD))

    assert not changes
    assert {path: path.stat().st_mtime_ns for path in (old / "p").rglob("*")} == before


def test_sets_an_executable_bit_that_was_lost(old: Path) -> None:
    script = old / "p/triton/scripts/build.sh"
    script.chmod(0o644)

    changes = write(rendered(old, OLD))

    assert list(map(str, changes.updated)) == ["triton/scripts/build.sh"]
    assert script.stat().st_mode & 0o777 == 0o755


def test_restores_a_file_that_was_edited(old: Path) -> None:
    (old / "p/triton/README.md").write_text("mine\n")

    write(rendered(old, OLD))

    assert (old / "p/triton/README.md").read_text() == "old\n"


def test_keeps_a_stale_file_that_was_edited(old: Path) -> None:
    edited = old / "p/triton/models/old/config.pbtxt"
    edited.write_text("mine\n")

    changes = write(rendered(old, NEW))

    assert edited.read_text() == "mine\n"
    assert list(map(str, changes.edited)) == ["triton/models/old/config.pbtxt"]


def test_keeps_foreign_files_beside_its_own(old: Path) -> None:
    foreign = old / "p/triton/models/old/notes.txt"
    foreign.write_text("mine\n")

    write(rendered(old, NEW))

    assert foreign.read_text() == "mine\n"
    assert not (old / "p/triton/models/old/config.pbtxt").exists()


def test_a_stale_file_that_is_gone_is_no_trouble(old: Path) -> None:
    (old / "p/triton/models/old/config.pbtxt").unlink()

    changes = write(rendered(old, NEW))

    assert not changes.removed


def test_a_narrowed_run_prunes_its_own_part_only(tmp_path: Path) -> None:
    both = {"a/triton/one": "1", "a/triton/two": "2", "b/triton/one": "1"}
    write(rendered(tmp_path, both))

    changes = write(rendered(tmp_path, {"a/triton/one": "1"}, scope=("a/triton",)))

    assert list(map(str, changes.removed)) == ["a/triton/two"]
    assert (tmp_path / "p/b/triton/one").exists()


def test_a_whole_run_prunes_what_a_narrowed_one_wrote(tmp_path: Path) -> None:
    write(rendered(tmp_path, {"a/triton/one": "1"}))
    write(rendered(tmp_path, {"b/triton/one": "1"}, scope=("b/triton",)))

    changes = write(rendered(tmp_path, {"a/triton/one": "1"}))

    assert list(map(str, changes.removed)) == ["b/triton/one"]


def test_projects_do_not_touch_each_other(old: Path) -> None:
    before = snapshot(old / "p")

    write(rendered(old, NEW, project="q"))

    assert snapshot(old / "p") == before


# Comparing


def test_compare_writes_nothing(old: Path) -> None:
    before = snapshot(old)

    changes = compare(rendered(old, NEW))

    assert changes
    assert snapshot(old) == before


def test_compare_of_a_folder_that_is_not_there_finds_everything_new(tmp_path: Path) -> None:
    changes = compare(rendered(tmp_path, OLD))

    assert set(map(str, changes.created)) == set(OLD)
    assert list(tmp_path.iterdir()) == []


def test_a_diff_names_files_lines_and_bits(old: Path) -> None:
    (old / "p/triton/manifests/service.yaml").chmod(0o755)
    new = rendered(old, NEW | {"triton/.gitkeep": ""})

    diff = "".join(unified_diff(new, compare(new)))

    assert "-old\n+new\n" in diff
    assert "service.yaml: executable bit is on, rendered off\n" in diff
    assert "+++ b/" in diff.split(".gitkeep")[0]


def test_a_folder_that_cannot_be_read_is_told(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr("generator.write.open", refuse, raising=False)

    with pytest.raises(CannotRun, match=r"cannot read .*README\.md: Permission denied"):
        compare(rendered(old, OLD))


# What is in the way


def test_refuses_a_foreign_file_in_the_way(tmp_path: Path) -> None:
    foreign = tmp_path / "p/triton/README.md"
    foreign.parent.mkdir(parents=True)
    foreign.write_text("mine\n")

    with pytest.raises(CannotRun, match=r"README\.md is in the way and was not written by gen"):
        write(rendered(tmp_path, OLD))

    assert snapshot(tmp_path) == {
        "p/triton/README.md": (b"mine\n", foreign.stat().st_mode & 0o7777)
    }


def test_takes_a_file_over_that_already_holds_what_is_rendered(tmp_path: Path) -> None:
    write(rendered(tmp_path, OLD))
    (tmp_path / "p" / RECORD).unlink()

    write(rendered(tmp_path, OLD))

    changes = write(rendered(tmp_path, NEW))
    assert changes.removed


def test_refuses_a_folder_in_the_place_of_a_file(old: Path) -> None:
    (old / "p/triton/models/new/config.pbtxt").mkdir(parents=True)
    before = snapshot(old)

    with pytest.raises(CannotRun, match=r"config\.pbtxt is in the way"):
        write(rendered(old, NEW))

    assert snapshot(old) == before


def test_refuses_a_file_in_the_place_of_a_folder(old: Path) -> None:
    (old / "p/triton/models/new").write_text("mine")
    before = snapshot(old)

    with pytest.raises(CannotRun, match=r"models/new is in the way"):
        write(rendered(old, NEW))

    assert snapshot(old) == before


def test_refuses_a_file_in_the_place_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("mine")

    with pytest.raises(CannotRun, match=r"cannot write .*p: File exists; nothing was changed"):
        write(rendered(tmp_path, OLD))

    assert (tmp_path / "p").read_text() == "mine"


def test_refuses_a_pipe_in_the_way_without_waiting_for_it(tmp_path: Path) -> None:
    (tmp_path / "p/triton").mkdir(parents=True)
    os.mkfifo(tmp_path / "p/triton/README.md")

    with pytest.raises(CannotRun, match=r"README\.md is in the way"):
        write(rendered(tmp_path, OLD))


@pytest.mark.parametrize(
    "link", ["p", "p/triton", "p/triton/manifests", "p/triton/README.md", "p/" + RECORD]
)
def test_refuses_links(tmp_path: Path, link: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "README.md").write_text("mine\n")
    output = tmp_path / "rendered"
    (output / link).parent.mkdir(parents=True)
    (output / link).symlink_to(elsewhere if "." not in Path(link).name else elsewhere / "README.md")

    with pytest.raises(CannotRun, match="is a link; rendered folders hold no links"):
        write(rendered(output, OLD))

    assert snapshot(elsewhere) == {"README.md": (b"mine\n", 0o644)}


def test_a_stale_file_behind_a_link_stays(old: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.move(old / "p/triton/models/old", elsewhere)
    (old / "p/triton/models/old").symlink_to(elsewhere)

    changes = write(rendered(old, NEW))

    assert (elsewhere / "config.pbtxt").exists()
    assert list(map(str, changes.edited)) == ["triton/models/old/config.pbtxt"]


def test_a_record_does_not_lead_outside(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    write(rendered(tmp_path / "out", OLD))
    record = tmp_path / "out/p" / RECORD
    digest = hashlib.sha256(b"mine").hexdigest()
    lines = [f"{digest}  ../../victim\n", f"{digest}  {victim}\n", f"{digest}  a/../../../victim\n"]
    record.write_text(record.read_text() + "".join(lines))

    changes = write(rendered(tmp_path / "out", NEW))

    assert victim.read_text() == "mine"
    assert all(not str(path).endswith("victim") for path in (*changes.removed, *changes.edited))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"no pairs here", b"x  .\n", b"x  \n"])
def test_a_broken_record_is_no_trouble(old: Path, content: bytes) -> None:
    (old / "p" / RECORD).write_bytes(content)

    write(rendered(old, OLD))

    assert (old / "p" / RECORD).read_text().count("\n") == len(OLD)


# Failures: every call that changes the disk fails in turn

CALLS = [
    (os, "replace"),
    (os, "mkdir"),
    (os, "unlink"),
    (os, "rmdir"),
    (os, "chmod"),
    (shutil, "copy2"),
    (journal, "put"),
]


class Injected:
    """Makes the n-th of the calls that change the disk fail; counts them all."""

    def __init__(self, number: int, error: type[BaseException]) -> None:
        self.number = number
        self.error = error
        self.count = 0

    def wrap(self, call: Callable[..., object]) -> Callable[..., object]:
        def wrapped(*args: object, **kwargs: object) -> object:
            self.count += 1
            if self.count == self.number:
                if issubclass(self.error, OSError):
                    raise self.error(errno.ENOSPC, "No space left on device", str(args[0]))
                raise self.error
            return call(*args, **kwargs)

        return wrapped

    def install(self, patch: pytest.MonkeyPatch) -> None:
        for owner, name in CALLS:
            patch.setattr(owner, name, self.wrap(getattr(owner, name)))


def calls_of_a_run() -> int:
    """How many calls a run from OLD to NEW makes; the tests below reach past it."""
    return 60


@pytest.mark.parametrize("number", range(1, calls_of_a_run()))
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_failure_anywhere_leaves_the_old_tree_or_the_new(
    old: Path, monkeypatch: pytest.MonkeyPatch, number: int, error: type[BaseException]
) -> None:
    before, folders_before = snapshot(old), folders(old)
    injected = Injected(number, error)

    try:
        with monkeypatch.context() as patch:
            injected.install(patch)
            write(rendered(old, NEW))
        failed = False
    except (CannotRun, KeyboardInterrupt):
        failed = True

    if failed and error is OSError:
        assert snapshot(old) == before
        assert folders(old) == folders_before
    left = {path: text for path, text in snapshot(old).items() if STAGING not in path}
    assert left in (before, whole(NEW)) or (old / "p" / STAGING / "journal").exists()
    write(rendered(old, NEW))
    assert snapshot(old) == whole(NEW)


def whole(files: Mapping[str, str]) -> Snapshot:
    """The snapshot of an output folder to which nothing but these files was written."""
    with tempfile.TemporaryDirectory() as folder:
        write(rendered(Path(folder), files))
        return snapshot(Path(folder))


def test_injected_failures_reach_every_call(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    injected = Injected(0, OSError)

    with monkeypatch.context() as patch:
        injected.install(patch)
        write(rendered(old, NEW))

    assert 15 < injected.count < calls_of_a_run()


@pytest.mark.parametrize("number", range(1, 14))
def test_a_failure_of_the_first_run_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    with monkeypatch.context() as patch:
        Injected(number, OSError).install(patch)
        with pytest.raises(CannotRun):
            write(rendered(tmp_path, OLD))

    assert snapshot(tmp_path) == {}
    assert not (tmp_path / "p").exists()


def test_says_what_failed_and_that_nothing_was_changed(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: str, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", path)

    monkeypatch.setattr(journal, "put", full)

    with pytest.raises(CannotRun, match="No space left on device; nothing was changed"):
        write(rendered(old, NEW))


def test_needs_no_space_once_files_move(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up while files move must not keep the old ones from coming back."""
    before = snapshot(old)
    real = os.replace
    moved = []

    def replace(source: Path, target: Path) -> None:
        if "journal" in str(target):
            for owner, name in ((journal, "put"), (shutil, "copy2")):
                monkeypatch.setattr(owner, name, fail)
        elif len(moved) == 2:
            moved.append(target)
            raise OSError(errno.EIO, "Input/output error", str(target))
        else:
            moved.append(target)
        real(source, target)

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", replace)

    with pytest.raises(CannotRun, match="Input/output error; nothing was changed"):
        write(rendered(old, NEW))

    assert snapshot(old) == before


def test_an_interrupted_way_back_is_completed_by_the_next_run(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.replace
    calls = []

    def replace(source: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) in (4, 6):  # on the way there, and then on the way back
            raise KeyboardInterrupt
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        with pytest.raises(KeyboardInterrupt):
            write(rendered(old, NEW))
    assert (old / "p" / STAGING / "journal-back").exists()

    write(rendered(old, OLD))

    assert snapshot(old) == whole(OLD)


# Kills

CHILD = """
import os, sys
from pathlib import Path
sys.path[:0] = {path!r}
from test_write import NEW, rendered
from generator.write import write
number, count = {number}, 0

def audit(event, args):
    global count
    if event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "shutil.copyfile"):
        count += 1
        if count == number:
            os.kill(os.getpid(), 9)

sys.addaudithook(audit)
write(rendered(Path({output!r}), NEW))
"""
KILLS = [1, 2, 4, 7, 10, 12, 13, 14, 15, 16, 17, 19, 22]


@pytest.mark.parametrize("number", KILLS)
def test_a_killed_run_is_completed_by_the_next(old: Path, number: int) -> None:
    before = snapshot(old)
    here = Path(__file__).parent
    script = CHILD.format(
        path=[str(here), str(here.parent), *sys.path], number=number, output=str(old)
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)

    assert done.returncode in (0, -signal.SIGKILL), done.stderr.decode()
    left = {path: text for path, text in snapshot(old).items() if STAGING not in path}
    assert left in (before, whole(NEW)) or (old / "p" / STAGING / "journal").exists()
    other = {"triton/README.md": "other\n"}
    write(rendered(old, other))
    assert snapshot(old) == whole(other)


LOOP = """
import sys
from pathlib import Path
sys.path[:0] = {path!r}
from test_write import NEW, OLD, rendered
from generator.write import write
print("ready", flush=True)
while True:
    write(rendered(Path({output!r}), NEW))
    write(rendered(Path({output!r}), OLD))
"""


def test_a_run_killed_at_any_time_leaves_a_tree_that_the_next_run_makes_whole(old: Path) -> None:
    here = Path(__file__).parent
    script = LOOP.format(path=[str(here), str(here.parent), *sys.path], output=str(old))
    chance = random.Random(2)
    for _ in range(6):
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(chance.uniform(0.01, 0.1))
            child.kill()

        write(rendered(old, NEW))

        assert snapshot(old) == whole(NEW)


def test_two_runs_at_once_end_in_one_whole_tree(old: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, [rendered(old, files) for files in (NEW, OLD) * 20]))

    assert snapshot(old) in (whole(NEW), whole(OLD))


# What a staging folder from elsewhere can do


@pytest.fixture
def staging(old: Path) -> Iterator[Path]:
    folder = old / "p" / STAGING
    folder.mkdir()
    return folder


@pytest.mark.parametrize("path", ["../../victim", "{victim}", "a/../../../victim", "link/victim"])
@pytest.mark.parametrize("name", ["journal", "journal-back"])
def test_a_journal_does_not_lead_outside(
    old: Path, staging: Path, tmp_path: Path, path: str, name: str
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (old / "p/link").symlink_to(tmp_path)
    path = path.format(victim=victim)
    for kind in ("new", "old"):
        (staging / f"{kind}-0").write_text("theirs")
    lines = [
        {"path": path, "has_new": True, "has_old": True},
        {"path": path, "has_new": False, "has_old": False},
    ]
    (staging / name).write_text(json.dumps(lines))

    write(rendered(old, OLD))

    assert victim.read_text() == "mine"
    assert not staging.exists()


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[1]", b'[{"path": 1}]', b"\xff", b"[" * 10_000, b'{"moves": []}']
)
def test_a_broken_journal_is_dropped(old: Path, staging: Path, content: bytes) -> None:
    (staging / "journal").write_bytes(content)

    write(rendered(old, OLD))

    assert snapshot(old) == whole(OLD)


def test_a_staging_folder_that_is_a_link_is_refused(old: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "journal").write_text("[]")
    (old / "p" / STAGING).symlink_to(elsewhere)

    with pytest.raises(CannotRun, match="it is a link"):
        write(rendered(old, NEW))

    assert (elsewhere / "journal").exists()


def test_a_journal_without_its_files_changes_only_what_it_removes(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")
    staging = tmp_path / STAGING
    staging.mkdir()
    (staging / "journal").write_text('[{"path": "kept", "has_new": true, "has_old": true}]')

    journal.settle(tmp_path)

    assert snapshot(tmp_path) == {"kept": (b"kept", 0o644)}


def test_change_refuses_a_staging_folder_that_is_in_use(tmp_path: Path) -> None:
    (tmp_path / STAGING).write_text("not a folder")

    with pytest.raises(FileExistsError):
        change(tmp_path, {PurePosixPath("a"): Content(b"a")})

    assert not (tmp_path / "a").exists()


def test_what_is_right_already_is_read_once(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    real = write_module.content

    def counted(path: str) -> Content | None:
        read.append(path)
        return real(path)

    monkeypatch.setattr(write_module, "content", counted)

    assert not write(rendered(old, OLD))
    assert sorted(read) == sorted(str(old / "p" / path) for path in (*OLD, RECORD))
