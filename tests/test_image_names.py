"""Names of images are read as registries read them, and found where files have them."""

from pathlib import PurePosixPath

import pytest

from generator.artefact import RenderedFile
from generator.images import full_name, reference, used

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("image", "full"),
    [
        ("python", "docker.io/library/python:latest"),
        ("python:3.12", "docker.io/library/python:3.12"),
        ("docker.io/python:3.12", "docker.io/library/python:3.12"),
        ("index.docker.io/library/python:3.12", "docker.io/library/python:3.12"),
        ("acme/model:1.0", "docker.io/acme/model:1.0"),
        ("docker.io/acme/model:1.0", "docker.io/acme/model:1.0"),
        (f"docker.io/acme/model:1.0@{DIGEST}", "docker.io/acme/model:1.0"),
        ("nvcr.io/nvidia/tritonserver:26.11-py3", "nvcr.io/nvidia/tritonserver:26.11-py3"),
        ("localhost/model:1", "localhost/model:1"),
        ("registry:5000/model:1", "registry:5000/model:1"),
        ("127.0.0.1:5000/a/b/c:1_2.3-4", "127.0.0.1:5000/a/b/c:1_2.3-4"),
        ("[::1]:5000/model:1", "[::1]:5000/model:1"),
    ],
)
def test_one_image_has_one_full_name(image: str, full: str) -> None:
    assert full_name(image) == full


@pytest.mark.parametrize("text", ["", "Model:1", "a//b", "a/b:", "a b", "http://a/b"])
def test_what_is_no_image_has_no_parts(text: str) -> None:
    assert reference(text) is None


def test_the_port_of_a_registry_is_no_tag() -> None:
    parts = reference("registry.acme.example:5000/model")

    assert parts
    assert (parts.host, parts.repository, parts.tag) == (
        "registry.acme.example:5000",
        "model",
        None,
    )


MANIFEST = """\
kind: Pod
spec:
  initContainers: [{name: a, image: "one:1"}]
  containers:
    - {name: b, image: "two:2"}
    - {name: c, image: "two:2"}
  volumes: [{name: d, image: {reference: "three:3", pullPolicy: IfNotPresent}}]
---
kind: InferenceService
spec:
  predictor: {model: {storageUri: "oci://four:4"}}
  other: {model: {storageUri: "s3://bucket/image"}}
"""


def found(path: str, text: str) -> list[str]:
    return [use.image for use in used([RenderedFile(PurePosixPath(path), text)])]


def test_manifests_name_images_of_containers_of_volumes_and_of_models() -> None:
    assert found("manifests/pod.yaml", MANIFEST) == ["one:1", "two:2", "three:3", "four:4"]


def test_a_dockerfile_names_what_it_starts_from() -> None:
    text = (
        "ARG GO_IMAGE=golang:1\nARG BASE_IMAGE=python:3.12@sha256:00\nARG VERSION=1\n"
        "FROM ${GO_IMAGE} AS made\nFROM scratch\nFROM debian:12\nCOPY --from=made /a /a\n"
    )

    assert found("images/perf/Dockerfile", text) == [
        "golang:1",
        "python:3.12@sha256:00",
        "debian:12",
    ]


def test_what_is_built_on_the_machine_itself_is_not_pulled() -> None:
    assert found("images/torchserve/compose.yaml", "services: {a: {image: one:1}}") == []
    assert found("models/archives/m/image.yaml", "image: one:1") == []
