"""`gen crds` makes a folder of a cluster's own kinds, whole or not at all."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from generator import crds_folder
from generator.kinds import cluster, known, refusals

ROOT = Path(__file__).parents[1]
Gen = Callable[..., Any]  # of conftest.py: status, out, err


def definition(kind: str = "Oven", group: str = "kitchen.example.com", **spec: object) -> Any:
    openapi = {
        "type": "object",
        "properties": {
            "spec": {"type": "object", "properties": spec or {"heat": {"type": "string"}}}
        },
    }
    version = {"name": "v1", "served": True, "schema": {"openAPIV3Schema": openapi}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.lower()}s.{group}"},
        "spec": {"group": group, "names": {"kind": kind}, "versions": [version]},
    }


def listed(*items: Any) -> str:
    """What `kubectl get crds -o yaml` prints."""
    text = yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": items})
    assert isinstance(text, str)
    return text


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


OVEN = "kitchen.example.com_v1_Oven.json"
PAN = "kitchen.example.com_v1_Pan.json"


def test_a_list_from_kubectl_becomes_a_folder_that_a_manifest_is_held_against(
    gen: Gen, folder: Path
) -> None:
    (folder / "all.yaml").write_text(listed(definition(), definition("Pan")))

    ran = gen("crds", "all.yaml", "--out", "own")

    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith("own: 2 kinds, ")
    assert set(contents(folder / "own")) == {OVEN, PAN, "SOURCE.md"}
    manifest = {"apiVersion": "kitchen.example.com/v1", "kind": "Oven", "metadata": {"name": "a"}}
    (refusal,) = refusals(manifest | {"spec": {"heet": "x"}}, cluster(folder=folder / "own"))
    assert refusal.hint == "did you mean `heat`?"


@pytest.mark.parametrize("form", [listed, lambda item: json.dumps(item), yaml.safe_dump])
def test_standard_input_is_read(
    gen: Gen, folder: Path, monkeypatch: pytest.MonkeyPatch, form: Callable[[Any], str]
) -> None:
    text = io.TextIOWrapper(io.BytesIO(form(definition()).encode()))
    monkeypatch.setattr(sys, "stdin", text)

    ran = gen("crds", "-", "--out", "own", "--origin", "cluster production")

    assert ran.status == 0
    assert known("kitchen.example.com/v1", "Oven", cluster(folder=folder / "own"))
    assert "From cluster production." in (folder / "own/SOURCE.md").read_text()


def test_a_folder_is_searched_for_definitions_and_other_files_are_passed_over(
    gen: Gen, folder: Path
) -> None:
    (folder / "in/deep").mkdir(parents=True)
    (folder / "in/deep/oven.yml").write_text(f"---\n{yaml.safe_dump(definition())}---\nkind: Pod\n")
    (folder / "in/pan.json").write_text(json.dumps(definition("Pan")))
    (folder / "in/helm.yaml").write_text("{{ if .Values.on }}\nkind: Service\n{{ end }}\n")
    (folder / "in/readme.txt").write_text("kind: CustomResourceDefinition")

    ran = gen("crds", "in", "--out", "own")

    assert ran.status == 0
    assert set(contents(folder / "own")) == {OVEN, PAN, "SOURCE.md"}


def test_the_page_names_what_each_schema_was_made_from_and_no_folder_of_this_machine(
    gen: Gen, folder: Path
) -> None:
    (folder / "oven.yaml").write_text(yaml.safe_dump(definition()))

    gen("crds", str(folder / "oven.yaml"), "--out", "own")

    page = (folder / "own/SOURCE.md").read_text()
    size = (folder / "own" / OVEN).stat().st_size
    assert "From oven.yaml.\nMade by `gen crds`." in page
    assert f"| {OVEN} | oven.yaml | " in page
    assert f" | {size} |" in page
    assert str(folder) not in page


def test_the_order_of_sources_does_not_show_in_the_schemas(gen: Gen, folder: Path) -> None:
    (folder / "a.yaml").write_text(yaml.safe_dump(definition()))
    (folder / "b.yaml").write_text(yaml.safe_dump(definition("Pan")))

    gen("crds", "a.yaml", "b.yaml", "--out", "one", "--origin", "us")
    gen("crds", "b.yaml", "a.yaml", "a.yaml", "--out", "two", "--origin", "us")

    assert contents(folder / "one") == contents(folder / "two")


def test_a_second_run_leaves_what_is_served_now(gen: Gen, folder: Path) -> None:
    (folder / "all.yaml").write_text(listed(definition(), definition("Pan")))
    gen("crds", "all.yaml", "--out", "own")
    (folder / "all.yaml").write_text(listed(definition("Pan")))

    ran = gen("crds", "all.yaml", "--out", "own")

    assert ran.out.endswith(", 1 removed\n")
    assert set(contents(folder / "own")) == {PAN, "SOURCE.md"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("kind: Deployment\n", "a.yaml: there is no served CustomResourceDefinition in it"),
        ("", "a.yaml: there is no served CustomResourceDefinition in it"),
        ("kind: CustomResourceDefinition\nspec: [\n", "a.yaml:3: did not find expected node"),
        (
            "kind: CustomResourceDefinition\nmetadata: {name: ovens}\nspec: {group: a}\n",
            "a.yaml: ovens is no valid definition: `versions` is missing",
        ),
        (
            listed(definition(), definition(heat={"type": "integer"})),
            "a.yaml and a.yaml define Oven of kitchen.example.com/v1 differently",
        ),
        (listed(definition(group="../a")), "a.yaml: ovens.../a is no valid definition"),
    ],
)
def test_what_cannot_be_read_is_told_and_nothing_is_written(
    gen: Gen, folder: Path, text: str, told: str
) -> None:
    (folder / "a.yaml").write_text(text)

    ran = gen("crds", "a.yaml", "--out", "own")

    assert (ran.status, ran.out) == (2, "")
    assert f"gen: {told}" in ran.err
    assert not (folder / "own").exists()


def test_a_missing_source_is_told(gen: Gen) -> None:
    ran = gen("crds", "nowhere.yaml", "--out", "own")

    assert (ran.status, ran.err) == (
        2,
        "gen: cannot read nowhere.yaml: there is no such file or folder\n",
    )


def test_a_folder_without_definitions_is_told(gen: Gen, folder: Path) -> None:
    (folder / "in").mkdir()

    assert "there is no served CustomResourceDefinition" in gen("crds", "in", "--out", "own").err


@pytest.mark.parametrize("name", ["notes.txt", OVEN, "SOURCE.md"])
def test_a_folder_of_somebody_else_is_left_alone(gen: Gen, folder: Path, name: str) -> None:
    (folder / "oven.yaml").write_text(yaml.safe_dump(definition()))
    (folder / "own").mkdir()
    (folder / "own" / name).write_text("mine")

    ran = gen("crds", "oven.yaml", "--out", "own")

    assert ran.status == 2
    assert "own holds files that gen crds did not make; name a new or empty folder" in ran.err
    assert contents(folder / "own") == {name: b"mine"}


def test_a_failing_write_leaves_the_folder_as_it_was(
    gen: Gen, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "a.yaml").write_text(yaml.safe_dump(definition()))
    gen("crds", "a.yaml", "--out", "own")
    before = contents(folder / "own")
    (folder / "a.yaml").write_text(yaml.safe_dump(definition("Pan")))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "own")

    monkeypatch.setattr(crds_folder, "change", full)
    ran = gen("crds", "a.yaml", "--out", "own")
    new = gen("crds", "a.yaml", "--out", "new")

    assert (ran.status, new.status) == (2, 2)
    assert "No space left on device" in ran.err
    assert contents(folder / "own") == before
    assert not (folder / "new").exists()


def test_nothing_is_imported_that_maintainers_alone_have(folder: Path) -> None:
    (folder / "a.yaml").write_text(yaml.safe_dump(definition()))
    code = (
        "import sys; from generator.cli import main\n"
        "assert main(['crds', 'a.yaml', '--out', 'own']) == 0\n"
        "assert not {'jsonpatch', 'kubernetes_validate', 'jsonschema'} & set(sys.modules)"
    )

    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(ROOT)})


def test_a_long_text_is_announced_before_it_is_read(gen: Gen, folder: Path) -> None:
    (folder / "a.yaml").write_text(f"{yaml.safe_dump(definition())}# {'long ' * 700_000}\n")

    ran = gen("crds", "a.yaml", "--out", "own")

    assert (ran.status, ran.err) == (0, "reading a.yaml: 0 kinds so far\n")
