"""What Seldon Core's webhook, its operator and the API server refuse of a SeldonDeployment.

Of SeldonIO/seldon-core, [webhook] is ValidateSeldonDeployment in
operator/apis/machinelearning.seldon.io/v1/seldondeployment_webhook.go,
[names] operator/apis/machinelearning.seldon.io/v1/seldondeployment_types.go,
[servers] operator/controllers/seldondeployment_prepackaged_servers.go,
[engine] operator/controllers/seldondeployment_engine.go.
"""

import difflib
import hashlib
import re
from collections.abc import Iterator

from generator.diagnostics import Severity
from generator.objectmeta import LABEL, SERVICE_LABEL
from generator.problem import did_you_mean
from generator.webhook_rules.graphs import (
    BUILT_IN,
    NO_ENGINE,
    firsts,
    needs_container,
    predictors,
    predictors_of,
    protocol,
    server,
)
from generator.webhook_rules.nodes import Found, Node, Rendered, twice

WORDS = {  # [webhook]
    "protocol": ("seldon", "tensorflow", "kfserving", "v2"),
    "transport": ("rest", "grpc"),
    "serverType": ("rpc", "kafka"),
}
TRANSPORTS = {"REST": "rest", "GRPC": "grpc"}  # endpoint.type and spec.transport
KAFKA_VARIABLES = ("KAFKA_BROKER", "KAFKA_INPUT_TOPIC", "KAFKA_OUTPUT_TOPIC")
SERVICE_NAME = "seldon.io/svc-name"
DEPRECATED = {  # seldondeployment_types.go; the OAuth gateway went with release 1.0
    "name": "metadata.name names the deployment",
    "oauth_key": "nobody asks for it: protect the ingress",
    "oauth_secret": "nobody asks for it: protect the ingress",
}
# values.yaml of the chart seldon-core-operator, predictor_servers: protocols that have an image.
SERVERS = {
    "HUGGINGFACE_SERVER": ("v2",),
    "MLFLOW_SERVER": ("seldon", "v2"),
    "SKLEARN_SERVER": ("seldon", "v2"),
    "TEMPO_SERVER": ("v2",),
    "TENSORFLOW_SERVER": ("seldon", "tensorflow"),
    "TRITON_SERVER": ("v2",),
    "XGBOOST_SERVER": ("seldon", "v2"),
}
IMAGE_DOES_NOT_HELP = ("TENSORFLOW_SERVER", "TRITON_SERVER")  # [servers] writes what these run
LOADS_FROM_HUB = ("HUGGINGFACE_SERVER",)  # the one server that the webhook lets go without modelUri
NEAR = 0.85  # how like a server's name another one must be to pass for a slip of the pen
TENSORFLOW_SERVING = "tfserving"  # [servers] brings its image
MODES = ("all", "request", "response")


def no_predictors(rendered: Rendered) -> Iterator[Found]:
    """A deployment serves something [webhook]."""
    for deployment in rendered.of_kind("SeldonDeployment"):
        place = deployment.at("spec", "predictors")
        partial = not rendered.whole and not place.given  # a patch, or its schema says so
        if not place.elements and not partial:
            yield place.refused("Graph contains no predictors", "add a predictor")


def predictor_name_twice(rendered: Rendered) -> Iterator[Found]:
    """Predictors are told apart by their names [webhook]."""
    for deployment in rendered.of_kind("SeldonDeployment"):
        names = tuple(predictor.spec.at("name") for predictor in predictors_of(deployment))
        first = firsts(names)
        for name in twice(names):
            text = f"Duplicate predictor name `{name.text}`"
            yield name.refused(text, "rename one", related=(first[name.text], "the other one"))


def traffic_not_whole(rendered: Rendered) -> Iterator[Found]:
    """Predictors share the whole traffic; a shadow's is a copy and does not count [webhook]."""
    for deployment in rendered.of_kind("SeldonDeployment"):
        every = tuple(predictors_of(deployment))
        live = [one for one in every if one.spec.at("shadow").value is not True]
        total = sum(one.spec.at("traffic").number or 0 for one in live)
        place = deployment.at("spec", "predictors")
        if len(live) > 1 and total != 100:
            text = f"Traffic must sum to 100 for multiple predictors, found {total}"
            yield place.refused(text, "write `traffic` of each live predictor")
        elif len(every) == 1 and 0 < total < 100:
            text = f"Traffic must sum be 100 for a single predictor when set, found {total}"
            yield place.refused(text, "remove `traffic`")


def traffic_outside_percent(rendered: Rendered) -> Iterator[Found]:
    """Traffic is a percentage: a shadow's by the webhook, another's by the ingress [webhook].

    Alone a predictor is sent everything, whatever over 100 it says.
    """
    for deployment in rendered.of_kind("SeldonDeployment"):
        shares = [predictor.spec.at("traffic") for predictor in predictors_of(deployment)]
        for traffic in shares:
            if traffic.number is not None and not 0 <= traffic.number <= 100:
                text = f"traffic {traffic.number} is outside 0 to 100"
                alone = traffic.number > 100 and len(shares) == 1
                severity: Severity = "warning" if alone else "error"
                yield traffic.refused(text, "write a percentage", severity)


def shadow_of_nothing(rendered: Rendered) -> Iterator[Found]:
    """A shadow is sent what another predictor is sent, and there is one of it [webhook]."""
    for deployment in rendered.of_kind("SeldonDeployment"):
        every = tuple(predictors_of(deployment))
        shadows = [one.spec for one in every if one.spec.at("shadow").value is True]
        if shadows and len(every) == 1:
            text = "Shadow can not exist as only predictor"
            yield shadows[0].at("shadow").refused(text, "remove `shadow`")
        for shadow in shadows[1:]:
            text = "Multiple shadows are not allowed"
            yield shadow.at("shadow").refused(text, "keep one")


def transports_mixed(rendered: Rendered) -> Iterator[Found]:
    """One transport is left for all nodes where some of them name theirs [webhook]."""
    for deployment in rendered.of_kind("SeldonDeployment"):
        yield from _transports_apart(deployment)


def unit_without_container(rendered: Rendered) -> Iterator[Found]:
    """A unit is the container of its name, or a server of Seldon's [webhook]."""
    for predictor in predictors(rendered):
        for unit in predictor.units:
            name = unit.at("name").text
            if needs_container(unit) and predictor.container(name) is None:
                text = f"Can't find container for Predictive Unit `{name}`"
                hint = f"name a container of componentSpecs `{name}`"
                yield unit.at("name").refused(text, hint)


def unit_without_methods(rendered: Rendered) -> Iterator[Found]:
    """A unit of an unknown type says what it does [webhook]."""
    for predictor in predictors(rendered):
        for unit in predictor.units:
            unknown = unit.at("type").text == "UNKNOWN_TYPE" and needs_container(unit)
            if unknown and not unit.at("methods").elements:
                text = "Predictive Unit has no implementation methods defined"
                yield unit.at("type").refused(text, "write its type, or its methods")


def server_without_model(rendered: Rendered) -> Iterator[Found]:
    """A prepackaged server loads a model from somewhere [webhook]."""
    for predictor in predictors(rendered):
        for unit in predictor.units:
            if server(unit) and server(unit) not in LOADS_FROM_HUB and not unit.at("modelUri").text:
                text = "Predictive unit modelUri required when using standalone servers"
                yield unit.at("implementation").refused(text, "write modelUri beside it")


def server_of_another_protocol(rendered: Rendered) -> Iterator[Found]:
    """A server without an image for the protocol is a container without an image [servers]."""
    for predictor in predictors(rendered):
        spoken = protocol(predictor.deployment)
        for unit in predictor.units:
            known = SERVERS.get(server(unit), (spoken,))
            own = predictor.container(unit.at("name").text)
            has_image = own is not None and own.at("image").given
            stays = spoken == "tensorflow" or server(unit) in IMAGE_DOES_NOT_HELP
            if spoken not in known and spoken in WORDS["protocol"] and (stays or not has_image):
                text = f"{server(unit)} does not serve protocol {spoken}"
                hint = f"write spec.protocol {' or '.join(known)}"
                place = predictor.deployment.at("spec", "protocol"), "what all nodes speak"
                yield unit.at("implementation").refused(text, hint, related=place)


def server_misspelt(rendered: Rendered) -> Iterator[Found]:
    """Of a server that is not registered, the webhook finds no entry in predictors map [webhook].

    What is registered stands in the cluster: only a name that is nearly the chart's is suspect.
    """
    for predictor in predictors(rendered):
        for unit in predictor.units:
            word = unit.at("implementation")
            if not server(unit) or word.text.startswith(tuple(SERVERS)):
                continue
            known = (*SERVERS, *BUILT_IN)
            if near := difflib.get_close_matches(word.text.upper(), known, 1, NEAR):
                text = f"`{word.text}` is no server of the chart's"
                yield word.warned(text, f"did you mean `{near[0]}`?")


def unknown_word(rendered: Rendered) -> Iterator[Found]:
    """The webhook knows a few words for each of these fields [webhook]."""
    for deployment in rendered.of_kind("SeldonDeployment"):
        for field, known in WORDS.items():
            word = deployment.at("spec", field)
            if word.text and word.text not in known:
                text = f"Invalid {field} `{word.text}`"
                yield word.refused(text, did_you_mean(word.text, known))


def kafka_without_variables(rendered: Rendered) -> Iterator[Found]:
    """The orchestrator reads from Kafka what its variables name [webhook]."""
    for predictor in predictors(rendered):
        if predictor.deployment.at("spec", "serverType").text != "kafka":
            continue
        given = {one.at("name").text for one in predictor.spec.at("svcOrchSpec", "env").elements}
        missing = [name for name in KAFKA_VARIABLES if name not in given]
        if missing:
            text = f"For kafka please supply svcOrchSpec envs {', '.join(missing)}"
            yield predictor.spec.at("svcOrchSpec").refused(text, "add them to svcOrchSpec.env")


def no_engine_for_a_graph(rendered: Rendered) -> Iterator[Found]:
    """Only the orchestrator walks a graph; the webhook reads no value, not even false [webhook]."""
    for predictor in predictors(rendered):
        annotation = predictor.spec.at("annotations", NO_ENGINE)
        if annotation.given and len(predictor.units) > 1:
            text = "Running without engine only valid for single element graphs"
            yield annotation.refused(text, "remove the annotation")


def service_name_twice(rendered: Rendered) -> Iterator[Found]:
    """Two predictors cannot have one service [webhook]."""
    for deployment in rendered.of_kind("SeldonDeployment"):
        every = predictors_of(deployment)
        names = tuple(one.spec.at("annotations", SERVICE_NAME) for one in every)
        first = firsts(names)
        for name in twice(names):
            text = f"Found duplicate service name in {SERVICE_NAME} with value {name.text}"
            yield name.refused(text, "rename one", related=(first[name.text], "the other one"))


def logger_without_mode(rendered: Rendered) -> Iterator[Found]:
    """A logger says what it logs [webhook]; with an unknown word it logs nothing."""
    for predictor in predictors(rendered):
        for unit in predictor.units:
            mode = unit.at("logger", "mode")
            if unit.at("logger").given and not mode.text:
                yield unit.at("logger").refused("No logger mode specified", "write mode: all")
            elif mode.text and mode.text not in MODES:
                text = f"unknown logger mode `{mode.text}`"
                yield mode.warned(text, did_you_mean(mode.text, MODES))


def deprecated_field(rendered: Rendered) -> Iterator[Found]:
    """Fields of old releases that the schema still has [names].

    The resources of the orchestrator are those of svcOrchSpec: createEngineContainer [engine].
    """
    for deployment in rendered.of_kind("SeldonDeployment"):
        for name, hint in DEPRECATED.items():
            if deployment.at("spec", name).given:
                text = f"`{name}` is deprecated and does nothing"
                yield deployment.at("spec", name).warned(text, f"remove it: {hint}")
    for predictor in predictors(rendered):
        resources = predictor.spec.at("engineResources")
        if resources.keys:
            text = "`engineResources` is deprecated and does nothing"
            yield resources.warned(text, "move it to svcOrchSpec.resources")
    for deployment in rendered.of_kind("SeldonDeployment"):
        named = _named_transports(deployment)
        if named and not any(_transports_apart(deployment)):
            text = "`endpoint.type` is deprecated: every node is served over REST and gRPC"
            yield named[0].warned(text, "use spec.transport, where an image has one port alone")


def service_without_name(rendered: Rendered) -> Iterator[Found]:
    """Clients call a Service named after deployment and predictor, whose form is narrower [names].

    Over 63 characters Seldon calls it by a hash, and only the ingress finds it.
    """
    for predictor in predictors(rendered):
        written = predictor.spec.at("annotations", SERVICE_NAME)
        name = written.text or f"{predictor.deployment_name}-{predictor.name}"
        place = written if written.given else predictor.spec.at("name")
        if len(name) > SERVICE_LABEL.longest:
            called = "refused" if written.given else f"called {_hashed(name)}"
            text = f"service `{name[:40]}...` of {len(name)} characters is {called}"
            severity: Severity = "error" if written.given else "warning"
            yield place.refused(text, f"shorten it to {SERVICE_LABEL.longest}", severity)
        elif not re.fullmatch(SERVICE_LABEL.pattern, name):
            text = f"`{name}`, the name of the service, is not a {SERVICE_LABEL.title}"
            yield place.refused(text, SERVICE_LABEL.hint)


def container_name(rendered: Rendered) -> Iterator[Found]:
    """A unit's name is its container's, and part of its service's name [names]."""
    for predictor in predictors(rendered):
        names = [container.at("name") for container in predictor.containers]
        servers = [unit.at("name") for unit in predictor.units if server(unit)]
        names += [name for name in servers if predictor.container(name.text) is None]
        for name in names:
            fits = len(name.text) <= LABEL.longest and re.fullmatch(LABEL.pattern, name.text)
            if name.text and not fits:
                text = f"`{name.text}`, the name of a container, is not a {LABEL.title}"
                yield name.refused(text, f"{LABEL.hint}, {LABEL.longest} in all")


def container_without_image(rendered: Rendered) -> Iterator[Found]:
    """Seldon fills in the image of a prepackaged server, and of nothing else [servers]."""
    for predictor in predictors(rendered):
        for container in predictor.containers:
            unit = predictor.unit(container.at("name").text)
            filled = unit is not None and server(unit)
            brought = container.at("name").text == TENSORFLOW_SERVING
            if not container.at("image").text and not filled and not brought:
                text = f"container `{container.at('name').text}` has no image"
                yield container.refused(text, "write its image")


def _named_transports(deployment: Node) -> list[Node]:
    """The transports that nodes of a deployment name for themselves."""
    units = [unit for one in predictors_of(deployment) for unit in one.units]
    return [word for unit in units if (word := unit.at("endpoint", "type")).text]


def _transports_apart(deployment: Node) -> Iterator[Found]:
    """The nodes whose transport is not the first node's, or not the deployment's."""
    named, transport = _named_transports(deployment), deployment.at("spec", "transport")
    apart = [word for word in named if word.text != named[0].text]
    for word in apart[:1]:
        text = "Multiple endpoint.types found - can only have 1 type in graph"
        yield word.refused(text, "use spec.transport", related=(named[0], "another type"))
    if named and not apart and transport.text in WORDS["transport"]:
        word = named[0]
        if TRANSPORTS.get(word.text, transport.text) != transport.text:
            text = f"endpoint.type {word.text} beside transport {transport.text}"
            yield word.refused(text, "remove it", related=(transport, "the transport of all"))


def _hashed(name: str) -> str:
    """What Seldon calls a name that is too long: hash, in [names]."""
    return f"seldon-{hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()}"


RULES = (
    no_predictors,
    predictor_name_twice,
    traffic_not_whole,
    traffic_outside_percent,
    shadow_of_nothing,
    transports_mixed,
    unit_without_container,
    unit_without_methods,
    server_without_model,
    server_of_another_protocol,
    server_misspelt,
    unknown_word,
    kafka_without_variables,
    no_engine_for_a_graph,
    service_name_twice,
    logger_without_mode,
    deprecated_field,
    service_without_name,
    container_name,
    container_without_image,
)
