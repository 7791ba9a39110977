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
    ("diagnostics", "artefact", "shipped", "storage", "sample", "atomic", "compatibility", "reads"),
    ("selection",),
    ("cache_folder",),
    ("bytecode",),
    ("inputs", "upward", "foreign", "shapes", "list_maps"),
    ("manifest_shapes",),
    ("objectmeta", "structural", "journal", "engines", "pbtxt", "document", "result"),
    ("passwords",),
    ("credentials",),
    ("blackening",),
    ("blackened_diff",),
    ("model_config_table", "core_kinds", "sharing", "releases"),
    ("yaml_loader", "specs", "project", "quoting", "dialect", "model_config"),
    ("yaml_nodes",),
    ("source", "crds", "images"),
    ("manifests", "crds_folder", "registry", "unseen"),
    ("datatypes", "resources", "manifest_events"),
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
    ("runs", "export", "explain"),
    ("verify",),
    ("reports",),
    ("changes",),
    ("live_cluster",),
    ("reporting",),
    ("commands",),
    ("cli",),
    ("__main__",),
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
    "generator.engines",
    "generator.explain",
    "generator.export",
    "generator.lint",
    "generator.live",
    "generator.live_cluster",
    "generator.registry",
    "generator.verify",
)
NOT_FOR_ONE = (
    # a class of it takes longer to make than most modules to import: records are msgspec's
    "dataclasses",
    # of files that are patched, of what does not fit its schema
    "ruamel.yaml",
    "jsonpatch",
    "jsonschema",
    "referencing",
    "packaging",
    # of the network, of other processes
    "ssl",
    "http",
    "email",
    "subprocess",
    "multiprocessing",
    # of what differs, of what is wrong
    "xml",
    "html",
    "traceback",
    "generator.blackened_diff",
    "generator.blackening",
    "generator.commands.fixing",
    "generator.reports.sarif",
    # of other targets
    "generator.targets.predictor",
    "generator.targets.seldon",
    "generator.targets.torchserve",
    "generator.compose",
    "generator.torchserve_config",
)
"""What a spec that is right, with one target and no patches, does without."""
BUILDING = ("jinja2", "yaml", "generator.pipeline", "generator.targets.triton", "generator.views")

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
        f"status = cli.main(['{command}', '--jobs=1', {str(ROOT / 'specs')!r}])\n"
        "assert status == 0, status"
    )

    modules = loaded_by(code, tmp_path)

    assert "generator.acceptance" in modules
    assert heavy(modules) == set()


@pytest.mark.parametrize("command", ["validate", "render"])
def test_one_spec_loads_nothing_that_it_has_no_use_for(command: str, tmp_path: Path) -> None:
    spec = str(ROOT / "specs/cifar10.yaml")

    modules = loaded_by(f"from generator import cli; cli.main(['{command}', {spec!r}])", tmp_path)

    assert "generator.targets.triton" in modules
    assert {name for name in NOT_FOR_ONE if name in modules} == set()


def test_a_spec_that_is_recalled_loads_nothing_that_builds(tmp_path: Path) -> None:
    spec = str(ROOT / "specs/cifar10.yaml")
    code = (
        f"import os; os.environ['XDG_CACHE_HOME'] = {str(tmp_path / 'cache')!r}\n"
        "from generator import cli\n"
        f"status = cli.main(['render', '--output=rendered', {spec!r}])\n"
        "assert status == 0, status"
    )
    first, again = loaded_by(code, tmp_path), loaded_by(code, tmp_path)

    assert set(BUILDING) <= first
    assert set(BUILDING) & again == set()


@pytest.mark.parametrize("command", [["--help"], ["--version"], ["rendr"]])
def test_what_runs_no_command_loads_none(command: list[str], tmp_path: Path) -> None:
    modules = loaded_by(f"from generator import cli; cli.main({command})", tmp_path)

    commands = {name for name in modules if name.startswith("generator.commands.")}
    assert commands == {"generator.commands.group"}
    assert {"jinja2", "yaml"} & modules == set()


def test_a_target_is_imported_when_it_is_asked_for(tmp_path: Path) -> None:
    code = (
        "from generator.targets import TARGETS\n"
        "assert list(TARGETS) == ['triton', 'torchserve', 'seldon', 'predictor']\n"
        "assert len(TARGETS) == 4 and 'seldon' in TARGETS and 'plan' not in TARGETS\n"
        "assert TARGETS.get('plan') is None\n"
        "assert TARGETS['predictor'] is TARGETS['predictor']\n"
        "assert TARGETS['predictor'].name == 'predictor'"
    )

    modules = loaded_by(code, tmp_path)

    targets = {name.split(".")[2] for name in modules if name.startswith("generator.targets.")}
    assert targets == {"predictor"}


def test_specs_that_are_right_do_without_jsonschema(tmp_path: Path) -> None:
    specs = [str(path) for path in sorted((ROOT / "specs").glob("*.yaml"))]
    code = (
        "from generator import cli\n"
        f"for spec in {specs}:\n"
        "    assert cli.main(['validate', spec]) == 0, spec"
    )

    modules = loaded_by(code, tmp_path)

    assert "generator.kinds" in modules
    assert {"jsonschema", "generator.dialect"} & modules == set()


def test_help_and_targets_do_without_jsonschema(tmp_path: Path) -> None:
    modules = loaded_by("from generator import cli; cli.main(['targets'])", tmp_path)

    assert "generator.cli" in modules
    assert heavy(modules) | ({"jsonschema", "ruamel.yaml"} & modules) == set()
