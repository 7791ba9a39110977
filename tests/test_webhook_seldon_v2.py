"""What the operator and the scheduler of Seldon Core 2 refuse is refused, and no more than that."""

from collections.abc import Mapping
from pathlib import PurePosixPath

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from generator import kinds, webhook_rules
from generator.problem import dotted
from generator.webhook_rules import seldon_pipelines, seldon_v2


def resource(kind: str, spec: str, name: str = "imagenet") -> dict[str, object]:
    """A resource of Seldon Core 2, its spec in YAML."""
    meta = {"name": name}
    api = "mlops.seldon.io/v1alpha1"
    return {"apiVersion": api, "kind": kind, "metadata": meta, "spec": yaml.safe_load(spec)}


def model(spec: str, name: str = "imagenet") -> dict[str, object]:
    """A Model; its storageUri need not be written."""
    return resource("Model", "{storageUri: 'gs://acme/m', " + spec.removeprefix("{"), name)


def refused(*manifests: Mapping[str, object], whole: bool = False) -> list[str]:
    """What the rules say, each with its severity and place."""
    files = {PurePosixPath(f"{index}.yaml"): each for index, each in enumerate(manifests)}
    return [
        f"{refusal.severity} {dotted(refusal.path)}: {refusal.message}"
        for _, refusal in webhook_rules.refusals(files, whole=whole)
    ]


REFUSED = {
    "a name with a dot": (
        model("{}", "imagenet.v1"),
        "error metadata.name: Model `imagenet.v1` does not have a valid name",
    ),
    "a name of one letter": (
        model("{}", "m"),
        "error metadata.name: Model `m` does not have a valid name",
    ),
    "fewer replicas than the least": (
        model("{replicas: 1, minReplicas: 2}"),
        "error spec.replicas: replicas 1 is under minReplicas 2",
    ),
    "no replicas below the least": (
        model("{replicas: 0, minReplicas: 1}"),
        "warning spec.replicas: replicas 0 is under minReplicas 1",
    ),
    "more replicas than the most": (
        model("{replicas: 3, maxReplicas: 2}"),
        "error spec.replicas: replicas 3 exceeds maxReplicas 2",
    ),
    "a range reversed": (
        resource("Server", "{serverConfig: mlserver, minReplicas: 3, maxReplicas: 2}"),
        "error spec.minReplicas: minReplicas 3 exceeds maxReplicas 2",
    ),
    "negative replicas": (
        model("{replicas: -1}"),
        "error spec.replicas: replicas -1 is negative",
    ),
    "half a gibibyte": (
        model("{memory: 0.5Gi}"),
        "error spec.memory: can't convert model memory `0.5Gi` to bytes",
    ),
    "thousandths of bytes": (
        model("{memory: 1000m}"),
        "error spec.memory: can't convert model memory `1000m` to bytes",
    ),
    "half a byte": (
        model("{memory: 1.5}"),
        "error spec.memory: can't convert model memory `1.5` to bytes",
    ),
    "less than no memory": (
        model("{memory: -1Gi}"),
        "error spec.memory: memory `-1Gi` is negative",
    ),
    "a negative version": (
        model("{artifactVersion: -1}"),
        "error spec.artifactVersion: artifactVersion -1 is negative",
    ),
    "a negative weight": (
        resource("Experiment", "{candidates: [{name: a, weight: 50}, {name: b, weight: -50}]}"),
        "error spec.candidates[1].weight: weight -50 is negative",
    ),
    "a negative window": (
        resource("Pipeline", "{steps: [{name: a, joinWindowMs: -1}]}"),
        "error spec.steps[0].joinWindowMs: joinWindowMs -1 is negative",
    ),
    "an explainer that is an llm": (
        model("{explainer: {type: anchor_text, modelRef: a}, llm: {modelRef: a}}"),
        "error spec.llm: Can't have both explainer and llm in model spec",
    ),
    "an explainer of two things": (
        model("{explainer: {type: anchor_text, modelRef: a, pipelineRef: b}}"),
        "warning spec.explainer.pipelineRef: `explainer` names both a model and a pipeline",
    ),
    "an explainer of nothing": (
        model("{explainer: {type: anchor_tabular}}"),
        "warning spec.explainer: anchor_tabular explains neither a model nor a pipeline",
    ),
    "a server of its own": (
        model("{dedicated: true}"),
        "warning spec.dedicated: `dedicated` does nothing",
    ),
    "a share of payloads": (
        model("{logger: {percent: 25}}"),
        "warning spec.logger.percent: `logger.percent` does nothing",
    ),
    "a capability misspelt": (
        model("{requirements: [tensorfow]}"),
        "warning spec.requirements[0]: neither MLServer nor Triton has the capability `tensorfow`",
    ),
    "capabilities of two servers": (
        model("{requirements: [sklearn, onnx]}"),
        "warning spec.requirements[0]: no default server has both onnx and sklearn",
    ),
    "an explainer on Triton": (
        model("{modelType: tensorflow, explainer: {type: anchor_text, modelRef: a}}"),
        "warning spec.modelType: no default server has both alibi-explain and tensorflow",
    ),
    "a claim": (
        resource("Model", "{storageUri: 'pvc://models/imagenet'}"),
        "warning spec.storageUri: `pvc://models/imagenet` is no claim to Seldon Core 2",
    ),
    "an experiment of nothing": (
        resource("Experiment", "{candidates: []}"),
        "error spec.candidates: experiment `imagenet` has no candidates or mirror",
    ),
    "a default that is no candidate": (
        resource("Experiment", "{default: c, candidates: [{name: a, weight: 1}]}"),
        "error spec.default: default `c` is not found in the candidates",
    ),
    "one candidate twice": (
        resource("Experiment", "{candidates: [{name: a, weight: 50}, {name: a, weight: 50}]}"),
        "error spec.candidates[1].name: `a` has a part in the experiment already",
    ),
    "a candidate that is the mirror": (
        resource(
            "Experiment", "{candidates: [{name: a, weight: 1}], mirror: {name: a, percent: 10}}"
        ),
        "error spec.mirror.name: `a` has a part in the experiment already",
    ),
    "an unknown type of resource": (
        resource("Experiment", "{resourceType: pipelines, candidates: [{name: a, weight: 1}]}"),
        "warning spec.resourceType: resourceType `pipelines` is taken for model",
    ),
    "a mirror of more than everything": (
        resource(
            "Experiment", "{candidates: [{name: a, weight: 1}], mirror: {name: b, percent: 101}}"
        ),
        "warning spec.mirror.percent: percent 101 exceeds 100",
    ),
    "a pipeline of nothing": (
        resource("Pipeline", "{steps: []}"),
        "error spec.steps: pipeline `imagenet` has no steps",
    ),
    "one step twice": (
        resource("Pipeline", "{steps: [{name: a}, {name: a}]}"),
        "error spec.steps[1].name: pipeline `imagenet` has repeated step `a`",
    ),
    "a step with the pipeline's name": (
        resource("Pipeline", "{steps: [{name: imagenet}]}"),
        "error spec.steps[0].name: step `imagenet` has the name of its pipeline",
    ),
    "an input that is no side of a step": (
        resource("Pipeline", "{steps: [{name: a}, {name: b, inputs: [a.output.x]}]}"),
        "error spec.steps[1].inputs[0]: `a.output.x` names no output of a step",
    ),
    "a trigger of nothing": (
        resource("Pipeline", "{steps: [{name: a}, {name: b, inputs: [a], triggers: ['']}]}"),
        "error spec.steps[1].triggers[0]: `` names no output of a step",
    ),
    "an output of four parts": (
        resource("Pipeline", "{steps: [{name: a}], output: {steps: [a.outputs.x.y]}}"),
        "error spec.output.steps[0]: `a.outputs.x.y` names no output of a step",
    ),
    "an input of a step that is not there": (
        resource("Pipeline", "{steps: [{name: resize}, {name: b, inputs: [rezise.outputs.x]}]}"),
        "error spec.steps[1].inputs[0]: there is no step `rezise`",
    ),
    "a trigger of a step that is not there": (
        resource("Pipeline", "{steps: [{name: a, triggers: [c]}]}"),
        "error spec.steps[0].triggers[0]: there is no step `c`",
    ),
    "an output of the pipeline itself": (
        resource("Pipeline", "{steps: [{name: a}], output: {steps: [imagenet.inputs]}}"),
        "error spec.output.steps[0]: there is no step `imagenet`",
    ),
    "steps in a circle": (
        resource("Pipeline", "{steps: [{name: a, inputs: [b]}, {name: b, triggers: [a]}]}"),
        "error spec.steps[0].inputs[0]: pipeline `imagenet` has a cycle: a -> b -> a",
    ),
    "a step that waits for itself": (
        resource("Pipeline", "{steps: [{name: a, inputs: [a.outputs.x]}]}"),
        "error spec.steps[0].inputs[0]: pipeline `imagenet` has a cycle: a -> a",
    ),
    "an input of no pipeline": (
        resource("Pipeline", "{input: {externalInputs: []}, steps: [{name: a}]}"),
        "error spec.input: at least one pipeline input must be specified",
    ),
    "a pipeline without a side": (
        resource("Pipeline", "{input: {externalInputs: [other]}, steps: [{name: a}]}"),
        "error spec.input.externalInputs[0]: `other` names no output of a pipeline",
    ),
    "a step of a pipeline without a side": (
        resource("Pipeline", "{input: {externalInputs: [other.step.b]}, steps: [{name: a}]}"),
        "error spec.input.externalInputs[0]: `other.step.b` names no output of a pipeline",
    ),
    "a tensor of a step that is not there": (
        resource("Pipeline", "{steps: [{name: a, tensorMap: {c.outputs.x: y}}]}"),
        "warning spec.steps[0].tensorMap.c.outputs.x: "
        "tensorMap renames a tensor of `c`, which is no step",
    ),
    "a join that is none": (
        resource("Pipeline", "{steps: [{name: a, inputsJoinType: left}]}"),
        "warning spec.steps[0].inputsJoinType: inputsJoinType `left` is taken for inner",
    ),
    "a join of outputs that is none": (
        resource("Pipeline", "{steps: [{name: a}], output: {steps: [a], stepsJoin: all}}"),
        "warning spec.output.stepsJoin: stepsJoin `all` is taken for inner",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refuses(case: str) -> None:
    manifest, message = REFUSED[case]

    assert refused(manifest) == [message]


ALONE = resource("Pipeline", "{steps: [{name: a}]}")
OF_CANDIDATES = resource("Experiment", "{candidates: [{name: a, weight: 1}]}")
WHOLE = {
    "a server that is not there": (
        model("{server: mlservr}"),
        "error spec.server: no Server is named `mlservr`",
    ),
    "a step without its model": (ALONE, "error spec.steps[0].name: no Model is named `a`"),
    "a candidate that is not there": (
        OF_CANDIDATES,
        "error spec.candidates[0].name: no Model is named `a`",
    ),
    "a pipeline that is not there": (
        resource("Experiment", "{resourceType: pipeline, candidates: [{name: a, weight: 1}]}"),
        "error spec.candidates[0].name: no Pipeline is named `a`",
    ),
}


@pytest.mark.parametrize("case", WHOLE)
def test_refuses_what_names_nothing_where_everything_is_there(case: str) -> None:
    manifest, message = WHOLE[case]

    assert refused(manifest, whole=True) == [message]
    assert refused(manifest) == []


def test_takes_what_names_what_is_there() -> None:
    server = resource("Server", "{serverConfig: mlserver}", "big")
    pipeline = resource("Pipeline", "{steps: [{name: aa}]}", "both")
    of_pipelines = "{resourceType: pipeline, candidates: [{name: both, weight: 1}]}"

    names = model("{server: big}", "aa"), server, pipeline, resource("Experiment", of_pipelines)
    assert refused(*names, whole=True) == []
    assert refused(model("{server: triton}"), whole=True) == []


def test_two_experiments_cannot_stand_in_for_one_model() -> None:
    spec = "{default: a, candidates: [{name: a, weight: 1}]}"
    first, second = (resource("Experiment", spec, name) for name in ("blue", "green"))
    of_pipelines = resource("Experiment", spec.replace("{", "{resourceType: pipeline, ", 1), "red")
    message = "spec.default: `a` is the default of experiment `blue` already"

    assert refused(first, second) == [f"warning {message}"]
    told_of_itself = [told for told in refused(first, first, of_pipelines) if "default" in told]
    assert told_of_itself == []
    assert f"error {message}" in refused(first, second, model("{}", "a"), whole=True)


def test_every_rule_refuses_something() -> None:
    spec = "{default: a, candidates: [{name: a, weight: 1}]}"
    two = [resource("Experiment", spec, name) for name in ("blue", "green")]
    told = set()
    for manifests in (*([one] for one, _ in (*REFUSED.values(), *WHOLE.values())), two):
        files = {PurePosixPath(f"{index}.yaml"): each for index, each in enumerate(manifests)}
        told |= {refusal.rule for _, refusal in webhook_rules.refusals(files)}

    every = (*seldon_v2.RULES, *seldon_pipelines.RULES)
    assert {f"seldon-core-2/{rule.__name__.replace('_', '-')}" for rule in every} <= told


TAKEN = {  # in our words, what upstream's samples deploy
    "a pipeline that goes round": resource(
        "Pipeline",
        "{allowCycles: true, maxStepRevisits: 100, dataflow: {cleanTopicsOnDelete: true}, "
        "steps: [{name: a, inputs: [imagenet.inputs, b], inputsJoinType: any}, "
        "{name: b, inputs: [a.outputs.x]}], output: {steps: [a]}}",
    ),
    "a model of the releases after 2.6": model(
        "{dataflow: {cleanTopicsOnDelete: true}, llm: {modelRef: chat}}"
    ),
    "a model": model("{requirements: [sklearn], memory: 100Ki}"),
    "a model with everything": model(
        "{modelType: sklearn, requirements: [mlserver], memory: 1.5G, replicas: 2, minReplicas: 1,"
        " maxReplicas: 3, server: mlserver, secretName: minio, artifactVersion: 2,"
        " parameters: [{name: a, value: b}]}"
    ),
    "memory in bytes": model("{memory: 1024}"),
    "memory with an exponent": model("{memory: 1e6}"),
    "no replicas": model("{replicas: 0}"),
    "no most": model("{replicas: 3, maxReplicas: 0}"),
    "the least alone": model("{minReplicas: 2, maxReplicas: 4}"),
    "a claim that a server mounts": resource("Model", "{storageUri: /var/models/m}"),
    "a capability of somebody's own": model("{requirements: [sklearn-1.0, production, pvc]}"),
    "the capabilities of one server": model("{requirements: [mlserver, python]}"),
    "a model on its own server": model("{requirements: [sklearn, onnx], server: both}"),
    "an explainer of a pipeline": model("{explainer: {type: anchor_tabular, pipelineRef: p}}"),
    "an explainer that looks inside": model("{explainer: {type: integrated_gradients}}"),
    "payloads logged": model("{logger: {}}"),
    "a server": resource("Server", "{serverConfig: mlserver, extraCapabilities: [extra]}"),
    "a server with capabilities of its own": resource(
        "Server", "{serverConfig: mlserver, capabilities: [mlserver-1.3.4], replicas: 2}"
    ),
    "a step": resource("Pipeline", "{steps: [{name: a}], output: {steps: [a]}}"),
    "a chain": resource(
        "Pipeline",
        "{steps: [{name: a}, {name: b, inputs: [a], tensorMap: {a.outputs.x: y}},"
        " {name: c, inputs: [b.outputs, a.inputs.x]}], output: {steps: [c.outputs.y]}}",
    ),
    "a choice": resource(
        "Pipeline",
        "{steps: [{name: one}, {name: a, inputs: [imagenet.inputs.x], triggers: [one.outputs.y]},"
        " {name: b, inputs: [one.outputs.z]}], output: {steps: [a, b], stepsJoin: any}}",
    ),
    "a diamond": resource(
        "Pipeline",
        "{steps: [{name: d, inputs: [b, c], inputsJoinType: outer, joinWindowMs: 500}, {name: a},"
        " {name: b, inputs: [a]}, {name: c, inputs: [a]}], output: {steps: [d]}}",
    ),
    "batches": resource("Pipeline", "{steps: [{name: a, batch: {size: 20}}]}"),
    "inputs of the pipeline renamed": resource(
        "Pipeline",
        "{steps: [{name: a, inputs: [imagenet.inputs.x], tensorMap: {imagenet.inputs.x: y}}]}",
    ),
    "a pipeline after others": resource(
        "Pipeline",
        "{input: {externalInputs: [one.outputs, two.inputs.x, three.step.a.outputs.y],"
        " externalTriggers: [four.outputs], joinType: inner, tensorMap: {one.outputs.x: y}},"
        " steps: [{name: a}], output: {steps: [a]}}",
    ),
    "an experiment": resource(
        "Experiment",
        "{default: a, candidates: [{name: a, weight: 90}, {name: b, weight: 10}],"
        " mirror: {name: c, percent: 100}}",
    ),
    "an experiment on pipelines": resource(
        "Experiment", "{default: a, resourceType: pipeline, candidates: [{name: a, weight: 1}]}"
    ),
}


@pytest.mark.parametrize("case", TAKEN)
def test_takes(case: str) -> None:
    manifest = TAKEN[case]

    assert list(kinds.refusals(manifest)) == []
    assert refused(manifest) == []


def test_a_server_of_somebodys_own_has_other_capabilities() -> None:
    server = resource("Server", "{serverConfig: mlserver, capabilities: [tensorfow]}", "own")

    assert refused(model("{requirements: [tensorfow]}"), server) == []
    assert refused(model("{requirements: [sklearn, onnx]}"), server) == []


def test_an_older_release_is_told_which_one_has_a_field() -> None:
    [told] = kinds.refusals(model("{llm: {}}"), kinds.cluster(["seldon-core-2=2.6.0"]))

    assert told.message == "unknown field `llm`"
    assert "2.10.0" in told.hint


def test_a_pipeline_of_tekton_is_none_of_seldons() -> None:
    theirs = resource("Pipeline", "{steps: []}") | {"apiVersion": "tekton.dev/v1"}

    assert refused(theirs) == []


def test_says_how_to_write_the_memory() -> None:
    file = PurePosixPath("model.yaml")

    ((_, refusal),) = webhook_rules.refusals({file: model("{memory: 1.5Gi}")})

    assert refusal.hint == "write 1536Mi"


def test_shows_the_other_end_of_a_contradiction() -> None:
    file = PurePosixPath("model.yaml")

    ((_, refusal),) = webhook_rules.refusals({file: model("{replicas: 3, maxReplicas: 2}")})

    assert [dotted(place) for _, place, _ in refusal.related] == ["spec.maxReplicas"]


WORDS = st.sampled_from(["a", "b", "imagenet", "a.outputs", "b.inputs.x", "", ".", "a.b.c.d"])
ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
STEPS = st.lists(
    st.fixed_dictionaries(
        {"name": WORDS}, optional={"inputs": st.lists(WORDS), "triggers": st.lists(WORDS)}
    )
)
FIELDS = dict.fromkeys(
    ("memory", "requirements", "explainer", "llm", "candidates", "mirror", "input"), ODD
)


@given(
    spec=st.fixed_dictionaries({}, optional={"steps": STEPS | ODD, "output": ODD, **FIELDS}),
    kind=st.sampled_from(["Model", "Server", "Pipeline", "Experiment"]),
    whole=st.booleans(),
)
def test_odd_values_are_no_mistakes_of_ours(
    spec: dict[str, object], kind: str, whole: bool
) -> None:
    refused(resource(kind, "{}") | {"spec": spec}, whole=whole)
