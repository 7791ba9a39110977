"""What the cluster of these tests holds, and how it is reached."""

from pathlib import Path
from typing import Any

import yaml
from api_server import ApiServer

Object = dict[str, Any]

SPEC = """\
spec_version: 1
name: digits
model:
  source: package.module:Net
  inputs: [{name: image, dtype: float32, shape: [N, 1, 28, 28]}]
  outputs: [{name: logits, dtype: float32, shape: [N, 10]}]
storage: {uri: s3://models/digits, secret: s3-reader}
kubernetes: {namespace: models, service_account: models, image_pull_secrets: [registry]}
targets: {triton: {deployment_mode: Standard}}
"""


def named(kind: str, name: str, namespace: str = "", version: str = "v1", **rest: object) -> Object:
    """An object of a name."""
    metadata: Object = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}


def kubeconfig_of(server: ApiServer, folder: Path, user: Object | None = None) -> Path:
    """A kubeconfig of one context, with the server's own authority beside it."""
    server.authority.cert_pem.write_to_path(str(folder / "ca.crt"))
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [
            {"name": "here", "cluster": {"server": server.url, "certificate-authority": "ca.crt"}}
        ],
        "users": [{"name": "ci", "user": user or {"token": "good-token"}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "ci"}}],
    }
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    return file
