"""What hands requests of a sequence to one instance, and tells the model where it begins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from generator.model_config import integer, number
from generator.model_config_rules.model import Model, at, first, fits, is_number, word
from generator.pbtxt import Message, Refusal

_FLAGS = ("CONTROL_SEQUENCE_START", "CONTROL_SEQUENCE_READY", "CONTROL_SEQUENCE_END")
_IDENTITY = "CONTROL_SEQUENCE_CORRID"
_NUMBERS = {"0": _FLAGS[0], "1": _FLAGS[1], "2": _FLAGS[2], "3": _IDENTITY}
_VALUES = ("int32_false_true", "fp32_false_true", "bool_false_true")
_IDENTITY_TYPES = ("TYPE_UINT64", "TYPE_INT64", "TYPE_UINT32", "TYPE_INT32", "TYPE_STRING")
_IDENTITY_NUMBERS = ("5", "9", "4", "8", "13")
_INITIAL = "initial_state"  # the field, and the folder beside the config that its files are in


def control_without_name(model: Model) -> Iterator[Refusal]:
    """Triton refuses a control_input without a name [core]."""
    for control_input, _ in _controls(model):
        if not word(control_input, "name"):
            yield at(control_input, "a `control_input` without `name`")


def control_given_twice(model: Model) -> Iterator[Refusal]:
    """Triton refuses two control_inputs of one name, and two of one kind [core]."""
    names: set[str] = set()
    kinds: set[str] = set()
    for control_input, controls in _controls(model):
        name = first(control_input, "name")
        if name is not None and name.text in names:
            yield at(name, f"two control inputs named `{name.text}`")
        names.add(word(control_input, "name"))
        for control in controls:
            if _kind(control) in kinds:
                yield at(control, f"a second tensor for {_kind(control)}")
            kinds.add(_kind(control))


def control_of_an_input(model: Model) -> Iterator[Refusal]:
    """Triton writes a control over the input of its name, whatever a request gives it [ran]."""
    inputs = {word(tensor, "name") for tensor in model.config.messages("input")}
    for control_input, _ in _controls(model):
        name = first(control_input, "name")
        if name is not None and name.text in inputs:
            yield at(name, f"control input `{name.text}` is named like an input")


def control_without_two_values(model: Model) -> Iterator[Refusal]:
    """Triton refuses a START, READY or END that has not two values of one type [core]."""
    for _, controls in _controls(model):
        for control in controls:
            given = [field for field in _VALUES if any(control.scalars(field))]
            if _kind(control) not in _FLAGS:
                continue
            if len(given) != 1:
                text = f"{_kind(control)} takes one of {', '.join(_VALUES)}, not {len(given)}"
                yield at(control, text, "write `int32_false_true: [0, 1]`")
            elif (count := len(list(control.scalars(given[0])))) != 2:
                yield at(control, f"`{given[0]}` takes two values, not {count}")


def sequence_identity_of_another_type(model: Model) -> Iterator[Refusal]:
    """Triton refuses a CORRID that is no integer of 32 or 64 bits and no text [core]."""
    for _, controls in _controls(model):
        for control in controls:
            if _kind(control) != _IDENTITY:
                continue
            for field in _VALUES:
                for value in list(control.scalars(field))[:1]:
                    yield at(value, f"`{field}` in {_IDENTITY}, which has a `data_type`")
            if word(control, "data_type") not in _IDENTITY_TYPES + _IDENTITY_NUMBERS:
                text = f"{_IDENTITY} takes {', '.join(_IDENTITY_TYPES)}"
                yield at(first(control, "data_type") or control, text)


def slot_utilization_outside_range(model: Model) -> Iterator[Refusal]:
    """Triton refuses a minimum_slot_utilization below 0 or above 1 [core]."""
    for sequences in model.config.messages("sequence_batching"):
        for direct in sequences.messages("direct"):
            for share in direct.scalars("minimum_slot_utilization"):
                if not 0 <= number(share) <= 1:
                    text = f"minimum_slot_utilization {share.text} is not from 0 to 1"
                    yield at(share, text)


def incomplete_initial_state(model: Model) -> Iterator[Refusal]:
    """Triton refuses a second initial_state of a state, one without a name or without data.

    GenerateInitialStateData in sequence_batch_scheduler.cc, like [core].
    """
    for state, initial_states in _initial_states(model):
        name = word(state, "input_name")
        for initial in initial_states[1:]:
            yield at(initial, f"a second `{_INITIAL}` of state `{name}`")
        for initial in initial_states:
            if not word(initial, "name"):
                yield at(initial, f"an `{_INITIAL}` without `name`", 'write `name: "initial"`')
            if not any(first(initial, source) for source in ("zero_data", "data_file")):
                yield at(initial, f"an `{_INITIAL}` without data", "write `zero_data: true`")


def initial_state_of_another_type(model: Model) -> Iterator[Refusal]:
    """Triton refuses an initial_state whose data_type is not its state's.

    GenerateInitialStateData in sequence_batch_scheduler.cc, like [core].
    """
    for state, initial_states in _initial_states(model):
        wanted, name = word(state, "data_type"), word(state, "input_name")
        for initial in initial_states:
            given = first(initial, "data_type")
            if given is None and wanted:
                text = f"an `{_INITIAL}` of state `{name}` without `data_type`"
                yield at(initial, text, f"write `data_type: {wanted}`")
            elif given and wanted and given.text != wanted and not is_number(given, wanted):
                text = f"an `{_INITIAL}` of {given.text} for state `{name}` of {wanted}"
                yield at(given, text, f"write {wanted}")


def initial_state_of_another_shape(model: Model) -> Iterator[Refusal]:
    """Triton refuses an initial_state whose dims are not its state's, each with a size.

    GenerateInitialStateData in sequence_batch_scheduler.cc, like [core].
    """
    for state, initial_states in _initial_states(model):
        wanted = [integer(size) for size in state.scalars("dims")]
        for initial in initial_states:
            given = [integer(size) for size in initial.scalars("dims")]
            text = f"an `{_INITIAL}` of dims {given} for state `{word(state, 'input_name')}`"
            if -1 in given:
                place = next(size for size in initial.scalars("dims") if integer(size) == -1)
                yield at(place, f"an `{_INITIAL}` needs each dimension", "give it a number")
            elif not fits(given, wanted):
                yield at(initial, f"{text} of dims {wanted}", "the batch dimension is left out")


def initial_state_file_missing(model: Model) -> Iterator[Refusal]:
    """Triton reads an initial state from the folder `initial_state` beside the config, or stops.

    GenerateInitialStateData in sequence_batch_scheduler.cc, like [core].
    """
    if model.files is None or not model.is_in_place:
        return
    for _, initial_states in _initial_states(model):
        for initial in initial_states:
            for file in initial.scalars("data_file"):
                path = PurePosixPath(_INITIAL, file.text)
                if path not in model.files:
                    yield at(file, f"no file `{path}` beside the config")


def control_that_torch_cannot_place(model: Model) -> Iterator[Refusal]:
    """The PyTorch backend refuses controls and states not named like `START__1`.

    ValidateBooleanSequenceControl, ValidateTypedSequenceControl and GetNamingConvention in
    model_instance_state.cc of triton-inference-server/pytorch_backend.
    """
    if not model.is_torchscript:
        return
    names = [first(control_input, "name") for control_input, _ in _controls(model)]
    for sequences in model.config.messages("sequence_batching"):
        for state in sequences.messages("state"):
            names += [first(state, "input_name"), first(state, "output_name")]
    for name in names:
        if name is not None and name.text:
            _, mark, index = name.text.partition("__")
            if not mark or (index and not (index.isascii() and index.isdigit())):
                text = f"`{name.text}` does not say which argument it is"
                yield at(name, text, f"name it `{name.text.partition('__')[0]}__<index>`")


def _initial_states(model: Model) -> Iterator[tuple[Message, list[Message]]]:
    """Yield each state with what it begins as."""
    for sequences in model.config.messages("sequence_batching"):
        for state in sequences.messages("state"):
            yield state, list(state.messages(_INITIAL))


def _controls(model: Model) -> Iterator[tuple[Message, list[Message]]]:
    for sequences in model.config.messages("sequence_batching"):
        for control_input in sequences.messages("control_input"):
            yield control_input, list(control_input.messages("control"))


def _kind(control: Message) -> str:
    given = word(control, "kind") or _FLAGS[0]
    return _NUMBERS.get(given, given)


RULES = (
    control_without_name,
    control_given_twice,
    control_of_an_input,
    control_without_two_values,
    sequence_identity_of_another_type,
    slot_utilization_outside_range,
    incomplete_initial_state,
    initial_state_of_another_type,
    initial_state_of_another_shape,
    initial_state_file_missing,
    control_that_torch_cannot_place,
)
