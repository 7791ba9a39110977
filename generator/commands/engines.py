"""gen engines: the real servers that gen verify starts, and where they lie."""

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click
import msgspec
from msgspec import Struct

from generator import reporting
from generator.commands.common import COULD_NOT_RUN, DONE
from generator.diagnostics import CannotRun
from generator.engines import EngineMissing, environments, kserve, seldon, torchserve, triton
from generator.engines.cached import Cached, cached, clear
from generator.engines.installation import packages
from generator.transforms.component import CONSTRAINTS, KSERVE, NUMPY, PILLOW, merged

MIB = 1 << 20

Prepare = Callable[[Path], object]  # of an engine, given a rendered component


class Engine(Struct, frozen=True):
    """A server that can be installed; `serves` are the targets that need it."""

    title: str
    serves: tuple[str, ...]
    requirements: tuple[Path, ...]
    prepare: Prepare
    with_dependencies: bool = True
    runs_component: bool = False

    def folder(self, name: str, component: Path) -> Path:
        """Where it is installed, or would be."""
        own = ("requirements.txt", "constraints.txt") if self.runs_component else ()
        files = [*self.requirements, *(component / file for file in own)]
        return environments.folder(name, files, with_dependencies=self.with_dependencies)


def _prepared(prepare: Callable[..., object]) -> Prepare:
    return lambda _component: prepare(report=reporting.show_step)


def _requirements(name: str) -> tuple[Path, ...]:
    return (environments.REQUIREMENTS / f"{name}.txt",)


ENGINES = {
    "triton": Engine(
        "NVIDIA Triton Inference Server",
        ("triton", "seldon"),
        triton.REQUIREMENTS,
        _prepared(triton.prepare),
        with_dependencies=False,
    ),
    "kserve": Engine(
        "KServe's Python SDK, for transformers",
        ("triton", "torchserve"),
        _requirements("kserve"),
        lambda component: kserve.prepare(component, report=reporting.show_step),
        runs_component=True,
    ),
    "torchserve": Engine(
        "TorchServe with a Java runtime",
        ("torchserve",),
        _requirements("torchserve"),
        _prepared(torchserve.prepare),
    ),
    "seldon": Engine(
        "Seldon Core's Python wrapper",
        ("seldon",),
        _requirements("seldon"),
        _prepared(seldon.prepare),
    ),
}


@click.group(name="engines", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@click.pass_context
def list_engines(context: click.Context, as_json: bool) -> int:
    """List the real servers that gen verify starts, each in an environment of its own.

    They are installed on first use from the package index that pip is set up for, into
    serving-generator/engines of the user's cache.
    """
    if context.invoked_subcommand:
        return DONE
    listed = _list()
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(listed), indent=2))
        return DONE
    for line in _lines(listed):
        click.echo(line)
    return DONE


@list_engines.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
def install(names: Sequence[str]) -> int:
    """Install engines that are not: all, or those named."""
    with tempfile.TemporaryDirectory() as folder:
        component = _component(Path(folder))
        for name in _known(names):
            try:
                ENGINES[name].prepare(component)
            except EngineMissing as missing:
                raise CannotRun(str(missing)) from None
            finally:
                reporting.clear_progress()
            click.echo(f"{name}: {ENGINES[name].folder(name, component)}")
    return DONE


@list_engines.command(name="remove")
@click.argument("names", metavar="[NAME]...", nargs=-1)
def remove_engines(names: Sequence[str]) -> int:
    """Remove engines from the cache: all, or those named, in every version.

    What interrupted runs have left of them goes too; nothing else in the cache is touched.
    """
    freed, busy = 0, []
    for entry in cached(_known(names)):
        try:
            size = clear(entry)
        except BlockingIOError:
            busy.append(entry)
            continue
        if size:
            click.echo(f"{entry.folder}: removed, {_mib(size)}")
        freed += size
    click.echo(f"{_mib(freed)} freed", err=True)
    for entry in busy:
        reporting.print_note(f"{entry.folder} is being installed by another run: left in place")
    return COULD_NOT_RUN if busy else DONE


def _known(names: Sequence[str]) -> list[str]:
    """The engines named, each once, or all."""
    for name in names:
        if name not in ENGINES:
            raise CannotRun(f"unknown engine {name}; known: {', '.join(ENGINES)}")
    return list(dict.fromkeys(names or ENGINES))


def _component(folder: Path) -> Path:
    """What a rendered transformer without packages of the user's own installs."""
    pins = tuple(CONSTRAINTS.read_text(encoding="utf-8").splitlines())
    for name, lines in (("requirements", (KSERVE, NUMPY, PILLOW)), ("constraints", pins)):
        text = "".join(f"{line}\n" for line in merged(lines, ()))
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return folder


class _Other(Struct, frozen=True):
    """An environment of an engine that holds other packages, or that was not made to its end."""

    folder: str
    is_complete: bool
    size_bytes: int


class _Listed(Struct, frozen=True):
    """What is told of an engine."""

    name: str
    title: str
    serves: tuple[str, ...]
    packages: dict[str, str]
    installed: bool
    folder: str
    size_bytes: int
    others: tuple[_Other, ...]


def _list() -> list[_Listed]:
    entries = cached(ENGINES)
    with tempfile.TemporaryDirectory() as folder:
        component = _component(Path(folder))
        folders = {name: engine.folder(name, component) for name, engine in ENGINES.items()}
    return [
        _told(name, folders[name], [entry for entry in entries if entry.engine == name])
        for name in ENGINES
    ]


def _told(name: str, folder: Path, entries: Sequence[Cached]) -> _Listed:
    engine = ENGINES[name]
    own = [entry for entry in entries if entry.folder == folder and entry.is_complete]
    others = [
        _Other(str(entry.folder), entry.is_complete, entry.size_bytes)
        for entry in entries
        if entry not in own and entry.folder.is_dir()
    ]
    return _Listed(
        name=name,
        title=engine.title,
        serves=engine.serves,
        packages=packages(engine.requirements),
        installed=bool(own),
        folder=str(folder),
        size_bytes=sum(entry.size_bytes for entry in own),
        others=tuple(others),
    )


def _lines(listed: Sequence[_Listed]) -> Iterator[str]:
    """A table; under each engine the folders that it has."""
    rows = [_cells(each) for each in listed]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for each, row in zip(listed, rows, strict=True):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
        if each.installed:
            yield f"  {each.folder}"
        for other in each.others:
            kind = "with other packages" if other.is_complete else "half-made"
            yield f"  {other.folder}: {kind}, {_mib(other.size_bytes)}"


def _cells(engine: _Listed) -> tuple[str, ...]:
    package, version = next(iter(engine.packages.items()))
    state = f"installed, {_mib(engine.size_bytes)}" if engine.installed else "not installed"
    serves = f"for {' and '.join(engine.serves)}: {engine.title}"
    return engine.name, f"{package} {version.removeprefix('==')}", state, serves


def _mib(size: int) -> str:
    return f"{size / MIB:.0f} MiB"
