"""What a connection makes of servers that refuse, wait, break off, or are no API servers."""

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from api_server import ApiServer, Reply, Request, failure
from ran import Ran
from setting import kubeconfig_of

from generator.live_cluster import connection as connections
from generator.live_cluster.connection import Connection, Unanswered, WouldWrite, refuse_writes
from generator.live_cluster.kubeconfig import Access, access
from generator.live_cluster.refusal import Refused

Cluster = Callable[..., Ran]
ISVC = "/apis/serving.kserve.io/v1beta1/namespaces/models/inferenceservices/digits"


@pytest.fixture
def connection(kubeconfig: Path) -> Connection:
    """A connection that does not really wait."""
    return Connection(access(), 5, sleep=lambda _seconds: None)


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("PATCH", ISVC, {}),
        ("PATCH", ISVC, {"dryRun": "None"}),
        ("PATCH", ISVC, {"dryrun": "All"}),
        ("POST", ISVC, {}),
        ("POST", ISVC, {"dryRun": "All"}),
        ("PUT", ISVC, {"dryRun": "All"}),
        ("DELETE", ISVC, {}),
        ("DELETE", ISVC, {"dryRun": "All"}),
        ("POST", "/api/v1/namespaces/models/pods/x/eviction", {}),
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews/../../v1/secrets", {}),
    ],
)
def test_what_would_write_is_not_sent(method: str, path: str, query: dict[str, str]) -> None:
    with pytest.raises(WouldWrite):
        refuse_writes(method, path, query)


def test_the_guard_stands_before_the_network(connection: Connection, api: ApiServer) -> None:
    with pytest.raises(WouldWrite):
        connection.review(ISVC, {})

    assert api.requests == []


def first(*replies: Reply) -> Callable[[Request], Reply | None]:
    """These answers to the first requests, whatever they are."""
    waiting = list(replies)
    return lambda _request: waiting.pop(0) if waiting else None


TOO_MANY = Reply(
    429,
    b"Too many requests, please try again later.\n",
    {
        "Retry-After": "1",
        "Content-Type": "text/plain; charset=utf-8",
        "X-Kubernetes-PF-FlowSchema-UID": "f0",
        "X-Kubernetes-PF-PriorityLevel-UID": "p0",
    },
)


def test_a_throttling_server_is_asked_again_when_it_says(api: ApiServer, kubeconfig: Path) -> None:
    waited: list[float] = []
    api.faults.append(first(TOO_MANY, TOO_MANY))

    answer = Connection(access(), 5, sleep=waited.append).get("/version")

    assert answer.body["gitVersion"] == "v1.37.1"
    assert waited == [1, 1]


def test_a_server_that_throttles_for_ever_is_given_up(
    api: ApiServer, connection: Connection
) -> None:
    api.faults.append(lambda _request: TOO_MANY)

    with pytest.raises(Refused, match="Too many requests"):
        connection.get("/version")

    assert len(api.requests) == connections.MOST_TRIES


def test_a_long_wait_is_cut(api: ApiServer, kubeconfig: Path) -> None:
    waited: list[float] = []
    api.faults.append(first(Reply(503, b"", {"Retry-After": "86400"})))

    Connection(access(), 5, sleep=waited.append).get("/version")

    assert waited == [connections.LONGEST_WAIT_SECONDS]


LOGIN = Reply(200, b"<html><body>Sign in</body></html>", {"Content-Type": "text/html"})
ELSEWHERE = Reply(302, b"", {"Location": "https://login.example.org/", "Content-Type": "text/html"})


@pytest.mark.parametrize("reply", [LOGIN, ELSEWHERE, Reply(200, b"[]"), Reply(200, b'{"a": ')])
def test_what_is_no_api_server_is_recognised(
    api: ApiServer, cluster: Cluster, reply: Reply
) -> None:
    api.faults.append(lambda _request: reply)

    ran = cluster("check")

    assert ran.status == 2
    assert "not as a Kubernetes API does" in ran.err
    assert "Traceback" not in ran.err


def test_a_redirect_is_not_followed_with_the_token(api: ApiServer, connection: Connection) -> None:
    api.faults.append(first(Reply(307, b"", {"Location": f"{api.url}/elsewhere"})))

    with pytest.raises(Unanswered):
        connection.get("/version")

    assert [request.path for request in api.requests] == ["/version"]


def test_an_endless_answer_is_cut(
    api: ApiServer, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MOST_BYTES", 1 << 20)
    api.faults.append(lambda _request: Reply(200, b'{"a": "' + b"x" * (2 << 20) + b'"}'))

    with pytest.raises(Unanswered, match="larger than 1 MiB"):
        connection.get("/version")


def test_control_characters_of_a_server_do_not_reach_the_terminal(
    api: ApiServer, cluster: Cluster
) -> None:
    message = "admission webhook denied the request: \x1b[2J\x07\nroot"
    api.faults.append(
        lambda r: failure(400, "BadRequest", message) if r.method == "PATCH" else None
    )

    ran = cluster("check")

    assert ran.status == 1
    assert "\x1b" not in ran.out
    assert r"\x1b[2J\x07\nroot" in ran.out


def test_credentials_that_are_not_accepted_are_told(api: ApiServer, cluster: Cluster) -> None:
    api.tokens = set()

    ran = cluster("check")

    assert ran.status == 2
    assert "does not accept the credentials of ci (context here)" in ran.err
    assert "good-token" not in ran.err


def test_a_server_that_is_not_there_is_told(
    tmp_path: Path, cluster: Cluster, api: ApiServer
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"https://127.0.0.1:{free.getsockname()[1]}"
    file = kubeconfig_of(api, tmp_path)
    file.write_text(file.read_text().replace(api.url, address))

    ran = cluster("check")

    assert ran.status == 2
    assert f"{address} cannot be reached: Connection refused" in ran.err


def test_a_server_that_says_nothing_is_given_up(
    api: ApiServer, cluster: Cluster, tmp_path: Path
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        file = kubeconfig_of(api, tmp_path)
        address = f"https://127.0.0.1:{silent.getsockname()[1]}"
        file.write_text(file.read_text().replace(api.url, address))

        ran = cluster("check", "--request-timeout", "1s")

    assert ran.status == 2
    assert "has not answered in 1 s" in ran.err


def test_a_certificate_of_another_authority_is_not_trusted(
    cluster: Cluster, tmp_path: Path
) -> None:
    ApiServer().authority.cert_pem.write_to_path(str(tmp_path / "ca.crt"))

    ran = cluster("check")

    assert ran.status == 2
    assert "no trusted connection" in ran.err
    assert "certificate verify failed" in ran.err


def test_a_group_that_is_down_leaves_the_others_to_be_checked(
    api: ApiServer, cluster: Cluster
) -> None:
    reply = failure(503, "ServiceUnavailable", "service unavailable")
    api.faults.append(lambda r: reply if r.path == "/apis/serving.kserve.io/v1alpha1" else None)

    ran = cluster("check")

    assert ran.status == 2
    lines = ran.out.splitlines()
    told = {" ".join(text.split()[:3]) for text in lines if not text.startswith(" ")}
    assert "unknown dry-run ServingRuntime" in told
    assert "ok dry-run InferenceService" in told


def test_the_library_is_named_where_it_is_not_installed(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)

    ran = cluster("check")

    assert ran.status == 2
    assert "pip install 'serving-generator[cluster]'" in ran.err


def test_an_answer_that_nests_without_end_is_no_answer(
    api: ApiServer, connection: Connection
) -> None:
    api.faults.append(lambda _request: Reply(200, b'{"a":' * 100_000))

    with pytest.raises(Unanswered):
        connection.get("/version")


def test_the_refusal_of_an_unknown_shape_is_still_one(
    api: ApiServer, connection: Connection
) -> None:
    api.faults.append(lambda _request: Reply(418, json.dumps({"kind": 3, "details": []}).encode()))

    with pytest.raises(Refused, match="status 418 without a message"):
        connection.get("/version")


@pytest.mark.parametrize("command", ["check", "status", "drift"])
@pytest.mark.parametrize(
    "reply", [Reply(200, {}), Reply(404, b"404 page not found\n"), Reply(302, {})]
)
def test_a_server_without_a_version_is_no_api(
    api: ApiServer, cluster: Cluster, command: str, reply: Reply
) -> None:
    api.faults.append(lambda _request: reply)

    ran = cluster(command)

    assert ran.status == 2
    assert "is no Kubernetes API: its /version" in ran.err


@pytest.mark.parametrize("command", ["check", "status", "drift"])
def test_a_redirection_tells_nothing_of_a_manifest(
    api: ApiServer, cluster: Cluster, command: str
) -> None:
    api.faults.append(lambda r: None if r.path == "/version" else Reply(302, {}))

    assert cluster(command).status == 2


def test_all_waits_together_are_bounded(api: ApiServer, kubeconfig: Path) -> None:
    waited: list[float] = []
    api.faults.append(lambda _request: Reply(429, b"", {"Retry-After": "1000000"}))
    connection = Connection(access(), 5, sleep=waited.append)

    for _ in range(4):
        with pytest.raises(Refused):
            connection.get("/version")

    assert sum(waited) == connections.LONGEST_WAITS_SECONDS


def test_after_all_waits_the_rest_could_not_be_told(
    api: ApiServer, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "LONGEST_WAITS_SECONDS", 0)
    api.faults.append(
        lambda r: Reply(429, b"", {"Retry-After": "1000000"}) if r.method == "PATCH" else None
    )

    ran = cluster("check")

    assert ran.status == 2
    assert "2 could not be told" in ran.err


@pytest.mark.parametrize("seconds", ["3", "3s"])
def test_a_time_limit_may_be_plain_seconds(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, seconds: str
) -> None:
    limits: list[float] = []
    whole = Connection.__init__

    def noted(self: Connection, asked: Access, timeout_seconds: float) -> None:
        limits.append(timeout_seconds)
        whole(self, asked, timeout_seconds)

    monkeypatch.setattr(Connection, "__init__", noted)

    assert cluster("check", "--request-timeout", seconds).status == 0
    assert limits == [3]
