"""A model repository as this server reads it, which is older than a word of the rendered ones."""

import re
from pathlib import Path

# tritonserver 24.10 refuses a platform that it does not know before it asks the backend, which is
# told by a parameter instead, and the name of the file with it. Triton knows this one since 26.03.
UNKNOWN_PLATFORM = re.compile(r'^platform: ("torch_aoti")$', re.MULTILINE)
AS_PARAMETER = (
    r'parameters { key: "platform" value { string_value: \1 } }'
    '\ndefault_model_filename: "model.pt2"'
)


def readable(repository: Path, folder: Path) -> Path:
    """The repository itself, or one in `folder` that links to it, with configurations of its own.

    Those differ from the given ones in the line that names a platform unknown to the server.
    """
    configurations = {
        path.parent: path.read_text(encoding="utf-8") for path in repository.glob("*/config.pbtxt")
    }
    if not any(map(UNKNOWN_PLATFORM.search, configurations.values())):
        return repository
    for path in repository.iterdir():
        link = folder / path.name
        if path not in configurations:
            link.symlink_to(path.resolve())
            continue
        link.mkdir(parents=True)
        text = UNKNOWN_PLATFORM.sub(AS_PARAMETER, configurations[path])
        (link / "config.pbtxt").write_text(text, encoding="utf-8")
        for part in path.iterdir():
            if part.name != "config.pbtxt":
                (link / part.name).symlink_to(part.resolve())
    return folder
