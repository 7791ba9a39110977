"""What KServe's webhooks and controller refuse of an InferenceService or a ServingRuntime.

Of kserve/kserve, [validation] is pkg/apis/serving/v1beta1/inference_service_validation.go,
[component] component.go beside it, and [controller] pkg/controller/v1beta1/inferenceservice;
[ran] was tried against a real API server, where nothing refused it.
"""

import re
from collections.abc import Iterator

from generator.problem import did_you_mean
from generator.webhook_rules.nodes import Found, Node, Rendered, twice
from generator.webhook_rules.services import (
    MAIN_CONTAINER,
    MODES,
    RUNTIMES,
    Component,
    annotation,
    components,
    main_container,
    names,
    runtime_of,
)

PROTOCOLS = ("v1", "v2", "grpc-v1", "grpc-v2")  # pkg/constants/constants.go
AUTOSCALERS = ("hpa", "keda", "external", "none")  # the same file; `kpa` is known and refused
# utils/utils.go of the controller, SupportedStorageURIPrefixList.
SCHEMES = (
    "gs",
    "s3",
    "pvc",
    "file",
    "https",
    "http",
    "hdfs",
    "webhdfs",
    "oci",
    "oci+native",
    "oci+fetch",
    "hf",
)
AZURE = "blob.core.windows.net"
COLLOCATED_TRANSFORMER = "transformer-container"
HIGHEST_UTILIZATION = 100
METRICS = {"hpa": ("cpu", "memory"), "kpa": ("concurrency", "rps"), "keda": ()}


def two_predictors(rendered: Rendered) -> Iterator[Found]:
    """KServe serves exactly one of its model fields or a container of one's own [validation]."""
    for component in components(rendered):
        own = [c for c in component.spec.at("containers").elements if _is_main(c)]
        found = [str(model.path[-1]) for model in component.models]
        found += [f"container {MAIN_CONTAINER}"] if own else []
        if len(found) > 1:
            text = f"two predictors: {' and '.join(f'`{name}`' for name in found)}"
            hint = "keep `model`" if "model" in found else "keep one"
            yield component.spec.refused(text, hint)


def no_predictor(rendered: Rendered) -> Iterator[Found]:
    """KServe refuses a component that serves nothing [validation]."""
    for component in components(rendered):
        spec = component.spec
        fields = (*component.models, spec.at("containers"), spec.at("art"))
        if not any(field.value not in (None, []) for field in fields):
            hint = f"add a container named `{MAIN_CONTAINER}`"
            yield spec.refused(f"`{spec.path[-1]}` runs nothing", hint)


def named_model(rendered: Rendered) -> Iterator[Found]:
    """The model's container has a name already; another is refused [validation]."""
    for component in components(rendered):
        for model in component.models:
            if model.at("name").text:
                text = f"`name` of the model's container is `{model.at('name').text}`"
                yield model.at("name").refused(text, "remove it: KServe names the container")


def unknown_protocol(rendered: Rendered) -> Iterator[Found]:
    """No runtime is found for a protocol that KServe does not know [controller]."""
    given = [
        model.at("protocolVersion")
        for component in components(rendered)
        for model in component.models
    ]
    for runtime in rendered.of_kind(*RUNTIMES):
        given += runtime.at("spec", "protocolVersions").elements
    for protocol in given:
        if protocol.text and protocol.text not in PROTOCOLS:
            text = f"unknown protocolVersion `{protocol.text}`"
            yield protocol.refused(text, did_you_mean(protocol.text, PROTOCOLS))


def unknown_storage_scheme(rendered: Rendered) -> Iterator[Found]:
    """KServe downloads from the storages that it knows, by the first letters [controller]."""
    for component in components(rendered):
        uris = [model.at("storageUri") for model in component.models]
        uris += [uri.at("uri") for uri in component.spec.at("storageUris").elements]
        for uri in uris:
            scheme, separator, _ = uri.text.partition("://")
            if AZURE in uri.text:
                if not re.match(rf"https://.+?\.{re.escape(AZURE)}/.", uri.text):
                    text = f"storageUri `{uri.text}` is no address of Azure's"
                    yield uri.refused(text, f"write `https://<account>.{AZURE}/<container>/<path>`")
            elif separator and scheme not in SCHEMES:
                text = f"storageUri `{uri.text}` has the unknown scheme `{scheme}`"
                yield uri.refused(text, f"use one of {', '.join(SCHEMES)}")


def storage_given_twice(rendered: Rendered) -> Iterator[Found]:
    """KServe takes storageUri or storageUris, not both [validation]."""
    for component in components(rendered):
        many = component.spec.at("storageUris")
        if many.given and any(model.at("storageUri").given for model in component.models):
            yield many.refused("both `storageUri` and `storageUris` are given", "keep one")


def replicas_reversed(rendered: Rendered) -> Iterator[Found]:
    """KServe refuses minReplicas above maxReplicas; a maximum of 0 is none [component]."""
    for component in components(rendered):
        least = component.spec.at("minReplicas")
        most = component.spec.at("maxReplicas").number
        if least.number is not None and most and least.number > most >= 0:
            text = f"minReplicas {least.number} exceeds maxReplicas {most}"
            hint = f"raise maxReplicas to {least.number}, or lower minReplicas"
            yield least.refused(text, hint)


def negative_replicas(rendered: Rendered) -> Iterator[Found]:
    """KServe refuses numbers of replicas and of requests below 0 [component]."""
    for component in components(rendered):
        for name in ("minReplicas", "maxReplicas", "containerConcurrency"):
            number = component.spec.at(name).number
            if number is not None and number < 0:
                text = f"{name} {number} is negative"
                yield component.spec.at(name).refused(text, "write 0 or more")


def canary_outside_percent(rendered: Rendered) -> Iterator[Found]:
    """KServe takes a share of the traffic above 100, and Knative refuses the service [ran]."""
    for component in components(rendered):
        share = component.spec.at("canaryTrafficPercent")
        if share.number is not None and not 0 <= share.number <= 100:
            text = f"canaryTrafficPercent {share.number} is outside 0 to 100"
            yield share.refused(text, "write a percentage")


def canary_without_knative(rendered: Rendered) -> Iterator[Found]:
    """In Standard mode canaryTrafficPercent does nothing, and nobody says so [ran]."""
    for component in components(rendered):
        share = component.spec.at("canaryTrafficPercent")
        if share.given and component.mode == "Standard":
            text = "`canaryTrafficPercent` does nothing in deploymentMode Standard"
            yield share.refused(text, "use spec.canary, or deploymentMode Knative")


def canaries_over_the_stable(rendered: Rendered) -> Iterator[Found]:
    """Canaries share at most the whole traffic, and do not scale by themselves [validation]."""
    for service in rendered.of_kind("InferenceService"):
        stable, canaries = service.at("spec", "predictor"), service.at("spec", "canary")
        total = sum(canary.at("trafficPercent").number or 0 for canary in canaries.elements)
        if total > 100:
            yield canaries.refused(f"canaries take {total} percent of the traffic, the most is 100")
        predictors = [canary.at("predictor") for canary in canaries.elements]
        for name in twice(tuple(p.at("name") for p in (stable, *predictors))):
            yield name.refused(f"two predictors are named `{name.text}`", "rename one")
        for predictor in predictors:
            for key in ("maxReplicas", "scaleMetric", "scaleTarget", "autoScaling"):
                if predictor.at(key).given:
                    text = f"`{key}` of a canary: only the stable predictor scales"
                    yield predictor.at(key).refused(text, "remove it")


def unknown_deployment_mode(rendered: Rendered) -> Iterator[Found]:
    """KServe reads an unknown deploymentMode as the cluster's default, in silence [controller]."""
    for service in rendered.of_kind("InferenceService"):
        mode = annotation(service, "deploymentMode")
        if mode.text and mode.text not in MODES:
            hint = did_you_mean(mode.text, ("Standard", "Knative"))
            yield mode.refused(f"unknown deploymentMode `{mode.text}`", hint)


def unknown_autoscaler(rendered: Rendered) -> Iterator[Found]:
    """KServe refuses other words for the autoscaler [validation]."""
    for service in rendered.of_kind("InferenceService"):
        autoscaler = annotation(service, "autoscalerClass")
        if autoscaler.given and autoscaler.value not in AUTOSCALERS:
            text = f"unknown autoscalerClass `{autoscaler.value}`"
            yield autoscaler.refused(text, f"use one of {', '.join(AUTOSCALERS)}")


def metric_of_another_autoscaler(rendered: Rendered) -> Iterator[Found]:
    """Each autoscaler knows its own metrics, keda none by this name [validation]."""
    for component in components(rendered):
        autoscaler, metric = _autoscaler(component), component.spec.at("scaleMetric")
        if metric.text and autoscaler in METRICS and metric.text not in METRICS[autoscaler]:
            text = f"scaleMetric `{metric.text}` with the autoscaler {autoscaler}"
            known = METRICS[autoscaler]
            yield metric.refused(text, f"use {' or '.join(known)}" if known else "remove it")


def target_over_percent(rendered: Rendered) -> Iterator[Found]:
    """With the class hpa a target above 100 is refused, whatever the metric [validation]."""
    for component in components(rendered):
        target = component.spec.at("scaleTarget")
        if _autoscaler(component) == "hpa" and (target.number or 0) > HIGHEST_UTILIZATION:
            text = f"scaleTarget {target.number} exceeds {HIGHEST_UTILIZATION} with autoscaler hpa"
            yield target.refused(text, "write a percentage")


def strategy_without_standard(rendered: Rendered) -> Iterator[Found]:
    """Knative rolls out by itself; a deploymentStrategy is refused there [validation]."""
    for component in components(rendered):
        strategy = component.spec.at("deploymentStrategy")
        if strategy.given and _autoscaler(component) == "kpa":
            text = "`deploymentStrategy` in deploymentMode Knative"
            yield strategy.refused(text, "remove it, or use deploymentMode Standard")


def no_main_container(rendered: Rendered) -> Iterator[Found]:
    """KServe finds the container that serves by its name, or renames one to it [controller]."""
    hint = f"name the container that serves `{MAIN_CONTAINER}`"
    for component in components(rendered):
        containers = component.spec.at("containers").elements
        if not containers or component.models:
            continue
        if not any(map(_is_main, containers)):
            text = f"no container is named `{MAIN_CONTAINER}`"
            yield component.spec.at("containers").refused(text, hint)
        elif not component.is_predictor and not _is_main(containers[0]):
            text = f"`{MAIN_CONTAINER}` is not the first container"  # KServe renames the first
            yield component.spec.at("containers").refused(text, "move it to the front")
    for runtime in rendered.of_kind(*RUNTIMES):
        if main_container(runtime) is None:
            text = f"no container is named `{MAIN_CONTAINER}`"
            yield runtime.at("spec", "containers").refused(text, hint)


def storage_in_collocated_transformer(rendered: Rendered) -> Iterator[Found]:
    """A transformer beside its predictor reads no model of its own [validation]."""
    for component in components(rendered):
        for container in component.spec.at("containers").elements:
            for variable in container.at("env").elements:
                collocated = container.at("name").text == COLLOCATED_TRANSFORMER
                if collocated and variable.at("name").text == "STORAGE_URI":
                    text = f"STORAGE_URI in `{COLLOCATED_TRANSFORMER}`"
                    yield variable.at("name").refused(text, "give it to the predictor")


def blocked_variable(rendered: Rendered) -> Iterator[Found]:
    """Since v0.18 KServe refuses PYTHONPATH: pkg/validation/env_policy.go."""
    runtimes = rendered.of_kind(*RUNTIMES)
    containers = [c for runtime in runtimes for c in runtime.at("spec", "containers").elements]
    containers += [c for component in components(rendered) for c in component.containers]
    for container in containers:
        for variable in container.at("env").elements:
            if variable.at("name").text == "PYTHONPATH":
                text = "PYTHONPATH is not allowed in a container of KServe"
                yield variable.at("name").refused(text, "set it in the image")


def runtime_not_rendered(rendered: Rendered) -> Iterator[Found]:
    """A service waits for ever for a runtime that is not there [controller]."""
    runtimes = list(rendered.of_kind(*RUNTIMES))
    for component in components(rendered):
        for model in component.models:
            runtime = model.at("runtime")
            if runtimes and runtime.text and runtime_of(component, rendered) is None:
                others = " and ".join(map(_full_name, runtimes))
                wanted = _full_name(component.service, runtime.text)
                text = f"no runtime {wanted} is rendered, only {others}"
                yield runtime.refused(text, "give both the same name and namespace")


def runtime_not_used(rendered: Rendered) -> Iterator[Found]:
    """A rendered runtime that no service names does nothing: one of the two was renamed."""
    models = [(c.service, model) for c in components(rendered) for model in c.models]
    automatic = any(not model.at("runtime").text for _, model in models)
    for runtime in rendered.of_kind(*RUNTIMES) if models else ():
        formats = runtime.at("spec", "supportedModelFormats").elements
        if automatic and any(f.at("autoSelect").value is True for f in formats):
            continue
        if not any(names(model.at("runtime").text, service, runtime) for service, model in models):
            text = f"no InferenceService uses the runtime {_full_name(runtime)}"
            hint = "name it in spec.predictor.model.runtime"
            yield runtime.at("metadata", "name").refused(text, hint)


def runtime_disabled(rendered: Rendered) -> Iterator[Found]:
    """KServe refuses a service whose runtime is disabled [controller]."""
    for component in components(rendered):
        runtime = runtime_of(component, rendered)
        if runtime and runtime.at("spec", "disabled").value is True:
            text = f"runtime {_full_name(runtime)} is disabled"
            yield runtime.at("spec", "disabled").refused(text, "remove `disabled`")


def format_not_of_the_runtime(rendered: Rendered) -> Iterator[Found]:
    """The runtime must list the model's format, and its version if one is given [controller]."""
    for model, runtime in _models_with_runtime(rendered):
        known = runtime.at("spec", "supportedModelFormats").elements
        listed = [(f.at("name").text, f.at("version").text) for f in known]
        wanted = model.at("modelFormat")
        name, version = wanted.at("name").text, wanted.at("version").text
        versions = [listed_version for format, listed_version in listed if format == name]
        if name and not versions:
            text = f"modelFormat `{name}` is not supported by runtime {_full_name(runtime)}"
            yield wanted.at("name").refused(text, did_you_mean(name, {f for f, _ in listed}))
        elif version and version not in versions:
            text = f"modelFormat `{name}` of version `{version}` is not supported by the runtime"
            yield wanted.at("version").refused(text, "remove it, or add it to the runtime")


def protocol_not_of_the_runtime(rendered: Rendered) -> Iterator[Found]:
    """The runtime must list the model's protocol; one that lists none speaks all [controller]."""
    for model, runtime in _models_with_runtime(rendered):
        wanted = model.at("protocolVersion")
        known = [protocol.text for protocol in runtime.at("spec", "protocolVersions").elements]
        if wanted.text in PROTOCOLS and known and wanted.text not in known:
            text = f"protocolVersion `{wanted.text}` is not spoken by {_full_name(runtime)}"
            yield wanted.refused(text, f"use one of {', '.join(known)}")


def _models_with_runtime(rendered: Rendered) -> Iterator[tuple[Node, Node]]:
    """The models whose runtime is rendered, each with it."""
    for component in components(rendered):
        runtime = runtime_of(component, rendered)
        if runtime:
            yield from ((model, runtime) for model in component.models)


def _is_main(container: Node) -> bool:
    return container.at("name").text == MAIN_CONTAINER


def _autoscaler(component: Component) -> str:
    """What scales a component, as the webhook sees it: hpa, keda, kpa, or nothing known."""
    if component.mode == "Standard":
        return annotation(component.service, "autoscalerClass").text
    key = "autoscaling.knative.dev/class"
    by_knative = component.service.at("metadata", "annotations", key).text
    if component.mode != "Knative":
        return ""
    return "hpa" if by_knative.startswith("hpa.") else "kpa"


def _full_name(manifest: Node, name: str = "") -> str:
    metadata = manifest.at("metadata")
    namespace = metadata.at("namespace").text
    told = f"`{name or metadata.at('name').text}`"
    return f"{told} of namespace `{namespace}`" if namespace else told


RULES = (
    two_predictors,
    no_predictor,
    named_model,
    unknown_protocol,
    unknown_storage_scheme,
    storage_given_twice,
    replicas_reversed,
    negative_replicas,
    canary_outside_percent,
    canary_without_knative,
    canaries_over_the_stable,
    unknown_deployment_mode,
    unknown_autoscaler,
    metric_of_another_autoscaler,
    target_over_percent,
    strategy_without_standard,
    no_main_container,
    storage_in_collocated_transformer,
    blocked_variable,
    runtime_not_rendered,
    runtime_not_used,
    runtime_disabled,
    format_not_of_the_runtime,
    protocol_not_of_the_runtime,
)
