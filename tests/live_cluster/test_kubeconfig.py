"""Which cluster is asked, and as whom: kubectl's conventions."""

import base64
import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from api_server import ApiServer
from ran import Ran
from setting import Object, kubeconfig_of, named

from generator.diagnostics import CannotRun
from generator.live_cluster import kubeconfig as kubeconfigs
from generator.live_cluster.kubeconfig import access

Cluster = Callable[..., Ran]
VERSION = "client.authentication.k8s.io/v1"


def config(current: str = "", **clusters: str) -> str:
    """A kubeconfig with a context, a cluster and a user of each name."""
    return yaml.safe_dump(
        {
            "current-context": current,
            "clusters": [{"name": n, "cluster": {"server": s}} for n, s in clusters.items()],
            "users": [{"name": n, "user": {"token": n}} for n in clusters],
            "contexts": [{"name": n, "context": {"cluster": n, "user": n}} for n in clusters],
        }
    )


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Writes kubeconfigs and names them in KUBECONFIG, with one before them that is not there."""

    def write(*texts: str) -> None:
        paths = [tmp_path / f"config{n}" for n, _ in enumerate(texts)]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text, encoding="utf-8")
        monkeypatch.setenv("KUBECONFIG", ":".join(map(str, [tmp_path / "absent", *paths])))

    return write


def test_of_several_files_the_first_to_say_something_wins(files: Callable[..., None]) -> None:
    files(config("b", a="https://a1"), config("a", a="https://a2", b="https://b2"))

    assert access().cluster["server"] == "https://b2"
    assert access(context="a").cluster["server"] == "https://a1"


def test_a_file_may_be_empty(files: Callable[..., None]) -> None:
    files("", config("a", a="https://a"))

    assert access().name == "a"


@pytest.mark.parametrize(
    ("text", "context", "told"),
    [
        (config("", a="https://a"), None, "no current context; name one with --context .known: a"),
        (config("a", a="https://a"), "b", "no context b; known: a"),
        (config("a", a=""), None, "no server of cluster a"),
        ("[1, 2]", None, "is no map"),
        ("a: 1\nb: [", None, "config0:2 is no YAML: "),
        ("clusters: 3", None, "no cluster is known"),
    ],
)
def test_what_does_not_name_a_cluster_is_told(
    files: Callable[..., None], text: str, context: str | None, told: str
) -> None:
    files(text)

    with pytest.raises(CannotRun, match=told):
        access(context=context)


def test_a_file_on_the_command_line_has_to_be_there() -> None:
    with pytest.raises(CannotRun, match="there is no kubeconfig nowhere"):
        access("nowhere")


def test_paths_are_relative_to_their_file(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    held = yaml.safe_load(config("a", a="https://a"))
    held["clusters"][0]["cluster"]["certificate-authority"] = "ca.crt"
    held["users"][0]["user"] = {"exec": {"command": "./bin/login", "apiVersion": VERSION}}
    (folder / "config").write_text(yaml.safe_dump(held), encoding="utf-8")

    found = access(str(folder / "config"))

    assert found.cluster["certificate-authority"] == str(folder / "ca.crt")
    plugin = found.user["exec"]
    assert isinstance(plugin, dict)
    assert plugin["command"] == str(folder / "bin/login")


def test_a_removed_provider_is_named(files: Callable[..., None]) -> None:
    held = yaml.safe_load(config("a", a="https://a"))
    held["users"][0]["user"] = {"auth-provider": {"name": "gcp"}}
    files(yaml.safe_dump(held))

    with pytest.raises(CannotRun, match="auth-provider gcp is no longer supported"):
        access()


def plugin_of(folder: Path, answer: Object | str, status: int = 0) -> Object:
    """A user whose credentials come from a program that prints an answer."""
    said = answer if isinstance(answer, str) else json.dumps(answer)
    (folder / "answer.json").write_text(said, encoding="utf-8")
    program = folder / "login"
    program.write_text(
        "#!/bin/sh\n"
        f'printf %s "$KUBERNETES_EXEC_INFO" > "{folder}/info.json"\n'
        'echo "$GREETING" >&2\n'
        f'echo x >> "{folder}/calls"\n'
        f'cat "{folder}/answer.json"; exit {status}\n',
        encoding="utf-8",
    )
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    environment = [{"name": "GREETING", "value": "ask an administrator"}]
    plugin = {"command": str(program), "apiVersion": VERSION, "env": environment}
    return {"exec": {**plugin, "interactiveMode": "IfAvailable", "provideClusterInfo": True}}


def credential(**status: str) -> Object:
    return {"apiVersion": VERSION, "kind": "ExecCredential", "status": status}


def test_a_plugin_gives_the_token(api: ApiServer, cluster: Cluster, tmp_path: Path) -> None:
    kubeconfig_of(api, tmp_path, plugin_of(tmp_path, credential(token="good-token")))

    assert cluster("check").status == 0

    info = json.loads((tmp_path / "info.json").read_text(encoding="utf-8"))
    authority = base64.b64encode(api.authority.cert_pem.bytes()).decode()
    told = {"server": api.url, "certificate-authority-data": authority}
    assert info["spec"] == {"interactive": False, "cluster": told}
    assert (tmp_path / "calls").read_text() == "x\n"


def test_a_plugin_is_asked_again_when_its_token_has_expired(
    api: ApiServer, cluster: Cluster, tmp_path: Path
) -> None:
    kubeconfig_of(api, tmp_path, plugin_of(tmp_path, credential(token="old-token")))

    ran = cluster("check")

    assert ran.status == 2
    assert (tmp_path / "calls").read_text() == "x\nx\n"


@pytest.mark.parametrize(
    ("answer", "status", "told"),
    [
        ("", 3, "failed with status 3: ask an administrator"),
        ("not json", 0, "is no ExecCredential"),
        (credential(), 0, "neither a token nor a certificate"),
        ({**credential(token="t"), "apiVersion": "v9"}, 0, f"has apiVersion v9, not {VERSION}"),
    ],
)
def test_a_plugin_that_fails_says_why(
    api: ApiServer, cluster: Cluster, tmp_path: Path, answer: Object | str, status: int, told: str
) -> None:
    kubeconfig_of(api, tmp_path, plugin_of(tmp_path, answer, status))

    ran = cluster("check")

    assert ran.status == 2
    assert told in ran.err


def test_a_plugin_that_is_not_installed_is_told_with_its_hint(
    api: ApiServer, cluster: Cluster, tmp_path: Path
) -> None:
    plugin = {"command": "no-such-login", "apiVersion": VERSION, "installHint": "get it from us"}
    kubeconfig_of(api, tmp_path, {"exec": plugin})

    ran = cluster("check")

    assert ran.status == 2
    assert "exec plugin no-such-login of the kubeconfig is not there: get it from us" in ran.err


def test_a_plugin_gets_nothing_of_standard_input(
    api: ApiServer, cluster: Cluster, tmp_path: Path
) -> None:
    user = plugin_of(tmp_path, credential(token="good-token"))
    user["exec"]["interactiveMode"] = "Always"
    kubeconfig_of(api, tmp_path, user)

    ran = cluster("check")

    assert ran.status == 2
    assert "wants a terminal, and standard input is none" in ran.err


@pytest.fixture
def tls_api() -> Iterator[ApiServer]:
    """A cluster that knows its users by their certificates."""
    server = ApiServer(with_client_certificates=True)
    server.tokens = set()
    server.add(named("Namespace", "models"))
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize("form", ["file", "data", "plugin"])
def test_a_client_certificate_is_shown(
    tls_api: ApiServer, cluster: Cluster, tmp_path: Path, form: str
) -> None:
    issued = tls_api.authority.issue_cert("ci@example.org")
    certificate = issued.cert_chain_pems[0].bytes()
    key = issued.private_key_pem.bytes()
    (tmp_path / "ci.crt").write_bytes(certificate)
    (tmp_path / "ci.key").write_bytes(key)
    names = {"clientCertificateData": certificate.decode(), "clientKeyData": key.decode()}
    user = {
        "file": {"client-certificate": "ci.crt", "client-key": "ci.key"},
        "data": {
            "client-certificate-data": base64.b64encode(certificate).decode(),
            "client-key-data": base64.b64encode(key).decode(),
        },
        "plugin": plugin_of(tmp_path, credential(**names)),
    }[form]
    kubeconfig_of(tls_api, tmp_path, user)

    ran = cluster("check")

    assert ran.status in (0, 1)
    assert "ok" in ran.out


def test_the_name_in_the_certificate_can_be_another(
    api: ApiServer, cluster: Cluster, tmp_path: Path
) -> None:
    file = kubeconfig_of(api, tmp_path)
    held = yaml.safe_load(file.read_text())
    held["clusters"][0]["cluster"]["tls-server-name"] = "api.example.org"
    file.write_text(yaml.safe_dump(held))
    assert cluster("check").status == 0

    held["clusters"][0]["cluster"]["tls-server-name"] = "other.example.org"
    file.write_text(yaml.safe_dump(held))
    ran = cluster("check")
    assert ran.status == 2
    assert "no trusted connection" in ran.err


def test_a_token_file_wins_and_is_stripped(
    api: ApiServer, cluster: Cluster, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("good-token\n", encoding="utf-8")
    kubeconfig_of(api, tmp_path, {"token": "old-token", "tokenFile": "token"})

    assert cluster("check").status == 0


def test_impersonation_is_passed_on(api: ApiServer, cluster: Cluster, tmp_path: Path) -> None:
    user = {"token": "good-token", "as": "deployer", "as-groups": ["a", "b"]}
    kubeconfig_of(api, tmp_path, user)

    cluster("check")

    assert {request.headers["impersonate-user"] for request in api.requests} == {"deployer"}


def test_inside_a_cluster_the_service_account_is_used(
    api: ApiServer, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, port = api.url.removeprefix("https://").split(":")
    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    monkeypatch.setattr(kubeconfigs, "SERVICE_ACCOUNT", tmp_path / "account")
    ran = cluster("check")
    assert ran.status == 2
    assert "this pod has no service account token" in ran.err

    (tmp_path / "account").mkdir()
    (tmp_path / "account" / "token").write_text("good-token", encoding="utf-8")
    (tmp_path / "account" / "namespace").write_text("models", encoding="utf-8")
    api.authority.cert_pem.write_to_path(str(tmp_path / "account" / "ca.crt"))
    assert access().namespace == "models"
    assert cluster("check").status == 0


@pytest.mark.parametrize(
    "user",
    [
        {"client-certificate": "absent.crt", "client-key": "absent.key"},
        {"client-certificate-data": "!", "client-key-data": "?"},
        {"tokenFile": "absent"},
        {"exec": {"command": 3}},
        {"exec": []},
        {"token": ["a"]},
    ],
)
def test_credentials_that_cannot_be_read_are_told(
    api: ApiServer, cluster: Cluster, tmp_path: Path, user: Object
) -> None:
    kubeconfig_of(api, tmp_path, user)

    ran = cluster("check")

    assert ran.status == 2
    assert "Traceback" not in ran.err


def test_a_token_file_that_is_no_text_is_told(
    api: ApiServer, cluster: Cluster, tmp_path: Path
) -> None:
    (tmp_path / "token").write_bytes(b"\xff")
    kubeconfig_of(api, tmp_path, {"tokenFile": "token"})

    ran = cluster("check")

    assert ran.status == 2
    assert "is no text" in ran.err


@pytest.mark.parametrize(
    "entry", [{"proxy-url": "gopher://proxy.example.org"}, {"server": "https://[::1"}]
)
def test_addresses_that_cannot_be_used_are_told(
    api: ApiServer, cluster: Cluster, tmp_path: Path, entry: Object
) -> None:
    file = kubeconfig_of(api, tmp_path)
    config = yaml.safe_load(file.read_text(encoding="utf-8"))
    config["clusters"][0]["cluster"] |= entry
    file.write_text(yaml.safe_dump(config), encoding="utf-8")

    ran = cluster("check")

    assert ran.status == 2
    assert "cannot be used" in ran.err


def test_a_plugin_has_no_longer_than_an_answer(
    api: ApiServer, cluster: Cluster, tmp_path: Path
) -> None:
    plugin = {"command": "sleep", "args": ["60"], "apiVersion": VERSION}
    kubeconfig_of(api, tmp_path, {"exec": plugin})

    ran = cluster("check", "--request-timeout", "1s")

    assert ran.status == 2
    assert "exec plugin sleep has not answered in 1 s" in ran.err


@pytest.mark.parametrize("name", ["client-certificate-data", "client-key-data"])
def test_what_is_no_base64_is_named(
    api: ApiServer, cluster: Cluster, tmp_path: Path, name: str
) -> None:
    kubeconfig_of(api, tmp_path, {name: "abc"})

    ran = cluster("check")

    assert ran.status == 2
    assert f"{name} is no base64" in ran.err


def test_an_authority_that_is_no_base64_is_named(
    api: ApiServer, cluster: Cluster, tmp_path: Path
) -> None:
    file = kubeconfig_of(api, tmp_path)
    held = yaml.safe_load(file.read_text(encoding="utf-8"))
    held["clusters"][0]["cluster"]["certificate-authority-data"] = "abc"
    file.write_text(yaml.safe_dump(held), encoding="utf-8")

    assert "certificate-authority-data is no base64: Incorrect padding" in cluster("check").err


@pytest.mark.parametrize("text", ["when: 2026-13-45", "a: " + "[" * 5000])
def test_a_file_that_yaml_cannot_make_values_of_is_told(
    files: Callable[..., None], text: str
) -> None:
    files(text)

    with pytest.raises(CannotRun, match="is no YAML"):
        access()
