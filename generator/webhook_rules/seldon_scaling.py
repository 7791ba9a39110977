"""How many pods of a SeldonDeployment there are, and who says so.

Of SeldonIO/seldon-core, [controller] is operator/controllers/seldondeployment_controller.go,
[engine] operator/controllers/seldondeployment_engine.go.
"""

from collections.abc import Iterator

from generator.webhook_rules.graphs import (
    SEPARATE_ENGINE,
    Predictor,
    containers,
    predictors,
    predictors_of,
    server,
)
from generator.webhook_rules.nodes import Found, Node, Rendered

RANGES = (
    ("hpaSpec", "minReplicas", "maxReplicas"),
    ("kedaSpec", "minReplicaCount", "maxReplicaCount"),
)
AMOUNTS = ("requests", "limits")  # what is limited is requested
OF_CONTAINERS = ("hpaSpec", "kedaSpec", "pdbSpec")


def negative_replicas(rendered: Rendered) -> Iterator[Found]:
    """No Deployment has fewer than 0 pods, and none is made of it [controller]."""
    for deployment in rendered.of_kind("SeldonDeployment"):
        places = [deployment.at("spec")]
        for predictor in predictors_of(deployment):
            places += [predictor.spec, predictor.spec.at("svcOrchSpec"), *predictor.pods]
        for place in places:
            replicas = place.at("replicas")
            if replicas.number is not None and replicas.number < 0:
                yield replicas.refused(f"replicas {replicas.number} is negative", "write 0 or more")


def scaling_reversed(rendered: Rendered) -> Iterator[Found]:
    """An autoscaler has a range, and no HorizontalPodAutoscaler starts at 0.

    The cluster refuses what the operator makes of it: createHpa and createKeda [controller].
    """
    for predictor in predictors(rendered):
        for pod in predictor.pods:
            for spec, low, high in RANGES:
                least, most = pod.at(spec, low), pod.at(spec, high)
                if most.number is not None and (least.number or 0) > most.number:
                    text = f"{low} {least.number} exceeds {high} {most.number}"
                    hint = f"raise {high} to {least.number}"
                    yield least.refused(text, hint, related=(most, "the most"))
            for field in (pod.at("hpaSpec", "minReplicas"), pod.at("hpaSpec", "maxReplicas")):
                if field.number is not None and field.number < 1:
                    text = f"{field.path[-1]} {field.number} of hpaSpec is under 1"
                    yield field.refused(text, "use kedaSpec to scale to 0")


def scaled_twice(rendered: Rendered) -> Iterator[Found]:
    """Beside kedaSpec an hpaSpec is ignored: createComponents [controller]."""
    for predictor in predictors(rendered):
        for pod in predictor.pods:
            hpa, keda = pod.at("hpaSpec"), pod.at("kedaSpec")
            if hpa.given and keda.given:
                text = "`hpaSpec` does nothing beside `kedaSpec`"
                yield hpa.warned(text, "keep one", (keda, "the one that counts"))


def replicas_of_an_autoscaler(rendered: Rendered) -> Iterator[Found]:
    """Where something scales, no number of pods is set: createComponents [controller]."""
    for predictor in predictors(rendered):
        for pod in predictor.pods:
            for scaler in (pod.at("kedaSpec"), pod.at("hpaSpec")):
                if pod.at("replicas").given and scaler.given:
                    text = f"`replicas` does nothing beside `{scaler.path[-1]}`"
                    yield pod.at("replicas").warned(text, "remove it", (scaler, "what counts"))
                    break


def scaling_of_no_containers(rendered: Rendered) -> Iterator[Found]:
    """An entry of componentSpecs without containers is passed over: createComponents [controller].

    Only the first one can stay without: the operator puts servers that have none there.
    """
    for predictor in predictors(rendered):
        units = (unit for unit in predictor.units if server(unit))
        filled = any(predictor.container(unit.at("name").text) is None for unit in units)
        for index, pod in enumerate(predictor.pods):
            if pod.at("spec", "containers").elements or (index == 0 and filled):
                continue
            for key in OF_CONTAINERS:
                if pod.at(key).given:
                    text = f"`{key}` does nothing without containers beside it"
                    yield pod.at(key).warned(text, "move it to the entry of the containers")


def share_of_no_request(rendered: Rendered) -> Iterator[Found]:
    """A share is one of what all containers of the pod request, the orchestrator among them.

    Where one requests nothing an autoscaler takes no action, unless a LimitRange requests for it:
    https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/
    """
    for predictor in predictors(rendered):
        for index, pod in enumerate(predictor.pods):
            asked = [(one.at("name"), one.at("resources")) for one in containers(pod)]
            if index == 0 and asked and _has_engine(predictor):
                engine = predictor.spec.at("svcOrchSpec", "resources")
                asked += [(engine, engine)] if engine.given else []
            for resource in _shares(pod.at("hpaSpec")):
                for name, resources in asked:
                    if not any(resources.at(key, resource.text).given for key in AMOUNTS):
                        called = f"`{name.text}`" if name.text else "the orchestrator"
                        text = f"a share of {resource.text}, of which {called} requests none"
                        hint = f"write its resources.requests.{resource.text}"
                        yield resource.warned(text, hint, (name, "the container"))
                        break


def engine_replicas_without_pod(rendered: Rendered) -> Iterator[Found]:
    """Beside a node the orchestrator is as many as that: createEngineDeployment [engine]."""
    for predictor in predictors(rendered):
        replicas = predictor.spec.at("svcOrchSpec", "replicas")
        if replicas.given and not predictor.has_engine_of_its_own:
            text = "`replicas` of svcOrchSpec does nothing without a pod of its own"
            hint = f'add {SEPARATE_ENGINE}: "true" to spec.annotations, or remove it'
            yield replicas.warned(text, hint)


def budget_given_twice(rendered: Rendered) -> Iterator[Found]:
    """A PodDisruptionBudget has one limit: pkg/apis/policy/validation of kubernetes.

    The cluster refuses what the operator makes of it: createPdb [controller].
    """
    for predictor in predictors(rendered):
        for pod in predictor.pods:
            least, most = pod.at("pdbSpec", "minAvailable"), pod.at("pdbSpec", "maxUnavailable")
            if least.given and most.given:
                text = "both `minAvailable` and `maxUnavailable` are given"
                yield most.refused(text, "keep one", related=(least, "the other limit"))


def budgets_of_one_deployment(rendered: Rendered) -> Iterator[Found]:
    """A budget of the operator's selects all pods of the deployment: createPdb [controller].

    Kubernetes evicts no pod that two budgets select, so no node with one of them can be drained.
    """
    for deployment in rendered.of_kind("SeldonDeployment"):
        pods = (pod for predictor in predictors_of(deployment) for pod in predictor.pods)
        budgets = [pod.at("pdbSpec") for pod in pods if pod.at("pdbSpec").given]
        for budget in budgets[1:]:
            text = "a second budget of the pods that the first one selects already"
            related = budgets[0], "this selects all pods of the deployment"
            yield budget.warned(text, "keep one for the whole deployment", related)


def _has_engine(predictor: Predictor) -> bool:
    """Whether the orchestrator stands in the first pod."""
    return not predictor.is_without_engine and not predictor.has_engine_of_its_own


def _shares(autoscaler: Node) -> Iterator[Node]:
    """The names of the resources of which an autoscaler looks at the share that is used."""
    for metric in autoscaler.at("metrics").elements:
        if metric.at("resource", "targetAverageUtilization").given:
            yield metric.at("resource", "name")
    for metric in autoscaler.at("metricsv2").elements:
        if metric.at("resource", "target", "averageUtilization").given:
            yield metric.at("resource", "name")


RULES = (
    negative_replicas,
    scaling_reversed,
    scaled_twice,
    replicas_of_an_autoscaler,
    scaling_of_no_containers,
    share_of_no_request,
    engine_replicas_without_pod,
    budget_given_twice,
    budgets_of_one_deployment,
)
