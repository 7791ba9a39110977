"""`gen diff` tells no secret, wherever it stands and in whatever format."""

import base64
import json

import pytest
from test_changes_words import DEPLOYMENT, compared, edited

from generator.changes import document, markdown, text
from generator.changes.leaves import ABSENT
from generator.changes.secrecy import masked, shown

S = "hunter2hunter2"
AUTH = base64.b64encode(f"me:{S}".encode()).decode()
KUSTOMIZATION = (
    "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
    "secretGenerator: [{name: s, literals: [key=0]}]\n"
)
SCALED = (
    "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: s}\n"
    'spec: {triggers: [{type: redis, metadata: {password: "0"}}]}\n'
)
APPLICATION = (
    "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a}\n"
    'spec: {source: {helm: {valuesObject: {db: {password: "0"}}}}}\n'
)
CONFIG_MAP = (
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"
    'data: {"app.properties": "db.password=0"}\n'
)
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nunheard: {of: [x]}\n"
HEADER = "readinessProbe: {httpGet: {httpHeaders: [{name: Authorization, value: x}]}}"
PROBED = edited(DEPLOYMENT, "securityContext: {runAsUser: 1000}", HEADER)
TWICE = edited(
    DEPLOYMENT,
    "securityContext: {runAsUser: 1000}",
    "env: [{name: API_TOKEN, value: x}, {name: API_TOKEN, value: y}]",
)
PBTXT = 'name: "a"\nparameters { key: "API_TOKEN" value { string_value: "x" } }\n'


@pytest.mark.parametrize(
    ("path", "whole", "old", "new"),
    [
        ("a.yaml", DEPLOYMENT, "[--port=80, --verbose]", f"[--password, {S}]"),
        ("a.yaml", DEPLOYMENT, "--verbose", f"--password, {S}"),
        ("a.yaml", DEPLOYMENT, "[--port=80, --verbose]", f"[sh, -c, 'export API_TOKEN={S}; run']"),
        ("a.yaml", DEPLOYMENT, "args:", f"command: [sh, -c, 'TOKEN={S} run']\n          args:"),
        ("a.yaml", DEPLOYMENT, "--verbose", f"'https://{S}@host/a'"),
        ("a.yaml", KUSTOMIZATION, "key=0", f"key={S}"),
        ("a.yaml", KUSTOMIZATION, "literals: [key=0]", f"literals: [key={S}, other={S}]"),
        ("a.yaml", SCALED, '"0"', S),
        ("a.yaml", APPLICATION, '"0"', S),
        ("a.yaml", CONFIG_MAP, "=0", f"={S}"),
        ("a.yaml", CONFIG_MAP, "data: {", f'data: {{other: "a: 1\\npassword: {S}\\n", '),
        ("a.yaml", SECRET, "[x]", f"[{S}]"),
        ("a.yaml", PROBED, "value: x", f"value: {S}"),
        ("a.yaml", TWICE, "value: x", f"value: {S}"),
        ("requirements.txt", "a==1\n", "a==1", "--index" f"-url https://me:{S}@host/simple"),
        ("requirements.txt", "a==1\n", "a==1", f"git+https://{S}@host/a.git"),
        ("models/a/config.pbtxt", PBTXT, '"x"', f'"{S}"'),
        ("a.json", '{"secret": {"inner": "x"}}', '"x"', f'"{S}"'),
        ("a.json", '{"a": 1}', '"a": 1', f'"secret": {{"inner": ["{S}"]}}'),
        ("a.json", '{"password": 0}', "0", "4815162342"),
        ("a.yaml", TWICE.replace("API_TOKEN", "DB_PWD"), "value: x", f"value: {S}"),
        ("a.yaml", TWICE.replace("API_TOKEN", "ENCRYPTION_KEY"), "value: x", f"value: {S}"),
        ("a.yaml", TWICE.replace("API_TOKEN", "STORAGE_KEY"), "value: x", f"value: {S}"),
        ("a.yaml", TWICE.replace("API_TOKEN", "PROXY_AUTHORIZATION"), "value: x", f"value: {S}"),
        ("a.yaml", DEPLOYMENT, "--verbose", f"'PROXY_AUTHORIZATION={S} run'"),
        ("a.yaml", DEPLOYMENT, "--verbose", f"'Server=db;User=a;Pwd={S};Database=b'"),
        ("a.yaml", DEPLOYMENT, "--verbose", f"'curl -H \"Authorization: Bearer {S}\" a'"),
        ("a.yaml", DEPLOYMENT, "--verbose", f"'curl -u bob:{S} a'"),
        ("a.yaml", DEPLOYMENT, "[--port=80, --verbose]", f"[curl, -u, 'bob:{S}']"),
        ("a.yaml", DEPLOYMENT, "--verbose", f"'mysql -h db -p{S} a'"),
        ("a.yaml", DEPLOYMENT, "[--port=80, --verbose]", f"[mysql, -p{S}]"),
        ("a.yaml", DEPLOYMENT, "--verbose", f'"machine h login u password {S}"'),
        ("a.json", '{"auths": {"r": {"auth": "x"}}}', '"x"', f'"{S}"'),
        ("a.yaml", CONFIG_MAP, "db.password=0", json.dumps({"auths": {"r": {"auth": AUTH}}})
            .replace('"', '\\"')),
    ],
)  # fmt: skip
def test_no_report_tells_a_secret(path: str, whole: str, old: str, new: str) -> None:
    changed = edited(whole, old, new)
    for sides in ((whole, changed), (changed, whole)):
        comparison = compared({path: sides[0]}, {path: sides[1]})

        told = [text.report(comparison), markdown.report(comparison)]
        told.append(document.report(comparison, 0))

        assert comparison.services[0].changes
        assert not [one for one in told if any(each in one for each in (S, AUTH, "4815162342"))]
        assert json.loads(told[-1])


@pytest.mark.parametrize(
    ("value", "route"),
    [
        ("abfss://models@account.dfs.core.windows.net/a", ("spec", "storageUri")),
        ("git+ssh://git@github.com/acme/a", ("a",)),
        ("docker.io/acme/a@sha256:12", ("spec", "image")),
        (False, ("spec", "automountServiceAccountToken")),
        ("s3-reader", ("spec", "secretName")),
        ("s3-reader", ("spec", "secret")),
    ],
)
def test_what_is_no_secret_is_told(value: object, route: tuple[str, ...]) -> None:
    assert masked(value, route, kind="Deployment") == value


@pytest.mark.parametrize(
    "text",
    [
        "docker run -u 1000:1000 a",
        "--key value --strict=false",
        '{"auth": "kerberos", "keepalive": "yes"}',
        "sort -p 8080",
    ],
)
def test_a_command_without_a_secret_is_told(text: str) -> None:
    assert shown(text) == text


def test_nothing_stays_nothing() -> None:
    assert masked(ABSENT, ("password",)) is ABSENT
    assert masked(None, ("password",)) is None
