"""The logins that docker, podman and skopeo have kept, for asking a registry as they would.

The files and their order are those of containers-auth.json(5) of containers/image; the entries and
the credential helpers' protocol are docker's: https://docs.docker.com/reference/cli/docker/login/
"""

import base64
import binascii
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from generator.diagnostics import CannotRun
from generator.images import DOCKER_HUB, Reference

HELPER_SECONDS = 30
_HELPER = "docker-credential-"
_HUBS_KEY = "https://index.docker.io/v1/"  # what docker login calls Docker Hub
_NOT_FOUND = "credentials not found in native keychain"  # docker-credential-helpers, errors.go
_IDENTITY = "<token>"  # the user of a helper that holds an identity token


Note = Callable[[str], None]  # receives one line for the user


@dataclass(frozen=True)
class Login:
    """A name and a password; `source` tells where they are from."""

    user: str
    password: str
    source: str

    def __repr__(self) -> str:
        return f"Login({self.user!r}, ..., {self.source!r})"


def login(image: Reference, note: Note = lambda line: None) -> Login | None:
    """The login for an image's repository, None where nobody has logged in.

    Raises CannotRun for a file or helper that is broken: to ask without would only be refused. A
    store for all registries that is not there may hold none for this one: that is a note.
    """
    for path in _files(os.environ):
        config = _config(path)
        if config and (found := _login(path, config, image, note)):
            return found
    return None


def _files(environment: Mapping[str, str]) -> Iterator[Path]:
    """The files that may hold logins; the first that has one counts."""
    if named := environment.get("REGISTRY_AUTH_FILE"):
        yield Path(named)
        return
    if runtime := environment.get("XDG_RUNTIME_DIR"):
        yield Path(runtime) / "containers" / "auth.json"
    home = Path.home()
    yield Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "containers" / "auth.json"
    yield Path(environment.get("DOCKER_CONFIG") or home / ".docker") / "config.json"


def _config(path: Path) -> Mapping[str, object] | None:
    try:
        config = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CannotRun(f"cannot read the logins in {path}: {error.strerror}") from None
    except ValueError:
        raise CannotRun(f"cannot read the logins in {path}: it is no JSON") from None
    if not isinstance(config, dict):
        raise CannotRun(f"cannot read the logins in {path}: it holds no map")
    return config


def _login(path: Path, config: Mapping[str, object], image: Reference, note: Note) -> Login | None:
    """The login of one file: of a helper for this registry, a written one, or the store's."""
    helpers = _part(config, "credHelpers")
    keys = list(_keys(image))
    for key in keys:
        if isinstance(helper := helpers.get(key), str) and (found := _of_helper(helper, key)):
            return found
    auths = _part(config, "auths")
    hosts = {host: entry for key, entry in auths.items() if (host := _host_of(key))}
    for key in keys:
        entry = auths.get(key) or hosts.get(key)
        if isinstance(entry, dict) and (found := _written(path, key, entry)):
            return found
    store = config.get("credsStore")
    if isinstance(store, str) and store:
        if shutil.which(program := f"{_HELPER}{store}") is None:
            note(f"{program} of {path} is not on the PATH: {image.host} is asked without a login")
            return None
        return _of_helper(store, _HUBS_KEY if image.host == DOCKER_HUB else image.host)
    return None


def _part(config: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = config.get(key)
    return cast(Mapping[str, object], value) if isinstance(value, dict) else {}


def _keys(image: Reference) -> Iterator[str]:
    """What an entry for an image may be called, the narrowest first: host/path, then its host."""
    parts = image.repository.split("/")
    for end in range(len(parts), 0, -1):
        yield "/".join((image.host, *parts[:end]))
    yield image.host
    if image.host == DOCKER_HUB:
        yield _HUBS_KEY


def _host_of(key: str) -> str | None:
    """The host that a key of docker's names: https://host/v1/ in older files.

    None for what is no login of a registry: docker login in a browser keeps tokens for itself
    under https://index.docker.io/v1/access-token and .../refresh-token.
    """
    found = _KEY.fullmatch(key)
    host = found and (found["host"] or found["of_address"])
    return DOCKER_HUB if host == f"index.{DOCKER_HUB}" else host


_KEY = re.compile(r"(?P<host>[^/]+)|https?://(?P<of_address>[^/]+)(?:/v[12])?/?")


def _written(path: Path, key: str, entry: Mapping[str, object]) -> Login | None:
    if entry.get("identitytoken"):
        raise CannotRun(f"{path}: the login for {key} is an identity token, which gen cannot use")
    encoded = entry.get("auth")
    if not encoded:
        return None  # the mark that a store has it
    try:
        text = base64.b64decode(str(encoded), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        text = ""
    user, colon, password = text.partition(":")
    if not colon:
        raise CannotRun(f"{path}: the login for {key} is not base64 of a name and a password")
    return Login(user, password.rstrip("\0"), str(path))


def _of_helper(name: str, server: str) -> Login | None:
    """What docker-credential-NAME tells of a server; raises CannotRun where it fails."""
    program = f"{_HELPER}{name}"
    try:
        done = subprocess.run(
            [program, "get"], input=server, capture_output=True, text=True, timeout=HELPER_SECONDS
        )
    except FileNotFoundError:
        raise CannotRun(f"{program} is not on the PATH, and holds the login for {server}") from None
    except OSError as error:
        raise CannotRun(f"cannot run {program}: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise CannotRun(f"{program} says nothing for {HELPER_SECONDS} s") from None
    except UnicodeDecodeError:
        raise CannotRun(f"{program} answers what is no UTF-8") from None
    said = (done.stdout + done.stderr).strip()
    if done.returncode:
        if _NOT_FOUND in said:
            return None
        # Its answer is not shown whole: on success it would be a password.
        raise CannotRun(f"{program} fails for {server}: {said.splitlines()[0] if said else ''}")
    try:
        answer = json.loads(done.stdout)
        user, password = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError):
        raise CannotRun(f"{program} answers for {server} with no Username and Secret") from None
    if user == _IDENTITY:
        raise CannotRun(f"{program} has an identity token for {server}, which gen cannot use")
    return Login(user, password, program) if user or password else None
