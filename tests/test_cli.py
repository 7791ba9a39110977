"""What `gen` prints where, and with which status it ends."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from generator import __version__, cli, pipeline
from generator.targets import TARGETS

Gen = Callable[..., Any]  # of conftest.py: status, out, err
WriteSpec = Callable[..., Path]
GEN = [sys.executable, "-m", "generator"]
BROKEN = "hardware: {cpu: -1}\n"


def test_version(gen: Gen) -> None:
    assert gen("--version") == (0, f"gen {__version__}\n", "")


def test_targets_tells_each_target_and_what_it_is(gen: Gen) -> None:
    ran = gen("targets")

    assert ran.status == 0
    assert [line.split()[0] for line in ran.out.splitlines()] == list(TARGETS)
    assert "KServe with Triton" in ran.out


def test_schema_prints_json(gen: Gen) -> None:
    ran = gen("schema")

    assert (ran.status, ran.err) == (0, "")
    assert json.loads(ran.out)["$schema"] == "http://json-schema.org/draft-07/schema#"


@pytest.mark.parametrize(
    "command", ["", "validate", "render", "export", "targets", "schema", "crds"]
)
def test_help_is_there_and_exits_0(gen: Gen, command: str) -> None:
    ran = gen(*command.split(), "--help")

    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith(f"Usage: gen {command}".rstrip())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--nope"], "No such option '--nope'"),
        (["rendr"], "No such command 'rendr'"),
        (["validate"], "Missing argument 'SPEC...'"),
        (["validate", "--nope", "."], "No such option '--nope'"),
        (["validate", "missing.yaml"], "gen: cannot read missing.yaml: No such file or directory"),
        (["validate", "."], "gen: no spec in .: no YAML file there has the key `spec_version`"),
        (["validate", "x", "--target", "tritn"], "gen: unknown target tritn; known: triton"),
        (["render", "x", "--check", "-o", "-"], "--check compares with a folder"),
    ],
)
def test_what_cannot_run_exits_2_and_says_why(gen: Gen, arguments: list[str], told: str) -> None:
    ran = gen(*arguments)

    assert (ran.status, ran.out) == (2, "")
    assert told in ran.err


def test_validate_writes_nothing(gen: Gen, write_spec: WriteSpec, tmp_path: Path) -> None:
    write_spec("one.yaml")

    ran = gen("validate", "one.yaml")

    assert ran == (0, "", "1 spec valid\n")
    assert [path.name for path in tmp_path.iterdir()] == ["one.yaml"]


def test_errors_of_a_spec_go_to_stderr_and_exit_1(gen: Gen, write_spec: WriteSpec) -> None:
    write_spec("one.yaml", more=BROKEN)

    ran = gen("validate", "one.yaml")

    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith("one.yaml:9:17: error: -1 is not ")
    assert ran.err.endswith("0 specs valid, 1 not\n")


def test_render_tells_each_project_in_a_line(gen: Gen, write_spec: WriteSpec) -> None:
    write_spec("one.yaml")
    write_spec("two.yaml", name="two")

    first = gen("render", ".")
    second = gen("render", ".")

    assert (first.status, first.err) == (0, "")
    lines = r"rendered/one: (\d+) files, \1 created\nrendered/two: (\d+) files, \2 created\n"
    assert re.fullmatch(lines, first.out)
    assert (second.status, second.err) == (0, "")
    assert second.out == re.sub(r"\d+ created", "unchanged", first.out)


def test_a_failing_spec_does_not_stop_the_others_and_is_not_written(
    gen: Gen, write_spec: WriteSpec, tmp_path: Path
) -> None:
    write_spec("a.yaml", name="a", more=BROKEN)
    write_spec("b.yaml", name="b")
    write_spec("c.yaml", name="c", more="name: c\n")

    ran = gen("render", "a.yaml", "b.yaml", "c.yaml")

    assert ran.status == 1
    assert re.fullmatch(r"rendered/b: \d+ files, \d+ created\n", ran.out)
    assert "a.yaml:9:17: error" in ran.err
    assert "c.yaml:9:1: error" in ran.err
    assert ran.err.endswith("gen: 2 of 3 specs not rendered\n")
    assert [path.name for path in (tmp_path / "rendered").iterdir()] == ["b"]


def test_a_missing_file_among_good_ones_exits_2_after_the_good_ones(
    gen: Gen, write_spec: WriteSpec
) -> None:
    write_spec("one.yaml")

    ran = gen("render", "missing.yaml", "one.yaml")

    assert ran.status == 2
    assert re.fullmatch(r"rendered/one: \d+ files, \d+ created\n", ran.out)


def test_two_specs_of_one_name_are_both_refused(
    gen: Gen, write_spec: WriteSpec, tmp_path: Path
) -> None:
    write_spec("a.yaml")
    write_spec("b.yaml")

    ran = gen("render", "a.yaml", "b.yaml")

    assert (ran.status, ran.out) == (1, "")
    assert "a.yaml:2:7: error: project `one` is also in b.yaml [specs/name-used-twice]" in ran.err
    assert "b.yaml:2:7: error: project `one` is also in a.yaml [specs/name-used-twice]" in ran.err
    assert not (tmp_path / "rendered").exists()


def test_a_spec_named_twice_is_one_spec(gen: Gen, write_spec: WriteSpec, tmp_path: Path) -> None:
    write_spec("folder/one.yaml")

    ran = gen("validate", "folder", "folder/one.yaml", str(tmp_path / "folder/../folder/one.yaml"))

    assert ran == (0, "", "1 spec valid\n")


def test_in_a_folder_only_yaml_with_spec_version_is_a_spec(
    gen: Gen, write_spec: WriteSpec, tmp_path: Path
) -> None:
    write_spec("specs/deep/er/one.yml")
    write_spec("specs/.hidden/two.yaml", name="two")
    (tmp_path / "specs/values.yaml").write_text("replicas: 1\n")
    (tmp_path / "specs/broken.yaml").write_text("{{ helm }}\n")
    quoted = write_spec("specs/quoted.yaml", name="three")
    quoted.write_text(quoted.read_text().replace("spec_version", '"spec_version"'))

    ran = gen("render", "specs")

    assert (ran.status, ran.err) == (0, "")
    assert [line.split(":")[0] for line in ran.out.splitlines()] == [
        "rendered/three",
        "rendered/one",
    ]


def test_reads_stdin_with_paths_from_the_working_directory(
    write_spec: WriteSpec, tmp_path: Path
) -> None:
    (tmp_path / "names.txt").write_text("".join(f"class {n}\n" for n in range(10)))
    text = write_spec("elsewhere/one.yaml").read_text()
    text = text.replace("  inputs:", "  class_names: names.txt\n  inputs:")

    ran = subprocess.run(
        [*GEN, "render", "-"], input=text, cwd=tmp_path, capture_output=True, text=True
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    labels = tmp_path / "rendered/one/triton/models/one/labels.txt"
    assert labels.read_text().splitlines()[9] == "class 9"


def test_diagnostics_call_standard_input_by_name() -> None:
    ran = subprocess.run([*GEN, "validate", "-"], input="[]\n", capture_output=True, text=True)

    assert ran.returncode == 1
    assert ran.stderr.startswith("<stdin>:1:1: error: ")


def test_a_closed_standard_input_cannot_run() -> None:
    command = f'exec "{sys.executable}" -m generator validate - <&-'

    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True)

    assert ran.returncode == 2
    assert ran.stderr.startswith("gen: cannot read <stdin>: it is closed\n")


def test_prints_manifests_to_stdout_as_one_yaml_stream(
    gen: Gen, write_spec: WriteSpec, tmp_path: Path
) -> None:
    import yaml

    write_spec("one.yaml", more="kubernetes: {annotations: {note: Grüße}}\n")

    ran = gen("render", "one.yaml", "--output", "-")

    assert (ran.status, ran.err) == (0, "")
    kinds = [manifest["kind"] for manifest in yaml.safe_load_all(ran.out)]
    assert kinds == ["ServingRuntime", "InferenceService"]
    assert not (tmp_path / "rendered").exists()


def test_manifests_are_utf_8_whatever_the_terminal_speaks(
    write_spec: WriteSpec, tmp_path: Path
) -> None:
    write_spec("one.yaml", more="kubernetes: {annotations: {note: Grüße €}}\n")
    variables = os.environ | {"PYTHONIOENCODING": "latin-1"}

    ran = subprocess.run(
        [*GEN, "render", "one.yaml", "-o", "-"], cwd=tmp_path, env=variables, capture_output=True
    )

    assert ran.returncode == 0
    assert "Grüße €" in ran.stdout.decode("utf-8")


ENVIRONMENTS = "environments: {staging: {serving: {timeout: 5s}}, production: {}}\n"


def test_a_selected_environment_leaves_the_others_alone(
    gen: Gen, write_spec: WriteSpec, tmp_path: Path
) -> None:
    spec = write_spec("one.yaml", more=ENVIRONMENTS)
    write_spec("two.yaml", name="two")
    gen("render", "one.yaml")
    staging = tmp_path / "rendered/one/staging/triton/manifests/inferenceservice.yaml"
    before = staging.read_bytes()
    spec.write_text(spec.read_text().replace("timeout: 5s", "timeout: 7s").replace("3,", "1,"))

    ran = gen("render", ".", "--environment", "production")

    assert (ran.status, ran.err) == (0, "")
    assert re.fullmatch(r"rendered/one: \d+ files, \d+ updated\n", ran.out)
    assert staging.read_bytes() == before


def test_an_environment_that_no_spec_has_exits_2_with_the_known_ones(
    gen: Gen, write_spec: WriteSpec
) -> None:
    write_spec("one.yaml", more=ENVIRONMENTS)
    write_spec("two.yaml", name="two")

    ran = gen("render", ".", "--environment", "staging", "--environment", "prod")

    told = "gen: unknown environment prod; known here: production, staging\n"
    assert ran == (2, "", told)


def test_an_environment_where_no_spec_has_any_exits_2(gen: Gen, write_spec: WriteSpec) -> None:
    write_spec("one.yaml")

    ran = gen("validate", "one.yaml", "--environment", "prod")

    assert ran == (2, "", "gen: unknown environment prod; no spec here has any\n")


def test_a_spec_that_cannot_be_read_is_told_before_an_unknown_environment(
    gen: Gen, write_spec: WriteSpec
) -> None:
    write_spec("one.yaml", more="name: two\n")

    ran = gen("validate", "one.yaml", "--environment", "prod")

    assert ran.status == 2
    assert "one.yaml:9:1: error" in ran.err
    assert ran.err.endswith("gen: unknown environment prod; no spec here has any\n")


def test_check_is_silent_on_stdout_when_nothing_differs(gen: Gen, write_spec: WriteSpec) -> None:
    write_spec("one.yaml")
    gen("render", ".")

    assert gen("render", "--check", ".") == (0, "", "1 project as rendered\n")


def test_check_prints_a_diff_and_exits_1_on_drift(
    gen: Gen, write_spec: WriteSpec, tmp_path: Path
) -> None:
    write_spec("one.yaml")
    gen("render", ".")
    config = tmp_path / "rendered/one/triton/models/one/config.pbtxt"
    edited = config.read_text().replace("max_batch_size: 1", "max_batch_size: 4")
    config.write_text(edited.rstrip("\n"))

    ran = gen("render", "--check", ".")

    assert ran.status == 1
    lines = ran.out.splitlines()
    path = "rendered/one/triton/models/one/config.pbtxt"
    assert lines[:2] == [f"--- a/{path}", f"+++ b/{path}"]
    assert "-max_batch_size: 4" in lines
    assert "+max_batch_size: 1" in lines
    assert "\\ No newline at end of file" in lines
    assert ran.err == (
        "gen: rendered/one is not what its spec renders\n"
        "gen: 1 of 1 spec failed the check: run gen render\n"
    )
    assert config.read_text() == edited.rstrip("\n")


def test_check_of_what_was_never_rendered_exits_1(gen: Gen, write_spec: WriteSpec) -> None:
    write_spec("one.yaml")

    ran = gen("render", "--check", ".")

    assert ran.status == 1
    assert "--- /dev/null\n+++ b/rendered/one/triton/models/one/1/.gitkeep\n" in ran.out


def test_check_sees_a_lost_executable_bit(gen: Gen, write_spec: WriteSpec, tmp_path: Path) -> None:
    write_spec("one.yaml")
    gen("render", ".")
    script = next((tmp_path / "rendered").rglob("*.sh"))
    script.chmod(0o644)

    ran = gen("render", "--check", ".")

    place = script.relative_to(tmp_path)
    assert (ran.status, ran.out) == (1, f"{place}: executable bit is off, rendered on\n")


def test_an_output_that_is_a_file_exits_2(gen: Gen, write_spec: WriteSpec, tmp_path: Path) -> None:
    write_spec("one.yaml")
    (tmp_path / "out").write_text("mine\n")

    ran = gen("render", "one.yaml", "--output", "out")

    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("gen: cannot write out")
    assert (tmp_path / "out").read_text() == "mine\n"


def test_a_bug_exits_3_with_its_traceback(
    gen: Gen, write_spec: WriteSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("planned")

    monkeypatch.setattr(pipeline, "build_document", broken)
    write_spec("one.yaml")

    ran = gen("render", "one.yaml")

    assert (ran.status, ran.out) == (3, "")
    assert "Traceback" in ran.err
    assert ran.err.endswith(
        "KeyError: 'planned'\ngen: this is a bug in serving-generator; please report it\n"
    )


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_exits_130(signal_number: int) -> None:
    gen = subprocess.Popen(
        [*GEN, "validate", "-"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts what runs in the background with this signal ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not _catches(gen.pid, signal.SIGTERM):
        assert gen.poll() is None
        time.sleep(0.01)

    gen.send_signal(signal_number)
    _, told = gen.communicate(timeout=20)

    assert gen.returncode == 130
    assert told.strip() == "gen: interrupted"


def _catches(pid: int, signal_number: int) -> bool:
    """Whether a process has a handler of its own for a signal: man 5 proc, SigCgt."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (signal_number - 1) & 1)


def test_a_reader_that_leaves_early_gets_no_traceback() -> None:
    read, write = os.pipe()
    os.close(read)

    ran = subprocess.run([*GEN, "schema"], stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)

    assert (ran.returncode, ran.stderr) == (2, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_output_exits_2() -> None:
    with open("/dev/full", "w") as full:
        ran = subprocess.run([*GEN, "schema"], stdout=full, stderr=subprocess.PIPE, text=True)

    assert (ran.returncode, ran.stderr) == (2, "gen: output: No space left on device\n")


def test_main_gives_the_status_to_whoever_calls_it() -> None:
    assert cli.main(["targets"]) == 0
