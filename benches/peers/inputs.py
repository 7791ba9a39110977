"""What the neighbours are given, made from what gen rendered."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonpatch
import yaml

from benches import corpus
from benches.floor import NAME
from benches.templates import DIGEST, TOKENS
from benches.workplace import Workplace

MANIFESTS = (
    "triton/manifests/servingruntime.yaml",
    "triton/manifests/inferenceservice.yaml",
    "triton/manifests/predictor-disruptionbudget.yaml",
    "triton/manifests/transformer-disruptionbudget.yaml",
    "triton/perf/job.yaml",
)
COUNT = len(MANIFESTS)
ANSWERS = ("name", "model", "storage", "serving", "kubernetes", "images", "perf", "digest")
"""What templates take from a spec."""


def names(place: Workplace, size: int) -> list[str]:
    """The projects' names."""
    return [path.stem for path in sorted(place.specs(size).iterdir())]


def kustomize(place: Workplace, size: int) -> Path:
    """plain/NAME: the manifests as rendered; overlays/NAME: patches over those of another spec."""
    root = place.root / f"kustomize-{size}"
    if root.exists():
        return root
    rendered = place.rendered(size)
    base = _tokens(place)
    _kustomization(root / "base", {"resources": _copied(base, root / "base")})
    for name in names(place, size):
        plain = root / "plain" / name
        _kustomization(plain, {"resources": _copied(rendered / name, plain)})
        patches = list(_patches(base, rendered / name))
        overlay = {"resources": ["../../base"], "patches": patches}
        _kustomization(root / "overlays" / name, overlay)
    return root


def _copied(project: Path, folder: Path) -> list[str]:
    folder.mkdir(parents=True)
    return [Path(shutil.copy(project / path, folder)).name for path in MANIFESTS]


def _kustomization(folder: Path, content: dict[str, object]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    head = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
    text = yaml.safe_dump(head | content, sort_keys=False)
    (folder / "kustomization.yaml").write_text(text, encoding="utf-8")


def _patches(base: Path, wanted: Path) -> Iterator[dict[str, object]]:
    for path in MANIFESTS:
        old, new = (manifest(project / path) for project in (base, wanted))
        yield {
            "target": {"kind": old["kind"], "name": old["metadata"]["name"]},
            "patch": json.dumps(jsonpatch.make_patch(old, new).patch),
            "options": {"allowNameChange": True},
        }


def manifest(path: Path) -> dict[str, Any]:
    """The data of a manifest."""
    data: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return data


def cdk8s(place: Workplace, size: int) -> Path:
    """A JSON file: the manifests with tokens in them, and for each spec what stands for those."""
    path = place.root / f"cdk8s-{size}.json"
    if not path.exists():
        base = _tokens(place)
        [digest, *_] = DIGEST.findall((base / MANIFESTS[-1]).read_text(encoding="utf-8"))
        told = []
        for number, file in enumerate(sorted(place.floor_specs(size).iterdir())):
            own = corpus.values(number)
            values = {TOKENS[key]: own[key] for key in TOKENS}
            values[digest] = yaml.safe_load(file.read_text(encoding="utf-8"))["digest"]
            told.append({"name": own["name"], "values": values})
        objects = [manifest(base / each) for each in MANIFESTS]
        text = json.dumps({"objects": objects, "specs": told})
        path.write_text(text, encoding="utf-8")
    return path


def copier(place: Workplace) -> Path:
    """A template of copier's with every file."""
    root = place.root / "copier"
    if not root.exists():
        for template in place.templates():
            path = root / "template" / NAME / f"{template.path}.jinja"
            _put(Path(str(path).replace(NAME, "{{ name }}")), template.source)
            if template.is_executable:
                Path(str(path).replace(NAME, "{{ name }}")).chmod(0o755)
        questions = {name: {"type": "yaml", "default": "null"} for name in ANSWERS}
        settings = {"_subdirectory": "template", "_envops": {"keep_trailing_newline": True}}
        _put(root / "copier.yml", yaml.safe_dump(settings | questions))
    return root


def kapitan(place: Workplace, size: int) -> Path:
    """A folder of kapitan's: an inventory with a target for each spec, and every template.

    Paths of templates are not templates: what is named after the project is called `model`.
    """
    root = place.root / f"kapitan-{size}"
    if not root.exists():
        taken = "".join(f"{{% set {n} = inventory.parameters.spec.{n} %}}" for n in ANSWERS)
        for template in place.templates():
            path = template.path.replace(NAME, "model")
            _put(root / "templates" / path, taken + template.source)
        compiled = {"output_path": ".", "input_type": "jinja2", "input_paths": ["templates"]}
        settings = {"vars": {"target": "${target_name}"}, "compile": [compiled]}
        common = {"parameters": {"kapitan": settings}}
        _put(root / "inventory/classes/common.yml", yaml.safe_dump(common))
        for file in sorted(place.floor_specs(size).iterdir()):
            spec = yaml.safe_load(file.read_text(encoding="utf-8"))
            parameters = {"target_name": file.stem, "spec": {key: spec[key] for key in ANSWERS}}
            target = {"classes": ["common"], "parameters": parameters}
            _put(root / f"inventory/targets/{file.stem}.yml", yaml.safe_dump(target))
    return root


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _tokens(place: Workplace) -> Path:
    """What gen rendered of the spec that templates are made of."""
    place.templates()
    return place.root / "tokens-rendered" / TOKENS["name"]
