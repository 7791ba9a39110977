"""The stand-alone predictor: its program and predict.py, with torch and Pillow and nothing else."""

import hashlib
import importlib.metadata
import importlib.util
import io
import json
import random
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from msgspec.structs import replace
from packaging.requirements import Requirement

from generator import pipeline, write
from generator.pipeline import Build

torch = pytest.importorskip("torch")
np = pytest.importorskip("numpy")
Image = pytest.importorskip("PIL.Image")

from generator.export import export_bundle  # noqa: E402  # needs torch
from generator.export.embedded_check import rendered_preprocess  # noqa: E402

ROOT = Path(__file__).parents[1]
SPECS = ROOT / "specs"
SPEC = (SPECS / "landmarks.yaml").read_text()
CLASSES = (SPECS / "models/landmarks_classes.txt").read_text().splitlines()
TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}  # as in tests/engines: the order of float32 operations


def imported(path: Path) -> ModuleType:
    """A Python file as a module of its own."""
    spec = importlib.util.spec_from_file_location(f"{path.stem}_{path.parent.name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    return module


def built(text: str) -> Build:
    return pipeline.build("landmarks.yaml", text.encode(), SPECS)


@dataclass(frozen=True)
class Predictor:
    """A rendered folder, the exported program, and the model with Pillow's pipeline before it."""

    folder: Path
    program: Path
    eager: Callable[[bytes], Any]
    """The probabilities of all classes for an encoded image, numpy float32 [50]."""


@pytest.fixture(scope="module")
def landmarks(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """specs/landmarks.yaml, rendered and exported by the command's own functions."""
    work = tmp_path_factory.mktemp("landmarks")
    build = built(SPEC)
    [deployment] = build.deployments
    write.write(write.tree(work / "rendered", build.project, build.files, ["."]))
    bundle = export_bundle(deployment, build.files, work / "build")
    preprocess = rendered_preprocess(deployment.project, work)
    net = imported(SPECS / "models/landmarks.py").Net(num_classes=50)
    net.load_state_dict(torch.load(SPECS / "models/landmarks.pt", weights_only=True))
    net.eval()

    def eager(encoded: bytes) -> Any:
        sample = torch.from_numpy(np.ascontiguousarray(preprocess(encoded)))
        with torch.inference_mode():
            return net(sample[None])[0].softmax(0).numpy()

    return Predictor(work / "rendered/landmarks/predictor", bundle / "standalone_model.pt", eager)


def noise(height: int, width: int, channels: int = 3) -> Any:
    """A picture in which neighbouring pixels differ: it shows every rounding."""
    generator = np.random.default_rng(height * width)
    return Image.fromarray(generator.integers(0, 256, (height, width, channels), dtype=np.uint8))


def encoded(image: Any, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def turned(image: Any) -> bytes:
    """A JPEG whose EXIF says that it lies on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: rotate by 90 degrees
    return encoded(image, "JPEG", exif=exif)


def sixteen_bits() -> bytes:
    values = np.random.default_rng(0).integers(0, 65536, (40, 50), dtype=np.uint16)
    return encoded(Image.fromarray(values))


def see_through() -> bytes:
    image = noise(60, 50).quantize(16)
    return encoded(image, transparency=bytes(range(16)))


IMAGES = {
    "one-pixel.png": encoded(noise(1, 1)),
    "model-size.png": encoded(noise(224, 224)),
    "odd.png": encoded(noise(31, 33)),
    "landscape.jpg": encoded(noise(375, 500), "JPEG"),
    "portrait.webp": encoded(noise(641, 480), "WEBP", lossless=True),
    "thin.bmp": encoded(noise(300, 41), "BMP"),
    "palette.gif": encoded(noise(50, 61).quantize(64), "GIF"),
    "see-through.png": see_through(),
    "rgba.png": encoded(noise(57, 63).convert("RGBA")),
    "grey.png": encoded(noise(90, 70).convert("L")),
    "grey-alpha.png": encoded(noise(90, 70).convert("LA")),
    "black-and-white.png": encoded(noise(64, 65).convert("1")),
    "sixteen-bits.png": sixteen_bits(),
    "print.jpg": encoded(noise(120, 160).convert("CMYK"), "JPEG"),
    "turned.jpg": turned(noise(120, 80)),
    "tiles.tiff": encoded(noise(99, 77), "TIFF"),
}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an image of every kind that is opened."""
    folder = tmp_path_factory.mktemp("images")
    for name, content in IMAGES.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pip installs for torch and Pillow: links to these packages and those they ask for."""
    folder = tmp_path_factory.mktemp("site")
    for name in required("torch", "pillow"):
        distribution = importlib.metadata.distribution(name)
        for top in {Path(str(file)).parts[0] for file in distribution.files or ()} - {".."}:
            if not (folder / top).exists():
                (folder / top).symlink_to(distribution.locate_file(top))
    return folder


def required(*names: str) -> set[str]:
    """Packages with all that they need."""
    found: set[str] = set()
    wanted = list(names)
    while wanted:
        name = wanted.pop().lower()
        if name not in found:
            found.add(name)
            lines = map(Requirement, importlib.metadata.requires(name) or ())
            wanted += [r.name for r in lines if not r.marker or r.marker.evaluate({"extra": ""})]
    return found


ALONE = """\
import importlib.util, runpy, sys
sys.path.append(sys.argv.pop(1))
for name in ("numpy", "torchvision", "generator", "click"):
    assert importlib.util.find_spec(name) is None, name
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def predict(
    site: Path, landmarks: Predictor, *arguments: str, cwd: Path
) -> subprocess.CompletedProcess[str]:
    """Run predict.py in a process that finds torch and Pillow, and nothing that is here else."""
    python = getattr(sys, "_base_executable", sys.executable)
    return subprocess.run(
        [python, "-I", "-S", "-c", ALONE, site, landmarks.folder / "predict.py", *arguments],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_bare_process_names_what_the_eager_model_names(
    landmarks: Predictor, bare: Path, images: Path
) -> None:
    ran = predict(bare, landmarks, "--model", str(landmarks.program), *IMAGES, cwd=images)

    assert (ran.returncode, ran.stderr) == (0, "")
    wanted = []
    for name, content in IMAGES.items():
        probabilities = landmarks.eager(content)
        best = int(probabilities.argmax())
        wanted.append((name, CLASSES[best], float(probabilities[best])))
    told = [line.rpartition(" ") for line in ran.stdout.splitlines()]
    assert [text for text, _, _ in told] == [f"{name}: {label}" for name, label, _ in wanted]
    values = [value for _, _, value in wanted]
    np.testing.assert_allclose([float(value) for _, _, value in told], values, atol=6e-4)


def test_a_bare_process_prints_json(landmarks: Predictor, bare: Path, tmp_path: Path) -> None:
    (tmp_path / "standalone_model.pt").symlink_to(landmarks.program)
    pictures, classes = imported(SPECS / "models/train_landmarks.py").pictures(
        8, torch.Generator().manual_seed(9)
    )
    names = [f"{index}.png" for index in range(len(pictures))]
    for name, picture in zip(names, pictures, strict=True):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(tmp_path / name)

    ran = predict(bare, landmarks, "--json", *names, cwd=tmp_path)

    assert (ran.returncode, ran.stderr) == (0, "")
    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [answer["image"] for answer in answers] == names
    entries = [entry for answer in answers for entry in answer["answer"]]
    assert [entry["class_name"] for entry in entries] == [CLASSES[index] for index in classes]
    wanted = [landmarks.eager((tmp_path / name).read_bytes()).max() for name in names]
    np.testing.assert_allclose([entry["probability"] for entry in entries], wanted, **TOLERANCE)


def test_one_bad_image_costs_one_line_of_stderr_and_the_status(
    landmarks: Predictor, bare: Path, tmp_path: Path
) -> None:
    (tmp_path / "torn.jpg").write_bytes(IMAGES["landscape.jpg"][:5000])
    (tmp_path / "text.png").write_text("no image\n")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "line.png").write_bytes(encoded(Image.new("L", (60_000, 1))))
    (tmp_path / "huge.png").write_bytes(encoded(Image.new("1", (9000, 9000))))
    (tmp_path / "good.png").write_bytes(IMAGES["odd.png"])
    wrong = {
        "torn.jpg": "the image is broken or of an unknown format",
        "text.png": "the image is broken or of an unknown format",
        "empty.png": "the image is broken or of an unknown format",
        "folder.png": "Is a directory",
        "line.png": "the image is too long and thin: 60000 x 1 pixels",
        "huge.png": "the image has 9000 x 9000 pixels, the limit is 64000000",
        "none.png": "No such file or directory",
    }

    ran = predict(bare, landmarks, f"--model={landmarks.program}", *wrong, "good.png", cwd=tmp_path)

    assert ran.returncode == 1
    assert ran.stderr.splitlines() == [f"predict.py: {k}: {v}" for k, v in wrong.items()]
    assert ran.stdout.startswith("good.png: ")
    assert len(ran.stdout.splitlines()) == 1


# In this process: what differs from spec to spec


@dataclass
class Called:
    """What a predict.py left behind."""

    status: object
    out: str
    err: str


@pytest.fixture
def call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Called]:
    """Calls the main of a predict.py of the given spec."""

    def run(path: Path, *arguments: str | Path) -> Called:
        monkeypatch.setattr(sys, "argv", ["predict.py", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            imported(path).main()
        told = capsys.readouterr()
        return Called(ended.value.code, told.out, told.err)

    return run


def rendered(spec: str, folder: Path) -> Path:
    """The predict.py of a spec."""
    [text] = [file.text for file in built(spec).files if file.path.name == "predict.py"]
    path = folder / "predict.py"
    path.write_text(text, encoding="utf-8")
    return path


def with_postprocess(steps: str, spec: str = SPEC) -> str:
    assert "[softmax, argmax, class_name]" in spec
    return spec.replace("[softmax, argmax, class_name]", steps)


def answers(called: Called) -> dict[str, Any]:
    assert (called.status, called.err) == (0, "")
    return {found["image"]: found["answer"] for found in map(json.loads, called.out.splitlines())}


def test_the_whole_output_is_the_eager_models(
    landmarks: Predictor, images: Path, tmp_path: Path, call: Callable[..., Called]
) -> None:
    path = rendered(with_postprocess("[softmax]"), tmp_path)

    got = answers(call(path, "--json", "--model", landmarks.program, *sorted(images.iterdir())))

    assert len(got) == len(IMAGES)
    for name, content in IMAGES.items():
        wanted = landmarks.eager(content)
        np.testing.assert_allclose(got[str(images / name)], wanted, **TOLERANCE, err_msg=name)


def test_another_mean_shows(landmarks: Predictor, tmp_path: Path, images: Path) -> None:
    """That the comparison above can fail."""
    [deployment] = built(SPEC.replace("mean: [0.485,", "mean: [0.385,")).deployments
    bundle = export_bundle(deployment, (), tmp_path)
    program = torch.jit.load(bundle / "standalone_model.pt")

    got = imported(landmarks.folder / "predict.py").run(program, images / "landscape.jpg")

    wanted = landmarks.eager(IMAGES["landscape.jpg"])
    assert not np.allclose(got.numpy(), wanted, **TOLERANCE)


def test_the_best_classes_come_first(
    landmarks: Predictor, images: Path, tmp_path: Path, call: Callable[..., Called]
) -> None:
    path = rendered(with_postprocess("[softmax, {top_k: 3}, class_name]"), tmp_path)
    image = images / "odd.png"
    options = ("--model", landmarks.program, image)

    [entries] = answers(call(path, "--json", *options)).values()
    text = call(path, *options).out

    probabilities = landmarks.eager(IMAGES["odd.png"])
    best = np.argsort(-probabilities, kind="stable")[:3]
    assert [entry["class_name"] for entry in entries] == [CLASSES[index] for index in best]
    np.testing.assert_allclose(
        [entry["probability"] for entry in entries], probabilities[best], **TOLERANCE
    )
    told = ", ".join(f"{entry['class_name']} {entry['probability']:.3f}" for entry in entries)
    assert text == f"{image}: {told}\n"


def test_a_threshold_keeps_what_reaches_it(
    landmarks: Predictor, images: Path, tmp_path: Path, call: Callable[..., Called]
) -> None:
    probabilities = landmarks.eager(IMAGES["odd.png"])
    limit = float(np.sort(probabilities)[-4]) * 0.999
    options = ("--model", landmarks.program, images / "odd.png")

    path = rendered(with_postprocess(f"[softmax, {{threshold: {limit}}}]"), tmp_path)
    [entries] = answers(call(path, "--json", *options)).values()
    path = rendered(with_postprocess("[softmax, {threshold: 1.0}]"), tmp_path)
    nothing = call(path, *options).out

    best = np.argsort(-probabilities, kind="stable")[:4]
    assert [entry["class_index"] for entry in entries] == list(best)
    assert nothing == f"{images / 'odd.png'}: no class\n"


GREY = (
    SPEC.replace("models/landmarks.py:Net", "models/mnist.py:Net")
    .replace("models/landmarks.pt", "models/mnist.pt")
    .replace("[N, 3, 224, 224]", "[N, 1, 28, 28]")
    .replace("[N, 50]", "[N, 10]")
    .replace("  class_names: models/landmarks_classes.txt\n", "")
    .replace("{mode: RGB}", "{mode: L}")
    .replace("shorter_edge: 256", "shorter_edge: 32")
    .replace("size: 224", "size: 28")
    .replace("[0.485, 0.456, 0.406]", "[0.1307]")
    .replace("[0.229, 0.224, 0.225]", "[0.3081]")
)


def test_a_grey_program_without_softmax_tells_scores_of_indices(
    images: Path, tmp_path: Path, call: Callable[..., Called]
) -> None:
    spec = with_postprocess("[{top_k: 10}]", GREY)
    [deployment] = built(spec).deployments
    bundle = export_bundle(deployment, (), tmp_path)
    net = imported(SPECS / "models/mnist.py").Net().eval()
    net.load_state_dict(torch.load(SPECS / "models/mnist.pt", weights_only=True))
    preprocess = rendered_preprocess(deployment.project, tmp_path)

    options = ("--model", bundle / "standalone_model.pt", *sorted(images.iterdir()))
    got = answers(call(rendered(spec, tmp_path), "--json", *options))

    for name, content in IMAGES.items():
        with torch.inference_mode():
            scores = net(torch.from_numpy(preprocess(content))[None])[0].numpy()
        entries = got[str(images / name)]
        found = {entry["class_index"]: entry["score"] for entry in entries}
        np.testing.assert_allclose([found[i] for i in range(10)], scores, **TOLERANCE)
        assert [entry["score"] for entry in entries] == sorted(found.values(), reverse=True)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_opens_every_image_as_the_transforms_of_other_targets_do(
    mode: str, tmp_path: Path, landmarks: Predictor
) -> None:
    """They have numpy; `decode` is one template, `eight_bit` is not."""
    here = imported(landmarks.folder / "predict.py")
    [deployment] = built(SPEC).deployments
    decode_only = replace(
        deployment.project.transforms, preprocess=deployment.project.transforms.preprocess[:1]
    )
    rendered_preprocess(replace(deployment.project, transforms=decode_only), tmp_path)
    there = imported(tmp_path / "transforms.py")

    for name, content in IMAGES.items():
        pixels = here.pixels(here.decode(content, "RGB")).permute(1, 2, 0).numpy()
        assert np.array_equal(pixels, np.asarray(there.decode(content, "RGB"))), name
        grey = here.decode(content, mode)
        assert np.array_equal(np.asarray(grey), np.asarray(there.decode(content, mode))), name


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I;16L"])
def test_scales_every_16_bit_value_as_numpy_does(mode: str, landmarks: Predictor) -> None:
    values = np.arange(65536, dtype=">u2" if mode == "I;16B" else "<u2")
    image = Image.frombytes(mode, (256, 256), values.tobytes())

    scaled = imported(landmarks.folder / "predict.py").eight_bit(image)

    assert np.array_equal(np.asarray(scaled).ravel(), (values >> 8).astype(np.uint8))


def test_wrong_arguments_are_refused_with_status_2(
    landmarks: Predictor, tmp_path: Path, call: Callable[..., Called]
) -> None:
    path = landmarks.folder / "predict.py"
    (tmp_path / "text.pt").write_text("no program")
    nameless = tmp_path / "nameless.pt"
    torch.jit.script(torch.nn.Identity()).save(nameless)
    torch.save({}, tmp_path / "weights.pt")

    told = [
        call(path),
        call(path, "--model", tmp_path / "none.pt", "a.png"),
        call(path, "--model", tmp_path / "text.pt", "a.png"),
        call(path, "--model", tmp_path / "weights.pt", "a.png"),
        call(path, "--model", nameless, "a.png"),
    ]

    assert [each.status for each in told] == [2] * 5
    assert [each.out for each in told] == [""] * 5
    last = [each.err.splitlines()[-1] for each in told]
    assert "required: image" in last[0]
    assert f"none.pt is no program that loads: The provided filename {tmp_path}" in last[1]
    assert "text.pt is no program that loads" in last[2]
    assert "weights.pt is no program that loads" in last[3]
    assert "nameless.pt is a program without names of classes" in last[4]


@pytest.mark.parametrize(
    "spec",
    [
        SPEC,
        with_postprocess("[softmax, {top_k: 3}, class_name]"),
        with_postprocess("[sigmoid, {threshold: 0.25}, {top_k: 5}, class_name]"),
        with_postprocess("[{threshold: -1}]"),
        with_postprocess("[argmax]"),
        with_postprocess("[softmax]"),
        with_postprocess("[]", GREY),
        SPEC.replace("name: landmarks", f"name: {'l' * 63}"),
    ],
    ids=["best", "three", "threshold", "scores", "index", "probabilities", "tensor", "long"],
)
def test_every_predict_py_is_clean(spec: str, tmp_path: Path) -> None:
    """Formatted, linted and typed as what is committed is: see test_formats.py."""
    path = rendered(spec, tmp_path)
    options = ["--isolated", "--no-cache", "--quiet", "--line-length=100", "--target-version=py311"]
    mypy = ["--config-file=", "--no-site-packages", "--strict", "--ignore-missing-imports"]
    checks = [
        ["ruff", "check", *options, "--select=W,F,I,B,C4,UP,SIM,PTH,RET,PIE,RUF,E4,E7,E9", path],
        ["ruff", "format", "--diff", *options, path],
        ["mypy", *mypy, "--allow-subclassing-any", "--no-error-summary", path],
    ]

    for check in checks:
        command = [Path(sysconfig.get_path("scripts")) / check[0], *check[1:]]
        ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (ran.returncode, ran.stdout) == (0, ""), ran.stderr


# The program


def test_the_program_carries_the_names_of_the_classes(landmarks: Predictor) -> None:
    assert torch.jit.load(landmarks.program).class_names == CLASSES


def test_the_program_is_compiled_whole_and_lies_on_the_cpu(landmarks: Predictor) -> None:
    program = torch.jit.load(landmarks.program)

    tensors = [*program.parameters(), *program.buffers()]
    assert {str(tensor.device) for tensor in tensors} == {"cpu"}
    assert program.model.classifier.out_features == 50  # a constant that a trace leaves out


def test_the_program_takes_images_of_any_size(landmarks: Predictor) -> None:
    program = torch.jit.load(landmarks.program)
    sides = random.Random(0)

    for _ in range(10):
        size = (3, sides.randrange(1, 700), sides.randrange(1, 700))
        assert program(torch.zeros(size, dtype=torch.uint8)).shape == (50,)


def test_two_exports_are_the_same_bytes(landmarks: Predictor, tmp_path: Path) -> None:
    code = "import sys; from generator.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "export", str(SPECS / "landmarks.yaml")]

    ran = subprocess.run(
        [*command, "--output", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    again = tmp_path / "landmarks/predictor/standalone_model.pt"
    digests = [hashlib.sha256(path.read_bytes()).digest() for path in (landmarks.program, again)]
    assert digests[0] == digests[1]
    assert [path.name for path in again.parent.iterdir()] == ["standalone_model.pt"]


TRACED = (
    SPEC.replace("source: models/landmarks.py:Net", "program: traced.pt")
    .replace("  weights: {path: models/landmarks.pt}\n", "")
    .replace("export: {method: script}\n", "")
    .replace("models/landmarks_classes.txt", "classes.txt")
)


def test_a_program_of_the_users_own_may_be_a_trace(
    landmarks: Predictor, tmp_path: Path, images: Path
) -> None:
    net = imported(SPECS / "models/landmarks.py").Net(num_classes=50).eval()
    net.load_state_dict(torch.load(SPECS / "models/landmarks.pt", weights_only=True))
    torch.jit.trace(net, torch.rand(2, 3, 224, 224)).save(tmp_path / "traced.pt")
    (tmp_path / "classes.txt").write_text("\n".join(CLASSES))
    [deployment] = pipeline.build("spec.yaml", TRACED.encode(), tmp_path).deployments

    program = torch.jit.load(export_bundle(deployment, (), tmp_path) / "standalone_model.pt")

    predict = imported(landmarks.folder / "predict.py")
    for name, content in IMAGES.items():
        got = predict.run(program, images / name).numpy()
        np.testing.assert_allclose(got, landmarks.eager(content), **TOLERANCE)


# The command


def rendered_files(folder: Path) -> Sequence[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


Gen = Callable[..., Any]


def test_a_spec_without_targets_renders_the_predictor_alone(gen: Gen, tmp_path: Path) -> None:
    spec = str(SPECS / "landmarks.yaml")

    ran = gen("render", spec)
    checked = gen("render", "--check", spec)

    assert (ran.status, ran.out) == (0, "rendered/landmarks: 3 files, 3 created\n")
    assert [path.name for path in (tmp_path / "rendered/landmarks").iterdir() if path.is_dir()] == [
        "predictor"
    ]
    files = rendered_files(tmp_path / "rendered/landmarks/predictor")
    assert files == ["README.md", "predict.py", "requirements.txt"]
    assert checked.status == 0


def test_drift_of_predict_py_is_told(gen: Gen, tmp_path: Path) -> None:
    spec = str(SPECS / "landmarks.yaml")
    gen("render", spec)
    path = tmp_path / "rendered/landmarks/predictor/predict.py"
    path.write_text(path.read_text().replace("[:1]", "[:2]"))

    checked = gen("render", "--check", spec)

    assert checked.status == 1
    assert "-        for index in best_first[:2]" in checked.out


def test_a_spec_without_targets_is_passed_over_for_other_targets(gen: Gen) -> None:
    specs = (str(SPECS / "landmarks.yaml"), str(SPECS / "variants/minimal.yaml"))

    both = gen("render", "--target", "triton", *specs)
    alone = gen("render", "--target", "triton", specs[0])
    own = gen("validate", "--target", "predictor", *specs)

    assert both.status == 0
    assert both.out.startswith("rendered/minimal")
    assert "landmarks" not in both.out
    assert alone.status == 2
    assert "no spec here has the selected targets" in alone.err
    assert (own.status, own.err) == (0, "1 spec valid\n")


def test_it_prints_no_manifests(gen: Gen) -> None:
    assert gen("render", "--output", "-", str(SPECS / "landmarks.yaml")) == (0, "", "")


def test_environments_have_predictors_of_their_own(gen: Gen, tmp_path: Path) -> None:
    shutil.copytree(SPECS / "models", tmp_path / "models")
    more = "environments: {one: , two: {model: {version: 2}}}\n"
    (tmp_path / "spec.yaml").write_text(SPEC + more)

    ran = gen("render", "spec.yaml")

    assert ran.status == 0, ran.err
    for name, version in {"one": 1, "two": 2}.items():
        readme = (tmp_path / f"rendered/landmarks/{name}/predictor/README.md").read_text()
        program = f"`build/landmarks/{name}/predictor/standalone_model.pt`, version {version},"
        assert program in readme
        assert f"--target predictor --environment {name} --output build" in readme


def test_requirements_pin_the_two_packages() -> None:
    [text] = [file.text for file in built(SPEC).files if file.path.name == "requirements.txt"]

    installed = [f"{name}=={version(name)}" for name in ("pillow", "torch")]
    assert text.splitlines() == installed


def version(name: str) -> str:
    """The version that the tests run on, the build left off."""
    return importlib.metadata.version(name).partition("+")[0]
