"""Archives of rendered handlers and the configuration that serves them, for tests."""

import json
from pathlib import Path

from generator.export.archive import write_archive
from generator.project import Project
from generator.render import render
from generator.targets.torchserve.handler import archive_handler, model_files
from generator.targets.torchserve.options import Options
from generator.targets.torchserve.service import describe

CONFIG = """\
inference_address=http://0.0.0.0:8085
management_address=http://0.0.0.0:8085
metrics_address=http://0.0.0.0:8082
grpc_inference_port=7070
grpc_management_port=7071
enable_envvars_config=false
disable_token_authorization=true
"""


def archived(
    store: Path, project: Project, program: Path | None, options: Options | None = None
) -> None:
    """Write the archive of a project into a model store, under the project's name."""
    model = describe(project, options or Options()).model
    write_archive(
        store / model.archive,
        name=model.name,
        version=model.version,
        handler=archive_handler(model),
        serialized=program,
        files={str(file.path): render(file).text.encode() for file in model_files(model)},
    )


def config(*models: str) -> str:
    """One worker for each model, which collects up to eight requests for 20 ms."""
    entry = {
        "defaultVersion": True,
        "minWorkers": 1,
        "maxWorkers": 1,
        "batchSize": 8,
        "maxBatchDelay": 20,
        "responseTimeout": 60,
    }
    entries = {name: {"1.0": {"marName": f"{name}-1.0.mar", **entry}} for name in models}
    snapshot = {"name": "startup.cfg", "modelCount": len(models), "models": entries}
    return f"{CONFIG}model_snapshot={json.dumps(snapshot)}\n"
