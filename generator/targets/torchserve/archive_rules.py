"""Rules about what an archive is made of: the handler, the files beside it, the program."""

import ast
import sys
from collections.abc import Iterator
from keyword import iskeyword
from pathlib import Path, PurePosixPath

from generator import model_source, reads
from generator.credentials import in_file
from generator.document import Pointer
from generator.problem import Problem, says
from generator.project import Project
from generator.storage import scheme
from generator.target import TargetRule
from generator.targets.torchserve.archiving import PROGRAM, REQUIREMENTS
from generator.targets.torchserve.handler import ENTRY
from generator.targets.torchserve.options import Options, PrebuiltArchive
from generator.targets.torchserve.service import takes

_TARGET: Pointer = ("targets", "torchserve")


def handler_unreadable(project: Project, options: Options) -> Iterator[Problem]:
    """The handler is copied into the archive, and TorchServe looks its class up there.

    What cannot be read, found or called ends every worker at its start, again and again.
    """
    if not options.handler:
        return
    path, _, name = options.handler.partition(":")
    at: Pointer = (*_TARGET, "handler")
    try:
        text = reads.read_text(project.folder / path, "utf-8")
        # What the default image runs; of another image nothing is known.
        module = ast.parse(text, feature_version=None if options.base_image else (3, 9))
    except OSError:
        yield Problem(at, f"there is no file `{path}`", "paths start at the spec's folder")
        return
    except SyntaxError as error:
        yield Problem(at, f"`{path}` is not Python 3.9: line {error.lineno or 1}: {error.msg}")
        return
    except (ValueError, RecursionError, MemoryError) as error:
        yield Problem(at, f"`{path}` is not Python: {error}")
        return
    classes = {node.name: node for node in module.body if isinstance(node, ast.ClassDef)}
    if name in classes:
        yield from _lacks(classes[name], at)
    elif name not in {alias.asname or alias.name for alias in _imported_names(module)}:
        defined = ", ".join(classes) or "none"
        yield Problem(at, f"`{path}` defines no class `{name}`", f"its classes: {defined}")


def _imported_names(module: ast.Module) -> Iterator[ast.alias]:
    for node in module.body:
        if isinstance(node, ast.ImportFrom):
            yield from node.names


def _lacks(node: ast.ClassDef, at: Pointer) -> Iterator[Problem]:
    """What a class needs that inherits from none."""
    methods = {item.name: item for item in ast.walk(node) if isinstance(item, _FUNCTIONS)}
    assigned = {item.id for item in ast.walk(node) if isinstance(item, ast.Name)}
    inherits = any(not isinstance(b, ast.Name) or b.id != "object" for b in node.bases)
    hints = {
        "initialize": "define initialize(self, context): it loads the model",
        "handle": "define handle(self, data, context): one answer for each row of data",
    }
    for name, hint in hints.items():
        if not inherits and name not in methods and name not in assigned:
            yield Problem(at, f"`{node.name}` has no method `{name}`, and inherits none", hint)
        elif isinstance(methods.get(name), ast.AsyncFunctionDef):
            message = f"`{node.name}.{name}` is async, and TorchServe does not wait for it"
            yield Problem(at, message, "define it without async")


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def import_left_behind(project: Project, options: Options) -> Iterator[Problem]:
    """An archive is a flat folder that holds the handler and model.files, and nothing else.

    An import that works beside the spec fails in the server, and so does every worker.
    """
    if not options.handler:
        return
    given = {PurePosixPath(file).name for file in project.model.files}
    paths: list[tuple[str, Pointer]] = [
        (options.handler.partition(":")[0], (*_TARGET, "handler")),
        *((file, ("model", "files", index)) for index, file in enumerate(project.model.files)),
    ]
    for path, at in paths:
        for level, name in _imports(project.folder / path):
            beside = PurePosixPath(path).with_name(name or "x")
            if level:
                message = f"`{path}` has a relative import, and an archive is no package"
                yield Problem(at, message, f"write `import {name}`" if name else "name the module")
            elif reads.is_dir(project.folder / beside):
                message = f"`{path}` imports the package `{beside}`, and an archive has no folders"
                yield Problem(at, message, "move what it needs into a file of its own")
            elif f"{name}.py" not in given and reads.is_file(project.folder / f"{beside}.py"):
                message = f"`{path}` imports `{beside}.py`, which would not be in the archive"
                yield Problem(at, message, f"add `{beside}.py` to model.files")


def _imports(path: Path) -> list[tuple[int, str]]:
    """The modules that a file imports at its top, each with the dots before it; none if unread."""
    if path.suffix != ".py":
        return []
    try:
        module = ast.parse(reads.read_text(path, "utf-8"))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return []  # told by another rule
    found: list[tuple[int, str]] = []
    for node in module.body:
        if isinstance(node, ast.Import):
            found += [(0, alias.name.partition(".")[0]) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.level, (node.module or "").partition(".")[0]))
    return list(dict.fromkeys(found))


def handler_cannot_be_imported(_project: Project, options: Options) -> Iterator[Problem]:
    """The file is imported by its name, beside what TorchServe itself imports.

    Under the name of one of those modules it would be loaded in that one's place, or never.
    """
    if not options.handler:
        return
    path = options.handler.partition(":")[0]
    name = PurePosixPath(path).stem
    at: Pointer = (*_TARGET, "handler")
    if iskeyword(name):
        yield Problem(at, f"`{path}` cannot be imported by its name", "rename it")
    elif _hides(name):
        message = f"`{path}` would hide the module {name}"
        yield Problem(at, message, f"rename it, for example to `{name}_handler.py`")


def _hides(name: str) -> bool:
    """Whether a file of this name would be imported in another's place."""
    return name in sys.stdlib_module_names or name in _IMPORTED


_IMPORTED = {"entry", "ts", "torch", "torchvision", "numpy", "PIL", "captum", "psutil", "yaml"}


def files_of_one_name(project: Project, options: Options) -> Iterator[Problem]:
    """An archive is a flat folder: the second file of a name would replace the first.

    A file with the name of a module would be imported in that module's place.
    """
    if not options.handler:
        return
    path = PurePosixPath(options.handler.partition(":")[0])
    taken = {
        path.name: "the handler",
        PROGRAM: "the exported program",
        REQUIREMENTS: "the packages",
    }
    taken[ENTRY] = "what TorchServe starts"
    for index, given in enumerate(project.model.files):
        name = PurePosixPath(given).name
        at: Pointer = ("model", "files", index)
        if name.endswith(".py") and _hides(PurePosixPath(name).stem):
            message = f"`{given}` would hide the module {PurePosixPath(name).stem}"
            yield Problem(at, message, "rename it: what stands in an archive is found first")
        elif name in taken:
            message = f"`{given}` has the name of {taken[name]} in the archive"
            yield Problem(at, message, "rename it: an archive is one flat folder")
        elif not _is_text(project.folder / given):
            message = f"`{given}` is not UTF-8 text"
            yield Problem(at, message, "put bytes into the weights, or name an archive of your own")
        taken[name] = f"`{given}`"


def _is_text(path: Path) -> bool:
    try:
        reads.read_text(path, "utf-8")
    except UnicodeDecodeError:
        return False
    except OSError:
        return True  # told by a rule of the model
    return True


def state_dict_without_handler(project: Project, options: Options) -> Iterator[Problem]:
    """The rendered handler loads a program; weights alone need code that builds the module."""
    if project.export.format == "state_dict" and takes(project, options) != "anything":
        message = "the rendered handler cannot build a module for a state_dict"
        hint = "set format: torchscript, or name a handler of your own"
        yield Problem(("export", "format"), message, hint)


def format_not_offered(project: Project, options: Options) -> Iterator[Problem]:
    """An archive holds `model.pt`, which the rendered handler and TorchServe's own load as such."""
    if not isinstance(options.archive, PrebuiltArchive):
        behind = ", the latter with a handler of your own"
        formats = ("torchscript", "state_dict")
        yield from model_source.other_formats(project, "torchserve", formats, behind)


def archive_not_offered(project: Project, options: Options) -> Iterator[Problem]:
    """A Job makes the archive where the service then mounts it: on a claim.

    Without KServe nothing mounts it, and without a claim the Job has nowhere to write.
    """
    storage = project.storage
    if options.archive != "job":
        return
    at: Pointer = (*_TARGET, "archive")
    if options.platform != "kserve":
        message = f"archive: job needs platform: kserve, not {options.platform}"
        platform = says((*_TARGET, "platform"), options.platform)
        yield Problem(at, message, "set archive: export", related=(platform,))
    elif storage and scheme(storage.bundle_uri) != "pvc":
        message = "archive: job writes to a claim, and the storage is none"
        hint = "set storage.uri to pvc://claim/folder, or archive: export"
        uri = f"the storage is {scheme(storage.bundle_uri)}://"
        yield Problem(at, message, hint, related=((("storage", "uri"), uri),))


def source_missing(project: Project, options: Options) -> Iterator[Problem]:
    """`gen export` needs something to export, unless the archive is there already."""
    if not isinstance(options.archive, PrebuiltArchive):
        yield from model_source.source_missing(project, options)


def prebuilt_archive(project: Project, options: Options) -> Iterator[Problem]:
    """An archive that is there already brings its own handler.

    A handler or explanations beside it would never run. What is downloaded without a checksum may
    be another archive tomorrow.
    """
    archive = options.archive
    if not isinstance(archive, PrebuiltArchive):
        return
    at: Pointer = (*_TARGET, "archive", "uri")
    for key in ("handler", "explain"):
        if getattr(options, key):
            message = f"`{key}` contradicts an archive that is there already"
            hint = f"remove `{key}` or `archive`"
            related = ((at, "the archive is named here"),)
            yield Problem((*_TARGET, key), message, hint, at_key=True, related=related)
    kind = scheme(archive.uri) if "://" in archive.uri else ""
    if kind in ("http", "https") and not archive.sha256:
        hint = "add its sha256"
        yield Problem(at, "gen export downloads the archive without knowing which it is", hint)
    elif not kind and not reads.is_file(project.folder / archive.uri):
        yield Problem(at, f"there is no file `{archive.uri}`", "paths start at the spec's folder")


def handler_holds_a_credential(project: Project, options: Options) -> Iterator[Problem]:
    """The handler is copied into the archive, which everybody reads who reads the model's storage.

    A Secret of the cluster reaches the code as a variable or a mounted file instead.
    """
    path, _, _ = (options.handler or "").partition(":")
    for line, what in in_file(project.folder / path) if path else ():
        message = f"line {line} of `{path}` holds {what}"
        hint = "read it from a variable, which a Secret fills"
        yield Problem((*_TARGET, "handler"), message, hint, "warning")


RULES: tuple[TargetRule, ...] = (
    handler_unreadable,
    handler_holds_a_credential,
    import_left_behind,
    handler_cannot_be_imported,
    files_of_one_name,
    state_dict_without_handler,
    format_not_offered,
    archive_not_offered,
    source_missing,
    prebuilt_archive,
)
