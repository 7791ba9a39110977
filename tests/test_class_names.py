"""Class names read from a file."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator import class_names
from generator.class_names import Unreadable, read


def written(folder: Path, name: str, content: str | bytes) -> str:
    data = content if isinstance(content, bytes) else content.encode()
    (folder / name).write_bytes(data)
    return name


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "cat\ndog: one\n"),
        ("a.txt", "cat\ndog: one"),
        ("a.txt", "cat\r\ndog: one\r\n"),
        ("a.txt", "\ufeffcat\ndog: one\n"),
        ("a.json", '["cat", "dog: one"]'),
        ("a.json", '{"0": "cat", "1": "dog: one"}'),
        ("a.json", '{"1": "dog: one", "0": "cat"}'),
        ("a.json", '{"0": ["n01", "cat"], "1": ["n02", "dog: one"]}'),
        ("a.json", '[["n01", "cat"], ["dog: one"]]'),
    ],
)
def test_reads_every_form(tmp_path: Path, name: str, content: str) -> None:
    assert read(tmp_path, written(tmp_path, name, content)) == ("cat", "dog: one")


def test_reads_a_file_of_another_folder(tmp_path: Path) -> None:
    written(tmp_path, "a.txt", "cat\n")
    (tmp_path / "specs").mkdir()

    assert read(tmp_path / "specs", "../a.txt") == ("cat",)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "", "`a.txt` holds no names"),
        ("a.txt", "cat\n\ndog\n", "name 1 in `a.txt` is empty"),
        ("a.txt", "cat\n\n", "name 1 in `a.txt` is empty"),
        ("a.txt", "cat\tdog\n", "name 0 in `a.txt` holds character U+0009"),
        ("a.txt", "one\u2028two\n", "name 0 in `a.txt` holds character U+2028"),
        ("a.txt", "x" * 301, "name 0 in `a.txt` has 301 characters, more than the 300 allowed"),
        ("a.txt", b"caf\xe9\n", "byte 3 of `a.txt` is not UTF-8"),
        ("a.json", "[", "`a.json` is not JSON: expecting value, line 1, column 2"),
        ("a.json", "", "`a.json` is not JSON: expecting value, line 1, column 1"),
        ("a.json", "[]", "`a.json` holds no names"),
        ("a.json", "{}", "`a.json` holds no names"),
        ("a.json", '"cat"', "`a.json` holds neither a list nor an index of names"),
        ("a.json", '["cat", 1]', "class 1 in `a.json` has no name but `1`"),
        ("a.json", "[[]]", "class 0 in `a.json` has no name but `[]`"),
        ("a.json", '{"0": "cat", "2": "dog"}', "`a.json` has 2 keys but none for class 1"),
        ("a.json", '{"cat": 0}', "`a.json` has 1 keys but none for class 0"),
        ("a.json", '["\\ud800"]', "name 0 in `a.json` holds character U+D800"),
        ("a.json", '["a\\nb"]', "name 0 in `a.json` holds character U+000A"),
        ("a.json", "[" * 100_000, "nests deeper"),
        ("a.json", "[" + "1" * 10_000 + "]", "longer numbers"),
    ],
)
def test_says_why_a_file_cannot_be_used(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    file = written(tmp_path, name, content)

    with pytest.raises(Unreadable) as caught:
        read(tmp_path, file)

    assert message in str(caught.value)


def test_says_that_a_file_is_missing_and_where_paths_start(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"there is no file `a/b\.txt`") as caught:
        read(tmp_path, "a/b.txt")

    assert caught.value.hint == "paths start at the spec's folder"


def test_refuses_a_folder_and_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")

    for name in (".", "pipe.txt"):
        with pytest.raises(Unreadable, match="is not a file"):
            read(tmp_path, name)


def test_refuses_a_file_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(class_names, "MAX_BYTES", 3)

    with pytest.raises(Unreadable, match="has more than 3 bytes"):
        read(tmp_path, written(tmp_path, "a.txt", "cat\n"))


def test_tells_what_the_system_says(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"cannot be read: File name too long"):
        read(tmp_path, "a" * 300)


@given(st.binary(max_size=100), st.sampled_from(["a.json", "a.txt"]))
def test_whatever_a_file_holds_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str
) -> None:
    folder = tmp_path_factory.getbasetemp()
    written(folder, name, content)
    try:
        names = read(folder, name)
    except Unreadable as refused:
        message = str(refused)
        assert len(message) < 200
    else:
        assert all(names)


@given(
    st.lists(st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1), min_size=1)
)
def test_json_and_lines_read_the_same(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    lines = written(folder, "b.txt", "".join(f"{name}\n" for name in names))
    listed = written(folder, "b.json", json.dumps(names))

    assert read(folder, lines) == read(folder, listed) == tuple(names)
