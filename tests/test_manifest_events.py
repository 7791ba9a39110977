"""The quick reader of manifests says what the thorough one says, or nothing."""

from pathlib import Path, PurePosixPath

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from generator import images, manifest_events, manifests, pipeline
from generator.artefact import RenderedFile
from generator.diagnostics import Rejected
from generator.document import Text
from generator.manifest_events import read, readings
from generator.yaml_loader import Loader

RENDERED = Path(__file__).parent.parent / "rendered"


def thoroughly(text: str) -> object:
    """The one document of a text without any flaw, else nothing."""
    try:
        found = manifests.read(Text("manifest.yaml", text))
    except Rejected:
        return None
    alone = len(found) == 1 and not any(found[0].flawed_keys())
    return found[0].data if alone else None


@pytest.mark.parametrize("path", sorted(RENDERED.rglob("*.yaml")), ids=str)
def test_reads_what_is_rendered_as_the_thorough_reader_does(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    data = read(text)

    assert data is not None
    assert data == thoroughly(text)


UNUSUAL = {
    "nothing": "",
    "no map": "- a\n",
    "two documents": "a: 1\n---\nb: 2\n",
    "a second, empty document": "a: 1\n---\n",
    "not yaml": "a: [1\n",
    "an anchor": "a: &x 1\n",
    "an alias": "a: &x 1\nb: *x\n",
    "a tag": "a: !!str 1\n",
    "a tag of a map": "a: !!map {}\n",
    "a merge": "a: {<<: {b: 1}}\n",
    "a key twice": "a: 1\na: 2\n",
    "a key twice, below": "a: {b: 1, 'b': 2}\n",
    "a key that is a number": "1: a\n",
    "a key that is a map": "? {a: 1}\n: b\n",
    "a word to kubectl alone": "a: y\n",
    "a number to kubectl alone": "a: 1e3\n",
    "a date to PyYAML": "a: 2024-01-02\n",
    "sixties to PyYAML": "a: 12:30\n",
    "a control character": "a: \x07\n",
    "a line break of YAML 1.1": "a: b\u2028c\n",
    "too deep": f"a: {'[' * 101}{']' * 101}\n",
    "too long": f"a: {'b' * 500_000}\n",
}


@pytest.mark.parametrize("text", UNUSUAL.values(), ids=UNUSUAL)
def test_leaves_what_is_unusual_to_the_thorough_reader(text: str) -> None:
    assert read(text) is None


def test_reads_what_is_as_deep_as_is_allowed() -> None:
    text = f"a: {'[' * 99}{']' * 99}\n"

    data = read(text)

    assert data is not None
    assert data == thoroughly(text)


PIECES = st.sampled_from(
    [
        *("a", "b", "image", "containers", "'a'", '"b"', "<<", "&x", "*x", "!!str", "!"),
        *("1", "0644", "1e3", "y", "on", "~", "null", "=", "2024-01-02", "1:30", ".inf", "1_0"),
        *(
            ": ",
            ":",
            ", ",
            "- ",
            "? ",
            "{",
            "}",
            "[",
            "]",
            "\n",
            "\n  ",
            "\n    ",
            "---\n",
            "...\n",
        ),
        *("#", " ", "|\n  ", ">\n ", "%YAML 1.1\n", "\t", "\x85"),
    ]
)


@given(st.lists(PIECES, max_size=30).map("".join))
def test_agrees_with_the_thorough_reader_and_with_pyyaml(text: str) -> None:
    data = read(text)

    if data is not None:
        assert data == thoroughly(text)
        assert texts(data) == texts(yaml.load(text, Loader))


def texts(value: object) -> object:
    """What of a value is text, keys as they are: all that a search for images looks at."""
    if isinstance(value, dict):
        return {key: texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [texts(item) for item in value]
    return value if isinstance(value, str) else None


def test_what_a_caller_changes_does_not_come_back() -> None:
    first = read("a: [b]\n")
    assert first is not None
    first["a"] = "changed"

    assert read("a: [b]\n") == {"a": ["b"]}


def test_images_are_the_same_in_what_was_read_before() -> None:
    files = [
        RenderedFile(PurePosixPath(path.relative_to(RENDERED / "cifar10/triton")), path.read_text())
        for path in sorted((RENDERED / "cifar10/triton").rglob("*"))
        if path.is_file()
    ]

    assert list(images.used(files, readings(files))) == list(images.used(files)) != []


def test_no_manifest_of_a_project_is_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    class Counted(Loader):  # type: ignore[misc, valid-type]  # one of two, as PyYAML was built
        def __init__(self, text: str) -> None:
            made.append(text)
            super().__init__(text)

    for module in (manifest_events, images):
        monkeypatch.setattr(module, "Loader", Counted)
    spec = Path(__file__).parent.parent / "specs/cifar10.yaml"

    files = pipeline.build(str(spec), spec.read_bytes(), spec.parent).files

    assert sorted(made) == sorted(f.text for f in files if f.path.suffix == ".yaml")
