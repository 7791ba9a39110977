"""The straight line: one spec in, every file's text out, or everything that is wrong with it."""

from pathlib import Path, PurePosixPath

import pytest

from generator.diagnostics import CannotRun, Rejected
from generator.pipeline import Build, build
from generator.selection import Selection

SPEC = Path(__file__).parents[1] / "specs" / "cifar10.yaml"
TEXT = SPEC.read_text(encoding="utf-8")
TARGETS = TEXT[TEXT.index("targets:") :]


def built(more: str = "", *, text: str = TEXT, selection: Selection | None = None) -> Build:
    arguments = [selection] if selection else []
    return build("spec.yaml", (text + more).encode(), SPEC.parent, *arguments)


def test_paths_start_with_project_and_target() -> None:
    found = built()

    assert found.project == "cifar10"
    assert all(file.path.is_relative_to("cifar10/triton") for file in found.files)


def test_with_environments_paths_have_them_between() -> None:
    found = built("environments: {staging: {}, production: {}}\n")

    folders = {PurePosixPath(*file.path.parts[:3]) for file in found.files}
    assert set(map(str, folders)) == {"cifar10/staging/triton", "cifar10/production/triton"}


def test_no_file_is_rendered_twice() -> None:
    paths = [file.path for file in built("environments: {a: {}, b: {}}\n").files]

    assert len(paths) == len(set(paths))


def test_the_same_spec_gives_the_same_files() -> None:
    assert built().files == built().files


def test_a_selection_that_fits_nothing_cannot_run() -> None:
    with pytest.raises(CannotRun, match="selected"):
        built(selection=Selection(environments=("nowhere",)))


def patched(patch: str) -> str:
    head = TEXT.replace(TARGETS, "")
    return f"{head}targets:\n  triton:\n    patches:\n{patch}"


def test_a_refusal_is_told_at_the_last_patch_of_that_manifest() -> None:
    with pytest.raises(Rejected) as caught:
        built(
            text=patched(
                "      - {manifest: inferenceservice.yaml, merge: {metadata: {labels: {a: b}}}}\n"
                "      - {manifest: servingruntime.yaml, merge: {metadata: {labels: {a: b}}}}\n"
                "      - {manifest: inferenceservice.yaml, merge: {spec: {x: 1}}}\n"
                "      - {manifest: servingruntime.yaml, merge: {metadata: {labels: {c: d}}}}\n"
            )
        )

    [diagnostic] = caught.value.diagnostics
    assert diagnostic.rule == "kubernetes/schema"
    assert "merge: {spec: {x: 1}}" in diagnostic.source


def test_all_patches_that_do_not_apply_are_told() -> None:
    with pytest.raises(Rejected) as caught:
        built(
            text=patched(
                "      - {manifest: a.yaml, merge: {x: 1}}\n"
                "      - {manifest: b.yaml, merge: {x: 1}}\n"
            )
        )

    assert [diagnostic.span.line for diagnostic in caught.value.diagnostics] == [
        TEXT.count("\n", 0, TEXT.index("targets:")) + line for line in (4, 5)
    ]


def test_a_refusal_in_one_environment_stops_all_of_the_spec() -> None:
    bad = "{targets: {triton: {patches: [{manifest: inferenceservice.yaml, merge: {x: 1}}]}}}"

    with pytest.raises(Rejected):
        built(f"environments: {{good: {{}}, bad: {bad}}}\n")


RENAMED_MODE = """\
spec_version: 1
name: one
model:
  source: package.module:Net
  inputs: [{name: image, dtype: float32, shape: [N, 3, 32, 32]}]
  outputs: [{name: logits, dtype: float32, shape: [N, 10]}]
storage: {uri: s3://models/one}
ACCEPTED
targets:
  triton:
    patches:
      - manifest: inferenceservice.yaml
        merge:
          metadata: {annotations: {serving.kserve.io/deploymentMode: RawDeployment}}
"""


def test_a_warning_about_what_is_rendered_is_told_at_the_patch_and_can_be_accepted() -> None:
    accepted = "accepted_warnings: {kserve/old-deployment-mode: our cluster runs KServe 0.13}"

    [warning] = build("one.yaml", RENAMED_MODE.replace("ACCEPTED\n", "").encode(), Path()).warnings
    quiet = build("one.yaml", RENAMED_MODE.replace("ACCEPTED", accepted).encode(), Path())

    assert (warning.severity, warning.span.line) == ("warning", 11)
    assert warning.rule == "kserve/old-deployment-mode"
    assert quiet.warnings == ()
