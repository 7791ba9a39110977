"""What KServe refuses of a model on several nodes, a predictor or a runtime with `workerSpec`.

Of kserve/kserve, [validation] is pkg/apis/serving/v1beta1/inference_service_validation.go,
validateMultiNodeVariables, and [webhook]
pkg/webhook/admission/servingruntime/servingruntime_webhook.go, validateMultiNodeSpec.
"""

from collections.abc import Iterator

from generator.webhook_rules.nodes import Found, Node, Rendered
from generator.webhook_rules.services import (
    MAIN_CONTAINER,
    Component,
    annotation,
    components,
    runtimes,
)

SIZES = {
    "PIPELINE_PARALLEL_SIZE": "pipelineParallelSize",
    "TENSOR_PARALLEL_SIZE": "tensorParallelSize",
}
STORAGE = ("pvc", "oci")


def several_worker_containers(rendered: Rendered) -> Iterator[Found]:
    """A worker runs one container [validation] [webhook]."""
    for worker in _workers(rendered):
        containers = worker.at("containers").elements
        if len(containers) > 1:
            text = f"{len(containers)} containers in workerSpec, the most is 1"
            yield worker.at("containers").refused(text, "keep `worker-container`")


def parallel_size_below_one(rendered: Rendered) -> Iterator[Found]:
    """A model is spread over at least one node and one GPU [validation] [webhook]."""
    for worker in _workers(rendered):
        for name in SIZES.values():
            size = worker.at(name)
            if size.number is not None and size.number < 1:
                yield size.refused(f"{name} {size.number} is below 1", "write 1 or more")


def parallel_size_as_variable(rendered: Rendered) -> Iterator[Found]:
    """KServe sets these variables from the fields of workerSpec [validation] [webhook]."""
    containers = [component.spec.at("model") for component in _spread(rendered)]
    for runtime in runtimes(rendered):
        if runtime.at("spec", "workerSpec").given:
            every = runtime.at("spec", "containers").elements
            containers += [c for c in every if c.at("name").text == MAIN_CONTAINER]
    for container in containers:
        for variable in container.at("env").elements:
            field = SIZES.get(variable.at("name").text)
            if field:
                text = f"variable {variable.at('name').text} beside `workerSpec`"
                yield variable.at("name").refused(text, f"write workerSpec.{field} instead")


def storage_of_one_node(rendered: Rendered) -> Iterator[Found]:
    """All nodes read the model from a volume claim or an image [validation]."""
    for component in _spread(rendered):
        uri = component.spec.at("model", "storageUri")
        if component.spec.at("model").given and not uri.given:
            text = "`workerSpec` needs `storageUri` of the model"
            yield component.spec.at("model").refused(text, "write a pvc:// or oci:// address")
        elif uri.text and uri.text.partition("://")[0] not in STORAGE:
            text = f"storageUri `{uri.text}` beside `workerSpec`"
            yield uri.refused(text, "write a pvc:// or oci:// address")


def autoscaler_of_several_nodes(rendered: Rendered) -> Iterator[Found]:
    """A model on several nodes does not scale by itself [validation]."""
    for component in _spread(rendered):
        scaler = annotation(component.service, "autoscalerClass")
        if component.spec.at("model").given and scaler.text != "none":
            told = f"`{scaler.text}`" if scaler.given else "not given"
            text = f"autoscalerClass is {told} beside `workerSpec`"
            place = component.spec.at("workerSpec")
            hint = "annotate the service with serving.kserve.io/autoscalerClass: none"
            yield place.refused(text, hint, related=(scaler, "autoscalerClass stands here"))


def _spread(rendered: Rendered) -> Iterator[Component]:
    """The stable predictors that have workers."""
    for component in components(rendered):
        if component.is_predictor and component.spec.at("workerSpec").given:
            yield component


def _workers(rendered: Rendered) -> Iterator[Node]:
    for component in _spread(rendered):
        yield component.spec.at("workerSpec")
    for runtime in runtimes(rendered):
        yield runtime.at("spec", "workerSpec")


RULES = (
    several_worker_containers,
    parallel_size_below_one,
    parallel_size_as_variable,
    storage_of_one_node,
    autoscaler_of_several_nodes,
)
