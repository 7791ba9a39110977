"""What gen renders and exports for Seldon Core, unmodified: each node in the real wrapper."""

import base64
import contextlib
import importlib
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import seldon_door
import yaml
from seeded import photo, separating

from generator import class_names, pipeline, write
from generator.engines import EngineError, seldon, seldon_graph
from generator.engines.seldon_graph import Message, Refused, Unit
from generator.selection import Selection
from generator.targets.seldon.options import Options
from generator.targets.seldon.service import Component, describe

pytestmark = pytest.mark.engine

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch")
Image = pytest.importorskip("PIL.Image")

ROOT = Path(__file__).parents[2]
SPECS = ROOT / "specs"
TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

PICTURES = """\
spec_version: 1
name: pictures
model:
  source: models/cifar10.py:Net
  weights: {path: models/cifar10.pt}
  inputs:  [{name: image,  dtype: float32, shape: [N, 3, 32, 32]}]
  outputs: [{name: logits, dtype: float32, shape: [N, 10]}]
  class_names: models/cifar10_classes.txt
storage: {uri: s3://models/pictures}
transforms:
  run_in: RUN_IN
  preprocess:
    - decode: {mode: RGB}
    - resize: {shorter_edge: 36}
    - center_crop: {size: 32}
    - to_tensor
    - normalize: {mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}
  postprocess: [softmax, {top_k: 10}, class_name]
export: {method: script}
serving: {batching: {max_size: 8}}
images: {registry: docker.io/acme, tag: "1.0"}
targets: {seldon: OPTIONS}
"""
DOORS = {"rest": seldon_graph.rest, "grpc": seldon_door.over_grpc}
ANSWERED = ("split", "fused", "embedded")


@pytest.fixture(scope="module", autouse=True)
def engine() -> None:
    """An installed wrapper."""
    try:
        seldon.prepare(report=print)
    except EngineError as problem:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(problem))


@dataclass(frozen=True)
class Deployed:
    """The rendered folder of a project, its bundle, and its nodes from the outermost in."""

    rendered: Path
    bundle: Path
    components: tuple[Component, ...]

    def folder(self, role: str) -> Path:
        [component] = [each for each in self.components if each.role == role]
        return self.rendered / "images" / component.folder


def rendered(text: str, work: Path, folder: Path = SPECS) -> Deployed:
    """Render a spec as the command does; there is no bundle yet."""
    return _rendered(text, work, folder)[0]


def deployed(text: str, work: Path, folder: Path = SPECS) -> Deployed:
    """Render and export a spec with the command's own functions."""
    from generator.export import export_bundle

    project, build = _rendered(text, work, folder)
    [deployment] = build.deployments
    bundle = export_bundle(deployment, build.files, work / "build")
    assert bundle == project.bundle
    return project


def _rendered(text: str, work: Path, folder: Path) -> tuple[Deployed, pipeline.Build]:
    selection = Selection(targets=("seldon",))
    build = pipeline.build("spec.yaml", text.encode(), folder, selection)
    write.write(write.tree(work / "rendered", build.project, build.files, ["."]))
    [deployment] = build.deployments
    assert isinstance(deployment.options, Options)
    components = describe(deployment.project, deployment.options).components
    outermost_first = sorted(components, key=lambda each: each.role == "model")
    place = pipeline.folder_of(deployment)
    return Deployed(
        work / "rendered" / place, work / "build" / place, tuple(outermost_first)
    ), build


def pictures(run_in: str, options: str = "{}", **changes: str) -> str:
    """The text of the spec, with other texts in place of some of its own."""
    text = PICTURES.replace("RUN_IN", run_in).replace("OPTIONS", options)
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return text


@contextlib.contextmanager
def node(project: Deployed, component: Component) -> Iterator[seldon.Node]:
    """One node in a process of its own, its program where an initializer would have put it."""
    given = [seldon.Parameter("model_uri", str(project.bundle))]
    with seldon.serve(
        project.rendered / "images" / component.folder,
        component.class_name,
        service_type=component.service_type,
        parameters=given if component.role == "model" else (),
        variables={"OMP_NUM_THREADS": "1"},
        report=print,
    ) as served:
        yield served


@contextlib.contextmanager
def graph(project: Deployed) -> Iterator[Unit]:
    """All nodes of a project, each the child of the one before."""
    with contextlib.ExitStack() as stack:
        served = [stack.enter_context(node(project, each)) for each in project.components]
        unit: tuple[Unit, ...] = ()
        for component, each in reversed(list(zip(project.components, served, strict=True))):
            unit = (Unit(component.type, each, unit),)
        yield unit[0]


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Unit]]:
    """A function that gives a running graph by its name; each is started once."""
    texts = {
        "split": pictures("component"),
        "fused": pictures("server"),
        "embedded": pictures("model"),
        "tensors": pictures("client"),
        "server": pictures("component", "{model_server: TORCH_SERVER}"),
    }
    running: dict[str, Unit] = {}
    with contextlib.ExitStack() as stack:

        def start(name: str) -> Unit:
            if name not in running:
                project = deployed(texts[name], tmp_path_factory.mktemp(name))
                if name in ("split", "fused", "tensors"):
                    limit(project.bundle / "model.pt")
                running[name] = stack.enter_context(graph(project))
            return running[name]

        yield start


def limit(program: Path) -> None:
    """Make a program refuse more than the 8 samples at once that the spec allows."""

    class Limited(torch.nn.Module):  # type: ignore[misc, name-defined]  # torch is optional: Any
        def __init__(self) -> None:
            super().__init__()
            self.whole = torch.jit.load(str(program))

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            assert image.shape[0] <= 8, "more than 8 samples"
            return self.whole(image)

    torch.jit.script(Limited()).save(str(program))


@dataclass(frozen=True)
class Eager:
    """The network in this process, and what torchvision makes of an image for it."""

    net: Any
    prepare: Any
    names: tuple[str, ...]

    def sample(self, picture: bytes) -> Any:
        return self.prepare(Image.open(io.BytesIO(picture)).convert("RGB"))

    def logits(self, samples: Any) -> Any:
        with torch.no_grad():
            return self.net(torch.as_tensor(samples)).numpy()

    def answer(self, picture: bytes) -> dict[str, float]:
        """The probability of each class, best first."""
        values = torch.as_tensor(self.logits(self.sample(picture)[None])[0]).softmax(0)
        best_first = values.argsort(descending=True).tolist()
        return {self.names[index]: float(values[index]) for index in best_first}


@pytest.fixture(scope="module")
def eager() -> Eager:
    """The network with its weights."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "tests"))
        transforms = importlib.import_module("torchvision_shim").transforms
        patch.syspath_prepend(str(SPECS / "models"))
        net = importlib.import_module("cifar10").Net()
    net.load_state_dict(torch.load(SPECS / "models/cifar10.pt", weights_only=True))
    steps = [transforms.Resize(36), transforms.CenterCrop(32), transforms.ToTensor()]
    prepare = transforms.Compose([*steps, transforms.Normalize(MEAN, STD)])
    names = (SPECS / "models/cifar10_classes.txt").read_text().split()
    return Eager(net.eval(), prepare, tuple(names))


@pytest.fixture(scope="module")
def samples() -> list[bytes]:
    """20 pictures, two of each class, larger than the network takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SPECS / "models"))
        training = importlib.import_module("train_cifar10")
    made, classes = training.pictures(200, torch.Generator().manual_seed(5))
    kept = [int(i) for c in range(10) for i in (classes == c).nonzero()[:2, 0]]
    arrays = [made[index].permute(1, 2, 0).numpy() for index in kept]
    return [encoded(Image.fromarray(each).resize((48, 60))) for each in arrays]


def encoded(picture: Any, kind: str = "png", **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def in_base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def one(picture: bytes) -> Message:
    return {"binData": in_base64(picture)}


def several(*given: bytes) -> Message:
    instances = [{"image_bytes": {"b64": in_base64(each)}, "id": 7} for each in given]
    return {"jsonData": {"instances": instances}}


def predictions(answer: Message) -> list[dict[str, float]]:
    """The probability of each class for each image, in the order of the answer."""
    return [
        {entry["class_name"]: entry["probability"] for entry in entries}
        for entries in answer["jsonData"]["predictions"]
    ]


def assert_same(got: list[dict[str, float]], want: list[dict[str, float]]) -> None:
    """The whole vectors agree, and the best class comes first."""
    assert [next(iter(each)) for each in got] == [next(iter(each)) for each in want]
    assert [set(each) for each in got] == [set(each) for each in want]
    for mine, theirs in zip(got, want, strict=True):
        np.testing.assert_allclose(
            [mine[name] for name in theirs], list(theirs.values()), **TOLERANCE
        )


def tensor(array: Any, **tags: Any) -> Message:
    """A tensor as one node sends it to the next."""
    told = {"dtype": str(array.dtype), "shape": list(array.shape)} | tags
    return {"binData": in_base64(array.tobytes()), "meta": {"tags": told}}


def received(answer: Message) -> Any:
    """The tensor of an answer, whatever its form."""
    if "binData" in answer:
        tags = answer["meta"]["tags"]
        shape = list(map(int, tags["shape"]))
        return np.frombuffer(base64.b64decode(answer["binData"]), tags["dtype"]).reshape(shape)
    data = answer["data"]
    return (
        np.reshape(data["tensor"]["values"], list(map(int, data["tensor"]["shape"])))
        if ("tensor" in data)
        else np.array(data["ndarray"])
    )


def refused(unit: Unit, message: Message, door: str) -> str:
    """The reason of a refusal, which over REST has status 400."""
    with pytest.raises(Refused) as told:
        seldon_graph.walk(unit, message, DOORS[door])
    if door == "rest":
        assert told.value.status == 400
        return str(told.value.message["status"]["info"])
    assert told.value.status == "UNKNOWN"  # the wrapper knows no other
    return str(told.value.message["details"])


def test_the_eager_answers_are_well_apart(eager: Eager, samples: list[bytes]) -> None:
    """Else a wrong picture in the right place would not show."""
    best = [next(iter(eager.answer(each).items())) for each in samples]

    assert len({name for name, _ in best}) >= 6
    assert np.median([probability for _, probability in best]) > 0.5


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", [*ANSWERED, "server"])
def test_a_picture_gets_the_eager_models_answer(
    graphs: Callable[[str], Unit], eager: Eager, samples: list[bytes], name: str, door: str
) -> None:
    answer = seldon_graph.walk(graphs(name), one(samples[0]), DOORS[door])

    assert_same(predictions(answer), [eager.answer(samples[0])])
    assert not answer.get("meta", {}).get("tags")


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("count", [1, 8, 20])  # 20 is more than the largest batch, 8
@pytest.mark.parametrize("name", [*ANSWERED, "server"])
def test_several_pictures_are_answered_in_order(
    graphs: Callable[[str], Unit],
    eager: Eager,
    samples: list[bytes],
    name: str,
    count: int,
    door: str,
) -> None:
    answer = seldon_graph.walk(graphs(name), several(*samples[:count]), DOORS[door])

    assert_same(predictions(answer), [eager.answer(each) for each in samples[:count]])


def kinds(samples: list[bytes]) -> dict[str, bytes]:
    """One picture in forms that cameras and programs write."""
    picture = Image.open(io.BytesIO(samples[3])).resize((61, 47))
    turned = Image.Exif()
    turned[0x0112] = 6  # orientation: to be turned by a quarter, which nobody here does
    return {
        "jpeg": encoded(picture, "jpeg", quality=90),
        "png": encoded(picture),
        "grey": encoded(picture.convert("L")),
        "grey jpeg": encoded(picture.convert("L"), "jpeg"),
        "palette": encoded(picture.convert("P"), "gif"),
        "transparent": encoded(picture.convert("RGBA")),
        "turned": encoded(picture, "jpeg", exif=turned),
        "small": encoded(picture.resize((9, 11))),
        "wide": encoded(picture.resize((200, 40))),
    }


@pytest.mark.parametrize("name", ANSWERED)
def test_pictures_of_every_kind_get_the_eager_models_answers(
    graphs: Callable[[str], Unit], eager: Eager, samples: list[bytes], name: str
) -> None:
    given = kinds(samples)

    answer = seldon_graph.walk(graphs(name), several(*given.values()), seldon_graph.rest)

    assert_same(predictions(answer), [eager.answer(each) for each in given.values()])


def test_split_fused_and_embedded_agree(
    graphs: Callable[[str], Unit], samples: list[bytes]
) -> None:
    split, *others = (
        predictions(seldon_graph.walk(graphs(name), several(*samples), seldon_graph.rest))
        for name in ANSWERED
    )

    for other in others:
        assert_same(other, split)


def test_tags_of_the_senders_own_come_back(
    graphs: Callable[[str], Unit], samples: list[bytes]
) -> None:
    message = one(samples[0]) | {"meta": {"tags": {"camera": 3}}}

    answer = seldon_graph.walk(graphs("split"), message, seldon_graph.rest)

    assert answer["meta"]["tags"] == {"camera": 3}


BROKEN = in_base64(b"this is no image")


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", ANSWERED)
def test_a_broken_picture_is_refused_with_the_reason(
    graphs: Callable[[str], Unit], samples: list[bytes], name: str, door: str
) -> None:
    reason = "the image is broken or of an unknown format"

    alone = refused(graphs(name), {"binData": BROKEN}, door)
    among = refused(graphs(name), several(samples[0], b"this is no image"), door)

    assert alone.endswith(reason)
    assert among.endswith(f"instance 1: {reason}")


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"binData": ""}, "binData is empty, or no base64"),
        ({"binData": "@@"}, "binData is empty, or no base64"),
        ({"strData": "cat"}, "send an image as binData, or instances with image_bytes.b64"),
        ({"data": {"ndarray": [1]}}, "send an image as binData, or instances with image_bytes.b64"),
        ({"jsonData": [1]}, "send an image as binData, or instances with image_bytes.b64"),
        ({"jsonData": {"instances": 1}}, "send an image as binData, or instances with"),
        ({"jsonData": {"instances": []}}, "the request has no instances"),
        ({"jsonData": {"instances": [1]}}, "instance 0 has no image_bytes.b64"),
        ({"jsonData": {"instances": [{"image_bytes": {"b64": 1}}]}}, "instance 0 has no image_"),
        ({"jsonData": {"instances": [{"image_bytes": {"b64": "*"}}]}}, "instance 0: image_bytes."),
    ],
)
@pytest.mark.parametrize("name", ANSWERED)
def test_a_request_without_pictures_is_refused(
    graphs: Callable[[str], Unit], name: str, message: Message, reason: str
) -> None:
    assert refused(graphs(name), message, "rest").startswith(reason)


def test_a_picture_too_thin_for_the_program_is_refused_with_its_words(
    graphs: Callable[[str], Unit],
) -> None:
    thin = encoded(Image.new("L", (1, 60_000)))
    reasons = {refused(graphs(name), one(thin), "rest") for name in ANSWERED}

    assert reasons == {"the image is too long and thin: 1 x 60000 pixels"}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", ["tensors", "server"])
@pytest.mark.parametrize("count", [1, 20])
def test_a_tensor_is_answered_in_its_own_form(
    graphs: Callable[[str], Unit],
    eager: Eager,
    samples: list[bytes],
    name: str,
    count: int,
    door: str,
) -> None:
    given = torch.stack([eager.sample(each) for each in samples[:count]]).numpy()
    model = innermost(graphs(name))
    numbers = {"shape": list(given.shape), "values": given.ravel().tolist()}
    messages = {
        "binData": tensor(given),
        "tensor": {"data": {"tensor": numbers}},
        "ndarray": {"data": {"ndarray": given.tolist()}},
    }

    for form, message in messages.items():
        answer = seldon_graph.walk(model, message, DOORS[door])

        assert form in {**answer, **answer.get("data", {})}
        np.testing.assert_allclose(received(answer), eager.logits(given), **TOLERANCE)


def innermost(unit: Unit) -> Unit:
    """The model's node."""
    return innermost(unit.children[0]) if unit.children else unit


SAMPLE = np.zeros((1, 3, 32, 32), np.float32)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"binData": tensor(SAMPLE)["binData"]}, "binData needs the tags dtype and shape"),
        (tensor(SAMPLE, dtype="float64"), "tag dtype is float64, not float32"),
        (tensor(SAMPLE, shape=[1, 3, 9, 9]), "shape [1, 3, 9, 9], not [N, 3, 32, 32]"),
        (tensor(SAMPLE, shape=[2, 3, 32, 32]), "12288 bytes, and float32 [2, 3, 32, 32] has 24576"),
        (tensor(SAMPLE[:0]), "no list of whole numbers from 1 on"),
        (tensor(SAMPLE, shape="all"), "no list of whole numbers from 1 on"),
        (tensor(SAMPLE, shape=[0.5, 3, 32, 64]), "no list of whole numbers from 1 on"),
        ({"data": {"ndarray": [[1, 2]]}}, "the tensor has shape [1, 2], not [N, 3, 32, 32]"),
        ({"data": {"ndarray": [["cat"]]}}, "the tensor has shape [1, 1], not [N, 3, 32, 32]"),
        ({"strData": "cat"}, "send a tensor as binData with the tags dtype and shape, or as data"),
    ],
)
def test_a_tensor_that_the_model_does_not_take_is_refused(
    graphs: Callable[[str], Unit], door: str, message: Message, reason: str
) -> None:
    assert reason in refused(graphs("tensors"), message, door)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"binData": tensor(SAMPLE)["binData"]}, "binData needs the tags dtype and shape"),
        (tensor(SAMPLE, dtype="object"), "tag dtype is object, none of bool, uint8, int8, int16,"),
        (tensor(SAMPLE, dtype=["float32"]), "tag dtype is ['float32'], none of bool, uint8,"),
        (
            tensor(SAMPLE.astype(np.float64)),
            "the model does not take this: RuntimeError: Input type (double)",
        ),
        (tensor(SAMPLE[:, :, :9]), "the model does not take this: "),
        (tensor(SAMPLE[..., 0]), "the model does not take this: "),
        ({"data": {"ndarray": [["cat"]]}}, "data holds values that are no numbers"),
    ],
)
def test_what_the_program_does_not_take_is_told_in_its_words(
    graphs: Callable[[str], Unit], message: Message, reason: str
) -> None:
    told = refused(innermost(graphs("server")), message, "rest")

    assert reason in told
    assert "\n" not in told


def test_a_wrong_mean_shows(eager: Eager, samples: list[bytes], tmp_path: Path) -> None:
    project = deployed(pictures("server"), tmp_path)
    code = project.folder("model") / "transforms.py"
    assert "0.485" in code.read_text()
    code.write_text(code.read_text().replace("0.485", "0.9"))

    with graph(project) as unit:
        answer = seldon_graph.walk(unit, one(samples[0]), seldon_graph.rest)

    with pytest.raises(AssertionError):
        assert_same(predictions(answer), [eager.answer(samples[0])])


def test_a_program_in_the_image_is_found_without_a_parameter(
    eager: Eager, samples: list[bytes], tmp_path: Path
) -> None:
    text = pictures("server").replace("storage: {uri: s3://models/pictures}\n", "")
    project = deployed(text, tmp_path)
    [component] = project.components
    image = shutil.copytree(project.folder("model"), tmp_path / "image")
    shutil.copy(project.bundle / "model.pt", image)

    with seldon.serve(image, component.class_name, service_type="MODEL") as served:
        answer = seldon_graph.walk(Unit("MODEL", served), one(samples[0]), seldon_graph.rest)

    assert_same(predictions(answer), [eager.answer(samples[0])])


@pytest.mark.parametrize("run_in", ["server", "client"])
def test_a_node_without_its_program_is_not_ready(run_in: str, tmp_path: Path) -> None:
    project = deployed(pictures(run_in), tmp_path)
    (project.bundle / "model.pt").unlink()

    with pytest.raises(EngineError, match=r"build/pictures/seldon/model\.pt"), graph(project):
        pass


def test_a_program_that_cannot_be_run_is_not_ready(tmp_path: Path) -> None:
    """The wrapper itself would go on after this exception, and answer nothing."""
    project = deployed(pictures("server"), tmp_path)

    class Pair(torch.nn.Module):  # type: ignore[misc, name-defined]  # torch is optional: Any
        def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return image, image

    torch.jit.script(Pair()).save(str(project.bundle / "model.pt"))

    with (
        pytest.raises(EngineError, match=r"model\.pt cannot be run: AttributeError"),
        graph(project),
    ):
        pass


SUMS = """\
spec_version: 1
name: sums
model:
  source: sums.py:Sums
  inputs: [{name: numbers, dtype: int64, shape: [N, 3]}]
  outputs: [{name: sum, dtype: int64, shape: [N]}]
storage: {uri: s3://models/sums}
export: {method: script}
serving: {batching: {max_size: 4}}
images: {registry: docker.io/acme, tag: "1.0"}
targets: {seldon: OPTIONS}
"""
SUMS_CODE = """\
import torch


class Sums(torch.nn.Module):
    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        if numbers.shape[0] > 4:
            raise ValueError(f"these are {numbers.shape[0]} rows")
        return numbers.sum(1)
"""


@pytest.fixture(scope="module")
def sums(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Unit, Unit]]:
    """A model of whole numbers, by a class of its own and by that of a server for any."""
    folder = tmp_path_factory.mktemp("sums")
    (folder / "sums.py").write_text(SUMS_CODE)
    own = deployed(SUMS.replace("OPTIONS", "{}"), folder / "own", folder)
    server = "{model_server: TORCH_SERVER}"
    shared = deployed(SUMS.replace("OPTIONS", server), folder / "shared", folder)
    with graph(own) as first, graph(shared) as second:
        yield first, second


@pytest.mark.parametrize("door", DOORS)
def test_whole_numbers_stay_whole(sums: tuple[Unit, Unit], door: str) -> None:
    numbers = np.array([[1, 2, 3], [4, 5, 2**60]])

    for unit in sums:
        answer = seldon_graph.walk(unit, tensor(numbers), DOORS[door])
        assert received(answer).tolist() == numbers.sum(1).tolist()
        assert answer["meta"]["tags"]["dtype"] == "int64"


def test_only_the_models_own_class_knows_how_many_samples_it_takes(
    sums: tuple[Unit, Unit],
) -> None:
    own, shared = sums
    numbers = np.arange(15).reshape(5, 3)

    answer = seldon_graph.walk(own, tensor(numbers), seldon_graph.rest)
    told = refused(shared, tensor(numbers), "rest")

    assert received(answer).tolist() == numbers.sum(1).tolist()
    assert told.startswith("the model does not take this: ")
    assert told.endswith("these are 5 rows")


def test_numbers_take_the_models_dtype_or_that_of_the_tag(sums: tuple[Unit, Unit]) -> None:
    own, shared = sums
    numbers = {"data": {"ndarray": [[1, 2, 3]]}}
    tagged = numbers | {"meta": {"tags": {"dtype": "int64"}}}

    for unit, message in ((own, numbers), (own, tagged), (shared, tagged)):
        answer = seldon_graph.walk(unit, message, seldon_graph.rest)
        assert json.dumps(answer["data"]["ndarray"]) == "[6]"
    answer = seldon_graph.walk(shared, numbers, seldon_graph.rest)
    assert json.dumps(answer["data"]["ndarray"]) == "[6.0]"


@pytest.mark.parametrize("value", [0.5, 1e30])
def test_numbers_that_the_dtype_does_not_hold_are_refused(
    sums: tuple[Unit, Unit], value: float
) -> None:
    message = {"data": {"ndarray": [[1, 2, value]]}}

    assert refused(sums[0], message, "rest") == "data holds values that are no int64"


@pytest.mark.parametrize(
    ("changes", "makes", "reason"),
    [
        (
            {"[N, 3, 32, 32]": "[3, 32, 32]", "[N, 10]": "[10]", "{max_size: 8}": "{}"},
            [3, 32, 32],
            "the request has 2 instances, and the model takes one",
        ),
        (
            {
                "[N, 3, 32, 32]": "[N, 3, H, W]",
                "    - resize: {shorter_edge: 36}\n": "",
                "    - center_crop: {size: 32}\n": "",
            },
            [1, 3, 60, 48],
            "instances 0 and 1 differ: they make [3, 60, 48] and [3, 11, 9]",
        ),
    ],
    ids=["no batch", "free sizes"],
)
def test_pictures_that_make_no_tensor_together_are_refused(
    samples: list[bytes], tmp_path: Path, changes: dict[str, str], makes: list[int], reason: str
) -> None:
    project = rendered(pictures("component", **changes), tmp_path)
    [component] = [each for each in project.components if each.role == "input"]

    with node(project, component) as served:
        unit = Unit("TRANSFORMER", served)
        pair = several(samples[0], encoded(Image.new("RGB", (9, 11))))
        told = refused(unit, pair, "rest")
        alone = received(seldon_graph.walk(unit, one(samples[0]), seldon_graph.rest))

    assert told == reason
    assert list(alone.shape) == makes


def test_imagenet_answers_along_the_graph_of_its_manifest(tmp_path: Path) -> None:
    """specs/imagenet.yaml with weights of a seed: the published ones cannot be had here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "tests"))
        transforms = importlib.import_module("torchvision_shim").transforms
    resnet18 = importlib.import_module("torchvision.models").resnet18
    crop = [transforms.Resize(255), transforms.CenterCrop(224), transforms.ToTensor()]
    prepare = transforms.Compose([*crop, transforms.Normalize(MEAN, STD)])
    photos = [photo(seed) for seed in range(3)]
    net = separating(resnet18(), "N", 3, 224, 224)
    specs = tmp_path / "specs"
    shutil.copytree(SPECS / "models", specs / "models")
    torch.save(net.state_dict(), specs / "models/resnet18.pth")
    text = (SPECS / "imagenet.yaml").read_text()
    start, end = text.index("  weights:"), text.index("  version:")
    text = f"{text[:start]}  weights: {{path: models/resnet18.pth}}\n{text[end:]}"

    project = deployed(text, tmp_path, specs)
    manifest = yaml.safe_load((project.rendered / "manifests/seldondeployment.yaml").read_text())
    [predictor] = manifest["spec"]["predictors"]
    parts = {component.node: component for component in project.components}
    with contextlib.ExitStack() as stack:

        def unit(node_of_graph: dict[str, Any]) -> Unit:
            children = tuple(map(unit, node_of_graph.get("children", ())))
            served = stack.enter_context(node(project, parts[node_of_graph["name"]]))
            return Unit(node_of_graph["type"], served, children)

        graph_of_manifest = unit(predictor["graph"])
        body = several(*(encoded(each, "jpeg", quality=95) for each in photos))
        answers = {
            door: seldon_graph.walk(graph_of_manifest, body, DOORS[door])["jsonData"]["predictions"]
            for door in DOORS
        }

    names = class_names.read(SPECS, "models/imagenet_classes.json")
    read = [Image.open(io.BytesIO(encoded(each, "jpeg", quality=95))) for each in photos]
    with torch.no_grad():
        wanted = net(torch.stack(list(map(prepare, read)))).softmax(1)
    best = wanted.argmax(1).tolist()
    assert len(set(best)) == len(photos)
    for door in DOORS:
        got = [entry for [entry] in answers[door]]
        assert [entry["class_name"] for entry in got] == [names[index] for index in best]
        np.testing.assert_allclose(
            [entry["probability"] for entry in got], wanted.amax(1).numpy(), **TOLERANCE
        )
