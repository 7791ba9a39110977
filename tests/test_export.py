"""`gen export`: what it writes, and how it tells that a model and its spec differ."""

import hashlib
import io
import json
import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from msgspec.structs import replace

from generator import pipeline
from generator.artefact import RenderedFile
from generator.diagnostics import CannotRun, Diagnostic, Rejected
from generator.project import Served
from generator.target import Archive, Bundle, Prebuilt, Program
from generator.validate import Deployment

torch = pytest.importorskip("torch")

from generator.export import export_bundle  # noqa: E402  # needs torch, which may be missing

SPECS = Path(__file__).parents[1] / "specs"

SPEC = """\
spec_version: 1
name: tiny
model:
  source: model.py:make
  inputs: [{{name: x, dtype: float32, shape: [N, 4]}}]
  outputs: [{{name: y, dtype: {dtype}, shape: {shape}}}]
{more}
storage: {{uri: s3://bucket/tiny}}
targets: {{triton: {{}}}}
"""
MODEL = """\
import torch

def make():
    torch.manual_seed(0)
    return torch.nn.Linear(4, 2)
"""


def write_spec(
    folder: Path,
    model: str = MODEL,
    *,
    dtype: str = "float32",
    shape: str = "[N, 2]",
    more: str = "",
) -> Path:
    (folder / "model.py").write_text(model)
    spec = folder / "tiny.yaml"
    spec.write_text(SPEC.format(dtype=dtype, shape=shape, more=more))
    return spec


def export(spec: Path, output: Path) -> Path:
    build = pipeline.build(spec.name, spec.read_bytes(), spec.parent)
    return export_bundle(build.deployments[0], build.files, output)


def deployment(spec: Path, bundle: Bundle) -> Deployment:
    """The deployment of a spec on a target that has this bundle."""
    [built] = pipeline.build(spec.name, spec.read_bytes(), spec.parent).deployments
    return replace(built, target=replace(built.target, bundle=lambda *_: bundle))


def refusal(spec: Path, output: Path) -> Diagnostic:
    with pytest.raises(Rejected) as caught:
        export(spec, output)
    [diagnostic] = caught.value.diagnostics
    assert not output.exists() or not any(output.rglob("*.pt"))
    return diagnostic


def test_writes_the_repository_that_triton_loads(tmp_path: Path) -> None:
    bundle = export(write_spec(tmp_path), tmp_path / "build")

    files = sorted(str(path.relative_to(bundle)) for path in bundle.rglob("*") if path.is_file())
    assert bundle == tmp_path / "build/tiny/triton"
    assert files == ["tiny/1/model.pt", "tiny/config.pbtxt"]


def test_the_program_answers_like_the_module(tmp_path: Path) -> None:
    bundle = export(write_spec(tmp_path), tmp_path / "build")

    program = torch.jit.load(bundle / "tiny/1/model.pt")
    torch.manual_seed(0)
    module = torch.nn.Linear(4, 2)
    x = torch.rand(3, 4)
    torch.testing.assert_close(program(x), module(x))


def test_the_same_spec_gives_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    spec = SPECS / "cifar10.yaml"

    for output in ("first", "second"):
        code = "import sys; from generator.cli import main; sys.exit(main(sys.argv[1:]))"
        command = [sys.executable, "-c", code, "export", str(spec), "--output", tmp_path / output]
        subprocess.run(command, check=True, cwd=SPECS.parent, timeout=120)

    program = Path("cifar10/triton/cifar10/1/model.pt")
    assert (tmp_path / "first" / program).read_bytes() == (
        tmp_path / "second" / program
    ).read_bytes()


def test_an_exported_program_is_taken_as_it_is(tmp_path: Path) -> None:
    torch.jit.trace(torch.nn.Linear(4, 2), torch.rand(2, 4)).save(tmp_path / "given.pt")
    spec = write_spec(tmp_path)
    spec.write_text(spec.read_text().replace("source: model.py:make", "program: given.pt"))

    bundle = export(spec, tmp_path / "build")

    x = torch.rand(3, 4)
    given = torch.jit.load(tmp_path / "given.pt")
    torch.testing.assert_close(torch.jit.load(bundle / "tiny/1/model.pt")(x), given(x))


def test_a_module_with_dropout_is_exported_for_inference(tmp_path: Path) -> None:
    model = MODEL.replace(
        "torch.nn.Linear(4, 2)", "torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.Dropout(0.9))"
    )

    bundle = export(write_spec(tmp_path, model), tmp_path / "build")

    program, x = torch.jit.load(bundle / "tiny/1/model.pt"), torch.rand(3, 4)
    torch.testing.assert_close(program(x), program(x))


BRANCHING = """\
import torch

class Branching(torch.nn.Module):
    def forward(self, x):
        return x[:, :2] if x.sum() > 4.0 * x.shape[0] * 0.4 else -x[:, 2:]

def make():
    return Branching()
"""


def test_refuses_a_trace_that_answers_otherwise(tmp_path: Path) -> None:
    model = BRANCHING.replace("x.sum() > 4.0 * x.shape[0] * 0.4", "x.shape[0] == 2")

    told = refusal(write_spec(tmp_path, model), tmp_path / "build")

    assert told.message == "the traced program answers otherwise in `y` for random values"
    assert "method: script" in told.hint


def test_a_scripted_module_keeps_its_branches(tmp_path: Path) -> None:
    model = BRANCHING.replace("x.sum() > 4.0 * x.shape[0] * 0.4", "x.shape[0] == 2")

    bundle = export(
        write_spec(tmp_path, model, more="export: {method: script}"), tmp_path / "build"
    )

    program, x = torch.jit.load(bundle / "tiny/1/model.pt"), torch.rand(3, 4)
    torch.testing.assert_close(program(x), -x[:, 2:])


def test_points_at_an_output_of_another_shape(tmp_path: Path) -> None:
    told = refusal(write_spec(tmp_path, shape="[N, 5]"), tmp_path / "build")

    assert (told.span.line, told.message) == (6, "output `y` has shape [1, 2] for batches of 1")
    assert told.hint == "write shape: [N, 2]"


def test_points_at_an_output_of_another_dtype(tmp_path: Path) -> None:
    told = refusal(write_spec(tmp_path, dtype="float64"), tmp_path / "build")

    assert (told.message, told.hint) == (
        "output `y` is float32 in the model",
        "write dtype: float32",
    )


def test_points_at_inputs_that_the_model_does_not_take(tmp_path: Path) -> None:
    told = refusal(write_spec(tmp_path, MODEL.replace("4, 2", "3, 2")), tmp_path / "build")

    assert told.message.startswith("the model does not take inputs of shape [1, 4]")
    assert told.span.line == 5


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("import nothing_of_this_name\n", "importing model.py raised ModuleNotFoundError: "),
        ("make = 3\n", "`model.py` has no callable `make`"),
        ("def make():\n    raise OSError('no disk')\n", "make() raised OSError: no disk"),
        ("def make():\n    return 3\n", "make() returned int, not a torch.nn.Module"),
        ("def make(\n", "importing model.py raised SyntaxError: "),
    ],
)
def test_tells_what_the_users_code_raised(tmp_path: Path, model: str, message: str) -> None:
    told = refusal(write_spec(tmp_path, model), tmp_path / "build")

    assert told.message.startswith(message)
    assert told.source.strip() == "source: model.py:make"


def test_points_at_weights_that_do_not_fit(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(2, 4)}, tmp_path / "weights.pt")
    spec = write_spec(tmp_path)
    spec.write_text(spec.read_text().replace("  inputs", "  weights: {path: weights.pt}\n  inputs"))

    told = refusal(spec, tmp_path / "build")

    assert "`weights.pt` does not fit the module" in told.message
    assert "bias" in told.message


def test_points_at_weights_that_are_not_there(tmp_path: Path) -> None:
    spec = write_spec(tmp_path)
    spec.write_text(spec.read_text().replace("  inputs", "  weights: {path: weights.pt}\n  inputs"))

    told = refusal(spec, tmp_path / "build")

    assert told.message == "there is no file `weights.pt` there"


def test_never_unpickles_code(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(4, 2), tmp_path / "weights.pt")
    spec = write_spec(tmp_path)
    spec.write_text(spec.read_text().replace("  inputs", "  weights: {path: weights.pt}\n  inputs"))

    told = refusal(spec, tmp_path / "build")

    assert "no state_dict that loads safely" in told.message


def test_a_failing_export_leaves_the_former_bundle(tmp_path: Path) -> None:
    spec = write_spec(tmp_path)
    bundle = export(spec, tmp_path / "build")
    before = (bundle / "tiny/1/model.pt").read_bytes()
    (tmp_path / "model.py").write_text("def make():\n    return 3\n")

    with pytest.raises(Rejected):
        export(spec, tmp_path / "build")

    assert (bundle / "tiny/1/model.pt").read_bytes() == before
    assert sorted(path.name for path in bundle.parent.iterdir()) == ["triton", "triton.json"]


def test_a_bundles_folders_stay_those_that_a_container_has_mounted(tmp_path: Path) -> None:
    spec = write_spec(tmp_path)
    bundle = export(spec, tmp_path / "build")
    mounted = {path: path.stat().st_ino for path in (bundle, bundle / "tiny", bundle / "tiny/1")}

    export(spec, tmp_path / "build")

    assert {path: path.stat().st_ino for path in mounted} == mounted


def test_a_bundle_may_be_a_link_to_another_disk(tmp_path: Path) -> None:
    spec = write_spec(tmp_path)
    bundle = export(spec, tmp_path / "build")
    for link in (bundle / "tiny", bundle):
        link.rename(tmp_path / f"moved-{link.name}")
        link.symlink_to(tmp_path / f"moved-{link.name}")

    export(spec, tmp_path / "build")

    assert bundle.is_symlink()
    assert (bundle / "tiny").is_symlink()
    assert (tmp_path / "moved-tiny/1/model.pt").stat().st_size


def test_a_containers_own_user_can_read_a_bundle(tmp_path: Path) -> None:
    spec = write_spec(tmp_path)
    mask = os.umask(0o077)
    try:
        bundle = export(spec, tmp_path / "build")
    finally:
        os.umask(mask)

    modes = {path.name: path.stat().st_mode & 0o777 for path in (bundle, *bundle.rglob("*"))}
    assert modes["model.pt"] == modes["config.pbtxt"] == 0o644
    assert modes["triton"] == modes["tiny"] == modes["1"] == 0o755


def owed_to_exports(bundle: Path, name: str) -> None:
    """Let the record of a bundle name another file of it."""
    path = bundle.with_name(f"{bundle.name}.json")
    record = json.loads(path.read_text())
    record["files"][name] = hashlib.sha256((bundle / name).read_bytes()).hexdigest()
    path.write_text(json.dumps(record))


def test_what_a_bundle_no_longer_holds_is_dropped(tmp_path: Path) -> None:
    spec = write_spec(tmp_path)
    bundle = export(spec, tmp_path / "build")
    (bundle / "tiny/7").mkdir()
    (bundle / "tiny/7/model.pt").write_text("old")
    owed_to_exports(bundle, "tiny/7/model.pt")
    (bundle / "tiny/config.pbtxt").unlink()
    (bundle / "tiny/config.pbtxt").mkdir()

    export(spec, tmp_path / "build")

    files = sorted(str(path.relative_to(bundle)) for path in bundle.rglob("*"))
    assert files == ["tiny", "tiny/1", "tiny/1/model.pt", "tiny/config.pbtxt"]


def test_what_a_cut_off_export_has_brought_is_known_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = write_spec(tmp_path)

    monkeypatch.setattr(Path, "chmod", interrupted)

    with pytest.raises(KeyboardInterrupt):
        export(spec, tmp_path / "build")

    known = json.loads((tmp_path / "build/tiny/triton.json").read_text())
    assert sorted(known["files"]) == ["tiny/1/model.pt", "tiny/config.pbtxt"]


def interrupted(_path: Path, _mode: int) -> None:
    raise KeyboardInterrupt


def test_a_record_that_names_files_elsewhere_is_not_followed(tmp_path: Path) -> None:
    spec = write_spec(tmp_path)
    bundle = export(spec, tmp_path / "build")
    victim = tmp_path / "victim"
    victim.write_text("mine")
    path = bundle.with_name("triton.json")
    record = json.loads(path.read_text())
    record["files"]["../../../victim"] = "0" * 64
    path.write_text(json.dumps(record))

    with pytest.raises(CannotRun, match="is no record of gen export"):
        export(spec, tmp_path / "build")

    assert victim.read_text() == "mine"


def test_what_no_export_wrote_stays_in_the_folder(tmp_path: Path) -> None:
    spec = write_spec(tmp_path)
    bundle = export(spec, tmp_path / "build")
    (bundle / "notes.txt").write_text("mine")
    (bundle / "link").symlink_to(tmp_path)

    export(spec, tmp_path / "build")

    assert (bundle / "notes.txt").read_text() == "mine"
    assert (bundle / "link").is_symlink()
    assert spec.exists()


def test_a_bundle_keeps_what_the_target_says(tmp_path: Path) -> None:
    spec = write_spec(tmp_path)
    folder = export(spec, tmp_path / "build")
    (folder / "model-store").mkdir()
    for name in ("tiny-1.0.mar", "notes.txt"):
        (folder / "model-store" / name).write_text("old")
        owed_to_exports(folder, f"model-store/{name}")

    export_bundle(deployment(spec, Bundle(keeps="model-store/*.mar")), TEXTS, tmp_path / "build")

    assert [path.name for path in (folder / "model-store").iterdir()] == ["tiny-1.0.mar"]


def test_a_program_tells_nothing_of_the_folder_that_it_was_made_in(tmp_path: Path) -> None:
    programs = []
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        spec = write_spec(tmp_path / folder)
        programs.append(
            (export(spec, tmp_path / folder / "build") / "tiny/1/model.pt").read_bytes()
        )

    assert programs[0] == programs[1]
    with zipfile.ZipFile(io.BytesIO(programs[0])) as records:
        contents = b"".join(records.read(name) for name in records.namelist())
    assert str(tmp_path).encode() not in contents


def test_what_was_exported_before_leaves_no_trace_in_the_bytes(tmp_path: Path) -> None:
    spec = write_spec(tmp_path)

    # In a loop: a trace also notes the lines of its callers.
    first, second = [
        (export(spec, tmp_path / "build") / "tiny/1/model.pt").read_bytes() for _ in range(2)
    ]

    assert first == second


def test_a_module_may_import_a_file_of_a_name_that_another_spec_has_too(tmp_path: Path) -> None:
    for name, sizes in (("one", "4, 2"), ("two", "4, 3")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "layers").mkdir()
        (folder / "layers/__init__.py").write_text("")
        (folder / "layers/sizes.py").write_text(f"SIZES = ({sizes})\n")
        imports = "from layers.sizes import SIZES\n\ndef"
        model = MODEL.replace("def", imports).replace("4, 2", "*SIZES")
        bundle = export(write_spec(folder, model, shape=f"[N, {sizes[-1]}]"), folder / "build")

        program = torch.jit.load(bundle / "tiny/1/model.pt")
        assert program(torch.rand(3, 4)).shape == (3, int(sizes[-1]))
        assert not {"layers", "layers.sizes"} & set(sys.modules)


def test_each_spec_gets_its_own_file_where_the_path_of_imports_leads_to_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with PYTHONPATH=one."""
    for name, columns in (("one", 2), ("two", 3)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "layers.py").write_text(f"SIZES = (4, {columns})\n")
    monkeypatch.syspath_prepend(str(tmp_path / "one"))
    model = MODEL.replace("def", "from layers import SIZES\n\ndef").replace("4, 2", "*SIZES")

    for name, columns in (("one", 2), ("two", 3)):
        folder = tmp_path / name
        bundle = export(write_spec(folder, model, shape=f"[N, {columns}]"), folder / "build")

        assert torch.jit.load(bundle / "tiny/1/model.pt")(torch.rand(3, 4)).shape == (3, columns)
        made_from = json.loads((folder / "build/tiny/triton.json").read_text())["made_from"]
        assert sorted(made_from["models"]["tiny"]["source_files"]) == ["layers.py", "model.py"]


ANYTHING = """\
import torch

class Detector(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 2)

    def forward(self, x):
        return [{"boxes": self.layer(each)} for each in x]

def make():
    return Detector()
"""


def test_a_state_dict_is_of_a_module_that_returns_anything(tmp_path: Path) -> None:
    more = "images: {registry: docker.io/acme, tag: a}\nexport: {format: state_dict}"
    spec = write_spec(tmp_path, ANYTHING, more=more)
    (tmp_path / "own.py").write_text("from ts.torch_handler.base_handler import BaseHandler\n")
    served = "{torchserve: {platform: docker, handler: own.py:BaseHandler}}"
    spec.write_text(spec.read_text().replace("{triton: {}}", served))

    first = export(spec, tmp_path / "build") / "model-store/tiny-1.0.mar"
    with zipfile.ZipFile(first) as archive:
        state = torch.load(io.BytesIO(archive.read("model.pt")), weights_only=True)
    written = first.read_bytes()
    second = export(spec, tmp_path / "build") / "model-store/tiny-1.0.mar"

    assert list(state) == ["layer.weight", "layer.bias"]
    assert second.read_bytes() == written


def test_torch_may_come_from_where_a_variable_leads(tmp_path: Path) -> None:
    """A Python without any library, and PYTHONPATH; the same holds for `pip install --user`."""
    write_spec(tmp_path)
    venv.create(tmp_path / "bare", with_pip=False)
    libraries = Path(torch.__file__).parents[1]
    places = os.pathsep.join(map(str, (SPECS.parent, libraries)))
    code = "import sys; from generator.cli import main; sys.exit(main(sys.argv[1:]))"

    ran = subprocess.run(
        [tmp_path / "bare/bin/python", "-c", code, "export", "tiny.yaml"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": places},
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert (ran.returncode, ran.stdout) == (0, "build/tiny/triton: exported\n"), ran.stderr


LIMITED = """\
import resource, sys
from generator.cli import main

resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
sys.exit(main(sys.argv[1:]))
"""


def test_a_disk_that_takes_no_more_is_told(tmp_path: Path) -> None:
    write_spec(tmp_path)
    command = [sys.executable, "-c", LIMITED, "export", "tiny.yaml"]

    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.endswith("gen: cannot write build/tiny/triton: File too large\n")
    assert not (tmp_path / "build").exists()


CLASSIFIER = """\
import torch

def make():
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, 2))
"""
TRANSFORMS = """\
spec_version: 1
name: tiny
model:
  source: model.py:make
  inputs: [{name: x, dtype: float32, shape: [N, 3, 8, 8]}]
  outputs: [{name: y, dtype: float32, shape: [N, 2]}]
  class_names: [cat, dog]
transforms:
  preprocess: [decode, {resize: {size: [8, 8]}}, to_tensor]
  postprocess: [softmax, {top_k: 1}, class_name]
images: {registry: registry.example.com/acme, tag: "1"}
storage: {uri: s3://bucket/tiny}
targets: {triton: {}}
"""


@pytest.mark.parametrize("method", ["trace", "script"])
def test_transforms_in_the_model_are_exported_with_it(tmp_path: Path, method: str) -> None:
    np, image = pytest.importorskip("numpy"), pytest.importorskip("PIL.Image")
    (tmp_path / "model.py").write_text(CLASSIFIER)
    spec = tmp_path / "tiny.yaml"
    spec.write_text(TRANSFORMS + f"export: {{method: {method}}}\n")
    [built] = pipeline.build(spec.name, spec.read_bytes(), spec.parent).deployments
    inside = replace(built.project, transforms=replace(built.project.transforms, run_in="model"))
    bundle = Bundle(programs=(Program(inside, PurePosixPath("model.pt")),))

    folder = export_bundle(deployment(spec, bundle), [], tmp_path / "build")

    program = torch.jit.load(folder / "model.pt")
    pixels = np.random.default_rng(0).integers(0, 256, (51, 37, 3), dtype=np.uint8)
    resized = np.array(image.fromarray(pixels).resize((8, 8), image.Resampling.BILINEAR))
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, 2))
    wanted = model(torch.from_numpy(resized).permute(2, 0, 1)[None] / 255)[0].softmax(0)
    torch.testing.assert_close(program(torch.from_numpy(pixels).permute(2, 0, 1)), wanted)
    assert program.class_names == ["cat", "dog"]


TEXTS = (
    RenderedFile(PurePosixPath("tiny/triton/models/config/config.properties"), "a=b\n"),
    RenderedFile(PurePosixPath("tiny/triton/models/tiny/handler.py"), "class Handler: ...\n"),
    RenderedFile(PurePosixPath("tiny/triton/models/tiny/requirements.txt"), "six\n"),
    RenderedFile(PurePosixPath("tiny/triton/models/tiny/.gitkeep"), ""),
    RenderedFile(PurePosixPath("tiny/triton/manifests/inferenceservice.yaml"), "{}\n"),
)
ARCHIVE = Archive(
    path=PurePosixPath("model-store/tiny.mar"),
    folder=PurePosixPath("tiny"),
    name="tiny",
    version="1.0",
    handler="handler.py",
    serialized="tiny.pt",
)


def test_an_archive_takes_the_place_of_its_folder(tmp_path: Path) -> None:
    spec = write_spec(tmp_path)
    [built] = pipeline.build(spec.name, spec.read_bytes(), spec.parent).deployments
    program = Program(built.project, PurePosixPath("tiny/tiny.pt"))
    archived = deployment(spec, Bundle(programs=(program,), archives=(ARCHIVE,)))

    written = [
        (export_bundle(archived, TEXTS, tmp_path / "build") / "model-store/tiny.mar").read_bytes()
        for _ in range(2)
    ]

    folder = tmp_path / "build/tiny/triton"
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert files == ["config/config.properties", "model-store/tiny.mar"]
    assert not (folder / "tiny").exists()
    assert written[0] == written[1]
    with zipfile.ZipFile(folder / "model-store/tiny.mar") as archive:
        manifest = json.loads(archive.read("MAR-INF/MANIFEST.json"))
        assert sorted(archive.namelist()) == [
            "MAR-INF/MANIFEST.json",
            "handler.py",
            "requirements.txt",
            "tiny.pt",
        ]
    assert manifest["model"]["requirementsFile"] == "requirements.txt"


def write_archive(path: Path, model: Mapping[str, Any] | None = None) -> None:
    """Write what stands for an archive of the user's own."""
    described = {"modelName": "tiny", "modelVersion": "1.0"} if model is None else model
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("MAR-INF/MANIFEST.json", json.dumps({"model": described}))


def prebuilt(spec: Path, source: str = "given.mar", sha256: str | None = None) -> Deployment:
    [built] = pipeline.build(spec.name, spec.read_bytes(), spec.parent).deployments
    path = PurePosixPath("model-store/tiny.mar")
    return deployment(
        spec, Bundle(prebuilt=(Prebuilt(built.project, path, source, sha256, "tiny", "1.0"),))
    )


def prebuilt_refusal(spec: Path, output: Path, sha256: str | None = None) -> Diagnostic:
    with pytest.raises(Rejected) as caught:
        export_bundle(prebuilt(spec, sha256=sha256), [], output)
    [diagnostic] = caught.value.diagnostics
    assert not output.exists()
    return diagnostic


def test_an_archive_that_is_there_already_is_copied(tmp_path: Path) -> None:
    write_archive(tmp_path / "given.mar")
    spec = write_spec(tmp_path)
    sha256 = hashlib.sha256((tmp_path / "given.mar").read_bytes()).hexdigest()

    folder = export_bundle(prebuilt(spec, sha256=sha256), [], tmp_path / "build")

    copied = (folder / "model-store/tiny.mar").read_bytes()
    assert copied == (tmp_path / "given.mar").read_bytes()


@pytest.mark.parametrize(
    ("model", "message", "hint"),
    [
        (
            {"modelName": "other", "modelVersion": "1.0"},
            "the archive holds model `other`, and the server loads `tiny`",
            "write targets.torchserve.names: {model: other}",
        ),
        (
            {"modelName": "tiny", "modelVersion": "3.0"},
            "the archive holds version 3.0, and the server loads 1.0",
            "write model.version: 3",
        ),
        (
            {"modelName": "tiny", "modelVersion": "2024-05"},
            "the archive holds version 2024-05, and the server loads 1.0",
            "make the archive anew with --version 1.0",
        ),
    ],
)
def test_refuses_an_archive_of_another_model(
    tmp_path: Path, model: dict[str, str], message: str, hint: str
) -> None:
    write_archive(tmp_path / "given.mar", model)

    told = prebuilt_refusal(write_spec(tmp_path), tmp_path / "build")

    assert (told.message, told.hint) == (message, hint)


def test_refuses_an_archive_that_is_not_there(tmp_path: Path) -> None:
    told = prebuilt_refusal(write_spec(tmp_path), tmp_path / "build")

    assert told.message == "there is no file `given.mar`"


def test_refuses_an_archive_with_another_checksum(tmp_path: Path) -> None:
    write_archive(tmp_path / "given.mar")

    told = prebuilt_refusal(write_spec(tmp_path), tmp_path / "build", sha256="0" * 64)

    assert told.message.startswith("`given.mar` has the sha256 ")


def test_refuses_what_is_no_archive(tmp_path: Path) -> None:
    spec = write_spec(tmp_path)
    (tmp_path / "given.mar").write_bytes(b"no zip")
    no_zip = prebuilt_refusal(spec, tmp_path / "build")
    with zipfile.ZipFile(tmp_path / "given.mar", "w") as archive:
        archive.writestr("handler.py", "")
    no_manifest = prebuilt_refusal(spec, tmp_path / "build")
    with zipfile.ZipFile(tmp_path / "given.mar", "w") as archive:
        archive.writestr("MAR-INF/MANIFEST.json", "[]")
    no_model = prebuilt_refusal(spec, tmp_path / "build")

    assert no_zip.message == "the archive is no zip file: File is not a zip file"
    assert no_manifest.message == "the archive has no MAR-INF/MANIFEST.json"
    assert no_model.message == "the archive's MAR-INF/MANIFEST.json has no map `model`"


def test_a_refusal_stands_in_the_spec_that_the_model_came_from(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    path = write_spec(tmp_path / "other", shape="[N, 5]")
    [other] = pipeline.build("other.yaml", path.read_bytes(), path.parent).deployments
    bundle = Bundle(programs=(Program(other.project, PurePosixPath("other.pt")),))
    own = deployment(write_spec(tmp_path), bundle)
    served = (Served(other.project, other.options, other.document),)
    both = replace(own, project=replace(own.project, also_serves=served))

    with pytest.raises(Rejected) as caught:
        export_bundle(both, [], tmp_path / "build")

    [told] = caught.value.diagnostics
    assert told.path == "other.yaml"
    assert told.message == "output `y` has shape [1, 2] for batches of 1"


def test_a_refused_export_leaves_the_folder_that_was_there(tmp_path: Path) -> None:
    output = tmp_path / "outputs/mine"
    output.mkdir(parents=True)

    refusal(write_spec(tmp_path, "make = 3\n"), output)
    refusal(write_spec(tmp_path, "make = 3\n"), tmp_path / "outputs/new/other")

    assert list(output.iterdir()) == []
    assert list((tmp_path / "outputs").iterdir()) == [output]


def test_a_file_that_cannot_be_read_is_told_so(tmp_path: Path) -> None:
    spec = write_spec(tmp_path)
    weights = "  weights: {path: weights.pt, sha256: '00000000'}\n  inputs"
    spec.write_text(spec.read_text().replace("  inputs", weights))
    (tmp_path / "weights.pt").symlink_to("/proc/self/mem")  # which not even root can read at 0

    with pytest.raises(CannotRun, match=r"cannot read .*/weights\.pt: Input/output error"):
        export(spec, tmp_path / "build")


def test_an_export_that_fails_leaves_other_bundles_alone(tmp_path: Path) -> None:
    (tmp_path / "build/tiny").mkdir(parents=True)
    (tmp_path / "build/tiny/note").write_text("mine")

    refusal(write_spec(tmp_path, "make = 3\n"), tmp_path / "build")

    assert os.listdir(tmp_path / "build/tiny") == ["note"]
