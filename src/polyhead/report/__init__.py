"""Looking at a feed: a page, a contact sheet, a notebook's cell."""

from polyhead.report.preview import Preview, preview

__all__ = ["Preview", "preview"]
