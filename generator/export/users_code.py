"""Import and call the user's own functions; what they raise is told as a mistake in them."""

import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

from generator.document import Pointer
from generator.export.refusal import Refusal, first_line


def imported(folder: Path, function: str, at: Pointer) -> Callable[..., object]:
    """The function of `file.py:name`, a file in the folder, or of `package.module:name`."""
    where, _, name = function.rpartition(":")
    with _told(folder, at, f"importing {where}"):
        code = _module(folder, where)
    found: object = getattr(code, name, None)
    if not callable(found):
        raise Refusal(at, f"`{where}` has no callable `{name}`")
    return found


def called(folder: Path, at: Pointer, doing: str, call: Callable[[], object]) -> object:
    """What a call of the user's code returns; `doing` names it."""
    with _told(folder, at, doing):
        return call()


@contextlib.contextmanager
def own_modules() -> Iterator[None]:
    """Forget afterwards what has been imported from a project's folder.

    Another project may have another file of the same name.
    """
    known = dict(sys.modules)
    try:
        yield
    finally:
        new = [name for name, module in sys.modules.items() if module is not known.get(name)]
        theirs = {head for head in (name.partition(".")[0] for name in new) if _is_theirs(head)}
        for name in new:
            if name.partition(".")[0] in theirs:
                del sys.modules[name]
                sys.modules.update({name: known[name]} if name in known else {})


def _is_theirs(name: str) -> bool:
    """Whether a top-level module comes from where imports do not look without our doing."""
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    # A package lies in its folder; a module that is built in lies nowhere.
    places = list(getattr(module, "__path__", ())) or ([file] if file else [])
    known = {Path(entry).resolve() for entry in sys.path}
    return bool(places) and not any(Path(place).resolve().parent in known for place in places)


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
    except Exception as error:  # the user's code may raise anything
        raise Refusal(at, f"{doing} raised {type(error).__name__}: {first_line(error)}") from error
    finally:
        sys.path.remove(str(folder))
