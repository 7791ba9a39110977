"""Whatever a file holds, gen lint tells it with a place or passes it over: never a traceback."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile import HOSTILE
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from generator.diagnostics import CannotRun
from generator.inputs import Input
from generator.lint import Linted, lint

RENDERED = Path(__file__).parents[1] / "rendered"
PATTERNS = ("*/manifests/*.yaml", "config.pbtxt", "config.properties")
GOOD = sorted(path for pattern in PATTERNS for path in RENDERED.rglob(pattern))
quick = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
NAMES = st.sampled_from(["one.yaml", "config.pbtxt", "config.properties", "one.json", "one"])
WORDS = st.sampled_from(
    [
        *HOSTILE,
        "{",
        "}",
        "[",
        "]",
        ": ",
        "- ",
        "---\n",
        "\n",
        "&a ",
        "*a",
        "<<: ",
        "!!int ",
        "$$X$$",
    ]
)


def linted(name: str, content: bytes) -> Linted:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        [outcome] = lint([Input(str(path))])
        left = [each.name for each in Path(folder).iterdir()]
    assert left == [name]  # nothing is ever written
    assert not isinstance(outcome, CannotRun)
    text = content.decode("utf-8", "replace")
    lines = text.count("\n") + text.count("\r") + 1
    for diagnostic in outcome.diagnostics:
        assert 1 <= diagnostic.span.line <= lines
        assert 1 <= diagnostic.span.column < diagnostic.span.end_column
        assert "\n" not in diagnostic.message + diagnostic.hint
        assert len(diagnostic.message) < 500
    return outcome


@given(NAMES, st.text(max_size=200))
@example("one.yaml", "apiVersion: \x85v1\nkind: x")
@example("one.yaml", "? {a: b}\n: c\napiVersion: v1\nkind: Pod\n")
@example("one.yaml", "apiVersion: v1\nkind: List\nitems: [{kind: List, items: [1, null]}]\n")
@example("one.yaml", "apiVersion: v1\nkind: Pod\n<<: [1, *a]\n")
@example("one.yaml", "apiVersion: v1\nkind: Pod\nspec: .nan\nmetadata: .inf\n")
@example("config.pbtxt", "input { name: '\\777' }")
@example("config.properties", "model_snapshot={\\u12")
@quick
def test_any_text(name: str, text: str) -> None:
    linted(name, text.encode("utf-8", "surrogatepass"))


@given(NAMES, st.binary(max_size=100))
@quick
def test_any_bytes(name: str, content: bytes) -> None:
    linted(name, content)


@given(st.data())
@settings(quick, max_examples=100)
def test_a_good_file_with_parts_changed(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(GOOD))
    text = path.read_text(encoding="utf-8")
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 30)))
        text = text[:start] + data.draw(WORDS | st.text(max_size=5)) + text[end:]

    linted(path.name, text.encode("utf-8", "surrogatepass"))


def whole_values(text: str) -> Iterator[tuple[int, int]]:
    """Where the values of `key: value` lines stand."""
    at = 0
    for line in text.splitlines(keepends=True):
        head, colon, _ = line.partition(": ")
        if colon:
            yield at + len(head) + 2, at + len(line.rstrip())
        at += len(line)


@given(st.data())
@settings(quick, max_examples=100)
def test_a_good_manifest_with_values_of_other_types(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from([each for each in GOOD if each.suffix == ".yaml"]))
    text = path.read_text(encoding="utf-8")
    for _ in range(data.draw(st.integers(1, 3))):
        start, end = data.draw(st.sampled_from(list(whole_values(text))))
        odd = ("null", "[]", "{}", "5", "-1", "1e400", "true", "[null]", "{a: {b: c}}", '"\\u0000"')
        text = text[:start] + data.draw(st.sampled_from(odd)) + text[end:]

    assert linted(path.name, text.encode()).passed_over.total() <= 3


@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [
        ("one.yaml", "apiVersion: v1\nkind: Pod\nspec: " + "[" * 100_000, "yaml/too-deep"),
        ("one.yaml", "apiVersion: v1\nkind: Pod\nspec:\n" + "- " * 100_000, "yaml/too-deep"),
        ("config.pbtxt", "input {" * 100_000, "config-pbtxt/syntax"),
        ("config.pbtxt", "x: [" * 100_000, ""),
        ("one.yaml", "a: 1\n" * 2_200_000, "yaml/too-large"),
        ("config.pbtxt", "a: 1\n" * 2_200_000, "yaml/too-large"),
        ("config.properties", "load_models=a\n" * 800_000, "yaml/too-large"),
        ("one.yaml", "apiVersion: v1\nkind: Pod\nx: " + "y" * 4_000_000, "kubernetes/schema"),
        ("config.properties", "load_models=" + "y" * 4_000_000, ""),
        ("config.properties", "model_snapshot=" + "[" * 100_000, ""),
    ],
)
def test_a_file_out_of_all_proportion_is_refused(name: str, text: str, rule: str) -> None:
    rules = [diagnostic.rule for diagnostic in linted(name, text.encode()).diagnostics]

    assert rule in rules if rule else rules is not None


def test_a_name_longer_than_any_file_has_is_that_of_no_file() -> None:
    long = "x" * 300 + ".yaml"
    text = (
        f"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [{long}]\n"
    )

    assert [each.rule for each in linted("kustomization.yaml", text.encode()).diagnostics] == [
        "kustomize/missing-file"
    ]
