"""The table, the check and the quoting held against the real protobuf."""

import json
import re
import warnings

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from generator.model_config import FieldType, integer, read, refusals, table
from generator.pbtxt import Scalar, parse, quoted
from generator.shipped import shipped

pytest.importorskip("tritonclient", reason="the real descriptors are a test dependency")
text_format = pytest.importorskip("google.protobuf.text_format", reason="a test dependency")

from generator import model_config_table  # noqa: E402  after the skip: it loads the real module

ModelConfig = model_config_table.model_config_pb2().ModelConfig

# Where the check is stricter than protobuf on purpose; see the docstring of generator.model_config.
STRICTER = re.compile(r"is given twice|takes a `[A-Z]\w*(\.\w+)*`, not `-?\d+`")


def parsed(text: str) -> object:
    """What protobuf reads, or None where it refuses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it leaves bad escapes to Python
        try:
            return text_format.Parse(text, ModelConfig())
        except (text_format.ParseError, ValueError):  # ValueError: enum numbers over 32 bits
            return None


def test_the_committed_table_is_the_one_of_the_real_descriptors() -> None:
    committed = shipped("schemas/triton/model_config.json").read_text(encoding="utf-8")

    assert committed == json.dumps(model_config_table.table(), indent=1) + "\n"


def strings() -> st.SearchStrategy[str]:
    """Spell a string."""
    return st.text(max_size=8).map(quoted)


SCALARS: dict[str, st.SearchStrategy[str]] = {
    "string": st.lists(strings(), min_size=1, max_size=2).map(" ".join),
    "bool": st.sampled_from(["true", "false", "t", "f", "1", "0", "True", "False"]),
    "float": st.floats(width=32, allow_nan=False).map(str) | st.sampled_from(["nan", "1f", ".5"]),
    "double": st.floats().map(str),
    "int32": st.integers(-(2**31), 2**31 - 1).map(str),
    "int64": st.integers(-(2**63), 2**63 - 1).map(str) | st.sampled_from(["0x7F", "-017"]),
    "uint32": st.integers(0, 2**32 - 1).map(str),
    "uint64": st.integers(0, 2**64 - 1).map(str),
}


def values(wanted: FieldType, depth: int) -> st.SearchStrategy[str]:
    """Spell one value of a field."""
    if wanted.key:
        entry = {"key": FieldType(wanted.key), "value": FieldType(wanted.type)}
        return bodies(entry, depth + 1)
    if wanted.type in table().messages:
        return bodies(dict(table().messages[wanted.type]), depth + 1)
    if wanted.type in table().enums:
        enum = table().enums[wanted.type]
        return st.sampled_from([*enum, *map(str, enum.values())])
    return SCALARS[wanted.type]


def bodies(types: dict[str, FieldType], depth: int) -> st.SearchStrategy[str]:
    """Spell a message in braces."""
    braces = st.sampled_from([("{", "}"), ("<", ">")])
    return st.tuples(braces, messages(types, depth)).map(lambda x: f"{x[0][0]} {x[1]} {x[0][1]}")


@st.composite
def messages(draw: st.DrawFn, types: dict[str, FieldType], depth: int = 0) -> str:
    """Spell the fields of a message, each but one member of a oneof left out."""
    if not types:
        return ""
    names = draw(st.lists(st.sampled_from(sorted(types)), unique=True, max_size=4 - min(depth, 3)))
    taken: set[str] = set()
    fields = []
    for name in names:
        wanted = types[name]
        if wanted.oneof and wanted.oneof in taken:
            continue
        taken.add(wanted.oneof)
        several = draw(st.integers(1, 3)) if wanted.repeated else 1
        spelled = [draw(values(wanted, depth)) for _ in range(several)]
        if wanted.repeated and draw(st.booleans()):
            fields.append(f"{name} : [ {' , '.join(spelled)} ]")
        else:
            fields += [f"{name} : {value}" for value in spelled]
    return draw(st.sampled_from([" ", " , ", " ; ", "\n", " # note\n"])).join(fields)


CONFIGS = messages(dict(table().messages["ModelConfig"]))
VOCABULARY = r"""
{ } < > [ ] : , ; \ é 0 1 -1 7 300 4294967296 18446744073709551616 0x 08 1.5 1e3 -inf true t
'x' "y" 'z "\400" TYPE_FP32 TYPE_FLOAT KIND_CPU name dims input max_batch_size key value
parameters dynamic_batching sequence_batching all latest zero_data nme
"""
WORDS = VOCABULARY.split()


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """Spell a config and drop, double or replace one or two of its words."""
    words = re.split(r"( +)", draw(CONFIGS))
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, len(words) - 1))
        words[at] = draw(st.just("") | st.just(f"{words[at]} {words[at]}") | st.sampled_from(WORDS))
    return "".join(words)


@given(CONFIGS)
@settings(max_examples=300, deadline=None)
def test_takes_every_config_that_protobuf_writes_or_reads(text: str) -> None:
    message = parsed(text)

    assert message is not None
    assert list(refusals(text)) == []
    assert list(refusals(text_format.MessageToString(message))) == []


def agree(text: str) -> None:
    """Assert one verdict of both parsers, but for what the check refuses on purpose."""
    assume(not re.search(r"\w\s*\[\s*\]", text))  # protobuf takes `input [ ]` without a colon
    found = list(refusals(text))
    if parsed(text) is None:
        assert found
    else:
        assert all(STRICTER.search(refusal.message) for refusal in found)


@given(mutated())
@settings(max_examples=1000, deadline=None)
def test_judges_mutated_configs_as_protobuf_does(text: str) -> None:
    agree(text)


@given(st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join))
@settings(max_examples=500, deadline=None)
def test_judges_any_words_as_protobuf_does(text: str) -> None:
    agree(text)


@given(st.text())
def test_a_quoted_text_reads_back_equal_in_protobuf(text: str) -> None:
    assert text_format.Parse(f"name: {quoted(text)}", ModelConfig()).name == text


ESCAPES = r"\n \t \\ \' \" \0 \101 \x4 \x41 \u00e9 \U0001F600"
PIECES = [*"abf019xun'é", *ESCAPES.split()]


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_escapes_mean_what_they_mean_to_protobuf(content: str) -> None:
    text = f'name: "{content}"'

    assert read(text)["name"] == text_format.Parse(text, ModelConfig()).name


@given(SCALARS["int64"])
def test_integers_mean_what_they_mean_to_protobuf(number: str) -> None:
    config = text_format.Parse(f"input {{ dims: {number} }}", ModelConfig())

    (scalar,) = parse(f"dims: {number}").fields[0].values
    assert isinstance(scalar, Scalar)
    assert [integer(scalar)] == list(config.input[0].dims)


@pytest.mark.parametrize(
    "text",
    [
        "name: 'x'\n nme: 'y'",
        "input {\n  data_type: TYPE_FLOAT\n}",
        "\n# note\nname: 5",
        "max_batch_size: 4294967296",
        "response_cache { enable: yes }",
        "input [ { dims: [ 1, 'x' ] } ]",
        "name: 'x' é",
        "input { name: 'x' ]",
        r"name: '\u00zz'",
    ],
)
def test_points_where_protobuf_points(text: str) -> None:
    with pytest.raises(text_format.ParseError) as caught:
        text_format.Parse(text, ModelConfig())

    (refusal,) = refusals(text)
    assert (refusal.line, refusal.column) == (caught.value.GetLine(), caught.value.GetColumn())


# What protobuf's Python parser takes and Triton 24.10 does not, or reads as something else [ran].
@pytest.mark.parametrize(
    "text",
    [
        "max_batch_size: 1_0",
        "max_batch_size: 0b1",
        "max_batch_size: +8",
        "dynamic_batching { max_queue_delay_microseconds: -0 }",
        r"name: '\q'",
        "name: 'x'\u00a0",
        "name: 'x\0'",
    ],
)
def test_refuses_what_only_protobufs_python_parser_takes(text: str) -> None:
    assert parsed(text) is not None
    assert list(refusals(text))
