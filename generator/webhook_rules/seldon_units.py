"""What Seldon Core takes of a graph's units, and then leaves out or never calls.

Of SeldonIO/seldon-core, [defaults] is operator/apis/machinelearning.seldon.io/v1/defaults.go,
[servers] operator/controllers/seldondeployment_prepackaged_servers.go,
[initializer] operator/controllers/model_initializer_injector.go,
[walk] executor/predictor/predictor_process.go,
[wrapper] microservice.py of the package seldon-core.
"""

import re
from collections.abc import Iterator

from generator.problem import did_you_mean
from generator.webhook_rules.graphs import BUILT_IN, Predictor, predictors, server
from generator.webhook_rules.nodes import (
    Found,
    Node,
    Rendered,
    name_of,
    namespace_of,
    side_by_side,
    twice,
)

TYPES = ("COMBINER", "MODEL", "OUTPUT_TRANSFORMER", "ROUTER", "TRANSFORMER", "UNKNOWN_TYPE")
METHODS = ("AGGREGATE", "ROUTE", "SEND_FEEDBACK", "TRANSFORM_INPUT", "TRANSFORM_OUTPUT")
OF_CHILDREN = {"COMBINER": "AGGREGATE", "ROUTER": "ROUTE"}
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
INITIALIZER = "model-initializer"  # [initializer]: one of this name is left as it is
READY_REMOTES = ("gs", "pvc")  # Dockerfile of rclone-storage-initializer; [initializer]


def model_for_a_container(rendered: Rendered) -> Iterator[Found]:
    """Models are brought to prepackaged servers only: createStandaloneModelServers [servers]."""
    for predictor in predictors(rendered):
        for unit in predictor.units:
            for field in FOR_SERVERS if not server(unit) else ():
                if unit.at(field).text:
                    text = f"`{field}` does nothing without an implementation"
                    hint = "add the init container to componentSpecs, or register a server"
                    yield unit.at(field).warned(text, hint)


def model_without_remote(rendered: Rendered) -> Iterator[Found]:
    """The initializer is `rclone copy`: without a remote it copies from its own image.

    It stands back where the pod has an init container of its name [initializer].
    """
    for predictor in predictors(rendered):
        for unit in predictor.units:
            uri = unit.at("modelUri")
            own = unit.at("storageInitializerImage").given or _brings_its_model(unit, predictor)
            if server(unit) and uri.text and not own and not REMOTE.fullmatch(uri.text):
                text = f"modelUri `{uri.text}` names no remote"
                yield uri.warned(text, "write `<remote>:<bucket>/<path>`")


def remote_not_in_secret(rendered: Rendered) -> Iterator[Found]:
    """The secret configures rclone's remotes, each RCLONE_CONFIG_<REMOTE>_TYPE [initializer]."""
    secrets = tuple(rendered.of_kind("Secret"))
    for predictor in predictors(rendered):
        for unit in predictor.units:
            remote = REMOTE.fullmatch(unit.at("modelUri").text)
            name = unit.at("envSecretRefName").text
            named = (one for one in secrets if name and name_of(one) == name)
            beside = (one for one in named if _beside(one, predictor.deployment, rendered))
            secret = next(beside, None)
            if not server(unit) or not remote or remote[1] in READY_REMOTES or secret is None:
                continue
            if _brings_its_model(unit, predictor):
                continue
            keys = (*secret.at("stringData").keys, *secret.at("data").keys)
            wanted = f"RCLONE_CONFIG_{re.sub('[^A-Z0-9]', '_', remote[1].upper())}_TYPE"
            configures = any(key.startswith("RCLONE_CONFIG_") for key in keys)
            if configures and wanted not in keys:
                text = f"secret `{secret.at('metadata', 'name').text}` has no {wanted}"
                hint = "name the remote as in the secret"
                yield unit.at("modelUri").refused(text, hint, related=(secret, "the secret"))


def unknown_type(rendered: Rendered) -> Iterator[Found]:
    """A unit of a type that the orchestrator does not know is never called [walk]."""
    for predictor in predictors(rendered):
        for unit in predictor.units:
            yield from _unknown("type", unit.at("type"), TYPES)
            for method in unit.at("methods").elements:
                yield from _unknown("method", method, METHODS)


def type_of_a_server(rendered: Rendered) -> Iterator[Found]:
    """The operator makes a MODEL of every prepackaged server: addDefaultsToGraph [defaults]."""
    for predictor in predictors(rendered):
        for unit in predictor.units:
            if server(unit) and unit.at("type").text not in ("", "MODEL"):
                text = f"type {unit.at('type').text} of {server(unit)} becomes MODEL"
                yield unit.at("type").warned(text, "write MODEL, or give it a container")


def children_missing(rendered: Rendered) -> Iterator[Found]:
    """A router or combiner is called about its children, and so never without any [walk]."""
    for predictor in predictors(rendered):
        for unit in predictor.units:
            if unit.at("type").text in OF_CHILDREN and not unit.at("children").elements:
                text = f"{unit.at('type').text} without children is never called"
                yield unit.at("type").warned(text, "add children")


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
                yield unit.at("children").warned(text, hint)


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


def _unknown(kind: str, word: Node, known: tuple[str, ...]) -> Iterator[Found]:
    if word.text and word.text not in known:
        hint = did_you_mean(word.text, known)
        yield word.refused(f"unknown {kind} `{word.text}`", hint)


def _brings_its_model(unit: Node, predictor: Predictor) -> bool:
    """Whether an init container that is written down takes the place of the initializer."""
    written = [one for pod in predictor.pods for one in pod.at("spec", "initContainers").elements]
    names = [one.at("name").text for one in written]
    return f"{unit.at('name').text}-{INITIALIZER}" in names


def _beside(secret: Node, deployment: Node, rendered: Rendered) -> bool:
    """Whether a secret comes into the namespace of a deployment, as far as both say theirs."""
    namespaces = namespace_of(secret), namespace_of(deployment)
    unsaid = rendered.whole and not all(namespaces)  # what is rendered goes to one namespace
    return unsaid or side_by_side(secret, deployment, rendered)


def _reads_as(kind: str, value: str) -> bool:
    return bool(re.fullmatch(PARAMETER_FORMS[kind], value, re.IGNORECASE | re.DOTALL))


RULES = (
    model_for_a_container,
    model_without_remote,
    remote_not_in_secret,
    unknown_type,
    type_of_a_server,
    children_missing,
    answers_dropped,
    parameter_not_of_its_type,
)
