"""How large models and bundles are, in the words of a spec's model.size."""

import math
from pathlib import Path
from typing import Any

from generator.project import Project
from generator.resources import amount

_MEBIBYTE = 2**20
_CODE_BYTES = 2 * _MEBIBYTE  # of a program, beside its weights


def size_of_state(module: Any) -> str | None:  # Any: torch's modules are untyped here
    """The size of a program with a module's weights; None where those are less than 1Mi."""
    held = sum(each.numel() * each.element_size() for each in module.state_dict().values())
    return _shown(held + _CODE_BYTES) if held >= _MEBIBYTE else None


def over_size(project: Project, bundle: Path) -> str | None:
    """Why a bundle is larger than its spec says; None where it is not, or nothing is said."""
    projects = (project, *(served.project for served in project.also_serves))
    sizes = [each.model.size for each in projects]
    said = sum(amount(size) for size in sizes if size is not None)
    held = sum(file.stat().st_size for file in bundle.rglob("*") if file.is_file())
    if None in sizes or held <= said:
        return None
    words = " and ".join(map(str, sizes))
    return f"holds {_shown(held)}, more than the {words} of model.size"


def _shown(size: int) -> str:
    return f"{math.ceil(size / _MEBIBYTE)}Mi"
