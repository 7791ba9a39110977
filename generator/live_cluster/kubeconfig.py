"""Which cluster is asked, and as whom: kubectl's conventions.

The merging of several files follows client-go (tools/clientcmd/loader.go), where the first file
that says something wins; the kubernetes client would take the last one's current context.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from generator.diagnostics import CannotRun
from generator.live_cluster.exec_plugin import Credential, credential
from generator.live_cluster.parts import Json, listed, mapping, text

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_SECTIONS = {"clusters": "cluster", "contexts": "context", "users": "user"}
# Paths in these are relative to the file that they stand in: client-go, ResolveLocalPaths.
_PATHS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
_GONE = ("gcp", "azure")  # kubectl has refused these since 1.26


@dataclass(frozen=True)
class Access:
    """A cluster, a user and the namespace of a context; all as the kubeconfig has them.

    `is_inside`: the cluster is the one that this process runs in.
    """

    name: str
    cluster: Json
    user_name: str
    user: Json
    namespace: str
    is_inside: bool = False

    def credential(self, timeout_seconds: float) -> Credential | None:
        """What the user's plugin gives, None where there is no plugin; raises CannotRun."""
        plugin = mapping(self.user, "exec")
        if not plugin:
            return None
        return credential(plugin, self.cluster, self.user_name, timeout_seconds)


def access(kubeconfig: str | None = None, context: str | None = None) -> Access:
    """The cluster of the command line, else of KUBECONFIG, else of the home, else around us.

    Raises CannotRun.
    """
    files = _files(kubeconfig)
    merged = _merged(files)
    is_named = kubeconfig or context or os.environ.get("KUBECONFIG")
    if not merged["contexts"] and not is_named and os.environ.get("KUBERNETES_SERVICE_HOST"):
        return _inside()
    if not any(merged[section] for section in _SECTIONS):
        raise CannotRun(
            f"no cluster is known: {' and '.join(map(str, files))} hold none; name a file with"
            " --kubeconfig or KUBECONFIG"
        )
    return _of_context(merged, context)


def _files(kubeconfig: str | None) -> list[Path]:
    if kubeconfig is not None:
        path = Path(kubeconfig)
        if not path.is_file():
            raise CannotRun(f"there is no kubeconfig {kubeconfig}")
        return [path]
    named = os.environ.get("KUBECONFIG")
    if named:
        return [Path(name).expanduser() for name in named.split(os.pathsep) if name]
    return [Path("~/.kube/config").expanduser()]


def _merged(files: list[Path]) -> dict[str, dict[str, Json]]:
    """Clusters, contexts and users by name, and the current context; the first to say it wins."""
    merged: dict[str, dict[str, Json]] = {section: {} for section in _SECTIONS}
    merged["current"] = {}
    for file in files:
        config = _read(file)
        for section, name in _SECTIONS.items():
            for item in listed(config, section):
                entry = _resolved(mapping(item, name), file.parent)
                merged[section].setdefault(text(item, "name"), entry)
        if current := text(config, "current-context"):
            merged["current"].setdefault("context", {"name": current})
    return merged


def _read(file: Path) -> Json:
    """A kubeconfig; one that is not there counts as empty, as kubectl has it."""
    try:
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CannotRun(f"kubeconfig {file}: {error.strerror}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"{file}:{mark.line + 1}" if mark else str(file)
        raise CannotRun(f"kubeconfig {line} is no YAML: {error.problem or error.context}") from None
    except UnicodeDecodeError:
        raise CannotRun(f"kubeconfig {file} is no YAML: it is not UTF-8") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise CannotRun(f"kubeconfig {file} is no YAML") from None
    if config is not None and not isinstance(config, dict):
        raise CannotRun(f"kubeconfig {file} is no map")
    return config or {}


def _resolved(entry: Json, folder: Path) -> Json:
    paths = {name: str(folder / text(entry, name)) for name in _PATHS if text(entry, name)}
    plugin = mapping(entry, "exec")
    command = text(plugin, "command")
    if "/" in command:
        paths |= {"exec": {**plugin, "command": str(folder / command)}}  # type: ignore[dict-item]
    return {**entry, **paths}


def _of_context(merged: Mapping[str, Mapping[str, Json]], context: str | None) -> Access:
    known = f"known: {', '.join(merged['contexts']) or 'none'}"
    name = context or text(merged["current"], "context", "name")
    if not name:
        raise CannotRun(f"the kubeconfig has no current context; name one with --context ({known})")
    if name not in merged["contexts"]:
        raise CannotRun(f"the kubeconfig has no context {name}; {known}")
    held = merged["contexts"][name]
    cluster_name, user_name = text(held, "cluster"), text(held, "user")
    cluster = merged["clusters"].get(cluster_name)
    if not cluster or not text(cluster, "server"):
        raise CannotRun(f"context {name}: the kubeconfig has no server of cluster {cluster_name}")
    if user_name and user_name not in merged["users"]:
        raise CannotRun(f"context {name}: the kubeconfig has no user {user_name}")
    user = merged["users"].get(user_name, {})
    provider = text(user, "auth-provider", "name")
    if provider in _GONE:
        raise CannotRun(
            f"user {user_name}: the auth-provider {provider} is no longer supported, by kubectl"
            " neither; use its exec plugin"
        )
    return Access(name, cluster, user_name, user, text(held, "namespace") or "default")


def _inside() -> Access:
    """The cluster that this process runs in, by the service account of its pod."""
    host = os.environ["KUBERNETES_SERVICE_HOST"]
    port = os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    token, authority = SERVICE_ACCOUNT / "token", SERVICE_ACCOUNT / "ca.crt"
    for file in (token, authority):
        if not file.is_file():
            raise CannotRun(f"this pod has no service account token: {file} is not there")
    try:
        namespace = (SERVICE_ACCOUNT / "namespace").read_text(encoding="utf-8").strip()
    except OSError:
        namespace = "default"
    cluster = {"server": server, "certificate-authority": str(authority)}
    user = {"tokenFile": str(token)}
    return Access("in-cluster", cluster, "service account", user, namespace, is_inside=True)
