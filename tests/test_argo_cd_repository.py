"""Specs, what they render, and the repository that Argo CD reads it from."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from ran import Ran

SPEC = """\
spec_version: 1
name: {name}
model:
  program: model.pt
  inputs: [{{name: image, dtype: float32, shape: [N, 3, 32, 32]}}]
  outputs: [{{name: logits, dtype: float32, shape: [N, 10]}}]
storage: {{uri: s3://bucket/models}}
kubernetes: {{namespace: models}}
gitops: {{argo_cd: {{repository: "https://github.com/acme/serving.git"}}}}
targets: {{triton: {{}}}}
"""
Gen = Callable[..., Ran]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of two specs, here."""
    (tmp_path / "specs").mkdir()
    for name in ("one", "two"):
        (tmp_path / "specs" / f"{name}.yaml").write_text(SPEC.format(name=name))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def remote(place: Path, url: str) -> None:
    (place / ".git").mkdir()
    (place / ".git" / "config").write_text(f'[remote "origin"]\n\turl = {url}\n')


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


# What no spec renders any more


def test_a_project_without_a_spec_is_told_and_removed(place: Path, gen: Gen) -> None:
    gen("render", "specs")
    (place / "specs/two.yaml").unlink()

    assert gen("render", "--check", "specs").status == 0
    checked = gen("render", "--check", "--prune", "specs")
    assert checked.status == 1
    assert "rendered/two is rendered by no spec: gen render --prune removes it" in checked.err
    assert (place / "rendered/two").is_dir()

    pruned = gen("render", "--prune", "specs")
    assert pruned.status == 0
    assert re.search(r"^rendered/two: \d+ files removed, no spec$", pruned.out, re.M)
    assert {path.name for path in (place / "rendered").iterdir()} == {"one"}
    assert gen("render", "--check", "--prune", "specs").status == 0


def test_a_renamed_project_leaves_nothing(place: Path, gen: Gen) -> None:
    gen("render", "--prune", "specs")
    (place / "specs/two.yaml").write_text(SPEC.format(name="three"))

    gen("render", "--prune", "specs")

    assert {path.name for path in (place / "rendered").iterdir()} == {"one", "three"}


def test_only_files_owed_to_gen_render_are_removed(place: Path, gen: Gen) -> None:
    gen("render", "specs")
    (place / "specs/two.yaml").unlink()
    (place / "rendered/two/notes.txt").write_text("mine")
    (place / "rendered/two/triton/README.md").write_text("edited")
    (place / "rendered/by-hand/manifests").mkdir(parents=True)
    (place / "rendered/by-hand/manifests/a.yaml").write_text("a: b")

    ran = gen("render", "--prune", "specs")

    assert ran.status == 0
    left = {"notes.txt", "triton/README.md", ".serving-generator"}
    assert files(place / "rendered/two") == left
    assert "two/triton/README.md was edited since it was rendered: left in place" in ran.err
    assert files(place / "rendered/by-hand") == {"manifests/a.yaml"}


def test_a_record_cannot_lead_out_of_its_folder(place: Path, gen: Gen) -> None:
    gen("render", "specs")
    (place / "specs/two.yaml").unlink()
    content = (place / "specs/one.yaml").read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    with (place / "rendered/two/.serving-generator").open("a") as record:
        record.write(f"{digest}  ../../specs/one.yaml\n{digest}  link/one.yaml\n")
    (place / "rendered/two/link").symlink_to(place / "specs")

    assert gen("render", "--prune", "specs").status == 0

    assert (place / "specs/one.yaml").read_bytes() == content


def test_a_broken_spec_may_render_any_project(place: Path, gen: Gen) -> None:
    gen("render", "specs")
    (place / "specs/two.yaml").write_text("spec_version: 1\n")

    ran = gen("render", "--prune", "specs")

    assert ran.status == 1
    assert "nothing is pruned" in ran.err
    assert (place / "rendered/two/triton").is_dir()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["specs", "--target=triton"], "--prune is for all targets and environments"),
        (["specs", "--environment=a"], "--prune is for all targets and environments"),
        (["specs", "--output=-"], "--prune is for a folder"),
        (["specs/one.yaml"], "specs/one.yaml does not say which other specs there are"),
        (["-"], "- does not say which other specs there are"),
    ],
)
def test_a_part_of_the_specs_prunes_nothing(
    place: Path, gen: Gen, more: list[str], message: str
) -> None:
    gen("render", "specs")

    ran = gen("render", "--prune", *more)

    assert ran.status == 2
    assert message in " ".join(ran.err.split())
    assert (place / "rendered/two").is_dir()


@pytest.mark.parametrize(
    "path",
    ["evil/argo-cd/application.yaml", "one/triton/argo-cd/second.yaml", "one/x/manifests/a.json"],
)
def test_a_file_of_others_where_argo_cd_applies_it_fails_the_check(
    place: Path, gen: Gen, path: str
) -> None:
    gen("render", "specs")
    file = place / "rendered" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("kind: Application\n")

    ran = gen("render", "--check", "--prune", "specs")
    told = gen("render", "--check", "--prune", "--format=github", "specs")

    assert ran.status == 1
    assert f"rendered/{path} was not rendered" in ran.err
    assert f"file=rendered/{path}," in told.out
    assert gen("render", "--prune", "specs").status == 0
    assert file.is_file()


def test_a_forged_record_makes_no_file_a_rendered_one(place: Path, gen: Gen) -> None:
    gen("render", "specs")
    (place / "rendered/one/triton/argo-cd/second.yaml").write_text("kind: Application\n")
    with (place / "rendered/one/.serving-generator").open("a") as record:
        record.write(f"{'0' * 64}  triton/argo-cd/second.yaml\n")

    assert gen("render", "--check", "--prune", "specs").status == 1


def test_other_files_are_the_users_own(place: Path, gen: Gen) -> None:
    gen("render", "specs")
    (place / "rendered/README.md").write_text("a")
    (place / "rendered/one/triton/manifests/NOTES.md").write_text("a")
    (place / "rendered/values").mkdir()
    (place / "rendered/values/a.yaml").write_text("a: b")

    assert gen("render", "--check", "--prune", "specs").status == 0


# Names


def two_of_a_name(place: Path, more: str = "") -> None:
    first = SPEC.format(name="digits-staging") + "environments: {eu: {}}\n"
    second = SPEC.format(name="digits") + f"environments: {{staging-eu: {{{more}}}}}\n"
    (place / "specs/one.yaml").write_text(first)
    (place / "specs/two.yaml").write_text(second)


@pytest.mark.parametrize("command", ["validate", "render"])
def test_two_projects_cannot_have_one_application(place: Path, gen: Gen, command: str) -> None:
    two_of_a_name(place)

    ran = gen(command, "specs")

    assert ran.status == 1
    assert (
        "triton in eu renders the Application `digits-staging-eu-triton`, as does triton in "
        "staging-eu of specs/two.yaml [specs/application-used-twice]"
    ) in ran.err
    assert not (place / "rendered").exists()


def test_applications_of_two_namespaces_are_two(place: Path, gen: Gen) -> None:
    two_of_a_name(place, "gitops: {argo_cd: {namespace: other}}")

    assert gen("validate", "specs").status == 0


def test_without_argo_cd_names_may_come_to_one(place: Path, gen: Gen) -> None:
    two_of_a_name(place)
    text = (place / "specs/one.yaml").read_text()
    (place / "specs/one.yaml").write_text(re.sub(r"gitops: .*\n", "", text))

    assert gen("validate", "specs").status == 0


# Places


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/acme/serving.git",
        "https://user:token@github.com/acme/serving",
        "git@github.com:acme/serving.git",
        "ssh://git@github.com:22/acme/serving.git",
    ],
)
def test_an_output_that_argo_cd_does_not_read_is_told(place: Path, gen: Gen, url: str) -> None:
    remote(place, url)

    ran = gen("render", "--output", "deploy", "specs/one.yaml")

    assert ran.status == 0
    assert "Argo CD reads `rendered` of the repository; this renders to `deploy`" in ran.err
    assert "[gitops/path-elsewhere]" in ran.err
    assert gen("render", "--strict", "--output", "deploy", "specs/one.yaml").status == 1
    assert "path-elsewhere" not in gen("render", "specs/one.yaml").err


def test_nothing_is_said_of_another_repository_or_none(place: Path, gen: Gen) -> None:
    assert gen("render", "--output", "deploy", "specs/one.yaml").err == ""
    remote(place, "https://github.com/acme/another.git")
    assert gen("render", "--output", "deploy", "specs/one.yaml").err == ""


def test_nothing_is_said_of_an_output_beside_the_repository(
    place: Path, gen: Gen, tmp_path_factory: pytest.TempPathFactory
) -> None:
    remote(place, "https://github.com/acme/serving.git")
    beside = tmp_path_factory.mktemp("beside")
    assert gen("render", "--output", str(beside), "specs/one.yaml").err == ""


def test_the_plugin_renders_this_very_spec(place: Path, gen: Gen) -> None:
    remote(place, "https://github.com/acme/serving.git")
    file = place / "specs/one.yaml"
    for path, status in {"specs/one.yaml": 0, "one.yaml": 1, "specs/two.yaml": 1}.items():
        text = SPEC.format(name="one").replace('git"}}', f'git", plugin: {{spec: {path}}}}}}}')
        file.write_text(text)

        ran = gen("validate", "specs/one.yaml")

        assert ran.status == status, ran.err
        if status:
            assert "in the repository this spec is specs/one.yaml" in ran.err


def test_a_team_names_no_spec_for_the_plugin(place: Path, gen: Gen) -> None:
    (place / "serving-defaults.yaml").write_text(
        'defaults_version: 1\ngitops: {argo_cd: {repository: "https://github.com/a/b.git", '
        "plugin: {spec: specs/one.yaml}}}\n"
    )

    ran = gen("validate", "specs")

    assert ran.status == 1
    assert "`plugin.spec` is the path of one spec" in ran.err
