"""The manifests of a project as one stream, as a config management plugin prints them.

A plugin's standard output holds Kubernetes objects and nothing else: Argo CD splits it at `---`
(argoproj/argo-cd, cmpserver/plugin/plugin.go).
"""

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

import yaml

from generator.argo_cd import LOAD_TEST, MANIFESTS
from generator.argo_cd.annotations import wave
from generator.artefact import RenderedFile

_KUSTOMIZATION = "kustomization.yaml"


def stream(files: Iterable[RenderedFile], folder: PurePosixPath, *, runs_load_test: bool) -> str:
    """What is applied of the target's folder, in the order in which it can be applied.

    With `runs_load_test` the load test's Job follows, with the ConfigMap that kustomize would make
    for it.
    """
    own = {file.path.relative_to(folder): file for file in files if _is_below(file.path, folder)}
    parts = [
        (wave(file.text), str(file.path), file.text)
        for path, file in own.items()
        if path.parent.name == MANIFESTS and path.name != _KUSTOMIZATION
    ]
    parts.sort()
    if runs_load_test:
        texts = {path: file.text for path, file in own.items()}
        job = PurePosixPath(LOAD_TEST, "job.yaml")
        parts += ((0, str(folder / LOAD_TEST), text) for text in _config_maps(texts))
        parts.append((0, str(folder / job), texts[job]))
    return "".join(f"---\n# {path}\n{text}" for _, path, text in parts)


def _is_below(path: PurePosixPath, folder: PurePosixPath) -> bool:
    return path.parts[: len(folder.parts)] == folder.parts


def _config_maps(texts: dict[PurePosixPath, str]) -> Iterator[str]:
    """What kustomize makes of the load test's configMapGenerator."""
    kustomization = yaml.safe_load(texts[PurePosixPath(LOAD_TEST, _KUSTOMIZATION)])
    options = kustomization["generatorOptions"]
    for made in kustomization["configMapGenerator"]:
        config_map = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": made["name"],
                "namespace": kustomization["namespace"],
                **{key: options[key] for key in ("annotations", "labels") if key in options},
            },
            "data": {name: texts[PurePosixPath(LOAD_TEST, name)] for name in made["files"]},
        }
        yield yaml.safe_dump(config_map, sort_keys=False, allow_unicode=True)
