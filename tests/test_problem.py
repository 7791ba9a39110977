"""A problem's pointers become places: that of the problem itself, and those it contradicts."""

from pathlib import Path

from generator.diagnostics import Diagnostic, Rejected, Related, Span, in_file_order
from generator.document import Document, Pointer, merged
from generator.problem import Problem, located, says
from generator.source import load
from generator.validate import validate

SPEC = "serving:\n  batching: {max_size: 8, preferred: [4, 16]}\n  timeout: 2s\n"
PREFERRED: Pointer = ("serving", "batching", "preferred", 1)
MAX_SIZE: Pointer = ("serving", "batching", "max_size")


def document(text: str = SPEC, path: str = "spec.yaml") -> Document:
    return load(path, text.encode(), Path())


def told(
    *related: tuple[Pointer, str], pointer: Pointer = PREFERRED, spec: Document | None = None
) -> Diagnostic:
    problem = Problem(pointer, "too much", related=related)
    return located(problem, "some/rule", spec or document())


def test_a_related_value_is_told_with_its_line() -> None:
    [note] = told(says(MAX_SIZE, 8)).related

    assert (note.path, note.message) == ("spec.yaml", "max_size is 8")
    assert note.source == "  batching: {max_size: 8, preferred: [4, 16]}"
    assert note.source[note.span.column - 1 : note.span.end_column - 1] == "8"


def test_related_values_keep_their_order() -> None:
    notes = told((("serving", "timeout"), "later"), (MAX_SIZE, "earlier")).related

    assert [note.message for note in notes] == ["later", "earlier"]


def test_a_default_is_no_related_place() -> None:
    nobody_wrote = ("serving", "batching", "delay"), ("hardware", "cpu"), ("serving", "timeout", 0)

    assert told(*(says(pointer, 1) for pointer in nobody_wrote)).related == ()


def test_what_the_problem_itself_points_at_is_not_told_twice() -> None:
    assert told((PREFERRED, "the same")).related == ()


def test_a_value_that_a_layer_changes_is_told_where_it_was_changed() -> None:
    layer = document("serving: {batching: {max_size: 2}}\n", "layer.yaml")

    [note] = told(says(MAX_SIZE, 2), spec=merged(document(), layer)).related

    assert (note.path, note.span.line) == ("layer.yaml", 1)


def test_a_value_that_a_layer_removes_is_a_default_again() -> None:
    layer = document("serving: {batching: {max_size: null}}\n", "layer.yaml")

    assert told(says(MAX_SIZE, 1), spec=merged(document(), layer)).related == ()


def test_a_list_is_pointed_at_by_its_key() -> None:
    [note] = told((PREFERRED[:-1], "the sizes"), pointer=MAX_SIZE).related

    assert note.source[note.span.column - 1 : note.span.end_column - 1] == "preferred"


def test_a_long_value_is_told_short() -> None:
    _, message = says(("model", "source"), "x" * 1000)

    assert len(message) < 100


MODEL = """\
spec_version: 1
name: one
model:
  program: model.pt
  inputs: [{name: image, dtype: float32, shape: [N, 3, 32, 32]}]
  outputs: [{name: logits, dtype: float32, shape: [N, 2]}]
storage: {uri: s3://bucket/models}
targets: {triton: {}}
"""


def notes(more: str) -> list[list[tuple[int, str]]]:
    """Of each diagnostic of a spec, the line and the message of its notes."""
    try:
        _, flaws = validate(document(MODEL + more))
    except Rejected as rejected:
        flaws = rejected.diagnostics
    return [[(note.span.line, note.message) for note in flaw.related] for flaw in flaws]


def test_a_rule_names_only_what_the_spec_says() -> None:
    derived = notes("hardware: {model_instances: 4}\n")
    said = notes("hardware: {model_instances: 4, cpu: 2}\n")

    assert derived == [[]]
    assert said == [[(9, "cpu is 2")]]


def test_a_contradiction_across_layers_points_into_both() -> None:
    told = notes(
        "serving: {batching: {max_size: 16, preferred: [16]}}\n"
        "environments:\n"
        "  small: {serving: {batching: {max_size: 8}}}\n"
    )

    assert told == [[(11, "max_size is 8")]]


def test_a_step_points_at_the_last_step_that_decides() -> None:
    told = notes(
        "transforms:\n"
        "  run_in: client\n"
        "  preprocess:\n"
        "    - decode\n"
        "    - resize: {size: [64, 64]}\n"
        "    - resize: {size: [32, 32]}\n"
        "    - center_crop: {size: 48}\n"
        "    - center_crop: {size: 32}\n"
        "    - to_tensor\n"
    )

    assert told[0] == [(14, "the size of the image comes from here")]


def test_mean_and_std_of_different_lengths_point_at_each_other() -> None:
    told = notes(
        "transforms:\n"
        "  run_in: client\n"
        "  preprocess:\n"
        "    - custom:\n"
        "        function: steps.py:load\n"
        "        produces: {dtype: float32, shape: [C, 32, 32]}\n"
        "    - normalize:\n"
        "        mean: [0.5, 0.5]\n"
        "        std: [0.5]\n"
    )

    assert [(16, "the values of mean")] in told


def test_one_mistake_of_two_environments_is_told_once_with_the_notes_of_both() -> None:
    span = Span(1, 1, 2)
    notes = [Related("a.yaml", Span(line, 1, 2), "run_in is model") for line in (5, 9)]
    flaws = [Diagnostic("a.yaml", span, "wrong", "x/y", related=(note,)) for note in notes]

    [told] = in_file_order([*flaws, flaws[0]])

    assert told.related == tuple(notes)
