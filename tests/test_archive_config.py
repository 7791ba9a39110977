"""What TorchServe would not use of an archive's model-config.yaml."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from generator.torchserve_config import RULES, WARNINGS
from generator.torchserve_config.archive_config import refusals

GOOD = """
minWorkers: 1
maxWorkers: 4
batchSize: 8
maxBatchDelay: 0
responseTimeout: 120
startupTimeout: 1200
deviceType: GPU
deviceIds: [0, 1]
parallelType: pp
torchrun:
  nproc-per-node: 4
  OMP_NUMBER_THREADS: 1
continuousBatching: true
useVenv: false
batch_size: 8
metrics: metrics.yaml
handler:
  model_name: bert
  batch_size: eight
pt2:
  compile: {enable: True}
"""


def told(text: str) -> list[tuple[str, str]]:
    return [
        (".".join(map(str, refusal.path)), refusal.message)
        for refusal in refusals(yaml.safe_load(text))
    ]


def test_takes_what_torchserve_and_a_handler_read() -> None:
    assert told(GOOD) == []
    assert told("{}") == []


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("batchSize: '8'", "batchSize", "`batchSize` takes a whole number from 1, not `8`"),
        ("batchSize: 0", "batchSize", "`batchSize` takes a whole number from 1, not `0`"),
        ("minWorkers: true", "minWorkers", "`minWorkers` takes a whole number from 0, not `True`"),
        ("maxWorkers: 1.5", "maxWorkers", "`maxWorkers` takes a whole number from 0, not `1.5`"),
        ("responseTimeout: 9999999999", "responseTimeout", "`responseTimeout` takes a whole num"),
        ("deviceType: cuda", "deviceType", "`deviceType` takes cpu or gpu, not `cuda`"),
        ("parallelType: [pp]", "parallelType", "`parallelType` takes pp or tp or pptp or custom,"),
        ("deviceIds: 0", "deviceIds", "`deviceIds` takes a list of whole numbers, not `0`"),
        ("deviceIds: [0, a]", "deviceIds.1", "`deviceIds` takes a list of whole numbers, not `a`"),
        ("torchrun: 4", "torchrun", "`torchrun` takes a map, not `4`"),
        (
            "torchrun: {nproc-per-node: gpu}",
            "torchrun.nproc-per-node",
            "`torchrun.nproc-per-node` takes a whole number from 1, not `gpu`",
        ),
        ("useVenv: 'yes'", "useVenv", "`useVenv` takes true or false, not `yes`"),
        ("batchsize: 8", "batchsize", "TorchServe does not read `batchsize`"),
        ("minworkers: 8", "minworkers", "TorchServe does not read `minworkers`"),
        ("{minWorkers: 3, maxWorkers: 2}", "minWorkers", "minWorkers 3 is above maxWorkers 2"),
    ],
)
def test_refuses(text: str, path: str, message: str) -> None:
    [(where, found)] = told(text)

    assert where == path
    assert found.startswith(message)


def test_each_rule_is_in_the_catalogue() -> None:
    found = list(refusals({"useVenv": 1, "usevenv": 1, "minWorkers": 2, "maxWorkers": 1}))

    assert {refusal.rule for refusal in found} == {
        rule for rule in RULES if rule.startswith("model-config-yaml/")
    }
    assert {refusal.rule for refusal in found if refusal.severity == "warning"} <= WARNINGS


@given(
    st.dictionaries(
        st.sampled_from(["minWorkers", "maxWorkers", "torchrun", "deviceIds", "deviceType", "x", 1])
        | st.none(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        ),
    )
)
def test_reads_any_map_without_a_traceback(config: dict[object, object]) -> None:
    list(refusals(config))
