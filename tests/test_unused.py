"""Nothing of a spec is dropped in silence: each value changes what is made, or a rule speaks.

Every leaf of the spec's schema and of each target's options is given another value, in specs for
every target and way of serving. Where neither a rendered file nor the bundle nor what the rules say
changes, the value would have been dropped without a word.
"""

import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from generator.diagnostics import Diagnostic, Rejected
from generator.planned import planned, rendered
from generator.schema import project_schema, read
from generator.selection import Selection
from generator.source import load
from generator.target import Program
from generator.targets import TARGETS
from generator.validate import validate

SPECS = Path(__file__).parent.parent / "specs"
HANDLER = "models/detection_handler.py:Detector"
BARE = """\
spec_version: 1
name: one
model:
  source: models/mnist.py:Net
  inputs: [{name: image, dtype: float32, shape: [N, 1, 28, 28]}]
  outputs: [{name: logits, dtype: float32, shape: [N, 10]}]
accepted_warnings: {torchserve/end-of-life: known, seldon/python-end-of-life: known}
"""
NAMES = "  class_names: [a, b, c, d, e, f, g, h, i, j]\n"
STORAGE = "storage: {uri: s3://bucket/one}\n"
IMAGES = 'images: {registry: docker.io/acme, tag: "1.0"}\n'
STEPS = """\
transforms:
  run_in: %s
  preprocess: [{decode: {mode: L}}, {resize: {size: [28, 28]}}, to_tensor]
  postprocess: [softmax, {top_k: 3}, class_name]
"""
SCRIPT = "export: {method: script}\n"
ARCHIVE = "archive: {uri: 's3://bucket/store/model.mar'}"
NAMED = BARE.replace("accepted", NAMES + "accepted")
BESIDE = BARE.replace("accepted", "  files: [models/detection.py]\naccepted")

WAYS = {
    "triton component": NAMED + STORAGE + IMAGES + STEPS % "component" + "targets: {triton: {}}\n",
    "triton client": NAMED + STORAGE + STEPS % "client" + "targets: {triton: {}}\n",
    "triton model": NAMED + SCRIPT + STORAGE + STEPS % "model" + "targets: {triton: {}}\n",
    "triton tensors": BARE + STORAGE + "targets: {triton: {deployment_mode: Standard}}\n",
    "torchserve server": NAMED + STORAGE + STEPS % "server" + "targets: {torchserve: {}}\n",
    "torchserve component": NAMED
    + STORAGE
    + IMAGES
    + STEPS % "component"
    + "targets: {torchserve: {}}\n",
    "torchserve tensors": BARE + STORAGE + "targets: {torchserve: {}}\n",
    "torchserve gRPC": BARE + STORAGE + "serving: {transport: grpc}\ntargets: {torchserve: {}}\n",
    "torchserve docker": NAMED
    + IMAGES
    + STEPS % "server"
    + "targets: {torchserve: {platform: docker}}\n",
    "torchserve kubernetes": BARE + IMAGES + "targets: {torchserve: {platform: kubernetes}}\n",
    "torchserve handler": BESIDE + STORAGE + f"targets: {{torchserve: {{handler: {HANDLER}}}}}\n",
    "torchserve archive": BARE + STORAGE + f"targets: {{torchserve: {{{ARCHIVE}}}}}\n",
    "seldon component": NAMED + IMAGES + STEPS % "component" + "targets: {seldon: {}}\n",
    "seldon tensors": BARE + IMAGES + "targets: {seldon: {}}\n",
    "seldon s2i": NAMED + IMAGES + STEPS % "server" + "targets: {seldon: {builder: s2i}}\n",
    "seldon TORCH_SERVER": BARE
    + STORAGE.replace("}", ", secret: known}")
    + IMAGES
    + "targets: {seldon: {model_server: TORCH_SERVER}}\n",
    "seldon TRITON_SERVER": BARE
    + STORAGE.replace("}", ", secret: known}")
    + "targets: {seldon: {model_server: TRITON_SERVER}}\n",
    "predictor": NAMED + SCRIPT + STEPS % "model" + "targets: {predictor: {}}\n",
}

OTHERS: dict[str, list[object]] = {
    "model.source": ["models/cifar10.py:Net"],
    "model.program": ["models/mnist.pt"],
    "model.arguments": [{"size": 3}],
    "model.weights.path": ["models/mnist.pt"],
    "model.weights.convert": ["models/densenet161.py:renamed"],
    "model.version": [7],
    "model.size": ["40Gi"],
    "model.class_names": [list("klmnopqrst")],
    "model.requirements": [["scipy==1.16.2"]],
    "model.files": [["models/coco_classes.json"]],
    "export.format": ["onnx"],
    "export.method": ["script", "trace"],
    "storage.uri": ["s3://other/place"],
    "storage.secret": ["other"],
    "transforms.run_in": ["client", "server"],
    "transforms.request_field": ["photo"],
    "transforms.preprocess": [[{"decode": {"mode": "L"}}, {"center_crop": {"size": 28}}]],
    "transforms.postprocess": [["softmax", "argmax"]],
    "transforms.requirements": [["scipy==1.16.2"]],
    "hardware.accelerator": ["nvidia"],
    "hardware.gpus": [3],
    "hardware.cpu": [7],
    "hardware.memory": ["3Gi"],
    "hardware.limits.cpu": [9],
    "hardware.limits.memory": ["9Gi"],
    "hardware.model_instances": [2],
    "hardware.threads": [1, 2],
    "hardware.components": [{"input": {"cpu": 3}}, {"transformer": {"cpu": 3}}],
    "serving.protocol": ["v1", "v2", "native"],
    "serving.transport": ["grpc", "http"],
    "serving.batching.max_size": [5],
    "serving.batching.dynamic": [False],
    "serving.batching.preferred": [[2]],
    "serving.batching.delay": ["3ms"],
    "serving.timeout": ["77s"],
    "serving.startup": ["7m"],
    "serving.replicas.min": [2],
    "serving.replicas.max": [5],
    "serving.autoscaling": [{"metric": "cpu", "target": 5}, {"metric": "rps", "target": 5}],
    "kubernetes.namespace": ["elsewhere"],
    "kubernetes.labels": [{"team": "vision"}],
    "kubernetes.annotations": [{"acme.example/owner": "vision"}],
    "kubernetes.service_account": ["models"],
    "kubernetes.image_pull_secrets": [["registry"]],
    "kubernetes.node_selector": [{"pool": "gpu"}],
    "kubernetes.tolerations": [[{"key": "gpu", "operator": "Exists"}]],
    "security.read_only_root": [False],
    "security.network_policy.allow_from": [["clients"]],
    "images.registry": ["ghcr.io/elsewhere"],
    "images.tag": ["9.9"],
    "perf.rate": [33],
    "gitops.argo_cd.repository": ["https://github.com/acme/serving.git"],
}
"""Other values for each leaf; where several are given, one that has an effect is enough."""

BESIDES = {
    "storage.secret": {"storage.uri": "s3://bucket/one"},
    "model.weights.convert": {"model.weights.path": "models/mnist.pt"},
    "hardware.gpus": {"hardware.accelerator": "nvidia"},
    "images.registry": {"images.tag": "1.0"},
    "images.tag": {"images.registry": "docker.io/acme"},
    "serving.batching.dynamic": {"serving.batching.max_size": 4},
}
"""What a leaf cannot stand without; it is there before too."""

NOT_TRIED = {
    "spec_version": "one value only",
    "name": "the name of all files",
    "model.inputs": "the signature, which every target renders or exports",
    "model.outputs": "likewise",
    "model.weights.url": "the path's way, from elsewhere",
    "model.weights.sha256": "of a url",
    "kubernetes.releases": "what manifests are held against, not what is rendered",
    "kubernetes.crds": "likewise",
    "perf.duration": "with perf.rate: the load test as a whole",
    "perf.warm_up": "likewise",
    "perf.slo": "likewise",
    **{
        f"gitops.argo_cd.{key}": "tests/test_argo_cd.py"
        for key in (
            "revision",
            "path",
            "project",
            "namespace",
            "destination",
            "clusters",
            "automated",
            "perf_hook",
            "plugin",
            "hydrate",
        )
    },
    "accepted_warnings": "what the rules say no more",
    "targets": "the targets themselves",
    "environments": "other layers of the same leaves",
}

NO_STEPS = "there are no steps that could run anywhere"
WITHOUT_CHANGE: dict[str, dict[str, str]] = {
    "triton model": {"serving.batching.dynamic": "batches-of-images has said that it joins none"},
    "torchserve tensors": {"transforms.run_in": NO_STEPS},
    "torchserve gRPC": {"transforms.run_in": NO_STEPS},
    "torchserve docker": {"serving.transport": "both doors are open"},
    "torchserve kubernetes": {
        "serving.transport": "both doors are open",
        "serving.protocol": "the door tells the protocols apart by the body",
        "transforms.run_in": NO_STEPS,
    },
    "torchserve handler": {"transforms.run_in": NO_STEPS},
    "torchserve archive": {
        "transforms.run_in": NO_STEPS,
        **dict.fromkeys(
            ("model.source", "model.arguments", "model.weights.path", "model.weights.convert"),
            "no-effect has said of model.source that nothing is exported",
        ),
    },
    "seldon component": {"serving.transport": "the orchestrator has both doors"},
    "seldon tensors": {
        "serving.transport": "the orchestrator has both doors",
        "transforms.run_in": NO_STEPS,
    },
    "seldon s2i": {"serving.transport": "the orchestrator has both doors"},
    "seldon TORCH_SERVER": {
        "serving.transport": "the orchestrator has both doors",
        "serving.batching.dynamic": "no-effect has said that max_size is unknown there",
        "transforms.run_in": NO_STEPS,
    },
    "seldon TRITON_SERVER": {"transforms.run_in": NO_STEPS},
    "predictor": {"serving.batching.dynamic": "no-effect has said that there is no server"},
}
"""What changes nothing because it is so anyway, or has been told already: why, by way and leaf."""
JOINS_NONE = "the wrapper joins no requests, as false asks for"
for _way in ("component", "tensors", "s2i"):
    WITHOUT_CHANGE[f"seldon {_way}"]["serving.batching.dynamic"] = JOINS_NONE


def changed(data: Mapping[str, Any], leaf: str, value: object) -> dict[str, Any]:
    """The spec with another value at a leaf."""
    result = copy.deepcopy(dict(data))
    *parents, last = leaf.split(".")
    node = result
    for key in parents:
        if not isinstance(node.get(key), dict):
            node[key] = {}
        node = node[key]
    node[last] = value
    return result


def made(data: Mapping[str, Any]) -> object:
    """All that a spec becomes, and what is said of it."""
    try:
        deployments, warnings = validate(load("spec.yaml", json.dumps(data).encode(), SPECS))
    except Rejected as rejected:
        return [_said(each) for each in rejected.diagnostics]
    files = {
        str(file.path): file.text
        for each in deployments
        for file in rendered(planned(each.target, each.project, each.options), each.project)
    }
    bundles = []
    for each in deployments:
        bundle = each.target.bundle(each.project, each.options)
        programs = [_exported(program) for program in bundle.programs]
        prebuilt = [(one.source, one.sha256, one.name, one.version) for one in bundle.prebuilt]
        bundles.append((programs, bundle.archives, prebuilt, bundle.keeps))
    return files, bundles, [_said(each) for each in warnings]


def _said(diagnostic: Diagnostic) -> tuple[str, str]:
    return diagnostic.rule, diagnostic.message


def _exported(program: Program) -> object:
    """What of a project its program is made of."""
    project = program.project
    inside = project.transforms if project.transforms.run_in == "model" else None
    names = project.model.class_names if inside else ()
    model = replace(project.model, version=0, class_names=names, requirements=(), files=())
    return program.path, program.by_name, model, project.export, inside


def silent(way: str, others: Mapping[str, list[object]]) -> Iterator[str]:
    """The leaves of which no other value changes anything."""
    data = yaml.safe_load(WAYS[way])
    for leaf, values in others.items():
        before = data
        for other, value in BESIDES.get(leaf, {}).items():
            if not _is_there(data, other):
                before = changed(before, other, value)
        base = made(before)
        assert isinstance(base, tuple) or leaf in BESIDES, (way, leaf, base)
        if all(made(changed(before, leaf, value)) == base for value in values):
            yield leaf


def _is_there(data: Mapping[str, Any], leaf: str) -> bool:
    node: Any = data
    for key in leaf.split("."):
        if not isinstance(node, dict) or key not in node:
            return False
        node = node[key]
    return True


@pytest.mark.parametrize("way", WAYS)
def test_no_value_is_dropped_in_silence(way: str) -> None:
    assert set(silent(way, OTHERS)) == set(WITHOUT_CHANGE.get(way, {}))


OPTIONS: dict[str, dict[str, list[object]]] = {
    "triton": {
        "deployment_mode": ["Standard", "Knative"],
        "runtime": ["other"],
        "runtime_version": ["26.10-py3"],
        "tensor_names": ["forward", "index"],
        "names.service": ["other"],
        "names.model": ["other"],
        "names.images.transformer": ["ghcr.io/acme/other"],
        "names.images.perf": ["ghcr.io/acme/other"],
    },
    "torchserve": {
        "platform": ["kserve", "docker", "kubernetes"],
        "deployment_mode": ["Standard"],
        "base_image": ["docker.io/pytorch/torchserve:0.11.1-cpu"],
        "handler": ["models/densenet161.py:renamed"],
        "explain.steps": [20],
        "archive": ["job", "export"],
        "also_serves": [["mnist.yaml"]],
        "job_queue_size": [55],
        "settings": [{"netty_client_threads": 3}],
        "names.service": ["other"],
        "names.model": ["other"],
        "names.images.torchserve": ["ghcr.io/acme/other"],
        "names.images.transformer": ["ghcr.io/acme/other"],
        "names.images.perf": ["ghcr.io/acme/other"],
    },
    "seldon": {
        "builder": ["s2i", "docker"],
        "builder_image": ["docker.io/seldonio/seldon-core-s2i-python3:1.16.0"],
        "base_image": ["docker.io/library/python:3.12-slim"],
        "wrapper_version": ["1.18.2"],
        "python_version": ["3.9"],
        "torch_version": ["2.2.0"],
        "dependencies": ["conda", "pip"],
        "conda_env_name": ["other"],
        "model_server": ["TORCH_SERVER", "TRITON_SERVER", "container"],
        "triton_version": ["26.10-py3"],
        "rclone_remote": ["other"],
        **{
            f"components.{role}.{key}": [value]
            for role in ("input", "model", "output")
            for key, value in (
                ("node", "other"),
                ("class_name", "Other"),
                ("folder", "other"),
                ("image", "ghcr.io/acme/other"),
            )
        },
        "names.service": ["other"],
        "names.predictor": ["other"],
        "names.images.perf": ["ghcr.io/acme/other"],
    },
    "predictor": {},
}
"""Other values for each option of a target."""
NOT_TRIED_OPTIONS = {"patches": "they are refused where they do not apply", "explain.method": "one"}


@pytest.mark.parametrize("way", WAYS)
def test_no_option_is_dropped_in_silence(way: str) -> None:
    target = way.partition(" ")[0]
    options = {f"targets.{target}.{leaf}": values for leaf, values in OPTIONS[target].items()}

    assert set(silent(way, options)) == set()


def test_every_leaf_of_the_schema_is_tried() -> None:
    content = read(project_schema())

    assert set(_leaves(content, content, {*OTHERS, *NOT_TRIED})) == {*OTHERS, *NOT_TRIED}


@pytest.mark.parametrize("name", TARGETS)
def test_every_option_is_tried(name: str) -> None:
    content = read(TARGETS[name].schema)
    tried = {*OPTIONS[name], *NOT_TRIED_OPTIONS}

    assert set(_leaves(content, content, tried)) - set(NOT_TRIED_OPTIONS) == set(OPTIONS[name])


def _leaves(
    schema: Mapping[str, Any], root: Mapping[str, Any], ends: set[str], at: str = ""
) -> Iterator[str]:
    """The paths of what holds no further properties, or is one of `ends`."""
    for key, held in schema.get("properties", {}).items():
        path = f"{at}{key}"
        whole = held | next(iter(held.get("allOf", [])), {})
        reference = whole.get("$ref", "")
        if reference.startswith("#/definitions/"):
            whole = root["definitions"][reference.removeprefix("#/definitions/")]
        if path in ends or "properties" not in whole:
            yield path
        else:
            yield from _leaves(whole, root, ends, f"{path}.")


DOCKER = "targets: {torchserve: {platform: docker}}\n"
TWO_NAMES = "targets: {triton: {}, torchserve: {names: {service: two}}}\n"
PREFERS = "serving: {batching: {max_size: 4, preferred: [2]}}\n"


def said(*parts: str) -> list[tuple[str, str]]:
    """The severity and the message of each no-effect."""
    try:
        found = validate(load("spec.yaml", "".join(parts).encode(), SPECS))[1]
    except Rejected as rejected:
        found = rejected.diagnostics
    return [(each.severity, each.message) for each in found if each.rule.endswith("/no-effect")]


def test_a_value_without_effect_is_named_with_the_reason() -> None:
    [(severity, message)] = said(BARE, STORAGE, PREFERS, "targets: {torchserve: {}}\n")

    assert severity == "warning"
    assert message == (
        "`serving.batching.preferred` has no effect on torchserve: "
        "it knows one size of batches, max_size"
    )


def test_a_value_that_another_target_uses_is_not_reported() -> None:
    assert said(BARE, STORAGE, PREFERS, TWO_NAMES) == []


def test_a_value_for_one_target_is_reported_though_another_has_its_own() -> None:
    own = TWO_NAMES.replace("{names", "{serving: {batching: {preferred: [4]}}, names")

    [(_, message)] = said(BARE, STORAGE, PREFERS, own)

    assert message.startswith("`serving.batching.preferred` has no effect on torchserve")


def test_a_value_that_another_environment_uses_is_not_reported() -> None:
    environments = "environments: {a: {targets: {triton: {}}}, b: {targets: {torchserve: {}}}}\n"

    assert said(BARE, STORAGE, PREFERS, environments) == []


def test_a_value_that_no_target_uses_is_reported_for_each() -> None:
    files = BESIDE + STORAGE + TWO_NAMES

    assert [message.split(":")[0] for _, message in said(files)] == [
        "`model.files` has no effect on torchserve",
        "`model.files` has no effect on triton",
    ]


def test_a_selected_target_is_judged_with_the_others_in_mind() -> None:
    document = load("spec.yaml", (BARE + STORAGE + PREFERS + TWO_NAMES).encode(), SPECS)

    assert validate(document, Selection(("torchserve",)))[1] == ()


def test_replicas_of_a_single_container_are_an_error() -> None:
    replicas = "serving: {replicas: {max: 3}}\n"

    assert said(BARE, IMAGES, replicas, DOCKER) == [
        ("error", "`serving.replicas` has no effect on torchserve: docker runs one container")
    ]


def test_what_is_written_as_it_is_anyway_is_not_reported() -> None:
    replicas = "serving: {replicas: {min: 1, max: 1}}\n"

    assert said(BARE, IMAGES, replicas, DOCKER) == []


def test_an_accepted_value_without_effect_is_not_reported() -> None:
    accepted = BARE.replace("known,", "known, torchserve/no-effect: shared with a template,")

    assert said(accepted, STORAGE, PREFERS, "targets: {torchserve: {}}\n") == []


def test_what_another_error_may_have_caused_is_not_reported() -> None:
    steps = STEPS % "server"  # which Triton cannot do; in a component it needs the images

    assert said(NAMED, STORAGE, IMAGES, steps, "targets: {triton: {}}\n") == []
