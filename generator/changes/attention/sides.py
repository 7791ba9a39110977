"""What the rules of attention look at: both sides' manifests, paired, with their pods."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

from generator.changes.contents import MANIFEST, Item
from generator.changes.leaves import canonical
from generator.changes.pairing import Pair, Promotion
from generator.webhook_rules.graphs import predictors
from generator.webhook_rules.nodes import Node, Rendered
from generator.webhook_rules.podspecs import WORKLOADS
from generator.webhook_rules.services import (
    MAIN_CONTAINER,
    Component,
    components,
    knative_services,
    main_container,
    runtimes,
)


@dataclass(frozen=True)
class Finding:
    """What needs attention: in which item, where in it, from what to what.

    `rule` and `why` come from the rule that yields it.
    """

    item: Item
    where: str
    message: str
    rule: str = ""
    why: str = ""


@dataclass(frozen=True)
class Layers:
    """Values over each other, as of a model's fields over its runtime's: the first given wins."""

    nodes: tuple[Node, ...] = ()

    def at(self, *keys: str) -> "Layers":
        return Layers(tuple(node.at(*keys) for node in self.nodes))

    @property
    def value(self) -> object:
        """The value on top; null is nothing, as in Go."""
        return next((node.value for node in self.nodes if node.given), None)

    @property
    def given(self) -> bool:
        return self.value is not None

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the maps, in all layers."""
        return tuple(dict.fromkeys(key for node in self.nodes for key in node.keys))

    @property
    def elements(self) -> tuple[Node, ...]:
        """The elements of the list on top."""
        return next((node.elements for node in self.nodes if node.given), ())


@dataclass(frozen=True)
class Pod:
    """A pod that a manifest leads to: its own fields, and its containers by name."""

    where: str
    spec: Layers
    containers: Mapping[str, Layers]
    volumes: tuple[Node, ...]
    unseen: str = ""
    """The runtime below it, where that is the cluster's own."""

    def secured(self, container: str, *keys: str) -> object:
        """What a container's security context says, or else the pod's."""
        own = self.containers[container].at("securityContext", *keys).value
        return self.spec.at("securityContext", *keys).value if own is None else own


@dataclass(frozen=True)
class Both:
    """A manifest, or a pod's, that is on both sides."""

    item: Item
    old: Node
    new: Node


@dataclass(frozen=True, eq=False)
class Sides:
    """All pairs of a place; `whole` as in `Rendered`."""

    pairs: tuple[Pair, ...]
    whole: bool
    promotion: Promotion | None = None

    @property
    def missing(self) -> str:
        """Said of what is on the old side alone."""
        return f"is not in {self.promotion.new}" if self.promotion else "is no longer there"

    @cached_property
    def old(self) -> Rendered:
        nodes = (_node(n, pair.old) for n, pair in enumerate(self.pairs))
        return Rendered(tuple(filter(None, nodes)), frozenset(), self.whole)

    @cached_property
    def new(self) -> Rendered:
        nodes = (_node(n, pair.new) for n, pair in enumerate(self.pairs))
        return Rendered(tuple(filter(None, nodes)), frozenset(), self.whole)

    def both(self, *kinds: str) -> Iterator[Both]:
        """The manifests that were there and still are, of some kinds or of all."""
        for number, pair in enumerate(self.pairs):
            old, new = _node(number, pair.old), _node(number, pair.new)
            if old and new and pair.new and (not kinds or pair.new.kind in kinds):
                yield Both(pair.new, old, new)

    def gone(self, *kinds: str) -> Iterator[Item]:
        """The manifests of some kinds that are no longer there."""
        return (p.old for p in self.pairs if p.old and p.new is None and p.old.kind in kinds)

    def come(self, *kinds: str) -> Iterator[Item]:
        """The manifests of some kinds that were not there."""
        return (p.new for p in self.pairs if p.new and p.old is None and p.new.kind in kinds)

    @cached_property
    def pods(self) -> tuple[tuple[Item, Pod, Pod], ...]:
        """The pods on both sides, each with the item that it belongs to.

        One whose runtime is here on one side alone is none of them: what the other says is unknown.
        """
        return tuple(one for one in self._paired_pods if bool(one[1].unseen) == bool(one[2].unseen))

    @property
    def pods_out_of_sight(self) -> Iterator[tuple[Item, Pod]]:
        """The new pods whose runtime was here, and is no longer."""
        return (
            (item, new) for item, old, new in self._paired_pods if new.unseen and not old.unseen
        )

    @cached_property
    def _paired_pods(self) -> tuple[tuple[Item, Pod, Pod], ...]:
        old, new = _pods(self.old), _pods(self.new)
        items = {_file(number): pair.item for number, pair in enumerate(self.pairs)}
        return tuple((items[key[0]], old[key], new[key]) for key in new if key in old)

    @cached_property
    def containers(self) -> tuple[tuple[Item, str, Pod, Pod], ...]:
        """The containers on both sides, by name, each with its pods."""
        return tuple(
            (item, name, old, new)
            for item, old, new in self.pods
            for name in new.containers
            if name in old.containers
        )


def at(item: Item, *keys: str) -> str:
    """What stands in a manifest, as text that is the same for the same."""
    return canonical(Node(item.file, (), item.data).at(*keys).value)


def _file(number: int) -> PurePosixPath:
    return PurePosixPath(f"{number}.yaml")


def _node(number: int, item: Item | None) -> Node | None:
    """The manifest of a pair; its file is the number of the pair, the same on both sides."""
    is_manifest = item is not None and item.form == MANIFEST
    return Node(_file(number), (), item.data) if item and is_manifest else None


_Pods = dict[tuple[PurePosixPath, str], Pod]


def _pods(rendered: Rendered) -> _Pods:
    """The pods of a side by the pair that they belong to, and where in it they stand."""
    found: _Pods = {}
    used: set[PurePosixPath] = set()
    for component in components(rendered):
        runtime = component.runtime
        main = main_container(runtime) if runtime else None
        specs = [component.spec, *([runtime.at("spec")] if runtime else [])]
        containers: dict[str, Layers] = {}
        for model in component.models:
            containers[MAIN_CONTAINER] = Layers((model, *([main] if main else [])))
        for spec in specs:
            for name, layers in _containers(spec).items():
                containers.setdefault(name, layers)
        where = ".".join(map(str, component.spec.path))
        unseen = "" if runtime or not component.models else _runtime(component)
        found[component.service.file, where] = _pod(where, specs, containers, unseen)
        used |= {runtime.file} if runtime else set()
    for where, spec in _plain(rendered, used):
        found[spec.file, where] = _pod(where, [spec], _containers(spec))
    return found


def _runtime(component: Component) -> str:
    """The name of the runtime that a component asks for, or what stands for it."""
    named = (model.at("runtime").text for model in component.models)
    return next(filter(None, named), "which KServe chooses")


def _pod(where: str, specs: list[Node], containers: dict[str, Layers], unseen: str = "") -> Pod:
    volumes = tuple(volume for spec in specs for volume in spec.at("volumes").elements)
    return Pod(where, Layers(tuple(specs)), containers, volumes, unseen)


def _plain(rendered: Rendered, used: set[PurePosixPath]) -> Iterator[tuple[str, Node]]:
    """The specs of pods that stand in one manifest, and what they are called in it."""
    for manifest in rendered.of_kind(*WORKLOADS):
        yield "spec.template.spec", manifest.at("spec", "template", "spec")
    for manifest in rendered.of_kind("Pod"):
        yield "spec", manifest.at("spec")
    for manifest in rendered.of_kind("CronJob"):
        spec = manifest.at("spec", "jobTemplate", "spec", "template", "spec")
        yield "spec.jobTemplate.spec.template.spec", spec
    for service in knative_services(rendered):
        yield "spec.template.spec", service.spec
    for runtime in runtimes(rendered):
        if runtime.file not in used:
            yield "spec", runtime.at("spec")
    for predictor in predictors(rendered):
        for number, pod in enumerate(predictor.pods):
            name = pod.at("metadata", "name").text or str(number)
            yield f"spec.predictors[{predictor.name}].componentSpecs[{name}].spec", pod.at("spec")


def _containers(spec: Node) -> dict[str, Layers]:
    found = {}
    for key, mark in (("containers", ""), ("initContainers", "init ")):
        for container in spec.at(key).elements:
            found[mark + container.at("name").text] = Layers((container,))
    return found
