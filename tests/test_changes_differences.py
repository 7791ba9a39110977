"""`gen diff` tells every change of data, at its place, and nothing where there is none."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from generator.changes import document, markdown, text
from generator.changes.comparison import Comparison, compare
from generator.changes.contents import Item, items
from generator.changes.leaves import ABSENT, differences, same
from generator.changes.trees import Entry, of_folder
from generator.document import Pointer

ROOT = Path(__file__).parents[1]
RENDERED = of_folder(ROOT / "rendered")
MANIFESTS = {
    path: entry
    for path, entry in RENDERED.items()
    if path.parent.name == "manifests" and path.suffix == ".yaml"
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["name", "a", "b", "port"]), inner, max_size=4)
    ),
    max_leaves=12,
)


def pointers(value: object, at: Pointer = ()) -> Iterator[Pointer]:
    """The places of all values but the whole, the outer ones first."""
    parts = value.items() if isinstance(value, dict) else enumerate(value)  # type: ignore[arg-type]  # a list
    for step, inner in parts:
        yield (*at, step)
        if isinstance(inner, dict | list):
            yield from pointers(inner, (*at, step))


def without_or_with(value: object, at: Pointer, new: object) -> object:
    """A copy with another value at a place, or without it where that is ABSENT."""
    changed: Any = copy.deepcopy(value)  # Any: whatever YAML holds
    holder = changed
    for step in at[:-1]:
        holder = holder[step]
    if new is ABSENT:
        del holder[at[-1]]
    else:
        holder[at[-1]] = new
    return changed


def compared(old: bytes, new: bytes) -> Comparison:
    comparison = Comparison("old", "new")
    path = PurePosixPath("a.yaml")
    compare(comparison, {path: Entry(old)}, {path: Entry(new)}, ())
    return comparison


def leads_to(route: tuple[str, ...], at: Pointer) -> bool:
    """Whether a route ends at a place, at one above it, or in what was put there."""
    steps = zip(route, at, strict=False)
    return all(
        told == step if isinstance(step, str) else told.startswith(("[", "(order)"))
        for told, step in steps
    )


@given(old=JSON, new=JSON)
def test_nothing_differs_exactly_where_the_data_is_the_same(old: object, new: object) -> None:
    assert (not list(differences(old, new))) == same(old, new)
    assert list(differences(old, copy.deepcopy(old))) == []


@given(old=JSON, new=JSON)
def test_the_values_of_a_difference_stand_where_it_points(old: object, new: object) -> None:
    for one in differences(old, new):
        side, value = (old, one.old) if one.new is ABSENT else (new, one.new)
        if "(order)" in one.route:
            continue
        here: Any = side  # Any: whatever JSON holds
        for step in one.pointer:
            here = here[step]
        assert same(here, value)


@given(data=st.data())
def test_every_change_of_a_rendered_manifest_is_told_at_its_place(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(MANIFESTS)))
    [whole] = [one.data for one in items({path: MANIFESTS[path]}) if isinstance(one, Item)][:1]
    at = data.draw(st.sampled_from(list(pointers(whole))))
    new = data.draw(st.sampled_from([ABSENT, "other", 17, None, {"new": 1}, ["new"]]))
    changed = without_or_with(whole, at, new)
    texts = [yaml.safe_dump(value).encode() for value in (whole, changed)]

    comparison = compared(*texts)

    assert comparison.failures == []
    changes = comparison.services[0].changes
    assert bool(changes) != same(whole, changed)
    assert all(not change.route or leads_to(change.route, at) for change in changes)
    is_identity = at[:1] in (("kind",), ("apiVersion",)) or at[:1] == ("metadata",)
    assert is_identity or all(change.route for change in changes)


@pytest.mark.parametrize("path", sorted(RENDERED), ids=str)
def test_a_file_does_not_differ_from_itself(path: PurePosixPath) -> None:
    found = list(items({path: RENDERED[path]}))
    comparison = Comparison("old", "new")

    compare(comparison, {path: RENDERED[path]}, {path: RENDERED[path]}, ())

    assert all(isinstance(one, Item) for one in found)
    assert comparison.changed == []


@pytest.mark.parametrize(
    ("old", "new"), [(1, True), (0, False), ("1", 1), ("", None), ([], {}), ({}, None), ([1], 1)]
)
def test_values_that_look_alike_differ(old: object, new: object) -> None:
    [one] = differences({"a": old}, {"a": new})

    assert (one.route, one.old, one.new) == (("a",), old, new)


def test_elements_are_paired_by_name_wherever_they_stand() -> None:
    old = [{"name": "a", "value": 1}, {"name": "b", "value": 2}]
    new = [{"name": "new"}, {"name": "a", "value": 1}, {"name": "b", "value": 3}]

    told = {one.route: (one.old, one.new) for one in differences(old, new)}

    assert told == {("[new]",): (ABSENT, {"name": "new"}), ("[b]", "value"): (2, 3)}


def test_another_order_is_told_once() -> None:
    old = [{"name": "a"}, {"name": "b"}]

    [one] = differences(old, old[::-1])

    assert (one.route, one.old, one.new) == (("(order)",), ["a", "b"], ["b", "a"])


def test_an_element_in_the_midst_of_a_list_moves_no_other() -> None:
    [one] = differences(["a", "b", "c"], ["a", "new", "b", "c"])

    assert (one.pointer, one.old, one.new) == ((1,), ABSENT, "new")


@given(data=st.data())
def test_no_value_of_any_type_breaks_the_rules_of_attention(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(MANIFESTS)))
    beside = {other: entry for other, entry in MANIFESTS.items() if other.parent == path.parent}
    [whole] = [one.data for one in items({path: MANIFESTS[path]}) if isinstance(one, Item)][:1]
    at = data.draw(st.sampled_from(list(pointers(whole))))
    new = data.draw(JSON | st.sampled_from([-1, 1e300, "1..2", "9" * 99, True, [[None]]]))
    changed = yaml.safe_dump(without_or_with(whole, at, new)).encode()
    comparison = Comparison("old", "new")

    compare(comparison, beside, beside | {path: Entry(changed)}, ())
    compare(comparison, beside | {path: Entry(changed)}, beside, ())

    assert comparison.failures == []
    assert markdown.report(comparison)
    assert text.report(comparison)
    assert json.loads(document.report(comparison, 0))


@given(
    name=st.sampled_from(
        ["a.yaml", "a.json", "config.pbtxt", "a.properties", "requirements.txt", "a.py", "a.sh"]
    ),
    old=st.binary() | st.text().map(str.encode),
    new=st.binary() | st.text().map(str.encode),
)
def test_no_content_of_any_file_breaks_a_comparison(name: str, old: bytes, new: bytes) -> None:
    comparison = Comparison("old", "new")
    path = PurePosixPath("models/one") / name

    compare(comparison, {path: Entry(old)}, {path: Entry(new)}, ())

    assert (old == new) == (comparison.changed == [] and comparison.failures == [])


def one_of(path: str, old: bytes, new: bytes) -> Comparison:
    comparison = Comparison("old", "new")
    place = PurePosixPath(path)
    compare(comparison, {place: Entry(old)}, {place: Entry(new)}, ())
    return comparison


DEEP = b'{"a":' * 900 + b"1" + b"}" * 900


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("a.json", b"{}", b'{"b": ' + DEEP + b"}"),
        ("a.json", b"[" * 950 + b"]" * 950, b"[" * 951 + b"]" * 951),
        ("config.properties", b"models=" + DEEP, b"models=" + DEEP.replace(b"1", b"2")),
        ("config.properties", b"job_queue_size=1", b"job_queue_size=" + b"9" * 5000),
    ],
)
def test_data_of_any_depth_and_length_is_compared(path: str, old: bytes, new: bytes) -> None:
    comparison = one_of(path, old, new)

    assert comparison.services[0].changes
    assert json.loads(document.report(comparison, 0))


@pytest.mark.parametrize("name", ["a.txt", "a.json"])
def test_equal_lines_are_counted_without_pairing_each_with_each(name: str) -> None:
    old, new = ["x"] * 4900, ["x", "y"] * 2400
    if name.endswith(".json"):
        texts = [json.dumps(side).encode() for side in (old, new)]
        assert one_of(name, *texts).services[0].changes
        return

    [change] = one_of(name, "\n".join(old).encode(), "\n".join(new).encode()).services[0].changes

    assert change.remark == "2400 lines added, 2500 removed"


def test_lines_in_another_order_are_told_so() -> None:
    [change] = one_of("a.txt", b"a\nb\n", b"b\na\n").services[0].changes

    assert change.remark == "the same lines in another order"


def test_elements_named_by_a_number_and_by_its_text_are_two() -> None:
    old = [{"name": 1, "value": "a"}, {"name": "1", "value": "b"}]
    new = [{"name": 1, "value": "c"}, {"name": "1", "value": "d"}]

    assert [(one.old, one.new) for one in differences(old, new)] == [("a", "c"), ("b", "d")]
