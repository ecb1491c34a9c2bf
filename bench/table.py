"""Figures in columns."""

from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of all values lies (nearest rank)."""
    ranked = sorted(values)
    return ranked[min(int(len(ranked) * share), len(ranked) - 1)] if ranked else float("nan")


def say(title: str, rows: Sequence[dict[str, object]]) -> None:
    """Print rows of figures under a title."""
    columns = list(rows[0])
    width = {name: max(len(name), *(len(str(row[name])) for row in rows)) for name in columns}
    lines = [title, "  ".join(name.rjust(width[name]) for name in columns)]
    lines += ["  ".join(str(row[name]).rjust(width[name]) for name in columns) for row in rows]
    print("\n".join(lines), end="\n\n", flush=True)  # noqa: T201 - a benchmark's output
