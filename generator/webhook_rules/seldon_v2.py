"""What Seldon Core 2 refuses, or passes over, of Models, Servers and Experiments.

Its API server takes nearly everything; what is wrong stands in a status, or in a log alone.
Of SeldonIO/seldon-core, branch v2, [model] is operator/apis/mlops/v1alpha1/model_types.go,
[types] the types of Model, Pipeline and Experiment in operator/apis/mlops/v1alpha1,
[scaling] GetValidatedScalingSpec in operator/internal/utils.go,
[experiment] validate.go and errors.go in scheduler/pkg/store/experiment,
[filters] scheduler/pkg/scheduler/filters, [names] scheduler/pkg/store/utils/validate.go,
[servers] operator/config/serverconfigs, [pvc] samples/examples/k8s-pvc.
"""

import difflib
import re
from collections.abc import Iterator, Mapping

from generator import resources
from generator.diagnostics import Severity
from generator.problem import did_you_mean
from generator.webhook_rules.graphs import firsts
from generator.webhook_rules.nodes import (
    Found,
    Node,
    Rendered,
    name_of,
    namespace_of,
    side_by_side,
    twice,
)

GROUP = "mlops.seldon.io"
SCHEDULED_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]*[a-zA-Z0-9]")  # [names]
DEFAULT_SERVERS: Mapping[str, tuple[str, ...]] = {  # SELDON_SERVER_CAPABILITIES of [servers]
    "mlserver": (
        "mlserver",
        "alibi-detect",
        "alibi-explain",
        "huggingface",
        "lightgbm",
        "mlflow",
        "python",
        "sklearn",
        "spark-mlib",
        "xgboost",
    ),
    "triton": (
        "triton",
        "dali",
        "fil",
        "onnx",
        "openvino",
        "python",
        "pytorch",
        "tensorflow",
        "tensorrt",
    ),
}
CAPABILITIES = frozenset(word for words in DEFAULT_SERVERS.values() for word in words)
LISTED = 100  # names among which the nearest is looked for: each comparison takes its time
NEAR = 0.8  # how like a known word another one must be to pass for a slip of the pen
OF_EXPLAINERS = "alibi-explain"  # [filters], explainer.go
BLACK_BOXES = ("anchor_image", "anchor_tabular", "anchor_text", "kernel_shap")
UNREAD = (  # fields of a Model that never reach the scheduler: AsSchedulerModel [model]
    ("preloaded",),
    ("dedicated",),
    ("schemaUri",),
    ("logger", "percent"),
)
UNSIGNED: Mapping[str, tuple[tuple[str, ...], ...]] = {  # uint and uint32 of the Go types
    "Model": (("artifactVersion",), ("logger", "percent")),
    "Experiment": (("candidates", "*", "weight"), ("mirror", "percent")),
    "Pipeline": (
        ("steps", "*", "joinWindowMs"),
        ("steps", "*", "batch", "size"),
        ("steps", "*", "batch", "windowMs"),
        ("input", "joinWindowMs"),
        ("output", "joinWindowMs"),
    ),
}
QUANTITY = re.compile(r"[+-]?\d*(?:\.(\d*))?(?:([KMGTPE]i)|([numkMGTPE])|[eE]([+-]?\d+))?")
DECIMAL_PLACES = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
SERVED = {"": "Model", "model": "Model", "pipeline": "Pipeline"}  # by resourceType


def name_not_of_the_scheduler(rendered: Rendered) -> Iterator[Found]:
    """The scheduler splits topics and headers at dots, and wants two characters [names]."""
    for model in of(rendered, "Model"):
        name = model.at("metadata", "name")
        if name.text and not SCHEDULED_NAME.fullmatch(name.text):
            text = f"Model `{name.text}` does not have a valid name"
            hint = "use two or more letters and digits, `-` and `_` between them, and no dot"
            yield name.refused(text, hint)


def scaling_out_of_range(rendered: Rendered) -> Iterator[Found]:
    """The operator does not pass on replicas outside their own range [scaling].

    Without `replicas` there are as many as minReplicas, or one; older releases read 0 as absent.
    """
    for resource in of(rendered, "Model", "Server"):
        spec = resource.at("spec")
        fields = [spec.at(key) for key in ("replicas", "minReplicas", "maxReplicas")]
        replicas, least, most = fields
        negative = [field for field in fields if (field.number or 0) < 0]
        for field in negative:
            yield field.refused(f"{field.path[-1]} {field.number} is negative", "write 0 or more")
        if negative:
            continue
        if least.number and most.number and least.number > most.number:
            text = f"minReplicas {least.number} exceeds maxReplicas {most.number}"
            yield least.refused(
                text, f"raise maxReplicas to {least.number}", related=(most, "here")
            )
        elif replicas.number is not None and replicas.number < (least.number or 0):
            text = f"replicas {replicas.number} is under minReplicas {least.number}"
            severity: Severity = "error" if replicas.number else "warning"
            yield replicas.refused(text, f"write {least.number}", severity, (least, "the least"))
        elif most.number and (replicas.number or 0) > most.number:
            text = f"replicas {replicas.number} exceeds maxReplicas {most.number}"
            yield replicas.refused(text, f"write {most.number}", related=(most, "the most"))


def memory_not_in_bytes(rendered: Rendered) -> Iterator[Found]:
    """The operator passes on no quantity that Go does not turn into an integer as it stands.

    That is any fraction of a binary unit, even a whole number of bytes: AsSchedulerModel [model],
    and ParseQuantity and AsInt64 of apimachinery, pkg/api/resource.
    """
    for model in of(rendered, "Model"):
        memory = model.at("spec", "memory")
        written = str(memory.value) if isinstance(memory.value, str | float) else ""
        found = QUANTITY.fullmatch(written)
        if found and written.startswith("-"):
            yield memory.refused(f"memory `{written}` is negative", "write how much it needs")
        elif found and not _is_integer(found):
            text = f"can't convert model memory `{written}` to bytes"
            yield memory.refused(text, _in_bytes(written))


def number_under_zero(rendered: Rendered) -> Iterator[Found]:
    """These numbers are unsigned: the operator cannot even read the manifest [types]."""
    for kind, routes in UNSIGNED.items():
        for resource in of(rendered, kind):
            for route in routes:
                for field in _along(resource.at("spec"), route):
                    if field.number is not None and field.number < 0:
                        text = f"{field.path[-1]} {field.number} is negative"
                        yield field.refused(text, "write 0 or more")


def explainer_beside_llm(rendered: Rendered) -> Iterator[Found]:
    """A Model is one or the other: Validate [model]."""
    for model in of(rendered, "Model"):
        explainer, llm = model.at("spec", "explainer"), model.at("spec", "llm")
        if explainer.given and llm.given:
            text = "Can't have both explainer and llm in model spec"
            yield llm.refused(text, "keep one", related=(explainer, "the other one"))


def references_of_two_kinds(rendered: Rendered) -> Iterator[Found]:
    """An explainer, or an llm, is about a model or about a pipeline: ExplainerSpec [model]."""
    for model in of(rendered, "Model"):
        for key in ("explainer", "llm"):
            one, other = model.at("spec", key, "modelRef"), model.at("spec", key, "pipelineRef")
            if one.text and other.text:
                text = f"`{key}` names both a model and a pipeline"
                yield other.warned(text, "keep one of modelRef and pipelineRef", (one, "a model"))


def explainer_of_nothing(rendered: Rendered) -> Iterator[Found]:
    """A black-box explainer asks what it explains, and has to know where: ExplainerSpec [model]."""
    for model in of(rendered, "Model"):
        explainer = model.at("spec", "explainer")
        asks = explainer.at("type").text in BLACK_BOXES
        if asks and not explainer.at("modelRef").text and not explainer.at("pipelineRef").text:
            text = f"{explainer.at('type').text} explains neither a model nor a pipeline"
            yield explainer.warned(text, "add modelRef or pipelineRef")


def field_without_effect(rendered: Rendered) -> Iterator[Found]:
    """These fields of a Model stand in its schema, and go no further: AsSchedulerModel [model]."""
    for model in of(rendered, "Model"):
        for route in UNREAD:
            field = model.at("spec", *route)
            if field.given and field.value is not False:
                yield field.warned(f"`{'.'.join(route)}` does nothing", "remove it")


def requirement_misspelt(rendered: Rendered) -> Iterator[Found]:
    """A model waits until a server has all capabilities that it requires [filters]."""
    offered = _offered(rendered)
    for model in of(rendered, "Model"):
        for word in _requirements(model):
            near = difflib.get_close_matches(word.text, sorted(CAPABILITIES), 1, NEAR)
            builds_on = any(word.text.startswith(known) for known in CAPABILITIES)
            if near and not builds_on and word.text.strip() not in offered:
                text = f"neither MLServer nor Triton has the capability `{word.text}`"
                yield word.warned(text, f"did you mean `{near[0]}`?")


def requirements_of_two_servers(rendered: Rendered) -> Iterator[Found]:
    """One server has to have all capabilities that a model requires [filters]."""
    if any(of(rendered, "Server", "ServerConfig")):
        return
    for model in of(rendered, "Model"):
        words = {word.text.strip(): word for word in _requirements(model)}
        wanted = {*words, *([OF_EXPLAINERS] if model.at("spec", "explainer").given else [])}
        if model.at("spec", "server").given or not words or not wanted <= CAPABILITIES:
            continue
        if not any(wanted <= set(has) for has in DEFAULT_SERVERS.values()):
            text = f"no default server has both {' and '.join(sorted(wanted))}"
            yield next(iter(words.values())).warned(text, "require those of one server")


def server_not_there(rendered: Rendered) -> Iterator[Found]:
    """A model waits for the server that it names [filters]."""
    known = {*DEFAULT_SERVERS, *map(name_of, of(rendered, "Server"))}
    near = sorted(known)[:LISTED]
    for model in of(rendered, "Model") if rendered.whole else ():
        server = model.at("spec", "server")
        if server.text and server.text not in known:
            text = f"no Server is named `{server.text}`"
            yield server.refused(text, did_you_mean(server.text, near))


def claim_as_storage(rendered: Rendered) -> Iterator[Found]:
    """Models come by rclone, which has no remote of this name until somebody configures one.

    A claim is mounted in the server [pvc].
    """
    for model in of(rendered, "Model"):
        uri = model.at("spec", "storageUri")
        if uri.text.startswith("pvc://"):
            text = f"`{uri.text}` is no claim to Seldon Core 2"
            yield uri.warned(text, "mount the claim in a Server, and write the path of the mount")


def experiment_of_nothing(rendered: Rendered) -> Iterator[Found]:
    """An experiment sends requests somewhere [experiment]."""
    for experiment in of(rendered, "Experiment"):
        candidates = experiment.at("spec", "candidates")
        empty = candidates.value == [] and not experiment.at("spec", "mirror").given
        if empty:
            text = f"experiment `{name_of(experiment)}` has no candidates or mirror"
            yield candidates.refused(text, "add a candidate")


def default_not_a_candidate(rendered: Rendered) -> Iterator[Found]:
    """The experiment stands in for one of its candidates [experiment]."""
    for experiment in of(rendered, "Experiment"):
        default = experiment.at("spec", "default")
        names = [one.at("name").text for one in experiment.at("spec", "candidates").elements]
        if default.text and any(names) and default.text not in names:
            text = f"default `{default.text}` is not found in the candidates"
            near = [name for name in names if name][:LISTED]
            yield default.refused(text, did_you_mean(default.text, near))


def candidate_twice(rendered: Rendered) -> Iterator[Found]:
    """Candidates and mirror are different resources [experiment]."""
    for experiment in of(rendered, "Experiment"):
        places = [one.at("name") for one in experiment.at("spec", "candidates").elements]
        places.append(experiment.at("spec", "mirror", "name"))
        first = firsts(places)
        for name in twice(tuple(places)):
            text = f"`{name.text}` has a part in the experiment already"
            yield name.refused(text, "keep one", related=(first[name.text], "its other part"))


def baseline_of_two_experiments(rendered: Rendered) -> Iterator[Found]:
    """Requests for a model can turn into one experiment only [experiment]."""
    seen: dict[tuple[str, str, str], Node] = {}
    for experiment in of(rendered, "Experiment"):
        default = experiment.at("spec", "default")
        kind = _candidates_kind(experiment)
        other = seen.setdefault((kind, default.text, namespace_of(experiment)), experiment)
        same = not default.text or name_of(other) == name_of(experiment)
        if not same and side_by_side(experiment, other, rendered):
            text = f"`{default.text}` is the default of experiment `{name_of(other)}` already"
            place = other.at("spec", "default")
            severity: Severity = "error" if rendered.whole else "warning"
            yield default.refused(text, "remove one default", severity, (place, "here"))


def unknown_resource_type(rendered: Rendered) -> Iterator[Found]:
    """Another word reads as model: AsSchedulerExperimentRequest [types]."""
    for experiment in of(rendered, "Experiment"):
        word = experiment.at("spec", "resourceType")
        if word.text not in SERVED:
            hint = did_you_mean(word.text, filter(None, SERVED))
            yield word.warned(f"resourceType `{word.text}` is taken for model", hint)


def mirror_over_everything(rendered: Rendered) -> Iterator[Found]:
    """A mirror is sent a share of the requests, in percent [types]."""
    for experiment in of(rendered, "Experiment"):
        percent = experiment.at("spec", "mirror", "percent")
        if (percent.number or 0) > 100:
            yield percent.warned(f"percent {percent.number} exceeds 100", "write 100")


def candidate_not_there(rendered: Rendered) -> Iterator[Found]:
    """A candidate is the Model, or the Pipeline, of its name [types].

    The experiment is not ready before its candidates are.
    """
    names = {kind: set(map(name_of, of(rendered, kind))) for kind in ("Model", "Pipeline")}
    near = {kind: sorted(known)[:LISTED] for kind, known in names.items()}
    for experiment in of(rendered, "Experiment") if rendered.whole else ():
        kind = _candidates_kind(experiment)
        places = [one.at("name") for one in experiment.at("spec", "candidates").elements]
        for name in (*places, experiment.at("spec", "mirror", "name")):
            if name.text and name.text not in names[kind]:
                text = f"no {kind} is named `{name.text}`"
                hint = did_you_mean(name.text, near[kind]) if near[kind] else "add it"
                yield name.refused(text, hint)


def of(rendered: Rendered, *kinds: str) -> Iterator[Node]:
    """The resources of Seldon Core 2 of some kinds; Tekton has Pipelines too."""
    return rendered.of_group(GROUP, *kinds)


def _requirements(model: Node) -> tuple[Node, ...]:
    """What a server has to offer for a model, the explainer's own capability left out."""
    words = (*model.at("spec", "requirements").elements, model.at("spec", "modelType"))
    return tuple(word for word in words if word.text)


def _offered(rendered: Rendered) -> frozenset[str]:
    """The capabilities that servers beside the models have of their own."""
    return frozenset(
        text.strip()
        for one in of(rendered, "Server", "ServerConfig")
        for words in one.texts()
        for text in words.split(",")
    )


def _candidates_kind(experiment: Node) -> str:
    """What the candidates of an experiment are."""
    return SERVED.get(experiment.at("spec", "resourceType").text, "Model")


def _is_integer(quantity: re.Match[str]) -> bool:
    """Whether Go keeps a quantity as an integer of bytes."""
    fraction, binary, decimal, exponent = quantity.groups()
    if binary:
        return not fraction
    places = int(exponent) if exponent else DECIMAL_PLACES.get(decimal or "", 0)
    return places >= len(fraction or "")


def _in_bytes(quantity: str) -> str:
    """A hint that says a quantity without a fraction, where it has a whole number of bytes."""
    try:
        whole = resources.canonical(quantity)
    except ValueError:
        return "write it without a fraction"
    return "write it without a fraction" if whole.endswith("m") else f"write {whole}"


def _along(node: Node, route: tuple[str, ...]) -> Iterator[Node]:
    """What a route leads to; `*` stands for every element of a list."""
    if not route:
        yield node
        return
    for step in node.elements if route[0] == "*" else (node.at(route[0]),):
        yield from _along(step, route[1:])


RULES = (
    name_not_of_the_scheduler,
    scaling_out_of_range,
    memory_not_in_bytes,
    number_under_zero,
    explainer_beside_llm,
    references_of_two_kinds,
    explainer_of_nothing,
    field_without_effect,
    requirement_misspelt,
    requirements_of_two_servers,
    server_not_there,
    claim_as_storage,
    experiment_of_nothing,
    default_not_a_candidate,
    candidate_twice,
    baseline_of_two_experiments,
    unknown_resource_type,
    mirror_over_everything,
    candidate_not_there,
)
