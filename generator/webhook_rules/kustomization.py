"""What kustomize refuses of a folder of manifests, or does to it without a word.

Source: the reference of kustomize, https://kubectl.docs.kubernetes.io/references/kustomize/.
"""

import posixpath
from collections.abc import Iterator
from pathlib import PurePosixPath

from generator.webhook_rules.nodes import Found, Node, Rendered, twice
from generator.webhook_rules.services import RUNTIMES, components, runtime_of

SUFFIXES = (".yaml", ".yml", ".json")
GENERATORS = ("configMapGenerator", "secretGenerator")


def missing_file(rendered: Rendered) -> Iterator[Found]:
    """Kustomize stops at the first file that is not there."""
    for kustomization in rendered.of_kind("Kustomization"):
        named = [e for e in kustomization.at("resources").elements if _is_local_file(e.text)]
        for generator in GENERATORS:
            for entry in kustomization.at(generator).elements:
                named += [*entry.at("files").elements, *entry.at("envs").elements]
        for entry in named:
            path = entry.text.rpartition("=")[2]
            if path and _beside(kustomization, path) not in rendered.files:
                hint = f"name a file of {kustomization.file.parent}/"
                yield entry.refused(f"no file `{path}` is rendered there", hint)


def unlisted_manifest(rendered: Rendered) -> Iterator[Found]:
    """A manifest that its kustomization does not name is never applied."""
    for kustomization in rendered.of_kind("Kustomization"):
        told = [text.rpartition("=")[2] for text in kustomization.texts()]
        named = {_beside(kustomization, text) for text in told}
        for manifest in rendered.manifests:
            kind, file = manifest.at("kind").text, manifest.file
            neighbour = file.parent == kustomization.file.parent and file not in named
            if neighbour and kind and kind != "Kustomization":
                text = f"`{file.name}` is not listed and would not be applied"
                yield kustomization.at("resources").refused(text, f"add `{file.name}`")


def resource_listed_twice(rendered: Rendered) -> Iterator[Found]:
    """Kustomize refuses a manifest that it has read already."""
    for kustomization in rendered.of_kind("Kustomization"):
        for entry in twice(kustomization.at("resources").elements):
            yield entry.refused(f"`{entry.text}` is listed twice", "remove one")


def namespace_replaced(rendered: Rendered) -> Iterator[Found]:
    """Kustomize moves every manifest to its own namespace, away from what names the old one."""
    for kustomization, manifest in _applied(rendered):
        theirs, own = kustomization.at("namespace"), manifest.at("metadata", "namespace")
        if theirs.text and own.text and theirs.text != own.text:
            text = f"namespace `{theirs.text}` replaces `{own.text}` of {manifest.file.name}"
            yield theirs.refused(text, "write the same namespace in both")


def config_map_in_another_namespace(rendered: Rendered) -> Iterator[Found]:
    """A pod reads ConfigMaps of its own namespace only; it waits for ever for another's."""
    for kustomization, manifest in _applied(rendered):
        mounted = {
            volume.at("configMap", "name").text
            for volume in manifest.at("spec", "template", "spec", "volumes").elements
        }
        if kustomization.at("namespace").text:
            continue
        for entry in kustomization.at("configMapGenerator").elements:
            own, theirs = manifest.at("metadata", "namespace"), entry.at("namespace").text
            if entry.at("name").text in mounted and own.text != theirs:
                place = f"namespace `{theirs}`" if theirs else "no namespace of its own"
                text = f"ConfigMap `{entry.at('name').text}` is made in {place}"
                yield own.refused(text, f"set `namespace` in {kustomization.file}")


def runtime_renamed(rendered: Rendered) -> Iterator[Found]:
    """Kustomize renames a ServingRuntime, but not in `runtime`, a field it does not know."""
    used = [runtime_of(component, rendered) for component in components(rendered)]
    for kustomization, manifest in _applied(rendered):
        if manifest.at("kind").text in RUNTIMES and manifest in used:
            for key in ("namePrefix", "nameSuffix"):
                if kustomization.at(key).text:
                    text = f"`{key}` renames the ServingRuntime, not what names it"
                    yield kustomization.at(key).refused(text, "rename both by patches instead")


def _applied(rendered: Rendered) -> Iterator[tuple[Node, Node]]:
    """Each kustomization with each rendered manifest that it applies."""
    for kustomization in rendered.of_kind("Kustomization"):
        listed = {_beside(kustomization, e.text) for e in kustomization.at("resources").elements}
        for manifest in rendered.manifests:
            if manifest.file in listed:
                yield kustomization, manifest


def _beside(kustomization: Node, path: str) -> PurePosixPath:
    return PurePosixPath(posixpath.normpath(kustomization.file.parent / path))


def _is_local_file(entry: str) -> bool:
    """Whether an entry is a file rather than a folder or an address."""
    return entry.endswith(SUFFIXES) and "://" not in entry and not entry.startswith("git@")


RULES = (
    missing_file,
    unlisted_manifest,
    resource_listed_twice,
    namespace_replaced,
    config_map_in_another_namespace,
    runtime_renamed,
)
