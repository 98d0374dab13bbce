"""Makes the description that a package index shows, and the project's URLs, from README.md and one address."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_PICTURE = re.compile(r"!\[[^\]]*\]\((?!https?:)[^)]+\)\n*")
_LINK = re.compile(r"\[([^\]]+)\]\((?!https?:|#)([^)]+)\)")
_COMMENT = re.compile(r"<!--.*?-->\n", re.DOTALL)
_PAGES = {"Documentation": "docs/index.md", "Changelog": "CHANGELOG.md"}


class MetadataHook(MetadataHookInterface):
    """Fills in ``readme`` and ``urls``."""

    def update(self, metadata: dict[str, Any]) -> None:
        address = str(self.config.get("repository", "")).rstrip("/")
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": description(text, address)}
        metadata["urls"] = urls(address)


def description(readme: str, address: str) -> str:
    """The README with links that work anywhere.

    A relative link leads nowhere on a package index. With an address it becomes absolute; without one, the words stay,
    and the file that they lead to is named, as the source distribution contains it. Pictures need an address.
    """
    text = _COMMENT.sub("", readme)
    if address:
        text = re.sub(r"(!\[[^\]]*\]\()(?!https?:)([^)]+)\)", rf"\1{address}/raw/main/\2)", text)
        return _LINK.sub(lambda found: f"[{found[1]}]({address}/blob/main/{found[2]})", text)
    text = _PICTURE.sub("", text)
    return _LINK.sub(lambda found: _named(found[1], found[2]), text)


def _named(words: str, target: str) -> str:
    return f"`{target}`" if words.strip("`") == target else f"{words} (`{target}`)"


def urls(address: str) -> dict[str, str]:
    """The project's URLs; none without an address."""
    if not address:
        return {}
    pages = {title: f"{address}/blob/main/{path}" for title, path in _PAGES.items()}
    return {"Source": address, **pages, "Issues": f"{address}/issues"}
