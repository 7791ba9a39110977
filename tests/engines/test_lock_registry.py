"""gen lock against the registry of the distribution project, on this machine."""

import base64
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("dxf")
requests = pytest.importorskip("requests")
trustme = pytest.importorskip("trustme")

from registry_server import Registry, push, push_index, serve  # noqa: E402  # needs dxf

from generator import image_lock  # noqa: E402  # stands with the rest
from generator.cli import main  # noqa: E402

pytestmark = pytest.mark.engine

# bcrypt of `secret`, the one method that the registry takes.
HTPASSWD = "ada:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n"
SPEC = """\
spec_version: 1
name: one
model:
  program: model.pt
  inputs: [{name: image, dtype: float32, shape: [N, 3, 32, 32]}]
  outputs: [{name: logits, dtype: float32, shape: [N, 2]}]
storage: {uri: "pvc://models"}
targets: {torchserve: {base_image: "HOST/acme/torchserve:0.12.0-cpu"}}
"""
REPOSITORY, TAG = "acme/torchserve", "0.12.0-cpu"


@pytest.fixture
def program(registry_program: Path) -> Path:
    return registry_program


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("generator.registry.asking.FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.pt").touch()
    return tmp_path


def write_spec(host: str) -> str:
    Path("spec.yaml").write_text(SPEC.replace("HOST", host))
    return f"{host}/{REPOSITORY}:{TAG}"


def locked() -> dict[str, str]:
    return dict(image_lock.read(Path(image_lock.NAME)).digests)


def of_registry(registry: Registry, repository: str, tag: str) -> str:
    """What the registry itself says, asked without our client."""
    answer = requests.head(
        f"{registry.url}/v2/{repository}/manifests/{tag}",
        headers={
            "Accept": "application/vnd.oci.image.index.v1+json, "
            "application/vnd.oci.image.manifest.v1+json"
        },
        auth=("ada", "secret"),
        verify=registry.ca or True,
        timeout=10,
    )
    answer.raise_for_status()
    return str(answer.headers["Docker-Content-Digest"])


@pytest.fixture
def certificate(home: Path) -> tuple[tuple[str, str], str]:
    """The files of a certificate and its key, and of the authority that nobody knows yet."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(home / "ca.pem"))
    issued.cert_chain_pems[0].write_to_path(str(home / "cert.pem"))
    issued.private_key_pem.write_to_path(str(home / "key.pem"))
    return (str(home / "cert.pem"), str(home / "key.pem")), str(home / "ca.pem")


def test_an_image_is_locked_and_rendered_by_the_digest_that_its_registry_has(
    program: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(program, home / "registry") as registry:
        image = write_spec(registry.host)
        pushed = push(registry, REPOSITORY, TAG)

        assert main(["lock", "spec.yaml", "--insecure-registry", registry.host]) == 0

        assert locked() == {image: pushed}
        assert pushed == of_registry(registry, REPOSITORY, TAG)
    assert main(["render", "spec.yaml"]) == 0
    text = Path("rendered/one/torchserve/manifests/servingruntime.yaml").read_text()
    assert f"image: {image}@{pushed}\n" in text


def test_of_an_image_for_several_platforms_the_index_is_locked(program: Path, home: Path) -> None:
    with serve(program, home / "registry") as registry:
        image = write_spec(registry.host)
        index, manifests = push_index(registry, REPOSITORY, TAG)

        assert main(["lock", "spec.yaml", "--insecure-registry", registry.host]) == 0

        assert of_registry(registry, REPOSITORY, TAG) == index
    assert locked() == {image: index}
    assert index not in manifests


def test_a_tag_that_has_moved_is_followed_by_update_alone(program: Path, home: Path) -> None:
    with serve(program, home / "registry") as registry:
        image = write_spec(registry.host)
        words = ["lock", "spec.yaml", "--insecure-registry", registry.host]
        first = push(registry, REPOSITORY, TAG)
        assert main(words) == 0
        second = push(registry, REPOSITORY, TAG, b'{"architecture": "amd64"}')

        assert main(words) == 0
        assert locked() == {image: first}
        assert main([*words, "--update"]) == 0
        assert locked() == {image: second}
    assert first != second


def test_an_image_that_was_not_pushed_is_told(
    program: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(program, home / "registry") as registry:
        write_spec(registry.host)

        assert main(["lock", "spec.yaml", "--insecure-registry", registry.host]) == 1

    told = capsys.readouterr().err
    assert told == f"gen: {registry.host} has no {REPOSITORY}:{TAG}: push it, and run this again\n"
    assert not Path(image_lock.NAME).exists()


def test_a_registry_without_tls_is_asked_so_on_request_only(
    program: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(program, home / "registry") as registry:
        write_spec(registry.host)

        assert main(["lock", "spec.yaml"]) == 2

    assert f"--insecure-registry {registry.host}" in capsys.readouterr().err


@pytest.mark.parametrize("way", ["--ca", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_an_own_authority_is_trusted_when_it_is_named(
    program: Path,
    home: Path,
    certificate: tuple[tuple[str, str], str],
    way: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pair, ca = certificate
    with serve(program, home / "registry", certificate=pair, ca=ca) as registry:
        image = write_spec(registry.host)
        pushed = push(registry, REPOSITORY, TAG)

        assert main(["lock", "spec.yaml"]) == 2
        assert "certificate verify failed" in capsys.readouterr().err
        if way == "--ca":
            assert main(["lock", "spec.yaml", "--ca", ca]) == 0
        else:
            monkeypatch.setenv(way, ca)
            assert main(["lock", "spec.yaml"]) == 0
    assert locked() == {image: pushed}


@contextmanager
def guarded(
    program: Path, home: Path, certificate: tuple[tuple[str, str], str]
) -> Iterator[Registry]:
    pair, ca = certificate
    with serve(program, home / "registry", certificate=pair, ca=ca, htpasswd=HTPASSWD) as registry:
        yield registry


def log_in(home: Path, host: str, pair: str) -> None:
    (home / ".docker").mkdir(exist_ok=True)
    auths = {host: {"auth": base64.b64encode(pair.encode()).decode()}}
    (home / ".docker" / "config.json").write_text(json.dumps({"auths": auths}))


def test_dockers_login_opens_a_registry_that_asks_for_one(
    program: Path, home: Path, certificate: tuple[tuple[str, str], str]
) -> None:
    with guarded(program, home, certificate) as registry:
        image = write_spec(registry.host)
        pushed = push(registry, REPOSITORY, TAG)
        log_in(home, registry.host, "ada:secret")

        assert main(["lock", "spec.yaml", "--ca", str(registry.ca)]) == 0

    assert locked() == {image: pushed}


@pytest.mark.parametrize("pair", [None, "ada:wrong-password"])
def test_a_login_that_is_missing_or_wrong_is_told(
    program: Path,
    home: Path,
    certificate: tuple[tuple[str, str], str],
    pair: str | None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with guarded(program, home, certificate) as registry:
        write_spec(registry.host)
        push(registry, REPOSITORY, TAG)
        if pair:
            log_in(home, registry.host, pair)

        assert main(["lock", "spec.yaml", "--ca", str(registry.ca)]) == 2

    told = capsys.readouterr().err
    assert f"does not show {REPOSITORY}" in told
    assert ("to ada" in told) == bool(pair)
    assert "wrong-password" not in told


def test_a_password_is_not_sent_without_tls(
    program: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(program, home / "registry", htpasswd=HTPASSWD) as registry:
        write_spec(registry.host)
        log_in(home, registry.host, "ada:secret")

        assert main(["lock", "spec.yaml", "--insecure-registry", registry.host]) == 2
        log = (home / "registry" / "server.log").read_text()

    assert "asks for a login, which is not sent without TLS" in capsys.readouterr().err
    assert "invalid authorization credential" in log  # of nobody
    assert "ada" not in log


def test_a_registry_that_is_down_is_told_once_for_all_of_its_images(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound, and not listening
        host = f"127.0.0.1:{held.getsockname()[1]}"
        write_spec(host)
        second = SPEC.replace("HOST", host).replace("name: one", "name: two")
        Path("two.yaml").write_text(second.replace("0.12.0", "0.11.0"))

        assert main(["lock", "spec.yaml", "two.yaml", "--timeout", "5"]) == 2

    told = capsys.readouterr().err
    assert told.count(f"gen: cannot reach {host}") == 1
    assert f"1 more image of {host} not asked for" in told


def test_a_registry_that_stays_silent_is_given_up(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with silent() as host:
        write_spec(host)

        assert main(["lock", "spec.yaml", "--timeout", "0.2"]) == 2

    assert f"gen: {host} does not answer within 0.2 s" in capsys.readouterr().err


@contextmanager
def silent() -> Iterator[str]:
    """A host that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        taken: list[socket.socket] = []

        def take() -> None:
            try:
                while True:
                    taken.append(listening.accept()[0])
            except OSError:
                return

        thread = threading.Thread(target=take)
        thread.start()
        try:
            yield f"127.0.0.1:{listening.getsockname()[1]}"
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in taken:
                connection.close()


def test_the_rest_is_written_where_one_image_is_not_there(program: Path, home: Path) -> None:
    with serve(program, home / "registry") as registry:
        image = write_spec(registry.host)
        pushed = push(registry, REPOSITORY, TAG)
        second = SPEC.replace("HOST", registry.host).replace("name: one", "name: two")
        Path("two.yaml").write_text(second.replace("0.12.0", "0.11.0"))

        words = ["lock", "spec.yaml", "two.yaml", "--insecure-registry", registry.host]
        assert main(words) == 1

    assert locked() == {image: pushed}
