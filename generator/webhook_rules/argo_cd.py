"""What Argo CD refuses of an Application, and words in its annotations that do nothing.

Of argoproj/argo-cd, [spec] is util/argo/argo.go, [types] pkg/apis/application/v1alpha1/types.go,
[path] util/app/path/path.go, [options] docs/user-guide/sync-options.md, [hydrator]
controller/hydrator/hydrator.go, [3.2] docs/operator-manual/upgrading/3.1-3.2.md and [diff]
docs/user-guide/diff-strategies.md.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from generator.problem import did_you_mean
from generator.webhook_rules.nodes import Found, Node, Rendered

GROUP = "argoproj.io"
TOOLS = ("kustomize", "helm", "directory", "plugin")
SWITCH = ("true", "false")
CONFIRM = ("true", "false", "confirm")
SYNC_OPTIONS: Mapping[str, tuple[str, ...]] = {  # [options]
    "ApplyOutOfSyncOnly": SWITCH,
    "ClientSideApplyMigration": SWITCH,
    "CreateNamespace": SWITCH,
    "Delete": CONFIRM,
    "FailOnSharedResource": SWITCH,
    "Force": SWITCH,
    "Prune": CONFIRM,
    "PruneLast": SWITCH,
    "PrunePropagationPolicy": ("background", "foreground", "orphan"),
    "Replace": SWITCH,
    "RespectIgnoreDifferences": SWITCH,
    "ServerSideApply": SWITCH,
    "SkipDryRunOnMissingResource": SWITCH,
    "Validate": SWITCH,
}
COMPARE_OPTIONS: Mapping[str, tuple[str, ...]] = {  # [diff], docs/user-guide/compare-options.md
    "IgnoreExtraneous": ("",),
    "IncludeMutationWebhook": SWITCH,
    "ServerSideDiff": SWITCH,
}
HOOKS = ("PreSync", "Sync", "PostSync", "Skip", "SyncFail", "PreDelete", "PostDelete")
DELETE_POLICIES = ("HookSucceeded", "HookFailed", "BeforeHookCreation")


def source_and_sources(rendered: Rendered) -> Iterator[Found]:
    """With `sources` the one `source` is not read [types]."""
    for spec in _specs(rendered):
        if spec.at("source").given and spec.at("sources").elements:
            text = "`source` is not read beside `sources`"
            related = spec.at("sources"), "`sources` stands here"
            yield spec.at("source").warned(text, "remove it", related=related)


def source_without_place(rendered: Rendered) -> Iterator[Found]:
    """Manifests come from a path or a chart of a repository [spec]."""
    for spec in _specs(rendered):
        several = bool(spec.at("sources").elements)
        for source in _sources(spec):
            places = ("path", "chart", "ref") if several else ("path", "chart")
            if not source.at("repoURL").text:
                yield source.refused("a source without `repoURL`", "add `repoURL`")
            elif not any(source.at(place).text for place in places):
                told = " or ".join(f"`{place}`" for place in places)
                yield source.refused(f"a source without {told}", f"add {told}")
        if not _sources(spec) and not spec.at("sourceHydrator").given:
            yield spec.refused("neither `source` nor `sources`", "add `source`")


def chart_without_version(rendered: Rendered) -> Iterator[Found]:
    """Of a Helm chart a version must be asked for [spec]."""
    for spec in _specs(rendered):
        for source in _sources(spec):
            if source.at("chart").text and not source.at("targetRevision").text:
                text = f"chart `{source.at('chart').text}` without `targetRevision`"
                yield source.at("chart").refused(text, "add the chart's version")


def absolute_path(rendered: Rendered) -> Iterator[Found]:
    """The path starts at the root of the repository and does not leave it [path]."""
    for spec in _specs(rendered):
        for path in (source.at("path") for source in _sources(spec)):
            if path.text.startswith("/") and path.text.strip("/"):
                yield path.refused(f"path `{path.text}` is absolute", f"write `{path.text[1:]}`")
            elif path.text.startswith("../"):
                text = f"path `{path.text}` leads out of the repository"
                yield path.refused(text, "write a path from its root")


def several_tools(rendered: Rendered) -> Iterator[Found]:
    """Options of one tool alone say what renders a source: kustomize, helm, directory [types]."""
    for spec in _specs(rendered):
        for source in _sources(spec):
            given = [source.at(tool) for tool in TOOLS if source.at(tool).keys]
            if len(given) > 1:
                told = " and ".join(f"`{tool.path[-1]}`" for tool in given)
                related = given[0], f"`{given[0].path[-1]}` stands here"
                yield given[1].refused(f"a source with {told}", "keep one", related=related)


def destination_not_one(rendered: Rendered) -> Iterator[Found]:
    """A cluster is named by its address or by its name [spec]."""
    for spec in _specs(rendered):
        where = spec.at("destination")
        server, name = where.at("server"), where.at("name")
        if server.text and name.text:
            related = server, "`server` stands here"
            text = "a destination with `server` and `name`"
            yield name.refused(text, "keep one", related=related)
        elif where.given and not server.text and not name.text:
            text = "a destination without `server` or `name`"
            yield where.refused(text, "add server: https://kubernetes.default.svc")


def unknown_sync_option(rendered: Rendered) -> Iterator[Found]:
    """An option of another word or value does nothing, and nobody says so [options]."""
    for place, option in _options(rendered):
        word, equals, value = option.partition("=")
        if word not in SYNC_OPTIONS:
            yield place.warned(f"unknown sync option `{word}`", did_you_mean(word, SYNC_OPTIONS))
        elif not equals or value not in SYNC_OPTIONS[word]:
            text = f"sync option `{option}`"
            yield place.warned(text, f"write {word}={' or '.join(SYNC_OPTIONS[word])}")


def unknown_compare_option(rendered: Rendered) -> Iterator[Found]:
    """An option of another word or value is not looked for, and nobody says so [diff]."""
    for given in _annotations(rendered, "compare-options"):
        for option in filter(None, map(str.strip, given.text.split(","))):
            word, _, value = option.partition("=")
            if word not in COMPARE_OPTIONS:
                hint = did_you_mean(word, COMPARE_OPTIONS)
                yield given.warned(f"unknown compare option `{word}`", hint)
            elif value not in COMPARE_OPTIONS[word]:
                values = COMPARE_OPTIONS[word]
                hint = f"write {word}={' or '.join(values)}" if all(values) else f"write {word}"
                yield given.warned(f"compare option `{option}`", hint)


def hydrated_into_the_root(rendered: Rendered) -> Iterator[Found]:
    """Hydrating replaces what lies in its folder: since Argo CD 3.2 it is not the root [3.2]."""
    for spec in _specs(rendered):
        path = spec.at("sourceHydrator", "syncSource", "path")
        if path.text and not PurePosixPath(path.text.lstrip("/")).parts:
            yield path.refused(f"`{path.text}` is the root of the branch", "name a folder")


def hydrated_twice(rendered: Rendered) -> Iterator[Found]:
    """Two Applications that hydrate one source into one folder of a branch stop all [hydrator]."""
    first: dict[tuple[str, ...], Node] = {}
    for spec in _specs(rendered):
        hydrator = spec.at("sourceHydrator")
        branch = hydrator.at("hydrateTo", "targetBranch").text
        path = hydrator.at("syncSource", "path")
        into = (
            hydrator.at("drySource", "repoURL").text,
            hydrator.at("drySource", "targetRevision").text,
            branch or hydrator.at("syncSource", "targetBranch").text,
            path.text,
        )
        if all(into):
            other = first.setdefault(into, path)
            if other is not path:
                related = other, "the other Application's"
                text = f"another Application hydrates into `{path.text}` of `{into[2]}` too"
                yield path.refused(text, "name another folder or branch", related=related)


def unmanaged_namespace_metadata(rendered: Rendered) -> Iterator[Found]:
    """Labels for a namespace are set where Argo CD makes it, otherwise not [options]."""
    for spec in _specs(rendered):
        metadata = spec.at("syncPolicy", "managedNamespaceMetadata")
        options = [option.text for option in spec.at("syncPolicy", "syncOptions").elements]
        if metadata.keys and "CreateNamespace=true" not in options:
            text = "`managedNamespaceMetadata` does nothing without CreateNamespace=true"
            yield metadata.warned(text, "add CreateNamespace=true to syncOptions")


def sync_wave_no_number(rendered: Rendered) -> Iterator[Found]:
    """A wave that is no whole number is read as 0: gitops-engine, pkg/sync/syncwaves."""
    for wave in _annotations(rendered, "sync-wave"):
        if wave.text and not re.fullmatch(r"[-+]?[0-9]+", wave.text):
            yield wave.warned(f"sync-wave `{wave.text}` is read as 0", 'write a number such as "1"')


def unknown_hook(rendered: Rendered) -> Iterator[Found]:
    """A hook of another word belongs to no phase: gitops-engine, pkg/sync/hook."""
    for known, name in ((HOOKS, "hook"), (DELETE_POLICIES, "hook-delete-policy")):
        for given in _annotations(rendered, name):
            for word in filter(None, map(str.strip, given.text.split(","))):
                if word not in known:
                    yield given.warned(f"unknown {name} `{word}`", did_you_mean(word, known))


def _specs(rendered: Rendered) -> Iterator[Node]:
    """What is said of Applications, also by those that make them."""
    for application in rendered.of_group(GROUP, "Application"):
        yield application.at("spec")
    for made in rendered.of_group(GROUP, "ApplicationSet"):
        if made.at("spec", "template", "spec").given:
            yield made.at("spec", "template", "spec")


def _sources(spec: Node) -> tuple[Node, ...]:
    many = spec.at("sources").elements
    one = spec.at("source")
    return many or ((one,) if one.given else ())


def _options(rendered: Rendered) -> Iterator[tuple[Node, str]]:
    for spec in _specs(rendered):
        for option in spec.at("syncPolicy", "syncOptions").elements:
            if option.text:
                yield option, option.text.strip()
    for given in _annotations(rendered, "sync-options"):
        for word in filter(None, map(str.strip, given.text.split(","))):
            yield given, word


def _annotations(rendered: Rendered, name: str) -> Iterator[Node]:
    """Annotations of Argo CD's, of whatever manifest."""
    for manifest in rendered.manifests:
        yield manifest.at("metadata", "annotations", f"argocd.{GROUP}/{name}")


RULES = (
    source_and_sources,
    source_without_place,
    chart_without_version,
    absolute_path,
    several_tools,
    destination_not_one,
    unknown_sync_option,
    unknown_compare_option,
    hydrated_into_the_root,
    hydrated_twice,
    unmanaged_namespace_metadata,
    sync_wave_no_number,
    unknown_hook,
)
