"""Previews a feed as a page, as a contact sheet or in a notebook."""

from polyhead.report.preview import Preview, preview

__all__ = ["Preview", "preview"]
