"""Where a manifest says that models are stored, at each place that says so."""

import re
from collections.abc import Iterator, Mapping

from generator.changes.leaves import inside

Route = tuple[str, ...]

_URIS = ("storageUri", "modelUri", "storageUris")
_STORAGE = (("storage", "path"), ("storage", "key"), ("storage", "parameters", "bucket"))
# Of a storage: an address of another scheme among arguments is that of a server.
_URI = re.compile(
    r"(--?[\w-]+=)?(s3a?|gs|gcs|pvc|hdfs|webhdfs|hf|oci|abfss?|wasbs?|az|azure|minio|model|file|dbfs)"
    r"://\S+"
)
_LOADERS = re.compile(r"rclone|initiali[sz]er|download|storage")
_REMOTE = re.compile(r"[A-Za-z0-9_][\w-]*:\S+")  # of rclone: the remote, and a path on it


def locations(manifest: object) -> Mapping[Route, str]:
    """The location of models at each route of a manifest that names one."""
    return dict(_inside(manifest, (), is_loader=False))


def _inside(value: object, route: Route, *, is_loader: bool) -> Iterator[tuple[Route, str]]:
    if isinstance(value, str):
        if _is_location(value, route, is_loader=is_loader):
            yield route, value
        return
    if isinstance(value, dict) and "image" in value and "[" in "".join(route[-1:]):
        names = f"{value.get('name')} {value.get('image')}"
        is_loader = route[-2:-1] == ("initContainers",) and bool(_LOADERS.search(names))
    parts = [(name, inner) for _, name, inner in inside(value)]
    if isinstance(value, list) and not parts:
        parts = [(f"[{number}]", inner) for number, inner in enumerate(value)]
    for name, inner in parts:
        yield from _inside(inner, (*route, name), is_loader=is_loader)


def _is_location(text: str, route: Route, *, is_loader: bool) -> bool:
    keys = tuple(step for step in route if not step.startswith("["))
    if (keys[-1:] and keys[-1] in _URIS) or keys[-2:-1] == ("storageUris",):
        return True
    if any(keys[-len(wanted) :] == wanted for wanted in _STORAGE):
        return True
    if keys[-1:] not in (("args",), ("command",)):
        return False
    return bool(_URI.fullmatch(text) or (is_loader and _REMOTE.fullmatch(text)))
