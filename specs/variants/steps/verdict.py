"""Turn an answer into a verdict."""

MARGIN = 0.5


def verdict(entries: list) -> dict:
    """The best class, and whether it is well ahead of the second."""
    best, second = entries
    certain = best["probability"] - second["probability"] >= MARGIN
    return {"class_name": best["class_name"], "certain": certain}
