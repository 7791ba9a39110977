"""The example GitOps repository: what stands there is rendered, and its recipes run as written."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from ran import Ran

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "gitops"
PROGRAMS = Path(sys.executable).parent
SECONDS = 120


def test_rendered_files_are_what_the_specs_render(
    gen: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(EXAMPLE)
    ran = gen("render", "--check", "--prune", "specs")
    assert (ran.status, ran.out) == (0, ""), ran.err


def test_every_image_is_locked(gen: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLE)
    ran = gen("lock", "--check", "specs")
    assert ran.status == 0, ran.err


def test_no_warning_is_left(gen: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLE)
    assert gen("validate", "--strict", "specs").status == 0
    assert gen("lint", "--strict", "--pod-security", "restricted", "rendered").status == 0


def documents(pattern: str, folder: Path = EXAMPLE) -> list[dict[str, Any]]:
    return [
        document
        for path in sorted(folder.glob(pattern))
        for document in yaml.safe_load_all(path.read_text())
    ]


def kinds(manifests: Iterable[dict[str, Any]]) -> set[tuple[str, str]]:
    groups = ((each["apiVersion"].rpartition("/")[0], each["kind"]) for each in manifests)
    return {(group, kind) for group, kind in groups if kind != "Kustomization"}


def permitted(project: str) -> dict[str, Any]:
    [found] = [
        each["spec"]
        for each in documents("argo-cd/*.yaml")
        if each["kind"] == "AppProject" and each["metadata"]["name"] == project
    ]
    return dict(found)


def admits(project: str, application: dict[str, Any]) -> bool:
    """Whether a project has the repository and the destination of an Application."""
    limits, spec = permitted(project), application["spec"]
    return (
        spec["project"] == project
        and spec["source"]["repoURL"] in limits["sourceRepos"]
        and spec["destination"] in limits["destinations"]
    )


def test_the_project_admits_all_that_is_rendered() -> None:
    applications = documents("rendered/*/*/*/argo-cd/*.yaml")
    assert len(applications) == 4
    assert all(admits("serving", each) for each in applications)
    namespaces = {each["namespace"] for each in permitted("serving")["destinations"]}
    manifests = documents("rendered/*/*/*/manifests/*.yaml")
    assert {each["metadata"]["namespace"] for each in manifests if "metadata" in each} <= namespaces


def test_the_project_admits_every_kind_that_a_target_renders() -> None:
    all_rendered = [
        *documents("rendered/**/manifests/*.yaml", ROOT),
        *documents("rendered/**/manifests/*.yaml"),
    ]
    with_load_test = documents("rendered/argo-cd/staging/triton/perf/job.yaml", ROOT)
    wanted = kinds([*all_rendered, *with_load_test]) | {("", "ConfigMap")}
    listed = permitted("serving")["namespaceResourceWhitelist"]
    assert {(each["group"], each["kind"]) for each in listed} == wanted


def test_the_root_makes_applications_and_nothing_else() -> None:
    [root] = [each for each in documents("argo-cd/*.yaml") if each["kind"] == "Application"]
    assert admits("serving-root", root)
    listed = permitted("serving-root")["namespaceResourceWhitelist"]
    assert [each["kind"] for each in listed] == ["Application", "ApplicationSet"]
    for rendered in documents("rendered/*/*/*/argo-cd/*.yaml"):
        assert rendered["metadata"]["namespace"] == root["spec"]["destination"]["namespace"]


def test_the_root_finds_applications_and_sets() -> None:
    [root] = [each for each in documents("argo-cd/*.yaml") if each["kind"] == "Application"]
    include = root["spec"]["source"]["directory"]["include"]
    wanted = {f"**/argo-cd/{name}.yaml" for name in ("application", "applicationset")}
    assert set(include.strip("{}").split(",")) == wanted


def test_the_platform_reviews_limits_defaults_and_checks() -> None:
    text = (EXAMPLE / ".github/CODEOWNERS").read_text()
    owned = {line.split()[0] for line in text.splitlines() if line.startswith("/")}
    assert {"/argo-cd/", "/serving-defaults.yaml", "/.github/", "/.gitlab-ci.yml"} <= owned
    assert all((EXAMPLE / path.strip("/")).exists() for path in owned)


NET = '''\
"""A small network."""

import torch
from torch import nn


class Net(nn.Module):
    """Takes float32 [N, 4], gives float32 [N, 2]."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(4, 2)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.last(features)
'''


def test_the_page_begins_with_what_works(tmp_path: Path) -> None:
    """Every line of it, but for what is installed and the cluster."""
    page = (ROOT / "docs/gitops.md").read_text()
    begin = page.split("## Begin")[1].split("\n## ")[0]
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", begin, re.DOTALL))
    assert "pip install" in lines
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("pip", "kubectl"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    (tmp_path / "net.py").write_text(NET)
    remote = tmp_path / "remote.git"
    git(tmp_path, "init", "--quiet", "--bare", str(remote))
    (tmp_path / "gitconfig").write_text(
        "[user]\nname = A\nemail = a@acme.example\n"
        f'[url "{remote}"]\ninsteadOf = https://github.com/acme/serving.git\n'
    )
    script = lines.replace("path/to/clone", str(ROOT)).replace("path/to/net.py", "../net.py")

    ran = bash(
        script,
        tmp_path,
        first=str(programs),
        GIT_CONFIG_GLOBAL=str(tmp_path / "gitconfig"),
        PRE_COMMIT_HOME=str(tmp_path / "hooks"),
    )

    assert ran.status == 0, ran.err
    pushed = git(remote, "ls-tree", "-r", "--name-only", "main").split()
    assert "no-effect" not in ran.err
    assert "rendered/net/production/triton/argo-cd/application.yaml" in pushed
    assert not [path for path in pushed if "digits" in path or "ranker" in path]


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.github-workflows", [".github/workflows/serving.yaml"]),
        ("vendor.github-workflows", [".github/workflows/cluster.yaml"]),
        ("vendor.gitlab-ci", [".gitlab-ci.yml"]),
    ],
)
def test_recipes_are_what_their_services_read(schema: str, files: list[str]) -> None:
    transform = ["--data-transform", "gitlab-ci"] if "gitlab" in schema else []
    command = [PROGRAMS / "check-jsonschema", "--builtin-schema", schema, *transform, *files]
    ran = subprocess.run(command, cwd=EXAMPLE, capture_output=True, text=True, timeout=SECONDS)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The example as a git repository of one commit."""
    place = tmp_path / "serving"
    shutil.copytree(EXAMPLE, place)
    git(place, "init", "--quiet", "--initial-branch=main")
    commit(place, "as the example has it")
    return place


def git(place: Path, *arguments: str) -> str:
    author = ["-c", "user.name=A", "-c", "user.email=a@acme.example", "-c", "commit.gpgsign=false"]
    command = ["git", *author, *arguments]
    return subprocess.run(
        command, cwd=place, check=True, capture_output=True, text=True, timeout=SECONDS
    ).stdout


def test_another_platform_is_one_word_in_a_spec(
    repository: Path, gen: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = repository / "specs/digits.yaml"
    accepted = "accepted_warnings: {torchserve/end-of-life: until we move}\n"
    spec.write_text(spec.read_text().replace("  triton: {}", "  torchserve: {}") + accepted)
    monkeypatch.chdir(repository)
    ran = gen("validate", "specs")
    assert ran.status == 0, ran.err


def commit(place: Path, message: str) -> None:
    git(place, "add", "--all")
    git(place, "commit", "--quiet", "--message", message)


def changed(place: Path, *replaced: tuple[str, str], render: bool = True) -> None:
    """A second commit with another production of digits."""
    spec = place / "specs" / "digits.yaml"
    text = spec.read_text()
    for old, new in replaced:
        assert old in text
        text = text.replace(old, new)
    spec.write_text(text)
    if render:
        ran = bash("gen render specs", place)
        assert ran.status == 0, ran.err
    commit(place, "another production")


HARMLESS = ("production: {}", "production: {serving: {replicas: {max: 8}}}")
TO_BE_SEEN = ("production: {}", "production: {storage: {uri: s3://acme-elsewhere/digits}}")


def bash(script: str, place: Path, **variables: str) -> Ran:
    """A step as a runner has it: bash that stops at the first failure."""
    paths = [variables.pop("first", ""), str(PROGRAMS), os.environ["PATH"]]
    environment = os.environ | variables | {"PATH": os.pathsep.join(filter(None, paths))}
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    ran = subprocess.run(
        command, cwd=place, env=environment, capture_output=True, text=True, timeout=SECONDS
    )
    return Ran(ran.returncode, ran.stdout, ran.stderr)


GH = """\
#!/bin/bash
echo "$*" >> {folder}/calls
case "$*" in
  "api --paginate repos/acme/serving/issues/7/comments --jq "*'startswith("<!-- gen diff -->")'*)
    if [ -f {folder}/comment.md ]; then printf '41\\n42\\n'; fi ;;
  "api --method POST repos/acme/serving/issues/7/comments "* | \\
  "api --method PATCH repos/acme/serving/issues/comments/41 "*)
    last=${{@: -1}}
    cp "${{last#body=@}}" {folder}/comment.md ;;
  "api --method DELETE repos/acme/serving/issues/7/labels/serving-reviewed --silent") ;;
  *) exit 1 ;;
esac
"""


class Workflow:
    """The steps of the GitHub workflow on a commit, with a `gh` that notes what it is given."""

    def __init__(self, place: Path, beside: Path) -> None:
        text = (EXAMPLE / ".github/workflows/serving.yaml").read_text()
        self.steps = yaml.safe_load(text)["jobs"]["rendered"]["steps"]
        self.place = place
        self.temporary = beside / "runner"
        self.temporary.mkdir()
        self.comment = beside / "comment.md"
        programs = beside / "programs"
        programs.mkdir()
        self.calls = beside / "calls"
        (programs / "gh").write_text(GH.format(folder=beside))
        (programs / "gh").chmod(0o755)
        self.variables = {
            "RUNNER_TEMP": str(self.temporary),
            "GITHUB_STEP_SUMMARY": str(beside / "summary.md"),
            "NUMBER": "7",
            "GH_REPO": "acme/serving",
            "first": str(programs),
        }

    def run(self, name: str) -> Ran:
        [step] = [step for step in self.steps if step.get("name") == name]
        return bash(step["run"], self.place, **self.variables)


@pytest.fixture
def workflow(repository: Path, tmp_path: Path) -> Workflow:
    return Workflow(repository, tmp_path)


def test_a_harmless_change_passes_and_is_told_in_a_comment(workflow: Workflow) -> None:
    changed(workflow.place, HARMLESS)
    for name in ("Validate", "Hold rendered/ against the specs", "Say what changes", "Comment"):
        ran = workflow.run(name)
        assert ran.status == 0, f"{name}: {ran.err}"
    assert workflow.run("Ask for a look").status == 0
    comment = workflow.comment.read_text()
    assert "digits" in comment
    assert "production" in comment
    assert "ranker" not in comment


def test_a_change_that_needs_attention_fails_the_last_step_alone(workflow: Workflow) -> None:
    changed(workflow.place, TO_BE_SEEN)
    assert workflow.run("Validate").status == 0
    assert workflow.run("Say what changes").status == 0
    assert workflow.run("Comment").status == 0
    assert "s3://acme-elsewhere/digits" in workflow.comment.read_text()
    assert workflow.run("Ask for a look").status == 1


def test_the_comment_of_the_last_push_is_replaced(workflow: Workflow) -> None:
    changed(workflow.place, HARMLESS)
    for _ in range(2):
        assert workflow.run("Say what changes").status == 0
        assert workflow.run("Comment").status == 0
    calls = workflow.calls.read_text()
    assert calls.count("--method POST") == 1
    assert calls.count("--method PATCH repos/acme/serving/issues/comments/41") == 1


def test_a_push_takes_the_label_back(workflow: Workflow) -> None:
    assert workflow.run("Take the label back").status == 0
    by_name = {step.get("name"): step.get("if", "") for step in workflow.steps}
    assert "github.event.action == 'synchronize'" in by_name["Take the label back"]
    assert "github.event.action == 'synchronize'" in by_name["Ask for a look"]


def test_what_cannot_be_compared_fails_and_is_in_the_summary(workflow: Workflow) -> None:
    broken = workflow.place / "rendered/digits/production/triton/manifests/inferenceservice.yaml"
    broken.write_text("a: [\n")
    git(workflow.place, "add", "--all")
    git(workflow.place, "commit", "--quiet", "--message", "broken")
    assert workflow.run("Say what changes").status == 2
    summary = Path(workflow.variables["GITHUB_STEP_SUMMARY"]).read_text()
    assert "**not compared**" in summary


def test_a_spec_without_its_render_fails_and_is_annotated(workflow: Workflow) -> None:
    changed(workflow.place, HARMLESS, render=False)
    assert workflow.run("Validate").status == 0
    ran = workflow.run("Hold rendered/ against the specs")
    assert ran.status == 1
    assert "::error file=rendered/digits/production/triton/manifests/" in ran.out


def test_a_mistake_is_annotated_at_its_line(workflow: Workflow) -> None:
    changed(workflow.place, ("max_size: 16", "max_size: 0"), render=False)
    ran = workflow.run("Validate")
    assert ran.status == 1
    assert "::error file=specs/digits.yaml,line=" in ran.out


def test_the_steps_run_in_a_clone_as_shallow_as_the_checkout(
    repository: Path, tmp_path: Path
) -> None:
    changed(repository, HARMLESS)
    changed(repository, ("max: 8", "max: 7"))
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth=2", repository.as_uri(), str(shallow))
    workflow = Workflow(shallow, tmp_path)
    assert workflow.run("Say what changes").status == 0
    assert workflow.run("Comment").status == 0
    assert "7" in workflow.comment.read_text()


def test_a_commit_is_rendered_by_the_hook(repository: Path) -> None:
    spec = repository / "specs" / "digits.yaml"
    spec.write_text(spec.read_text().replace(*HARMLESS))
    git(repository, "add", "--all")
    ran = bash("pre-commit run gen-render", repository)
    assert ran.status == 1  # files were modified
    git(repository, "add", "--all")
    ran = bash("pre-commit run gen-render", repository)
    assert ran.status == 0, ran.out


def test_the_hook_removes_what_no_spec_renders(repository: Path) -> None:
    (repository / "specs/ranker.yaml").unlink()
    git(repository, "add", "--all")
    bash("pre-commit run gen-render || true", repository)
    assert not (repository / "rendered/ranker").exists()


def test_a_removed_spec_whose_render_stays_fails(workflow: Workflow) -> None:
    (workflow.place / "specs/ranker.yaml").unlink()
    commit(workflow.place, "no ranker")
    assert workflow.run("Validate").status == 0
    ran = workflow.run("Hold rendered/ against the specs")
    assert ran.status == 1
    assert "::error file=rendered/ranker/.serving-generator" in ran.out


class Notes(BaseHTTPRequestHandler):
    """GitLab's notes of one merge request, newest first."""

    bodies: dict[int, str]
    users: dict[int, int]  # who wrote a note, where it was not the token's own
    ways: dict[str, bytes]  # answers that are none

    def do_GET(self) -> None:
        for part, said in self.ways.items():
            if part in self.path:
                self.send_response(200)
                self.send_header("Content-Length", "1000")  # more than comes
                self.end_headers()
                self.wfile.write(said)
                return
        if self.path.endswith("/user"):
            self.answer({"id": 5})
            return
        held = [
            {"id": number, "body": body, "author": {"id": self.users.get(number, 5)}}
            for number, body in self.bodies.items()
        ]
        page = int(parse_qs(urlsplit(self.path).query)["page"][0]) - 1
        self.answer(held[::-1][100 * page : 100 * (page + 1)])

    def do_POST(self) -> None:
        self.bodies[len(self.bodies) + 1] = self.sent()
        self.answer({})

    def do_PUT(self) -> None:
        self.bodies[int(self.path.rpartition("/")[2])] = self.sent()
        self.answer({})

    def sent(self) -> str:
        assert self.headers["PRIVATE-TOKEN"] == "token"
        assert self.path.startswith("/api/v4/projects/3/merge_requests/7/notes")
        return str(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"])

    def answer(self, body: Any) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_arguments: object) -> None:
        """Nothing on stderr."""


@pytest.fixture
def notes() -> Iterator[tuple[str, dict[int, str]]]:
    Notes.bodies = {1: "from a reader"}
    Notes.users, Notes.ways = {}, {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Notes)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/api/v4", Notes.bodies
    server.shutdown()
    server.server_close()


def merge_request(place: Path, **more: str) -> list[Ran]:
    """The script of GitLab's job `difference`, a shell as its runner has it."""
    jobs = yaml.load((EXAMPLE / ".gitlab-ci.yml").read_text(), Loader=yaml.BaseLoader)
    base = git(place, "rev-parse", "HEAD^1").strip()
    return [
        bash(line, place, CI_MERGE_REQUEST_DIFF_BASE_SHA=base, **more)
        for line in jobs["difference"]["script"]
    ]


def test_gitlab_keeps_one_note(repository: Path, notes: tuple[str, dict[int, str]]) -> None:
    api, bodies = notes
    variables = {
        "CI_API_V4_URL": api,
        "CI_PROJECT_ID": "3",
        "CI_MERGE_REQUEST_IID": "7",
        "GITLAB_TOKEN": "token",
    }
    changed(repository, HARMLESS)
    assert [ran.status for ran in merge_request(repository, **variables)] == [0, 0, 0]
    assert "digits" in bodies[2]
    changed(repository, ("max: 8", "max: 7"))
    assert [ran.status for ran in merge_request(repository, **variables)] == [0, 0, 0]
    assert list(bodies) == [1, 2]
    assert "7" in bodies[2]


NOTE = EXAMPLE / "ci/gitlab_note.py"


def noted(api: str, beside: Path) -> Ran:
    """Put `<!-- gen diff --> new` into the note."""
    (beside / "diff.md").write_text("<!-- gen diff --> new")
    variables = {"CI_PROJECT_ID": "3", "CI_MERGE_REQUEST_IID": "7", "GITLAB_TOKEN": "token"}
    return bash(f"python {NOTE} diff.md", beside, CI_API_V4_URL=api, **variables)


def test_the_note_is_found_among_many_and_by_its_author(
    tmp_path: Path, notes: tuple[str, dict[int, str]]
) -> None:
    api, bodies = notes
    bodies |= dict.fromkeys(range(1, 300), "talk")
    bodies[20] = bodies[250] = "<!-- gen diff --> old"
    Notes.users = {250: 6}
    assert noted(api, tmp_path).status == 0
    assert (bodies[20], bodies[250]) == ("<!-- gen diff --> new", "<!-- gen diff --> old")
    assert len(bodies) == 299


@pytest.mark.parametrize(
    "ways", [{"/user": b"{}"}, {"/notes": b'{"message": "no"}'}, {"/notes": b""}, {"/user": b"<"}]
)
def test_no_note_fails_no_pipeline(
    tmp_path: Path, notes: tuple[str, dict[int, str]], ways: dict[str, bytes]
) -> None:
    Notes.ways = ways
    ran = noted(notes[0], tmp_path)
    assert (ran.status, ran.out) == (0, "")
    assert ran.err.startswith("no note: ")


def test_with_merged_results_the_target_branch_is_compared_with(repository: Path) -> None:
    changed(repository, TO_BE_SEEN)
    more = "production: {serving: {replicas: {max: 8}}, storage:"
    changed(repository, ("production: {storage:", more))
    base = git(repository, "rev-parse", "HEAD^1").strip()
    jobs = yaml.load((EXAMPLE / ".gitlab-ci.yml").read_text(), Loader=yaml.BaseLoader)
    last = jobs["difference"]["script"][-1]
    merged = {"CI_MERGE_REQUEST_TARGET_BRANCH_SHA": base}
    sha = git(repository, "rev-parse", "HEAD^1^1").strip()
    ran = bash(last, repository, CI_MERGE_REQUEST_DIFF_BASE_SHA=sha, **merged)
    assert ran.status == 0
    assert bash(last, repository, CI_MERGE_REQUEST_DIFF_BASE_SHA=sha).status == 1


def test_gitlab_fails_where_nobody_has_looked(repository: Path) -> None:
    changed(repository, TO_BE_SEEN)
    assert [ran.status for ran in merge_request(repository)] == [0, 0, 1]
    seen = merge_request(repository, CI_MERGE_REQUEST_LABELS="vision,serving-reviewed")
    assert [ran.status for ran in seen] == [0, 0, 0]
