"""What TorchServe would ignore, stop at or hang on is refused in a config.properties, by line."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from generator.artefact import Artefact
from generator.document import Document
from generator.project import (
    Batching,
    Hardware,
    Model,
    Project,
    Served,
    Serving,
    Step,
    Tensor,
    Transforms,
)
from generator.quoting import Unprintable, format_of, quote_properties
from generator.render import render
from generator.targets.torchserve.config import REPLACEABLE, config_values
from generator.targets.torchserve.options import Options, PrebuiltArchive
from generator.targets.torchserve.service import describe
from generator.torchserve_config import RULES, WARNINGS, refusals, settings_problems
from generator.torchserve_config.values import table

ENTRY = {
    "defaultVersion": True,
    "marName": "mnist.mar",
    "minWorkers": 1,
    "maxWorkers": 2,
    "batchSize": 8,
    "maxBatchDelay": 10,
    "responseTimeout": 60,
}
PROJECT = Project(
    name="mnist",
    target="torchserve",
    folder=Path(),
    model=Model(
        inputs=(Tensor("image", "float32", ("N", 1, 28, 28)),),
        outputs=(Tensor("logits", "float32", ("N", 10)),),
        version=3,
    ),
    hardware=Hardware(model_instances=2),
    serving=Serving(batching=Batching(max_size=8, delay="5ms"), timeout="30s", startup="4m"),
)
OPTIONS = Options(platform="docker")


def snapshot(**changes: Any) -> str:
    """A model_snapshot with one model, whose entry has changes; None takes a field away."""
    entry = {key: value for key, value in (ENTRY | changes).items() if value is not None}
    return snapshot_of({"mnist": {"1.0": entry}})


def snapshot_of(models: Any, **changes: Any) -> str:
    return json.dumps({"name": "startup.cfg", "modelCount": 1, "models": models} | changes)


CONFIG = f"""\
# what is said
inference_address=http://0.0.0.0:8080
metrics_address=http://0.0.0.0:8082
disable_token_authorization=true
job_queue_size = 100

model_snapshot={snapshot()}
"""


def refused(text: str) -> list[tuple[int, str]]:
    return [(refusal.line, refusal.message) for refusal in refusals(text)]


def rendered(project: Project, options: Options) -> str:
    values = config_values(describe(project, options))
    template = "torchserve/models/config/config.properties.j2"
    return render(Artefact(PurePosixPath("models/config/config.properties"), template, values)).text


def settings(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines() if line and line[0] != "#")
    return {key: value for key, _, value in pairs}


def test_takes_a_good_config() -> None:
    assert refused(CONFIG) == []
    assert refused("") == []
    assert refused("! nothing but\r\n  # comments\r\n") == []


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("job_queue_sise=1", "unknown key `job_queue_sise`: TorchServe ignores it", "`job_queue_s"),
        ("zzz=1", "unknown key `zzz`: TorchServe ignores it", "leave it out"),
        ("python=3", "TorchServe does not take `python` from config.properties", "passes its own"),
        ("debug=yes", "`debug` takes true or false, not `yes`", ""),
        ("ipex_enable=True", "`ipex_enable` takes true or false, not `True`", ""),
        ("metrics_mode=prom", "`metrics_mode` is log or prometheus or legacy, not `prom`", ""),
        ("blacklist_env_vars=*KEY*", "`blacklist_env_vars` repeats nothing with `*`", "write `.*`"),
        ("blacklist_env_vars=A|*KEY", "`blacklist_env_vars` repeats nothing with `*`", ""),
        ("NUM_WORKERS=1", "unknown key `NUM_WORKERS`: TorchServe", "default_workers_per_model"),
        (
            "private_key_file=key.pem",
            "`private_key_file` without `certificate_file`",
            "certificate",
        ),
        ("keystore_pass=changeit", "`keystore_pass` without `keystore` has no effect", "keystore"),
        (
            "enable_grpc_ssl=true",
            "`enable_grpc_ssl` without `private_key_file` and `certificate_file`",
            "give both",
        ),
        (
            "debug=True\ndefault_workers_per_model=4",
            "`default_workers_per_model` is not read with debug=true",
            "leave one",
        ),
        ("io_ratio=0", "`io_ratio` takes a whole number from 1 to 100, not `0`", ""),
        (
            "max_request_size=3e9",
            "`max_request_size` takes a whole number from 1 to 2147483647, not `3e9`",
            "",
        ),
        (
            "max_response_size=2147483648",
            "`max_response_size` takes a whole number from 1 to 2147483647, not `2147483648`",
            "",
        ),
        ("token_expiration_min=x", "`token_expiration_min` takes a number, not `x`", ""),
        (
            "management_address=0.0.0.0:81",
            "`management_address` has no scheme, at which TorchServe stops",
            "write http://0.0.0.0:81",
        ),
        (
            "management_address=http://0.0.0.0:81/",
            "`management_address` ends in a slash, at which TorchServe stops",
            "write http://0.0.0.0:81",
        ),
        (
            "management_address=http://0.0.0.0:65535",
            "port 65535 of `management_address` is not from 1 to 65534",
            "",
        ),
        ("management_address=http://[::1]:81", "`http://[::1]:81` is no address", "http://<host>"),
        (
            "grpc_inference_port=70700",
            "`grpc_inference_port` takes a port from 1 to 65535, not `70700`",
            "",
        ),
        (
            "grpc_inference_address=http://0.0.0.0",
            "`grpc_inference_address` takes an IP address or a host name, not `http://0.0.0.0`",
            "",
        ),
        (
            "service_envelope=v2",
            "`service_envelope` takes body or json or kserve or kservev2, not `v2`",
            "",
        ),
        (
            "service_envelope=kfserving",
            "`service_envelope` takes body or json or kserve or kservev2, not `kfserving`",
            "did you mean `kserve",
        ),
        ("models={", "`models` is no JSON: Expecting property name enclosed in double quotes", ""),
        ("debug tru", "`debug` takes true or false, not `tru`", ""),
        (
            "model_store: /a",
            "`model_store` without `=`: TorchServe's launcher",
            "write key=value",
        ),
        ("debug=true ", "white space at the end is part of the value", "remove it"),
        ("vmargs=-Xmx1g \\\n -Da=b", "`vmargs` goes on in the next line, where", "join the lines"),
        ("cors_allowed_origin=é", "TorchServe reads other characters than ASCII", "\\uXXXX"),
        ("cors_allowed_origin=\\u12", "`\\u` without four hexadecimal digits", ""),
        ("vmargs=-Da=\\\\", "a backslash in `vmargs`, which TorchServe's launcher", "without"),
        ("job_queue_size=1", "`job_queue_size` stands in line 5 too", "leave one of them"),
        ("load_models=all", "`load_models` is not read beside `model_snapshot`", "leave it out"),
        (
            "grpc_inference_port=7071",
            "`grpc_inference_port` and `grpc_management_port` are on one port, 7071",
            "its own",
        ),
        (
            "management_address=http://127.0.0.1:8080",
            "`inference_address` and `management_address` are on one port, 8080",
            "its own",
        ),
        (
            "grpc_inference_port=8082",
            "`metrics_address` and `grpc_inference_port` are on one port, 8082",
            "its own",
        ),
        (
            "service_envelope=kservev2",
            "envelope `kservev2` cannot batch, and model `mnist` does by 8",
            "leave the envelope out, or give batchSize 1",
        ),
    ],
)
def test_refuses_a_line(line: str, message: str, hint: str) -> None:
    [refusal, *_] = refusals(f"{CONFIG}{line}\n")

    assert (refusal.line, hint in refusal.hint) == (8 + ("\ndef" in line), True)
    assert refusal.message.startswith(message)
    assert refusal.rule in RULES


@pytest.mark.parametrize(
    "line",
    [
        "management_address=http://0.0.0.0:8080",  # that of inference, as KServe has it
        "management_address=unix:/tmp/management.sock",
        "management_address=https://localhost",
        "enable_metrics_api=false\ngrpc_inference_port=8082",
        "grpc_inference_address=::1",
        "grpc_inference_max_connection_age_ms=9223372036854775807",
        "service_envelope=json",
        "number_of_gpu=$$GPUS$$",
        "grpc_inference_port=$$PORT$$",
        "cors_allowed_origin=a\\\\\\u00e9\\=b",
        "vmargs=-Xmx1g -Da=b",
        "metrics_mode=prometheus",
        "metrics_mode=Prometheus",
        "prefer_direct_buffer=True",
        "default_workers_per_model: 2",
        "default_workers_per_model 2",
        "cors_allowed_origin=a\\\n    b",
        'models={\\\n  "m": {\\\n  "1.0": {"minWorkers": 1, "maxWorkers": 1}\\\n  }\\\n}',
        "blacklist_env_vars=.*USERNAME.*|.*PASSWORD.*|(?i)key|[*+]|\\\\*",
        "allowed_urls=https://s3.amazonaws.com/.*,https://torchserve.pytorch.org/.*",
        "private_key_file=key.pem\ncertificate_file=certs.pem\nenable_grpc_ssl=true",
        "keystore=k.p12\nkeystore_pass=changeit\nkeystore_type=PKCS12",
    ],
)
def test_takes_a_line(line: str) -> None:
    assert refused(f"{CONFIG}{line}\n") == []


def test_refuses_tokens_that_open_nothing() -> None:
    text = CONFIG.replace("disable_token_authorization=true\n", "")

    assert refused(text) == []
    assert refused(f"{text}management_address=http://0.0.0.0:8080\n") == [
        (7, "no token opens a management API at the address of inference")
    ]


def test_tokens_open_an_api_at_a_socket_of_its_own() -> None:
    text = "inference_address=unix:/tmp/a.sock\nmanagement_address=unix:/tmp/b.sock\n"

    assert refused(text) == []
    assert refused(text.replace("b.sock", "a.sock")) == [
        (2, "no token opens a management API at the address of inference")
    ]


def test_lines_that_go_on_are_one_line_of_the_first_number() -> None:
    text = "# a comment does not go on \\\ndebug=\\\n\\\n   maybe\nzzz=1"

    assert refused(text) == [
        (2, "`debug` takes true or false, not `maybe`"),
        (5, "unknown key `zzz`: TorchServe ignores it"),
    ]


@pytest.mark.parametrize(
    ("text", "column", "end_column"),
    [
        ("debug=maybe", 7, 12),
        ("  debug = maybe", 11, 16),
        ("  zzz = maybe", 3, 6),
        ("debug=true\ndebug=true", 1, 6),
        ("debug=\\\nmaybe", 7, 8),
        ("models", 1, 7),
        ("grpc_inference_port=7071", 1, 25),
    ],
)
def test_points_at_the_key_or_the_value(text: str, column: int, end_column: int) -> None:
    [refusal] = refusals(text)

    assert (refusal.column, refusal.end_column) == (column, end_column)


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("zzz=1", "warning"),
        ("metrics_format=prometheus", "warning"),
        ("metrics_mode=prom", "warning"),
        (f"model_snapshot={snapshot()}".replace('"', '\\"'), "warning"),
        ("vmargs=-Da\\=b", "error"),
        (f"load_models=all\nmodel_snapshot={snapshot()}", "warning"),
        ("debug=maybe", "error"),
        ("job_queue_size=x", "error"),
        ("grpc_inference_port=7071", "error"),
    ],
)
def test_what_has_no_effect_is_a_warning(text: str, severity: str) -> None:
    assert {refusal.severity for refusal in refusals(text)} == {severity}


def test_a_count_of_zero_is_an_error() -> None:
    text = f"model_snapshot={snapshot_of({'mnist': {'1.0': ENTRY}}, modelCount=0)}"

    [refusal] = refusals(text)

    assert (refusal.severity, refusal.message.endswith(": none starts")) == ("error", True)


ALL = "\n".join(
    [
        "debug=true ",
        "debug=true",
        "cors_allowed_origin=\\u12é",
        "zzz=1",
        "python=3",
        "metrics_mode=x",
        "vmargs: -Xmx1g",
        "inference_address=x",
        "blacklist_env_vars=*",
        "models={",
        f"model_snapshot={snapshot(zzz=1)}",
    ]
)
TOGETHER = "\n".join(
    [
        "inference_address=http://0.0.0.0:8080",
        "management_address=http://0.0.0.0:8080",
        "grpc_inference_port=7071",
        "debug=true",
        "default_workers_per_model=2",
        "load_models=all",
        "certificate_file=a.pem",
        "enable_grpc_ssl=true",
        "service_envelope=kserve",
        f"model_snapshot={snapshot(minWorkers=1)}",
    ]
)


def test_every_rule_is_named_by_a_refusal() -> None:
    texts = (ALL, TOGETHER, f"model_snapshot={snapshot(minWorkers=9)}")
    found = [refusal for text in texts for refusal in refusals(text)]

    own = {rule for rule in RULES if rule.startswith("config-properties/")}
    assert {refusal.rule for refusal in found} == own
    assert {refusal.rule for refusal in found if refusal.severity == "warning"} <= WARNINGS


def test_a_message_is_one_short_line_whatever_the_names() -> None:
    [refusal] = refusals('models={"a\\\\n' + "b" * 5000 + '": {}}')

    assert refusal.message.isprintable()
    assert len(refusal.message) <= 300


def test_a_warning_does_not_hide_a_contradiction() -> None:
    assert refused("zzz=1\ngrpc_inference_port=7071") == [
        (1, "unknown key `zzz`: TorchServe ignores it"),
        (2, "`grpc_inference_port` and `grpc_management_port` are on one port, 7071"),
    ]


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ("[]", "`models` is no map"),
        ('{"m": {"1.0": {"minworkers": 1}}}', "model `m` 1.0 has no field `minworkers`"),
        ('{"m": {"1.0": {"batchSize": 0}}}', "`batchSize` of model `m` 1.0 takes a whole number"),
        ('{"m": {"1.0": {"minWorkers": 3, "maxWorkers": 2}}}', "model `m` 1.0 has minWorkers 3 ab"),
        ('{"m": {"1.0": {"batchSize": 8, "maxBatchDelay": 0}}}', "model `m` 1.0 with maxBatchDela"),
    ],
)
def test_refuses_models(models: str, message: str) -> None:
    [(line, found)] = refused(f"models={models}")

    assert line == 1
    assert found.startswith(message)


def test_models_may_say_as_little_as_they_like() -> None:
    assert refused('models={"m": {"1.0": {"batchSize": 8}, "2.0": {"maxWorkers": 4}}}') == []


ONE = "model `mnist` 1.0"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "`model_snapshot` is no JSON: Expecting property name"),
        ("{'name': 1}", "`model_snapshot` is no JSON: Expecting property name"),
        ('{"name": "a", "name": "b"}', "`model_snapshot` is no JSON: `name` stands twice"),
        ("[" * 5000, "`model_snapshot` is no JSON: "),
        ("[]", "`model_snapshot` is no map"),
        (snapshot_of([]), "`models` of `model_snapshot` is no map"),
        (snapshot_of({"mnist": {}}), "model `mnist` has no version"),
        (snapshot_of({"mnist": {"1.0": 5}}), f"{ONE} is no map"),
        (
            snapshot_of({"mnist": {"1.0": ENTRY}}, modelCount=2),
            "`modelCount` of `model_snapshot` is",
        ),
        (
            snapshot_of({"mnist": {"1.0": ENTRY}}, modelcount=1),
            "`model_snapshot` has no field `mode",
        ),
        ('{"name": "a", "models": {}}', "`model_snapshot` lacks `modelCount`"),
        (
            snapshot_of({"mnist": {"1.0": ENTRY, "2.0": ENTRY}}),
            "model `mnist` has 2 default versions",
        ),
        (snapshot(defaultVersion=False), "model `mnist` has no default versions"),
        (snapshot(defaultVersion="true"), "`defaultVersion` of model `mnist` 1.0 takes true or"),
        (snapshot(batchsize=8), f"{ONE} has no field `batchsize`: TorchServe ignores it"),
        (snapshot(batchSize=0), "`batchSize` of model `mnist` 1.0 takes a whole number from 1"),
        (snapshot(batchSize="8"), "`batchSize` of model `mnist` 1.0 takes a whole number from 1"),
        (snapshot(batchSize=8.5), "`batchSize` of model `mnist` 1.0 takes a whole number from 1"),
        (snapshot(batchSize=True), "`batchSize` of model `mnist` 1.0 takes a whole number from 1"),
        (snapshot(batchSize=None), f"{ONE} lacks `batchSize`"),
        (snapshot(marName=None), f"{ONE} lacks `marName`"),
        (snapshot(marName=5), "`marName` of model `mnist` 1.0 is no text"),
        (
            snapshot(marName="a/b.mar"),
            "`marName` of model `mnist` 1.0 takes the name of a .mar file",
        ),
        (snapshot(marName="mnist.zip"), "`marName` of model `mnist` 1.0 takes the name of a .mar"),
        (snapshot(minWorkers=3), f"{ONE} has minWorkers 3 above maxWorkers 2"),
        (snapshot(maxBatchDelay=0), f"{ONE} with maxBatchDelay 0 batches two requests at most"),
        (snapshot(runtimeType="java"), "`runtimeType` of model `mnist` 1.0 takes python or"),
    ],
)
def test_refuses_a_snapshot(text: str, message: str) -> None:
    [(line, found), *_] = refused(f"debug=true\nmodel_snapshot={text}\n")

    assert line == 2
    assert found.startswith(message)


@pytest.mark.parametrize("name", ["mnist", "mnist-1.0", "mnist.tar.gz"])
def test_takes_a_folder_that_is_no_archive(name: str) -> None:
    assert refused(f"model_snapshot={snapshot(marName=name)}") == []


def test_takes_a_snapshot_without_batching_or_with_a_second_version() -> None:
    other = ENTRY | {"defaultVersion": False}

    assert refused(f"model_snapshot={snapshot(batchSize=1, maxBatchDelay=0)}") == []
    assert refused(f"model_snapshot={snapshot_of({'m': {'1.0': ENTRY, '2.0': other}})}") == []
    assert refused(f"model_snapshot={snapshot_of({}, modelCount=0)}") == []


def test_tells_all_that_is_wrong_in_the_order_of_lines() -> None:
    text = "debug=yes\nzzz=1\nmodel_snapshot=" + snapshot(batchSize=0, minWorkers=None)

    assert [line for line, _ in refused(text)] == [1, 2, 3, 3]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_reads_any_text_without_a_traceback(text: str) -> None:
    refusals(text)
    refusals(f"model_snapshot={text}")
    refusals(f"inference_address={text}")
    refusals(f"models={text}\\")
    refusals(f"blacklist_env_vars={text}")


def as_java(value: str) -> str:
    """A value as java.util.Properties reads it, UTF-16 put together."""
    units = re.sub(r"\\u([0-9a-f]{4})|\\(.)", lambda m: chr(int(m[1], 16)) if m[1] else m[2], value)
    return units.encode("utf-16", "surrogatepass").decode("utf-16")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_text_reads_back_from_a_properties_file(text: str) -> None:
    quoted = quote_properties(text)

    assert quoted.isascii()
    assert quoted.isprintable()
    assert quoted == quoted.lstrip()
    assert as_java(quoted) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (8, "8"),
        ({"a": [1, "b"]}, '{"a": [1, "b"]}'),
        ("a\\b", "a\\\\b"),
        ("a=b: c", "a=b: c"),
        (" é\n", "\\ \\u00e9\\u000a"),
    ],
)
def test_a_value_of_a_properties_file(value: object, text: str) -> None:
    assert quote_properties(value) == text
    assert format_of(PurePosixPath("config/config.properties")) == "properties"


def test_an_object_has_no_value_in_a_properties_file() -> None:
    with pytest.raises(Unprintable):
        quote_properties(object())


OTHER = replace(PROJECT, name="insects", serving=Serving(), hardware=Hardware())
BOTH = replace(PROJECT, also_serves=(Served(OTHER, Options(), Document(Path(), {}, {})),))


@pytest.mark.parametrize("platform", ["kserve", "docker", "kubernetes"])
def test_what_is_rendered_is_accepted(platform: Any) -> None:
    options = Options(
        platform=platform,
        settings={"vmargs": "-Xmx1g", "debug": True, "io_ratio": 60, "cors_allowed_origin": "\\"},
    )

    text = rendered(BOTH, options)

    assert refused(text) == []
    assert "\nvmargs=-Xmx1g\n" in text
    assert "\ndebug=true\n" in text
    assert "\ncors_allowed_origin=\\\\\n" in text


def test_the_snapshot_has_each_model_with_its_own_batching() -> None:
    given = json.loads(settings(rendered(BOTH, OPTIONS))["model_snapshot"])

    assert given["modelCount"] == 2
    assert given["models"]["mnist"]["3.0"] == {
        "defaultVersion": True,
        "marName": "mnist-3.0.mar",
        "minWorkers": 2,
        "maxWorkers": 2,
        "batchSize": 8,
        "maxBatchDelay": 5,
        "responseTimeout": 30,
        "startupTimeout": 240,
    }
    assert given["models"]["insects"]["3.0"]["batchSize"] == 1


@pytest.mark.parametrize(
    ("options", "inference", "management"),
    [
        (Options(), "http://0.0.0.0:8080", "http://127.0.0.1:8081"),
        (Options(platform="docker"), "http://0.0.0.0:8080", "http://0.0.0.0:8081"),
        (Options(platform="kubernetes"), "http://0.0.0.0:8080", "http://127.0.0.1:8081"),
    ],
)
def test_management_is_open_only_where_a_port_is_published(
    options: Options, inference: str, management: str
) -> None:
    given = settings(rendered(PROJECT, options))

    assert (given["inference_address"], given["management_address"]) == (inference, management)


def needing(*, model: bool, transforms: bool) -> Project:
    packages = ("scipy",)
    return replace(
        PROJECT,
        model=replace(PROJECT.model, requirements=packages if model else ()),
        transforms=Transforms(
            run_in="server",
            preprocess=(Step("decode", {}),) if transforms else (),
            requirements=packages if transforms else (),
        ),
    )


@pytest.mark.parametrize(
    ("project", "options", "installs"),
    [
        (needing(model=False, transforms=True), Options(), True),
        (needing(model=True, transforms=False), Options(), False),
        (needing(model=True, transforms=False), Options(handler="h.py:H"), True),
        (needing(model=True, transforms=False), Options(archive=PrebuiltArchive("a.mar")), True),
        (needing(model=True, transforms=True), Options(platform="docker"), False),
        (PROJECT, Options(), False),
    ],
)
def test_workers_install_packages_only_where_an_archive_names_them(
    project: Project, options: Options, installs: bool
) -> None:
    given = settings(rendered(project, options))

    assert given.get("install_py_dep_per_model") == ("true" if installs else None)


def test_a_setting_replaces_the_generators_own() -> None:
    options = replace(OPTIONS, settings={"max_request_size": 1000, "metrics_mode": "log"})

    text = rendered(PROJECT, options)

    assert refused(text) == []
    assert settings(text)["max_request_size"] == "1000"
    assert settings(text)["metrics_mode"] == "log"


def problems(given: Mapping[str, str | int | bool]) -> Iterator[str]:
    for key, message, hint in settings_problems(given):
        yield f"{key}: {message}: {hint}"


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("job_queue_size", 5, "follows from the spec: set targets.torchserve.job_queue_size"),
        ("service_envelope", "json", "leave it out: the handler reads every protocol"),
        ("model_snapshot", "{}", "set serving.batching and hardware.model_instances"),
        ("async_loging", True, "unknown key `async_loging`: TorchServe ignores it: did you mean"),
        ("async_logging", 1, "`async_logging` takes true or false, not `1`"),
        ("number_of_netty_threads", True, "takes a whole number from 0 to 2147483647, not `true`"),
        ("log_config", "a", "start torchserve with --log-config"),
    ],
)
def test_names_what_a_spec_may_not_set(key: str, value: str | int | bool, problem: str) -> None:
    [found] = problems({key: value})

    assert found.startswith(f"{key}: ")
    assert problem in found


def test_a_spec_may_set_the_rest() -> None:
    assert (
        list(problems({"async_logging": True, "number_of_netty_threads": 4, "debug": "false"}))
        == []
    )


def test_every_key_of_the_template_is_the_generators_or_replaceable() -> None:
    project = needing(model=False, transforms=True)

    for key in settings(rendered(project, Options())):
        assert key in table().keys
        assert bool(list(settings_problems({key: "http://0.0.0.0:1"}))) or key in REPLACEABLE
