"""What kustomize refuses of a folder of manifests, or does to it without a word.

Source: the reference of kustomize, https://kubectl.docs.kubernetes.io/references/kustomize/.
"""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import PurePosixPath

from generator.webhook_rules.nodes import Found, Node, Rendered, real, twice
from generator.webhook_rules.partial import beside, is_kustomization
from generator.webhook_rules.services import RUNTIMES, components

SUFFIXES = (".yaml", ".yml", ".json")
GENERATORS = ("configMapGenerator", "secretGenerator")


def missing_file(rendered: Rendered) -> Iterator[Found]:
    """Kustomize stops at the first file that is not there."""
    for kustomization in _kustomizations(rendered):
        named = [e for e in kustomization.at("resources").elements if _is_local_file(e.text)]
        for generator in GENERATORS:
            for entry in kustomization.at(generator).elements:
                named += [*entry.at("files").elements, *entry.at("envs").elements]
        for entry in named:
            path = entry.text.rpartition("=")[2]
            if path and beside(kustomization, path) not in rendered.files:
                hint = f"name a file of {kustomization.file.parent}/"
                there = "rendered there" if rendered.whole else "there"
                yield entry.refused(f"no file `{path}` is {there}", hint)
        for entry in _patch_entries(kustomization):
            if beside(kustomization, entry.text) not in rendered.files:
                text = f"no patch `{entry.text}` is there"
                yield entry.refused(text, "name a file, or remove it")


def unlisted_manifest(rendered: Rendered) -> Iterator[Found]:
    """A manifest that its kustomization does not name is never applied."""
    for kustomization in _kustomizations(rendered) if rendered.whole else ():
        folder = kustomization.file.parent
        named = {text.rpartition("=")[2] for text in kustomization.texts()}
        for file, parent in _applicable(rendered):
            if parent != folder:
                continue
            # Most are named just so; others may be by a longer way to the same file.
            if file.name not in named and file not in {beside(kustomization, n) for n in named}:
                text = f"`{file.name}` is not listed and would not be applied"
                yield kustomization.at("resources").refused(text, f"add `{file.name}`")


def resource_listed_twice(rendered: Rendered) -> Iterator[Found]:
    """Kustomize refuses a manifest that it has read already."""
    for kustomization in _kustomizations(rendered):
        for entry in twice(kustomization.at("resources").elements):
            yield entry.refused(f"`{entry.text}` is listed twice", "remove one")


def namespace_replaced(rendered: Rendered) -> Iterator[Found]:
    """Kustomize moves every manifest to its own namespace, away from what names the old one.

    In a rendered folder that is a slip; of overlays it is the use.
    """
    for kustomization, manifest in _applied(rendered) if rendered.whole else ():
        theirs, own = kustomization.at("namespace"), manifest.at("metadata", "namespace")
        if theirs.text and own.text and theirs.text != own.text:
            text = f"namespace `{theirs.text}` replaces `{own.text}` of {manifest.file.name}"
            related = own, f"namespace `{own.text}`"
            yield theirs.refused(text, "write the same namespace in both", related=related)


def config_map_in_another_namespace(rendered: Rendered) -> Iterator[Found]:
    """A pod reads ConfigMaps of its own namespace only; it waits for ever for another's."""
    for kustomization, manifest in _applied(rendered) if rendered.whole else ():
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
    used = [component.runtime for component in components(rendered)]
    for kustomization, manifest in _applied(rendered):
        own = kustomization.at("configurations").given  # tells kustomize of more fields
        if manifest.at("kind").text in RUNTIMES and manifest in used and not own:
            for key in ("namePrefix", "nameSuffix"):
                if kustomization.at(key).text:
                    text = f"`{key}` renames the ServingRuntime, not what names it"
                    related = manifest.at("metadata", "name"), "this runtime"
                    hint = "rename both by patches instead"
                    yield kustomization.at(key).refused(text, hint, related=related)


def patches_of_the_old_words(rendered: Rendered) -> Iterator[Found]:
    """Kustomize calls them deprecated: `patches` takes both kinds of patch.

    Source: kustomize, api/types/kustomization.go, and its command `edit fix`.
    """
    for kustomization in _kustomizations(rendered):
        for old in ("patchesStrategicMerge", "patchesJson6902"):
            if kustomization.at(old).elements:
                yield kustomization.at(old).warned(f"`{old}` is deprecated", "write `patches`")


@lru_cache(maxsize=2)  # every rule here asks for the same ones
def _kustomizations(rendered: Rendered) -> tuple[Node, ...]:
    return tuple(manifest for manifest in rendered.manifests if is_kustomization(manifest))


@lru_cache(maxsize=2)
def _applicable(rendered: Rendered) -> tuple[tuple[PurePosixPath, PurePosixPath], ...]:
    """The files of all other manifests, each with its folder."""
    own = {id(kustomization) for kustomization in _kustomizations(rendered)}
    others = (one for one in rendered.manifests if id(one) not in own and one.at("kind").text)
    return tuple((file, file.parent) for file in (real(one.file) for one in others))


def _patch_entries(kustomization: Node) -> Iterator[Node]:
    """The entries that name the file of a patch."""
    for field in ("patches", "patchesJson6902"):
        for entry in kustomization.at(field).elements:
            if entry.at("path").text:
                yield entry.at("path")


def _applied(rendered: Rendered) -> Iterator[tuple[Node, Node]]:
    """Each kustomization with each rendered manifest that it applies."""
    return iter(_all_applied(rendered))


@lru_cache(maxsize=2)
def _all_applied(rendered: Rendered) -> tuple[tuple[Node, Node], ...]:
    return tuple(_find_applied(rendered))


def _find_applied(rendered: Rendered) -> Iterator[tuple[Node, Node]]:
    for kustomization in _kustomizations(rendered):
        listed = {beside(kustomization, e.text) for e in kustomization.at("resources").elements}
        for manifest in rendered.manifests:
            if real(manifest.file) in listed:
                yield kustomization, manifest


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
    patches_of_the_old_words,
)
