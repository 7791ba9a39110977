"""stages_program.py SPECS OUT: prints as JSON what each part costs for each spec of a folder.

Run as a process of its own, so that the generator it imports can be another commit's.
"""

import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from generator import acceptance, defaults, image_rules, pipeline, schema, write
from generator.cluster import cluster_of
from generator.document import Document
from generator.planned import planned, rendered
from generator.validate import validate
from generator.views import views

try:
    from generator.manifest_events import readings
    from generator.selection import EVERYTHING
except ImportError:  # a commit before these
    from generator.views import EVERYTHING

    readings = None

Result = TypeVar("Result")
WARMING = 2
STAGES = (
    "load",
    "schema",
    "rules",
    "plan",
    "render",
    "manifests",
    "acceptance",
    "images",
    "all but write",
    "write",
    "write, equal",
)
Costs = dict[str, list[tuple[float, float]]]


def main(specs: str, out: str) -> None:
    costs: Costs = {}
    paths = sorted(Path(specs).iterdir())
    for path in paths[:WARMING]:  # templates, schemas and tables are loaded once
        _spec(path, Path(out), {})
    for path in paths:
        shutil.rmtree(out, ignore_errors=True)
        _spec(path, Path(out), costs)
    both = zip(costs["schema and rules"], costs["schema"], strict=True)
    costs["rules"] = [(a - c, b - d) for (a, b), (c, d) in both]
    json.dump({stage: costs[stage] for stage in STAGES}, sys.stdout)


def _spec(path: Path, out: Path, costs: Costs) -> None:
    def timed(stage: str, work: Callable[[], Result]) -> Result:
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        cost = (time.perf_counter() - wall, time.process_time() - cpu)
        costs.setdefault(stage, []).append(cost)
        return result

    text = path.read_bytes()
    document = timed("load", lambda: defaults.load(str(path), text, path.parent))
    timed("schema", lambda: _schema(document))
    deployments, _ = timed("schema and rules", lambda: validate(document, EVERYTHING))
    [each] = deployments
    artefacts = timed("plan", lambda: planned(each.target, each.project, each.options))
    files = timed("render", lambda: rendered(artefacts, each.project))
    cluster = cluster_of(each.project)
    read = timed("manifests", lambda: (readings(files),) if readings else ())
    timed("acceptance", lambda: list(acceptance.refusals(files, cluster, *read)))
    timed(
        "images",
        lambda: list(image_rules.found(each.project, each.options, each.document, files, *read)),
    )
    build = timed("all but write", lambda: pipeline.build_document(document))
    tree = write.tree(out, build.project, build.files, (".",))
    timed("write", lambda: write.write(tree))
    timed("write, equal", lambda: write.write(tree))


def _schema(document: Document) -> None:
    for view in views(document, EVERYTHING):
        assert view.target is not None  # a spec of the corpus names one
        at = ("targets", view.target.name)
        list(schema.problems(schema.project_schema(), view.document))
        list(schema.problems(view.target.schema, view.document, at))


if __name__ == "__main__":
    main(*sys.argv[1:])
