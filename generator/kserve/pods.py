"""The pods that KServe makes of an InferenceService: their labels, and what may move them.

A budget is a manifest of its own: InferenceService 0.20 has no field for one. Its name is not
the component's, `<service>-predictor`: a later KServe deletes a budget of that name that it does
not find in the service itself (pkg/controller/v1beta1/inferenceservice/reconcilers/pdb).
"""

from collections.abc import Iterator, Mapping

from generator.kserve.exposure import Exposure
from generator.pods import Folder, budget
from generator.project import Project, ReplicaRange
from generator.workload import labels

PREDICTOR = "predictor"
TMP = Folder("tmp", "/tmp", "1Gi", "The only folder that the server writes to.")  # noqa: S108  a container's


def selector(exposure: Exposure, component: str) -> dict[str, str]:
    """The labels that KServe puts on the pods of a component, in either deployment mode."""
    return {"serving.kserve.io/inferenceservice": exposure.service, "component": component}


def replicas(project: Project, component: str) -> ReplicaRange:
    """How many pods a component has."""
    own = project.hardware.components.get(component)
    return (own and own.replicas) or project.serving.replicas


def budgets(project: Project, exposure: Exposure) -> Iterator[tuple[str, Mapping[str, object]]]:
    """The manifests of the budgets, by name, each with its values."""
    for component in (PREDICTOR, *exposure.components):
        values = budget(
            project,
            name=f"{exposure.service}-{component}-budget",
            labels=labels(project, exposure.service),
            selector=selector(exposure, component),
            replicas=replicas(project, component),
        )
        if values:
            yield f"{component}-disruptionbudget.yaml", values
