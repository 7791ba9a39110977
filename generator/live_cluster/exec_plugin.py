"""Run a credential plugin of a kubeconfig: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins"""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from generator.diagnostics import CannotRun, shown
from generator.live_cluster.parts import Json, listed, mapping, part, text
from generator.live_cluster.secrecy import told_by_plugin

SECONDS = 60
"""A plugin that asks nobody anything has answered by then."""
_EXTENSION = "client.authentication.k8s.io/exec"


@dataclass(frozen=True)
class Credential:
    """What a plugin gives: a token, or a certificate with its key, in PEM."""

    token: str = ""
    certificate: str = ""
    key: str = ""


def credential(
    plugin: Json, cluster: Json, user: str, timeout_seconds: float = SECONDS
) -> Credential:
    """The credential that a user's plugin prints; raises CannotRun with what it said."""
    command = text(plugin, "command")
    version = text(plugin, "apiVersion")
    if not command or not version:
        raise CannotRun(
            f"user {user} of the kubeconfig: its exec plugin lacks command or apiVersion"
        )
    asks = _may_ask(text(plugin, "interactiveMode"), command)
    environment = _environment(plugin, cluster, version, asks=asks)
    answer = _run(plugin, environment, None if asks else min(SECONDS, timeout_seconds))
    if text(answer, "apiVersion") != version:
        told = shown(text(answer, "apiVersion") or "none")
        raise CannotRun(f"exec plugin {command}: its answer has apiVersion {told}, not {version}")
    status = mapping(answer, "status")
    given = Credential(
        text(status, "token"),
        text(status, "clientCertificateData"),
        text(status, "clientKeyData"),
    )
    if not given.token and not (given.certificate and given.key):
        raise CannotRun(
            f"exec plugin {command}: its answer holds neither a token nor a certificate"
        )
    return given


def _may_ask(mode: str, command: str) -> bool:
    """Whether the plugin may have the terminal, as client-go decides it."""
    has_terminal = bool(sys.stdin and sys.stdin.isatty())
    if mode == "Always" and not has_terminal:
        raise CannotRun(f"exec plugin {command} wants a terminal, and standard input is none")
    return has_terminal and mode != "Never"


def _environment(plugin: Json, cluster: Json, version: str, *, asks: bool) -> Mapping[str, str]:
    spec: dict[str, object] = {"interactive": asks}
    if part(plugin, "provideClusterInfo") is True:
        spec["cluster"] = _cluster_info(cluster)
    info = {"apiVersion": version, "kind": "ExecCredential", "spec": spec}
    own = {text(item, "name"): text(item, "value") for item in listed(plugin, "env")}
    return {**os.environ, **own, "KUBERNETES_EXEC_INFO": json.dumps(info)}


def _cluster_info(cluster: Json) -> dict[str, object]:
    known = ("server", "tls-server-name", "insecure-skip-tls-verify", "proxy-url")
    told = {name: cluster[name] for name in known if name in cluster}
    told |= _authority(cluster)
    for extension in listed(cluster, "extensions"):
        if text(extension, "name") == _EXTENSION:
            told["config"] = part(extension, "extension")
    return told


def _authority(cluster: Json) -> dict[str, object]:
    """The authority's certificate itself, also where the kubeconfig names a file."""
    if "certificate-authority-data" in cluster:
        return {"certificate-authority-data": cluster["certificate-authority-data"]}
    file = text(cluster, "certificate-authority")
    if not file:
        return {}
    try:
        content = Path(file).read_bytes()
    except OSError as error:
        raise CannotRun(f"certificate authority {file}: {error.strerror}") from None
    return {"certificate-authority-data": base64.b64encode(content).decode()}


def _run(plugin: Json, environment: Mapping[str, str], seconds: float | None) -> Json:
    """What a plugin prints; `seconds` is None for one that may ask somebody at the terminal."""
    asks = seconds is None
    command = text(plugin, "command")
    arguments = [str(argument) for argument in listed(plugin, "args")]
    try:
        ran = subprocess.run(
            [command, *arguments],
            env=dict(environment),
            stdin=None if asks else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if asks else subprocess.PIPE,
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError:
        hint = text(plugin, "installHint")
        told = f": {shown(hint, 300)}" if hint else "; it has to be installed and on PATH"
        raise CannotRun(f"exec plugin {command} of the kubeconfig is not there{told}") from None
    except OSError as error:
        raise CannotRun(f"exec plugin {command}: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise CannotRun(f"exec plugin {command} has not answered in {seconds:g} s") from None
    if ran.returncode:
        said = (ran.stderr or b"").decode("utf-8", "replace").strip()
        said = shown(told_by_plugin(said, plugin), 300)
        raise CannotRun(f"exec plugin {command} failed with status {ran.returncode}: {said}")
    try:
        answer = json.loads(ran.stdout)
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or text(answer, "kind") != "ExecCredential":
        raise CannotRun(f"exec plugin {command}: what it printed is no ExecCredential")
    return answer
