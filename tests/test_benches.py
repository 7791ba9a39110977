"""The benchmarks measure equal work, in turn, and tell what they could not measure."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import jinja2
import pytest
import yaml
from ran import Ran

from benches import __main__ as command
from benches import corpus, floor, peers, printing, results, templates, turns, workplace
from benches.measure import Failed, Run, run
from benches.parts import PARTS
from benches.peers import inputs
from benches.turns import Case, Pair, Table
from benches.workplace import Gen, Workplace

ROOT = Path(__file__).resolve().parent.parent
NUMBERS = (0, 1, 8, 77, 1234, 99999)
Rendered = dict[str, tuple[bytes, bool]]


def files(folder: Path) -> Rendered:
    """Every file that was rendered: its bytes, and whether it can be run."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), bool(path.stat().st_mode & 0o111))
        for path in templates.rendered_files(folder)
    }


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    """A place to measure in, which reports nothing."""
    return Workplace(tmp_path / "place", (Gen("gen", ROOT),), report=lambda line: None)


def test_specs_are_the_same_ones_each_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        corpus.write(tmp_path / name, 20)

    first, second = (
        {path.name: path.read_text() for path in (tmp_path / name).iterdir()} for name in "ab"
    )
    assert first == second
    assert len(first) == 20


def test_all_specs_are_different() -> None:
    values = [corpus.values(number) for number in range(10_000)]

    assert len({each["name"] for each in values}) == len(values)
    assert len({tuple(sorted(each.items())) for each in values}) == len(values)


def test_specs_have_neither_errors_nor_warnings(gen: Callable[..., Ran], tmp_path: Path) -> None:
    write_some(tmp_path / "specs")

    ran = gen("validate", "--strict", "specs")

    assert (ran.status, ran.err) == (0, "6 specs valid\n")


def test_specs_of_all_targets_have_neither_errors_nor_warnings(
    gen: Callable[..., Ran], tmp_path: Path
) -> None:
    corpus.write(tmp_path / "specs", 2 * len(corpus.TARGETS), tuple(corpus.TARGETS))

    ran = gen("validate", "--strict", "specs")
    gen("render", "specs")

    assert (ran.status, ran.err) == (0, "6 specs valid\n")
    rendered = [path.name for path in sorted(tmp_path.glob("rendered/*/*/")) if path.is_dir()]
    assert rendered == 2 * list(corpus.TARGETS)


def write_some(folder: Path) -> None:
    """Specs from all over the corpus."""
    folder.mkdir()
    for number in NUMBERS:
        corpus.path(folder, number).write_text(corpus.spec(corpus.values(number)))


@pytest.mark.parametrize("processes", [1, 2])
def test_the_floor_writes_what_gen_writes(
    gen: Callable[..., Ran], tmp_path: Path, processes: int
) -> None:
    write_some(tmp_path / "specs")
    (tmp_path / "tokens.yaml").write_text(templates.spec())
    assert gen("render", "specs", "tokens.yaml").status == 0
    rendered = tmp_path / "rendered"
    made = templates.templates(rendered / templates.TOKENS["name"])
    shutil.rmtree(rendered / templates.TOKENS["name"])
    templates.compile_templates(made, tmp_path / "compiled")
    templates.with_digests(tmp_path / "specs", rendered, tmp_path / "with-digests")
    (tmp_path / "out").mkdir()

    words = [str(tmp_path / name) for name in ("compiled", "with-digests", "out")]
    subprocess.run([sys.executable, floor.__file__, *words, str(processes)], check=True)

    assert files(tmp_path / "out") == files(rendered)


def test_a_template_says_again_what_looks_like_one() -> None:
    text = "{{ x }} ${#files} {% y %} {{{ model-98765 }}}\n"

    made = jinja2.Environment(keep_trailing_newline=True).from_string(templates.source(text))

    assert made.render(name="model-98765") == text


def test_a_ratio_is_the_median_of_the_rounds_and_not_of_the_medians() -> None:
    slow, fast = ran(10, 40, 90), ran(5, 10, 10)

    ratio = turns.wall_ratio(slow, fast)

    assert (ratio.middle, ratio.least, ratio.most) == (4, 2, 9)
    assert turns.cpu_ratio(slow, fast).middle == 4
    assert (turns.median_wall(slow), turns.median_cpu(slow)) == (40, 20)


def ran(*walls: float) -> list[Run]:
    """Runs of these seconds, of which half was work."""
    return [Run(wall, wall / 2, 30.0) for wall in walls]


def test_commands_run_in_turn_and_each_in_an_empty_folder(tmp_path: Path) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    cases = [
        shell(tmp_path, name, f"ls {out}; echo {name} >> {log}; touch {out}/x") for name in "AB"
    ]
    cases = [replace(case, emptied=(out,), stdout=tmp_path / case.label) for case in cases]

    runs, told = in_turn(cases, rounds=2, warm=1)

    assert log.read_text().split() == ["A", "B"] * 3
    assert {label: len(each) for label, each in runs.items()} == {"A": 2, "B": 2}
    assert ((tmp_path / "A").read_text(), told) == ("", [])


def shell(folder: Path, label: str, script: str) -> Case:
    return Case(label, ("/bin/sh", "-c", script), {"PATH": "/usr/bin:/bin"}, folder)


def in_turn(cases: list[Case], *, rounds: int, warm: int) -> tuple[dict[str, list[Run]], list[str]]:
    return turns.in_turn(cases, rounds, warm=warm, limit_seconds=60, report=lambda line: None)


def test_a_command_that_fails_is_told_and_left_out(tmp_path: Path) -> None:
    cases = [shell(tmp_path, "good", "true"), shell(tmp_path, "bad", "echo why >&2; exit 3")]

    runs, told = in_turn(cases, rounds=2, warm=0)

    assert (list(runs), told) == (["good"], ["bad: status 3: why"])


def test_a_command_has_a_limit_that_its_children_have_too(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="longer than 0 s"):
        run(
            ("/bin/sh", "-c", "sleep 60 & wait"),
            environment={"PATH": "/usr/bin:/bin"},
            folder=tmp_path,
            limit_seconds=0.2,
        )


def test_processes_are_counted(tmp_path: Path) -> None:
    told = run(
        ("/bin/sh", "-c", "sleep 1 & sleep 1 & wait"),
        environment={"PATH": "/usr/bin:/bin"},
        folder=tmp_path,
        limit_seconds=60,
        is_watched=True,
    )

    assert told.processes == 3


def result(*tables: Table) -> results.Result:
    made = results.result(tables, [Gen("gen", ROOT)], Path("/"))
    read: results.Result = json.loads(json.dumps(made))
    return read


def test_a_result_is_read_as_it_was_written() -> None:
    table = Table("cold", "one", 1, {"a": ran(1, 2)}, [Pair("a", "b", 0.8)], ["a note"])

    assert results.tables(result(table)) == [table]


def test_two_results_are_compared_row_by_row() -> None:
    before = result(Table("cold", "one", 1, {"a": ran(0.2), "gone": ran(1)}))
    after = result(Table("cold", "one", 1, {"a": ran(0.1), "new": ran(1)}))

    lines = list(results.compared(before, after))

    [told] = [line.split() for line in lines if line.startswith("  a")]
    assert told == ["a", "200.0", "->", "100.0", "0.50", "100.0", "->", "50.0", "0.50"]
    assert not any("gone" in line or "new" in line for line in lines)


def test_a_table_says_which_targets_are_met() -> None:
    rows = {"a": ran(1), "b": ran(2), "c": ran(4)}
    pairs = [Pair("a", "b", 0.8), Pair("c", "b", 0.8, 0.5), Pair("a", "absent", 1)]

    lines = list(printing.lines(Table("cold", "one", 1, rows, pairs)))

    told = [line.split("target")[1] for line in lines if "target" in line]
    assert told == [" 0.8x: met", " 0.8x, stretch 0.5: missed"]


def test_neighbours_that_are_not_here_are_told(
    place: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    cases, missing = peers.one_spec(place)

    assert cases == []
    assert missing == [
        "kustomize: not measured: no kubectl on the path",
        "cdk8s: not measured: not installed: make bench-peers",
        "copier: not measured: not installed: make bench-peers",
        "kapitan: not measured: not installed: make bench-peers",
    ]


def peer(place: Workplace, name: str) -> Case:
    """What measures a neighbour on two specs."""
    cases, missing = peers.many_specs(replace(place, peers=frozenset({name})), 2)
    if missing:
        pytest.skip(missing[0])
    [case] = cases
    in_turn([case], rounds=1, warm=0)
    return case


def manifests(place: Workplace, number: int) -> list[object]:
    """What gen renders of the manifests that neighbours are given."""
    project = place.rendered(2) / f"model-{number:05d}"
    return sorted((inputs.manifest(project / path) for path in inputs.MANIFESTS), key=str)


def test_kustomize_makes_the_same_manifests(place: Workplace) -> None:
    case = peer(place, "kustomize")

    for number in range(2):
        text = (case.emptied[0] / f"model-{number:05d}.yaml").read_text()
        assert sorted(yaml.safe_load_all(text), key=str) == manifests(place, number)


def test_cdk8s_makes_the_same_manifests(place: Workplace) -> None:
    case = peer(place, "cdk8s")

    made = [yaml.safe_load(path.read_text()) for path in case.emptied[0].rglob("*.yaml")]
    wanted = [each for number in range(2) for each in manifests(place, number)]
    assert sorted(map(str, map(unordered, made))) == sorted(map(str, map(unordered, wanted)))


def unordered(node: object) -> object:
    """Data whose keys are sorted."""
    return json.loads(json.dumps(node, sort_keys=True))


def test_copier_makes_the_same_files(place: Workplace) -> None:
    case = peer(place, "copier")

    assert files(case.emptied[0]) == files(place.rendered(2))


def test_kapitan_makes_the_same_files_but_for_last_newlines(
    place: Workplace,
) -> None:
    case = peer(place, "kapitan")

    for project in sorted(place.rendered(2).iterdir()):
        wanted = files(project)
        # It drops the last newline of a template, and writes nothing that is empty.
        made = {path: text for path, (text, _) in files(case.emptied[0] / project.name).items()}
        assert made == {
            path.replace(project.name, "model"): text.removesuffix(b"\n")
            for path, (text, _) in wanted.items()
            if text
        }


@pytest.mark.parametrize("part", PARTS)
def test_every_part_can_be_measured(
    part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = tmp_path / "told.json"
    options = ["--sizes", "2", "--rounds", "1", "--peers", "", "--json", str(told)]

    assert command.main([part, *options]) == 0

    [table] = results.tables(results.read(told))
    assert table.part == part
    assert table.rows or table.notes == ["no --shard in this gen"]
    assert not [note for note in table.notes if "status" in note]
    assert table.title in capsys.readouterr().out


def test_work_that_memory_has_no_room_for_goes_to_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    free = 100 * workplace.TAKEN_BYTES
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    monkeypatch.setattr(workplace, "MEMORY", Path("/"))
    monkeypatch.setattr(os, "access", lambda *_: True)

    assert workplace.base(99) == Path("/")
    assert workplace.base(100) == Path(tempfile.gettempdir())


def test_an_unknown_part_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["colder"]) == 2
    assert "unknown part colder; there are cold, " in capsys.readouterr().err
