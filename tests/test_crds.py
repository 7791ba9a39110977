import contextlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from generator import kinds
from generator.core_kinds import KINDS, ORIGIN, import_core
from generator.crds import (
    documents,
    import_definition,
    import_folder,
    main,
    product_texts,
)
from generator.diagnostics import CannotRun
from generator.sharing import share, share_all, written
from generator.shipped import shipped
from generator.structural import (
    QUANTITY,
    Imported,
    Schema,
    compact,
    manifest_schema,
    opened,
)

KUBERNETES = shipped("schemas") / "kubernetes"
UPSTREAM = Path(__file__).parents[2] / "shared/crds"
WRITTEN_DOWN = Path(__file__).parent / "data" / "crds"
PRODUCTS = {  # folder of upstream's definitions, release
    "argo-cd": ("argo-cd", "3.5.1"),
    "keda": ("keda", "2.20.2"),
    "knative-serving": ("knative-serving", "1.23.0"),
    "kserve": ("kserve", "0.20.0"),
    "prometheus-operator": ("prometheus-operator", "0.93.0"),
    "seldon-core": ("seldon-core-v1", "1.17.1"),
    "seldon-core-2": ("seldon-core-v2", "2.6.0"),
}

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
    - name: v0
      served: false
      storage: false
      schema: {openAPIV3Schema: {type: object}}
"""


@pytest.fixture
def oven(tmp_path: Path) -> Path:
    path = tmp_path / "oven.yaml"
    path.write_text(DEFINITION)
    return path


def definition() -> Schema:
    held = yaml.safe_load(DEFINITION)
    assert isinstance(held, dict)
    return held


def spec_of(openapi: Schema | None = None) -> Schema:
    """The compact schema of an oven's spec, or of another one."""
    whole = definition()
    if openapi is not None:
        whole["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"] = openapi
    spec = import_definition(whole, "oven.yaml")[0].schema["properties"]["spec"]
    assert isinstance(spec, dict)
    return spec


def committed(product: str) -> dict[str, str]:
    folder = KUBERNETES / product
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_committed_core_schemas_equal_a_fresh_import() -> None:
    known = kinds.RELEASES["kubernetes"]
    releases = [(each, [*import_core(each, known[-1])]) for each in known]

    assert product_texts("kubernetes", releases, ORIGIN) == committed("kubernetes")


@pytest.mark.skipif(not UPSTREAM.exists(), reason="upstream's definitions are not here")
@pytest.mark.parametrize("product", PRODUCTS)
def test_committed_schemas_equal_a_fresh_import(product: str) -> None:
    folder, release = PRODUCTS[product]
    found = committed(product)
    [origin] = re.findall("^From (.+)\\.$", found["SOURCE.md"], re.M)

    first = import_folder(UPSTREAM / folder)
    releases = [(release, first)]
    for later in kinds.RELEASES[product][1:]:  # which holds what is not as it was
        newer = import_folder(WRITTEN_DOWN / f"{product}-{later}")
        replaced = {one.file_name for one in newer}
        as_before = [one for one in first if one.file_name not in replaced]
        releases.append((later, sorted([*as_before, *newer], key=lambda one: one.file_name)))

    assert product_texts(product, releases, origin) == found


def test_the_products_are_those_that_can_be_chosen() -> None:
    assert {*PRODUCTS, "kubernetes", "kustomize"} == set(kinds.RELEASES)
    for product, releases in kinds.RELEASES.items():
        folders = {path.name for path in (KUBERNETES / product).iterdir() if path.is_dir()}
        assert folders == set(releases)


def test_all_schemas_together_stay_small() -> None:
    """They travel in every wheel."""
    sizes = [path.stat().st_size for path in KUBERNETES.rglob("*") if path.is_file()]

    assert sum(sizes) < 600_000


@pytest.mark.parametrize("path", sorted(KUBERNETES.rglob("*.json")), ids=lambda path: path.stem)
def test_committed_schemas_are_laid_out_by_the_importer(path: Path) -> None:
    text = path.read_text()

    assert text == written(json.loads(text))
    assert "description" not in [*json.loads(text), *json.loads(text).get("definitions", {})]
    assert "x-kubernetes-" not in text.replace('x-kubernetes-preserve-unknown-fields": {', "")


@pytest.mark.parametrize("folder", sorted(KUBERNETES.iterdir()), ids=lambda path: path.name)
def test_every_product_names_its_source_licence_and_files(folder: Path) -> None:
    page = (folder / "SOURCE.md").read_text()

    assert "github.com/" in page
    assert "Apache-2.0" in page
    for path in folder.rglob("*.json"):
        assert f"| {path.relative_to(folder).as_posix()} | " in page
        assert f"| {path.stat().st_size} |" in page


def test_every_served_version_is_imported(oven: Path) -> None:
    names = [one.file_name for one in import_folder(oven.parent)]

    assert names == ["kitchen.example.com_v1_Oven.json", "kitchen.example.com_v1alpha1_Oven.json"]


def test_objects_are_closed_unless_upstream_keeps_unknown_fields() -> None:
    spec = spec_of()

    assert spec["additionalProperties"] is False
    assert spec["properties"]["extra"] == {"type": "object"}
    assert spec["properties"]["labels"] == {
        "type": "object",
        "additionalProperties": {"type": "string"},
    }


def test_a_field_with_a_default_is_not_required() -> None:
    assert spec_of()["required"] == ["heat"]


def test_types_limits_and_choices_are_kept() -> None:
    fields = spec_of()["properties"]

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

    imported = import_folder(oven.parent)[0]

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


def test_what_several_schemas_hold_stands_once_in_the_pool() -> None:
    tray = {"type": "object", "properties": {"name": {"type": "string", "maxLength": 63}}}
    one, two = ({"properties": {name: tray}} for name in ("upper", "lower"))

    shared, pool = share_all([one, two], "../definitions.json")

    reference = {"$ref": "../definitions.json#/definitions/upper"}
    assert shared == [{"properties": {"upper": reference}}, {"properties": {"lower": reference}}]
    assert pool == {"upper": tray}


def of(schema: Schema) -> Imported:
    whole = manifest_schema({"type": "object", "properties": schema}, "a.example/v1", "A")
    return Imported("a.example/v1", "A", whole, "a.yaml", 1)


def test_a_release_holds_only_what_is_not_as_it_was() -> None:
    old, new = of({}), of({"spec": {"type": "object"}})

    texts = product_texts("a", [("1", [old]), ("2", [old]), ("3", [new])], "here")

    names = ["1/a.example_v1_A.json", "3/a.example_v1_A.json", "SOURCE.md", "definitions.json"]
    assert sorted(texts) == names


def test_a_release_that_has_lost_a_kind_is_refused() -> None:
    with pytest.raises(CannotRun, match=r"a 2 has no a\.example_v1_A\.json any more"):
        product_texts("a", [("1", [of({})]), ("2", [])], "here")


@pytest.mark.parametrize(
    "pattern", [r"^\pL+$", "^[[:alpha:]]$", "(?i)a", r"a\z", "(?P<n>a)(?P<n>b)"]
)
def test_a_pattern_that_python_reads_otherwise_than_go_goes(pattern: str) -> None:
    kept = compact({"type": "string", "pattern": pattern})

    assert kept.get("pattern") in (None, "(?i)a")  # which both read alike


@pytest.mark.parametrize(
    "openapi",
    [
        {"type": "object", "additionalProperties": True},
        {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    ],
)
def test_an_open_object_stays_open(openapi: Schema) -> None:
    assert spec_of(openapi) == {"type": "object"}


def test_a_required_field_without_a_schema_is_still_required() -> None:
    assert spec_of({"type": "object", "required": ["heat"]})["required"] == ["heat"]


def test_a_definition_that_keeps_unknown_fields_is_open_everywhere() -> None:
    whole = definition()
    whole["spec"]["preserveUnknownFields"] = True

    schema = import_definition(whole, "oven.yaml")[0].schema

    assert '"additionalProperties": false' not in json.dumps(schema)
    assert schema["properties"]["spec"]["properties"]["labels"] == {
        "type": "object",
        "additionalProperties": {"type": "string"},
    }
    assert opened({"additionalProperties": False}) == {}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"spec": None}, "is no valid definition"),
        ({"spec": {"group": "a"}}, "is no valid definition: `versions` is missing"),
        ({"apiVersion": "apiextensions.k8s.io/v1beta1"}, "is not served since Kubernetes 1.22"),
    ],
)
def test_what_is_no_definition_is_told(change: Schema, told: str) -> None:
    with pytest.raises(CannotRun, match=f"oven.yaml: ovens.kitchen.example.com:? .*{told}"):
        import_definition(definition() | change, "oven.yaml")


@pytest.mark.parametrize(
    "openapi", [{"type": "strin"}, {"maxLength": "3"}, {"type": "object", "required": [[]]}, 7]
)
def test_a_schema_that_is_none_is_told(openapi: Schema) -> None:
    with pytest.raises(CannotRun, match=r"ovens\.kitchen\.example\.com is no valid definition"):
        spec_of(openapi)


KEYWORDS = (
    *(
        "type",
        "properties",
        "items",
        "required",
        "enum",
        "pattern",
        "default",
        "format",
        "nullable",
    ),
    *("additionalProperties", "x-kubernetes-list-map-keys", "maxLength", "a"),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(KEYWORDS),
            inner,
        )
    ),
)


@given(JSON)
def test_any_schema_is_compacted_or_refused(openapi: Schema) -> None:
    whole = definition()
    whole["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"] = openapi

    with contextlib.suppress(CannotRun):
        import_definition(whole, "oven.yaml")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"a: [", "a.yaml:2: did not find expected node content"),
        (b"a: b: c", "a.yaml:1: mapping values are not allowed in this context"),
        (b"a: \xff", "a.yaml: byte 0xff is not UTF-8"),
        (b"a: \x00", "a.yaml: "),
        (b"a: &b [1]\nc: *b", "a.yaml:2: a YAML alias; no definition needs that"),
        (b"[" * 100_000, "a.yaml:1: lists and maps nest deeper than 500"),
        (b"a:\n" + b"".join(b" " * n + b"-\n" for n in range(1, 600)), "nest deeper than 500"),
        (b'{"a":' * 100_000, "nest deeper than 500"),
        (b"? [a]\n: b", "a.yaml"),
    ],
)
def test_text_that_cannot_be_read_is_told_at_its_line(text: bytes, told: str) -> None:
    with pytest.raises(CannotRun) as refused:
        documents("a.yaml", text)

    assert told in str(refused.value)


def test_dates_and_the_operator_equals_are_text_as_kubectl_prints_them() -> None:
    text = b"when: 2026-01-01T00:00:00Z\nenum: [=, '!=']\n"

    assert documents("a.yaml", text) == [{"when": "2026-01-01T00:00:00Z", "enum": ["=", "!="]}]


def test_json_and_several_documents_are_read() -> None:
    assert documents("a.json", b'{"a": 1}') == [{"a": 1}]
    assert documents("a.yaml", b"{a: 1}\n---\nb: 2\n") == [{"a": 1}, {"b": 2}]


def test_an_import_writes_the_same_bytes_every_time(oven: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "generator.crds", "kitchen", "--origin", "us"]
    texts = []
    for run in ("first", "second"):
        release = f"1.0.0={oven.parent}"
        subprocess.run([*command, "--out", tmp_path / "out" / run, release], check=True)
        folder = tmp_path / "out" / run / "kitchen"
        texts.append(
            {path.name: path.read_bytes() for path in folder.rglob("*.*") if path.is_file()}
        )
        oven.touch()

    assert texts[0] == texts[1]
    assert sorted(texts[0]) == [
        "SOURCE.md",
        "definitions.json",
        "kitchen.example.com_v1_Oven.json",
        "kitchen.example.com_v1alpha1_Oven.json",
    ]


def test_an_import_without_an_origin_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["kitchen", "--out", "nowhere", "1.0.0=nowhere"])

    assert "name the --origin" in capsys.readouterr().err


def test_core_kinds_are_named_once_and_in_order() -> None:
    names = [name for name, _, _ in KINDS]

    assert names == sorted(set(names))
