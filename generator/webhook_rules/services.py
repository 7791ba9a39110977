"""Find the parts of an InferenceService that several rules are about."""

from collections.abc import Iterator
from dataclasses import dataclass

from generator.webhook_rules.nodes import Node, Rendered

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
MODES = {  # constants.go of kserve: the words, and those that its webhook rewrites
    "Standard": "Standard",
    "RawDeployment": "Standard",
    "Knative": "Knative",
    "Serverless": "Knative",
    "ModelMesh": "ModelMesh",
}


@dataclass(frozen=True)
class Component:
    """The predictor, a canary predictor, the transformer or the explainer of a service."""

    service: Node
    spec: Node
    is_predictor: bool

    @property
    def mode(self) -> str:
        """`Standard` or `Knative` where the service says so, else what the cluster prefers."""
        return MODES.get(annotation(self.service, "deploymentMode").text, "")

    @property
    def models(self) -> tuple[Node, ...]:
        """`model`, or the older fields named after a framework."""
        fields = [self.spec.at(name) for name in FRAMEWORKS] if self.is_predictor else []
        return tuple(field for field in fields if field.given)

    @property
    def containers(self) -> tuple[Node, ...]:
        """Every container that the component writes down, the model's first."""
        init = self.spec.at("initContainers").elements
        return (*self.models, *self.spec.at("containers").elements, *init)


def components(rendered: Rendered) -> Iterator[Component]:
    """The components of every InferenceService."""
    for service in rendered.of_kind("InferenceService"):
        spec = service.at("spec")
        canaries = [canary.at("predictor") for canary in spec.at("canary").elements]
        for predictor in (spec.at("predictor"), *canaries):
            yield Component(service, predictor, is_predictor=True)
        for name in ("transformer", "explainer"):
            if spec.at(name).given:
                yield Component(service, spec.at(name), is_predictor=False)


def annotation(manifest: Node, name: str) -> Node:
    """An annotation of KServe's own."""
    return manifest.at("metadata", "annotations", f"serving.kserve.io/{name}")


def runtime_of(component: Component, rendered: Rendered) -> Node | None:
    """The rendered runtime that a predictor names: the one of its name and namespace."""
    for model in component.models:
        for runtime in rendered.of_kind(*RUNTIMES):
            if names(model.at("runtime").text, component.service, runtime):
                return runtime
    return None


def names(name: str, service: Node, runtime: Node) -> bool:
    """Whether a service that names a runtime finds this one."""
    anywhere = runtime.at("kind").text == "ClusterServingRuntime"
    same = runtime.at("metadata", "namespace").text == service.at("metadata", "namespace").text
    return name == runtime.at("metadata", "name").text and (anywhere or same)


def main_container(runtime: Node) -> Node | None:
    """The container of a runtime that a model's own fields are laid over."""
    for container in runtime.at("spec", "containers").elements:
        if container.at("name").text == MAIN_CONTAINER:
            return container
    return None
