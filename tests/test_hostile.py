"""Hostile texts in every field that takes text: refused at their place, or rendered as they are.

The fields are found by walking the schemas, so that a new one is covered, or makes a test fail.
"""

import ast
import copy
import io
import json
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml
from hostile import HOSTILE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from generator import model_config, schema, source
from generator.artefact import RenderedFile
from generator.diagnostics import Rejected
from generator.kinds import RELEASES
from generator.pipeline import build
from generator.quoting import format_of
from generator.targets import TARGETS

Pointer = tuple[str | int, ...]

FULL: dict[str, Any] = {
    "spec_version": 1,
    "name": "base-name",
    "model": {
        "source": "net.py:Net",
        "arguments": {"argument": "base-argument"},
        "weights": {"path": "base-weights.pt"},
        "inputs": [{"name": "base_input", "dtype": "float32", "shape": ["N", 3, 32, "W"]}],
        "outputs": [{"name": "base_output", "dtype": "float32", "shape": ["N", 2]}],
        "class_names": ["base class name", "other"],
        "requirements": ["base-requirement==1.0"],
        "files": ["base-file.txt"],
        "size": "2Mi",
    },
    "storage": {"uri": "s3://base-uri/models", "secret": "base-secret"},
    "transforms": {
        "request_field": "base_field",
        "preprocess": [
            "decode",
            {"resize": {"size": [32, 32]}},
            "to_tensor",
            {
                "custom": {
                    "function": "steps.py:base_function",
                    "produces": {"dtype": "float32", "shape": [3, 32, "V"]},
                }
            },
        ],
        "postprocess": [
            "softmax",
            {
                "custom": {
                    "function": "steps.py:base_after",
                    "produces": {"dtype": "float32", "shape": ["K"]},
                }
            },
            {"top_k": 1},
            "class_name",
        ],
        "requirements": ["base-package>=2"],
    },
    "hardware": {
        "cpu": "3",
        "memory": "3Gi",
        "limits": {"cpu": "4", "memory": "4Gi"},
        "components": {
            "transformer": {
                "cpu": "300m",
                "memory": "300Mi",
                "limits": {"cpu": "400m", "memory": "400Mi"},
            }
        },
    },
    "serving": {
        "batching": {"max_size": 4, "delay": "3ms"},
        "timeout": "33s",
        "startup": "333s",
    },
    "kubernetes": {
        "namespace": "base-namespace",
        "labels": {"base-label-key": "base-label-value"},
        "annotations": {"base-annotation-key": "base annotation value"},
        "service_account": "base-account",
        "image_pull_secrets": ["base-pull-secret"],
        "node_selector": {"base-node-key": "base-node-value"},
        "tolerations": [
            {
                "key": "base-taint-key",
                "operator": "Equal",
                "value": "base-taint-value",
                "effect": "NoSchedule",
            }
        ],
    },
    "security": {"network_policy": {"allow_from": ["base-caller"]}},
    "images": {"registry": "base.registry/acme", "tag": "base-tag"},
    "perf": {
        "rate": 10,
        "duration": "44s",
        "warm_up": "4s",
        "slo": {"p50": "11ms", "p95": "22ms", "p99": "99ms"},
    },
    "gitops": {
        "argo_cd": {
            "repository": "https://base.repository/acme/serving.git",
            "revision": "base-revision",
            "path": "base-path",
            "project": "base-argo-project",
            "namespace": "base-argo-namespace",
            "destination": {"server": "https://base.server"},
            "plugin": {"spec": "base-specs/spec.yaml", "name": "base-plugin"},
            "hydrate": {
                "branch": "base/branch",
                "path": "base-hydrated",
                "staging_branch": "base/staging",
            },
        }
    },
    "accepted_warnings": {"torchserve/end-of-life": "base reason"},
    "targets": {
        "seldon": {
            "base_image": "base.registry/acme/python:base-tag",
            "python_version": "3.11",
            "wrapper_version": "1.17.1",
            "torch_version": "2.12.0",
            "rclone_remote": "baseremote",
            "hardware": {"components": {"transformer": None, "input": {"cpu": "301m"}}},
            "components": {
                "input": {
                    "node": "base-input",
                    "class_name": "BaseInput",
                    "folder": "base-input-folder",
                    "image": "base.registry/acme/input",
                },
                "model": {
                    "node": "base-node",
                    "class_name": "BaseModel",
                    "folder": "base-model-folder",
                    "image": "base.registry/acme/model",
                },
                "output": {
                    "node": "base-output",
                    "class_name": "BaseOutput",
                    "folder": "base-output-folder",
                    "image": "base.registry/acme/output",
                },
            },
            "names": {
                "service": "base-graph",
                "predictor": "base-predictor",
                "images": {"perf": "base.registry/acme/graph-perf"},
            },
            "patches": [
                {
                    "manifest": "seldondeployment.yaml",
                    "merge": {"metadata": {"annotations": {"graph": "base graph value"}}},
                    "json": [
                        {"op": "add", "path": "/metadata/annotations/further", "value": "base"},
                        {
                            "op": "copy",
                            "from": "/metadata/annotations/graph",
                            "path": "/metadata/annotations/another",
                        },
                    ],
                }
            ],
        },
        "torchserve": {
            "platform": "kserve",
            "base_image": "base.registry/acme/torchserve:base-tag",
            "settings": {"vmargs": "base arguments"},
            "names": {
                "service": "base-served",
                "model": "base-served-model",
                "images": {
                    "transformer": "base.registry/acme/served-transformer",
                    "perf": "base.registry/acme/served-perf",
                },
            },
            "patches": [
                {
                    "manifest": "inferenceservice.yaml",
                    "merge": {"metadata": {"annotations": {"served": "base served value"}}},
                    "json": [
                        {"op": "add", "path": "/metadata/annotations/more", "value": "base more"},
                        {
                            "op": "copy",
                            "from": "/metadata/annotations/served",
                            "path": "/metadata/annotations/again",
                        },
                    ],
                }
            ],
        },
        "triton": {
            "runtime": "base-runtime",
            "runtime_version": "26.10-py3",
            "names": {
                "service": "base-service",
                "model": "base-model",
                "images": {
                    "transformer": "base.registry/acme/transformer",
                    "perf": "base.registry/acme/perf",
                },
            },
            "patches": [
                {
                    "manifest": "inferenceservice.yaml",
                    "merge": {"metadata": {"annotations": {"patched": "base patched value"}}},
                    "json": [
                        {"op": "add", "path": "/metadata/annotations/added", "value": "base added"},
                        {
                            "op": "copy",
                            "from": "/metadata/annotations/patched",
                            "path": "/metadata/annotations/copied",
                        },
                    ],
                }
            ],
        },
    },
}
FREE = [  # text that no schema limits
    ("model", "arguments", "argument"),
    ("targets", "triton", "patches", 0, "merge", "metadata", "annotations", "patched"),
    ("targets", "triton", "patches", 0, "json", 0, "value"),
]
NEVER_ALONE = {
    "kubernetes.crds": "names a folder: tests/test_kinds.py",
    **{
        f"kubernetes.releases.{product}": "a rule knows every release: tests/test_kinds.py"
        for product in sorted({*RELEASES} - {"kustomize"})
    },
    "model.class_names": "a file's name: tests/test_class_names.py",
    "model.weights.url": "excludes `path`, and is not rendered",
    "model.weights.sha256": "is not rendered: tests/test_weights.py",
    "model.weights.convert": "names a file: tests/test_weights.py",
    "model.files[]": "names a file: tests/test_rules.py",
    "model.program": "excludes `source`, and is not rendered",
    "hardware.components.*<key>": "a rule knows every component: tests/test_rules.py",
    "model.inputs[].shape[]": "one letter; a rule reads it: tests/test_transforms.py",
    "model.outputs[].shape[]": "one letter; a rule reads it: tests/test_transforms.py",
    "targets.seldon.builder_image": "of another builder: tests/invalid",
    "targets.seldon.conda_env_name": "of another builder: tests/invalid",
    "targets.seldon.triton_version": "of another server: tests/invalid",
    **{
        f"targets.seldon.components.{role}.{key}": "two of one name are refused: tests/invalid"
        for role in ("input", "output")
        for key in ("node", "class_name", "folder", "image")
    },
    "targets.torchserve.also_serves[]": "names a file: tests/test_rules.py",
    "targets.torchserve.archive.uri": "excludes what is rendered: tests/test_rules.py",
    "targets.torchserve.archive.sha256": "excludes what is rendered: tests/test_rules.py",
    "gitops.argo_cd.destination.name": "excludes `server`: tests/test_argo_cd.py",
    "gitops.argo_cd.plugin.spec": "names this very spec: tests/test_argo_cd_repository.py",
    **{
        f"gitops.argo_cd.hydrate.{key}": "two of one name are refused: tests/invalid"
        for key in ("branch", "staging_branch")
    },
    "gitops.argo_cd.clusters.*": "excludes `destination`: tests/test_argo_cd.py",
    "gitops.argo_cd.clusters.*<key>": "likewise",
    "targets.torchserve.handler": "names a file: tests/test_rules.py",
    "targets.torchserve.names.images.torchserve": "of another platform: tests/test_rules.py",
    "targets.torchserve.settings.*": "read by a twin: tests/test_torchserve_config.py",
    "targets.torchserve.settings.*<key>": "a rule knows every key: tests/test_torchserve_config.py",
    **{
        f"targets.{target}.patches[].json[].{key}": "a JSON pointer: tests/test_patches.py"
        for target, each in TARGETS.items()
        for key in ("from", "path")
        if "patches" in schema.read(each.schema)["properties"]
    },
}


# The fields


def is_quantity(part: schema.Schema) -> bool:
    """Numbers in Kubernetes' words; rules read them: tests/test_resources.py."""
    return part.get("x-says") == definitions()["quantity"]["x-says"]


def resolved(part: schema.Schema) -> schema.Schema:
    """A schema with what it refers to."""
    while "$ref" in part or "allOf" in part:
        for inner in part.pop("allOf", []):
            part = {**inner, **part}
        if "$ref" in part:
            name = part["$ref"].rpartition("/")[2]
            part = {**part, **definitions()[name]}
            del part["$ref"]
    return part


@cache
def definitions() -> dict[str, schema.Schema]:
    found = dict(schema.read(schema.project_schema())["definitions"])
    for target in TARGETS.values():
        found |= schema.read(target.schema).get("definitions", {})
    return found


def root() -> schema.Schema:
    """The schema of whole specs, with the targets' options in it."""
    whole = dict(schema.read(schema.project_schema()))
    options = {name: schema.read(target.schema) for name, target in TARGETS.items()}
    targets = {"type": "object", "properties": options}
    whole["properties"] = whole["properties"] | {"targets": targets}
    return whole


def text_paths(part: schema.Schema, path: str = "", depth: int = 0) -> Iterator[str]:
    """The path of every field that takes text: `[]` for items, `*` for values of free keys."""
    part = resolved(dict(part))
    if "string" in part.get("type", ()):
        yield path
    for choice in part.get("anyOf", ()):
        yield from text_paths(choice, path, depth + 1)
    for name, child in part.get("properties", {}).items():
        yield from text_paths(child, f"{path}.{name}".lstrip("."), depth + 1)
    if "items" in part:
        yield from text_paths(part["items"], f"{path}[]", depth + 1)
    if isinstance(part.get("additionalProperties"), dict):
        yield from text_paths(part["additionalProperties"], f"{path}.*", depth + 1)
    if "propertyNames" in part:
        yield f"{path}.*<key>"


def fields(
    part: schema.Schema, data: Any, path: str = "", at: Pointer = ()
) -> Iterator[tuple[str, Pointer, schema.Schema]]:
    """Every text in data with the path and the schema of its field; a key has `None` after it."""
    part = resolved(dict(part))
    if isinstance(data, str) and "string" in part.get("type", ()):
        yield path, at, part
    for choice in part.get("anyOf", ()):
        yield from fields(choice, data, path, at)
    for key, value in data.items() if isinstance(data, dict) else ():
        known = part.get("properties", {})
        if key in known:
            yield from fields(known[key], value, f"{path}.{key}".lstrip("."), (*at, key))
            continue
        if "propertyNames" in part:
            yield f"{path}.*<key>", (*at, key, KEY), part["propertyNames"]
        if isinstance(part.get("additionalProperties"), dict):
            yield from fields(part["additionalProperties"], value, f"{path}.*", (*at, key))
    for index, value in enumerate(data) if isinstance(data, list) and "items" in part else ():
        yield from fields(part["items"], value, f"{path}[]", (*at, index))


KEY = -1
"""The end of a pointer that means the key, not its value."""
FIELDS = {
    path: (at, part)  # keys come last: the pointers of values hold them
    for path, at, part in sorted(fields(root(), FULL), key=lambda field: field[1][-1] == KEY)
}


def with_text(data: dict[str, Any], at: Pointer, text: str) -> None:
    """Put a text at a pointer, or in the place of a key."""
    *parents, last = at
    if last == KEY:
        *parents, old = parents
        holder = inside(data, tuple(parents))
        items = [(text if key == old else key, value) for key, value in holder.items()]
        holder.clear()
        holder.update(items)
    else:
        inside(data, tuple(parents))[last] = text


def inside(data: Any, at: Pointer) -> Any:
    for key in at:
        data = data[key]
    return data


def accepts(part: schema.Schema, text: str) -> bool:
    validator = schema._validator(schema.project_schema())
    return bool(validator.evolve(schema=part).is_valid(text))


# Rendering


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("specs")
    (folder / "net.py").write_text("")
    (folder / "steps.py").write_text("")
    (folder / "base-file.txt").write_text("")
    return folder


def files_of(data: dict[str, Any], folder: Path) -> dict[PurePosixPath, RenderedFile]:
    made = build("spec.yaml", written(data).encode(), folder)
    return {PurePosixPath(*file.path.parts[1:]): file for file in made.files}


class Quoting(yaml.SafeDumper):
    """Writes every text in double quotes, with all but ASCII escaped."""


Quoting.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


def written(data: dict[str, Any]) -> str:
    return yaml.dump(data, Dumper=Quoting, sort_keys=False, width=10**6)


def scalars(file: RenderedFile) -> list[object]:
    """Every scalar of a file in order, as the format's own parser reads it."""
    match format_of(file.path):
        case "yaml":
            data = yaml.safe_load(file.text)
            assert YAML(typ="safe", pure=True).load(io.StringIO(file.text)) == data
            return list(flat(data))
        case "json":
            return list(flat(json.loads(file.text)))
        case "pbtxt":
            return list(flat(model_config.read(file.text)))
        case "python":
            nodes = ast.walk(ast.parse(file.text))
            return [node.value for node in nodes if isinstance(node, ast.Constant)]
        case "shell":
            return list(words(file.text))
    return list(file.text.split("\n"))


@cache
def words(script: str) -> tuple[str, ...]:
    """What bash reads in the place of each value: comments apart, the script's quoted words."""
    done = subprocess.run(["bash", "-n"], input=script.encode(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return tuple(line for line in script.split("\n") if not line.startswith("#"))


def flat(data: object) -> Iterator[object]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield key
            yield from flat(value)
    elif isinstance(data, list):
        for item in data:
            yield from flat(item)
    else:
        yield data


# The tests


def test_the_full_spec_renders(folder: Path) -> None:
    assert len(files_of(FULL, folder)) > 10


def test_every_field_that_takes_text_is_in_the_full_spec() -> None:
    assert set(text_paths(root())) - set(FIELDS) == set(NEVER_ALONE) - set(FIELDS)
    assert len(FIELDS) > 50


@pytest.mark.parametrize("keys", [False, True], ids=["values", "keys"])
@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_what_fields_refuse_is_refused_at_each_line(text: str, keys: bool, folder: Path) -> None:
    data, refusing = copy.deepcopy(FULL), []
    for at, part in FIELDS.values():
        if (at[-1] == KEY) is keys and not accepts(part, text):
            refusing.append((*at[:-2], text) if keys else at)
            with_text(data, at, text)
    if not refusing:
        return
    document = source.load("spec.yaml", written(data), folder)

    with pytest.raises(Rejected) as caught:
        build("spec.yaml", written(data).encode(), folder)

    lines = {diagnostic.span.line for diagnostic in caught.value.diagnostics}
    for at in refusing:
        place = document.place(at)
        assert at in document.places
        assert (place.key if keys and place.key else place.value).line in lines, at
    assert all(diagnostic.rule == "schema" for diagnostic in caught.value.diagnostics)


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_what_fields_accept_is_rendered_as_it_is(
    text: str, folder: Path, base: dict[PurePosixPath, RenderedFile]
) -> None:
    data, replaced = copy.deepcopy(FULL), {}
    for path, (at, part) in FIELDS.items():
        if path not in NEVER_ALONE and not is_quantity(part) and accepts(part, text):
            old = at[-2] if at[-1] == KEY else inside(FULL, at)
            replaced[old] = text
            with_text(data, at, text)
    for at in FREE:
        replaced[inside(FULL, at)] = text
        with_text(data, at, text)

    files = files_of(data, folder)

    assert len(files) == len(base)
    for path, before in base.items():
        parts = (replaced.get(part, part) for part in path.with_suffix("").parts)
        moved = PurePosixPath(*parts).with_suffix(path.suffix)
        old, new = scalars(before), scalars(files[moved])
        if path.name == "requirements.txt":  # sorted, so that a new text has another place
            assert all(replaced.get(line, line) in new for line in old)
            continue
        assert list(map(type, new)) == list(map(type, old)), path
        for was, now in zip(old, new, strict=True):
            if was in replaced:
                assert now == replaced[was], (path, was)


@pytest.fixture(scope="module")
def base(folder: Path) -> dict[PurePosixPath, RenderedFile]:
    return files_of(FULL, folder)


LINE = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=300)
SEVERAL_LINES = st.text(
    st.characters(exclude_categories=["C", "Zl", "Zp"], include_characters="\t\n")
)


@given(names=st.tuples(LINE, LINE), annotation=SEVERAL_LINES, patched=SEVERAL_LINES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_class_name_annotation_and_patched_value_is_rendered_as_it_is(
    folder: Path, names: tuple[str, str], annotation: str, patched: str
) -> None:
    data = copy.deepcopy(FULL)
    data["model"]["class_names"] = list(names)
    data["kubernetes"]["annotations"] = {"noted": annotation}
    with_text(data, FREE[1], patched)

    files = files_of(data, folder)

    texts = {path.name: file.text for path, file in files.items() if path.parts[0] == "triton"}
    assert texts["labels.txt"].split("\n") == [*names, ""]
    assert json.loads(texts["class_names.json"]) == list(names)
    for read in (yaml.safe_load, YAML(typ="safe", pure=True).load):
        annotations = read(texts["inferenceservice.yaml"])["metadata"]["annotations"]
        assert annotations["noted"] == annotation
        assert annotations["patched"] == annotations["copied"] == patched
