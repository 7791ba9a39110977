"""Find the parts of a SeldonDeployment that several rules are about."""

from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache

from msgspec import Struct

from generator.webhook_rules.nodes import Node, Rendered

NO_IMPLEMENTATION = ("", "UNKNOWN_IMPLEMENTATION")
# seldondeployment_types.go of seldon-core: what the orchestrator does by itself, without a pod.
BUILT_IN = ("SIMPLE_MODEL", "SIMPLE_ROUTER", "RANDOM_ABTEST", "AVERAGE_COMBINER")
NO_ENGINE = "seldon.io/no-engine"
SEPARATE_ENGINE = "seldon.io/engine-separate-pod"


class Predictor(Struct, frozen=True, dict=True):
    """A predictor of a SeldonDeployment; its graph's nodes are *units*, as Seldon calls them."""

    deployment: Node
    spec: Node

    @property
    def name(self) -> str:
        return self.spec.at("name").text

    @property
    def deployment_name(self) -> str:
        return self.deployment.at("metadata", "name").text

    @cached_property
    def units(self) -> tuple[Node, ...]:
        """The units of the graph, each before its children."""
        return tuple(_units(self.spec.at("graph")))

    @property
    def pods(self) -> tuple[Node, ...]:
        """The componentSpecs, each a Deployment of its own."""
        return self.spec.at("componentSpecs").elements

    @cached_property
    def containers(self) -> tuple[Node, ...]:
        """The containers of all pods that the manifest writes down."""
        return tuple(one for pod in self.pods for one in containers(pod))

    def container(self, name: str) -> Node | None:
        """The first container of a name, as Seldon finds a unit's."""
        return self._named_containers.get(name)

    def unit(self, name: str) -> Node | None:
        """The first unit of a name."""
        return self._named_units.get(name)

    @cached_property
    def _named_containers(self) -> dict[str, Node]:
        return {one.at("name").text: one for one in reversed(self.containers)}

    @cached_property
    def _named_units(self) -> dict[str, Node]:
        return {one.at("name").text: one for one in reversed(self.units)}

    @property
    def is_without_engine(self) -> bool:
        """Whether requests go to the one unit, past the orchestrator."""
        return self.spec.at("annotations", NO_ENGINE).text.lower() == "true"

    @property
    def has_engine_of_its_own(self) -> bool:
        """Whether the orchestrator has a pod of its own; else it stands in the first."""
        return self.deployment.at("spec", "annotations", SEPARATE_ENGINE).given


def predictors(rendered: Rendered) -> Iterator[Predictor]:
    """The predictors of every SeldonDeployment."""
    return iter(_predictors(rendered))


@lru_cache(maxsize=2)  # every rule of Seldon's asks for the same ones
def _predictors(rendered: Rendered) -> tuple[Predictor, ...]:
    found = rendered.of_kind("SeldonDeployment")
    return tuple(each for deployment in found for each in predictors_of(deployment))


def predictors_of(deployment: Node) -> Iterator[Predictor]:
    """The predictors of one SeldonDeployment."""
    for spec in deployment.at("spec", "predictors").elements:
        yield Predictor(deployment, spec)


def unit_containers(every: Iterable[Predictor]) -> Iterator[tuple[Node, Node]]:
    """Each unit of some predictors that has a container written down, with it."""
    for predictor in every:
        for container in predictor.containers:
            unit = predictor.unit(container.at("name").text)
            if unit:
                yield unit, container


def firsts(nodes: Iterable[Node]) -> dict[str, Node]:
    """The first node of each text."""
    return {node.text: node for node in reversed(tuple(nodes))}


def containers(pod: Node) -> tuple[Node, ...]:
    """The containers of an entry of componentSpecs."""
    return pod.at("spec", "containers").elements


def server(unit: Node) -> str:
    """The prepackaged server that Seldon starts for a unit, if it is one: IsPrepack, prepack.go."""
    name = unit.at("implementation").text
    return "" if name in (*NO_IMPLEMENTATION, *BUILT_IN) else name


def needs_container(unit: Node) -> bool:
    """Whether a unit is a container of the user's own."""
    return unit.at("implementation").text in NO_IMPLEMENTATION


def protocol(deployment: Node) -> str:
    """What the whole deployment speaks; kfserving is the older word for v2."""
    word = deployment.at("spec", "protocol").text or "seldon"
    return "v2" if word == "kfserving" else word


def _units(unit: Node) -> Iterator[Node]:
    if unit.given:
        yield unit
    for child in unit.at("children").elements:
        yield from _units(child)
