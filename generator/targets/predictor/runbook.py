"""The values of the target's README."""

import shlex
from collections.abc import Iterable

from generator.project import Project, Step
from generator.runbook import selection
from generator.targets.predictor.predict import PredictCode
from generator.transforms.component import checked_shape
from generator.transforms.embedded import as_called, embedded_steps, remaining


def runbook_values(project: Project, code: PredictCode) -> dict[str, object]:
    """What templates/predictor/README.md.j2 lays out."""
    before, after = embedded_steps(project.transforms)
    outside = remaining(project.transforms)
    [output] = as_called(project).model.outputs
    is_sized = checked_shape(project) is not None
    sizes = "of the model's own size: nothing resizes it" if is_sized else "of any height and width"
    return {
        "code": code,
        "bundle": f"build/{project.place}",
        "folder": f"rendered/{project.place}",
        "selection": selection(project),
        "sizes": sizes,
        "requirements": " ".join(map(shlex.quote, project.model.requirements)),
        "version": project.model.version,
        "output": f"`{output.name}`, {output.dtype} [{', '.join(map(str, output.shape))}]",
        "inside": _listed(*_named(before), "the model", *_named(after), *_names(project)),
        "outside": _listed(*_named(outside.preprocess), *_named(outside.postprocess)),
        "given": project.model.program is not None,
        "classes": project.model.class_names,
        "sample": _sample(code),
    }


def _named(steps: Iterable[Step]) -> list[str]:
    return [f"`{step.operation}`" for step in steps]


def _names(project: Project) -> list[str]:
    count = len(project.model.class_names)
    return [f"the names of {count} classes (`class_names`)"] if count else []


def _listed(*parts: str) -> str:
    return ", ".join(parts)


def _sample(code: PredictCode) -> tuple[str, str]:
    """What is printed about an image, as text and as JSON."""
    label = "<class>" if code.names_classes else "7"
    value = "0.974" if code.answer.value == "probability" else "4.213"
    if not code.picks:
        return f"cat.jpg: [{value}, ...]", f'{{"image": "cat.jpg", "answer": [{value}, ...]}}'
    told = f'"{label}"' if code.names_classes else label
    more = "" if code.most == 1 else ", ..."
    entry = f'{{"{code.answer.label}": {told}, "{code.answer.value}": {value}}}'
    return (
        f"cat.jpg: {label} {value}{more}",
        f'{{"image": "cat.jpg", "answer": [{entry}{more}]}}',
    )
