"""`gen inspect`: the section that it prints is what the module takes, and what a spec takes."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

torch = pytest.importorskip("torch")

from generator.export.inspection import attempts, naming  # noqa: E402  # needs torch

ROOT = Path(__file__).parents[1]
ZOO = '''\
from typing import NamedTuple

import torch
from torch import nn


class Lstm(nn.Module):
    def __init__(self, batch_first=True):
        super().__init__()
        self.lstm = nn.LSTM(12, 20, batch_first=batch_first)
        self.head = nn.Linear(20, 5)
        self.batch_first = batch_first

    def forward(self, steps):
        states, _ = self.lstm(steps)
        return self.head(states[:, -1] if self.batch_first else states[-1])


class Text(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.head = nn.Embedding(100, 16), nn.Linear(16, 4)

    def forward(self, tokens):
        return self.head(self.words(tokens).mean(1))


class Masked(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.head = nn.Embedding(100, 16), nn.Linear(16, 4)
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1)

    def forward(self, input_ids, attention_mask, position=None):
        states = self.encoder(self.words(input_ids))
        return self.head((states * attention_mask.unsqueeze(-1)).mean(1))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.whole = nn.Transformer(16, 2, 1, 1, 32, batch_first=True)

    def forward(self, source, target):
        return self.whole(source, target)


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.look, self.read, self.head = nn.Conv2d(3, 8, 3), nn.Linear(7, 8), nn.Linear(16, 3)

    def forward(self, image, table):
        return self.head(torch.cat([self.look(image).mean((2, 3)), self.read(table)], 1))


class Branching(nn.Module):
    """Cannot be followed without running it; the image has one size."""

    def __init__(self):
        super().__init__()
        self.look, self.read = nn.Conv2d(3, 8, 3), nn.Linear(7, 8)
        self.head = nn.Linear(8 * 26 * 26 + 8, 3)

    def forward(self, image, table):
        if image.sum() > 1e9:
            return table
        return self.head(torch.cat([self.look(image).flatten(1), self.read(table)], 1))


class Moments(NamedTuple):
    mean: torch.Tensor
    variance: torch.Tensor


class Named(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(7, 8)

    def forward(self, x, scale: float = 1.0):
        y = self.head(x) * scale
        return Moments(y, y * y)


class Unnamed(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(7, 8)

    def forward(self, x):
        return self.head(x), self.head(x).argmax(1)


class Net(nn.Module):
    """Forward flattens what a convolution makes, so that the image has one size."""

    def __init__(self, convolution, features):
        super().__init__()
        self.convolution, self.head = convolution, nn.Linear(features, 10)

    def forward(self, x):
        return self.head(self.convolution(x).flatten(1))


class View(Net):
    """A view that joins the batch with the rest where the size is wrong."""

    def forward(self, x):
        return self.head(self.convolution(x).view(-1, self.head.in_features))


def odd():
    return Net(nn.Conv2d(3, 4, 5), 4 * 133 * 133)


def view():
    return View(nn.Sequential(nn.Conv2d(3, 4, 5), nn.MaxPool2d(2)), 4 * 9 * 9)


def oblong():
    return Net(nn.Conv2d(3, 4, 5), 4 * 13 * 33)


def wave():
    return Net(nn.Conv1d(2, 4, 7, stride=2), 4 * 497)


def volume():
    return nn.Conv3d(1, 4, 3)


class Unet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.up = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 2, 3, padding=1)

    def forward(self, image):
        large = self.down(image)
        small = nn.functional.max_pool2d(large, 4)
        return self.up(large + nn.functional.interpolate(small, scale_factor=4.0))


class Gram(nn.Module):
    def forward(self, x):
        return x.matmul(x)


class Double(nn.Module):
    def forward(self, x):
        return 2 * x


class Dict(nn.Module):
    def forward(self, x):
        return {"score": x}


class Nested(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 4)

    def forward(self, x):
        return self.lstm(x)


class Nothing(nn.Module):
    def forward(self, x):
        return None


class Stars(nn.Module):
    def forward(self, *tensors):
        return tensors[0]


class Keyword(nn.Module):
    def forward(self, x, *, scale):
        return x * scale


class Optional(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(7, 8)

    def forward(self, x=None, y=None):
        return self.head(x) if y is None else self.head(x + y)


class Squeeze(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(7, 1)

    def forward(self, x):
        return self.head(x).squeeze()


class One(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(7, 3)

    def forward(self, x):
        return self.head(x.view(1, 7))


class Raises(nn.Module):
    def forward(self, x):
        raise ValueError("not today\\nnor tomorrow")


class Prints(nn.Module):
    def __init__(self):
        super().__init__()
        print("building")
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        print("running")
        return self.head(x)


def clothes():
    head = nn.Sequential(nn.Linear(784, 50), nn.ReLU(), nn.Linear(50, 10), nn.Softmax(1))
    return nn.Sequential(nn.Flatten(), head)


def half():
    return nn.Conv2d(1, 2, 3).half()


def bfloat():
    return nn.Linear(4, 3).bfloat16()


def lazy():
    return nn.Sequential(nn.LazyLinear(3))


def quits():
    raise SystemExit("enough")


def number():
    return 5
'''


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    (tmp_path / "zoo.py").write_text(ZOO)
    return tmp_path


def tensors(section: str) -> tuple[list[str], list[str]]:
    """Inputs and outputs as `name dtype shape`."""
    model = yaml.safe_load(section)["model"]
    sides = (model["inputs"], model["outputs"])
    inputs, outputs = (
        [f"{each['name']} {each['dtype']} {each['shape']}".replace("'", "") for each in side]
        for side in sides
    )
    return inputs, outputs


FOUND = {
    "Lstm": (["steps float32 [N, L, 12]"], ["logits float32 [N, 5]"]),
    "Text": (["tokens int64 [N, L]"], ["logits float32 [N, 4]"]),
    "Masked": (
        ["input_ids int64 [N, L]", "attention_mask float32 [N, L]"],
        ["logits float32 [N, 4]"],
    ),
    "Transformer": (
        ["source float32 [N, L, 16]", "target float32 [N, P, 16]"],
        ["output float32 [N, P, 16]"],
    ),
    "Two": (
        ["image float32 [N, 3, H, W]", "table float32 [N, 7]"],
        ["logits float32 [N, 3]"],
    ),
    "Branching": (
        ["image float32 [N, 3, 28, 28]", "table float32 [N, 7]"],
        ["logits float32 [N, 3]"],
    ),
    "Named": (["x float32 [N, 7]"], ["mean float32 [N, 8]", "variance float32 [N, 8]"]),
    "Unnamed": (["x float32 [N, 7]"], ["output_0 float32 [N, 8]", "output_1 int64 [N]"]),
    "odd": (["x float32 [N, 3, 137, 137]"], ["logits float32 [N, 10]"]),
    "view": (["x float32 [N, 3, 22, 22]"], ["logits float32 [N, 10]"]),
    "wave": (["x float32 [N, 2, 1000]"], ["logits float32 [N, 10]"]),
    "volume": (["input float32 [N, 1, D, H, W]"], ["output float32 [N, 4, P, Q, R]"]),
    "Unet": (["image float32 [N, 1, H, W]"], ["output float32 [N, 2, H, W]"]),
    "Double": (["x float32 [N, L]"], ["output float32 [N, L]"]),
    "Gram": (["x float32 [N, 3, H, H]"], ["output float32 [N, 3, H, H]"]),
    "clothes": (["input float32 [N, 1, 28, 28]"], ["probabilities float32 [N, 10]"]),
    "half": (["input float16 [N, 1, H, W]"], ["output float16 [N, 2, P, Q]"]),
    "Squeeze": (["x float32 [B, 7]"], ["output float32 [B]"]),
    "One": (["x float32 [1, 7]"], ["output float32 [1, 3]"]),
}


def assert_serves(gen: Callable[..., Any], folder: Path, section: str) -> None:
    """A spec with this section validates, and its model exports."""
    storage = "storage: {uri: s3://models/inspected}\ntargets: {triton: {}}\n"
    spec = folder / "inspected.yaml"
    spec.write_text(f"spec_version: 1\nname: inspected\n{section}{storage}")
    assert gen("validate", str(spec)).status == 0
    exported = gen("export", str(spec))
    assert exported.status == 0, exported.err


@pytest.mark.parametrize("name", FOUND)
def test_prints_what_a_module_takes_and_a_spec_can_hold(
    gen: Callable[..., Any], zoo: Path, name: str
) -> None:
    before = sorted(zoo.rglob("*.py"))

    ran = gen("inspect", f"zoo.py:{name}")

    assert ran.status == 0, ran.err
    assert tensors(ran.out) == FOUND[name]
    assert sorted(zoo.rglob("*.py")) == before
    if name not in ("Squeeze", "One", "Gram"):  # what no server could batch, or no trace can hold
        assert_serves(gen, zoo, ran.out)


REFUSED = {
    "Dict": ("the model returns a dict", "wrap the module in one that returns a tensor"),
    "Nested": ("item 1 of what the model returns is a tuple", "wrap the module"),
    "Nothing": ("the model returns nothing", "wrap the module"),
    "Stars": ("forward takes *tensors", "give each input of forward a name of its own"),
    "Keyword": ("forward takes `scale` by keyword only", "servers pass inputs by position"),
    "Optional": ("every argument of forward has a default", "as in --input x:float32:N,3,32,32"),
    "Raises": (
        "found no shape of `x` that forward takes: not today\n",
        "tried float32 [N, L], float32 [N, 3, H, W], ",
    ),
    "oblong": (
        "found no shape of `x` that forward takes: mat1 and mat2 shapes cannot be multiplied",
        "tried float32 [N, 3, H, W]; give it as in --input x:float32:N,3,32,32",
    ),
    "lazy": ("the module has lazy layers", "give their sizes where the module is built"),
    "bfloat": ("model.inputs[0].dtype: unknown value `bfloat16`", ""),
    "quits": ("quits() raised SystemExit: enough", ""),
    "number": ("number() returned int, not a torch.nn.Module", ""),
    "missing": ("`zoo.py` has no callable `missing`", ""),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_what_no_server_could_call(gen: Callable[..., Any], zoo: Path, name: str) -> None:
    message, hint = REFUSED[name]

    ran = gen("inspect", f"zoo.py:{name}")

    assert (ran.status, ran.out) == (1, "")
    assert f"gen: zoo.py:{name}: " in ran.err
    assert message in ran.err
    assert hint in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("subject", "options", "said"),
    [
        ("zoo.py", [], "names no callable"),
        ("zoo.py:Text", ["--weights", "no.pt"], "there is no file `no.pt`"),
        ("no.py:Text", [], "there is no file `no.py`"),
        ("no.pt", [], "there is no file `no.pt`"),
        ("nowhere.models:net", [], "importing nowhere.models raised ModuleNotFoundError"),
        ("zoo.py:Text", ["--argument", "size=3"], "Text(size=3) raised TypeError"),
        ("zoo.py:Text", ["--input", "words:int64:N,7"], "forward has no argument `words`"),
        ("zoo.py:Text", ["--input", "tokens:bool:N,7"], "forward does not take what --input gives"),
        ("weights.pt", [], "cannot load weights.pt"),
        ("zoo.py:Text", ["--weights", "weights.pt"], "`weights.pt` does not fit the module"),
        ("my zoo.py:Text", [], "model.source: "),
        ("program.pt", ["--argument", "size=3"], "a program takes no --argument"),
    ],
)
def test_says_what_is_wrong_with_the_command(
    gen: Callable[..., Any], zoo: Path, subject: str, options: list[str], said: str
) -> None:
    torch.save({"head.weight": torch.zeros(1)}, zoo / "weights.pt")
    (zoo / "my zoo.py").write_text(ZOO)
    (zoo / "program.pt").touch()

    ran = gen("inspect", subject, *options)

    assert (ran.status, ran.out) == (1, "")
    assert f"gen: {subject}: {said}" in ran.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--argument", "size"], "--argument size: write NAME=VALUE"),
        (["--input", "x:float32"], "write NAME:DTYPE:SHAPE as x:float32:N,3,32,32"),
        (["--input", "x:float32:N,0"], "write NAME:DTYPE:SHAPE"),
        (["--input", "x:float31:N,3"], "dtype float31 is none of bool, "),
    ],
)
def test_an_option_that_cannot_be_read_is_told(
    gen: Callable[..., Any], options: list[str], said: str
) -> None:
    ran = gen("inspect", "zoo.py:Text", *options)

    assert ran.status == 2
    assert said in ran.err


def test_an_argument_is_yaml_with_its_traps(gen: Callable[..., Any], zoo: Path) -> None:
    found = gen("inspect", "zoo.py:Lstm", "--argument", "batch_first=false")
    trapped = gen("inspect", "zoo.py:Lstm", "--argument", "batch_first=no")

    assert "\n  arguments: {batch_first: false}\n" in found.out
    assert tensors(found.out) == (["steps float32 [L, B, 12]"], ["output float32 [B, 5]"])
    assert trapped.status == 1
    assert "--argument batch_first=no:1:" in trapped.err


@pytest.mark.parametrize(
    ("name", "given", "inputs"),
    [
        ("oblong", ["x:float32:N,3,17,37"], ["x float32 [N, 3, 17, 37]"]),
        ("Optional", ["x:float32:N,7"], ["x float32 [N, 7]"]),
        (
            "Optional",
            ["y:float32:N,7", "x:float32:N,7"],
            ["x float32 [N, 7]", "y float32 [N, 7]"],
        ),
        ("Double", ["x:int32:N,C,5"], ["x int32 [N, C, 5]"]),
        ("Text", ["tokens:int32:N,T"], ["tokens int32 [N, T]"]),
    ],
)
def test_takes_inputs_that_are_given(
    gen: Callable[..., Any], zoo: Path, name: str, given: list[str], inputs: list[str]
) -> None:
    options = [word for text in given for word in ("--input", text)]

    ran = gen("inspect", f"zoo.py:{name}", *options)

    assert tensors(ran.out)[0] == inputs
    assert " a guess" not in ran.out
    assert_serves(gen, zoo, ran.out)


@pytest.mark.parametrize(
    ("name", "remark"),
    [
        ("Unet", "  # H takes multiples of 4 only\n  # W takes multiples of 4 only\n"),
        ("Gram", "  # H is one size wherever it stands: the model takes no others\n"),
        ("Double", "  # x is a guess: no layer says what this input is, and forward takes this\n"),
        ("clothes", "  # input is a guess: forward makes 784 numbers of it, and this image has"),
        ("Squeeze", "  # no batch dimension: the outputs for 1 and 3 samples do not begin with 1"),
        ("One", "  # no batch dimension: the outputs do not follow a first dimension of all"),
    ],
)
def test_says_what_a_shape_cannot(
    gen: Callable[..., Any], zoo: Path, name: str, remark: str
) -> None:
    assert remark in gen("inspect", f"zoo.py:{name}").out


def test_what_the_users_code_prints_does_not_reach_the_section(
    gen: Callable[..., Any], zoo: Path
) -> None:
    ran = gen("inspect", "zoo.py:Prints")

    assert ran.out.startswith("model:\n  source: zoo.py:Prints\n")
    assert "print" not in ran.out
    assert "building\n" in ran.err
    assert "running\n" in ran.err


@pytest.mark.parametrize("name", ["cifar10", "mnist", "landmarks"])
def test_prints_the_sections_of_the_seed_specs(
    gen: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(ROOT / "specs")
    wanted = yaml.safe_load((ROOT / f"specs/{name}.yaml").read_text())["model"]
    arguments = [f"--argument={key}={value}" for key, value in wanted.get("arguments", {}).items()]
    if name == "landmarks":  # whose convolutions end in an average
        wanted["inputs"][0]["shape"][2:] = ["H", "W"]

    ran = gen("inspect", wanted["source"], f"--weights={wanted['weights']['path']}", *arguments)

    assert ran.status == 0, ran.err
    found = yaml.safe_load(ran.out)["model"]
    assert found == {key: wanted[key] for key in found}
    assert {"source", "weights", "inputs", "outputs"} <= set(found)


GEN = [sys.executable, "-m", "generator"]
ALONE = {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "densenet161"])
def test_takes_models_of_torchvision(tmp_path: Path, name: str) -> None:
    """In a process of its own: where torchvision was built for another torch, its import fails."""
    pytest.importorskip("torchvision_shim")
    subject = f"torchvision.models:{name}"

    ran = subprocess.run(
        [*GEN, "inspect", subject], cwd=tmp_path, env=ALONE, capture_output=True, text=True
    )

    assert ran.returncode == 0, ran.stderr
    assert f"\n  source: {subject}\n" in ran.stdout
    assert tensors(ran.stdout) == (["x float32 [N, 3, H, W]"], ["logits float32 [N, 1000]"])


def test_what_imports_torchvision_is_exported(tmp_path: Path) -> None:
    pytest.importorskip("torchvision_shim")
    (tmp_path / "zoo.py").write_text(
        "def small():\n    from torchvision.models import squeezenet1_1\n"
        "    return squeezenet1_1(num_classes=3)\n"
    )
    (tmp_path / "inspected.yaml").write_text(
        "spec_version: 1\nname: inspected\nstorage: {uri: s3://m/i}\ntargets: {triton: {}}\n"
        "model:\n  source: zoo.py:small\n"
        "  inputs: [{name: x, dtype: float32, shape: [N, 3, 64, 64]}]\n"
        "  outputs: [{name: logits, dtype: float32, shape: [N, 3]}]\n"
    )

    ran = subprocess.run(
        [*GEN, "export", "inspected.yaml"], cwd=tmp_path, env=ALONE, capture_output=True, text=True
    )

    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "build/inspected/triton/inspected/1/model.pt").is_file()


@pytest.mark.parametrize("how", ["script", "trace"])
def test_reads_a_program(gen: Callable[..., Any], zoo: Path, how: str) -> None:
    code = (
        "import sys, torch, zoo; two = zoo.Two().eval(); x = torch.rand(2, 3, 9, 9);"
        "y = torch.rand(2, 7);"
        "how = sys.argv[1];"
        "made = torch.jit.script(two) if how == 'script' else torch.jit.trace(two, (x, y));"
        "made.save('two.pt')"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code, how], cwd=zoo, check=True)

    ran = gen("inspect", "two.pt")

    assert ran.out.startswith("model:\n  program: two.pt\n")
    assert tensors(ran.out) == FOUND["Two"]
    assert_serves(gen, zoo, ran.out)


def test_a_program_of_other_values_than_tensors_is_refused(
    gen: Callable[..., Any], zoo: Path
) -> None:
    code = (
        "import torch\nclass Scale(torch.nn.Module):\n"
        "    def forward(self, x, scale: float):\n        return x * scale\n"
        "torch.jit.script(Scale()).save('scale.pt')\n"
    )
    (zoo / "scale.py").write_text(code)
    subprocess.run([sys.executable, "-W", "ignore", "scale.py"], cwd=zoo, check=True)

    ran = gen("inspect", "scale.pt")

    assert ran.status == 1
    assert "forward takes `scale`, which is float" in ran.err


def test_a_path_is_that_of_a_spec_in_this_folder(gen: Callable[..., Any], zoo: Path) -> None:
    (zoo / "models").mkdir()
    (zoo / "zoo.py").rename(zoo / "models/zoo.py")

    absolute = gen("inspect", str(zoo / "models/zoo.py:Text"))

    assert "\n  source: models/zoo.py:Text\n" in absolute.out


def test_an_input_that_is_given_may_be_large(
    gen: Callable[..., Any], zoo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(naming, "MAX_VALUES", 100)

    given = gen("inspect", "zoo.py:oblong", "--input", "x:float32:N,3,17,37")
    looked_for = gen("inspect", "zoo.py:oblong", "--input", "x:float32:N,3,H,W")

    assert tensors(given.out)[0] == ["x float32 [N, 3, 17, 37]"]
    assert looked_for.status == 1
    assert "gen inspect tries no more than 100 numbers" in looked_for.err


def test_an_input_that_does_not_fit_into_memory_is_named(
    gen: Callable[..., Any], zoo: Path
) -> None:
    ran = gen("inspect", "zoo.py:oblong", "--input", "x:float32:N,3,2000000,2000000")

    assert ran.status == 2
    assert "takes 96000000000000 bytes, more than there is memory" in ran.err


def test_a_forward_that_ends_the_process_is_told(gen: Callable[..., Any], zoo: Path) -> None:
    code = "import sys, torch\nclass Exits(torch.nn.Module):\n    def forward(self, x):\n"
    (zoo / "exits.py").write_text(f"{code}        sys.exit(4)\n")

    ran = gen("inspect", "exits.py:Exits")

    assert ran.status == 1
    assert "found no shape of `x` that forward takes: 4" in ran.err


@pytest.mark.parametrize(
    ("limit", "value", "said"),
    [
        ("MAX_ATTEMPTS", 3, "stopped after 3 attempts; "),
        ("MAX_SECONDS", 0.0, "stopped after 0 s; "),
    ],
)
def test_stops_at_a_limit(
    gen: Callable[..., Any],
    zoo: Path,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    value: float,
    said: str,
) -> None:
    monkeypatch.setattr(attempts, limit, value)

    ran = gen("inspect", "zoo.py:oblong")

    assert ran.status == 1
    assert said in ran.err
    assert "give it as in --input x:float32:N,3,32,32" in ran.err


def test_a_limit_while_dimensions_are_varied_is_told(
    gen: Callable[..., Any], zoo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "MAX_ATTEMPTS", 2)

    ran = gen("inspect", "zoo.py:Text")

    assert ran.status == 1
    assert "2 attempts were not enough to vary" in ran.err


def test_shows_on_a_terminal_what_it_tries_when_that_takes_long(zoo: Path) -> None:
    slow = "import time\nimport zoo\nclass Slow(zoo.Text):\n    def forward(self, tokens):\n"
    slow += "        time.sleep(0.3)\n        return super().forward(tokens)\n"
    (zoo / "slow.py").write_text(slow)
    terminal, theirs = pty.openpty()
    command = [*GEN, "inspect", "slow.py:Slow"]

    with subprocess.Popen(
        command, cwd=zoo, env={**ALONE, "TERM": "xterm"}, stdout=subprocess.PIPE, stderr=theirs
    ) as gen:
        os.close(theirs)
        assert gen.stdout
        section = gen.stdout.read().decode()
    said = os.read(terminal, 10_000).decode()
    os.close(terminal)

    assert tensors(section) == FOUND["Text"]
    assert "\r\x1b[Ktrying shapes: " in said
    assert said.endswith("\r\x1b[K")  # and the line is free again


def test_an_interrupted_inspection_ends_at_once(gen: Callable[..., Any], zoo: Path) -> None:
    (zoo / "cut.py").write_text("def net():\n    raise KeyboardInterrupt\n")

    ran = gen("inspect", "cut.py:net")

    assert (ran.status, ran.out) == (130, "")
    assert ran.err.endswith("gen: interrupted\n")
