"""The folder of a cluster's own schemas: what `gen crds` puts in it, and when it may."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from msgspec import Struct

from generator.crds import PAGE, definitions, documents, import_definition, one_of_each, page, row
from generator.diagnostics import CannotRun
from generator.journal import Content, change, settle
from generator.sharing import share, written
from generator.structural import Imported

TOOL = "gen crds"
WORD = b"CustomResourceDefinition"


class Source(Struct, frozen=True):
    """A text to look for definitions in; one that the user named must hold some."""

    name: str
    content: Callable[[], bytes]
    is_named: bool


def gather(sources: Iterable[Source], show: Callable[[str, int], None]) -> list[Imported]:
    """Compact all definitions of the sources; raises CannotRun where there is none.

    `show` is told what is being read, and how many bytes that is.
    """
    found: list[Imported] = []
    for source in sources:
        content = source.content()
        show(f"reading {source.name}: {len(found)} kinds so far", len(content))
        of_source = list(_kinds(source.name, content))
        if source.is_named and not of_source:
            raise CannotRun(f"{source.name}: there is no served {WORD.decode()} in it")
        found += of_source
    if not found:
        raise CannotRun(f"there is no served {WORD.decode()} in these folders")
    return one_of_each(found)


def _kinds(name: str, content: bytes) -> Iterator[Imported]:
    if WORD in content:  # else it is spared the parsing, and need not be YAML
        for held in documents(name, content):
            for definition in definitions(held):
                yield from import_definition(definition, name)


def texts(imported: Sequence[Imported], origin: str) -> dict[str, str]:
    """The files by name: a schema for each kind, and a page that says what each was made from."""
    schemas = {one.file_name: written(share(one.schema)) for one in imported}
    rows = [row(one, one.file_name, schemas[one.file_name]) for one in imported]
    return schemas | {PAGE: page("Schemas of a cluster", origin, TOOL, rows)}


def write(folder: Path, files: dict[str, str]) -> list[str]:
    """Make the folder hold these files, all or none, and return the names of those that went.

    Raises CannotRun where it holds anything that is not of an earlier run.
    """
    gone = _earlier(folder) - files.keys()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        settle(folder)
        wanted: dict[PurePosixPath, Content | None] = {PurePosixPath(name): None for name in gone}
        for name, text in files.items():
            wanted[PurePosixPath(name)] = Content(text.encode())
        change(folder, wanted)
    except BaseException:
        with contextlib.suppress(OSError):
            folder.rmdir()  # where it is still empty
        raise
    return sorted(gone)


def _earlier(folder: Path) -> set[str]:
    """The files that an earlier run made; raises CannotRun where the folder is somebody else's."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise CannotRun(f"{folder} is no folder")
    names = {path.name for path in folder.iterdir()} if folder.exists() else set()
    if not names:
        return set()
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if f"Made by `{TOOL}`." in (folder / PAGE).read_text(encoding="utf-8"):
            return {name for name in names if name.count("_") == 2 and name.endswith(".json")}
    message = f"{folder} holds files that {TOOL} did not make"
    raise CannotRun(f"{message}; name a new or empty folder to --out")
