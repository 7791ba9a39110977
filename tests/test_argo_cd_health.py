"""The health checks for Argo CD, run in Lua 5.1 on statuses that the operators write."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from lupa import lua51

EXAMPLES = Path(__file__).parent.parent / "examples" / "argo-cd"
HEALTH = EXAMPLES / "health"


def judged(script: str, status: object, **metadata: object) -> tuple[str, str]:
    """The health and the message of an object with this status."""
    lua = lua51.LuaRuntime()
    whole = {"metadata": {"name": "one", **metadata}, "spec": {}}
    if status is not None:
        whole["status"] = status  # type: ignore[assignment]  # a status is any map
    lua.globals().obj = as_table(lua, whole)
    found = lua.execute((HEALTH / script).read_text())
    return found.status, found.message


def as_table(lua: Any, value: Any) -> Any:
    if isinstance(value, dict):
        return lua.table_from({key: as_table(lua, each) for key, each in value.items()})
    if isinstance(value, list):
        return lua.table_from([as_table(lua, each) for each in value])
    return value


# SeldonDeployment: SeldonIO/seldon-core, operator/apis/machinelearning.seldon.io/v1,
# seldon_deployment_status.go, and Reconcile of operator/controllers/seldondeployment_controller.go

POD = {"one-default-0-graph": {"replicas": 2, "availableReplicas": 2, "status": "Available"}}
LATE = {"one-default-0-graph": {"replicas": 2, "availableReplicas": 1}}
NONE = {"one-default-0-graph": {"replicas": 1}}


@pytest.mark.parametrize(
    ("status", "health", "message"),
    [
        (None, "Progressing", "the operator has not looked at it yet"),
        ({}, "Progressing", "the operator has not looked at it yet"),
        ({"state": "Available", "replicas": 2, "deploymentStatus": POD}, "Healthy", "available"),
        (
            {"state": "Creating", "deploymentStatus": LATE},
            "Progressing",
            "one-default-0-graph has 1 of 2 replicas",
        ),
        (
            {"state": "Creating", "deploymentStatus": NONE},
            "Progressing",
            "one-default-0-graph has 0 of 1 replicas",
        ),
        ({"state": "Creating"}, "Progressing", "state Creating"),
        (
            {
                "state": "Failed",
                "description": "Deployment is no longer progressing and not available.",
                "deploymentStatus": NONE,
            },
            "Degraded",
            "Deployment is no longer progressing and not available. "
            "one-default-0-graph has 0 of 1 replicas",
        ),
        ({"state": "Failed", "description": "no such secret"}, "Degraded", "no such secret"),
        ({"state": "Failed"}, "Degraded", ""),
        ({"state": "Another"}, "Progressing", "state Another"),
    ],
)
def test_a_seldon_deployment_is_what_its_state_says(
    status: object, health: str, message: str
) -> None:
    assert judged("seldondeployment.lua", status) == (health, message)


@pytest.mark.parametrize("script", ["seldondeployment.lua", "inferenceservice.lua"])
def test_what_is_deleted_is_not_healthy_any_more(script: str) -> None:
    status = {"state": "Available", "conditions": [{"type": "Ready", "status": "True"}]}

    assert judged(script, status, deletionTimestamp="2026-01-01T00:00:00Z")[0] == "Progressing"


# InferenceService: kserve/kserve, pkg/apis/serving/v1beta1/inference_service_status.go


def conditions(**given: str) -> list[dict[str, str]]:
    """Conditions by type: a status, and the reason after a colon."""
    return [
        {"type": name, "status": value.partition(":")[0], "reason": value.partition(":")[2]}
        for name, value in given.items()
    ]


STANDARD = {"IngressReady": "True", "PredictorReady": "True", "Ready": "True", "Stopped": "False"}
KNATIVE = {
    **STANDARD,
    "LatestDeploymentReady": "True",
    "PredictorConfigurationReady": "True",
    "PredictorRouteReady": "True",
    "RoutesReady": "True",
}
NOT_THERE_YET = "False:MinimumReplicasUnavailable"


@pytest.mark.parametrize("mode", [STANDARD, KNATIVE], ids=["Standard", "Knative"])
def test_a_ready_service_is_healthy(mode: dict[str, str]) -> None:
    status = {"conditions": conditions(**mode), "modelStatus": {"transitionStatus": "UpToDate"}}

    assert judged("inferenceservice.lua", status) == ("Healthy", "ready")


def test_a_service_that_starts_in_standard_mode_is_no_failure() -> None:
    """Argo CD's own check calls it Degraded, which fails a sync with waves."""
    given = STANDARD | {
        "PredictorReady": NOT_THERE_YET,
        "IngressReady": "False:Predictor ingress not created",
        "Ready": NOT_THERE_YET,
    }
    status = {
        "conditions": conditions(**given),
        "modelStatus": {
            "transitionStatus": "InProgress",
            "states": {"targetModelState": "Loading"},
        },
    }

    assert judged("inferenceservice.lua", status)[0] == "Progressing"


def test_a_new_revision_that_is_not_ready_holds_the_sync() -> None:
    given = KNATIVE | {
        "LatestDeploymentReady": "Unknown:PredictorConfigurationReady not ready",
        "PredictorConfigurationReady": "Unknown",
    }

    health, message = judged("inferenceservice.lua", {"conditions": conditions(**given)})

    assert health == "Progressing"
    assert "PredictorConfigurationReady is Unknown" in message


@pytest.mark.parametrize(
    "given",
    [
        STANDARD | {"PredictorReady": "False:ProgressDeadlineExceeded", "Ready": "False"},
        STANDARD | {"PredictorReady": "False:FailedCreate", "Ready": "False"},
        STANDARD | {"TransformerReady": "False:ProgressDeadlineExceeded", "Ready": "False"},
        KNATIVE | {"PredictorConfigurationReady": "False:RevisionFailed"},
        KNATIVE | {"PredictorReady": "False:RevisionMissing", "Ready": "False:RevisionMissing"},
    ],
)
def test_what_kserve_calls_failed_is_degraded(given: dict[str, str]) -> None:
    health, message = judged("inferenceservice.lua", {"conditions": conditions(**given)})

    assert health == "Degraded"
    assert "is False, " in message


def test_a_model_that_cannot_be_loaded_is_degraded_with_the_reason() -> None:
    status = {
        "conditions": conditions(**STANDARD | {"PredictorReady": NOT_THERE_YET}),
        "modelStatus": {
            "transitionStatus": "BlockedByFailedLoad",
            "lastFailureInfo": {"reason": "ModelLoadFailed", "message": "no such bucket"},
        },
    }

    assert judged("inferenceservice.lua", status) == (
        "Degraded",
        "the model is BlockedByFailedLoad: ModelLoadFailed no such bucket",
    )


def test_a_service_that_is_stopped_on_purpose_does_not_hold_a_sync() -> None:
    given = conditions(
        **STANDARD | {"PredictorReady": "False:Stopped", "Ready": "False", "Stopped": "True"}
    )
    stop = {"serving.kserve.io/stop": "true"}

    assert judged("inferenceservice.lua", {"conditions": given}, annotations=stop)[0] == "Healthy"
    assert judged("inferenceservice.lua", {"conditions": given})[0] == "Suspended"


@pytest.mark.parametrize("value", ["True", "TRUE"])
def test_the_annotation_is_read_as_kserve_reads_it(value: str) -> None:
    """kserve/kserve, pkg/utils/utils.go, GetForceStopRuntime: strings.EqualFold."""
    given = conditions(**STANDARD | {"Ready": "False", "Stopped": "True"})
    stop = {"serving.kserve.io/stop": value}

    assert judged("inferenceservice.lua", {"conditions": given}, annotations=stop)[0] == "Healthy"


def test_the_observed_generation_is_not_taken_for_the_services_own() -> None:
    """KServe writes the Deployment's there."""
    status = {"conditions": conditions(**STANDARD), "observedGeneration": 1}

    assert judged("inferenceservice.lua", status, generation=5)[0] == "Healthy"


def test_before_kserve_has_looked_at_it() -> None:
    assert judged("inferenceservice.lua", None)[0] == "Progressing"
    assert judged("inferenceservice.lua", {})[0] == "Progressing"


def test_the_checks_are_named_as_argo_cd_looks_for_them() -> None:
    kustomization = yaml.safe_load((HEALTH / "kustomization.yaml").read_text())

    [made] = kustomization["configMapGenerator"]
    assert made["name"] == "argocd-cm"
    assert made["behavior"] == "merge"
    keys = dict(each.split("=") for each in made["files"])
    assert all((HEALTH / file).is_file() for file in keys.values())
    prefix = "resource.customizations.health."
    assert {key.removeprefix(prefix) for key in keys} == {
        "machinelearning.seldon.io_SeldonDeployment",
        "serving.kserve.io_InferenceService",
    }
