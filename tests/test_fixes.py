"""`gen validate --fix` puts right what is certain, and leaves all else as it is."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator import fixes
from generator.diagnostics import Diagnostic, Fix, Span
from generator.runs.loading import diagnosed
from generator.selection import EVERYTHING
from generator.specs import Spec

Gen = Callable[..., Any]  # of conftest.py: status, out, err
GEN = [sys.executable, "-m", "generator"]

SPEC = """\
# what it is
spec_version: 1
name: one   # kept
model:
  source: package.module:Net
  inputs: [{name: image, dtype: float32, shape: [N, 3, 32, 32]}]
  outputs: [{name: logits, dtype: float32, shape: [N, 10]}]
storage:  {uri: s3://models/one}
serving:
  batching: {max_size: 4, dynamic: true}
kubernetes:
  labels:
    build: "10"
    tag: "1"
targets: {triton: {deployment_mode: Standard}}
"""
Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a spec just as it is given."""

    def written(text: str) -> Path:
        (tmp_path / "one.yaml").write_bytes(text.encode())
        return tmp_path / "one.yaml"

    return written


@pytest.mark.parametrize(
    ("right", "wrong", "made"),
    [
        ('tag: "1"', "tag: 1.10", 'tag: "1.10"'),
        ('tag: "1"', "tag: 010", 'tag: "010"'),
        ('tag: "1"', "tag: 1e3", 'tag: "1e3"'),
        ('tag: "1"', "tag: 2026-11-20", 'tag: "2026-11-20"'),
        ('tag: "1"', "tag: true", 'tag: "true"'),
        ('tag: "1"', "tag: &tag 1.10", 'tag: &tag "1.10"'),
        ('tag: "1"', "tag: &tag no", 'tag: &tag "no"'),
        ('tag: "1"', "tag: &tag 1.10\n    other: *tag", 'tag: &tag "1.10"'),
        ('tag: "1"', "tag: &tag no\n    other: *tag", 'tag: &tag "no"'),
        ('build: "10"', "&build on: a", '&build "on": a'),
        ('build: "10"', 'build: "10"\n    1: a', '"1": a'),
        ("dynamic: true", "dynamic: &yes on", "dynamic: &yes true"),
        ('build: "10"', "build: on", 'build: "on"'),
        ('build: "10"', 'on: "10"', '"on": "10"'),
        ('build: "10"', "on: yes", '"on": "yes"'),
        ('build: "10"', "1.10: a", '"1.10": a'),
        ("dynamic: true", "dynamic: on", "dynamic: true"),
        ("max_size: 4, dynamic", "MAX_SIZE: 1.10, Dynamic", "MAX_SIZE: 1.10, dynamic"),
        ("dynamic: true", "dynamic: No", "dynamic: false"),
        ("dynamic: true", "dynamic: 'false'", "dynamic: false"),
        ("max_size: 4", 'max_size: "4"', "max_size: 4"),
        ("max_size: 4", "maxSize: 4", "max_size: 4"),
        ("max_size: 4", "max-size: 4", "max_size: 4"),
        ("max_size: 4", "'maxSize': 4", "max_size: 4"),
        ("float32, shape: [N, 10]", "FP32, shape: [N, 10]", "float32, shape: [N, 10]"),
        ("float32, shape: [N, 10]", "Float, shape: [N, 10]", "float32, shape: [N, 10]"),
        ("float32, shape: [N, 10]", "torch.half, shape: [N, 10]", "float16, shape: [N, 10]"),
        ("deployment_mode: Standard", "deployment_mode: RawDeployment", None),
        ("deployment_mode: Standard", "deployment_mode: standard", None),
        ("deployment_mode: Standard", "deploymentMode: RawDeployment", None),
        (
            "\nserving:",
            "\nhardware: {accelerator: nvidia.com/gpu}\nserving:",
            "accelerator: nvidia",
        ),
        ("\nserving:", "\nexport: {format: aoti}\nserving:", "format: aot_inductor"),
        ("\n  batching", "\n  protocol: kfserving\n  batching", "protocol: v2"),
    ],
)
def test_puts_right_what_can_be_meant_in_one_way_only(
    gen: Gen, write: Write, right: str, wrong: str, made: str | None
) -> None:
    assert SPEC.count(right) == 1
    spec = write(SPEC.replace(right, wrong))

    ran = gen("validate", "one.yaml", "--fix")

    assert "one.yaml:" in ran.err
    assert ": fixed: " in ran.err
    text = spec.read_text()
    assert (made or right) in text
    old, new = SPEC.replace(right, wrong).split("\n"), text.split("\n")
    assert sum(map(str.__ne__, old, new)) == 1
    assert len(old) == len(new)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("max_size: 4", "max_sise: 4"),  # near, and not certain
        ("max_size: 4", "max_size: 4, maxSize: 8"),  # the right key is there
        ("max_size: 4", "max_size: 010"),  # a number is wanted: eight or ten
        ("max_size: 4", "max_size: '010'"),
        ("max_size: 4", "maxSize: none"),  # what is wrong would only be another
        ('tag: "1"', "tag: !!float 1.10"),
        ('tag: "1"', "tag: -1.5"),  # no tag, quoted or not
        ("dynamic: true", "dynamic: 1"),
        ("max_size: 4, dynamic: true", "max_size: &a 1, dynamic: *a"),
        ('tag: "1"', "tag: 2024-01-01 10:00:00"),  # no tag, quoted or not
        ("dynamic: true", "dynamic: true, delay: 1:30"),  # no duration, quoted or not
        ("float32, shape: [N, 10]", "on, shape: [N, 10]"),
        ("dynamic: true", "on: true"),  # no such key, quoted or not
        ("  source: package.module:Net", "  source: package.module:Net\n  arguments: {a: on}"),
        ("storage:  {uri", "storage:  {url"),
    ],
)
def test_leaves_what_is_not_certain(gen: Gen, write: Write, right: str, wrong: str) -> None:
    assert SPEC.count(right) == 1
    spec = write(SPEC.replace(right, wrong))

    ran = gen("validate", "one.yaml", "--fix")

    assert ran.status == 1
    assert ": fixed: " not in ran.err
    assert spec.read_text() == SPEC.replace(right, wrong)


BROKEN = SPEC.replace('tag: "1"', "tag: 1.10").replace("max_size", "maxSize")


def test_validates_again_and_says_what_it_has_changed(gen: Gen, write: Write) -> None:
    write(BROKEN)

    ran = gen("validate", "one.yaml", "--fix")

    assert ran == (
        0,
        "",
        "one.yaml:10:14: fixed: unknown key `maxSize`, now `max_size` [schema]\n"
        'one.yaml:14:10: fixed: `1.10` is a number in YAML, now `"1.10"` [schema]\n'
        "1 spec valid\n",
    )
    assert gen("validate", "one.yaml", "--fix") == (0, "", "1 spec valid\n")


def test_fixes_one_after_the_other_what_each_stage_reveals(gen: Gen, write: Write) -> None:
    spec = write(BROKEN.replace("dynamic: true", "dynamic: off").replace("build:", "yes:"))

    ran = gen("validate", "one.yaml", "--fix")

    assert ran.status == 0
    assert ran.err.count(": fixed: ") == 4
    assert '    "yes": "10"' in spec.read_text()


def test_a_scalar_that_stays_does_not_hold_up_the_others(gen: Gen, write: Write) -> None:
    spec = write(SPEC.replace('"10"', "2024-01-01 10:00:00").replace('"1"', "yes"))

    ran = gen("validate", "one.yaml", "--fix")

    assert ran.status == 1
    assert spec.read_text() == SPEC.replace('"10"', "2024-01-01 10:00:00").replace('"1"', '"yes"')


def test_many_keys_are_fixed_at_once(gen: Gen, write: Write) -> None:
    keys = "".join(f"\n    {number}: a" for number in range(101, 141))
    spec = write(SPEC.replace("\n    tag:", f"{keys}\n    tag:"))

    assert gen("validate", "one.yaml", "--fix").status == 0
    assert spec.read_text().count('\n    "1') == 40


def test_keeps_line_ends_byte_order_mark_and_mode(gen: Gen, write: Write) -> None:
    spec = write("\ufeff" + BROKEN.replace("\n", "\r\n").replace("# what", "# wäs"))
    spec.chmod(0o640)

    gen("validate", "one.yaml", "--fix")

    fixed = "\ufeff" + SPEC.replace('"1"', '"1.10"').replace("\n", "\r\n").replace(
        "# what", "# wäs"
    )
    assert spec.read_bytes() == fixed.encode()
    assert spec.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in spec.parent.iterdir()] == ["one.yaml"]


def test_fixes_the_file_behind_a_link(gen: Gen, write: Write, tmp_path: Path) -> None:
    spec = write(BROKEN)
    spec.rename(tmp_path / "real.yaml")
    spec.symlink_to("real.yaml")

    gen("validate", "one.yaml", "--fix")

    assert spec.is_symlink()
    assert (tmp_path / "real.yaml").read_text() == SPEC.replace('"1"', '"1.10"')


def test_a_read_only_file_stays_as_it_is_and_exits_2(gen: Gen, write: Write) -> None:
    spec = write(BROKEN)
    spec.chmod(0o444)

    ran = gen("validate", "one.yaml", "--fix")

    assert ran.status == 2
    assert "gen: cannot fix one.yaml: it is read-only\n" in ran.err
    assert ": fixed: " not in ran.err
    assert "one.yaml:14:10: error: " in ran.err
    assert spec.read_text() == BROKEN


def test_a_file_that_has_changed_meanwhile_is_not_written(
    gen: Gen, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    from generator.commands import fixing

    spec = write(BROKEN)

    def slow(path: str, text: bytes, diagnose: fixes.Diagnose) -> fixes.Fixed:
        spec.write_text("another: text\n")
        return fixes.fixed(path, text, diagnose)

    monkeypatch.setattr(fixing, "fixed", slow)

    ran = gen("validate", "one.yaml", "--fix")

    assert ran.status == 2
    assert "gen: cannot fix one.yaml: it has changed meanwhile; run again\n" in ran.err
    assert spec.read_text() == "another: text\n"


def test_a_diff_shows_and_writes_nothing(gen: Gen, write: Write) -> None:
    spec = write(BROKEN)

    ran = gen("validate", "one.yaml", "--fix", "--diff")

    assert ran.status == 1
    assert ran.out.startswith("--- a/one.yaml\n+++ b/one.yaml\n@@ ")
    assert '-    tag: 1.10\n+    tag: "1.10"\n' in ran.out
    assert "one.yaml:14:10: fixable: `1.10` is a number in YAML, write" in ran.err
    assert ": fixed: " not in ran.err
    assert ran.err.endswith("1 spec valid once fixed\n")
    assert spec.read_text() == BROKEN


def test_a_format_tells_what_a_diff_has_not_fixed(gen: Gen, write: Write) -> None:
    write(BROKEN)

    arguments = ("--format", "json", "--output-file", "o.json")
    ran = gen("validate", "one.yaml", "--fix", "--diff", *arguments)

    told = json.loads(Path("o.json").read_text("utf-8"))
    assert [one["fix"]["text"] for one in told["diagnostics"]] == ["max_size", '"1.10"']
    assert told["fixed"] == []
    assert (told["summary"]["errors"], told["summary"]["status"], ran.status) == (2, 1, 1)


def test_a_diff_of_a_spec_that_cannot_be_read_exits_2(gen: Gen, write: Write) -> None:
    write(BROKEN)

    assert gen("validate", "one.yaml", "missing.yaml", "--fix", "--diff").status == 2


def test_a_diff_of_a_good_spec_is_empty(gen: Gen, write: Write) -> None:
    write(SPEC)

    assert gen("validate", "one.yaml", "--fix", "--diff") == (0, "", "1 spec valid\n")


def test_a_spec_on_stdin_is_printed_as_it_is_after_its_fixes(tmp_path: Path) -> None:
    ran = subprocess.run(
        [*GEN, "validate", "-", "--fix"], input=BROKEN.encode(), cwd=tmp_path, capture_output=True
    )

    assert ran.returncode == 0
    assert ran.stdout.decode() == SPEC.replace('"1"', '"1.10"')
    assert b"<stdin>:14:10: fixed: " in ran.stderr


def test_a_spec_that_cannot_be_read_holds_up_no_other(gen: Gen, write: Write) -> None:
    spec = write(BROKEN)

    ran = gen("validate", "missing.yaml", "one.yaml", "--fix")

    assert ran.status == 2
    assert "gen: cannot read missing.yaml" in ran.err
    assert spec.read_text() == SPEC.replace('"1"', '"1.10"')


def test_one_place_that_several_views_have_is_fixed_once(gen: Gen, write: Write) -> None:
    two = "environments: {staging: {}, production: {serving: {batching: {maxSize: 2}}}}\n"
    spec = write(BROKEN.replace("maxSize", "max_size") + two)

    ran = gen("validate", "one.yaml", "--fix")

    assert ran.err.count(": fixed: ") == 1  # the base has max_size: what is meant is not certain
    assert 'tag: "1.10"' in spec.read_text()


def test_the_number_of_what_can_be_fixed_is_told(gen: Gen, write: Write) -> None:
    write(BROKEN)

    ran = gen("validate", "one.yaml")

    assert ran.err.endswith("gen: 2 of these can be fixed with gen validate --fix\n")


def flaw(line: int, start: int, end: int, text: str) -> Diagnostic:
    span = Span(line, start, end)
    return Diagnostic("a", span, f"{line}:{start}", "schema", fix=Fix(span, text))


def test_of_two_fixes_that_overlap_the_first_is_taken() -> None:
    found = [[flaw(1, 1, 4, "x"), flaw(1, 3, 6, "y")], []]

    done = fixes.fixed("a", b"abcdef", lambda text: found[text != b"abcdef"])

    assert done.after == b"xdef"


def test_a_fix_after_which_the_mistake_is_still_there_is_not_taken() -> None:
    done = fixes.fixed("a", b"abc", lambda _text: [flaw(1, 1, 2, "x")])

    assert (done.after, done.mistakes) == (b"abc", ())


def test_a_fix_that_does_not_help_does_not_hold_up_the_others() -> None:
    stays, goes = flaw(1, 1, 2, "x"), flaw(2, 1, 2, "y")

    def diagnose(text: bytes) -> list[Diagnostic]:
        return [stays] if b"y" in text else [stays, goes]

    done = fixes.fixed("a", b"abc\ndef", diagnose)

    assert (done.after, done.mistakes) == (b"abc\nyef", (goes,))


def test_fixes_that_call_for_each_other_come_to_an_end() -> None:
    def diagnose(text: bytes) -> list[Diagnostic]:
        return [flaw(1, 1, 2, "b")] if text == b"a" else [flaw(1, 1, 2, "a")]

    assert fixes.fixed("a", b"a", diagnose).after in (b"a", b"b")


def test_a_fix_of_another_file_is_left_to_that_file() -> None:
    done = fixes.fixed("b", b"abc", lambda _text: [flaw(1, 1, 2, "x")])

    assert done.after == b"abc"


@given(st.text(st.sampled_from('ab\n\r" :ü'), min_size=1), st.data())
def test_replaces_the_place_and_nothing_else(text: str, data: st.DataObject) -> None:
    from generator.document import Text

    offset = data.draw(st.integers(0, len(text) - 1))
    if text[offset] in "\r\n":
        return
    span = Text("a", text).at(offset)

    done = fixes.applied(text.encode(), [Fix(span, "<>")])

    assert done.decode() == f"{text[:offset]}<>{text[offset + 1 :]}"


def test_a_new_file_has_the_mode_that_others_get(tmp_path: Path) -> None:
    from generator import atomic

    atomic.write(tmp_path / "new", b"text")

    (tmp_path / "other").write_bytes(b"")
    assert os.stat(tmp_path / "new").st_mode == os.stat(tmp_path / "other").st_mode


WORDS = ("on", "010", "1.10", "1e3", '"1"', "'true'", "&a 1", "*a", "FP32", "cuda", "1:30", '"')


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_whatever_stands_in_a_spec_is_fixed_in_one_go_or_left(data: st.DataObject) -> None:
    words = list(re.finditer(r"[\w.]+", SPEC))
    text = SPEC
    for word in sorted(
        data.draw(st.sets(st.sampled_from(words), min_size=1, max_size=4)), key=re.Match.start
    )[::-1]:
        odd = (word[0].upper(), word[0].title(), word[0].replace("_", "-"), f'"{word[0]}"', *WORDS)
        text = text[: word.start()] + data.draw(st.sampled_from(odd)) + text[word.end() :]

    def diagnose(content: bytes) -> tuple[Diagnostic, ...]:
        return diagnosed(Spec("one.yaml"), content, EVERYTHING)

    done = fixes.fixed("one.yaml", text.encode(), diagnose)

    assert fixes.fixed("one.yaml", done.after, diagnose).mistakes == ()
    assert len(done.after.splitlines()) == len(text.splitlines())
    left = {(d.rule, d.message, d.span.line) for d in diagnose(done.after)}
    assert not left & {(d.rule, d.message, d.span.line) for d in done.mistakes}


def test_a_format_tells_what_was_fixed(gen: Gen, write: Write) -> None:
    write(BROKEN)

    ran = gen("validate", "one.yaml", "--fix", "--format", "json")

    told = json.loads(ran.out)
    assert (ran.status, ran.err) == (0, "1 spec valid\n")
    assert [mistake["fix"]["text"] for mistake in told["fixed"]] == ["max_size", '"1.10"']
    assert (told["diagnostics"], told["summary"]["fixed"]) == ([], 2)
