"""Debian's docker-registry on this machine: distribution's own server, unpacked without root."""

import contextlib
import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dxf
import requests

from generator.engines import EngineMissing, environments, process
from generator.engines.ports import LOOPBACK, free_ports

PACKAGE = "docker-registry"
DOWNLOAD_SECONDS = 300
START_SECONDS = 30
OCI = "application/vnd.oci.image"


@dataclass(frozen=True)
class Registry:
    """A running registry; `ca` is the file with its certificate's authority."""

    host: str
    ca: str | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self.ca else 'http'}://{self.host}"


def prepare() -> Path:
    """The registry's program, downloaded by apt once; raises EngineMissing."""
    folder = environments.cache() / PACKAGE
    program = folder / "usr" / "bin" / PACKAGE
    with environments.locked(folder.with_suffix(".lock"), name=PACKAGE, report=print):
        if not program.is_file():
            _install(folder)
    return program


def _install(folder: Path) -> None:
    for needed in ("apt-get", "dpkg"):
        if not shutil.which(needed):
            raise EngineMissing(f"{PACKAGE} is a package of Debian, and there is no {needed}")
    made = folder.with_suffix(".part")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    _run(["apt-get", "download", PACKAGE], made)
    package = next(made.glob("*.deb"))
    _run(["dpkg", "-x", str(package), "."], made)
    package.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    made.rename(folder)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS
    )
    if done.returncode:
        raise EngineMissing(f"{' '.join(command)}: {done.stderr.strip()}")


@contextlib.contextmanager
def serve(
    program: Path,
    folder: Path,
    *,
    certificate: tuple[str, str] | None = None,
    ca: str | None = None,
    htpasswd: str | None = None,
) -> Iterator[Registry]:
    """A registry with its images in a folder; `certificate` is a file of it and of its key."""
    [port] = free_ports(1)
    folder.mkdir(parents=True, exist_ok=True)
    config: dict[str, object] = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(folder / "images")}},
        "http": {"addr": f"{LOOPBACK}:{port}"},
    }
    if certificate:
        config["http"] = {
            "addr": f"{LOOPBACK}:{port}",
            "tls": {"certificate": certificate[0], "key": certificate[1]},
        }
    if htpasswd:
        (folder / "htpasswd").write_text(htpasswd)
        config["auth"] = {"htpasswd": {"realm": "models", "path": str(folder / "htpasswd")}}
    (folder / "config.yml").write_text(json.dumps(config))
    registry = Registry(f"{LOOPBACK}:{port}", ca)

    def is_ready() -> bool:
        try:
            answer = requests.get(f"{registry.url}/v2/", verify=ca or True, timeout=2)
        except requests.RequestException:
            return False
        return answer.status_code in (200, 401)

    command = [str(program), "serve", str(folder / "config.yml")]
    with process.running(
        PACKAGE, command, folder=folder, is_ready=is_ready, timeout_seconds=START_SECONDS
    ):
        yield registry


def push(registry: Registry, repository: str, tag: str, content: bytes = b"{}") -> str:
    """Push an image of no layers, and tell its digest."""
    with _client(registry, repository) as client:
        manifest = _manifest(client, content)
        client.set_manifest(tag, manifest)
    return _digest(manifest)


def push_index(registry: Registry, repository: str, tag: str) -> tuple[str, list[str]]:
    """Push an image for two platforms; the digests of its index and of the two manifests."""
    entries = []
    with _client(registry, repository) as client:
        for architecture in ("amd64", "arm64"):
            manifest = _manifest(client, json.dumps({"architecture": architecture}).encode())
            client.set_manifest(_digest(manifest), manifest)
            entries.append(
                {
                    "mediaType": f"{OCI}.manifest.v1+json",
                    "digest": _digest(manifest),
                    "size": len(manifest),
                    "platform": {"os": "linux", "architecture": architecture},
                }
            )
        media = f"{OCI}.index.v1+json"
        index = json.dumps({"schemaVersion": 2, "mediaType": media, "manifests": entries})
        client.set_manifest(tag, index)
    return _digest(index), [str(entry["digest"]) for entry in entries]


def _client(registry: Registry, repository: str) -> dxf.DXF:
    return dxf.DXF(
        registry.host,
        repository,
        lambda base, answer: base.authenticate("ada", "secret", response=answer),
        insecure=not registry.ca,
        tlsverify=registry.ca or True,
    )


def _manifest(client: dxf.DXF, config: bytes) -> str:
    digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
    client.push_blob(data=iter([config]), digest=digest)
    described = {"mediaType": f"{OCI}.config.v1+json", "size": len(config), "digest": digest}
    media = f"{OCI}.manifest.v1+json"
    return json.dumps({"schemaVersion": 2, "mediaType": media, "config": described, "layers": []})


def _digest(manifest: str) -> str:
    return f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"
