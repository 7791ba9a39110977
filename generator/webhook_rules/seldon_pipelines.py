"""What the scheduler of Seldon Core 2 refuses, or reads otherwise, of a Pipeline.

Nobody refuses a Pipeline at the door: it never becomes ready. Of SeldonIO/seldon-core, branch v2,
[validate] is validate.go and utils.go in scheduler/pkg/store/pipeline, [types]
operator/apis/mlops/v1alpha1/pipeline_types.go.
"""

from collections.abc import Iterator

from generator.problem import did_you_mean
from generator.webhook_rules.graphs import firsts
from generator.webhook_rules.nodes import Found, Node, Rendered, name_of, twice
from generator.webhook_rules.seldon_v2 import LISTED, of

SIDES = ("inputs", "outputs")
OF_A_STEP = "step"
FORM = "write `<step>`, `<step>.outputs.<tensor>` or `<step>.inputs.<tensor>`"
EXTERNAL_FORM = "write `<pipeline>.outputs.<tensor>` or `<pipeline>.step.<step>.outputs.<tensor>`"
JOINS = ("inner", "outer", "any")  # [types]
JOIN_FIELDS = (
    ("output", "stepsJoin"),
    ("input", "joinType"),
    ("input", "triggersJoinType"),
)


def no_steps(rendered: Rendered) -> Iterator[Found]:
    """A pipeline does something [validate]."""
    for pipeline in of(rendered, "Pipeline"):
        if pipeline.at("spec", "steps").value == []:
            text = f"pipeline `{name_of(pipeline)}` has no steps"
            yield pipeline.at("spec", "steps").refused(text, "add a step")


def step_twice(rendered: Rendered) -> Iterator[Found]:
    """A step is called after its model, which can stand in a pipeline once [validate]."""
    for pipeline in of(rendered, "Pipeline"):
        names = tuple(step.at("name") for step in _steps(pipeline))
        first = firsts(names)
        for name in twice(names):
            text = f"pipeline `{name_of(pipeline)}` has repeated step `{name.text}`"
            hint = "deploy the model under a second name"
            yield name.refused(text, hint, related=(first[name.text], "the same step"))


def step_named_as_pipeline(rendered: Rendered) -> Iterator[Found]:
    """Steps name the inputs of the whole pipeline by its name [validate]."""
    for pipeline in of(rendered, "Pipeline"):
        for step in _steps(pipeline):
            name = step.at("name")
            if name.text and name.text == name_of(pipeline):
                text = f"step `{name.text}` has the name of its pipeline"
                yield name.refused(text, "rename the pipeline", related=_name(pipeline))


def reference_of_another_form(rendered: Rendered) -> Iterator[Found]:
    """Steps take the inputs or outputs of another, all tensors or one [validate].

    The name of a step alone is its outputs.
    """
    for pipeline in of(rendered, "Pipeline"):
        for place in (*_taken(pipeline), *pipeline.at("spec", "output", "steps").elements):
            if not _is_reference(place):
                yield place.refused(f"`{place.text}` names no output of a step", FORM)


def step_not_there(rendered: Rendered) -> Iterator[Found]:
    """What a step waits for is a step of the pipeline, or what the pipeline is sent [validate]."""
    for pipeline in of(rendered, "Pipeline"):
        names = _names(pipeline)
        near = sorted(names)[:LISTED]
        places = [(place, name_of(pipeline)) for place in _taken(pipeline)]
        places += [(place, "") for place in pipeline.at("spec", "output", "steps").elements]
        for place, also in places:
            step = _step(place)
            if _is_reference(place) and step not in names and step != also:
                yield place.refused(f"there is no step `{step}`", did_you_mean(step, near))


def steps_in_a_circle(rendered: Rendered) -> Iterator[Found]:
    """Steps that wait for each other wait for ever [validate].

    A pipeline with `allowCycles` may have a way round: https://docs.seldon.ai/seldon-core-2
    """
    for pipeline in of(rendered, "Pipeline"):
        if pipeline.at("spec", "allowCycles").value is True:
            continue
        steps = {step.at("name").text: step for step in _steps(pipeline)}
        waits = {name: {_step(place) for place in _waits(step)} for name, step in steps.items()}
        from graphlib import CycleError, TopologicalSorter  # for pipelines alone

        try:
            TopologicalSorter(waits).prepare()
        except CycleError as cycle:
            circle: list[str] = cycle.args[1]
            round_trip = " -> ".join(circle)
            place = next(one for one in _waits(steps[circle[-1]]) if _step(one) == circle[-2])
            text = f"pipeline `{name_of(pipeline)}` has a cycle: {round_trip}"
            yield place.refused(text, "remove this one")


def external_input_of_another_form(rendered: Rendered) -> Iterator[Found]:
    """A pipeline takes what another pipeline, or a step of it, is sent or sends [validate]."""
    for pipeline in of(rendered, "Pipeline"):
        inputs = pipeline.at("spec", "input", "externalInputs")
        if pipeline.at("spec", "input").given and not inputs.elements:
            text = "at least one pipeline input must be specified"
            yield pipeline.at("spec", "input").refused(text, "add externalInputs")
        for place in inputs.elements:
            if not _is_external(place):
                text = f"`{place.text}` names no output of a pipeline"
                yield place.refused(text, EXTERNAL_FORM)


def tensor_of_no_step(rendered: Rendered) -> Iterator[Found]:
    """A tensor is renamed on its way from one step to the next: tensorMap [types]."""
    for pipeline in of(rendered, "Pipeline"):
        names = _names(pipeline)
        near = sorted(names)[:LISTED]
        maps = [step.at("tensorMap") for step in _steps(pipeline)]
        for renames in (*maps, pipeline.at("spec", "output", "tensorMap")):
            for key in renames.keys:
                step = key.partition(".")[0]
                if "." in key and step not in names and step != name_of(pipeline):
                    text = f"tensorMap renames a tensor of `{step}`, which is no step"
                    yield renames.at(key).warned(text, did_you_mean(step, near))


def unknown_join(rendered: Rendered) -> Iterator[Found]:
    """Another word reads as inner: AsSchedulerPipeline [types]."""
    for pipeline in of(rendered, "Pipeline"):
        words = [pipeline.at("spec", *route) for route in JOIN_FIELDS]
        for step in _steps(pipeline):
            words += [step.at("inputsJoinType"), step.at("triggersJoinType")]
        for word in words:
            if word.text and word.text not in JOINS:
                text = f"{word.path[-1]} `{word.text}` is taken for inner"
                yield word.warned(text, did_you_mean(word.text, JOINS))


def model_not_there(rendered: Rendered) -> Iterator[Found]:
    """A step is the Model of its name, and waits for it [types]."""
    known = set(map(name_of, of(rendered, "Model")))
    near = sorted(known)[:LISTED]
    for pipeline in of(rendered, "Pipeline") if rendered.whole else ():
        for step in _steps(pipeline):
            name = step.at("name")
            if name.text and name.text not in known:
                text = f"no Model is named `{name.text}`"
                yield name.refused(text, did_you_mean(name.text, near) if near else "add it")


def _steps(pipeline: Node) -> tuple[Node, ...]:
    return pipeline.at("spec", "steps").elements


def _waits(step: Node) -> tuple[Node, ...]:
    """What a step waits for."""
    return (*step.at("inputs").elements, *step.at("triggers").elements)


def _taken(pipeline: Node) -> Iterator[Node]:
    """What the steps of a pipeline wait for."""
    for step in _steps(pipeline):
        yield from _waits(step)


def _step(reference: Node) -> str:
    """The step, or pipeline, that a reference begins with."""
    return reference.text.partition(".")[0]


def _is_reference(place: Node) -> bool:
    """Whether this names a step, its inputs or outputs, or a tensor of these."""
    step, *rest = place.text.split(".")
    return bool(step.strip()) and len(rest) <= 2 and (not rest or rest[0] in SIDES)


def _is_external(place: Node) -> bool:
    """Whether this names what a pipeline, or a step of one, is sent or sends."""
    pipeline, *rest = place.text.split(".")
    if rest[:1] == [OF_A_STEP]:
        rest = rest[2:]
    return bool(pipeline.strip()) and 1 <= len(rest) <= 2 and rest[0] in SIDES


def _names(pipeline: Node) -> set[str]:
    """The names of a pipeline's steps."""
    return {step.at("name").text for step in _steps(pipeline)} - {""}


def _name(pipeline: Node) -> tuple[Node, str]:
    return pipeline.at("metadata", "name"), "the pipeline"


RULES = (
    no_steps,
    step_twice,
    step_named_as_pipeline,
    reference_of_another_form,
    step_not_there,
    steps_in_a_circle,
    external_input_of_another_form,
    tensor_of_no_step,
    unknown_join,
    model_not_there,
)
