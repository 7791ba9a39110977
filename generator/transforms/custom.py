"""The user's own functions in a pipeline: which files they need, and which names cannot work."""

import sys
from collections.abc import Iterator
from keyword import iskeyword

from generator.project import Step, Transforms
from generator.transforms.mismatch import Complaint, Mismatch, Section, placed
from generator.transforms.operations import Custom, read_preprocess

KEYS = ("custom", "function")
TAKEN = frozenset(
    {"transforms", "transformer", "client", "numpy", "PIL", "kserve", "tritonclient"}
    | {"httpx", "handler", "bodies", "entry", "ts", "torch", "captum", "seldon_core"}
)
"""Modules that stand beside a user's file, or that the rendered code imports."""


def custom_paths(transforms: Transforms) -> tuple[str, ...]:
    """The distinct files of custom functions, relative to the spec, sorted."""
    return tuple(sorted({custom.path for _, _, custom in _customs(transforms)}))


def check_custom(transforms: Transforms) -> Iterator[Mismatch]:
    """Name the custom functions that rendered code could not import.

    The files are copied into one folder and imported by their stem: a stem must be a Python
    name of its own and must not hide a module that the code needs.
    """
    paths: dict[str, str] = {}
    for section, index, custom in _customs(transforms):
        first = paths.setdefault(custom.module, custom.path)
        yield from placed(section, index, _complaints(custom, first))


def _complaints(custom: Custom, first: str) -> Iterator[Complaint]:
    if not custom.module.isidentifier() or iskeyword(custom.module):
        yield Complaint(
            f"custom file `{custom.file}` cannot be imported by its name",
            "use letters, digits and underscores in its name",
            KEYS,
        )
    elif custom.module in TAKEN or custom.module in sys.stdlib_module_names:
        yield Complaint(
            f"custom file `{custom.file}` would hide the module {custom.module}",
            f"rename it, for example to `{custom.module}_steps.py`",
            KEYS,
        )
    elif first != custom.path:
        yield Complaint(
            f"custom files `{first}` and `{custom.path}` have the same name",
            "rename one of them: they are copied into one folder",
            KEYS,
        )
    if not custom.function.isidentifier() or iskeyword(custom.function):
        yield Complaint(
            f"custom function `{custom.function}` is no Python name", "write `file.py:name`", KEYS
        )


def _customs(transforms: Transforms) -> Iterator[tuple[Section, int, Custom]]:
    sections: tuple[tuple[Section, tuple[Step, ...]], ...] = (
        ("preprocess", transforms.preprocess),
        ("postprocess", transforms.postprocess),
    )
    for section, steps in sections:
        for index, step in enumerate(steps):
            # Other operations may lack what they need to be read; a rule of their own says so.
            custom = read_preprocess(step) if step.operation == "custom" else None
            if isinstance(custom, Custom):
                yield section, index, custom
