"""Whatever a spec holds, it is rendered or refused with a place: never a traceback, never slow."""

import copy
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hostile import HOSTILE
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from test_hostile import FULL, Quoting

from generator.diagnostics import CannotRun, Rejected
from generator.pipeline import Build, build

ROOT = Path(__file__).parents[1]
SPEC = ROOT / "specs" / "cifar10.yaml"
TEXT = SPEC.read_text(encoding="utf-8")
CIFAR10: dict[str, Any] = yaml.safe_load(TEXT)
VARIANTS = [path.read_text(encoding="utf-8") for path in (ROOT / "specs/variants").glob("*.yaml")]
SLOWEST_SECONDS = 10  # a machine may be busy; a spec takes a tenth of a second

JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.integers(-(10**25), 10**25)
    | st.floats()
    | st.sampled_from(HOSTILE)
    | st.sampled_from(["N", "2Gi", "60s", "decode", "to_tensor", "softmax", "custom", "triton"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["size", "name", "uri", "triton", "x"]), inner, max_size=3
        )
    ),
    max_leaves=5,
)
quick = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)


def outcome(text: str | bytes, folder: Path = SPEC.parent) -> Build | Rejected | CannotRun:
    """What becomes of a spec; whatever else is raised fails the test."""
    content = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    start = time.monotonic()
    try:
        result: Build | Rejected | CannotRun = build("spec.yaml", content, folder)
    except (Rejected, CannotRun) as refused:
        result = refused
    assert time.monotonic() - start < SLOWEST_SECONDS
    if isinstance(result, Rejected):
        assert result.diagnostics
        lines = content.decode("utf-8", "replace").count("\n") + content.count(b"\r") + 1
        for diagnostic in result.diagnostics:
            assert 1 <= diagnostic.span.line <= lines
            assert 1 <= diagnostic.span.column < diagnostic.span.end_column
            assert "\n" not in diagnostic.message + diagnostic.hint
            assert len(diagnostic.message) < 500
    return result


def places(data: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The pointer of every value in data."""
    items = data.items() if isinstance(data, dict) else enumerate(data)
    return [
        place
        for key, value in items
        for place in [
            (*at, key),
            *(places(value, (*at, key)) if isinstance(value, dict | list) else []),
        ]
    ]


def mutated(data: dict[str, Any], draw: st.DrawFn) -> dict[str, Any]:
    """The data with some values deleted, replaced, moved or added."""
    data = copy.deepcopy(data)
    for _ in range(draw(st.integers(1, 3))):
        known = places(data)
        if not known:
            return data
        *parents, last = draw(st.sampled_from(known))
        holder: Any = data
        for key in parents:
            holder = holder[key]
        match draw(st.sampled_from(["delete", "junk", "add", "swap", "wrap"])):
            case "delete":
                del holder[last]
            case "junk":
                holder[last] = draw(JUNK)
            case "swap":
                *others, other = draw(st.sampled_from(known))
                found: Any = data
                for key in others:
                    found = found[key]
                holder[last] = copy.deepcopy(found[other])
            case "wrap":
                holder[last] = draw(st.sampled_from([[holder[last]], {"x": holder[last]}]))
            case "add" if isinstance(holder, dict):
                holder[draw(st.sampled_from([*HOSTILE, "custom", "patches"]))] = draw(JUNK)
            case "add":
                holder.insert(last, draw(JUNK))
    return data


@st.composite
def mutations(draw: st.DrawFn) -> dict[str, Any]:
    return mutated(draw(st.sampled_from([CIFAR10, FULL])), draw)


@given(mutations())
@settings(quick, max_examples=400)
def test_mutated_data(data: dict[str, Any]) -> None:
    outcome(yaml.dump(data, Dumper=Quoting, sort_keys=False))


@st.composite
def layered(draw: st.DrawFn) -> dict[str, Any]:
    """A spec with environments and values of the target's own, all of them odd."""
    keys = [key for key in CIFAR10 if key not in ("spec_version", "name")]
    data = mutated(CIFAR10, draw) if draw(st.booleans()) else copy.deepcopy(CIFAR10)
    for name in draw(
        st.lists(st.sampled_from(["production", "staging", "triton", "A"]), max_size=2)
    ):
        whole = {key: CIFAR10[key] for key in draw(st.sets(st.sampled_from(keys), max_size=3))}
        layer = mutated(whole, draw) if whole else draw(JUNK)
        environments = data.setdefault("environments", {})
        if isinstance(environments, dict):
            environments[name] = layer
    return data


@given(layered())
@quick
def test_mutated_layers(data: dict[str, Any]) -> None:
    outcome(yaml.dump(data, Dumper=Quoting, sort_keys=False))


@given(st.data())
@settings(quick, max_examples=200)
def test_mutated_bytes(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from([TEXT, *VARIANTS])).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        length = data.draw(st.sampled_from([0, 0, 1, 2, 10, 100]))
        piece = data.draw(
            st.binary(max_size=4)
            | st.sampled_from([text.encode() for text in HOSTILE])
            | st.sampled_from(
                [b"\n", b"  ", b"\t", b"&a ", b"*a", b"<<: ", b"{", b"]", b"|\n", b">-\n"]
            )
        )
        content[start : start + length] = piece

    outcome(bytes(content), SPEC.parent)


@given(
    st.binary(max_size=200)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))
)
@quick
def test_noise(content: bytes) -> None:
    assert isinstance(outcome(content), Rejected)


PATCH = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"])},
    optional={"value": JUNK},
)
POINTERS = [
    "",
    "/",
    "/kind",
    "/apiVersion",
    "/metadata",
    "/metadata/name",
    "/metadata/labels/a~1b",
    "/spec",
    "/spec/predictor",
    "/spec/predictor/model/env",
    "/spec/predictor/model/env/0",
    "/spec/predictor/model/env/-",
    "/spec/predictor/model/env/9",
    "/spec/predictor/model/env/x",
    "/spec/predictor/minReplicas",
    "/spec/predictor/minReplicas/x",
    "/spec/nothing/here",
    "/~2",
]


@st.composite
def patches(draw: st.DrawFn) -> dict[str, Any]:
    operations = []
    for operation in draw(st.lists(PATCH, min_size=1, max_size=4)):
        operation["path"] = draw(st.sampled_from(POINTERS))
        if operation["op"] in ("move", "copy"):
            operation["from"] = draw(st.sampled_from(POINTERS))
        operations.append(operation)
    patch: dict[str, Any] = {"manifest": "inferenceservice.yaml", "json": operations}
    if draw(st.booleans()):
        keys = st.sampled_from(["metadata", "spec", "predictor", "labels", "env", "x", "y", ""])
        patch["merge"] = draw(
            st.recursive(JUNK, lambda inner: st.dictionaries(keys, inner, min_size=1, max_size=3))
        )
    return CIFAR10 | {"targets": {"triton": {"patches": [patch]}}}


@given(patches())
@settings(quick, max_examples=250)
def test_odd_patches(data: dict[str, Any]) -> None:
    outcome(yaml.dump(data, Dumper=Quoting, sort_keys=False))


def repeated(operation: str, times: int) -> str:
    """A spec with so many operations; `%` in one becomes its number."""
    head = TEXT[: TEXT.index("targets:")]
    patch = "      - manifest: inferenceservice.yaml\n        json:\n"
    head += f"targets:\n  triton:\n    patches:\n{patch}"
    return head + "".join(operation.replace("%", str(n)) for n in range(times))


HUGE = {
    "copies of copies": repeated("          - {op: copy, from: '', path: /metadata/x%}\n", 60),
    "many patches": repeated("          - {op: add, path: /metadata/labels/a, value: b}\n", 2000),
    "many environments": TEXT + "environments:\n" + "".join(f"  e{n}:\n" for n in range(5_000)),
    "environments over many names": TEXT.replace("[airplane,", f"[{'a, ' * 5_000}airplane,")
    + "environments:\n"
    + "".join(f"  e{n}: {{hardware: {{cpu: 2}}}}\n" for n in range(10)),
    "many steps": TEXT.replace("    - to_tensor\n", "    - grayscale: {channels: 3}\n" * 5_000),
    "many tensors": TEXT.replace(
        "outputs: [", "outputs: [" + "{name: a, dtype: float32, shape: [N, 10]}, " * 3_000
    ),
    "many labels": TEXT.replace(
        "labels: {", "labels: {" + "".join(f"l{n}: v, " for n in range(10_000))
    ),
    "long line": TEXT + "# " + "x" * 900_000,
    "long key": TEXT + "k" * 900_000 + ": 1\n",
    "long text": TEXT.replace("name: cifar10", f"name: {'a' * 900_000}"),
    "long uri": TEXT.replace("gs://acme", f"gs://{'a-' * 400_000}"),
    "open brackets": TEXT + "x: " + "[" * 900_000,
    "open maps": TEXT + "x: " + "{a: " * 200_000,
    "deep indentation": "".join(" " * n + "a:\n" for n in range(1200)),
    "question marks": TEXT + "? " * 400_000,
    "dashes": TEXT + "- " * 400_000,
    "merging maps of nothing": "a0: &a0 {}\n"
    + "".join(f"a{n + 1}: &a{n + 1} {{<<: [{f'*a{n}, ' * 9}*a{n}]}}\n" for n in range(30)),
    "merging into itself": "a: &a {<<: *a}\n",
    "merging in circles": "a: &a {b: &b {<<: *a}, <<: *b}\n",
    "holding itself": "a: &a [*a, *a]\n",
    "aliases of aliases": "a0: &a0 [x]\n"
    + "".join(f"a{n + 1}: &a{n + 1} [{f'*a{n}, ' * 9}*a{n}]\n" for n in range(30)),
    "too many bytes": "x" * 2_000_000,
    "long number": TEXT.replace("rate: 100", f"rate: {'1' * 10_000}"),
    "infinite by exponent": TEXT.replace("success_ratio: 0.999", "success_ratio: 1.0e+999"),
    "small cpu": TEXT.replace("cpu: 1,", "cpu: 0.00001,"),
    "large cpu": TEXT.replace("cpu: 1,", "cpu: 1.0e+300,"),
}


@pytest.mark.parametrize("text", HUGE.values(), ids=HUGE)
def test_a_spec_out_of_all_proportion_is_dealt_with_quickly(text: str) -> None:
    assert outcome(text) is not None


@example(b"\xef\xbb\xbf")
@example(b"\xff\xfes\x00")
@example(b"a: \xf0\x9f")
@example(b"\r\r\r: \xe9")
@example(b"a: 1\r\n\xe9")
@given(st.binary(max_size=20))
def test_bytes_that_are_no_text(content: bytes) -> None:
    assert isinstance(outcome(content), Rejected)


def test_the_spec_itself_renders() -> None:
    assert isinstance(outcome(TEXT), Build)
