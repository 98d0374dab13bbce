"""Hooks of the site: plots from outside `docs`, long messages in several lines, guides before notes in a search."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]


BOOST = {"questions": 1.6, "decisions/": 0.1, "changes": 0.1, "benchmarks": 0.2, "architecture": 0.2}
BOOST |= {"reference": 0.5, "guides/notebooks": 0.3, "guides/index": 0.5, "guides/own-": 0.5}
BOOST |= {
    "in-the-image": 1.2,
    "heads": 0.7,
    "sources": 0.6,
    "guides/token-tags": 0.6,
    "guides/imbalance": 1.3,
}
"""How much a page counts in the search, by the beginning of its path; 1 for all others."""


LONG_TEXT = re.compile(r"^( *)```text$(?=(?:\n(?! *```).*)*?\n(?! *```).{101})", re.MULTILINE)
"""The beginning of a block of text with a line that no screen shows at once, as messages have it."""


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Say how much the page counts in the search, unless it says so itself; wrap what programs print in long lines."""
    boost = next((value for start, value in BOOST.items() if page.file.src_uri.startswith(start)), 1.0)
    page.meta.setdefault("search", {"boost": boost})
    return LONG_TEXT.sub(r"\1```{.text .long}", markdown)


def on_files(files: Any, config: Any) -> Any:
    """Add the plots, under the addresses by which `benchmarks/RESULTS.md` names them."""
    for plot in sorted((ROOT / "benchmarks" / "plots").glob("*.svg")):
        files.append(File.generated(config, f"plots/{plot.name}", abs_src_path=str(plot)))
    return files
