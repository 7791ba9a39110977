"""What `gen cluster` never tells: passwords and tokens of objects, kubeconfigs and plugins."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from api_server import ApiServer, Request, failure
from ran import Ran
from setting import SPEC, Object, kubeconfig_of

from generator.live_cluster.drift import Drift
from generator.live_cluster.drift_report import unified
from generator.live_cluster.secrecy import Secrets

Cluster = Callable[..., Ran]
PATCHES = """\
    patches:
      - manifest: servingruntime.yaml
        json:
          - op: add
            path: /spec/containers/0/env
            value: [{name: DB_PASSWORD, value: NewHunter22}]
          - {op: add, path: /spec/containers/0/args/-, value: --db-password=NewHunter44}
"""
SECRETS = ("OldHunter22", "NewHunter22", "OldHunter44", "NewHunter44")


@pytest.fixture
def patched(spec: Path) -> Path:
    """A spec whose patches hold passwords."""
    targets = f"targets:\n  triton:\n    deployment_mode: Standard\n{PATCHES}"
    spec.write_text(SPEC[: SPEC.index("targets:")] + targets, encoding="utf-8")
    return spec


@pytest.fixture
def applied(api: ApiServer, cluster: Cluster, patched: Path) -> Object:
    """The runtime as it stands in the cluster, with other passwords than the render's."""
    assert cluster("check", of=patched).status == 0
    sent = {r.body["kind"]: r.body for r in api.requests if r.method == "PATCH"}
    runtime = {kind: api.apply(manifest) for kind, manifest in sent.items()}["ServingRuntime"]
    container = runtime["spec"]["containers"][0]
    container["env"][0]["value"] = "OldHunter22"
    container["args"][-1] = "--db-password=OldHunter44"
    return runtime


@pytest.mark.usefixtures("applied")
@pytest.mark.parametrize("options", [(), ("--diff",), ("-f", "json")])
def test_drift_tells_that_a_secret_differs_and_not_what_it_is(
    cluster: Cluster, options: tuple[str, ...]
) -> None:
    ran = cluster("drift", *options)

    assert ran.status == 1
    assert not [each for each in SECRETS if each in ran.out + ran.err]
    assert "DB_PASSWORD" in ran.out
    assert "--db-password=***********" in ran.out or not options  # whose lists are cut
    assert "\ue000" not in ran.out


@pytest.mark.usefixtures("applied")
def test_a_secret_that_differs_is_a_field_and_a_line_of_its_own(cluster: Cluster) -> None:
    assert "env[DB_PASSWORD].value: *********** -> ***********" in cluster("drift").out

    lines = cluster("drift", "--diff").out.splitlines()
    assert (
        len([each for each in lines if each.startswith(("-", "+")) and "value: '***" in each]) == 2
    )

    fields = json.loads(cluster("drift", "-f", "json").out)["objects"]
    told = [field for one in fields for field in one["fields"] if "DB_PASSWORD" in field["field"]]
    assert [(each["live"], each["rendered"]) for each in told] == [("*" * 11, "*" * 11)]


@pytest.mark.parametrize("command", ["check", "drift"])
@pytest.mark.parametrize("quoted", ["OldHunter22", "NewHunter22"])
@pytest.mark.usefixtures("applied")
def test_a_refusal_is_told_without_the_value_that_it_quotes(
    api: ApiServer, cluster: Cluster, command: str, quoted: str
) -> None:
    message = f'spec.containers[0].env[0].value: Invalid value: "{quoted}": too long'
    reply = failure(422, "Invalid", message)
    api.faults.append(lambda r: reply if _is_runtime(r) else None)

    ran = cluster(command)

    assert ran.status == 1
    assert 'Invalid value: "***********": too long' in ran.out
    assert quoted not in ran.out + ran.err


def _is_runtime(request: Request) -> bool:
    return request.method == "PATCH" and "servingruntimes" in request.path


@pytest.mark.parametrize(
    "held",
    [
        {"kind": "Secret", "data": {"a": "b25lVHdv"}},
        {"kind": "Secret", "stringData": {"a": "b25lVHdv"}},
        {"kind": "ConfigMap", "data": {"app.ini": "name=x\ndb_password=b25lVHdv\n"}},
        {"kind": "ConfigMap", "data": {"db-password": "b25lVHdv"}},
        {"env": [{"name": "API_TOKEN", "value": "b25lVHdv"}]},
        {"command": ["serve", "--api-token", "b25lVHdv"]},
        {"command": ["sh", "-c", "a --password=first123 --api-key=b25lVHdv"]},
        {"key": "-----BEGIN PRIVATE KEY-----\nb25lVHdv\n-----END PRIVATE KEY-----\n"},
        {"url": "postgres://user:b25lVHdv@host/db"},
    ],
)
def test_secrets_are_found_wherever_they_stand(held: Object) -> None:
    kind = held.get("kind", "")
    secrets = Secrets(held)

    assert "b25lVHdv" not in json.dumps(secrets.marked(held))
    hidden = {key: secrets.hidden((key,), value, kind) for key, value in held.items()}
    assert "b25lVHdv" not in json.dumps(hidden)


@pytest.mark.parametrize(
    "held",
    [
        {"image": "nvcr.io/nvidia/tritonserver@sha256:" + "a" * 64, "memory": "4096Mi"},
        {
            "env": [
                {"name": "PAD_TOKEN", "value": "<pad>"},
                {"name": "A_TOKEN", "value": "$(B_TOKEN)"},
            ]
        },
        {"env": [{"name": "MAX_TOKENS", "value": "4096"}], "args": ["--max-tokens", "4096"]},
        {"automountServiceAccountToken": False, "secretName": "models", "replicas": 1234},
        {"secretKeyRef": {"name": "db", "key": "password"}, "imagePullSecrets": [{"name": "a"}]},
    ],
)
def test_what_is_no_secret_is_shown(held: Object) -> None:
    assert Secrets(held).marked(held) == held


def test_two_secrets_of_one_length_are_two_lines_of_a_diff() -> None:
    live, rendered = ({"kind": "Secret", "data": {"a": each}} for each in ("b25l", "dHdv"))
    secrets = Secrets(live, rendered)
    sides = secrets.marked(live), secrets.marked(rendered)

    found = next(iter(_differing("Secret models/a", *sides)))

    assert [line for line in found.splitlines() if line[:3] in ("-  ", "+  ")] == [
        "-  a: '********'",
        "+  a: '********'",
    ]


def _differing(subject: str, live: Object, rendered: Object) -> list[str]:
    from generator.live_cluster.comparison import Difference

    field = Difference(("data", "a"), "********", "********")
    return [unified(Drift(subject, "differs", "", (field,), live, rendered), diff=True)]


@pytest.mark.parametrize(
    "user",
    [
        {"token": "SECRETTOK\nSECOND"},
        {"token": "SECRETTOK€"},
        {"tokenFile": "token"},
        {"token": "SECRETTOK", "as": "jöhn€"},
    ],
)
def test_a_token_that_cannot_be_sent_is_not_told(
    api: ApiServer, cluster: Cluster, tmp_path: Path, user: Object
) -> None:
    (tmp_path / "token").write_text("SECRETTOK\nSECOND\n", encoding="utf-8")
    kubeconfig_of(api, tmp_path, user)

    ran = cluster("check")

    assert ran.status == 2
    assert "cannot be sent" in ran.err
    assert "SECRETTOK" not in ran.err
    assert "SECOND" not in ran.err


@pytest.mark.parametrize(
    "address", ["https://bob:SECRETPW@127.0.0.1:1", "https://bob:SECRETPW@[::1"]
)
def test_the_password_of_an_address_is_not_told(
    api: ApiServer, cluster: Cluster, tmp_path: Path, address: str
) -> None:
    file = kubeconfig_of(api, tmp_path)
    config = yaml.safe_load(file.read_text(encoding="utf-8"))
    config["clusters"][0]["cluster"]["server"] = address
    file.write_text(yaml.safe_dump(config), encoding="utf-8")

    ran = cluster("check")

    assert ran.status == 2
    assert "SECRETPW" not in ran.err
    assert "127.0.0.1:1" in ran.err or "cannot be used" in ran.err


@pytest.mark.parametrize(
    "said",
    [
        "login with hunter2hunter refused",
        "password: hunter2hunter",
        "GET https://ci:hunter2hunter@login.example.org: 401",
        "Authorization: Bearer hunter2hunter",
    ],
)
def test_what_a_plugin_says_is_told_without_its_secrets(
    api: ApiServer, cluster: Cluster, tmp_path: Path, said: str
) -> None:
    program = tmp_path / "login"
    program.write_text(f"#!/bin/sh\necho '{said}' >&2\necho 'ask an administrator' >&2\nexit 1\n")
    program.chmod(0o755)
    plugin = {"command": str(program), "apiVersion": "client.authentication.k8s.io/v1"}
    given = [{"name": "CLIENT_SECRET", "value": "hunter2hunter"}] if "login with" in said else []
    kubeconfig_of(api, tmp_path, {"exec": {**plugin, "env": given}})

    ran = cluster("check")

    assert ran.status == 2
    assert "ask an administrator" in ran.err
    assert "hunter2" not in ran.err
