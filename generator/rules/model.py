"""Rules about where the model comes from and what its classes are called."""

from collections.abc import Iterator

from generator import reads
from generator.document import Pointer
from generator.problem import Problem, says
from generator.project import Project
from generator.resources import amount
from generator.target import Rule
from generator.transforms.embedded import is_embedded


def source_and_program(project: Project) -> Iterator[Problem]:
    """A model is either built from source or loaded as an exported program.

    With both, nobody knows which of the two was meant to be served.
    """
    model = project.model
    if model.source and model.program:
        hint = "remove one of `source` and `program`"
        message = "`program` contradicts `source`"
        related = ((("model", "source"), "`source` is given here"),)
        yield Problem(("model", "program"), message, hint, at_key=True, related=related)


def program_with_parts_of_a_source(project: Project) -> Iterator[Problem]:
    """An exported program already carries its weights; arguments would go nowhere.

    The service would answer with other weights than the spec says.
    """
    model = project.model
    if not model.program or model.source:
        return
    for key, given in (("weights", model.weights), ("arguments", model.arguments)):
        if given:
            message = f"a program takes no `{key}`"
            hint = f"remove `{key}`, or name a `source` instead of `program`"
            related = ((("model", "program"), "`program` is given here"),)
            yield Problem(("model", key), message, hint, at_key=True, related=related)


def source_file_missing(project: Project) -> Iterator[Problem]:
    """`gen export` imports this file to build the model, and ends where it is not there.

    It is looked for beside the spec, so that the same checkout exports the same model anywhere.
    """
    yield from _missing(project, ("model", "source"), _file(project.model.source))


def convert_file_missing(project: Project) -> Iterator[Problem]:
    """`gen export` imports this file to turn the weights into those of the model.

    Without it the weights cannot be loaded, and the export ends before anything is written.
    """
    weights = project.model.weights
    at: Pointer = ("model", "weights", "convert")
    yield from _missing(project, at, _file(weights.convert if weights else None))


def file_missing(project: Project) -> Iterator[Problem]:
    """These files are copied into the archive, beside the handler that needs them.

    Without one, the handler would fail only in the cluster, where it looks for the file.
    """
    for index, path in enumerate(project.model.files):
        yield from _missing(project, ("model", "files", index), path)


def _file(function: str | None) -> str:
    """The file of `file.py:name`; empty for a function of a package."""
    path, _, _ = (function or "").rpartition(":")
    return path if path.endswith(".py") else ""


def _missing(project: Project, at: Pointer, path: str) -> Iterator[Problem]:
    if path and not reads.is_file(project.folder / path):
        yield Problem(at, f"there is no file `{path}`", "paths start at the spec's folder")


def weights_path_and_url(project: Project) -> Iterator[Problem]:
    """Weights lie in a file beside the spec or are downloaded; one of them says from where.

    With both it would be left to chance which of them is served; with neither there are none.
    """
    weights = project.model.weights
    if not weights:
        return
    at: Pointer = ("model", "weights")
    if weights.path and weights.url:
        message = "`url` contradicts `path`"
        hint = "remove one of `path` and `url`"
        related = (((*at, "path"), "`path` is given here"),)
        yield Problem((*at, "url"), message, hint, at_key=True, related=related)
    elif not weights.path and not weights.url:
        hint = "add `path:` with a file of torch.save, or `url:` with its `sha256:`"
        yield Problem(at, "the weights have neither `path` nor `url`", hint)


def url_without_sha256(project: Project) -> Iterator[Problem]:
    """What a URL answers can change; the export of a spec must not.

    Without the checksum, a file that was replaced or cut short is served as if it were the model.
    """
    weights = project.model.weights
    if weights and weights.url and not weights.sha256:
        hint = "add `sha256:`, or its first 8 digits as torchvision's file names carry them"
        message = "weights from a `url` need their `sha256`"
        yield Problem(("model", "weights", "url"), message, hint, at_key=True)


def trace_of_free_sizes(project: Project) -> Iterator[Problem]:
    """A trace holds the sizes that it has seen, and with run_in: model the image decides them.

    Where the input has a size, the transforms, which are never traced, bring every image to it.
    `gen export` takes a `model.program` as it is, whatever made it.
    """
    image, is_traced = project.model.inputs[0], project.export.is_traced
    is_free = any(isinstance(size, str) for size in image.sample_shape)
    if is_embedded(project.transforms) and is_traced and is_free and project.model.source:
        shape = ", ".join(map(str, image.shape))
        message = f"input `{image.name}` takes images of any size, and a trace holds one"
        hint = f"set export.method: script, or give sizes in place of the letters of [{shape}]"
        run_in = says(("transforms", "run_in"), "model")
        related = (says(("model", "inputs", 0, "shape"), f"[{shape}]"), run_in)
        yield Problem(("export", "method"), message, hint, related=related)


def class_names_do_not_match_output(project: Project) -> Iterator[Problem]:
    """A label file of another length shifts or drops labels without any error."""
    names, output = len(project.model.class_names), project.model.outputs[0]
    related = (says(("model", "outputs", 0, "shape"), f"[{', '.join(map(str, output.shape))}]"),)
    classes = output.shape[-1]
    if names and len(output.sample_shape) < 1:
        message = f"{names} class names for output `{output.name}`, which has no class dimension"
        hint = "give the output's shape as [N, classes]"
        yield Problem(("model", "class_names"), message, hint, related=related)
    elif names and isinstance(classes, int) and classes != names:
        message = f"{names} class names for the {classes} classes of output `{output.name}`"
        hint = "give one name per class, in the order of the output's last dimension"
        yield Problem(("model", "class_names"), message, hint, related=related)


def size_too_small(project: Project) -> Iterator[Problem]:
    """A number without a unit is a number of bytes: `size: 98` is ninety-eight of them.

    The time to start would follow from a bundle that nobody has.
    """
    size = project.model.size
    if size is not None and amount(size) < _LEAST_BYTES:
        message = f"size {size} is {float(amount(size)):,.10g} bytes, less than any program has"
        number = str(size).rstrip("mkKMi")
        yield Problem(("model", "size"), message, f"write a larger unit: {number}Mi")


def size_too_large(project: Project) -> Iterator[Problem]:
    """A number of bytes that no storage holds is a slip, such as two numbers run together.

    The time to start that follows from it is more than Kubernetes can count.
    """
    size = project.model.size
    if size is not None and amount(size) > _MOST_BYTES:
        message = f"size {size} is more than the {_MOST_BYTES // 2**40}Ti a bundle may have"
        yield Problem(("model", "size"), message, "write the size of what gen export made")


def larger_than_memory(project: Project) -> Iterator[Problem]:
    """A model that does not fit into the container's memory ends with it, or is read over and over.

    It can be meant: a program whose weights are mapped from the file needs only parts of it at a
    time. Of a model on a GPU nothing is said.
    """
    size, hardware = project.model.size, project.hardware
    if size is None or hardware.accelerator == "nvidia" or amount(size) > _MOST_BYTES:
        return
    limit = hardware.limits.memory or hardware.memory
    if amount(size) > amount(limit):
        at = ("limits", "memory") if hardware.limits.memory else ("memory",)
        message = f"size {size} is more than the {limit} of memory that the server has"
        related = (says(("hardware", *at), limit),)
        hint = f"set hardware.{'.'.join(at)} to more than {size}"
        yield Problem(("model", "size"), message, hint, "warning", related=related)


_LEAST_BYTES = 1024
_MOST_BYTES = 2**50  # Kubernetes counts the failures of a probe in 32 bits, which 2**57 would fill


RULES: tuple[Rule, ...] = (
    source_and_program,
    program_with_parts_of_a_source,
    source_file_missing,
    convert_file_missing,
    file_missing,
    weights_path_and_url,
    url_without_sha256,
    trace_of_free_sizes,
    class_names_do_not_match_output,
    size_too_small,
    size_too_large,
    larger_than_memory,
)
