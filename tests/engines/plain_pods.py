"""The pods that operators make of rendered manifests, for tools that know no other manifests.

Only what the manifests say: containers that operators add are not in them.
"""

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

Manifest = Mapping[str, Any]
WORKLOADS = ("Deployment", "Job")
FOLDERS = ("manifests", "perf", "archive")
# What an InferenceService says of a component beside the fields of its pod.
OF_KSERVE = {"model", "minReplicas", "maxReplicas", "scaleMetric", "scaleTarget", "timeout"} | {
    "annotations",
    "labels",
}
OF_A_MODEL = {"modelFormat", "runtime", "runtimeVersion", "protocolVersion", "storageUri"}


def plain_pods(project: Path) -> Iterator[Manifest]:
    """A Pod for each pod that a rendered project leads to; the namespace is written out."""
    manifests = [
        yaml.safe_load(path.read_text(encoding="utf-8"))
        for folder in FOLDERS
        for path in sorted((project / folder).glob("*.yaml"))
        if path.name != "kustomization.yaml"
    ]
    runtimes = {each["metadata"]["name"]: each for each in manifests if _is(each, "ServingRuntime")}
    for manifest in manifests:
        name = manifest["metadata"]["name"]
        if manifest["kind"] in WORKLOADS:
            yield _pod(name, manifest["spec"]["template"]["spec"])
        elif _is(manifest, "InferenceService"):
            for component in ("predictor", "transformer"):
                if component in manifest["spec"]:
                    own = manifest["spec"][component]
                    yield _pod(f"{name}-{component}", _component(own, runtimes))
        elif _is(manifest, "SeldonDeployment"):
            for predictor in manifest["spec"]["predictors"]:
                for number, spec in enumerate(predictor["componentSpecs"]):
                    yield _pod(f"{name}-{number}", spec["spec"])


def _is(manifest: Manifest, kind: str) -> bool:
    return bool(manifest["kind"] == kind)


def _pod(name: str, spec: Manifest) -> Manifest:
    metadata = {"name": name, "namespace": "models"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _component(own: Manifest, runtimes: Mapping[str, Manifest]) -> Manifest:
    """The pod of a component: a model's container is its own fields over its runtime's."""
    spec = {key: value for key, value in own.items() if key not in OF_KSERVE}
    if "model" not in own:
        return spec
    model = {key: value for key, value in own["model"].items() if key not in OF_A_MODEL}
    runtime = runtimes.get(own["model"].get("runtime"), {"spec": {"containers": [{}]}})["spec"]
    [base] = runtime["containers"]
    below = {"name": "kserve-container", "image": "docker.io/acme/server:1"} | base
    model["args"] = [*below.get("args", ()), *model.get("args", ())]
    mounts = [*below.get("volumeMounts", ()), *model.get("volumeMounts", ())]
    container = _over(below, model) | {"volumeMounts": mounts}
    volumes = [*runtime.get("volumes", ()), *spec.get("volumes", ())]
    return {**spec, "containers": [container], "volumes": volumes}


def _over(below: Manifest, above: Manifest) -> dict[str, Any]:
    merged = copy.deepcopy(dict(below))
    for key, value in above.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), dict)
        merged[key] = _over(merged[key], value) if both else value
    return merged
