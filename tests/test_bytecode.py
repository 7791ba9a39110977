"""Compiled templates are kept, and taken only where nobody else could have put them."""

import marshal
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import jinja2
import pytest

from generator import bytecode, render
from generator.artefact import artefact
from generator.quoting import FORMATS
from generator.shipped import shipped

TEMPLATES = sorted(
    path.relative_to(shipped("templates")).as_posix() for path in shipped("templates").rglob("*.j2")
)
CODE = compile("kept = 'from an earlier run'", "templates/one.j2", "exec")
LINES = artefact("requirements.txt", "common/requirements.txt.j2", {"requirements": ["a==1"]})


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of compiled code, in a cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    forget()
    yield tmp_path / "cache" / "serving-generator" / "bytecode"
    forget()


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the templates that are compiled."""
    names: list[str] = []
    whole = jinja2.Environment.compile

    def noted(self: jinja2.Environment, source: str, name: str, *rest: object) -> object:
        names.append(name)
        return whole(self, source, name, *rest)  # type: ignore[call-overload]

    monkeypatch.setattr(jinja2.Environment, "compile", noted)
    return names


def forget() -> None:
    """Be as a process that begins."""
    bytecode._folder.cache_clear()
    bytecode._make_room.cache_clear()
    render._environment.cache_clear()


def test_a_template_is_compiled_once_for_all_runs(cache: Path, compiled: list[str]) -> None:
    first = render.render(LINES)
    forget()
    second = render.render(LINES)

    assert first == second
    assert compiled == [LINES.template]
    assert len(list(cache.iterdir())) == 1


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_code_of_a_template_is_the_same_for_every_format(template: str) -> None:
    """So that one is kept for all: Jinja2 can quote constants when it compiles."""
    environments = map(render._environment, FORMATS)

    codes = {marshal.dumps(compiled_by(each, template)) for each in environments}

    assert len(codes) == 1


def compiled_by(environment: jinja2.Environment, template: str) -> object:
    assert environment.loader
    source, name, _ = environment.loader.get_source(environment, template)
    return environment.compile(source, template, name)


def test_constants_are_quoted_when_a_template_is_filled() -> None:
    texts = [
        render._environment(name).from_string("{{ 'a b' }} {{ 'c d' | json }}").render()
        for name in ("yaml", "shell", "line")
    ]

    assert texts == ['"a b" "c d"', "'a b' \"c d\"", 'a b "c d"']


def test_another_text_is_other_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "templates").mkdir()
    monkeypatch.setattr(render, "shipped", lambda name: tmp_path / name)
    texts = []
    for said in ("old", "new", "old"):
        (tmp_path / "templates" / "one.j2").write_text(f"{said}: {{{{ value }}}}\n")
        forget()
        texts.append(render.render(artefact("one.yaml", "one.j2", {"value": 1})).text)

    assert texts == ["old: 1\n", "new: 1\n", "old: 1\n"]


def test_another_compiler_or_setting_is_other_code(
    compiled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    render.render(LINES)
    forget()
    monkeypatch.setattr(render, "_COMPILER", ("another Python",))
    render.render(LINES)
    forget()
    monkeypatch.setattr(jinja2.defaults, "TRIM_BLOCKS", True)
    render.render(LINES)

    assert compiled == [LINES.template] * 2


def test_no_answer_of_a_filter_is_kept_as_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what a filter answers the name of what is kept says nothing."""
    environment = render._environment("line")
    template = environment.from_string("{{ 'a b' | shell ~ ' c' }}")
    monkeypatch.setitem(environment.filters, "shell", lambda value: f"<{value}>")

    assert template.render() == "<a b> c"


def test_another_jinja2_is_another_compiler() -> None:
    assert jinja2.__version__ in render._COMPILER


def test_old_code_and_what_killed_runs_have_left_goes(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bytecode.keep("old", CODE)
    (cache / ".old.12ab").write_text("")
    for path in cache.iterdir():
        os.utime(path, (0, 0))
    bytecode.keep("new", CODE)
    forget()
    monkeypatch.setattr(bytecode, "_MOST_FILES", 1)

    bytecode.keep("newer", CODE)

    assert sorted(path.name for path in cache.iterdir()) == ["new", "newer"]


def test_what_is_kept_is_loaded(cache: Path) -> None:
    bytecode.keep("one", CODE)

    assert bytecode.load("one") == CODE
    assert bytecode.load("other") is None
    assert [path.name for path in cache.iterdir()] == ["one"]
    assert (cache / "one").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 10,
        b"\0" * 100,
        marshal.dumps(CODE),
        bytecode._digest(b"") + b"",
        bytecode._digest(b"\xff") + b"\xff",
        bytecode._digest(marshal.dumps("no code")) + marshal.dumps("no code"),
    ],
    ids=["empty", "short", "zeros", "no digest", "digest alone", "no marshal", "another value"],
)
def test_a_broken_file_is_passed_over_and_replaced(cache: Path, content: bytes) -> None:
    bytecode.keep("one", CODE)
    (cache / "one").write_bytes(content)

    assert bytecode.load("one") is None

    bytecode.keep("one", CODE)
    assert bytecode.load("one") == CODE


def test_a_file_cut_short_is_passed_over(cache: Path) -> None:
    bytecode.keep("one", CODE)
    whole = (cache / "one").read_bytes()

    for end in range(len(whole)):
        (cache / "one").write_bytes(whole[:end])
        assert bytecode.load("one") is None


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_could_write_is_not_executed(cache: Path, mode: int) -> None:
    bytecode.keep("one", CODE)
    (cache / "one").chmod(mode)

    assert bytecode.load("one") is None


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_a_folder_that_others_could_write_is_not_used(cache: Path, mode: int) -> None:
    bytecode.keep("one", CODE)
    cache.chmod(mode)
    forget()

    assert bytecode.load("one") is None

    bytecode.keep("two", CODE)
    assert [path.name for path in cache.iterdir()] == ["one"]


def test_a_file_or_folder_of_another_user_is_not_used(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bytecode.keep("one", CODE)
    another = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: another)

    assert bytecode.load("one") is None

    forget()
    bytecode.keep("two", CODE)
    assert [path.name for path in cache.iterdir()] == ["one"]


def test_a_run_without_a_cache_renders_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_cache = render.render(LINES)
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", Path("/proc/nowhere"), Path("/dev/null")):
        monkeypatch.setenv("XDG_CACHE_HOME", str(place))
        forget()
        assert render.render(LINES) == with_cache


def test_a_full_disk_is_no_failure(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)

    assert render.render(LINES).text
    assert list(cache.iterdir()) == []


def test_nothing_is_written_where_python_is_to_write_no_bytecode(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    assert render.render(LINES).text
    assert not cache.exists() or list(cache.iterdir()) == []
