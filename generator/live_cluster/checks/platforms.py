"""Whether KServe, Knative, KEDA and Seldon are set up for what the manifests ask of them."""

from collections.abc import Iterator
from functools import partial

from generator.document import Pointer
from generator.live_cluster.checks.configuration import deploy_config, json_of, kserve_config
from generator.live_cluster.parts import Json, listed, mapping, part, text, walk
from generator.live_cluster.question import Asked, Question, Said
from generator.live_cluster.rendered import Rendered, of_kind

_MODE = "serving.kserve.io/deploymentMode"
_KNATIVE_SERVICE = ("serving.knative.dev/v1", "Service")
_GATEWAY = ("gateway.networking.k8s.io/v1", "HTTPRoute")
_KNATIVE_MODES = ("Knative", "Serverless")

# Fields of a pod that Knative refuses until its flag is `enabled` or `allowed`; all but the last
# are `disabled` where the config map says nothing: knative.dev/serving, pkg/apis/config/features.go
FLAGS = {
    "nodeSelector": "kubernetes.podspec-nodeselector",
    "tolerations": "kubernetes.podspec-tolerations",
    "affinity": "kubernetes.podspec-affinity",
    "topologySpreadConstraints": "kubernetes.podspec-topologyspreadconstraints",
    "runtimeClassName": "kubernetes.podspec-runtimeclassname",
    "priorityClassName": "kubernetes.podspec-priorityclassname",
    "schedulerName": "kubernetes.podspec-schedulername",
    "securityContext": "kubernetes.podspec-securitycontext",
    "initContainers": "kubernetes.podspec-init-containers",
    "emptyDir": "kubernetes.podspec-volumes-emptydir",
}
_ON_BY_DEFAULT = ("emptyDir",)
_SKIPPING = ("registries-skipping-tag-resolving", "registriesSkippingTagResolving")
_NVIDIA = "nvcr.io/"
# One stands for the other: seldon-core, operator/apis/machinelearning.seldon.io/v1/prepack.go
_SAME_PROTOCOL = {"v2": "kfserving", "kfserving": "v2"}


def kserve(asked: Asked) -> Iterator[Question]:
    """KServe's deployment mode decides what has to be installed beside it [kserve]."""
    for one in of_kind(asked.manifests, "InferenceService"):
        mode = text(one.data, "metadata", "annotations", _MODE)
        place = one.place(("metadata", "annotations", _MODE))
        yield Question("deployment-mode", one.shown, partial(_mode, asked, mode), place)
        yield Question(
            "ingress", f"{asked.kserve}/inferenceservice-config", partial(_ingress, asked, mode)
        )


def _mode(asked: Asked, mode: str) -> Said:
    config = deploy_config(asked)
    default = text(config, "defaultDeploymentMode") or "unknown"
    is_knative = (mode or default) in _KNATIVE_MODES
    if is_knative and not asked.discovery.serves(*_KNATIVE_SERVICE):
        return Said("failed", "Knative, and Knative Serving is not in this cluster")
    if config is None:
        return _no_config(asked)
    if not mode:
        return Said("warning", f"the default of the cluster, {default}")
    return Said("ok", f"{mode}; the default of the cluster is {default}")


def _no_config(asked: Asked) -> Said:
    told = f"there is no config map {asked.kserve}/inferenceservice-config"
    return Said("unknown", told, "name KServe's own namespace with --kserve-namespace")


def _ingress(asked: Asked, mode: str) -> Said:
    config = kserve_config(asked, "ingress")
    if config is None:
        return _no_config(asked)
    mode = mode or text(kserve_config(asked, "deploy"), "defaultDeploymentMode")
    domain = text(config, "ingressDomain") or "example.com"  # KServe's own default
    if part(config, "disableIngressCreation") is True:
        return Said("ok", "ingress creation is off: services are reached inside the cluster only")
    uses_gateway = part(config, "enableGatewayApi") is True
    if mode not in _KNATIVE_MODES and uses_gateway:
        if not asked.discovery.serves(*_GATEWAY):
            told = "KServe is set to use the Gateway API, which is not in this cluster"
            return Said("failed", told)
        gateway = text(config, "kserveIngressGateway") or "none"
        return Said("ok", f"Gateway API, gateway {gateway}, domain {domain}")
    name = text(config, "ingressClassName" if mode not in _KNATIVE_MODES else "ingressGateway")
    return Said("ok", f"ingress {name or 'of the default class'}, domain {domain}")


def knative(asked: Asked) -> Iterator[Question]:
    """Knative refuses pod fields whose feature flag is off [knative]."""
    for one in _on_knative(asked):
        pods: list[tuple[Rendered, Pointer]] = [
            (one, ("spec", name)) for name in ("predictor", "transformer", "explainer")
        ]
        pods += [(runtime, ("spec",)) for runtime in _own_runtime(asked, one)]
        for holder, pod in pods:
            for name, at in _flagged(holder.data, pod):
                answer = partial(_flag, asked, name)
                yield Question("knative-flag", FLAGS[name], answer, holder.place(at))


def _flagged(manifest: Json, pod: Pointer) -> Iterator[tuple[str, Pointer]]:
    """The fields of a pod that take a flag, with their places."""
    for name in FLAGS:
        if part(manifest, *pod, name):
            yield name, (*pod, name)
    for index, volume in enumerate(listed(manifest, *pod, "volumes")):
        if part(volume, "emptyDir") is not None:
            yield "emptyDir", (*pod, "volumes", index)


def _own_runtime(asked: Asked, service: Rendered) -> list[Rendered]:
    """The rendered runtime of a service, which KServe lays under it; none where it is another's."""
    name = text(service.data, "spec", "predictor", "model", "runtime")
    return [
        one
        for one in of_kind(asked.manifests, "ServingRuntime")
        if (one.name, one.namespace) == (name, service.namespace)
    ]


def _on_knative(asked: Asked) -> Iterator[Rendered]:
    for one in of_kind(asked.manifests, "InferenceService"):
        if text(one.data, "metadata", "annotations", _MODE) in _KNATIVE_MODES:
            yield one


def _flag(asked: Asked, name: str) -> Said:
    flag = FLAGS[name]
    found = asked.get(f"/api/v1/namespaces/{asked.knative}/configmaps/config-features")
    if found is None:
        return Said("unknown", f"there is no config map {asked.knative}/config-features")
    by_default = "enabled" if name in _ON_BY_DEFAULT else "disabled"
    value = text(found, "data", flag) or by_default
    if value.lower() in ("enabled", "allowed"):
        return Said("ok", value)
    return Said(
        "failed", f"{value}, and the service sets {name}", f"set {flag}: enabled in config-features"
    )


def registries(asked: Asked) -> Iterator[Question]:
    """Knative looks tags up at their registry, and nvcr.io does not answer it [knative]."""
    for one in _on_knative(asked):
        for holder in (one, *_own_runtime(asked, one)):
            for at, image in walk(holder.data):
                is_tag = isinstance(image, str) and image.startswith(_NVIDIA) and "@" not in image
                if at and at[-1] == "image" and is_tag:
                    yield Question(
                        "registry", "nvcr.io", partial(_registry, asked), holder.place(at)
                    )


def _registry(asked: Asked) -> Said:
    found = asked.get(f"/api/v1/namespaces/{asked.knative}/configmaps/config-deployment")
    if found is None:
        return Said("unknown", f"there is no config map {asked.knative}/config-deployment")
    skipped = next(filter(None, (text(found, "data", key) for key in _SKIPPING)), "")
    if "nvcr.io" in [name.strip() for name in skipped.split(",")]:
        return Said("ok", "Knative leaves its tags alone")
    told = "Knative looks up tags at nvcr.io, which does not answer it"
    return Said(
        "failed", told, "admin/knative-config-deployment.sh of the render adds it; or pin a digest"
    )


def autoscaling(asked: Asked) -> Iterator[Question]:
    """A service that KEDA is to scale stays as it is where KEDA is not installed."""
    for one in asked.manifests:
        for at, value in walk(one.data):
            is_class = at[-1:] == ("serving.kserve.io/autoscalerClass",) and value == "keda"
            if is_class or at[-1:] == ("kedaSpec",):
                yield Question("keda", one.shown, partial(_keda, asked), one.place(at))


def _keda(asked: Asked) -> Said:
    if asked.discovery.serves("keda.sh/v1alpha1", "ScaledObject"):
        return Said("ok", "KEDA is in this cluster")
    return Said("failed", "KEDA is to scale it, and is not in this cluster")


def seldon_servers(asked: Asked) -> Iterator[Question]:
    """A prepackaged server is what `predictor_servers` of Seldon's config map says [seldon]."""
    for one in of_kind(asked.manifests, "SeldonDeployment"):
        protocol = text(one.data, "spec", "protocol") or "seldon"
        for at, server in walk(one.data):
            if at[-1:] == ("implementation",) and isinstance(server, str) and _is_server(server):
                answer = partial(_server, asked, server, protocol)
                yield Question("seldon-server", server, answer, one.place(at))


def _is_server(implementation: str) -> bool:
    return implementation.endswith("_SERVER")


def _server(asked: Asked, server: str, protocol: str) -> Said:
    where = f"{asked.seldon}/seldon-config"
    found = asked.get(f"/api/v1/namespaces/{asked.seldon}/configmaps/seldon-config")
    if found is None:
        hint = "name Seldon's own namespace with --seldon-namespace"
        return Said("unknown", f"there is no config map {where}", hint)
    servers = json_of(found, "predictor_servers")
    if server not in servers:
        known = ", ".join(sorted(servers)) or "none"
        hint = (
            "admin/register-torch-server.py of the render registers it"
            if server == "TORCH_SERVER"
            else ""
        )
        return Said(
            "failed", f"{where} does not have it in predictor_servers; it has {known}", hint
        )
    also = _SAME_PROTOCOL.get(protocol, protocol)
    protocols = mapping(servers, server, "protocols")
    image = mapping(protocols, protocol) or mapping(protocols, also)
    if not image:
        known = ", ".join(sorted(protocols)) or "none"
        return Said("failed", f"{where} has it for no protocol {protocol}; it has {known}")
    tag = text(image, "defaultImageVersion")
    return Said("ok", f"registered, {text(image, 'image')}{':' if tag else ''}{tag}")
