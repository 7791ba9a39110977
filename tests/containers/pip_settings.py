"""What this machine's pip is set up with, mounted into a build so that nothing of it is kept.

Indexes and certificates may be files of this machine: they are mounted too. All of it lies under
/mnt, which every base has, and in an empty /etc/pip.conf, which the stand-ins have.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

PLACE = "/mnt"
CARRIED = ("index-url", "extra-index-url", "find-links", "trusted-host", "default-timeout", "cert")
INDEXES = ("index-url", "extra-index-url")
SECTIONS = ("global", "install", ":env:")  # the later win


def mounts(folder: Path) -> list[str]:
    """Write the settings to an empty folder, and give the flags that mount them into a build."""
    asked = [sys.executable, "-m", "pip", "config", "list"]
    listing = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    lines, places = translated(settings(listing))
    config = folder / "pip.conf"
    config.write_text("\n".join(["[global]", *lines, ""]), encoding="utf-8")
    for path, place in places.items():
        mountpoint = folder / Path(place).name
        if path.is_file():
            mountpoint.touch()
        else:
            mountpoint.mkdir()
    volumes = [f"{folder}:{PLACE}:ro", *(f"{path}:{place}:ro" for path, place in places.items())]
    return [f"--volume={each}" for each in (*volumes, f"{config}:/etc/pip.conf:ro")]


def settings(listing: str) -> dict[str, str]:
    """Read what `pip config list` has for an installation: `:env:.cert='/etc/...'`."""
    found: dict[str, str] = {}
    for section in SECTIONS:
        for line in listing.splitlines():
            name, _, value = line.partition("=")
            if name.startswith(f"{section}."):
                found[name.removeprefix(f"{section}.")] = ast.literal_eval(value)
    return found


def translated(given: Mapping[str, str]) -> tuple[list[str], dict[Path, str]]:
    """Give the lines of a configuration for a build, and the place of each file it needs there."""
    places: dict[Path, str] = {}

    def words(name: str) -> Iterator[str]:
        for word in given[name].split():
            if (path := local(word)) is None:
                yield word
                continue
            # The pages of an index link to files beside it.
            root = path.parent if name in INDEXES else path
            place = places.setdefault(root, f"{PLACE}/{len(places)}")
            inside = f"{place}/{path.relative_to(root)}".removesuffix("/.")
            yield f"file://{inside}" if name in INDEXES else inside

    lines = [f"{name} = {' '.join(words(name))}" for name in CARRIED if name in given]
    return lines, places


def local(word: str) -> Path | None:
    """The file or folder of this machine that a setting names."""
    if word.startswith("file:"):
        return Path(unquote(urlsplit(word).path))
    return Path(word) if word.startswith("/") else None
