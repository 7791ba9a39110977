"""`gen diff`: what it compares, in which formats, with which exit status."""

import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cmarkgfm import (  # type: ignore[import-untyped]  # it has no types
    github_flavored_markdown_to_html,
)
from cmarkgfm.cmark import Options  # type: ignore[import-untyped]  # it has no types
from ran import Ran
from test_changes_words import DEPLOYMENT, SERVICE, edited
from test_completion import completed

from generator.changes import markdown
from generator.changes.comparison import Comparison

Gen = Callable[..., Ran]
WriteSpec = Callable[..., Path]

SCHEMA = {
    "type": "object",
    "required": ["version", "from", "to", "services", "notes", "failures", "summary"],
    "additionalProperties": False,
    "properties": {
        "version": {"const": 1},
        "from": {"type": "string"},
        "to": {"type": "string"},
        "notes": {"type": "array", "items": {"type": "string"}},
        "failures": {"type": "array", "items": {"type": "string"}},
        "summary": {
            "type": "object",
            "required": ["services", "changed", "changes", "attention", "status"],
            "additionalProperties": {"type": "integer"},
        },
        "services": {"type": "array", "items": {"$ref": "#/$defs/service"}},
    },
    "$defs": {
        "item": {
            "required": ["file", "form", "object"],
            "properties": {
                "file": {"type": "string"},
                "form": {"type": "string"},
                "object": {
                    "type": ["object", "null"],
                    "required": ["group", "kind", "namespace", "name"],
                },
            },
        },
        "service": {
            "type": "object",
            "required": ["project", "environment", "target", "folder", "sense", "cosmetic"],
            "properties": {
                "sense": {"enum": ["added", "removed", "changed"]},
                "attention": {
                    "type": "array",
                    "items": {
                        "$ref": "#/$defs/item",
                        "required": ["rule", "message", "where", "why"],
                    },
                },
                "changes": {
                    "type": "array",
                    "items": {
                        "$ref": "#/$defs/item",
                        "required": ["sense", "path", "subject", "message"],
                    },
                },
            },
        },
    },
}


class Page(HTMLParser):
    """What HTML shows: its text, that in code apart, and how many of each tag there are."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.ends: Counter[str] = Counter()
        self.text = self.code = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags[tag] += 1

    def handle_endtag(self, tag: str) -> None:
        self.ends[tag] += 1

    def handle_data(self, data: str) -> None:
        if self.tags["code"] > self.ends["code"]:
            self.code += data
        else:
            self.text += data


def git(folder: Path, *arguments: str) -> None:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(folder), *arguments]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(command, check=True, capture_output=True, env=environment)


def commit(folder: Path, message: str) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a Deployment of 2 replicas in its first commit, of 3 in its second."""
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    (tmp_path / "rendered").mkdir()
    for number in (2, 3):
        text = edited(DEPLOYMENT, "replicas: 2", f"replicas: {number}")
        (tmp_path / "rendered/a.yaml").write_text(text)
        commit(tmp_path, f"{number} replicas")
        git(tmp_path, "tag", f"with-{number}")
    return tmp_path


def put(folder: Path, text: str) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.yaml").write_text(text)
    return str(folder)


def test_tells_what_render_would_change(gen: Gen, write_spec: WriteSpec) -> None:
    spec = str(write_spec("one.yaml"))
    assert gen("render", spec).status == 0
    assert gen("diff", spec).out == "from rendered to what the specs render\n\nno change\n"
    write_spec("one.yaml", more="serving: {replicas: {min: 2, max: 2}}\n")

    ran = gen("diff", spec)

    assert ran.status == 0
    assert "one / triton\n" in ran.out
    assert "  replicas, at least: 1 -> 2  (InferenceService one)\n" in ran.out
    assert gen("render", spec).status == 0
    assert "no change" in gen("diff", spec).out


def test_a_project_that_has_not_been_rendered_yet_is_added(gen: Gen, write_spec: WriteSpec) -> None:
    ran = gen("diff", str(write_spec("one.yaml")))

    assert ran.status == 0
    assert "one / triton, added\n" in ran.out
    assert "  InferenceService one added  (manifests/inferenceservice.yaml)\n" in ran.out


ENVIRONMENTS = """\
environments:
  staging: {kubernetes: {namespace: models-staging}}
  production:
    kubernetes: {namespace: models}
    serving: {replicas: {min: 2, max: 4}}
"""


def test_tells_what_a_promotion_brings(gen: Gen, write_spec: WriteSpec) -> None:
    spec = str(write_spec("one.yaml", more=ENVIRONMENTS))

    ran = gen("diff", spec, "--from", "staging", "--to", "production")

    assert ran.status == 0, "neither the namespace nor the environment's own uri is news"
    assert "from staging to production\n\none / production / triton\n" in ran.out
    assert "  namespace: models-staging -> models  (" in ran.out
    assert "  replicas, at most: 1 -> 4  (InferenceService one)\n" in ran.out


def test_demotion_needs_attention(gen: Gen, write_spec: WriteSpec) -> None:
    spec = str(write_spec("one.yaml", more=ENVIRONMENTS))

    ran = gen("diff", spec, "--from", "production", "--to", "staging")

    assert ran.status == 1
    assert "[attention/replicas-lowered-to-one]" in ran.out


def test_a_spec_without_one_of_the_environments_is_left_out(
    gen: Gen, write_spec: WriteSpec
) -> None:
    write_spec("s/one.yaml", more=ENVIRONMENTS)
    write_spec("s/two.yaml", name="two", more="environments: {staging: {}}\n")
    write_spec("s/three.yaml", name="three")

    ran = gen("diff", "s", "--from", "staging", "--to", "production")

    assert ran.status == 0
    assert "two has no environment production: left out" in ran.out
    assert "three" not in ran.out


def test_a_spec_with_errors_is_told_and_the_others_compared(
    gen: Gen, write_spec: WriteSpec
) -> None:
    write_spec("s/one.yaml")
    write_spec("s/two.yaml", name="two", more="unheard: 1\n")

    ran = gen("diff", "s")

    assert ran.status == 2
    assert "unheard" in ran.err
    assert "s/two.yaml has errors, and is not compared" in ran.err
    assert "one / triton, added" in ran.out


def test_compares_two_folders(gen: Gen, tmp_path: Path) -> None:
    old = put(tmp_path / "old", SERVICE)
    new = put(tmp_path / "new", edited(SERVICE, "minReplicas: 1", "minReplicas: 0"))

    ran = gen("diff", "--folders", old, new)

    assert ran.status == 1
    assert "attention: at least 1 -> 0 replicas [attention/scale-to-zero]\n" in ran.out
    assert "  replicas, at least: 1 -> 0  (InferenceService one)\n" in ran.out
    assert ran.out.endswith("1 change, 1 point needs attention; 1 of 1 service touched\n")
    assert gen("diff", "--folders", old, new, "--exit-zero").status == 0


def test_target_and_environment_select(gen: Gen, write_spec: WriteSpec) -> None:
    spec = str(write_spec("one.yaml", more=ENVIRONMENTS))
    gen("render", spec, "--output", "old")
    gen("render", spec, "--output", "new")
    Path("new/one/staging/triton/manifests/inferenceservice.yaml").unlink()

    assert gen("diff", "--folders", "old", "new", "--environment", "production").status == 0
    assert gen("diff", "--folders", "old", "new", "--target", "torchserve").status == 0
    assert gen("diff", "--folders", "old", "new").status == 1


def test_compares_a_revision_with_another(gen: Gen, repository: Path) -> None:
    ran = gen("diff", "--from-revision", "with-2", "--to-revision", "with-3")

    assert (ran.status, ran.err) == (0, "")
    assert "from with-2 to with-3\n\n.\n  replicas: 2 -> 3  (Deployment one)\n" in ran.out


def test_compares_a_revision_with_what_lies_there(gen: Gen, repository: Path) -> None:
    put(repository / "rendered", edited(DEPLOYMENT, "replicas: 2", "replicas: 4"))
    (repository / "rendered/b.yaml").write_text(SERVICE)

    ran = gen("diff", "--from-revision", "HEAD")

    assert "replicas: 3 -> 4" in ran.out
    assert "InferenceService one added  (b.yaml)" in ran.out


def test_a_folder_that_has_gone_since_is_removed(gen: Gen, repository: Path) -> None:
    git(repository, "rm", "-r", "--quiet", "rendered")

    ran = gen("diff", "--from-revision", "HEAD")

    assert ran.status == 1
    assert "[attention/service-removed]" in ran.out


def test_works_below_the_top_of_a_repository(
    gen: Gen, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "team/rendered").mkdir(parents=True)
    put(repository / "team/rendered", SERVICE)
    commit(repository, "a team's own")
    put(repository / "team/rendered", edited(SERVICE, "timeout: 60", "timeout: 30"))
    monkeypatch.chdir(repository / "team")

    ran = gen("diff", "--from-revision", "HEAD")

    assert "timeout in seconds: 60 -> 30" in ran.out
    assert "Deployment" not in ran.out
    monkeypatch.chdir(repository)
    both = gen("diff", "--from-revision", "HEAD", "rendered", "team/rendered")
    assert "timeout in seconds: 60 -> 30" in both.out


def test_links_modes_binaries_and_odd_names_are_compared(gen: Gen, repository: Path) -> None:
    folder = repository / "rendered"
    (folder / "link").symlink_to("a.yaml")
    (folder / "weights.bin").write_bytes(b"\0\1")
    (folder / "ö ä\n.sh").write_text("ls\n")
    commit(repository, "odd")
    (folder / "link").unlink()
    (folder / "link").symlink_to("b.yaml")
    (folder / "weights.bin").write_bytes(b"\0\2")
    (folder / "ö ä\n.sh").chmod(0o755)

    ran = gen("diff", "--from-revision", "HEAD")

    assert ran.status == 0
    assert "link: link to a.yaml -> link to b.yaml\n" in ran.out
    assert re.search(r"weights.bin: 2 bytes \w+ -> 2 bytes \w+\n", ran.out)
    assert "mode of ö ä\\n.sh: not executable -> executable" in ran.out


def test_what_git_tells_its_hooks_does_not_lead_elsewhere(
    gen: Gen, repository: Path, tmp_path_factory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path_factory.mktemp("trees") / "tree"
    git(repository, "worktree", "add", "--quiet", "--detach", str(tree), "with-3")
    monkeypatch.chdir(tree)
    monkeypatch.setenv("GIT_DIR", str(repository / ".git/worktrees/tree"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(repository / ".git/worktrees/tree/index"))
    monkeypatch.setenv("GIT_PREFIX", "")

    ran = gen("diff", "--from-revision", "HEAD")

    assert (ran.status, ran.out) == (0, "from HEAD to the working tree\n\nno change\n")


def test_folders_that_are_passed_over_are_so_in_a_revision_too(gen: Gen, repository: Path) -> None:
    for folder in ("__pycache__", "node_modules", "sub/.terraform"):
        put(repository / "rendered" / folder, SERVICE)
    commit(repository, "what belongs into no repository")

    ran = gen("diff", "--from-revision", "HEAD")

    assert (ran.status, ran.out) == (0, "from HEAD to the working tree\n\nno change\n")


def test_a_file_that_git_stores_otherwise_than_it_lies_there_does_not_differ(
    gen: Gen, repository: Path
) -> None:
    git(repository, "config", "filter.upper.clean", "tr a-z A-Z")
    (repository / ".gitattributes").write_text("*.txt filter=upper\n")
    (repository / "rendered/a ö.txt").write_text("weights")
    commit(repository, "with a filter, as Git LFS is one")

    same = gen("diff", "--from-revision", "HEAD")
    (repository / "rendered/a ö.txt").write_text("others")
    changed = gen("diff", "--from-revision", "HEAD")

    assert "no change" in same.out
    assert "a ö.txt" in changed.out


@pytest.mark.parametrize("to", [(), ("--to-revision", "with-3")])
def test_compares_a_file_alone(gen: Gen, repository: Path, to: tuple[str, ...]) -> None:
    ran = gen("diff", "--from-revision", "with-2", *to, "rendered/a.yaml")

    assert (ran.status, ran.err) == (0, "")
    assert "replicas: 2 -> 3  (Deployment one)\n" in ran.out


def test_submodules_are_left_out(gen: Gen, repository: Path, tmp_path_factory: Any) -> None:
    other = tmp_path_factory.mktemp("other")
    git(other, "init", "--quiet")
    put(other, SERVICE)
    commit(other, "one")
    add = ("-c", "protocol.file.allow=always", "submodule", "add", "--quiet", str(other))
    git(repository, *add, "rendered/module")
    commit(repository, "with a module")

    ran = gen("diff", "--from-revision", "with-3")

    assert (ran.status, ran.out) == (0, "from with-3 to the working tree\n\nno change\n")


def test_line_ends_of_the_checkout_are_no_change(gen: Gen, repository: Path) -> None:
    path = repository / "rendered/a.yaml"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

    ran = gen("diff", "--from-revision", "HEAD")

    assert ran.status == 0
    assert "1 file differs in comments, layout or place alone: a.yaml" in ran.out


@pytest.mark.parametrize("revision", ["nowhere", "--all", "", "-h", "HEAD:rendered"])
def test_a_revision_that_is_not_there_is_told(gen: Gen, repository: Path, revision: str) -> None:
    ran = gen("diff", f"--from-revision={revision}")

    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("gen: no revision")


def test_a_shallow_clone_is_told_what_to_fetch(
    gen: Gen, repository: Path, tmp_path_factory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = tmp_path_factory.mktemp("clone")
    git(clone, "clone", "--quiet", "--depth", "1", f"file://{repository}", "shallow")
    monkeypatch.chdir(clone / "shallow")

    assert gen("diff", "--from-revision", "HEAD").status == 0
    ran = gen("diff", "--from-revision", "HEAD~1")

    assert ran.status == 2
    assert "shallow clone: git fetch --unshallow" in ran.err


def test_no_repository_no_git_and_no_folder_are_told(
    gen: Gen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    outside = gen("diff", "--from-revision", "HEAD")
    git(tmp_path, "init", "--quiet")
    (tmp_path / "a").write_text("a")
    commit(tmp_path, "a")
    nothing = gen("diff", "--from-revision", "HEAD")
    monkeypatch.setenv("PATH", str(tmp_path))
    without = gen("diff", "--from-revision", "HEAD")

    assert [ran.status for ran in (outside, nothing, without)] == [2, 2, 2]
    assert "not a git repository" in outside.err
    assert "rendered holds no file in HEAD nor in the working tree" in nothing.err
    assert "git is not installed" in without.err


def test_json_is_what_its_schema_says(gen: Gen, tmp_path: Path) -> None:
    old = put(tmp_path / "old", f"{SERVICE}---\n{DEPLOYMENT}")
    new = put(tmp_path / "new", edited(SERVICE, "minReplicas: 1", "minReplicas: 0"))

    ran = gen("diff", "--folders", old, new, "--format", "json")

    whole = json.loads(ran.out)
    jsonschema.validate(whole, SCHEMA)
    [service] = whole["services"]
    changed = {change["path"]: change for change in service["changes"]}
    replicas = changed["spec.predictor.minReplicas"]
    assert (replicas["from"], replicas["to"], replicas["object"]["name"]) == (1, 0, "one")
    assert changed[""]["sense"] == "removed"
    rules = {found["rule"] for found in service["attention"]}
    assert rules == {"attention/scale-to-zero", "attention/service-removed"}
    assert whole["summary"]["status"] == ran.status == 1


def test_json_holds_what_could_not_be_compared(gen: Gen, tmp_path: Path) -> None:
    old, new = put(tmp_path / "old", SERVICE), put(tmp_path / "new", "a: [\n")

    ran = gen("diff", "--folders", old, new, "--format", "json", "--output-file", "diff.json")

    whole = json.loads(Path("diff.json").read_text())
    jsonschema.validate(whole, SCHEMA)
    assert (ran.status, ran.out, whole["summary"]["status"]) == (2, "", 2)
    assert whole["failures"][0].startswith(".: a.yaml, after: 1:5: ")


def test_markdown_has_attention_first_and_the_rest_folded(gen: Gen, tmp_path: Path) -> None:
    old = put(tmp_path / "old", SERVICE)
    new = put(tmp_path / "new", edited(SERVICE, "minReplicas: 1", "minReplicas: 0"))

    said = gen("diff", "--folders", old, new, "--format", "markdown").out

    assert said.startswith(f"{markdown.MARK}\n### gen diff: 1 change, 1 point needs attention;")
    assert "| `.` | `scale-to-zero` | `at least 1 -> 0 replicas` |" in said
    assert said.index("scale-to-zero") < said.index("<details>")
    assert "- replicas, at least: `1` → `0`" in said
    assert said.count("<details>") == said.count("</details>") == 2


@pytest.mark.parametrize(
    "value",
    [
        "a|b",
        "a\\|b",
        "`x`",
        "``",
        "<b>",
        "@team",
        "https://example.org",
        "</b>",
        "**a**",
        "#12",
        "[a](b)",
    ],
)
def test_markdown_takes_what_stands_in_a_manifest_as_text(
    gen: Gen, tmp_path: Path, value: str
) -> None:
    old = put(tmp_path / "old", SERVICE)
    quoted = json.dumps(value)
    changed = edited(SERVICE, "s3://models/one", quoted)
    new = put(tmp_path / "new", edited(changed, "timeout: 60", f"{quoted}: 1"))

    said = gen("diff", "--folders", old, new, "--format", "markdown").out

    page = Page()
    page.feed(github_flavored_markdown_to_html(said, Options.CMARK_OPT_UNSAFE))

    assert value in page.code
    assert not re.search(r"@|#\d|://", page.text), "a mention or a link, were it not code"
    assert page.tags["a"] == page.tags["img"] == page.tags["b"] == page.tags["strong"] == 0
    assert page.tags["td"] == 4 * (page.tags["tr"] - 1) == 4
    assert page.tags["details"] == page.ends["details"]


def test_markdown_fits_into_a_comment(gen: Gen, tmp_path: Path) -> None:
    annotations = "".join(f"    key-{n}: '{n}'\n" for n in range(2000))
    named = edited(DEPLOYMENT, "metadata: {name: one}", "metadata:\n  name: one\n  annotations:\n")
    old = put(tmp_path / "old", DEPLOYMENT)
    new = put(tmp_path / "new", named.replace("  annotations:\n", f"  annotations:\n{annotations}"))

    said = gen("diff", "--folders", old, new, "--format", "markdown").out

    assert len(said.encode()) < 65_536
    assert "a comment holds no more. Run gen diff to see it all." in said
    assert said.count("<details>") == said.count("</details>")


def test_markdown_of_nothing_is_a_title() -> None:
    said = markdown.report(Comparison("a", "b"))

    assert said == (f"{markdown.MARK}\n### gen diff: no change\n\nFrom `a` to `b`.\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name specs, or give --from-revision or --folders"),
        (("--folders", "a"), "--folders takes two folders"),
        (("x", "--from", "a"), "--from and --to go together"),
        (("--from", "a", "--to", "b"), "name the specs"),
        (("--to-revision", "a"), "--to-revision goes with --from-revision"),
        (("--folders", "a", "b", "--from-revision", "c"), "--from-revision stands for itself"),
        (("x", "--from", "a", "--to", "b", "--environment", "c"), "say which environments"),
        (("x", "--output-file", ""), "the name is empty"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    gen: Gen, arguments: tuple[str, ...], said: str
) -> None:
    ran = gen("diff", *arguments)

    assert ran.status == 2
    assert said in ran.err


def test_folders_that_are_not_there_are_told(gen: Gen) -> None:
    ran = gen("diff", "--folders", "a", "b")

    assert (ran.status, ran.out, ran.err) == (2, "", "gen: a is no folder\n")


def test_explains_why_a_change_needs_attention(gen: Gen) -> None:
    ran = gen("explain", "attention/scale-to-zero")

    assert ran.status == 0
    assert "The next request after a pause waits" in ran.out


def test_an_environment_that_no_spec_has_is_told(gen: Gen, write_spec: WriteSpec) -> None:
    spec = str(write_spec("one.yaml", more=ENVIRONMENTS))

    ran = gen("diff", spec, "--from", "staging", "--to", "nowhere")

    assert (ran.status, ran.out) == (2, "")
    assert "unknown environment nowhere" in ran.err


def test_many_numbers_are_compared_in_time(gen: Gen, tmp_path: Path) -> None:
    for side, last in (("old", 0), ("new", 1)):
        (tmp_path / side).mkdir()
        numbers = [*range(200_000), last]
        (tmp_path / side / "request.json").write_text(json.dumps({"data": numbers}))

    ran = gen("diff", "--folders", "old", "new")

    assert "data[200000]: 0 -> 1" in ran.out


def test_colour_marks_what_needs_attention(
    gen: Gen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = put(tmp_path / "old", SERVICE)
    new = put(tmp_path / "new", edited(SERVICE, "minReplicas: 1", "minReplicas: 0"))
    monkeypatch.setenv("FORCE_COLOR", "1")

    assert "\x1b[33m\x1b[1mattention:\x1b[0m" in gen("diff", "--folders", old, new).out


def test_markdown_says_what_was_not_compared() -> None:
    many = Comparison("a", "b", failures=[f"file {n}" for n in range(1000)])

    said = markdown.report(many)

    assert "- **not compared**: file 0\n" in said
    assert "and 980 more" in said
    assert len(said) < 5000


def test_offers_the_environments_of_the_specs(write_spec: WriteSpec, tmp_path: Path) -> None:
    write_spec("one.yaml", more=ENVIRONMENTS)

    offered = completed("gen diff one.yaml --from staging --to ", tmp_path)

    assert offered == ["plain,staging", "plain,production"]


def many(folder: Path, image: str) -> str:
    """Three services of one image."""
    for name in ("a", "b", "c"):
        put(folder / name / "triton/manifests", edited(DEPLOYMENT, "one:1.0", image))
        (folder / name / ".serving-generator").write_text("")
    return str(folder)


def test_markdown_tells_once_what_changes_alike_in_several_services(
    gen: Gen, tmp_path: Path
) -> None:
    old, new = many(tmp_path / "old", "one:1.0"), many(tmp_path / "new", "one:latest")
    put(tmp_path / "new/a/triton/manifests", edited(
        edited(DEPLOYMENT, "one:1.0", "one:latest"), "replicas: 2", "replicas: 3"
    ))  # fmt: skip

    said = gen("diff", "--folders", old, new, "--format", "markdown").out

    assert said.count("| `image-not-pinned` |") == 1
    assert "| `a / triton`, `b / triton`, `c / triton` | `image-not-pinned` |" in said
    assert said.count("one:1.0` → ") == 1
    assert "<summary>1 change in several services</summary>" in said
    assert "<summary>a / triton: 1 change</summary>" in said
    assert "<summary>b / triton" not in said
    assert "0 changes" not in said


def test_a_project_whose_spec_is_gone_is_noted(gen: Gen, write_spec: WriteSpec) -> None:
    write_spec("specs/one.yaml", name="one")
    gone = write_spec("specs/two.yaml", name="two")
    assert gen("render", "specs").status == 0
    gone.unlink()

    ran = gen("diff", "specs")

    assert ran.status == 0
    assert "rendered/two is rendered by none of these specs" in ran.out
    assert "rendered/two" not in gen("diff", "specs/one.yaml").out


def test_specs_in_place_of_rendered_files_are_refused(
    gen: Gen, write_spec: WriteSpec, tmp_path: Path
) -> None:
    write_spec("specs/one.yaml", name="one")
    for command in (
        ["init", "--quiet"],
        ["add", "--all"],
        [*NOBODY, "commit", "--quiet", "-m", "a"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)

    ran = gen("diff", "--from-revision", "HEAD", "specs")

    assert ran.status == 2
    assert "specs holds specs and nothing that is rendered" in ran.err + ran.out


NOBODY = ("-c", "user.name=A", "-c", "user.email=a@acme.example", "-c", "commit.gpgsign=false")
