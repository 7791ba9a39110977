import json
import subprocess
import sys
from pathlib import Path

import pytest

from generator.crds import import_core, import_definitions, main
from generator.shipped import shipped
from generator.structural import QUANTITY, Schema, compact, share, written

KUBERNETES = shipped("schemas") / "kubernetes"
CORE = max(KUBERNETES.glob("kubernetes-v*"))

DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ovens.kitchen.example.com}
spec:
  group: kitchen.example.com
  names: {kind: Oven, plural: ovens}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          description: An oven.
          type: object
          properties:
            apiVersion: {type: string}
            kind: {type: string}
            metadata: {type: object}
            spec:
              type: object
              required: [heat, shelf]
              properties:
                heat: {type: string, enum: [high, low]}
                shelf: {type: integer, format: int32, minimum: 1, default: 1}
                door: {type: string, nullable: true}
                port: {anyOf: [{type: integer}, {type: string}], x-kubernetes-int-or-string: true}
                trays:
                  type: array
                  x-kubernetes-list-type: map
                  x-kubernetes-list-map-keys: [name]
                  items: {type: object, properties: {name: {type: string}}, required: [name]}
                extra: {type: object, x-kubernetes-preserve-unknown-fields: true}
                labels: {type: object, additionalProperties: {type: string}}
              x-kubernetes-validations: [{rule: self.shelf < 9}]
            status: {type: object, properties: {hot: {type: boolean}}}
    - name: v1alpha1
      served: true
      storage: false
      schema: {openAPIV3Schema: {type: object}}
"""


@pytest.fixture
def oven(tmp_path: Path) -> Path:
    path = tmp_path / "oven.yaml"
    path.write_text(DEFINITION)
    return path


def spec_of(path: Path) -> Schema:
    (imported,) = import_definitions([path])
    spec = imported.schema["properties"]["spec"]
    assert isinstance(spec, dict)
    return spec


def test_committed_core_schemas_equal_a_fresh_import() -> None:
    version = CORE.name.removeprefix("kubernetes-v")

    fresh = {one.file_name: written(one.schema) for one in import_core(version)}

    assert fresh == {path.name: path.read_text() for path in CORE.glob("*.json")}


def test_committed_core_source_page_tells_the_sizes(tmp_path: Path) -> None:
    main(["--core", CORE.name.removeprefix("kubernetes-v"), "--out", str(tmp_path)])

    fresh = (tmp_path / CORE.name / "SOURCE.md").read_text()
    assert fresh == (CORE / "SOURCE.md").read_text()


@pytest.mark.parametrize("path", sorted(KUBERNETES.glob("*/*.json")), ids=lambda path: path.stem)
def test_committed_schemas_are_laid_out_by_the_importer(path: Path) -> None:
    text = path.read_text()

    assert text == written(json.loads(text))
    assert "description" not in [*json.loads(text), *json.loads(text).get("definitions", {})]
    assert "x-kubernetes-" not in text


@pytest.mark.parametrize("folder", sorted(KUBERNETES.iterdir()), ids=lambda path: path.name)
def test_every_release_names_its_source_licence_and_files(folder: Path) -> None:
    page = (folder / "SOURCE.md").read_text()

    assert "github.com/" in page
    assert "Apache-2.0" in page
    for path in folder.glob("*.json"):
        assert f"| {path.name} | " in page
        assert f"| {path.stat().st_size} |" in page


def test_only_the_stored_version_is_imported(oven: Path) -> None:
    names = [one.file_name for one in import_definitions([oven.parent])]

    assert names == ["kitchen.example.com_v1_Oven.json"]


def test_objects_are_closed_unless_upstream_keeps_unknown_fields(oven: Path) -> None:
    spec = spec_of(oven)

    assert spec["additionalProperties"] is False
    assert spec["properties"]["extra"] == {"type": "object"}
    assert spec["properties"]["labels"] == {
        "type": "object",
        "additionalProperties": {"type": "string"},
    }


def test_a_field_with_a_default_is_not_required(oven: Path) -> None:
    assert spec_of(oven)["required"] == ["heat"]


def test_types_limits_and_choices_are_kept(oven: Path) -> None:
    fields = spec_of(oven)["properties"]

    assert fields["heat"] == {"type": "string", "enum": ["high", "low"]}
    assert fields["shelf"] == {"type": "integer", "minimum": 1}
    assert fields["door"] == {"type": ["string", "null"]}
    assert fields["port"] == {"type": ["integer", "string"]}
    assert fields["trays"]["x-list-map-keys"] == ["name"]


def test_quantities_keep_their_pattern_by_name() -> None:
    openapi = {
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "pattern": QUANTITY,
        "x-kubernetes-int-or-string": True,
    }

    assert compact(openapi) == {
        "type": ["integer", "string"],
        "format": "quantity",
        "pattern": QUANTITY,
    }


def test_a_json_patch_changes_the_definition_beside_it(oven: Path) -> None:
    door = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/door"
    (oven.parent / "patch.yaml").write_text(
        f"- op: replace\n  path: {door}\n  value: {{type: boolean}}\n"
    )

    (imported,) = import_definitions([oven.parent])

    assert imported.schema["properties"]["spec"]["properties"]["door"] == {"type": "boolean"}


def test_repeated_subschemas_are_shared_and_none_is_lost() -> None:
    tray = {"type": "object", "properties": {"name": {"type": "string", "maxLength": 63}}}
    whole = {
        "type": "object",
        "properties": {"upper": tray, "lower": {"type": "array", "items": tray}},
    }

    shared = share(whole)

    assert shared["properties"]["upper"] == {"$ref": "#/definitions/lower.item"}
    assert shared["properties"]["lower"]["items"] == {"$ref": "#/definitions/lower.item"}
    assert shared["definitions"] == {"lower.item": tray}


def test_an_import_writes_the_same_bytes_every_time(oven: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "generator.crds", "--release", "kitchen-v1", "--origin", "us"]
    texts = []
    for run in ("first", "second"):
        subprocess.run([*command, "--out", tmp_path / run, oven], check=True)
        folder = tmp_path / run / "kitchen-v1"
        texts.append({path.name: path.read_bytes() for path in folder.iterdir()})

    assert texts[0] == texts[1]
    assert sorted(texts[0]) == ["SOURCE.md", "kitchen.example.com_v1_Oven.json"]


def test_an_import_without_sources_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--release", "kitchen-v1", "--out", "nowhere"])

    assert "--release needs --origin and sources" in capsys.readouterr().err
