"""What the schedule of a CronJob may say: github.com/robfig/cron v3, ParseStandard."""

import re

from generator.problem import did_you_mean

MACROS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_EVERY = re.compile(r"@every [-+]?((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+|@every [-+]?0")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
FIELDS = (  # name, least, most, words for the numbers from the least
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("weekday", 0, 6, _DAYS),
)


def flaw(schedule: str) -> tuple[str, str] | None:
    """What is wrong with a macro or with five fields, and what to write."""
    if schedule.startswith("@"):
        if schedule in MACROS or _EVERY.fullmatch(schedule):
            return None
        return f"schedule `{schedule}` is no macro", did_you_mean(schedule, MACROS)
    for text, (name, least, most, words) in zip(schedule.split(), FIELDS, strict=False):
        if not all(_is_part(part, least, most, words) for part in text.split(",") if part):
            hint = f"write {least} to {most}, `*`, a range or a step"
            return f"`{text}` is no {name} of a schedule", hint
    return None


def _is_part(part: str, least: int, most: int, words: tuple[str, ...]) -> bool:
    """Whether a part is `*`, a number, a range such as 1-5, and a step of it."""
    spread, slash, step = part.partition("/")
    if slash and not (_is_number(step) and int(step) > 0):
        return False
    if spread in ("*", "?"):
        return True
    ends = [_number(end, least, words) for end in spread.split("-")]
    known = [end for end in ends if end is not None]
    return len(known) == len(ends) <= 2 and least <= known[0] <= known[-1] <= most


def _number(text: str, least: int, words: tuple[str, ...]) -> int | None:
    if text.lower() in words:
        return words.index(text.lower()) + least
    return int(text) if _is_number(text) else None


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"\+?[0-9]{1,9}", text))
