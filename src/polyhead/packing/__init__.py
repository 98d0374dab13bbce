"""Writing stores: rows of any source, or of a feed, into a folder of Arrow files."""

from polyhead.packing.pack import pack
from polyhead.packing.verify import verify

__all__ = ["pack", "verify"]
