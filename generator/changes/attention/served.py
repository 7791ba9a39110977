"""Attention to what a service calls its models, and to who turns requests into tensors."""

from collections.abc import Iterator

from generator.changes.attention.sides import Both, Finding, Sides
from generator.changes.contents import MODEL_CONFIG, PROPERTIES, Item
from generator.changes.values import plain
from generator.webhook_rules.graphs import predictors_of
from generator.webhook_rules.nodes import Node

_CONVERTERS = ("TRANSFORMER", "OUTPUT_TRANSFORMER")
_SECRETS = ("storageSecretName", "secretName")  # of KServe's annotations
_Served = dict[tuple[str, str], Item]  # name and version of a model, and what says so


def model_name_changed(sides: Sides) -> Iterator[Finding]:
    """Requests name the model, and its version where they ask for one: under the old name or
    version they get an error.

    https://github.com/kserve/open-inference-protocol, docs/inference_api.md of TorchServe
    """
    for form in (MODEL_CONFIG, PROPERTIES):
        items = [(pair.old, pair.new) for pair in sides.pairs if pair.item.form == form]
        old = _models(one for one, _ in items if one)
        new = _models(one for _, one in items if one)
        if not new:  # gone as a whole, or configured elsewhere
            continue
        served = ", ".join(" ".join(filter(None, one)) for one in new)
        for (name, version), item in old.items():
            called = sides.promotion.renamed(name) if sides.promotion else name
            if (name, version) not in new and (called, version) not in new:
                model = " ".join(filter(None, (name, version)))
                yield Finding(item, "", f"model {model} is no longer served, but {served}")


def _models(items: Iterator[Item]) -> _Served:
    found: _Served = {}
    for item in items:
        data = item.data if isinstance(item.data, dict) else {}
        if item.form == MODEL_CONFIG:
            found[str(data.get("name") or item.file.parent.name), ""] = item
            continue
        models = Node(item.file, (), data).at("model_snapshot", "models")
        for name in models.keys:
            found |= {(name, version): item for version in models.at(name).keys}
    return found


def graph_step_changed(sides: Sides) -> Iterator[Finding]:
    """A step before or after the model turns what clients send into tensors, or tensors into what
    they read: without it they do so themselves, and with it they no longer may.
    """
    for both in sides.both("SeldonDeployment"):
        old, new = (_steps(both, is_new=is_new) for is_new in (False, True))
        for predictor in old.keys() & new.keys():
            for kind in _CONVERTERS:
                was, now = kind in old[predictor], kind in new[predictor]
                if was != now:
                    verb = "is new" if now else "dropped"
                    where = f"spec.predictors[{predictor}].graph"
                    yield Finding(both.item, where, f"{kind.lower().replace('_', ' ')} {verb}")


def _steps(both: Both, *, is_new: bool) -> dict[str, set[str]]:
    """The types of the steps of each predictor."""
    deployment = both.new if is_new else both.old
    return {
        predictor.name: {unit.at("type").text for unit in predictor.units}
        for predictor in predictors_of(deployment)
    }


def storage_secret_changed(sides: Sides) -> Iterator[Finding]:
    """The model is fetched with another account's rights on the storage, or with none."""
    for both in sides.both("InferenceService", "SeldonDeployment"):
        old, new = _secrets(both.old), _secrets(both.new)
        for where, was in old.items():
            now = new.get(where, "")
            renamed = sides.promotion.renamed(was) if sides.promotion else was
            if now != was and now != renamed:
                message = f"storage secret {plain(was)} -> {plain(now) if now else 'none'}"
                yield Finding(both.item, where, message)


def _secrets(manifest: Node) -> dict[str, str]:
    """The secret that each part of a manifest fetches its model with."""
    annotations = manifest.at("metadata", "annotations")
    names = (annotations.at(f"serving.kserve.io/{key}").text for key in _SECRETS)
    found = {"metadata.annotations": next(filter(None, names), "")}
    model = manifest.at("spec", "predictor", "model", "storage", "key")
    found["spec.predictor.model.storage.key"] = model.text
    if manifest.at("kind").text == "SeldonDeployment":
        for predictor in predictors_of(manifest):
            for unit in predictor.units:
                where = f"spec.predictors[{predictor.name}].graph[{unit.at('name').text}]"
                found[f"{where}.envSecretRefName"] = unit.at("envSecretRefName").text
    return {where: name for where, name in found.items() if name}


RULES = (model_name_changed, graph_step_changed, storage_secret_changed)
