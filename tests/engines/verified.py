"""Deployments that are rendered and exported once, and copied to be broken and verified."""

import contextlib
import json
import os
import shutil
import signal
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from generator import pipeline, write
from generator.selection import Selection
from generator.validate import Deployment

SPECS = Path(__file__).parents[2] / "specs"

Door = tuple[str, str]  # name and protocol

NOT_NEAR = r"(\w+ )?-?[\d.]+(e-\d+)?( at \[\d+\])?, the eager model "
"""What is said of another number, or of another class."""

PICTURES = """\
spec_version: 1
name: pictures
model:
  source: models/cifar10.py:Net
  weights: {path: models/cifar10.pt}
  inputs:  [{name: image,  dtype: float32, shape: [N, 3, 32, 32]}]
  outputs: [{name: logits, dtype: float32, shape: [N, 10]}]
  class_names: models/cifar10_classes.txt
storage: {uri: s3://models/pictures}
transforms:
  run_in: RUN_IN
  preprocess:
    - decode: {mode: RGB}
    - resize: {size: [32, 32]}
    - to_tensor
    - normalize: {mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}
  postprocess: [softmax, {top_k: 3}, class_name]
export: {method: script}
serving: {batching: {max_size: 8}}
images: {registry: docker.io/acme, tag: "1.0"}
accepted_warnings: {torchserve/end-of-life: a test}
targets: TARGETS
"""


def pictures(run_in: str, targets: str) -> str:
    """A spec of a classifier of pictures in colour."""
    return PICTURES.replace("RUN_IN", run_in).replace("TARGETS", targets)


@dataclass(frozen=True)
class Copy:
    """The rendered and exported files of a deployment, in a folder of a test's own."""

    deployment: Deployment
    folder: Path

    @property
    def rendered(self) -> Path:
        return self.folder / "rendered" / pipeline.folder_of(self.deployment)

    @property
    def bundle(self) -> Path:
        return self.folder / "build" / pipeline.folder_of(self.deployment)

    def verify(self, report: Callable[[str], None] = print) -> Any:
        from generator.verify import verify

        rendered, build = self.folder / "rendered", self.folder / "build"
        return verify(self.deployment, rendered, build, report=report)

    def contents(self) -> dict[Path, bytes]:
        paths = sorted(path for path in self.folder.rglob("*") if path.is_file())
        return {path: path.read_bytes() for path in paths}


@dataclass(frozen=True)
class Made:
    """Rendered and exported deployments, each made when it is first asked for."""

    folder: Path
    deployments: dict[tuple[str, str], tuple[Deployment, Path]] = field(default_factory=dict)

    def copied(self, spec: str, target: str, folder: Path) -> Copy:
        """The files of a deployment, to be broken; `spec` is a file of specs/, or a text."""
        key = spec, target
        if key not in self.deployments:
            work = self.folder / str(len(self.deployments))
            self.deployments[key] = made(spec, target, work), work
        deployment, work = self.deployments[key]
        for part in ("rendered", "build"):
            shutil.copytree(work / part, folder / part)
        return Copy(deployment, folder)


def made(spec: str, target: str, work: Path, folder: Path = SPECS) -> Deployment:
    """Render and export a spec with the command's own functions."""
    from generator.export import export_bundle

    path = folder / "pictures.yaml" if "\n" in spec else folder / spec
    text = spec.encode() if "\n" in spec else path.read_bytes()
    build = pipeline.build(str(path), text, path.parent, Selection(targets=(target,)))
    write.write(write.tree(work / "rendered", build.project, build.files, ["."]))
    deployment = build.deployments[0]
    export_bundle(deployment, build.files, work / "build")
    return deployment


def doors(verdict: Any) -> set[Door]:
    return {(row.door, row.protocol) for row in verdict.rows}


def disagreeing(verdict: Any) -> dict[Door, str]:
    """What is said of the doors that disagree."""
    return {(row.door, row.protocol): row.complaint for row in verdict.rows if row.complaint}


def replaced(path: Path, old: str, new: str) -> None:
    """Write `new` for `old`, which is there."""
    path.write_text(exchanged(path.read_text(), old, new))


def exchanged(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


def rotated(names: str) -> str:
    """A JSON list of class names, each in the place of the next."""
    first, *others = json.loads(names)
    return json.dumps([*others, first])


def other_program(path: Path) -> None:
    """Write the program of a network with other weights for that of specs/models/cifar10.py."""
    import torch

    from generator.export.users_code import imported

    torch.manual_seed(5)
    net = imported(SPECS, "models/cifar10.py:Net", ("model", "source"))().eval()
    torch.jit.script(net).save(str(path))


def rewritten(archive: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    """Change one file of a model archive."""
    with zipfile.ZipFile(archive) as zipped:
        files = {each.filename: zipped.read(each) for each in zipped.infolist()}
    files[name] = change(files[name])
    with zipfile.ZipFile(archive, "w") as zipped:
        for each, content in files.items():
            zipped.writestr(each, content)


def descendants(pid: int) -> list[int]:
    """The processes below one, at any depth; one that ends meanwhile has none."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, task.read_text().split()):
                found += [child, *descendants(child)]
    return found


def killed(pids: Iterable[int], program: str) -> None:
    """Kill those processes that run a program; the end of one may have ended another."""
    for pid in pids:
        if program in command_of(pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""
