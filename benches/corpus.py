"""Specs to measure with: as many as wanted, all different, the same ones each time."""

from collections.abc import Mapping, Sequence
from pathlib import Path

SPEC = """\
spec_version: 1
name: {name}
model:
  source: bench.models:Net
  version: 3
  inputs:  [{{name: image,  dtype: float32, shape: [N, 3, 32, 32]}}]
  outputs: [{{name: logits, dtype: float32, shape: [N, 10]}}]
  class_names: [{classes}]
storage: {{uri: s3://{bucket}/{name}, secret: s3-reader}}
transforms:
  preprocess:
    - decode: {{mode: RGB}}
    - resize: {{size: [32, 32]}}
    - to_tensor
    - normalize: {{mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}}
  postprocess: [softmax, {{top_k: 3}}, class_name]
serving: {{batching: {{max_size: 8}}, replicas: {{min: 1, max: {most}}}}}
kubernetes: {{namespace: {namespace}, labels: {{team: {team}}}}}
images: {{registry: {registry}, tag: "{tag}"}}
perf: {{rate: {rate}, duration: 60s, slo: {{p99: 50ms, success_ratio: 0.999}}}}
"""
TARGETS = {
    "triton": "targets:\n  triton: {deployment_mode: Knative}\n",
    "torchserve": "targets:\n  torchserve: {}\n"
    "accepted_warnings: {torchserve/end-of-life: this service moves next year}\n",
    "seldon": "targets:\n  seldon: {serving: {autoscaling: {metric: cpu, target: 80}}}\n",
}
CLASSES = 10


def values(number: int) -> dict[str, str]:
    """What is different in each spec."""
    return {
        "name": f"model-{number:05d}",
        "bucket": f"models-{number % 13:02d}",
        "most": str(2 + number % 7),
        "namespace": f"team-{number % 29:02d}",
        "team": f"team-{number % 29:02d}",
        "registry": f"docker.io/acme-{number % 5}",
        "tag": f"1.{number % 10}.{number}",
        "rate": str(10 + number % 90),
        "class": f"class-{number}",
    }


def spec(own: Mapping[str, str], target: str = "triton") -> str:
    """The text of the spec with these values, for one target."""
    classes = ", ".join(f"{own['class']}-{index}" for index in range(CLASSES))
    return SPEC.format(**own, classes=classes) + TARGETS[target]


def path(folder: Path, number: int) -> Path:
    """Where a spec lies in the folder of a corpus."""
    return folder / f"{values(number)['name']}.yaml"


def write(folder: Path, count: int, targets: Sequence[str] = ("triton",)) -> None:
    """Write the first specs of the corpus into a folder, with the targets one after the other."""
    folder.mkdir(parents=True)
    for number in range(count):
        text = spec(values(number), targets[number % len(targets)])
        path(folder, number).write_text(text, encoding="utf-8")


def change(file: Path, number: int, tag: str) -> None:
    """Give a spec of the corpus another tag."""
    file.write_text(spec(values(number) | {"tag": tag}), encoding="utf-8")
