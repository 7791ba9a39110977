"""Names of container images, as registries and clusters read them, and where files name them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

import yaml
from msgspec import Struct

from generator.artefact import RenderedFile
from generator.document import Pointer
from generator.quoting import format_of
from generator.yaml_loader import Loader

NOTHING_READ: Mapping[PurePosixPath, object] = {}
DOCKER_HUB = "docker.io"
NO_TAG = "latest"  # what a name without one means
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

# reference/regexp.go and normalize.go of distribution/reference.
_NAME = re.compile(
    r"(?:(?P<host>[A-Za-z0-9][-A-Za-z0-9.]*(?::[0-9]{1,5})?|\[[0-9A-Fa-f:]+\](?::[0-9]{1,5})?)/)?"
    r"(?P<path>[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][-A-Za-z0-9_.]{0,127}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}))?"
)


class Reference(Struct, frozen=True):
    """An image in the parts of its name; `tag` is None where none is written."""

    host: str
    repository: str
    tag: str | None
    digest: str | None = None

    @property
    def name(self) -> str:
        """The image with its tag in full, and without a digest."""
        return f"{self.host}/{self.repository}:{self.tag or NO_TAG}"


def reference(image: str) -> Reference | None:
    """The parts of an image's name, None for what is none."""
    found = _NAME.fullmatch(image)
    if not found:
        return None
    host, path = found["host"], found["path"]
    if host and not any(letter in host for letter in ".:[") and host != "localhost":
        if host != host.lower():
            return None
        host, path = None, f"{host}/{path}"  # acme/model: a user of Docker Hub
    host = host or DOCKER_HUB
    if host == f"index.{DOCKER_HUB}":
        host = DOCKER_HUB
    if host == DOCKER_HUB and "/" not in path:
        path = f"library/{path}"
    return Reference(host, path, found["tag"], found["digest"])


def full_name(image: str) -> str:
    """What a lock calls an image: host, repository and tag written out, no digest."""
    parts = reference(image)
    return parts.name if parts else image


class Use(Struct, frozen=True):
    """An image that a rendered file names, as it stands there."""

    image: str
    path: PurePosixPath


def used(
    files: Iterable[RenderedFile], read: Mapping[PurePosixPath, object] = NOTHING_READ
) -> Iterator[Use]:
    """The images that clusters and builders will pull by these files.

    What a compose file or a script tags is made on the machine itself, and not among them. `read`
    is what is known already of what the files hold.
    """
    for file in files:
        if file.path.name == _COMPOSE:
            continue
        named: Iterator[str]
        if format_of(file.path) == "yaml" and file.path.parts[0] not in _OF_A_BUNDLE:
            held = read.get(file.path)
            documents = _documents(file.text) if held is None else [held]
            named = (image for document in documents for image in _in_yaml(document))
        else:
            named = _in_text(file)
        for image in dict.fromkeys(named):
            yield Use(image, file.path)


_COMPOSE = "compose.yaml"
_OF_A_BUNDLE = ("models",)  # configurations of servers, and the user's own files


def _documents(text: str) -> list[object]:
    try:
        return list(yaml.load_all(text, Loader))
    except yaml.YAMLError:
        return []  # acceptance says what is wrong with it


def _in_yaml(value: object) -> Iterator[str]:
    """The images in a manifest: of containers, of volumes, and models that are images."""
    for at, text in placed(value):
        yield text.partition("://")[2] if at[-1] in _MODEL_URIS else text


def placed(value: object, at: Pointer = ()) -> Iterator[tuple[Pointer, str]]:
    """Where a manifest names images, with what stands there; a model's address has its scheme.

    By structure: a label, an annotation or a node's label that is called `image` is none.
    """
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from placed(item, (*at, number))
    elif isinstance(value, dict):
        for key, item in value.items():
            here = (*at, key)
            if key in _FREE_MAPS:
                continue
            if not isinstance(item, str):
                yield from placed(item, here)
            elif _names_image(key, item, at):
                yield here, item


def _names_image(key: str, text: str, at: Pointer) -> bool:
    """Whether a text under a key is an image, in a map that stands at a pointer of a manifest."""
    if key == "image":
        return _is_container(at)
    if key == "reference":
        return at[-1:] == ("image",) and at[-3:-2] == ("volumes",)
    if key in _OF_GRAPHS:
        return "graph" in at
    return key in _MODEL_URIS and text.startswith(OCI)


def _is_container(at: Pointer) -> bool:
    """Whether a map is a container: in a list of them, or a predictor's own of KServe."""
    if at[-2:-1] in (("containers",), ("initContainers",), ("ephemeralContainers",)):
        return isinstance(at[-1], int)
    return at[-1:] == ("containerSpec",) or (at[-2:-1] == ("predictor",) and at[-1] in _FRAMEWORKS)


_FREE_MAPS = (
    *("annotations", "labels", "matchLabels", "nodeSelector"),
    *("data", "stringData", "binaryData"),
)
_FRAMEWORKS = (  # PredictorSpec of kserve/kserve: each is a container with fields of its own
    *("model", "sklearn", "xgboost", "tensorflow", "pytorch", "triton", "onnx", "huggingface"),
    *("pmml", "lightgbm", "paddle"),
)
_OF_GRAPHS = ("storageInitializerImage",)  # PredictiveUnit of SeldonIO/seldon-core
_MODEL_URIS = ("storageUri", "uri")  # of a predictor, and in its list storageUris
OCI = ("oci://", "oci+native://")
"""Schemes of KServe's models that are images."""


def _in_text(file: RenderedFile) -> Iterator[str]:
    """The images that builds start from, and the one that is registered with Seldon's operator."""
    if pattern := _IN_FILES.get(file.path.name):
        for found in pattern.finditer(file.text):
            yield ":".join(filter(None, found.groups()))


_IN_FILES = {
    "Dockerfile": re.compile(r"^(?:ARG [A-Z_]*IMAGE=|FROM (?!\$|scratch\b))(\S+)", re.M),
    "build.sh": re.compile(r"^builder_image=(\S+)$", re.M),
    "register-torch-server.py": re.compile(r'^IMAGE = "([^"]+)"\nTAG = "([^"]+)"$', re.M),
}
