"""docs/diff.md shows what `gen diff` prints, and every reason for attention."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from ran import Ran

from generator.changes import attention

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs/diff.md"
COMMAND = "diff specs/variants/environments.yaml --from staging --to production"


def replaced(pattern: str, text: str) -> None:
    """Hold a part of the document to a text, or write it there."""
    whole = DOCUMENT.read_text()
    now = re.sub(pattern, lambda found: found[1] + text + found[2], whole, count=1, flags=re.DOTALL)
    if os.environ.get("REWRITE"):
        DOCUMENT.write_text(now)
    else:
        assert whole == now, "REWRITE=1 writes it anew"


def test_shows_what_a_promotion_prints(
    gen: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)

    ran = gen(*COMMAND.split())

    assert ran.status == 1
    replaced(rf"(\$ gen {re.escape(COMMAND)}\n).*?(```\n)", ran.out)


def test_names_every_reason_for_attention() -> None:
    rows = (
        f"| `{rule.removeprefix('attention/')}` | {why} |\n"
        for rule, why in attention.named().items()
    )

    replaced(r"(\| attention \| why \|\n\|---\|---\|\n)(?:\|[^\n]*\n)*(\n)", "".join(rows))
