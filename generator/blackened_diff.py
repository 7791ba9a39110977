"""The diff of two texts as a report may show it: with stars for what looks like a credential."""

import difflib
import re
from collections.abc import Iterator

from generator.blackening import excerpt
from generator.document import Text

_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")


def shown_diff(old: str, new: str, before: str, after: str) -> Iterator[str]:
    """The lines of a unified diff; what has changed is told by the texts as they are."""
    sides = old.splitlines(keepends=True), new.splitlines(keepends=True)
    texts = [Text("", "\n".join(line.rstrip("\r\n") for line in side)) for side in sides]
    at = [0, 0]
    for line in difflib.unified_diff(*sides, before, after):
        if hunk := _HUNK.match(line):
            at = [int(hunk[1]), int(hunk[2])]
        if at == [0, 0] or hunk:
            yield line
            continue
        side = 0 if line[0] == "-" else 1
        shown = excerpt(texts[side], at[side])[0]
        end = line[len(line.rstrip("\r\n")) :]
        yield f"{line[0]}{shown}{end}"
        for number in (0, 1) if line[0] == " " else (side,):
            at[number] += 1
