"""Attention to fewer replicas than before."""

from collections.abc import Iterator

from generator.changes.attention.sides import Finding, Sides, at
from generator.changes.contents import Item
from generator.webhook_rules.graphs import predictors
from generator.webhook_rules.nodes import Node, Rendered
from generator.webhook_rules.services import MODES, annotation, components

_AUTOSCALERS = ("HorizontalPodAutoscaler", "ScaledObject")
_PREDICTOR = "predictors["  # of Seldon, which may be renamed
_MOST_DIGITS = 9  # of an int32, which all of these are
_Minimums = dict[tuple[int, str], int]


def scale_to_zero(sides: Sides) -> Iterator[Finding]:
    """The next request after a pause waits until a pod has started and has loaded the model; with
    a plain `replicas: 0` it gets no answer at all.
    """
    for number, where, old, new in _lowered(sides):
        if new == 0:
            message = f"at least {old} -> 0 replicas"
            yield Finding(sides.pairs[number].item, where, message)
    for both in sides.both("InferenceService"):
        old_stop, new_stop = (annotation(side, "stop").text for side in (both.old, both.new))
        if new_stop.lower() == "true" != old_stop.lower():
            where = "metadata.annotations"
            yield Finding(both.item, where, "stop: KServe deletes all that serves")


def replicas_lowered_to_one(sides: Sides) -> Iterator[Finding]:
    """One replica alone is an outage whenever its node is drained or it restarts."""
    for number, where, old, new in _lowered(sides):
        if new == 1:
            message = f"at least {old} -> 1 replica"
            yield Finding(sides.pairs[number].item, where, message)


def autoscaler_removed(sides: Sides) -> Iterator[Finding]:
    """The number of replicas no longer follows the load."""
    others = [at(item, "spec", "scaleTargetRef", "name") for item in sides.come(*_AUTOSCALERS)]
    for item in sides.gone(*_AUTOSCALERS):
        if (
            at(item, "spec", "scaleTargetRef", "name") in others
        ):  # another kind of autoscaler in its place
            continue
        yield Finding(item, "", f"{item.label} {sides.missing}")
    old, new = _ranges(sides.old), _ranges(sides.new)
    refused = set(_with_other_mode(sides))  # that is told already
    for key, was in old.items():
        now = new.get(key) if sides.pairs[key[0]].item not in refused else None
        if now and was[1] != was[0] and now[1] == now[0]:
            message = f"from {was[0]} to {was[1] or 'any number of'} replicas -> always {now[0]}"
            yield Finding(sides.pairs[key[0]].item, key[1], message)
    before, after = _predictors(sides.old), _predictors(sides.new)
    for key in sorted(before.keys() & after.keys()):
        if _scalers(before[key]) and not _scalers(after[key]):
            name = _scalers(before[key])[0].path[-1]
            yield Finding(sides.pairs[key[0]].item, key[1], f"{name} dropped")


def _with_other_mode(sides: Sides) -> Iterator[Item]:
    for both in sides.both("InferenceService"):
        words = [annotation(side, "deploymentMode").text for side in (both.old, both.new)]
        if MODES.get(words[0], words[0]) != MODES.get(words[1], words[1]):
            yield both.item


def _lowered(sides: Sides) -> Iterator[tuple[int, str, int, int]]:
    old, new = _minimums(sides.old), _minimums(sides.new)
    gone = [key for key in old if key not in new and _PREDICTOR in key[1]]
    for number, where in [key for key in new if key not in old and _PREDICTOR in key[1]]:
        renamed = next((key for key in gone if key[0] == number), None)
        if renamed:
            gone.remove(renamed)
            old[number, where] = old[renamed]
    for (number, where), was in old.items():
        now = new.get((number, where))
        if now is not None and now < was:
            yield number, where, was, now


def _number(node: Node) -> int:
    """Which pair a manifest belongs to."""
    return int(node.file.stem)


def _minimums(rendered: Rendered) -> _Minimums:
    """How many replicas there are at least; defaults are those of each API."""
    found = {key: low for key, (low, _) in _ranges(rendered).items()}
    for key, spec in _predictors(rendered).items():
        found[key] = _least_of_predictor(spec)
    for manifest in rendered.of_kind("HorizontalPodAutoscaler"):
        found[_number(manifest), "spec.minReplicas"] = _or(manifest.at("spec", "minReplicas"), 1)
    for manifest in rendered.of_kind("ScaledObject"):
        least = manifest.at("spec", "minReplicaCount")
        found[_number(manifest), "spec.minReplicaCount"] = _or(least, 0)
    for manifest in rendered.of_kind("Deployment", "StatefulSet"):
        replicas = manifest.at("spec", "replicas")
        # Without it an autoscaler has the number, or it is 1: what is not written is not lowered.
        if replicas.number is not None:
            found[_number(manifest), "spec.replicas"] = replicas.number
    for manifest in rendered.of_group("serving.knative.dev", "Service"):
        template = manifest.at("spec", "template", "metadata", "annotations")
        least = template.at("autoscaling.knative.dev/min-scale")
        if least.text.isdecimal() and len(least.text) <= _MOST_DIGITS:
            found[_number(manifest), "autoscaling.knative.dev/min-scale"] = int(least.text)
    return found


def _or(node: Node, default: int) -> int:
    return default if node.number is None else node.number


def _ranges(rendered: Rendered) -> dict[tuple[int, str], tuple[int, int | None]]:
    """The least and most replicas of KServe's components; None where there is no limit."""
    found: dict[tuple[int, str], tuple[int, int | None]] = {}
    for component in components(rendered):
        least = _or(component.spec.at("minReplicas"), 1)
        is_raw = component.mode == "Standard"
        if is_raw and annotation(component.service, "autoscalerClass").text != "keda":
            least = max(least, 1)  # the HPA that KServe makes has no zero
        most = _or(component.spec.at("maxReplicas"), 0)
        where = ".".join(map(str, component.spec.path)) + ".minReplicas"
        # Without a maximum Knative has no limit, and the HPA stays at the minimum.
        found[_number(component.service), where] = least, most or (least if is_raw else None)
    return found


def _predictors(rendered: Rendered) -> dict[tuple[int, str], Node]:
    """Seldon's predictors, by their place."""
    return {
        (_number(one.deployment), f"spec.predictors[{one.name}]"): one.spec
        for one in predictors(rendered)
    }


def _scalers(spec: Node) -> list[Node]:
    """The autoscalers of a Seldon predictor."""
    owners = (*spec.at("componentSpecs").elements, spec)
    found = (owner.at(name) for owner in owners for name in ("hpaSpec", "kedaSpec"))
    return [scaler for scaler in found if scaler.given]


def _least_of_predictor(spec: Node) -> int:
    """The replicas of a Seldon predictor, at least: those of its autoscaler if it has one."""
    for scaler in _scalers(spec):
        if scaler.path[-1] == "kedaSpec":
            return _or(scaler.at("minReplicaCount"), 0)
        return _or(scaler.at("minReplicas"), 1)
    return _or(spec.at("replicas"), 1)


RULES = (scale_to_zero, replicas_lowered_to_one, autoscaler_removed)
