"""The component around the transforms: the values of KServe's transformer, its requirements."""

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

from msgspec import Struct

from generator.datatypes import DATATYPE
from generator.project import Dtype, Project
from generator.transforms.code import answer_of
from generator.transforms.custom import custom_paths
from generator.transforms.postprocessing import Answer
from generator.transforms.preprocessing import flow_preprocess

KSERVE, NUMPY, PILLOW = "kserve==0.21.0", "numpy==2.4.6", "pillow==13.0.0"

CONSTRAINTS = Path(__file__).with_name("constraints.txt")
"""These three with all that they pull in, pinned; CONTRIBUTING.md has the command that makes it."""


Hop = Literal["grpc", "http"]
"""How the component asks the predictor: over gRPC, or over HTTP with raw bytes behind the JSON."""

NUMPY_NAME: Mapping[Dtype, str] = {"bool": "bool_"}
"""numpy's names of the dtypes that it calls otherwise."""


class TransformerCode(Struct, frozen=True):
    """What templates/kserve/images/transformer/transformer.py.j2 says of one project."""

    project: str
    gives: str
    request_field: str
    sample_instance: str
    imported: str
    hop: Hop
    model: str
    input_name: str
    input_datatype: str
    output_name: str
    output_dtype: str
    batched: bool
    max_batch_size: int
    checked_shape: tuple[int, ...] | None
    postprocesses: bool
    answer: Answer
    answer_name: str
    widens: bool
    pads: bool
    no_class: Mapping[str, str | int | float]
    label_dtype: str


def transformer_code(
    project: Project, *, model_name: str, input_name: str, output_name: str, hop: Hop = "grpc"
) -> TransformerCode:
    """Plan transformer.py of a project whose transforms have no mismatch.

    The names are those of the predictor's v2 door; to Triton, which `hop` grpc means, the model's
    is its folder in the repository. The model has one input and, with postprocess, one output.
    """
    transforms, model = project.transforms, project.model
    answer = answer_of(project)
    picks = answer.kind == "entries"
    names = (["Entry"] if picks else []) + (["postprocess"] if transforms.postprocess else [])
    return TransformerCode(
        project=project.name,
        gives=gives(answer),
        request_field=transforms.request_field,
        sample_instance=f'{{"{transforms.request_field}": {{"b64": ...}}}}',
        imported=", ".join([*names, "preprocess"]),
        hop=hop,
        model=model_name,
        input_name=input_name,
        input_datatype=DATATYPE[model.inputs[0].dtype],
        output_name=output_name,
        output_dtype=NUMPY_NAME.get(model.outputs[0].dtype, model.outputs[0].dtype),
        batched=model.inputs[0].has_batch,
        max_batch_size=samples_per_call(project),
        checked_shape=checked_shape(project),
        postprocesses=bool(transforms.postprocess),
        answer=answer,
        answer_name=model.outputs[0].name,
        widens=answer.kind == "tensor" and answer.dtype == "float16",
        pads=picks and not answer.exact,
        no_class={answer.label: "" if answer.label == "class_name" else -1, answer.value: 0.0},
        label_dtype="object" if answer.label == "class_name" else "np.int64",
    )


def samples_per_call(project: Project) -> int:
    """How many samples go to the model at once; those of different sizes go alone."""
    if any(isinstance(size, str) for size in project.model.inputs[0].sample_shape):
        return 1
    return project.serving.batching.max_size or 1


def checked_shape(project: Project) -> tuple[int, ...] | None:
    """The shape that a sample is held against, where only the image decides what it gets."""
    steps = project.transforms.preprocess
    made = flow_preprocess(steps).value.shape
    if all(isinstance(size, int) for size in made) and not custom_paths(project.transforms):
        return None
    wanted = project.model.inputs[0].sample_shape
    sizes = tuple(size for size in wanted if isinstance(size, int))
    return sizes if len(sizes) == len(wanted) else None


def gives(answer: Answer) -> str:
    """What a client gets, in a few words."""
    if answer.kind == "custom":
        return "answers"
    values = "probabilities" if answer.value == "probability" else "scores"
    if answer.kind == "entries":
        return f"classes with {values}"
    return values if answer.value == "probability" else "the model's output"


def component_requirements(project: Project) -> tuple[str, ...]:
    """Packages of the component, sorted; the user's own line replaces ours for a package."""
    return merged((KSERVE, NUMPY, PILLOW), project.transforms.requirements)


def component_constraints(project: Project) -> tuple[str, ...]:
    """Pins of every package in the component, sorted, but of those in a line of the user's own."""
    theirs = set(map(package, project.transforms.requirements))
    return tuple(pin for name, pin in _pins() if name not in theirs)


@cache
def _pins() -> tuple[tuple[str, str], ...]:
    """The packages that are pinned, and their lines."""
    pins = merged(tuple(CONSTRAINTS.read_text(encoding="utf-8").splitlines()), ())
    return tuple((package(pin), pin) for pin in pins)


def merged(ours: tuple[str, ...], theirs: tuple[str, ...]) -> tuple[str, ...]:
    """Requirement lines sorted by package, each package once: pip refuses two lines for one."""
    lines = {package(line): line for line in (*ours, *theirs)}
    return tuple(lines[name] for name in sorted(lines))


@lru_cache(maxsize=1024)  # the same pins are asked for in every project
def package(requirement: str) -> str:
    """The normalized name of the package that a requirement line asks for (PEP 503)."""
    name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()
