"""What KServe's webhook refuses of an LLMInferenceService.

Of kserve/kserve, [validation] is pkg/apis/serving/v1alpha1/llm_inference_service_validation.go and
[scaling] pkg/apis/serving/v1alpha2/llm_inference_service_validation.go.
"""

from collections.abc import Iterator

from generator.webhook_rules.nodes import Found, Node, Rendered
from generator.webhook_rules.services import KSERVE


def worker_without_parallelism(rendered: Rendered) -> Iterator[Found]:
    """Workers share a model by data or pipeline parallelism [validation]."""
    for load in _workloads(rendered):
        how = load.at("parallelism")
        shared = any(how.at(key).given for key in ("pipeline", "data", "dataLocal"))
        if load.at("worker").given and not shared:
            hint = "add parallelism.pipeline, or parallelism.data and dataLocal"
            yield load.at("worker").refused("`worker` without parallelism", hint)


def two_parallelisms(rendered: Rendered) -> Iterator[Found]:
    """A model is cut into a pipeline or copied for its data, not both [validation]."""
    for load in _workloads(rendered):
        pipeline = load.at("parallelism", "pipeline")
        for key in ("data", "dataLocal"):
            if pipeline.given and load.at("parallelism", key).given:
                text = f"`{key}` beside `pipeline`"
                related = pipeline, "`pipeline` stands here"
                yield load.at("parallelism", key).refused(text, "keep one", related=related)
                break


def half_of_data_parallelism(rendered: Rendered) -> Iterator[Found]:
    """`data` and `dataLocal` are given together [validation]."""
    for load in _workloads(rendered):
        data, local = load.at("parallelism", "data"), load.at("parallelism", "dataLocal")
        if data.given and not local.given:
            yield data.refused("`data` without `dataLocal`", "add `dataLocal`")
        elif local.given and not data.given:
            yield local.refused("`dataLocal` without `data`", "add `data`")


def scaling_and_replicas(rendered: Rendered) -> Iterator[Found]:
    """The number of replicas is fixed or scaled [scaling]."""
    for load in _workloads(rendered):
        if load.at("scaling").given and load.at("replicas").given:
            related = load.at("replicas"), "`replicas` stands here"
            text = "`scaling` and `replicas` are given"
            yield load.at("scaling").refused(text, "keep one", related=related)


def scaling_reversed(rendered: Rendered) -> Iterator[Found]:
    """The least number of replicas is not above the most [scaling]."""
    for load in _workloads(rendered):
        least, most = load.at("scaling", "minReplicas"), load.at("scaling", "maxReplicas")
        if least.number is not None and most.number is not None and least.number > most.number:
            text = f"minReplicas {least.number} exceeds maxReplicas {most.number}"
            related = most, f"maxReplicas {most.number} stands here"
            yield least.refused(text, f"raise maxReplicas to {least.number}", related=related)


def scaling_without_actuator(rendered: Rendered) -> Iterator[Found]:
    """Scaling is done by wva, through exactly one of hpa and keda [scaling]."""
    for load in _workloads(rendered):
        scaling = load.at("scaling")
        wva = scaling.at("wva")
        given = [wva.at(name) for name in ("hpa", "keda") if wva.at(name).given]
        if scaling.given and not wva.given:
            yield scaling.refused("`scaling` without `wva`", "add `wva` with hpa or keda")
        elif scaling.given and not given:
            yield wva.refused("`wva` without `hpa` or `keda`", "add one of them")
        elif len(given) > 1:
            related = given[0], "`hpa` stands here"
            yield given[1].refused("`keda` beside `hpa`", "keep one", related=related)


def idle_replicas_not_below_least(rendered: Rendered) -> Iterator[Found]:
    """When idle, fewer run than at the least; the least must be given then [scaling]."""
    for load in _workloads(rendered):
        idle = load.at("scaling", "wva", "keda", "idleReplicaCount")
        least = load.at("scaling", "minReplicas")
        if idle.number is not None and (least.number is None or idle.number >= least.number):
            told = f"minReplicas {least.number}" if least.given else "minReplicas, not given"
            text = f"idleReplicaCount {idle.number} is not below {told}"
            hint = f"write minReplicas {idle.number + 1} or more"
            yield idle.refused(text, hint, related=(least, told))


def two_actuators(rendered: Rendered) -> Iterator[Found]:
    """Decode and prefill are scaled by the same of hpa and keda [scaling]."""
    for service in _services(rendered):
        decode = service.at("spec", "scaling", "wva")
        prefill = service.at("spec", "prefill", "scaling", "wva")
        ours = [name for name in ("hpa", "keda") if decode.at(name).given]
        theirs = [name for name in ("hpa", "keda") if prefill.at(name).given]
        if len(ours) == len(theirs) == 1 and ours != theirs:
            text = f"prefill scales by {theirs[0]}, decode by {ours[0]}"
            related = decode.at(ours[0]), f"decode scales by {ours[0]}"
            hint = f"use {ours[0]} in both"
            yield prefill.at(theirs[0]).refused(text, hint, related=related)


def route_given_twice(rendered: Rendered) -> Iterator[Found]:
    """A route is one's own by `refs`, or made from `spec` [validation]."""
    for service in _services(rendered):
        route, gateway = _route(service), service.at("spec", "router", "gateway")
        refs, spec = route.at("refs"), route.at("spec")
        if refs.elements and spec.given:
            related = refs, "`refs` stands here"
            yield spec.refused("`spec` of a route beside `refs`", "keep one", related=related)
        if refs.elements and gateway.given and not gateway.at("refs").elements:
            text = "routes of one's own with a gateway that KServe makes"
            hint = "remove http.refs, or name the gateway in gateway.refs"
            yield refs.refused(text, hint, related=(gateway, "this gateway has no `refs`"))
        if spec.at("parentRefs").elements and gateway.at("refs").elements:
            text = "`parentRefs` of the route beside `refs` of the gateway"
            related = gateway.at("refs"), "`refs` of the gateway"
            yield spec.at("parentRefs").refused(text, "keep one", related=related)


def half_of_traffic_split(rendered: Rendered) -> Iterator[Found]:
    """Services that share traffic have a group and a weight, and no Ingress [validation]."""
    for service in _services(rendered):
        route = service.at("spec", "router", "route")
        group, weight = route.at("group"), route.at("weight")
        if (group.given or weight.given) and service.at("spec", "router", "ingress").given:
            place = group if group.given else weight
            yield place.refused("traffic is split by routes, not by `ingress`", "remove `ingress`")
        elif group.given and not weight.given:
            yield group.refused("`group` without `weight`", "add `weight`")
        elif weight.given and not group.given:
            yield weight.refused("`weight` without `group`", "add `group`")


def scheduler_config_not_one(rendered: Rendered) -> Iterator[Found]:
    """The scheduler's configuration stands inline or in a ConfigMap [validation]."""
    for service in _services(rendered):
        scheduler = service.at("spec", "router", "scheduler")
        config, replicas = scheduler.at("config"), scheduler.at("replicas")
        inline, ref = config.at("inline"), config.at("ref")
        if replicas.number is not None and replicas.number < 1:
            yield replicas.refused(f"replicas {replicas.number} is below 1", "write 1 or more")
        if inline.given and ref.given:
            related = ref, "`ref` stands here"
            yield inline.refused("`inline` beside `ref`", "keep one", related=related)
        elif config.given and not inline.given and not ref.given:
            yield config.refused("`config` without `inline` or `ref`", "add one of them")


def _services(rendered: Rendered) -> Iterator[Node]:
    return rendered.of_group(KSERVE, "LLMInferenceService")


def _workloads(rendered: Rendered) -> Iterator[Node]:
    """Decode, which is the spec itself, and prefill."""
    for service in _services(rendered):
        yield service.at("spec")
        if service.at("spec", "prefill").given:
            yield service.at("spec", "prefill")


def _route(service: Node) -> Node:
    return service.at("spec", "router", "route", "http")


RULES = (
    worker_without_parallelism,
    two_parallelisms,
    half_of_data_parallelism,
    scaling_and_replicas,
    scaling_reversed,
    scaling_without_actuator,
    idle_replicas_not_below_least,
    two_actuators,
    route_given_twice,
    half_of_traffic_split,
    scheduler_config_not_one,
)
