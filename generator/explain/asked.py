"""What `gen explain` is asked about: a rule, a field of the spec, or a line of a rendered file."""

import difflib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from generator.catalogue import Documented, all_documented
from generator.diagnostics import CannotRun, shown
from generator.explain.fields import Field, Unknown, find
from generator.schema import project_schema, read


@dataclass(frozen=True)
class RenderedLine:
    """A rendered file by the path that the user wrote, and a line of it, None for all."""

    path: PurePath
    line: int | None


Asked = Documented | Field | RenderedLine


def asked(what: str) -> Asked:
    """What is meant; raises CannotRun where it is nothing that can be explained."""
    rules = all_documented()
    if what in rules:
        return rules[what]
    if "\0" in what or not what.strip():
        raise CannotRun(f"nothing is called `{shown(what)}`; {_WAYS}")
    head = re.split(r"[.\[]", what, maxsplit=1)[0]
    if head in read(project_schema())["properties"]:
        try:
            return find(what)
        except Unknown as error:
            raise CannotRun(f"{shown(what)}: {error}; {error.hint}") from None
    if _looks_like_a_rule(what) and not os.path.exists(what):
        raise CannotRun(f"there is no rule `{shown(what)}`; {_near(what, list(rules))}")
    path, _, line = what.rpartition(":")
    if path and re.fullmatch(r"[0-9]{1,9}", line):
        return RenderedLine(PurePath(path), int(line))
    if os.sep in what or os.path.exists(what):
        return RenderedLine(PurePath(what), None)
    known = [*rules, *read(project_schema())["properties"]]
    raise CannotRun(f"nothing is called `{shown(what)}`; {_near(what, known)}")


_WAYS = "name a rule, a field such as serving.batching, or a rendered file and its line"


def _looks_like_a_rule(what: str) -> bool:
    area, slash, rest = what.partition("/")
    areas = {rule.area for rule in all_documented().values()}
    return bool(slash) and area in areas and re.fullmatch(r"[a-z0-9-]+", rest) is not None


def _near(word: str, known: Sequence[str]) -> str:
    """The known words that are near, a rule's last part alone counting too."""
    same = [name for name in known if name.rpartition("/")[2] == word]
    near = same or difflib.get_close_matches(word[:200], known, n=3, cutoff=0.7)
    if not near:
        return _WAYS
    return f"did you mean {' or '.join(f'`{name}`' for name in near[:3])}?"
