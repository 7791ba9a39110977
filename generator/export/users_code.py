"""Import and call the user's own functions; what they raise is told as a mistake in them."""

import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType

from generator.document import Pointer
from generator.export.libraries import is_library
from generator.export.refusal import Refusal, first_line
from generator.export.torchvision_import import with_torchvision


def imported(folder: Path, function: str, at: Pointer) -> Callable[..., object]:
    """The function of `file.py:name`, a file in the folder, or of `package.module:name`."""
    where, _, name = function.rpartition(":")
    with _told(folder, at, f"importing {where}"):
        code = with_torchvision(lambda: _module(folder, where))
    found: object = getattr(code, name, None)
    if not callable(found):
        raise Refusal(at, f"`{where}` has no callable `{name}`")
    return found


def called(folder: Path, at: Pointer, doing: str, call: Callable[[], object]) -> object:
    """What a call of the user's code returns; `doing` names it."""
    with _told(folder, at, doing):
        return with_torchvision(call)


@contextlib.contextmanager
def own_modules(*folders: Path) -> Iterator[Callable[[], tuple[Path, ...]]]:
    """Forget afterwards which of the user's modules have been imported.

    Another project may have another file of the same name. What is given tells the files of those
    that have been imported so far. What lies in a project's folder is the user's even where that
    folder lies among installed libraries: `folders` are theirs.
    """
    known = dict(sys.modules)
    try:
        yield lambda: _files(_theirs(known, folders))
    finally:
        for name in _theirs(known, folders):
            _forget(name)
            sys.modules.update({name: known[name]} if name in known else {})


def _theirs(known: Mapping[str, ModuleType], folders: Sequence[Path]) -> list[str]:
    """The names of the user's modules that have come to those that are known."""
    new = [name for name, module in sys.modules.items() if module is not known.get(name)]
    return [name for name in new if _is_theirs(name, known, folders)]


def _is_theirs(name: str, known: Mapping[str, ModuleType], folders: Sequence[Path]) -> bool:
    """Whether a module's code is the user's: none of Python's, of gen's, or of a library's."""
    head = name.partition(".")[0]
    package = sys.modules.get(head)
    if _file(package) is None:  # a namespace, which may have parts of several owners
        places = _places(sys.modules[name])
    elif package is known.get(head):  # what it imports late is no more the user's than itself
        return False
    else:
        places = _places(package)
    return bool(places) and not any(is_library(place, head, folders) for place in places)


def _forget(name: str) -> None:
    """Drop a module, and what its package calls it where that package stays."""
    parent, _, child = name.rpartition(".")
    vars(sys.modules.get(parent, ModuleType("dropped"))).pop(child, None)
    del sys.modules[name]


def _files(names: list[str]) -> tuple[Path, ...]:
    found = (_file(sys.modules[name]) for name in names)
    return tuple(Path(file) for file in found if file)


def _file(module: ModuleType | None) -> str | None:
    return getattr(module, "__file__", None)


def _places(module: ModuleType | None) -> list[Path]:
    """Where a module lies: a package in its folders, one that is built in nowhere."""
    file = _file(module)
    places = list(getattr(module, "__path__", ())) or ([file] if file else [])
    return [Path(place).resolve() for place in places]


def _module(folder: Path, where: str) -> ModuleType:
    if not where.endswith(".py"):
        return importlib.import_module(where)
    path = folder / where
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{where} is no Python file")
    code = importlib.util.module_from_spec(spec)
    # Under its own name, as an import would have it: torch and pickle look classes up there.
    sys.modules[path.stem] = code
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(code)
    finally:
        sys.path.remove(str(path.parent))
    return code


@contextlib.contextmanager
def _told(folder: Path, at: Pointer, doing: str) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        raise Refusal(at, f"{doing} raised {type(error).__name__}: {first_line(error)}") from error
    finally:
        sys.path.remove(str(folder))
