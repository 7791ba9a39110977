"""Build the rendered images and run them as their manifests say.

Needs Debian, root, and buildah, podman, runc and mmdebstrap. All that is kept between runs lies
in one folder of the user's cache, which --remove deletes.
"""

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType

import builds
import golden
import machine
import pip_settings
import projects
import report
import running
import stand_ins
import trials
from builds import Built, Recipe
from projects import COMPARED, EMBEDDED, SPLIT, TORCHSERVE, TORCHVISION, TRITON
from trials import Trial

from generator.diagnostics import CannotRun
from generator.engines import EngineError, seldon, triton

STARTS = 3  # of each transformer that is compared, in turns
RESULTS = projects.WORK / "results.json"
NOT_BUILT = "not built: images/perf, whose vegeta comes from Go's module proxy"

Problems = list[str]


def main() -> int:
    """Return 0 when all is well, 1 when an image is wrong, 2 when the machine lacks something."""
    parser = argparse.ArgumentParser(description=__doc__, prog="make images")
    parser.add_argument("--json", action="store_true", help="print JSON in place of the table")
    parser.add_argument("--remove", action="store_true", help="delete what is kept, and do no more")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, interrupt)
    try:
        machine.check()
        if asked.remove:
            machine.remove()
            return 0
        with machine.held():
            return build_and_run(as_json=asked.json)
    except (CannotRun, EngineError) as problem:
        sys.stderr.write(f"error: {problem}\n")
        return 2
    except machine.Failed as problem:  # of what all images need: a bundle, a base
        sys.stderr.write(f"error: {problem}\n")
        return 1
    except KeyboardInterrupt:
        machine.report("interrupted")
        return 130


def interrupt(_signal: int, _frame: FrameType | None) -> None:
    """End as Ctrl-C does."""
    raise KeyboardInterrupt


def build_and_run(*, as_json: bool) -> int:
    """Do everything that needs the network, leave it, do the rest and report."""
    problems: Problems = []
    triton.prepare(report=machine.report)
    seldon.prepare(report=machine.report)  # its gRPC client
    projects.export()
    built = dict(build_all(projects.recipes(), problems))
    running.leave_network()
    found = list(try_all(problems))
    rows = report.rows(built, found)
    ratios = report.ratios(rows, COMPARED, TORCHVISION)
    results = {"images": rows, "torchvision_over_rendered": ratios, "problems": problems}
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    printed = json.dumps(results, indent=2) if as_json else report.text(rows, ratios, NOT_BUILT)
    sys.stdout.write(f"{printed}\n")
    for problem in problems:
        sys.stderr.write(f"error: {problem}\n")
    return 1 if problems else 0


def build_all(recipes: list[Recipe], problems: Problems) -> Iterator[tuple[str, Built]]:
    """Build every image that can be built, each base first."""
    with tempfile.TemporaryDirectory() as folder:
        settings = pip_settings.mounts(Path(folder))
        for base in dict.fromkeys(recipe.base for recipe in recipes):
            stand_ins.prepare(base, settings)
        for recipe in recipes:
            try:
                yield recipe.image, builds.build(recipe, settings)
            except machine.Failed as problem:
                problems.append(f"{recipe.image}: {problem}")


def try_all(problems: Problems) -> Iterator[Trial]:
    """Run every image; one that fails holds up no other."""
    manifests, bundles = projects.manifests, projects.BUNDLES
    cifar10 = golden.cifar10()
    try:
        with trials.predictor(manifests(TRITON), bundles / TRITON) as predictor:
            ask = partial(trials.transformer, manifests(TRITON), predictor, cifar10)
            for image in ("", *(COMPARED, TORCHVISION) * STARTS):
                yield from attempted(partial(ask, image), problems)
    except EngineError as problem:
        problems.append(str(problem))
    split = partial(trials.graph, manifests(SPLIT), bundles / SPLIT, cifar10)
    embedded = partial(trials.graph, manifests(EMBEDDED), bundles / EMBEDDED, golden.landmarks())
    torchserve = partial(trials.torchserve, manifests(TORCHSERVE), golden.mnist())
    for trial in (split, embedded, torchserve):
        yield from attempted(trial, problems)


def attempted(trial: Callable[[], list[Trial]], problems: Problems) -> list[Trial]:
    """What a trial finds; nothing, and a problem more, when it fails."""
    try:
        return trial()
    except machine.Failed as problem:
        problems.append(str(problem))
        return []


if __name__ == "__main__":
    sys.exit(main())
