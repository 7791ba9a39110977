"""The labels of the pods that manifests lead to, those that operators add included."""

from collections.abc import Iterator, Mapping

from msgspec import Struct

from generator.webhook_rules.graphs import predictors
from generator.webhook_rules.nodes import Node, Rendered, name_of
from generator.webhook_rules.podspecs import WORKLOADS
from generator.webhook_rules.services import components


class Labels(Struct, frozen=True):
    """What is known of the labels of a pod; `is_open`: an operator may add further ones."""

    known: Mapping[str, str]
    is_open: bool = False

    def may_have(self, wanted: Mapping[str, str]) -> bool:
        """Whether a selector may find the pod."""
        return all(
            self.known[key] == value if key in self.known else self.is_open
            for key, value in wanted.items()
        )


def pod_labels(rendered: Rendered) -> Iterator[Labels]:
    """The labels of every pod that the manifests lead to."""
    for manifest in rendered.of_kind(*WORKLOADS):
        yield Labels(_texts(manifest.at("spec", "template", "metadata", "labels")))
    for manifest in rendered.of_group("", "Pod"):
        yield Labels(_texts(manifest.at("metadata", "labels")))
    for component in components(rendered):
        service = component.service
        # predictor.go and transformer.go of kserve; `spec.<component>.labels` lie over the others.
        known = _texts(service.at("metadata", "labels")) | _texts(component.spec.at("labels"))
        own = "predictor" if component.is_predictor else str(component.spec.path[-1])
        known |= {"serving.kserve.io/inferenceservice": name_of(service), "component": own}
        yield Labels(known, is_open=True)
    for predictor in predictors(rendered):
        known = _texts(predictor.spec.at("labels"))
        known |= {"seldon-deployment-id": predictor.deployment_name}
        yield Labels(known, is_open=True)


def _texts(labels: Node) -> dict[str, str]:
    return {key: labels.at(key).text for key in labels.keys}
