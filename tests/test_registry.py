"""How registries are asked, by what the real one on this machine cannot do; and kept logins.

What it can do is in tests/engines/test_lock_registry.py.
"""

import base64
import hashlib
import json
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

pytest.importorskip("dxf")
trustme = pytest.importorskip("trustme")

from generator.diagnostics import CannotRun  # noqa: E402  # needs nothing, stands with the rest
from generator.images import Reference  # noqa: E402
from generator.registry import asking, logins  # noqa: E402  # needs dxf
from generator.registry.asking import NotThere, Refused, Settings, Unreachable  # noqa: E402

DIGEST = f"sha256:{'a' * 64}"
Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Fake:
    """A registry of one answer a request; `seen` are the requests, with their Authorization."""

    answer: Callable[["Fake", str, str, str], Answer]
    host: str = ""
    ca: str = ""
    seen: list[tuple[str, str, str]] = field(default_factory=list)


@contextmanager
def serving(folder: Path, answer: Callable[[Fake, str, str, str], Answer]) -> Iterator[Fake]:
    fake = Fake(answer)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = self.headers.get("Authorization", "")
            fake.seen.append((self.command, self.path, said))
            status, headers, body = fake.answer(fake, self.command, self.path, said)
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815  # as http.server has it

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    fake.host, fake.ca = f"localhost:{server.server_port}", str(folder / "ca.pem")
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("NETRC", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@dataclass
class Asked:
    """What came of asking: the waits between, and what was reported."""

    waits: list[float] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def digest(self, fake: Fake, repository: str = "acme/model") -> str:
        settings = Settings(5, fake.ca, wait=self.waits.append, report=self.lines.append)
        return asking.digest(Reference(fake.host, repository, "1.0"), settings)


FOUND: Answer = (200, {"Docker-Content-Digest": DIGEST}, b"")


def in_turn(*answers: Answer) -> Callable[[Fake, str, str, str], Answer]:
    left = list(answers)
    return lambda fake, *request: left.pop(0) if len(left) > 1 else left[0]


def test_a_busy_registry_is_asked_again_when_it_says(home: Path) -> None:
    busy = (429, {"Retry-After": "7"}, b"")
    asked = Asked()

    with serving(home, in_turn(busy, FOUND)) as fake:
        assert asked.digest(fake) == DIGEST

    assert asked.waits == [7]
    assert asked.lines == [f"{fake.host} answers 429; asking again in 7 s"]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_registry_that_stays_busy_is_given_up(home: Path, status: int) -> None:
    asked = Asked()

    with serving(home, lambda *_: (status, {}, b"")) as fake, pytest.raises(Unreachable) as raised:
        asked.digest(fake)

    assert str(raised.value) == f"{fake.host} answers {status}"
    assert asked.waits == [1, 2]
    assert len(fake.seen) == 3


@pytest.mark.parametrize("told", ["Wed, 21 Oct 2015 07:28:00 GMT", "soon", "-5"])
def test_a_wait_that_is_over_or_no_wait_is_our_own(home: Path, told: str) -> None:
    asked = Asked()

    with serving(home, in_turn((429, {"Retry-After": told}, b""), FOUND)) as fake:
        asked.digest(fake)

    assert asked.waits == [1]


def test_nobody_waits_for_an_hour(home: Path) -> None:
    asked = Asked()

    with serving(home, in_turn((503, {"Retry-After": "3600"}, b""), FOUND)) as fake:
        asked.digest(fake)

    assert asked.waits == [60]


def with_tokens(fake: Fake, _method: str, path: str, said: str) -> Answer:
    """A registry that sends clients for a token: ada's password gets one for what she asks."""
    url = urlsplit(path)
    if url.path == "/token":
        [scope] = parse_qs(url.query)["scope"]
        known = said == "Basic " + base64.b64encode(b"ada:secret").decode()
        is_public = scope == "repository:public/model:pull"
        if said and not known:
            return 401, {}, b""
        token = "good" if known or is_public else "anonymous"
        return 200, {}, json.dumps({"token": token}).encode()
    if said == "Bearer good":
        return 200, {"Docker-Content-Digest": DIGEST}, b""
    challenge = f'Bearer realm="https://{fake.host}/token",service="models"'
    return 401, {"WWW-Authenticate": challenge}, b""


def logged_in(home: Path, host: str, pair: str = "ada:secret") -> None:
    config = {"auths": {host: {"auth": base64.b64encode(pair.encode()).decode()}}}
    (home / ".docker").mkdir(exist_ok=True)
    (home / ".docker" / "config.json").write_text(json.dumps(config))


def test_a_token_is_fetched_without_a_login_for_what_is_public(home: Path) -> None:
    with serving(home, with_tokens) as fake:
        assert Asked().digest(fake, "public/model") == DIGEST


def test_a_token_is_fetched_with_the_login(home: Path) -> None:
    with serving(home, with_tokens) as fake:
        logged_in(home, fake.host)
        assert Asked().digest(fake) == DIGEST

    assert "scope=repository%3Aacme%2Fmodel%3Apull" in fake.seen[1][1]


def test_a_netrc_is_not_read(home: Path) -> None:
    (home / ".netrc").write_text("machine localhost login eve password other\n")
    (home / ".netrc").chmod(0o600)

    with serving(home, with_tokens) as fake:
        logged_in(home, fake.host)
        assert Asked().digest(fake) == DIGEST

    assert "NETRC" not in os.environ


def test_without_a_login_the_way_to_one_is_told(home: Path) -> None:
    with serving(home, with_tokens) as fake, pytest.raises(Refused) as raised:
        Asked().digest(fake)

    assert f"docker login {fake.host}" in str(raised.value)


def test_a_wrong_password_is_told_with_its_file_and_not_shown(home: Path) -> None:
    with serving(home, with_tokens) as fake:
        logged_in(home, fake.host, "ada:wrong-password")
        with pytest.raises(Refused) as raised:
            Asked().digest(fake)

    assert "to ada" in str(raised.value)
    assert "config.json" in str(raised.value)
    assert "wrong-password" not in str(raised.value)


def test_a_registry_that_sends_no_digest_has_its_manifest_hashed(home: Path) -> None:
    with serving(home, lambda *_: (200, {}, MANIFEST)) as fake:
        assert Asked().digest(fake) == f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"


def test_a_registry_that_knows_no_head_is_asked_for_the_manifest(home: Path) -> None:
    def answer(_fake: Fake, method: str, _path: str, _said: str) -> Answer:
        return (405, {}, b"") if method == "HEAD" else (200, {}, MANIFEST)

    with serving(home, answer) as fake:
        assert Asked().digest(fake) == f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"


MANIFEST = b'{"schemaVersion": 2, "manifests": []}'


@pytest.mark.parametrize(
    "page",
    [
        b"<html>log in</html>",
        b"{}",
        b"[]",
        b"",
        b'{"schemaVersion": 2}',
        b'{"schemaVersion": 1, "manifests": []}',
    ],
)
def test_the_page_of_a_proxy_is_no_manifest(home: Path, page: bytes) -> None:
    with serving(home, lambda *_: (200, {}, page)) as fake, pytest.raises(Unreachable) as raised:
        Asked().digest(fake)

    assert "answers what is no manifest of an image" in str(raised.value)


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        ((404, {}, b""), NotThere, "has no acme/model:1.0"),
        ((403, {}, b""), Refused, "forbids to see acme/model"),
        ((401, {}, b""), Unreachable, "answers what no registry does"),
        ((418, {}, b""), Unreachable, "answers 418"),
        ((200, {"Docker-Content-Digest": "md5:1"}, b""), Unreachable, "answers `md5:1`"),
        ((302, {"Location": "/v2/"}, b""), Unreachable, "redirects"),
    ],
)
def test_an_answer_that_helps_nobody_is_told(
    home: Path, answer: Answer, error: type[Exception], message: str
) -> None:
    with serving(home, lambda *_: answer) as fake, pytest.raises(error) as raised:
        Asked().digest(fake)

    assert message in str(raised.value)


def test_a_token_service_that_answers_nonsense_is_told(home: Path) -> None:
    def nonsense(fake: Fake, _method: str, path: str, _said: str) -> Answer:
        if path.startswith("/token"):
            return 200, {}, b"<html>"
        return 401, {"WWW-Authenticate": f'Bearer realm="https://{fake.host}/token"'}, b""

    with serving(home, nonsense) as fake, pytest.raises(Unreachable):
        Asked().digest(fake)


def test_a_redirect_is_followed_and_the_password_stays_behind(home: Path) -> None:
    with serving(home, in_turn(FOUND)) as other:
        trusted = Path(other.ca).read_text()

        def elsewhere(_fake: Fake, _method: str, path: str, said: str) -> Answer:
            if not said:
                return 401, {"WWW-Authenticate": 'Basic realm="models"'}, b""
            return 307, {"Location": f"https://{other.host}{path}"}, b""

        with serving(home, elsewhere) as fake:
            logged_in(home, fake.host)
            both = replace(fake, ca=str(home / "both.pem"))
            Path(both.ca).write_text(trusted + Path(fake.ca).read_text())
            assert Asked().digest(both) == DIGEST

    assert [said for _, _, said in other.seen] == [""]


IMAGE = Reference("quay.example", "acme/model", "1")


def test_no_file_means_no_login() -> None:
    assert logins.login(IMAGE) is None


@pytest.mark.parametrize(
    ("keys", "user"),
    [
        (["quay.example"], "0"),
        (["https://quay.example/v1/"], "0"),
        (["quay.example", "quay.example/acme"], "1"),
        (["quay.example/acme/model", "quay.example/acme"], "0"),
        (["quay.example/other"], None),
        (["other.example", "quay"], None),
    ],
)
def test_the_narrowest_entry_counts(home: Path, keys: list[str], user: str | None) -> None:
    auths = {
        key: {"auth": base64.b64encode(f"{number}:x".encode()).decode()}
        for number, key in enumerate(keys)
    }
    (home / ".docker").mkdir()
    (home / ".docker" / "config.json").write_text(json.dumps({"auths": auths}))

    found = logins.login(IMAGE)

    assert (found and found.user) == user


def test_the_tokens_that_docker_keeps_for_itself_are_sent_nowhere(home: Path) -> None:
    hub = "https://index.docker.io/v1/"
    names = {"": "ada", "access-token": "access", "refresh-token": "refresh"}
    auths = {
        f"{hub}{key}": {"auth": base64.b64encode(f"{user}:x".encode()).decode()}
        for key, user in names.items()
    }
    (home / ".docker").mkdir()
    (home / ".docker" / "config.json").write_text(json.dumps({"auths": auths}))
    image = Reference("docker.io", "acme/model", "1")

    found = logins.login(image)
    assert found
    assert found.user == "ada"

    del auths[hub]
    (home / ".docker" / "config.json").write_text(json.dumps({"auths": auths}))
    assert logins.login(image) is None


def test_docker_hub_has_dockers_key(home: Path) -> None:
    logged_in(home, "https://index.docker.io/v1/")

    found = logins.login(Reference("docker.io", "acme/model", "1"))

    assert found
    assert (found.user, found.password) == ("ada", "secret")
    assert "secret" not in repr(found)


@pytest.mark.parametrize("variable", ["REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"])
def test_podmans_file_comes_first(
    home: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    logged_in(home, IMAGE.host, "docker:x")
    path = home / "other" / "containers" / "auth.json"
    path.parent.mkdir(parents=True)
    auth = base64.b64encode(b"podman:x").decode()
    path.write_text(json.dumps({"auths": {IMAGE.host: {"auth": auth}}}))
    named = path if variable == "REGISTRY_AUTH_FILE" else home / "other"
    monkeypatch.setenv(variable, str(named))

    found = logins.login(IMAGE)

    assert found
    assert found.user == "podman"


def helper(home: Path, monkeypatch: pytest.MonkeyPatch, text: str, key: str) -> None:
    program = home / "bin" / "docker-credential-vault"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    store = {"credsStore": "vault"} if key == "credsStore" else {key: {IMAGE.host: "vault"}}
    (home / ".docker").mkdir()
    (home / ".docker" / "config.json").write_text(json.dumps({"auths": {IMAGE.host: {}}} | store))


@pytest.mark.parametrize("key", ["credsStore", "credHelpers"])
def test_a_helper_is_asked_for_the_host(
    home: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    answer = 'read host; echo "{\\"Username\\": \\"$1 $host\\", \\"Secret\\": \\"x\\"}"'
    helper(home, monkeypatch, answer, key)

    found = logins.login(IMAGE)

    assert found
    assert found.user == f"get {IMAGE.host}"


def test_a_helper_that_knows_nothing_is_no_failure(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "echo credentials not found in native keychain; exit 1"
    helper(home, monkeypatch, text, "credsStore")

    assert logins.login(IMAGE) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("echo the vault is sealed >&2; exit 1", "the vault is sealed"),
        ("echo '[]'", "no Username and Secret"),
        ('echo \'{"Username": "<token>", "Secret": "hidden"}\'', "identity token"),
        ("printf '\\377'", "no UTF-8"),
    ],
)
def test_a_helper_that_fails_is_told(
    home: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    helper(home, monkeypatch, text, "credHelpers")

    with pytest.raises(CannotRun) as raised:
        logins.login(IMAGE)

    assert message in str(raised.value)
    assert "hidden" not in str(raised.value)


def test_a_helper_that_is_not_installed_is_told(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper(home, monkeypatch, "", "credHelpers")
    monkeypatch.setenv("PATH", str(home))

    with pytest.raises(CannotRun, match="docker-credential-vault is not on the PATH"):
        logins.login(IMAGE)


def test_a_store_that_is_not_installed_may_hold_no_login(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper(home, monkeypatch, "", "credsStore")
    monkeypatch.setenv("PATH", str(home))
    noted: list[str] = []

    assert logins.login(IMAGE, noted.append) is None

    [note] = noted
    assert note.startswith("docker-credential-vault of ")
    assert note.endswith(f"is not on the PATH: {IMAGE.host} is asked without a login")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "it is no JSON"),
        ("[]", "it holds no map"),
        ('{"auths": {"quay.example": {"auth": "!"}}}', "not base64"),
        ('{"auths": {"quay.example": {"auth": "YWRh"}}}', "not base64 of a name and a password"),
        ('{"auths": {"quay.example": {"identitytoken": "hidden"}}}', "identity token"),
    ],
)
def test_a_broken_file_is_told_by_its_name(home: Path, text: str, message: str) -> None:
    (home / ".docker").mkdir()
    (home / ".docker" / "config.json").write_text(text)

    with pytest.raises(CannotRun) as raised:
        logins.login(IMAGE)

    assert "config.json" in str(raised.value)
    assert message in str(raised.value)
    assert "hidden" not in str(raised.value)
