"""A lock pins what is rendered, everywhere; what it lacks and what it has wrong is told."""

import hashlib
import re
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator import image_lock, images, pinning
from generator.artefact import RenderedFile
from generator.diagnostics import Diagnostic, Rejected
from generator.locking import used_by
from generator.patches import Patch
from generator.pipeline import Build, build
from generator.runs.builds import build_all
from generator.selection import EVERYTHING
from generator.specs import find_specs

ROOT = Path(__file__).parents[1]
SPECS = [spec.path for spec in find_specs([str(ROOT / "specs")])]
DIGEST = f"sha256:{'a' * 64}"

SPEC = """\
spec_version: 1
name: one
model:
  program: model.pt
  inputs: [{name: image, dtype: float32, shape: [N, 3, 32, 32]}]
  outputs: [{name: logits, dtype: float32, shape: [N, 2]}]
storage: {uri: s3://bucket/models}
"""
TRITON = "targets: {triton: {}}\n"
IMAGES = 'images: {registry: docker.io/acme, tag: "1.0"}\n'
PERF = "perf: {rate: 5}\nkubernetes: {namespace: models}\n"
SERVER = "nvcr.io/nvidia/tritonserver:26.11-py3"


def digest_of(image: str) -> str:
    return f"sha256:{hashlib.sha256(image.encode()).hexdigest()}"


def built(folder: Path, *more: str) -> Build:
    (folder / "model.pt").touch()
    return build("spec.yaml", "".join((SPEC, *more)).encode(), folder)


def lock(folder: Path, **entries: str) -> None:
    (folder / image_lock.NAME).write_text(image_lock.text(entries))


def told(folder: Path, *more: str) -> list[Diagnostic]:
    try:
        return [w for w in built(folder, *more).warnings if w.rule.startswith("images/")]
    except Rejected as rejected:
        return [d for d in rejected.diagnostics if d.rule.startswith("images/")]


@pytest.mark.parametrize("path", SPECS, ids=lambda path: Path(path).stem)
def test_with_a_lock_no_image_of_any_spec_stands_alone_by_its_tag(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [(_, loose)] = build_all(find_specs([path]), EVERYTHING)
    assert isinstance(loose, Build)
    named = used_by(loose)
    entries = {name: digest_of(name) for name in named}
    held = image_lock.Lock(Path(image_lock.NAME), entries)
    monkeypatch.setattr(image_lock, "nearest", lambda folder: held)

    [(_, pinned)] = build_all(find_specs([path]), EVERYTHING)

    assert isinstance(pinned, Build)
    assert [w for w in pinned.warnings if w.rule == "images/not-locked"] == []
    unpinned = [
        f"{use.path}: {use.image}" for use in images.used(pinned.files) if "@" not in use.image
    ]
    assert unpinned == []
    assert used_by(pinned) == named
    # By another way of looking: whatever of these names stands behind `image:` or a FROM.
    for file in pinned.files:
        if file.path.name == "compose.yaml":
            continue
        for name in re.findall(r"^\s*-?\s*image: (\S+)$|^ARG \w+IMAGE=(\S+)", file.text, re.M):
            assert re.fullmatch(rf".+@{images.DIGEST.pattern}", "".join(name)), file.path


def test_a_lock_changes_nothing_but_images_and_what_is_named_after_them(tmp_path: Path) -> None:
    standard = "targets: {triton: {deployment_mode: Standard}}\n"
    loose = built(tmp_path, standard, IMAGES, PERF)
    lock(tmp_path, **{name: digest_of(name) for name in used_by(loose)})

    pinned = built(tmp_path, standard, IMAGES, PERF)

    assert [file.path for file in pinned.files] == [file.path for file in loose.files]
    for before, after in zip(loose.files, pinned.files, strict=True):
        without = re.sub(rf"@{images.DIGEST.pattern}", "", after.text)
        same = [
            re.sub(r"one-perf-[0-9a-f]{8}", "one-perf", each) for each in (before.text, without)
        ]
        assert same[0] == same[1], after.path


def test_the_load_test_of_another_image_is_another_job(tmp_path: Path) -> None:
    def job() -> str:
        files = built(tmp_path, TRITON, IMAGES, PERF).files
        [text] = [file.text for file in files if file.path.name == "job.yaml"]
        return re.findall(r"one-perf-[0-9a-f]{8}", text)[0]

    names = [job()]
    for letter in "ab":
        lock(tmp_path, **{"docker.io/acme/one-perf:1.0": f"sha256:{letter * 64}"})
        names.append(job())

    assert len(set(names)) == 3


def test_build_scripts_go_on_to_push_tags(tmp_path: Path) -> None:
    lock(tmp_path, **{"docker.io/acme/one-perf:1.0": DIGEST})

    [script] = [f for f in built(tmp_path, TRITON, IMAGES, PERF).files if f.path.name == "build.sh"]

    assert "docker.io/acme/one-perf:1.0" in script.text
    assert DIGEST not in script.text


def test_the_nearest_lock_upward_counts_alone(tmp_path: Path) -> None:
    inner = tmp_path / "team" / "specs"
    inner.mkdir(parents=True)
    lock(tmp_path, **{SERVER: DIGEST})

    def server() -> str:
        files = built(inner, TRITON).files
        [text] = [file.text for file in files if file.path.name == "servingruntime.yaml"]
        return text

    assert f"{SERVER}@{DIGEST}" in server()
    lock(tmp_path / "team")
    assert f"image: {SERVER}\n" in server()


def test_without_a_lock_a_tag_is_no_matter(tmp_path: Path) -> None:
    assert told(tmp_path, TRITON, IMAGES, PERF) == []


def test_with_a_lock_each_tag_that_it_lacks_is_a_warning_at_what_names_it(tmp_path: Path) -> None:
    lock(tmp_path)

    found = told(tmp_path, "targets: {triton: {runtime_version: 26.10-py3}}\n", IMAGES, PERF)

    assert {each.rule for each in found} == {"images/not-locked"}
    assert {each.severity for each in found} == {"warning"}
    places = {each.message.split("`")[1]: each.source[each.span.column - 1 :] for each in found}
    assert places["nvcr.io/nvidia/tritonserver:26.10-py3"].startswith("26.10-py3")
    assert places["docker.io/acme/one-perf:1.0"].startswith('"1.0"')
    assert "docker.io/library/golang:1.26-bookworm" in places


def test_a_missing_entry_can_be_accepted(tmp_path: Path) -> None:
    lock(tmp_path)

    assert told(tmp_path, TRITON, "accepted_warnings: {images/not-locked: not pushed yet}\n") == []


def test_a_digest_that_the_spec_has_is_kept_and_needs_no_lock(tmp_path: Path) -> None:
    base = f"docker.io/acme/torchserve:1@{DIGEST}"
    lock(tmp_path, **{"docker.io/acme/torchserve:1": f"sha256:{'b' * 64}"})
    target = f"targets: {{torchserve: {{base_image: '{base}'}}}}\n"

    result = built(tmp_path, target)

    assert [use.image for use in images.used(result.files)] == [base]
    assert [w for w in result.warnings if w.rule.startswith("images/")] == []


@pytest.mark.parametrize("name", ["docker.io/acme/torchserve:latest"])
def test_latest_is_an_error_locked_or_not(tmp_path: Path, name: str) -> None:
    target = f"targets: {{torchserve: {{base_image: '{name}'}}}}\n"

    assert [each.rule for each in told(tmp_path, target)] == ["images/latest"]
    lock(tmp_path, **{name: DIGEST})
    assert [each.rule for each in told(tmp_path, target)] == ["images/latest"]


def test_latest_beside_a_digest_that_the_spec_has_is_none(tmp_path: Path) -> None:
    base = f"docker.io/acme/torchserve:latest@{DIGEST}"

    assert told(tmp_path, f"targets: {{torchserve: {{base_image: '{base}'}}}}\n") == []


@pytest.mark.parametrize(
    ("image", "rules"),
    [("busybox", ["images/latest"]), ("busybox:latest", ["images/latest"]), ("busybox:1.37", [])],
)
def test_an_image_that_a_patch_brings_is_looked_at_too(
    tmp_path: Path, image: str, rules: list[str]
) -> None:
    patch = (
        "targets: {triton: {patches: [{manifest: servingruntime.yaml, json: "
        f"[{{op: replace, path: /spec/containers/0/image, value: '{image}'}}]}}]}}}}\n"
    )

    found = told(tmp_path, patch)

    assert [each.rule for each in found] == rules
    assert all(each.source[each.span.column - 1 :].startswith(f"'{image}'") for each in found)


def test_an_own_tag_latest_points_at_the_tag(tmp_path: Path) -> None:
    [found] = told(tmp_path, TRITON, "images: {registry: docker.io/acme, tag: latest}\n", PERF)

    assert found.severity == "error"
    assert found.source[found.span.column - 1 :].startswith("latest")


def test_knative_needs_no_setting_for_an_image_by_its_digest(tmp_path: Path) -> None:
    def files() -> dict[str, str]:
        return {file.path.name: file.text for file in built(tmp_path, TRITON).files}

    assert "knative-config-deployment.sh" in files()
    lock(tmp_path, **{SERVER: DIGEST})
    pinned = files()

    assert "knative-config-deployment.sh" not in pinned
    assert "knative-config-deployment.sh" not in pinned["README.md"]


def test_a_lock_cannot_pin_a_runtime_of_the_cluster(tmp_path: Path) -> None:
    stock = "targets: {triton: {runtime: kserve-tritonserver}}\n"

    assert told(tmp_path, stock) == []
    lock(tmp_path)
    assert [each.rule for each in told(tmp_path, stock)] == ["images/of-the-cluster"]


def test_a_model_that_is_an_image_is_pinned(tmp_path: Path) -> None:
    lock(tmp_path, **{"ghcr.io/acme/models:1": DIGEST, SERVER: DIGEST})
    target = "targets: {triton: {storage: {uri: 'oci://ghcr.io/acme/models:1'}}}\n"

    [text] = [
        f.text for f in built(tmp_path, target).files if f.path.name == "inferenceservice.yaml"
    ]

    assert f"storageUri: oci://ghcr.io/acme/models:1@{DIGEST}\n" in text


HEAD = "lock_version: 1\nimages:\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the lock is empty"),
        ("- a\n", "a lock is a map of lock_version and images"),
        ("lock_version: 1\n", "`images` is no map of images to digests"),
        ("lock_version: 1\nimages: [a]\n", "`images` is no map of images to digests"),
        ("images: {}\n", "the lock has no lock_version"),
        ("lock_version: 2\nimages: {}\n", "lock_version 2 is not 1, which this gen reads"),
        ("lock_version: true\nimages: {}\n", "lock_version true is not 1, which this gen reads"),
        ("lock_version: 1\nimages: {}\nimage: {}\n", "a lock has no `image`"),
        (f"{HEAD}  a/b:1: sha256:12\n", "`sha256:12` is no digest"),
        (f"{HEAD}  a/b:1: {DIGEST.upper()}\n", "is no digest"),
        (f"{HEAD}  a/b:1:\n", "`null` is no digest"),
        (f"{HEAD}  A B: {DIGEST}\n", "`A B` is no image with its tag"),
        (f"{HEAD}  a/b:1@{DIGEST}: {DIGEST}\n", "is no image with its tag"),
        (f"{HEAD}  a/b:1: {DIGEST}\n  a/b:1: {DIGEST}\n", "`a/b:1` stands twice"),
        (
            f"{HEAD}  a/b:1: {DIGEST}\n  docker.io/a/b:1: {DIGEST}\n",
            "`docker.io/a/b:1` and `a/b:1` are one image",
        ),
    ],
)
def test_a_broken_lock_is_told_at_its_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / image_lock.NAME).write_text(text)

    with pytest.raises(Rejected) as raised:
        built(tmp_path, TRITON)

    [found, *_] = raised.value.diagnostics
    assert found.path.endswith(image_lock.NAME)
    assert any(message in each.message for each in raised.value.diagnostics)


def test_a_lock_is_read_as_it_is_written(tmp_path: Path) -> None:
    entries = {"docker.io/b:1": DIGEST, "docker.io/a:1": DIGEST}
    lock(tmp_path, **entries)

    text = (tmp_path / image_lock.NAME).read_text()
    found = image_lock.read(tmp_path / image_lock.NAME)

    assert text.splitlines()[-2:] == [f"  docker.io/a:1: {DIGEST}", f"  docker.io/b:1: {DIGEST}"]
    assert set(found.digests) == {"docker.io/library/a:1", "docker.io/library/b:1"}


def is_told_or_taken(content: bytes) -> bool:
    try:
        found = image_lock.listed("digests.txt", content, Path())
    except Rejected as rejected:
        return all(each.path == "digests.txt" for each in rejected.diagnostics)
    return all(images.DIGEST.fullmatch(digest) for digest in found.values())


@given(st.one_of(st.binary(), st.text().map(str.encode)))
def test_any_file_is_taken_for_digests_or_refused(content: bytes) -> None:
    assert is_told_or_taken(content)


def brought(image: str) -> str:
    """A target whose patch adds a container of an image."""
    container = f"{{name: side, image: {image}}}"
    return (
        "targets: {triton: {patches: [{manifest: servingruntime.yaml, json: "
        f"[{{op: add, path: /spec/containers/-, value: {container}}}]}}]}}}}\n"
    )


@pytest.mark.parametrize("written", ["docker.io/acme/side:2", "'docker.io/acme/side:2'"])
def test_an_image_that_a_patch_brings_is_pinned_where_it_is_locked(
    tmp_path: Path, written: str
) -> None:
    loose = built(tmp_path, brought(written))
    lock(tmp_path, **{"docker.io/acme/side:2": DIGEST, SERVER: DIGEST})

    result = built(tmp_path, brought(written))

    [text] = [f.text for f in result.files if f.path.name == "servingruntime.yaml"]
    [before] = [f.text for f in loose.files if f.path.name == "servingruntime.yaml"]
    assert f"image: docker.io/acme/side:2@{DIGEST}\n" in text
    assert text.replace(f"@{DIGEST}", "") == before
    assert [w for w in result.warnings if w.rule.startswith("images/")] == []


def test_an_image_that_cannot_be_pinned_is_not_said_to_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock(tmp_path, **{"docker.io/acme/side:2": DIGEST, SERVER: DIGEST})
    monkeypatch.setattr("generator.pinning.pinned", lambda files, patches, locked: files)

    [found] = told(tmp_path, brought("docker.io/acme/side:2"))

    assert "is locked, and stands there by its tag alone" in found.message


def test_several_images_on_a_line_are_pinned_each_at_its_place() -> None:
    text = 'spec: {containers: [{image: "a/e:1"}, {image: b/c:1}, {image: b/c:1}]} # b/c:1\n'
    file = RenderedFile(PurePosixPath("manifests/a.yaml"), text)

    [pinned] = pinning.pinned(
        [file],
        [Patch("a.yaml")],
        {"docker.io/a/e:1": "sha256:1", "docker.io/b/c:1": "sha256:2"},
    )

    assert pinned.text == (
        'spec: {containers: [{image: "a/e:1@sha256:1"}, {image: b/c:1@sha256:2}, '
        "{image: b/c:1@sha256:2}]} # b/c:1\n"
    )


@pytest.mark.parametrize(
    "more",
    [
        "kubernetes: {labels: {image: latest}}\n",
        "kubernetes: {annotations: {image: latest, uri: 'oci://a'}}\n",
        "kubernetes: {node_selector: {image: gpu}}\n",
    ],
)
def test_a_key_of_the_users_own_that_is_called_image_is_none(tmp_path: Path, more: str) -> None:
    assert told(tmp_path, TRITON, more) == []


@pytest.mark.parametrize(
    "image", ["ghcr.io/Models:1", "ghcr.io/m:-x", "ghcr.io/m:1@sha256:abc", f"ghcr.io/m@{DIGEST}0"]
)
def test_what_is_no_name_of_an_image_is_refused(tmp_path: Path, image: str) -> None:
    [found] = told(tmp_path, f"targets: {{triton: {{storage: {{uri: 'oci://{image}'}}}}}}\n")

    assert (found.rule, found.severity) == ("images/no-reference", "error")
    assert found.source[found.span.column - 1 :].startswith(f"'oci://{image}'")
