"""Lay Python expressions out as the formatter does, so that rendered code is stable under it."""

from collections.abc import Sequence

from msgspec import Struct

WIDTH = 100
INDENT = "    "


class Bracketed(Struct, frozen=True):
    """A call or a tuple: what stands before the bracket, and the items in it."""

    before: str
    items: tuple["str | Bracketed", ...]
    is_call: bool = True

    def __str__(self) -> str:
        comma = "," if not self.is_call and len(self.items) == 1 else ""
        return f"{self.before}({', '.join(map(str, self.items))}{comma})"


def statement(start: str, expression: str | Bracketed, indent: str = INDENT) -> tuple[str, ...]:
    """Lines of a statement such as `return ` or `tensor = ` with one expression."""
    return tuple(_laid_out(indent, start, expression, ""))


def comprehension(start: str, element: str, clause: str) -> tuple[str, ...]:
    """Lines of a statement with a list comprehension."""
    whole = f"{INDENT}{start}[{element} {clause}]"
    if len(whole) <= WIDTH:
        return (whole,)
    inside = f"{INDENT * 2}{element} {clause}"
    body = (inside,) if len(inside) <= WIDTH else (INDENT * 2 + element, INDENT * 2 + clause)
    return (f"{INDENT}{start}[", *body, f"{INDENT}]")


def imported(module: str, names: Sequence[str]) -> tuple[str, ...]:
    """Lines that import names from a module."""
    whole = f"from {module} import {', '.join(names)}"
    if len(whole) <= WIDTH:
        return (whole,)
    return (f"from {module} import (", *(f"{INDENT}{name}," for name in names), ")")


def _laid_out(indent: str, start: str, expression: str | Bracketed, end: str) -> list[str]:
    line = f"{indent}{start}{expression}{end}"
    if len(line) <= WIDTH or isinstance(expression, str) or not expression.items:
        return [line]
    opening = f"{indent}{start}{expression.before}("
    deeper = indent + INDENT
    together = deeper + ", ".join(map(str, expression.items))
    if expression.is_call and len(together) <= WIDTH:
        return [opening, together, f"{indent}){end}"]
    lines = [line for item in expression.items for line in _laid_out(deeper, "", item, ",")]
    return [opening, *lines, f"{indent}){end}"]
