"""The repository that Argo CD reads, where the specs lie in a clone of it."""

import re
from functools import lru_cache
from pathlib import Path

from generator import reads
from generator.upward import top_of_repository

_URL = re.compile(r"(?m)^[ \t]*url[ \t]*=[ \t]*(\S+)[ \t]*$")
_PARTS = re.compile(r"(?:[a-z+]+://)?(?:[^@/]*@)?([^:/]+)(?::\d+(?=/))?[:/]+(.+?)(?:\.git)?/*")


def clone_of(repository: str, folder: Path) -> Path | None:
    """The top of the clone that a folder lies in, if one of its remotes is the repository.

    None also where that cannot be told: nothing is said of another repository, or of none.
    """
    top = top_of_repository(folder)
    return top if top and _same(repository) in map(_same, _remotes(_config(top))) else None


def _config(top: Path) -> str:
    try:
        return reads.read_text(top / ".git" / "config", "utf-8")
    except (OSError, UnicodeDecodeError):  # a work tree of another clone, or a broken one
        return ""


@lru_cache(maxsize=16)
def _remotes(config: str) -> tuple[str, ...]:
    return tuple(_URL.findall(config))


def _same(url: str) -> str:
    """What https and ssh addresses of one repository have in common: no user, port or suffix."""
    found = _PARTS.fullmatch(url)
    return f"{found[1].lower()}/{found[2].lstrip('~/')}" if found else url
