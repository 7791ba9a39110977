"""The table of what runs together, what follows from it, and the page that shows it.

`REWRITE=1 pytest tests/test_compatibility.py` writes the tables of docs/compatibility.md anew.
"""

import os
import re
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from generator.compatibility import ended, lacks_fixes, table, version, year_and_month
from generator.compatibility.requirements import contradiction, refused
from generator.diagnostics import Rejected
from generator.render import render
from generator.rules import RULES
from generator.source import load
from generator.targets import TARGETS
from generator.targets.seldon.packages import BUILDER_IMAGE, PYTHONS, TORCH, WRAPPER, pythons_of
from generator.targets.torchserve.service import IMAGE as TORCHSERVE_IMAGE
from generator.targets.triton.formats import LOADED
from generator.targets.triton.options import Options as TritonOptions
from generator.targets.triton.service import IMAGE as TRITON_IMAGE
from generator.validate import validate

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "compatibility.md"
PYTHON_OF_TEMPLATE = re.compile(r"python:(\d+\.\d+)-")


def names_of_rules() -> set[str]:
    named = {**RULES, **{target.name: target.rules for target in TARGETS.values()}}
    return {
        f"{area}/{rule.__name__.replace('_', '-')}"
        for area, rules in named.items()
        for rule in rules
    }


# What the table says of itself.


def test_every_part_names_its_source() -> None:
    known = table()
    sources = [
        *(package.source for package in known.packages),
        *known.triton.sources.values(),
        *(feature.source for feature in known.triton.formats.values()),
        *(end.source for end in known.ends),
        *(part.source for part in (known.pythons, known.torchserve, known.transformer)),
        *(known.seldon.source, known.triton.fixed_since.source),
    ]

    assert all(sources)


@pytest.mark.parametrize("package", table().packages, ids=lambda package: package.name)
def test_releases_are_listed_once_and_in_order(package: object) -> None:
    releases = package.releases  # type: ignore[attr-defined]  # pytest's parameters are objects

    assert list(releases) == sorted(set(releases), key=version)


def test_columns_of_triton_have_a_source_each() -> None:
    columns = ("server", "torch", "cuda", "onnxruntime")

    assert set(table().triton.sources) == set(columns)
    assert all(any(getattr(each, c) for c in columns) for each in table().triton.images)


def test_warnings_of_what_has_ended_are_rules() -> None:
    assert {end.rule for end in table().ends if end.rule} <= names_of_rules()


def test_days_of_ends_agree_with_the_pythons() -> None:
    [python] = [end for end in table().ends if end.what == "Python 3.8"]

    assert python.since == table().pythons.ends["3.8"] == ended("3.8")


def test_torchserves_warning_names_the_last_release_of_the_table() -> None:
    end = table().end_of("torchserve/end-of-life")

    assert said("targets: {torchserve: {}}\n")["torchserve/end-of-life"].startswith(
        f"TorchServe is archived: {end.release} was its last release"
    )


# What the generator renders stands in the table.


def test_the_transformers_python_is_that_of_its_dockerfile() -> None:
    known = table().transformer
    found = PYTHON_OF_TEMPLATE.search((ROOT / known.source).read_text(encoding="utf-8"))

    assert found is not None
    assert found[1] == known.python


def test_rendered_images_are_known() -> None:
    known = table()

    assert f"{known.torchserve.image}:{known.torchserve.images[0].release}" == TORCHSERVE_IMAGE
    assert f"{known.seldon.image}:{WRAPPER}" == BUILDER_IMAGE
    assert known.triton.image == TRITON_IMAGE
    assert not lacks_fixes(TritonOptions().runtime_version)


def test_formats_of_the_table_are_formats_of_triton() -> None:
    assert set(table().triton.formats) <= set(LOADED)


def test_seldons_wrappers_install_on_pythons_that_are_known() -> None:
    assert pythons_of("1.16.0") == ("3.8", "3.9")
    assert pythons_of(WRAPPER) == PYTHONS
    assert pythons_of("1.19.0") == ("3.12",)
    assert pythons_of("1.9.0") == ()


def test_a_runtime_of_the_cluster_is_given_our_release() -> None:
    """KServe's own, 23.05, would refuse the programs of gen export."""
    spec = SPEC.replace("program: model.pt", "source: package.module:Net")
    target = "targets: {triton: {runtime: kserve-tritonserver}}\n"
    text = f"{spec}{STORAGE}export: {{format: aot_inductor}}\n{target}"
    [one], _ = validate(load("spec.yaml", text, Path()))
    stock = next(each for each in table().kserve if each.runtime == "kserve-tritonserver")

    files = {str(a.path): a for a in one.target.plan(one.project, one.options)}
    rendered = render(files["manifests/inferenceservice.yaml"]).text
    assert f"runtimeVersion: {TritonOptions().runtime_version}" in rendered.replace('"', "")
    assert year_and_month(stock.image.rpartition(":")[2]) < year_and_month(
        table().triton.formats["aot_inductor"].since
    )


# The packages that are installed here say the same of themselves.


@pytest.mark.parametrize("name", ["torch", "torchvision", "onnxruntime"])
def test_installed_packages_want_the_pythons_of_the_table(name: str) -> None:
    package = table().package(name)
    release = metadata.version(name).partition("+")[0]
    assert package is not None
    if release not in package.releases:
        pytest.skip(f"{name} {release} is newer than the table")

    wanted = SpecifierSet(metadata.metadata(name).get("Requires-Python") or "")
    pythons = [python for python in table().pythons.ends if release in package.offered(python)]
    assert pythons
    assert all(wanted.contains(f"{python}.99") for python in pythons)


def test_installed_torchvision_needs_what_the_table_says() -> None:
    package = table().package("torchvision")
    release = metadata.version("torchvision").partition("+")[0]
    assert package is not None
    if release not in package.needs:
        pytest.skip(f"the table does not say what torchvision {release} needs")

    needed = {re.sub("[ ()]", "", line) for line in metadata.requires("torchvision") or ()}
    assert {f"torch{package.needs[release]['torch']}"} <= needed


# Requirement lines.


@pytest.mark.parametrize(
    ("line", "python", "instead"),
    [
        ("torch==2.13.0", "3.8", "torch==2.4.1"),
        ("torch>=2.9", "3.8", "torch==2.4.1"),
        ("torch ~= 2.13", "3.9", "torch==2.8.0"),
        ("torch==2.13.*", "3.9", "torch==2.8.0"),
        ("torch==2.13.0+cpu", "3.9", "torch==2.8.0"),
        ("torch==99.0", "3.8", "torch==2.4.1"),
        ("torch==1.12.1", "3.12", "torch==2.2.0"),
        ("Torch_Vision==0.28.0".replace("_", ""), "3.8", "torchvision==0.19.1"),
        ("kserve==0.20.0", "3.13", "kserve==0.21.0"),
        ("onnxruntime==1.31.1", "3.10", "onnxruntime==1.23.2"),
        ("numpy==2.1.0", "3.8", "numpy==1.24.4"),
    ],
)
def test_refuses_what_no_release_for_the_python_satisfies(
    line: str, python: str, instead: str
) -> None:
    [found] = refused([line], python)

    assert found.hint == f"write {instead}"
    assert f"does not install on Python {python}" in found.message
    assert list(refused([instead], python)) == []


@pytest.mark.parametrize(
    ("line", "python"),
    [
        ("torch==2.4.1", "3.8"),
        ("torch", "3.8"),
        ("torch>=2", "3.8"),
        ("torch!=2.4.1", "3.8"),
        ("torch==2.13.1", "3.12"),  # between releases that are known: nothing is known of it
        ("torch==2.99.0", "3.12"),
        ("torch==2.13.0", "3.7"),  # of this Python nothing is known
        ("kserve>=0.21", "3.14"),  # a later one may install there
        ("scipy==99", "3.8"),
        ("numpy==99", "3.12"),
    ],
)
def test_takes_what_may_well_install(line: str, python: str) -> None:
    assert list(refused([line], python)) == []


def test_refuses_lines_of_which_one_excludes_the_other() -> None:
    [found] = refused(["torch==2.12.0", "torchvision==0.28.0"], "3.12")

    assert found.index == 0
    assert found.message == "`torchvision==0.28.0` needs torch==2.13.0, not `torch==2.12.0`"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("torch==2.13.0", "torchvision==0.27.0"),
        ("torch==1.11.0", "torchvision==0.13.0"),
        ("torch>=2.14", "torchvision==0.28.0"),
        ("numpy>=2", "seldon-core==1.17.1"),
        ("numpy==2.1.0", "seldon-core==1.17.1"),
    ],
)
def test_refuses_what_no_release_satisfies_together(one: str, other: str) -> None:
    assert [found.index for found in refused([one, other], "3.10")] == [0]


def test_every_torchvision_of_the_table_says_which_torch_it_needs() -> None:
    package = table().package("torchvision")

    assert package is not None
    assert set(package.needs) == set(package.releases)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("torch==2.13.0", "torchvision==0.28.0"),
        ("torch>=2.12", "torchvision==0.28.0"),
        ("torch", "torchvision==0.28.0"),
        ("torch>=2.99", "torchvision==0.29.2"),  # which takes what is not known yet
        ("numpy>=1.26", "seldon-core==1.17.1"),
        ("numpy>=1.26.4.post1,<1.26.5", "seldon-core==1.17.1"),  # nothing is known of such
        ("grpcio>=99", "seldon-core==1.17.1"),  # of which the table has no releases
    ],
)
def test_takes_lines_that_agree(one: str, other: str) -> None:
    assert list(refused([one, other], "3.12")) == []


@pytest.mark.parametrize(
    ("line", "options", "is_refused"),
    [
        ("numpy==2.1.0", "builder: s2i, python_version: '3.8'", True),
        ("numpy==2.0.0", "builder: s2i", True),
        ("numpy==1.24.4", "builder: s2i", False),
        ("numpy==2.1.0", "builder: docker", True),
        # Of an image of one's own nobody knows which wrapper it has.
        (
            "numpy==2.0.0",
            "builder: s2i, builder_image: 'acme/s2i:1.19.0', python_version: '3.11'",
            False,
        ),
    ],
)
def test_a_line_is_held_against_the_wrapper(line: str, options: str, is_refused: bool) -> None:
    found = said(IMAGES, STEPS % ("server", line), f"targets: {{seldon: {{{options}}}}}\n")

    assert ("seldon/package-not-offered" in found) == is_refused


def test_two_lines_contradict_where_one_pins_what_the_other_excludes() -> None:
    assert contradiction("numpy==1.26.4", "numpy==2.0.0")
    assert contradiction("numpy>=2", "numpy==1.26.4")
    assert not contradiction("numpy==1.26.4", "numpy==1.26.4")
    assert not contradiction("numpy>=1", "numpy<3")


# Specs.

SPEC = """\
spec_version: 1
name: one
model:
  program: model.pt
  inputs: [{name: image, dtype: float32, shape: [N, 3, 32, 32]}]
  outputs: [{name: logits, dtype: float32, shape: [N, 10]}]
"""
STORAGE = "storage: {uri: s3://bucket/one}\n"
IMAGES = 'images: {registry: docker.io/acme, tag: "1.0"}\n'
STEPS = """\
transforms:
  run_in: %s
  preprocess: [decode, {resize: {size: [32, 32]}}, to_tensor]
  requirements: [%s]
"""


def said(*parts: str, base: str = SPEC + STORAGE) -> dict[str, str]:
    """The messages by their rules."""
    try:
        found = validate(load("spec.yaml", base + "".join(parts), Path()))[1]
    except Rejected as rejected:
        found = rejected.diagnostics
    return {each.rule: each.message for each in found}


@pytest.mark.parametrize(
    ("run_in", "line", "targets", "rule"),
    [
        ("server", "torch==%s", "{seldon: {builder: s2i}}", "seldon/package-not-offered"),
        ("server", "torch==%s", "{torchserve: {}}", "torchserve/package-not-offered"),
        ("component", "kserve==0.13.0", "{triton: {}}", "triton/component-package-not-offered"),
        ("component", "kserve==0.13.0", "{torchserve: {}}", None),
    ],
)
def test_a_line_is_held_against_the_image_that_installs_it(
    run_in: str, line: str, targets: str, rule: str | None
) -> None:
    steps = STEPS % (run_in, line.replace("%s", TORCH))

    found = said(IMAGES, steps, f"targets: {targets}\n")

    assert (rule or "torchserve/component-package-not-offered") in found


def test_a_line_of_another_image_is_not_judged() -> None:
    own = "targets: {torchserve: {base_image: 'ghcr.io/acme/torchserve:1'}}\n"

    assert "torchserve/package-not-offered" not in said(STEPS % ("server", "torch==2.13.0"), own)


def test_models_of_one_image_may_pin_the_same_release(tmp_path: Path) -> None:
    other = SPEC.replace("name: one", "name: two") + IMAGES + STEPS % ("server", "scipy==1.13.1")
    (tmp_path / "two.yaml").write_text(other + "targets: {torchserve: {platform: docker}}\n")
    both = IMAGES + STEPS % ("server", "scipy>=1.13")
    both += "targets: {torchserve: {platform: docker, also_serves: [two.yaml]}}\n"

    _, told = validate(load("spec.yaml", SPEC + both, tmp_path))

    assert "torchserve/packages-contradict" not in {each.rule for each in told}


# The page.


def _row(cells: Iterable[str | None]) -> str:
    return f"| {' | '.join(cell or '' for cell in cells)} |"


def _laid_out(head: Iterable[str], rows: Iterable[Iterable[str | None]]) -> str:
    names = list(head)
    return "\n".join([_row(names), _row("---" for _ in names), *map(_row, rows)])


def _packages() -> str:
    pythons = list(table().pythons.ends)
    rows = []
    for package in table().packages:
        spans = [package.offered(python) for python in pythons]
        cells = [f"{span[0]} to {span[-1]}" if len(span) > 1 else "".join(span) for span in spans]
        rows.append([package.name, *cells])
    return _laid_out(["", *pythons], rows)


def _pythons() -> str:
    ends = table().pythons.ends
    return _laid_out(["Python", *ends], [["last fixes", *ends.values()]])


def _triton() -> str:
    rows = (
        [each.release, each.server, each.torch, each.cuda, each.onnxruntime]
        for each in table().triton.images
    )
    return _laid_out(["image", "Triton", "torch", "CUDA", "ONNX Runtime"], rows)


def _formats() -> str:
    formats = table().triton.formats.items()
    rows = ([name, f.since, f.batches_since or f.since, f.why] for name, f in formats)
    return _laid_out(["format", "since", "in batches since", "why"], rows)


def _images() -> str:
    known = table()
    rows = [
        *(
            [f"{known.torchserve.image}:{each.release}", each.python, f"Java {each.java}"]
            for each in known.torchserve.images
        ),
        *(
            [f"{known.seldon.image}, {b.since} and later", b.python, ""]
            for b in known.seldon.builders
        ),
        ["the rendered transformer", known.transformer.python, ""],
    ]
    return _laid_out(["image", "Python", ""], rows)


def _kserve() -> str:
    rows = ([each.release, each.runtime, each.image] for each in table().kserve)
    return _laid_out(["KServe", "runtime", "image"], rows)


def _ends() -> str:
    rows = (
        [end.what, end.kind, end.since, end.says, f"`{end.rule}`" if end.rule else "none"]
        for end in table().ends
    )
    return _laid_out(["what", "", "since", "", "warning"], rows)


TABLES: dict[str, Callable[[], str]] = {
    "packages": _packages,
    "pythons": _pythons,
    "triton": _triton,
    "formats": _formats,
    "images": _images,
    "kserve": _kserve,
    "ends": _ends,
}


def test_the_page_shows_the_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    shown = text
    for name, make in TABLES.items():
        marks = re.compile(rf"<!-- {name} -->\n(?:\|.*\n)*<!-- end -->")
        assert marks.search(shown), f"{PAGE.name} has no place for {name}"
        shown = marks.sub(lambda _, n=name, m=make: f"<!-- {n} -->\n{m()}\n<!-- end -->", shown)  # type: ignore[misc]

    if os.environ.get("REWRITE"):
        PAGE.write_text(shown, encoding="utf-8")
        text = shown
    assert text == shown
