"""The kubernetes client, set up for one cluster and one user."""

import base64
import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from generator import __version__
from generator.diagnostics import CannotRun
from generator.live_cluster.kubeconfig import Access
from generator.live_cluster.parts import listed, mapping, text
from generator.live_cluster.secrecy import without_user

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

_ENCODED = ("certificate-authority-data", "client-certificate-data", "client-key-data")


@dataclass(frozen=True)
class Settings:
    """One request."""

    method: str
    url: str
    content: bytes | None
    content_type: str
    timeout_seconds: float


class Client:
    """Sends requests over the connections of the kubernetes client."""

    def __init__(self, rest: Any, host: str, headers: Iterable[tuple[str, str]]) -> None:
        # Any: the client has types only where the extra is installed
        self._pool = rest.pool_manager
        self._host = host
        self._headers = tuple(headers)

    def send(self, settings: Settings) -> "BaseHTTPResponse":
        """The answer, its body not yet read; no redirect is followed, nothing tried again."""
        import urllib3

        headers = urllib3.HTTPHeaderDict(self._headers)
        headers.update({"Accept": "application/json", "Accept-Encoding": "gzip"})
        if settings.content is not None:
            headers["Content-Type"] = settings.content_type
        seconds = settings.timeout_seconds
        response: BaseHTTPResponse = self._pool.request(
            settings.method,
            self._host + settings.url,
            body=settings.content,
            headers=headers,
            timeout=urllib3.Timeout(connect=min(10, seconds), read=seconds),
            preload_content=False,
            retries=False,
            redirect=False,
        )
        return response


def refuse_without_client() -> None:
    """Raise CannotRun where the extra is not installed."""
    if importlib.util.find_spec("kubernetes") is None:
        raise CannotRun(
            "gen cluster needs the kubernetes client: pip install 'serving-generator[cluster]'"
        )


def client_of(access: Access, timeout_seconds: float) -> Client:
    """A client for a cluster, its credentials fetched now; raises CannotRun."""
    refuse_without_client()
    from kubernetes.client import Configuration
    from kubernetes.client.rest import RESTClientObject
    from kubernetes.config.config_exception import ConfigException
    from kubernetes.config.kube_config import KubeConfigLoader

    configuration = Configuration()
    user = _with_credential(access, timeout_seconds)
    document = {
        "current-context": "this",
        "contexts": [{"name": "this", "context": {"cluster": "this", "user": "this"}}],
        "clusters": [{"name": "this", "cluster": dict(access.cluster)}],
        "users": [{"name": "this", "user": user}],
    }
    where = f"context {access.name}"
    _refuse_broken_base64(where, access.cluster, user)
    try:
        KubeConfigLoader(document, config_base_path="").load_and_set(configuration)
        rest = RESTClientObject(configuration)
        settings = configuration.auth_settings().values()
    except ConfigException as error:
        raise CannotRun(f"{where}: {without_user(str(error))}") from None
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        told = without_user(str(error))
        raise CannotRun(f"{where}: the kubeconfig cannot be used: {told}") from None
    headers = [("User-Agent", f"serving-generator/{__version__}"), *_impersonation(user)]
    headers += [(setting["key"], setting["value"]) for setting in settings]
    for name, value in headers:
        if not (value.isascii() and value.isprintable()):
            what = "the token" if name.lower() == "authorization" else f"the value of {name}"
            raise CannotRun(
                f"{where}: {what} cannot be sent: it holds a line break or a character that no HTTP"
                " header can have"
            )
    return Client(rest, str(access.cluster["server"]).rstrip("/"), headers)


def _with_credential(access: Access, timeout_seconds: float) -> dict[str, object]:
    """The user with what its plugin gives, or with the token that stands in its file now.

    A token in a file wins over one that is written out, as client-go has it.
    """
    user = {key: value for key, value in access.user.items() if key != "exec"}
    if file := text(user, "tokenFile"):
        del user["tokenFile"]
        try:
            user["token"] = Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise CannotRun(f"token file {file}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise CannotRun(f"token file {file} is no text") from None
    if given := access.credential(timeout_seconds):
        if given.token:
            user["token"] = given.token
        if given.certificate:
            user["client-certificate-data"] = _base64(given.certificate)
            user["client-key-data"] = _base64(given.key)
    return user


def _refuse_broken_base64(where: str, *entries: Mapping[str, object]) -> None:
    """Raise CannotRun with the name of what cannot be decoded, which the client would not say."""
    for entry in entries:
        for name in _ENCODED:
            try:
                base64.b64decode(text(entry, name))
            except ValueError as error:
                raise CannotRun(f"{where}: {name} is no base64: {error}") from None


def _base64(pem: str) -> str:
    return base64.b64encode(pem.encode()).decode()


def _impersonation(user: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """`as` and what goes with it in a kubeconfig, which the kubernetes client leaves out.

    https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
    """
    for key, header in (("as", "Impersonate-User"), ("as-uid", "Impersonate-Uid")):
        if named := text(user, key):
            yield header, named
    for group in listed(user, "as-groups"):
        yield "Impersonate-Group", str(group)
    for key in mapping(user, "as-user-extra"):
        for value in listed(user, "as-user-extra", key):
            yield f"Impersonate-Extra-{quote(str(key).lower(), safe='')}", str(value)
