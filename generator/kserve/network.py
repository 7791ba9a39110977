"""Who may reach the pods that KServe makes of an InferenceService."""

from generator.kserve.exposure import TRANSFORMER, Exposure
from generator.kserve.pods import PREDICTOR, selector
from generator.network import Allowed, Policy, knative, load_test, named
from generator.project import Project
from generator.workload import HTTP_PORT

_BEHIND = "The transformer, through which all requests come."
_TRANSFORMERS = "transformer-networkpolicy.yaml"


def policies(
    project: Project, exposure: Exposure, *, grpc_port: int | None, metrics_port: int
) -> tuple[Policy, ...]:
    """The policies of a service; `grpc_port` is the predictor's, where that speaks gRPC.

    Under Knative a transformer calls its predictor by way of the gateway, like everybody else.
    """
    if project.security.network_policy is None:
        return ()
    name, perf = exposure.service, exposure.service
    if exposure.is_knative:
        of_service = {"serving.kserve.io/inferenceservice": exposure.service}
        allowed = knative(project, http2=grpc_port is not None, metrics=(metrics_port,))
        return (Policy(name, of_service, allowed),)
    door = (grpc_port or HTTP_PORT,)
    if not exposure.has_transformer:
        allowed = (named(project, (*door, metrics_port)), *load_test(project, perf, door))
        return (Policy(name, selector(exposure, PREDICTOR), allowed),)
    behind = Allowed(_BEHIND, door, pods=(selector(exposure, TRANSFORMER),))
    front = (HTTP_PORT,)  # with its metrics
    return (
        Policy(
            f"{name}-{PREDICTOR}",
            selector(exposure, PREDICTOR),
            (behind, named(project, (metrics_port,))),
        ),
        Policy(
            f"{name}-{TRANSFORMER}",
            selector(exposure, TRANSFORMER),
            (named(project, front), *load_test(project, perf, front)),
            _TRANSFORMERS,
        ),
    )
