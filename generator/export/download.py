"""Bring a file from a URL to the disk: whole, with the right checksum, or not at all."""

import contextlib
import hashlib
import http.client
import os
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from generator import __version__
from generator.diagnostics import CannotRun
from generator.document import Pointer
from generator.export.refusal import Refusal

CHUNK_BYTES = 1 << 16
SILENCE_SECONDS = 60.0  # of a server before the download is given up
QUIET_SECONDS = 1.0  # before a download is reported at all
REPORT_SECONDS = 0.1
PASSING_STATUS = {407, 408, 429}  # of a proxy, or of a server that may answer later


class Report(Protocol):
    """Told of a download that takes longer than a second, at most ten times a second."""

    def __call__(self, name: str, done: int, total: int | None, *, is_first: bool) -> None:
        """`done` bytes of `total`, where the server says how many there are."""


def silent(name: str, done: int, total: int | None, *, is_first: bool) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class Remote:
    """A file that a spec names by URL and checksum, and where in the spec these stand.

    `sha256` holds the first 8 to 64 hexadecimal digits.
    """

    url: str
    sha256: str
    url_at: Pointer
    sha256_at: Pointer

    @property
    def name(self) -> str:
        """The last part of the URL."""
        return self.url.rstrip("/").rpartition("/")[2]


def download(remote: Remote, folder: Path, report: Report = silent) -> Path:
    """Download a file into a folder that exists, and call it by its whole checksum.

    Raises Refusal where the URL or the checksum is wrong, CannotRun where the network fails.
    """
    handle, temporary = tempfile.mkstemp(prefix=".", dir=folder)
    try:
        digest = hashlib.sha256()
        with open(handle, "wb") as file:
            for chunk in _chunks(remote, report):
                digest.update(chunk)
                file.write(chunk)
        check(remote.name, digest.hexdigest(), remote.sha256, remote.sha256_at)
        os.chmod(temporary, 0o644)  # a temporary file is readable by its owner alone
        path = folder / digest.hexdigest()
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)
    return path


def check(name: str, found: str, wanted: str, at: Pointer) -> None:
    """Raise Refusal where the checksum of a file does not begin with the digits that are wanted."""
    if not found.startswith(wanted):
        message = f"`{name}` has the sha256 {found[: len(wanted)]}, not {wanted}"
        raise Refusal(at, message, f"if this is the right file, write sha256: '{found}'")


def sha256_of(path: Path) -> str:
    """The checksum of a file, in hexadecimal digits; raises CannotRun where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    except OSError as error:
        raise CannotRun(f"cannot read {path}: {error.strerror}") from error
    return digest.hexdigest()


def _chunks(remote: Remote, report: Report) -> Iterator[bytes]:
    """The bytes of a file as they arrive."""
    # A schema has held the URL to http and https.
    request = urllib.request.Request(  # noqa: S310
        remote.url, headers={"User-Agent": f"serving-generator/{__version__}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=SILENCE_SECONDS) as answer:  # noqa: S310
            yield from _reported(answer, remote.name, report)
    except urllib.error.HTTPError as error:
        said = f"{error.code} {error.reason}".strip()
        if error.code in range(400, 500) and error.code not in PASSING_STATUS:
            raise Refusal(remote.url_at, f"the server answers {said} to this URL") from None
        raise CannotRun(f"cannot download {remote.url}: the server answers {said}") from None
    except (http.client.InvalidURL, UnicodeError) as error:
        raise Refusal(remote.url_at, f"this is no usable URL: {error}") from None
    except urllib.error.URLError as error:
        raise CannotRun(f"cannot download {remote.url}: {_said(error.reason)}") from None
    except (OSError, http.client.HTTPException) as error:
        raise CannotRun(f"cannot download {remote.url}: {_said(error)}") from None


def _reported(answer: http.client.HTTPResponse, name: str, report: Report) -> Iterator[bytes]:
    length = answer.headers.get("Content-Length", "")
    total = int(length) if length.isdecimal() else None
    done, is_first, due = 0, True, time.monotonic() + QUIET_SECONDS
    while chunk := answer.read1(CHUNK_BYTES):
        done += len(chunk)
        if time.monotonic() >= due:
            report(name, done, total, is_first=is_first)
            is_first, due = False, time.monotonic() + REPORT_SECONDS
        yield chunk
    if total is not None and done < total:
        raise http.client.IncompleteRead(b"", total - done)


def _said(error: object) -> str:
    if isinstance(error, http.client.IncompleteRead):
        return "the connection ended before the file did"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
