"""The neighbours at equal work: the same manifests, or all files where they fill any text.

Each is found where it stands and told as missing otherwise. What they are given is made from what
gen rendered, so that they write the same: kustomize and cdk8s the manifests, copier and kapitan
every file.
"""

import os
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from benches.peers import inputs
from benches.peers.installed import Missing, cdk8s_modules, node, python_programs
from benches.turns import Case
from benches.workplace import Workplace

HERE = Path(__file__).parent
PLAIN = f"kubectl kustomize, as rendered ({inputs.COUNT} manifests)"
OVERLAY = f"kubectl kustomize, overlay ({inputs.COUNT} manifests)"
KUSTOMIZE = (PLAIN, OVERLAY)
CORES = 2

Found = tuple[list[Case], list[str]]


def one_spec(place: Workplace) -> Found:
    """The neighbours on the first spec of the corpus, and why some are missing."""
    return _found(place, 1, is_alone=True)


def many_specs(place: Workplace, size: int) -> Found:
    """The neighbours on many specs, each as fast as its own means allow."""
    return _found(place, size, is_alone=False)


def _found(place: Workplace, size: int, *, is_alone: bool) -> Found:
    cases: list[Case] = []
    missing: list[str] = []
    makers: dict[str, Callable[[Workplace, int, bool], Iterator[Case]]] = {
        "kustomize": _kustomize,
        "cdk8s": _cdk8s,
        "copier": _copier,
        "kapitan": _kapitan,
    }
    for name, make in makers.items():
        if place.peers is not None and name not in place.peers:
            continue
        try:
            cases += make(place, size, is_alone)
        except Missing as reason:
            missing.append(f"{name}: not measured: {reason}")
    return cases, missing


def _kustomize(place: Workplace, size: int, is_alone: bool) -> Iterator[Case]:
    kubectl = shutil.which("kubectl")
    if not kubectl:
        raise Missing("no kubectl on the path")
    folder = inputs.kustomize(place, size)
    names = inputs.names(place, size)
    if is_alone:
        out = place.root / "kustomize.yaml"
        for label, built in ((PLAIN, f"plain/{names[0]}"), (OVERLAY, f"overlays/{names[0]}")):
            command = (kubectl, "kustomize", str(folder / built))
            yield Case(label, command, place.plain, place.root, stdout=out)
        return
    out = place.folder("kustomized")
    each = f"{shlex.quote(kubectl)} kustomize overlays/$name > {out}/$name.yaml"
    script = f"for name in {' '.join(names)}; do {each} || exit; done"
    label = f"{OVERLAY}, in a loop"
    yield Case(label, ("/bin/sh", "-c", script), place.plain, folder, emptied=(out,))


def _cdk8s(place: Workplace, size: int, _is_alone: bool) -> Iterator[Case]:
    modules = cdk8s_modules()
    data, out = inputs.cdk8s(place, size), place.folder("cdk8s-out")
    command = (node(), str(HERE / "cdk8s_program.js"), str(data), str(out))
    environment = place.plain | {"NODE_PATH": str(modules)}
    label = f"cdk8s ({inputs.COUNT} manifests)"
    yield Case(label, command, environment, place.root, emptied=(out,))


def _copier(place: Workplace, size: int, is_alone: bool) -> Iterator[Case]:
    programs = python_programs("copier")
    template, out = inputs.copier(place), place.folder("copier-out")
    specs = place.floor_specs(size)
    label = f"copier ({len(place.templates())} files)"
    command: tuple[str, ...]
    if is_alone:
        [spec] = specs.iterdir()
        options = ("--quiet", "--defaults", "--overwrite", "--data-file", str(spec))
        command = (str(programs / "copier"), "copy", *options, str(template), str(out))
    else:
        label += ", its API in a loop"
        program = str(HERE / "copier_program.py")
        command = (str(programs / "python3"), program, str(template), str(specs), str(out))
    environment = _of_its_own(place)
    yield Case(label, command, environment, place.root, emptied=(out,))


def _kapitan(place: Workplace, size: int, _is_alone: bool) -> Iterator[Case]:
    programs = python_programs("kapitan")
    folder = inputs.kapitan(place, size)
    command = (str(programs / "kapitan"), "compile", "--quiet", "-p", str(CORES))
    environment = _of_its_own(place) | {"PATH": f"{programs}:{os.environ.get('PATH', '')}"}
    label = f"kapitan -p {CORES} ({len(place.templates())} files)"
    emptied = (folder / "compiled",)
    yield Case(label, command, environment, folder, emptied=emptied, is_watched=True)


def _of_its_own(place: Workplace) -> dict[str, str]:
    """The variables of a Python that is not to see gen's checkout."""
    return {name: value for name, value in place.plain.items() if name != "PYTHONPATH"}


def prepare(report: Callable[[str], None]) -> list[str]:
    """Install those that can be installed; a line for each that cannot."""
    from benches.peers import installed

    told = []
    for name in installed.INSTALLABLE:
        try:
            installed.install(name, report)
        except Missing as reason:
            told.append(f"{name}: {reason}")
    return told
