"""What KServe's webhooks refuse of an InferenceGraph.

Of kserve/kserve, [graph] is pkg/apis/serving/v1alpha1/inference_graph_validation.go and [router]
cmd/router/main.go.
"""

from collections.abc import Iterator

from generator.problem import did_you_mean
from generator.webhook_rules.nodes import Found, Node, Rendered, twice
from generator.webhook_rules.services import KSERVE

ROOT = "root"
TARGETS = ("nodeName", "serviceName", "serviceUrl")
WHOLE_TRAFFIC = 100


def graph_without_root(rendered: Rendered) -> Iterator[Found]:
    """A graph starts at the node `root` [graph]."""
    for graph in _graphs(rendered):
        nodes = graph.at("spec", "nodes")
        if nodes.given and ROOT not in nodes.keys:
            text = "no node is named `root`, where the graph starts"
            yield nodes.refused(text, "name the first node `root`")


def step_name_twice(rendered: Rendered) -> Iterator[Found]:
    """The steps of a node have names of their own [graph]."""
    for node in _nodes(rendered):
        for name in twice(tuple(step.at("name") for step in node.at("steps").elements)):
            yield name.refused(f"two steps are named `{name.text}`", "rename one")


def step_without_target(rendered: Rendered) -> Iterator[Found]:
    """A step leads to a node, a service or an address [graph]."""
    for node in _nodes(rendered):
        for step in node.at("steps").elements:
            given = [step.at(name) for name in TARGETS if step.at(name).text]
            if not given:
                yield step.refused("a step that leads nowhere", f"add one of {', '.join(TARGETS)}")


def step_with_two_targets(rendered: Rendered) -> Iterator[Found]:
    """A step leads to one place alone [graph]."""
    for node in _nodes(rendered):
        for step in node.at("steps").elements:
            given = [step.at(name) for name in TARGETS if step.at(name).text]
            if len(given) > 1:
                told = " and ".join(f"`{target.path[-1]}`" for target in given)
                related = given[0], f"`{given[0].path[-1]}` stands here"
                yield given[1].refused(f"a step with {told}", "keep one", related=related)


def step_to_no_node(rendered: Rendered) -> Iterator[Found]:
    """A step to a node that the graph does not have fails at every request [router]."""
    for graph in _graphs(rendered):
        nodes = graph.at("spec", "nodes")
        for node in map(nodes.at, nodes.keys):
            for target in (step.at("nodeName") for step in node.at("steps").elements):
                if target.text and target.text not in nodes.keys:
                    text = f"the graph has no node `{target.text}`"
                    yield target.refused(text, did_you_mean(target.text, nodes.keys))


def splitter_without_weight(rendered: Rendered) -> Iterator[Found]:
    """A Splitter shares the traffic by the weights of its steps [graph]."""
    for node in _splitters(rendered):
        for step in node.at("steps").elements:
            if not step.at("weight").given:
                yield step.refused("a step of a Splitter without `weight`", "add `weight`")


def splitter_weights_not_whole(rendered: Rendered) -> Iterator[Found]:
    """The weights of a Splitter make up the whole traffic [graph]."""
    for node in _splitters(rendered):
        weights = [step.at("weight").number for step in node.at("steps").elements]
        known = [weight for weight in weights if weight is not None]
        if len(known) == len(weights) and sum(known) != WHOLE_TRAFFIC:
            text = f"the weights sum to {sum(known)}, not {WHOLE_TRAFFIC}"
            yield node.at("steps").refused(text, f"make them sum to {WHOLE_TRAFFIC}")


def condition_without_switch(rendered: Rendered) -> Iterator[Found]:
    """Splitters and Ensembles do not look at conditions; Switches and Sequences do [router]."""
    for node in _nodes(rendered):
        kind = node.at("routerType").text
        for step in node.at("steps").elements if kind in ("Splitter", "Ensemble") else ():
            if step.at("condition").text:
                text = f"`condition` does nothing in a node of routerType {kind}"
                related = node.at("routerType"), f"routerType is {kind}"
                hint = "remove it, or use routerType Switch"
                yield step.at("condition").warned(text, hint, related=related)


def _graphs(rendered: Rendered) -> Iterator[Node]:
    return rendered.of_group(KSERVE, "InferenceGraph")


def _nodes(rendered: Rendered) -> Iterator[Node]:
    for graph in _graphs(rendered):
        nodes = graph.at("spec", "nodes")
        yield from map(nodes.at, nodes.keys)


def _splitters(rendered: Rendered) -> Iterator[Node]:
    return (node for node in _nodes(rendered) if node.at("routerType").text == "Splitter")


RULES = (
    graph_without_root,
    step_name_twice,
    step_without_target,
    step_with_two_targets,
    step_to_no_node,
    splitter_without_weight,
    splitter_weights_not_whole,
    condition_without_switch,
)
