"""gen lint tells of hand-written files what the real systems would refuse, at the line."""

import io
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from ran import Ran

from generator.lint.forms import may_hold

ROOT = Path(__file__).parents[1]
Gen = Callable[..., Ran]

SERVICE = """\
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: cifar10
  namespace: models
  annotations:
    serving.kserve.io/deploymentMode: Standard
spec:
  predictor:
    minReplicas: 1
    maxReplicas: 3
    model:
      modelFormat: {name: pytorch}
      runtime: cifar10
      protocolVersion: v2
      storageUri: gs://acme/cifar10
"""
OTHER = SERVICE.replace("name: cifar10\n", "name: other\n", 1)
CONFIG = """\
name: "cifar10"
platform: "pytorch_libtorch"
max_batch_size: 8
input [{ name: "INPUT__0", data_type: TYPE_FP32, dims: [3, 32, 32] }]
output [{ name: "OUTPUT__0", data_type: TYPE_FP32, dims: [10] }]
"""
PROPERTIES = """\
inference_address=http://0.0.0.0:8080
management_address=http://0.0.0.0:8081
model_store=/models
load_models=cifar10.mar
"""


def told(ran: Ran) -> list[str]:
    """The first line of each diagnostic."""
    return [line for line in ran.err.splitlines() if " error: " in line or " warning: " in line]


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str, str], str]:
    def write(name: str, text: str) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return name

    return write


File = Callable[[str, str], str]


@pytest.mark.parametrize(
    ("name", "text", "checked"),
    [
        ("service.yaml", SERVICE, "1 manifest"),
        ("config.pbtxt", CONFIG, "1 config.pbtxt"),
        ("config.properties", PROPERTIES, "1 config.properties"),
        ("resnet.pbtxt", CONFIG, "1 config.pbtxt"),
        ("ts.properties", PROPERTIES, "1 config.properties"),
        ("without_suffix", PROPERTIES, "1 config.properties"),
        ("ts.properties", "default_workers_per_model : 2\n", "1 config.properties"),
        ("ts.properties", "default_workers_per_model 2\n", "1 config.properties"),
        ("two.yaml", f"{SERVICE}---\n# nothing\n---\n{OTHER}", "2 manifests"),
        ("crlf.yaml", SERVICE.replace("\n", "\r\n"), "1 manifest"),
        ("bom.yaml", f"\ufeff{SERVICE}", "1 manifest"),
    ],
)
def test_good_files_pass(gen: Gen, file: File, name: str, text: str, checked: str) -> None:
    ran = gen("lint", file(name, text))

    assert (ran.status, ran.out) == (0, "")
    assert ran.err == f"{checked} checked: 0 errors, 0 warnings\n"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "service.yaml",
            SERVICE.replace("minReplicas", "minReplica"),
            "service.yaml:10:5: error: unknown field `minReplica` [kubernetes/schema]",
        ),
        (
            "service.yaml",
            SERVICE.replace("minReplicas: 1", "minReplicas: 4"),
            "service.yaml:10:18: error: minReplicas 4 exceeds maxReplicas 3"
            " [kserve/replicas-reversed]",
        ),
        (
            "config.pbtxt",
            CONFIG.replace("TYPE_FP32, dims: [10]", "TYPE_FLOAT, dims: [10]"),
            "config.pbtxt:5:41: error: unknown enum value `TYPE_FLOAT` of `DataType`",
        ),
        (
            "config.pbtxt",
            CONFIG.replace("8", "-8"),
            "config.pbtxt:3:17: error: max_batch_size -8 is negative"
            " [config-pbtxt/negative-max-batch-size]",
        ),
        (
            "config.properties",
            PROPERTIES + "default_workers_per_model=four\n",
            "config.properties:5:27: error: `default_workers_per_model` takes a whole number",
        ),
    ],
)
def test_tells_a_mistake_at_its_place(
    gen: Gen, file: File, name: str, text: str, expected: str
) -> None:
    ran = gen("lint", file(name, text))

    assert ran.status == 1
    assert len(told(ran)) == 1
    assert told(ran)[0].startswith(expected)


def test_a_contradiction_shows_both_ends(gen: Gen, file: File) -> None:
    ran = gen("lint", file("service.yaml", SERVICE.replace("minReplicas: 1", "minReplicas: 4")))

    assert "service.yaml:11:18" in ran.err.replace(" ", "")  # where maxReplicas stands
    assert "maxReplicas: 3" in ran.err


def test_a_bad_name_hides_nothing_else(gen: Gen, file: File) -> None:
    text = SERVICE.replace("name: cifar10\n", "name: 9cifar\n")
    ran = gen("lint", file("service.yaml", text.replace("minReplicas: 1", "minReplicas: 4")))

    assert [line.rpartition("[")[2] for line in told(ran)] == [
        "kubernetes/name]",
        "kserve/replicas-reversed]",
    ]


def test_documents_of_one_file_are_told_each_at_its_own_line(gen: Gen, file: File) -> None:
    broken = SERVICE.replace("cifar10\n  n", "Cifar10\n  n")

    ran = gen("lint", file("two.yaml", f"{SERVICE}---\n{broken}"))

    assert [line.split(" ")[0] for line in told(ran)] == ["two.yaml:21:9:"]


def test_the_elements_of_a_list_are_manifests(gen: Gen, file: File) -> None:
    ports = "spec: {ports: [{port: 80, prt: 81}]}"
    text = "\n".join(
        [
            "apiVersion: v1",
            "kind: List",
            "items:",
            "- {apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 80}]}}",
            f"- {{apiVersion: v1, kind: Service, metadata: {{name: b}}, {ports}}}",
        ]
    )

    ran = gen("lint", file("list.yaml", text))

    assert [line.split(" error")[0] for line in told(ran)] == ["list.yaml:5:82:"]
    assert "2 manifests checked" in ran.err


def test_a_folder_is_looked_through_and_what_is_unknown_is_counted(gen: Gen, file: File) -> None:
    file("k8s/service.yaml", SERVICE)
    file("k8s/gateway.yaml", "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n")
    file("k8s/values.yaml", "replicas: 3\n")
    file("k8s/spec.yaml", "spec_version: 1\nname: one\n")
    file("k8s/chart.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: {{ .name }}}\n")
    file("k8s/broken-chart.yaml", "{{ if .x }}\napiVersion: v1\nkind: Service\n{{ end }}\n")
    file("k8s/log4j.properties", "log4j.rootLogger=INFO\n")
    file("k8s/graph.pbtxt", 'node { name: "x" }\n')
    file("k8s/.hidden/broken.yaml", "a: [\n")
    file("models/cifar10/config.pbtxt", CONFIG)
    file("models/cifar10/notes.txt", "kind: x\n")

    ran = gen("lint", ".")

    assert ran.status == 0
    assert "1 config.pbtxt, 1 manifest checked: 0 errors" in ran.err
    assert "1 Gateway (gateway.networking.k8s.io/v1)" in ran.err
    assert "1 YAML without apiVersion and kind" in ran.err
    assert "1 spec (gen validate checks it)" in ran.err
    assert "2 template" in ran.err
    assert "1 *.properties of another program" in ran.err
    assert "1 *.pbtxt of another program" in ran.err


def test_a_config_whose_every_key_is_misspelt_is_one_of_torchserve(gen: Gen, file: File) -> None:
    misspelt = "inference_adress=http://0.0.0.0:8085\n"

    ran = gen("lint", file("config.properties", misspelt))

    assert "unknown key `inference_adress`" in ran.err + ran.out
    for name, text in (("ts.properties", misspelt), ("config.properties", "acks=all\n")):
        assert "1 *.properties of another program" in gen("lint", file(name, text)).err


def test_patches_of_a_kustomization_are_no_manifests(gen: Gen, file: File) -> None:
    file("base/service.yaml", SERVICE)
    file("base/kustomization.yaml", "resources: [service.yaml]\n")
    patch = "apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata: {name: x}\n"
    file("shared/patch.yaml", f"{patch}spec: {{predictor: {{canaryTrafficPercent: 10}}}}\n")
    file(
        "overlay/kustomization.yaml",
        "resources: [../base]\npatches: [{path: ../shared/patch.yaml}]\n",
    )

    ran = gen("lint", ".")

    assert told(ran) == []
    assert "3 manifests checked" in ran.err
    assert "1 kustomize patch" in ran.err


def test_a_kustomization_that_names_a_file_that_is_not_there_is_told(gen: Gen, file: File) -> None:
    file("service.yaml", SERVICE)
    file("kustomization.yaml", "resources: [service.yaml, runtime.yaml]\n")

    ran = gen("lint", ".")

    assert [line.split(" error")[0] for line in told(ran)] == ["kustomization.yaml:1:27:"]
    assert "runtime.yaml" in told(ran)[0]


def test_what_the_cluster_may_hold_is_not_missed(gen: Gen, file: File) -> None:
    file("service.yaml", SERVICE.replace("runtime: cifar10", "runtime: somebody-elses"))
    file("other/runtime.yaml", (ROOT / RUNTIME).read_text(encoding="utf-8"))

    assert gen("lint", ".").status == 0


RUNTIME = "rendered/cifar10/triton/manifests/servingruntime.yaml"


def test_reads_stdin(gen: Gen, monkeypatch: pytest.MonkeyPatch) -> None:
    for text, expected in (
        (f"{SERVICE}---\n{OTHER}", "2 manifests"),
        (CONFIG, "1 config.pbtxt"),
        (PROPERTIES, "1 config.properties"),
    ):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        ran = gen("lint", "-")
        assert ran.status == 0
        assert ran.err.startswith(f"{expected} checked")


def test_names_stdin_in_what_it_tells(gen: Gen, monkeypatch: pytest.MonkeyPatch) -> None:
    text = SERVICE.replace("spec:", "spce:")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    ran = gen("lint", "-")

    assert ran.status == 1
    assert told(ran)[0].startswith("<stdin>:")


@pytest.mark.parametrize(
    ("text", "rule", "place"),
    [
        ("a: [\n", "yaml/syntax", "1:5"),
        ("apiVersion: v1\nkind: Service\nkind: Pod\n", "yaml/duplicate-key", "3:1"),
        ("a: \xff\xfe\n", "yaml/character", "1:4"),
        ("apiVersion: v1\nknd: Service\n", "kubernetes/schema", "1:1"),
        ("apiVersion: apps/v1beta1\nkind: Deployment\n", "kubernetes/schema", "1:13"),
        ("a: " + "[" * 300, "yaml/too-deep", "1:103"),
        ("a: 1\n" * 1_000_001, "yaml/too-large", "1:1"),
    ],
)
def test_what_is_no_manifest_is_refused_and_located(
    gen: Gen, file: File, text: str, rule: str, place: str
) -> None:
    if rule == "yaml/character":
        text = text.replace("\xff\xfe", "\x07")

    ran = gen("lint", file("one.yaml", text))

    assert ran.status == 1
    assert rule in [line.rpartition("[")[2].rstrip("]") for line in told(ran)]
    assert any(line.startswith(f"one.yaml:{place}:") for line in told(ran))


def test_bytes_that_are_not_utf_8_are_refused(gen: Gen, tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_bytes(b"a: \xff\n")

    ran = gen("lint", "one.yaml")

    assert ran.status == 1
    assert told(ran)[0].startswith("one.yaml:1:4: error: byte 0xff is not UTF-8")


def test_a_file_that_is_not_there_cannot_be_linted(gen: Gen, file: File) -> None:
    ran = gen("lint", file("service.yaml", SERVICE), "missing.yaml")

    assert ran.status == 2
    assert "cannot read missing.yaml" in ran.err


def test_files_and_folders_can_be_left_out(gen: Gen, file: File) -> None:
    file("service.yaml", SERVICE)
    file("vendor/deep/broken.yaml", "a: [\n")
    file("crds-big.yaml", "a: [\n")

    assert gen("lint", ".", "--exclude", "vendor", "--exclude", "*-big.yaml").status == 0
    assert gen("lint", ".", "--exclude", "vendor/").status == 1


def test_a_rule_can_be_left_out(gen: Gen, file: File) -> None:
    name = file("service.yaml", SERVICE.replace("minReplicas: 1", "minReplicas: 4"))

    assert gen("lint", name, "--ignore", "kserve/replicas-reversed").status == 0
    ran = gen("lint", name, "--ignore", "kserve/replicas-reverse")
    assert ran.status == 2
    assert "did you mean `kserve/replicas-reversed`?" in ran.err


def test_warnings_fail_only_where_they_are_to(gen: Gen, file: File) -> None:
    name = file("service.yaml", SERVICE.replace("Standard", "RawDeployment"))

    lenient, strict = gen("lint", name), gen("lint", name, "--strict")

    assert (lenient.status, strict.status) == (0, 1)
    assert " warning: " in told(lenient)[0]
    assert "1 error, 0 warnings" in strict.err


def test_a_release_of_the_cluster_decides(gen: Gen, file: File) -> None:
    name = file("service.yaml", SERVICE)

    assert gen("lint", name, "--release", "kserve=0.20").status == 0
    ran = gen("lint", name, "--release", "kserve=0.1")
    assert ran.status == 2
    assert "known: " in ran.err


def test_json_holds_what_text_says(gen: Gen, file: File) -> None:
    name = file("service.yaml", SERVICE.replace("minReplicas: 1", "minReplicas: 4"))

    ran = gen("lint", name, "--format", "json")

    [diagnostic] = json.loads(ran.out)["diagnostics"]
    assert ran.status == 1
    assert (diagnostic["path"], diagnostic["line"], diagnostic["column"]) == (name, 10, 18)
    assert diagnostic["rule"] == "kserve/replicas-reversed"
    assert diagnostic["related"][0]["line"] == 11


def test_what_clusters_take_is_not_alarmed(gen: Gen) -> None:
    ran = gen("lint", str(ROOT / "tests/data/taken.yaml"), "--strict")

    assert told(ran) == []


def test_everything_that_we_render_passes(gen: Gen) -> None:
    ran = gen("lint", str(ROOT / "rendered"), "--strict")

    assert told(ran) == []
    assert ran.status == 0


def test_a_broken_word_of_yaml_is_told_as_it_stands(gen: Gen, file: File) -> None:
    text = "apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {debug: on}}\n"
    text += "spec: {containers: [{name: a, image: b}]}\n"

    ran = gen("lint", file("pod.yaml", text))

    assert "pod.yaml:3:37: error: `on` is `true` to YAML, expected a string" in ran.err
    assert 'quote it: `"on"`' in ran.err


ALERTS = """\
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {name: alerts}
spec:
  groups:
    - name: a
      rules:
        - alert: Down
          expr: up == 0
          annotations:
            summary: |
              {{ $labels.instance }} is down
"""


def test_text_with_braces_is_no_template(gen: Gen, file: File) -> None:
    assert gen("lint", file("good.yaml", ALERTS)).err.startswith("1 manifest checked: 0 errors")

    broken = gen("lint", file("broken.yaml", ALERTS + "status: [\n"))
    named = gen("lint", file("named.yaml", ALERTS.replace("name: alerts", "name: 5")))

    assert (broken.status, named.status) == (1, 1)
    assert "[yaml/syntax]" in told(broken)[0]
    assert "named.yaml:3:18: error: `5` is a whole number" in told(named)[0]


CHART = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\ndata: {a: VALUE}\n"


@pytest.mark.parametrize(
    "text",
    [
        CHART.replace("NAME", '"{{ .Release.Name }}-x"'),
        CHART.replace("{name: NAME}", "\n  name: x-{{ .Release.Name }}"),
        CHART.replace("NAME", 'x, namespace: "{{ .Release.Namespace }}"'),
        CHART.replace("NAME", 'x, labels: {app: "{{ .Chart.Name }}"}'),
        CHART.replace("NAME", "x").replace("{a: VALUE}", "\n  a: {{ .Values.port }}"),
        CHART.replace("NAME", "x") + "{{ if and\n  .a }}\nimmutable: true\n{{ end }}\n",
        CHART.replace("NAME", "x") + "{% if a %}\nimmutable: true\n{% endif %}\n",
        CHART.replace("{name: NAME}", '\n  name: {{ include "x" . }}'),
    ],
)
def test_a_template_is_passed_over(gen: Gen, file: File, text: str) -> None:
    ran = gen("lint", file("chart.yaml", f"{text}"))

    assert (ran.status, told(ran)) == (0, [])
    assert "passed over: 1 template" in ran.err


def test_only_the_piece_that_is_a_template_is_passed_over(gen: Gen, file: File) -> None:
    template = CHART.replace("NAME", '"{{ .Release.Name }}"')

    ran = gen("lint", file("two.yaml", f"{template}---\n{CHART.replace('NAME', 'A_b')}"))

    assert [line.split(" error")[0] for line in told(ran)] == ["two.yaml:8:18:"]
    assert "passed over: 1 template" in ran.err


def test_a_chart_of_helms_own_is_no_manifest(gen: Gen, file: File) -> None:
    ran = gen("lint", file("Chart.yaml", "apiVersion: v2\nname: cifar10\nversion: 1.0.0\n"))

    assert (ran.status, told(ran)) == (0, [])


SCALE = "apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata: {name: x}\n"
SCALE += "spec: {predictor: {maxReplicas: 5}}\n"


def test_a_patch_is_known_by_the_kustomization_beside_it(
    gen: Gen, file: File, tmp_path: Path
) -> None:
    file("prod/scale.yaml", SCALE)
    file("prod/kustomization.yaml", "resources: [../base]\npatches: [{path: scale.yaml}]\n")
    absolute = str(tmp_path / "prod" / "scale.yaml")

    for paths in (["prod/scale.yaml"], [absolute], [absolute, "prod/kustomization.yaml"]):
        ran = gen("lint", *paths)
        assert "1 kustomize patch" in ran.err, paths
        assert not any("no-predictor" in line for line in told(ran))


def test_a_broken_kustomization_beside_a_file_is_none_of_its_matter(gen: Gen, file: File) -> None:
    file("kustomization.yaml", "resources: [\n")

    assert gen("lint", file("service.yaml", SERVICE)).status == 0


def test_a_kustomization_without_a_suffix_is_opened(gen: Gen, file: File) -> None:
    file("Kustomization", "resources: [missing.yaml]\n")

    assert [line.split(" error")[0] for line in told(gen("lint", "."))] == ["Kustomization:1:13:"]


def test_pipes_and_links_to_nothing_are_left_alone(gen: Gen, file: File, tmp_path: Path) -> None:
    file("service.yaml", SERVICE)
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nowhere.yaml")

    ran = gen("lint", ".")

    assert (ran.status, ran.err) == (0, "1 manifest checked: 0 errors, 0 warnings\n")


def test_an_element_of_a_list_that_says_no_kind_is_told(gen: Gen, file: File) -> None:
    text = "apiVersion: v1\nkind: List\nitems:\n- {metadata: {name: a}}\n"

    ran = gen("lint", file("list.yaml", text))

    assert len(told(ran)) == 2
    assert all("list.yaml:4" in line or "list.yaml:3" in line for line in told(ran))


def test_a_list_of_one_kind_gives_it_to_its_elements(gen: Gen, file: File) -> None:
    text = "apiVersion: v1\nkind: ConfigMapList\nitems:\n- {metadata: {name: a}, data: {a: b}}\n"

    assert gen("lint", file("list.yaml", text)).status == 0


def test_an_unknown_rule_is_not_answered_with_all_rules(gen: Gen, file: File) -> None:
    ran = gen("lint", file("service.yaml", SERVICE), "--ignore", "nothing/x")

    assert ran.status == 2
    assert len(ran.err) < 500
    assert "no rule `nothing/x`" in ran.err


def test_the_hook_sees_every_file_that_a_folder_would(gen: Gen) -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    [pattern] = [hook["files"] for hook in hooks if hook["id"] == "gen-lint"]

    for name in ("a.yaml", "b/c.yml", "d.json", "config.pbtxt", "x/Kustomization", "a.properties"):
        assert re.search(pattern, name)
        assert may_hold(name)
    assert not re.search(pattern, "README.md")
    assert not re.search(pattern, "MyKustomization")
