"""The one way to a cluster's API server; what would store anything does not get through."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from generator.diagnostics import CannotRun, shown
from generator.live_cluster.client import Client, Settings, client_of
from generator.live_cluster.kubeconfig import Access
from generator.live_cluster.parts import Json
from generator.live_cluster.refusal import refusal
from generator.live_cluster.secrecy import without_user

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

MOST_BYTES = 64 << 20
"""Of an answer; the largest that an API server gives of what is asked here is a CRD of 3 MiB."""
MOST_TRIES = 5
LONGEST_WAIT_SECONDS = 10
LONGEST_WAITS_SECONDS = 30
"""In all: a server that throttles every request must not hold up a pipeline for hours."""
MOST_FAILURES = 3
"""Requests in a row without an answer, after which the cluster counts as gone."""

# Asked with POST, and stored nowhere: https://kubernetes.io/docs/reference/access-authn-authz/authorization/
REVIEWS = frozenset(
    {
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
        "/apis/authentication.k8s.io/v1/selfsubjectreviews",
    }
)
# Answered in plain text by k8s.io/apiserver: throttling, and paths that nothing serves.
_AS_TEXT = (
    HTTPStatus.NOT_FOUND,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.UNAUTHORIZED,
)
_WAIT_AND_TRY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


class WouldWrite(RuntimeError):
    """A request that could store something: a bug, and it has not been sent."""


class Gone(CannotRun):
    """A cluster that has stopped answering."""


class Unanswered(Exception):
    """No answer of an API server: a time-out, a lost connection, something else that answered."""


@dataclass(frozen=True)
class Answer:
    """A success: the object, and what the server warned of."""

    body: Json
    warnings: tuple[str, ...] = ()


def refuse_writes(method: str, path: str, query: Mapping[str, str]) -> None:
    """Raise WouldWrite unless a request is a read, a review or a dry run."""
    if method == "GET":
        return
    if method == "POST" and path in REVIEWS:
        return
    if method == "PATCH" and query.get("dryRun") == "All":
        return
    raise WouldWrite(f"{method} {path}")


class Connection:
    """Requests to one cluster as one user."""

    def __init__(
        self,
        access: Access,
        timeout_seconds: float = 30,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.access = access
        self._timeout = timeout_seconds
        self._sleep = sleep
        self._failures = 0
        self._waited_seconds = 0.0
        self._client: Client | None = None

    @property
    def host(self) -> str:
        """The address as it may be shown."""
        return without_user(str(self.access.cluster.get("server", "")).rstrip("/"))

    def get(self, path: str, **query: str) -> Answer:
        """An object or list; raises Refused, Unanswered or CannotRun, as the others do."""
        return self._asked("GET", path, query)

    def review(self, path: str, body: Json) -> Answer:
        """The answer to a question about the asking user."""
        return self._asked("POST", path, {}, body, "application/json")

    def dry_run(self, path: str, manifest: Json, manager: str, *, force: bool = False) -> Answer:
        """What a server-side apply would make of a manifest; nothing of it is stored."""
        query = {"dryRun": "All", "fieldManager": manager, "fieldValidation": "Strict"}
        query |= {"force": "true"} if force else {}
        return self._asked("PATCH", path, query, manifest, "application/apply-patch+yaml")

    def watch(self, path: str, seconds: int, **query: str) -> Iterator[Json]:
        """The events of a watch until the server ends it; raises as `get` does."""
        query |= {"watch": "true", "timeoutSeconds": str(seconds), "allowWatchBookmarks": "true"}
        response = self._sent("GET", path, query, None, "", self._timeout + seconds)
        try:
            if response.status != HTTPStatus.OK:
                raise refusal(response.status, self._body(response))
            yield from _events(response)
        except _failures() as error:
            raise Unanswered(_told(error, self.host, self._timeout)) from None
        finally:
            response.close()

    def _asked(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Json | None = None,
        kind: str = "",
    ) -> Answer:
        """Ask until there is an answer, waiting where the server says so."""
        for attempt in range(1, MOST_TRIES + 1):
            response = self._sent(method, path, query, body, kind, self._timeout)
            is_last = attempt == MOST_TRIES
            if response.status == HTTPStatus.UNAUTHORIZED and attempt == 1 and self._renewed():
                response.close()
                continue
            wait = _wait_seconds(response)
            if wait is None or is_last or not self._has_waited(wait):
                break
            response.close()
        held = self._body(response)
        if response.status == HTTPStatus.UNAUTHORIZED:
            who = f"{self.access.user_name or 'nobody'} (context {self.access.name})"
            raise CannotRun(
                f"{self.host} does not accept the credentials of {who}: they may have expired, or"
                " be another cluster's"
            )
        if not HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
            raise refusal(response.status, held)
        return Answer(held, tuple(_warnings(response)))

    def _has_waited(self, seconds: float) -> bool:
        """Wait as the server asks, unless it has been waited for too long already."""
        seconds = min(seconds, LONGEST_WAIT_SECONDS)
        if self._waited_seconds + seconds > LONGEST_WAITS_SECONDS:
            return False
        self._waited_seconds += seconds
        self._sleep(seconds)
        return True

    def _sent(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Json | None,
        kind: str,
        timeout: float,
    ) -> "BaseHTTPResponse":
        refuse_writes(method, path, query)
        self._client = self._client or client_of(self.access, self._timeout)
        url = f"{path}?{urlencode(query)}" if query else path
        content = None if body is None else json.dumps(body).encode()
        try:
            response = self._client.send(Settings(method, url, content, kind, timeout))
        except _failures() as error:
            self._failures += 1
            told = _told(error, self.host, self._timeout)
            if self._failures >= MOST_FAILURES:
                raise Gone(f"{told}, {MOST_FAILURES} times in a row") from None
            raise Unanswered(told) from None
        except ValueError:  # its text may quote a header
            raise CannotRun(f"{self.host}: the request cannot be sent: {method} {path}") from None
        self._failures = 0
        return response

    def _renewed(self) -> bool:
        """Whether there may be newer credentials: of a plugin, or of a file with a token."""
        if not {"exec", "tokenFile"} & set(self.access.user):
            return False
        self._client = None
        return True

    def _body(self, response: "BaseHTTPResponse") -> Json:
        """The JSON object that an answer holds; raises Unanswered for anything else."""
        try:
            content = response.read(MOST_BYTES + 1, decode_content=True)
        except _failures() as error:
            raise Unanswered(_told(error, self.host, self._timeout)) from None
        finally:
            response.close()
        if len(content) > MOST_BYTES:
            raise Unanswered(f"the answer of {self.host} is larger than {MOST_BYTES >> 20} MiB")
        try:
            held = json.loads(content)
        except (ValueError, RecursionError):
            held = None
        if isinstance(held, dict):
            return held
        if response.status in _AS_TEXT and not content.lstrip().startswith(b"<"):
            return {"message": shown(content.decode("utf-8", "replace").strip(), 200)}
        kind = shown(response.headers.get("Content-Type", "no content type"))
        raise Unanswered(
            f"{self.host} answered {response.status} with {kind}, not as a Kubernetes API does; is"
            " there a proxy or a login page in between?"
        )


def _events(response: "BaseHTTPResponse") -> Iterator[Json]:
    """One JSON object a line, whatever pieces they come in."""
    rest = b""
    for piece in response.stream(1 << 16, decode_content=True):
        *lines, rest = (rest + piece).split(b"\n")
        if len(rest) > MOST_BYTES:
            raise Unanswered("an event of the watch is too large")
        for line in filter(None, lines):
            try:
                event = json.loads(line)
            except (ValueError, RecursionError):
                event = None
            if not isinstance(event, dict):
                raise Unanswered("the watch sent what is no event")
            yield event


def _wait_seconds(response: "BaseHTTPResponse") -> float | None:
    """How long the server asks to wait; None where it does not."""
    if response.status not in _WAIT_AND_TRY:
        return None
    asked = response.headers.get("Retry-After", "")
    return float(asked) if asked.isascii() and asked.isdigit() else None


def _warnings(response: "BaseHTTPResponse") -> Iterator[str]:
    """Warning headers: `299 - "text"`, of RFC 7234."""
    for header in response.headers.getlist("Warning"):
        _, _, quoted = header.partition('"')
        if told := quoted.rpartition('"')[0]:
            yield told.replace('\\"', '"').replace("\\\\", "\\")


def _failures() -> tuple[type[Exception], ...]:
    from urllib3.exceptions import HTTPError

    return (HTTPError, OSError)


def _told(error: Exception, host: str, seconds: float) -> str:
    """Why there is no answer, in a sentence without the password of an address."""
    return without_user(_why(error, host, seconds))


def _why(error: Exception, host: str, seconds: float) -> str:
    from urllib3 import exceptions

    inner = getattr(error, "original_error", None) or error
    said = str(inner)
    if isinstance(error, exceptions.NameResolutionError):
        return f"{host}: no such host"
    is_refused = isinstance(error, exceptions.NewConnectionError)
    if isinstance(error, exceptions.TimeoutError) and not is_refused:
        return f"{host} has not answered in {seconds:g} s"
    if isinstance(error, exceptions.SSLError) or "SSL" in said:
        return f"{host}: no trusted connection: {shown(said, 200)}"
    cause = error.__cause__ or error.__context__
    reason = getattr(cause, "strerror", None) or said.rpartition(": ")[2] or type(error).__name__
    return f"{host} cannot be reached: {shown(reason, 200)}"
