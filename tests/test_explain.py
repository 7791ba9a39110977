"""Values end up where `gen explain` says, and rendered lines come from where it says.

Held against the specs of this repository and what is rendered of them.
"""

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_imports import ROOT

from generator import pipeline, source
from generator.document import Document
from generator.explain.effects import effects
from generator.explain.ends import InForce, in_force, stands_in
from generator.explain.fields import find, schema_at
from generator.explain.leaves import given as given_leaves
from generator.explain.leaves import left_out
from generator.explain.origins import Origins, drifted, file_named, origins
from generator.explain.trial import REMOVED, changed, sheets, trial
from generator.explain.variation import others, samples
from generator.selection import EVERYTHING, Selection
from generator.views import views

SEEDS = ("cifar10", "densenet161", "detection", "imagenet", "landmarks", "mnist")


def silent(_: str) -> None:
    """Report nothing."""


def spec(name: str) -> Document:
    path = ROOT / "specs" / f"{name}.yaml"
    return source.load(f"specs/{name}.yaml", path.read_bytes(), path.parent)


def ends(path: str, name: str) -> set[tuple[str, str]]:
    """File, line number left out, and text of each line that a field of a spec makes."""
    found = in_force(find(path), spec(name), silent)
    return {(str(end.path), end.text) for force in found for end in force.ends}


def one(path: str, name: str) -> InForce:
    [force] = in_force(find(path), spec(name), silent)
    return force


def explained(name: str, path: str) -> Origins:
    document = spec(name)
    key = file_named(document, PurePosixPath(path))
    assert key
    return origins(document, key, silent)


def causes(found: Origins, text: str) -> list[str]:
    """The paths of what made the first line that holds a text."""
    line = next(line for line in found.lines if text in line.text)
    return [cause.path for cause in line.causes]


# Where a field ends up


@pytest.mark.parametrize(
    ("name", "path", "file", "text"),
    [
        (
            "cifar10",
            "serving.batching.max_size",
            "cifar10/triton/models/cifar10/config.pbtxt",
            "max_batch_size: 8",
        ),
        (
            "cifar10",
            "serving.batching.preferred",
            "cifar10/triton/models/cifar10/config.pbtxt",
            "preferred_batch_size: [4, 8]",
        ),
        (
            "cifar10",
            "transforms.preprocess.normalize.mean",
            "cifar10/triton/images/transformer/transforms.py",
            "return normalize(tensor, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))",
        ),
        (
            "cifar10",
            "targets.triton.deployment_mode",
            "cifar10/triton/manifests/inferenceservice.yaml",
            "serving.kserve.io/deploymentMode: Knative",
        ),
        (
            "cifar10",
            "model.inputs[0].name",
            "cifar10/triton/models/cifar10/config.pbtxt",
            "# image",
        ),
        (
            "cifar10",
            "kubernetes.labels.team",
            "cifar10/triton/manifests/servingruntime.yaml",
            "team: vision",
        ),
        ("cifar10", "perf.rate", "cifar10/triton/perf/job.yaml", '- "--rate=100"'),
        (
            "cifar10",
            "model.class_names",
            "cifar10/triton/models/cifar10/labels.txt",
            "airplane",
        ),
        (
            "mnist",
            "serving.batching.max_size",
            "mnist/torchserve/models/archives/mnist/handler.py",
            "MAX_BATCH_SIZE = 8",
        ),
        ("imagenet", "images.registry", "imagenet/seldon/scripts/build.sh", ""),
        ("landmarks", "model.outputs[0].name", "landmarks/predictor/README.md", ""),
    ],
)
def test_a_value_ends_up(name: str, path: str, file: str, text: str) -> None:
    found = {(where, line) for where, line in ends(path, name) if where == file}

    assert found
    assert not text or (file, text) in found


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("cifar10", "model.source"),
        ("cifar10", "model.weights.path"),
        ("cifar10", "export.method"),
        ("landmarks", "model.inputs[0].dtype"),
    ],
)
def test_what_gen_export_reads_ends_up_in_no_rendered_line(name: str, path: str) -> None:
    assert ends(path, name) == set()


def test_a_value_is_told_with_its_place() -> None:
    force = one("serving.batching.max_size", "cifar10")

    assert force.place == "specs/cifar10.yaml:27:24"
    assert (force.value, force.origin, force.views) == (8, "spec", ("triton",))
    assert all(end.is_direct for end in force.ends)


def test_a_default_is_told_as_such() -> None:
    force = one("serving.startup", "cifar10")

    assert (force.value, force.origin, force.place) == ("10m", "default", "")
    assert any("progress-deadline: 1200s" in end.text for end in force.ends)
    assert any(end.text == "failureThreshold: 60" and not end.is_direct for end in force.ends)


def test_what_is_left_out_is_told_where_it_would_end_up() -> None:
    force = one("hardware.threads", "cifar10")

    assert (force.value, force.origin) == (None, "left out")
    assert any("INTRA_OP_THREAD_COUNT" in end.text for end in force.ends)


def test_a_hash_of_the_value_is_told_as_such() -> None:
    force = one("perf.rate", "cifar10")
    by_hash = [end.text for end in force.ends if end.kind == "hash"]

    assert any(text.startswith("name: cifar10-perf-") for text in by_hash)
    assert not any("--rate" in text for text in by_hash)


def test_a_name_ends_up_in_paths() -> None:
    force = one("name", "cifar10")

    assert {end.path.name for end in force.ends if end.kind == "path"} > {"config.pbtxt"}


def test_a_file_stands_for_what_asks_for_it() -> None:
    force = one("targets.triton.deployment_mode", "cifar10")

    gone = {str(end.path) for end in force.ends if end.kind == "file"}
    assert gone == {"cifar10/triton/admin/knative-config-deployment.sh"}


def test_an_operation_without_arguments_ends_up_in_its_code() -> None:
    assert any("to_tensor" in text for _, text in ends("transforms.preprocess.to_tensor", "mnist"))


def test_each_environment_has_its_own_value() -> None:
    found = in_force(find("hardware.memory"), spec("variants/environments"), silent)
    views_of = {view for force in found for view in force.views}

    assert views_of == {"triton in staging", "triton in production"}


def test_one_environment_alone_is_asked_for() -> None:
    field = find("environments.production.serving.batching.max_size")
    found = in_force(field, spec("variants/environments"), silent)

    assert [force.views for force in found] == [("triton in production",)]
    assert all(end.path.parts[1] == "production" for force in found for end in force.ends)


def test_a_map_of_the_users_own_makes_what_is_in_it() -> None:
    found = ends("targets.triton.patches[0].merge.spec", "variants/patches")

    assert ("patches/triton/manifests/inferenceservice.yaml", "- key: dedicated") in found


def test_what_can_be_no_other_is_told_as_such() -> None:
    force = one("targets.triton.patches[0].manifest", "variants/patches")

    assert (force.ends, force.is_tried) == ((), False)


def test_of_several_targets_each_line_is_told() -> None:
    [force] = in_force(find("model.version"), spec("variants/landmarks-targets"), silent)

    assert set(force.views) == {"triton", "torchserve", "seldon", "predictor"}
    assert {end.path.parts[1] for end in force.ends} >= {"triton", "torchserve", "seldon"}


# What made a line


def test_lines_of_triton_are_made_by_the_values_in_them() -> None:
    found = explained("cifar10", "cifar10/triton/models/cifar10/config.pbtxt")

    assert causes(found, "max_batch_size")[0] == "serving.batching.max_size"
    assert causes(found, "preferred_batch_size")[0] == "serving.batching.preferred"
    assert causes(found, 'name: "cifar10"')[0] == "name"
    assert "targets.triton.names.model" in causes(found, 'name: "cifar10"')
    assert causes(found, "data_type: TYPE_FP32")[0] == "model.inputs[0].dtype"
    assert {"hardware.cpu", "hardware.threads"} <= set(causes(found, "INTRA_OP_THREAD_COUNT"))
    assert causes(found, "instance_group") == []
    assert found.template == "triton/models/config.pbtxt.j2"


def test_lines_of_manifests_are_made_by_values_and_defaults() -> None:
    found = explained("cifar10", "/any/rendered/cifar10/triton/manifests/inferenceservice.yaml")

    assert causes(found, "maxReplicas") == ["serving.replicas.max"]
    assert causes(found, "namespace: models") == ["kubernetes.namespace"]
    assert causes(found, "failureThreshold: 60") == ["serving.startup"]
    assert causes(found, "apiVersion") == []


def test_lines_of_torchserve_are_made_by_what_they_hold() -> None:
    found = explained("mnist", "mnist/torchserve/models/config/config.properties")
    [line] = [line for line in found.lines if line.text.startswith("model_snapshot=")]

    assert {"serving.batching.max_size", "name"} <= {cause.path for cause in line.causes}


def test_lines_of_seldon_are_made_by_what_they_hold() -> None:
    found = explained("imagenet", "imagenet/seldon/manifests/seldondeployment.yaml")

    assert causes(found, "team: vision")[0] == "kubernetes.labels.team"


def test_a_patched_line_is_made_by_the_patch() -> None:
    found = explained("variants/patches", "patches/triton/manifests/inferenceservice.yaml")
    patched = {
        cause.path for line in found.lines for cause in line.causes if "patches" in cause.path
    }

    assert any(path.startswith("targets.triton.patches[0].merge") for path in patched)


def test_a_line_of_another_spec_on_the_server_is_made_by_its_being_named() -> None:
    name = "mnist-several/torchserve/models/config/config.properties"
    found = explained("variants/mnist-several", name)
    [line] = [line for line in found.lines if line.text.startswith("model_snapshot=")]

    assert any("also_serves" in cause.path for cause in line.causes)


def test_the_likest_cause_stands_first() -> None:
    found = explained("cifar10", "cifar10/triton/perf/job.yaml")

    for line in found.lines:
        ranks = [cause.rank for cause in line.causes]
        assert ranks == sorted(ranks)


def test_a_file_that_no_target_renders_is_not_found() -> None:
    assert file_named(spec("cifar10"), PurePosixPath("cifar10/triton/manifests/none.yaml")) is None


def test_an_edited_file_is_matched_by_its_lines() -> None:
    found = explained("cifar10", "cifar10/triton/models/cifar10/config.pbtxt")
    lines = ["# mine", *(line.text for line in found.lines)]

    same = drifted(lines, found)

    assert 1 not in same
    assert same[7] == 6


# How it is found out


@pytest.mark.parametrize("name", SEEDS)
def test_in_memory_stands_what_gen_render_writes(name: str) -> None:
    document = spec(name)
    rendered = {file.path: file.text for file in pipeline.build_document(document).files}

    found = {sheet.path: sheet.lines for sheet in sheets(document, EVERYTHING).values()}

    assert found == {path: tuple(text.splitlines()) for path, text in rendered.items()}


VARIANTS = ("custom", "example", "landmarks-targets", "mnist-several", "patches", "seldon-server")


@pytest.mark.parametrize("name", [*SEEDS, *(f"variants/{name}" for name in VARIANTS)])
def test_no_other_value_of_a_spec_trips(name: str) -> None:
    document = spec(name)
    for view in views(document, EVERYTHING):
        assert view.target
        selection = Selection((view.target.name,), tuple(filter(None, [view.environment])))
        before = sheets(document, selection)
        for leaf in [*given_leaves(document, view), *left_out(document, view)]:
            value = next(iter(leaf.variants), REMOVED)
            after = trial(document, leaf.pointer, value, selection)
            assert after is None or all(each.key in before for each in effects(before, after))


def test_a_change_leaves_the_document_as_it_is() -> None:
    document = spec("cifar10")
    before = repr(document.data)

    changed(document, ("serving", "batching", "max_size"), 9)
    changed(document, ("perf",), REMOVED)

    assert repr(document.data) == before


def test_a_change_makes_the_sections_on_its_way() -> None:
    document = source.load("spec.yaml", "targets: {triton: }\nsteps: [a, decode]\n", Path())

    assert changed(document, ("targets", "triton", "runtime"), "own").data["targets"] == {
        "triton": {"runtime": "own"}
    }
    assert changed(document, ("steps", 1, "decode", "mode"), "L").data["steps"] == [
        "a",
        {"decode": {"mode": "L"}},
    ]


@pytest.mark.parametrize(
    ("value", "line", "is_there"),
    [
        (8, "max_batch_size: 8", True),
        (8, "size: 80", False),
        ("own", "runtime: own", True),
        ("own", "known: 1", False),
        (True, "enabled: True", True),
        ([4, 8], "preferred_batch_size: [ 4 ]", True),
        ({"a": 1}, "a: 1", False),
        ("", "anything", False),
        ("a.b*", "x a.b* y", True),
    ],
)
def test_a_value_is_seen_in_a_line_as_a_word(value: object, line: str, is_there: bool) -> None:
    assert stands_in(value, line) is is_there


@pytest.mark.parametrize(
    ("path", "value", "likest"),
    [
        ("name", "cifar10", "djgbs10"),
        ("serving.timeout", "60s", "61s"),
        ("hardware.memory", "2Gi", "3Gi"),
        ("storage.uri", "s3://acme/cifar10", "s3://acme/djgbs10"),
        ("model.source", "models/cifar10.py:Net", "models/cifar10.py:Ofu"),
        ("serving.batching.max_size", 8, 9),
        ("serving.batching.dynamic", True, False),
        ("serving.batching.preferred", [4, 8], [5, 9]),
        ("model.inputs[0].shape", ["N", 3, 32], ["N", 4, 33]),
        ("serving.transport", "http", "grpc"),
    ],
)
def test_the_likest_other_value_is_near(path: str, value: object, likest: object) -> None:
    found = list(others(find(path).schema, value))

    assert found[0] == likest
    assert value not in found


def test_samples_are_of_the_type_that_is_needed() -> None:
    assert "7s" in samples(find("serving.timeout").schema)
    assert set(samples(find("serving.transport").schema)) == {"http", "grpc"}
    assert True in samples(find("serving.batching.dynamic").schema)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["name", "serving.timeout", "model.inputs[0].shape", "storage"]), VALUES)
def test_any_value_can_be_tried(path: str, value: object) -> None:
    document = spec("cifar10")
    pointer = find(path).pointer

    assert schema_at(pointer) is not None
    trial(document, pointer, value, EVERYTHING)


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_any_value_has_others_or_none(value: object) -> None:
    for field in ("name", "model.inputs[0].shape", "model.class_names", "serving.replicas.min"):
        for other in others(find(field).schema, value):
            assert other != value or value != value  # nan is unlike itself
