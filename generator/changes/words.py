"""The word that a service's people have for a field: a table of routes."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from generator.changes import contents, values

Remark = Callable[[object, object], str]


@dataclass(frozen=True)
class Word:
    """What the end of a route is called; `{}` are the steps that the `*` of the route stand for.

    `whole`: a map that comes or goes here is one thing, told by `tell`. Words that differ in
    `aspect` alone (requests, limits) are told on one line where they say the same.
    """

    route: str
    subject: str
    tell: values.Tell = values.plain
    remark: Remark | None = None
    whole: bool = False
    aspect: str = ""


def _probes() -> tuple[Word, ...]:
    kinds = ("startup", "readiness", "liveness")
    whole = (Word(f"{k}Probe", f"{k} probe", values.probe, whole=True) for k in kinds)
    return (*whole, *(Word(f"{k}Probe/**", f"{k} probe, {{}}") for k in kinds))


def _resources() -> tuple[Word, ...]:
    names = {"cpu": "cpu", "memory": "memory", "nvidia.com~1gpu": "GPUs", "*": "{}"}
    return tuple(
        Word(f"resources/{aspect}/{name}", subject, remark=values.ratio, aspect=aspect)
        for name, subject in names.items()
        for aspect in ("requests", "limits")
    )


_MANIFESTS = (
    Word("initContainers/*/image", "image of init container {}", remark=values.image),
    Word("containers/*/image", "image of container {}", remark=values.image),
    Word("image", "image", remark=values.image),
    Word("initContainers/*", "init container {}", values.container, whole=True),
    Word("containers/*", "container {}", values.container, whole=True),
    Word("minReplicas", "replicas, at least"),
    Word("minReplicaCount", "replicas, at least"),
    Word("annotations/autoscaling.knative.dev~1min-scale", "replicas, at least"),
    Word("maxReplicas", "replicas, at most"),
    Word("maxReplicaCount", "replicas, at most"),
    Word("annotations/autoscaling.knative.dev~1max-scale", "replicas, at most"),
    Word("predictors/*/replicas", "replicas of predictor {}"),
    Word("spec/replicas", "replicas"),
    Word("scaleMetric", "autoscaling metric"),
    Word("scaleTarget", "autoscaling target"),
    Word("hpaSpec/*/*/resource/name", "autoscaling metric"),
    Word("hpaSpec/*/*/resource/target/**", "autoscaling target, {}"),
    Word("metrics/**", "autoscaling, {}"),
    Word("triggers/**", "autoscaling, {}"),
    Word("behavior/**", "autoscaling behaviour, {}"),
    Word("containerConcurrency", "concurrent requests of a pod"),
    Word("annotations/serving.kserve.io~1autoscalerClass", "autoscaler"),
    Word("canaryTrafficPercent", "traffic of the canary in percent"),
    Word("predictors/*/traffic", "traffic of predictor {} in percent"),
    Word("predictors/*/shadow", "predictor {} as shadow"),
    Word("predictors/*", "predictor {}", whole=True),
    *_resources(),
    Word("annotations/serving.kserve.io~1deploymentMode", "deployment mode"),
    Word("protocolVersion", "protocol"),
    Word("spec/protocol", "protocol"),
    Word("spec/transport", "transport"),
    Word("spec/ports/*/targetPort", "port {}, towards the pod"),
    Word("spec/ports/*/port", "port {}"),
    Word("spec/ports/*", "port {}", whole=True),
    Word("ingress/*/ports/*", "ingress, rule {}, port {}", whole=True),
    Word("egress/*/ports/*", "egress, rule {}, port {}", whole=True),
    Word("ports/*/containerPort", "container port {}"),
    Word("ports/*", "container port {}", whole=True),
    Word("storageUri", "model uri"),
    Word("modelUri", "model uri"),
    Word("storage/path", "model path in the storage"),
    Word("storage/key", "storage secret key"),
    Word("modelFormat/name", "model format"),
    Word("modelFormat/version", "model format's version"),
    Word("labels/app.kubernetes.io~1version", "model version"),
    Word("model/runtime", "runtime"),
    Word("runtimeVersion", "runtime version"),
    Word("graph/**", "graph, {}"),
    Word("batcher/*", "batching, {}"),
    Word("logger/*", "logging of requests, {}"),
    Word("spec/*/timeout", "timeout in seconds"),
    Word("timeoutSeconds", "timeout in seconds"),
    Word("annotations/seldon.io~1rest-timeout", "timeout in milliseconds, REST"),
    Word("annotations/seldon.io~1grpc-timeout", "timeout in milliseconds, gRPC"),
    Word("annotations/serving.knative.dev~1progress-deadline", "deadline of a rollout"),
    Word("progressDeadlineSeconds", "deadline of a rollout in seconds"),
    Word("terminationGracePeriodSeconds", "time to stop in seconds"),
    Word("activeDeadlineSeconds", "time limit in seconds"),
    Word("lifecycle/**", "lifecycle, {}"),
    Word("securityContext/**", "security context, {}"),
    Word("hostNetwork", "host network"),
    Word("hostPID", "processes of the host"),
    Word("hostIPC", "IPC of the host"),
    Word("automountServiceAccountToken", "service account token in the pod"),
    Word("serviceAccountName", "service account"),
    Word("serviceAccount", "service account"),
    Word("imagePullSecrets/*", "pull secret {}", whole=True),
    Word("annotations/serving.kserve.io~1storageSecretName", "storage secret"),
    Word("envSecretRefName", "storage secret"),
    Word("env/*/value", "environment variable {}"),
    Word("env/*/valueFrom/secretKeyRef/**", "environment variable {}, secret's {}"),
    Word("env/*/valueFrom/**", "environment variable {}, {}"),
    Word("env/*", "environment variable {}", values.variable, whole=True),
    Word("envFrom/*/secretRef/name", "environment from secret"),
    Word("envFrom/*/configMapRef/name", "environment from config map"),
    Word("envFrom/*", "environment from", whole=True),
    Word("syncPolicy/automated/prune", "Argo CD deletes what is gone"),
    Word("syncPolicy/automated/selfHeal", "Argo CD undoes changes in the cluster"),
    Word("syncPolicy/automated/**", "Argo CD syncs by itself, {}"),
    Word("syncPolicy/automated", "Argo CD syncs by itself"),
    Word("syncPolicy/syncOptions/*", "option of Argo CD's syncs"),
    Word("syncPolicy/**", "Argo CD's syncs, {}"),
    Word("volumes/*", "volume {}", values.volume, whole=True),
    Word("volumes/*/**", "volume {}, {}"),
    Word("volumeMounts/*", "mount {}", values.volume, whole=True),
    Word("nodeSelector/*", "node selector {}"),
    Word("tolerations/*", "toleration", whole=True),
    Word("tolerations/**", "toleration, {}"),
    Word("affinity/**", "affinity, {}"),
    Word("topologySpreadConstraints/**", "topology spread, {}"),
    Word("minAvailable", "pods that stay during a disruption, at least"),
    Word("maxUnavailable", "pods that may be missing, at most"),
    Word("matchLabels/*", "selector label {}"),
    Word("spec/selector/*", "selector label {}"),
    Word("labels/*", "label {}"),
    Word("annotations/*", "annotation {}"),
    Word("resources/[*]", "kustomization lists"),
    Word("metadata/namespace", "namespace"),
    Word("metadata/name", "name"),
    Word("args/*", "argument {}"),
    Word("command/*", "command {}"),
    *_probes(),
)
_MODEL_CONFIGS = (
    Word("max_batch_size", "batching, at most"),
    Word("dynamic_batching/preferred_batch_size", "batching, preferred"),
    Word("dynamic_batching/max_queue_delay_microseconds", "batching, delay in microseconds"),
    Word("dynamic_batching/**", "batching, {}"),
    Word("instance_group/*/count", "model instances"),
    Word("instance_group/*/kind", "model instances run on"),
    Word("platform", "platform"),
    Word("backend", "backend"),
    Word("default_model_filename", "model file"),
    Word("version_policy/**", "model versions, {}"),
    Word("input/*", "input {}", whole=True),
    Word("output/*", "output {}", whole=True),
    Word("input/*/**", "input {}, {}"),
    Word("output/*/**", "output {}, {}"),
    Word("parameters/*/string_value", "parameter {}"),
)
_PROPERTIES = (
    Word("models/*/*/batchSize", "batching of {} {}, at most"),
    Word("models/*/*/maxBatchDelay", "batching of {} {}, delay in milliseconds"),
    Word("models/*/*/minWorkers", "workers of {} {}, at least"),
    Word("models/*/*/maxWorkers", "workers of {} {}, at most"),
    Word("models/*/*/responseTimeout", "timeout of {} {} in seconds"),
    Word("models/*/*/startupTimeout", "start of {} {} in seconds, at most"),
    Word("models/*/*/marName", "archive of {} {}"),
    Word("models/*/*", "model {} {}", whole=True),
    Word("job_queue_size", "requests that may wait"),
    Word("inference_address", "inference address"),
    Word("*_request_size", "size of a request in bytes, at most"),
    Word("default_response_timeout", "timeout in seconds"),
)
_REQUIREMENTS = (Word("*", "requirement {}"),)
_BY_FORM = {
    contents.MANIFEST: _MANIFESTS,
    contents.MODEL_CONFIG: _MODEL_CONFIGS,
    contents.PROPERTIES: _PROPERTIES,
    contents.REQUIREMENTS: _REQUIREMENTS,
}


def word(form: str, route: tuple[str, ...]) -> tuple[Word, str] | None:
    """The first word that fits a route, and its subject with the steps filled in."""
    joined = "/".join(step.replace("/", "~1") for step in route)
    for one, pattern in _compiled(form):
        if found := pattern.search(joined):
            return one, one.subject.format(*map(_step, found.groups()))
    return None


def _step(text: str) -> str:
    """The steps that a star stands for, without the brackets of list elements."""
    steps = (step[1:-1] if step.startswith("[") else step for step in text.split("/"))
    return ".".join(steps).replace("~1", "/")


@cache
def _compiled(form: str) -> tuple[tuple[Word, re.Pattern[str]], ...]:
    stars = {"**": "(.+)", "*": "([^/]+)"}
    return tuple(
        (
            one,
            re.compile(
                "(?:^|/)"
                + "".join(stars.get(p, re.escape(p)) for p in re.split(r"(\*\*|\*)", one.route))
                + "$"
            ),
        )
        for one in _BY_FORM.get(form, ())
    )
