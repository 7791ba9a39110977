"""The size of models and bundles, in the words of a spec's model.size."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from generator.project import Model, Project, Served
from generator.source import load

torch = pytest.importorskip("torch")

from generator.export.size import over_size, size_of_state  # noqa: E402  needs torch

PROJECT = Project("one", "triton", Path(), Model((), ()))


def bundle(folder: Path, mebibytes: int) -> Path:
    (folder / "one/1").mkdir(parents=True)
    (folder / "one/1/model.pt").write_bytes(b"x" * (mebibytes * 2**20))
    (folder / "one/config.pbtxt").write_text("name: 'one'")
    return folder


def sized(size: str | None) -> Project:
    return replace(PROJECT, model=replace(PROJECT.model, size=size))


def test_a_module_is_as_large_as_its_weights_and_room_for_its_code() -> None:
    module = torch.nn.Linear(1024, 1024 * 10, bias=False)
    module.register_buffer("mask", torch.zeros(2**20, dtype=torch.uint8))

    assert size_of_state(module) == "43Mi"


def test_of_a_small_module_nothing_is_said() -> None:
    assert size_of_state(torch.nn.Linear(3, 3)) is None


def test_a_bundle_that_is_larger_than_the_spec_says_is_told(tmp_path: Path) -> None:
    told = over_size(sized("2Mi"), bundle(tmp_path, 3))

    assert told == "holds 4Mi, more than the 2Mi of model.size"


@pytest.mark.parametrize("size", ["4Mi", None])
def test_a_bundle_that_fits_or_of_which_nothing_is_said_is_not_told(
    tmp_path: Path, size: str | None
) -> None:
    assert over_size(sized(size), bundle(tmp_path, 3)) is None


def test_models_on_one_server_have_their_sizes_together(tmp_path: Path) -> None:
    document = load("other.yaml", "name: other", tmp_path)
    other = Served(sized("2Mi"), None, document)
    unsized = Served(sized(None), None, document)
    held = bundle(tmp_path, 3)

    assert over_size(replace(sized("2Mi"), also_serves=(other,)), held) is None
    assert over_size(replace(sized("1Mi"), also_serves=(other,)), held)
    assert over_size(replace(sized("1Mi"), also_serves=(unsized,)), held) is None
