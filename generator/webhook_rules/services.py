"""Find the parts of what KServe and Knative serve that several rules are about."""

from collections.abc import Iterator
from functools import cached_property, lru_cache

from msgspec import Struct

from generator.webhook_rules.nodes import Node, Rendered, group_of, name_of, side_by_side

MAIN_CONTAINER = "kserve-container"
FRAMEWORKS = (  # predictor.go of kserve, PredictorSpec
    "model",
    "sklearn",
    "xgboost",
    "tensorflow",
    "pytorch",
    "triton",
    "onnx",
    "huggingface",
    "pmml",
    "lightgbm",
    "paddle",
)
RUNTIMES = ("ServingRuntime", "ClusterServingRuntime")
MODES = {  # constants.go of kserve: the words, and the older ones that mean the same
    "Standard": "Standard",
    "RawDeployment": "Standard",
    "Knative": "Knative",
    "Serverless": "Knative",
    "ModelMesh": "ModelMesh",
}
KSERVE = "serving.kserve.io"
KNATIVE = "serving.knative.dev"


class Component(Struct, frozen=True, dict=True):
    """The predictor, a canary predictor, the transformer or the explainer of a service.

    Or the one template of a Service of Knative's own.
    """

    service: Node
    spec: Node
    is_predictor: bool
    rendered: Rendered

    @cached_property
    def mode(self) -> str:
        """`Standard` or `Knative` where the service says so, else what the cluster prefers."""
        if group_of(self.service) == KNATIVE:
            return "Knative"
        return MODES.get(annotation(self.service, "deploymentMode").text, "")

    @cached_property
    def models(self) -> tuple[Node, ...]:
        """`model`, or the older fields named after a framework."""
        fields = [self.spec.at(name) for name in FRAMEWORKS] if self.is_predictor else []
        return tuple(field for field in fields if field.given)

    @cached_property
    def containers(self) -> tuple[Node, ...]:
        """Every container that the component writes down, the model's first."""
        init = self.spec.at("initContainers").elements
        return (*self.models, *self.spec.at("containers").elements, *init)

    @cached_property
    def runtime(self) -> Node | None:
        """The runtime in sight that a predictor names: the one of its name and namespace.

        None where two could be meant, as when several folders are linted at once.
        """
        for model in self.models:
            name, rendered = model.at("runtime").text, self.rendered
            found = [r for r in runtimes(rendered) if names(name, self.service, r, rendered)]
            if found and (rendered.whole or len(found) == 1):
                return found[0]
        return None


def inference_services(rendered: Rendered) -> Iterator[Node]:
    """The InferenceServices of the API group that KServe has today."""
    return rendered.of_group(KSERVE, "InferenceService")


def components(rendered: Rendered) -> Iterator[Component]:
    """The components of every InferenceService."""
    return iter(_components(rendered))


@lru_cache(maxsize=2)  # every rule of KServe's asks for the same ones
def _components(rendered: Rendered) -> tuple[Component, ...]:
    return tuple(_find(rendered))


def _find(rendered: Rendered) -> Iterator[Component]:
    for service in inference_services(rendered):
        spec = service.at("spec")
        canaries = [canary.at("predictor") for canary in spec.at("canary").elements]
        for predictor in (spec.at("predictor"), *canaries):
            yield Component(service, predictor, is_predictor=True, rendered=rendered)
        for name in ("transformer", "explainer"):
            if spec.at(name).given:
                yield Component(service, spec.at(name), is_predictor=False, rendered=rendered)


def knative_services(rendered: Rendered) -> Iterator[Component]:
    """The Services of Knative's own, as the one component that they are."""
    for service in rendered.of_group(KNATIVE, "Service"):
        spec = service.at("spec", "template", "spec")
        yield Component(service, spec, is_predictor=False, rendered=rendered)


def annotation(manifest: Node, name: str) -> Node:
    """An annotation of KServe's own."""
    return manifest.at("metadata", "annotations", f"{KSERVE}/{name}")


def runtimes(rendered: Rendered) -> Iterator[Node]:
    """The manifests of runtimes, of a namespace or of the whole cluster."""
    return rendered.of_kind(*RUNTIMES)


def names(name: str, service: Node, runtime: Node, rendered: Rendered) -> bool:
    """Whether a service that names a runtime finds this one."""
    if name != name_of(runtime):
        return False
    anywhere = runtime.at("kind").text == "ClusterServingRuntime"
    return anywhere or side_by_side(service, runtime, rendered)


def main_container(runtime: Node) -> Node | None:
    """The container of a runtime that a model's own fields are laid over."""
    for container in runtime.at("spec", "containers").elements:
        if container.at("name").text == MAIN_CONTAINER:
            return container
    return None
