"""Bars as SVG, written by hand: no plotting library."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from html import escape

ROW, LEFT, RIGHT, WIDTH, TOP = 22, 190, 80, 760, 44
OURS, OTHERS, INK = "#2563a8", "#a9b4c0", "#1f2328"


def bars(title: str, values: Mapping[str, Sequence[float]], unit: str) -> str:
    """Horizontal bars of medians, with a line from the least to the most; the scale is logarithmic.

    Args:
        title: above the bars.
        values: the runs of each bar, all above 0.
        unit: of the values.
    """
    least = min(min(runs) for runs in values.values())
    most = max(max(runs) for runs in values.values())
    low, high = math.floor(math.log10(least) - 1e-9), math.ceil(math.log10(most) + 1e-9)

    def at(value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (math.log10(value) - low) / (high - low)

    bottom = TOP + ROW * len(values)
    parts = [_text(8, 18, title, "start", bold=True), _text(LEFT, 34, f"{unit}, logarithmic", "start")]
    for power in range(low, high + 1):
        x = at(10.0**power)
        parts.append(f'<path d="M{x:.1f} {TOP}V{bottom}" stroke="#d0d7de"/>')
        parts.append(_text(x, bottom + 14, f"{10.0**power:,g}" if power < 3 else f"{10**power:,}", "middle"))
    for i, (name, runs) in enumerate(values.items()):
        y, end = TOP + ROW * i, at(statistics.median(runs))
        fill = OURS if name.startswith("polyhead") else OTHERS
        parts.append(_text(LEFT - 8, y + 15, name, "end"))
        parts.append(
            f'<rect x="{LEFT}" y="{y + 4}" width="{end - LEFT:.1f}" height="{ROW - 8}" fill="{fill}"/>'
        )
        parts.append(
            f'<path d="M{at(min(runs)):.1f} {y + ROW / 2}H{at(max(runs)):.1f}" stroke="{INK}" stroke-width="1.5"/>'
        )
        label = f"{statistics.median(runs):,.0f}" if most >= 100 else f"{statistics.median(runs):.2f}"
        parts.append(_text(max(end, at(max(runs))) + 6, y + 15, label, "start"))
    height = bottom + 24
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="system-ui, sans-serif" font-size="12">'
    )
    paper = f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>'
    return "\n".join([head, f"<title>{escape(title)}</title>", paper, *parts, "</svg>"]) + "\n"


def _text(x: float, y: float, text: str, anchor: str, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{INK}"{weight}>{escape(text)}</text>'
