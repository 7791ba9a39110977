"""A service of KServe's on this machine: what its manifests say, and its component's doors."""

import contextlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from generator.engines import EngineError, Report, kserve
from generator.kserve.exposure import TRANSFORMER
from generator.live import Door
from generator.live.container import Container, container_of
from generator.live.image_requests import ask_v1, ask_v2, ask_v2_binary
from generator.live.tensor_requests import http_connection
from generator.live.watch import Ended, watched
from generator.project import Project

LIMITS = (
    "KServe's controllers, its webhook, Knative and the ingress are not run: the servers are "
    "started with the arguments and variables of the rendered manifests",
)
SERVICE, RUNTIME = "inferenceservice.yaml", "servingruntime.yaml"


def predictor(rendered: Path) -> Container:
    """The server's container: the runtime's own, where one is rendered, and what a service adds."""
    try:
        added = container_of(_manifest(rendered, SERVICE)["spec"]["predictor"]["model"])
        if not (rendered / "manifests" / RUNTIME).exists():
            return added
        own = container_of(_manifest(rendered, RUNTIME)["spec"]["containers"][0])
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise _unreadable(rendered, error) from error
    return Container(own.arguments + added.arguments, {**own.variables, **added.variables})


@contextlib.contextmanager
def component_doors(
    project: Project,
    rendered: Path,
    *,
    predictor_host: str,
    report: Report,
    servers: Sequence[Ended] = (),
) -> Iterator[list[Door]]:
    """Serve the rendered component in front of a predictor, and open its v1 and v2 doors.

    `predictor_host` is host:port; `servers` tell how what listens there has ended. Raises
    EngineError with the component's own words.
    """
    try:
        service = _manifest(rendered, SERVICE)
        name = str(service["metadata"]["name"])
        container = container_of(service["spec"][TRANSFORMER]["containers"][0])
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise _unreadable(rendered, error) from error
    folder = rendered / "images" / TRANSFORMER
    if not folder.is_dir():
        raise EngineError(f"{folder} does not exist")
    with (
        kserve.serve(
            folder,
            model_name=name,
            predictor_host=predictor_host,
            arguments=container.arguments,
            variables=container.variables,
            report=report,
        ) as server,
        http_connection(server.http) as connection,
    ):
        v1, v2 = f"/v1/models/{name}:predict", f"/v2/models/{name}/infer"
        doors = (
            _door(project, v1, "v1 JSON", partial(ask_v1, project, server.http, v1)),
            _door(project, v2, "v2 JSON", partial(ask_v2, project, server.http, v2)),
            _door(project, v2, "v2 binary", partial(ask_v2_binary, project, connection, name)),
        )
        yield watched(doors, server.ended, *servers)


def _door(project: Project, path: str, protocol: str, ask: Any) -> Door:
    return Door(project, f"{TRANSFORMER} {path}", protocol, "image", ask)


def _manifest(rendered: Path, name: str) -> Any:
    """A rendered manifest's data; raises EngineError where it cannot be read."""
    path = rendered / "manifests" / name
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EngineError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, yaml.YAMLError) as error:
        raise EngineError(f"cannot read {path}: {error}") from error


def _unreadable(rendered: Path, error: Exception) -> EngineError:
    return EngineError(f"{rendered / 'manifests'} holds no service of KServe's: {error!r}")
