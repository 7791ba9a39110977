"""What was measured, as a table and as JSON."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from builds import Built
from trials import Trial

HEADER = (
    *("image", "torch", "MB", "own MB", "layers", "build s"),
    *("ready s", "answer s", "memory MB", "stop s", "status", "difference"),
)
MB = 1e6


def rows(built: Mapping[str, Built], trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """One row for each image that was built; the median where it was run several times."""
    return [
        row(image, made, [each for each in trials if each.image == image])
        for image, made in built.items()
    ]


def row(image: str, built: Built, trials: Sequence[Trial]) -> dict[str, Any]:
    """What was measured on one image: sizes in bytes, times in seconds."""
    measured: dict[str, Any] = {
        "image": image,
        "torch": built.has_torch,
        "size_bytes": built.size_bytes,
        "beyond_base_bytes": built.beyond_base_bytes,
        "beyond_base_layers": built.beyond_base_layers,
        "build_seconds": round(built.seconds, 2) or None,
    }
    if trials:
        runs = [each.run for each in trials]
        measured |= {
            "runs": len(runs),
            "ready_seconds": round(median(run.ready_seconds for run in runs), 2),
            "answer_seconds": round(median(run.answer_seconds for run in runs), 2),
            "memory_bytes": int(median(run.memory_bytes for run in runs)),
            "stop_seconds": round(max(run.stop_seconds for run in runs), 2),
            "grace_seconds": runs[0].container.grace_seconds,
            "exit_status": runs[0].exit_status,
            "difference": max(each.difference for each in trials),
        }
    return measured


def text(measured: Sequence[Mapping[str, Any]], ratios: Mapping[str, float], left_out: str) -> str:
    """The table, and the comparison under it."""
    compared = ", ".join(f"{key.rpartition('_')[0]} {value:.1f}x" for key, value in ratios.items())
    return "\n".join(
        (
            table(measured),
            "",
            f"with torchvision, over the rendered transformer: {compared}",
            left_out,
        )
    )


def table(measured: Sequence[Mapping[str, Any]]) -> str:
    """Lay the rows out in columns."""
    lines = [HEADER, *(cells(each) for each in measured)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def cells(measured: Mapping[str, Any]) -> tuple[str, ...]:
    """The texts of one row."""
    build = measured["build_seconds"]
    built = (
        measured["image"],
        "yes" if measured["torch"] else "no",
        f"{measured['size_bytes'] / MB:.0f}",
        f"{measured['beyond_base_bytes'] / MB:.0f}",
        f"{measured['beyond_base_layers']}",
        f"{build:.1f}" if build else "cached",
    )
    if "runs" not in measured:
        return (*built, *("-",) * (len(HEADER) - len(built)))
    return (
        *built,
        f"{measured['ready_seconds']:.2f}",
        f"{measured['answer_seconds']:.2f}",
        f"{measured['memory_bytes'] / MB:.0f}",
        f"{measured['stop_seconds']:.2f} of {measured['grace_seconds']}",
        f"{measured['exit_status']}",
        f"{measured['difference']:.1e}",
    )


def ratios(measured: Sequence[Mapping[str, Any]], ours: str, other: str) -> dict[str, float]:
    """How many times what one image needs the other one does."""
    named = {each["image"]: each for each in measured}
    keys = ("size_bytes", "beyond_base_bytes", "ready_seconds", "answer_seconds", "memory_bytes")
    if any(key not in named.get(image, {}) for key in keys for image in (ours, other)):
        return {}
    return {key: round(named[other][key] / named[ours][key], 2) for key in keys}
