"""Rules refuse what cannot work, and nothing that can: the limits themselves are allowed.

What each rule says of a mistake stands in tests/invalid.
"""

import importlib
import inspect
import re
from pathlib import Path

import pytest

from generator.diagnostics import Diagnostic, Rejected
from generator.rules import RULES
from generator.rules.tensors import tensors
from generator.source import load
from generator.target import Target
from generator.targets import TARGETS
from generator.validate import validate
from generator.workload_rules import adopted

MODEL = """\
model:
  program: model.pt
  inputs: [{name: image, dtype: float32, shape: [N, 3, 32, 32]}]
  outputs: [{name: logits, dtype: float32, shape: [N, 2]}]
"""
UNBATCHED = MODEL.replace("N, ", "")
STORAGE = "storage: {uri: s3://bucket/models}\n"
TRITON = "targets: {triton: {}}\n"
STANDARD = "targets: {triton: {deployment_mode: Standard}}\n"
IMAGES = 'images: {registry: docker.io/acme, tag: "1"}\n'
NAMESPACE = "kubernetes: {namespace: models}\n"
READY = "preprocess: [decode, {resize: {size: [32, 32]}}, to_tensor]"
TRANSFORMS = f"transforms: {{{READY}}}\n{IMAGES}"


MODULES = [
    *(f"generator.rules.{area}" for area in RULES),
    "generator.kserve.rules",
    "generator.workload_rules",
    "generator.targets.seldon.image_rules",
    "generator.targets.torchserve.archive_rules",
    *(f"generator.targets.{name}.{module}" for name in TARGETS for module in ("rules", "unused")),
]


def found(
    *more: str,
    name: str = "one",
    model: str = MODEL,
    storage: str = STORAGE,
    targets: str = TRITON,
    folder: Path = Path(),
) -> tuple[Diagnostic, ...]:
    text = "".join((f"spec_version: 1\nname: {name}\n", model, storage, targets, *more))
    try:
        return validate(load("spec.yaml", text, folder))[1]
    except Rejected as rejected:
        return rejected.diagnostics


@pytest.mark.parametrize(
    "more",
    [
        # resources
        "hardware: {cpu: 2, limits: {cpu: 2000m}}\n",
        "hardware: {memory: 16Mi}\n",
        "hardware: {memory: 17000000}\n",
        "hardware: {cpu: 10000, memory: 1024Ti}\n",
        "hardware: {cpu: 4, model_instances: 2, threads: 2}\n",
        "hardware: {cpu: 500m}\n",
        "hardware: {cpu: 500m, limits: {cpu: 4}, model_instances: 4}\n",
        "hardware: {accelerator: nvidia, gpus: 16}\n",
        "hardware: {accelerator: nvidia, gpus: 8, cpu: 1, model_instances: 4}\n",
        # serving
        "serving: {batching: {max_size: 8, preferred: [8]}}\n",
        "serving: {batching: {max_size: 2, delay: 1ms}}\n",
        "serving: {batching: {max_size: 8, dynamic: false}}\n",
        "serving: {timeout: 1s, batching: {max_size: 8, delay: 999ms}}\n",
        "serving: {timeout: 2000ms, startup: 60000ms}\n",
        "serving: {replicas: {min: 3, max: 3}}\n",
        "serving: {replicas: {min: 0}}\n",
        "serving: {timeout: 10m}\n",
        "serving: {protocol: v2, transport: grpc}\n",
        # perf
        f"{IMAGES}{NAMESPACE}perf: {{rate: 1, duration: 1s, warm_up: 1s}}\n",
        f"{IMAGES}{NAMESPACE}perf: {{rate: 1, slo: {{p50: 1ms, p99: 1ms}}}}\n",
        f"{IMAGES}{NAMESPACE}perf: {{rate: 1, slo: {{p95: 60s, success_ratio: 0}}}}\n",
        # transforms
        TRANSFORMS,
        f"{TRANSFORMS}serving: {{protocol: v1}}\n",
        f"{TRANSFORMS}hardware: {{components: {{transformer: {{cpu: 2}}}}}}\n",
        f"transforms: {{run_in: client, {READY}}}\nserving: {{transport: grpc}}\n",
        f"transforms: {{{READY}, postprocess: [softmax, {{top_k: 2}}]}}\n{IMAGES}",
        "transforms: {run_in: client}\n",
    ],
)
def test_the_limit_itself_is_allowed(more: str) -> None:
    assert found(more) == ()


@pytest.mark.parametrize(
    "more",
    [
        "serving: {replicas: {min: 2, max: 2}}\n",
        "serving: {replicas: {max: 4}, autoscaling: {metric: cpu, target: 100}}\n",
    ],
)
def test_standard_mode_takes(more: str) -> None:
    assert found(more, targets=STANDARD) == ()


@pytest.mark.parametrize(
    "model",
    [
        UNBATCHED,
        MODEL + "  class_names: [cat, dog]\n",
        MODEL.replace("[N, 2]", "[N, C]") + "  class_names: [cat, dog, cow]\n",
        MODEL.replace("[N, 2]", "[N, 7, 7, 2]") + "  class_names: [cat, dog]\n",
        MODEL.replace("32, 32", "H, W"),
        MODEL.replace("logits", "image"),
        MODEL.replace("program: model.pt", "source: package.module:Net\n  arguments: {a: 1}"),
        MODEL.replace("dtype: float32, shape: [N, 2]", "dtype: float16, shape: [N, 2]"),
        MODEL.replace("[N, 2]", "[N]"),
    ],
)
def test_takes_models(model: str) -> None:
    assert found(model=model) == ()


@pytest.mark.parametrize(
    ("shape", "steps"),
    [
        (
            "[N, 3, 32, 32]",
            "[decode, {resize: {shorter_edge: 40}}, {center_crop: {size: 32}}, to_tensor]",
        ),
        ("[N, 1, 32, 32]", "[{decode: {mode: L}}, {center_crop: {size: [32, 32]}}, to_tensor]"),
        ("[N, 1, 32, 32]", "[decode, grayscale, {resize: {size: [32, 32]}}, to_tensor]"),
        ("[N, 3, H, W]", "[decode, to_tensor]"),
        (
            "[N, 3, 36, 34]",
            "[decode, {resize: {size: [32, 32]}}, {pad: {padding: [1, 2, 1, 2]}}, to_tensor]",
        ),
        ("[N, C, H, W]", "[decode, {resize: {size: [8, 8]}}, to_tensor]"),
    ],
)
def test_takes_pipelines_that_arrive(shape: str, steps: str) -> None:
    model = MODEL.replace("[N, 3, 32, 32]", shape)

    assert found(f"transforms: {{preprocess: {steps}}}\n{IMAGES}", model=model) == ()


TORCHSERVE = "targets:\n  torchserve:\n"
KNOWN = "accepted_warnings: {torchserve/end-of-life: known}\n"
SERVER = f"transforms: {{run_in: server, {READY}}}\n"


@pytest.mark.parametrize(
    ("options", "more"),
    [
        ("    deployment_mode: Knative\n", ""),
        ("    serving: {transport: grpc}\n", ""),
        ("    serving: {transport: grpc}\n", SERVER),
        ("    serving: {protocol: native}\n", SERVER),
        ("    serving: {protocol: v1}\n", TRANSFORMS),
        ("    explain: {}\n", SERVER),
        ("    serving: {batching: {max_size: 8}}\n", SERVER),
        ("    archive: {uri: 's3://bucket/store/model.mar'}\n", ""),
        ("    archive: job\n    storage: {uri: 'pvc://claim/models'}\n", ""),
        ("    settings: {prefer_direct_buffer: true, netty_client_threads: 4}\n", ""),
        ("    platform: docker\n", IMAGES),
        ("    platform: docker\n    transforms: {run_in: model}\n", TRANSFORMS),
        ("    platform: docker\n    archive: {uri: 's3://bucket/store/model.mar'}\n", TRANSFORMS),
        ("    platform: docker\n    job_queue_size: 10\n", f"{IMAGES}perf: {{rate: 10}}\n"),
        ("    platform: kubernetes\n", f"{IMAGES}serving: {{replicas: {{min: 2, max: 2}}}}\n"),
        ("    platform: kubernetes\n", f"{IMAGES}hardware: {{accelerator: nvidia}}\n"),
    ],
)
def test_torchserve_takes(options: str, more: str) -> None:
    storage = "" if "platform" in options else STORAGE
    model = MODEL.replace("  program: model.pt\n", "") if "uri: 's3" in options else MODEL

    assert found(more, KNOWN, model=model, storage=storage, targets=TORCHSERVE + options) == ()


def test_a_delay_that_fills_its_batches_is_allowed() -> None:
    options = "    serving: {batching: {max_size: 8, delay: 10ms}}\n"
    more = f"{IMAGES}{NAMESPACE}perf: {{rate: 700}}\n"

    assert found(more, KNOWN, targets=TORCHSERVE + options) == ()


def test_uint8_arrives_at_a_model_that_takes_bytes() -> None:
    model = MODEL.replace("float32, shape: [N, 3, 32, 32]", "uint8, shape: [N, 32, 32, 3]")

    more = f"transforms: {{preprocess: [decode, {{resize: {{size: [32, 32]}}}}]}}\n{IMAGES}"

    assert found(more, model=model) == ()


def test_a_custom_operation_is_read_beside_the_spec(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "steps.py").write_text("def load(data): ...\n")
    step = "custom: {function: lib/steps.py:load, produces: {dtype: float32, shape: [3, 32, 32]}}"

    more = f"transforms: {{preprocess: [{{{step}}}]}}\n{IMAGES}"

    assert found(more, folder=tmp_path) == ()


@pytest.mark.parametrize(
    "uri", ["s3://b", "gs://b/m", "pvc://c/m", "hf://a/b", "oci://r/m:1", "https://h/m.tar.gz"]
)
def test_takes_every_storage_of_the_targets_own(uri: str) -> None:
    targets = f'targets: {{triton: {{storage: {{uri: "{uri}"}}}}}}\n'

    assert found(storage="", targets=targets) == ()


def test_a_service_name_shortened_as_the_hint_says_is_taken() -> None:
    name = "a" * 60
    [diagnostic] = found(name=name)
    surplus = re.search(r"by (\d+)", diagnostic.hint)

    assert surplus is not None
    assert found(name=name[int(surplus[1]) :]) == ()
    assert found(name=name[int(surplus[1]) - 1 :]) != ()


@pytest.mark.parametrize(
    ("more", "amended"),
    [
        (
            "hardware: {cpu: 1, model_instances: 3}\n",
            "hardware: {cpu: 3, model_instances: 3}\n",
        ),
        (
            "hardware: {cpu: 1, limits: {cpu: 2}, model_instances: 2, threads: 2}\n",
            "hardware: {cpu: 1, limits: {cpu: 4}, model_instances: 2, threads: 2}\n",
        ),
        ("serving: {replicas: {min: 4}}\n", "serving: {replicas: {min: 4, max: 4}}\n"),
        ("hardware: {memory: 4}\n", "hardware: {memory: 4Gi}\n"),
        ("serving: {timeout: 2500ms}\n", "serving: {timeout: 3s}\n"),
        (
            "serving: {batching: {max_size: 4, preferred: [8]}}\n",
            "serving: {batching: {max_size: 8, preferred: [8]}}\n",
        ),
    ],
)
def test_what_the_hint_says_mends_it(more: str, amended: str) -> None:
    [diagnostic] = found(more)
    numbers = set(re.findall(r"\d+", diagnostic.hint)) - {"1"}

    assert numbers <= set(re.findall(r"\d+", amended))
    assert numbers
    assert found(amended) == ()


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_rules_are_listed_once_and_named_as_their_functions(target: Target) -> None:
    listed = [rule for rules in RULES.values() for rule in rules]

    names = [f"{rule.__module__}.{rule.__name__}" for rule in (*listed, *target.rules)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", MODULES)
def test_every_public_function_of_a_rule_module_is_listed_and_explains_itself(name: str) -> None:
    module = importlib.import_module(name)
    rules = {
        function
        for word, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not word.startswith("_")
    }

    tables = ("RULES", "SCALING_RULES", "COMPONENT_RULES")
    listed = [rule for table in tables for rule in getattr(module, table, ())]
    own = {rule for rule in listed if rule.__module__ == name}
    assert rules - {tensors, adopted} == own
    assert all(rule.__doc__ for rule in rules)
