"""What a team says once for all its specs: `serving-defaults.yaml`, merged under each spec.

The files are found upward from the spec; of several the nearest wins. What a file says counts as
if it had been written at the same key of the spec, where the spec says nothing. Targets and
environments apply afterwards, as ever.
"""

from functools import reduce
from pathlib import Path, PurePath

from generator import source
from generator.defaults.counting import counting
from generator.defaults.team_file import MISNAMED, misnamed, refused, team_file
from generator.defaults.under import under
from generator.diagnostics import CannotRun, Rejected
from generator.document import Document
from generator.specs import TEAM_FILE
from generator.upward import found_upward


def load(path: str, text: str | bytes, folder: Path) -> Document:
    """A spec over the team files above it; `path` and `folder` are those of `source.load`.

    Raises Rejected with what is wrong in the spec's YAML or in a team file, and CannotRun where a
    team file cannot be read.
    """
    if PurePath(path).name == TEAM_FILE:
        raise refused(path, text, folder)
    spec = source.load(path, text, folder)
    if _VERSION in spec.data and "spec_version" not in spec.data:
        raise refused(path, text, folder)  # on stdin, or under another name
    found = _found(folder)
    if not found:
        return spec
    read = [team_file(file, folder) for file in found]
    if flaws := [flaw for file in read for flaw in file.flaws]:
        raise Rejected(flaws)
    return under(spec, counting(reduce(under, [file.document for file in read]), spec))


_VERSION = "defaults_version"


def _found(folder: Path) -> list[Path]:
    try:
        for path in found_upward(folder, MISNAMED):
            raise misnamed(path, folder)
        return found_upward(folder, TEAM_FILE)
    except OSError as error:
        raise CannotRun(f"cannot look for {error.filename}: {error.strerror}") from None
