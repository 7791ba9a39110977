"""The record of an export: what it wrote, what it was made from, and what has changed since."""

import hashlib
import json
import platform
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from generator import pipeline
from generator.diagnostics import CannotRun
from generator.pipeline import Build
from generator.validate import Deployment

torch = pytest.importorskip("torch")

from generator.export import export_bundle, record  # noqa: E402  # needs torch

SPEC = """\
spec_version: 1
name: tiny
model:
  source: code/model.py:make
  weights: {path: weights.pt, convert: convert.py:renamed}
  inputs: [{name: x, dtype: float32, shape: [N, 4]}]
  outputs: [{name: y, dtype: float32, shape: [N, 2]}]
  files: [sizes.json]
export: {method: trace}
storage: {uri: s3://bucket/tiny}
targets: {triton: {}}
"""
MODEL = """\
import torch
from layers import layer

def make():
    return layer()
"""
LAYERS = """\
import torch

def layer():
    return torch.nn.Linear(4, 2)
"""
CONVERT = """\
def renamed(state):
    return {name.removeprefix("old."): value for name, value in state.items()}
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    (tmp_path / "code").mkdir()
    (tmp_path / "code/model.py").write_text(MODEL)
    (tmp_path / "code/layers.py").write_text(LAYERS)
    (tmp_path / "convert.py").write_text(CONVERT)
    (tmp_path / "sizes.json").write_text("{}")
    state = {"old.weight": torch.ones(2, 4), "old.bias": torch.zeros(2)}
    torch.save(state, tmp_path / "weights.pt")
    path = tmp_path / "tiny.yaml"
    path.write_text(SPEC)
    return path


def built(spec: Path) -> Build:
    return pipeline.build(spec.name, spec.read_bytes(), spec.parent)


def export(spec: Path, *, random_weights: bool = False) -> Path:
    build = built(spec)
    output = spec.parent / "build"
    [deployment] = build.deployments
    return export_bundle(deployment, build.files, output, random_weights=random_weights)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_record_names_all_files_and_what_they_were_made_from(spec: Path) -> None:
    bundle, folder = export(spec), spec.parent

    written = json.loads((folder / "build/tiny/triton.json").read_text())
    made_from = written["made_from"]
    model = made_from["models"]["tiny"]
    files = [path for path in bundle.rglob("*") if path.is_file()]
    assert written["files"] == {str(path.relative_to(bundle)): sha256(path) for path in files}
    sources = ("code/layers.py", "code/model.py", "convert.py", "sizes.json")
    assert model["source_files"] == {name: sha256(folder / name) for name in sources}
    assert model["weights"] == {"weights.pt": sha256(folder / "weights.pt")}
    assert len(model["spec"]) == 64
    assert made_from["random_weights"] is False
    assert made_from["torch"] == torch.__version__
    assert made_from["python"] == platform.python_version()
    assert sorted(path.name for path in bundle.parent.iterdir()) == ["triton", "triton.json"]


def test_the_same_export_has_the_same_record_wherever_it_runs(spec: Path) -> None:
    first = record.path_of(export(spec)).read_bytes()
    second = record.path_of(export(spec)).read_bytes()
    moved = spec.parent.rename(spec.parent.with_name("moved"))
    third = record.path_of(export(moved / spec.name)).read_bytes()

    assert first == second == third
    assert str(spec.parent).encode() not in first


def test_an_unchanged_bundle_has_no_differences(spec: Path) -> None:
    bundle, build = export(spec), built(spec)

    assert record.differences(build.deployments[0], bundle, build.files) == []
    assert record.read(bundle) is not None


def exported_and(spec: Path, path: str, text: str | None) -> list[str]:
    """What an export differs in after a file in the spec's folder has got another text, or none."""
    bundle = export(spec)
    if text is None:
        (spec.parent / path).unlink()
    else:
        (spec.parent / path).write_text(text)
    build = built(spec)
    return record.differences(build.deployments[0], bundle, build.files)


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        (
            "code/layers.py",
            "# new\n",
            "code/layers.py, which tiny was made from, is not what it was",
        ),
        ("weights.pt", "", "weights.pt, which tiny was made from, is not what it was"),
        ("weights.pt", None, "weights.pt, which tiny was made from, is gone"),
        ("sizes.json", "[]", "sizes.json, which tiny was made from, is not what it was"),
        (
            "build/tiny/triton/tiny/1/model.pt",
            "",
            "tiny/1/model.pt in the bundle is not what it was",
        ),
        ("build/tiny/triton/tiny/config.pbtxt", None, "tiny/config.pbtxt in the bundle is gone"),
        ("build/tiny/triton.json", None, "there is no triton.json, which says what was exported"),
        (
            "tiny.yaml",
            SPEC.replace("[N, 2]", "[N, C]"),
            "model, export or transforms of tiny have changed since the export",
        ),
    ],
)
def test_tells_what_has_changed(spec: Path, path: str, text: str | None, told: str) -> None:
    assert told in exported_and(spec, path, text)


def test_tells_of_a_file_that_is_rendered_otherwise(spec: Path) -> None:
    more = SPEC + "serving: {batching: {max_size: 8}}\n"

    assert exported_and(spec, "tiny.yaml", more) == [
        "tiny/config.pbtxt is rendered otherwise than it was exported"
    ]


def test_tells_of_a_file_that_lies_elsewhere_now(spec: Path) -> None:
    renamed = SPEC.replace("{triton: {}}", "{triton: {names: {model: other}}}")

    assert exported_and(spec, "tiny.yaml", renamed) == [
        "other/config.pbtxt is rendered now, and was not exported",
        "tiny/config.pbtxt was exported, and is not rendered any more",
    ]


STEPS = """\
transforms:
  run_in: server
  preprocess:
    - decode
    - resize: {size: [8, 8]}
    - to_tensor
    - custom: {function: "steps.py:dimmed", produces: {dtype: float32, shape: [3, 8, 8]}}
images: {registry: registry.example.com/acme, tag: "1"}
"""


def test_tells_of_a_step_that_lies_in_an_archive(spec: Path) -> None:
    folder = spec.parent
    (folder / "code/layers.py").write_text(
        "import torch\n\ndef layer():\n"
        "    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 2))\n"
    )
    (folder / "steps.py").write_text("def dimmed(image):\n    return image\n")
    text = SPEC.replace("[N, 4]", "[N, 3, 8, 8]").replace(
        "{triton: {}}", "{torchserve: {platform: docker}}"
    )
    text = text.replace("  weights: {path: weights.pt, convert: convert.py:renamed}\n", "")
    spec.write_text(text + STEPS)
    bundle = export(spec)
    (folder / "steps.py").write_text("def dimmed(image):\n    return image / 2\n")

    build = built(spec)
    told = record.differences(build.deployments[0], bundle, build.files)

    assert len(told) == 1
    assert re.fullmatch(r".*steps\.py is rendered otherwise than it was exported", told[0])


def test_the_users_own_package_is_a_source_and_an_installed_one_is_none(
    spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one is on the path by an editable install, the other by `pip install --target`."""
    for name, folder in (("acme_nets", spec.parent / "src"), ("acme_lib", spec.parent / "lib")):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(LAYERS)
        monkeypatch.syspath_prepend(str(folder))
    installed = spec.parent / "lib/acme_lib-1.dist-info"
    installed.mkdir()
    (installed / "RECORD").write_text("acme_lib/__init__.py,sha256=0,1\n")
    (spec.parent / "code/layers.py").write_text(
        "import acme_lib\nfrom acme_nets import layer as layer\n"
    )

    for _ in range(2):  # it is as much a source the second time
        held = record.read(export(spec))

        assert held is not None
        assert set(held.models["tiny"].source_files) == {
            "code/layers.py",
            "code/model.py",
            "convert.py",
            "sizes.json",
            "src/acme_nets/__init__.py",
        }
    assert "acme_lib" in sys.modules
    del sys.modules["acme_lib"]


def test_a_library_that_lies_in_a_library_is_no_source(spec: Path) -> None:
    """setuptools keeps its distutils in a folder of its own, where no import looks."""
    (spec.parent / "code/layers.py").write_text("import distutils.core\n" + LAYERS)
    for name in [name for name in sys.modules if name.partition(".")[0] == "distutils"]:
        del sys.modules[name]

    held = record.read(export(spec))

    assert held is not None
    sources = {"code/layers.py", "code/model.py", "convert.py", "sizes.json"}
    assert set(held.models["tiny"].source_files) == sources


def test_a_project_among_libraries_has_sources(spec: Path) -> None:
    folder = spec.parent / "lib/site-packages/acme"
    folder.parent.mkdir(parents=True)
    moved = {each.name: each for each in spec.parent.iterdir() if each.name != "lib"}
    folder.mkdir()
    for name, each in moved.items():
        each.rename(folder / name)

    held = record.read(export(folder / spec.name))

    assert held is not None
    assert "code/layers.py" in held.models["tiny"].source_files
    assert "layers" not in sys.modules


def test_a_source_that_is_a_link_is_named_where_it_is_used(
    spec: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("store") / "4711"
    (spec.parent / "sizes.json").rename(elsewhere)
    (spec.parent / "sizes.json").symlink_to(elsewhere)

    held = record.read(export(spec))

    assert held is not None
    assert "sizes.json" in held.models["tiny"].source_files


def test_what_has_nothing_to_do_with_the_bundle_is_no_difference(spec: Path) -> None:
    elsewhere = SPEC.replace("s3://bucket/tiny", "gs://bucket/tiny")

    assert exported_and(spec, "tiny.yaml", elsewhere) == []


def test_tells_of_a_model_that_was_not_exported(spec: Path) -> None:
    bundle = export(spec)
    [deployment] = built(spec).deployments
    other: Deployment = replace(deployment, project=replace(deployment.project, name="other"))

    told = record.differences(other, bundle)

    assert told == ["the model of other was not exported into this bundle"]


def test_random_weights_are_recorded_and_come_from_no_file(spec: Path) -> None:
    (spec.parent / "weights.pt").unlink()

    found = record.read(export(spec, random_weights=True))

    assert found is not None
    assert found.random_weights
    assert found.models["tiny"].weights == {}


def test_a_program_keeps_its_weights_and_the_record_says_so(spec: Path) -> None:
    torch.jit.trace(torch.nn.Linear(4, 2), torch.rand(2, 4)).save(spec.parent / "given.pt")
    weights = "  weights: {path: weights.pt, convert: convert.py:renamed}\n"
    text = SPEC.replace(weights, "").replace("source: code/model.py:make", "program: given.pt")
    spec.write_text(text)

    found = record.read(export(spec, random_weights=True))

    assert found is not None
    assert not found.random_weights


def test_without_an_export_there_is_no_record(tmp_path: Path) -> None:
    assert record.read(tmp_path / "triton") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"files": {}}',
        '{"files": {}, "made_from": {"models": {"a": {}}}}',
        '{"files": {}, "made_from": {"models": {"a": {"spec": "0", "source_files": ["a"]}}}}',
        '{"files": {}, "made_from": {"models": {"a": {"spec": "0", "weights": {"w.pt": 1}}}}}',
        '{"files": {}, "made_from": {"models": {}, "random_weights": "no"}}',
        '{"files": {"../tiny.yaml": "0"}, "made_from": {"models": {}}}',
        '{"files": {"tiny/../../tiny.yaml": "0"}, "made_from": {"models": {}}}',
        '{"files": {"/tiny.yaml": "0"}, "made_from": {"models": {}}}',
    ],
)
def test_a_record_that_is_none_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "triton.json").write_text(text)

    with pytest.raises(CannotRun, match=r"triton\.json is no record of gen export: remove it"):
        record.read(tmp_path / "triton")


def test_a_full_disk_leaves_no_half_of_a_record(
    spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = export(spec)
    before = record.path_of(bundle).read_bytes()

    def full(path: Path, _text: str, **_: Any) -> None:
        path.touch()
        raise OSError(28, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(CannotRun, match="No space left on device"):
            export(spec)

    assert record.path_of(bundle).read_bytes() == before
    assert sorted(path.name for path in bundle.parent.iterdir()) == ["triton", "triton.json"]
