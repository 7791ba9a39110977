"""CONTRIBUTING's recipe holds: another target is a package, its templates and one line."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = {
    "__init__.py": '''\
"""A server that shows a file."""

from pathlib import Path

from generator.target import Target
from generator.targets.tiny.options import Options
from generator.targets.tiny.plan import bundle, names, plan
from generator.targets.tiny.rules import RULES

TARGET = Target(
    name="tiny",
    title="Tiny",
    summary="one file",
    schema=Path(__file__).with_name("options.schema.json"),
    options=Options,
    rules=RULES,
    plan=plan,
    bundle=bundle,
    names=names,
)
''',
    "options.py": '''\
"""The options of target tiny."""

from dataclasses import dataclass

from generator.patches import Patch


@dataclass(frozen=True)
class Options:
    greeting: str = "hello"
    patches: tuple[Patch, ...] = ()
''',
    "options.schema.json": """\
{
  "$schema": "http://json-schema.org/draft-07/schema#",
  "title": "options of target tiny",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "greeting": {"description": "What it says.", "type": "string", "default": "hello"},
    "patches": {"$ref": "project.schema.json#/definitions/patches"}
  }
}
""",
    "plan.py": '''\
"""The files of a project on tiny."""

from generator.artefact import Artefact, artefact
from generator.project import Project
from generator.target import Bundle, Names
from generator.targets.tiny.options import Options


def plan(project: Project, options: Options) -> list[Artefact]:
    values = {"name": project.name, "greeting": options.greeting}
    return [artefact("models/tiny.yaml", "tiny/tiny.yaml.j2", values)]


def bundle(project: Project, options: Options) -> Bundle:
    return Bundle()


def names(project: Project, options: Options) -> Names:
    return Names(None, {})
''',
    "rules.py": '''\
"""What tiny refuses."""

from collections.abc import Iterator

from generator.problem import Problem
from generator.project import Project
from generator.target import TargetRule
from generator.targets.tiny.options import Options


def rude_greeting(project: Project, options: Options) -> Iterator[Problem]:
    """Nobody likes it."""
    if options.greeting == "hey":
        yield Problem(("targets", "tiny", "greeting"), "`hey` is rude", "write `hello`")


RULES: tuple[TargetRule, ...] = (rude_greeting,)
''',
}
TEMPLATE = (
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ name }}\ndata:\n  it: {{ greeting }}\n"
)
SPEC = """\
spec_version: 1
name: one
model:
  program: model.pt
  inputs: [{name: image, dtype: float32, shape: [N, 3]}]
  outputs: [{name: logits, dtype: float32, shape: [N, 2]}]
targets: {tiny: {greeting: GREETING}}
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with a target more."""
    folder = tmp_path_factory.mktemp("house")
    for part in ("generator", "schemas", "templates"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / part, folder / part, ignore=ignored)
    (folder / "generator/targets/tiny").mkdir()
    for name, text in PACKAGE.items():
        (folder / "generator/targets/tiny" / name).write_text(text)
    (folder / "templates/tiny").mkdir()
    (folder / "templates/tiny/tiny.yaml.j2").write_text(TEMPLATE)
    listing = folder / "generator/targets/__init__.py"
    listing.write_text(listing.read_text().replace('"triton",', '"tiny", "triton",', 1))
    return folder


def gen(house: Path, work: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from generator.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=work,
        env=os.environ | {"PYTHONPATH": str(house), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_another_target_renders(house: Path, tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(SPEC.replace("GREETING", "good day"))

    ran = gen(house, tmp_path, "render", "one.yaml")

    assert (ran.returncode, ran.stderr) == (0, "")
    rendered = tmp_path / "rendered/one/tiny/models/tiny.yaml"
    assert rendered.read_text().endswith('  name: one\ndata:\n  it: "good day"\n')


def test_another_target_is_listed_and_documented(house: Path, tmp_path: Path) -> None:
    assert "tiny  Tiny: one file" in gen(house, tmp_path, "targets").stdout
    assert '"greeting"' in gen(house, tmp_path, "schema").stdout


def test_another_targets_rules_and_options_point_at_the_line(house: Path, tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(SPEC.replace("GREETING", "hey"))
    rude = gen(house, tmp_path, "validate", "one.yaml")
    (tmp_path / "one.yaml").write_text(SPEC.replace("greeting: GREETING", "greting: hey"))
    unknown = gen(house, tmp_path, "validate", "one.yaml")

    assert "one.yaml:7:28: error: `hey` is rude [tiny/rude-greeting]" in rude.stderr
    assert "did you mean `greeting`?" in unknown.stderr
