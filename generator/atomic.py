"""Replace one file whole: a reader, or a failure on the way, never sees half of it."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path


def write(path: Path, content: bytes, mode: int | None = None) -> None:
    """Give a file its content, and a mode or the one that it had; a link stays one.

    What is no regular file, such as /dev/stdout, is written as it is. Raises OSError.
    """
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    place = Path(os.path.realpath(path))
    descriptor, name = tempfile.mkstemp(prefix=f".{place.name[:100]}.", dir=place.parent)
    try:
        with open(descriptor, "wb") as staged:
            staged.write(content)
        if mode is not None:
            os.chmod(name, mode)
        elif place.exists():
            shutil.copymode(place, name)
        else:
            os.chmod(name, 0o666 & ~_umask())
        os.replace(name, place)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _umask() -> int:
    """The bits that new files of this process do not get; it can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
