"""`gen completion` prints scripts that shells take, and they ask `gen` for the right words."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from generator.commands.completion import SHELLS
from generator.targets import TARGETS

Gen = Callable[..., Any]  # of conftest.py: status, out, err
WriteSpec = Callable[..., Path]


def completed(line: str, folder: Path) -> list[str]:
    """What bash is offered for the last word of a line."""
    words = line.split(" ")
    asked = {
        "_GEN_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    ran = subprocess.run(
        [sys.executable, "-m", "generator"],
        cwd=folder,
        env=os.environ | asked,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stderr == ""
    return list(filter(None, ran.stdout.splitlines()))


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("gen comp", ["plain,completion"]),
        ("gen validate --target ", [f"plain,{name}" for name in TARGETS]),
        ("gen render --target tri", ["plain,triton"]),
        ("gen validate --format s", ["plain,sarif"]),
        ("gen completion ", [f"plain,{shell}" for shell in SHELLS]),
        ("gen validate spe", ["file,spe"]),
        ("gen validate x --output-file fo", ["file,fo"]),
        ("gen render one.yaml --environment ", ["plain,staging", "plain,production"]),
        ("gen render one.yaml --environment pro", ["plain,production"]),
        ("gen render missing.yaml --environment ", []),
    ],
)
def test_offers_what_can_stand_there(
    write_spec: WriteSpec, tmp_path: Path, line: str, offered: list[str]
) -> None:
    write_spec("one.yaml", more="environments: {staging: {}, production: {}}\n")

    assert completed(line, tmp_path) == offered


def test_offers_the_rules_that_can_be_explained(tmp_path: Path) -> None:
    offered = completed("gen explain triton/preferred-batch-t", tmp_path)

    assert offered == ["plain,triton/preferred-batch-too-large"]


def test_leaves_a_rendered_file_to_be_explained_to_the_shell(tmp_path: Path) -> None:
    assert completed("gen explain rendered/o", tmp_path) == ["file,rendered/o"]


def test_offers_the_rules_that_lint_can_leave_out(tmp_path: Path) -> None:
    offered = completed("gen lint --ignore k", tmp_path)

    assert "plain,kserve/two-predictors" in offered
    assert "plain,kubernetes/schema" in offered
    assert completed("gen lint --ignore serving/", tmp_path) == []  # it judges specs


@pytest.mark.parametrize("shell", SHELLS)
def test_prints_a_script_of_the_shell(gen: Gen, shell: str) -> None:
    ran = gen("completion", shell)

    assert (ran.status, ran.err) == (0, "")
    assert f"_GEN_COMPLETE={shell}_complete" in ran.out
    if executable := shutil.which(shell):
        taken = subprocess.run(
            [executable, "-n"], input=ran.out, capture_output=True, text=True, check=False
        )
        assert (taken.returncode, taken.stderr) == (0, "")


def test_bash_completes_with_the_script(gen: Gen, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/gen"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m generator "$@"\n')
    program.chmod(0o755)
    (tmp_path / "script").write_text(gen("completion", "bash").out)
    asked = (
        "source ./script; COMP_WORDS=(gen validate --format js); COMP_CWORD=3;"
        ' _gen_completion gen; echo "${COMPREPLY[@]}"'
    )

    ran = subprocess.run(
        ["bash", "-c", asked],
        cwd=tmp_path,
        env=os.environ | {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )

    assert ran.stdout == "json\n"
