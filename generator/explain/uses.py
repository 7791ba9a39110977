"""Which targets use a field: those where it changes what is rendered of a spec that has it all."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import generator
from generator import source
from generator.diagnostics import Rejected
from generator.document import Document
from generator.explain.ends import in_force
from generator.explain.fields import Field, children, find
from generator.problem import dotted
from generator.targets import TARGETS

# Its files are any that are there: modules of this package.
_SAMPLE = """\
spec_version: 1
name: sample
model:
  source: class_names.py:read
  arguments: {depth: 3}
  weights: {path: sample.pt}
  version: 1
  size: 30Gi
  inputs: [{name: image, dtype: float32, shape: [N, 3, 32, 32]}]
  outputs: [{name: scores, dtype: float32, shape: [N, 3]}]
  class_names: [one, two, three]
  requirements: [scipy]
  files: [class_names.py]
export: {format: torchscript, method: trace}
storage: {uri: s3://sample/models, secret: keys}
transforms:
  run_in: component
  request_field: image_bytes
  preprocess:
    - decode: {mode: RGB}
    - resize: {shorter_edge: 40, interpolation: bilinear}
    - center_crop: {size: 30}
    - pad: {padding: 1, fill: 0}
    - grayscale: {channels: 3}
    - resize: {size: [32, 32]}
    - to_tensor
    - rescale: {scale: 2, offset: 1}
    - normalize: {mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}
    - custom: {function: class_names.py:read, produces: {dtype: float32, shape: [3, 32, 32]}}
  postprocess: [softmax, {top_k: 2}, class_name]
  requirements: [scipy]
hardware:
  accelerator: cpu
  cpu: 2
  memory: 4Gi
  limits: {cpu: 3, memory: 5Gi}
  model_instances: 2
  components: {transformer: {cpu: 1, memory: 1Gi, limits: {cpu: 2}, replicas: {min: 1, max: 2}}}
serving:
  protocol: v2
  transport: http
  batching: {max_size: 8, dynamic: true, preferred: [4], delay: 5ms}
  timeout: 50s
  startup: 5m
  replicas: {min: 1, max: 3}
  autoscaling: {metric: rps, target: 10}
kubernetes:
  namespace: models
  labels: {team: vision}
  annotations: {contact: vision}
  service_account: models
  image_pull_secrets: [registry]
  node_selector: {pool: models}
  tolerations: [{key: pool, operator: Equal, value: models, effect: NoSchedule}]
security: {read_only_root: true}
images: {registry: docker.io/sample, tag: "1.0"}
perf:
  rate: 10
  duration: 60s
  warm_up: 10s
  slo: {p50: 10ms, p95: 40ms, p99: 50ms, success_ratio: 0.99}
gitops:
  argo_cd:
    repository: https://github.com/sample/serving.git
    revision: main
    path: rendered
    project: serving
    namespace: argocd
    destination: {server: https://kubernetes.default.svc}
    automated: {prune: true, self_heal: true}
    perf_hook: true
targets:
  predictor: {transforms: {run_in: model}}
  seldon: {builder: docker}
  torchserve: {platform: kserve}
  triton: {deployment_mode: Knative}
"""

_CHANGES = (
    (),
    (
        ("protocol: v2", "protocol: v1"),
        ("accelerator: cpu", "accelerator: nvidia\n  gpus: 1\n  threads: 2"),
        ("metric: rps", "metric: cpu"),
        ("[softmax, {top_k: 2}, class_name]", "[sigmoid, {threshold: 0.5}, class_name]"),
        ("deployment_mode: Knative", "deployment_mode: Standard"),
        ("platform: kserve", "platform: kubernetes"),
        ("builder: docker", "builder: s2i"),
        ("destination: {server: https://kubernetes.default.svc}", "clusters: {pool: models}"),
    ),
    (
        ("run_in: component", "run_in: client"),
        (
            "[softmax, {top_k: 2}, class_name]",
            "[argmax, {custom: {function: class_names.py:read}}]",
        ),
        ("  startup: 5m\n", ""),
        ("platform: kserve", "platform: docker"),
        ("builder: docker", "model_server: TRITON_SERVER"),
        (
            "{server: https://kubernetes.default.svc}",
            "{name: models}\n    plugin: {spec: specs/sample.yaml, name: generator}\n"
            "    hydrate: {branch: served, path: hydrated, staging_branch: next}",
        ),
    ),
    (
        ("run_in: component", "run_in: server"),
        ("transport: http", "transport: grpc"),
        ("platform: kserve", "handler: class_names.py:Names"),
    ),
)
"""The same in other modes, for what one mode alone uses."""


def used_by(field: Field) -> tuple[str, ...]:
    """The targets whose rendered files a field changes, in some mode; none for a section."""
    if field.pointer[:1] == ("targets",):
        return tuple(map(str, field.pointer[1:2]))
    if children(field.schema):
        return ()  # its fields tell
    asked = find(dotted(tuple(key for key in field.pointer if isinstance(key, str))))
    found: set[str] = set()
    for target, document in _samples():
        if target not in found:
            found |= set(_using(asked, document))
    return tuple(name for name in TARGETS if name in found)


def _using(field: Field, document: Document) -> Iterator[str]:
    try:
        for force in in_force(field, document, lambda _: None):
            yield from (end.path.parts[1] for end in force.ends)  # project, target, ...
    except Rejected:  # the field is of a kind that the sample has otherwise
        return


@cache
def _samples() -> tuple[tuple[str, Document], ...]:
    """One document for each mode and target, so that one target does not hold up the others."""
    texts = []
    for changes in _CHANGES:
        text = _SAMPLE
        for before, after in changes:
            text = text.replace(before, after)
        texts.append(text)
    folder = Path(generator.__file__).parent
    return tuple(
        (target, source.load("sample.yaml", _only(text, target), folder))
        for text in texts
        for target in TARGETS
    )


def _only(text: str, target: str) -> str:
    """The text with no other target than one."""
    head, mark, targets = text.partition("targets:\n")
    own = [line for line in targets.splitlines() if line.startswith(f"  {target}:")]
    return "\n".join([head + mark.rstrip(), *(own or [f"  {target}: {{}}"]), ""])


_OTHERWISE = {
    "accepted_warnings": "gen validate reads it: which warnings it leaves out",
    "environments": "each environment is rendered for itself, its values over the rest",
    "export": "gen export reads it, which makes what the servers load",
    "kubernetes.crds": "gen validate reads it: what the manifests are held against",
    "kubernetes.releases": "gen validate reads it: what the manifests are held against",
    "model.arguments": "gen export reads it, which makes what the servers load",
    "model.program": "gen export reads it, which makes what the servers load",
    "model.source": "gen export reads it, which makes what the servers load",
    "model.weights": "gen export reads it, which makes what the servers load",
    "spec_version": "it marks the file as a spec, and nothing is rendered of it",
    "targets": "each target is rendered for itself",
    "transforms.preprocess": "with run_in: model it becomes part of what gen export makes",
    "transforms.postprocess": "with run_in: model it becomes part of what gen export makes",
}


def otherwise(field: Field) -> str:
    """What a field is for beside rendered files, empty where for nothing."""
    names = [str(key) for key in field.pointer if isinstance(key, str)]
    heads = (".".join(names[:length]) for length in range(len(names), 0, -1))
    if names[0] == "targets":
        return _OTHERWISE["targets"] if len(names) == 1 else ""
    return next((_OTHERWISE[head] for head in heads if head in _OTHERWISE), "")
