"""The real tritonserver refuses the models that the rules of config.pbtxt refuse, and no others."""

import http.client
import json
from pathlib import Path

import pytest

from generator.engines import triton
from generator.model_config_rules import broken_rules

pytestmark = pytest.mark.engine

MODEL = "class TritonPythonModel:\n    def execute(self, requests):\n        return []\n"
IN = 'input { name: "A" data_type: TYPE_FP32 dims: [ 4 ] } '
OUT = 'output { name: "B" data_type: TYPE_FP32 dims: [ 4 ] } '
PYTHON = f'backend: "python" max_batch_size: 8 {IN}{OUT}'
ENSEMBLE = f'platform: "ensemble" max_batch_size: 8 {IN}{OUT}'


def step(reads: str = "A", writes: str = "B") -> str:
    return (
        f'step {{ model_name: "sound" model_version: -1 input_map {{ key: "A" value: "{reads}" }}'
        f' output_map {{ key: "B" value: "{writes}" }} }} '
    )


def ensemble(*steps: str, more: str = "") -> str:
    return f"{ENSEMBLE}{more} ensemble_scheduling {{ {''.join(steps)} }}"


def sequence(control: str, name: str = "S") -> str:
    inner = f'control_input {{ name: "{name}" control {{ {control} }} }}'
    return f"{PYTHON} sequence_batching {{ {inner} }}"


# What is refused here is refused before a backend is asked, which takes no time.
CONFIGS = {
    "sound": PYTHON,
    "sound_ensemble": ensemble(step()),
    "sound_in_any_order": ensemble(step(reads="C"), step(writes="C")),
    "preferred": f"{PYTHON} dynamic_batching {{ preferred_batch_size: 9 }}",
    "default_priority": f"{PYTHON} dynamic_batching {{ priority_levels: 2 }}",
    "policy_level": f"{PYTHON} dynamic_batching {{ priority_levels: 2 default_priority_level: 1"
    " priority_queue_policy { key: 3 } }",
    "order_priorities": f"{PYTHON} dynamic_batching {{ priority_levels: 2"
    " default_priority_level: 1 preserve_ordering: true }",
    "order_delays": f"{PYTHON} dynamic_batching {{ preserve_ordering: true default_queue_policy"
    " { timeout_action: DELAY default_timeout_microseconds: 5 } }",
    "cached_stream": f"{PYTHON} response_cache {{ enable: true }}"
    " model_transaction_policy { decoupled: true }",
    "control_name": sequence("int32_false_true: [ 0, 1 ]", name=""),
    "control_values": sequence("int32_false_true: [ 0 ]"),
    "control_types": sequence("int32_false_true: [ 0, 1 ] fp32_false_true: [ 0, 1 ]"),
    "identity_type": sequence("kind: CONTROL_SEQUENCE_CORRID"),
    "utilization": f"{PYTHON} sequence_batching {{ direct {{ minimum_slot_utilization: 2 }} }}",
    "no_version": f"{PYTHON} version_policy {{ latest {{ }} }}",
    "pair": f'backend: "onnxruntime" platform: "pytorch_libtorch" {IN}{OUT}',
    "unknown_platform": f'platform: "pytorch" {IN}{OUT}',
    "steps": ensemble(),
    "scheduled": ensemble(step()).replace('platform: "ensemble"', 'backend: "python"'),
    "backend_too": ensemble(step(), more='backend: "python"'),
    "group_too": ensemble(step(), more="instance_group { count: 1 }"),
    "written_twice": ensemble(step(), step()),
    "unwritten": ensemble(step(writes="C")),
    "unread": ensemble(step(), step(writes="C")),
    "loop": ensemble(step(), step(reads="C", writes="D"), step(reads="D", writes="C")),
    "of_itself": ensemble(step()).replace('"sound"', '"of_itself"'),
    "no_input": ensemble(step(), step(reads="Q", writes="Q2")),
}


def refused_by_rules(name: str, config: str) -> bool:
    found = broken_rules(config, folder=name, server_cache=True, files=["1/model.py"])
    return any(refusal.severity == "error" for refusal in found)


@pytest.mark.usefixtures("triton_engine")
def test_the_server_refuses_what_the_rules_refuse(tmp_path: Path) -> None:
    for name, config in CONFIGS.items():
        (tmp_path / name / "1").mkdir(parents=True)
        (tmp_path / name / "1" / "model.py").write_text(MODEL)
        (tmp_path / name / "config.pbtxt").write_text(f'name: "{name}" {config}')
    arguments = ["--exit-on-error=false", "--strict-readiness=false"]

    with triton.serve(tmp_path, arguments=arguments, report=print) as server:
        connection = http.client.HTTPConnection(server.http, timeout=20)
        connection.request("POST", "/v2/repository/index", "{}")
        models = json.load(connection.getresponse())

    ready = {model["name"] for model in models if model.get("state") == "READY"}
    assert ready == {name for name, config in CONFIGS.items() if not refused_by_rules(name, config)}
