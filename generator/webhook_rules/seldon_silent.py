"""What Seldon Core takes, and then leaves out, overwrites, or waits for.

Of SeldonIO/seldon-core, [names] is
operator/apis/machinelearning.seldon.io/v1/seldondeployment_types.go,
[controller] operator/controllers/seldondeployment_controller.go,
[engine] operator/controllers/seldondeployment_engine.go,
[servers] operator/controllers/seldondeployment_prepackaged_servers.go,
[explainers] operator/controllers/seldondeployment_explainers.go,
[client] executor/api/rest/client.go, [chart] helm-charts/seldon-core-operator/values.yaml.
"""

import re
from collections.abc import Iterator

from generator.webhook_rules.graphs import (
    SEPARATE_ENGINE,
    containers,
    needs_container,
    predictors,
    predictors_of,
    protocol,
    server,
    unit_containers,
)
from generator.webhook_rules.nodes import (
    Found,
    Rendered,
    twice,
)

ENGINE = "seldon-container-engine"
PARAMETERS = "PREDICTIVE_UNIT_PARAMETERS"
OPERATORS_VARIABLES = (  # appended by createContainerService [controller], and the last one counts
    "MLSERVER_MODEL_NAME",
    "PREDICTIVE_UNIT_ID",
    "PREDICTIVE_UNIT_IMAGE",
    "PREDICTIVE_UNIT_METRICS_ENDPOINT",
    "PREDICTIVE_UNIT_METRICS_SERVICE_PORT",
    "PREDICTOR_ID",
    "PREDICTOR_LABELS",
    "SELDON_DEPLOYMENT_ID",
    "SELDON_EXECUTOR_ENABLED",
)
# Orchestrator and wrapper read these of the pod, which has those of spec and of the predictor.
POD_ANNOTATIONS = (
    "seldon.io/grpc-max-message-size",
    "seldon.io/grpc-timeout",
    "seldon.io/rest-timeout",
)
DEPLOYMENT_ANNOTATIONS = {  # getAnnotation, controller_utils.go: of spec, or else of metadata
    "seldon.io/executor-logger-queue-size": "a number of messages",
    "seldon.io/executor-logger-write-timeout-ms": "milliseconds",
    "seldon.io/istio-retries": "a number of retries",
    "seldon.io/istio-retries-timeout": "seconds",
}


def unit_name_twice(rendered: Rendered) -> Iterator[Found]:
    """Seldon finds the first unit of a name, and calls it for the other too [names]."""
    for predictor in predictors(rendered):
        for name in twice(tuple(unit.at("name") for unit in predictor.units)):
            first = predictor.unit(name.text)
            related = (first.at("name"), "the other one") if first else None
            text = f"two nodes of the graph are named `{name.text}`"
            yield name.refused(text, "rename one", related=related)


def container_in_two_pods(rendered: Rendered) -> Iterator[Found]:
    """Each would be given a Service of the same name: createContainerService [controller]."""
    for predictor in predictors(rendered):
        seen: dict[str, int] = {}
        for index, pod in enumerate(predictor.pods):
            for name in (one.at("name") for one in containers(pod)):
                if predictor.unit(name.text) and seen.setdefault(name.text, index) != index:
                    text = f"container `{name.text}` stands in two entries of componentSpecs"
                    yield name.refused(text, "rename one")


def engine_in_the_way(rendered: Rendered) -> Iterator[Found]:
    """Where a container has the orchestrator's name none is added [engine]."""
    for predictor in predictors(rendered):
        for container in predictor.containers:
            if container.at("name").text == ENGINE:
                text = f"container name `{ENGINE}` is the orchestrator's"
                yield container.at("name").warned(text, "rename it")


def engine_without_place(rendered: Rendered) -> Iterator[Found]:
    """The orchestrator stands beside a unit of the first pod, or nothing starts [controller]."""
    for predictor in predictors(rendered):
        if predictor.is_without_engine or predictor.has_engine_of_its_own or not predictor.pods:
            continue
        first = {one.at("name").text for one in containers(predictor.pods[0])}
        own = [unit for unit in predictor.units if needs_container(unit)]
        nowhere = own and not any(unit.at("name").text in first for unit in own)
        if nowhere and not any(server(unit) for unit in predictor.units):
            text = "no node of the graph is a container of the first entry of componentSpecs"
            yield predictor.pods[0].refused(text, "put a node's container first")


def engine_half_apart(rendered: Rendered) -> Iterator[Found]:
    """The webhook looks for the annotation, the controller for its value true [controller].

    Both look in spec alone.
    """
    for deployment in rendered.of_kind("SeldonDeployment"):
        annotation = deployment.at("spec", "annotations", SEPARATE_ENGINE)
        if annotation.given and annotation.text.lower() != "true":
            text = f"{SEPARATE_ENGINE} `{annotation.text}` leaves the orchestrator without a pod"
            yield annotation.refused(text, "write `true`, or remove it")
        elsewhere = deployment.at("metadata", "annotations", SEPARATE_ENGINE)
        if elsewhere.given:
            text = f"{SEPARATE_ENGINE} does nothing in metadata"
            yield elsewhere.warned(text, "move it to spec.annotations")


def annotation_out_of_reach(rendered: Rendered) -> Iterator[Found]:
    """Annotations of the pod are read: those of spec, predictor and componentSpecs [client]."""
    for deployment in rendered.of_kind("SeldonDeployment"):
        for name in POD_ANNOTATIONS:
            annotation = deployment.at("metadata", "annotations", name)
            if annotation.given:
                text = f"{name} does nothing in metadata"
                yield annotation.warned(text, "move it to spec.annotations")


def annotation_of_no_number(rendered: Rendered) -> Iterator[Found]:
    """Another text stops the orchestrator, or the operator before it makes anything.

    The first are those of the pod [client], the others of createExecutorContainer [engine] and,
    with Istio, of createIstioResources [controller].
    """
    for deployment in rendered.of_kind("SeldonDeployment"):
        pods = [deployment.at("spec")]
        for predictor in predictors_of(deployment):
            pods += [predictor.spec, *(pod.at("metadata") for pod in predictor.pods)]
        read = [(place, name) for place in pods for name in POD_ANNOTATIONS]
        for place in (deployment.at("spec"), deployment.at("metadata")):
            read += [(place, name) for name in DEPLOYMENT_ANNOTATIONS]
        for place, name in read:
            annotation = place.at("annotations", name)
            if annotation.text and not re.fullmatch(r"[-+]?\d+", annotation.text):
                text = f"{name} `{annotation.text}` is no whole number"
                yield annotation.refused(text, f"write {_unit(name)}")


def parameters_given_twice(rendered: Rendered) -> Iterator[Found]:
    """A server's variable is written over [servers].

    A container's own hides the parameters of the graph.
    """
    for unit, container in unit_containers(predictors(rendered)):
        for variable in container.at("env").elements:
            if variable.at("name").text != PARAMETERS:
                continue
            if server(unit):
                text = f"{PARAMETERS} of {server(unit)} is overwritten"
                yield variable.at("name").warned(text, "write parameters in the graph")
            elif unit.at("parameters").elements:
                text = f"{PARAMETERS} hides the parameters in the graph"
                yield variable.at("name").warned(text, "keep one")


def variable_of_the_operator(rendered: Rendered) -> Iterator[Found]:
    """The operator adds these after the user's, and the last one counts [controller]."""
    for _, container in unit_containers(predictors(rendered)):
        for variable in container.at("env").elements:
            name = variable.at("name")
            if name.text in OPERATORS_VARIABLES:
                yield name.warned(f"{name.text} is overwritten by Seldon", "remove it")


def pod_security_context(rendered: Rendered) -> Iterator[Found]:
    """The operator puts its own in the place of the pod's.

    https://github.com/SeldonIO/seldon-core/issues/4711
    """
    for predictor in predictors(rendered):
        for pod in predictor.pods:
            context = pod.at("spec", "securityContext")
            if context.keys:
                text = "the pod's `securityContext` is replaced by Seldon"
                yield context.warned(text, "write it for each container")


def triton_of_2021(rendered: Rendered) -> Iterator[Found]:
    """The chart registers Triton 21.08, whose libtorch is 1.9: predictor_servers [chart]."""
    for predictor in predictors(rendered):
        for unit in predictor.units:
            container = predictor.container(unit.at("name").text)
            has_image = container is not None and container.at("image").text
            if server(unit) == "TRITON_SERVER" and not has_image:
                text = "TRITON_SERVER without an image is Triton 21.08"
                hint = f"write the image of a container `{unit.at('name').text}`"
                yield unit.at("implementation").warned(text, hint)


def certificate_of_no_secret(rendered: Rendered) -> Iterator[Found]:
    """A secret brings the certificate, and nothing else does: createComponents [controller]."""
    for predictor in predictors(rendered):
        ssl = predictor.spec.at("ssl")
        if ssl.given and not ssl.at("certSecretName").text:
            yield ssl.warned("`ssl` without certSecretName does nothing", "add certSecretName")


def explainer_without_type(rendered: Rendered) -> Iterator[Found]:
    """An explainer without a type counts as none: isEmptyExplainer [explainers]."""
    for predictor in predictors(rendered):
        explainer = predictor.spec.at("explainer")
        if explainer.keys and not explainer.at("type").text:
            yield explainer.warned("explainer without `type` is not deployed", "add its type")


def explainer_container_overwritten(rendered: Rendered) -> Iterator[Found]:
    """The operator tells the explainer everything in arguments, or under v2 in variables.

    It puts its own in the place of the container's: createExplainer [explainers].
    """
    for predictor in predictors(rendered):
        key = "env" if protocol(predictor.deployment) == "v2" else "args"
        field = predictor.spec.at("explainer", "containerSpec", key)
        if field.elements and predictor.spec.at("explainer", "type").text:
            text = f"`{key}` of the explainer's container is replaced by Seldon"
            yield field.warned(text, "remove it: write config, or initParameters under v2")


def _unit(annotation: str) -> str:
    """What the number of an annotation counts."""
    of_a_pod = "bytes" if annotation.endswith("size") else "milliseconds"
    return DEPLOYMENT_ANNOTATIONS.get(annotation, of_a_pod)


RULES = (
    unit_name_twice,
    container_in_two_pods,
    engine_in_the_way,
    engine_without_place,
    engine_half_apart,
    annotation_out_of_reach,
    annotation_of_no_number,
    parameters_given_twice,
    variable_of_the_operator,
    pod_security_context,
    triton_of_2021,
    certificate_of_no_secret,
    explainer_without_type,
    explainer_container_overwritten,
)
