"""Rules about the images that rendered files name, once a lock or its lack has had its say."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from msgspec import Struct

from generator import images
from generator.artefact import RenderedFile
from generator.diagnostics import Diagnostic, shown
from generator.document import Document, Pointer
from generator.images import Use
from generator.problem import Problem, located
from generator.project import Project

AREA = "images"
_LOCKING = "gen lock"


class Named(Struct, frozen=True):
    """The images that the rendered files of a project on one target name, each once."""

    project: Project
    options: object
    document: Document
    uses: tuple[Use, ...]


def found(
    project: Project,
    options: object,
    document: Document,
    files: Iterable[RenderedFile],
    read: Mapping[PurePosixPath, object] = images.NOTHING_READ,
) -> Iterator[Diagnostic]:
    """What the rules say of a project's rendered files, but for what the spec accepts.

    `read` is what is known already of what the files hold.
    """
    uses = {use.image: use for use in images.used(files, read)}
    named = Named(project, options, document, tuple(uses.values()))
    for rule in RULES:
        name = f"{AREA}/{rule.__name__.replace('_', '-')}"
        for problem in rule(named):
            if problem.severity == "error" or name not in project.accepted_warnings:
                yield located(problem, name, document)


def no_reference(named: Named) -> Iterator[Problem]:
    """What is no name of an image is pulled by no node and built on by no builder.

    A name is a registry, a path in small letters, a tag that begins with a letter, a digit or `_`,
    and a digest written out. Source: reference/regexp.go of distribution/reference
    """
    for use in named.uses:
        # KServe fills {{.Name}} and its like into a runtime's containers.
        if images.reference(use.image) is None and "{{" not in use.image:
            message = f"{use.path}: `{shown(use.image)}` is no name of an image"
            hint = "write such as docker.io/acme/model:1.0, in small letters up to the tag"
            yield Problem(_where(named, use), message, hint)


def latest(named: Named) -> Iterator[Problem]:
    """A tag `latest`, or none, which means the same, is another image from one day to the next.

    Two nodes can run different ones at a time, nobody can go back to the one before, and a lock
    would not tell which release its digest is of. A digest that is written beside the tag settles
    it. Source: https://kubernetes.io/docs/concepts/containers/images/#image-names
    """
    for use in named.uses:
        parts = images.reference(use.image)
        if parts and (parts.tag or images.NO_TAG) == images.NO_TAG:
            if parts.digest and not _is_locked(named, parts):
                continue
            name = use.image.partition("@")[0]
            message = f"{use.path}: `{name}` is whatever was pushed last"
            hint = "name a release by its tag, or the image by its digest"
            yield Problem(_where(named, use), message, hint)


def not_locked(named: Named) -> Iterator[Problem]:
    """A lock holds for this spec, and has no digest of an image: its tag can be moved unseen.

    A tag is a name that a registry lets be pushed again; a digest is of the content. Source:
    https://kubernetes.io/docs/concepts/containers/images/#image-names
    """
    if named.project.locked is None:
        return
    for use in named.uses:
        parts = images.reference(use.image)
        if parts and not parts.digest and (parts.tag or images.NO_TAG) != images.NO_TAG:
            message = f"{use.path}: `{use.image}` is not in images.lock"
            hint = f"run {_LOCKING} on this spec, once the image is in its registry"
            if parts.name in named.project.locked:
                message = f"{use.path}: `{use.image}` is locked, and stands there by its tag alone"
                hint = "write its name on one line, without an anchor or a tag of YAML"
            yield Problem(_where(named, use), message, hint, "warning")


def of_the_cluster(named: Named) -> Iterator[Problem]:
    """A lock holds for this spec, and the server's image is that of a runtime of the cluster.

    What is rendered does not name it: KServe takes the image of the ServingRuntime, and puts
    runtimeVersion in the place of its tag, or of the last part of its digest. Who owns the cluster
    pins it. Source: UpdateImageTag in pkg/controller/v1beta1/inferenceservice/utils/utils.go of
    kserve/kserve
    """
    runtime = getattr(named.options, "runtime", _OWN)
    if named.project.locked is None or runtime == _OWN:
        return
    message = f"images.lock cannot pin the image of runtime `{runtime}`, which is the cluster's"
    hint = "set runtime: own, or accept images/of-the-cluster where its owner pins it"
    yield Problem(("targets", named.project.target, "runtime"), message, hint, "warning")


_OWN = "own"

RULES = (no_reference, latest, not_locked, of_the_cluster)


def _is_locked(named: Named, parts: images.Reference) -> bool:
    """Whether the digest is the lock's, and was not written by hand."""
    return (named.project.locked or {}).get(parts.name) == parts.digest


def _where(named: Named, use: Use) -> Pointer:
    """The value of the spec that names the image, or its tag, or else the target."""
    document, own = named.document, named.project.images
    name = use.image.partition("@")[0]
    if written := _holding(document, name):
        return written
    path, _, tag = name.rpartition(":")
    if own and tag == own.tag and (path.startswith(f"{own.registry}/") or _holding(document, path)):
        return ("images", "tag")
    versions = (at for at in _pointers(document, tag) if str(at[-1]).endswith("_version"))
    return next(versions, ("targets", named.project.target))


def _holding(document: Document, image: str) -> Pointer | None:
    """Where an image's name stands as it is, with a digest, or as a model's address."""
    values = (image, *(f"{scheme}{image}" for scheme in images.OCI))
    return next((at for value in values for at in _pointers(document, value)), None)


def _pointers(document: Document, text: str) -> Iterator[Pointer]:
    """Where the spec holds a text, a digest behind it or not."""
    for at, place in document.places.items():
        if at and place.written is not None and place.written.partition("@")[0] == text:
            yield at
