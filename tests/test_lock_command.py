"""gen lock: what it writes, what it leaves, and what it says; registries are in test_registry."""

import sys
from pathlib import Path

import pytest

from generator import image_lock
from generator.cli import main

DIGESTS = {letter: f"sha256:{letter * 64}" for letter in "abc"}
SERVER = "nvcr.io/nvidia/tritonserver:26.11-py3"
OTHER = "docker.io/pytorch/torchserve:0.12.0-cpu"
SPEC = """\
spec_version: 1
name: NAME
model:
  program: model.pt
  inputs: [{name: image, dtype: float32, shape: [N, 3, 32, 32]}]
  outputs: [{name: logits, dtype: float32, shape: [N, 2]}]
storage: {uri: s3://bucket/models}
targets: {TARGET: {}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    (tmp_path / ".git").mkdir()
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "model.pt").touch()
    spec("one", "triton")
    return tmp_path


def spec(name: str, target: str) -> None:
    Path("specs", f"{name}.yaml").write_text(SPEC.replace("NAME", name).replace("TARGET", target))


def entries() -> dict[str, str]:
    return dict(image_lock.read(Path(image_lock.NAME)).digests)


def held(**more: str) -> None:
    Path(image_lock.NAME).write_text(image_lock.text(more))


def listed(*lines: str) -> str:
    Path("digests.txt").write_text("\n".join(lines) + "\n")
    return "--from=digests.txt"


def test_digests_of_a_file_are_written_where_one_works(
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = listed("# made elsewhere", "", f"{SERVER} {DIGESTS['a']}", f"x/y:1@{DIGESTS['b']}")

    assert main(["lock", "specs", given]) == 0

    assert entries() == {SERVER: DIGESTS["a"]}
    assert capsys.readouterr().out == (
        f"images.lock: 1 image, 1 added\n+ {SERVER}  sha256:aaaaaaaaaaaa\n"
    )
    assert main(["render", "--check", "specs", "--output", "none"]) == 1
    assert f"image: {SERVER}@{DIGESTS['a']}" in capsys.readouterr().out


def test_a_lock_can_be_the_file_of_another(capsys: pytest.CaptureFixture[str]) -> None:
    Path("other.lock").write_text(image_lock.text({SERVER: DIGESTS["a"]}))

    assert main(["lock", "specs", "--from", "other.lock"]) == 0
    assert main(["lock", "specs", "--from", "other.lock"]) == 0

    assert entries() == {SERVER: DIGESTS["a"]}
    assert capsys.readouterr().out.endswith("images.lock: 1 image, unchanged\n")


def test_what_is_locked_stays_unless_an_update_is_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    held(**{SERVER: DIGESTS["a"]})
    given = listed(f"{SERVER} {DIGESTS['b']}")

    assert main(["lock", "specs", given]) == 0
    assert entries() == {SERVER: DIGESTS["a"]}
    assert main(["lock", "specs", "--update", given]) == 0

    assert entries() == {SERVER: DIGESTS["b"]}
    assert "~ nvcr.io/nvidia/tritonserver:26.11-py3  sha256:aaaaaaaaaaaa -> sha256:bbbb" in (
        capsys.readouterr().out
    )


def test_entries_of_other_specs_stay_until_they_are_pruned() -> None:
    held(**{SERVER: DIGESTS["a"], OTHER: DIGESTS["b"]})

    assert main(["lock", "specs", listed()]) == 0
    assert set(entries()) == {SERVER, OTHER}
    assert main(["lock", "specs", "--prune", listed()]) == 0

    assert set(entries()) == {SERVER}


def test_what_the_file_lacks_is_told_and_the_rest_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    spec("two", "torchserve")

    assert main(["lock", "specs", listed(f"{SERVER} {DIGESTS['a']}")]) == 1

    assert capsys.readouterr().err == f"gen: {OTHER} is not in digests.txt\n"
    assert set(entries()) == {SERVER}


def test_an_update_tells_what_the_file_lacks_of_what_is_locked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    spec("two", "torchserve")
    held(**{SERVER: DIGESTS["a"], OTHER: DIGESTS["b"]})

    assert main(["lock", "specs", "--update", listed(f"{SERVER} {DIGESTS['c']}")]) == 1

    assert capsys.readouterr().err == f"gen: {OTHER} is not in digests.txt\n"
    assert entries() == {SERVER: DIGESTS["c"], OTHER: DIGESTS["b"]}


def test_a_login_that_cannot_be_read_holds_up_no_other_registry(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    asking = pytest.importorskip("generator.registry.asking")
    spec("two", "torchserve")
    (folder / "config.json").write_text('{"credHelpers": {"docker.io": "none"}}')
    for name in ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    monkeypatch.setattr(asking, "_asked", lambda image, known, settings: DIGESTS["a"])

    assert main(["lock", "specs"]) == 2

    assert entries() == {SERVER: DIGESTS["a"]}
    assert "docker.io is not asked: docker-credential-none is not on the PATH" in (
        capsys.readouterr().err
    )


def test_digests_may_be_named_as_skopeo_names_images() -> None:
    assert main(["lock", "specs", listed(f"docker://{SERVER} {DIGESTS['a']}")]) == 0
    assert entries() == {SERVER: DIGESTS["a"]}


@pytest.mark.parametrize("word", ["https://localhost:5000", "localhost:5000/v2", ""])
def test_an_insecure_registry_is_a_host(capsys: pytest.CaptureFixture[str], word: str) -> None:
    assert main(["lock", "specs", "--insecure-registry", word, listed()]) == 2
    assert "such as localhost:5000, without a scheme or a path" in capsys.readouterr().err


def test_an_insecure_registry_may_be_named_as_it_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asking = pytest.importorskip("generator.registry.asking")
    seen = []
    monkeypatch.setattr(
        asking, "digest", lambda image, settings: seen.append(settings.insecure) or DIGESTS["a"]
    )

    assert main(["lock", "specs", "--insecure-registry", "http://localhost:5000/"]) == 0
    assert seen == [frozenset({"localhost:5000"})]


def test_a_file_without_certificates_is_not_blamed_on_a_registry(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("generator.registry.asking")
    Path("ca.pem").write_text("no certificate\n")

    assert main(["lock", "specs", "--ca", "ca.pem"]) == 2
    assert capsys.readouterr().err == "gen: ca.pem holds no certificates in PEM\n"


def test_a_check_names_what_is_missing_and_writes_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["lock", "specs", "--check"]) == 1
    assert capsys.readouterr().err == f"gen: images.lock: {SERVER} is not locked\n"
    assert not Path(image_lock.NAME).exists()

    held(**{SERVER: DIGESTS["a"], OTHER: DIGESTS["b"]})

    assert main(["lock", "specs", "--check"]) == 0
    assert capsys.readouterr().out == "images.lock: 1 image, all locked\n"
    assert main(["lock", "specs", "--check", "--prune"]) == 1
    assert OTHER in capsys.readouterr().err


def test_a_check_looks_nothing_up() -> None:
    assert main(["lock", "specs", "--check", "--update"]) == 2


def test_stdin_is_read_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lock", "-", "--from", "-"]) == 2
    assert "both SPEC and --from are stdin" in capsys.readouterr().err


def test_a_file_without_a_name_is_no_word_to_ask_registries(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["lock", "specs", "--from", ""]) == 2
    assert "cannot read" in capsys.readouterr().err


def test_the_nearest_lock_of_each_spec_is_written(folder: Path) -> None:
    Path("specs", image_lock.NAME).write_text(image_lock.text({}))

    assert main(["lock", "specs", listed(f"{SERVER} {DIGESTS['a']}")]) == 0

    assert not Path(image_lock.NAME).exists()
    assert image_lock.read(Path("specs", image_lock.NAME)).digests == {SERVER: DIGESTS["a"]}


def test_a_new_lock_lies_where_the_spec_will_find_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = listed(f"{SERVER} {DIGESTS['a']}").replace("=", f"={folder}/")
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)

    assert main(["lock", "../specs", given]) == 0

    assert (folder / "specs" / image_lock.NAME).exists()
    assert list(elsewhere.iterdir()) == []


def test_nothing_is_pruned_where_a_spec_is_broken(capsys: pytest.CaptureFixture[str]) -> None:
    held(**{SERVER: DIGESTS["a"], OTHER: DIGESTS["b"]})
    Path("specs", "two.yaml").write_text("spec_version: 1\nname: two\n")

    assert main(["lock", "specs", "--prune", listed()]) == 2

    assert set(entries()) == {SERVER, OTHER}
    assert "nothing pruned" in capsys.readouterr().err


def test_a_broken_spec_does_not_hold_up_the_others() -> None:
    Path("specs", "two.yaml").write_text("spec_version: 1\nname: two\n")

    assert main(["lock", "specs", listed(f"{SERVER} {DIGESTS['a']}")]) == 1

    assert set(entries()) == {SERVER}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{SERVER}\n", "is no image and its digest"),
        (f"{SERVER} sha256:12\n", "is no image and its digest"),
        (f"{SERVER} {DIGESTS['a']}\n{SERVER} {DIGESTS['b']}\n", "has another digest further up"),
        ("images: {}\n", "the lock has no lock_version"),
        ("\xff", "is no image and its digest"),
    ],
)
def test_a_broken_file_is_told_at_its_line(
    capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    Path("digests.txt").write_text(text)

    assert main(["lock", "specs", "--from", "digests.txt"]) == 2

    told = capsys.readouterr().err
    assert message in told
    assert "digests.txt:" in told
    assert not Path(image_lock.NAME).exists()


def test_a_missing_file_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lock", "specs", "--from", "none.txt"]) == 2
    assert "cannot read none.txt: No such file or directory" in capsys.readouterr().err


def test_a_broken_lock_is_told_and_left(capsys: pytest.CaptureFixture[str]) -> None:
    Path(image_lock.NAME).write_text("lock_version: 1\nimages: {a/b:1: x}\n")

    assert main(["lock", "specs", listed(f"{SERVER} {DIGESTS['a']}")]) == 1

    assert "`x` is no digest" in capsys.readouterr().err
    assert Path(image_lock.NAME).read_text() == "lock_version: 1\nimages: {a/b:1: x}\n"


def test_without_the_client_the_extra_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("generator.registry.asking", raising=False)
    monkeypatch.delitem(sys.modules, "generator.registry.asking", raising=False)
    monkeypatch.setitem(sys.modules, "dxf", None)

    assert main(["lock", "specs"]) == 2

    assert "pip install 'serving-generator[lock]'" in capsys.readouterr().err


def test_nothing_is_asked_where_all_is_locked(monkeypatch: pytest.MonkeyPatch) -> None:
    held(**{SERVER: DIGESTS["a"]})
    monkeypatch.setitem(sys.modules, "dxf", None)

    assert main(["lock", "specs"]) == 0
