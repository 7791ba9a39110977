"""Imports point one way, and validating and rendering load nothing heavy."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = "generator"

# From the ground up: a module imports only what stands in a row above its own, or what belongs to
# its own entry.
ORDER = (
    ("diagnostics", "artefact", "shipped", "storage", "sample", "atomic", "compatibility"),
    ("inputs", "upward"),
    ("objectmeta", "structural", "journal", "engines", "pbtxt", "document", "result"),
    ("passwords",),
    ("credentials",),
    ("blackening",),
    ("blackened_diff",),
    ("model_config_table", "core_kinds", "sharing", "releases"),
    ("yaml_loader", "specs", "project", "quoting", "dialect", "model_config"),
    ("source", "crds", "images"),
    ("manifests", "crds_folder", "registry", "unseen"),
    ("datatypes", "resources"),
    ("pods", "startup"),
    ("problem", "class_names", "kinds", "model_config_rules", "perf", "render"),
    ("webhook_rules", "torchserve_config", "compose", "cluster", "secrecy"),
    ("schema", "patches", "transforms", "acceptance", "lint", "image_lock"),
    ("live",),
    ("target", "doors", "model_source", "workload", "unused", "beginnings"),
    ("argo_cd",),
    ("workload_rules", "runbook", "network"),
    ("planning",),
    ("kserve", "planned"),
    ("rules", "targets", "image_rules", "pinning"),
    ("views", "catalogue"),
    ("editor_schema",),
    ("defaults",),
    ("validate",),
    ("write",),
    ("pruning", "pipeline"),
    ("fixes", "locking"),
    ("yaml_fixes",),
    ("batch", "export", "explain"),
    ("verify",),
    ("reports",),
    ("changes",),
    ("live_cluster",),
    ("reporting",),
    ("commands",),
    ("cli",),
)
ROW = {entry: number for number, row in enumerate(ORDER) for entry in row}
ONLY_IN = {
    "click": {"cli", "commands", "reporting"},
    "jinja2": {"render"},
    "torch": {"export", "engines", "verify"},
}
HEAVY = (
    "torch",
    "torchvision",
    "kubernetes",
    "PIL",
    "numpy",
    "tritonclient",
    "google.protobuf",
    "dxf",
    # packages of other commands
    "generator.changes",
    "generator.live_cluster",
    "generator.registry",
)

MODULES = {
    ".".join(path.relative_to(ROOT / PACKAGE).with_suffix("").parts): path
    for path in sorted((ROOT / PACKAGE).rglob("*.py"))
    if path != ROOT / PACKAGE / "__init__.py"
}


def entry(module: str) -> str:
    """The entry of ORDER that a module belongs to: the longest that its name starts with."""
    fitting = [e for e in ROW if module == e or module.startswith(f"{e}.")]
    assert fitting, f"generator.{module} has no place in ORDER of {Path(__file__).name}"
    return max(fitting, key=len)


def imported(path: Path) -> Iterator[str]:
    """The full names of all modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own(names: Iterator[str]) -> Iterator[str]:
    """Of imported names, the package's modules, without the package's name."""
    for name in names:
        head, _, rest = name.partition(".")
        if head == PACKAGE and rest.split(".")[0] not in ("", "__version__"):
            yield rest


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_one_way(module: str) -> None:
    wrong = [
        name
        for name in own(imported(MODULES[module]))
        if entry(name) != entry(module) and ROW[entry(name)] >= ROW[entry(module)]
    ]

    assert wrong == []


def test_the_order_names_only_what_is_there() -> None:
    assert {entry(module) for module in MODULES} == set(ROW)


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_is_imported_only_where_it_belongs(library: str) -> None:
    users = {
        entry(module)
        for module, path in MODULES.items()
        if any(name.split(".")[0] == library for name in imported(path))
    }

    assert users
    assert users <= ONLY_IN[library]


def loaded_by(code: str, folder: Path) -> set[str]:
    """The modules that a fresh interpreter has loaded after some code."""
    report = "import sys; print(*sys.modules, sep='\\n')"
    ran = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(ran.stdout.splitlines())


def heavy(modules: set[str]) -> set[str]:
    """Those of the modules that stand in HEAVY."""
    return {name for name in HEAVY if name in modules}


@pytest.mark.parametrize("module", ["rules", "targets", "pipeline", "kserve.rules", "export"])
def test_a_module_can_be_imported_first(module: str, tmp_path: Path) -> None:
    assert f"generator.{module}" in loaded_by(f"import generator.{module}", tmp_path)


@pytest.mark.parametrize("command", ["validate", "render"])
def test_validating_and_rendering_load_nothing_heavy(command: str, tmp_path: Path) -> None:
    code = (
        "from generator import cli\n"
        f"status = cli.main(['{command}', {str(ROOT / 'specs')!r}])\n"
        "assert status == 0, status"
    )

    modules = loaded_by(code, tmp_path)

    assert "generator.acceptance" in modules
    assert heavy(modules) == set()


def test_help_and_targets_do_without_jsonschema(tmp_path: Path) -> None:
    modules = loaded_by("from generator import cli; cli.main(['targets'])", tmp_path)

    assert "generator.cli" in modules
    assert heavy(modules) | ({"jsonschema", "ruamel.yaml"} & modules) == set()
