"""Shards share the specs of a run between machines: each spec once, as many in each."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ran import Ran

from generator.runs.shard import WHOLE, Shard, parsed
from generator.specs import Spec

Gen = Callable[..., Ran]
WriteSpec = Callable[..., Path]
NAMES = st.lists(st.from_regex(r"[a-z]{1,3}(/[a-z]{1,2})?\.yaml", fullmatch=True), unique=True)


def parts(names: list[str], of: int) -> list[list[str]]:
    specs = [Spec(name) for name in names]
    return [[spec.path for spec in Shard(n + 1, of).part(specs)] for n in range(of)]


@given(NAMES, st.integers(1, 9))
def test_each_spec_is_in_one_shard_and_in_its_order(names: list[str], of: int) -> None:
    found = parts(names, of)

    assert sorted(name for part in found for name in part) == sorted(names)
    assert all(part == [name for name in names if name in part] for part in found)


@given(NAMES, st.integers(1, 9))
def test_shards_differ_by_one_at_most(names: list[str], of: int) -> None:
    sizes = [len(part) for part in parts(names, of)]

    assert max(sizes) - min(sizes) <= 1


@given(NAMES.filter(bool), st.integers(1, 9))
def test_one_spec_more_moves_few_others(names: list[str], of: int) -> None:
    before, after = parts(names[1:], of), parts(names, of)

    moved = sum(len({*one} - {*other}) for one, other in zip(before, after, strict=True))
    assert moved < of


def test_the_order_of_the_specs_does_not_matter() -> None:
    names = [f"{number}.yaml" for number in range(20)]

    assert [{*part} for part in parts(names, 3)] == [{*part} for part in parts(names[::-1], 3)]


def test_a_checkout_elsewhere_has_the_same_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
        monkeypatch.chdir(tmp_path / place)
        names = [os.path.abspath(f"specs/{number}.yaml") for number in range(20)]
        found.append([[Path(name).name for name in part] for part in parts(names, 3)])

    assert (
        found[0]
        == found[1]
        == [
            [Path(name).name for name in part]
            for part in parts([f"specs/{number}.yaml" for number in range(20)], 3)
        ]
    )


def test_the_whole_is_all() -> None:
    assert WHOLE.part([Spec("b"), Spec("a")]) == [Spec("b"), Spec("a")]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("1", "`1` is not I/N, such as 1/4"),
        ("", "`` is not I/N, such as 1/4"),
        ("1/-2", "`1/-2` is not I/N, such as 1/4"),
        ("0/3", "0/3: shards are numbered from 1/3 to 3/3"),
        ("4/3", "4/3: shards are numbered from 1/3 to 3/3"),
        ("1/0", "1/0: shards are numbered from 1/1 to 1/1"),
    ],
)
def test_what_is_no_shard_is_told(word: str, message: str, gen: Gen) -> None:
    with pytest.raises(ValueError, match=r"shard|I/N"):
        parsed(word)

    ran = gen("validate", "specs", "--shard", word)
    assert (ran.status, message in ran.err) == (2, True)


def test_shards_together_render_everything(gen: Gen, write_spec: WriteSpec) -> None:
    for number in range(7):
        write_spec(f"specs/{number}.yaml", name=f"one-{number}")

    told = [gen("render", "specs", "--shard", f"{number}/3") for number in (1, 2, 3)]

    assert [len(ran.out.splitlines()) for ran in told] == [2, 2, 3]
    assert gen("render", "specs", "--check").status == 0


def test_a_shard_sees_names_that_another_has_too(gen: Gen, write_spec: WriteSpec) -> None:
    for number in range(4):
        write_spec(f"specs/{number}.yaml", name="one")

    ran = gen("validate", "specs", "--shard", "1/4")

    assert ran.status == 1
    assert ran.err.count("error: project `one` is also in") == 1
    assert ran.err.count("note: the same name") == 3


def test_a_shard_tells_no_error_of_another(gen: Gen, write_spec: WriteSpec, tmp_path: Path) -> None:
    for number in range(4):
        write_spec(f"specs/{number}.yaml", name=f"one-{number}")
    (tmp_path / "specs/broken.yaml").write_text("spec_version: 1\nname: [\n")

    told = [gen("validate", "specs", "--shard", f"{number}/5") for number in range(1, 6)]

    assert sorted(ran.status for ran in told) == [0, 0, 0, 0, 1]


def test_a_shard_without_a_spec_is_done(gen: Gen, write_spec: WriteSpec) -> None:
    write_spec("specs/one.yaml")

    assert gen("render", "specs", "--shard", "1/2") == (
        0,
        "",
        "gen: shard 1/2 has no spec to look at\n",
    )


@pytest.mark.parametrize("shard", [[], ["--shard", "1/1"], ["--shard", "2/2"]])
def test_an_empty_name_is_no_spec(shard: list[str], gen: Gen) -> None:
    ran = gen("validate", "", *shard)

    assert (ran.status, ran.err) == (2, "gen: cannot read : Is a directory\n0 specs valid, 1 not\n")


def test_without_a_working_directory_there_are_absolute_paths(
    gen: Gen, write_spec: WriteSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_spec("specs/one.yaml", name="one")
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()

    specs, out = str(tmp_path / "specs"), str(tmp_path / "out")
    assert gen("validate", specs).status == 0
    assert gen("render", specs, "--output", out).status == 0
    assert gen("render", specs, "--output", out, "--check").status == 0


def test_a_shard_prints_its_manifests(gen: Gen, write_spec: WriteSpec) -> None:
    write_spec("specs/one.yaml", name="one")
    write_spec("specs/two.yaml", name="two")

    both = [gen("render", "specs", "-o", "-", "--shard", f"{n}/2").out for n in (1, 2)]

    assert sorted(("name: one" in out, "name: two" in out) for out in both) == [
        (False, True),
        (True, False),
    ]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["render", "--prune"], "--prune is for all specs of FOLDER: leave out --shard"),
        (["validate", "--fix"], "--fix is for all specs that are named: leave out --shard"),
    ],
)
def test_what_needs_all_specs_takes_no_shard(
    arguments: list[str], why: str, gen: Gen, write_spec: WriteSpec
) -> None:
    write_spec("specs/one.yaml")

    ran = gen(*arguments, "specs", "--shard", "1/2")

    assert (ran.status, why in ran.err) == (2, True)


def test_shards_of_a_thousand_cost_alike() -> None:
    """Specs that cost five times as much, side by side in one folder, are dealt to all."""
    names = [f"team-{team}/{number}.yaml" for team in range(10) for number in range(100)]
    costs = {name: 5 if name.startswith("team-3/") else 1 for name in names}

    sums = [sum(costs[name] for name in part) for part in parts(names, 8)]

    assert max(sums) < 1.2 * sum(sums) / 8
