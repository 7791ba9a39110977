"""Where the data files that travel with the package lie."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


@cache
def shipped(name: str) -> Path:
    """Find a shipped file or folder, such as `schemas/triton/model_config.json`.

    A wheel carries `schemas` and `templates` inside the package, a checkout beside it.
    """
    installed = _PACKAGE / name
    return installed if installed.exists() else _PACKAGE.parent / name
