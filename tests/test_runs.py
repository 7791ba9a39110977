"""A run of many specs is the same run in one process and in several."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from ran import Ran

from generator.diagnostics import CannotRun
from generator.runs import builds, loading
from generator.selection import EVERYTHING
from generator.specs import Spec, find_specs

Gen = Callable[..., Ran]
GEN = [sys.executable, "-m", "generator"]
SPEC = """\
spec_version: 1
name: {name}
model:
  source: package.module:Net
  inputs: [{{name: image, dtype: float32, shape: [N, 3, 32, 32]}}]
  outputs: [{{name: logits, dtype: float32, shape: [N, 10]}}]
storage: {{uri: s3://models/{name}}}
"""
PLAIN = SPEC + "targets: {{triton: {{}}}}\n"
ARGO_CD = """\
kubernetes: {namespace: models}
gitops: {argo_cd: {repository: https://github.com/acme/serving.git, path: elsewhere}}
"""
LAYERS = "targets: {triton: {}, torchserve: {}}\nenvironments: {staging: {}, b-c: {}}\n"


def corpus(place: Path, *, with_errors: bool) -> None:
    """Specs of every fate in a repository, and what lies in the way of some."""
    specs = place / "specs"
    (specs / "below").mkdir(parents=True)
    (place / ".git").mkdir()
    (place / ".git/config").write_text(
        '[remote "origin"]\n\turl = https://github.com/acme/serving.git\n'
    )
    for number in range(9):
        name = f"plain-{number}"
        (specs / f"{number}.yaml").write_text(PLAIN.format(name=name))
    (specs / "layers.yaml").write_text(SPEC.format(name="layers") + LAYERS)
    (specs / "below/warned.yaml").write_text(PLAIN.format(name="warned") + ARGO_CD)
    (specs / "no-spec.yaml").write_text("replicas: 1\n")
    if not with_errors:
        return
    (specs / "3-broken.yaml").write_text("spec_version: 1\nname: [\n")
    (specs / "4-surprise.yaml").write_text(PLAIN.format(name="on") + "serving: yes\n")
    (specs / "5-wrong.yaml").write_text(PLAIN.format(name="wrong") + "kubernetes: {replica: 1}\n")
    (specs / "5-empty.yaml").write_text("spec_version: 1\n")
    (specs / "below/twin.yaml").write_text(PLAIN.format(name="twin"))
    (specs / "below/twin-2.yaml").write_text(PLAIN.format(name="twin"))
    (specs / "a.yaml").write_text(SPEC.format(name="a") + LAYERS + ARGO_CD)
    environment = LAYERS.replace("b-c", "c")
    (specs / "a-b.yaml").write_text(SPEC.format(name="a-b") + environment + ARGO_CD)
    (specs / "z-unreadable.yaml").write_text(
        PLAIN.format(name="z").replace("targets:", "images: {lock: none.lock}\ntargets:")
    )
    foreign = place / "rendered/plain-7/triton/README.md"
    foreign.parent.mkdir(parents=True)
    foreign.write_text("mine\n")


def files_of(place: Path) -> dict[str, tuple[bytes, int]]:
    """Every file with its content and mode."""
    return {
        str(path.relative_to(place)): (path.read_bytes(), path.stat().st_mode)
        for path in sorted(place.rglob("*"))
        if path.is_file()
    }


def drift(place: Path) -> None:
    """What a careless colleague leaves in a rendered folder."""
    rendered = place / "rendered"
    (rendered / "plain-1/triton/README.md").write_text("edited\n")
    (rendered / "plain-8/triton/README.md").unlink()
    shutil.copytree(rendered / "plain-2", rendered / "gone")
    next(rendered.glob("layers/**/*.py")).chmod(0o755)
    manifests = rendered / "plain-5/triton/manifests"
    (manifests / "foreign.yaml").write_text("kind: Pod\n")


NOTHING: Callable[[Path], None] = lambda place: None  # noqa: E731  # a name for a default


RUNS = [
    ["validate", "specs"],
    ["validate", "specs", "--strict"],
    ["validate", "specs", "missing.yaml", "--format", "json"],
    ["validate", "specs", "--format", "sarif"],
    ["validate", "specs", "--target", "torchserve"],
    ["validate", "specs", "--environment", "staging"],
    ["validate", "specs", "--environment", "nowhere"],
    ["validate", "specs/no-spec.yaml", "missing.yaml"],
    ["validate", "specs", "--fix", "--diff"],
    ["validate", "specs", "--shard", "2/3"],
    ["render", "specs"],
    ["render", "specs", "--strict"],
    ["render", "missing.yaml", "specs", "--format", "junit"],
    ["render", "specs", "--output", "-"],
    ["render", "specs", "--target", "triton", "--environment", "staging"],
    ["render", "specs", "--prune"],
    ["render", "specs", "--check", "--format", "json", "--output-file", "told.json"],
    ["render", "specs", "--shard", "1/4"],
]


@pytest.mark.parametrize("with_errors", [True, False], ids=["errors", "good"])
@pytest.mark.parametrize("arguments", RUNS, ids=" ".join)
def test_processes_change_nothing(
    arguments: Sequence[str],
    with_errors: bool,
    tmp_path: Path,
    gen: Gen,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs = []
    for jobs in ("1", "3"):
        place = tmp_path / jobs / "place"
        corpus(place, with_errors=with_errors)
        monkeypatch.chdir(place)
        runs.append((gen(*arguments, "--jobs", jobs), files_of(place)))

    assert runs[0] == runs[1]
    assert "Traceback" not in runs[0][0].err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--check"],
        ["--check", "--format", "sarif"],
        ["--check", "--prune"],
        ["--prune"],
        ["--strict"],
        [],
    ],
    ids=" ".join,
)
def test_processes_change_nothing_over_what_was_rendered(
    arguments: Sequence[str], tmp_path: Path, gen: Gen, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    for jobs in ("1", "2"):
        place = tmp_path / jobs / "place"
        corpus(place, with_errors=False)
        monkeypatch.chdir(place)
        assert gen("render", "specs", "--jobs", jobs).status == 0
        drift(place)
        runs.append((gen("render", "specs", *arguments, "--jobs", jobs), files_of(place)))

    assert runs[0] == runs[1]
    assert "plain-1" in runs[0][0].out


def test_the_corpus_has_every_fate(
    tmp_path: Path, gen: Gen, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus(tmp_path / "place", with_errors=True)
    monkeypatch.chdir(tmp_path / "place")

    told = gen("render", "specs").err

    for each in (
        "[yaml/syntax]",
        "[yaml/surprising-scalar]",
        "[schema]",
        "[specs/name-used-twice]",
        "[specs/application-used-twice]",
        "[gitops/path-elsewhere]",
        "README.md is in the way",
    ):
        assert each in told


def test_standard_input_is_read_once_and_here(tmp_path: Path) -> None:
    corpus(tmp_path, with_errors=False)
    text = PLAIN.format(name="piped")
    arguments = [*GEN, "render", "-", "specs"]

    runs = [
        subprocess.run(
            [*arguments, "--jobs", jobs, "--output", jobs],
            cwd=tmp_path,
            input=text,
            capture_output=True,
            text=True,
            timeout=120,
        )
        for jobs in ("1", "2")
    ]

    assert [ran.returncode for ran in runs] == [0, 0]
    assert (tmp_path / "2/piped").is_dir()
    assert runs[0].stdout == runs[1].stdout.replace("2/", "1/")


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    corpus(tmp_path, with_errors=False)
    os.mkfifo(tmp_path / "pipe.yaml")
    ran = subprocess.Popen(
        [*GEN, "validate", "pipe.yaml", "specs", "--jobs", "2"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )

    (tmp_path / "pipe.yaml").write_text(PLAIN.format(name="piped"))
    _, told = ran.communicate(timeout=120)

    assert (ran.returncode, told) == (0, f"{told.partition('12 ')[0]}12 specs valid\n")


def test_a_bug_in_a_worker_is_told_as_one(tmp_path: Path) -> None:
    corpus(tmp_path, with_errors=False)

    ran = in_a_worker("raise ZeroDivisionError", tmp_path, "validate", "specs", "--jobs", "2")

    assert ran.returncode == 3
    assert "in deadly" in ran.stderr
    assert ran.stderr.endswith("please report it\n")


def test_a_killed_worker_is_told_and_the_next_run_completes_its_work(tmp_path: Path) -> None:
    corpus(tmp_path, with_errors=False)

    kill = "os.kill(os.getpid(), signal.SIGKILL)"
    ran = in_a_worker(kill, tmp_path, "render", "specs", "--jobs", "2")

    assert ran.returncode == 2
    assert "gen: a worker process was killed by SIGKILL" in ran.stderr
    assert_completes(tmp_path)


def in_a_worker(happens: str, place: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run gen where a statement stands before the work on one spec that is not the first.

    In a process of its own: what else runs in this one decides whether workers are its copies.
    """
    (place / "deadly.py").write_text(DEADLY.format(happens=happens))
    command = [sys.executable, "deadly.py", *arguments]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=120)


DEADLY = """\
import os, signal
from generator import pipeline
from generator.__main__ import run

build = pipeline.build_document

def deadly(document, *rest):
    if document.data["name"] == "plain-6":
        {happens}
    return build(document, *rest)

pipeline.build_document = deadly
if __name__ == "__main__":
    run()
"""


@pytest.mark.parametrize("to_group", [True, False], ids=["group", "process"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_ends_all_processes_and_the_next_completes_it(
    number: signal.Signals, to_group: bool, tmp_path: Path
) -> None:
    many(tmp_path)
    run = started(tmp_path)

    os.killpg(run.pid, number) if to_group else run.send_signal(number)
    _, told = run.communicate(timeout=60)

    assert (run.returncode, told.strip()) == (130, "gen: interrupted")
    assert not _group_lives(run.pid)
    assert_completes(tmp_path)


def test_a_killed_run_leaves_no_process_and_the_next_completes_it(tmp_path: Path) -> None:
    many(tmp_path)
    run = started(tmp_path)

    run.kill()
    run.communicate(timeout=60)

    until = time.monotonic() + 30
    while _group_lives(run.pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _group_lives(run.pid)
    assert_completes(tmp_path)


def test_two_runs_at_once_leave_one_tree(tmp_path: Path) -> None:
    corpus(tmp_path, with_errors=False)
    command = [*GEN, "render", "specs", "--jobs", "2"]

    runs = [
        subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    told = [run.communicate(timeout=120) for run in runs]

    assert [run.returncode for run in runs] == [0, 0], told
    assert_completes(tmp_path)


def many(place: Path) -> None:
    """More specs than are rendered before a signal arrives."""
    (place / "specs").mkdir()
    for number in range(120):
        (place / f"specs/{number}.yaml").write_text(PLAIN.format(name=f"many-{number}"))


def started(place: Path) -> "subprocess.Popen[str]":
    """A run in a group of its own that has rendered something."""
    run = subprocess.Popen(
        [*GEN, "render", "specs", "--jobs", "2"],
        cwd=place,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=_heed_signals,
    )
    while not (place / "rendered").is_dir():
        assert run.poll() is None
        time.sleep(0.01)
    return run


def _heed_signals() -> None:
    """Undo what a shell does to a command in the background, and nohup."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def assert_completes(place: Path) -> None:
    for arguments in ([], ["--check"]):
        ran = subprocess.run(
            [*GEN, "render", "specs", *arguments], cwd=place, capture_output=True, text=True
        )
        assert (ran.returncode, ran.stderr.count("interrupted")) == (0, 0), ran.stderr
    assert not list(place.glob("rendered/*/.serving-generator.*"))


# What is held


def test_few_specs_are_loaded_once_and_many_are_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus(tmp_path, with_errors=False)
    specs = list(find_specs([str(tmp_path / "specs")]))
    asked: list[Spec] = []

    def counted(spec: Spec, **more: object) -> object:
        asked.append(spec)
        return loading.loaded(spec, **more)

    monkeypatch.setattr(builds, "loaded", counted)

    list(builds.build_all(specs, EVERYTHING))
    assert asked == specs

    asked.clear()
    monkeypatch.setattr(builds, "_HELD", len(specs) - 1)
    list(builds.build_all(specs, EVERYTHING))
    assert asked == [*specs, *specs]


@pytest.mark.parametrize(
    ("changed", "before", "now"),
    [
        ("b", "b", "a"),  # the name of a project that is rendered
        ("a", "a", "b"),
        ("b", "[", "a"),  # it was none when names were compared
        ("b", "a", "b"),  # the two were refused
    ],
)
def test_a_spec_that_changes_between_the_look_and_the_build_is_told_so(
    changed: str, before: str, now: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gen: Gen
) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(PLAIN.format(name=name))
    file = tmp_path / f"{changed}.yaml"
    file.write_text(PLAIN.format(name=before))

    def saved(*given: object) -> object:
        file.write_text(PLAIN.format(name=now))
        return compared(*given)  # type: ignore[arg-type]  # handed on as it came

    compared = builds.misfit
    monkeypatch.setattr(builds, "misfit", saved)
    ran = gen("render", str(tmp_path), "--output", str(tmp_path / "out"), "--jobs", "2")

    assert ran.status == 2
    assert f"gen: {file} was changed during the run; run it again\n" in ran.err
    other = {"a": "b", "b": "a"}[changed]
    rendered = [f"{tmp_path}/out/{other}"] if before != other else []
    assert [line.partition(": ")[0] for line in ran.out.splitlines()] == rendered


def test_processes_are_for_specs_that_are_worth_them() -> None:
    worker = builds._A_WORKER

    assert [builds._worth(n, 4) for n in (0, 1, 2 * worker - 1, 2 * worker, 100 * worker)] == [
        1,
        1,
        1,
        2,
        4,
    ]


def test_a_spec_that_cannot_be_read_is_not_tried_again(tmp_path: Path) -> None:
    unreadable = loading.held(Spec(str(tmp_path)))

    tmp_path.rmdir()

    with pytest.raises(CannotRun, match="Is a directory"):
        unreadable.read()
