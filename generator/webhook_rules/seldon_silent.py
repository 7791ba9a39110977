"""What Seldon Core takes, and then leaves out, overwrites, or waits for.

Of SeldonIO/seldon-core, [defaults] is operator/apis/machinelearning.seldon.io/v1/defaults.go,
[controller] operator/controllers/seldondeployment_controller.go, [servers] and [initializer]
seldondeployment_prepackaged_servers.go and model_initializer_injector.go beside it, [walk]
executor/predictor/predictor_process.go; [wrapper] is microservice.py of the package seldon-core.
"""

import re
from collections.abc import Iterator

from generator.problem import did_you_mean
from generator.webhook_rules.graphs import (
    BUILT_IN,
    SEPARATE_ENGINE,
    Predictor,
    containers,
    needs_container,
    predictors,
    predictors_of,
    server,
)
from generator.webhook_rules.nodes import Found, Node, Rendered, twice

TYPES = ("COMBINER", "MODEL", "OUTPUT_TRANSFORMER", "ROUTER", "TRANSFORMER", "UNKNOWN_TYPE")
METHODS = ("AGGREGATE", "ROUTE", "SEND_FEEDBACK", "TRANSFORM_INPUT", "TRANSFORM_OUTPUT")
OF_CHILDREN = {"COMBINER": "AGGREGATE", "ROUTER": "ROUTE"}
ENGINE = "seldon-container-engine"
ENGINE_PORTS = (8000, 5001)  # EXECUTOR_SERVER_PORT and EXECUTOR_SERVER_GRPC_PORT
# constants.go: a container's ports are counted up from these over the whole deployment.
FIRST_PORTS = {"http": 9000, "grpc": 9500}
PORT_VARIABLES = {
    "http": ("PREDICTIVE_UNIT_HTTP_SERVICE_PORT", "MLSERVER_HTTP_PORT"),
    "grpc": ("PREDICTIVE_UNIT_GRPC_SERVICE_PORT", "MLSERVER_GRPC_PORT"),
}
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
FOR_SERVERS = ("modelUri", "envSecretRefName", "storageInitializerImage", "serviceAccountName")
FLOAT = r"\s*[-+]?((\d[\d_]*\.?\d*|\.\d+)(e[-+]?\d+)?|inf|infinity|nan)\s*"
PARAMETER_FORMS = {  # parse_parameters [wrapper], as Python reads the text
    "BOOL": "y|yes|t|true|on|1|n|no|f|false|off|0",
    "DOUBLE": FLOAT,
    "FLOAT": FLOAT,
    "INT": r"\s*[-+]?\d[\d_]*\s*",
    "STRING": ".*",
}
REMOTE = re.compile(r"([^:/]+):(.*)", re.DOTALL)
READY_REMOTES = ("gs", "pvc")  # Dockerfile of rclone-storage-initializer; [initializer]


def unit_name_twice(rendered: Rendered) -> Iterator[Found]:
    """Seldon finds the first unit of a name, and calls it for the other too: GetPredictiveUnit."""
    for predictor in predictors(rendered):
        for name in twice(tuple(unit.at("name") for unit in predictor.units)):
            yield name.refused(f"two nodes of the graph are named `{name.text}`", "rename one")


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
    """Where a container has the orchestrator's name none is added: addEngineToDeployment."""
    for predictor in predictors(rendered):
        for container in predictor.containers:
            if container.at("name").text == ENGINE:
                text = f"container name `{ENGINE}` is the orchestrator's"
                yield container.at("name").refused(text, "rename it")


def engine_without_place(rendered: Rendered) -> Iterator[Found]:
    """The orchestrator stands beside a unit of the first pod, or nothing starts [controller]."""
    for predictor in predictors(rendered):
        if predictor.is_without_engine or predictor.has_engine_of_its_own or not predictor.pods:
            continue
        first = [one.at("name").text for one in containers(predictor.pods[0])]
        own = [unit for unit in predictor.units if needs_container(unit)]
        nowhere = own and not any(unit.at("name").text in first for unit in own)
        if nowhere and not any(server(unit) for unit in predictor.units):
            text = "no node of the graph is a container of the first entry of componentSpecs"
            yield predictor.pods[0].refused(text, "put a node's container first")


def engine_half_apart(rendered: Rendered) -> Iterator[Found]:
    """The webhook looks for the annotation, the controller for its value true, in spec alone."""
    for deployment in rendered.of_kind("SeldonDeployment"):
        annotation = deployment.at("spec", "annotations", SEPARATE_ENGINE)
        if annotation.given and annotation.text.lower() != "true":
            text = f"{SEPARATE_ENGINE} `{annotation.text}` leaves the orchestrator without a pod"
            yield annotation.refused(text, "write `true`, or remove it")
        elsewhere = deployment.at("metadata", "annotations", SEPARATE_ENGINE)
        if elsewhere.given:
            text = f"{SEPARATE_ENGINE} does nothing in metadata"
            yield elsewhere.refused(text, "move it to spec.annotations")


def annotation_out_of_reach(rendered: Rendered) -> Iterator[Found]:
    """Annotations of the pod are read: those of spec, of a predictor and of componentSpecs."""
    for deployment in rendered.of_kind("SeldonDeployment"):
        for name in POD_ANNOTATIONS:
            annotation = deployment.at("metadata", "annotations", name)
            if annotation.given:
                text = f"{name} does nothing in metadata"
                yield annotation.refused(text, "move it to spec.annotations")


def annotation_of_no_number(rendered: Rendered) -> Iterator[Found]:
    """The orchestrator does not start with another text: executor/api/rest/client.go."""
    for deployment in rendered.of_kind("SeldonDeployment"):
        places = [deployment.at("spec")]
        for predictor in predictors_of(deployment):
            places += [predictor.spec, *(pod.at("metadata") for pod in predictor.pods)]
        for place in places:
            for name in POD_ANNOTATIONS:
                annotation = place.at("annotations", name)
                if annotation.text and not re.fullmatch(r"[-+]?\d+", annotation.text):
                    text = f"{name} `{annotation.text}` is no whole number"
                    unit = "bytes" if name.endswith("size") else "milliseconds"
                    yield annotation.refused(text, f"write {unit}")


def model_for_a_container(rendered: Rendered) -> Iterator[Found]:
    """Models are brought to prepackaged servers only: createStandaloneModelServers [servers]."""
    for predictor in predictors(rendered):
        for unit in predictor.units:
            for field in FOR_SERVERS if not server(unit) else ():
                if unit.at(field).text:
                    text = f"`{field}` does nothing without an implementation"
                    hint = "add the init container to componentSpecs, or register a server"
                    yield unit.at(field).refused(text, hint)


def model_without_remote(rendered: Rendered) -> Iterator[Found]:
    """The initializer is `rclone copy`: without a remote it copies from its own image."""
    for predictor in predictors(rendered):
        for unit in predictor.units:
            uri = unit.at("modelUri")
            own = unit.at("storageInitializerImage").given
            if server(unit) and uri.text and not own and not REMOTE.fullmatch(uri.text):
                text = f"modelUri `{uri.text}` names no remote"
                yield uri.refused(text, "write `<remote>:<bucket>/<path>`")


def remote_not_in_secret(rendered: Rendered) -> Iterator[Found]:
    """The secret configures rclone's remotes: RCLONE_CONFIG_<REMOTE>_TYPE and others."""
    for predictor in predictors(rendered):
        for unit in predictor.units:
            remote = REMOTE.fullmatch(unit.at("modelUri").text)
            secret = _secret(unit.at("envSecretRefName").text, predictor, rendered)
            if not server(unit) or not remote or remote[1] in READY_REMOTES or secret is None:
                continue
            keys = (*secret.at("stringData").keys, *secret.at("data").keys)
            wanted = f"RCLONE_CONFIG_{re.sub('[^A-Z0-9]', '_', remote[1].upper())}_TYPE"
            configures = any(key.startswith("RCLONE_CONFIG_") for key in keys)
            if configures and wanted not in keys:
                text = f"secret `{secret.at('metadata', 'name').text}` has no {wanted}"
                yield unit.at("modelUri").refused(text, "name the remote as in the secret")


def unknown_type(rendered: Rendered) -> Iterator[Found]:
    """A unit of a type that the orchestrator does not know is never called [walk]."""
    for predictor in predictors(rendered):
        for unit in predictor.units:
            yield from _unknown("type", unit.at("type"), TYPES)
            for method in unit.at("methods").elements:
                yield from _unknown("method", method, METHODS)


def type_of_a_server(rendered: Rendered) -> Iterator[Found]:
    """The webhook makes a MODEL of every prepackaged server: addDefaultsToGraph [defaults]."""
    for predictor in predictors(rendered):
        for unit in predictor.units:
            if server(unit) and unit.at("type").text not in ("", "MODEL"):
                text = f"type {unit.at('type').text} of {server(unit)} becomes MODEL"
                yield unit.at("type").refused(text, "write MODEL, or give it a container")


def children_missing(rendered: Rendered) -> Iterator[Found]:
    """A router or combiner is called about its children, and so never without any [walk]."""
    for predictor in predictors(rendered):
        for unit in predictor.units:
            if unit.at("type").text in OF_CHILDREN and not unit.at("children").elements:
                text = f"{unit.at('type').text} without children is never called"
                yield unit.at("type").refused(text, "add children")


def answers_dropped(rendered: Rendered) -> Iterator[Found]:
    """Of several children the first one's answer is kept, unless somebody chooses [walk]."""
    for predictor in predictors(rendered):
        for unit in predictor.units:
            methods = {one.text for one in unit.at("methods").elements}
            chosen = unit.at("type").text in OF_CHILDREN or methods & {*OF_CHILDREN.values()}
            built_in = unit.at("implementation").text in BUILT_IN
            if len(unit.at("children").elements) > 1 and not chosen and not built_in:
                text = f"`{unit.at('name').text}` answers with its first child alone"
                hint = "make it a COMBINER or ROUTER, or nest the children"
                yield unit.at("children").refused(text, hint)


def parameter_not_of_its_type(rendered: Rendered) -> Iterator[Found]:
    """The wrapper does not start with a parameter that it cannot read [wrapper]."""
    for predictor in predictors(rendered):
        for unit in predictor.units:
            for parameter in unit.at("parameters").elements:
                kind, value = parameter.at("type"), parameter.at("value")
                if kind.text and kind.text not in PARAMETER_FORMS:
                    hint = did_you_mean(kind.text, PARAMETER_FORMS)
                    yield kind.refused(f"unknown type `{kind.text}` of a parameter", hint)
                elif kind.text and not _reads_as(kind.text, value.text):
                    text = f"`{value.text}` is no {kind.text}"
                    yield value.refused(text, "write another value, or type STRING")
            for name in twice(tuple(one.at("name") for one in unit.at("parameters").elements)):
                yield name.refused(f"two parameters are named `{name.text}`", "keep one")


def parameters_given_twice(rendered: Rendered) -> Iterator[Found]:
    """A server's variable is written over, and a container's own hides the graph's parameters."""
    for unit, container, _ in _unit_containers(rendered):
        for variable in container.at("env").elements:
            if variable.at("name").text != PARAMETERS:
                continue
            if server(unit):
                text = f"{PARAMETERS} of {server(unit)} is overwritten"
                yield variable.at("name").refused(text, "write parameters in the graph")
            elif unit.at("parameters").elements:
                text = f"{PARAMETERS} hides the parameters in the graph"
                yield variable.at("name").refused(text, "keep one")


def variable_of_the_operator(rendered: Rendered) -> Iterator[Found]:
    """The operator adds these after the user's, and the last one counts [controller]."""
    for _, container, _ in _unit_containers(rendered):
        for variable in container.at("env").elements:
            name = variable.at("name")
            if name.text in OPERATORS_VARIABLES:
                yield name.refused(f"{name.text} is overwritten by Seldon", "remove it")


def port_of_another_variable(rendered: Rendered) -> Iterator[Found]:
    """The user's variable moves the server, while Service and probes keep the container's port."""
    for _, container, ports in _unit_containers(rendered):
        for name, variables in PORT_VARIABLES.items():
            for variable in container.at("env").elements:
                value = variable.at("value")
                if variable.at("name").text in variables and value.text not in (
                    "",
                    str(ports[name]),
                ):
                    text = (
                        f"{variable.at('name').text} {value.text} beside {name} port {ports[name]}"
                    )
                    hint = f"name a port of the container `{name}` instead"
                    yield value.refused(text, hint)


def port_taken(rendered: Rendered) -> Iterator[Found]:
    """Containers of a pod share its ports, and the second one does not start."""
    for deployment in rendered.of_kind("SeldonDeployment"):
        assigned = _assigned_ports(deployment)
        for predictor in predictors_of(deployment):
            for index, pod in enumerate(predictor.pods):
                taken: dict[tuple[int, str], str] = {}
                if index == 0 and not predictor.is_without_engine:
                    shared = not predictor.has_engine_of_its_own
                    taken = {(n, "TCP"): "the orchestrator" for n in ENGINE_PORTS if shared}
                yield from _clashes(pod, predictor, assigned, taken)


def pod_security_context(rendered: Rendered) -> Iterator[Found]:
    """The operator puts its own in the place of the pod's: issue 4711 of seldon-core."""
    for predictor in predictors(rendered):
        for pod in predictor.pods:
            context = pod.at("spec", "securityContext")
            if context.keys:
                text = "the pod's `securityContext` is replaced by Seldon"
                yield context.refused(text, "write it for each container")


def triton_of_2021(rendered: Rendered) -> Iterator[Found]:
    """The chart registers Triton 21.08, whose libtorch is 1.9: values.yaml, predictor_servers."""
    for predictor in predictors(rendered):
        for unit in predictor.units:
            container = predictor.container(unit.at("name").text)
            has_image = container is not None and container.at("image").text
            if server(unit) == "TRITON_SERVER" and not has_image:
                text = "TRITON_SERVER without an image is Triton 21.08"
                hint = f"write the image of a container `{unit.at('name').text}`"
                yield unit.at("implementation").refused(text, hint)


def _unknown(kind: str, word: Node, known: tuple[str, ...]) -> Iterator[Found]:
    if word.text and word.text not in known:
        hint = did_you_mean(word.text, known)
        yield word.refused(f"unknown {kind} `{word.text}`", hint)


def _secret(name: str, predictor: Predictor, rendered: Rendered) -> Node | None:
    """The rendered secret of a name, in the deployment's namespace as far as both say theirs."""
    own = predictor.deployment.at("metadata", "namespace").text
    for secret in rendered.of_kind("Secret"):
        namespace = secret.at("metadata", "namespace").text
        same = not own or not namespace or own == namespace
        if name and secret.at("metadata", "name").text == name and same:
            return secret
    return None


def _reads_as(kind: str, value: str) -> bool:
    return bool(re.fullmatch(PARAMETER_FORMS[kind], value, re.IGNORECASE | re.DOTALL))


def _unit_containers(rendered: Rendered) -> Iterator[tuple[Node, Node, dict[str, int]]]:
    """Each unit that has a container written down, with it and its ports."""
    for deployment in rendered.of_kind("SeldonDeployment"):
        assigned = _assigned_ports(deployment)
        for predictor in predictors_of(deployment):
            for container in predictor.containers:
                unit = predictor.unit(container.at("name").text)
                if unit:
                    yield unit, container, _ports(container, assigned)


def _assigned_ports(deployment: Node) -> dict[str, int]:
    """The place of each container's name in the count of ports [defaults]."""
    places: dict[str, int] = {}
    for predictor in predictors_of(deployment):
        for container in predictor.containers:
            places.setdefault(container.at("name").text, len(places))
        for unit in predictor.units:
            if server(unit):
                places.setdefault(unit.at("name").text, len(places))
    return places


def _ports(container: Node, assigned: dict[str, int]) -> dict[str, int]:
    """The ports http and grpc of a unit's container: those it names, or the next of the count."""
    place = assigned[container.at("name").text]
    named = {
        port.at("name").text: port.at("containerPort").number
        for port in container.at("ports").elements
    }
    return {name: named.get(name) or FIRST_PORTS[name] + place for name in PORT_VARIABLES}


def _clashes(
    pod: Node, predictor: Predictor, assigned: dict[str, int], taken: dict[tuple[int, str], str]
) -> Iterator[Found]:
    """The ports of a pod that somebody has already: those written first, then those counted."""
    for container in containers(pod):
        name = container.at("name").text
        for port in container.at("ports").elements:
            number, protocol = port.at("containerPort").number, port.at("protocol").text or "TCP"
            if number is None:
                continue
            holder = taken.setdefault((number, protocol), f"container `{name}`")
            if holder != f"container `{name}`":
                yield port.at("containerPort").refused(*_taken(number, holder))
    for container in containers(pod):
        name = container.at("name").text
        if predictor.unit(name) is None:
            continue
        for number in _ports(container, assigned).values():
            holder = taken.setdefault((number, "TCP"), f"container `{name}`")
            written = [port.at("containerPort").number for port in container.at("ports").elements]
            if holder != f"container `{name}`" and number not in written:
                yield container.at("name").refused(*_taken(number, holder))


def _taken(number: int, holder: str) -> tuple[str, str]:
    return f"port {number} is taken by {holder}", "name another port `http` or `grpc`"


RULES = (
    unit_name_twice,
    container_in_two_pods,
    engine_in_the_way,
    engine_without_place,
    engine_half_apart,
    annotation_out_of_reach,
    annotation_of_no_number,
    model_for_a_container,
    model_without_remote,
    remote_not_in_secret,
    unknown_type,
    type_of_a_server,
    children_missing,
    answers_dropped,
    parameter_not_of_its_type,
    parameters_given_twice,
    variable_of_the_operator,
    port_of_another_variable,
    port_taken,
    pod_security_context,
    triton_of_2021,
)
