"""Renders tables as HTML for notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

_CELL = "text-align:left;padding:3px 12px 3px 0;vertical-align:top"


def html_table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]], note: str = "") -> str:
    """Render a table in the colors and fonts of the notebook; all text is escaped.

    >>> html_table("1 row", ["head"], [["<a>"]]).count("&lt;a&gt;")
    1
    """
    head = "".join(f'<th scope="col" style="{_CELL}">{escape(word)}</th>' for word in header)
    body = "".join(
        "<tr>"
        + "".join(f'<td style="{_CELL};overflow-wrap:break-word">{escape(cell)}</td>' for cell in row)
        + "</tr>"
        for row in rows
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if body else ""
    below = f'<p style="white-space:pre-wrap">{escape(note)}</p>' if note else ""
    return f'<div class="polyhead"><p><strong>{escape(title)}</strong></p>{table}{below}</div>'


def small_histogram(counts: Sequence[float]) -> str:
    """Render counts as a line of bars.

    >>> small_histogram([0, 1, 4, 8])
    ' ▁▄█'
    """
    most = max(counts, default=0) or 1
    return "".join(" ▁▂▃▄▅▆▇█"[-(-int(8 * count) // int(most)) if count else 0] for count in counts)


def feed_html(feed: Any) -> str:
    """Render a feed's inputs and heads as a table."""
    title, *_ = repr(feed).removeprefix("Feed(").splitlines()
    rows = [
        (word, name, repr(kind), f"{kind.dtype} {kind.shape}")
        for word, kinds in (("input", feed.inputs), ("head", feed.heads))
        for name, kind in kinds.items()
    ]
    note = "feed.preview() shows samples, and feed.describe() the labels of all rows."
    return html_table(f"Feed: {title.rstrip(')')}", ("", "name", "kind", "as the model gets it"), rows, note)
