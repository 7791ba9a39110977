"""What KServe refuses of a ServingRuntime, and of a service that asks for one.

Of kserve/kserve, [controller] is pkg/controller/v1beta1/inferenceservice, [webhook]
pkg/webhook/admission/servingruntime/servingruntime_webhook.go and [stock] config/runtimes.
"""

import difflib
from collections.abc import Iterator, Mapping

from generator.problem import did_you_mean
from generator.webhook_rules.nodes import (
    Found,
    Node,
    Rendered,
    Rule,
    name_of,
    namespace_of,
    side_by_side,
)
from generator.webhook_rules.services import (
    Component,
    annotation,
    components,
    names,
    runtimes,
)
from generator.webhook_rules.stock_runtimes import NOT_AUTOMATIC, STOCK, Stock

PROTOCOLS = ("v1", "v2", "grpc-v1", "grpc-v2")  # pkg/constants/constants.go
LIKE_A_FORMAT = 0.8  # two letters swapped in a name of seven
SHORTEST_SLIP = 0.93  # of difflib: a letter or two in a name as long as these


def runtime_not_rendered(rendered: Rendered) -> Iterator[Found]:
    """A service waits for ever for a runtime that is not there [controller]."""
    known = list(runtimes(rendered)) if rendered.whole else []
    for component in components(rendered):
        for model in component.models:
            runtime = model.at("runtime")
            if known and runtime.text and component.runtime is None:
                others = " and ".join(map(_full_name, known))
                wanted = _full_name(component.service, runtime.text)
                text = f"no runtime {wanted} is rendered, only {others}"
                related = known[0].at("metadata", "name"), f"the runtime is {_full_name(known[0])}"
                hint = "give both the same name and namespace"
                yield runtime.refused(text, hint, related=related)


def runtime_not_used(rendered: Rendered) -> Iterator[Found]:
    """A rendered runtime that no service names does nothing: one of the two was renamed."""
    models = [(c.service, model) for c in components(rendered) for model in c.models]
    automatic = any(not model.at("runtime").text for _, model in models)
    for runtime in runtimes(rendered) if models and rendered.whole else ():
        formats = runtime.at("spec", "supportedModelFormats").elements
        if automatic and any(f.at("autoSelect").value is True for f in formats):
            continue
        asked = [(service, model.at("runtime").text) for service, model in models]
        if not any(names(name, service, runtime, rendered) for service, name in asked):
            text = f"no InferenceService uses the runtime {_full_name(runtime)}"
            hint = "name it in spec.predictor.model.runtime"
            yield runtime.at("metadata", "name").refused(text, hint)


def runtime_disabled(rendered: Rendered) -> Iterator[Found]:
    """KServe refuses a service whose runtime is disabled [controller]."""
    for component in components(rendered):
        runtime = component.runtime
        if runtime and runtime.at("spec", "disabled").value is True:
            text = f"runtime {_full_name(runtime)} is disabled"
            user = component.service.at("metadata", "name")
            related = user, f"InferenceService `{user.text}` uses it"
            yield runtime.at("spec", "disabled").refused(text, "remove `disabled`", related=related)


def format_not_of_the_runtime(rendered: Rendered) -> Iterator[Found]:
    """The runtime must list the model's format, and its version if one is given [controller]."""
    for model, runtime in _models_with_runtime(rendered):
        known = runtime.at("spec", "supportedModelFormats")
        listed = [(f.at("name").text, f.at("version").text) for f in known.elements]
        wanted = model.at("modelFormat")
        name, version = wanted.at("name").text, wanted.at("version").text
        versions = [known for format, known in listed if format.lower() == name.lower()]
        if name and not versions:
            text = f"modelFormat `{name}` is not supported by runtime {_full_name(runtime)}"
            hint = did_you_mean(name, {f for f, _ in listed})
            related = known, "its supportedModelFormats"
            yield wanted.at("name").refused(text, hint, related=related)
        elif version and version not in versions:
            text = f"modelFormat `{name}` of version `{version}` is not supported by the runtime"
            hint = "remove it, or add it to the runtime"
            related = known, f"it has version {' and '.join(filter(None, versions)) or 'none'}"
            yield wanted.at("version").refused(text, hint, related=related)


def protocol_not_of_the_runtime(rendered: Rendered) -> Iterator[Found]:
    """The runtime must list the model's protocol; one that lists none speaks all [controller]."""
    for model, runtime in _models_with_runtime(rendered):
        wanted = model.at("protocolVersion")
        listed = runtime.at("spec", "protocolVersions")
        known = [protocol.text for protocol in listed.elements]
        if wanted.text in PROTOCOLS and known and wanted.text not in known:
            text = f"protocolVersion `{wanted.text}` is not spoken by {_full_name(runtime)}"
            hint = f"use one of {', '.join(known)}"
            yield wanted.refused(text, hint, related=(listed, "its protocolVersions"))


def misspelt_stock_runtime(rendered: Rendered) -> Iterator[Found]:
    """A name that is nearly that of a runtime of KServe's own is likely meant to be it [stock].

    The service waits for ever for a runtime that is not there.
    """
    own = {name_of(runtime) for runtime in runtimes(rendered)}
    for _, model in _models(rendered):
        name = model.at("runtime").text
        if name in STOCK or name in own:
            continue
        near = difflib.get_close_matches(name, STOCK, n=1, cutoff=SHORTEST_SLIP)
        if near and not name.startswith(near[0]) and not name.endswith(near[0]):
            text = f"KServe ships no runtime `{name}`"
            yield model.at("runtime").warned(text, f"did you mean `{near[0]}`?")


def misspelt_format(rendered: Rendered) -> Iterator[Found]:
    """A format that is nearly one of KServe's own runtimes is likely meant to be it [stock].

    The service waits for ever where the cluster has no runtime for the format as it is written.
    """
    formats = {name for stock in STOCK.values() for name in stock.formats}
    if any(runtimes(rendered)):
        return
    for _, model in _models(rendered):
        name = model.at("modelFormat", "name")
        known = name.text.lower() in map(str.lower, formats)
        near = difflib.get_close_matches(name.text.lower(), formats, n=1, cutoff=LIKE_A_FORMAT)
        if known or not near or model.at("runtime").given:
            continue
        if near[0] not in name.text.lower() and name.text.lower() not in near[0]:
            text = f"no runtime of KServe's own serves modelFormat `{name.text}`"
            yield name.warned(text, f"did you mean `{near[0]}`?")


def format_not_of_the_stock_runtime(rendered: Rendered) -> Iterator[Found]:
    """The runtimes that KServe ships list their formats too [stock]; a cluster may change them."""
    for model, stock in _models_with_stock(rendered):
        name, version = model.at("modelFormat", "name"), model.at("modelFormat", "version")
        runtime = model.at("runtime")
        related = runtime, f"runtime `{runtime.text}` of KServe's own"
        if name.text and name.text.lower() not in map(str.lower, stock.formats):
            text = f"modelFormat `{name.text}` is not one of `{runtime.text}`"
            yield name.warned(text, did_you_mean(name.text, stock.formats), related=related)
        elif version.text and stock.formats.get(name.text) and _is_old(version, name, stock):
            told = f"modelFormat `{name.text}` of version `{version.text}`"
            text = f"{told} is not one of `{runtime.text}`"
            hint = f"remove it, or write `{'` or `'.join(stock.formats[name.text])}`"
            yield version.warned(text, hint, related=related)


def protocol_not_of_the_stock_runtime(rendered: Rendered) -> Iterator[Found]:
    """The runtimes that KServe ships list their protocols too [stock]."""
    for model, stock in _models_with_stock(rendered):
        wanted, runtime = model.at("protocolVersion"), model.at("runtime")
        if wanted.text in PROTOCOLS and stock.protocols and wanted.text not in stock.protocols:
            text = f"protocolVersion `{wanted.text}` is not spoken by `{runtime.text}`"
            related = runtime, f"runtime `{runtime.text}` of KServe's own"
            hint = f"use one of {', '.join(stock.protocols)}"
            yield wanted.warned(text, hint, related=related)


def no_stock_runtime_by_protocol(rendered: Rendered) -> Iterator[Found]:
    """Without `runtime` KServe finds one by format and protocol, v1 where none is given [stock].

    A format that only Triton serves is then not found: kserve issue 3176. Formats that no runtime
    of KServe's own lists are left alone: they need one of the user's own.
    """
    own = any(runtimes(rendered))
    for component, model in _models(rendered):
        name, given = model.at("modelFormat", "name").text, model.at("protocolVersion").text
        mesh = annotation(component.service, "deploymentMode").text == "ModelMesh"
        if own or mesh or model.at("runtime").given or model.path[-1] != "model":
            continue
        protocol = given or ("v2" if name == "triton" else "v1")
        spoken = [
            known
            for runtime, stock in STOCK.items()
            if stock.automatic and name in stock.formats and (runtime, name) not in NOT_AUTOMATIC
            for known in stock.protocols
        ]
        if spoken and protocol in PROTOCOLS and protocol not in spoken:
            text = f"no runtime of KServe's own serves `{name}` by protocol {protocol}"
            place = model.at("protocolVersion") if given else model.at("modelFormat", "name")
            known_words = " or ".join(f"`{word}`" for word in dict.fromkeys(spoken))
            yield place.warned(text, f"write protocolVersion {known_words}, or name a `runtime`")


def priorities_differ(rendered: Rendered) -> Iterator[Found]:
    """A runtime that lists a format twice must give it one priority [webhook]."""
    for runtime in runtimes(rendered):
        if runtime.at("spec", "disabled").value is True:
            continue
        seen: dict[str, Node] = {}
        for listed in _automatic(runtime):
            name, priority = listed.at("name").text, listed.at("priority")
            first = seen.setdefault(name, priority)
            if None not in (first.number, priority.number) and first.number != priority.number:
                text = f"format `{name}` has priority {priority.number} here, {first.number} before"
                related = first, f"priority {first.number}"
                yield priority.refused(text, "give both the same priority", related=related)


def priority_of_two_runtimes(rendered: Rendered) -> Iterator[Found]:
    """Of two runtimes that find the same format by themselves, one must come first [webhook].

    Refused are those of one namespace, or of the cluster, with a protocol in common.
    """
    found = [r for r in runtimes(rendered) if r.at("spec", "disabled").value is not True]
    for index, runtime in enumerate(found):
        for other in found[:index]:
            if not _compete(runtime, other, rendered):
                continue
            for listed, before in _same_formats(runtime, other):
                priority = listed.at("priority")
                text = f"format `{listed.at('name').text}` has priority {priority.number} twice"
                hint = "give one of the two runtimes another priority"
                related = before.at("priority"), f"runtime `{name_of(other)}` has the same"
                yield priority.refused(text, hint, related=related)


def _compete(one: Node, other: Node, rendered: Rendered) -> bool:
    """Whether the webhook holds two runtimes against each other."""
    protocols = {p.text for p in one.at("spec", "protocolVersions").elements}
    common = any(p.text in protocols for p in other.at("spec", "protocolVersions").elements)
    multi = one.at("spec", "multiModel").value is True
    return (
        common
        and name_of(one) != name_of(other)
        and one.at("kind").text == other.at("kind").text
        and multi == (other.at("spec", "multiModel").value is True)
        and side_by_side(one, other, rendered)
    )


def _same_formats(one: Node, other: Node) -> Iterator[tuple[Node, Node]]:
    for listed in _automatic(one):
        for before in _automatic(other):
            same_name = listed.at("name").text.lower() == before.at("name").text.lower()
            same_version = listed.at("version").value == before.at("version").value
            same_place = listed.at("priority").number == before.at("priority").number
            if same_name and same_version and same_place and listed.at("priority").given:
                yield listed, before


def _automatic(runtime: Node) -> Iterator[Node]:
    formats = runtime.at("spec", "supportedModelFormats").elements
    return (listed for listed in formats if listed.at("autoSelect").value is True)


def _is_old(version: Node, name: Node, stock: Stock) -> bool:
    return version.text not in stock.formats[name.text]


def _models(rendered: Rendered) -> Iterator[tuple[Component, Node]]:
    for component in components(rendered):
        yield from ((component, model) for model in component.models)


def _models_with_runtime(rendered: Rendered) -> Iterator[tuple[Node, Node]]:
    """The models whose runtime is rendered, each with it."""
    for component in components(rendered):
        runtime = component.runtime
        if runtime:
            yield from ((model, runtime) for model in component.models)


def _models_with_stock(rendered: Rendered) -> Iterator[tuple[Node, Stock]]:
    """The models that name a runtime of KServe's own, where none of that name is in sight."""
    own = {name_of(runtime) for runtime in runtimes(rendered)}
    for _, model in _models(rendered):
        name = model.at("runtime").text
        if name in STOCK and name not in own and model.path[-1] == "model":
            yield model, STOCK[name]


def _full_name(manifest: Node, name: str = "") -> str:
    told = f"`{name or name_of(manifest)}`"
    namespace = namespace_of(manifest)
    return f"{told} of namespace `{namespace}`" if namespace else told


RULES = (
    runtime_not_rendered,
    runtime_not_used,
    runtime_disabled,
    format_not_of_the_runtime,
    protocol_not_of_the_runtime,
    misspelt_stock_runtime,
    misspelt_format,
    format_not_of_the_stock_runtime,
    protocol_not_of_the_stock_runtime,
    no_stock_runtime_by_protocol,
    priorities_differ,
    priority_of_two_runtimes,
)

ONLY_WITH: Mapping[Rule, tuple[str, ...]] = {
    runtime_disabled: ("disabled",),
    priorities_differ: ("priority",),
    priority_of_two_runtimes: ("priority",),
}
"""Rules that say nothing where none of these words stands, as a key or as a text."""
