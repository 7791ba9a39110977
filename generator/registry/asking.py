"""Ask a registry what a tag stands for.

python-dxf speaks the registry's protocol (opencontainers/distribution-spec): tokens, redirects,
certificates, proxies. Time-outs, how often it is asked again, and what its answers mean are here.
"""

import contextlib
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import dxf
import requests
from dxf.exceptions import DXFAuthInsecureError, DXFError, DXFUnauthorizedError

from generator.diagnostics import CannotRun, shown
from generator.images import DIGEST, DOCKER_HUB, Reference
from generator.registry.logins import Login, login

ATTEMPTS = 3
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0
_HUBS_HOST = "registry-1.docker.io"
_AGAIN = (429, 500, 502, 503, 504)
_NO_SUCH_METHOD = 405
_SCHEMA = 2  # of manifests and indexes, docker's and OCI's; the first was not hashed as it is sent

Report = Callable[[str], None]  # receives one line of progress


class NotThere(Exception):
    """The registry answers that it has no such image."""


class Refused(Exception):
    """The registry does not let this image be seen; the words are a user's."""


class Unreachable(Exception):
    """The registry gives no answer, or none that can be used; others of its images fare alike."""


@dataclass(frozen=True)
class Settings:
    """How registries are asked: `ca` is a file of certificates; `insecure` are hosts without TLS.

    `wait` sleeps so many seconds, `report` is told when a registry is asked again, and `note` what
    a user should know of the answer.
    """

    timeout_seconds: float
    ca: str | None = None
    insecure: frozenset[str] = frozenset()
    wait: Callable[[float], None] = time.sleep
    report: Report = lambda line: None
    note: Report = lambda line: None


def digest(image: Reference, settings: Settings) -> str:
    """The digest that stands under a tag: of the index, where there is one for several platforms.

    Raises NotThere, Refused or Unreachable.
    """
    try:
        known = login(image, settings.note)
    except CannotRun as error:
        raise Refused(f"{image.host} is not asked: {error}") from None
    wait = FIRST_WAIT_SECONDS
    for left in range(ATTEMPTS - 1, -1, -1):
        try:
            return _asked(image, known, settings)
        except _Busy as busy:
            if not left:
                raise Unreachable(busy.message) from None
            pause = min(busy.after or wait, LONGEST_WAIT_SECONDS)
            settings.report(f"{busy.message}; asking again in {pause:.0f} s")
            settings.wait(pause)
            wait *= 2
    raise AssertionError("unreachable")  # the last attempt returns or raises


class _Busy(Exception):
    """An answer, or the lack of one, that may be another a moment later."""

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.after = after


def _asked(image: Reference, known: Login | None, settings: Settings) -> str:
    """Ask once; what goes wrong is told in a user's words."""
    host = image.host
    registry = dxf.DXF(
        _HUBS_HOST if host == DOCKER_HUB else host,
        image.repository,
        lambda base, answer: _log_in(base, answer, known),
        insecure=host in settings.insecure,
        tlsverify=settings.ca or True,
        timeout=settings.timeout_seconds,
    )
    try:
        with registry, _without_netrc():
            return _digest(registry, image)
    except requests.HTTPError as error:
        raise _meaning(error.response, image) from None
    except requests.Timeout:
        raise _Busy(f"{host} does not answer within {settings.timeout_seconds:g} s") from None
    except requests.exceptions.SSLError as error:
        raise Unreachable(_insecure(error, host)) from None
    except requests.ConnectionError as error:
        raise _Busy(f"cannot reach {host}: {_reason(error)}") from None
    except (requests.RequestException, OSError) as error:
        raise Unreachable(f"cannot ask {host}: {_reason(error)}") from None
    except DXFUnauthorizedError:
        raise Refused(_unauthorized(image, known)) from None
    except DXFAuthInsecureError:
        raise Refused(f"{host} asks for a login, which is not sent without TLS") from None
    except (DXFError, KeyError, ValueError):
        raise Unreachable(f"{host} answers what no registry does") from None


@contextlib.contextmanager
def _without_netrc() -> Iterator[None]:
    """Keep requests from ~/.netrc, whose password it would send in the place of a token."""
    before = os.environ.get("NETRC")
    os.environ["NETRC"] = os.devnull
    try:
        yield
    finally:
        if before is None:
            del os.environ["NETRC"]
        else:
            os.environ["NETRC"] = before


def _unauthorized(image: Reference, known: Login | None) -> str:
    """Registries answer so of what is not there, too."""
    if known:
        return (
            f"{image.host} does not show {image.repository} to {known.user} ({known.source}): the"
            " password is wrong, the image not this user's, or not there"
        )
    return (
        f"{image.host} does not show {image.repository} without a login: docker login"
        f" {image.host}, if the image is there"
    )


def _log_in(base: dxf.DXFBase, answer: requests.Response, known: Login | None) -> None:
    """Get a token, or answer with name and password, whichever the registry asks for."""
    user, password = (known.user, known.password) if known else (None, None)
    base.authenticate(user, password, actions=["pull"], response=answer)


def _digest(registry: dxf.DXF, image: Reference) -> str:
    """What the registry says, or where it says nothing the hash of what it sends."""
    tag = image.tag or "latest"
    try:
        found, _ = registry.head_manifest_and_response(tag)
    except requests.HTTPError as error:
        if error.response.status_code != _NO_SUCH_METHOD:
            raise
        found = None
    if not found:
        text, answer = registry.get_manifest_and_response(tag)
        if not _is_manifest(text):
            raise Unreachable(f"{image.host} answers what is no manifest of an image")
        found = f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
    if not DIGEST.fullmatch(found):
        raise Unreachable(f"{image.host} answers `{shown(found)}`, no sha256 digest")
    return str(found)


def _is_manifest(text: str) -> bool:
    """Whether a text is a manifest or an index, and not the page of a proxy or of a login."""
    try:
        manifest = json.loads(text)
    except ValueError:
        return False
    is_second = isinstance(manifest, dict) and manifest.get("schemaVersion") == _SCHEMA
    return is_second and ("config" in manifest or "manifests" in manifest or "layers" in manifest)


def _meaning(answer: requests.Response, image: Reference) -> Exception:
    """What a status of a registry means: https://github.com/opencontainers/distribution-spec"""
    status = answer.status_code
    if status == 404:
        return NotThere(f"{image.host} has no {image.repository}:{image.tag}")
    if status == 403:
        return Refused(f"{image.host} forbids to see {image.repository}")
    message = f"{image.host} answers {status}"
    return _Busy(message, _after(answer)) if status in _AGAIN else Unreachable(message)


def _after(answer: requests.Response) -> float | None:
    """The seconds that Retry-After asks to wait, in either of its forms."""
    told = answer.headers.get("Retry-After", "")
    if told.isdigit():
        return float(told)
    try:
        return max(0.0, parsedate_to_datetime(told).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def _insecure(error: BaseException, host: str) -> str:
    """What is wrong with a registry's TLS, and the option that helps."""
    reason = _reason(error)
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        return f"{host}: {reason.partition(': ')[2]}; --ca FILE names what to trust"
    if "WRONG_VERSION_NUMBER" in reason:
        return f"{host} speaks no TLS; --insecure-registry {host} asks it without"
    return f"{host}: {reason}"


def _reason(error: BaseException) -> str:
    """The innermost cause, without the addresses that libraries write around it."""
    inner: object = error
    while isinstance(inner, BaseException):
        error = inner
        inner = getattr(error, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((each for each in error.args if isinstance(each, BaseException)), None)
    text = _AROUND.sub("", str(error))
    return shown(text, 160)


_AROUND = re.compile(r"^\w+\(.*?\): | \(_ssl\.c:\d+\)|^<[^>]*>: ")
