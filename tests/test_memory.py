"""gen render builds no spec again that would come out as it lies there, and every other."""

import json
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from ran import Ran

from generator.document import Document
from generator.runs import bringing, builds, memory, outputs
from generator.runs.loading import Outcome
from generator.selection import EVERYTHING, Selection
from generator.write import Tree

WARNED = """\
environments: {a: {}}
gitops: {argo_cd: {repository: "https://example.com/acme/models.git", path: elsewhere}}
kubernetes: {namespace: models}
"""


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the projects that are built, as they are."""
    names: list[str] = []

    def noting(document: Document, selection: Selection) -> Outcome:
        names.append(str(document.data["name"]))
        return original(document, selection)

    original = builds.built
    monkeypatch.setattr(builds, "built", noting)
    return names


@pytest.fixture
def two(gen: Callable[..., Ran], write_spec: Callable[..., Path], built: list[str]) -> list[str]:
    """Two specs, rendered; the projects that are built from then on."""
    write_spec("specs/one.yaml", name="one")
    write_spec("specs/two.yaml", name="two")
    assert gen("render", "specs").status == 0
    assert built == ["one", "two"]
    built.clear()
    return built


@pytest.fixture
def settled(gen: Callable[..., Ran], two: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the times of the two trusted, as if their files had been seen long after."""
    gen("render", "specs")
    assert two == []
    monkeypatch.setattr(outputs, "_TICK_NS", -(10**12))


OUTPUT = "rendered/one/triton/README.md"


def test_what_has_not_changed_is_not_built(gen: Callable[..., Ran], two: list[str]) -> None:
    ran = gen("render", "specs")

    assert two == []
    assert ran.status == 0
    lines = ran.out.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["rendered/one", "rendered/two"]
    assert all(line.endswith(" files, unchanged") for line in lines)
    assert ran == gen("render", "specs", "--no-cache")


def test_of_two_specs_the_changed_one_is_built(
    gen: Callable[..., Ran], two: list[str], write_spec: Callable[..., Path]
) -> None:
    write_spec("specs/two.yaml", name="two", more="hardware: {memory: 3Gi}\n")

    ran = gen("render", "specs")

    assert two == ["two"]
    assert ran.out.splitlines()[0].endswith("unchanged")
    assert "updated" in ran.out.splitlines()[1]


def replaced_by_a_link(path: Path) -> None:
    shutil.move(path, "moved")
    path.symlink_to(Path("moved").resolve())


def edited_in_place(path: Path) -> None:
    """With the same size, and the time of change that it had."""
    before = path.stat()
    path.write_bytes(path.read_bytes().swapcase())
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


CHANGES: dict[str, Callable[[Path], object]] = {
    "edited": lambda path: path.write_text("other"),
    "edited in place": edited_in_place,
    "deleted": Path.unlink,
    "executable": lambda path: path.chmod(0o755),
    "touched": Path.touch,
    "link": replaced_by_a_link,
}


def assert_built_after(change: str, gen: Callable[..., Ran], built: list[str]) -> None:
    text = Path(OUTPUT).read_text()

    CHANGES[change](Path(OUTPUT))
    gen("render", "specs")

    assert built == ["one"]
    assert Path(OUTPUT).read_text() == text


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("change", CHANGES)
def test_a_project_whose_file_was_changed_is_built(
    gen: Callable[..., Ran], two: list[str], change: str
) -> None:
    assert_built_after(change, gen, two)


@pytest.mark.parametrize("change", sorted(CHANGES.keys() - {"touched"}))
def test_a_change_right_after_the_first_run_is_found(
    gen: Callable[..., Ran], two: list[str], change: str
) -> None:
    assert_built_after(change, gen, two)


def test_what_another_run_writes_over_this_one_is_found(
    gen: Callable[..., Ran],
    write_spec: Callable[..., Path],
    built: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However long this run goes on after it."""
    write_spec("specs/one.yaml", name="one")

    def late(tree: Tree) -> outputs.Left | None:
        edited_in_place(Path(OUTPUT))
        return original(tree)

    original = bringing.left
    with monkeypatch.context() as patch:
        patch.setattr(bringing, "left", late)
        gen("render", "specs")
    monkeypatch.setattr(outputs, "_TICK_NS", -(10**12))
    gen("render", "specs")

    assert built == ["one", "one"]
    assert gen("render", "--check", "specs").status == 0


def test_a_file_is_seen_before_it_is_compared(
    gen: Callable[..., Ran], two: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change that comes later is later than what is put down."""
    compared: list[int] = []

    def noting(folder: Path, files: Sequence[str]) -> bytes | None:
        compared.append(time.time_ns())
        return outputs.contents(folder, files)

    monkeypatch.setattr(memory, "contents", noting)
    gen("render", "specs")

    states = [entry.state for entry in stored().entries.values()]
    pairs = zip(states, compared, strict=True)
    assert all(state and state.seen <= at for state, at in pairs)
    assert two == []
    assert all(state and state.is_racy for state in states)


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("name", [".serving-generator", ".serving-generator.new"])
def test_a_project_whose_record_or_journal_was_touched_is_built(
    gen: Callable[..., Ran], two: list[str], name: str
) -> None:
    name = name.replace(".serving-generator.new", outputs.STAGING)
    place = Path("rendered/one", name)
    if place.exists():
        place.write_text("")
    else:
        place.mkdir()

    gen("render", "specs")

    assert two == ["one"]
    assert gen("render", "--check", "specs").status == 0
    assert not Path("rendered/one", outputs.STAGING).exists()


def test_a_file_of_somebody_else_does_not_matter(gen: Callable[..., Ran], two: list[str]) -> None:
    Path("rendered/one/triton/notes.txt").write_text("mine")

    gen("render", "specs")

    assert two == []


def test_an_edit_within_a_tick_of_the_clock_is_found(
    gen: Callable[..., Ran], two: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The times of the file are what they were: as if the edit had come in the same instant."""
    gen("render", "specs")
    text = Path(OUTPUT).read_bytes()
    digests = {folder.name: outputs.state(folder, files_of(folder)) for folder in projects()}
    Path(OUTPUT).write_bytes(text.swapcase())
    monkeypatch.setattr(memory, "state", lambda folder, files: digests[folder.name])

    gen("render", "specs")

    assert two == ["one"]
    assert Path(OUTPUT).read_bytes() == text


def projects() -> list[Path]:
    return sorted(Path("rendered").iterdir())


def files_of(folder: Path) -> list[str]:
    """The files of a project in the order in which they are rendered."""
    kept = stored().entries[f"specs/{folder.name}.yaml"]
    return stored().files[kept.files].replace(memory._PROJECT, kept.project).split(memory._END)


def stored() -> memory._Stored:
    folder = memory.cache_folder("")
    assert folder
    (found,) = map(memory._read, folder.iterdir())
    assert found
    return found


def test_a_file_that_appears_above_has_all_built(gen: Callable[..., Ran], two: list[str]) -> None:
    Path("serving-defaults.yaml").write_text("defaults_version: 1\nhardware: {memory: 3Gi}\n")
    gen("render", "specs")
    assert two == ["one", "two"]

    two.clear()
    Path("serving-defaults.yaml").unlink()
    gen("render", "specs")

    assert two == ["one", "two"]


def test_another_version_has_all_built(
    gen: Callable[..., Ran], two: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "stamp", lambda: "another")

    gen("render", "specs")

    assert two == ["one", "two"]


@pytest.mark.parametrize("more", [("--output", "other"), ("--target", "triton")])
def test_another_output_or_selection_has_all_built(
    gen: Callable[..., Ran], two: list[str], more: tuple[str, str]
) -> None:
    gen("render", "specs", *more)

    assert two == ["one", "two"]


def test_the_check_builds_all(gen: Callable[..., Ran], two: list[str]) -> None:
    assert gen("render", "--check", "specs").status == 0
    assert two == ["one", "two"]


@pytest.mark.parametrize("switch", ["--no-cache", "-o-"])
def test_what_asks_for_it_builds_all(gen: Callable[..., Ran], two: list[str], switch: str) -> None:
    gen("render", "specs", switch)

    assert two == ["one", "two"]


def test_a_spec_of_another_name_is_built(gen: Callable[..., Ran], two: list[str]) -> None:
    Path("specs/one.yaml").rename("specs/three.yaml")

    gen("render", "specs")

    assert two == ["one"]


def test_a_new_spec_of_the_name_of_an_unchanged_one_is_refused_with_it(
    gen: Callable[..., Ran], two: list[str], write_spec: Callable[..., Path]
) -> None:
    write_spec("specs/three.yaml", name="one")

    ran = gen("render", "specs")

    assert ran == gen("render", "specs", "--no-cache")
    assert ran.status == 1
    assert "project `one` is also in specs/three.yaml" in ran.err
    assert "project `one` is also in specs/one.yaml" in ran.err


@pytest.mark.parametrize("form", ["text", "json", "sarif"])
def test_warnings_are_told_again(
    gen: Callable[..., Ran], write_spec: Callable[..., Path], built: list[str], form: str
) -> None:
    write_spec("specs/one.yaml", more=f"{WARNED}images: {{registry: docker.io/acme, tag: '1'}}\n")
    Path(".git").mkdir()
    Path(".git/config").write_text("[remote]\n\turl = https://example.com/acme/models.git\n")
    first = gen("render", "specs", "-f", form)
    built.clear()

    again = gen("render", "specs", "-f", form)

    assert built == []
    for rule in ("gitops/path-elsewhere", "triton/no-effect"):
        assert rule in again.out + again.err
    assert told_of(again, form) == told_of(first, form)
    assert again == gen("render", "specs", "-f", form, "--no-cache")


def told_of(ran: Ran, form: str) -> object:
    """What a run has said of the specs; what it has written is a line of the text."""
    return ran.err if form == "text" else json.loads(ran.out)


def test_what_has_warned_fails_where_the_run_is_strict(
    gen: Callable[..., Ran], write_spec: Callable[..., Path]
) -> None:
    write_spec("specs/one.yaml", more=WARNED)
    Path(".git").mkdir()
    Path(".git/config").write_text("[remote]\n\turl = https://example.com/acme/models.git\n")
    assert gen("render", "specs").status == 0

    assert gen("render", "specs", "--strict").status == 1
    assert gen("render", "specs").status == 0


def test_a_spec_that_reads_what_another_renders_is_never_remembered(
    gen: Callable[..., Ran], two: list[str], write_spec: Callable[..., Path]
) -> None:
    """It would be recalled before the other is written."""
    spec = write_spec("specs/two.yaml", name="two")
    rendered = "../rendered/one/triton/requests/client.py:Net"
    spec.write_text(spec.read_text().replace("package.module:Net", rendered))
    assert gen("render", "specs").status == 0
    two.clear()

    gen("render", "specs")

    assert two == ["two"]


@pytest.mark.parametrize(
    "broken", [b"", b"x", b"\x00" * 100], ids=["empty", "short", "of another kind"]
)
def test_a_broken_cache_is_as_good_as_none(
    gen: Callable[..., Ran], two: list[str], broken: bytes
) -> None:
    folder = memory.cache_folder("")
    assert folder
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_bytes(broken)

    ran = gen("render", "specs")

    assert (ran.status, ran.err) == (0, "")
    assert two == ["one", "two"]
    two.clear()
    gen("render", "specs")
    assert two == []


def test_a_cache_that_others_can_write_to_is_not_read(
    gen: Callable[..., Ran], two: list[str]
) -> None:
    folder = memory.cache_folder("")
    assert folder
    (file,) = folder.iterdir()
    file.chmod(0o666)

    gen("render", "specs")

    assert two == ["one", "two"]


def test_without_a_place_for_a_cache_nothing_is_said(
    gen: Callable[..., Ran], two: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "cache_folder", lambda _name: None)

    ran = gen("render", "specs")

    assert (ran.status, ran.err, two) == (0, "", ["one", "two"])


def test_a_spec_with_errors_is_told_again(
    gen: Callable[..., Ran], two: list[str], write_spec: Callable[..., Path]
) -> None:
    write_spec("specs/two.yaml", name="two", more="hardware: {memory: much}\n")

    first, again = gen("render", "specs"), gen("render", "specs")

    assert first == again
    assert first.status == 1


def test_pruning_spares_projects_that_were_not_built(
    gen: Callable[..., Ran], two: list[str]
) -> None:
    Path("specs/two.yaml").unlink()

    ran = gen("render", "specs", "--prune")

    assert two == []
    assert ran.status == 0
    assert projects() == [Path("rendered/one")]


def test_an_interrupted_run_leaves_what_it_has_done(
    gen: Callable[..., Ran],
    write_spec: Callable[..., Path],
    built: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_spec("specs/one.yaml", name="one")
    write_spec("specs/two.yaml", name="two")
    noting = builds.built

    def interrupted(document: Document, selection: Selection) -> Outcome:
        if document.data["name"] == "two":
            raise KeyboardInterrupt
        return noting(document, selection)

    with monkeypatch.context() as patch:
        patch.setattr(builds, "built", interrupted)
        assert gen("render", "specs").status == 130
    built.clear()

    assert gen("render", "specs").status == 0
    assert built == ["two"]


def test_two_processes_remember_as_one_does(
    tmp_path: Path, write_spec: Callable[..., Path]
) -> None:
    for number in range(6):
        write_spec(f"specs/{number}.yaml", name=f"project-{number}")

    def run(*more: str) -> str:
        environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
        command = [sys.executable, "-m", "generator", "render", "specs", *more]
        ran = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        return ran.stdout

    first = run("--jobs", "2")
    (file,) = (tmp_path / "cache/serving-generator/renders").iterdir()
    found = memory._read(file)

    assert found
    assert len(found.entries) == 6
    assert first.count("created") == 6
    assert run("--jobs", "2") == run("--jobs", "1") == run("--no-cache")


def test_specs_that_are_gone_are_forgotten(gen: Callable[..., Ran], two: list[str]) -> None:
    Path("specs/two.yaml").unlink()
    Path(OUTPUT).unlink()
    gen("render", "specs")

    assert list(stored().entries) == ["specs/one.yaml"]
    assert json.dumps(stored().answers).count("specs/two.yaml") == 0


def test_where_the_package_cannot_be_looked_at_nothing_is_remembered(
    gen: Callable[..., Ran], two: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def vanished() -> str:
        raise FileNotFoundError

    monkeypatch.setattr(memory, "stamp", vanished)

    assert gen("render", "specs").status == 0
    assert two == ["one", "two"]


def test_on_windows_nothing_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert memory.remembered(tmp_path, EVERYTHING, strict=False)._file

    monkeypatch.setattr(memory, "os", SimpleNamespace(name="nt", getcwd=os.getcwd))

    assert not memory.remembered(tmp_path, EVERYTHING, strict=False)._file


def test_records_of_many_folders_are_few(
    gen: Callable[..., Ran], two: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_MOST_FILES", 3)
    for number in range(5):
        gen("render", "specs", "-o", f"other-{number}")

    folder = memory.cache_folder("")
    assert folder
    assert len(list(folder.iterdir())) == 3
