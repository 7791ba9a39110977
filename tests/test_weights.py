"""Weights from a file, a URL and a checkpoint with other keys; a server on the loopback answers."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from generator import reporting
from generator.diagnostics import CannotRun
from generator.project import Model, Project, Tensor, Weights

torch = pytest.importorskip("torch")

from generator.export import download  # noqa: E402  # needs torch
from generator.export.module import load_module  # noqa: E402
from generator.export.refusal import Refusal  # noqa: E402

MODEL = """\
import torch

def make():
    return torch.nn.Linear(4, 2)
"""


class Server(ThreadingHTTPServer):
    """Answers every path with what `answer` does, and counts requests."""

    requests = 0
    answer: Callable[[BaseHTTPRequestHandler], None]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.requests += 1
        self.server.answer(self)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/serving-generator/weights"


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A state_dict of ones."""
    path = tmp_path / "ones.pt"
    torch.save({"weight": torch.ones(2, 4), "bias": torch.ones(2)}, path)
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def sending(content: bytes, length: int | None = None) -> Callable[[BaseHTTPRequestHandler], None]:
    """An answer with a content, and with the length that it claims to have."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(length or len(content)))
        request.end_headers()
        request.wfile.write(content)

    return answer


def load(folder: Path, **weights: str) -> Any:
    (folder / "model.py").write_text(MODEL)
    tensors = (Tensor("x", "float32", ("N", 4)),), (Tensor("y", "float32", ("N", 2)),)
    given = Weights(**weights) if weights else None
    model = Model(*tensors, source="model.py:make", weights=given)
    return load_module(Project(name="tiny", target="triton", folder=folder, model=model))


def is_ones(module: Any) -> bool:
    return all(bool((value == 1).all()) for value in module.state_dict().values())


def refusal(folder: Path, **weights: str) -> Refusal:
    with pytest.raises(Refusal) as caught:
        load(folder, **weights)
    return caught.value


def test_without_weights_the_initial_ones_are_the_same_each_time(tmp_path: Path) -> None:
    first, second = load(tmp_path).weight, load(tmp_path).weight

    assert torch.equal(first, second)


def test_initial_weights_leave_the_random_numbers_of_others_alone(tmp_path: Path) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)

    load(tmp_path)

    assert torch.equal(torch.rand(3), expected)


def test_loads_a_file_whose_checksum_begins_as_the_spec_says(tmp_path: Path, saved: Path) -> None:
    assert is_ones(load(tmp_path, path=saved.name, sha256=sha256(saved)[:8]))


def test_refuses_a_file_with_another_checksum(tmp_path: Path, saved: Path) -> None:
    told = refusal(tmp_path, path=saved.name, sha256="0" * 8)

    assert told.pointer == ("model", "weights", "sha256")
    assert told.message == f"`ones.pt` has the sha256 {sha256(saved)[:8]}, not 00000000"
    assert sha256(saved) in told.hint


def test_downloads_once(tmp_path: Path, saved: Path, server: Server, cache: Path) -> None:
    server.answer = sending(saved.read_bytes())

    for _ in range(2):
        assert is_ones(load(tmp_path, url=f"{server.url}/ones.pt", sha256=sha256(saved)[:8]))

    assert server.requests == 1
    assert [path.name for path in cache.iterdir()] == [sha256(saved)]


def test_downloads_anew_what_was_damaged(
    tmp_path: Path, saved: Path, server: Server, cache: Path
) -> None:
    server.answer = sending(saved.read_bytes())
    cache.mkdir(parents=True)
    (cache / sha256(saved)).write_bytes(b"damaged")

    assert is_ones(load(tmp_path, url=f"{server.url}/ones.pt", sha256=sha256(saved)))


def test_refuses_a_download_with_another_checksum(
    tmp_path: Path, saved: Path, server: Server, cache: Path
) -> None:
    server.answer = sending(saved.read_bytes())

    told = refusal(tmp_path, url=f"{server.url}/ones.pt", sha256="0" * 64)

    assert told.pointer == ("model", "weights", "sha256")
    assert list(cache.iterdir()) == []


def test_refuses_a_url_that_is_not_there(tmp_path: Path, server: Server, cache: Path) -> None:
    server.answer = lambda request: request.send_error(404)

    told = refusal(tmp_path, url=f"{server.url}/ones.pt", sha256="0" * 8)

    assert told.pointer == ("model", "weights", "url")
    assert told.message == "the server answers 404 Not Found to this URL"
    assert list(cache.iterdir()) == []


def test_a_server_that_fails_is_no_mistake_of_the_users(tmp_path: Path, server: Server) -> None:
    server.answer = lambda request: request.send_error(503)

    with pytest.raises(CannotRun, match="the server answers 503 Service Unavailable"):
        load(tmp_path, url=f"{server.url}/ones.pt", sha256="0" * 8)


def test_a_download_that_breaks_off_leaves_nothing(
    tmp_path: Path, saved: Path, server: Server, cache: Path
) -> None:
    server.answer = sending(saved.read_bytes()[:500], length=1000)

    with pytest.raises(CannotRun, match="the connection ended before the file did"):
        load(tmp_path, url=f"{server.url}/ones.pt", sha256=sha256(saved))

    assert list(cache.iterdir()) == []


def test_an_interrupted_download_leaves_nothing(
    tmp_path: Path, saved: Path, server: Server, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    server.answer = sending(saved.read_bytes())
    monkeypatch.setattr(download, "QUIET_SECONDS", 0.0)
    remote = download.Remote(f"{server.url}/ones.pt", "", (), ())
    cache.mkdir(parents=True)

    with pytest.raises(KeyboardInterrupt):
        download.download(remote, cache, interrupt)

    assert list(cache.iterdir()) == []


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/ones.pt", "http://nothing.invalid/ones.pt", "https://127.0.0.1:1/x"]
)
def test_without_a_network_it_cannot_run(tmp_path: Path, url: str) -> None:
    with pytest.raises(CannotRun, match=f"cannot download {url}: "):
        load(tmp_path, url=url, sha256="0" * 8)


@pytest.mark.parametrize("url", ["http://127.0.0.1:port/ones.pt", "http://a..b/ones.pt"])
def test_refuses_what_is_no_url(tmp_path: Path, url: str) -> None:
    told = refusal(tmp_path, url=url, sha256="0" * 8)

    assert told.pointer == ("model", "weights", "url")


def test_follows_a_redirect(tmp_path: Path, saved: Path, server: Server) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        if request.path == "/moved.pt":
            return sending(saved.read_bytes())(request)
        request.send_response(302)
        request.send_header("Location", "/moved.pt")
        return request.end_headers()

    server.answer = answer

    assert is_ones(load(tmp_path, url=f"{server.url}/ones.pt", sha256=sha256(saved)))


def test_a_slow_download_says_how_far_it_is(
    saved: Path,
    server: Server,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server.answer = sending(bytes(3 << 20))
    monkeypatch.setattr(download, "QUIET_SECONDS", 0.0)
    remote = download.Remote(f"{server.url}/net.pt", "", (), ())
    cache.mkdir(parents=True)

    download.download(remote, cache, reporting.show_download)

    [line] = capsys.readouterr().err.splitlines()  # stderr is no terminal: one line is enough
    assert line.startswith("downloading net.pt: ")
    assert " of 3.0 MiB, " in line


def test_a_quick_download_says_nothing(
    saved: Path, server: Server, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answer = sending(saved.read_bytes())
    cache.mkdir(parents=True)

    download.download(
        download.Remote(f"{server.url}/net.pt", "", (), ()), cache, reporting.show_download
    )

    assert capsys.readouterr().err == ""


CONVERT = """\
def state_dict(checkpoint):
    return {key.removeprefix("net."): value for key, value in checkpoint["model"].items()}
"""


def test_converts_a_checkpoint(tmp_path: Path, saved: Path) -> None:
    state = torch.load(saved, weights_only=True)
    torch.save({"model": {f"net.{key}": each for key, each in state.items()}}, saved)
    (tmp_path / "convert.py").write_text(CONVERT)

    assert is_ones(load(tmp_path, path=saved.name, convert="convert.py:state_dict"))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (CONVERT, "convert.py:state_dict() raised KeyError: 'model'"),
        ("def other(): ...\n", "`convert.py` has no callable `state_dict`"),
        ("def state_dict(_): ...\n", "convert.py:state_dict() returned NoneType, not a state_dict"),
        ("def state_dict(_): return {}\n", "convert.py:state_dict() does not fit the module: "),
        ("import nothing_of_this_name\n", "importing convert.py raised ModuleNotFoundError: "),
    ],
)
def test_tells_what_a_conversion_does_wrong(
    tmp_path: Path, saved: Path, code: str, message: str
) -> None:
    (tmp_path / "convert.py").write_text(code)

    told = refusal(tmp_path, path=saved.name, convert="convert.py:state_dict")

    assert told.pointer == ("model", "weights", "convert")
    assert told.message.startswith(message)


def test_a_conversion_gets_nothing_that_runs_code(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(4, 2), tmp_path / "module.pt")
    (tmp_path / "convert.py").write_text("def state_dict(module): return module.state_dict()\n")

    told = refusal(tmp_path, path="module.pt", convert="convert.py:state_dict")

    assert "no state_dict that loads safely" in told.message


def test_says_how_a_checkpoint_becomes_a_state_dict(tmp_path: Path) -> None:
    torch.save([torch.ones(2)], tmp_path / "list.pt")

    told = refusal(tmp_path, path="list.pt")

    assert told.message == "`list.pt` holds list, not a state_dict"
    assert "`convert`" in told.hint
